//! Counts that must agree: the flow adds up, and every statistic counts the same cases and
//! events as the flow does. Rounded and hidden counts take part with their bounds.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::table::goodness_of_fit;
use shared::statistic::characteristics::{AxisCounts, Characteristics, FieldMoments};
use shared::statistic::confusion::Confusion;
use shared::statistic::flow::Flow;
use shared::statistic::{Disclosed, Statistic};
use shared::study::{Axis, EndpointId, FieldKind, StudyProtocol};

use super::finding::{Finding, Span, at_most, equal, near, sums_to, within};
use super::keys::place;
use super::margins;

/// The flow of an endpoint, when it was released.
pub(super) fn flow<'a>(
    release: &'a ReceivedRelease,
    endpoint: &EndpointId,
) -> Option<&'a Flow<Disclosed>> {
    release.statistics.iter().find_map(|statistic| {
        if let Statistic::Flow(flow) = statistic
            && flow.endpoint == *endpoint
        {
            return Some(flow);
        }
        None
    })
}

/// Checks flow, characteristics, and the margins of everything else.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    for statistic in &release.statistics {
        let at = place(statistic);
        if let Statistic::Flow(it) = statistic {
            flow_adds_up(it, release.header.clustered, &at, findings);
        }
        if let Statistic::Characteristics(it) = statistic {
            characteristics(it, protocol, &at, findings);
        }
        margins::check(statistic, release, &at, findings);
    }
    thresholds(release, findings);
}

fn flow_adds_up(it: &Flow<Disclosed>, clustered: bool, at: &str, findings: &mut Vec<Finding>) {
    let excluded = it.excluded.iter().map(|entry| &entry.count);
    let records = excluded.chain(std::iter::once(&it.eligible));
    sums_to(findings, "flow-records", at, records, &it.records);
    let eligible = [&it.without_reference, &it.without_prediction, &it.analysed];
    sums_to(
        findings,
        "flow-eligible",
        at,
        eligible.into_iter(),
        &it.eligible,
    );
    let classes = [&it.events, &it.non_events];
    sums_to(
        findings,
        "flow-classes",
        at,
        classes.into_iter(),
        &it.analysed,
    );
    if clustered {
        at_most(findings, "flow-patients", at, &it.patients, &it.analysed);
    } else {
        equal(findings, "flow-patients", at, &it.patients, &it.analysed);
    }
}

fn characteristics(
    it: &Characteristics<Disclosed>,
    protocol: &StudyProtocol,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let mut seen = Vec::new();
    for counts in &it.axes {
        let place = format!("{at}: {}", counts.axis);
        let axis = protocol.subgroup.iter().find(|axis| axis.id == counts.axis);
        let field = axis.and_then(|axis| protocol.find_field(&axis.field));
        let (Some(axis), Some(field)) = (axis, field) else {
            findings.push(Finding::new("declared", place, "the axis is not declared"));
            continue;
        };
        let levels = counts.levels.iter().map(|level| level.level.as_str());
        if !levels.eq(axis.levels(field).iter().map(String::as_str)) {
            findings.push(Finding::new(
                "levels",
                &place,
                "the levels are not the declared ones",
            ));
        }
        if seen.contains(&&counts.axis) {
            findings.push(Finding::new("once", &place, "the axis comes twice"));
        }
        seen.push(&counts.axis);
        let parts = counts.levels.iter().map(|level| &level.n);
        sums_to(findings, "levels-sum", &place, parts, &it.n);
        target(counts, axis, &place, findings);
    }
    let mut fields = Vec::new();
    for moment in &it.moments {
        let place = format!("{at}: {}", moment.field);
        if fields.contains(&&moment.field) {
            findings.push(Finding::new("once", &place, "the field comes twice"));
        }
        fields.push(&moment.field);
        moments(moment, protocol, &place, findings);
        at_most(findings, "moment-n", &place, &moment.n, &it.n);
    }
}

