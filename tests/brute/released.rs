//! Small random sites through the public path against the same definitions.
//!
//! From: `harness::random`.
//! To: what a coordinator reads.

use harness::path;
use harness::random::{self, Draw, Shape};
use shared::statistic::accuracy::MEASURES;
use shared::statistic::{Disclosed, Estimate, Metric, Statistic};
use shared::study::{PartialRange, RangeOver, TargetPrevalence};

use crate::definition::{self, Case};
use crate::table::{agree, expected};

const SITES: u64 = 150;
const THRESHOLD: f64 = 0.5;
const PREVALENCE: f64 = 0.07;

fn found<'a>(
    release: &'a [Statistic<Disclosed>],
    metric: Metric,
    model: &str,
) -> Option<&'a Estimate<Disclosed>> {
    let mut estimates = release.iter().filter_map(Statistic::estimate);
    estimates.find(|one| one.key.metric == metric && one.key.model.as_str() == model)
}

#[test]
fn what_a_site_releases_follows_from_its_rows() {
    let mut protocol = random::protocol(&[], &[THRESHOLD]);
    protocol.partial_auc = Some(PartialRange {
        over: RangeOver::Specificity,
        lowest: 0.6,
        highest: 1.0,
    });
    protocol.target_prevalence = vec![TargetPrevalence {
        endpoint: protocol.endpoint[0].id.clone(),
        value: PREVALENCE,
        source: "test".to_owned(),
    }];
    let mut draw = Draw(3);
    for seed in 0..SITES {
        let shape = Shape {
            patients: draw.within(1, 16),
            prevalence: draw.unit(),
            repeats: if seed % 2 == 0 { 0.0 } else { 0.4 },
            missing: 0.1,
        };
        let rows = random::rows(&mut draw, &[], shape);
        let cases = random::cases(&protocol, &rows);
        let release = path::release(&protocol, &cases, &path::open_data(), "a").unwrap();
        for (place, model) in ["p_b", "p_a"].into_iter().enumerate() {
            let cases: Vec<Case> = rows
                .iter()
                .filter(|row| row.complete())
                .map(|row| (row.event(), row.score(place)))
                .collect();
            let value = |metric| found(&release.statistics, metric, model)?.value.exact();
            let at = |what: &str| format!("site {seed}, {model}, {what}");
            let partial = definition::over_specificity(&cases, 0.6, 1.0)
                .map(|area| definition::corrected(area, 0.6, 1.0));
            agree(&at("partial AUC"), value(Metric::PartialAuc), partial);
            let precision = definition::average_precision(&cases);
            agree(&at("AP"), value(Metric::AveragePrecision), precision);
            let mut cuts = protocol.histogram.edges.clone();
            cuts.extend([0.0, f64::INFINITY]);
            let best = definition::youden(&cases, &cuts);
            agree(&at("Youden"), value(Metric::YoudenMaximum), best);
            thresholds(&cases, value, &at);
        }
    }
}

fn thresholds(cases: &[Case], value: impl Fn(Metric) -> Option<f64>, at: &dyn Fn(&str) -> String) {
    let count = |call: bool, event: bool| {
        let same = |case: &&Case| case.0 == event && (case.1 >= THRESHOLD) == call;
        cases.iter().filter(same).count() as f64
    };
    let cells = [
        count(true, true),
        count(true, false),
        count(false, true),
        count(false, false),
    ];
    let expected = expected(cells);
    for (metric, measure) in MEASURES {
        let (name, _, expected) = expected.iter().find(|one| one.1 == measure).unwrap();
        agree(&at(name), value(metric), *expected);
    }
    // Bayes' rule on the corrected table.
    let halves = if cells.contains(&0.0) { 0.5 } else { 0.0 };
    let [tp, fp, fn_, tn] = cells.map(|cell| cell + halves);
    let both = cells[0] + cells[2] > 0.0 && cells[1] + cells[3] > 0.0;
    let (sensitivity, specificity) = (tp / (tp + fn_), tn / (fp + tn));
    let (rare, common) = (PREVALENCE, 1.0 - PREVALENCE);
    let positive = sensitivity * rare / (sensitivity * rare + (1.0 - specificity) * common);
    let negative = specificity * common / (specificity * common + (1.0 - sensitivity) * rare);
    let ppv = both.then_some(positive);
    agree(&at("PPV at 7 %"), value(Metric::PpvAtPrevalence), ppv);
    let npv = both.then_some(negative);
    agree(&at("NPV at 7 %"), value(Metric::NpvAtPrevalence), npv);
}
