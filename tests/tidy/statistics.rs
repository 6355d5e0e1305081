//! Every metric has its help page, and the tables of the catalogue are those of the code.
//!
//! From: `shared::statistic::{metric, mode}`.
//! To: `docs/reference/statistics`.

use std::collections::BTreeSet;

use shared::statistic::{Metric, mode};

use crate::{report, tree};

const FOLDER: &str = "docs/reference/statistics";
const INDEX: &str = "docs/reference/statistics/README.md";
const SECTIONS: [&str; 2] = ["## What leaves the hospital", "## Sources"];

#[test]
fn every_metric_has_a_help_page() {
    let helps: BTreeSet<&str> = Metric::ALL
        .iter()
        .map(|metric| metric.entry().help)
        .collect();
    let mut findings = Vec::new();
    for help in helps {
        let path = format!("{FOLDER}/{help}.md");
        if !tree::root().join(&path).is_file() {
            findings.push(format!("{path} is missing"));
            continue;
        }
        let page = tree::read(&path);
        if !page.starts_with("# ") {
            findings.push(format!("{path}: the first line must be a title"));
        }
        for section in SECTIONS {
            if !page.contains(section) {
                findings.push(format!("{path}: section `{section}` is missing"));
            }
        }
    }
    report(
        "The register of metrics names a help page for each; the page says what the metric \
         answers, how it is made, what leaves the hospital, and its sources.",
        &findings,
    );
}

#[test]
fn every_help_page_is_in_the_index() {
    let index = tree::read(INDEX);
    let findings: Vec<String> = tree::texts(FOLDER, &[".md"])
        .into_iter()
        .filter_map(|page| page.path.rsplit('/').next().map(str::to_owned))
        .filter(|name| name != "README.md" && !index.contains(&format!("({name})")))
        .map(|name| format!("{INDEX} does not link {name}"))
        .collect();
    report("The catalogue links every help page.", &findings);
}

/// With FEDVAL_BLESS set the tables are written instead of compared.
#[test]
fn the_catalogue_is_that_of_the_code() {
    let mut page = tree::read(INDEX);
    let mut findings = Vec::new();
    for (name, table) in [("statistics", mode::table()), ("metrics", mode::metrics())] {
        let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let before = page.split_once(&start);
        let found = before.and_then(|(head, rest)| Some((head, rest.split_once(&end)?)));
        let Some((head, (inside, tail))) = found else {
            findings.push(format!("{INDEX} has no part between {start} and {end}"));
            continue;
        };
        if inside != format!("\n{table}\n") {
            findings.push(format!(
                "{INDEX}: the table of {name} differs from the code; write it with \
                 FEDVAL_BLESS=1 cargo test -p fedval-tests --test tidy catalogue"
            ));
        }
        page = format!("{head}{start}\n{table}\n{end}{tail}");
    }
    if std::env::var_os("FEDVAL_BLESS").is_some() {
        std::fs::write(tree::root().join(INDEX), page).unwrap();
    } else {
        report(
            "The catalogue's tables are generated from the register.",
            &findings,
        );
    }
}
