//! Performance measures against the counts and measures they follow from: rates, AUC, paired
//! differences, O:E, estimates.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::distribution;
use shared::statistic::auc::{Auc, VarianceMethod};
use shared::statistic::confusion::{Confusion, Rate, RateMeasure};
use shared::statistic::estimate::IntervalMethod;
use shared::statistic::observed_expected::ObservedExpected;
use shared::statistic::paired_auc::PairedAuc;
use shared::statistic::permutation::Permutation;
use shared::statistic::sampling::Weights;
use shared::statistic::{Cell, Disclosed, Estimate, EstimateKey, Metric, Statistic};
use shared::study::{EndpointId, ModelId, ProportionInterval, StudyProtocol};

use super::accuracy;
use super::consistency::flow;
use super::finding::{Finding, Span, near, ordered, slack_of, sums_to, within};
use super::keys::place;
use super::related;
use super::utility;
use super::weighted;

/// Largest variance of an AUC: that of a fair coin.
const AUC_VARIANCE_MAX: f64 = 0.25;

/// Checks every performance measure.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let slack = slack_of(&release.header.policy.profile);
    let weighted = Weights::of_design(protocol).is_ok_and(|weights| !weights.is_plain());
    let method = Some(protocol.intervals.proportion).filter(|_| !release.header.clustered);
    for statistic in &release.statistics {
        let at = place(statistic);
        match statistic {
            Statistic::Confusion(it) if weighted => {
                weighted::rates(it, protocol, &at, slack, findings);
            }
            Statistic::Confusion(it) => rates(it, method, &at, slack, findings),
            Statistic::Auc(it) => auc(it, release.header.clustered, &at, findings),
            Statistic::PairedAuc(it) => paired(it, release, &at, slack, findings),
            // Weighted measures do not follow from plain counts.
            Statistic::ObservedExpected(_) if weighted => {}
            Statistic::ObservedExpected(it) => {
                observed_expected(it, release.header.clustered, &at, slack, findings);
            }
            Statistic::Estimate(it) => {
                estimate(it, &at, slack, findings);
                accuracy::check(it, release, protocol, &at, findings);
                if it.key.metric == Metric::Brier && it.key.is_whole() && !weighted {
                    brier(it, release, &at, slack, findings);
                }
                utility::follows(it, release, protocol, &at, findings);
                related::check(it, release, protocol, &at, findings);
            }
            Statistic::Permutation(it) => permutation(it, release, &at, slack, findings),
            Statistic::Flow(_)
            | Statistic::Characteristics(_)
            | Statistic::Histogram(_)
            | Statistic::CalibrationBins(_)
            | Statistic::SubgroupTable(_)
            | Statistic::Contingency(_)
            | Statistic::Missing(_)
            | Statistic::Segmentation(_)
            | Statistic::Lesions(_)
            | Statistic::Detection(_)
            | Statistic::CalibrationBlock(_) => {}
            Statistic::Discordance(it) => utility::crossed(it, release, &at, findings),
        }
    }
}

fn rates(
    it: &Confusion<Disclosed>,
    method: Option<ProportionInterval>,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let (tp, fp) = (&it.true_positive, &it.false_positive);
    let (fneg, tn) = (&it.false_negative, &it.true_negative);
    let mut seen = Vec::new();
    for rate in &it.rates {
        let place = format!("{at}: {:?}", rate.measure);
        if seen.contains(&rate.measure) {
            findings.push(Finding::new("once", &place, "the rate comes twice"));
        }
        seen.push(rate.measure);
        let (numerator, denominator): (&[&Cell<u64>], &[&Cell<u64>]) = match rate.measure {
            RateMeasure::Sensitivity => (&[tp], &[tp, fneg]),
            RateMeasure::Specificity => (&[tn], &[fp, tn]),
            RateMeasure::Ppv => (&[tp], &[tp, fp]),
            RateMeasure::Npv => (&[tn], &[fneg, tn]),
            RateMeasure::SelectionRate => (&[tp, fp], &[tp, fp, fneg, tn]),
            RateMeasure::Prevalence => (&[tp, fneg], &[tp, fp, fneg, tn]),
        };
        sums_to(
            findings,
            "rate-n",
            &place,
            denominator.iter().copied(),
            &rate.n,
        );
        let parts = Span::sum(numerator.iter().copied());
        let whole = Span::sum(denominator.iter().copied());
        rate_follows(&rate.value, parts, whole, &place, slack, findings);
        for cell in [&rate.value, &rate.low, &rate.high] {
            within(findings, "rate-range", &place, cell, 0.0, 1.0);
        }
        ordered(findings, &place, &rate.low, &rate.value, &rate.high, slack);
        if let Some(method) = method {
            interval_recomputed(rate, method, numerator, &place, findings);
        }
    }
}

