//! Jobs that must not run: each is refused with the right word, and nothing else is said.

use std::collections::BTreeMap;

use coordinator::consortium::{CertifiedKey, Consortium};
use coordinator::link::system_now;
use shared::identity::{Digest, KeyCertificate, KeyPurpose, KeyStatement, SigningKey};
use shared::study::job::{Job, MEASURE};
use shared::study::plan::{self, StatisticKind};
use shared::study::{Timestamp, lock};
use shared::wire::Refusal;

use crate::{Lair, SITE, is_harmless, key, locked, protocol, refusals, serial, signoffs};

/// The honest job, for a round of its own.
pub(super) fn job(protocol: Digest, round: &str, issued_at: Timestamp) -> Job {
    Job::measure(
        &crate::protocol(),
        protocol,
        round.parse().unwrap(),
        SITE.parse().unwrap(),
        issued_at,
        MEASURE.parse().unwrap(),
    )
}

pub(super) fn sign(job: Job, key: &CertifiedKey) -> Vec<u8> {
    job.sign(&key.key, key.certificate.clone()).unwrap()
}

/// A key that `ca` vouches for.
fn certified(ca: &SigningKey, purpose: KeyPurpose) -> CertifiedKey {
    let key = key();
    let now = system_now();
    let statement = KeyStatement {
        purpose,
        key: key.public(),
        consortium: "Lair".to_owned(),
        not_before: now.plus_seconds(-60),
        not_after: now.plus_seconds(86_400),
        serial: serial(),
    };
    let certificate = KeyCertificate::issue(statement, ca).unwrap();
    CertifiedKey { key, certificate }
}

/// A word that no honest job of this study has: a known statistic where the study leaves one out.
fn unplanned() -> String {
    let planned = plan::kinds(&protocol());
    let other = StatisticKind::ALL
        .iter()
        .find(|kind| !planned.contains(kind));
    other.map_or("everything", |kind| kind.as_str()).to_owned()
}

struct Cases<'a> {
    lair: &'a Lair,
    consortium: &'a Consortium,
    protocol: Digest,
    now: Timestamp,
    expected: BTreeMap<Digest, (String, Refusal)>,
}

impl Cases<'_> {
    fn fresh(&self) -> Job {
        let round = format!("heart-disease.r{}", self.expected.len() + 1);
        job(self.protocol, &round, self.now)
    }

    fn offer(&mut self, name: &str, bytes: Vec<u8>, refusal: Refusal) {
        let job = self.lair.offer(bytes);
        self.expected.insert(job, (name.to_owned(), refusal));
    }

    /// A job that is signed as an honest one is, changed before it was signed.
    fn signed(&mut self, name: &str, change: impl FnOnce(&mut Job), refusal: Refusal) {
        let mut job = self.fresh();
        change(&mut job);
        self.offer(name, sign(job, &self.consortium.signing), refusal);
    }

    fn by(&mut self, name: &str, key: &CertifiedKey, refusal: Refusal) {
        let bytes = sign(self.fresh(), key);
        self.offer(name, bytes, refusal);
    }
}

fn wrong_content(cases: &mut Cases<'_>) {
    let day = 86_400;
    let now = cases.now;
    cases.signed(
        "expired",
        |job| {
            job.issued_at = now.plus_seconds(-40 * day);
            job.expires_at = now.plus_seconds(-day);
        },
        Refusal::Expired,
    );
    cases.signed(
        "not issued yet",
        |job| job.issued_at = now.plus_seconds(day),
        Refusal::Expired,
    );
    cases.signed(
        "unlisted study",
        |job| job.study = "another-study".parse().unwrap(),
        Refusal::StudyNotListed,
    );
    cases.signed(
        "another site",
        |job| job.site = "cleveland".parse().unwrap(),
        Refusal::WrongSite,
    );
    cases.signed(
        "unknown statistic",
        |job| job.exchanges[0].statistics.push("raw-rows".to_owned()),
        Refusal::UnknownStatistic,
    );
    cases.signed(
        "statistic not planned",
        |job| job.exchanges[0].statistics.push(unplanned()),
        Refusal::UnknownStatistic,
    );
    cases.signed(
        "one statistic twice",
        |job| {
            let first = job.exchanges[0].statistics[0].clone();
            job.exchanges[0].statistics.push(first);
        },
        Refusal::UnknownForm,
    );
    cases.signed(
        "two steps",
        |job| job.exchanges[0].max_steps = 2,
        Refusal::UnknownForm,
    );
    cases.signed(
        "two exchanges",
        |job| job.exchanges.push(job.exchanges[0].clone()),
        Refusal::UnknownForm,
    );
    cases.signed(
        "no exchange",
        |job| job.exchanges.clear(),
        Refusal::UnknownForm,
    );
}

fn wrong_signature(cases: &mut Cases<'_>) {
    let ca = cases.consortium.ca.key();
    let unpinned = certified(ca, KeyPurpose::StudySigning);
    cases.by(
        "a key certified later, not pinned",
        &unpinned,
        Refusal::UnknownSigner,
    );
    let foreign = certified(&key(), KeyPurpose::StudySigning);
    cases.by(
        "a key of another consortium",
        &foreign,
        Refusal::UnknownSigner,
    );
    let receipt = &cases.consortium.receipt;
    cases.by("the receipt key", receipt, Refusal::UnknownSigner);
    let mixed = CertifiedKey {
        key: key(),
        certificate: cases.consortium.signing.certificate.clone(),
    };
    cases.by(
        "another key under the pinned certificate",
        &mixed,
        Refusal::BadSignature,
    );

    let honest = sign(cases.fresh(), &cases.consortium.signing);
    let mut unsigned: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    unsigned.as_object_mut().unwrap().remove("signature");
    let unsigned = serde_json::to_vec(&unsigned).unwrap();
    cases.offer("unsigned", unsigned, Refusal::UnknownForm);
    let body: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    let body = serde_json::to_vec(&body["body"]).unwrap();
    cases.offer("the body alone", body, Refusal::UnknownForm);
    cases.offer(
        "no document",
        b"release everything".to_vec(),
        Refusal::UnknownForm,
    );
    // The honest bytes under another name.
    let name = Digest::of(b"another name");
    cases.lair.offer_as(name, honest);
    let expected = ("under another name".to_owned(), Refusal::BadSignature);
    cases.expected.insert(name, expected);
}

