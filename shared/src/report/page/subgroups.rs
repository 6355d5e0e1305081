//! Subgroups: results by level of each axis, and the gap of each level to the rest of the same
//! hospital (decisions C4, C10).
//!
//! From: `statistic::subgroup` as released, analyses of gaps.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, p_value};
use super::super::view::View;
use super::super::words;
use super::estimates::{equals, forest_of};
use super::fairness;
use crate::pool::result::{Analysis, AxisFairness, Metric, PoolOutcome};
use crate::statistic::subgroup::{Measure, SubgroupRow, SubgroupTable};
use crate::statistic::{Cell, Disclosed, Statistic};
use crate::study::{AxisId, ModelId, SiteRole};

const GAPS: [Metric; 9] = [
    Metric::GapSelectionRate,
    Metric::GapTpr,
    Metric::GapFpr,
    Metric::GapPpv,
    Metric::GapAuc,
    Metric::GapObservedExpected,
    Metric::GapNpv,
    Metric::GapBrier,
    Metric::GapXauc,
];

/// Gaps that are drawn; the others are in the table.
const DRAWN: [Metric; 2] = [Metric::GapAuc, Metric::GapTpr];

/// What stands instead of every hospital's rows.
const SHORTENED: &str = "With more than twelve hospitals each one's own levels and gaps are in \
                         estimates.csv and counts.csv and not repeated here.";

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Text(
        "Each level is compared with the rest of the same hospital, and these gaps are pooled by \
         random effects, so that differences between hospitals do not pose as differences between \
         patients. Intervals are unadjusted: with this many comparisons some exclude zero by \
         chance alone. P values of declared gaps are also given adjusted for their number, after \
         Holm and after Benjamini and Hochberg."
            .to_owned(),
    )];
    let glance = [
        (Metric::GapAuc, Measure::Auc),
        (Metric::GapTpr, Measure::Tpr),
    ];
    for (metric, measure) in glance {
        blocks.extend(super::overview::figure(view, metric, measure).map(Block::Figure));
    }
    for (model, axis) in keys(view) {
        let (label, prespecified) = view.axis(&axis);
        let mark = if prespecified { "" } else { " (exploratory)" };
        blocks.push(Block::Heading(format!(
            "{label}{mark}, {}",
            view.model(&model)
        )));
        if !prespecified {
            blocks.push(Block::Note(format!(
                "{label} was not declared in the protocol before the data were seen; everything \
                 under this heading is exploratory."
            )));
        }
        if view.many() {
            blocks.push(Block::Text(SHORTENED.to_owned()));
        } else {
            for rates in [true, false] {
                blocks.push(Block::Table(levels(view, &model, &axis, &label, rates)));
            }
        }
        gaps(view, &model, &axis, &label, &mut blocks);
        let same = |one: &&AxisFairness| one.model == model && one.axis == axis;
        if let Some(found) = view.study.fairness.iter().find(same) {
            fairness::axis(view, found, &label, &mut blocks);
        }
    }
    fairness::between(view, &mut blocks);
    fairness::representation(view, &mut blocks);
    if blocks.len() == 1 {
        blocks = vec![Block::Note(
            "The protocol declares no subgroup axis, or no hospital released a subgroup table."
                .to_owned(),
        )];
    }
    Section {
        id: "subgroups",
        title: "Subgroups",
        blocks,
    }
}

fn tables<'a>(
    view: View<'a>,
) -> impl Iterator<Item = (String, SiteRole, &'a SubgroupTable<Disclosed>)> {
    view.released().into_iter().flat_map(|site| {
        site.statistics
            .iter()
            .filter_map(Statistic::subgroup_table)
            .map(move |table| (site.display_name.clone(), site.role, table))
    })
}