/// The interval the protocol chooses, from exact counts of patients with one case each.
fn interval_recomputed(
    rate: &Rate<Disclosed>,
    method: ProportionInterval,
    numerator: &[&Cell<u64>],
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let hits = numerator
        .iter()
        .try_fold(0_u64, |sum, cell| sum.checked_add(cell.exact()?));
    let interval = hits
        .zip(rate.n.exact())
        .and_then(|(hits, n)| method.of(hits, n, 0.95));
    let rule = "interval-follows";
    near(
        findings,
        rule,
        place,
        &rate.low,
        interval.map(|it| it.lower),
    );
    near(
        findings,
        rule,
        place,
        &rate.high,
        interval.map(|it| it.upper),
    );
}

/// The value is the quotient of counts that lie in these spans.
pub(super) fn rate_follows(
    value: &Cell<f64>,
    part: Option<Span>,
    whole: Option<Span>,
    place: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let (Some(value), Some(part), Some(whole)) = (Span::real(value, slack), part, whole) else {
        return;
    };
    if whole.hi <= 0.0 {
        findings.push(Finding::new("rate-follows", place, "a rate of nobody"));
        return;
    }
    let possible = Span {
        lo: part.lo / whole.hi,
        hi: if whole.lo > 0.0 {
            (part.hi / whole.lo).min(1.0)
        } else {
            1.0
        },
    };
    if value.excludes(possible) {
        findings.push(Finding::new(
            "rate-follows",
            place,
            "the rate does not follow from its counts",
        ));
    }
}

fn method(given: VarianceMethod, clustered: bool, at: &str, findings: &mut Vec<Finding>) {
    let expected = if clustered {
        VarianceMethod::Obuchowski
    } else {
        VarianceMethod::Delong
    };
    if given != expected {
        findings.push(Finding::new(
            "variance-method",
            at,
            "the variance does not fit how patients repeat",
        ));
    }
}

fn auc(it: &Auc<Disclosed>, clustered: bool, at: &str, findings: &mut Vec<Finding>) {
    within(findings, "auc-range", at, &it.auc, 0.0, 1.0);
    within(
        findings,
        "variance-range",
        at,
        &it.variance,
        0.0,
        AUC_VARIANCE_MAX,
    );
    method(it.method, clustered, at, findings);
    if !clustered {
        placements_bound_variance(it, at, findings);
    }
    // Classes without cases have no AUC.
    let empty = [&it.events, &it.non_events]
        .iter()
        .any(|cell| cell.exact() == Some(0));
    if empty && it.auc.number().is_some() {
        findings.push(Finding::new("auc-range", at, "an AUC of one class"));
    }
}

/// Placement values lie in [0, 1] with the AUC as their mean, so that DeLong's variance is at
/// most `A (1 - A) (1/(m - 1) + 1/(n - 1))`.
fn placements_bound_variance(it: &Auc<Disclosed>, at: &str, findings: &mut Vec<Finding>) {
    let classes = (Span::count(&it.events), Span::count(&it.non_events));
    if let (Some(auc), Some(variance), (Some(events), Some(rest))) =
        (it.auc.number(), it.variance.number(), classes)
        && events.lo > 1.0
        && rest.lo > 1.0
    {
        let spread = auc * (1.0 - auc) + 1e-3;
        let largest = spread * (1.0 / (events.lo - 1.0) + 1.0 / (rest.lo - 1.0));
        if variance > largest {
            findings.push(Finding::new(
                "variance-range",
                at,
                "no placement of these cases gives so large a variance",
            ));
        }
    }
}

fn find_auc<'a>(
    release: &'a ReceivedRelease,
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<&'a Auc<Disclosed>> {
    release.statistics.iter().find_map(|statistic| {
        if let Statistic::Auc(auc) = statistic
            && auc.model == *model
            && auc.endpoint == *endpoint
        {
            return Some(auc);
        }
        None
    })
}

