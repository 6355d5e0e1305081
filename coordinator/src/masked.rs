//! A masked sum at the coordinator: which phase it is in, who is awaited, what is passed on. All of
//! it follows from what is stored: the steps that were sent say whose messages each phase closed
//! with, so that a restart at any point goes on, and a late message changes nothing.
//!
//! A phase closes when every site that is asked has answered or will not, and at the latest after
//! the protocol's seconds; a site that is missing then is left behind, and its mask recovered. The
//! first, which asks who takes part, waits for every site's own release instead, until there is
//! just time enough left in the round for the other phases.
//!
//! From: `store` (jobs, messages, refusals), the protocol.
//! To: `dispatch` (the next step), `round::view`, `bundle` (the opened sum).

use std::collections::BTreeSet;

use shared::disclosure::Policy;
use shared::disclosure::document::ReceivedRelease;
use shared::disclosure::masked::{Members, review_sum};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::masking::collector::{
    CollectInputs, CollectKeys, CollectOpenings, CollectShares, CollectSignatures, Opening,
};
use shared::masking::step::{self, Answer, MaskedStep, Participant, Relay};
use shared::masking::{Abort, Roster};
use shared::pool::masked::{NoSum, SumOutcome};
use shared::pool::result::SiteOutcome;
use shared::statistic::Statistic;
use shared::statistic::masked_sums::OpenedSum;
use shared::study::masked::{EXCHANGE, HOSPITALS_MIN, Layout, STEPS};
use shared::study::{
    ExchangeId, MaskedSums, SiteRole, SiteSlug, SiteState, StudyProtocol, Timestamp,
};

use crate::bundle::FrozenSite;
use crate::consortium::Consortium;
use crate::store::{InboxItem, InboxStatus, JobRow, RoundRow, Standing, Store};
use crate::waypoint;

/// Where a sum stands.
pub struct Look {
    /// The exchange's name.
    pub id: ExchangeId,
    /// The step that is open, or would be, from 1.
    pub step: u32,
    /// Sites that take part; before that is known, those that may.
    pub roster: Vec<SiteSlug>,
    /// Sites that have answered the open step.
    pub answered: Vec<SiteSlug>,
    /// Sites whose answer to the open step is awaited.
    pub waiting: Vec<SiteSlug>,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// Digest of the steps that were sent.
    pub transcript: Digest,
    phase: Option<Phase>,
    due: bool,
}

/// How a sum ended.
pub enum End {
    /// It is open.
    Opened(Opening),
    /// Fewer sites take part than a sum needs.
    TooFew,
    /// Fewer sites are left in a phase than its threshold.
    Left {
        /// The step that was open.
        step: u32,
        /// Sites that answered it.
        left: usize,
        /// How many must.
        needed: usize,
    },
    /// The messages do not open: one of the sites said something false.
    False {
        /// What was wrong.
        abort: String,
    },
}

impl End {
    /// In words, for `round status`.
    pub fn words(&self) -> String {
        match self {
            Self::Opened(opening) => {
                format!("the sum over {} sites is open", opening.survivors.len())
            }
            Self::TooFew => format!("not begun: fewer than {HOSPITALS_MIN} sites take part"),
            Self::Left { step, left, needed } => {
                format!("ended: {left} sites answered step {step} and {needed} must")
            }
            Self::False { abort } => format!("ended: {abort}"),
        }
    }
}

/// What the open step takes.
enum Phase {
    Begin(Vec<Participant>),
    Keys(CollectKeys),
    Shares(CollectShares),
    Inputs(CollectInputs),
    Signatures(CollectSignatures),
    Openings(CollectOpenings),
}

/// A round whose protocol plans masked sums.
struct Sum<'a> {
    store: &'a Store,
    row: &'a RoundRow,
    protocol: &'a StudyProtocol,
    plan: MaskedSums,
    id: ExchangeId,
    /// Steps that were sent, in order, with the time each was made.
    sent: Vec<(MaskedStep, Digest, Timestamp)>,
    inbox: Vec<InboxItem>,
    /// External sites of the round, in the protocol's order.
    external: Vec<SiteSlug>,
    /// Those of them that will say nothing more.
    gone: BTreeSet<SiteSlug>,
    /// Those of them that have not delivered their own release and may.
    undelivered: BTreeSet<SiteSlug>,
}

