//! Single hospitals in a mean, drawn: the mean without each of them, and the diagnostics of their
//! influence.
//!
//! From: `pool::robustness`.
//! To: `page::robustness`.

use super::super::csv::slug;
use super::super::document::{Figure, Row, Source, Table};
use super::super::figure::forest::{Forest, ForestRow};
use super::super::figure::influence::{self, Line, Panel};
use super::super::number::{Shown, Style, level_words, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::{axis, scale_label, short};
use super::reading::{Ends, some};
use super::robustness::named;
use crate::pool::result::{Analysis, LeftOutSite, Pooled, SiteInfluence};

/// Median of chi-squared with one degree of freedom, the customary bound of Cook's distance.
const COOK: f64 = 0.454_936_423_119_573;
/// A residual beyond this many standard errors stands out.
const RESIDUAL: f64 = 3.0;
/// Width of the plot of means, which has no column of counts to show.
const WIDTH: f64 = 820.0;

/// Forest plot of the mean without each hospital.
pub(super) fn left_out(view: View<'_>, name: &str, analysis: &Analysis) -> Option<Figure> {
    let pooled = analysis.pool.pooled()?;
    let found = &pooled.robustness;
    let metric = analysis.key.metric;
    let style = words::style(metric);
    let shown = named(found);
    let lines: Vec<&LeftOutSite> = found
        .leave_one_out
        .iter()
        .filter(|one| shown.contains(&&one.site))
        .collect();
    let values = lines.iter().map(|one| (one.estimate, view.site(&one.site)));
    let ends = Ends::of(values)?;
    let title = format!("{name} without each hospital in turn");
    let reading = format!(
        "Leaving out one hospital moved the mean to between {} without {} and {} without {}; with \
         all it was {}.",
        real(ends.low.0, style),
        ends.low.1,
        real(ends.high.0, style),
        ends.high.1,
        real(pooled.estimate, style)
    );
    let mut axis = axis(view, &[(String::new(), analysis)], metric);
    axis.references = vec![(pooled.estimate, String::new())];
    let level = level_words(pooled.level);
    let plot = Forest {
        id: format!("left-out-{}", slug(&analysis.key)),
        title: title.clone(),
        description: reading.clone(),
        width: WIDTH,
        row_label: "Hospital left out".to_owned(),
        n_label: String::new(),
        estimate_label: format!("Mean {} ({level} CI)", short(metric)),
        scale_label: scale_label(&axis).to_owned(),
        last_label: "I²".to_owned(),
        axis,
        rows: left_out_rows(view, analysis, pooled, &lines),
    };
    Some(Figure {
        label: String::new(),
        reading,
        caption: format!(
            "{title}. Each row: the random-effects mean of the other hospitals with its {level} \
             confidence interval; vertical line and diamond: the mean of all."
        ),
        svg: plot.draw(),
        data: left_out_data(view, &title, analysis, pooled),
        narrow: false,
        source: Source::Estimates,
    })
}

/// One row per hospital left out, and the mean of all.
fn left_out_rows(
    view: View<'_>,
    analysis: &Analysis,
    pooled: &Pooled,
    lines: &[&LeftOutSite],
) -> Vec<ForestRow> {
    let metric = analysis.key.metric;
    let style = words::style(metric);
    let mut rows: Vec<ForestRow> = lines
        .iter()
        .map(|one| ForestRow::Site {
            label: view.site(&one.site),
            n: String::new(),
            point: Some((one.estimate, one.interval.map(|[low, high]| (low, high)))),
            text: match one.interval {
                Some([low, high]) => format!(
                    "{} ({})",
                    real(one.estimate, style),
                    range(low, high, style)
                ),
                None => real(one.estimate, style),
            },
            weight: None,
            last: format!("{:.1}%", one.i2),
            apart: false,
            without: None,
        })
        .collect();
    rows.push(ForestRow::Pool {
        label: format!("All hospitals, k = {}", pooled.k),
        n: String::new(),
        point: (pooled.estimate, pooled.low, pooled.high),
        text: words::pooled_cell(metric, pooled).line(),
    });
    rows
}

fn left_out_data(view: View<'_>, title: &str, analysis: &Analysis, pooled: &Pooled) -> Table {
    let level = level_words(pooled.level);
    let mean = format!("Mean without it ({level} CI)");
    let mut data = Table::new(title, &["Hospital left out", &mean, "τ²", "I²"]);
    data.label = "Data".to_owned();
    let style = words::style(analysis.key.metric);
    let shown = named(&pooled.robustness);
    let all = pooled.robustness.leave_one_out.iter();
    for one in all.filter(|one| shown.contains(&&one.site)) {
        let mean = Shown::number(real(one.estimate, style));
        let mean = match one.interval {
            Some([low, high]) => mean.with(format!("({})", range(low, high, style))),
            None => mean.with("no interval"),
        };
        let cells = vec![
            mean,
            Shown::number(real(one.tau2, Style::Plain(3))),
            Shown::number(format!("{:.1}%", one.i2)),
        ];
        data.push(Row::new(view.site(&one.site), cells));
    }
    if pooled.robustness.leave_one_out.len() > shown.len() {
        let note = "Hospitals that move the mean most; all stand in robustness.csv.";
        data.notes.push(note.to_owned());
    }
    data
}

/// Diagnostics of influence by hospital.
pub(super) fn influence(view: View<'_>, name: &str, analysis: &Analysis) -> Option<Figure> {
    let pooled = analysis.pool.pooled()?;
    let found = &pooled.robustness;
    let shown = named(found);
    let chosen: Vec<&SiteInfluence> = found
        .influence
        .iter()
        .filter(|one| shown.contains(&&one.site))
        .collect();
    let k = f64::from(u32::try_from(pooled.k).unwrap_or(u32::MAX));
    let dffits = 3.0 / (k - 1.0).max(1.0).sqrt();
    let panels = panels(dffits);
    let values = |one: &SiteInfluence| {
        [
            one.studentised,
            one.dffits,
            one.cooks_distance,
            one.q_residual,
        ]
    };
    let lines: Vec<Line> = chosen
        .iter()
        .map(|one| (view.site(&one.site), values(one).to_vec()))
        .collect();
    let largest = chosen
        .iter()
        .max_by(|a, b| a.dffits.abs().total_cmp(&b.dffits.abs()))?;
    let beyond: Vec<String> = chosen
        .iter()
        .filter(|one| {
            values(one)
                .iter()
                .zip(&panels)
                .any(|(value, panel)| value.abs() > panel.bound)
        })
        .map(|one| view.site(&one.site))
        .collect();
    let verdict = if beyond.is_empty() {
        "No hospital passed a customary bound.".to_owned()
    } else {
        format!("Beyond a customary bound: {}.", some(beyond, 4))
    };
    let reading = format!(
        "{} moved the mean most (DFFITS {}). {verdict}",
        view.site(&largest.site),
        real(largest.dffits, Style::Plain(2))
    );
    let title = format!("{name}: influence of single hospitals");
    Some(Figure {
        label: String::new(),
        caption: format!(
            "{title}. Dashed: customary bounds; a filled diamond lies beyond one. A reason to look \
             at the hospital\u{2019}s data, and none to leave it out."
        ),
        svg: influence::draw(
            &format!("influence-{}", slug(&analysis.key)),
            &title,
            &reading,
            &panels,
            &lines,
        ),
        reading,
        data: influence_data(&title, &panels, &lines),
        narrow: false,
        source: Source::Estimates,
    })
}

fn panels(dffits: f64) -> [Panel; 4] {
    let panel = |title: &str, remark: &str, bound, signed| Panel {
        title: title.to_owned(),
        remark: remark.to_owned(),
        bound,
        signed,
        digits: if signed { 1 } else { 2 },
    };
    [
        panel(
            "Studentised residual",
            "distance from the others",
            RESIDUAL,
            true,
        ),
        panel("DFFITS", "shift of the mean", dffits, true),
        panel("Cook's distance", "squared shift", COOK, false),
        panel("Residual of Q", "part in heterogeneity", RESIDUAL, true),
    ]
}

fn influence_data(title: &str, panels: &[Panel], lines: &[Line]) -> Table {
    let mut data = Table::new(title, &["Hospital"]);
    data.label = "Data".to_owned();
    data.head
        .extend(panels.iter().map(|panel| panel.title.clone()));
    for (name, values) in lines {
        let cells = values
            .iter()
            .map(|value| Shown::number(real(*value, Style::Plain(2))));
        data.push(Row::new(name, cells.collect()));
    }
    let bounds: Vec<String> = panels
        .iter()
        .map(|panel| {
            let bound = real(panel.bound, Style::Plain(2));
            format!("{} {bound}", panel.title)
        })
        .collect();
    data.notes.push(format!("Bounds: {}.", bounds.join("; ")));
    data
}
