//! Review of counts of what is absent. Their sums stand in the participant flow, so the parts
//! of a sum leave together or not at all: a single hidden part would follow by subtraction.
//!
//! From: `statistic::missing`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::{Rule, small_cell};
use crate::statistic::missing::{Band, Missing};
use crate::statistic::stage::{Disclosed, Exact, ExactCount};

impl Gate<'_> {
    pub(super) fn missing(&mut self, one: Missing<Exact>) -> Missing<Disclosed> {
        let predicted = [
            &one.no_prediction_events,
            &one.no_prediction_non_events,
            &one.neither,
        ];
        let predictions = self.all_shown(predicted.into_iter());
        let references = self.all_shown(one.no_reference.iter().map(|band| &band.count));
        let name = format!("without a prediction of {}", one.model);
        let mut count = |what: String, count: &ExactCount, shown: bool| {
            self.count_if(&what, count, shown, Rule::Margin)
        };
        let no_reference = one
            .no_reference
            .iter()
            .map(|band| {
                let what = format!(
                    "without a reference standard, {} from {} to {}",
                    one.model, band.low, band.high
                );
                Band {
                    low: band.low,
                    high: band.high,
                    count: count(what, &band.count, references),
                }
            })
            .collect();
        Missing {
            no_prediction_events: count(
                format!("{name}: events"),
                &one.no_prediction_events,
                predictions,
            ),
            no_prediction_non_events: count(
                format!("{name}: non-events"),
                &one.no_prediction_non_events,
                predictions,
            ),
            neither: count(
                format!("{name}: no reference standard either"),
                &one.neither,
                predictions,
            ),
            no_reference,
            model: one.model,
            endpoint: one.endpoint,
        }
    }

    fn all_shown<'a>(&self, mut counts: impl Iterator<Item = &'a ExactCount>) -> bool {
        counts.all(|count| small_cell::shows(self.policy, count.patients))
    }
}