/// Looks at the masked sum of a round; `None` when its protocol plans none.
///
/// # Errors
/// [`Fault`] when the database fails or holds what does not read.
pub fn look(
    store: &Store,
    row: &RoundRow,
    protocol: &StudyProtocol,
    now: Timestamp,
) -> Result<Option<Look>, Fault> {
    let Some(plan) = protocol.masked_sums else {
        return Ok(None);
    };
    Sum::of(store, row, protocol, plan)?.look(now).map(Some)
}

/// Looks, and makes the next step if it is due. Done again it changes nothing.
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
    let Some(plan) = protocol.masked_sums else {
        return Ok(None);
    };
    loop {
        let sum = Sum::of(store, row, protocol, plan)?;
        let mut look = sum.look(now)?;
        let relay = match look.phase.take() {
            _ if !row.state.is_open() => None,
            None if look.step == 1 && look.end.is_none() => Some(Relay::Begin {}),
            Some(phase) if look.due => sum.close(phase)?,
            None | Some(_) => None,
        };
        let Some(relay) = relay else {
            return Ok(Some(look));
        };
        let step = relay.step();
        let document = MaskedStep {
            study: row.study.clone(),
            protocol: row.protocol,
            round: row.id.clone(),
            relay,
        };
        let key = &consortium.signing;
        let bytes = document
            .sign(&key.key, key.certificate.clone())
            .map_err(|error| Fault::internal(format!("a step could not be written: {error}")))?;
        store.keep_step(&row.id, &look.id, step, &bytes, now)?;
        waypoint::pass("coordinator.step.stored");
        tracing::info!(round = %row.id, step, "the next step of the masked sum is due");
    }
}

/// The sum of a closed round, reviewed with its own counts, or why there is none.
///
/// # Errors
/// [`Fault`] when the shipped policy does not read, which is a defect.
pub fn reviewed(
    look: Look,
    protocol: &StudyProtocol,
    sites: &[FrozenSite],
) -> Result<SumOutcome, Fault> {
    // A sum over somebody who took part in it cannot be told without that somebody's part.
    let withdrew = |site: &&FrozenSite| {
        site.outcome == SiteOutcome::Withdrew && look.roster.contains(&site.site)
    };
    if sites.iter().any(|site| withdrew(&site)) {
        return Ok(SumOutcome::not_opened(NoSum::Withdrawn));
    }
    let opening = match look.end {
        Some(End::Opened(opening)) => opening,
        Some(End::TooFew) => return Ok(SumOutcome::not_opened(NoSum::TooFew)),
        Some(End::Left { .. }) => return Ok(SumOutcome::not_opened(NoSum::Left)),
        Some(End::False { .. }) => return Ok(SumOutcome::not_opened(NoSum::False)),
        None => return Ok(SumOutcome::not_opened(NoSum::Unfinished)),
    };
    let survivors: Vec<SiteSlug> = opening
        .survivors
        .iter()
        .filter_map(|position| look.roster.get(usize::try_from(*position).ok()?).cloned())
        .collect();
    let released: Vec<&ReceivedRelease> = survivors
        .iter()
        .filter_map(|slug| {
            let site = sites.iter().find(|site| site.site == *slug)?;
            site.release.as_ref().map(|(release, _)| release)
        })
        .collect();
    // Nor when a site's own release no longer counts: its part cannot be taken out.
    if released.len() < survivors.len() {
        return Ok(SumOutcome::not_opened(NoSum::Withdrawn));
    }
    let sum = match OpenedSum::read(protocol, opening.sum, survivors.len()) {
        Ok(sum) if agrees(&sum, protocol, &released) => sum,
        Ok(_) | Err(_) => return Ok(SumOutcome::not_opened(NoSum::Contradiction)),
    };
    let cells = released
        .iter()
        .map(|release| release.header.policy.min_cell);
    let strictest = cells.fold(protocol.disclosure.min_cell, u64::max);
    let policy = Policy::over_hospitals(strictest)
        .map_err(|fault| Fault::internal(format!("the shipped policy: {fault}")))?;
    let members = Members {
        roster: look.roster,
        survivors,
        transcript: look.transcript,
    };
    Ok(match review_sum(&policy, protocol, &sum, members) {
        Ok((reviewed, _)) => SumOutcome::Opened(Box::new(reviewed)),
        Err(_) => SumOutcome::not_opened(NoSum::TooSmall),
    })
}

