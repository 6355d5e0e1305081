//! Review of numbers that are no tables: areas, O:E, estimates.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::{Gate, real_words};
use crate::disclosure::rule::{Rule, coefficients, rounding, small_cell};
use crate::statistic::estimate::{Estimate, EstimateKey, Found, IntervalMethod};
use crate::statistic::metric::{Leaves, Metric, Scale};
use crate::statistic::sampling::Weights;
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount, Form, Undefined};
use crate::statistic::{auc, observed_expected, paired_auc, permutation};
use crate::study::validate::SIZE_AXIS;
use crate::study::{AxisId, ModelId};

impl Gate<'_> {
    pub(super) fn auc(&mut self, one: auc::Auc<Exact>) -> auc::Auc<Disclosed> {
        let name = format!("AUC of {}", one.model);
        auc::Auc {
            events: self.count(&format!("{name}: events"), &one.events),
            non_events: self.count(&format!("{name}: non-events"), &one.non_events),
            auc: self.real(&name, one.auc, Rule::Estimate),
            variance: self.real(&format!("{name}: variance"), one.variance, Rule::Estimate),
            model: one.model,
            endpoint: one.endpoint,
            method: one.method,
        }
    }

    pub(super) fn paired_auc(
        &mut self,
        one: paired_auc::PairedAuc<Exact>,
    ) -> paired_auc::PairedAuc<Disclosed> {
        let name = format!("AUC of {} minus {}", one.model, one.comparator);
        paired_auc::PairedAuc {
            events: self.count(&format!("{name}: events"), &one.events),
            non_events: self.count(&format!("{name}: non-events"), &one.non_events),
            difference: self.real(&name, one.difference, Rule::Estimate),
            variance: self.real(&format!("{name}: variance"), one.variance, Rule::Estimate),
            model: one.model,
            comparator: one.comparator,
            endpoint: one.endpoint,
            method: one.method,
        }
    }

    pub(super) fn permutation(
        &mut self,
        one: permutation::Permutation<Exact>,
    ) -> permutation::Permutation<Disclosed> {
        let name = format!("shuffled outcomes of {}", one.model);
        let mut real =
            |what: &str, real| self.real(&format!("{name}: {what}"), real, Rule::Estimate);
        let deviation = real("rank sum minus its expectation", one.deviation);
        let variance = real("variance of the rank sum", one.variance);
        let exact_p = real("exact p value", one.exact_p);
        let shuffled = one.shuffled.map(|found| permutation::ShuffledLabels {
            p_value: real("p value by shuffling", found.p_value),
            plan: found.plan,
        });
        permutation::Permutation {
            events: self.count(&format!("{name}: events"), &one.events),
            non_events: self.count(&format!("{name}: non-events"), &one.non_events),
            model: one.model,
            endpoint: one.endpoint,
            deviation,
            variance,
            exact_p,
            shuffled,
        }
    }

    /// The variance of log(O:E) gives O away exactly (decision P5). O is released rounded, so
    /// under a protecting policy the variance is that of the rounded counts.
    pub(super) fn observed_expected(
        &mut self,
        one: observed_expected::ObservedExpected<Exact>,
    ) -> observed_expected::ObservedExpected<Disclosed> {
        let name = format!("O:E of {}", one.model);
        let n = self.count(&format!("{name}: cases"), &one.n);
        let observed = self.count(&format!("{name}: observed events"), &one.observed);
        let rounded = self.policy.protects() && !self.clustered;
        let weights = Weights::of_design(self.protocol);
        let counts = weights.ok().filter(|_| rounded);
        let counts = counts.and_then(|weights| variance_of_counts(n, observed, weights));
        let words = format!("{name}: variance of the logarithm");
        let mut log_variance = one.log_variance;
        if let Some((value, _, _)) = counts {
            log_variance.value = log_variance.value.map(|_| value);
        }
        let mut log_variance = self.real(&words, log_variance, Rule::Estimate);
        if let (Cell::Rounded { lo, hi, .. }, Some((_, low, high))) = (&mut log_variance, counts) {
            (*lo, *hi) = (lo.min(low), hi.max(high));
        }
        observed_expected::ObservedExpected {
            n,
            observed,
            mean_prediction: self.real(
                &format!("{name}: mean prediction"),
                one.mean_prediction,
                Rule::Estimate,
            ),
            ratio: self.real(&name, one.ratio, Rule::Estimate),
            log_variance,
            model: one.model,
            endpoint: one.endpoint,
        }
    }

    /// An estimate leaves as a whole or not at all: its value, interval and variance follow from
    /// the same rows. Staff read one line for it.
    pub(super) fn estimate(&mut self, one: Estimate<Exact>) -> Estimate<Disclosed> {
        let determined = coefficients::determined(self.policy, one.key.metric, one.n.patients);
        let rule = match one.key.metric.entry().leaves {
            _ if !determined => Rule::Coefficient,
            Leaves::WithTable => Rule::Rate,
            Leaves::Whole | Leaves::Unprotected => Rule::Estimate,
        };
        if self.policy.protects() && self.never_leaves(&one.key) {
            return not_in_policy(one);
        }
        let allowed = self.estimate_allowed(&one.key);
        let leaves = allowed && determined;
        let whole = one.key.is_whole();
        let smallest = one.value.basis.smallest;
        let before = self.items.len();
        let n = self.estimate_count(&one.n, whole || allowed);
        let events = self.estimate_count(&one.events, whole || allowed);
        let value = self.real_if("", one.value, rule, leaves);
        let low = self.real_if("", one.low, rule, leaves);
        let high = self.real_if("", one.high, rule, leaves);
        let variance = self.real_if("", one.variance, rule, leaves);
        let (low, high, variance) = if one.key.metric == Metric::ObservedExpected {
            self.ratio_of_counts(n, events, value, (low, high, variance))
        } else {
            (low, high, variance)
        };
        let rule = self.items.get(before + 2).map_or(rule, |item| item.rule);
        self.items.truncate(before);
        let shown = !value.is_suppressed();
        let words = estimate_words(&value, &low, &high, &variance);
        self.item(&key_words(&one.key), smallest, words, rule, shown);
        Estimate {
            key: one.key,
            n,
            events,
            value,
            low,
            high,
            variance,
            // Whether there could be an interval depends on the counts that are hidden.
            interval: if shown {
                one.interval
            } else {
                IntervalMethod::None
            },
        }
    }

    /// Variance and interval of a ratio O:E give O away exactly (decision P5): they are made again
    /// from the counts that are released.
    fn ratio_of_counts(
        &self,
        n: Cell<u64>,
        events: Cell<u64>,
        value: Cell<f64>,
        own: (Cell<f64>, Cell<f64>, Cell<f64>),
    ) -> (Cell<f64>, Cell<f64>, Cell<f64>) {
        if !self.policy.protects() || self.clustered || own.2.number().is_none() {
            return own;
        }
        let weights = Weights::of_design(self.protocol).ok();
        let again = weights.and_then(|weights| {
            let (variance, lo, hi) = variance_of_counts(n, events, weights)?;
            let found = Found::normal(
                Scale::Log,
                value.number().ok_or(Undefined::NoCases),
                Ok(variance),
            );
            let interval = found.interval.ok()?;
            let round = |value: f64, form| rounding::real(value, form);
            let mut variance = round(variance, Form::SPREAD);
            if let Cell::Rounded {
                lo: low, hi: high, ..
            } = &mut variance
            {
                *low = low.min(lo);
                *high = high.max(hi);
            }
            let form = Metric::ObservedExpected.entry().form;
            Some((
                round(interval.lower, form),
                round(interval.upper, form),
                variance,
            ))
        });
        let hidden = |hi| Cell::Suppressed { lo: 0.0, hi };
        again.unwrap_or((hidden(f64::MAX), hidden(f64::MAX), hidden(f64::MAX)))
    }

    fn estimate_count(&mut self, count: &ExactCount, allowed: bool) -> Cell<u64> {
        let shown = allowed && small_cell::shows(self.policy, count.patients);
        let apart = count.nearest >= self.policy.min_cell();
        let shown = shown && (apart || !self.policy.protects());
        self.count_if("", count, shown, Rule::Margin)
    }

    /// What no protecting policy lets leave, whatever the data: a metric that is for public data
    /// only, and one that follows from a 2x2 table at a threshold without one, such as the
    /// decision curve between the prespecified thresholds.
    fn never_leaves(&self, key: &EstimateKey) -> bool {
        match key.metric.entry().leaves {
            Leaves::Unprotected => true,
            Leaves::Whole => false,
            Leaves::WithTable => key.threshold.is_some_and(|threshold| {
                let declared = self.protocol.thresholds(&key.model, &key.endpoint);
                let same = |value: &f64| value.to_bits() == threshold.to_bits();
                !declared.iter().any(same)
            }),
        }
    }

    /// A level's estimate leaves where the level is shown by class (with a threshold: by quarter),
    /// one that follows from a 2x2 table where the table is shown, a comparison at a
    /// threshold where both models' decisions crossed are.
    fn estimate_allowed(&self, key: &EstimateKey) -> bool {
        if !self.policy.protects() {
            return true;
        }
        let table = |model: &ModelId, threshold| {
            self.table_shown(model.as_str(), key.endpoint.as_str(), threshold)
        };
        let with_table = key.metric.entry().leaves == Leaves::WithTable;
        let cut = match key.threshold {
            Some(threshold) => {
                table(&key.model, threshold) && (key.comparator.is_none() || self.pair_shown(key))
            }
            None => !with_table,
        };
        let level = match (&key.axis, &key.level) {
            (Some(axis), Some(level)) => self.level_shown(key, axis, level),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        cut && level
    }

    fn level_shown(&self, key: &EstimateKey, axis: &AxisId, level: &str) -> bool {
        let declared = self.protocol.subgroup.iter().find(|one| one.id == *axis);
        let levels = match declared {
            Some(one) => {
                let field = self.protocol.find_field(&one.field);
                field.map(|field| one.levels(field))
            }
            // The size bins of a structure are no axis of the protocol.
            None => {
                let endpoint = self.protocol.find_endpoint(&key.endpoint);
                let structure = endpoint.and_then(|one| one.structure.as_ref());
                let sizes = structure.map(|structure| structure.size_labels());
                sizes.filter(|_| axis.as_str() == SIZE_AXIS)
            }
        };
        let place = levels.and_then(|levels| levels.iter().position(|name| name == level));
        let plan = self.axis_plan(key.endpoint.as_str(), axis.as_str());
        let shown = if key.threshold.is_some() {
            plan.quarters
        } else {
            plan.classes
        };
        place
            .and_then(|place| shown.get(place).copied())
            .unwrap_or(false)
    }
}

