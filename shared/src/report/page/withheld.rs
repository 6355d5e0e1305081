//! What was withheld: every item, the rules such items stand under, what is known instead, which
//! pools it is missing from and what that leaves open; and what was rounded.
//!
//! From: `pool::result` (`withheld`, `missing`, `rounded`).
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{Shown, range, real, whole};
use super::super::view::{DRAWN, View};
use super::super::words::{self, join, plural};
use crate::pool::result::{MissingFromPool, SiteOutcome, SiteResult, Withheld};
use crate::statistic::Cell;

/// Items of one kind that a row names; the file has all.
const ITEMS_MAX: usize = 6;
/// Pools in a table; the file has all.
const ROWS_MAX: usize = 40;
/// A bound of a count from here on says nothing.
const TELLING: u64 = 1 << 40;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    let unnamed: Vec<_> = view
        .study
        .sites
        .iter()
        .filter(|site| site.outcome != SiteOutcome::Released)
        .filter(|site| {
            !view
                .study
                .withheld
                .iter()
                .any(|item| item.site == site.site)
        })
        .collect();
    if view.study.withheld.is_empty() && unnamed.is_empty() {
        let text = if view.open_data() {
            "Nothing was withheld: disclosure control was off, since the data are public."
        } else {
            "Nothing was withheld."
        };
        blocks.push(Block::Text(text.to_owned()));
    } else {
        blocks.push(Block::Note(
            "Withheld, not at random. A hospital loses a number when few patients stand behind \
             it, and that depends on how well the model did there: hospitals with few errors \
             drop out first, so pools over the remaining ones are biased towards worse results. \
             Bounds with the hidden numbers at both extremes are printed where they exist."
                .to_owned(),
        ));
        blocks.extend(pools(view).map(Block::Table));
        blocks.push(Block::Table(items(view, &unnamed)));
    }
    blocks.extend(rounded(view).map(Block::Table));
    Section {
        id: "withheld",
        title: "What was withheld",
        blocks,
    }
}

fn items(view: View<'_>, unnamed: &[&SiteResult]) -> Table {
    let mut table = Table::prose(
        "Withheld items by hospital",
        &[
            "Item",
            "Rules on such items",
            "What is known",
            "What follows",
        ],
    );
    let mut hospital = None;
    for group in grouped(&view.study.withheld) {
        let first = group[0];
        if hospital.replace(&first.site) != Some(&first.site) {
            table.group(view.site(&first.site));
        }
        let mut items: Vec<&str> = group
            .iter()
            .take(ITEMS_MAX)
            .map(|one| one.item.as_deref().unwrap_or("the whole release"))
            .collect();
        let more = (group.len() > ITEMS_MAX).then(|| format!("{} more", group.len() - ITEMS_MAX));
        items.extend(more.as_deref());
        let rules = if first.rules.is_empty() {
            Shown::words("not told")
        } else {
            Shown::words(first.rules.replace(' ', ", "))
        };
        table.push(Row::new(
            items.join("; "),
            vec![
                rules,
                Shown::words(&first.known),
                Shown::words(&first.effect),
            ],
        ));
    }
    table.cut_groups(DRAWN, "withheld.csv");
    for site in unnamed {
        table.group(&site.display_name);
        table.push(Row::new(
            "the whole release",
            vec![
                Shown::words("not told"),
                Shown::words(words::outcome(site.outcome)),
                Shown::words("the hospital is in no result"),
            ],
        ));
    }
    if view.study.withheld.len() > ITEMS_MAX {
        table
            .notes
            .push("Each item has a line of its own in withheld.csv.".to_owned());
    }
    table.notes.push(
        "D2 small counts, D3 zeros, D4 tables with totals, D5 rates, D6 histograms, D7 operating \
         points, D8 AUC and the like, D9 means, D11 masks and lesions, D14 calibration lines, L2 \
         and L3 groups that differ from earlier ones by a few patients. Which rule held an item \
         back, or whether a person did, is known at the hospital only."
            .to_owned(),
    );
    table.notes.extend(least_patients(view));
    table
}

/// The thresholds of the hospitals' policies, as their releases say them.
fn least_patients(view: View<'_>) -> Option<String> {
    let least: Vec<String> = view
        .released()
        .iter()
        .filter_map(|site| Some(format!("{} {}", site.display_name, site.min_cell?)))
        .collect();
    (!least.is_empty()).then(|| {
        format!(
            "Fewest patients behind a released number, by each hospital\u{2019}s policy: {}.",
            least.join(", ")
        )
    })
}