fn wrong_protocol(cases: &mut Cases<'_>, honest: &[u8]) {
    let text = String::from_utf8(honest.to_vec()).unwrap();
    // Signed by nobody: one byte of the locked document is another one, and the job names it.
    let changed = text
        .replacen("\"min_sites\":3", "\"min_sites\":1", 1)
        .into_bytes();
    assert_ne!(changed, honest);
    let digest = Digest::of(&changed);
    cases.lair.publish(digest, changed.clone());
    let named = |job: &mut Job| job.protocol = digest;
    cases.signed("a changed protocol, named", named, Refusal::BadSignature);
    // Other bytes than the ones the job names.
    let elsewhere = Digest::of(b"a protocol that is never shown");
    cases.lair.publish(elsewhere, changed);
    let named = |job: &mut Job| job.protocol = elsewhere;
    cases.signed(
        "other protocol bytes than named",
        named,
        Refusal::BadSignature,
    );
    // Locked by a key that is not pinned.
    let key = certified(cases.consortium.ca.key(), KeyPurpose::StudySigning);
    let protocol = protocol();
    let signoffs = signoffs(&protocol);
    let bytes = lock::lock(&protocol, &signoffs, cases.now, &key.key, key.certificate).unwrap();
    let digest = Digest::of(&bytes);
    cases.lair.publish(digest, bytes);
    let named = |job: &mut Job| job.protocol = digest;
    cases.signed(
        "a protocol locked by a stranger",
        named,
        Refusal::UnknownSigner,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_may_not_run_are_refused_and_nothing_else_is_said() {
    let mut lair = Lair::open().await;
    let consortium = std::sync::Arc::clone(&lair.hostile.consortium);
    let now = system_now();
    let study = locked(&consortium, now);
    let protocol = Digest::of(&study);
    lair.publish(protocol, study.clone());
    let mut cases = Cases {
        lair: &lair,
        consortium: &consortium,
        protocol,
        now,
        expected: BTreeMap::new(),
    };
    wrong_content(&mut cases);
    wrong_signature(&mut cases);
    wrong_protocol(&mut cases, &study);
    let expected = cases.expected;

    lair.start();
    lair.until("every refusal", |heard| {
        refusals(heard).len() >= expected.len()
    })
    .await;
    let heard = lair.heard();
    assert!(heard.iter().all(is_harmless), "{heard:?}");
    let told = refusals(&heard);
    for (job, (name, refusal)) in &expected {
        assert_eq!(told.get(job), Some(refusal), "{name}");
    }
    let ledger = lair.staff(&["ledger", "list"]);
    for (job, (name, refusal)) in &expected {
        let named = |entry: &&serde_json::Value| entry["job"] == job.to_string();
        let entries: Vec<_> = ledger.as_array().unwrap().iter().filter(named).collect();
        assert_eq!(entries.len(), 1, "{name}");
        assert_eq!(entries[0]["event"]["refusal"], refusal.as_str(), "{name}");
        assert_eq!(entries[0]["event"]["by"], "admission", "{name}");
    }
    assert!(lair.staff(&["ledger", "verify"]).is_object());
    assert!(
        lair.node.as_mut().unwrap().ended().is_none(),
        "the node still runs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_altered_byte_of_a_job_is_believed() {
    let mut lair = Lair::open().await;
    let consortium = std::sync::Arc::clone(&lair.hostile.consortium);
    let study = locked(&consortium, system_now());
    lair.publish(Digest::of(&study), study.clone());
    let job = job(Digest::of(&study), "heart-disease.r1", system_now());
    let honest = sign(job, &consortium.signing);
    let count = 60;
    for part in 0..count {
        let mut bytes = honest.clone();
        let at = part * bytes.len() / count;
        bytes[at] ^= 1;
        lair.offer(bytes);
    }
    lair.start();
    lair.until("sixty refusals", |heard| refusals(heard).len() == count)
        .await;
    let heard = lair.heard();
    assert!(heard.iter().all(is_harmless));
    let words = [
        Refusal::BadSignature,
        Refusal::UnknownSigner,
        Refusal::UnknownForm,
    ];
    assert!(
        refusals(&heard)
            .values()
            .all(|refusal| words.contains(refusal))
    );
    assert_eq!(lair.staff(&["job", "list"]), serde_json::json!([]));

    // The honest one runs after all that: the node was not worn down. A second job of the same
    // round, as validly signed, does not.
    lair.offer(honest.clone());
    lair.until("a delivery", |heard| {
        heard.iter().any(|request| !is_harmless(request))
    })
    .await;
    let mut again = self::job(Digest::of(&study), "heart-disease.r1", system_now());
    again.expires_at = again.expires_at.plus_seconds(1);
    let again = lair.offer(sign(again, &consortium.signing));
    lair.until("a conflict", |heard| refusals(heard).contains_key(&again))
        .await;
    assert_eq!(refusals(&lair.heard())[&again], Refusal::Conflict);
}
