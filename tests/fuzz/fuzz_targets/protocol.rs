//! The locked protocol, as a node receives it, and its TOML source, as a coordinator writes it.
//! Bytes that no key has signed must not open; a content of the right form is signed here, so
//! that the checks behind the signature are reached too.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shared::identity::{
    KeyCertificate, KeyPurpose, KeyStatement, PublicKey, Serial, Signed, SigningKey,
};
use shared::study::lock::{self, LockedProtocol, SCHEMA, Signoff};
use shared::study::{Timestamp, source, validate};

struct Keys {
    ca: PublicKey,
    signer: SigningKey,
    certificate: KeyCertificate,
    now: Timestamp,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let ca = SigningKey::from_seed(&[1; 32]);
    let signer = SigningKey::from_seed(&[2; 32]);
    let now = Timestamp::from_unix(1_800_000_000).expect("a date");
    let statement = KeyStatement {
        purpose: KeyPurpose::StudySigning,
        key: signer.public(),
        consortium: "fuzz".to_owned(),
        not_before: now,
        not_after: now.plus_seconds(3600),
        serial: Serial::from_bytes([3; 16]),
    };
    Keys {
        ca: ca.public(),
        certificate: KeyCertificate::issue(statement, &ca).expect("a statement"),
        signer,
        now,
    }
});

/// Signed properly, a locked protocol opens exactly when it is valid.
fn signed(body: LockedProtocol) {
    let valid = validate::check(&body.protocol).is_empty();
    let Ok(document) = Signed::sign(SCHEMA, body, &KEYS.signer, KEYS.certificate.clone()) else {
        return;
    };
    let bytes = document.to_bytes().expect("it was signed over its bytes");
    let pinned = [KEYS.signer.public()];
    let opened = lock::open(&bytes, &KEYS.ca, Some(&pinned), KEYS.now);
    assert_eq!(opened.is_ok(), valid);
}

/// A valid source can be locked once its roles have signed off.
fn locked(text: &str) {
    let Ok(protocol) = source::parse(text) else {
        return;
    };
    if !validate::check(&protocol).is_empty() {
        return;
    }
    let signoffs: Vec<Signoff> = protocol
        .signoff
        .required
        .iter()
        .map(|role| Signoff {
            role: role.clone(),
            name: "A. Person".to_owned(),
        })
        .collect();
    let certificate = KEYS.certificate.clone();
    let bytes = lock::lock(&protocol, &signoffs, KEYS.now, &KEYS.signer, certificate)
        .expect("a valid protocol locks");
    lock::open(&bytes, &KEYS.ca, None, KEYS.now).expect("what was locked opens");
}

fuzz_target!(|input: &[u8]| {
    assert!(lock::open(input, &KEYS.ca, None, KEYS.now).is_err());
    if let Ok(document) = serde_json::from_slice::<Signed<LockedProtocol>>(input) {
        signed(document.body);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        locked(text);
    }
});
