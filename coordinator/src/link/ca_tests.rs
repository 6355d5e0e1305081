//! What the CA writes, and what it takes from a request.
//!
//! From: requests, honest and not.
//! To: `ca`.

use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};
use shared::identity::{CountingEntropy, DocumentFault};

use super::*;
use crate::link::{certificate_from_pem, key_from_pem, key_to_pem};

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

fn serial(seed: u64) -> Serial {
    Serial::generate(&mut CountingEntropy::new(seed)).unwrap()
}

fn ca() -> ConsortiumCa {
    ConsortiumCa::create("Heart", SigningKey::from_seed(&[1; 32]), serial(1), now()).unwrap()
}

fn request(key: &SigningKey, params: &CertificateParams) -> Vec<u8> {
    let request = params.serialize_request(&rcgen_key(key).unwrap()).unwrap();
    request.der().to_vec()
}

#[test]
fn a_request_gives_its_key_and_nothing_else() {
    let key = SigningKey::from_seed(&[2; 32]);
    let mut greedy = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let checked = CheckedCsr::open(&request(&key, &greedy)).unwrap();
    assert_eq!(checked.public(), key.public());
    assert_eq!(checked.words(), enrolment_words(&key.public()));

    let site: SiteSlug = "st_olav.north".parse().unwrap();
    let issued = ca().issue_node(&site, &checked, serial(9), now()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&issued.der).unwrap();
    assert!(!parsed.is_ca());
    assert_eq!(parsed.issuer(), parsed_subject(&ca()).subject());
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    let named = name_of(&issued.der).unwrap();
    assert_eq!((named.site, named.serial), (site, serial(9)));
    assert_eq!(named.not_after, issued.not_after);
    assert_eq!(issued.not_after.unix() - now().unix(), 30 * 86_400);
    let text = String::from_utf8_lossy(&issued.der).into_owned();
    assert!(!text.contains("evil"));
}

fn parsed_subject(ca: &ConsortiumCa) -> X509Certificate<'_> {
    X509Certificate::from_der(ca.certificate_der()).unwrap().1
}

#[test]
fn a_request_changed_anywhere_never_gives_another_key() {
    let key = SigningKey::from_seed(&[2; 32]);
    let der = request(&key, &CertificateParams::default());
    assert!(CheckedCsr::open(&der).is_ok());
    for at in 0..der.len() {
        let mut altered = der.clone();
        altered[at] ^= 1;
        // A byte that no signature covers (the padding count of a bit string) may differ.
        if let Ok(checked) = CheckedCsr::open(&altered) {
            assert_eq!(checked.public(), key.public(), "byte {at}");
        }
        assert!(CheckedCsr::open(&der[..at]).is_err(), "cut at {at}");
    }
    assert!(CheckedCsr::open(&vec![0x30; CERTIFICATE_MAX + 1]).is_err());
}

#[test]
fn only_ed25519_keys_are_certified() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    assert_eq!(
        CheckedCsr::open(request.der()).unwrap_err(),
        Refusal::UnknownForm
    );
}

#[test]
fn the_ca_survives_its_files_and_not_another_key() {
    let ca = ca();
    let pem = key_to_pem(ca.key());
    let read = ConsortiumCa::load(key_from_pem(&pem).unwrap(), ca.certificate_der()).unwrap();
    assert_eq!(read.fingerprint(), ca.fingerprint());
    assert_eq!(read.consortium(), "Heart");
    assert!(ConsortiumCa::load(SigningKey::from_seed(&[9; 32]), ca.certificate_der()).is_err());
    let text = ca.certificate_pem();
    assert_eq!(certificate_from_pem(&text).unwrap(), ca.certificate_der());
    let two = format!("{text}words between\n{text}");
    for bad in [
        "",
        "-----BEGIN CERTIFICATE-----",
        two.as_str(),
        pem.as_str(),
    ] {
        assert!(certificate_from_pem(bad).is_err());
    }
    assert!(key_from_pem(&text).is_err());
}

#[test]
fn names_that_no_certificate_can_hold_are_refused() {
    let long = "x".repeat(65);
    for bad in ["", "a\nb", long.as_str()] {
        let key = SigningKey::from_seed(&[1; 32]);
        assert!(ConsortiumCa::create(bad, key, serial(1), now()).is_err());
    }
    let server = |host: &str| {
        let key = SigningKey::from_seed(&[3; 32]);
        ca().server_identity(&[host.to_owned()], key, serial(2), now())
    };
    assert!(server("coord.example.org").is_ok());
    assert!(server("::1").is_ok());
    assert!(server("bücher.example").is_err());
}

#[test]
fn a_certified_key_opens_with_the_ca_and_expires() {
    let key = SigningKey::from_seed(&[4; 32]).public();
    let ca = ca();
    let certificate = ca
        .certify_key(KeyPurpose::StudySigning, key, serial(5), now())
        .unwrap();
    let check = |at| certificate.check(&ca.public(), KeyPurpose::StudySigning, at);
    assert_eq!(check(now()), Ok(()));
    let later = now().plus_seconds(3 * 365 * 86_400);
    assert_eq!(check(later), Err(DocumentFault::Expired));
}
