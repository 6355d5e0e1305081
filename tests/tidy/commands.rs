//! Every command a page tells a reader to type is run somewhere; `commands.txt` says where.

use std::collections::BTreeMap;

use crate::{documents, report, tree};

const REGISTRY: &str = "tests/tidy/commands.txt";

/// The commands in the blocks tagged `sh`: one per line, continued lines joined.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_shell = false;
    let mut pending = String::new();
    for line in page.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            in_shell = !in_shell && line == "```sh";
            continue;
        }
        if !in_shell {
            continue;
        }
        pending.push_str(line);
        if let Some(start) = pending.strip_suffix('\\') {
            pending = format!("{} ", start.trim_end());
            continue;
        }
        let command = strip_remark(pending.trim_start_matches("$ ")).to_owned();
        pending.clear();
        if !command.is_empty() {
            found.push(command);
        }
    }
    found
}

/// `command` without a trailing ` # remark`.
fn strip_remark(command: &str) -> &str {
    if command.starts_with('#') {
        return "";
    }
    command.split(" #").next().unwrap_or(command).trim_end()
}

/// The registry: command, then how it is run.
fn registry() -> BTreeMap<String, String> {
    tree::read(REGISTRY)
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (how, command) = line.split_once(" | ").unwrap_or_else(|| {
                panic!("{REGISTRY}: write `run | command`, `step NAME | command`, ...: {line}")
            });
            (command.trim().to_owned(), how.trim().to_owned())
        })
        .collect()
}

/// What is wrong with a registry entry.
fn entry_fault(how: &str, script: &str, sources: &[tree::Text]) -> Option<String> {
    match how.split_once(' ') {
        None if how == "run" => None,
        Some(("step", name)) if script.contains(&format!("step_{name}()")) => None,
        Some(("step", name)) => Some(format!(".ci/run has no step_{name}()")),
        Some(("test", name)) => {
            let declared = format!("fn {name}(");
            let known = sources.iter().any(|file| file.text.contains(&declared));
            (!known).then(|| format!("no test is called {name}"))
        }
        Some(("person", reason)) if reason.split_whitespace().count() >= 4 => None,
        _ => Some("must start with `run`, `step NAME`, `test NAME` or `person REASON`".to_owned()),
    }
}

#[test]
fn every_documented_command_is_run() {
    let registry = registry();
    let script = tree::read(".ci/run");
    let sources = tree::rust();
    let mut findings = Vec::new();
    let mut documented = Vec::new();
    for page in documents::pages() {
        for command in commands(&page.text) {
            if !registry.contains_key(&command) {
                findings.push(format!("{}: `{command}` is not in {REGISTRY}", page.path));
            }
            documented.push(command);
        }
    }
    for (command, how) in &registry {
        if !documented.contains(command) {
            findings.push(format!(
                "{REGISTRY}: no page tells a reader to type `{command}`"
            ));
        }
        if let Some(fault) = entry_fault(how, &script, &sources) {
            findings.push(format!("{REGISTRY}: `{command}`: {fault}"));
        }
    }
    report(
        "Every command in a ```sh block of README.md and docs/ is run by .ci/run or by a test. \
         Add a line to tests/tidy/commands.txt (its head says how).",
        &findings,
    );
}

#[test]
fn commands_are_read_as_typed() {
    let page = "```sh\n# remark\n$ fedval sim --open   # shows it\nfedval a \\\n  b\n```\n```\nnot me\n```";
    assert_eq!(commands(page), ["fedval sim --open", "fedval a b"]);
}
