//! Contingency tables by hospital and over hospitals, with their tests.
//!
//! From: `pool::result::PooledTable`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, p_value, range, real};
use super::super::view::{LISTED, View};
use super::super::words;
use super::estimates::equals;
use super::fairness;
use crate::pool::result::{Cmh, PooledTable, Ratio, SiteTable, TestResult, TwoLevelsOverSites};
use crate::statistic::Cell;
use crate::study::SiteRole;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    for table in &view.study.tables {
        blocks.push(Block::Table(cells(view, table)));
        let tests = tests(view, table);
        if !tests.is_empty() {
            blocks.push(Block::Table(tests));
        }
    }
    blocks.extend(shuffled(view).map(Block::Table));
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
    for site in external.iter().filter(|_| !view.many()) {
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

/// Further tests of each hospital, and over hospitals.
fn tests(view: View<'_>, pooled: &PooledTable) -> Table {
    let (axis, _) = view.axis(&pooled.axis);
    let caption = format!("{}: {axis}, further tests", words::kind(pooled.kind));
    let mut table = Table::new(
        caption,
        &[
            "Hospital",
            "Corrected (Yates)",
            "G²",
            "Fisher, exact",
            "Trend over levels",
        ],
    );
    for site in &pooled.sites {
        let trend = site
            .trend_p
            .as_ref()
            .map_or_else(Shown::none, number::p_cell);
        let class = if site.role == SiteRole::External {
            ""
        } else {
            "apart"
        };
        let cells = vec![
            number::p_cell(&site.yates_p),
            number::p_cell(&site.g2_p),
            number::p_cell(&site.fisher_p),
            trend,
        ];
        table.push(Row::new(view.site(&site.site), cells).class(class));
    }
    table.cut(LISTED, "tests.csv");
    let notes = &mut table.notes;
    notes.push("P values, unadjusted, computed on exact rows at each hospital.".to_owned());
    if let Some(found) = &pooled.trend {
        notes.push(format!(
            "Trend over ordered levels within {}: {}.",
            words::plural(found.sites.len(), "hospital", "hospitals"),
            fairness::test(&found.test).line()
        ));
    }
    if let Some(found) = &pooled.two_levels {
        notes.extend(two_levels(found, &pooled.columns));
    }
    table
}

fn two_levels(found: &TwoLevelsOverSites, columns: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let [first, second] = &found.levels;
    let line = |test: &Option<TestResult>| {
        test.as_ref().map_or_else(
            || "not computed".to_owned(),
            |test| fairness::test(test).line(),
        )
    };
    let ratio = |ratio: &Option<Ratio>| match ratio {
        None => "not computed".to_owned(),
        Some(found) => match found.interval {
            None => real(found.estimate, Style::Plain(2)),
            Some([low, high]) => format!(
                "{} (95% CI {})",
                real(found.estimate, Style::Plain(2)),
                range(low, high, Style::Plain(2))
            ),
        },
    };
    let column = columns.first().map_or("", String::as_str);
    notes.push(format!(
        "{first} against {second} over {}: CMH {}; with continuity correction {}; \
         Mantel-Haenszel odds ratio of \"{column}\" {}.",
        words::plural(found.sites.len(), "hospital", "hospitals"),
        line(&found.cmh),
        line(&found.corrected),
        ratio(&found.odds_ratio),
    ));
    if let Some(exact) = &found.exact {
        let p = exact
            .p_value
            .map_or_else(|| "not computed".to_owned(), p_value);
        notes.push(format!(
            "From exact counts: exact test p {}, conditional odds ratio {}; risk ratio {}, risk \
             difference {}. One odds ratio at all hospitals: Breslow-Day {}; Tarone {}; Woolf {}{}.",
            equals(&p),
            ratio(&exact.odds_ratio),
            ratio(&exact.risk_ratio),
            ratio(&exact.risk_difference),
            line(&exact.breslow_day),
            line(&exact.tarone),
            line(&exact.woolf),
            if exact.half_added {
                " (one half added to every cell)"
            } else {
                ""
            },
        ));
    }
    notes
}

/// Target shuffling.
fn shuffled(view: View<'_>) -> Option<Table> {
    let mut table = Table::new(
        "Target shuffling: the ranking against outcomes permuted within each hospital",
        &["Hospital", "z", "p", "Exact p", "p by shuffling"],
    );
    for pooled in &view.study.permutation {
        let model = view.model(&pooled.model);
        table.group(format!("{model}, {}", view.endpoint(&pooled.endpoint)));
        let z = |z: Option<f64>, from: &Cell<f64>| match z {
            Some(z) => Shown::number(real(z, Style::Signed(2))),
            None => number::value(from, Style::Plain(2)),
        };
        let p = |p: Option<f64>| p.map_or_else(Shown::none, |p| Shown::number(p_value(p)));
        for site in &pooled.sites {
            let drawn = site
                .shuffled
                .as_ref()
                .map_or_else(Shown::none, |(plan, cell)| {
                    let shown = number::p_cell(cell);
                    shown.with(format!("{} shuffles, seed {}", plan.shuffles, plan.seed))
                });
            let cells = vec![
                z(site.z, &site.variance),
                p(site.p_value),
                number::p_cell(&site.exact_p),
                drawn,
            ];
            let class = if site.role == SiteRole::External {
                ""
            } else {
                "apart"
            };
            table.push(Row::new(view.site(&site.site), cells).class(class));
        }
        let none = Shown::none;
        let cells = vec![
            pooled
                .z
                .map_or_else(none, |z| Shown::number(real(z, Style::Signed(2)))),
            p(pooled.p_value),
            none(),
            none(),
        ];
        let head = format!("External hospitals together ({})", pooled.summed.len());
        table.push(Row::new(head, cells).class("pool"));
    }
    table.notes.push(
        "z: how far the rank sum of patients with the event lies from what shuffled outcomes \
         would give, in standard deviations; deviations and variances add over hospitals. A \
         small p says that the ranking is not chance, not that it is good."
            .to_owned(),
    );
    (!table.is_empty()).then_some(table)
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
