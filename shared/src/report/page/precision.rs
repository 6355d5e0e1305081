//! Precision-recall curves, and the measures of discrimination beside the AUC.
//!
//! From: curves from histograms, analyses of the topic discrimination.
//! To: `page::discrimination`.

use super::super::document::{Block, Figure, Row, Table};
use super::super::figure::roc::{self, Curve, Level, Look, Square};
use super::super::number::{Shown, Style, range, real};
use super::super::view::{self, View};
use super::discrimination::{Split, curve_name, histograms};
use super::estimates::topic_table;
use crate::pool::result::{MergedCurve, Metric, PrPoint};
use crate::statistic::confusion::RateMeasure;
use crate::statistic::metric::Topic;
use crate::study::{EndpointId, ModelId};

/// External hospitals beyond which only the merged curve is drawn.
const HOSPITALS_DRAWN: usize = 8;

/// Partial area, average precision, largest Youden index.
pub(super) fn measures(view: View<'_>) -> Option<Block> {
    let mut table = topic_table(
        view,
        Topic::Discrimination,
        &[Metric::Auc],
        "Further measures of discrimination by hospital",
    );
    if table.is_empty() {
        return None;
    }
    if let Some(range) = &view.study.protocol.partial_auc {
        table.notes.push(format!(
            "Partial AUC: area over {}, corrected after McClish: 0.5 is a useless score, 1 a \
             perfect one.",
            range.words()
        ));
    }
    let plan = view.study.protocol.bootstrap;
    table.notes.push(format!(
        "Average precision rises with the event rate, so it is described per hospital and not \
         pooled. The largest Youden index is a maximum over the grid of thresholds and therefore \
         optimistic; it is no recommendation. Intervals: {} resamples of patients, seed {}, \
         bias-corrected and accelerated.",
        plan.resamples, plan.seed
    ));
    Some(Block::Table(table))
}

/// Points (recall, precision) at the prespecified thresholds of one hospital.
fn operating(view: View<'_>, curve: &MergedCurve) -> Vec<(f64, f64)> {
    let site = curve
        .site
        .as_ref()
        .and_then(|slug| view.study.sites.iter().find(|site| site.site == *slug));
    let Some(site) = site else {
        return Vec::new();
    };
    view::confusions(site)
        .filter(|table| table.model == curve.model && table.endpoint == curve.endpoint)
        .filter_map(|table| {
            let rate = |wanted| {
                let found = table.rates.iter().find(|rate| rate.measure == wanted)?;
                found.value.number()
            };
            Some((rate(RateMeasure::Sensitivity)?, rate(RateMeasure::Ppv)?))
        })
        .collect()
}

/// The precision-recall curves of one model; `None` without any.
pub(super) fn figure(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    split: Split<'_>,
) -> Option<Figure> {
    let (external, apart, merged) = split;
    let many = external.len() > 4;
    // Beyond a handful, single hospitals are in curves.csv only.
    let (external, apart) = if external.len() > HOSPITALS_DRAWN {
        (&external[..0], &apart[..0])
    } else {
        (external, apart)
    };
    let make = |curve: &MergedCurve, look| drawn(view, curve, look, many);
    let mut lines: Vec<Curve> = apart.iter().map(|curve| make(curve, Look::Grey)).collect();
    for (index, curve) in external.iter().enumerate() {
        let look = if many { Look::Grey } else { Look::Hue(index) };
        lines.push(make(curve, look));
    }
    lines.extend(merged.iter().map(|curve| make(curve, Look::Bold)));
    lines.retain(|line| !line.points.is_empty());
    if lines.is_empty() {
        return None;
    }
    let name = view.model(model);
    let title = format!("Precision-recall curves of {name}");
    let data = table(view, &title, (external, apart, merged), many);
    let all: Vec<&MergedCurve> = merged.iter().chain(external).copied().collect();
    let reading = reading(view, &all);
    let levels = levels(view, &all);
    let description = format!("{reading} The points are in the table of data.");
    Some(Figure {
        label: String::new(),
        reading,
        caption: caption(view, &name, endpoint, &lines),
        svg: roc::draw(
            Square::PrecisionRecall,
            &format!("precision-recall-{model}-{endpoint}"),
            &title,
            &description,
            (&lines, &levels),
        ),
        data,
        narrow: true,
        source: histograms(view, &all),
    })
}

/// The event rate: the precision where everybody is called positive.
fn event_rate(curve: &MergedCurve) -> Option<f64> {
    let everybody = curve.points.last()?.fpr >= 1.0 - 1e-9;
    let last = curve.precision_recall.last()?;
    (everybody && last.recall >= 1.0 - 1e-9).then_some(last.precision)
}

