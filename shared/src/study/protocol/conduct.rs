//! How the study is run: sites with their roles, rounds, sign-offs, disclosure, public data sets,
//! and what was expected when its size was chosen.
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::study::SiteSlug;

/// What the study asks of a site's policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisclosureWish {
    /// Smallest number of distinct patients in a released cell the study asks for; a site's own
    /// policy wins when it is stricter.
    pub min_cell: u64,
}

/// How rounds run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundPlan {
    /// `once` or `quarterly`.
    pub schedule: String,
    /// Days from launch until jobs expire.
    pub deadline_days: u32,
}

/// Required sign-offs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignoffPlan {
    /// Roles that must sign off before the lock.
    pub required: Vec<String>,
}

/// An invited site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySite {
    /// The site.
    pub slug: SiteSlug,
    /// Name on the report.
    pub display_name: String,
    /// Its relation to the model (decision C9).
    pub role: SiteRole,
    /// Values of the study's moderators: properties of the hospital, never of its patients.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moderators: BTreeMap<String, f64>,
}

/// A site's relation to the model (decision C9). Only `external` sites enter a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteRole {
    /// The model was developed on this site's data.
    Development,
    /// The model was tuned on this site's data.
    Tuning,
    /// A threshold was chosen on this site's data.
    ThresholdSelection,
    /// The model was recalibrated on this site's data.
    Recalibration,
    /// The model has not seen this site's data.
    External,
}

/// A public data set that `open-data` may run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicDataset {
    /// The site that holds this copy.
    pub site: SiteSlug,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
    /// Licence and source.
    pub licence: String,
}

/// What was expected when the study was planned, and who said so (`fedval study power`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSize {
    /// Share of patients with the event, in (0, 1).
    pub prevalence: f64,
    /// AUC of the typical hospital, in (0.5, 1).
    pub auc: f64,
    /// Standard deviation of the true AUC between hospitals, at least 0.
    pub spread: f64,
    /// Patients of each hospital, at least 2.
    pub patients_per_site: u64,
    /// Who chose these numbers.
    pub chosen_by: String,
    /// Where they come from.
    pub source: String,
    /// The fall of the AUC that later rounds must notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// The fall of the AUC that must be noticed, chosen by a clinician.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Smallest fall of the AUC that matters, in (0, 0.5).
    pub drop: f64,
    /// Share of such falls that may be missed, in (0, 1).
    pub miss: f64,
    /// Who chose these two numbers.
    pub chosen_by: String,
}