/// The protocol's shares, and the test from exact counts.
fn target(it: &AxisCounts<Disclosed>, axis: &Axis, place: &str, findings: &mut Vec<Finding>) {
    let named = || {
        it.levels
            .iter()
            .filter(|level| axis.target.contains_key(&level.level))
    };
    let shares: Vec<f64> = named()
        .filter_map(|level| axis.target.get(&level.level).copied())
        .collect();
    let given = it
        .target
        .as_ref()
        .map_or(&[][..], |found| &found.shares[..]);
    if shares != given {
        let what = "its target shares are not the protocol's";
        findings.push(Finding::new("declared", place, what));
    }
    let Some(found) = &it.target else { return };
    within(findings, "p-range", place, &found.p_value, 0.0, 1.0);
    within(
        findings,
        "chi-range",
        place,
        &found.chi_squared,
        0.0,
        f64::MAX,
    );
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts above 2^53 are refused by `cells`"
    )]
    let exact = named().map(|level| level.n.exact().map(|count| count as f64));
    if let Some(counts) = exact.collect::<Option<Vec<f64>>>() {
        let test = goodness_of_fit(&counts, &shares);
        let statistic = test.map(|test| test.statistic);
        near(
            findings,
            "test-follows",
            place,
            &found.chi_squared,
            statistic,
        );
        near(
            findings,
            "test-follows",
            place,
            &found.p_value,
            test.map(|test| test.p),
        );
    }
}

fn moments(
    it: &FieldMoments<Disclosed>,
    protocol: &StudyProtocol,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let field = protocol.find_field(&it.field);
    let numeric = field.is_some_and(|field| {
        matches!(
            field.kind,
            FieldKind::Integer | FieldKind::Number | FieldKind::Probability
        )
    });
    let Some([low, high]) = field.filter(|_| numeric).and_then(|field| field.range) else {
        findings.push(Finding::new(
            "declared",
            place,
            "the field is no number with a range",
        ));
        return;
    };
    within(findings, "mean-in-range", place, &it.mean, low, high);
    within(findings, "sd-in-range", place, &it.sd, 0.0, f64::MAX);
    let (Some(mean), Some(sd)) = (Span::real(&it.mean, 0.0), it.sd.bounds()) else {
        return;
    };
    // Values in [low, high] with mean m have a variance of at most (high - m)(m - low) (Bhatia and
    // Davis 2000, doi:10.2307/2589180); n / (n - 1) is for the divisor, and largest at n = 2.
    let middle = f64::midpoint(low, high).clamp(mean.lo.min(high), mean.hi.max(low));
    let spread = ((high - middle) * (middle - low)).max(0.0);
    let factor = Span::count(&it.n).map_or(2.0, |n| n.lo.max(2.0) / (n.lo.max(2.0) - 1.0));
    if sd.0 > (spread * factor).sqrt() * (1.0 + 1e-9) + 1e-12 {
        findings.push(Finding::new(
            "sd-in-range",
            place,
            "no values in the declared range have this mean and this standard deviation",
        ));
    }
}

/// A higher threshold never has more positives.
fn thresholds(release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    let mut tables: Vec<&Confusion<Disclosed>> = release
        .statistics
        .iter()
        .filter_map(|statistic| {
            if let Statistic::Confusion(table) = statistic {
                Some(table)
            } else {
                None
            }
        })
        .collect();
    tables.sort_by(|a, b| {
        let names = (&a.model, &a.endpoint).cmp(&(&b.model, &b.endpoint));
        names.then(a.threshold.total_cmp(&b.threshold))
    });
    for pair in tables.windows(2) {
        let (low, high) = (pair[0], pair[1]);
        if (&low.model, &low.endpoint) != (&high.model, &high.endpoint) {
            continue;
        }
        let at = format!(
            "confusion {} {} {}",
            high.model, high.endpoint, high.threshold
        );
        let rule = "monotone";
        at_most(findings, rule, &at, &high.true_positive, &low.true_positive);
        at_most(
            findings,
            rule,
            &at,
            &high.false_positive,
            &low.false_positive,
        );
    }
}
