//! Segmentation: overlap and surface distances by structure, which cases have it, distributions,
//! lesions, candidates, and results by size and subgroup, with the conventions they were measured
//! under.
//!
//! From: analyses over masks, `statistic::{segmentation, lesion}` as released.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, real};
use super::super::view::View;
use super::super::words;
use super::estimates::forest;
use crate::pool::result::{Analysis, Metric, PoolOutcome, SiteResult};
use crate::statistic::lesion::Lesions;
use crate::statistic::metric::Topic;
use crate::statistic::segmentation::{Quantity, Segmentation, edges};
use crate::statistic::{Cell, Disclosed, Statistic};
use crate::study::{AxisId, EndpointId, Model, ModelId, SegmentationPlan, SiteRole};

/// Shares of the cases whose values are read from a distribution.
const QUANTILES: [f64; 3] = [0.25, 0.5, 0.75];

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let protocol = &view.study.protocol;
    let mut blocks = Vec::new();
    let masks = protocol.has_masks();
    if let Some(plan) = protocol.segmentation.as_ref().filter(|_| masks) {
        blocks.push(Block::Text(conventions(plan)));
    }
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            structure(view, model, &endpoint.id, &mut blocks);
        }
    }
    blocks.extend(super::moderator::blocks(view));
    let (id, title) = if masks {
        ("segmentation", "Segmentation")
    } else {
        ("detection", "Detection")
    };
    Section { id, title, blocks }
}

/// What the numbers mean, in words: a bare "HD95" means nothing.
pub(super) fn conventions(plan: &SegmentationPlan) -> String {
    let mut text = format!(
        "Masks were compared after both were turned to the same orientation, and only where truth \
         and prediction lie in one space; nothing was resampled. HD95: {}. Average distances and \
         surface Dice: {}. What lies beyond the image counts as outside. A miss or a false alarm \
         counts as 0 in the headline Dice; {}.",
        plan.hd95.words(),
        plan.border.words(),
        plan.both_empty.words(),
    );
    if let Some(cap) = plan.distance_cap_mm {
        text.push_str(&format!(
            " In the capped distances a miss or a false alarm counts {} mm.",
            real(cap, Style::Plain(1))
        ));
    }
    text
}

fn structure(view: View<'_>, model: &Model, endpoint: &EndpointId, blocks: &mut Vec<Block>) {
    let all: Vec<&Analysis> = view
        .study
        .analyses
        .iter()
        .filter(|one| one.key.model == model.id && one.key.endpoint == *endpoint)
        .collect();
    let label = view.endpoint(endpoint);
    blocks.push(Block::Heading(format!("{label}, {}", model.name)));
    if !view.study.protocol.has_masks() {
        blocks.extend(super::detection::blocks(view, model, endpoint, &all));
        return;
    }
    let whole = |topic: Topic| -> Vec<&Analysis> {
        let of_topic = |one: &&&Analysis| {
            one.key.metric.entry().topic == topic
                && one.key.axis.is_none()
                && one.key.comparator.is_none()
        };
        all.iter().filter(of_topic).copied().collect()
    };
    let (masks, lesions) = (whole(Topic::Segmentation), whole(Topic::Lesions));
    let headline = masks.iter().find(|one| one.key.metric == Metric::Dice);
    let primary = view.primary().filter(|one| all.contains(one));
    for analysis in headline
        .into_iter()
        .copied()
        .chain(primary.filter(|one| one.key.metric != Metric::Dice))
    {
        blocks.push(Block::Figure(forest(
            view,
            analysis,
            &caption(view, analysis),
        )));
        if let PoolOutcome::Pooled(pooled) = &analysis.pool {
            let sentence = words::prediction_sentence(analysis.key.metric, pooled);
            blocks.extend(sentence.map(Block::Text));
        }
    }
    if masks.is_empty() {
        blocks.push(Block::Note(format!(
            "No hospital released a mean over masks of {label}."
        )));
        return;
    }
    let title = format!("{label}: means over cases by hospital");
    blocks.push(Block::Table(means(view, title, &masks, &measure)));
    blocks.push(Block::Table(presence(view, &model.id, endpoint)));
    blocks.extend(distributions(view, &model.id, endpoint).map(Block::Table));
    if !lesions.is_empty() {
        let rule = view.study.protocol.find_endpoint(endpoint);
        let plan = rule.and_then(|one| one.structure.as_ref()?.lesions);
        if let Some(plan) = plan {
            blocks.push(Block::Text(format!("Single lesions: {}.", plan.words())));
        }
        let title = format!("{label}: lesions by hospital");
        blocks.push(Block::Table(means(view, title, &lesions, &measure)));
        blocks.extend(lesion_counts(view, &model.id, endpoint).map(Block::Table));
        blocks.extend(super::whom::sizes(view, &model.id, endpoint).map(Block::Figure));
    }
    blocks.extend(super::detection::blocks(view, model, endpoint, &all));
    for axis in axes(&all) {
        by_level(view, &axis, &all, &label, blocks);
    }
}