/// Whether the sum counts as many events and non-events as its sites' own releases can add to.
fn agrees(sum: &OpenedSum, protocol: &StudyProtocol, released: &[&ReceivedRelease]) -> bool {
    let totals = sum.totals();
    protocol
        .endpoint
        .iter()
        .zip(totals)
        .all(|(endpoint, total)| {
            let mut bounds = [(0_u64, 0_u64); 2];
            for release in released {
                let mut areas = release.statistics.iter().filter_map(Statistic::auc);
                let own = areas.find(|area| area.endpoint == endpoint.id);
                let cells = own.map(|area| [area.events.bounds(), area.non_events.bounds()]);
                for (bound, cell) in bounds.iter_mut().zip(cells.unwrap_or([None; 2])) {
                    let (low, high) = cell.unwrap_or((0, u64::MAX));
                    bound.0 = bound.0.saturating_add(low);
                    bound.1 = bound.1.saturating_add(high);
                }
            }
            total
                .iter()
                .zip(bounds)
                .all(|(total, (low, high))| (low..=high).contains(total))
        })
}

/// What is wrong with a site's message of the open step; nothing when the phase takes it.
///
/// # Errors
/// [`Fault`] when the database fails.
pub fn objection(
    store: &Store,
    row: &RoundRow,
    protocol: &StudyProtocol,
    release: &ReceivedRelease,
    now: Timestamp,
) -> Result<Option<String>, Fault> {
    let header = &release.header;
    let Some(answer) = release
        .masked
        .clone()
        .filter(|_| release.statistics.is_empty())
    else {
        return Ok(Some("it is no message of a masked sum".to_owned()));
    };
    if answer.step() != header.step {
        return Ok(Some("it answers another step than it says".to_owned()));
    }
    let look = look(store, row, protocol, now)?;
    let Some(Look {
        phase: Some(mut phase),
        roster,
        ..
    }) = look.filter(|look| look.step == header.step)
    else {
        return Ok(Some("its phase is over".to_owned()));
    };
    if let (Phase::Begin(_), Answer::TakesPart(one)) = (&phase, &answer) {
        let own = one.site == header.site && one.is_bounded();
        return Ok((!own).then(|| "it speaks for another site".to_owned()));
    }
    let position = roster.iter().position(|site| *site == header.site);
    let Some(position) = position.and_then(|position| u32::try_from(position).ok()) else {
        return Ok(Some("its site is not in the roster".to_owned()));
    };
    Ok(phase.accept(position, answer).err())
}

impl Phase {
    /// Takes one message, or says what is wrong with it.
    fn accept(&mut self, position: u32, answer: Answer) -> Result<(), String> {
        let accepted = match (self, answer) {
            (Self::Keys(phase), Answer::Keys(said)) => phase.accept(position, said),
            (Self::Shares(phase), Answer::Shares(said)) => phase.accept(position, said),
            (Self::Inputs(phase), Answer::Vector(said)) => phase.accept(position, said),
            (Self::Signatures(phase), Answer::Survivors(said)) => phase.accept(position, said),
            (Self::Openings(phase), Answer::Opened(said)) => phase.accept(position, said),
            (
                Self::Begin(_)
                | Self::Keys(_)
                | Self::Shares(_)
                | Self::Inputs(_)
                | Self::Signatures(_)
                | Self::Openings(_),
                _,
            ) => return Err("it is a message of another phase".to_owned()),
        };
        accepted.map_err(|refused| refused.to_string())
    }

