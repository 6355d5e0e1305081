//! How the report is cited, and what it cites.
//!
//! From: protocol, checklists.
//! To: `CITATION.cff`, `references.bib`.

use std::fmt::Write as _;

use super::super::checklist::Filled;
use super::super::view::View;

/// What the methods page cites.
const METHODS: &str = include_str!("../../../templates/references.bib");

/// `CITATION.cff`, version 1.2.0 of the format. A protocol names no people: the file says where
/// to put them.
pub(in crate::report) fn citation(view: View<'_>) -> String {
    let study = view.study;
    let protocol = &study.protocol;
    let name = format!("Investigators of {}", protocol.slug);
    let mut out = format!(
        "cff-version: 1.2.0\n\
         message: \"Please cite this report. Name its authors in place of the entry below.\"\n\
         type: dataset\n\
         title: {}\n\
         version: {}\n",
        quoted(&protocol.title),
        quoted(&protocol.version),
    );
    if let Some(closed) = study.closed_at {
        let text = closed.to_string();
        let date = text.split('T').next().unwrap_or_default();
        let _ = writeln!(out, "date-released: {date}");
    }
    let _ = write!(
        out,
        "authors:\n  - name: {}\nabstract: {}\nidentifiers:\n  - type: other\n    value: {}\n    \
         description: \"SHA-256 of the {}\"\n",
        quoted(&name),
        quoted(&protocol.question),
        quoted(&study.protocol_digest.to_string()),
        if study.locked {
            "locked protocol"
        } else {
            "protocol source"
        },
    );
    if let Some(round) = &study.round {
        let _ = write!(
            out,
            "  - type: other\n    value: {}\n    description: \"round\"\n",
            quoted(round.as_str())
        );
    }
    out.push_str("keywords:\n  - external validation\n  - meta-analysis\n  - medical imaging\n");
    out
}

/// A string in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `references.bib`: methods, then the checklists.
pub(in crate::report) fn references(lists: &[Filled]) -> String {
    let mut out = METHODS.to_owned();
    for list in lists.iter().map(|one| &one.list) {
        let doi = list.link.trim_start_matches("https://doi.org/");
        let _ = write!(
            out,
            "\n@misc{{{},\n  title = {{{}}},\n  howpublished = {{{}}},\n  doi = {{{doi}}}\n}}\n",
            list.id, list.title, list.source
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::checklist;
    use super::super::super::tests::heart;
    use super::*;

    #[test]
    fn hostile_titles_stay_one_string() {
        let mut study = heart();
        study.protocol.title = "a\"\nauthors: [x]\\".to_owned();
        let text = citation(View::of(&study));
        assert!(
            text.contains("title: \"a\\\"\\nauthors: [x]\\\\\"\n"),
            "{text}"
        );
        assert_eq!(text.matches("\nauthors:").count(), 1);
        assert!(text.contains("date-released: 2026-11-20\n"), "{text}");
    }

    #[test]
    fn references_are_whole_entries_with_keys_of_their_own() {
        let study = heart();
        let lists = checklist::fill(checklist::read().unwrap(), View::of(&study), &[]);
        let text = references(&lists);
        let mut keys = std::collections::BTreeSet::new();
        for entry in text.split("\n@").map(|entry| entry.trim_start_matches('@')) {
            let key = entry.split(['{', ',']).nth(1).unwrap();
            assert!(keys.insert(key), "{key} stands twice");
            assert_eq!(
                entry.matches('{').count(),
                entry.matches('}').count(),
                "{key}"
            );
            assert!(entry.contains("doi = {10."), "{key}");
        }
        assert_eq!(keys.len(), 13 + 6);
    }
}
