//! Station 8 at the coordinator: freezes the accepted releases of a closed round and hands them
//! to the pool. Every number of a report comes from here; a release that was set aside is named
//! and never pooled.
//!
//! From: `store::inbox` (accepted releases), `round::view` (who did what).
//! To: `shared::pool`, `shared::report`, the bundle's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shared::disclosure::document::ReceivedRelease;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::pool::masked::SumOutcome;
use shared::pool::one_stage::Exchange;
use shared::pool::result::{PooledStudy, SiteOutcome};
use shared::pool::study::{RoundFacts, SiteAnswer, Steps};
use shared::report::{self, Provenance};
use shared::study::lock::LockedProtocol;
use shared::study::{RoundId, SiteSlug, Timestamp};

use crate::config::Home;
use crate::consortium::Consortium;
use crate::desk;
use crate::exchange;
use crate::masked;
use crate::round::RoundEvent;
use crate::store::{AuditEntry, InboxStatus, Store};
use crate::waypoint;

/// A closed round, frozen: what the pool reads.
#[derive(Clone, Debug)]
pub struct FrozenRound {
    /// The round.
    pub round: RoundId,
    /// The locked protocol with its sign-offs.
    pub locked: LockedProtocol,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// When the round was closed; the report's date.
    pub closed_at: Timestamp,
    /// Every invited site, in the protocol's order.
    pub sites: Vec<FrozenSite>,
    /// The exchange of several steps, where the protocol plans one.
    pub exchange: Option<Exchange>,
    /// The masked sum, where the protocol plans one.
    pub masked: Option<SumOutcome>,
    /// Digest of the accepted releases' bytes, in the order of `sites`, then of the steps.
    pub accepted: Digest,
}

/// One invited site's part of a closed round.
#[derive(Clone, Debug)]
pub struct FrozenSite {
    /// The site.
    pub site: SiteSlug,
    /// What it did.
    pub outcome: SiteOutcome,
    /// Not asked, by the coordinator's decision.
    pub left_out: bool,
    /// Its release, when the checks accepted it, with the digest of its bytes.
    pub release: Option<(ReceivedRelease, Digest)>,
}

/// Freezes a closed round. Doing it again gives the same.
///
/// # Errors
/// [`Fault`] when the round is unknown or open, or the accepted set changed since it was frozen.
pub fn freeze(
    home: &Home,
    store: &Store,
    consortium: &Consortium,
    round: &RoundId,
    now: Timestamp,
) -> Result<FrozenRound, Fault> {
    let (row, locked) = desk::find_round(store, consortium, round)?;
    let Some(closed_at) = row.state.closed_at() else {
        return Err(Fault::new(
            Code::RoundState,
            format!("round {round} is still open"),
            "a report on an open round could change with the next release",
            format!("close it first: fedval round close {round}"),
        ));
    };
    let view = desk::status(home, store, consortium, round, closed_at)?;
    let left_out = store.left_out(round)?;
    let inbox = store.inbox(round)?;
    let mut sites = Vec::new();
    let mut digests = Vec::new();
    for site in view.sites {
        let accepted = inbox.iter().find(|item| {
            item.site == site.site
                && item.status == InboxStatus::Accepted
                && site.outcome == SiteOutcome::Released
        });
        let release = match accepted {
            Some(item) => {
                let release = ReceivedRelease::read(&item.bytes)
                    .map_err(|_| Fault::internal("an accepted release no longer reads"))?;
                digests.push(*item.digest.as_bytes());
                Some((release, item.digest))
            }
            None => None,
        };
        sites.push(FrozenSite {
            left_out: left_out.contains(&site.site),
            site: site.site,
            outcome: site.outcome,
            release,
        });
    }
    let look = exchange::look(store, &row, &locked.protocol)?;
    let stepped = look.iter().flat_map(|look| &look.digests);
    digests.extend(stepped.map(|digest| *digest.as_bytes()));
    let sum = masked::look(store, &row, &locked.protocol, closed_at)?;
    digests.extend(sum.iter().map(|look| *look.transcript.as_bytes()));
    let masked = sum
        .map(|look| masked::reviewed(look, &locked.protocol, &sites))
        .transpose()?;
    let parts: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
    let accepted = Digest::of_list(&parts);
    store.advance(round, &RoundEvent::Pool { accepted }, now)?;
    waypoint::pass("coordinator.pool.stored");
    Ok(FrozenRound {
        round: round.clone(),
        locked,
        protocol: row.protocol,
        closed_at,
        sites,
        exchange: look.map(|look| look.exchange),
        masked,
        accepted,
    })
}

