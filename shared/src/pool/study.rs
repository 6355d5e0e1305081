//! Pools a round: a pure function of the accepted releases, so that a rerun gives the same
//! bytes. Sites are sorted by the protocol, never by arrival.
//!
//! From: `coordinator::intake` (checked releases), `fedval pool` (release files).
//! To: `report`.

use super::masked::SumOutcome;
use super::one_stage::{self, Exchange};
use super::result::{PooledStudy, SiteOutcome, SiteResult};
use super::{
    analysis, calibration, curve, failure, fairness, masked, moderator, noisy, permutation,
    summary_point, table, utility, verdict, withheld,
};
use crate::disclosure::ReceivedRelease;
use crate::identity::Digest;
use crate::study::{RoundId, SiteSlug, StudyProtocol, Timestamp};

/// What a round was, beside its releases.
#[derive(Clone, Debug)]
pub struct RoundFacts {
    /// Digest of the locked protocol, or of the unlocked source.
    pub protocol_digest: Digest,
    /// Whether the protocol was locked and signed.
    pub locked: bool,
    /// Whether every release came over an authenticated channel.
    pub signed: bool,
    /// The round.
    pub round: Option<RoundId>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// What one site sent.
#[derive(Clone, Debug)]
pub enum SiteAnswer {
    /// A checked release, and the digest of its bytes.
    Released(Box<ReceivedRelease>, Digest),
    /// Anything else.
    Without(SiteOutcome),
}

/// Pools `answers`; a site of the protocol without an answer counts as silent. Releases of
/// sites that are not in the protocol are ignored.
pub fn pool(
    protocol: &StudyProtocol,
    facts: RoundFacts,
    answers: Vec<(SiteSlug, SiteAnswer)>,
) -> PooledStudy {
    pool_with_steps(protocol, facts, answers, Steps::default())
}

/// What a round's exchanges of several steps came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// Newton blocks.
    pub exchange: Option<&'a Exchange>,
    /// The masked sum.
    pub masked: Option<&'a SumOutcome>,
}

/// The same with the round's exchanges of several steps.
pub fn pool_with_steps(
    protocol: &StudyProtocol,
    facts: RoundFacts,
    answers: Vec<(SiteSlug, SiteAnswer)>,
    steps: Steps<'_>,
) -> PooledStudy {
    let sites: Vec<SiteResult> = protocol
        .site
        .iter()
        .map(|invited| {
            let answer = answers
                .iter()
                .find(|(site, _)| *site == invited.slug)
                .map_or(SiteAnswer::Without(SiteOutcome::NoAnswer), |(_, answer)| {
                    answer.clone()
                });
            site_result(
                invited.slug.clone(),
                &invited.display_name,
                invited.role,
                answer,
            )
        })
        .collect();
    let mut profiles: Vec<String> = sites
        .iter()
        .filter_map(|site| site.profile.clone())
        .collect();
    profiles.sort_unstable();
    profiles.dedup();
    let analyses = analysis::all(protocol, &sites);
    PooledStudy {
        verdict: verdict::of(protocol, &analyses),
        merged: curve::all(protocol, &sites),
        calibration: calibration::all(protocol, &sites),
        tables: table::all(&sites),
        crossed: utility::crossed(protocol, &sites),
        benefit: utility::curves(protocol, &sites),
        one_stage: one_stage::all(protocol, steps.exchange),
        masked: steps.masked.map(|sum| masked::of(protocol, sum)),
        bivariate: summary_point::all(protocol, &sites),
        withheld: withheld::all(&sites),
        rounded: withheld::rounded(&sites),
        missing: withheld::missing(&sites, &analyses),
        area_bounds: curve::area_bounds(protocol, &sites),
        fairness: fairness::all(&sites),
        family: fairness::family(&analyses),
        between_sites: fairness::between_sites(&analyses),
        representation: fairness::representation(&sites),
        permutation: permutation::all(&sites),
        failures: failure::all(protocol, &sites),
        moderators: moderator::all(protocol, &analyses),
        noisy: noisy::all(protocol, &sites),
        analyses,
        protocol: protocol.clone(),
        protocol_digest: facts.protocol_digest,
        locked: facts.locked,
        signed: facts.signed,
        round: facts.round,
        closed_at: facts.closed_at,
        profiles,
        sites,
    }
}

fn site_result(
    site: SiteSlug,
    display_name: &str,
    role: crate::study::SiteRole,
    answer: SiteAnswer,
) -> SiteResult {
    let mut result = SiteResult {
        site,
        display_name: display_name.to_owned(),
        role,
        outcome: SiteOutcome::NoAnswer,
        profile: None,
        min_cell: None,
        rounding: None,
        release: None,
        bytes: None,
        clustered: false,
        statistics: Vec::new(),
        noise: None,
        noisy: Vec::new(),
    };
    match answer {
        SiteAnswer::Without(outcome) => result.outcome = outcome,
        SiteAnswer::Released(release, bytes) => {
            result.outcome = SiteOutcome::Released;
            result.profile = Some(release.header.policy.profile);
            result.min_cell = Some(release.header.policy.min_cell);
            result.rounding = Some(release.header.policy.rounding);
            result.release = Some(release.id);
            result.bytes = Some(bytes);
            result.clustered = release.header.clustered;
            result.statistics = release.statistics;
            result.noise = release.header.policy.noise;
            result.noisy = release.noisy;
        }
    }
    result
}
