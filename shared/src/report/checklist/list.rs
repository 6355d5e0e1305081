//! The lists as files: item numbers, labels of our own, and what fills each row.
//!
//! From: `checklists/*.toml`.
//! To: `checklist::fill`.

use serde::Deserialize;

use super::source::Source;

const FILES: [(&str, &str); 6] = [
    (
        "tripod-ai.toml",
        include_str!("../../../checklists/tripod-ai.toml"),
    ),
    (
        "tripod-cluster.toml",
        include_str!("../../../checklists/tripod-cluster.toml"),
    ),
    (
        "claim-2024.toml",
        include_str!("../../../checklists/claim-2024.toml"),
    ),
    (
        "future-ai.toml",
        include_str!("../../../checklists/future-ai.toml"),
    ),
    (
        "stard-ai.toml",
        include_str!("../../../checklists/stard-ai.toml"),
    ),
    (
        "probast-ai.toml",
        include_str!("../../../checklists/probast-ai.toml"),
    ),
];

/// One checklist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::report) struct List {
    /// Name of its file in the bundle, without an ending.
    pub(in crate::report) id: String,
    /// Its name.
    pub(in crate::report) title: String,
    /// What it is about.
    pub(in crate::report) about: String,
    /// Where it was published.
    pub(in crate::report) source: String,
    /// Link to the publication.
    pub(in crate::report) link: String,
    /// Filled once per external hospital.
    #[serde(default)]
    pub(in crate::report) per_site: bool,
    /// Its rows.
    pub(super) row: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// The number in the published list.
    pub(super) item: String,
    /// Our label.
    pub(super) label: String,
    /// What it stands on; every source is asked for.
    #[serde(default)]
    pub(super) fill: Vec<Source>,
    /// What only a person can add, whatever the sources give.
    #[serde(default)]
    pub(super) write: Option<String>,
}

/// A list that does not read: a defect of ours.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {error}")]
pub struct ListFault {
    /// The file.
    file: &'static str,
    /// What is wrong.
    error: toml::de::Error,
}

/// Every list.
pub(in crate::report) fn read() -> Result<Vec<List>, ListFault> {
    let read = |&(file, text): &(&'static str, &str)| {
        toml::from_str(text).map_err(|error| ListFault { file, error })
    };
    FILES.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "id = \"x\"\ntitle = \"X\"\nabout = \"x\"\nsource = \"x\"\nlink = \"x\"\n";

    fn parse(row: &str) -> Result<List, toml::de::Error> {
        toml::from_str(&format!(
            "{HEAD}[[row]]\nitem = \"1\"\nlabel = \"x\"\n{row}"
        ))
    }

    #[test]
    fn every_row_of_every_list_names_what_fills_it() {
        let lists = read().unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for list in &lists {
            assert!(ids.insert(&list.id), "{} stands twice", list.id);
            assert!(list.link.starts_with("https://doi.org/10."), "{}", list.id);
            let mut items = std::collections::BTreeSet::new();
            for row in &list.row {
                let place = format!("{} {}", list.id, row.item);
                assert!(items.insert(&row.item), "{place} stands twice");
                assert!(!row.fill.is_empty() || row.write.is_some(), "{place}");
                assert!(
                    row.label.split_whitespace().count() <= 9,
                    "{place}: a label"
                );
            }
        }
        let rows: Vec<usize> = lists.iter().map(|list| list.row.len()).collect();
        assert_eq!(rows, [52, 37, 44, 30, 28, 7]);
    }

    #[test]
    fn a_source_that_is_not_known_is_refused() {
        assert!(parse("fill = [\"protocol.title\"]").is_ok());
        let error = parse("fill = [\"protocol.titel\"]")
            .unwrap_err()
            .to_string();
        assert!(error.contains("protocol.titel"), "{error}");
        assert!(error.contains("protocol.title"), "did you mean: {error}");
        assert!(parse("fil = [\"protocol.title\"]").is_err());
    }
}
