//! Checklists: how far each is filled, and every row with what it stands on and what is left to
//! write.
//!
//! From: `checklist`.
//! To: `document::Section`.

use super::super::checklist::{Filled, FilledRow, State};
use super::super::document::{Block, Row, Section, Table};
use super::super::number::{Shown, plain_count};
use super::super::view::View;

/// The page.
pub(super) fn page(view: View<'_>, lists: &[Filled]) -> Section {
    let mut blocks = vec![
        Block::Text(
            "Each list names its items by number with labels of our own; the items themselves \
             are in the publications. A row is complete where everything it asks for is in this \
             report, partial where a part is, and needs you where nothing is: a field that \
             nobody filled counts as nothing. The same rows are in checklists/*.csv. Compare \
             the numbers with the published list before a list is handed in."
                .to_owned(),
        ),
        Block::Table(counts(lists)),
        Block::Terms(lists.iter().map(publication).collect()),
    ];
    if view.many() {
        blocks.push(Block::Note(
            "With this many hospitals the rows are in checklists/*.csv only, so that the page \
             stays small."
                .to_owned(),
        ));
    } else {
        blocks.extend(lists.iter().map(folded));
    }
    Section {
        id: "checklists",
        title: "Checklists",
        blocks,
    }
}

fn counts(lists: &[Filled]) -> Table {
    let mut table = Table::new(
        "How far each checklist is filled",
        &["List", "Rows", "Complete", "Partial", "Needs you"],
    );
    for one in lists {
        let whole = |count: usize| plain_count(u64::try_from(count).unwrap_or(u64::MAX));
        let states = State::ALL.map(|state| whole(one.count(state)));
        let cells = [whole(one.rows.len())].into_iter().chain(states).collect();
        table.push(Row::new(&one.list.title, cells));
    }
    table
}

fn publication(one: &Filled) -> (String, String) {
    let list = &one.list;
    (
        list.title.clone(),
        format!("{}. {}, {}", list.about, list.source, list.link),
    )
}

fn folded(one: &Filled) -> Block {
    let [complete, partial, needs_you] = State::ALL.map(|state| one.count(state));
    let mut table = Table::prose(
        format!("{}: {}", one.list.title, one.list.about),
        &["Item", "About", "State", "Stands on", "To write"],
    );
    let mut group = None;
    for row in &one.rows {
        let site = row.site.as_ref().map(|(_, name)| name);
        if site.is_some() && site != group {
            table.group(site.cloned().unwrap_or_default());
            group = site;
        }
        table.push(line(row));
    }
    Block::Folded {
        summary: format!(
            "{}: {complete} complete, {partial} partial, {needs_you} need you",
            one.list.title
        ),
        table,
    }
}

fn line(row: &FilledRow) -> Row {
    let to_write = if row.to_write.is_empty() {
        Shown::none()
    } else {
        Shown::words(row.to_write.join("; "))
    };
    Row::new(
        &row.item,
        vec![
            Shown::words(&row.label),
            Shown::words(row.state.words()),
            stands_on(row),
            to_write,
        ],
    )
}

fn stands_on(row: &FilledRow) -> Shown {
    let values: Vec<&str> = row.stands_on.iter().map(|one| one.value.as_str()).collect();
    let mut shown = if values.is_empty() {
        Shown::none()
    } else {
        Shown::words(values.join("; "))
    };
    for link in row.stands_on.iter().filter_map(|one| one.section) {
        if !shown.links.contains(&link) {
            shown.links.push(link);
        }
    }
    shown
}
