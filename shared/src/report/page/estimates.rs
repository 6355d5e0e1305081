//! Forest plots and tables of analyses: the same for every metric.
//!
//! From: `pool::result::Analysis`.
//! To: the pages on discrimination, calibration, operating points, comparators and subgroups.

use super::super::csv::slug;
use super::super::document::{Figure, Row, Source, Table};
use super::super::figure::forest::{Axis, FULL, Forest, ForestRow};
use super::super::number::{self, Shown, Style, p_value, range, real};
use super::super::view::{DRAWN, View};
use super::super::words;
use super::reading;
use crate::pool::result::{Analysis, AnalysisRole, Metric, PoolOutcome, Scale, SiteEstimate};
use crate::statistic::Cell;
use crate::statistic::metric::Topic;
use crate::study::SiteRole;

/// The estimates of an analysis, external sites first; the rest stands apart.
pub(super) fn split(analysis: &Analysis) -> (Vec<&SiteEstimate>, Vec<&SiteEstimate>) {
    analysis
        .sites
        .iter()
        .partition(|site| site.role == SiteRole::External)
}

/// One forest plot with its data.
pub(super) fn forest(view: View<'_>, analysis: &Analysis, caption: &str) -> Figure {
    let key = &analysis.key;
    let title = format!("Forest plot of {} by hospital", words::metric(key.metric));
    forest_of(view, &[(String::new(), analysis)], &title, caption)
}

/// Several analyses of one metric below each other, each under its heading.
pub(super) fn forest_of(
    view: View<'_>,
    parts: &[(String, &Analysis)],
    title: &str,
    caption: &str,
) -> Figure {
    let mut rows = Vec::new();
    let mut sentences = Vec::new();
    for (heading, analysis) in parts {
        if !heading.is_empty() {
            rows.push(ForestRow::Heading(heading.clone()));
        }
        push_rows(view, analysis, &mut rows, parts.len() == 1);
        sentences.push(describe(view, heading, analysis));
    }
    let metric = parts
        .first()
        .map_or(Metric::Auc, |(_, analysis)| analysis.key.metric);
    let id = format!(
        "forest-{}",
        parts
            .first()
            .map_or_else(String::new, |(_, first)| slug(&first.key))
    );
    let axis = axis(view, parts, metric);
    let plot = Forest {
        id,
        title: title.to_owned(),
        description: sentences.join(" "),
        width: FULL,
        row_label: "Hospital".to_owned(),
        n_label: if metric.entry().with_events {
            "Events / n"
        } else {
            "n"
        }
        .to_owned(),
        estimate_label: format!(
            "{} ({} CI)",
            short(metric),
            number::level_words(view.study.protocol.pooling.level)
        ),
        scale_label: scale_label(&axis).to_owned(),
        last_label: if rows.iter().any(has_weight) {
            "Weight".to_owned()
        } else {
            String::new()
        },
        axis,
        rows,
    };
    let mut data = table_of(view, parts, title);
    data.cut(DRAWN, "estimates.csv");
    data.label = "Data".to_owned();
    Figure {
        label: String::new(),
        reading: reading::forest(view, parts),
        caption: caption.to_owned(),
        svg: plot.draw(),
        data,
        narrow: false,
        source: Source::Estimates,
    }
}

fn has_weight(row: &ForestRow) -> bool {
    match row {
        ForestRow::Site { weight, .. } => weight.is_some(),
        ForestRow::Heading(_)
        | ForestRow::Pool { .. }
        | ForestRow::Prediction { .. }
        | ForestRow::Remark(_) => false,
    }
}

/// The scale of an axis, for the head of a plot.
pub(super) fn scale_label(axis: &Axis) -> &'static str {
    if axis.log {
        "logarithmic scale"
    } else {
        "linear scale"
    }
}

