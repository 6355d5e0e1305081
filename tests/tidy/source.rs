//! Rules about single files: length, header, marks, configuration samples.

use crate::report;
use crate::tree::{self, Text};

const LINES_MAX: usize = 800;
const LINES_P90: usize = 400;

/// `source` with comments and the contents of string and character literals blanked out, so
/// that words in them are not taken for code. Line breaks stay.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let skip = match rest {
            [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => raw_string(rest),
            [b'"', ..] => quoted(rest, b'"'),
            [b'\'', b'\\', ..] => quoted(rest, b'\''),
            [b'\'', _, b'\'', ..] => 3,
            _ => 0,
        };
        if skip == 0 {
            out.push(char::from(bytes[at]));
            at += 1;
            continue;
        }
        let breaks = rest[..skip].iter().filter(|&&b| b == b'\n').count();
        out.push(' ');
        out.extend(std::iter::repeat_n('\n', breaks));
        at += skip;
    }
    out
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a raw string; 0 for a raw identifier.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let body = 2 + hashes;
    rest[body..]
        .windows(close.len())
        .position(|window| window == close)
        .map_or(rest.len(), |end| body + end + close.len())
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Whether `code` holds `word` between characters that cannot belong to a name.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        !part(code[..at].chars().next_back()) && !part(code[at + word.len()..].chars().next())
    })
}

#[test]
fn code_only_blanks_comments_and_literals() {
    let source = "use a::b; // quinn\n/* rustls /* x */ y */ let s = \"quinn\\\"\"; r#\"\nbincode\"# 'q' '\\'' &'a str";
    let code = code_only(source);
    assert!(
        !["quinn", "rustls", "bincode"]
            .iter()
            .any(|word| code.contains(word)),
        "{code}"
    );
    assert!(
        code.contains("use a::b;") && code.contains("&'a str"),
        "{code}"
    );
    assert_eq!(code.lines().count(), source.lines().count());
}

#[test]
fn words_are_whole() {
    assert!(has_word("use rustls::X", "rustls"));
    assert!(!has_word("use rustls_pki_types::X", "rustls"));
}

#[test]
fn files_are_short() {
    let files = tree::rust();
    let mut lengths: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    let mut findings: Vec<String> = files
        .iter()
        .zip(&lengths)
        .filter(|&(_, &lines)| lines > LINES_MAX)
        .map(|(file, lines)| {
            format!(
                "{}: {lines} lines; split it by what its parts are for",
                file.path
            )
        })
        .collect();
    lengths.sort_unstable();
    let p90 = lengths[lengths.len() * 9 / 10];
    if p90 > LINES_P90 {
        findings.push(format!(
            "one file in ten has more than {LINES_P90} lines (p90 is {p90})"
        ));
    }
    report(
        &format!("No Rust file has more than {LINES_MAX} lines, p90 at most {LINES_P90}."),
        &findings,
    );
}

/// Whether the file holds nothing but the tests of the module beside it.
fn is_tests_of_another(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// What is wrong with a module's header.
fn header_fault(file: &Text) -> Option<String> {
    let header: Vec<&str> = file
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    if header.is_empty() {
        return Some("has no //! header".to_owned());
    }
    let from = header
        .iter()
        .rposition(|line| line.starts_with("//! From: "));
    let to = header.iter().rposition(|line| line.starts_with("//! To: "));
    let (Some(from), Some(to)) = (from, to) else {
        return Some(
            "the //! header lacks its last lines `//! From: ...` and `//! To: ...`".to_owned(),
        );
    };
    if from >= to {
        return Some("`//! To:` stands before `//! From:`".to_owned());
    }
    if header[from..].iter().any(|line| line.trim_end() == "//!") {
        return Some("`//! From:` and `//! To:` are not the header's last lines".to_owned());
    }
    None
}

#[test]
fn module_headers_say_from_and_to() {
    let findings: Vec<String> = ["shared/src", "node/src", "coordinator/src"]
        .iter()
        .flat_map(|folder| tree::texts(folder, &[".rs"]))
        .filter(|file| !is_tests_of_another(&file.path))
        .filter_map(|file| header_fault(&file).map(|fault| format!("{}: {fault}", file.path)))
        .collect();
    report(
        "Every module starts with //! lines: what it is for, then where its input comes from \
         (`//! From: ...`) and where its output goes (`//! To: ...`), so that the tree reads in \
         one direction.",
        &findings,
    );
}

#[test]
fn no_marks_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
    ];
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!")];
    let endings = [
        ".rs", ".md", ".toml", ".sh", ".mjs", ".R", ".sql", ".html", ".css", ".txt",
    ];
    let mut findings = Vec::new();
    let folders = [
        "shared",
        "node",
        "coordinator",
        "tests",
        "docs",
        "configs",
        ".ci",
    ];
    for file in folders
        .iter()
        .flat_map(|folder| tree::texts(folder, &endings))
    {
        for (number, line) in file.text.lines().enumerate() {
            let mark = marks.iter().find(|mark| has_word(line, mark));
            let mac = macros.iter().find(|mac| line.contains(*mac));
            if let Some(found) = mark.or(mac) {
                findings.push(format!("{}:{}: {found}", file.path, number + 1));
            }
        }
    }
    report(
        "Work that is left is an issue, not a mark in a file.",
        &findings,
    );
}

#[test]
fn every_configuration_sample_is_parsed_by_a_test() {
    let tests: Vec<Text> = tree::rust()
        .into_iter()
        .filter(|file| file.text.contains("#[test]") || file.text.contains("::test]"))
        .collect();
    let mentioned = |path: &str| {
        let folders = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
        let name = path.rsplit('/').next().unwrap_or(path);
        std::iter::once(name)
            .chain(folders)
            .any(|part| tests.iter().any(|test| test.text.contains(part)))
    };
    let findings: Vec<String> = tree::paths("configs")
        .into_iter()
        .filter(|path| !path.ends_with(".md") && !mentioned(path))
        .collect();
    report(
        "Every file in configs/ is read by a test that names it (or its folder): write one that \
         parses it with the type the program uses.",
        &findings,
    );
}
