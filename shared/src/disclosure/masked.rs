//! Masked sums at the gate. At a hospital: whether its part may be added at all, and the only way
//! for it outward, through the mask. At the coordinator: an opened sum is exact like any count of
//! a hospital, and passes the same review with the pool's counts before anybody reads it.
//!
//! From: `statistic::masked_sums`, the states of `masking`.
//! To: `released` (a site's messages), `pool::masked` (the reviewed sum).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Header, PolicyStamp};
use super::policy::Policy;
use super::released::Released;
use super::review::{Axes, Decision, Item, review};
use super::rule::support::{Objection, supports};
use super::rule::{Rule, admission};
use crate::identity::{Digest, SigningKey};
use crate::masking::site::{AwaitKeys, AwaitShares, AwaitSignatures, AwaitSurvivors, Site};
use crate::masking::step::{Answer, Participant};
use crate::masking::{Abort, Advertised, Confirmed, Roster, Sealed, Secret};
use crate::statistic::masked_sums::{Contribution, OpenedSum, PlainVector};
use crate::statistic::{Disclosed, Statistic};
use crate::study::{SiteSlug, StudyProtocol};

/// Whether a hospital may add its part: rules that nobody can apply any more once it is masked.
///
/// # Errors
/// The rule that forbids it, and why, for staff.
pub fn admit(
    policy: &Policy,
    protocol: &StudyProtocol,
    part: &Contribution,
) -> Result<(), (Rule, String)> {
    if policy.noise().is_some() {
        let why = "differential privacy covers no masked sum: this hospital's part would be exact";
        return Err((Rule::Noise, why.to_owned()));
    }
    if part.clustered {
        let why = "patients have several cases here, and a masked sum counts each case as a \
                   patient of its own";
        return Err((Rule::Admission, why.to_owned()));
    }
    for (endpoint, [all, events, others]) in protocol.endpoint.iter().zip(&part.totals) {
        if !admission::admits(policy, all.patients, events.patients, others.patients) {
            let why = format!(
                "{}: {} patients, {} with the event, {} without; the policy asks for {} \
                 patients and {} in each class",
                endpoint.id,
                all.patients,
                events.patients,
                others.patients,
                policy.min_patients(),
                policy.min_class()
            );
            return Err((Rule::Admission, why));
        }
    }
    let alike = part
        .alike
        .iter()
        .try_for_each(|basis| supports(policy, *basis));
    alike.map_err(|objection| {
        let why = match objection {
            Objection::SmallGroup => "two scores differ for a few patients only",
            Objection::Dominance => "one patient makes most of the difference between two scores",
        };
        (Rule::Estimate, why.to_owned())
    })
}

/// One message of a site, made by the mask's own states.
pub struct Message(pub(super) Answer);

impl Message {
    /// Step 1: the site takes part.
    pub fn takes_part(participant: Participant) -> Self {
        Self(Answer::TakesPart(participant))
    }

    /// Step 2: single-use keys.
    ///
    /// # Errors
    /// [`Abort`] when the roster has no such position or another key there.
    pub fn keys(
        roster: Roster,
        position: u32,
        secret: Secret,
        signing: &SigningKey,
    ) -> Result<(Self, AwaitKeys), Abort> {
        let (said, next) = Site::begin(roster, position, secret, signing)?;
        Ok((Self(Answer::Keys(said)), next))
    }

    /// Step 3: sealed shares.
    ///
    /// # Errors
    /// [`Abort`] names what is wrong with the keys.
    pub fn shares(
        state: AwaitKeys,
        keys: BTreeMap<u32, Advertised>,
    ) -> Result<(Self, AwaitShares), Abort> {
        let (said, next) = state.keys(keys)?;
        Ok((Self(Answer::Shares(said)), next))
    }

    /// Step 4: the hospital's part, masked.
    ///
    /// # Errors
    /// [`Abort`] names what is wrong with the shares.
    pub fn vector(
        state: AwaitShares,
        sealed: BTreeMap<u32, Sealed>,
        plain: &PlainVector,
    ) -> Result<(Self, AwaitSurvivors), Abort> {
        let (said, next) = state.shares(sealed, &plain.0)?;
        Ok((Self(Answer::Vector(said)), next))
    }

    /// Step 5: a signature over the survivors.
    ///
    /// # Errors
    /// [`Abort`] names what is wrong with them.
    pub fn survivors(
        state: AwaitSurvivors,
        survivors: BTreeSet<u32>,
    ) -> Result<(Self, AwaitSignatures), Abort> {
        let (said, next) = state.survivors(survivors)?;
        Ok((Self(Answer::Survivors(said)), next))
    }

    /// Step 6: one share of each site.
    ///
    /// # Errors
    /// [`Abort`] names what is wrong with the signatures.
    pub fn opened(
        state: AwaitSignatures,
        signatures: BTreeMap<u32, Confirmed>,
    ) -> Result<Self, Abort> {
        Ok(Self(Answer::Opened(state.signatures(signatures)?)))
    }

    /// The release that carries it.
    pub fn release(self, policy: &Policy, header: Header) -> Released {
        Released::masked(policy, header, self.0)
    }
}

/// A sum over hospitals as the report may show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewedSum {
    /// Hospitals that took part, in the order of their positions.
    pub roster: Vec<SiteSlug>,
    /// Those whose numbers are in the sum.
    pub survivors: Vec<SiteSlug>,
    /// Digest of everything that was said: whoever holds the messages can open the sum again.
    pub transcript: Digest,
    /// The policy of the review.
    pub policy: PolicyStamp,
    /// What it let out.
    pub statistics: Vec<Statistic<Disclosed>>,
}

/// Who a sum is about.
#[derive(Clone, Debug)]
pub struct Members {
    /// Hospitals that took part.
    pub roster: Vec<SiteSlug>,
    /// Those whose numbers are in the sum.
    pub survivors: Vec<SiteSlug>,
    /// Digest of everything that was said.
    pub transcript: Digest,
}

/// Reviews an opened sum with its own counts; `policy` is [`Policy::over_hospitals`].
///
/// # Errors
/// The rule that holds all of it back, and why.
pub fn review_sum(
    policy: &Policy,
    protocol: &StudyProtocol,
    sum: &OpenedSum,
    members: Members,
) -> Result<(ReviewedSum, Vec<Item>), (Rule, String)> {
    let statistics = sum.measure(protocol);
    let reviewed = review(policy, protocol, statistics, (false, Axes::BY_RULE));
    match reviewed.decision {
        Decision::Withhold { rule, why } => Err((rule, why)),
        Decision::Release => Ok((
            ReviewedSum {
                roster: members.roster,
                survivors: members.survivors,
                transcript: members.transcript,
                policy: policy.stamp(),
                statistics: reviewed.statistics,
            },
            reviewed.items,
        )),
    }
}