    /// Positions whose message is awaited.
    fn missing(&self) -> BTreeSet<u32> {
        match self {
            Self::Begin(_) => BTreeSet::new(),
            Self::Keys(phase) => phase.missing(),
            Self::Shares(phase) => phase.missing(),
            Self::Inputs(phase) => phase.missing(),
            Self::Signatures(phase) => phase.missing(),
            Self::Openings(phase) => phase.missing(),
        }
    }

    /// Closes the phase: what is passed on, and the next one. The last is opened, not closed.
    fn close(self) -> Result<Option<(Relay, Self)>, Abort> {
        Ok(match self {
            Self::Begin(_) | Self::Openings(_) => None,
            Self::Keys(phase) => {
                let (keys, next) = phase.close()?;
                Some((Relay::Keys(keys), Self::Shares(next)))
            }
            Self::Shares(phase) => {
                let (parcels, next) = phase.close()?;
                Some((Relay::Shares(parcels), Self::Inputs(next)))
            }
            Self::Inputs(phase) => {
                let (survivors, next) = phase.close()?;
                Some((Relay::Survivors(survivors), Self::Signatures(next)))
            }
            Self::Signatures(phase) => {
                let (signatures, next) = phase.close()?;
                Some((Relay::Signatures(signatures), Self::Openings(next)))
            }
        })
    }
}

/// Whose messages a step passes on, by position: those that its phase closed with.
fn passed_on(relay: &Relay) -> BTreeSet<u32> {
    match relay {
        Relay::Begin {} | Relay::Roster(_) => BTreeSet::new(),
        Relay::Keys(keys) => keys.keys().copied().collect(),
        // Every dealer is sent a parcel.
        Relay::Shares(parcels) => parcels.keys().copied().collect(),
        Relay::Survivors(survivors) => survivors.clone(),
        Relay::Signatures(signatures) => signatures.keys().copied().collect(),
    }
}

impl<'a> Sum<'a> {
    fn of(
        store: &'a Store,
        row: &'a RoundRow,
        protocol: &'a StudyProtocol,
        plan: MaskedSums,
    ) -> Result<Self, Fault> {
        let id: ExchangeId = EXCHANGE
            .parse()
            .map_err(|_| Fault::internal("the exchange's name is not a name"))?;
        let jobs = store.jobs(&row.id)?;
        let external: Vec<SiteSlug> = protocol
            .site
            .iter()
            .filter(|site| site.role == SiteRole::External)
            .filter(|site| jobs.iter().any(|job| job.site == site.slug))
            .map(|site| site.slug.clone())
            .collect();
        let mut sent = Vec::new();
        for step in 1..=STEPS {
            let Some((digest, bytes, made_at)) = store.step_made(&row.id, &id, step)? else {
                break;
            };
            // Its own signed bytes, opened by digest in the vault: the signature is for the sites.
            let read: Result<MaskedStep, _> = shared::masking::step::unverified(&bytes);
            let read = read.map_err(|_| Fault::internal("a stored step does not read"))?;
            sent.push((read, digest, made_at));
        }
        let inbox = store.step_inbox(&row.id)?;
        let inbox = inbox.into_iter().filter(|item| item.exchange == id);
        let mut sum = Self {
            store,
            row,
            protocol,
            plan,
            sent,
            inbox: inbox.collect(),
            external,
            gone: BTreeSet::new(),
            undelivered: BTreeSet::new(),
            id,
        };
        sum.stand(&jobs)?;
        Ok(sum)
    }

