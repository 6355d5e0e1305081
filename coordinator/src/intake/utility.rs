//! Net benefit against the 2x2 table it follows from, crossed decisions against both models'
//! 2x2 tables, McNemar's tests against the pairs.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::mcnemar::Discordant;
use shared::numeric::net_benefit::{Decided, Prevalence, Question};
use shared::statistic::confusion::Confusion;
use shared::statistic::discordance::{Crossed, Discordance};
use shared::statistic::sampling::Weights;
use shared::statistic::{Disclosed, Estimate, EstimateKey, Metric, Statistic};
use shared::study::{EndpointId, ModelId, StudyProtocol};

use super::finding::{Finding, near, sums_to, within};

fn table<'a>(
    release: &'a ReceivedRelease,
    model: &ModelId,
    endpoint: &EndpointId,
    threshold: f64,
) -> Option<&'a Confusion<Disclosed>> {
    let mut tables = release.statistics.iter().filter_map(Statistic::confusion);
    tables.find(|one| {
        one.model == *model
            && one.endpoint == *endpoint
            && one.threshold.to_bits() == threshold.to_bits()
    })
}

fn decided(one: &Confusion<Disclosed>) -> Option<Decided> {
    Some(Decided {
        true_positive: one.true_positive.exact()?,
        false_positive: one.false_positive.exact()?,
        false_negative: one.false_negative.exact()?,
        true_negative: one.true_negative.exact()?,
    })
}

fn question(metric: Metric) -> Option<Question> {
    const ASKED: [(Metric, Question); 5] = [
        (Metric::NetBenefit, Question::NetBenefit),
        (Metric::TreatAll, Question::TreatAll),
        (Metric::OverTreatAll, Question::OverTreatAll),
        (Metric::InterventionsAvoided, Question::Avoided),
        (Metric::StandardisedNetBenefit, Question::Standardised),
    ];
    let found = ASKED.iter().find(|(asked, _)| *asked == metric);
    found.map(|(_, question)| *question)
}

/// A net benefit is recomputed from its exact 2x2 table, its variance where nobody repeats; a
/// difference from the two net benefits, or from the crossed decisions.
pub(super) fn follows(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let EstimateKey {
        model, endpoint, ..
    } = &it.key;
    near(
        findings,
        "difference-follows",
        at,
        &it.value,
        difference(it, release),
    );
    let (Some(question), Some(threshold)) = (question(it.key.metric), it.key.threshold) else {
        return;
    };
    let observed = match Weights::of_design(protocol) {
        Ok(weights) if !weights.is_plain() => Prevalence::Sampled {
            event: weights.event,
            non_event: weights.non_event,
        },
        Ok(_) | Err(_) => Prevalence::Observed,
    };
    let prevalence = it.key.prevalence.map_or(observed, Prevalence::Declared);
    let counts = table(release, model, endpoint, threshold).and_then(decided);
    let answer = counts.and_then(|counts| counts.estimate(question, threshold, prevalence));
    let rule = "utility-follows";
    near(findings, rule, at, &it.value, answer.map(|found| found.0));
    if !release.header.clustered {
        near(
            findings,
            rule,
            at,
            &it.variance,
            answer.map(|found| found.1),
        );
    }
}

fn difference(it: &Estimate<Disclosed>, release: &ReceivedRelease) -> Option<f64> {
    let key = &it.key;
    let comparator = key.comparator.as_ref()?;
    if key.metric == Metric::NetBenefitDifference {
        let of = |model: &ModelId| {
            let wanted = EstimateKey {
                metric: Metric::NetBenefit,
                model: model.clone(),
                comparator: None,
                ..key.clone()
            };
            let mut all = release.statistics.iter().filter_map(Statistic::estimate);
            all.find(|one| one.key == wanted)?.value.exact()
        };
        return Some(of(&key.model)? - of(comparator)?);
    }
    let mut tables = release.statistics.iter().filter_map(Statistic::discordance);
    let table = tables.find(|one| {
        one.model == key.model
            && one.comparator == *comparator
            && one.endpoint == key.endpoint
            && Some(one.threshold) == key.threshold
    })?;
    let net = |class: &Crossed<Disclosed>| {
        let mut total = 0.0;
        for cell in class.counts() {
            total += real(cell.exact()?);
        }
        let change = real(class.model_only.exact()?) - real(class.comparator_only.exact()?);
        Some(change / total).filter(|share| share.is_finite())
    };
    if key.metric == Metric::SensitivityDifference {
        net(&table.events)
    } else if key.metric == Metric::SpecificityDifference {
        net(&table.non_events).map(|share| -share)
    } else {
        None
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 are refused by `cells`"
)]
fn real(count: u64) -> f64 {
    count as f64
}

/// The groups add to both models' 2x2 tables, and the tests follow from the discordant ones.
pub(super) fn crossed(
    it: &Discordance<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let own = table(release, &it.model, &it.endpoint, it.threshold);
    let other = table(
        release,
        &it.comparator,
        &it.endpoint,
        it.comparator_threshold,
    );
    let (events, rest) = (&it.events, &it.non_events);
    let rule = "crossed-agrees";
    if let Some(own) = own {
        let positive = |class: &Crossed<Disclosed>| [class.both, class.model_only];
        sums_to(
            findings,
            rule,
            at,
            positive(events).iter(),
            &own.true_positive,
        );
        sums_to(
            findings,
            rule,
            at,
            positive(rest).iter(),
            &own.false_positive,
        );
    }
    if let Some(other) = other {
        let positive = |class: &Crossed<Disclosed>| [class.both, class.comparator_only];
        sums_to(
            findings,
            rule,
            at,
            positive(events).iter(),
            &other.true_positive,
        );
        sums_to(
            findings,
            rule,
            at,
            positive(rest).iter(),
            &other.false_positive,
        );
    }
    for class in [events, rest] {
        within(
            findings,
            "test-range",
            at,
            &class.chi_squared,
            0.0,
            f64::MAX,
        );
        within(findings, "test-range", at, &class.mid_p, 0.0, 1.0);
        let counts = (class.model_only.exact(), class.comparator_only.exact());
        let (Some(first), Some(second)) = counts else {
            continue;
        };
        let pairs = Discordant { first, second };
        let chi_squared = pairs.chi2().map(|test| test.statistic);
        near(
            findings,
            "test-follows",
            at,
            &class.chi_squared,
            chi_squared,
        );
        near(findings, "test-follows", at, &class.mid_p, pairs.mid_p());
    }
}
