//! Where every invited site stands in a round, and whom everyone waits for.
//!
//! From: `store` (jobs, inbox, presence).
//! To: `fedval round status | watch | wait | close`, `bundle`.

use serde::Serialize;
use shared::fault::Fault;
use shared::identity::Digest;
use shared::pool::result::SiteOutcome;
use shared::study::masked::STEPS;
use shared::study::{
    ExchangeId, RoundId, SiteSlug, SiteState, StudyProtocol, StudySlug, Timestamp,
};
use shared::wire::Refusal;

use super::RoundState;
use super::launch::names;
use crate::exchange::{self, End, Look};
use crate::intake::Finding;
use crate::masked;
use crate::store::{InboxItem, InboxStatus, JobRow, Presence, RoundRow, Standing, Store};

/// Missed beats after which a site counts as silent.
pub const SILENT_AFTER_BEATS: i64 = 4;

/// A round as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct RoundView {
    /// The round.
    pub round: RoundId,
    /// The study.
    pub study: StudySlug,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// Where it stands.
    pub state: RoundState,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When its jobs expire.
    pub expires_at: Timestamp,
    /// Every invited site, in the protocol's order.
    pub sites: Vec<SiteView>,
    /// The exchanges of several steps that the protocol plans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<ExchangeView>,
    /// Nothing more will come: every asked site is done and no step is awaited, the jobs
    /// expired, or the round closed.
    pub settled: bool,
}

/// An exchange of several steps in a round.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ExchangeView {
    /// Its name.
    pub exchange: ExchangeId,
    /// Steps that are over.
    pub steps: u32,
    /// Most steps.
    pub max_steps: u32,
    /// Sites that have answered the open step.
    pub answered: Vec<SiteSlug>,
    /// Sites whose answer to the open step is awaited.
    pub waiting: Vec<SiteSlug>,
    /// Why there is no further step, in words; absent while there may be one.
    pub end: Option<String>,
}

impl ExchangeView {
    fn of(look: &Look) -> Self {
        Self {
            exchange: look.id.clone(),
            steps: look.step().saturating_sub(1),
            max_steps: look.max_steps,
            answered: look.answered.clone(),
            waiting: look.waiting(),
            end: look.end.as_ref().map(End::words),
        }
    }

    /// The same of a masked sum.
    fn of_sum(look: &masked::Look) -> Self {
        let opened = matches!(look.end, Some(masked::End::Opened(_)));
        Self {
            exchange: look.id.clone(),
            steps: look.step.saturating_sub(u32::from(!opened)),
            max_steps: STEPS,
            answered: look.answered.clone(),
            waiting: if look.end.is_some() {
                Vec::new()
            } else {
                look.waiting.clone()
            },
            end: look.end.as_ref().map(masked::End::words),
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let done = format!("{} of at most {} steps", self.steps, self.max_steps);
        let now = match (&self.end, self.waiting.is_empty()) {
            (Some(end), _) => end.clone(),
            (None, true) => "begins when every site of its roster has delivered".to_owned(),
            (None, false) => format!("waiting on {}", names(self.waiting.iter())),
        };
        format!("{}  {done}; {now}", self.exchange)
    }
}

/// One invited site in a round.
#[derive(Clone, Debug, Serialize)]
pub struct SiteView {
    /// The site.
    pub site: SiteSlug,
    /// Where it stands; absent when it was not asked.
    pub state: Option<SiteState>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When its node was last heard.
    pub heard_at: Option<Timestamp>,
    /// Why nothing is released: one word of the closed list.
    pub refusal: Option<String>,
    /// Whom everyone waits for: `node`, `site`, or nobody.
    pub waiting_on: Option<&'static str>,
    /// The release's id, once there is one.
    pub release: Option<Digest>,
    /// What the checks found; the release is set aside then.
    pub findings: Vec<Finding>,
    /// What the report will say.
    pub outcome: SiteOutcome,
}

/// One site's rows.
struct Rows<'a> {
    job: Option<&'a JobRow>,
    items: Vec<&'a InboxItem>,
    presence: Option<Presence>,
    standing: Option<Standing>,
}

/// Looks a round up.
///
/// # Errors
/// [`Fault`] when the database fails.
pub fn look(
    store: &Store,
    row: &RoundRow,
    protocol: &StudyProtocol,
    beat_s: u32,
    now: Timestamp,
) -> Result<RoundView, Fault> {
    let jobs = store.jobs(&row.id)?;
    let inbox = store.inbox(&row.id)?;
    let mut sites = Vec::new();
    for site in &protocol.site {
        let rows = Rows {
            job: jobs.iter().find(|job| job.site == site.slug),
            items: inbox.iter().filter(|item| item.site == site.slug).collect(),
            presence: store.presence(&site.slug)?,
            standing: store.site(&site.slug)?.map(|row| row.standing),
        };
        sites.push(site_view(site.slug.clone(), &rows, beat_s, now));
    }
    let look = exchange::look(store, row, protocol)?;
    let mut exchanges: Vec<ExchangeView> = look.iter().map(ExchangeView::of).collect();
    let sum = masked::look(store, row, protocol, now)?;
    exchanges.extend(sum.iter().map(ExchangeView::of_sum));
    let stepping = exchanges.iter().any(|exchange| exchange.end.is_none());
    let settled = !row.state.is_open()
        || now >= row.expires_at
        || !stepping
            && sites
                .iter()
                .all(|site| site.state.is_none_or(SiteState::is_terminal));
    Ok(RoundView {
        round: row.id.clone(),
        study: row.study.clone(),
        protocol: row.protocol,
        state: row.state.clone(),
        launched_at: row.launched_at,
        expires_at: row.expires_at,
        sites,
        exchanges,
        settled,
    })
}

