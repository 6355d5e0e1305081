use shared::identity::SigningKey;
use shared::wire::Refusal;

use super::super::Stored;
use super::super::tests::{at, head, launched, real, round, site};
use super::*;

/// A person takes what was set aside for another site's sake; what contradicts itself stays aside, and
/// so does what was answered twice.
#[test]
fn only_a_release_that_another_site_copied_is_accepted_by_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let [a, b] = ["a", "b"].map(|name| InboxItem {
        findings: Vec::new(),
        ..real(name, "va")
    });
    let accept = |name: &str| store.accept(&round(), &site(name), "asked both", at(20));
    store.deliver(&a, b"r", &head(1), at(10)).unwrap();
    assert_eq!(accept("a").unwrap_err().code, Code::RoundState);
    store.deliver(&b, b"r", &head(1), at(11)).unwrap();
    let ca = SigningKey::from_seed(&[1; 32]).public();
    let statuses = || {
        let inbox = store.inbox(&round()).unwrap();
        inbox.iter().map(|item| item.status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(), [InboxStatus::Quarantined; 2]);
    assert_eq!(accept("a").unwrap(), [a.digest]);
    assert_eq!(
        statuses(),
        [InboxStatus::Accepted, InboxStatus::Quarantined]
    );
    // The trail says so, so that it is no row put back as it was.
    let why = store.verify_receipts(&ca).unwrap().unwrap_err().why;
    assert!(!why.contains("set aside"), "{why}");

    // Answered twice: both documents are named in the trail as set aside, and neither is taken.
    let mut second = a.clone();
    second.bytes.push(b' ');
    second.digest = Digest::of(&second.bytes);
    let refused = store.deliver(&second, b"r", &head(2), at(30)).unwrap();
    assert_eq!(refused, Stored::Refused(Refusal::Conflict));
    let named: Vec<String> = store
        .audit()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.at == at(30))
        .filter_map(|entry| entry.object)
        .collect();
    assert_eq!(named, [a.digest.to_string(), second.digest.to_string()]);
    assert_eq!(accept("a").unwrap_err().code, Code::CheckFailed);
}
