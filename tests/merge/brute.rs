//! Many small tables with everything that is awkward: ties, one class, empty cells, missing
//! values, patients who repeat. Each released number is compared with its definition, written
//! out pair by pair. Four hundred tables in every run; ten thousand with `FEDVAL_LONG=1`.
//!
//! From: a seed.
//! To: nothing.

use harness::path;
use harness::random::{self, Draw, Row, area};
use shared::statistic::confusion::{Confusion, RateMeasure};
use shared::statistic::contingency::Contingency;
use shared::statistic::observed_expected::ObservedExpected;
use shared::statistic::paired_auc::PairedAuc;
use shared::statistic::stage::Cell;
use shared::statistic::{Disclosed, Statistic};

use crate::value::{LEVELS, THRESHOLD, subgroup};

const Z: f64 = 1.959_963_984_540_054;

fn awkward(draw: &mut Draw) -> Vec<Row> {
    let patients = draw.within(0, 15);
    let (repeats, missing) = (
        [0.0, 0.0, 0.4][draw.within(0, 3)],
        [0.0, 0.15][draw.within(0, 2)],
    );
    let prevalence = [0.0, 0.2, 0.5, 0.5, 0.5, 0.9, 1.0][draw.within(0, 7)];
    let steps = [1, 2, 4, 1000][draw.within(0, 4)];
    let mut rows = Vec::new();
    for patient in 0..patients {
        for _ in 0..if draw.unit() < repeats {
            draw.within(2, 4)
        } else {
            1
        } {
            let event = draw.unit() < prevalence;
            let mut score = || {
                let lost = draw.unit() < missing / 2.0;
                Some(draw.within(0, steps + 1) as f64 / steps as f64).filter(|_| !lost)
            };
            let score = [score(), score()];
            rows.push(Row {
                patient: patient as u32,
                outcome: Some(event).filter(|_| draw.unit() >= missing),
                score,
                level: LEVELS
                    .iter()
                    .map(|levels| draw.within(0, levels + 1))
                    .collect(),
                number: None,
            });
        }
    }
    rows
}

#[track_caller]
fn close(what: &str, got: Cell<f64>, expected: Option<f64>) {
    match (got.exact(), expected) {
        (Some(got), Some(expected)) => assert!(
            (got - expected).abs() <= 1e-12 * expected.abs() + 1e-14,
            "{what}: {got:e} is not {expected:e}"
        ),
        (None, None) => {}
        (got, expected) => panic!("{what}: {got:?}, expected {expected:?}"),
    }
}

/// `m / (m - 1)` times the sum, over all pairs of rows of one patient, of the product of their
/// influences; `None` below two patients.
fn by_pairs(rows: &[&Row], influence: &dyn Fn(&Row) -> f64) -> Option<f64> {
    let patients = distinct(rows);
    let mut sum = 0.0;
    for a in rows {
        for b in rows.iter().filter(|b| b.patient == a.patient) {
            sum += influence(a) * influence(b);
        }
    }
    (patients > 1).then(|| patients as f64 / (patients - 1) as f64 * sum)
}

