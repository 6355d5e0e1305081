use super::*;

const SCHEMA: &str = "fedval.example/1";
const NOW: i64 = 1_800_000_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    question: String,
    bound: f64,
}

fn moment(offset: i64) -> Timestamp {
    Timestamp::from_unix(NOW + offset).unwrap()
}

fn ca() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn signer() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn certificate(purpose: KeyPurpose, ca: &SigningKey) -> KeyCertificate {
    let statement = KeyStatement {
        purpose,
        key: signer().public(),
        consortium: "Heart".to_owned(),
        not_before: moment(0),
        not_after: moment(86_400),
        serial: Serial::from_bytes([5; 16]),
    };
    KeyCertificate::issue(statement, ca).unwrap()
}

fn document() -> Vec<u8> {
    let body = Body {
        question: "well enough?".to_owned(),
        bound: 0.8,
    };
    let certificate = certificate(KeyPurpose::StudySigning, &ca());
    Signed::sign(SCHEMA, body, &signer(), certificate)
        .unwrap()
        .to_bytes()
        .unwrap()
}

fn open(bytes: &[u8], now: Timestamp) -> Result<Signed<Body>, DocumentFault> {
    let pinned = [signer().public()];
    let ca = ca().public();
    Signed::open(
        bytes,
        SCHEMA,
        KeyPurpose::StudySigning,
        &ca,
        Some(&pinned),
        now,
    )
}

#[test]
fn what_was_signed_opens() {
    assert_eq!(open(&document(), moment(0)).unwrap().body.bound, 0.8);
}

#[test]
fn one_changed_byte_anywhere_is_refused() {
    let bytes = document();
    for at in 0..bytes.len() {
        for change in [1, 0x20, 0x80] {
            let mut altered = bytes.clone();
            altered[at] ^= change;
            assert!(open(&altered, moment(0)).is_err(), "byte {at} ^ {change}");
        }
        let mut shorter = bytes.clone();
        shorter.remove(at);
        assert!(open(&shorter, moment(0)).is_err(), "without byte {at}");
    }
    assert!(open(&[bytes.as_slice(), b"\n"].concat(), moment(0)).is_err());
}

#[test]
fn validity_has_five_minutes_of_tolerance() {
    let bytes = document();
    assert!(open(&bytes, moment(-300)).is_ok());
    assert_eq!(
        open(&bytes, moment(-301)).unwrap_err(),
        DocumentFault::NotYetValid
    );
    assert!(open(&bytes, moment(86_400 + 300)).is_ok());
    assert_eq!(
        open(&bytes, moment(86_400 + 301)).unwrap_err(),
        DocumentFault::Expired
    );
}

#[test]
fn only_pinned_keys_that_the_ca_certified_for_this_purpose_sign() {
    let body = Body {
        question: String::new(),
        bound: 1.0,
    };
    let sign = |key: &SigningKey, certificate| {
        Signed::sign(SCHEMA, body.clone(), key, certificate)
            .unwrap()
            .to_bytes()
            .unwrap()
    };
    let foreign = SigningKey::from_seed(&[3; 32]);
    let cases = [
        (
            sign(&signer(), certificate(KeyPurpose::StudySigning, &foreign)),
            DocumentFault::UnknownSigner,
        ),
        (
            sign(&signer(), certificate(KeyPurpose::Receipt, &ca())),
            DocumentFault::WrongPurpose,
        ),
        (
            sign(&foreign, certificate(KeyPurpose::StudySigning, &ca())),
            DocumentFault::BadSignature,
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(open(&bytes, moment(0)).unwrap_err(), expected);
    }
    let open_with = |schema, pinned: &[PublicKey]| {
        let ca = ca().public();
        let purpose = KeyPurpose::StudySigning;
        Signed::<Body>::open(&document(), schema, purpose, &ca, Some(pinned), moment(0))
            .map(|document| document.body)
    };
    assert_eq!(
        open_with(SCHEMA, &[foreign.public()]),
        Err(DocumentFault::UnknownSigner)
    );
    assert_eq!(open_with(SCHEMA, &[]), Err(DocumentFault::UnknownSigner));
    assert_eq!(
        open_with("fedval.example/2", &[signer().public()]),
        Err(DocumentFault::Schema)
    );
}

#[test]
fn hostile_bytes_are_no_document() {
    let deep = "[".repeat(200_000);
    for bytes in [&b""[..], b"{}", b"null", b"\xff\xfe", deep.as_bytes()] {
        assert_eq!(open(bytes, moment(0)).unwrap_err(), DocumentFault::Form);
    }
}