    /// Who will say nothing more, and whose own release is awaited.
    fn stand(&mut self, jobs: &[JobRow]) -> Result<(), Fault> {
        let declined = self.store.step_declined(&self.row.id, &self.id)?;
        for site in &self.external {
            let standing = self.store.site(site)?.map(|row| row.standing);
            let job = jobs.iter().find(|job| job.site == *site);
            let refused = job.is_none_or(|job| job.refusal.is_some());
            let delivered = job.is_some_and(|job| job.state == SiteState::Delivered);
            let aside = self
                .inbox
                .iter()
                .any(|item| item.site == *site && item.status == InboxStatus::Quarantined);
            let out = matches!(standing, Some(Standing::Revoked | Standing::Suspended));
            if refused || aside || out || declined.iter().any(|one| one.site == *site) {
                self.gone.insert(site.clone());
            } else if !delivered {
                self.undelivered.insert(site.clone());
            }
        }
        Ok(())
    }

    /// Accepted messages of a step, with their sites.
    fn answers(&self, step: u32) -> Result<Vec<(SiteSlug, Answer)>, Fault> {
        let items = self.inbox.iter();
        let items = items.filter(|item| item.step == step && item.status == InboxStatus::Accepted);
        items
            .map(|item| {
                let answer = ReceivedRelease::read(&item.bytes)
                    .ok()
                    .and_then(|release| release.masked);
                let answer =
                    answer.ok_or_else(|| Fault::internal("an accepted message no longer reads"))?;
                Ok((item.site.clone(), answer))
            })
            .collect()
    }

    fn look(&self, now: Timestamp) -> Result<Look, Fault> {
        let parts: Vec<&[u8]> = self
            .sent
            .iter()
            .map(|(_, digest, _)| digest.as_bytes().as_slice())
            .collect();
        let mut look = Look {
            id: self.id.clone(),
            step: 1,
            roster: self.external.clone(),
            answered: Vec::new(),
            waiting: Vec::new(),
            end: None,
            transcript: Digest::of_list(&parts),
            phase: None,
            due: false,
        };
        if self.sent.is_empty() {
            let may = |site: &&SiteSlug| !self.gone.contains(*site);
            look.waiting = self.external.iter().filter(may).cloned().collect();
            if look.waiting.len() < HOSPITALS_MIN {
                look.end = Some(End::TooFew);
            }
            return Ok(look);
        }
        let mut relays = self.sent.iter().skip(1).map(|(step, _, _)| &step.relay);
        let Some(first) = relays.next() else {
            self.begin(&mut look, now)?;
            return Ok(look);
        };
        let Relay::Roster(participants) = first else {
            return Err(Fault::internal("a stored step has another phase"));
        };
        look.roster = participants.iter().map(|one| one.site.clone()).collect();
        let mut phase = Phase::Keys(self.collect(participants)?);
        for relay in relays {
            let closed = passed_on(relay);
            look.step = relay.step() - 1;
            self.feed(&mut phase, &look, Some(&closed))?;
            let next = phase.close().map_err(|_| stale())?;
            phase = next.ok_or_else(stale)?.1;
        }
        look.step = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        self.feed(&mut phase, &look, None)?;
        self.open_phase(&mut look, phase, now);
        Ok(look)
    }

    fn collect(&self, participants: &[Participant]) -> Result<CollectKeys, Fault> {
        let defect = |what: String| Fault::internal(format!("a stored roster: {what}"));
        let protocol = (self.protocol, self.row.protocol);
        let roster: Roster = step::roster(protocol, &self.row.id, participants)
            .map_err(|fault| defect(fault.to_string()))?;
        let length = Layout::of(self.protocol).length();
        CollectKeys::begin(roster, length).map_err(|abort| defect(abort.to_string()))
    }