fn distinct(rows: &[&Row]) -> usize {
    let mut patients: Vec<u32> = rows.iter().map(|row| row.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    patients.len()
}

fn indicator(row: &Row) -> f64 {
    f64::from(u8::from(row.event()))
}

#[test]
fn small_tables_agree_with_their_definitions() {
    let long = std::env::var("FEDVAL_LONG").as_deref() == Ok("1");
    let tables = if long { 10_000 } else { 400 };
    let mut protocol = random::protocol(&LEVELS, &[THRESHOLD]);
    // What the bins hold is compared elsewhere; few of them make a table quick.
    protocol.histogram.edges.truncate(1);
    let mut draw = Draw(4711);
    let mut defined = 0;
    for _ in 0..tables {
        let rows = awkward(&mut draw);
        let cases = random::cases(&protocol, &rows);
        let release = path::release(&protocol, &cases, &path::open_data(), "a").unwrap();
        let analysed: Vec<&Row> = rows.iter().filter(|row| row.complete()).collect();
        for statistic in &release.statistics {
            if let Some(one) = statistic.confusion() {
                confusion(&analysed, one);
            } else if let Some(one) = statistic.observed_expected() {
                ratio(&analysed, one);
            } else if let Some(one) = statistic.paired_auc() {
                defined += usize::from(one.variance.exact().is_some());
                paired(&analysed, one);
            } else if let Some(one) = statistic.auc() {
                let model = usize::from(one.model.as_str() == "p_a");
                close("AUC", one.auc, area(&analysed, model));
            } else if let Some(one) = statistic.contingency() {
                contingency(one, distinct(&analysed) < analysed.len());
            } else if let Some(table) = statistic.subgroup_table() {
                let axis = usize::from(table.axis.as_str() == "axis_1");
                for (level, row) in table.rows.iter().enumerate() {
                    subgroup(&rows, axis, level, row);
                }
            } else if let Statistic::Estimate(one) = statistic {
                brier(&analysed, one);
            }
        }
    }
    assert!(
        defined > tables / 4,
        "only {defined} differences have a variance"
    );
}

fn confusion(rows: &[&Row], one: &Confusion<Disclosed>) {
    let model = usize::from(one.model.as_str() == "p_a");
    let positive = |row: &Row| row.score(model) >= one.threshold;
    let count = |of: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count() as u64;
    assert_eq!(
        one.true_positive.exact(),
        Some(count(&|row| positive(row) && row.event()))
    );
    assert_eq!(
        one.false_positive.exact(),
        Some(count(&|row| positive(row) && !row.event()))
    );
    assert_eq!(
        one.false_negative.exact(),
        Some(count(&|row| !positive(row) && row.event()))
    );
    assert_eq!(
        one.true_negative.exact(),
        Some(count(&|row| !positive(row) && !row.event()))
    );
    for rate in &one.rates {
        let of = |row: &Row| match rate.measure {
            RateMeasure::Sensitivity => row.event(),
            RateMeasure::Specificity => !row.event(),
            RateMeasure::Ppv => positive(row),
            RateMeasure::Npv => !positive(row),
            RateMeasure::SelectionRate | RateMeasure::Prevalence => true,
        };
        let hit = |row: &Row| match rate.measure {
            RateMeasure::Sensitivity | RateMeasure::SelectionRate => positive(row),
            RateMeasure::Specificity => !positive(row),
            RateMeasure::Ppv | RateMeasure::Prevalence => row.event(),
            RateMeasure::Npv => !row.event(),
        };
        let (n, hits) = (count(&of), count(&|row| of(row) && hit(row)));
        assert_eq!(rate.n.exact(), Some(n));
        let share = (n > 0).then(|| hits as f64 / n as f64);
        close("rate", rate.value, share);
        let inside: Vec<&Row> = rows.iter().copied().filter(|row| of(row)).collect();
        if let (Some(share), true) = (share, distinct(&inside) == inside.len()) {
            // Both ends solve the score equation, or are the end of the scale.
            for (end, edge) in [(rate.low, 0.0), (rate.high, 1.0)] {
                let end = end.exact().unwrap();
                let gap = (share - end) * (share - end) - Z * Z * end * (1.0 - end) / n as f64;
                assert!(end == edge || gap.abs() < 1e-12, "{end} of {hits} of {n}");
            }
        }
    }
}

fn ratio(rows: &[&Row], one: &ObservedExpected<Disclosed>) {
    let model = usize::from(one.model.as_str() == "p_a");
    let observed = rows.iter().filter(|row| row.event()).count();
    let expected: f64 = rows.iter().map(|row| row.score(model)).sum();
    let n = rows.len() as f64;
    assert_eq!(one.observed.exact(), Some(observed as u64));
    close(
        "mean prediction",
        one.mean_prediction,
        (n > 0.0).then(|| expected / n),
    );
    close(
        "O:E",
        one.ratio,
        (expected > 0.0).then(|| observed as f64 / expected),
    );
    let (events, mean) = (observed as f64, observed as f64 / n);
    let variance = if observed == 0 || observed == rows.len() {
        None
    } else if distinct(rows) == rows.len() {
        Some((1.0 - mean) / events)
    } else {
        by_pairs(rows, &|row| (indicator(row) - mean) / events)
    };
    close("variance of log O:E", one.log_variance, variance);
}

fn brier(rows: &[&Row], one: &shared::statistic::Estimate<Disclosed>) {
    let model = usize::from(one.key.model.as_str() == "p_a");
    let n = rows.len() as f64;
    let square = |row: &Row| {
        let error = row.score(model) - indicator(row);
        error * error
    };
    let (score, prevalence) = (
        rows.iter().map(|row| square(row)).sum::<f64>() / n,
        rows.iter().map(|row| indicator(row)).sum::<f64>() / n,
    );
    let uncertainty = prevalence * (1.0 - prevalence);
    match one.key.metric.entry().slug {
        "brier" => {
            close("Brier", one.value, (n > 0.0).then_some(score));
            let variance = by_pairs(rows, &|row| (square(row) - score) / n);
            spread("its variance", one.variance, variance.filter(|_| n > 0.0));
        }
        "scaled-brier" => {
            let scaled = (uncertainty > 0.0).then(|| 1.0 - score / uncertainty);
            close("scaled Brier", one.value, scaled);
        }
        _ => {}
    }
}

/// A variance, which is no number where its terms cancel to nothing.
#[track_caller]
fn spread(what: &str, got: Cell<f64>, expected: Option<f64>) {
    if got.exact().is_none() && expected.is_none_or(|expected| expected < 1e-15) {
        return;
    }
    close(what, got, expected);
}

/// Pearson's statistic cell by cell over rows and columns that hold anybody; no test where
/// patients repeat.
fn contingency(one: &Contingency<Disclosed>, clustered: bool) {
    let cells: Vec<Vec<f64>> = one
        .rows
        .iter()
        .map(|row| {
            row.cells
                .iter()
                .map(|cell| cell.exact().unwrap() as f64)
                .collect()
        })
        .collect();
    let across = |row: &Vec<f64>| row.iter().sum::<f64>();
    let down = |column: usize| cells.iter().map(|row| row[column]).sum::<f64>();
    let n: f64 = cells.iter().map(across).sum();
    let held_rows = cells.iter().filter(|row| across(row) > 0.0).count();
    let held_columns = (0..one.columns.len())
        .filter(|column| down(*column) > 0.0)
        .count();
    let mut statistic = 0.0;
    for row in cells.iter().filter(|row| across(row) > 0.0) {
        for (column, cell) in row
            .iter()
            .enumerate()
            .filter(|(column, _)| down(*column) > 0.0)
        {
            let expected = across(row) * down(column) / n;
            statistic += (cell - expected) * (cell - expected) / expected;
        }
    }
    let exists = held_rows > 1 && held_columns > 1 && !clustered;
    close("chi-squared", one.chi_squared, exists.then_some(statistic));
    if exists {
        let free = (held_rows - 1) * (held_columns - 1);
        assert_eq!(one.degrees_of_freedom as usize, free);
        let least = (held_rows - 1).min(held_columns - 1) as f64;
        close(
            "Cramer's V",
            one.cramers_v,
            Some((statistic / n / least).sqrt()),
        );
    }
}

/// The difference of two areas is one area of differences of pairs: its variance after Obuchowski,
/// pair by pair and patient by patient; DeLong's where nobody repeats.
fn paired(rows: &[&Row], one: &PairedAuc<Disclosed>) {
    let events: Vec<&Row> = rows.iter().copied().filter(|row| row.event()).collect();
    let others: Vec<&Row> = rows.iter().copied().filter(|row| !row.event()).collect();
    let won = |model: usize, a: &Row, b: &Row| {
        let (a, b) = (a.score(model), b.score(model));
        f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b))
    };
    let pair = |a: &Row, b: &Row| won(0, a, b) - won(1, a, b);
    let (n1, n0) = (events.len() as f64, others.len() as f64);
    let difference = area(rows, 0).zip(area(rows, 1)).map(|(a, b)| a - b);
    close("difference", one.difference, difference);
    let (i1, i0, all) = (distinct(&events), distinct(&others), distinct(rows));
    let Some(difference) = difference.filter(|_| i1 > 1 && i0 > 1) else {
        assert_eq!(one.variance.exact(), None);
        return;
    };
    let of_event = |row: &Row| others.iter().map(|b| pair(row, b)).sum::<f64>() / n0 - difference;
    let of_other = |row: &Row| events.iter().map(|a| pair(a, row)).sum::<f64>() / n1 - difference;
    let product =
        |left: &[&Row], right: &[&Row], f: &dyn Fn(&Row) -> f64, g: &dyn Fn(&Row) -> f64| {
            let mut sum = 0.0;
            for a in left {
                for b in right.iter().filter(|b| b.patient == a.patient) {
                    sum += f(a) * g(b);
                }
            }
            sum
        };
    let grown = |count: usize| count as f64 / (count - 1) as f64;
    let s10 = grown(i1) * product(&events, &events, &of_event, &of_event) / n1;
    let s01 = grown(i0) * product(&others, &others, &of_other, &of_other) / n0;
    let s11 = grown(all) * product(&events, &others, &of_event, &of_other);
    let variance = s10 / n1 + s01 / n0 + 2.0 * s11 / (n1 * n0);
    if variance < 1e-12 {
        assert!(one.variance.exact().is_none_or(|found| found < 1e-11));
    } else {
        let got = one.variance.exact().unwrap();
        assert!(
            (got - variance).abs() < 1e-10 * variance + 1e-14,
            "{got} {variance}"
        );
    }
}
