//! Station 7, intake: bytes become a received release, and a received release either passes
//! every check or is set aside with reasons. Nothing is dropped silently.
//!
//! From: `dispatch` (what a node delivered).
//! To: `store::inbox`; `bundle` reads accepted releases only.

mod accuracy;
mod calibration;
mod cells;
mod consistency;
mod contingency;
mod declared;
mod detection;
mod disparity;
mod finding;
mod histogram;
mod keys;
mod margins;
mod masks;
mod noisy;
mod performance;
mod recomputed;
mod related;
mod steps;
mod subgroups;
#[cfg(test)]
pub(crate) mod tests;
mod twins;
mod utility;
mod weighted;

use shared::disclosure::document::ReceivedRelease;
use shared::fault::Fault;
use shared::identity::{Digest, to_canonical};
use shared::study::job::Job;
use shared::study::step::Step;
use shared::study::{StudyProtocol, Timestamp};
use shared::wire::Refusal;

pub use finding::Finding;
pub use twins::Sketch;

use crate::store::{InboxItem, InboxStatus};

/// Largest accepted release document, bytes.
pub const RELEASE_MAX: usize = 8 * 1024 * 1024 - 64 * 1024;

/// Fewer disclosed numbers than this can be equal at two sites by chance.
const FINGERPRINT_NUMBERS_MIN: usize = 12;

/// A release whose form, id and addressee are right. Its numbers are not checked yet.
#[derive(Clone, Debug)]
pub struct Received {
    /// The release.
    pub release: ReceivedRelease,
    /// Digest of its bytes.
    pub digest: Digest,
}

/// Reads delivered bytes and checks that they answer `job`, whose digest is `job_digest`.
///
/// # Errors
/// A [`Refusal`] when the bytes are no release or answer another job; nothing is stored then.
pub fn receive(
    bytes: &[u8],
    claimed: &Digest,
    job: &Job,
    job_digest: &Digest,
) -> Result<Received, Refusal> {
    if bytes.len() > RELEASE_MAX {
        return Err(Refusal::UnknownForm);
    }
    let release = ReceivedRelease::read(bytes).map_err(|_| Refusal::UnknownForm)?;
    let header = &release.header;
    if release.id != *claimed {
        return Err(Refusal::UnknownForm);
    }
    if header.site != job.site {
        return Err(Refusal::WrongSite);
    }
    let exchange = job
        .exchanges
        .iter()
        .find(|exchange| exchange.id == header.exchange);
    let belongs = header.job == Some(*job_digest)
        && header.round.as_ref() == Some(&job.round)
        && header.study == job.study
        && header.protocol == job.protocol
        && exchange.is_some_and(|exchange| (1..=exchange.max_steps).contains(&header.step));
    if !belongs {
        return Err(Refusal::UnknownForm);
    }
    Ok(Received {
        digest: Digest::of(bytes),
        release,
    })
}

/// Everything the release contradicts: itself, the protocol, arithmetic. Empty when it passes.
pub fn check(release: &ReceivedRelease, protocol: &StudyProtocol) -> Vec<Finding> {
    let mut findings = Vec::new();
    keys::check(release, protocol, &mut findings);
    cells::check(release, &mut findings);
    consistency::check(release, protocol, &mut findings);
    performance::check(release, protocol, &mut findings);
    histogram::check(release, protocol, &mut findings);
    calibration::check(release, protocol, &mut findings);
    subgroups::check(release, protocol, &mut findings);
    contingency::check(release, protocol, &mut findings);
    masks::check(release, protocol, &mut findings);
    detection::check(release, protocol, &mut findings);
    noisy::check(release, protocol, &mut findings);
    findings
}

/// The inbox row of a received release.
///
/// # Errors
/// [`Fault`] when the statistics cannot be written, which is a defect.
pub fn admit(
    received: &Received,
    bytes: Vec<u8>,
    job: &Digest,
    protocol: &StudyProtocol,
    now: Timestamp,
) -> Result<InboxItem, Fault> {
    let findings = check(&received.release, protocol);
    item(received, bytes, job, findings, now)
}

/// The inbox row of a received step; `before` are the site's accepted releases of earlier steps.
///
/// # Errors
/// [`Fault`] when the statistics cannot be written, which is a defect.
pub fn admit_step(
    received: &Received,
    bytes: Vec<u8>,
    job: &Digest,
    (protocol, step, before): (&StudyProtocol, &Step, &[ReceivedRelease]),
    now: Timestamp,
) -> Result<InboxItem, Fault> {
    let findings = steps::check(&received.release, protocol, step, before);
    item(received, bytes, job, findings, now)
}

/// The inbox row of a message of a masked sum, which has no numbers to check; `objection` is what
/// the mask's own phase finds wrong with it.
///
/// # Errors
/// [`Fault`] when the row cannot be written, which is a defect.
pub fn admit_message(
    received: &Received,
    bytes: Vec<u8>,
    job: &Digest,
    objection: Option<String>,
    now: Timestamp,
) -> Result<InboxItem, Fault> {
    let findings = objection.map(|what| Finding::new("masked-message", "masked", what));
    item(received, bytes, job, findings.into_iter().collect(), now)
}

fn item(
    received: &Received,
    bytes: Vec<u8>,
    job: &Digest,
    findings: Vec<Finding>,
    now: Timestamp,
) -> Result<InboxItem, Fault> {
    let status = if findings.is_empty() {
        InboxStatus::Accepted
    } else {
        InboxStatus::Quarantined
    };
    Ok(InboxItem {
        release: received.release.id,
        digest: received.digest,
        job: *job,
        exchange: received.release.header.exchange.clone(),
        step: received.release.header.step,
        site: received.release.header.site.clone(),
        fingerprint: fingerprint(&received.release)?,
        sketch: Sketch::of(&received.release),
        bytes,
        received_at: now,
        status,
        findings,
    })
}

/// Digest of the statistics alone. A release with next to no numbers is told apart by its site,
/// since two sites that withhold everything look the same without being the same.
fn fingerprint(release: &ReceivedRelease) -> Result<Digest, Fault> {
    let bytes = to_canonical(&release.statistics)
        .map_err(|_| Fault::internal("released statistics have no canonical form"))?;
    let site = release.header.site.as_str();
    let enough = cells::numbers(release) >= FINGERPRINT_NUMBERS_MIN;
    let site = if enough { "" } else { site };
    Ok(Digest::of_list(&[site.as_bytes(), &bytes]))
}
