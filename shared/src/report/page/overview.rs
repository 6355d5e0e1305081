//! Subgroups at a glance: one row per level, each against the rest of its own hospital.
//!
//! From: analyses of gaps, tests of interaction, adjusted p values.
//! To: `page::subgroups`.

use super::super::document::{Figure, Row, Source, Table};
use super::super::figure::forest::{FULL, Forest, ForestRow};
use super::super::number::{self, Shown, level_words, p_value, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::{axis, counts, equals, scale_label, short};
use crate::pool::result::{Analysis, AxisFairness, Metric, PoolOutcome, Pooled};
use crate::statistic::Cell;
use crate::statistic::subgroup::Measure;
use crate::study::{AxisId, ModelId};

/// One axis: its heading with the test over its levels, and the levels.
struct Axes<'a> {
    heading: String,
    levels: Vec<(String, &'a Analysis)>,
}

/// The figure of one gap of the model under validation; none where no level has one.
pub(super) fn figure(view: View<'_>, metric: Metric, measure: Measure) -> Option<Figure> {
    let model = view.study.protocol.index_model()?;
    let axes = axes(view, &model.id, metric, measure);
    let parts: Vec<(String, &Analysis)> = axes
        .iter()
        .flat_map(|axis| axis.levels.iter().cloned())
        .collect();
    if parts.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    for one in &axes {
        rows.push(ForestRow::Heading(one.heading.clone()));
        rows.extend(
            one.levels
                .iter()
                .map(|(level, part)| row(view, level, part)),
        );
    }
    let mut axis = axis(view, &parts, metric);
    axis.label = format!("← worse · {} · better →", axis.label);
    let title = format!(
        "{} of {} by level of every axis",
        words::metric(metric),
        model.name
    );
    let level = level_words(view.study.protocol.pooling.level);
    let reading = reading(view, &parts, metric);
    let plot = Forest {
        id: format!("levels-{}", words::metric_slug(metric)),
        title: title.clone(),
        description: reading.clone(),
        width: FULL,
        row_label: "Axis and level".to_owned(),
        n_label: if metric.entry().with_events {
            "Events / n".to_owned()
        } else {
            "n".to_owned()
        },
        estimate_label: format!("{} ({level} CI)", short(metric)),
        scale_label: scale_label(&axis).to_owned(),
        last_label: "p, Holm".to_owned(),
        axis,
        rows,
    };
    Some(Figure {
        label: String::new(),
        caption: format!(
            "{title}. Each square is the random-effects mean over external hospitals of the \
             difference between the level and the rest of the same hospital, with its unadjusted \
             {level} confidence interval. Last column: p value, and adjusted after Holm for the \
             declared gaps. In the headings: test that the level makes no difference within \
             hospitals (interaction)."
        ),
        svg: plot.draw(),
        reading,
        data: data(view, &title, &axes, metric),
        narrow: false,
        source: Source::Estimates,
    })
}

fn axes<'a>(view: View<'a>, model: &ModelId, metric: Metric, measure: Measure) -> Vec<Axes<'a>> {
    let mut out: Vec<(AxisId, Axes<'a>)> = Vec::new();
    for analysis in &view.study.analyses {
        let key = &analysis.key;
        let (Some(axis), Some(level)) = (&key.axis, &key.level) else {
            continue;
        };
        if key.metric != metric || key.model != *model || key.sensitivity.is_some() {
            continue;
        }
        // A level that no hospital has says nothing.
        if analysis.sites.iter().all(|row| row.n == Cell::Zero) {
            continue;
        }
        let entry = (level.clone(), analysis);
        match out.iter_mut().find(|(known, _)| known == axis) {
            Some((_, axes)) => axes.levels.push(entry),
            None => out.push((
                axis.clone(),
                Axes {
                    heading: heading(view, model, axis, measure),
                    levels: vec![entry],
                },
            )),
        }
    }
    out.into_iter().map(|(_, axes)| axes).collect()
}

fn heading(view: View<'_>, model: &ModelId, axis: &AxisId, measure: Measure) -> String {
    let (label, prespecified) = view.axis(axis);
    let mark = if prespecified { "" } else { " (exploratory)" };
    let same = |one: &&AxisFairness| one.model == *model && one.axis == *axis;
    let tested = view.study.fairness.iter().find(same).and_then(|found| {
        let mut all = found.interaction.iter();
        all.find(|one| one.measure == measure)
    });
    let test = tested.map_or_else(
        || "interaction not tested".to_owned(),
        |one| format!("interaction p {}", equals(&p_value(one.test.p_value))),
    );
    format!("{label}{mark}: {test}")
}