pub(super) fn short(metric: Metric) -> &'static str {
    let entry = metric.entry();
    match (entry.topic, entry.scale) {
        (Topic::Fairness, Scale::Log) => "Ratio",
        (Topic::Fairness, Scale::Identity | Scale::Logit) if entry.style == Style::Points => {
            "Gap, points"
        }
        (Topic::Fairness | Topic::Comparison, _) => "Difference",
        (
            Topic::Discrimination
            | Topic::Calibration
            | Topic::Threshold
            | Topic::Utility
            | Topic::CaseMix
            | Topic::Segmentation
            | Topic::Lesions
            | Topic::Detection,
            _,
        ) => entry.name,
    }
}

fn push_rows(view: View<'_>, analysis: &Analysis, rows: &mut Vec<ForestRow>, full: bool) {
    let (external, apart) = split(analysis);
    rows.extend(
        external
            .iter()
            .map(|site| site_row(view, analysis, site, false)),
    );
    match &analysis.pool {
        PoolOutcome::Pooled(pooled) => {
            let style = words::style(analysis.key.metric);
            rows.push(ForestRow::Pool {
                label: format!("Random-effects mean, k = {}", pooled.k),
                n: counts(analysis.key.metric, &pooled.events, &pooled.n),
                point: (pooled.estimate, pooled.low, pooled.high),
                text: words::pooled_cell(analysis.key.metric, pooled).line(),
            });
            if let Some(ends) = pooled
                .prediction
                .filter(|_| full && pooled.k >= words::PREDICTION_MIN)
            {
                let remark = if words::is_uninformative(analysis.key.metric, ends) {
                    "prediction interval (not informative)"
                } else {
                    "prediction interval"
                };
                rows.push(ForestRow::Prediction {
                    label: format!("{} {remark}", number::level_words(pooled.level)),
                    ends: (ends[0], ends[1]),
                    text: format!("({})", range(ends[0], ends[1], style)),
                });
            }
        }
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => {
            rows.push(ForestRow::Remark(words::no_pool_short(&analysis.pool)));
        }
    }
    if full && !apart.is_empty() {
        rows.push(ForestRow::Heading(format!("{}: in no pool", roles(&apart))));
        rows.extend(
            apart
                .iter()
                .map(|site| site_row(view, analysis, site, true)),
        );
    }
}

pub(super) fn counts(metric: Metric, events: &Cell<u64>, n: &Cell<u64>) -> String {
    let n = number::short_count(n);
    if metric.entry().with_events {
        format!("{} / {n}", number::short_count(events))
    } else {
        n
    }
}

