//! What a masked sum says of all hospitals' patients together: curves, 2x2 tables, calibration,
//! net benefit and subgroups at full resolution, as its review let them out. These count pairs of
//! patients of different hospitals too; the headline does not (decision C7).
//!
//! From: `disclosure::masked` (the reviewed sum).
//! To: `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::{Analysis, MergedCurve, SiteOutcome, SiteResult};
use super::{analysis, curve};
use crate::disclosure::masked::ReviewedSum;
use crate::identity::Digest;
use crate::statistic::Statistic;
use crate::statistic::confusion::Confusion;
use crate::statistic::stage::Disclosed;
use crate::statistic::subgroup::SubgroupTable;
use crate::study::{SiteRole, SiteSlug, StudyProtocol};

/// How the masked sum of a round ended.
#[derive(Clone, Debug, PartialEq)]
pub enum SumOutcome {
    /// It was opened and reviewed.
    Opened(Box<ReviewedSum>),
    /// There is none.
    NotOpened(NoSum),
}

impl SumOutcome {
    /// There is none, because of `reason`.
    pub fn not_opened(reason: NoSum) -> Self {
        Self::NotOpened(reason)
    }
}

/// Why there is no masked sum.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoSum {
    /// Fewer hospitals take part than a sum needs.
    TooFew,
    /// Too many of them dropped out.
    Left,
    /// The round was closed before the sum was open.
    Unfinished,
    /// A message of one of them was false.
    False,
    /// The sum contradicts itself, or what its hospitals released.
    Contradiction,
    /// A hospital in it took its release back or had it set aside, and its part cannot be taken out.
    Withdrawn,
    /// Even together its hospitals have too few patients.
    TooSmall,
}

impl NoSum {
    /// A sentence part for reports: `not opened: ...`.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooFew => "fewer than four hospitals took part",
            Self::Left => "too many hospitals dropped out before the end",
            Self::Unfinished => "the round was closed before the sum was open",
            Self::False => "a hospital's message did not fit what it had committed to",
            Self::Contradiction => {
                "the sum contradicts itself or the counts that its hospitals released"
            }
            Self::Withdrawn => {
                "the release of a hospital in it no longer counts, and its part cannot be taken out"
            }
            Self::TooSmall => "even together its hospitals have too few patients for the rules",
        }
    }
}

/// The masked sum in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum MaskedPool {
    /// It was opened.
    Opened(Box<OpenedPool>),
    /// There is none.
    NotOpened {
        /// Why.
        reason: NoSum,
    },
}

/// What an opened sum says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenedPool {
    /// Hospitals that took part.
    pub roster: Vec<SiteSlug>,
    /// Those whose patients are in the sum.
    pub survivors: Vec<SiteSlug>,
    /// Digest of everything that was said.
    pub transcript: Digest,
    /// Smallest number of patients in a cell of the sum.
    pub min_cell: u64,
    /// Every metric of the sum, with its interval over patients.
    pub analyses: Vec<Analysis>,
    /// Curves and distributions, one per model and endpoint.
    pub curves: Vec<MergedCurve>,
    /// The 2x2 table at each threshold.
    pub tables: Vec<Confusion<Disclosed>>,
    /// Subgroup tables.
    pub levels: Vec<SubgroupTable<Disclosed>>,
}

/// What the masked sum of a round says.
pub(super) fn of(protocol: &StudyProtocol, sum: &SumOutcome) -> MaskedPool {
    let sum = match sum {
        SumOutcome::Opened(sum) => sum,
        SumOutcome::NotOpened(reason) => return MaskedPool::NotOpened { reason: *reason },
    };
    // All hospitals as one: read by the same code as each of them.
    let together = SiteResult {
        site: sum.survivors.first().cloned().unwrap_or_else(|| {
            unreachable!("a sum has as many survivors as its threshold, three at least")
        }),
        display_name: String::new(),
        role: SiteRole::External,
        outcome: SiteOutcome::Released,
        profile: None,
        min_cell: Some(sum.policy.min_cell),
        rounding: Some(sum.policy.rounding),
        release: None,
        bytes: None,
        clustered: false,
        statistics: sum.statistics.clone(),
        noise: None,
        noisy: Vec::new(),
    };
    let sites = std::slice::from_ref(&together);
    let mut curves = curve::all(protocol, sites);
    curves.retain(|curve| curve.site.is_some());
    for curve in &mut curves {
        curve.site = None;
        curve.sites.clone_from(&sum.survivors);
    }
    let mut analyses = analysis::all(protocol, sites);
    analyses.retain(|analysis| {
        let mut own = analysis.sites.iter();
        own.any(|site| site.estimate.number().is_some())
    });
    MaskedPool::Opened(Box::new(OpenedPool {
        roster: sum.roster.clone(),
        survivors: sum.survivors.clone(),
        transcript: sum.transcript,
        min_cell: sum.policy.min_cell,
        analyses,
        curves,
        tables: each(&sum.statistics, Statistic::confusion),
        levels: each(&sum.statistics, Statistic::subgroup_table),
    }))
}

fn each<T: Clone>(
    statistics: &[Statistic<Disclosed>],
    read: impl Fn(&Statistic<Disclosed>) -> Option<&T>,
) -> Vec<T> {
    statistics.iter().filter_map(read).cloned().collect()
}
