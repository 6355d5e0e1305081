//! Ten thousand small tables against the mathematics.
//!
//! From: a seed.
//! To: `numeric::{ranked, roc, delong, accuracy}`.

use harness::random::Draw;
use shared::numeric::accuracy::{AccuracyMeasure, Calls};
use shared::numeric::delong;
use shared::numeric::ranked::Ranked;
use shared::numeric::roc::{self, Focus};

use crate::definition::{self, Case};

const TABLES: u64 = 10_000;

pub fn agree(what: &str, got: Option<f64>, expected: Option<f64>) {
    let same = match (got, expected) {
        (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    assert!(same, "{what}: got {got:?}, expected {expected:?}");
}

/// Rows with few distinct scores, some without a score, and patients with several rows.
fn table(draw: &mut Draw) -> (Vec<Case>, Vec<u32>) {
    let rows = draw.within(0, 14);
    let levels = draw.within(1, 9);
    let prevalence = [0.0, 0.2, 0.5, 0.9, 1.0][draw.within(0, 5)];
    let patients = draw.within(1, 14);
    let (mut cases, mut patient) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let case = (
            draw.unit() < prevalence,
            draw.within(0, levels) as f64 / levels as f64,
        );
        let owner = draw.within(0, patients) as u32;
        // A row without a score is not analysed.
        if draw.unit() < 0.9 {
            cases.push(case);
            patient.push(owner);
        }
    }
    (cases, patient)
}

#[test]
fn curves_follow_their_definitions() {
    let mut draw = Draw(1);
    let (mut one_class, mut perfect, mut repeated) = (0, 0, 0);
    for place in 0..TABLES {
        let (cases, patient) = table(&mut draw);
        let (outcome, score): (Vec<bool>, Vec<f64>) = cases.iter().copied().unzip();
        let ranked = Ranked::of(&outcome, &score, &patient).unwrap();
        let steps = ranked.steps(&ranked.once());
        let at = |what: &str| format!("table {place}, {what}");
        let area = definition::area(&cases);
        agree(&at("AUC"), ranked.area(&ranked.once()), area);
        let closed = delong::auc(&outcome, &score, &patient).unwrap();
        agree(&at("AUC after DeLong"), closed.auc, area);
        let counts = |of: fn(&roc::Step) -> u64| steps.iter().map(of).collect::<Vec<_>>();
        let binned = delong::from_histogram(&counts(|s| s.events), &counts(|s| s.non_events));
        agree(&at("AUC of the steps"), binned.unwrap().binned.auc, area);
        let precision = roc::average_precision(&steps);
        agree(&at("AP"), precision, definition::average_precision(&cases));
        let best = roc::youden(&steps).map(|best| best.index);
        agree(&at("Youden"), best, definition::youden_everywhere(&cases));
        for (lowest, highest) in [(0.0, 1.0), (0.9, 1.0), (0.35, 0.8)] {
            let of = |focus| roc::partial_area(&steps, focus, lowest, highest);
            let plain = definition::over_specificity(&cases, lowest, highest);
            let got = of(Focus::Specificity);
            agree(&at("partial area"), got.map(|area| area.area), plain);
            let expected = plain.map(|area| definition::corrected(area, lowest, highest));
            agree(&at("corrected"), got.map(|area| area.corrected), expected);
            let turned = definition::over_sensitivity(&cases, lowest, highest);
            let got = of(Focus::Sensitivity).map(|area| area.area);
            agree(&at("partial area over sensitivity"), got, turned);
        }
        one_class += u32::from(area.is_none());
        perfect += u32::from(area == Some(1.0));
        repeated += u32::from((ranked.patients() as usize) < cases.len());
    }
    // The tables hold what they are meant to hold.
    assert!(one_class > 1000 && perfect > 100 && repeated > 1000);
}

#[test]
fn threshold_measures_follow_their_definitions() {
    let mut draw = Draw(2);
    let mut empty = 0;
    for place in 0..TABLES {
        let (cases, patient) = table(&mut draw);
        let cut = draw.unit();
        let called: Vec<bool> = cases.iter().map(|case| case.1 >= cut).collect();
        let outcome: Vec<bool> = cases.iter().map(|case| case.0).collect();
        let count = |call: bool, event: bool| {
            let mut rows = called.iter().zip(&outcome);
            rows.by_ref().filter(|row| row == &(&call, &event)).count() as f64
        };
        let cells = [
            count(true, true),
            count(true, false),
            count(false, true),
            count(false, false),
        ];
        empty += u32::from(cells.contains(&0.0));
        let calls = Calls::of_rows(&called, &outcome, &patient);
        for (name, measure, expected) in expected(cells) {
            let got = calls.measure(measure, 0.95).ok().map(|got| got.value);
            agree(
                &format!("table {place}, {name} of {cells:?}"),
                got,
                expected,
            );
        }
    }
    assert!(empty > 1000);
}

/// Every measure by its textbook formula; `None` for 0 over 0.
pub fn expected(cells: [f64; 4]) -> Vec<(&'static str, AccuracyMeasure, Option<f64>)> {
    let over = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    let rates = |[tp, fp, fn_, tn]: [f64; 4]| Some((over(tp, tp + fn_)?, over(tn, fp + tn)?));
    let [tp, fp, fn_, tn] = cells;
    let n = tp + fp + fn_ + tn;
    let plain = rates(cells);
    let halves = if cells.contains(&0.0) {
        cells.map(|cell| cell + 0.5)
    } else {
        cells
    };
    let ratio = |of: fn(f64, f64) -> f64| plain.and(rates(halves)).map(|(a, b)| of(a, b));
    let by_chance = ((tp + fp) * (tp + fn_) + (fn_ + tn) * (fp + tn)) / (n * n);
    let margins = (tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_);
    vec![
        ("accuracy", AccuracyMeasure::Accuracy, over(tp + tn, n)),
        (
            "balanced accuracy",
            AccuracyMeasure::BalancedAccuracy,
            plain.map(|(a, b)| (a + b) / 2.0),
        ),
        (
            "F1",
            AccuracyMeasure::F1,
            over(2.0 * tp, 2.0 * tp + fp + fn_),
        ),
        (
            "MCC",
            AccuracyMeasure::Mcc,
            over(tp * tn - fp * fn_, margins.sqrt()),
        ),
        (
            "kappa",
            AccuracyMeasure::Kappa,
            (n > 0.0)
                .then(|| over((tp + tn) / n - by_chance, 1.0 - by_chance))
                .flatten(),
        ),
        (
            "Youden",
            AccuracyMeasure::YoudenIndex,
            plain.map(|(a, b)| a + b - 1.0),
        ),
        (
            "LR+",
            AccuracyMeasure::LikelihoodRatioPositive,
            ratio(|a, b| a / (1.0 - b)),
        ),
        (
            "LR-",
            AccuracyMeasure::LikelihoodRatioNegative,
            ratio(|a, b| (1.0 - a) / b),
        ),
        (
            "odds ratio",
            AccuracyMeasure::DiagnosticOddsRatio,
            plain.map(|_| halves[0] * halves[3] / (halves[1] * halves[2])),
        ),
    ]
}
