//! Detection: candidates with scores against lesions. The FROC curve by hospital and over them,
//! its mean (CPM), the average precision, and the curve of merged scans where counts are known.
//!
//! From: analyses over candidates, `statistic::detection` as released.
//! To: `segmentation`, whose page holds these blocks.

use super::super::document::{Block, Figure, Row, Source, Table};
use super::super::figure::froc::{self, Line};
use super::super::figure::roc::Look;
use super::super::number::{self, Shown, Style, real};
use super::super::view::View;
use super::estimates::forest;
use super::segmentation::{class, means, measure};
use crate::pool::detection::{MergedDetection, merged};
use crate::pool::result::{Analysis, Metric, PoolOutcome};
use crate::statistic::Statistic;
use crate::statistic::metric::Topic;
use crate::study::{CandidatePlan, EndpointId, Model, SiteRole};

/// Hospitals whose curves are named in a figure.
const NAMED: usize = 3;
/// Points of the merged curve in its table.
const POINTS: usize = 40;

/// The blocks of one model and structure; none where the protocol plans no candidates.
pub(super) fn blocks(
    view: View<'_>,
    model: &Model,
    endpoint: &EndpointId,
    all: &[&Analysis],
) -> Vec<Block> {
    let declared = view.study.protocol.find_endpoint(endpoint);
    let structure = declared.and_then(|one| one.structure.as_ref());
    let plan = structure.and_then(|one| one.candidates.as_ref());
    let (Some(plan), Some(_)) = (plan, model.candidate_field()) else {
        return Vec::new();
    };
    let of_topic = |one: &&&Analysis| one.key.metric.entry().topic == Topic::Detection;
    let all: Vec<&Analysis> = all.iter().filter(of_topic).copied().collect();
    let label = view.endpoint(endpoint);
    let mut blocks = vec![Block::Text(format!("Candidates: {}.", plan.words()))];
    if all.is_empty() {
        blocks.push(Block::Note(format!(
            "No hospital released how the candidates of {} find {label}.",
            model.name
        )));
        return blocks;
    }
    if let Some(cpm) = all.iter().find(|one| one.key.metric == Metric::Cpm) {
        let caption = format!(
            "CPM of {} for {label} by hospital: the mean sensitivity at {} false positives per \
             scan. Squares: estimate; lines: 95% confidence interval, by patient; diamond: \
             random-effects mean.",
            model.name,
            list(&plan.false_positives_per_scan)
        );
        blocks.push(Block::Figure(forest(view, cpm, &caption)));
    }
    let pooled = merged(plan, &view.study.sites, &model.id, endpoint);
    blocks.push(Block::Figure(curves(
        view,
        plan,
        (model, &label),
        &all,
        pooled.as_ref(),
    )));
    let whole: Vec<&Analysis> = all
        .iter()
        .filter(|one| one.key.metric != Metric::FrocSensitivity)
        .copied()
        .collect();
    let title = format!("{label}: candidates by hospital");
    blocks.push(Block::Table(means(view, title, &whole, &measure)));
    blocks.push(Block::Table(counts(view, model, endpoint)));
    blocks.extend(pooled.map(|pooled| Block::Table(merged_table(view, plan, &label, &pooled))));
    blocks
}

fn list(points: &[f64]) -> String {
    let texts: Vec<String> = points.iter().map(f64::to_string).collect();
    super::super::words::join(&texts)
}

