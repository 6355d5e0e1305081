//! What may fill a row of a checklist: a closed list of named sources. Each says what it finds
//! in a study, which section shows it, and what a person must write where there is nothing.
//!
//! From: protocol, results; what hospitals and developers declare has no place in a study yet.
//! To: `checklist::fill`.

mod elsewhere;
mod protocol;
mod result;
mod site;

use serde::Deserialize;

use super::super::view::View;
use crate::pool::result::SiteResult;

/// What is asked about: the study, or one hospital of it.
pub(super) struct Subject<'a> {
    /// The study.
    pub(super) view: View<'a>,
    /// The hospital, in a list by hospital.
    pub(super) site: Option<&'a SiteResult>,
}

/// What a source finds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// All that it is about.
    Given(String),
    /// A part of it.
    Partly(String),
    /// Nothing.
    Absent,
}

/// A source by its name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Source(&'static Entry);

/// One line of the list of sources.
#[derive(Debug)]
struct Entry {
    /// `protocol.title`.
    name: &'static str,
    /// Sections that show it, the first that the report has.
    sections: &'static [&'static str],
    /// What is there.
    find: fn(&Subject<'_>) -> Found,
    /// What to write where there is nothing, or only a part.
    write: &'static str,
}

const fn entry(
    name: &'static str,
    sections: &'static [&'static str],
    find: fn(&Subject<'_>) -> Found,
    write: &'static str,
) -> Entry {
    Entry {
        name,
        sections,
        find,
        write,
    }
}

const ALL: [&[Entry]; 4] = [protocol::ALL, result::ALL, site::ALL, elsewhere::ALL];

impl Source {
    /// What it finds in a study.
    pub(super) fn find(self, subject: &Subject<'_>) -> Found {
        (self.0.find)(subject)
    }

    /// Anchors of the sections that may show it.
    pub(super) fn sections(self) -> &'static [&'static str] {
        self.0.sections
    }

    /// What a person must write where it finds less than all.
    pub(super) fn to_write(self) -> &'static str {
        self.0.write
    }

    /// Its name.
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        self.0.name
    }

    /// Every source by name.
    pub(super) fn all() -> impl Iterator<Item = (&'static str, Self)> {
        ALL.iter()
            .copied()
            .flatten()
            .map(|entry| (entry.name, Self(entry)))
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if let Some((_, source)) = Self::all().find(|(known, _)| *known == name) {
            return Ok(source);
        }
        let near = Self::all().min_by_key(|(known, _)| strsim::levenshtein(known, &name));
        let near = near.map_or("", |(known, _)| known);
        Err(format!("no source is called {name}; did you mean {near}?"))
    }
}

/// Text that somebody wrote; what a template left open is nothing.
fn text(value: &str) -> Found {
    if is_written(value) {
        Found::Given(value.trim().to_owned())
    } else {
        Found::Absent
    }
}

/// Whether somebody wrote it: not empty, not marked as open, not a sentence of a template.
fn is_written(value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || value.to_lowercase().starts_with("to be stated") {
        return false;
    }
    let quoted = format!("\"{value}\"");
    let sentence = value.split_whitespace().count() >= 3;
    let mut templates = crate::study::template::ALL.iter();
    let copied = sentence && templates.any(|(_, source)| source.contains(&quoted));
    !copied
}

/// Several findings as one: whole only when each is, nothing when none is there.
fn together(parts: Vec<Found>) -> Found {
    let mut whole = true;
    let mut said = Vec::new();
    for part in parts {
        match part {
            Found::Given(value) => said.push(value),
            Found::Partly(value) => {
                said.push(value);
                whole = false;
            }
            Found::Absent => whole = false,
        }
    }
    match (said.is_empty(), whole) {
        (true, _) => Found::Absent,
        (false, true) => Found::Given(said.join("; ")),
        (false, false) => Found::Partly(said.join("; ")),
    }
}