/// The p value of a gap, and adjusted for the family of declared gaps.
fn tested(view: View<'_>, analysis: &Analysis, pooled: &Pooled) -> String {
    let mut family = view.study.family.iter();
    let adjusted = family
        .find(|one| one.key == analysis.key)
        .map_or_else(|| "–".to_owned(), |one| p_value(one.holm));
    format!("{}, {adjusted}", p_value(pooled.p_value))
}

fn row(view: View<'_>, level: &str, analysis: &Analysis) -> ForestRow {
    let metric = analysis.key.metric;
    let Some(pooled) = analysis.pool.pooled() else {
        return ForestRow::Site {
            label: level.to_owned(),
            n: String::new(),
            point: None,
            text: no_pool(&analysis.pool),
            weight: None,
            last: String::new(),
            apart: false,
            without: None,
        };
    };
    let style = words::style(metric);
    ForestRow::Site {
        label: level.to_owned(),
        n: counts(metric, &pooled.events, &pooled.n),
        point: Some((pooled.estimate, Some((pooled.low, pooled.high)))),
        text: format!(
            "{} ({})",
            real(pooled.estimate, style),
            range(pooled.low, pooled.high, style)
        ),
        weight: None,
        last: tested(view, analysis, pooled),
        apart: false,
        without: None,
    }
}

/// Why a level has no pooled gap, for a narrow column.
fn no_pool(pool: &PoolOutcome) -> String {
    match pool {
        PoolOutcome::TooFewSites { sites, minimum } => {
            format!("no pool: {sites} of {minimum} hospitals")
        }
        PoolOutcome::ConfoundedWithSite => "confounded with site".to_owned(),
        PoolOutcome::NotPooled => "not pooled".to_owned(),
        PoolOutcome::Failed => "did not converge".to_owned(),
        PoolOutcome::Pooled(_) => String::new(),
    }
}

fn reading(view: View<'_>, parts: &[(String, &Analysis)], metric: Metric) -> String {
    let style = words::style(metric);
    let mut pooled: Vec<(&str, &Analysis, &Pooled)> = parts
        .iter()
        .filter_map(|(level, analysis)| Some((level.as_str(), *analysis, analysis.pool.pooled()?)))
        .collect();
    pooled.sort_by(|a, b| b.2.mu.abs().total_cmp(&a.2.mu.abs()));
    let Some((level, analysis, largest)) = pooled.first() else {
        return format!(
            "None of {} could be compared with the rest of its hospital over enough hospitals.",
            words::plural(parts.len(), "level", "levels")
        );
    };
    let axis = analysis.key.axis.as_ref();
    let axis = axis.map_or_else(String::new, |axis| view.axis(axis).0);
    let adjusted = view
        .study
        .family
        .iter()
        .filter(|one| one.key.metric == metric && one.holm < 1.0 - largest.level);
    format!(
        "The largest of {} was at {axis}, {level}: {} ({} CI {}). After adjusting for the number \
         of comparisons {} had p below {:.2}.",
        words::plural(pooled.len(), "pooled gap", "pooled gaps"),
        real(largest.estimate, style),
        level_words(largest.level),
        range(largest.low, largest.high, style),
        match adjusted.count() {
            0 => "none".to_owned(),
            count => count.to_string(),
        },
        1.0 - largest.level
    )
}

fn data(view: View<'_>, title: &str, axes: &[Axes<'_>], metric: Metric) -> Table {
    let level = level_words(view.study.protocol.pooling.level);
    let gap = format!("{} ({level} CI)", short(metric));
    let head = [
        "Level",
        "n",
        "Events",
        "Hospitals",
        &gap,
        "p, and after Holm",
    ];
    let mut data = Table::new(title, &head);
    data.label = "Data".to_owned();
    for axis in axes {
        data.group(axis.heading.clone());
        for (level, analysis) in &axis.levels {
            let cells = match analysis.pool.pooled() {
                Some(pooled) => vec![
                    number::count(&pooled.n),
                    number::count(&pooled.events),
                    Shown::number(pooled.k.to_string()),
                    words::pooled_cell(metric, pooled),
                    Shown::number(tested(view, analysis, pooled)),
                ],
                None => {
                    let reason = words::no_pool_reason(&analysis.pool);
                    let none = Shown::none;
                    vec![none(), none(), none(), Shown::not_computed(&reason), none()]
                }
            };
            data.push(Row::new(level, cells));
        }
    }
    data
}
