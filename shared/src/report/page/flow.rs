//! Participant flow: over the external hospitals as a figure, per hospital as a table.
//!
//! From: `statistic::flow` as released.
//! To: `document::Section`.

use super::super::document::{Block, Figure, Row, Section, Source, Table};
use super::super::figure::flow::{Step, draw};
use super::super::number::{self, Shown, State};
use super::super::view::{self, View, sum};
use crate::statistic::flow::Flow;
use crate::statistic::{Cell, Disclosed, Undefined};
use crate::study::{EndpointId, SiteRole};

type Flows<'a> = Vec<&'a Flow<Disclosed>>;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Key(key())];
    for endpoint in view.endpoints() {
        let flows: Flows<'_> = view
            .external()
            .into_iter()
            .filter_map(|site| view::flow(site, endpoint))
            .collect();
        if flows.is_empty() {
            blocks.push(Block::Note(format!(
                "No external hospital released its participant flow for {}.",
                view.endpoint(endpoint)
            )));
        } else {
            blocks.push(Block::Figure(figure(view, endpoint, &flows)));
        }
        blocks.extend(super::whom::eligible(view, endpoint).map(Block::Figure));
        let table = table(view, endpoint);
        if !table.is_empty() {
            blocks.push(Block::Table(table));
        }
    }
    Section {
        id: "flow",
        title: "Participant flow",
        blocks,
    }
}

/// One sample of each state, so that none is mistaken for another.
fn key() -> Vec<(Shown, String)> {
    let rounded = number::count(&Cell::Rounded {
        value: 130,
        lo: 128,
        hi: 132,
    });
    vec![
        (
            number::count(&Cell::Value { value: 130 }),
            "a number, exact".to_owned(),
        ),
        (
            rounded,
            "rounded by disclosure rules, with the bounds of the true value".to_owned(),
        ),
        (
            number::count(&Cell::Zero),
            "zero, and disclosed as such".to_owned(),
        ),
        (
            number::count(&Cell::Suppressed { lo: 0, hi: 9 }),
            "hidden by disclosure rules, with the bound that is known".to_owned(),
        ),
        (
            number::count(&Cell::NotComputed {
                reason: Undefined::OneClass,
            }),
            "does not exist, with the reason".to_owned(),
        ),
    ]
}

fn reasons(flows: &Flows<'_>) -> Vec<(String, Cell<u64>)> {
    let mut out: Vec<(String, Cell<u64>)> = Vec::new();
    for excluded in flows.iter().flat_map(|flow| &flow.excluded) {
        match out
            .iter_mut()
            .find(|(reason, _)| *reason == excluded.reason)
        {
            Some((_, count)) => *count = count.plus(excluded.count),
            None => out.push((excluded.reason.clone(), excluded.count)),
        }
    }
    out
}

fn leaves(items: &[(String, Cell<u64>)]) -> Vec<String> {
    items
        .iter()
        .map(|(label, count)| format!("{label}: n = {}", number::count(count).text))
        .collect()
}

fn figure(view: View<'_>, endpoint: &EndpointId, flows: &Flows<'_>) -> Figure {
    let total = |pick: fn(&Flow<Disclosed>) -> Cell<u64>| sum(flows.iter().map(|flow| pick(flow)));
    let text = |cell: &Cell<u64>| number::count(cell).text;
    let excluded = reasons(flows);
    let missing = [
        (
            "No reference standard".to_owned(),
            total(|flow| flow.without_reference),
        ),
        (
            "No prediction of every model".to_owned(),
            total(|flow| flow.without_prediction),
        ),
    ];
    let counts = [
        total(|flow| flow.records),
        total(|flow| flow.eligible),
        total(|flow| flow.analysed),
    ];
    let (events, others) = (total(|flow| flow.events), total(|flow| flow.non_events));
    let steps = [
        ("Rows in the hospitals' tables", 0, leaves(&excluded)),
        ("Eligible cases", 1, leaves(&missing)),
        ("Analysed cases", 2, vec![]),
    ]
    .map(|(label, index, leaves)| Step {
        label: label.to_owned(),
        count: text(&counts[index]),
        leaves,
    });
    let classes = super::segmentation::classes(view);
    let outcomes = [
        (classes[0].to_owned(), text(&events)),
        (classes[1].to_owned(), text(&others)),
    ];
    let label = view.endpoint(endpoint);
    let description = format!(
        "Of {} rows at {} external hospitals, {} were eligible and {} were analysed; {}: {}, \
         {}: {}.",
        text(&counts[0]),
        flows.len(),
        text(&counts[1]),
        text(&counts[2]),
        classes[0],
        text(&events),
        classes[1],
        text(&others)
    );
    let outcome_counts = [(classes[0], events), (classes[1], others)];
    let mut data = data_table(&counts, &excluded, &missing, &outcome_counts);
    data.label = "Data".to_owned();
    let id = format!("flow-{endpoint}");
    let title = format!("Participant flow for {label}");
    Figure {
        label: String::new(),
        reading: description.clone(),
        caption: format!(
            "Participant flow for {label}, summed over {} external hospitals. Sums are exact \
             only where every hospital's number is.",
            flows.len()
        ),
        svg: draw(&id, &title, &description, &steps, &outcomes),
        data,
        narrow: false,
        source: Source::Counts,
    }
}

fn data_table(
    counts: &[Cell<u64>; 3],
    excluded: &[(String, Cell<u64>)],
    missing: &[(String, Cell<u64>)],
    outcomes: &[(&str, Cell<u64>); 2],
) -> Table {
    let mut data = Table::new(
        "Participant flow, sums over external hospitals",
        &["Step", "n"],
    );
    let mut push = |head: &str, cell: &Cell<u64>| {
        data.push(Row::new(head, vec![number::count(cell)]));
    };
    push("Rows in the hospitals' tables", &counts[0]);
    excluded
        .iter()
        .for_each(|(label, count)| push(&format!("Excluded: {label}"), count));
    push("Eligible cases", &counts[1]);
    missing.iter().for_each(|(label, count)| push(label, count));
    push("Analysed cases", &counts[2]);
    outcomes
        .iter()
        .for_each(|(label, count)| push(label, count));
    data
}

fn table(view: View<'_>, endpoint: &EndpointId) -> Table {
    let mut table = Table::new(
        format!("Participant flow by hospital: {}", view.endpoint(endpoint)),
        &[
            "Hospital",
            "Rows",
            "Excluded",
            "Eligible",
            "No reference",
            "No prediction",
            "Analysed",
            "Patients",
            super::segmentation::classes(view)[0],
            super::segmentation::classes(view)[1],
        ],
    );
    for site in view.released() {
        let Some(flow) = view::flow(site, endpoint) else {
            continue;
        };
        let excluded = sum(flow.excluded.iter().map(|excluded| excluded.count));
        let cells = [
            flow.records,
            excluded,
            flow.eligible,
            flow.without_reference,
            flow.without_prediction,
            flow.analysed,
            flow.patients,
            flow.events,
            flow.non_events,
        ];
        let external = site.role == SiteRole::External;
        let shown: Vec<Shown> = cells.iter().map(number::count).collect();
        debug_assert!(shown.iter().all(|cell| cell.state != State::Words));
        table.push(Row::new(&site.display_name, shown).class(if external { "" } else { "apart" }));
    }
    table.cut(view::DRAWN, "counts.csv");
    if view
        .released()
        .iter()
        .any(|site| site.role != SiteRole::External)
    {
        table
            .notes
            .push("Hospitals that are not external stand last and are not in the sums.".to_owned());
    }
    table
}
