//! Review of one step of a several-step job: exact sums, which leave in the clear only where
//! the data are public or a contract allows it (decision P4), and then without rounding, since
//! rounded blocks would lead every site to another place than the sums do.
//!
//! From: `statistic::calibration_block`.
//! To: the step's release.

use super::{Decision, Gate};
use crate::disclosure::policy::Policy;
use crate::disclosure::rule::support::{Objection, supports};
use crate::disclosure::rule::{Rule, admission};
use crate::statistic::calibration_block::{CalibrationBlock, Sums};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount, ExactReal};

/// Why the release as a whole is withheld: a part of a block is no block.
pub(super) fn objection(policy: &Policy, block: &CalibrationBlock<Exact>) -> Option<Decision> {
    let withhold = |rule, why: String| Some(Decision::Withhold { rule, why });
    let name = format!("calibration block of {}", block.model);
    if !policy.allows_blocks() {
        let why = format!(
            "{name}: profile {} releases exact sums only once they are masked",
            policy.profile().as_str()
        );
        return withhold(Rule::Block, why);
    }
    if !policy.protects() {
        return None;
    }
    let (events, others) = (block.events.patients, block.non_events.patients);
    if !admission::admits(policy, block.n.patients, events, others) {
        let why = format!(
            "{name}: {} patients, {events} with the event, {others} without; the policy asks for \
             {} patients and {} in each class",
            block.n.patients,
            policy.min_patients(),
            policy.min_class()
        );
        return withhold(Rule::Admission, why);
    }
    match supports(policy, block.joint.loglik.basis) {
        Ok(()) => None,
        Err(Objection::SmallGroup) => withhold(Rule::SmallCell, format!("{name}: a small class")),
        Err(Objection::Dominance) => withhold(
            Rule::Estimate,
            format!("{name}: one patient carries too much of it"),
        ),
    }
}

impl Gate<'_> {
    pub(super) fn calibration_block(
        &mut self,
        one: CalibrationBlock<Exact>,
    ) -> CalibrationBlock<Disclosed> {
        let name = format!("calibration block of {}", one.model);
        let joint = format!("{name} at {}, {}", one.intercept, one.slope);
        let own = format!("{name} at its own intercept, {}", one.common_slope);
        CalibrationBlock {
            n: self.part(&format!("{name}: cases"), &one.n),
            events: self.part(&format!("{name}: events"), &one.events),
            non_events: self.part(&format!("{name}: non-events"), &one.non_events),
            joint: self.sums(&joint, &one.joint),
            own_intercept: self.exact(&format!("{name}: own intercept"), &one.own_intercept),
            own: self.sums(&own, &one.own),
            model: one.model,
            endpoint: one.endpoint,
            intercept: one.intercept,
            slope: one.slope,
            common_slope: one.common_slope,
        }
    }

    fn sums(&mut self, name: &str, sums: &Sums<Exact>) -> Sums<Disclosed> {
        let [by_intercept, by_slope] = &sums.score;
        let [aa, ab, bb] = &sums.information;
        Sums {
            loglik: self.exact(&format!("{name}: log-likelihood"), &sums.loglik),
            score: [
                self.exact(&format!("{name}: score, intercept"), by_intercept),
                self.exact(&format!("{name}: score, slope"), by_slope),
            ],
            information: [
                self.exact(&format!("{name}: information, intercept"), aa),
                self.exact(&format!("{name}: information, both"), ab),
                self.exact(&format!("{name}: information, slope"), bb),
            ],
        }
    }

    fn exact(&mut self, name: &str, real: &ExactReal) -> Cell<f64> {
        let shown = self.policy.allows_blocks() && supports(self.policy, real.basis).is_ok();
        let cell = match real.value {
            Err(reason) => Cell::NotComputed { reason },
            Ok(_) if !shown => Cell::Suppressed {
                lo: real.form.lo,
                hi: real.form.hi,
            },
            Ok(0.0) => Cell::Zero,
            Ok(value) => Cell::Value { value },
        };
        let words = super::real_words(&cell);
        self.item(name, real.basis.smallest, words, Rule::Block, shown);
        cell
    }

    fn part(&mut self, name: &str, count: &ExactCount) -> Cell<u64> {
        let shown = self.policy.allows_blocks();
        let cell = match count.rows {
            _ if !shown => self.hidden_count(),
            0 => Cell::Zero,
            value => Cell::Value { value },
        };
        let words = super::count_words(&cell);
        self.item(name, count.patients, words, Rule::Block, shown);
        cell
    }
}
