//! Results of hospitals whose policy asks for differential privacy: what follows from their counts
//! with noise, each number with what the noise adds to its uncertainty.
//!
//! From: `pool::noisy`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, range, real};
use super::super::view::View;
use crate::pool::result::{NoisyEstimate, NoisyResult, SiteResult};

/// Hospitals whose release is counts with noise.
pub(super) fn hospitals(view: View<'_>) -> Vec<&SiteResult> {
    let sites = view.released().into_iter();
    sites.filter(|site| site.noise.is_some()).collect()
}

/// The page; none where no hospital used noise.
pub(super) fn page(view: View<'_>) -> Option<Section> {
    let sites = hospitals(view);
    if sites.is_empty() {
        return None;
    }
    let mut blocks = vec![
        Block::Note(
            "Counts with noise. These hospitals release the distribution of predictions by outcome \
             only, with random noise on every count (differential privacy), and nothing exact. \
             Their AUCs below enter the pool of AUCs with a variance that has the noise in it; no \
             other pool has them. A count may be negative and a rate may lie outside 0 and 1: \
             cutting them off would shift every sum."
                .to_owned(),
        ),
        Block::Table(noises(&sites)),
        Block::Table(areas(view)),
    ];
    blocks.extend(points(view).map(Block::Table));
    Some(Section {
        id: "noise",
        title: "Results with noise",
        blocks,
    })
}

fn noises(sites: &[&SiteResult]) -> Table {
    let mut table = Table::prose(
        "Noise by hospital",
        &[
            "Hospital",
            "Noise",
            "Off by, on average, per count",
            "Rows of one patient counted",
            "Blocks",
        ],
    );
    for site in sites {
        let Some(noise) = &site.noise else { continue };
        let blocks = site.noisy.first().map_or(0, |one| one.events.len());
        table.push(Row::new(
            &site.display_name,
            vec![
                Shown::words(noise.words()),
                Shown::number(real(noise.spread().absolute, Style::Plain(1))),
                Shown::number(noise.rows_per_patient.to_string()),
                Shown::number(blocks.to_string()),
            ],
        ));
    }
    table.notes.push(
        "Epsilon is what one release may tell of one patient: with or without that patient each \
         possible release is at most exp(epsilon) times as likely."
            .to_owned(),
    );
    table
}

fn heading(view: View<'_>, one: &NoisyResult) -> String {
    format!(
        "{}, {}",
        view.model(&one.model),
        view.endpoint(&one.endpoint)
    )
}

fn name(view: View<'_>, one: &NoisyResult) -> String {
    match &one.site {
        Some(site) => view.site(site),
        None => format!(
            "Merged counts of {} hospitals (these only)",
            one.sites.len()
        ),
    }
}

fn areas(view: View<'_>) -> Table {
    let level = number::level_words(view.study.protocol.pooling.level);
    let mut table = Table::new(
        "AUC from counts with noise",
        &[
            "Hospital",
            "Events",
            "Non-events",
            "Noise of either (SD)",
            &format!("AUC ({level} CI, noise included)"),
            "SE by noise alone",
        ],
    );
    let mut last = String::new();
    for one in &view.study.noisy {
        let title = heading(view, one);
        if title != last {
            table.group(&title);
            last = title;
        }
        let noise = one.auc.map_or_else(Shown::none, |auc| {
            Shown::number(real(auc.noise_se, Style::Plain(3)))
        });
        let row = Row::new(
            name(view, one),
            vec![
                Shown::number(real(one.events, Style::Plain(0))),
                Shown::number(real(one.non_events, Style::Plain(0))),
                Shown::number(real(one.total_noise, Style::Plain(1))),
                shown(one.auc, Style::Plain(3)),
                noise,
            ],
        );
        let class = if one.site.is_none() { "pool" } else { "" };
        table.push(row.class(class));
    }
    table.notes.push(
        "AUC of the score in blocks, ties by half; sampling variance after Hanley and McNeil. Merged \
         counts include pairs between hospitals. Not computed where a class is less than five \
         standard deviations of its own noise."
            .to_owned(),
    );
    table
}

fn points(view: View<'_>) -> Option<Table> {
    let level = number::level_words(view.study.protocol.pooling.level);
    let mut table = Table::new(
        format!(
            "At the protocol\u{2019}s thresholds, from counts with noise ({level} CI, noise included)"
        ),
        &[
            "Hospital",
            "Threshold",
            "Sensitivity",
            "Specificity",
            "Net benefit",
        ],
    );
    let mut last = String::new();
    for one in &view.study.noisy {
        let title = heading(view, one);
        if title != last && !one.points.is_empty() {
            table.group(&title);
            last = title;
        }
        for point in &one.points {
            let row = Row::new(
                name(view, one),
                vec![
                    Shown::number(point.threshold.to_string()),
                    shown(point.sensitivity, Style::Plain(2)),
                    shown(point.specificity, Style::Plain(2)),
                    shown(point.net_benefit, Style::Plain(3)),
                ],
            );
            let class = if one.site.is_none() { "pool" } else { "" };
            table.push(row.class(class));
        }
    }
    (!table.is_empty()).then_some(table)
}

fn shown(estimate: Option<NoisyEstimate>, style: Style) -> Shown {
    let Some(one) = estimate else {
        return Shown::not_computed("a class is not clear of its noise");
    };
    let shown = Shown::number(real(one.value, style));
    match one.interval {
        Some([low, high]) => shown.with(format!("({})", range(low, high, style))),
        None => shown.with("(no interval)"),
    }
}
