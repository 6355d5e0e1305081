//! Who and what is in the results, drawn as stacked bars: levels against the declared target
//! population, eligible cases against analysed ones, lesions found by size.
//!
//! From: `pool::fairness`, `statistic::{flow, lesion}` as released.
//! To: `page::{fairness, flow, segmentation}`.

use super::super::document::{Figure, Row, Source, Table};
use super::super::figure::shares::{self, Bar, Block, PARTS_MAX};
use super::super::number::{Shown, Style, real};
use super::super::view::{self, View, sum};
use super::reading::Ends;
use crate::pool::result::AxisRepresentation;
use crate::statistic::flow::Flow;
use crate::statistic::{Cell, Disclosed, Statistic};
use crate::study::{EndpointId, ModelId};

/// Hospitals beyond which only their sum has a bar.
const SITES_MAX: usize = 12;

/// Shares of counts; none where one of them is hidden.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of cases stay far below 2^53"
)]
fn shares(counts: &[Cell<u64>]) -> Option<Vec<f64>> {
    let numbers: Vec<u64> = counts.iter().map(Cell::number).collect::<Option<_>>()?;
    let total: u64 = numbers.iter().sum();
    (total > 0).then(|| {
        let share = |count: &u64| *count as f64 / total as f64;
        numbers.iter().map(share).collect()
    })
}

fn bar(label: String, found: Option<Vec<f64>>, site: bool) -> Bar {
    Bar {
        label,
        words: if found.is_none() {
            "not drawn: a count is withheld or none is there".to_owned()
        } else {
            String::new()
        },
        shares: found.unwrap_or_default(),
        bold: !site,
        site,
    }
}

/// The last parts together, so that no more than are told apart remain.
fn folded(mut parts: Vec<String>, bars: &mut [Bar]) -> Vec<String> {
    if parts.len() <= PARTS_MAX {
        return parts;
    }
    parts.truncate(PARTS_MAX - 1);
    parts.push("all others".to_owned());
    for bar in bars {
        if bar.shares.len() > PARTS_MAX {
            let rest: f64 = bar.shares.split_off(PARTS_MAX - 1).iter().sum();
            bar.shares.push(rest);
        }
    }
    parts
}

fn table(title: &str, blocks: &[Block]) -> Table {
    let mut data = Table::new(title, &["Bar", "Part and its share"]);
    data.label = "Data".to_owned();
    for block in blocks {
        data.group(block.title.clone());
        for bar in &block.bars {
            let said: Vec<String> = block
                .parts
                .iter()
                .zip(&bar.shares)
                .map(|(part, share)| format!("{part} {}", real(*share, Style::Percent)))
                .collect();
            let cell = if said.is_empty() {
                Shown::not_computed("a count is withheld or none is there")
            } else {
                Shown::words(said.join("; "))
            };
            data.push(Row::new(&bar.label, vec![cell]));
        }
    }
    data.prose = true;
    data
}

/// Levels of every axis that has a declared target population.
pub(super) fn represented(view: View<'_>) -> Option<Figure> {
    let axes = &view.study.representation;
    if axes.is_empty() {
        return None;
    }
    let mut readings = Vec::new();
    let mut blocks = Vec::new();
    for axis in axes {
        let (label, _) = view.axis(&axis.axis);
        let (bars, reading) = of_axis(view, axis, &label);
        readings.extend(reading);
        let mut bars = bars;
        let parts = folded(axis.levels.clone(), &mut bars);
        blocks.push(Block {
            title: label,
            parts,
            bars,
        });
    }
    let title = "Analysed cases against the declared target population".to_owned();
    let reading = if readings.is_empty() {
        "The shares of the levels are withheld where a count behind them is.".to_owned()
    } else {
        readings.join(" ")
    };
    Some(Figure {
        label: String::new(),
        caption: format!(
            "{title}: shares of the recorded levels. First bar of each axis: the target; then \
             external hospitals together, then each."
        ),
        svg: shares::draw("represented", &title, &reading, &blocks),
        data: table(&title, &blocks),
        reading,
        narrow: false,
        source: Source::Counts,
    })
}

fn of_axis(view: View<'_>, axis: &AxisRepresentation, label: &str) -> (Vec<Bar>, Option<String>) {
    let total = shares(&axis.total);
    let reading = total.as_ref().and_then(|found| {
        let off = axis.levels.iter().zip(found).zip(&axis.shares);
        let farthest = off.max_by(|a, b| {
            let gap = |one: &((&String, &f64), &f64)| (one.0.1 - one.1).abs();
            gap(a).total_cmp(&gap(b))
        })?;
        let ((level, share), target) = farthest;
        Some(format!(
            "{label}: farthest from the target was {level}, {} of the cases against {} in the \
             target.",
            real(*share, Style::Percent),
            real(*target, Style::Percent)
        ))
    });
    let mut bars = vec![
        bar(
            "Target population".to_owned(),
            Some(axis.shares.clone()),
            false,
        ),
        bar("External hospitals".to_owned(), total, false),
    ];
    if axis.sites.len() <= SITES_MAX {
        for site in &axis.sites {
            bars.push(bar(view.site(&site.site), shares(&site.counts), true));
        }
    }
    (bars, reading)
}

