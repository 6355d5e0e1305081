//! Review of candidates: which counts on the grid of scores leave (rule D9). Scans, their
//! candidates and their lists have no form in which they could stand here.
//!
//! From: `statistic::detection` (exact).
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::detection::{CalledAt, Detection};
use crate::statistic::stage::{Disclosed, Exact, ExactCount};

impl Gate<'_> {
    /// Lesions and candidates are not patients: one patient may have most of them. A protecting
    /// policy lets the number of scans leave and no count of the grid.
    pub(super) fn detection(&mut self, one: Detection<Exact>) -> Detection<Disclosed> {
        let name = format!("candidates, {} of {}", one.endpoint, one.model);
        let open = !self.policy.protects();
        let patients = one.lesions.patients;
        let before = self.items.len();
        let mut count = |count: &ExactCount| self.count_if("", count, open, Rule::CaseValue);
        let lesions = count(&one.lesions);
        let called = one.called.into_iter().map(|at| CalledAt {
            score: at.score,
            detected: count(&at.detected),
            false_positives: count(&at.false_positives),
        });
        let called = called.collect();
        self.items.truncate(before);
        let words = if open { "every count" } else { "withheld" };
        self.item(
            &format!("{name}: counts at each score"),
            patients,
            words.to_owned(),
            Rule::CaseValue,
            open,
        );
        Detection {
            scans: self.count(&format!("{name}: scans"), &one.scans),
            model: one.model,
            endpoint: one.endpoint,
            lesions,
            called,
        }
    }
}