    /// The first step: who has said that it takes part.
    fn begin(&self, look: &mut Look, now: Timestamp) -> Result<(), Fault> {
        let mut said = Vec::new();
        for (site, answer) in self.answers(1)? {
            if let Answer::TakesPart(one) = answer
                && !self.gone.contains(&site)
            {
                said.push(one);
            }
        }
        let place = |one: &Participant| self.external.iter().position(|site| *site == one.site);
        said.sort_by_key(place);
        look.answered = said.iter().map(|one| one.site.clone()).collect();
        let awaited =
            |site: &&SiteSlug| !self.gone.contains(*site) && !look.answered.contains(*site);
        look.waiting = self.external.iter().filter(awaited).cloned().collect();
        // Time for the other phases, and for one more.
        let left = i64::from(self.plan.phase_seconds) * i64::from(STEPS);
        let late = now.plus_seconds(left).unix() >= self.row.expires_at.unix();
        let silent = self.undelivered.is_empty() && self.over(now);
        look.due = look.waiting.is_empty() || late || silent;
        if look.answered.len() + look.waiting.len() < HOSPITALS_MIN
            || (look.due && said.len() < HOSPITALS_MIN)
        {
            look.end = Some(End::TooFew);
            look.due = false;
        }
        look.phase = Some(Phase::Begin(said));
        Ok(())
    }

    /// Whether the open step has waited as long as the protocol says, also since the last message.
    fn over(&self, now: Timestamp) -> bool {
        let made = self.sent.last().map_or(0, |(_, _, made)| made.unix());
        let heard = self.inbox.iter().map(|item| item.received_at.unix()).max();
        let from = made.max(heard.unwrap_or(0));
        now.unix() >= from.saturating_add(i64::from(self.plan.phase_seconds))
    }

    /// Takes the messages of the look's step, or only those of some positions.
    fn feed(
        &self,
        phase: &mut Phase,
        look: &Look,
        only: Option<&BTreeSet<u32>>,
    ) -> Result<(), Fault> {
        for (site, answer) in self.answers(look.step)? {
            let position = look.roster.iter().position(|one| *one == site);
            let Some(position) = position.and_then(|place| u32::try_from(place).ok()) else {
                continue;
            };
            if only.is_none_or(|only| only.contains(&position)) {
                // A message that was accepted when it came and is not now would be a defect; its
                // site is left behind.
                let _ = phase.accept(position, answer);
            }
        }
        Ok(())
    }

    fn open_phase(&self, look: &mut Look, phase: Phase, now: Timestamp) {
        let missing = phase.missing();
        let find = |position: &u32| look.roster.get(usize::try_from(*position).ok()?).cloned();
        let missing: Vec<SiteSlug> = missing.iter().filter_map(find).collect();
        let answered = self
            .inbox
            .iter()
            .filter(|item| item.step == look.step && item.status == InboxStatus::Accepted);
        look.answered = answered.map(|item| item.site.clone()).collect();
        look.waiting = missing;
        look.waiting.retain(|site| !self.gone.contains(site));
        look.due = look.waiting.is_empty() || self.over(now);
        let (left, needed) = (look.answered.len(), threshold(look.roster.len()));
        let lost = left + look.waiting.len() < needed || (look.due && left < needed);
        if lost {
            look.due = false;
            look.waiting.clear();
            look.end = Some(End::Left {
                step: look.step,
                left,
                needed,
            });
            return;
        }
        look.phase = Some(phase);
        if look.step < STEPS || !look.due {
            return;
        }
        let Some(Phase::Openings(openings)) = look.phase.take() else {
            return;
        };
        look.due = false;
        look.waiting.clear();
        look.end = Some(match openings.open() {
            Ok(opening) => End::Opened(opening),
            Err(abort) => End::False {
                abort: abort.to_string(),
            },
        });
    }

    /// Closes the open phase: what is passed on.
    fn close(&self, phase: Phase) -> Result<Option<Relay>, Fault> {
        if let Phase::Begin(participants) = phase {
            self.collect(&participants)?;
            return Ok(Some(Relay::Roster(participants)));
        }
        let closed = phase.close().map_err(|_| stale())?;
        Ok(closed.map(|(relay, _)| relay))
    }
}

/// How many sites must be left in every phase (`Roster::threshold`).
fn threshold(sites: usize) -> usize {
    2 * sites / 3 + 1
}

fn stale() -> Fault {
    Fault::internal("a stored step does not follow from the messages before it")
}
