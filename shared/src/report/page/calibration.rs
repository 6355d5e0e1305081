//! Calibration: the curve, slope, calibration in the large and O:E with their means over
//! hospitals, the Brier score and its parts, by subgroup.
//!
//! From: analyses of the register's calibration metrics, `pool::calibration`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::{LISTED, View};
use super::super::words;
use super::estimates::{forest, heterogeneity, mean_cell, split, topic_table};
use super::one_stage;
use crate::pool::result::{Analysis, EstimateKey, Metric};
use crate::statistic::calibration::CLIPPED_MUCH;
use crate::statistic::metric::Topic;
use crate::statistic::observed_expected::ObservedExpected;
use crate::statistic::{Cell, Disclosed, Statistic};
use crate::study::{AxisId, SiteRole, SiteSlug};

mod curve;

/// Measures with a forest plot and a mean over hospitals.
const DRAWN: [(Metric, &str); 3] = [
    (
        Metric::CalibrationSlope,
        "A slope of 1 fits; below 1 the predictions are too extreme, high ones too high and low \
         ones too low.",
    ),
    (
        Metric::Citl,
        "0 fits; above 0 the predictions are too low on the whole, below 0 too high.",
    ),
    (
        Metric::ObservedExpected,
        "Observed over expected events: 1 fits; above 1 the model predicted too few events.",
    ),
];

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Text(
        "Is a predicted risk of 20% followed by an event in 20 of 100 patients? A ratio of \
         observed to expected events (O:E) and calibration in the large answer for all patients \
         together, the slope for the spread of the predictions, the curve for each prediction."
            .to_owned(),
    )];
    for endpoint in view.endpoints() {
        for model in &view.study.protocol.model {
            let figure = curve::figure(view, &model.id, endpoint);
            blocks.extend(figure.map(Block::Figure));
        }
    }
    for (metric, meaning) in DRAWN {
        blocks.extend(means(view, metric, meaning));
    }
    let mut further = topic_table(
        view,
        Topic::Calibration,
        &[],
        "Measures of calibration by hospital",
    );
    further.notes.push(NOTES.to_owned());
    let tables = [
        expected_table(view),
        further,
        curve::parts(view),
        clipping(view),
        subgroups(view),
    ];
    blocks.extend(
        tables
            .into_iter()
            .filter(|table| !table.is_empty())
            .map(Block::Table),
    );
    blocks.extend(one_stage::block(view));
    if blocks.len() == 1 {
        blocks.push(Block::Note(
            "No hospital released a measure of calibration.".to_owned(),
        ));
    }
    Section {
        id: "calibration",
        title: "Calibration",
        blocks,
    }
}

const NOTES: &str = "Brier score: mean squared difference of prediction and outcome, lower is \
                     better; it is described per hospital and not pooled, since it depends on the \
                     event rate. Scaled Brier score: 1 is perfect, 0 is a model that always \
                     predicts the event rate. Predictions were not clipped for either. The joint \
                     intercept belongs to the slope and is not calibration in the large. The \
                     calibration index is the mean distance between a prediction and its logistic \
                     recalibration.";

/// Forest plot of one measure of the model under validation, and each model's spread between
/// hospitals.
fn means(view: View<'_>, metric: Metric, meaning: &str) -> Vec<Block> {
    let analyses: Vec<&Analysis> = view.overall(metric).collect();
    let Some(first) = analyses.first() else {
        return Vec::new();
    };
    let name = words::metric(metric);
    let parts: Vec<(String, &Analysis)> = analyses
        .iter()
        .map(|analysis| (view.model(&analysis.key.model), *analysis))
        .collect();
    let caption = format!(
        "{name} by hospital for {}, 95% confidence intervals. {meaning}",
        view.endpoint(&first.key.endpoint)
    );
    // Comparators stand in the tables only.
    let index = view.study.protocol.index_model().map(|model| &model.id);
    let drawn = analyses
        .iter()
        .filter(|one| Some(&one.key.model) == index)
        .map(|one| Block::Figure(forest(view, one, &caption)));
    let mut blocks: Vec<Block> = drawn.collect();
    let spread = format!("{name}: mean over hospitals and spread between them");
    blocks.push(Block::Table(heterogeneity(&parts, &spread)));
    blocks
}