fn paired(
    it: &PairedAuc<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    within(findings, "difference-range", at, &it.difference, -1.0, 1.0);
    within(
        findings,
        "variance-range",
        at,
        &it.variance,
        0.0,
        4.0 * AUC_VARIANCE_MAX,
    );
    method(it.method, release.header.clustered, at, findings);
    let one = find_auc(release, &it.model, &it.endpoint);
    let two = find_auc(release, &it.comparator, &it.endpoint);
    let (Some(one), Some(two)) = (one, two) else {
        return;
    };
    if let (Some(a), Some(b), Some(difference)) =
        (one.auc.number(), two.auc.number(), it.difference.number())
        && (a - b - difference).abs() > slack
    {
        findings.push(Finding::new(
            "difference-follows",
            at,
            "it is not the difference of the two AUCs",
        ));
    }
    // Cauchy and Schwarz bound the covariance of two estimates.
    if let (Some(a), Some(b), Some(variance)) = (
        one.variance.number(),
        two.variance.number(),
        it.variance.number(),
    ) {
        let (a, b) = (a.max(0.0).sqrt(), b.max(0.0).sqrt());
        let room = slack * (a + b) * (a + b) + 1e-15;
        let possible = (a - b) * (a - b) - room..=(a + b) * (a + b) + room;
        if !possible.contains(&variance) {
            findings.push(Finding::new(
                "paired-variance",
                at,
                "no correlation gives this variance",
            ));
        }
    }
}

/// The rank sum is the AUC in other words, `n1 n0 (A - 1/2)` from its expectation; ties only
/// lower its variance `n1 n0 (n + 1) / 12`.
fn permutation(
    it: &Permutation<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    within(findings, "variance-range", at, &it.variance, 0.0, f64::MAX);
    for cell in [
        Some(&it.exact_p),
        it.shuffled.as_ref().map(|found| &found.p_value),
    ]
    .into_iter()
    .flatten()
    {
        within(findings, "p-range", at, cell, 0.0, 1.0);
    }
    let classes = (Span::count(&it.events), Span::count(&it.non_events));
    let (Some(events), Some(rest)) = classes else {
        return;
    };
    let pairs = events.hi * rest.hi;
    if let Some(variance) = it.variance.number()
        && variance > pairs * (events.hi + rest.hi + 1.0) / 12.0 * (1.0 + 2.0 * slack) + 1e-9
    {
        let what = "no ranking of these cases gives so large a variance";
        findings.push(Finding::new("variance-range", at, what));
    }
    let area = find_auc(release, &it.model, &it.endpoint).and_then(|one| one.auc.number());
    if let (Some(area), Some(deviation)) = (area, it.deviation.number()) {
        let room = slack * pairs + 2.0 * slack * deviation.abs() + 1e-6;
        let one = (area - 0.5) * events.lo * rest.lo;
        let other = (area - 0.5) * pairs;
        if deviation < one.min(other) - room || deviation > one.max(other) + room {
            let what = "the rank sum does not follow from the AUC";
            findings.push(Finding::new("rank-sum-follows", at, what));
        }
    }
}

fn observed_expected(
    it: &ObservedExpected<Disclosed>,
    clustered: bool,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    within(findings, "mean-range", at, &it.mean_prediction, 0.0, 1.0);
    within(findings, "ratio-range", at, &it.ratio, 0.0, f64::MAX);
    within(
        findings,
        "variance-range",
        at,
        &it.log_variance,
        0.0,
        f64::MAX,
    );
    let (Some(n), Some(observed)) = (Span::count(&it.n), Span::count(&it.observed)) else {
        return;
    };
    if let (Some(mean), Some(ratio)) = (it.mean_prediction.number(), it.ratio.number()) {
        let relative = slack.max(1e-12);
        let implied = Span {
            lo: ratio * mean * n.lo * (1.0 - 2.0 * relative) - 1e-9,
            hi: ratio * mean * n.hi * (1.0 + 2.0 * relative) + 1e-9,
        };
        // Means close to 0 lose more than a relative share to rounding.
        let blur = ratio * n.hi * if slack > 1e-6 { 5e-4 } else { 1e-12 };
        let implied = Span {
            lo: implied.lo - blur,
            hi: implied.hi + blur,
        };
        if implied.excludes(observed) {
            findings.push(Finding::new(
                "ratio-follows",
                at,
                "it is not observed over expected",
            ));
        }
    }
    if let Some(variance) = it.log_variance.number()
        && !clustered
        && observed.lo > 0.0
        && n.lo > 0.0
    {
        let largest = 1.0 / observed.lo - 1.0 / n.hi;
        let smallest = (1.0 / observed.hi - 1.0 / n.lo).max(0.0);
        let room = 2.0 * slack * largest + 1e-12;
        if !(smallest - room..=largest + room).contains(&variance) {
            findings.push(Finding::new(
                "variance-follows",
                at,
                "the variance does not follow from the counts",
            ));
        }
    }
}

