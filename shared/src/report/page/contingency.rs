//! Contingency tables by hospital and over hospitals, with their tests.
//!
//! From: `pool::result::PooledTable`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, p_value, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::equals;
use crate::pool::result::{Cmh, PooledTable, SiteTable};
use crate::statistic::Cell;
use crate::study::SiteRole;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    for table in &view.study.tables {
        blocks.push(Block::Table(cells(view, table)));
    }
    if blocks.is_empty() {
        blocks.push(Block::Note(
            "No hospital released a contingency table.".to_owned(),
        ));
    } else {
        blocks.insert(
            0,
            Block::Text(
                "Pearson's chi-squared (χ²) and Cramér's V were computed on exact rows at each \
                 hospital. The Cochran-Mantel-Haenszel (CMH) test combines the external hospitals \
                 without mixing them. The p values are unadjusted."
                    .to_owned(),
            ),
        );
    }
    Section {
        id: "contingency",
        title: "Contingency tables",
        blocks,
    }
}

fn cells(view: View<'_>, pooled: &PooledTable) -> Table {
    let (axis, prespecified) = view.axis(&pooled.axis);
    let mut caption = format!("{}: {axis}", words::kind(pooled.kind));
    if let (Some(model), Some(threshold)) = (&pooled.model, pooled.threshold) {
        caption.push_str(&format!(", {} at {threshold}", view.model(model)));
    }
    caption.push_str(&format!(", {}", view.endpoint(&pooled.endpoint)));
    if !prespecified {
        caption.push_str(" (exploratory)");
    }
    let mut table = Table::new(caption, &["Level"]);
    table.head.extend(pooled.columns.iter().cloned());
    let (external, apart): (Vec<_>, Vec<_>) = pooled
        .sites
        .iter()
        .partition(|site| site.role == SiteRole::External);
    let empty: Vec<bool> = (0..pooled.levels.len())
        .map(|index| {
            pooled.sites.iter().all(|site| {
                site.cells
                    .get(index)
                    .is_none_or(|row| row.iter().all(|cell| *cell == Cell::Zero))
            })
        })
        .collect();
    for site in &external {
        push(
            &mut table,
            title(view, site),
            pooled,
            &site.cells,
            &empty,
            "",
        );
    }
    if external.len() > 1 {
        let heading = format!("Sum of external hospitals · {}", cmh(view, &pooled.cmh));
        push(&mut table, heading, pooled, &pooled.total, &empty, "pool");
    }
    for site in &apart {
        let heading = format!("{} ({})", title(view, site), words::site_role(site.role));
        push(&mut table, heading, pooled, &site.cells, &empty, "apart");
    }
    let absent: Vec<String> = pooled
        .levels
        .iter()
        .zip(&empty)
        .filter(|(_, empty)| **empty)
        .map(|(level, _)| level.clone())
        .collect();
    if !absent.is_empty() {
        table.notes.push(format!(
            "No case at any hospital: {}.",
            words::join(&absent)
        ));
    }
    table
}

fn push(
    table: &mut Table,
    heading: String,
    pooled: &PooledTable,
    cells: &[Vec<Cell<u64>>],
    empty: &[bool],
    class: &'static str,
) {
    table.group(heading);
    for ((level, row), empty) in pooled.levels.iter().zip(cells).zip(empty) {
        if !empty {
            table.push(Row::new(level, row.iter().map(number::count).collect()).class(class));
        }
    }
}

fn title(view: View<'_>, site: &SiteTable) -> String {
    let name = view.site(&site.site);
    let Some(chi) = site.chi_squared.number() else {
        let shown: Shown = number::value(&site.chi_squared, Style::Plain(2));
        return format!("{name} · χ² {}", shown.text);
    };
    format!(
        "{name} · χ²({}) = {chi:.2}, p {}, V = {}",
        site.degrees_of_freedom,
        equals(&number::p_cell(&site.p_value).text),
        number::value(&site.cramers_v, Style::Plain(2)).text,
    )
}

fn cmh(view: View<'_>, cmh: &Cmh) -> String {
    match cmh {
        Cmh::Computed {
            sites,
            statistic,
            degrees_of_freedom,
            p_value: p,
            odds_ratio,
            odds_ratio_interval,
        } => {
            let whom = if sites.len() == view.external().len() {
                "all external hospitals".to_owned()
            } else {
                words::join(&sites.iter().map(|site| view.site(site)).collect::<Vec<_>>())
            };
            let odds = match (odds_ratio, odds_ratio_interval) {
                (Some(ratio), Some([low, high])) => format!(
                    ", Mantel-Haenszel odds ratio {} (95% CI {})",
                    real(*ratio, Style::Plain(2)),
                    range(*low, *high, Style::Plain(2))
                ),
                (Some(_), None) | (None, _) => String::new(),
            };
            format!(
                "CMH({degrees_of_freedom}) = {statistic:.2}, p {}{odds}; {whom}",
                equals(&p_value(*p)),
            )
        }
        Cmh::NotComputed { reason } => format!("CMH not computed: {}", reason.words()),
    }
}
