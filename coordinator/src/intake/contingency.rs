//! Contingency tables: the declared levels, sums, and tests that follow from exact cells.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::generalised::{GeneralAssociation, LinearAssociation};
use shared::numeric::stratified::MantelHaenszel;
use shared::numeric::table;
use shared::numeric::trend::cochran_armitage;
use shared::statistic::contingency::Contingency;
use shared::statistic::{Cell, Disclosed, Statistic};
use shared::study::StudyProtocol;

use super::consistency::flow;
use super::finding::{Finding, near, sums_to, within};
use super::keys::{levels, place};

/// Checks every contingency table.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    for statistic in &release.statistics {
        if let Statistic::Contingency(it) = statistic {
            contingency(it, release, protocol, &place(statistic), findings);
        }
    }
}

fn contingency(
    it: &Contingency<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let given = it.rows.iter().map(|row| &row.level);
    if !given.eq(levels(protocol, &it.axis).iter()) {
        findings.push(Finding::new(
            "levels",
            at,
            "the levels are not the declared ones",
        ));
    }
    let columns = it.columns.len();
    if columns < 2 || it.rows.iter().any(|row| row.cells.len() != columns) {
        findings.push(Finding::new("shape", at, "the rows do not fit the columns"));
        return;
    }
    if let Some(flow) = flow(release, &it.endpoint) {
        let cells = it.rows.iter().flat_map(|row| &row.cells);
        sums_to(findings, "table-sum", at, cells, &flow.analysed);
    }
    rows_agree(it, release, at, findings);
    within(findings, "p-range", at, &it.p_value, 0.0, 1.0);
    within(findings, "v-range", at, &it.cramers_v, 0.0, 1.0 + 1e-12);
    within(findings, "chi-range", at, &it.chi_squared, 0.0, f64::MAX);
    for cell in [&it.yates_p, &it.g2_p, &it.fisher_p] {
        within(findings, "p-range", at, cell, 0.0, 1.0);
    }
    for cell in [&it.yates, &it.g2] {
        within(findings, "chi-range", at, cell, 0.0, f64::MAX);
    }
    if let Some(trend) = &it.trend {
        within(findings, "p-range", at, &trend.p_value, 0.0, 1.0);
        for cell in [&trend.chi_squared, &trend.variance] {
            within(findings, "chi-range", at, cell, 0.0, f64::MAX);
        }
    }
    if let Some(parts) = &it.two_levels {
        for cell in [&parts.variance, &parts.r, &parts.s, &parts.p_r, &parts.q_s] {
            within(findings, "part-range", at, cell, 0.0, f64::MAX);
        }
    }
    stratum_shape(it, at, findings);
    if let Some(cells) = exact(it).filter(|_| !release.header.clustered) {
        tests_follow(it, &cells, at, findings);
        parts_follow(it, &cells, at, findings);
    }
}

/// A level has as many cases here as in the characteristics.
fn rows_agree(
    it: &Contingency<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    for statistic in &release.statistics {
        let Statistic::Characteristics(all) = statistic else {
            continue;
        };
        if all.endpoint != it.endpoint {
            continue;
        }
        let axes = all.axes.iter().filter(|axis| axis.axis == it.axis);
        for level in axes.flat_map(|axis| &axis.levels) {
            for row in it.rows.iter().filter(|row| row.level == level.level) {
                let place = format!("{at}: {}", row.level);
                sums_to(findings, "level-agrees", &place, row.cells.iter(), &level.n);
            }
        }
    }
}

/// The table as numbers, when every cell is exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 are refused by `cells`"
)]
fn exact(it: &Contingency<Disclosed>) -> Option<Vec<Vec<f64>>> {
    let number = |cell: &Cell<u64>| cell.exact().map(|count| count as f64);
    it.rows
        .iter()
        .map(|row| row.cells.iter().map(number).collect())
        .collect()
}

