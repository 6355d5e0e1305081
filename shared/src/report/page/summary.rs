//! Sensitivity and specificity over hospitals: the paired forest plot, the summary point and its
//! regions.
//!
//! From: analyses of both rates, `pool::summary_point`, 2x2 tables as released.
//! To: `page::operating`.

use super::super::document::{Block, Figure, Row, Source, Table};
use super::super::figure::paired::{self, Kind, PairedRow, Side};
use super::super::figure::summary::{self, Dot, Summary};
use super::super::number::{self, Shown, Style, level_words, range, real};
use super::super::view::{self, View};
use super::super::words;
use super::operating::Found;
use super::reading;
use crate::pool::result::{
    Analysis, Boundary, SiteEstimate, SummaryOutcome, SummaryPoint, SummaryValues,
};
use crate::statistic::Disclosed;
use crate::statistic::confusion::Confusion;
use crate::study::{SiteRole, Threshold};

/// The summary point at one threshold: table, and picture where there is a region.
pub(super) fn summary(view: View<'_>, point: &SummaryPoint) -> Vec<Block> {
    let name = format!("{} at {}", view.model(&point.model), point.threshold);
    match &point.outcome {
        SummaryOutcome::Fitted {
            counts,
            logits,
            rounded_sensitivity,
            rounded_specificity,
        } => {
            let mut table = summary_table(&name, point, counts, logits.as_deref());
            let mut bound = |what: &str, ends: &Option<[f64; 2]>| {
                if let Some([low, high]) = ends {
                    table.notes.push(format!(
                        "Rounded counts enter by their number; within their rounding the {what} lies between {}.",
                        range(*low, *high, Style::Percent).replace(" to ", " and ")
                    ));
                }
            };
            bound("sensitivity", rounded_sensitivity);
            bound("specificity", rounded_specificity);
            for one in &point.without {
                table.notes.push(format!(
                    "Not in it: {} ({}).",
                    view.site(&one.site),
                    words::excluded(one.reason)
                ));
            }
            vec![
                Block::Table(table),
                Block::Figure(region(view, &name, point, counts)),
            ]
        }
        SummaryOutcome::TooFewSites { sites, minimum } => vec![Block::Note(format!(
            "{name}: no summary point of sensitivity and specificity; {sites} of {minimum} \
             hospitals needed released a usable 2×2 table."
        ))],
        SummaryOutcome::OneSided => vec![Block::Note(format!(
            "{name}: no summary point of sensitivity and specificity; over all hospitals one of \
             them has no error or nothing but errors."
        ))],
        SummaryOutcome::Failed => vec![Block::Note(format!(
            "{name}: no summary point of sensitivity and specificity; the model did not converge."
        ))],
    }
}

fn summary_table(
    name: &str,
    point: &SummaryPoint,
    counts: &SummaryValues,
    logits: Option<&SummaryValues>,
) -> Table {
    let mut table = Table::new(
        format!(
            "Summary point of {name} over {} hospitals",
            point.sites.len()
        ),
        &[
            "Model",
            "Sensitivity (95% CI)",
            "Specificity (95% CI)",
            "τ² of logit sensitivity",
            "τ² of logit false positive rate",
            "Correlation between hospitals",
        ],
    );
    let percent = |value: f64, ends: Option<[f64; 2]>| {
        let shown = Shown::number(real(value, Style::Percent));
        match ends {
            Some([low, high]) => shown.with(format!("({})", range(low, high, Style::Percent))),
            None => shown,
        }
    };
    let row = |head: &str, values: &SummaryValues| {
        let rho = match (values.rho, values.boundary) {
            (None, _) => Shown::not_computed("a variance is 0"),
            (Some(rho), Boundary::Correlation) => {
                Shown::number(real(rho, Style::Signed(2))).with("on the boundary")
            }
            (Some(rho), Boundary::Inside | Boundary::Variance) => {
                Shown::number(real(rho, Style::Signed(2)))
            }
        };
        Row::new(
            head,
            vec![
                percent(values.sensitivity, values.sensitivity_interval),
                percent(values.specificity, values.specificity_interval),
                Shown::number(real(values.tau2_sensitivity, Style::Plain(3))),
                Shown::number(real(values.tau2_fpr, Style::Plain(3))),
                rho,
            ],
        )
    };
    table.push(row("Counts: bivariate binomial-normal", counts).class("pool"));
    if let Some(values) = logits {
        table.push(row("Corrected logits: bivariate normal, REML", values));
    }
    table.notes.push(
        "Correlation of logit sensitivity with the logit false positive rate; positive where \
         hospitals lie along one ROC curve."
            .to_owned(),
    );
    if counts.confidence_region.is_empty() {
        table.notes.push(
            "No region is drawn: fewer than five hospitals, or a fit on the boundary, where the \
             point stands and the shape of a region does not."
                .to_owned(),
        );
    }
    table
}

