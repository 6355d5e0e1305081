//! Review of numbers that are no tables: areas, O:E, Brier, moments.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::stage::{Cell, Disclosed, Exact};
use crate::statistic::{auc, brier, observed_expected, paired_auc};

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
        let counts = rounded.then(|| variance_of_counts(n, observed)).flatten();
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

    pub(super) fn brier(&mut self, one: brier::Brier<Exact>) -> brier::Brier<Disclosed> {
        let name = format!("Brier score of {}", one.model);
        brier::Brier {
            n: self.count(&format!("{name}: cases"), &one.n),
            brier: self.real(&name, one.brier, Rule::Estimate),
            se: self.real(&format!("{name}: standard error"), one.se, Rule::Estimate),
            scaled: self.real(&format!("{name}: scaled"), one.scaled, Rule::Estimate),
            model: one.model,
            endpoint: one.endpoint,
        }
    }
}

/// `1 / O - 1 / n` of rounded counts, and the interval that the counts' intervals leave to it.
fn variance_of_counts(n: Cell<u64>, observed: Cell<u64>) -> Option<(f64, f64, f64)> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let variance = |events: u64, cases: u64| 1.0 / events as f64 - 1.0 / cases as f64;
    let ((n_lo, n_hi), (o_lo, o_hi)) = (n.bounds()?, observed.bounds()?);
    let (cases, events) = (n.number()?, observed.number()?);
    if events == 0 || o_lo == 0 || events >= cases {
        return None;
    }
    let low = variance(o_hi, n_lo).max(0.0);
    Some((variance(events, cases), low, variance(o_lo, n_hi)))
}