/// A number that no protecting profile lets leave; the reason is the policy's, not the data's.
fn not_in_policy(one: Estimate<Exact>) -> Estimate<Disclosed> {
    let reason = Undefined::NotInPolicy;
    let (count, real) = (Cell::NotComputed { reason }, Cell::NotComputed { reason });
    Estimate {
        key: one.key,
        n: count,
        events: count,
        value: real,
        low: real,
        high: real,
        variance: real,
        interval: IntervalMethod::None,
    }
}

fn estimate_words(
    value: &Cell<f64>,
    low: &Cell<f64>,
    high: &Cell<f64>,
    variance: &Cell<f64>,
) -> String {
    let value = real_words(value);
    match (low.number(), high.number(), variance.number()) {
        (Some(low), Some(high), Some(variance)) => {
            format!("{value} (95 % {low} to {high}; variance {variance})")
        }
        (Some(low), Some(high), None) => format!("{value} (95 % {low} to {high})"),
        (None, _, _) | (_, None, _) => value,
    }
}

/// What an estimate is called before staff: `Brier score of p_b, sex = female, at 0.5`.
fn key_words(key: &EstimateKey) -> String {
    let mut words = format!("{} of {}", key.metric.entry().name, key.model);
    if let Some(tolerance) = key.tolerance_mm {
        words.push_str(&format!(", within {tolerance} mm"));
    }
    if let Some(point) = key.false_positives_per_scan {
        words.push_str(&format!(", at {point} false positives per scan"));
    }
    if let Some(comparator) = &key.comparator {
        words.push_str(&format!(" against {comparator}"));
    }
    if let (Some(axis), Some(level)) = (&key.axis, &key.level) {
        words.push_str(&format!(", {axis} = {level}"));
    }
    if let Some(threshold) = key.threshold {
        words.push_str(&format!(", at {threshold}"));
    }
    if let Some(prevalence) = key.prevalence {
        words.push_str(&format!(", at prevalence {prevalence}"));
    }
    if let Some(sensitivity) = &key.sensitivity {
        words.push_str(&format!(", sensitivity analysis {sensitivity}"));
    }
    words
}