/// Points and regions of a summary point.
fn region(view: View<'_>, name: &str, point: &SummaryPoint, values: &SummaryValues) -> Figure {
    let outline = |edge: &[[f64; 2]]| edge.iter().map(|at| (at[0], at[1])).collect::<Vec<_>>();
    let plot = Summary {
        dots: dots(view, point),
        centre: (1.0 - values.specificity, values.sensitivity),
        mean: outline(&values.confidence_region),
        next: outline(&values.prediction_region),
    };
    let id = format!(
        "summary-{}-{}-{}",
        point.model, point.endpoint, point.threshold
    );
    let title = format!("Summary point of {name}");
    let reading = format!(
        "The summary point over {} hospitals was a sensitivity of {} with a specificity of {}.{}",
        point.sites.len(),
        real(values.sensitivity, Style::Percent),
        real(values.specificity, Style::Percent),
        match (plot.mean.is_empty(), point.sites.len()) {
            (false, _) => "",
            (true, 0..=4) => " No region is drawn, since there are fewer than five hospitals.",
            (true, _) => {
                " No region is drawn: the fit lies on the boundary, where its shape is not known."
            }
        }
    );
    let mut caption = format!(
        "{title}, by the bivariate binomial-normal model of the 2×2 tables. Circles: hospitals, \
         area in proportion to their cases; diamond: summary point."
    );
    if !plot.mean.is_empty() {
        caption.push_str(
            " Solid line: where the mean over hospitals lies; dashed line: where the next \
             hospital lies.",
        );
    }
    Figure {
        label: String::new(),
        caption,
        svg: summary::draw(&id.replace('.', "-"), &title, &reading, &plot),
        reading,
        data: points(&title, &plot),
        narrow: true,
        source: Source::Estimates,
    }
}

fn points(title: &str, plot: &Summary) -> Table {
    let head = ["Point", "False positive rate", "True positive rate"];
    let mut data = Table::new(title, &head);
    data.label = "Data".to_owned();
    let cells = |at: (f64, f64)| {
        [at.0, at.1]
            .map(|value| Shown::number(real(value, Style::Plain(3))))
            .to_vec()
    };
    data.push(Row::new("Summary point", cells(plot.centre)));
    for dot in &plot.dots {
        data.push(Row::new(&dot.label, cells(dot.at)));
    }
    data.cut(view::DRAWN, "counts.csv");
    for (edge, head) in [(&plot.mean, "mean"), (&plot.next, "next hospital")] {
        for at in edge.iter().step_by(9) {
            data.push(Row::new(format!("Edge, {head}"), cells(*at)));
        }
    }
    data
}

/// The hospitals of a summary point by their counts.
fn dots(view: View<'_>, point: &SummaryPoint) -> Vec<Dot> {
    let mut dots: Vec<Dot> = Vec::new();
    for site in view.released() {
        if !point.sites.contains(&site.site) {
            continue;
        }
        let table = view::confusions(site).find(|table| {
            table.model == point.model
                && table.endpoint == point.endpoint
                && table.threshold.to_bits() == point.threshold.to_bits()
        });
        let rates = table.and_then(|table| {
            let [hit, miss, alarm, calm] = counts(table)?;
            let share = |part: f64, rest: f64| (part + rest > 0.0).then(|| part / (part + rest));
            Some((
                share(alarm, calm)?,
                share(hit, miss)?,
                hit + miss + alarm + calm,
            ))
        });
        if let Some((fpr, tpr, size)) = rates {
            dots.push(Dot {
                label: site.display_name.clone(),
                at: (fpr, tpr),
                size,
            });
        }
    }
    let largest = dots.iter().map(|dot| dot.size).fold(1.0, f64::max);
    dots.iter_mut().for_each(|dot| dot.size /= largest);
    dots
}

/// The four cells as numbers, where none is hidden.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of cases stay far below 2^53"
)]
fn counts(table: &Confusion<Disclosed>) -> Option<[f64; 4]> {
    let cell = |cell: &crate::statistic::Cell<u64>| cell.number().map(|count| count as f64);
    Some([
        cell(&table.true_positive)?,
        cell(&table.false_negative)?,
        cell(&table.false_positive)?,
        cell(&table.true_negative)?,
    ])
}

/// Both rates of every hospital side by side.
pub(super) fn paired(
    view: View<'_>,
    threshold: &Threshold,
    (sensitivity, specificity): (&Analysis, &Analysis),
    tables: &Found<'_>,
) -> Figure {
    let both = [sensitivity, specificity];
    let mut rows: Vec<PairedRow> = Vec::new();
    for external in [true, false] {
        for (name, role, table) in tables {
            if (*role == SiteRole::External) == external {
                rows.push(site_row(view, name, *role, both, table));
            }
        }
        if external {
            rows.extend(pool_rows(view, threshold, both));
        }
    }
    let name = format!("{} at {}", view.model(&threshold.model), threshold.value);
    let title = format!("Sensitivity and specificity of {name} by hospital");
    let ran = |analysis: &Analysis| {
        reading::ends(view, analysis).map_or_else(
            || "withheld everywhere".to_owned(),
            |ends| ends.words(Style::Percent),
        )
    };
    let reading = format!(
        "At the threshold {} sensitivity over the external hospitals was {}, specificity {}.",
        threshold.value,
        ran(sensitivity),
        ran(specificity)
    );
    let level = level_words(view.study.protocol.pooling.level);
    let id = format!(
        "paired-{}-{}-{}",
        threshold.model, threshold.endpoint, threshold.value
    );
    Figure {
        label: String::new(),
        caption: format!(
            "{title}. Squares: estimate; lines: {level} confidence interval; diamonds: mean over \
             hospitals; bar: prediction interval. Where one falls as the other rises, hospitals \
             differ in where the threshold lies on their curve. Open circles: hospitals in no pool."
        ),
        svg: paired::draw(&id.replace('.', "-"), &title, &reading, &level, &rows),
        reading,
        data: paired_data(&title, &level, &rows),
        narrow: false,
        source: Source::Estimates,
    }
}

