//! How far the levels of a subgroup table lie apart: known levels, ranges that follow from the
//! levels' values, tests that follow from exact cells.
//!
//! From: a received subgroup table.
//! To: findings.

use shared::numeric::disparity;
use shared::numeric::distribution::chi2_sf;
use shared::statistic::disparity::{Disparity, ShareSpread, recorded};
use shared::statistic::subgroup::{Measure, SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed};

use super::finding::{Finding, near, ordered, within};

/// Checks every disparity of a table.
pub(super) fn check(
    it: &SubgroupTable<Disclosed>,
    clustered: bool,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let known = it.disparities.iter().map(|one| one.measure);
    if !known.eq(Measure::ALL.iter().copied()) {
        findings.push(Finding::new(
            "measures",
            at,
            "the disparities are not of the measures known",
        ));
    }
    for one in &it.disparities {
        let place = format!("{at}: range of {:?}", one.measure);
        within(findings, "ratio-range", &place, &one.ratio, 0.0, 1.0);
        within(findings, "p-range", &place, &one.p_value, 0.0, 1.0);
        for cell in [
            &one.range,
            &one.expected,
            &one.low,
            &one.high,
            &one.chi_squared,
        ] {
            within(findings, "range-range", &place, cell, 0.0, f64::MAX);
        }
        ordered(findings, &place, &one.low, &one.range, &one.high, slack);
        test_follows(one, &place, findings);
        let rows: Option<Vec<&SubgroupRow<Disclosed>>> = one
            .levels
            .iter()
            .map(|level| it.rows.iter().find(|row| row.level == *level))
            .collect();
        let Some(rows) = rows.filter(|_| one.levels.iter().all(|level| recorded(level))) else {
            findings.push(Finding::new("levels", &place, "a level is not declared"));
            continue;
        };
        follows(one, &rows, clustered, &place, findings);
    }
}

/// One degree of freedom fewer than levels, none without a test; p follows from both.
fn test_follows(one: &Disparity<Disclosed>, place: &str, findings: &mut Vec<Finding>) {
    let degrees = u32::try_from(one.levels.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let expected = if one.chi_squared.number().is_some() {
        degrees
    } else {
        0
    };
    if one.degrees_of_freedom != expected {
        let what = "the degrees of freedom are not those of its levels";
        findings.push(Finding::new("test-follows", place, what));
    }
    if let Some(statistic) = one.chi_squared.exact() {
        let p = chi2_sf(statistic, f64::from(one.degrees_of_freedom));
        near(findings, "test-follows", place, &one.p_value, p);
    }
}

/// Range and ratio from the values of the levels, the test from exact cells.
fn follows(
    one: &Disparity<Disclosed>,
    rows: &[&SubgroupRow<Disclosed>],
    clustered: bool,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let rule = "range-follows";
    let value = |row: &&SubgroupRow<Disclosed>| {
        let found = row
            .measures
            .iter()
            .find(|entry| entry.measure == one.measure);
        found.and_then(|entry| entry.value.exact())
    };
    let values: Option<Vec<f64>> = rows.iter().map(value).collect();
    if let Some(values) = values {
        let log = one.measure == Measure::ObservedExpected;
        let scaled: Vec<f64> = values
            .iter()
            .map(|v| if log { v.ln() } else { *v })
            .collect();
        near(findings, rule, place, &one.range, disparity::range(&scaled));
        near(findings, rule, place, &one.ratio, disparity::ratio(&values));
    }
    let shares: Option<Vec<(u64, u64)>> = rows.iter().map(|row| share(row, one.measure)).collect();
    if let Some(shares) = shares.filter(|_| !clustered) {
        let found = ShareSpread::of(&shares);
        near(findings, rule, place, &one.expected, found.expected);
        let interval = found.interval;
        near(findings, rule, place, &one.low, interval.map(|it| it.lower));
        near(
            findings,
            rule,
            place,
            &one.high,
            interval.map(|it| it.upper),
        );
        let test = found.test;
        near(
            findings,
            rule,
            place,
            &one.chi_squared,
            test.map(|it| it.statistic),
        );
        near(findings, rule, place, &one.p_value, test.map(|it| it.p));
    }
}

/// Hits and cases behind a rate, when both are exact.
fn share(row: &SubgroupRow<Disclosed>, measure: Measure) -> Option<(u64, u64)> {
    let exact = |cell: &Cell<u64>| cell.exact();
    let (tp, fp) = (exact(&row.true_positive)?, exact(&row.false_positive)?);
    let (missed, tn) = (exact(&row.false_negative)?, exact(&row.true_negative)?);
    match measure {
        Measure::SelectionRate => Some((tp + fp, tp + fp + missed + tn)),
        Measure::Tpr => Some((tp, tp + missed)),
        Measure::Fpr => Some((fp, fp + tn)),
        Measure::Ppv => Some((tp, tp + fp)),
        Measure::Npv => Some((tn, tn + missed)),
        Measure::Auc | Measure::ObservedExpected | Measure::Brier | Measure::Xauc => None,
    }
}
