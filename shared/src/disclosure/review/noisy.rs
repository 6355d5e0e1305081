//! Review of counts with noise (D20). What decides here looks at the noisy counts only, never at
//! exact ones: whatever follows from them costs no further privacy.
//!
//! From: `noise`.
//! To: `released`.

use std::collections::BTreeMap;

use super::{Decision, Item, Reviewed, Verdict};
use crate::disclosure::noise::{Noisy, NoisyHistogram};
use crate::disclosure::policy::Policy;
use crate::disclosure::rule::Rule;
use crate::study::StudyProtocol;

impl Reviewed {
    /// A release of these counts and of nothing else. Every rule about small groups gives way to the
    /// noise; D1 is asked of the noisy totals.
    pub fn of_noise(policy: &Policy, protocol: &StudyProtocol, noisy: Noisy) -> Self {
        let decision = decide(policy, &noisy.histograms);
        let spread = noisy.stamp.spread();
        let mut items = Vec::new();
        for one in &noisy.histograms {
            for (class, counts) in [("events", &one.events), ("non-events", &one.non_events)] {
                items.push(Item {
                    name: format!(
                        "score histogram of {} for {}, {class}, with noise",
                        one.model, one.endpoint
                    ),
                    patients: u64::MAX,
                    value: format!(
                        "{} counts, each off by {:.1} on average; about {} together",
                        counts.len(),
                        spread.absolute,
                        total(counts)
                    ),
                    rule: Rule::Noise,
                    verdict: Verdict::Pass,
                    action: "noise".to_owned(),
                });
            }
        }
        items.push(Item {
            name: "everything else that the protocol asks for".to_owned(),
            patients: u64::MAX,
            value: "nothing".to_owned(),
            rule: Rule::Noise,
            verdict: Verdict::Fail,
            action: "suppressed".to_owned(),
        });
        Self {
            statistics: Vec::new(),
            // Follows from the policy: whether patients repeat is a fact about the table.
            clustered: noisy.stamp.rows_per_patient > 1,
            noisy: Some(noisy),
            policy: policy.clone(),
            axes: BTreeMap::new(),
            tables: Vec::new(),
            pairs: Vec::new(),
            edges: protocol.histogram.edges.clone(),
            items,
            decision,
        }
    }
}

fn total(counts: &[i64]) -> i64 {
    counts
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
}

fn decide(policy: &Policy, histograms: &[NoisyHistogram]) -> Decision {
    let withhold = |why: String| Decision::Withhold {
        rule: Rule::Admission,
        why,
    };
    if histograms.is_empty() {
        return withhold("differential privacy covers no statistic of this protocol".to_owned());
    }
    let least = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
    for one in histograms {
        let [events, others] = [&one.events, &one.non_events].map(|class| total(class));
        let few = events < least(policy.min_class()) || others < least(policy.min_class());
        if few || events.saturating_add(others) < least(policy.min_patients()) {
            return withhold(format!(
                "endpoint {}: with noise, {events} cases with the event and {others} without; the \
                 policy asks for {} patients and {} in each class",
                one.endpoint,
                policy.min_patients(),
                policy.min_class()
            ));
        }
    }
    Decision::Release
}
