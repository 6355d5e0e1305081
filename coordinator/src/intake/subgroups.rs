//! Subgroup and contingency tables: the declared levels, sums over levels, measures in their
//! ranges, tests that follow from exact cells.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::contingency::{Contingency, ContingencyKind};
use shared::statistic::subgroup::{Measure, SubgroupMeasure, SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed, Statistic};
use shared::study::{AxisId, StudyProtocol};

use super::consistency::flow;
use super::finding::{Finding, at_most, equal, ordered, slack_of, sums_to, within};
use super::keys::place;

/// Checks every subgroup and contingency table.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let slack = slack_of(&release.header.policy.profile);
    for statistic in &release.statistics {
        let at = place(statistic);
        if let Statistic::SubgroupTable(it) = statistic {
            subgroup(it, release, protocol, &at, slack, findings);
        }
        if let Statistic::Contingency(it) = statistic {
            contingency(it, release, protocol, &at, slack, findings);
        }
    }
}

/// The declared levels of an axis, `not recorded` last.
fn levels(protocol: &StudyProtocol, id: &AxisId) -> Vec<String> {
    let axis = protocol.subgroup.iter().find(|axis| axis.id == *id);
    axis.and_then(|axis| Some(axis.levels(protocol.find_field(&axis.field)?)))
        .unwrap_or_default()
}

fn subgroup(
    it: &SubgroupTable<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    slack: f64,
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
    if let Some(flow) = flow(release, &it.endpoint) {
        let n = it.rows.iter().map(|row| &row.n);
        sums_to(findings, "levels-sum", at, n, &flow.analysed);
        let events = it.rows.iter().map(|row| &row.events);
        sums_to(findings, "levels-sum", at, events, &flow.events);
        let rest = it.rows.iter().map(|row| &row.non_events);
        sums_to(findings, "levels-sum", at, rest, &flow.non_events);
    }
    for row in &it.rows {
        let place = format!("{at}: {}", row.level);
        let classes = [&row.events, &row.non_events];
        sums_to(
            findings,
            "level-classes",
            &place,
            classes.into_iter(),
            &row.n,
        );
        axis_count_agrees(release, it, row, &place, findings);
        let known = row.measures.iter().map(|measure| measure.measure);
        if !known.eq(Measure::ALL.iter().copied()) {
            findings.push(Finding::new(
                "measures",
                &place,
                "the measures are not the six known",
            ));
        }
        for entry in &row.measures {
            measure(entry, &place, slack, findings);
        }
    }
}

/// The level has as many cases as the characteristics say.
fn axis_count_agrees(
    release: &ReceivedRelease,
    it: &SubgroupTable<Disclosed>,
    row: &SubgroupRow<Disclosed>,
    place: &str,
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
            if level.level == row.level {
                equal(findings, "level-agrees", place, &row.n, &level.n);
            }
        }
    }
}

fn measure(it: &SubgroupMeasure<Disclosed>, place: &str, slack: f64, findings: &mut Vec<Finding>) {
    let place = format!("{place}: {:?}", it.measure);
    let ratio = it.measure == Measure::ObservedExpected;
    let (top, gap) = if ratio {
        (f64::MAX, f64::MAX)
    } else {
        (1.0, 1.0)
    };
    for cell in [&it.value, &it.low, &it.high] {
        within(findings, "measure-range", &place, cell, 0.0, top);
    }
    for cell in [&it.gap, &it.gap_low, &it.gap_high] {
        within(findings, "gap-range", &place, cell, -gap, gap);
    }
    within(
        findings,
        "variance-range",
        &place,
        &it.gap_variance,
        0.0,
        f64::MAX,
    );
    ordered(findings, &place, &it.low, &it.value, &it.high, slack);
    ordered(findings, &place, &it.gap_low, &it.gap, &it.gap_high, slack);
}

fn contingency(
    it: &Contingency<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let declared = levels(protocol, &it.axis);
    let given: Vec<&String> = it.rows.iter().map(|row| &row.level).collect();
    // Completeness has no level `not recorded`: availability itself is what is told.
    let complete = declared.iter().collect::<Vec<_>>() == given;
    let without_last = declared.iter().rev().skip(1).rev().collect::<Vec<_>>() == given;
    if !complete && !(without_last && it.kind == ContingencyKind::CompletenessByOutcome) {
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
        if complete {
            sums_to(findings, "table-sum", at, cells, &flow.analysed);
        } else {
            for cell in cells {
                at_most(findings, "table-sum", at, cell, &flow.analysed);
            }
        }
    }
    within(findings, "p-range", at, &it.p_value, 0.0, 1.0);
    within(findings, "v-range", at, &it.cramers_v, 0.0, 1.0 + 1e-12);
    within(findings, "chi-range", at, &it.chi_squared, 0.0, f64::MAX);
    stratum_shape(it, at, findings);
    if let Some(table) = exact(it) {
        tests_follow(it, &table, at, slack, findings);
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

/// Chi-squared, its degrees of freedom, Cramer's V and the stratum's differences follow from
/// exact cells.
fn tests_follow(
    it: &Contingency<Disclosed>,
    table: &[Vec<f64>],
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..it.columns.len())
        .map(|column| table.iter().map(|row| row[column]).sum())
        .collect();
    let n: f64 = rows.iter().sum();
    if n <= 0.0 {
        return;
    }
    let filled = |sums: &[f64]| sums.iter().filter(|sum| **sum > 0.0).count();
    let (r, c) = (filled(&rows), filled(&columns));
    let mut chi = 0.0;
    for (row, total) in table.iter().zip(&rows) {
        for (cell, column) in row.iter().zip(&columns) {
            let expected = total * column / n;
            if expected > 0.0 {
                chi += (cell - expected) * (cell - expected) / expected;
            }
        }
    }
    let mut differs = |name: &str, cell: &Cell<f64>, expected: f64| {
        let room = slack.max(1e-9) * (1.0 + expected.abs());
        if cell
            .number()
            .is_some_and(|number| (number - expected).abs() > room)
        {
            let what = format!("the cells give {expected}");
            findings.push(Finding::new("test-follows", format!("{at}: {name}"), what));
        }
    };
    if r >= 2 && c >= 2 {
        differs("chi_squared", &it.chi_squared, chi);
        #[expect(clippy::cast_precision_loss, reason = "a table has few rows")]
        let smaller = (r.min(c) - 1) as f64;
        differs("cramers_v", &it.cramers_v, (chi / (n * smaller)).sqrt());
    }
    let free = it.rows.len() - 1;
    for (index, cell) in it.stratum.difference.iter().enumerate() {
        let (row, column) = (index % free, index / free);
        let expected = rows[row] * columns[column] / n;
        differs("difference", cell, table[row][column] - expected);
    }
    let freedom = r.saturating_sub(1) * c.saturating_sub(1);
    let told = usize::try_from(it.degrees_of_freedom).unwrap_or(usize::MAX);
    if it.chi_squared.number().is_some() && told != freedom {
        findings.push(Finding::new(
            "test-follows",
            at,
            "the degrees of freedom are others",
        ));
    }
}