/// A written bundle.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its files, in the order they were written.
    pub files: Vec<PathBuf>,
    /// Digest of `report.json`.
    pub report: Digest,
}

/// The files of a bundle by name, made from a frozen round.
pub type Files = Vec<(String, Vec<u8>)>;

/// Pools a frozen round: the same input gives the same result, byte for byte.
pub fn pool(frozen: &FrozenRound) -> PooledStudy {
    let facts = RoundFacts {
        protocol_digest: frozen.protocol,
        locked: true,
        signed: true,
        round: Some(frozen.round.clone()),
        closed_at: Some(frozen.closed_at),
    };
    let answers = frozen
        .sites
        .iter()
        .map(|site| {
            let answer = match &site.release {
                Some((release, digest)) => SiteAnswer::Released(Box::new(release.clone()), *digest),
                None => SiteAnswer::Without(site.outcome),
            };
            (site.site.clone(), answer)
        })
        .collect();
    let protocol = &frozen.locked.protocol;
    let steps = Steps {
        exchange: frozen.exchange.as_ref(),
        masked: frozen.masked.as_ref(),
    };
    shared::pool::study::pool_with_steps(protocol, facts, answers, steps)
}

/// Makes the bundle's files from a frozen round.
///
/// # Errors
/// [`Fault`] when the pooled study has no text, which is a defect.
pub fn make(frozen: &FrozenRound) -> Result<Files, Fault> {
    files(&pool(frozen))
}

/// Makes the bundle's files from a pooled study.
///
/// # Errors
/// [`Fault`] when the pooled study has no text, which is a defect.
pub fn files(pooled: &PooledStudy) -> Result<Files, Fault> {
    let provenance = Provenance {
        software: concat!("fedval ", env!("CARGO_PKG_VERSION")).to_owned(),
        facts: BTreeMap::new(),
    };
    let bundle = report::bundle(pooled, &provenance)
        .map_err(|error| Fault::internal(format!("the report cannot be made: {error}")))?;
    Ok(bundle.files.into_iter().collect())
}

/// Writes the bundle of a closed round into `out` and notes it.
///
/// # Errors
/// [`Fault`] when the round is open, cannot be pooled, or `out` cannot be written.
pub fn build(
    home: &Home,
    store: &Store,
    consortium: &Consortium,
    round: &RoundId,
    out: &Path,
    now: Timestamp,
) -> Result<Built, Fault> {
    let frozen = freeze(home, store, consortium, round, now)?;
    let files = make(&frozen)?;
    let report = report_digest(&files);
    note_shown(store, &frozen, "report build", &report, now)?;
    let written = write(&files, out)?;
    waypoint::pass("coordinator.report.written");
    store.advance(round, &RoundEvent::Publish { report }, now)?;
    Ok(Built {
        files: written,
        report,
    })
}

/// Digest of a bundle's `report.json`.
pub fn report_digest(files: &Files) -> Digest {
    let report = files.iter().find(|(name, _)| name == "report.json");
    report.map_or_else(|| Digest::of(b""), |(_, bytes)| Digest::of(bytes))
}

/// Notes who is about to see the results of which sites; before they are shown, so that nobody sees
/// them without an entry.
///
/// # Errors
/// [`Fault`] when the database fails; nothing must be shown then.
pub fn note_shown(
    store: &Store,
    frozen: &FrozenRound,
    command: &str,
    report: &Digest,
    now: Timestamp,
) -> Result<(), Fault> {
    let sites = frozen.sites.iter().filter(|site| site.release.is_some());
    let entry = AuditEntry::new(now, command)
        .study(&frozen.locked.protocol.slug)
        .round(&frozen.round)
        .object(report)
        .shown(sites.map(|site| &site.site));
    store.note(&entry)
}

/// Writes the files of a bundle into `out`.
///
/// # Errors
/// [`Fault`] when `out` cannot be written.
pub fn write(files: &Files, out: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unwritable = |path: &Path, error: &std::io::Error| {
        Fault::new(
            Code::OutputUnwritable,
            format!("{} cannot be written", path.display()),
            error.to_string(),
            "choose another --out",
        )
    };
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
    files
        .iter()
        .map(|(name, bytes)| {
            let path = out.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
            }
            std::fs::write(&path, bytes).map_err(|error| unwritable(&path, &error))?;
            Ok(path)
        })
        .collect()
}
