//! Reporting checklists: what each item stands on in this study, and what a person must still
//! write. The lists are data (`checklists/*.toml`); what may fill a row is a closed list.
//!
//! From: a pooled study, the sections of its report.
//! To: `page::checklists`, `csv::checklists`.

mod list;
mod source;

#[cfg(test)]
mod tests;

pub(super) use list::{List, ListFault, read};

use super::view::View;
use crate::pool::result::SiteResult;
use crate::study::SiteRole;
use list::Row;
use source::{Found, Subject};

/// A list with its rows filled.
pub(super) struct Filled {
    /// The list.
    pub(super) list: List,
    /// Its rows; of a list by hospital, the rows of each in turn.
    pub(super) rows: Vec<FilledRow>,
}

/// One row of a filled list.
pub(super) struct FilledRow {
    /// The number in the published list.
    pub(super) item: String,
    /// Our label.
    pub(super) label: String,
    /// The hospital, in a list by hospital: its slug and its name on the report.
    pub(super) site: Option<(String, String)>,
    /// How far it is done.
    pub(super) state: State,
    /// What it stands on.
    pub(super) stands_on: Vec<Standing>,
    /// What a person must write; empty when complete.
    pub(super) to_write: Vec<String>,
}

/// A value that a row stands on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// The value.
    pub(super) value: String,
    /// Anchor and title of the section that shows it.
    pub(super) section: Option<(&'static str, &'static str)>,
}

/// How far a row is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Everything it asks for is in the report.
    Complete,
    /// Something is, and something must be written.
    Partial,
    /// Nothing is.
    NeedsYou,
}

impl State {
    /// Every state, in the order of tables.
    pub(super) const ALL: [Self; 3] = [Self::Complete, Self::Partial, Self::NeedsYou];

    /// The state in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::NeedsYou => "needs you",
        }
    }
}

impl Filled {
    /// Rows in one state.
    pub(super) fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }
}

/// Anchor and title of each section of a report.
pub(super) type Sections<'a> = &'a [(&'static str, &'static str)];

/// Fills every list from one study.
pub(super) fn fill(lists: Vec<List>, view: View<'_>, sections: Sections<'_>) -> Vec<Filled> {
    lists
        .into_iter()
        .map(|list| {
            let rows = subjects(&list, view)
                .iter()
                .flat_map(|subject| list.row.iter().map(|row| fill_row(row, subject, sections)))
                .collect();
            Filled { list, rows }
        })
        .collect()
}

/// The study as a whole, or every external hospital.
fn subjects<'a>(list: &List, view: View<'a>) -> Vec<Subject<'a>> {
    if !list.per_site {
        return vec![Subject { view, site: None }];
    }
    let external = |site: &&SiteResult| site.role == SiteRole::External;
    let sites = view.study.sites.iter().filter(external);
    sites
        .map(|site| Subject {
            view,
            site: Some(site),
        })
        .collect()
}

fn fill_row(row: &Row, subject: &Subject<'_>, sections: Sections<'_>) -> FilledRow {
    let mut stands_on = Vec::new();
    let mut to_write: Vec<String> = Vec::new();
    for source in &row.fill {
        let (value, whole) = match source.find(subject) {
            Found::Given(value) => (Some(value), true),
            Found::Partly(value) => (Some(value), false),
            Found::Absent => (None, false),
        };
        if let Some(value) = value {
            let known = source.sections();
            let section = known
                .iter()
                .find_map(|id| sections.iter().find(|(anchor, _)| anchor == id));
            stands_on.push(Standing {
                value,
                section: section.copied(),
            });
        }
        if !whole {
            to_write.push(source.to_write().to_owned());
        }
    }
    to_write.extend(row.write.clone());
    let state = if stands_on.is_empty() {
        State::NeedsYou
    } else if to_write.is_empty() {
        State::Complete
    } else {
        State::Partial
    };
    FilledRow {
        item: row.item.clone(),
        label: row.label.clone(),
        site: subject
            .site
            .map(|site| (site.site.to_string(), site.display_name.clone())),
        state,
        stands_on,
        to_write,
    }
}
