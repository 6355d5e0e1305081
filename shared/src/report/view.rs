//! Look-ups over a pooled study: names for ids, statistics by key, sites by role.
//!
//! From: `pool::result`.
//! To: the pages and the CSV files.

use crate::pool::result::{Analysis, AnalysisRole, PooledStudy, SiteOutcome, SiteResult};
use crate::statistic::{Cell, Disclosed, Metric, Statistic};
use crate::statistic::{confusion::Confusion, flow::Flow};
use crate::study::{AxisId, EndpointId, ModelId, SiteRole, SiteSlug};

/// A pooled study with its look-ups.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The study.
    pub(super) study: &'a PooledStudy,
    /// The hospital whose copy this is.
    pub(super) own: Option<&'a SiteResult>,
}

/// Hospitals that a table beside a figure lists; the files have all.
pub(super) const LISTED: usize = 12;
/// Hospitals that the data of a forest plot lists; the plot has all.
pub(super) const DRAWN: usize = 40;

impl<'a> View<'a> {
    /// The report of the consortium.
    pub(super) fn of(study: &'a PooledStudy) -> Self {
        Self { study, own: None }
    }

    /// The name of a site on the report.
    pub(super) fn site(&self, slug: &SiteSlug) -> String {
        self.study
            .sites
            .iter()
            .find(|site| site.site == *slug)
            .map_or_else(|| slug.to_string(), |site| site.display_name.clone())
    }

    /// The role of a site.
    pub(super) fn role(&self, slug: &SiteSlug) -> Option<SiteRole> {
        let found = self.study.sites.iter().find(|site| site.site == *slug)?;
        Some(found.role)
    }

    /// The name of a model.
    pub(super) fn model(&self, id: &ModelId) -> String {
        self.study
            .protocol
            .find_model(id)
            .map_or_else(|| id.to_string(), |model| model.name.clone())
    }

    /// The version of a model, empty when unknown.
    pub(super) fn model_version(&self, id: &ModelId) -> &'a str {
        self.study
            .protocol
            .find_model(id)
            .map_or("", |model| model.version.as_str())
    }

    /// The label of an endpoint.
    pub(super) fn endpoint(&self, id: &EndpointId) -> String {
        self.study
            .protocol
            .find_endpoint(id)
            .map_or_else(|| id.to_string(), |endpoint| endpoint.label.clone())
    }

    /// The label of an axis, and whether it was declared beforehand.
    pub(super) fn axis(&self, id: &AxisId) -> (String, bool) {
        self.study
            .protocol
            .subgroup
            .iter()
            .find(|axis| axis.id == *id)
            .map_or_else(
                || (id.to_string(), false),
                |axis| (axis.label.clone(), axis.prespecified),
            )
    }

    /// Sites that released and passed the checks, external ones first, otherwise in order.
    pub(super) fn released(&self) -> Vec<&'a SiteResult> {
        let (external, apart): (Vec<_>, Vec<_>) = self
            .study
            .sites
            .iter()
            .filter(|site| site.outcome == SiteOutcome::Released)
            .partition(|site| site.role == SiteRole::External);
        external.into_iter().chain(apart).collect()
    }

    /// External sites that released.
    pub(super) fn external(&self) -> Vec<&'a SiteResult> {
        let mut sites = self.released();
        sites.retain(|site| site.role == SiteRole::External);
        sites
    }

    /// Whether there are more hospitals than a page shows row by row at every level.
    pub(super) fn many(&self) -> bool {
        self.released().len() > 12
    }

    /// Number of invited external sites.
    pub(super) fn invited_external(&self) -> usize {
        let external = |site: &&SiteResult| site.role == SiteRole::External;
        self.study.sites.iter().filter(external).count()
    }

    /// The primary analysis.
    pub(super) fn primary(&self) -> Option<&'a Analysis> {
        let mut analyses = self.study.analyses.iter();
        analyses.find(|analysis| analysis.role == AnalysisRole::Primary)
    }

    /// Analyses of one metric over all cases.
    pub(super) fn overall(&self, metric: Metric) -> impl Iterator<Item = &'a Analysis> {
        self.study
            .analyses
            .iter()
            .filter(move |analysis| analysis.key.metric == metric && analysis.key.is_whole())
    }

    /// Endpoints in the protocol's order.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &'a EndpointId> {
        self.study
            .protocol
            .endpoint
            .iter()
            .map(|endpoint| &endpoint.id)
    }

    /// Whether a policy profile named `open-data` was in use.
    pub(super) fn open_data(&self) -> bool {
        self.study
            .profiles
            .iter()
            .any(|profile| profile == "open-data")
    }

    /// Whether patients repeat at some site.
    pub(super) fn clustered(&self) -> bool {
        self.study.sites.iter().any(|site| site.clustered)
    }
}

/// A released participant flow.
pub(super) type Flows = Flow<Disclosed>;

/// The participant flow of one endpoint at one site.
pub(super) fn flow<'a>(site: &'a SiteResult, endpoint: &EndpointId) -> Option<&'a Flow<Disclosed>> {
    site.statistics
        .iter()
        .filter_map(Statistic::flow)
        .find(|flow| flow.endpoint == *endpoint)
}

/// The 2x2 tables of one site.
pub(super) fn confusions(site: &SiteResult) -> impl Iterator<Item = &Confusion<Disclosed>> {
    site.statistics.iter().filter_map(Statistic::confusion)
}

/// The sum of counts; intervals add.
pub(super) fn sum(cells: impl Iterator<Item = Cell<u64>>) -> Cell<u64> {
    cells.fold(Cell::Zero, Cell::plus)
}
