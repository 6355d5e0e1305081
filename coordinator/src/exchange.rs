//! An exchange of several steps: who has answered, whether the next step is due, what it says.
//! Everything follows from what is stored, so that a restart at any point goes on: the same
//! answers lead to the same next step, byte for byte.
//!
//! From: `store` (jobs, releases of steps, refusals), the protocol.
//! To: `dispatch` (the next step), `round::view`, `bundle` (the pool's input).

use shared::disclosure::document::ReceivedRelease;
use shared::disclosure::policy::Profile;
use shared::fault::Fault;
use shared::identity::Digest;
use shared::pool::one_stage::{self, Broken, Exchange};
use shared::statistic::calibration_block::Track;
use shared::study::step::{CALIBRATION, Step, Sum};
use shared::study::{ExchangeId, SiteRole, SiteSlug, SiteState, StudyProtocol, Timestamp};
use shared::wire::Refusal;

use crate::consortium::Consortium;
use crate::store::{InboxItem, InboxStatus, JobRow, RoundRow, Standing, Store};
use crate::waypoint;

/// Where an exchange stands.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its name.
    pub id: ExchangeId,
    /// What the pool reads.
    pub exchange: Exchange,
    /// The sums of every complete step.
    pub opened: Vec<Vec<Sum>>,
    /// Digests of the bytes of every complete step, by step and site.
    pub digests: Vec<Digest>,
    /// Most steps, by the protocol.
    pub max_steps: u32,
    /// Sites that have answered the step that is open.
    pub answered: Vec<SiteSlug>,
    /// Whether every site of the roster has delivered the first exchange.
    pub ready: bool,
    /// Why there is no further step.
    pub end: Option<End>,
}

/// Why there is no further step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// Every model has its maximum, or none to go to.
    Settled,
    /// The protocol's steps are used up.
    Stopped,
    /// Fewer sites than the protocol's minimum.
    TooFewSites,
    /// A site will not go on.
    Broken(SiteSlug, Broken),
}

impl End {
    /// In words, for `round status`.
    pub fn words(&self) -> String {
        match self {
            Self::Settled => "done".to_owned(),
            Self::Stopped => "stopped after the protocol's steps".to_owned(),
            Self::TooFewSites => "not begun: fewer sites than the protocol's minimum".to_owned(),
            Self::Broken(site, broken) => format!("ended: {site} {}", broken.words()),
        }
    }
}

impl Look {
    /// The step that is open, or would be.
    pub fn step(&self) -> u32 {
        u32::try_from(self.opened.len()).map_or(u32::MAX, |steps| steps.saturating_add(1))
    }

    /// Sites whose answer to the open step is awaited.
    pub fn waiting(&self) -> Vec<SiteSlug> {
        if self.end.is_some() || !self.ready {
            return Vec::new();
        }
        let roster = self.exchange.roster.iter();
        roster
            .filter(|site| !self.answered.contains(site))
            .cloned()
            .collect()
    }
}

/// Looks at the exchange of a round; `None` when its protocol plans none.
///
/// # Errors
/// [`Fault`] when the database fails or holds what does not read.
pub fn look(
    store: &Store,
    row: &RoundRow,
    protocol: &StudyProtocol,
) -> Result<Option<Look>, Fault> {
    let Some(plan) = protocol.one_stage_calibration else {
        return Ok(None);
    };
    let id: ExchangeId = CALIBRATION
        .parse()
        .map_err(|_| Fault::internal("the exchange's name is not a name"))?;
    let jobs = store.jobs(&row.id)?;
    let roster: Vec<SiteSlug> = protocol
        .site
        .iter()
        .filter(|site| site.role == SiteRole::External)
        .filter(|site| jobs.iter().any(|job| job.site == site.slug))
        .map(|site| site.slug.clone())
        .collect();
    let mut inbox = store.step_inbox(&row.id)?;
    inbox.retain(|item| item.exchange == id);
    let (steps, digests, answered) = complete(&roster, &inbox)?;
    let opened = one_stage::sums(protocol, &steps)
        .ok_or_else(|| Fault::internal("an accepted block is not exact"))?;
    let ready = roster.iter().all(|site| {
        let own = jobs.iter().find(|job| job.site == *site);
        own.is_some_and(|job| job.state == SiteState::Delivered)
    });
    let settled = !opened.is_empty()
        && Track::replay(protocol, &opened).is_some_and(|tracks| tracks.iter().all(Track::ended));
    let end = if settled {
        Some(End::Settled)
    } else if roster.len() < protocol.pooling.min_sites {
        Some(End::TooFewSites)
    } else if let Some((site, broken)) = broken(store, row, &id, &roster, &jobs, &inbox)? {
        Some(End::Broken(site, broken))
    } else {
        let used = u32::try_from(opened.len()).unwrap_or(u32::MAX) >= plan.max_steps;
        used.then_some(End::Stopped)
    };
    let broken = match &end {
        Some(End::Broken(site, broken)) => Some((site.clone(), *broken)),
        Some(End::Settled | End::Stopped | End::TooFewSites) => None,
        None => roster
            .iter()
            .find(|site| !answered.contains(site))
            .map(|site| (site.clone(), Broken::NoAnswer)),
    };
    Ok(Some(Look {
        id,
        exchange: Exchange {
            roster,
            steps,
            broken,
        },
        opened,
        digests,
        max_steps: plan.max_steps,
        answered,
        ready,
        end,
    }))
}