fn caption(view: View<'_>, analysis: &Analysis) -> String {
    format!(
        "{} of {} for {} by hospital ({} analysis). Squares: estimate, area in proportion to the \
         weight; lines: 95% confidence interval, by patient; diamond: random-effects mean.",
        measure(analysis),
        view.model(&analysis.key.model),
        view.endpoint(&analysis.key.endpoint),
        words::analysis_role(analysis.role),
    )
}

/// The metric, with its tolerance or its false positives per scan.
pub(super) fn measure(analysis: &Analysis) -> String {
    let name = words::metric(analysis.key.metric);
    let point = analysis.key.false_positives_per_scan;
    match (analysis.key.tolerance_mm, point) {
        (Some(tolerance), _) => format!("{name} within {tolerance} mm"),
        (None, Some(point)) => format!("Sensitivity at {point} false positives per scan"),
        (None, None) => name.to_owned(),
    }
}

/// One row for each analysis: the hospitals' values, the mean over them, and its spread.
pub(super) fn means(
    view: View<'_>,
    title: String,
    analyses: &[&Analysis],
    name: &dyn Fn(&Analysis) -> String,
) -> Table {
    let sites: Vec<&SiteResult> = if view.many() {
        Vec::new()
    } else {
        view.released()
    };
    let mut table = Table::new(title, &[""]);
    table
        .head
        .extend(sites.iter().map(|site| site.display_name.clone()));
    table
        .head
        .extend(["Mean (95% CI)", "τ²", "95% prediction interval"].map(str::to_owned));
    let mut few = false;
    for analysis in analyses {
        let metric = analysis.key.metric;
        let cell = |site: &&SiteResult| {
            let mut rows = analysis.sites.iter();
            let row = rows.find(|row| row.site == site.site);
            row.map_or_else(Shown::none, |row| words::site_cell(metric, row))
        };
        let mut cells: Vec<Shown> = sites.iter().map(cell).collect();
        cells.extend(match &analysis.pool {
            PoolOutcome::Pooled(pooled) => [
                words::pooled_cell(metric, pooled),
                words::tau2(pooled),
                if pooled.k < words::PREDICTION_SENTENCE_MIN {
                    few = true;
                    Shown {
                        sub: None,
                        ..words::prediction_cell(metric, pooled)
                    }
                } else {
                    words::prediction_cell(metric, pooled)
                },
            ],
            PoolOutcome::TooFewSites { .. }
            | PoolOutcome::ConfoundedWithSite
            | PoolOutcome::NotPooled
            | PoolOutcome::Failed => [
                Shown::not_computed(&words::no_pool_reason(&analysis.pool)),
                Shown::none(),
                Shown::none(),
            ],
        });
        table.push(Row::new(name(analysis), cells));
    }
    if few {
        table.notes.push(
            "Prediction intervals from fewer than five hospitals are not interpreted.".to_owned(),
        );
    }
    table.notes.push("Intervals at a hospital are clustered by patient; means over hospitals are random-effects means.".to_owned());
    table
}