fn paired_data(title: &str, level: &str, rows: &[PairedRow]) -> Table {
    let heads = [
        "Hospital".to_owned(),
        "TP / events".to_owned(),
        format!("Sensitivity ({level} CI)"),
        "TN / others".to_owned(),
        format!("Specificity ({level} CI)"),
    ];
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut data = Table::new(title, &heads);
    data.label = "Data".to_owned();
    for row in rows {
        let cells = row.sides.iter().flat_map(|side| match side {
            Some(side) => [
                Shown::words(side.count.clone()),
                Shown::words(side.text.clone()),
            ],
            None => [Shown::none(), Shown::none()],
        });
        let summary = matches!(row.kind, Kind::Pool | Kind::Prediction);
        let class = if summary { "pool" } else { "" };
        data.push(Row::new(&row.label, cells.collect()).class(class));
    }
    data.cut(view::DRAWN, "estimates.csv");
    data
}

fn site_row(
    view: View<'_>,
    name: &str,
    role: SiteRole,
    both: [&Analysis; 2],
    table: &Confusion<Disclosed>,
) -> PairedRow {
    let of = |analysis: &Analysis| -> Option<SiteEstimate> {
        let mut rows = analysis.sites.iter();
        rows.find(|row| view.site(&row.site) == name).cloned()
    };
    let right = [
        (table.true_positive, table.false_negative),
        (table.true_negative, table.false_positive),
    ];
    let mut sides = both.iter().zip(right).map(|(analysis, (right, wrong))| {
        let found = of(analysis)?;
        Some(Side {
            count: if right.number().is_none() && wrong.number().is_none() {
                "withheld".to_owned()
            } else {
                format!(
                    "{} / {}",
                    number::short_count(&right),
                    number::short_count(&right.plus(wrong))
                )
            },
            estimate: found.estimate.number(),
            interval: found.low.number().zip(found.high.number()),
            text: words::site_cell(analysis.key.metric, &found)
                .line()
                .replace("at least", "\u{2265}")
                .replace("at most", "\u{2264}"),
        })
    });
    PairedRow {
        label: name.to_owned(),
        kind: if role == SiteRole::External {
            Kind::Site
        } else {
            Kind::Apart
        },
        sides: [sides.next().flatten(), sides.next().flatten()],
    }
}

/// The bivariate summary point where there is one, the two means, and their prediction intervals.
fn pool_rows(view: View<'_>, threshold: &Threshold, both: [&Analysis; 2]) -> Vec<PairedRow> {
    let mut rows = Vec::new();
    let mut points = view.study.bivariate.iter();
    let point = points.find(|point| {
        point.model == threshold.model
            && point.endpoint == threshold.endpoint
            && point.threshold.to_bits() == threshold.value.to_bits()
    });
    let side = |estimate: f64, interval: Option<[f64; 2]>| Side {
        count: String::new(),
        estimate: Some(estimate),
        interval: interval.map(|[low, high]| (low, high)),
        text: match interval {
            Some([low, high]) => format!(
                "{} ({})",
                real(estimate, Style::Percent),
                range(low, high, Style::Percent)
            ),
            None => real(estimate, Style::Percent),
        },
    };
    if let Some(SummaryOutcome::Fitted { counts, .. }) = point.map(|point| &point.outcome) {
        rows.push(PairedRow {
            label: "Summary point, both together".to_owned(),
            kind: Kind::Pool,
            sides: [
                Some(side(counts.sensitivity, counts.sensitivity_interval)),
                Some(side(counts.specificity, counts.specificity_interval)),
            ],
        });
    }
    let pools = both.map(|analysis| analysis.pool.pooled());
    if pools.iter().any(Option::is_some) {
        rows.push(PairedRow {
            label: "Mean, each on its own".to_owned(),
            kind: Kind::Pool,
            sides: pools
                .map(|pool| pool.map(|pool| side(pool.estimate, Some([pool.low, pool.high])))),
        });
    }
    let ahead = pools.map(|pool| pool.and_then(|pool| pool.prediction));
    if ahead.iter().any(Option::is_some) {
        rows.push(PairedRow {
            label: "Prediction interval".to_owned(),
            kind: Kind::Prediction,
            sides: ahead.map(|ends| {
                let [low, high] = ends?;
                Some(Side {
                    count: String::new(),
                    estimate: None,
                    interval: Some((low, high)),
                    text: format!("({})", range(low, high, Style::Percent)),
                })
            }),
        });
    }
    rows
}
