//! The house rules, as a test: one test per rule, each failure says where and what to do.
//!
//! `source` reads Rust text, `layers` holds the direction rules, `manifests` the dependencies,
//! `documents` the pages, `commands` the command blocks in them, `statistics` the catalogue.

mod commands;
mod documents;
mod layers;
mod manifests;
mod source;
mod statistics;
mod tree;

/// Fails with every finding at once, each on its own line under the rule it breaks.
fn report(rule: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "\n{rule}\n  {}\n",
        findings.join("\n  ")
    );
}