fn released<'a>(
    view: View<'a>,
    model: &ModelId,
    endpoint: &EndpointId,
) -> Vec<(&'a SiteResult, &'a Segmentation<Disclosed>)> {
    let of_site = |site: &'a SiteResult| {
        let mut found = site.statistics.iter().filter_map(Statistic::segmentation);
        let one = found.find(|one| one.model == *model && one.endpoint == *endpoint)?;
        Some((site, one))
    };
    view.released().into_iter().filter_map(of_site).collect()
}

pub(super) fn class(site: &SiteResult) -> &'static str {
    if site.role == SiteRole::External {
        ""
    } else {
        "apart"
    }
}

/// Which of truth and prediction have the structure: four counts, never imputed.
fn presence(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Table {
    let mut table = Table::new(
        format!(
            "{}: cases by presence of the structure",
            view.endpoint(endpoint)
        ),
        &[
            "Hospital",
            "Truth and prediction",
            "Missed",
            "False alarm",
            "Neither",
        ],
    );
    let found = released(view, model, endpoint);
    let counts =
        |one: &Segmentation<Disclosed>| [one.both, one.missed, one.false_alarm, one.neither];
    for (site, one) in &found {
        let cells = counts(one).iter().map(number::count).collect();
        table.push(Row::new(&site.display_name, cells).class(class(site)));
    }
    let external = found
        .iter()
        .filter(|(site, _)| site.role == SiteRole::External);
    let sums = external.fold([Cell::Zero; 4], |sums, (_, one)| {
        let mut parts = counts(one).into_iter();
        sums.map(|sum| parts.next().map_or(sum, |part| sum.plus(part)))
    });
    if !found.is_empty() {
        let cells = sums.iter().map(number::count).collect();
        table.push(Row::new("External hospitals", cells).class("pool"));
    }
    table
}

/// Quartiles by hospital and over all of them; `None` where nobody released a distribution.
fn distributions(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Option<Table> {
    let found = released(view, model, endpoint);
    let mut table = Table::new(
        format!(
            "{}: quartiles over cases in which both have it",
            view.endpoint(endpoint)
        ),
        &["Hospital", "Lower quartile", "Median", "Upper quartile"],
    );
    for quantity in Quantity::ALL {
        let mut merged = Vec::new();
        let mut rows = Vec::new();
        for (site, one) in &found {
            let mut parts = one.distributions.iter();
            let part = parts.find(|part| part.quantity == *quantity);
            let masses = part.map_or_else(Vec::new, |part| masses(*quantity, part));
            if masses.is_empty() {
                continue;
            }
            rows.push(quartiles(&site.display_name, &masses, *quantity).class(class(site)));
            if site.role == SiteRole::External {
                merged.extend(masses);
            }
        }
        if rows.is_empty() {
            continue;
        }
        table.group(quantity.words());
        rows.into_iter().for_each(|row| table.push(row));
        if !merged.is_empty() {
            table.push(quartiles("External hospitals, merged", &merged, *quantity).class("pool"));
        }
    }
    table.notes.push(
        "Read from histograms on fixed edges, which add exactly: each quartile lies between the \
         two numbers. Hospitals merge bins until enough patients stand in each, so the bounds \
         can be far apart."
            .to_owned(),
    );
    (!table.is_empty()).then_some(table)
}

/// Cases between two edges.
struct Mass {
    low: f64,
    high: f64,
    count: f64,
}

fn masses(
    quantity: Quantity,
    part: &crate::statistic::segmentation::Distribution<Disclosed>,
) -> Vec<Mass> {
    let edges = edges(quantity);
    let end = match quantity {
        Quantity::Dice => 1.0,
        Quantity::Hd95 | Quantity::Assd => f64::INFINITY,
    };
    let at = |bin: Option<u32>| bin.and_then(|bin| edges.get(bin as usize).copied());
    let blocks = part.blocks.iter();
    blocks
        .filter_map(|block| {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let count = block.count.number()? as f64;
            Some(Mass {
                low: at(block.first.checked_sub(1)).unwrap_or(0.0),
                high: at(Some(block.last)).unwrap_or(end),
                count,
            })
        })
        .collect()
}

fn quartiles(name: &str, masses: &[Mass], quantity: Quantity) -> Row {
    let style = match quantity {
        Quantity::Dice => Style::Plain(3),
        Quantity::Hd95 | Quantity::Assd => Style::Plain(2),
    };
    let cells = QUANTILES.iter().map(|share| {
        let low = quantile(masses, *share, |mass| mass.low);
        let high = quantile(masses, *share, |mass| mass.high);
        if high.is_finite() {
            Shown::words(number::range(low, high, style))
        } else {
            Shown::words(format!("over {}", real(low, style)))
        }
    });
    Row::new(name, cells.collect())
}

/// The quantile if every case lay at `place` of its block.
fn quantile(masses: &[Mass], share: f64, place: impl Fn(&Mass) -> f64) -> f64 {
    let mut places: Vec<(f64, f64)> = masses
        .iter()
        .map(|mass| (place(mass), mass.count))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = places.iter().map(|(_, count)| count).sum();
    let mut passed = 0.0;
    for (at, count) in &places {
        passed += count;
        if passed >= share * all {
            return *at;
        }
    }
    places.last().map_or(f64::NAN, |(at, _)| *at)
}

/// Lesions by hospital; `None` where nobody released counts.
fn lesion_counts(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Option<Table> {
    let mut table = Table::new(
        format!("{}: lesions counted", view.endpoint(endpoint)),
        &[
            "Hospital",
            "Scans",
            "In the truth",
            "Found",
            "Not found",
            "Hits",
            "False positives",
        ],
    );
    let shown = |one: &Lesions<Disclosed>| {
        [
            one.scans,
            one.truth,
            one.found,
            one.not_found,
            one.hits,
            one.false_positives,
        ]
    };
    let mut known = false;
    for site in view.released() {
        let mut found = site.statistics.iter().filter_map(Statistic::lesions);
        let one = found.find(|one| one.model == *model && one.endpoint == *endpoint);
        let Some(one) = one else { continue };
        let cells = shown(one);
        known |= cells[1..].iter().any(|cell| cell.number().is_some());
        let cells = cells.iter().map(number::count).collect();
        table.push(Row::new(&site.display_name, cells).class(class(site)));
    }
    known.then_some(table)
}

/// Axes with results, in the order of the analyses.
fn axes(all: &[&Analysis]) -> Vec<AxisId> {
    let mut axes = Vec::new();
    for axis in all.iter().filter_map(|one| one.key.axis.clone()) {
        if !axes.contains(&axis) {
            axes.push(axis);
        }
    }
    axes
}

fn by_level(
    view: View<'_>,
    axis: &AxisId,
    all: &[&Analysis],
    label: &str,
    blocks: &mut Vec<Block>,
) {
    let (name, prespecified) = view.axis(axis);
    let mark = if prespecified {
        ""
    } else {
        " (not a declared axis)"
    };
    let of_axis = |one: &&&Analysis| one.key.axis.as_ref() == Some(axis);
    let (gaps, levels): (Vec<&Analysis>, Vec<&Analysis>) = all
        .iter()
        .filter(of_axis)
        .copied()
        .partition(|one| one.key.metric.entry().topic == Topic::Fairness);
    let level = |one: &Analysis| {
        let level = one.key.level.clone().unwrap_or_default();
        format!("{level}: {}", measure(one))
    };
    if !levels.is_empty() {
        let title = format!("{label} by {}{mark}", lower(&name));
        blocks.push(Block::Table(means(view, title, &levels, &level)));
    }
    if !gaps.is_empty() {
        let title = format!(
            "{label} by {}{mark}: each level minus the rest of the same hospital",
            lower(&name)
        );
        blocks.push(Block::Table(means(view, title, &gaps, &level)));
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// The two kinds of cases, as headings: with the event and without, or with the structure.
pub(super) fn classes(view: View<'_>) -> [&'static str; 2] {
    if view.study.protocol.is_segmentation() {
        ["With structure", "Without"]
    } else {
        ["Events", "Non-events"]
    }
}