/// The variance of log(O:E) of rounded counts, and the interval that the counts' intervals leave
/// to it: `1 / O - 1 / n`, or its weighted form where cases were sampled by outcome.
fn variance_of_counts(
    n: Cell<u64>,
    observed: Cell<u64>,
    weights: Weights,
) -> Option<(f64, f64, f64)> {
    let ((n_lo, n_hi), (o_lo, o_hi)) = (n.bounds()?, observed.bounds()?);
    let (cases, events) = (n.number()?, observed.number()?);
    if events == 0 || o_lo == 0 || events >= cases {
        return None;
    }
    let corners = [(o_lo, n_lo), (o_lo, n_hi), (o_hi, n_lo), (o_hi, n_hi)];
    let corners = corners.map(|(events, cases)| log_variance(events, cases, weights).max(0.0));
    let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
    let high = corners.iter().copied().fold(0.0, f64::max);
    Some((log_variance(events, cases, weights), low, high))
}

fn log_variance(events: u64, cases: u64, weights: Weights) -> f64 {
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let (o, n) = (events as f64, cases as f64);
    if weights.is_plain() {
        return 1.0 / o - 1.0 / n;
    }
    let (all, others) = (weights.event * o, (n - o).max(0.0));
    let mean = all / (all + weights.non_event * others);
    let (up, down) = (weights.event * (1.0 - mean), weights.non_event * mean);
    n / (n - 1.0).max(1.0) * (o * up * up + others * down * down) / (all * all)
}