/// The event rate of merged patients, or of the only curve, as a line.
fn levels(view: View<'_>, curves: &[&MergedCurve]) -> Vec<Level> {
    let merged = curves.iter().find(|curve| curve.site.is_none());
    let chosen = merged.or_else(|| curves.first().filter(|_| curves.len() == 1));
    let rate = chosen.and_then(|curve| Some((curve, event_rate(curve)?)));
    let level = rate.map(|(curve, at)| Level {
        at,
        label: format!(
            "event rate {}, {}",
            real(at, Style::Percent),
            curve_name(view, curve).to_lowercase()
        ),
    });
    level.into_iter().collect()
}

fn reading(view: View<'_>, curves: &[&MergedCurve]) -> String {
    const RECALL: f64 = 0.8;
    let Some(curve) = curves.first() else {
        return "No hospital released blocks of scores.".to_owned();
    };
    let name = match &curve.site {
        Some(site) => format!("At {}", view.site(site)),
        None => "Over all patients taken together".to_owned(),
    };
    let reached = curve
        .precision_recall
        .iter()
        .find(|one| one.recall >= RECALL);
    let at = reached.map_or_else(String::new, |one| {
        format!(
            "where the model finds {} of the events, {} of those it calls positive have one",
            real(one.recall, Style::Percent),
            real(one.precision, Style::Percent)
        )
    });
    let base = event_rate(curve).map_or_else(String::new, |rate| {
        format!(
            "; calling everybody positive gives {}, the event rate",
            real(rate, Style::Percent)
        )
    });
    format!("{name}, {at}{base}.")
}

/// One curve as it is drawn; of `many`, only the merged one carries a name and markers.
fn drawn(view: View<'_>, curve: &MergedCurve, look: Look, many: bool) -> Curve {
    let named = !many || look == Look::Bold;
    let band = curve.precision_recall.iter().filter_map(|point| {
        let [low, high] = point.band.filter(|_| look == Look::Bold)?;
        Some((point.recall, low, high))
    });
    Curve {
        label: if named {
            curve_name(view, curve)
        } else {
            String::new()
        },
        site: curve_name(view, curve),
        points: curve
            .precision_recall
            .iter()
            .map(|point| (point.recall, point.precision))
            .collect(),
        band: band.collect(),
        operating: if named {
            operating(view, curve)
        } else {
            Vec::new()
        },
        look,
    }
}

fn caption(view: View<'_>, name: &str, endpoint: &EndpointId, lines: &[Curve]) -> String {
    let mut caption = format!(
        "Precision-recall curves of {name} for {}, from score histograms. Filled markers: \
         prespecified thresholds; dash-dotted: the event rate, which is the precision of calling \
         everybody positive. Precision rises with a hospital's event rate: compare curves with care.",
        view.endpoint(endpoint)
    );
    if lines.iter().any(|line| line.look == Look::Bold) {
        caption.push_str(" Black: merged patients, at the event rate of all of them.");
    }
    if lines.iter().any(|line| !line.band.is_empty()) {
        let method = view.study.protocol.intervals.proportion.words();
        caption.push_str(&format!(
            " Grey area: {method} intervals of the merged precision, point by point; these \
             sites only."
        ));
    }
    caption
}

/// The points behind the curves; fewer of them for many hospitals.
fn table(view: View<'_>, title: &str, split: Split<'_>, many: bool) -> Table {
    let (external, apart, merged) = split;
    let most = if many { 8 } else { 40 };
    let head = ["Curve and threshold", "Recall", "Precision"];
    let mut table = Table::new(title, &head);
    for curve in external.iter().chain(apart).chain(merged) {
        if curve.precision_recall.is_empty() {
            continue;
        }
        table.group(curve_name(view, curve));
        let step = curve.precision_recall.len().div_ceil(most).max(1);
        for point in curve.precision_recall.iter().step_by(step) {
            let head = format!("≥ {}", real(point.threshold, Style::Plain(4)));
            let recall = Shown::number(real(point.recall, Style::Plain(3)));
            table.push(Row::new(head, vec![recall, precision(point)]));
        }
    }
    table.label = "Data".to_owned();
    table.notes.push(format!(
        "At most {most} points per curve; all points are in curves.csv."
    ));
    table
}

fn precision(point: &PrPoint) -> Shown {
    let shown = Shown::number(real(point.precision, Style::Plain(3)));
    match point.band {
        Some([low, high]) => shown.with(format!("({})", range(low, high, Style::Plain(3)))),
        None => shown,
    }
}