fn stratum_shape(it: &Contingency<Disclosed>, at: &str, findings: &mut Vec<Finding>) {
    let free = it.rows.len().saturating_sub(1) * it.columns.len().saturating_sub(1);
    let stratum = &it.stratum;
    if stratum.difference.is_empty() && stratum.covariance.is_empty() {
        return;
    }
    if stratum.difference.len() != free || stratum.covariance.len() != free * free {
        findings.push(Finding::new(
            "stratum",
            at,
            "the stratum has another shape than the table",
        ));
        return;
    }
    for row in 0..free {
        let diagonal = &stratum.covariance[row * free + row];
        within(findings, "stratum", at, diagonal, 0.0, f64::MAX);
        for column in 0..row {
            let one = stratum.covariance[row * free + column].number();
            let other = stratum.covariance[column * free + row].number();
            if let (Some(one), Some(other)) = (one, other)
                && (one - other).abs() > 1e-9 * (1.0 + one.abs())
            {
                findings.push(Finding::new(
                    "stratum",
                    at,
                    "the covariance is not symmetric",
                ));
            }
        }
    }
}

/// Tests and stratum are recomputed from exact cells.
fn tests_follow(
    it: &Contingency<Disclosed>,
    cells: &[Vec<f64>],
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let found = table::association(cells);
    let rule = "test-follows";
    near(
        findings,
        rule,
        at,
        &it.chi_squared,
        found.chi2.map(|test| test.statistic),
    );
    near(
        findings,
        rule,
        at,
        &it.p_value,
        found.chi2.map(|test| test.p),
    );
    near(findings, rule, at, &it.cramers_v, found.cramers_v);
    for (cell, p, test) in [
        (&it.yates, &it.yates_p, found.yates),
        (&it.g2, &it.g2_p, found.g2),
    ] {
        near(findings, rule, at, cell, test.map(|test| test.statistic));
        near(findings, rule, at, p, test.map(|test| test.p));
    }
    if it.degrees_of_freedom != found.chi2.map_or(0, |test| test.df) {
        findings.push(Finding::new(rule, at, "the degrees of freedom are others"));
    }
    let Ok(parts) = GeneralAssociation::of(cells) else {
        return;
    };
    for (cell, expected) in it.stratum.difference.iter().zip(&parts.deviation) {
        near(findings, rule, at, cell, Some(*expected));
    }
    for (cell, expected) in it.stratum.covariance.iter().zip(&parts.covariance) {
        near(findings, rule, at, cell, Some(*expected));
    }
}

/// Trend and parts of the odds ratio are recomputed from exact cells.
fn parts_follow(
    it: &Contingency<Disclosed>,
    cells: &[Vec<f64>],
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let rule = "test-follows";
    if let Some(trend) = &it.trend {
        let levels = u32::try_from(cells.len().saturating_sub(1)).unwrap_or(0);
        let scores: Vec<f64> = (1..=levels).map(f64::from).collect();
        let response: Vec<[f64; 2]> = cells[..cells.len() - 1]
            .iter()
            .map(|row| [row[1..].iter().sum(), row[0]])
            .collect();
        let test = cochran_armitage(&response, &scores);
        near(
            findings,
            rule,
            at,
            &trend.chi_squared,
            test.map(|test| test.statistic),
        );
        near(findings, rule, at, &trend.p_value, test.map(|test| test.p));
        let table: Vec<Vec<f64>> = response.iter().map(|pair| pair.to_vec()).collect();
        if let Ok(parts) = LinearAssociation::of(&table, &scores, &[1.0, 0.0]) {
            let deviation = Some(parts.observed - parts.expected);
            near(findings, rule, at, &trend.deviation, deviation);
            near(findings, rule, at, &trend.variance, Some(parts.variance));
        }
    }
    let Some(given) = &it.two_levels else { return };
    let first: Option<Vec<u64>> = it.rows[..2.min(it.rows.len())]
        .iter()
        .flat_map(|row| row.cells.iter().map(Cell::exact))
        .collect();
    if let Some([a, b, c, d]) = first.as_deref() {
        let parts = MantelHaenszel::of([[*a, *b], [*c, *d]]);
        for (cell, expected) in [
            (&given.deviation, parts.observed - parts.expected),
            (&given.variance, parts.variance),
            (&given.r, parts.r),
            (&given.s, parts.s),
            (&given.p_r, parts.p_r),
            (&given.p_s_q_r, parts.p_s_q_r),
            (&given.q_s, parts.q_s),
        ] {
            near(findings, rule, at, cell, Some(expected));
        }
    }
}
