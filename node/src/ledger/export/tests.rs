use shared::study::Timestamp;

use super::*;

fn entry(approver: &str) -> Entry {
    Entry {
        schema: crate::ledger::SCHEMA.to_owned(),
        seq: 1,
        previous: Digest::of(b""),
        nonce: None,
        at: Timestamp::from_unix(1_800_000_000).unwrap(),
        study: None,
        protocol: None,
        round: None,
        job: None,
        event: Event::Resumed {
            by: approver.to_owned(),
        },
    }
}

#[test]
fn each_approver_is_a_person_of_their_own_and_a_rule_is_none() {
    let of = |by: &str| {
        let entry = entry(by);
        let each: Vec<String> = approvers(&entry)
            .map(|name| local_id("person", name))
            .collect();
        each
    };
    assert_eq!(of("anna and ben"), ["#person-anna", "#person-ben"]);
    assert_eq!(of("uid 7"), ["#person-uid%207"]);
    assert_ne!(of("a.b"), of("a-b"));
    for rule in [
        "policy",
        "admission",
        "coordinator",
        "site",
        AUTOMATIC,
        SAME_SHAPE,
    ] {
        assert!(of(rule).is_empty(), "{rule}");
    }
}
