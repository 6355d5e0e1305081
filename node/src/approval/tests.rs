use shared::identity::{Signature, SigningKey};
use shared::study::Timestamp;

use super::*;

const JOB: &[u8] = b"job";

fn signed(name: &str, seed: u8) -> Signed {
    let key = SigningKey::from_seed(&[seed; 32]);
    Signed {
        approver: name.to_owned(),
        key: key.public(),
        signature: Signature::from_bytes([0; 64]),
    }
}

fn approved(seq: u64, approver: &str, follows: Option<u64>, signatures: Vec<Signed>) -> Entry {
    Entry {
        schema: crate::ledger::SCHEMA.to_owned(),
        seq,
        previous: Digest::of(b""),
        nonce: None,
        at: Timestamp::from_unix(1_800_000_000).unwrap(),
        study: None,
        protocol: None,
        round: None,
        job: Some(Digest::of(if seq == 1 { b"first" } else { JOB })),
        event: Event::Approved {
            release: Digest::of(b"release"),
            digest: Digest::of(b"bytes"),
            size: 5,
            policy: Digest::of(b"policy"),
            approver: approver.to_owned(),
            note: None,
            groups: None,
            shape: None,
            standing: None,
            follows,
            signatures,
        },
    }
}

#[test]
fn what_the_ledger_holds_of_an_approval_must_be_what_the_file_asks_for() {
    let mut access = AccessSection::default();
    let job = Digest::of(JOB);
    let both = || vec![signed("anna", 1), signed("ben", 2)];
    let first = || approved(1, "anna and ben", None, both());
    let alone = |who: &str, follows| vec![first(), approved(2, who, follows, Vec::new())];
    let by = |who: &str, signatures| vec![approved(2, who, None, signatures)];
    let (manual, auto) = (ReleaseMode::Manual, ReleaseMode::Automatic);
    let same = ReleaseMode::SameShape;
    // Without keys nobody is asked to sign.
    assert_eq!(
        objection(&by("anna", Vec::new()), job, &access, manual),
        None
    );
    for (name, seed) in [("anna", 1_u8), ("ben", 2)] {
        let key = SigningKey::from_seed(&[seed; 32]).public();
        access.keys.insert(name.to_owned(), key);
    }
    let holds = |entries: &[Entry], mode| objection(entries, job, &access, mode).is_none();
    assert!(holds(&by("anna", vec![signed("anna", 1)]), manual));
    assert!(holds(&by("anna and ben", both()), manual));
    assert!(!holds(&by("anna", Vec::new()), manual));
    assert!(!holds(&by("anna and ben", vec![signed("anna", 1)]), manual));
    assert!(!holds(&by("anna", vec![signed("anna", 2)]), manual));
    assert!(!holds(&by("dora", vec![signed("dora", 1)]), manual));
    assert!(!holds(&[first()], manual));
    // A mode that the file does not name, or an approval that stands for it and is not signed.
    assert!(holds(&alone(AUTOMATIC, Some(1)), auto));
    assert!(holds(&alone(AUTOMATIC, None), auto));
    assert!(holds(&alone(SAME_SHAPE, Some(1)), same));
    for mode in [manual, same] {
        assert!(!holds(&alone(AUTOMATIC, Some(1)), mode));
    }
    assert!(!holds(&alone(SAME_SHAPE, None), same));
    assert!(!holds(&alone(SAME_SHAPE, Some(7)), same));
    let mut unsigned = alone(AUTOMATIC, Some(1));
    unsigned[0] = approved(1, "anna and ben", None, vec![signed("ben", 2)]);
    assert!(!holds(&unsigned, auto));
}
