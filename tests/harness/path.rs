//! The public path of one release: measure, review, release, encode, read.
//!
//! From: cases and a policy.
//! To: what a coordinator reads.

use shared::disclosure::policy::{OPEN_DATA, Policy, STANDARD};
use shared::disclosure::{Axes, Header, ReceivedRelease, document, review};
use shared::identity::Digest;
use shared::pool::result::PooledStudy;
use shared::pool::study::{RoundFacts, SiteAnswer, pool};
use shared::statistic::measure::measure;
use shared::statistic::{AnalysisSet, Cases};
use shared::study::plan::StatisticKind;
use shared::study::{SiteSlug, StudyProtocol, plan};
use shared::wire;

pub fn standard() -> Policy {
    Policy::parse(STANDARD).unwrap()
}

pub fn open_data() -> Policy {
    Policy::parse(OPEN_DATA).unwrap()
}

pub(crate) fn header(policy: &Policy, site: &str) -> Header {
    Header {
        schema: document::SCHEMA.to_owned(),
        study: "test".parse().unwrap(),
        study_version: "1.0.0".to_owned(),
        protocol: Digest::of(b"protocol"),
        round: None,
        job: None,
        exchange: "statistics".parse().unwrap(),
        step: 1,
        input: None,
        site: site.parse().unwrap(),
        dataset: Digest::of(site.as_bytes()),
        policy: policy.stamp(),
        clustered: false,
        software: "fedval-tests 0".to_owned(),
        known_answer: shared::statistic::known_answer::answer(),
    }
}

/// The bytes that would be sent; `None` when the review withholds the release.
pub fn bytes(
    protocol: &StudyProtocol,
    cases: &Cases,
    policy: &Policy,
    site: &str,
) -> Option<Vec<u8>> {
    bytes_of(protocol, cases, policy, site, &plan::kinds(protocol))
}

/// The same for some of the kinds that the protocol plans.
pub fn bytes_of(
    protocol: &StudyProtocol,
    cases: &Cases,
    policy: &Policy,
    site: &str,
    kinds: &[StatisticKind],
) -> Option<Vec<u8>> {
    let set = AnalysisSet::of(protocol, cases, 0).unwrap();
    let statistics = measure(protocol, cases, kinds);
    let reviewed = review(
        policy,
        protocol,
        statistics,
        (set.clustered(), Axes::BY_RULE),
    );
    let released = reviewed.release(header(policy, site))?;
    Some(wire::encode(&released).unwrap().bytes().to_vec())
}

/// What the coordinator reads of these bytes.
pub fn release(
    protocol: &StudyProtocol,
    cases: &Cases,
    policy: &Policy,
    site: &str,
) -> Option<ReceivedRelease> {
    bytes(protocol, cases, policy, site).map(|bytes| ReceivedRelease::read(&bytes).unwrap())
}

/// Facts of a round that nobody asks about.
pub fn facts() -> RoundFacts {
    RoundFacts {
        protocol_digest: Digest::of(b"protocol"),
        locked: true,
        signed: true,
        round: None,
        closed_at: None,
    }
}

/// The pool of these releases, each under its header's site.
pub fn pooled(protocol: &StudyProtocol, releases: &[ReceivedRelease]) -> PooledStudy {
    let answer = |release: &ReceivedRelease| -> (SiteSlug, SiteAnswer) {
        let bytes = Digest::of(release.header.site.as_str().as_bytes());
        let answer = SiteAnswer::Released(Box::new(release.clone()), bytes);
        (release.header.site.clone(), answer)
    };
    pool(protocol, facts(), releases.iter().map(answer).collect())
}