/// Slopes at other clipping epsilons, for models of which some site clips more than one in a
/// hundred predictions, or does not say (decision C11).
fn clipping(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Calibration slope where the clipping of predictions is changed",
        &["Epsilon", "Mean over hospitals", "Lowest to highest"],
    );
    for shares in view.overall(Metric::ClippedShare) {
        let much = shares.sites.iter().any(|row| {
            row.estimate.is_suppressed()
                || row
                    .estimate
                    .number()
                    .is_some_and(|share| share > CLIPPED_MUCH)
        });
        let of = |one: &&Analysis| {
            one.key.metric == Metric::CalibrationSlope
                && one.key.model == shares.key.model
                && one.key.endpoint == shares.key.endpoint
                && one.key.axis.is_none()
                && (one.key.is_whole() || one.key.is_clip_sensitivity())
        };
        let slopes = view.study.analyses.iter().filter(of).filter(|_| much);
        table.group(format!(
            "{}, {}",
            view.model(&shares.key.model),
            view.endpoint(&shares.key.endpoint)
        ));
        for slope in slopes {
            let head = slope
                .key
                .sensitivity
                .clone()
                .unwrap_or_else(|| "the protocol's".to_owned());
            table.push(Row::new(head, summary(slope)));
        }
    }
    table.notes.push(
        "Predictions of exactly 0 or 1 have no logit and are moved to epsilon from the end. Where \
         the slope changes with epsilon, it says more about these few than about the rest."
            .to_owned(),
    );
    table
}

/// Mean over hospitals, and the range of the hospitals' values.
fn summary(analysis: &Analysis) -> Vec<Shown> {
    let values = analysis
        .sites
        .iter()
        .filter_map(|row| row.estimate.number());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let spread = if low <= high {
        Shown::number(number::range(low, high, words::style(analysis.key.metric)))
    } else {
        Shown::none()
    };
    vec![mean_cell(analysis), spread]
}

/// Slope, calibration in the large and O:E by subgroup level.
fn subgroups(view: View<'_>) -> Table {
    let mut head = vec!["Level"];
    for (metric, _) in DRAWN {
        head.push(words::metric(metric));
        head.push("Lowest to highest");
    }
    let mut table = Table::new(
        "Calibration by subgroup level: mean over hospitals, and the hospitals' range",
        &head,
    );
    let mut seen: Vec<(&AxisId, &str)> = Vec::new();
    let mut group = None;
    for analysis in &view.study.analyses {
        let (Some(axis), Some(level)) = (&analysis.key.axis, &analysis.key.level) else {
            continue;
        };
        let drawn = DRAWN
            .iter()
            .any(|(metric, _)| *metric == analysis.key.metric);
        if !drawn || seen.contains(&(axis, level)) {
            continue;
        }
        seen.push((axis, level));
        let at = |metric: Metric| {
            view.study.analyses.iter().find(|one| {
                one.key
                    == EstimateKey {
                        metric,
                        ..analysis.key.clone()
                    }
            })
        };
        // A level that no hospital has says nothing.
        if analysis.sites.iter().all(|row| row.n == Cell::Zero) {
            continue;
        }
        if group != Some(axis) {
            group = Some(axis);
            let (label, prespecified) = view.axis(axis);
            let mark = if prespecified { "" } else { " (exploratory)" };
            table.group(format!("{label}{mark}"));
        }
        let none = || vec![Shown::none(), Shown::none()];
        let cells = DRAWN
            .iter()
            .flat_map(|(metric, _)| at(*metric).map_or_else(none, summary))
            .collect();
        table.push(Row::new(level.clone(), cells));
    }
    table.notes.push(
        "Levels are estimated within each hospital and pooled by random effects. Intervals are \
         unadjusted."
            .to_owned(),
    );
    table
}

fn expected_table(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Observed events and mean prediction by hospital",
        &["Hospital", "n", "Observed events", "Mean prediction"],
    );
    for analysis in view.overall(Metric::ObservedExpected) {
        table.group(format!(
            "{}, {}",
            view.model(&analysis.key.model),
            view.endpoint(&analysis.key.endpoint)
        ));
        let (external, apart) = split(analysis);
        for site in external.into_iter().chain(apart) {
            let expected = find_expected(view, &site.site, analysis);
            let mean = expected.map_or_else(Shown::none, |found| {
                number::value(&found.mean_prediction, Style::Percent)
            });
            let cells = vec![number::count(&site.n), number::count(&site.events), mean];
            let class = if site.role == SiteRole::External {
                ""
            } else {
                "apart"
            };
            table.push(Row::new(view.site(&site.site), cells).class(class));
        }
    }
    table.cut(LISTED, "estimates.csv");
    table
}

fn find_expected<'a>(
    view: View<'a>,
    site: &SiteSlug,
    of: &Analysis,
) -> Option<&'a ObservedExpected<Disclosed>> {
    let found = view.study.sites.iter().find(|entry| entry.site == *site)?;
    found
        .statistics
        .iter()
        .filter_map(Statistic::observed_expected)
        .find(|ratio| ratio.model == of.key.model && ratio.endpoint == of.key.endpoint)
}