/// The roles of sites that stand apart, as a heading.
fn roles(sites: &[&SiteEstimate]) -> String {
    let mut names: Vec<String> = Vec::new();
    for site in sites {
        let name = words::site_role(site.role).to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let text = words::join(&names);
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

fn site_row(view: View<'_>, analysis: &Analysis, site: &SiteEstimate, apart: bool) -> ForestRow {
    let shown = words::site_cell(analysis.key.metric, site);
    let interval = site.low.number().zip(site.high.number());
    let name = view.site(&site.site);
    ForestRow::Site {
        label: name,
        n: counts(analysis.key.metric, &site.events, &site.n),
        point: site.estimate.number().map(|value| (value, interval)),
        text: shown.line(),
        weight: site.weight,
        last: site
            .weight
            .map_or_else(String::new, |weight| format!("{weight:.1}%")),
        apart,
        without: without(analysis, site),
    }
}

/// The primary pool without one of its hospitals.
fn without(analysis: &Analysis, site: &SiteEstimate) -> Option<((f64, f64, f64), String)> {
    let PoolOutcome::Pooled(pooled) = &analysis.pool else {
        return None;
    };
    if analysis.role != AnalysisRole::Primary || pooled.k > DRAWN {
        return None;
    }
    let mut left = pooled.robustness.leave_one_out.iter();
    let found = left.find(|left| left.site == site.site)?;
    let [low, high] = found.interval?;
    let style = words::style(analysis.key.metric);
    let text = format!(
        "{} ({})",
        real(found.estimate, style),
        range(low, high, style)
    );
    Some(((found.estimate, low, high), text))
}

fn describe(view: View<'_>, heading: &str, analysis: &Analysis) -> String {
    let metric = words::metric(analysis.key.metric);
    let parts: Vec<String> = analysis
        .sites
        .iter()
        .map(|site| {
            let cell = words::site_cell(analysis.key.metric, site);
            format!("{} {}", view.site(&site.site), cell.line())
        })
        .collect();
    let start = if heading.is_empty() {
        String::new()
    } else {
        format!("{heading}. ")
    };
    let end = match &analysis.pool {
        PoolOutcome::Pooled(pooled) => format!(
            "Random-effects mean of {} hospitals {}.",
            pooled.k,
            words::pooled_cell(analysis.key.metric, pooled).line()
        ),
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => words::no_pool(&analysis.pool).unwrap_or_default(),
    };
    format!(
        "{start}{metric} with 95% interval: {}. {end}",
        parts.join("; ")
    )
}

pub(super) fn axis(view: View<'_>, parts: &[(String, &Analysis)], metric: Metric) -> Axis {
    let ends = extremes(parts);
    let label = |text: &str| text.to_owned();
    let fixed = |low: f64, high: f64, step: f64, digits, label: String, references| Axis {
        low,
        high,
        ticks: ticks(low, high, step, digits),
        log: false,
        label,
        references,
    };
    let entry = metric.entry();
    if metric == Metric::Auc {
        let low = if ends.0 < 0.5 {
            ((ends.0 * 10.0).floor() / 10.0).max(0.2)
        } else {
            0.5
        };
        let bound = view.study.verdict.at_least;
        let mut references = vec![(0.5, String::new())];
        if parts.iter().any(|(_, part)| {
            view.primary()
                .is_some_and(|primary| primary.key == part.key)
        }) {
            references.push((bound, format!("bound {}", real(bound, Style::Plain(2)))));
        }
        let text = label("AUC (linear axis; intervals computed on the logit scale)");
        return fixed(low, 1.0, 0.1, 1, text, references);
    }
    if entry.scale == Scale::Log {
        return log_axis(ends, &axis_label(metric));
    }
    let references = entry
        .neutral
        .map_or_else(Vec::new, |value| vec![(value, String::new())]);
    let text = axis_label(metric);
    let (lowest, highest) = entry.form.bounds();
    if (lowest, highest) == (0.0, 1.0) {
        let high = if ends.1 <= 0.5 { 0.5 } else { 1.0 };
        let (step, digits) = if high < 1.0 { (0.1, 1) } else { (0.25, 2) };
        return fixed(0.0, high, step, digits, text, references);
    }
    if entry.neutral == Some(0.0) {
        let half = half_width(ends, 0.1, highest.min(100.0));
        return fixed(-half, half, half / 2.0, 2, text, references);
    }
    let reach = entry
        .neutral
        .map_or(ends, |value| (ends.0.min(value), ends.1.max(value)));
    open_axis(reach, text, references)
}

/// What the axis of a metric says.
fn axis_label(metric: Metric) -> String {
    const NAMED: [(Metric, &str); 4] = [
        (
            Metric::ObservedExpected,
            "Observed / expected events (log axis)",
        ),
        (
            Metric::GapObservedExpected,
            "O:E of the level over O:E of the rest (log axis)",
        ),
        (
            Metric::GapAuc,
            "AUC of the level − AUC of the rest of the same hospital",
        ),
        (
            Metric::AucDifference,
            "← favours comparator · AUC difference · favours model →",
        ),
    ];
    if let Some((_, label)) = NAMED.iter().find(|(named, _)| *named == metric) {
        return (*label).to_owned();
    }
    let (name, entry) = (words::metric(metric), metric.entry());
    if entry.topic == Topic::Fairness {
        format!("{name}: level − rest of the same hospital (share)")
    } else if entry.scale == Scale::Log {
        format!("{name} (log axis)")
    } else {
        name.to_owned()
    }
}

/// An axis over what there is, in four steps of a round width.
fn open_axis(ends: (f64, f64), label: String, references: Vec<(f64, String)>) -> Axis {
    let (low, high) = if ends.0.is_finite() && ends.1.is_finite() {
        ends
    } else {
        (0.0, 1.0)
    };
    let rough = ((high - low) / 4.0).max(1e-6);
    let power = libm::pow(10.0, libm::log10(rough).floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    let digits = if step >= 1.0 { 0 } else { 2 };
    Axis {
        low,
        high,
        ticks: ticks(low, high, step, digits),
        log: false,
        label,
        references,
    }
}

/// Smallest and largest end of any site's or pool's confidence interval.
fn extremes(parts: &[(String, &Analysis)]) -> (f64, f64) {
    let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
    let mut take = |value: f64| ends = (ends.0.min(value), ends.1.max(value));
    for (_, analysis) in parts {
        for site in &analysis.sites {
            for cell in [&site.low, &site.estimate, &site.high] {
                cell.number().into_iter().for_each(&mut take);
            }
        }
        if let PoolOutcome::Pooled(pooled) = &analysis.pool {
            take(pooled.low);
            take(pooled.high);
        }
    }
    ends
}

fn half_width(ends: (f64, f64), least: f64, most: f64) -> f64 {
    let reach = ends.0.abs().max(ends.1.abs());
    if !reach.is_finite() {
        return least;
    }
    ((reach * 10.0).ceil() / 10.0).clamp(least, most)
}

fn ticks(low: f64, high: f64, step: f64, digits: usize) -> Vec<(f64, String)> {
    let mut out = Vec::new();
    let mut index = 0.0;
    while low + index * step <= high + step * 1e-6 && index < 40.0 {
        let value = low + index * step;
        out.push((value, real(value, Style::Plain(digits))));
        index += 1.0;
    }
    out
}

fn log_axis(ends: (f64, f64), label: &str) -> Axis {
    const STEPS: [(f64, &str); 9] = [
        (0.0625, "0.06"),
        (0.125, "0.125"),
        (0.25, "0.25"),
        (0.5, "0.5"),
        (1.0, "1"),
        (2.0, "2"),
        (4.0, "4"),
        (8.0, "8"),
        (16.0, "16"),
    ];
    let low = STEPS
        .iter()
        .rev()
        .map(|step| step.0)
        .find(|&step| step <= ends.0.min(0.5));
    let high = STEPS
        .iter()
        .map(|step| step.0)
        .find(|&step| step >= ends.1.max(2.0));
    let (low, high) = (low.unwrap_or(STEPS[0].0), high.unwrap_or(STEPS[8].0));
    let ticks = STEPS
        .iter()
        .filter(|(value, _)| (low..=high).contains(value))
        .map(|(value, text)| (*value, (*text).to_owned()))
        .collect();
    Axis {
        low,
        high,
        ticks,
        log: true,
        label: label.to_owned(),
        references: vec![(1.0, String::new())],
    }
}

/// The numbers of several analyses as one table.
pub(super) fn table_of(view: View<'_>, parts: &[(String, &Analysis)], caption: &str) -> Table {
    let metric = parts
        .first()
        .map_or(Metric::Auc, |(_, analysis)| analysis.key.metric);
    let mut table = Table::new(
        caption,
        &[
            "Hospital",
            "Role",
            "n",
            "Events",
            words::metric(metric),
            "Weight",
            "In the pool",
        ],
    );
    for (heading, analysis) in parts {
        table.group(heading.clone());
        let (external, apart) = split(analysis);
        for site in external {
            table.push(site_line(view, analysis, site));
        }
        table.push(pool_line(analysis));
        for site in apart {
            table.push(site_line(view, analysis, site));
        }
    }
    table
}

fn site_line(view: View<'_>, analysis: &Analysis, site: &SiteEstimate) -> Row {
    let weight = match site.weight {
        Some(weight) => Shown::number(format!("{weight:.1}%")),
        None => Shown::none(),
    };
    let inside = match (site.weight, site.excluded) {
        (Some(_), _) => match site.correction {
            Some(correction) => Shown::words("yes").with(words::correction(correction)),
            None => Shown::words("yes"),
        },
        (None, Some(reason)) => Shown::words(format!("no: {}", words::excluded(reason))),
        (None, None) => Shown::words("no pool"),
    };
    let class = if site.role == SiteRole::External {
        ""
    } else {
        "apart"
    };
    Row::new(
        view.site(&site.site),
        vec![
            Shown::words(words::site_role(site.role)),
            number::count(&site.n),
            number::count(&site.events),
            words::site_cell(analysis.key.metric, site),
            weight,
            inside,
        ],
    )
    .class(class)
}

fn pool_line(analysis: &Analysis) -> Row {
    let cells = match &analysis.pool {
        PoolOutcome::Pooled(pooled) => vec![
            Shown::words("external"),
            number::count(&pooled.n),
            number::count(&pooled.events),
            words::pooled_cell(analysis.key.metric, pooled),
            Shown::number("100%"),
            Shown::none(),
        ],
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => vec![
            Shown::none(),
            Shown::none(),
            Shown::none(),
            Shown::not_computed(&words::no_pool_reason(&analysis.pool)),
            Shown::none(),
            Shown::none(),
        ],
    };
    Row::new("Random-effects mean", cells).class("pool")
}

/// Heterogeneity of pooled analyses, one row each.
pub(super) fn heterogeneity(parts: &[(String, &Analysis)], caption: &str) -> Table {
    let mut table = Table::new(
        caption,
        &[
            "Analysis",
            "k",
            "Mean (95% CI)",
            "p",
            "τ² (95% CI)",
            "I²",
            "Q (df), p",
            "95% prediction interval",
        ],
    );
    for (heading, analysis) in parts {
        let cells = match &analysis.pool {
            PoolOutcome::Pooled(pooled) => vec![
                Shown::number(pooled.k.to_string()),
                words::pooled_cell(analysis.key.metric, pooled),
                Shown::number(p_value(pooled.p_value)),
                words::tau2(pooled),
                Shown::number(format!("{:.1}%", pooled.i2)),
                Shown::number(format!("{:.2} ({})", pooled.q, pooled.q_df))
                    .with(format!("p {}", equals(&p_value(pooled.q_p)))),
                words::prediction_cell(analysis.key.metric, pooled),
            ],
            PoolOutcome::TooFewSites { .. }
            | PoolOutcome::ConfoundedWithSite
            | PoolOutcome::NotPooled
            | PoolOutcome::Failed => {
                let reason = words::no_pool_reason(&analysis.pool);
                let mut cells = vec![Shown::none(), Shown::not_computed(&reason)];
                cells.extend((0..5).map(|_| Shown::none()));
                cells
            }
        };
        table.push(Row::new(heading.clone(), cells));
    }
    if let Some((_, first)) = parts.first() {
        table.notes.push(format!(
            "Means are back-transformed from the {}; τ² is on that scale. {}",
            words::scale(first.scale),
            tested(first),
        ));
    }
    table
}

fn tested(analysis: &Analysis) -> String {
    let metric = analysis.key.metric;
    if metric == Metric::Auc {
        return "p tests a mean AUC of 0.5.".to_owned();
    }
    match (metric.entry().neutral, analysis.scale) {
        (Some(0.0), Scale::Identity) => "p tests a value of 0.".to_owned(),
        (_, Scale::Log) => "p tests a ratio of 1.".to_owned(),
        (_, Scale::Logit) => "p tests a share of 50% and is rarely of interest.".to_owned(),
        (_, Scale::Identity) => "p tests a value of 0 and is rarely of interest.".to_owned(),
    }
}

/// Every estimate of a topic over all cases: one row per metric, the pool and the hospitals
/// beside each other; with many hospitals their range.
pub(super) fn topic_table(view: View<'_>, topic: Topic, skip: &[Metric], caption: &str) -> Table {
    table_where(view, caption, |one| {
        one.key.metric.entry().topic == topic && !skip.contains(&one.key.metric)
    })
}

/// The same for the analyses over all cases that are wanted.
pub(super) fn table_where(
    view: View<'_>,
    caption: &str,
    wanted: impl Fn(&Analysis) -> bool,
) -> Table {
    const COLUMNS_MAX: usize = 5;
    let sites = view.released();
    let mut head = vec!["Measure".to_owned(), "Mean over hospitals".to_owned()];
    if sites.len() <= COLUMNS_MAX {
        head.extend(sites.iter().map(|site| site.display_name.clone()));
    } else {
        head.push("Hospitals with a value".to_owned());
        head.push("Lowest to highest".to_owned());
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(caption, &head);
    let mut group = None;
    for analysis in view.study.analyses.iter().filter(|one| one.key.is_whole()) {
        let key = &analysis.key;
        if !wanted(analysis) {
            continue;
        }
        let of = (&key.model, &key.endpoint);
        if group != Some(of) {
            group = Some(of);
            table.group(format!("{}, {}", view.model(of.0), view.endpoint(of.1)));
        }
        let mut cells = vec![mean_cell(analysis)];
        if sites.len() <= COLUMNS_MAX {
            cells.extend(sites.iter().map(|site| {
                let row = analysis.sites.iter().find(|row| row.site == site.site);
                row.map_or_else(Shown::none, |row| words::site_cell(key.metric, row))
            }));
        } else {
            cells.extend(range_cells(analysis));
        }
        table.push(Row::new(row_name(view, analysis), cells));
    }
    table
}

fn row_name(view: View<'_>, analysis: &Analysis) -> String {
    let key = &analysis.key;
    let mut name = words::metric(key.metric).to_owned();
    if let Some(comparator) = &key.comparator {
        name.push_str(&format!(" against {}", view.model(comparator)));
    }
    if let Some(threshold) = key.threshold {
        name.push_str(&format!(" at {}", threshold));
    }
    if let Some(prevalence) = key.prevalence {
        let share = real(prevalence, Style::Percent);
        name.push_str(&format!(", prevalence {share}"));
    }
    name
}

/// The mean over hospitals, or why there is none.
pub(super) fn mean_cell(analysis: &Analysis) -> Shown {
    match &analysis.pool {
        PoolOutcome::Pooled(pooled) => words::pooled_cell(analysis.key.metric, pooled),
        PoolOutcome::NotPooled => Shown::words("not pooled"),
        PoolOutcome::TooFewSites { .. } | PoolOutcome::ConfoundedWithSite | PoolOutcome::Failed => {
            Shown::not_computed(&words::no_pool_reason(&analysis.pool))
        }
    }
}

fn range_cells(analysis: &Analysis) -> [Shown; 2] {
    let values: Vec<f64> = analysis
        .sites
        .iter()
        .filter_map(|row| row.estimate.number())
        .collect();
    let count = if values.is_empty() {
        Shown::words("none")
    } else {
        Shown::number(values.len().to_string())
    };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ends = if values.is_empty() {
        Shown::none()
    } else {
        Shown::number(range(low, high, words::style(analysis.key.metric)))
    };
    [count, ends]
}

/// `= 0.03` or `<0.001`.
pub(super) fn equals(p: &str) -> String {
    if p.starts_with(['<', '>']) {
        p.to_owned()
    } else {
        format!("= {p}")
    }
}
