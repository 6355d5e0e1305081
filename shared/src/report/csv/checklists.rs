//! `checklists/*.csv`: one row per item of a list, with what it stands on and what to write.
//!
//! From: `checklist`.
//! To: spreadsheets, submissions.

use super::super::checklist::Filled;
use super::{Sheet, text};

const HEAD: [&str; 10] = [
    "list",
    "source",
    "link",
    "item",
    "label",
    "site",
    "state",
    "value",
    "stands_on",
    "to_write",
];

/// The file of one list.
pub(in crate::report) fn table(filled: &Filled) -> String {
    let mut sheet = Sheet::new(&HEAD);
    let list = &filled.list;
    for row in &filled.rows {
        let values: Vec<&str> = row.stands_on.iter().map(|one| one.value.as_str()).collect();
        let mut anchors: Vec<String> = Vec::new();
        for (id, _) in row.stands_on.iter().filter_map(|one| one.section) {
            let anchor = format!("report.html#{id}");
            if !anchors.contains(&anchor) {
                anchors.push(anchor);
            }
        }
        let site = row.site.as_ref().map_or("", |(slug, _)| slug.as_str());
        sheet.push(&[
            text(&list.title),
            text(&list.source),
            text(&list.link),
            text(&row.item),
            text(&row.label),
            text(site),
            row.state.words().to_owned(),
            text(&values.join("; ")),
            anchors.join(" "),
            text(&row.to_write.join("; ")),
        ]);
    }
    sheet.finish()
}
