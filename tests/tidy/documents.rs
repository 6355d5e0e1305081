//! Rules about pages: one per error code, every state explained, every link leads somewhere.

use std::collections::BTreeMap;

use shared::fault::Code;
use shared::study::SiteState;

use crate::tree::{self, Text};
use crate::{report, source};

const ERRORS: &str = "docs/reference/errors";
const STATES: &str = "docs/reference/states.md";
const EXITS: &str = "docs/reference/exit-codes.md";
const SECTIONS: [&str; 3] = ["## What it means", "## Why it happens", "## How to mend it"];

fn heading(code: Code) -> String {
    format!("# {}: {}", code.as_str(), code.title())
}

/// What is wrong with the page of `code`.
fn page_faults(code: Code, page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if page.lines().next() != Some(heading(code).as_str()) {
        faults.push(format!("the first line must be: {}", heading(code)));
    }
    let exit = format!("Exit code: {}", code.exit() as u8);
    if !page.lines().any(|line| line.starts_with(&exit)) {
        faults.push(format!("a line must start with: {exit}"));
    }
    for section in SECTIONS {
        let body = page.split_once(section).map_or("", |(_, rest)| rest);
        let words = body
            .split("\n## ")
            .next()
            .unwrap_or("")
            .split_whitespace()
            .count();
        if words < 6 {
            faults.push(format!("section `{section}` is missing or says nothing"));
        }
    }
    faults
}

#[test]
fn every_error_code_has_its_page() {
    let pages: BTreeMap<String, String> = tree::texts(ERRORS, &[".md"])
        .into_iter()
        .map(|page| (page.path, page.text))
        .collect();
    let mut findings = Vec::new();
    for &code in Code::ALL {
        let path = format!("{ERRORS}/{}.md", code.as_str());
        match pages.get(&path) {
            Some(page) => {
                findings.extend(
                    page_faults(code, page)
                        .into_iter()
                        .map(|fault| format!("{path}: {fault}")),
                );
            }
            None => findings.push(format!(
                "{path} is missing; write it: `{}`, an empty line, `{}`, and below each of {} \
                 what is particular to this code",
                heading(code),
                format_args!(
                    "Exit code: {} ([exit codes](../exit-codes.md)).",
                    code.exit() as u8
                ),
                SECTIONS.join(", "),
            )),
        }
    }
    for path in pages.keys().filter(|path| !path.ends_with("/README.md")) {
        let name = path
            .trim_start_matches(ERRORS)
            .trim_matches('/')
            .trim_end_matches(".md");
        if !Code::ALL.iter().any(|code| code.as_str() == name) {
            findings.push(format!(
                "{path}: no such code in shared/src/fault.rs; remove the page"
            ));
        }
    }
    report(
        "Every code in shared::fault::Code::ALL has one page, and no page lacks its code.",
        &findings,
    );
}

#[test]
fn every_error_code_is_in_the_index() {
    let index = tree::read(&format!("{ERRORS}/README.md"));
    let findings: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            format!(
                "| [{0}]({0}.md) | {1} | {2} |",
                code.as_str(),
                code.title(),
                code.exit() as u8
            )
        })
        .filter(|row| !index.lines().any(|line| line == row))
        .map(|row| format!("{ERRORS}/README.md lacks the row: {row}"))
        .collect();
    report("The index of errors lists every code.", &findings);
}

#[test]
fn every_exit_code_is_explained() {
    let page = tree::read(EXITS);
    let mut numbers: Vec<u8> = Code::ALL.iter().map(|code| code.exit() as u8).collect();
    numbers.push(shared::fault::Exit::Done as u8);
    numbers.sort_unstable();
    numbers.dedup();
    let findings: Vec<String> = numbers
        .into_iter()
        .filter(|number| {
            !page
                .lines()
                .any(|line| line.starts_with(&format!("| {number} |")))
        })
        .map(|number| format!("{EXITS} has no row for {number}"))
        .collect();
    report("Every exit code has its row.", &findings);
}

#[test]
fn every_state_is_explained() {
    let page = tree::read(STATES);
    let row = |state: SiteState| format!("| `{state}` | {} |", state.meaning());
    let mut findings: Vec<String> = SiteState::ALL
        .iter()
        .filter(|&&state| !page.lines().any(|line| line.starts_with(&row(state))))
        .map(|&state| format!("{STATES} lacks a row that starts: {}", row(state)))
        .collect();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let word = line
            .trim_start_matches("| `")
            .split('`')
            .next()
            .unwrap_or_default();
        if SiteState::parse(word).is_none() {
            findings.push(format!("{STATES}: no such state as {word}"));
        }
    }
    report(
        "States have one name and one meaning, in code and in docs.",
        &findings,
    );
}

/// The pages people read.
pub(crate) fn pages() -> Vec<Text> {
    let mut pages = tree::texts("docs", &[".md"]);
    pages.extend(tree::texts("configs", &[".md"]));
    for path in ["README.md", "CHANGELOG.md"] {
        if tree::root().join(path).is_file() {
            pages.push(Text {
                path: path.to_owned(),
                text: tree::read(path),
            });
        }
    }
    pages
}

/// The targets of `[text](target)` in `page`, outside code.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
            let targets = prose
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            found.extend(targets.map(str::to_owned));
        }
    }
    found
}

