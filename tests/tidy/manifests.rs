//! Rules about dependencies: one place for versions, one line of reason each.

use std::collections::BTreeSet;

use toml::Table;

use crate::{report, tree};

const MEMBERS: [&str; 5] = ["shared", "node", "node/imaging", "coordinator", "tests"];
/// A workspace of its own, since a fuzzer needs another toolchain.
const FUZZ: &str = "tests/fuzz";
/// The Node package of the browser checks.
const BROWSER: &str = "tests/browser/package.json";
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

fn manifest(path: &str) -> Table {
    tree::read(path)
        .parse()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every dependency of the manifest: its name and its entry.
fn dependencies(manifest: &Table) -> Vec<(String, toml::Value)> {
    TABLES
        .iter()
        .filter_map(|table| manifest.get(*table)?.as_table())
        .flatten()
        .map(|(name, entry)| (name.clone(), entry.clone()))
        .collect()
}

fn is_ours(name: &str) -> bool {
    MEMBERS.contains(&name) || ["imaging", "fedval-tests"].contains(&name)
}

/// The names of every crate and package we depend on directly.
fn direct() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let fuzz = tree::root().join(FUZZ).is_dir().then_some(FUZZ);
    for member in MEMBERS.iter().copied().chain(fuzz) {
        let found = dependencies(&manifest(&format!("{member}/Cargo.toml")));
        names.extend(
            found
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| !is_ours(name)),
        );
    }
    if tree::root().join(BROWSER).is_file() {
        let package: serde_json::Value =
            serde_json::from_str(&tree::read(BROWSER)).expect("package.json is JSON");
        for table in ["dependencies", "devDependencies"] {
            let found = package[table].as_object().into_iter().flatten();
            names.extend(found.map(|(name, _)| name.clone()));
        }
    }
    names
}

#[test]
fn members_take_versions_from_the_workspace() {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for member in MEMBERS {
        for (name, entry) in dependencies(&manifest(&format!("{member}/Cargo.toml"))) {
            let inherits = entry.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            if !inherits {
                findings.push(format!("{member}/Cargo.toml: {name} has its own version"));
            }
            used.insert(name);
        }
    }
    let root = manifest("Cargo.toml");
    let declared = root["workspace"]["dependencies"]
        .as_table()
        .expect("a table");
    for name in declared.keys().filter(|name| !used.contains(*name)) {
        findings.push(format!("Cargo.toml: no member uses {name}"));
    }
    report(
        "Versions stand in [workspace.dependencies] only; members write `name.workspace = true`, \
         and nothing is declared that no member uses.",
        &findings,
    );
}

#[test]
fn packages_point_one_way() {
    let bans = [
        (
            "shared",
            &[
                "node",
                "coordinator",
                "tokio",
                "quinn",
                "rustls",
                "rusqlite",
            ][..],
        ),
        ("node", &["coordinator", "bincode", "statrs"]),
        (
            "node/imaging",
            &["shared", "node", "coordinator", "tokio", "quinn", "rustls"],
        ),
        ("coordinator", &["node", "bincode", "statrs"]),
    ];
    let mut findings = Vec::new();
    for (member, banned) in bans {
        for (name, _) in dependencies(&manifest(&format!("{member}/Cargo.toml"))) {
            if banned.contains(&name.as_str()) {
                findings.push(format!(
                    "{member}/Cargo.toml: {member} may not depend on {name}"
                ));
            }
        }
    }
    report(
        "shared knows neither end, the ends do not know each other, images know none of them.",
        &findings,
    );
}

#[test]
fn every_dependency_has_its_reason() {
    const PAGE: &str = "docs/dependencies.md";
    let mut rows = BTreeSet::new();
    let mut findings = Vec::new();
    for line in tree::read(PAGE)
        .lines()
        .filter(|line| line.starts_with("| `"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        if cells.len() != 4 || cells[..3].iter().any(|cell| cell.is_empty()) {
            findings.push(format!("{PAGE}: the row of {name} needs its reason and its licence, and a cell for what to watch"));
        }
        rows.insert(name);
    }
    let direct = direct();
    let missing = direct.difference(&rows).map(|name| {
        format!("{PAGE} has no row for {name}; add: | `{name}` | why it is here | its licence | what to watch |")
    });
    let stale = rows
        .difference(&direct)
        .map(|name| format!("{PAGE}: nothing depends on {name} any more"));
    findings.extend(missing.chain(stale));
    report(
        "Every direct dependency has a row with its reason, and no row outlives it.",
        &findings,
    );
}