/// Items of one hospital about which the same is known and from which the same follows, in the
/// order of the first of them.
fn grouped(items: &[Withheld]) -> Vec<Vec<&Withheld>> {
    let mut groups: Vec<Vec<&Withheld>> = Vec::new();
    for item in items {
        let alike = |group: &&mut Vec<&Withheld>| {
            let first = group[0];
            first.site == item.site
                && first.known == item.known
                && first.effect == item.effect
                && first.rules == item.rules
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// Pools over all cases that withheld values are missing from.
fn pools(view: View<'_>) -> Option<Table> {
    let found: Vec<&MissingFromPool> = view
        .study
        .missing
        .iter()
        .filter(|one| one.key.is_whole())
        .collect();
    if view.study.missing.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Pools without the withheld values, and what they can be with them",
        &[
            "Pool",
            "Hospitals in it",
            "Missing, withheld",
            "Cases missing",
            "Mean without them (95% CI)",
            "Mean with them, between",
            "Its interval, at most",
        ],
    );
    let (pooled, without): (Vec<&MissingFromPool>, Vec<_>) =
        found.iter().partition(|one| one.pool.is_some());
    for one in pooled.iter().take(ROWS_MAX) {
        table.push(pool_row(view, &[one]));
    }
    // Where there is no pool, the same hospitals are missing from many: one row for all of them.
    let mut alike: Vec<Vec<&MissingFromPool>> = Vec::new();
    for one in without {
        let same = |group: &&mut Vec<&MissingFromPool>| {
            let first = group[0];
            (&first.sites, first.pooled, first.cases, first.untold)
                == (&one.sites, one.pooled, one.cases, one.untold)
        };
        match alike.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => alike.push(vec![one]),
        }
    }
    for group in alike.iter().take(ROWS_MAX) {
        table.push(pool_row(view, group));
    }
    table.notes.push(
        "Between: with every withheld value at either end of what is known of it, each hospital \
         with the mean weight of the others. Its interval moves likewise. A hospital that would \
         weigh more than that could move both further."
            .to_owned(),
    );
    let more = view.study.missing.len() - found.len();
    if more > 0 {
        table.notes.push(format!(
            "{} of subgroups and sensitivity analyses in missing_from_pools.csv, with all of these.",
            plural(more, "more pool", "more pools")
        ));
    }
    Some(table)
}

/// A pool, or several without a value from which the same is missing.
fn pool_row(view: View<'_>, group: &[&MissingFromPool]) -> Row {
    let one = group[0];
    let named = group.iter().take(ITEMS_MAX);
    let mut names: Vec<String> = named.map(|one| words::key(view, &one.key)).collect();
    if group.len() > ITEMS_MAX {
        names.push(format!("{} more", group.len() - ITEMS_MAX));
    }
    let style = words::style(one.key.metric);
    let sites: Vec<String> = one.sites.iter().map(|site| view.site(site)).collect();
    let head = vec![
        Shown::number(one.pooled.to_string()),
        Shown::words(join(&sites)),
        Shown::words(cases(one)),
    ];
    let ends = |[low, high]: [Option<f64>; 2]| {
        let text = match (low, high) {
            (Some(low), Some(high)) => range(low, high, style),
            (Some(low), None) => format!("at least {}", real(low, style)),
            (None, Some(high)) => format!("at most {}", real(high, style)),
            (None, None) => return Shown::words("no bound"),
        };
        Shown::number(text)
    };
    let tail = match &one.pool {
        Some(pool) => vec![
            Shown::number(real(pool.estimate, style)).with(format!(
                "({})",
                range(pool.interval[0], pool.interval[1], style)
            )),
            ends(pool.mean),
            ends(pool.outermost),
        ],
        None => vec![Shown::words("no pool"), Shown::none(), Shown::none()],
    };
    Row::new(names.join("; "), head.into_iter().chain(tail).collect())
}

/// `about 120 (118 to 122)`, `not told`, or both.
fn cases(one: &MissingFromPool) -> String {
    let untold = plural(one.untold, "hospital", "hospitals");
    let told = match one.cases {
        Cell::Value { value } => whole(value),
        Cell::Rounded { lo, hi, .. } | Cell::Suppressed { lo, hi } if hi < TELLING => {
            format!("{} to {}", whole(lo), whole(hi))
        }
        Cell::Zero if one.untold > 0 => return "not told".to_owned(),
        Cell::Zero => "0".to_owned(),
        Cell::Rounded { .. } | Cell::Suppressed { .. } | Cell::NotComputed { .. } => {
            return "not told".to_owned();
        }
    };
    if one.untold > 0 {
        format!("{told}, and those of {untold}")
    } else {
        told
    }
}

fn rounded(view: View<'_>) -> Option<Table> {
    let mut table = Table::prose(
        "Rounded numbers by hospital",
        &["Hospital", "Counts", "Other values", "In"],
    );
    for site in view.released() {
        let own: Vec<_> = view
            .study
            .rounded
            .iter()
            .filter(|one| one.site == site.site)
            .collect();
        if own.is_empty() {
            continue;
        }
        let counts: u64 = own.iter().map(|one| one.counts).sum();
        let values: u64 = own.iter().map(|one| one.values).sum();
        let base = site.rounding.filter(|base| *base > 1 && counts > 0);
        let base = base.map_or_else(String::new, |base| format!(", to multiples of {base}"));
        let kinds: Vec<&str> = own.iter().map(|one| one.statistic.as_str()).collect();
        table.push(Row::new(
            &site.display_name,
            vec![
                Shown::words(format!("{}{base}", whole(counts))),
                Shown::words(whole(values)),
                Shown::words(kinds.join(", ")),
            ],
        ));
    }
    table.notes.push(
        "A rounded count carries its bounds, and a sum the sum of them. Other values were computed \
         on exact rows at the hospital and rounded last."
            .to_owned(),
    );
    (!table.is_empty()).then_some(table)
}