/// The anchor that a heading gets: lower case, spaces as hyphens, other punctuation dropped.
fn anchors(page: &str) -> Vec<String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Vec::new();
    for page in pages() {
        for link in links(&page.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let target = tree::root().join(folder).join(file);
            if !file.is_empty() && !target.exists() {
                findings.push(format!("{}: {link} leads nowhere", page.path));
            } else if !anchor.is_empty() && (file.is_empty() || file.ends_with(".md")) {
                let text = if file.is_empty() {
                    page.text.clone()
                } else {
                    std::fs::read_to_string(&target).unwrap_or_default()
                };
                if !anchors(&text).iter().any(|known| known == anchor) {
                    findings.push(format!("{}: {link}: no such heading", page.path));
                }
            }
        }
    }
    report(
        "Every relative link in README.md and docs/ resolves.",
        &findings,
    );
}

#[test]
fn pages_do_not_speak_of_machines_they_were_written_on() {
    let words = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let findings: Vec<String> = pages()
        .into_iter()
        .chain(tree::rust())
        .filter(|file| words.iter().any(|word| file.text.contains(word)))
        .map(|file| format!("{}: names a folder of one machine", file.path))
        .collect();
    report(
        "Paths are relative to the repository, or the reader's own.",
        &findings,
    );
}

#[test]
fn links_outside_code_are_found() {
    let page = "see [a](x.md#h) `[no](y)`\n```sh\n[no](z)\n```\n[b](../c.rs)";
    assert_eq!(links(page), ["x.md#h", "../c.rs"]);
    assert_eq!(anchors("## What it means, D1-D8"), ["what-it-means-d1-d8"]);
    assert!(source::has_word("a b", "b"));
}

/// Sections of the page for hospitals that promise nothing.
const NO_PROMISE: [&str; 4] = [
    "# What leaves a hospital, and why it is safe enough",
    "## How suppressed values appear",
    "## Not there yet",
    "## Sources",
];

/// Words by which other pages promise something about privacy.
const PROMISES: [&str; 11] = [
    "never leaves",
    "is ever sent",
    "leaves the hospital",
    "nothing leaves",
    "stays with you",
    "more than its site's policy allows",
    "releases nothing",
    "sends nothing",
    "is not told",
    "opens no network",
    "unseen",
];

/// Pages that people read before they trust the program; `disclosure.md` has a stricter rule.
const TRUSTED: [&str; 3] = ["README.md", "docs/how-to/", "docs/explanation/"];

/// Lines of a page that promise something, each with the tests that prove it.
fn promises(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with('#') {
            section = line;
        }
        let explains = ["**Why", "| rule |", "| profile |", "|---", "What this asks"];
        let is_promise = !line.trim().is_empty()
            && !line.starts_with('#')
            && !line.ends_with(':')
            && !explains.iter().any(|start| line.starts_with(start))
            && !NO_PROMISE.contains(&section);
        if is_promise {
            let proofs = line
                .split_once("Proved by ")
                .map_or("", |(_, proofs)| proofs);
            found.push((line, proofs.split('`').skip(1).step_by(2).collect()));
        }
    }
    found
}

#[test]
fn every_promise_about_privacy_names_a_test_that_exists() {
    let page = tree::read("docs/explanation/disclosure.md");
    let rust = tree::rust();
    let mut findings = Vec::new();
    let all = promises(&page);
    assert!(all.len() >= 35, "{}", all.len());
    for (line, tests) in all {
        let start: String = line.chars().take(60).collect();
        if tests.is_empty() {
            findings.push(format!("no test is named: {start}"));
        }
        for test in tests {
            if !rust.iter().any(|file| declares(file, test)) {
                findings.push(format!("{test} is no test: {start}"));
            }
        }
    }
    report("What a hospital is promised is proved.", &findings);
}

/// The tests that a line names as its proof.
fn proofs(line: &str) -> Vec<&str> {
    let named = line.split("Proved by ").skip(1);
    let each = named.flat_map(|text| text.split('`').skip(1).step_by(2));
    each.collect()
}

#[test]
fn other_pages_that_promise_privacy_name_tests_that_exist() {
    let rust = tree::rust();
    let (mut findings, mut promised) = (Vec::new(), 0);
    for page in pages() {
        if !TRUSTED.iter().any(|start| page.path.starts_with(start))
            || page.path.ends_with("disclosure.md")
        {
            continue;
        }
        for line in page.text.lines() {
            let low = line.to_lowercase();
            let promises = PROMISES.iter().any(|words| low.contains(words));
            let tests = proofs(line);
            promised += usize::from(promises);
            let start: String = line.chars().take(60).collect();
            if promises && tests.is_empty() && !line.starts_with('#') {
                findings.push(format!("{}: no test is named: {start}", page.path));
            }
            for test in tests {
                if !rust.iter().any(|file| declares(file, test)) {
                    findings.push(format!("{}: {test} is no test: {start}", page.path));
                }
            }
        }
    }
    assert!(promised >= 12, "{promised}");
    report("What other pages promise is proved too.", &findings);
}

/// Whether a file declares a test of this name.
fn declares(file: &Text, test: &str) -> bool {
    let declared = format!("fn {test}(");
    let before = file.text.split(&declared).next();
    file.text.contains(&declared)
        && before.is_some_and(|text| {
            let last: Vec<&str> = text.lines().rev().take(4).collect();
            last.iter().any(|line| line.contains("test"))
        })
}

#[test]
fn promises_are_told_from_explanations() {
    let page = "## The rules\n\nA promise. Proved by `a`, `b`.\n**Why** so.\nIn particular:\n\
        | rule | what |\n|---|---|\n| D1 | x |\n## Sources\nnone\n";
    let found = promises(page);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1, ["a", "b"]);
    assert!(found[1].1.is_empty());
    let row = "| x | y | Proved by `a`, `b`. | `c` Proved by `d`.";
    assert_eq!(proofs(row), ["a", "b", "c", "d"]);
    assert!(proofs("`a` proves nothing").is_empty());
}
