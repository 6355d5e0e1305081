//! Forest plots and tables of analyses: the same for every metric.
//!
//! From: `pool::result::Analysis`.
//! To: the pages on discrimination, calibration, operating points, comparators and subgroups.

use super::super::csv::slug;
use super::super::document::{Figure, Row, Table};
use super::super::figure::forest::{Axis, Forest, ForestRow};
use super::super::number::{self, Shown, Style, p_value, range, real};
use super::super::view::View;
use super::super::words;
use crate::pool::result::{Analysis, Metric, PoolOutcome, SiteEstimate};
use crate::statistic::Cell;
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
    let plot = Forest {
        id,
        title: title.to_owned(),
        description: sentences.join(" "),
        n_label: if has_events(metric) {
            "Events / n"
        } else {
            "n"
        }
        .to_owned(),
        estimate_label: format!("{} (95% CI)", short(metric)),
        axis: axis(view, parts, metric),
        rows,
    };
    let mut data = table_of(view, parts, title);
    data.label = "Data".to_owned();
    Figure {
        label: String::new(),
        caption: caption.to_owned(),
        svg: plot.draw(),
        data,
        narrow: false,
    }
}

fn short(metric: Metric) -> &'static str {
    match metric {
        Metric::AucDifference | Metric::GapAuc => "Difference",
        Metric::GapSelectionRate | Metric::GapTpr | Metric::GapFpr | Metric::GapPpv => {
            "Gap, points"
        }
        Metric::GapObservedExpected => "Ratio",
        Metric::Auc
        | Metric::ObservedExpected
        | Metric::Brier
        | Metric::Sensitivity
        | Metric::Specificity
        | Metric::Ppv
        | Metric::Npv
        | Metric::SelectionRate
        | Metric::Prevalence => words::metric(metric),
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

fn counts(metric: Metric, events: &Cell<u64>, n: &Cell<u64>) -> String {
    let n = number::short_count(n);
    if has_events(metric) {
        format!("{} / {n}", number::short_count(events))
    } else {
        n
    }
}

/// Whether events are a part of `n`; the denominator of a rate is a class or a prediction.
fn has_events(metric: Metric) -> bool {
    !matches!(
        metric,
        Metric::Sensitivity
            | Metric::Specificity
            | Metric::Ppv
            | Metric::Npv
            | Metric::GapTpr
            | Metric::GapFpr
            | Metric::GapPpv
    )
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
        apart,
    }
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

fn axis(view: View<'_>, parts: &[(String, &Analysis)], metric: Metric) -> Axis {
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
    match metric {
        Metric::Auc => {
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
            fixed(low, 1.0, 0.1, 1, text, references)
        }
        Metric::ObservedExpected | Metric::GapObservedExpected => {
            let text = if metric == Metric::ObservedExpected {
                "Observed / expected events (log axis)"
            } else {
                "O:E of the level over O:E of the rest (log axis)"
            };
            log_axis(ends, text)
        }
        Metric::AucDifference | Metric::GapAuc => {
            let half = half_width(ends, 0.1, 0.5);
            let text = if metric == Metric::GapAuc {
                "AUC of the level − AUC of the rest of the same hospital"
            } else {
                "← favours comparator · AUC difference · favours model →"
            };
            fixed(
                -half,
                half,
                half / 2.0,
                2,
                label(text),
                vec![(0.0, String::new())],
            )
        }
        Metric::GapSelectionRate | Metric::GapTpr | Metric::GapFpr | Metric::GapPpv => {
            let half = half_width(ends, 0.2, 1.0);
            let text = format!(
                "{}: level − rest of the same hospital (share)",
                words::metric(metric)
            );
            fixed(-half, half, half / 2.0, 2, text, vec![(0.0, String::new())])
        }
        Metric::Brier => fixed(0.0, 0.5, 0.1, 1, label("Brier score"), vec![]),
        Metric::Sensitivity
        | Metric::Specificity
        | Metric::Ppv
        | Metric::Npv
        | Metric::SelectionRate
        | Metric::Prevalence => fixed(0.0, 1.0, 0.25, 2, label(words::metric(metric)), vec![]),
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
        (Some(_), _) => Shown::words("yes"),
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

fn tested(analysis: &Analysis) -> &'static str {
    match analysis.key.metric {
        Metric::Auc => "p tests a mean AUC of 0.5.",
        Metric::ObservedExpected | Metric::GapObservedExpected => "p tests a ratio of 1.",
        Metric::AucDifference
        | Metric::GapSelectionRate
        | Metric::GapTpr
        | Metric::GapFpr
        | Metric::GapPpv
        | Metric::GapAuc => "p tests a difference of 0.",
        Metric::Brier => "p tests a score of 0 and is of no interest.",
        Metric::Sensitivity
        | Metric::Specificity
        | Metric::Ppv
        | Metric::Npv
        | Metric::SelectionRate
        | Metric::Prevalence => "p tests a share of 50% and is rarely of interest.",
    }
}

/// `= 0.03` or `<0.001`.
pub(super) fn equals(p: &str) -> String {
    if p.starts_with(['<', '>']) {
        p.to_owned()
    } else {
        format!("= {p}")
    }
}