/// An estimate inside its metric's range, with its interval around it; a normal interval
/// follows from value and variance.
fn estimate(it: &Estimate<Disclosed>, at: &str, slack: f64, findings: &mut Vec<Finding>) {
    let entry = it.key.metric.entry();
    let (lowest, highest) = entry.form.bounds();
    for cell in [&it.value, &it.low, &it.high] {
        within(findings, "estimate-range", at, cell, lowest, highest);
    }
    within(findings, "variance-range", at, &it.variance, 0.0, f64::MAX);
    match it.interval {
        // A corrected bootstrap interval need not contain the estimate that it corrects.
        IntervalMethod::Bootstrap { .. } | IntervalMethod::Bca { .. } => {
            ordered(findings, at, &it.low, &it.low, &it.high, slack);
        }
        IntervalMethod::Normal
        | IntervalMethod::Corrected
        | IntervalMethod::Logit
        | IntervalMethod::Wilson
        | IntervalMethod::ClopperPearson
        | IntervalMethod::Newcombe
        | IntervalMethod::Simel
        | IntervalMethod::None => {
            ordered(findings, at, &it.low, &it.value, &it.high, slack);
        }
    }
    let numbers = (it.value.number(), it.variance.number());
    let (Some(value), Some(variance)) = numbers else {
        return;
    };
    let centre = entry.scale.forward(value);
    let critical = distribution::normal_critical(0.95);
    let (IntervalMethod::Normal, Some(centre), Some(critical)) = (it.interval, centre, critical)
    else {
        return;
    };
    // Value, variance and ends are each rounded on their own.
    let blur = |cell: &Cell<f64>| {
        let (lo, hi) = cell.bounds().unwrap_or((0.0, 0.0));
        entry
            .scale
            .forward(hi)
            .zip(entry.scale.forward(lo))
            .map_or(f64::MAX, |(hi, lo)| hi - lo)
    };
    let half = critical * variance.max(0.0).sqrt();
    for (cell, sign) in [(&it.low, -1.0), (&it.high, 1.0)] {
        let Some(end) = cell.number() else { continue };
        let clamped = end == lowest || end == highest;
        let Some(found) = entry.scale.forward(end).filter(|_| !clamped) else {
            continue;
        };
        let room = blur(&it.value) + blur(cell) + half * 2.0 * slack.max(1e-9) + 1e-9;
        if (centre + sign * half - found).abs() > room {
            findings.push(Finding::new(
                "interval-follows",
                at,
                "the interval does not follow from value and variance",
            ));
        }
    }
}

fn find_estimate<'a>(
    release: &'a ReceivedRelease,
    key: &EstimateKey,
) -> Option<&'a Estimate<Disclosed>> {
    let mut estimates = release.statistics.iter().filter_map(Statistic::estimate);
    estimates.find(|one| one.key == *key)
}

fn brier(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let key = &it.key;
    let (Some(score), Some(flow)) = (it.value.number(), flow(release, &key.endpoint)) else {
        return;
    };
    // A loss in [0, 1] with mean B has a variance of at most B (1 - B).
    if let (Some(variance), Some(n), false) = (
        it.variance.number(),
        Span::count(&it.n),
        release.header.clustered,
    ) && n.lo > 1.0
        && variance > score * (1.0 - score) / (n.lo - 1.0) * (1.0 + 4.0 * slack) + 1e-12
    {
        findings.push(Finding::new(
            "variance-range",
            at,
            "the variance is too large for the score",
        ));
    }
    let scaled = EstimateKey {
        metric: Metric::ScaledBrier,
        ..key.clone()
    };
    let scaled = find_estimate(release, &scaled).and_then(|one| one.value.number());
    let exact = (flow.events.exact(), flow.analysed.exact());
    if let (Some(scaled), (Some(events), Some(n))) = (scaled, exact)
        && events > 0
        && events < n
    {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts above 2^53 are refused by `cells`"
        )]
        let prevalence = events as f64 / n as f64;
        let reference = prevalence * (1.0 - prevalence);
        let room = slack / reference + 1e-9;
        if (1.0 - score / reference - scaled).abs() > room {
            findings.push(Finding::new(
                "scaled-follows",
                at,
                "the scaled score does not follow from the score",
            ));
        }
    }
}