/// The FROC curves, with the sensitivities by hospital as their data.
fn curves(
    view: View<'_>,
    plan: &CandidatePlan,
    (model, label): (&Model, &str),
    all: &[&Analysis],
    pooled: Option<&MergedDetection>,
) -> Figure {
    let points: Vec<&Analysis> = all
        .iter()
        .filter(|one| one.key.metric == Metric::FrocSensitivity)
        .copied()
        .collect();
    let mut lines = by_hospital(view, &points);
    lines.extend(pooled.map(merged_line));
    lines.push(mean_line(&points));
    lines.retain(|line| !line.points.is_empty());
    let title = format!("{label}: sensitivity at false positives per scan by hospital");
    let mut data = means(view, title.clone(), &points, &measure);
    data.label = "Data".to_owned();
    let description = format!(
        "FROC curves of {} for {label}: sensitivity over lesions against false positives per \
         scan, read at {}.",
        model.name,
        list(&plan.false_positives_per_scan)
    );
    let mut caption = format!(
        "FROC curves of {} for {label}. Filled markers: the sensitivity at the stated false positives per \
         scan; bold with 95% confidence intervals: random-effects mean over hospitals at each.",
        model.name
    );
    if let Some(pooled) = pooled {
        caption.push_str(&format!(
            " Dash-dotted: the curve of {} scans merged from {}, at every score of the grid; it treats \
             them as one hospital.",
            number::whole(pooled.scans),
            hospitals(pooled)
        ));
    }
    if lines.iter().filter(|line| line.look == Look::Grey).count() > 0 {
        caption.push_str(" Grey: single hospitals, named in the table.");
    }
    let id = format!("froc-{}-{}", model.id, label_id(&points));
    Figure {
        label: String::new(),
        reading: reading(view, &points),
        caption,
        svg: froc::draw(
            &id,
            &title,
            &description,
            &plan.false_positives_per_scan,
            &lines,
        ),
        data,
        narrow: false,
        source: Source::Counts,
    }
}

/// The mean sensitivity at each number of false positives, and the hospitals at the middle one.
fn reading(view: View<'_>, points: &[&Analysis]) -> String {
    let Some(middle) = points.get(points.len() / 2) else {
        return "No hospital released a sensitivity.".to_owned();
    };
    let at = middle.key.false_positives_per_scan.unwrap_or(0.0);
    let Some(ends) = super::reading::ends(view, middle) else {
        return "No external hospital released a sensitivity.".to_owned();
    };
    let mut text = format!(
        "At {at} false positives per scan sensitivity was {} over {}.",
        ends.words(Style::Percent),
        super::super::words::plural(ends.count, "external hospital", "external hospitals")
    );
    if let PoolOutcome::Pooled(pooled) = &middle.pool {
        text.push_str(&format!(
            " The mean over hospitals was {} (95% CI {}).",
            number::real(pooled.estimate, Style::Percent),
            number::range(pooled.low, pooled.high, Style::Percent)
        ));
    }
    text
}

fn label_id(points: &[&Analysis]) -> String {
    let first = points.first();
    first.map_or_else(String::new, |one| one.key.endpoint.to_string())
}

fn hospitals(pooled: &MergedDetection) -> String {
    let number = pooled.sites.len();
    let counted = if number == 1 {
        "one hospital".to_owned()
    } else {
        format!("{number} hospitals")
    };
    match pooled.hidden {
        0 => counted,
        hidden => format!("{counted} ({hidden} more hide their counts)"),
    }
}

/// One line for each hospital with sensitivities.
fn by_hospital(view: View<'_>, points: &[&Analysis]) -> Vec<Line> {
    let sites = view.released();
    let grey = sites.len() > NAMED;
    let line = |(place, site): (usize, &&crate::pool::result::SiteResult)| {
        let at = points.iter().filter_map(|one| {
            let row = one.sites.iter().find(|row| row.site == site.site)?;
            Some((one.key.false_positives_per_scan?, row.estimate.number()?))
        });
        let inside = site.role == SiteRole::External && !grey;
        Line {
            label: if inside {
                site.display_name.clone()
            } else {
                String::new()
            },
            points: at.collect(),
            bars: Vec::new(),
            marked: true,
            look: if inside { Look::Hue(place) } else { Look::Grey },
        }
    };
    sites.iter().enumerate().map(line).collect()
}

fn mean_line(points: &[&Analysis]) -> Line {
    let pooled = points.iter().filter_map(|one| {
        let at = one.key.false_positives_per_scan?;
        Some((at, one.pool.pooled()?))
    });
    let pooled: Vec<_> = pooled.collect();
    Line {
        label: "Mean over hospitals".to_owned(),
        points: pooled.iter().map(|(at, one)| (*at, one.estimate)).collect(),
        bars: pooled
            .iter()
            .map(|(at, one)| (*at, one.low, one.high))
            .collect(),
        marked: true,
        look: Look::Bold,
    }
}