fn keys(view: View<'_>) -> Vec<(ModelId, AxisId)> {
    let mut keys = Vec::new();
    for (_, _, table) in tables(view) {
        let key = (table.model.clone(), table.axis.clone());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// Rates at the threshold, or what needs none.
fn levels(view: View<'_>, model: &ModelId, axis: &AxisId, label: &str, rates: bool) -> Table {
    let mut head = vec!["Hospital", "n", "Events"];
    head.extend(measures(rates).map(|measure| words::measure(measure).0));
    let found: Vec<_> = tables(view)
        .filter(|(_, _, table)| table.model == *model && table.axis == *axis)
        .collect();
    let threshold = found.first().map_or(0.0, |(_, _, table)| table.threshold);
    let mut table = Table::new(
        format!(
            "{label}: {} by level and hospital, with unadjusted 95% intervals",
            if rates { "rates" } else { "results" }
        ),
        &head,
    );
    let mut names: Vec<&str> = Vec::new();
    for row in found.iter().flat_map(|(_, _, table)| &table.rows) {
        if !names.contains(&row.level.as_str()) {
            names.push(&row.level);
        }
    }
    let mut empty = Vec::new();
    for level in names {
        let rows: Vec<(&str, SiteRole, &SubgroupRow<Disclosed>)> = found
            .iter()
            .filter_map(|(name, role, table)| {
                let row = table.rows.iter().find(|row| row.level == level)?;
                Some((name.as_str(), *role, row))
            })
            .collect();
        if rows.iter().all(|(_, _, row)| row.n == Cell::Zero) {
            empty.push(level.to_owned());
            continue;
        }
        table.group(level);
        for (name, role, row) in rows {
            table.push(level_row(name, role, row, rates));
        }
    }
    if rates {
        let note = format!("Rates at the threshold {threshold}.");
        table.notes.push(note);
    } else {
        table.notes.push(
            "Cross-group AUC: the level's patients with the event ranked against the rest of the \
             hospital's patients without it."
                .to_owned(),
        );
    }
    if !empty.is_empty() {
        table
            .notes
            .push(format!("No case at any hospital: {}.", words::join(&empty)));
    }
    table
}

fn measures(rates: bool) -> impl Iterator<Item = Measure> {
    let all = Measure::ALL.iter().copied();
    all.filter(move |measure| measure.needs_threshold() == rates)
}

fn level_row(name: &str, role: SiteRole, row: &SubgroupRow<Disclosed>, rates: bool) -> Row {
    let mut cells = vec![number::count(&row.n), number::count(&row.events)];
    for wanted in measures(rates) {
        let (_, style) = words::measure(wanted);
        let found = row
            .measures
            .iter()
            .find(|measure| measure.measure == wanted);
        cells.push(found.map_or_else(Shown::none, |found| {
            number::estimate(&found.value, &found.low, &found.high, style)
        }));
    }
    Row::new(name, cells).class(if role == SiteRole::External {
        ""
    } else {
        "apart"
    })
}

fn gaps(view: View<'_>, model: &ModelId, axis: &AxisId, label: &str, blocks: &mut Vec<Block>) {
    let of = |metric: Metric| -> Vec<(String, &Analysis)> {
        view.study
            .analyses
            .iter()
            .filter(|analysis| {
                analysis.key.metric == metric
                    && analysis.key.model == *model
                    && analysis.key.axis.as_ref() == Some(axis)
            })
            .map(|analysis| (analysis.key.level.clone().unwrap_or_default(), analysis))
            .collect()
    };
    let all: Vec<(Metric, Vec<(String, &Analysis)>)> = GAPS
        .iter()
        .map(|&metric| (metric, of(metric)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    if all.is_empty() {
        return;
    }
    let confounded = all
        .iter()
        .flat_map(|(_, parts)| parts)
        .all(|(_, analysis)| analysis.pool == PoolOutcome::ConfoundedWithSite);
    if confounded {
        blocks.push(Block::Note(format!(
            "{label}: confounded with site; no gap. Its levels go with the hospitals, so a gap would compare hospitals and not patients. The levels are described above."
        )));
        return;
    }
    // Rates and the rest apart: nine columns do not fit on paper.
    let (rates, rest): (Vec<_>, Vec<_>) = all
        .iter()
        .cloned()
        .partition(|(metric, _)| metric.entry().style == Style::Points);
    for part in [rates, rest].iter().filter(|part| !part.is_empty()) {
        blocks.push(Block::Table(gap_table(view, part, label)));
    }
    if view.many() {
        return;
    }
    for (metric, parts) in all.iter().filter(|(metric, _)| DRAWN.contains(metric)) {
        let title = format!(
            "{label}: gap in {} to the rest of the same hospital",
            words::metric(*metric)
        );
        let caption = format!(
            "{title}, by level. Unadjusted 95% intervals; diamond: random-effects mean over \
             external hospitals."
        );
        blocks.push(Block::Figure(forest_of(view, parts, &title, &caption)));
    }
}

fn gap_table(view: View<'_>, all: &[(Metric, Vec<(String, &Analysis)>)], label: &str) -> Table {
    let mut head = vec!["Level".to_owned()];
    head.extend(
        all.iter()
            .map(|(metric, _)| words::metric(*metric).to_owned()),
    );
    let mut table = Table::new(
        format!(
            "{label}: gap of each level in {} to the rest of the same hospital, pooled over external hospitals, with unadjusted 95% intervals",
            words::join(
                &all.iter()
                    .map(|(metric, _)| words::metric(*metric).to_owned())
                    .collect::<Vec<_>>()
            )
        ),
        &[],
    );
    table.head = head;
    let mut names: Vec<&String> = Vec::new();
    for (level, _) in all.iter().flat_map(|(_, parts)| parts) {
        if !names.contains(&level) {
            names.push(level);
        }
    }
    for level in names {
        let cells = all
            .iter()
            .map(|(metric, parts)| {
                let found = parts.iter().find(|(name, _)| name == level);
                found.map_or_else(Shown::none, |(_, analysis)| {
                    gap_cell(view, *metric, analysis)
                })
            })
            .collect();
        table.push(Row::new(level, cells));
    }
    table.notes.push("Rates in percentage points, AUC as a difference, O:E as a ratio (1 means no gap). k: hospitals in the pool. Holm and Benjamini-Hochberg (BH) over every declared gap that was pooled.".to_owned());
    table
}

fn gap_cell(view: View<'_>, metric: Metric, analysis: &Analysis) -> Shown {
    match &analysis.pool {
        PoolOutcome::Pooled(pooled) => {
            let shown = words::pooled_cell(metric, pooled);
            let mut sub = format!(
                "{}; k\u{a0}=\u{a0}{}; p {}",
                shown.sub.clone().unwrap_or_default(),
                pooled.k,
                equals(&p_value(pooled.p_value)),
            );
            let mut family = view.study.family.iter();
            if let Some(found) = family.find(|one| one.key == analysis.key) {
                sub.push_str(&format!(
                    ", adjusted {} (Holm), {} (BH)",
                    p_value(found.holm),
                    p_value(found.benjamini_hochberg)
                ));
            }
            shown.with(sub)
        }
        PoolOutcome::TooFewSites { sites, minimum } => {
            Shown::not_computed(&format!("{sites} of {minimum} hospitals needed"))
        }
        PoolOutcome::ConfoundedWithSite => Shown::not_computed("confounded with site; no gap"),
        PoolOutcome::NotPooled => Shown::not_computed("not pooled"),
        PoolOutcome::Failed => Shown::not_computed("the estimator did not converge"),
    }
}
