//! The direction rules: which module may name which.

use crate::source::code_only;
use crate::{report, tree};

/// What each module of `shared` may name, beside itself. A module that is not here is refused,
/// so that a new one gets its place on purpose.
const SHARED: &[(&str, &[&str])] = &[
    ("numeric", &[]),
    ("fault", &[]),
    // Certificates and invitations carry a study's names and times, a study's lock is signed.
    ("identity", &["study", "fault"]),
    ("study", &["identity", "fault", "numeric"]),
    ("masking", &["study", "identity"]),
    ("ro_crate", &["identity"]),
    (
        "statistic",
        &["masking", "study", "identity", "fault", "numeric"],
    ),
    (
        "disclosure",
        &[
            "masking",
            "statistic",
            "study",
            "identity",
            "fault",
            "numeric",
        ],
    ),
    (
        "wire",
        &[
            "disclosure",
            "masking",
            "statistic",
            "study",
            "identity",
            "fault",
        ],
    ),
    (
        "pool",
        &[
            "disclosure",
            "masking",
            "statistic",
            "study",
            "identity",
            "fault",
            "numeric",
        ],
    ),
    (
        "report",
        &[
            "pool",
            "disclosure",
            "statistic",
            "study",
            "identity",
            "ro_crate",
            "fault",
            "numeric",
        ],
    ),
];

/// Crates with one home: the crate's name in code, where it may be named, and why.
const HOMES: &[(&str, &[&str], &str)] = &[
    (
        "quinn",
        &["node/src/link", "coordinator/src/link"],
        "the transport stays replaceable",
    ),
    (
        "rustls",
        &["node/src/link", "coordinator/src/link"],
        "the transport stays replaceable",
    ),
    (
        "bincode",
        &["shared/src/wire/codec.rs"],
        "its limits are set in one place, and it can be replaced",
    ),
    (
        "prio",
        &["node/src/noise/source.rs"],
        "noise is drawn in one place",
    ),
    (
        "rand",
        &["node/src/noise/source.rs"],
        "no other randomness than the operating system's",
    ),
    (
        "statrs",
        &["shared/src/numeric"],
        "its weak tails are guarded in one place",
    ),
];

/// The modules of its own crate that `code` names: `crate::x`, `crate::{x, y::z}`.
fn named_modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, key) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + key.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.push(first_word(rest)),
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first word of each member of a use group whose opening brace is already read.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                heads.push(first_word(&group[start..at]));
                start = at + 1;
            }
            '}' if depth == 0 => {
                heads.push(first_word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

#[test]
fn named_modules_reads_groups() {
    let code =
        "use crate::wire::Frame; use crate::{study::{A, b}, pool}; $crate::fault; my_crate::x";
    assert_eq!(named_modules(code), ["wire", "study", "pool", "fault"]);
}

#[test]
fn shared_modules_point_one_way() {
    let mut findings = Vec::new();
    for file in tree::texts("shared/src", &[".rs"]) {
        let below = file.path.trim_start_matches("shared/src/");
        let module = below.split(['/', '.']).next().unwrap_or(below);
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = SHARED.iter().find(|(name, _)| *name == module) else {
            findings.push(format!(
                "{}: module {module} has no place in tests/tidy/layers.rs",
                file.path
            ));
            continue;
        };
        for name in named_modules(&code_only(&file.text)) {
            let is_module = SHARED.iter().any(|(known, _)| *known == name);
            if is_module && name != module && !allowed.contains(&name.as_str()) {
                findings.push(format!(
                    "{}: {module} may not name crate::{name}",
                    file.path
                ));
            }
        }
    }
    report(
        "Inside shared: study <- statistic <- disclosure <- pool <- report, disclosure <- wire; \
         numeric, fault and identity serve all and name none of these (the list is SHARED in \
         tests/tidy/layers.rs). Move the shared part to the lower module, or take it as an \
         argument.",
        &findings,
    );
}

#[test]
fn crates_stay_in_their_homes() {
    let mut findings = Vec::new();
    for file in ["shared/src", "node/src", "coordinator/src"]
        .iter()
        .flat_map(|folder| tree::texts(folder, &[".rs"]))
    {
        let code = code_only(&file.text);
        for (name, homes, why) in HOMES {
            let at_home = homes.iter().any(|home| file.path.starts_with(home));
            if !at_home && names_crate(&code, name) {
                findings.push(format!(
                    "{}: {name} is named only in {} ({why})",
                    file.path,
                    homes.join(", ")
                ));
            }
        }
    }
    report("Some crates are named in one place only.", &findings);
}

/// Whether a path in `code` starts with the crate `name`, or a `use` brings it in whole.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let starts_path = !before.ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
        let whole = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        starts_path && (after.starts_with("::") || whole)
    })
}

#[test]
fn crates_are_recognised_by_how_they_are_used() {
    assert!(names_crate("use quinn::Endpoint;", "quinn"));
    assert!(names_crate("fn f(e: quinn::Endpoint)", "quinn"));
    assert!(names_crate("use quinn as q;", "quinn"));
    assert!(!names_crate(
        "use rustls_pki_types::X; link::rustls::f(); rustls.x()",
        "rustls"
    ));
}
