//! Exports of the bundled study, open and under disclosure control.

use super::super::tests::{guarded, heart};
use super::super::{Provenance, SCHEMA};
use super::*;
use crate::pool::result::PooledStudy;

fn report(study: PooledStudy) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        provenance: Provenance::default(),
        study,
    }
}

fn all(report: &Report) -> Files {
    let mut files = tables(report).unwrap();
    files.extend(figures(report).unwrap());
    files
}

fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn every_table_and_figure_has_its_files_twice_the_same() {
    let report = report(heart());
    let files = all(&report);
    assert_eq!(files, all(&report));
    let ending = |ending: &str, folder: &str| {
        let names = files.keys().filter(|name| name.starts_with(folder));
        names.filter(|name| name.ends_with(ending)).count()
    };
    assert_eq!(ending(".tex", "tables/") + 1, ending(".csv", "tables/"));
    assert_eq!(ending(".svg", "figures/") + 1, ending(".csv", "figures/"));
    assert!(ending(".tex", "tables/") > 20 && ending(".svg", "figures/") > 5);
    let index = text(&files, "tables/index.csv");
    assert_eq!(index.lines().count(), ending(".tex", "tables/") + 1);
}

#[test]
fn figures_stand_alone() {
    let files = figures(&report(heart())).unwrap();
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        let svg = String::from_utf8(bytes.clone()).unwrap();
        for part in [
            "<?xml ",
            "<title ",
            "<desc ",
            "font-family=",
            "fill=\"#ffffff\"",
        ] {
            assert!(svg.contains(part), "{name}: {part}");
        }
        assert!(
            svg.contains("<style>") || !svg.contains(" class=\""),
            "{name}: a class without its style"
        );
        assert!(!svg.contains("class=\"step\""), "{name}");
        assert_eq!(
            svg.matches("<g").count(),
            svg.matches("</g>").count(),
            "{name}"
        );
        assert_eq!(svg.matches("<svg").count(), 1, "{name}");
        assert!(svg.ends_with("</svg>\n"), "{name}");
    }
}

#[test]
fn latex_is_balanced_and_as_wide_as_its_head() {
    for study in [heart(), guarded()] {
        let files = tables(&report(study)).unwrap();
        for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".tex")) {
            let tex = String::from_utf8(bytes.clone()).unwrap();
            assert_eq!(
                tex.matches("\\begin{").count(),
                tex.matches("\\end{").count(),
                "{name}"
            );
            let bare = tex.replace("\\{", "").replace("\\}", "");
            assert_eq!(
                bare.matches('{').count(),
                bare.matches('}').count(),
                "{name}"
            );
            let wide = |line: &str| line.replace("\\&", "").matches('&').count();
            let rows = tex.lines().filter(|line| {
                line.ends_with("\\\\")
                    && !line.starts_with("\\multicolumn")
                    && !line.starts_with("\\caption")
            });
            let widths: std::collections::BTreeSet<usize> = rows.map(wide).collect();
            assert_eq!(widths.len(), 1, "{name}: {widths:?}");
        }
    }
}

#[test]
fn csv_rows_have_one_width() {
    for study in [heart(), guarded()] {
        for (name, bytes) in all(&report(study)) {
            if name.ends_with(".csv") {
                let rows = super::super::tests::parse(&String::from_utf8(bytes).unwrap());
                assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}");
            }
        }
    }
}

/// The 2x2 table of the second hospital: its hidden count is what the page says everywhere.
#[test]
fn a_hidden_count_is_not_a_zero_in_any_format() {
    let report = report(guarded());
    let files = all(&report);
    let joined = |ending: &str| {
        let files = files.iter().filter(|(name, _)| name.ends_with(ending));
        files
            .map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap())
            .collect::<String>()
    };
    assert!(joined(".csv").contains(",<10"), "CSV");
    assert!(joined(".tex").contains("& \\textless{}10"), "LaTeX");
    assert!(joined(".svg").contains("&lt;10"), "figures");
    let outline = outline(&report).unwrap();
    let cells = outline.parts.iter().flat_map(|part| match part {
        Part::Table(table) => table.rows.iter().flat_map(|row| &row.cells).collect(),
        Part::Heading(..)
        | Part::Text(_)
        | Part::Note(_)
        | Part::List(_)
        | Part::Terms(_)
        | Part::Figure(..) => Vec::new(),
    });
    let hidden: Vec<&OutlineCell> = cells.filter(|cell| cell.state == "suppressed").collect();
    assert!(hidden.len() > 10);
    for cell in hidden {
        assert!(
            !cell.text.is_empty() && !cell.text.starts_with('0'),
            "{cell:?}"
        );
    }
}
