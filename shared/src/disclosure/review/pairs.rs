//! Review of two models' decisions crossed. The eight groups of one table are the smallest that
//! it, the 2x2 tables of both models and every number about their difference can be taken
//! apart into, so the table is shown whole or not at all, and only beside both 2x2 tables.
//!
//! From: `statistic::discordance`.
//! To: the release's statistics, and `estimates` (differences at a threshold).

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::Statistic;
use crate::statistic::discordance::{Crossed, Discordance};
use crate::statistic::estimate::EstimateKey;
use crate::statistic::metric::Metric;
use crate::statistic::stage::{Disclosed, Exact, ExactCount};

impl Gate<'_> {
    /// A table is shown when its eight groups are large enough and both models' 2x2 tables are
    /// shown. Two tables of the same models differ group by group by nobody or by k patients,
    /// as two 2x2 tables of one model do; so do, with k patients in each discordant group, the
    /// two models' own tables (decision P3).
    pub(super) fn note_pairs(&mut self, statistics: &[Statistic<Exact>]) {
        if !self.policy.protects() {
            return;
        }
        let k = self.policy.min_cell();
        let mut shown: Vec<&Discordance<Exact>> = Vec::new();
        for table in statistics.iter().filter_map(Statistic::discordance) {
            let endpoint = table.endpoint.as_str();
            let beside = self.table_shown(table.model.as_str(), endpoint, table.threshold)
                && self.table_shown(
                    table.comparator.as_str(),
                    endpoint,
                    table.comparator_threshold,
                );
            let cells = table.counts();
            let large = cells
                .iter()
                .all(|cell| cell.patients >= k && cell.nearest >= k);
            let gap = |one: &ExactCount, other: &ExactCount| {
                one.rows == other.rows || one.patients.abs_diff(other.patients) >= k
            };
            let apart = shown
                .iter()
                .filter(|other| {
                    other.model == table.model
                        && other.comparator == table.comparator
                        && other.endpoint == table.endpoint
                })
                .all(|other| {
                    let (one, other) = (table.counts(), other.counts());
                    one.iter().zip(other).all(|(one, other)| gap(one, other))
                });
            if beside && large && apart {
                shown.push(table);
            }
        }
        self.shown_pairs = shown.into_iter().map(Pair::of).collect();
    }

    /// Whether the crossed decisions behind a difference at a threshold are shown.
    pub(super) fn pair_shown(&self, key: &EstimateKey) -> bool {
        if !self.policy.protects() {
            return true;
        }
        let (Some(comparator), Some(threshold)) = (&key.comparator, key.threshold) else {
            return false;
        };
        self.shown_pairs.iter().any(|pair| {
            let [first, second] = pair.thresholds;
            pair.models == [key.model.to_string(), comparator.to_string()]
                && pair.endpoint == key.endpoint.as_str()
                && first == threshold.to_bits()
                // Net benefit cuts both models at one threshold.
                && (second == first || key.metric != Metric::NetBenefitDifference)
        })
    }

    pub(super) fn discordance(&mut self, one: Discordance<Exact>) -> Discordance<Disclosed> {
        let pair = Pair::of(&one);
        let shown = !self.policy.protects() || self.shown_pairs.contains(&pair);
        let name = format!(
            "{} at {} by {} at {}",
            one.model, one.threshold, one.comparator, one.comparator_threshold
        );
        Discordance {
            events: self.crossed(&format!("{name}, events"), one.events, shown),
            non_events: self.crossed(&format!("{name}, non-events"), one.non_events, shown),
            model: one.model,
            comparator: one.comparator,
            endpoint: one.endpoint,
            threshold: one.threshold,
            comparator_threshold: one.comparator_threshold,
        }
    }

    fn crossed(&mut self, name: &str, one: Crossed<Exact>, shown: bool) -> Crossed<Disclosed> {
        let rule = Rule::OperatingPoint;
        let mut cell = |what: &str, count: &ExactCount| {
            self.count_if(&format!("{name}: {what}"), count, shown, rule)
        };
        Crossed {
            both: cell("both positive", &one.both),
            model_only: cell("only the model", &one.model_only),
            comparator_only: cell("only the comparator", &one.comparator_only),
            neither: cell("neither", &one.neither),
            chi_squared: self.real_if(
                &format!("{name}: McNemar chi-squared"),
                one.chi_squared,
                rule,
                shown,
            ),
            mid_p: self.real_if(&format!("{name}: McNemar mid-p"), one.mid_p, rule, shown),
        }
    }
}

/// The thresholds at which two models' decisions are shown crossed.
pub(super) fn thresholds(shown: &[Pair], endpoint: &str, models: [&str; 2]) -> Vec<[f64; 2]> {
    let of = shown
        .iter()
        .filter(|pair| pair.endpoint == endpoint && pair.models == models);
    of.map(|pair| pair.thresholds.map(f64::from_bits)).collect()
}

/// What tells one table of crossed decisions from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pair {
    models: [String; 2],
    endpoint: String,
    thresholds: [u64; 2],
}

impl Pair {
    fn of(table: &Discordance<Exact>) -> Self {
        Self {
            models: [table.model.to_string(), table.comparator.to_string()],
            endpoint: table.endpoint.to_string(),
            thresholds: [table.threshold, table.comparator_threshold].map(f64::to_bits),
        }
    }
}
