//! Combining what sites released: exact merges where the statistic allows, and two-stage
//! models with heterogeneity. Pure: sites come in site order, never in order of arrival.
//!
//! From: the coordinator's checked results; a site's own report.
//! To: `report`.

pub mod random_effects;
