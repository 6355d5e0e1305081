//! Provenance: what every number rests on, and the files of the bundle.
//!
//! From: digests of protocol and releases.
//! To: `document::Section`.

use super::super::Provenance;
use super::super::document::{Block, Row, Section, Table};
use super::super::number::Shown;
use super::super::view::View;

/// Files of the bundle with what they hold.
const FILES: [(&str, &str); 15] = [
    ("report.html", "this page"),
    ("report.json", "every number behind it, with the protocol"),
    (
        "schema/report.schema.json",
        "JSON Schema 2020-12 of report.json",
    ),
    (
        "estimates.csv",
        "one row per estimate, pooled and by hospital",
    ),
    ("curves.csv", "ROC curves and score distributions"),
    (
        "counts.csv",
        "2×2 tables, contingency tables, flow, after disclosure control",
    ),
    ("tests.csv", "one row per test, and per range over levels"),
    ("sites.csv", "invited hospitals, roles, outcomes, digests"),
    (
        "meta_input.csv",
        "yi and vi of every analysis, ready for rma()",
    ),
    (
        "checklists/*.csv",
        "reporting checklists, filled as far as this report goes",
    ),
    ("methods.md", "the methods page as text"),
    ("references.bib", "what methods and checklists cite"),
    ("CITATION.cff", "how to cite this report"),
    ("ro-crate-metadata.json", "description of the bundle"),
    ("manifest.json", "SHA-256 of every other file"),
];

/// The page.
pub(super) fn page(view: View<'_>, provenance: &Provenance) -> Section {
    let mut digests = Table::prose(
        "Digests",
        &[
            "What",
            "SHA-256 of the document",
            "SHA-256 of the bytes as sent",
        ],
    );
    let label = if view.study.locked {
        "Locked protocol"
    } else {
        "Protocol source"
    };
    digests.push(Row::new(
        label,
        vec![
            Shown::words(view.study.protocol_digest.to_string()),
            Shown::none(),
        ],
    ));
    for site in &view.study.sites {
        let show = |digest: Option<crate::identity::Digest>| {
            digest.map_or_else(Shown::none, |digest| Shown::words(digest.to_string()))
        };
        let head = format!("Release of {}", site.display_name);
        digests.push(Row::new(head, vec![show(site.release), show(site.bytes)]));
    }
    let mut files = Table::prose("Files of this bundle", &["File", "Content"]);
    for (name, content) in FILES {
        files.push(Row::new(name, vec![Shown::words(content)]));
    }
    files
        .notes
        .push("To verify: compare the SHA-256 of each file with manifest.json.".to_owned());
    let mut build = vec![("Software".to_owned(), provenance.software.clone())];
    build.extend(
        provenance
            .facts
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Section {
        id: "provenance",
        title: "Provenance",
        blocks: vec![
            Block::Table(digests),
            Block::Table(files),
            Block::Text(
                "The facts below may differ between two builds of the same report; everything \
                 else is the same byte for byte."
                    .to_owned(),
            ),
            Block::Build(build),
        ],
    }
}