fn site_view(site: SiteSlug, rows: &Rows<'_>, beat_s: u32, now: Timestamp) -> SiteView {
    let heard_at = rows.presence.as_ref().map(|presence| presence.heard_at);
    let state = rows
        .job
        .map(|job| shown_state(job.state, rows.standing, heard_at, beat_s, now));
    SiteView {
        site,
        state,
        since: rows.job.map(|job| job.changed_at),
        heard_at,
        refusal: rows
            .job
            .and_then(|job| job.refusal)
            .map(|refusal| refusal.as_str().to_owned()),
        waiting_on: state.and_then(waiting_on),
        release: rows.items.first().map(|item| item.release),
        findings: rows
            .items
            .iter()
            .flat_map(|item| item.findings.clone())
            .collect(),
        outcome: outcome(rows),
    }
}

/// The state to show: what the job says, unless the site was revoked or has gone silent.
fn shown_state(
    job: SiteState,
    standing: Option<Standing>,
    heard_at: Option<Timestamp>,
    beat_s: u32,
    now: Timestamp,
) -> SiteState {
    if job.is_terminal() {
        return job;
    }
    if matches!(standing, Some(Standing::Revoked | Standing::Suspended)) {
        return SiteState::Revoked;
    }
    let limit = SILENT_AFTER_BEATS * i64::from(beat_s);
    if heard_at.is_none_or(|heard| now > heard.plus_seconds(limit)) {
        return SiteState::Silent;
    }
    job
}

fn waiting_on(state: SiteState) -> Option<&'static str> {
    match state {
        SiteState::WaitingApproval | SiteState::PrecheckFailed | SiteState::Paused => Some("site"),
        SiteState::Invited
        | SiteState::Joined
        | SiteState::Approved
        | SiteState::Idle
        | SiteState::JobOffered
        | SiteState::Computing
        | SiteState::Sending
        | SiteState::Silent => Some("node"),
        SiteState::Delivered | SiteState::RejectedBySite | SiteState::Revoked => None,
    }
}

fn outcome(rows: &Rows<'_>) -> SiteOutcome {
    let refusal = rows.job.and_then(|job| job.refusal);
    if refusal == Some(Refusal::Withdrawn) && !rows.items.is_empty() {
        return SiteOutcome::Withdrew;
    }
    let quarantined = rows
        .items
        .iter()
        .any(|item| item.status == InboxStatus::Quarantined);
    if quarantined {
        return SiteOutcome::Quarantined;
    }
    if !rows.items.is_empty() {
        return SiteOutcome::Released;
    }
    match refusal {
        Some(Refusal::NotReleased | Refusal::Withdrawn) => SiteOutcome::NotReleased,
        Some(_) => SiteOutcome::Refused,
        None => SiteOutcome::NoAnswer,
    }
}

impl RoundView {
    /// Sites that were asked and have not answered, each with its state.
    pub fn missing(&self) -> Vec<String> {
        self.sites
            .iter()
            .filter_map(|site| {
                let state = site.state.filter(|state| !state.is_terminal())?;
                Some(format!("{} ({state})", site.site))
            })
            .collect()
    }

    /// Sites that answered without a release, or whose release was set aside.
    pub fn without_result(&self) -> Vec<String> {
        self.sites
            .iter()
            .filter_map(|site| {
                let word = match site.outcome {
                    SiteOutcome::NotReleased => "not released under its own policy",
                    SiteOutcome::Refused => "refused the job",
                    SiteOutcome::Quarantined => "set aside by the checks",
                    SiteOutcome::Withdrew => "left and took its release back",
                    SiteOutcome::Released | SiteOutcome::NoAnswer => return None,
                };
                Some(format!("{} ({word})", site.site))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn four_missed_beats_are_silence_and_an_end_stays_an_end() {
        let computing = SiteState::Computing;
        let shown = |job, standing, heard, now| shown_state(job, standing, heard, 15, at(now));
        assert_eq!(shown(computing, None, Some(at(100)), 160), computing);
        assert_eq!(
            shown(computing, None, Some(at(100)), 161),
            SiteState::Silent
        );
        assert_eq!(shown(computing, None, None, 100), SiteState::Silent);
        let revoked = Some(Standing::Revoked);
        assert_eq!(
            shown(computing, revoked, Some(at(100)), 100),
            SiteState::Revoked
        );
        let delivered = SiteState::Delivered;
        assert_eq!(shown(delivered, revoked, None, 9_999), delivered);
    }
}