/// Shares of the eligible cases: analysed with the event, without it, and not analysed; none where
/// one of the three counts is hidden.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of cases stay far below 2^53"
)]
fn fate(eligible: Cell<u64>, events: Cell<u64>, others: Cell<u64>) -> Option<Vec<f64>> {
    let (events, others) = (events.number()?, others.number()?);
    // Rounding may leave fewer eligible cases than analysed ones.
    let whole = eligible.number()?.max(events + others);
    let share = |count: u64| count as f64 / whole as f64;
    (whole > 0).then(|| vec![share(events), share(others), share(whole - events - others)])
}

/// What became of the eligible cases of one endpoint.
pub(super) fn eligible(view: View<'_>, endpoint: &EndpointId) -> Option<Figure> {
    let flows: Vec<(String, &Flow<Disclosed>)> = view
        .external()
        .into_iter()
        .filter_map(|site| Some((site.display_name.clone(), view::flow(site, endpoint)?)))
        .collect();
    if flows.is_empty() {
        return None;
    }
    let total =
        |pick: fn(&Flow<Disclosed>) -> Cell<u64>| sum(flows.iter().map(|(_, flow)| pick(flow)));
    let all = fate(
        total(|flow| flow.eligible),
        total(|flow| flow.events),
        total(|flow| flow.non_events),
    );
    let own = |flow: &Flow<Disclosed>| fate(flow.eligible, flow.events, flow.non_events);
    let mut bars = vec![bar("External hospitals".to_owned(), all, false)];
    if flows.len() <= SITES_MAX {
        for (name, flow) in &flows {
            bars.push(bar(name.clone(), own(flow), true));
        }
    }
    let [yes, no] = super::segmentation::classes(view);
    let names = [
        format!("analysed, {}", yes.to_lowercase()),
        format!("analysed, {}", no.to_lowercase()),
        "not analysed".to_owned(),
    ];
    let label = view.endpoint(endpoint);
    let analysed = flows.iter().filter_map(|(name, flow)| {
        let found = own(flow)?;
        Some((found.iter().take(2).sum(), name.clone()))
    });
    let reading = Ends::of(analysed).map_or_else(
        || "A count behind the shares is withheld at every hospital.".to_owned(),
        |ends| {
            let hospitals = super::super::words::plural(ends.count, "hospital", "hospitals");
            if ends.low.0 >= 1.0 {
                return format!("All eligible cases were analysed, at {hospitals}.");
            }
            format!(
                "Of the eligible cases {} were analysed, over {}.",
                ends.words(Style::Percent),
                hospitals
            )
        },
    );
    let title = format!("Eligible cases for {label}: how many were analysed");
    let blocks = [Block {
        title: label,
        parts: names.to_vec(),
        bars,
    }];
    Some(Figure {
        label: String::new(),
        caption: format!(
            "{title}. Each bar is all eligible cases of a hospital; not analysed are those without a \
             reference standard or without a prediction of every model. Rounded counts are drawn as \
             rounded. Levels of the axes are not released for eligible cases, only for analysed ones."
        ),
        svg: shares::draw(&format!("eligible-{endpoint}"), &title, &reading, &blocks),
        data: table(&title, &blocks),
        reading,
        narrow: false,
        source: Source::Counts,
    })
}

/// Found and missed lesions by their size, over external hospitals; none where no size is told.
pub(super) fn sizes(view: View<'_>, model: &ModelId, endpoint: &EndpointId) -> Option<Figure> {
    let mut bands: Vec<(String, [Cell<u64>; 2])> = Vec::new();
    for site in view.external() {
        let mut all = site.statistics.iter().filter_map(Statistic::lesions);
        let found = all.find(|one| one.model == *model && one.endpoint == *endpoint);
        for size in found.into_iter().flat_map(|one| &one.sizes) {
            match bands.iter_mut().find(|(level, _)| *level == size.level) {
                Some((_, [found, missed])) => {
                    *found = found.plus(size.found);
                    *missed = missed.plus(size.not_found);
                }
                None => bands.push((size.level.clone(), [size.found, size.not_found])),
            }
        }
    }
    let bars: Vec<Bar> = bands
        .into_iter()
        .map(|(level, counts)| bar(level, shares(&counts), false))
        .collect();
    let known = bars
        .iter()
        .filter_map(|bar| Some((*bar.shares.first()?, bar.label.clone())));
    let ends = Ends::of(known)?;
    let label = view.endpoint(endpoint);
    let title = format!("{label}: lesions found by size");
    let reading = format!(
        "{} found {} of the lesions, by their size.",
        view.model(model),
        ends.words(Style::Percent)
    );
    let blocks = [Block {
        title: format!("{label}, size of the lesion"),
        parts: vec!["found".to_owned(), "missed".to_owned()],
        bars,
    }];
    Some(Figure {
        label: String::new(),
        caption: format!(
            "{title}, external hospitals\u{2019} lesions together. Small lesions are easier to miss: \
             hospitals with more of them have a lower sensitivity for the same model."
        ),
        svg: shares::draw(
            &format!("sizes-{model}-{endpoint}"),
            &title,
            &reading,
            &blocks,
        ),
        data: table(&title, &blocks),
        reading,
        narrow: false,
        source: Source::Counts,
    })
}
