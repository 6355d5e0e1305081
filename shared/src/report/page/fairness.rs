//! Levels against each other: how far they lie apart beside what equality alone would give,
//! the test that the level makes no difference within hospitals, the usual fairness criteria,
//! and who is represented.
//!
//! From: `pool::fairness`.
//! To: `subgroups`.

use super::super::document::{Block, Row, Table};
use super::super::number::{self, Shown, Style, p_value, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::equals;
use crate::pool::result::{
    AxisFairness, AxisRepresentation, BetweenSites, Combined, MergedLevels, Metric, TestResult,
};
use crate::statistic::disparity::Disparity;
use crate::statistic::subgroup::Measure;
use crate::statistic::{Cell, Disclosed};
use crate::study::SiteRole;

/// The disparities of one axis.
pub(super) fn axis(view: View<'_>, found: &AxisFairness, label: &str, blocks: &mut Vec<Block>) {
    let table = disparities(view, found, label);
    if !table.is_empty() {
        blocks.push(Block::Table(table));
    }
    if let Some(merged) = &found.merged {
        blocks.push(Block::Table(criteria(merged, label, found.threshold)));
    }
}

fn disparities(view: View<'_>, found: &AxisFairness, label: &str) -> Table {
    let mut table = Table::new(
        format!("{label}: how far the recorded levels lie apart"),
        &[
            "Hospital",
            "Largest minus smallest",
            "Expected if all were equal",
            "Smallest over largest",
            "Test of equality",
        ],
    );
    for measure in Measure::ALL {
        let rows: Vec<Row> = found
            .sites
            .iter()
            .filter_map(|site| {
                let one = site
                    .disparities
                    .iter()
                    .find(|one| one.measure == *measure)?;
                let class = if site.role == SiteRole::External {
                    ""
                } else {
                    "apart"
                };
                Some(Row::new(view.site(&site.site), cells(one)).class(class))
            })
            .collect();
        let words = words::measure(*measure).0;
        if *measure == Measure::Xauc || rows.is_empty() {
            continue;
        }
        table.group(words);
        if !view.many() {
            rows.into_iter().for_each(|row| table.push(row));
        }
        let tested = found.interaction.iter().find(|one| one.measure == *measure);
        if let Some(tested) = tested {
            let none = Shown::none;
            let sum = test(&tested.test).with(format!("{} hospitals", tested.sites.len()));
            let row = Row::new(
                "Within external hospitals",
                vec![none(), none(), none(), sum],
            );
            table.push(row.class("pool"));
        }
    }
    if view.many() {
        let note = "Each hospital\u{2019}s own ranges and tests are in tests.csv.";
        table.notes.push(note.to_owned());
    }
    table.notes.push(
        "The range of several levels is never zero: compare it with the column beside it. \
         Intervals hold for the largest difference whichever levels it is between. Levels with \
         fewer than ten cases and those not recorded are not compared. O:E: ratio of the largest \
         to the smallest. The last row of each group sums the hospitals' tests (the interaction \
         of level and measure within hospitals); p values are unadjusted."
            .to_owned(),
    );
    table
}

fn cells(one: &Disparity<Disclosed>) -> Vec<Shown> {
    let log = one.measure == Measure::ObservedExpected;
    let style = match words::measure(one.measure).1 {
        Style::Percent | Style::Points => Style::Percent,
        style @ (Style::Plain(_) | Style::Signed(_)) => style,
    };
    let shown = |cell: &Cell<f64>| if log { exponential(*cell) } else { *cell };
    vec![
        number::estimate(
            &shown(&one.range),
            &shown(&one.low),
            &shown(&one.high),
            style,
        ),
        number::value(&shown(&one.expected), style),
        number::value(&one.ratio, Style::Plain(2)),
        site_test(&one.chi_squared, one.degrees_of_freedom, &one.p_value),
    ]
}

fn exponential(cell: Cell<f64>) -> Cell<f64> {
    match cell {
        Cell::Value { value } => Cell::Value {
            value: libm::exp(value),
        },
        Cell::Zero => Cell::Value { value: 1.0 },
        Cell::Rounded { value, lo, hi } => Cell::Rounded {
            value: libm::exp(value),
            lo: libm::exp(lo),
            hi: libm::exp(hi).min(f64::MAX),
        },
        Cell::Suppressed { .. } => Cell::Suppressed {
            lo: 0.0,
            hi: f64::MAX,
        },
        Cell::NotComputed { reason } => Cell::NotComputed { reason },
    }
}

/// A site's chi-squared with its p value below.
fn site_test(statistic: &Cell<f64>, df: u32, p: &Cell<f64>) -> Shown {
    match statistic.number() {
        Some(value) => Shown::number(format!("χ²({df}) = {value:.2}"))
            .with(format!("p {}", equals(&number::p_cell(p).text))),
        None => number::value(statistic, Style::Plain(2)),
    }
}

/// A test of the pool with its p value below.
pub(super) fn test(test: &TestResult) -> Shown {
    let TestResult {
        statistic,
        degrees_of_freedom,
        p_value: p,
    } = test;
    Shown::number(format!("χ²({degrees_of_freedom}) = {statistic:.2}"))
        .with(format!("p {}", equals(&p_value(*p))))
}

fn criteria(merged: &MergedLevels, label: &str, threshold: f64) -> Table {
    let mut table = Table::new(
        format!("{label}: fairness criteria, external hospitals' patients together"),
        &["Criterion", "Value", "Expected if equal"],
    );
    let share = |value: Option<f64>, style| {
        value.map_or_else(
            || Shown::not_computed("fewer than two levels"),
            |value| Shown::number(real(value, style)),
        )
    };
    for spread in &merged.spreads {
        let mut value = Shown::number(real(spread.range, Style::Percent));
        if let Some([low, high]) = spread.interval {
            value = value.with(format!("({})", range(low, high, Style::Percent)));
        }
        let expected = spread.expected.map_or_else(Shown::none, |expected| {
            Shown::number(real(expected, Style::Percent))
        });
        let name = match spread.measure {
            Measure::SelectionRate => "Demographic parity difference (selection rate)",
            Measure::Tpr => "Equal opportunity difference (true positive rate)",
            Measure::Fpr => "Range of false positive rates",
            Measure::Ppv => "Range of positive predictive values",
            Measure::Npv => "Range of negative predictive values",
            Measure::Auc | Measure::ObservedExpected | Measure::Brier | Measure::Xauc => continue,
        };
        table.push(Row::new(name, vec![value, expected]));
    }
    for (name, value, style) in [
        (
            "Demographic parity ratio",
            merged.demographic_parity_ratio,
            Style::Plain(2),
        ),
        (
            "Equalised odds difference (the larger of true and false positive rate)",
            merged.equalised_odds_difference,
            Style::Percent,
        ),
        (
            "Equalised odds difference, mean of the two",
            merged.equalised_odds_difference_mean,
            Style::Percent,
        ),
        (
            "Equalised odds ratio",
            merged.equalised_odds_ratio,
            Style::Plain(2),
        ),
    ] {
        table.push(Row::new(name, vec![share(value, style), Shown::none()]));
    }
    table.notes.push(format!(
        "At the threshold {threshold}. These mix differences between levels with differences \
         between hospitals; the gaps above do not."
    ));
    if !merged.left_out.is_empty() {
        table.notes.push(format!(
            "Not compared, fewer than ten cases: {}.",
            words::join(&merged.left_out)
        ));
    }
    table
}

/// Hospitals as the levels of an axis.
pub(super) fn between(view: View<'_>, blocks: &mut Vec<Block>) {
    if view.study.between_sites.is_empty() {
        return;
    }
    let mut table = Table::new(
        "Hospital as an axis: how far external hospitals lie apart",
        &[
            "Metric",
            "Hospitals",
            "Largest against smallest",
            "Expected if all were equal",
            "Test of equality",
        ],
    );
    for one in &view.study.between_sites {
        table.push(between_row(view, one));
    }
    table.notes.push(
        "AUC: difference; O:E: ratio. The hospitals' own values and their spread stand on the \
         pages of discrimination and calibration."
            .to_owned(),
    );
    blocks.push(Block::Heading("Hospital".to_owned()));
    blocks.push(Block::Table(table));
}

fn between_row(view: View<'_>, one: &BetweenSites) -> Row {
    let style = if one.key.metric == Metric::Auc {
        Style::Plain(3)
    } else {
        Style::Plain(2)
    };
    let [low, high] = one.interval;
    let head = format!(
        "{}, {}",
        words::metric(one.key.metric),
        view.model(&one.key.model)
    );
    Row::new(
        head,
        vec![
            Shown::number(one.sites.len().to_string()),
            Shown::number(real(one.range, style)).with(format!("({})", range(low, high, style))),
            Shown::number(real(one.expected, style)),
            test(&one.test),
        ],
    )
}

/// Levels against the declared target population.
pub(super) fn representation(view: View<'_>, blocks: &mut Vec<Block>) {
    blocks.extend(super::whom::represented(view).map(Block::Figure));
    for axis in &view.study.representation {
        blocks.push(Block::Table(represented(view, axis)));
    }
}

fn represented(view: View<'_>, axis: &AxisRepresentation) -> Table {
    let (label, _) = view.axis(&axis.axis);
    let mut table = Table::new(
        format!("{label}: cases against the declared target population"),
        &["Hospital"],
    );
    table.head.extend(axis.levels.iter().cloned());
    table.head.push("Test against the target".to_owned());
    let shares = axis.shares.iter();
    let mut target: Vec<Shown> = shares
        .map(|share| Shown::number(real(*share, Style::Percent)))
        .collect();
    target.push(Shown::none());
    table.push(Row::new("Target", target));
    for site in &axis.sites {
        let mut cells = with_shares(&site.counts);
        cells.push(site_test(
            &site.chi_squared,
            site.degrees_of_freedom,
            &site.p_value,
        ));
        let class = if site.role == SiteRole::External {
            ""
        } else {
            "apart"
        };
        table.push(Row::new(view.site(&site.site), cells).class(class));
    }
    let mut cells = with_shares(&axis.total);
    cells.push(
        axis.test
            .as_ref()
            .map_or_else(Shown::none, |found: &Combined| {
                test(&found.test).with(format!(
                    "p {}; sum of {} hospitals' tests",
                    equals(&p_value(found.test.p_value)),
                    found.sites.len()
                ))
            }),
    );
    table.push(Row::new("External hospitals", cells).class("pool"));
    let declared = view.study.protocol.subgroup.iter();
    let source = declared
        .filter(|one| one.id == axis.axis)
        .find_map(|one| one.target_source.clone());
    if let Some(source) = source {
        table.notes.push(format!("Target shares: {source}."));
    }
    table
}

/// Counts with their shares of the recorded cases.
fn with_shares(counts: &[Cell<u64>]) -> Vec<Shown> {
    let numbers: Option<Vec<u64>> = counts.iter().map(Cell::number).collect();
    let total: u64 = numbers.iter().flatten().sum();
    counts
        .iter()
        .map(|cell| {
            let shown = number::count(cell);
            match cell.number() {
                Some(count) if numbers.is_some() && total > 0 => {
                    #[allow(
                        clippy::cast_precision_loss,
                        reason = "counts of cases stay far below 2^53"
                    )]
                    let share = count as f64 / total as f64;
                    shown.with(real(share, Style::Percent))
                }
                Some(_) | None => shown,
            }
        })
        .collect()
}