fn merged_line(pooled: &MergedDetection) -> Line {
    let start = [(0.0, 0.0)].into_iter();
    let points = pooled.points.iter();
    Line {
        label: "Merged scans".to_owned(),
        points: start
            .chain(points.map(|point| (point.false_positives_per_scan, point.sensitivity)))
            .collect(),
        bars: Vec::new(),
        marked: false,
        look: Look::Hue(3),
    }
}

/// Scans and lesions by hospital, and what the lowest score of the grid calls.
fn counts(view: View<'_>, model: &Model, endpoint: &EndpointId) -> Table {
    let mut table = Table::new(
        format!("{}: scans, lesions and candidates", view.endpoint(endpoint)),
        &[
            "Hospital",
            "Scans",
            "Lesions",
            "Detected at the lowest score",
            "False positives there",
        ],
    );
    for site in view.released() {
        let mut all = site.statistics.iter().filter_map(Statistic::detection);
        let Some(one) = all.find(|one| one.model == model.id && one.endpoint == *endpoint) else {
            continue;
        };
        let lowest = one.called.first();
        let at = |cell: Option<&crate::statistic::Cell<u64>>| {
            cell.map_or_else(Shown::none, number::count)
        };
        let cells = vec![
            number::count(&one.scans),
            number::count(&one.lesions),
            at(lowest.map(|lowest| &lowest.detected)),
            at(lowest.map(|lowest| &lowest.false_positives)),
        ];
        table.push(Row::new(&site.display_name, cells).class(class(site)));
    }
    table.notes.push(
        "One patient can have most of the lesions, so a hospital that protects its patients \
         releases no count of them."
            .to_owned(),
    );
    table
}

/// The merged curve at the stated points and at scores of the grid.
fn merged_table(
    view: View<'_>,
    plan: &CandidatePlan,
    label: &str,
    pooled: &MergedDetection,
) -> Table {
    let mut table = Table::new(
        format!("{label}: curve of merged scans"),
        &["", "False positives per scan", "Sensitivity", "Precision"],
    );
    let share = |value: Option<f64>| {
        value.map_or_else(Shown::none, |value| {
            Shown::number(real(value, Style::Percent))
        })
    };
    table.group("Read at");
    for (point, value) in plan
        .false_positives_per_scan
        .iter()
        .zip(&pooled.sensitivity)
    {
        let at = Shown::number(point.to_string());
        let cells = vec![at, share(*value), Shown::none()];
        table.push(Row::new("Stated point", cells));
    }
    let plain = |value: f64| Shown::number(real(value, Style::Plain(3)));
    let cpm = pooled.cpm.map_or_else(Shown::none, plain);
    table.push(Row::new("CPM", vec![Shown::none(), cpm, Shown::none()]).class("pool"));
    let precision = plain(pooled.average_precision);
    let cells = vec![Shown::none(), Shown::none(), precision];
    table.push(Row::new("Average precision", cells).class("pool"));
    table.group("At scores of the grid");
    let step = pooled.points.len().div_ceil(POINTS).max(1);
    for point in pooled.points.iter().step_by(step) {
        let score = plan.score_edges.get(point.threshold).copied();
        let cells = vec![
            Shown::number(real(point.false_positives_per_scan, Style::Plain(3))),
            share(Some(point.sensitivity)),
            share(point.precision),
        ];
        let head = score.map_or_else(String::new, |score| format!("at least {score}"));
        table.push(Row::new(head, cells));
    }
    table.notes.push(format!(
        "{} scans with {} lesions of {} of {} external hospitals; scans merged as if from one \
         hospital, without an interval.",
        number::whole(pooled.scans),
        number::whole(pooled.lesions),
        pooled.sites.len(),
        view.external().len(),
    ));
    table
}