/// Complete steps in order, each in the order of the roster, the digests of their bytes, and who
/// has answered the next one.
type Steps = (Vec<Vec<ReceivedRelease>>, Vec<Digest>, Vec<SiteSlug>);

fn complete(roster: &[SiteSlug], inbox: &[InboxItem]) -> Result<Steps, Fault> {
    let (mut steps, mut digests) = (Vec::new(), Vec::new());
    for step in 1_u32.. {
        let of_step = |site: &SiteSlug| {
            inbox.iter().find(|item| {
                item.step == step && item.site == *site && item.status == InboxStatus::Accepted
            })
        };
        let found: Vec<&InboxItem> = roster.iter().filter_map(of_step).collect();
        if found.is_empty() || found.len() < roster.len() {
            let answered = found.iter().map(|item| item.site.clone()).collect();
            return Ok((steps, digests, answered));
        }
        digests.extend(found.iter().map(|item| item.digest));
        let releases: Result<Vec<ReceivedRelease>, _> = found
            .iter()
            .map(|item| ReceivedRelease::read(&item.bytes))
            .collect();
        steps.push(releases.map_err(|_| Fault::internal("an accepted release no longer reads"))?);
    }
    Ok((steps, digests, Vec::new()))
}

/// The first site of the roster that ends the exchange for all.
fn broken(
    store: &Store,
    row: &RoundRow,
    id: &ExchangeId,
    roster: &[SiteSlug],
    jobs: &[JobRow],
    inbox: &[InboxItem],
) -> Result<Option<(SiteSlug, Broken)>, Fault> {
    let declined = store.step_declined(&row.id, id)?;
    let measured = store.inbox(&row.id)?;
    let said = |refusal: Refusal| {
        if refusal == Refusal::NotReleased {
            Broken::NotReleased
        } else {
            Broken::Refused
        }
    };
    for site in roster {
        let aside =
            |item: &&InboxItem| item.site == *site && item.status == InboxStatus::Quarantined;
        let standing = store.site(site)?.map(|row| row.standing);
        let job = jobs.iter().find(|job| job.site == *site);
        let refusal = job.and_then(|job| job.refusal).or_else(|| {
            let found = declined.iter().find(|entry| entry.site == *site);
            found.map(|entry| entry.refusal)
        });
        let why = if inbox.iter().chain(&measured).any(|item| aside(&item)) {
            Some(Broken::Quarantined)
        } else if matches!(standing, Some(Standing::Revoked | Standing::Suspended)) {
            Some(Broken::NoAnswer)
        } else {
            refusal.map(said).or_else(|| never(&measured, site))
        };
        if let Some(why) = why {
            return Ok(Some((site.clone(), why)));
        }
    }
    Ok(None)
}

/// Whether a site's policy, as its release of the first exchange states it, releases no blocks: then
/// nobody is asked for one in vain.
fn never(measured: &[InboxItem], site: &SiteSlug) -> Option<Broken> {
    let own = |item: &&InboxItem| item.site == *site && item.status == InboxStatus::Accepted;
    let release = ReceivedRelease::read(&measured.iter().find(own)?.bytes).ok()?;
    let profile = Profile::parse(&release.header.policy.profile)?;
    (!profile.allows_blocks()).then_some(Broken::NotReleased)
}

/// Looks, and makes the next step if it is due: every site has delivered the first exchange and
/// answered every step before. Done again it changes nothing.
///
/// # Errors
/// [`Fault`] when the database fails.
pub fn forward(
    store: &Store,
    consortium: &Consortium,
    row: &RoundRow,
    protocol: &StudyProtocol,
    now: Timestamp,
) -> Result<Option<Look>, Fault> {
    let Some(look) = look(store, row, protocol)? else {
        return Ok(None);
    };
    let step = look.step();
    let due = look.end.is_none() && look.ready && row.state.is_open();
    if !due || store.step(&row.id, &look.id, step)?.is_some() {
        return Ok(Some(look));
    }
    let tracks = Track::replay(protocol, &look.opened)
        .ok_or_else(|| Fault::internal("a step's sums do not replay"))?;
    let document = Step {
        study: row.study.clone(),
        protocol: row.protocol,
        round: row.id.clone(),
        exchange: look.id.clone(),
        step,
        roster: look.exchange.roster.clone(),
        at: tracks.iter().map(Track::point).collect(),
        opened: look.opened.clone(),
    };
    let key = &consortium.signing;
    let bytes = document
        .sign(&key.key, key.certificate.clone())
        .map_err(|error| Fault::internal(format!("a step could not be written: {error}")))?;
    store.keep_step(&row.id, &look.id, step, &bytes, now)?;
    waypoint::pass("coordinator.step.stored");
    tracing::info!(round = %row.id, step, "the next step is due");
    Ok(Some(look))
}
