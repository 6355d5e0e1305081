//! What must be equal between two reports of the same study.
//!
//! Two builds of one round give the same bytes. Two rounds on the same data give the same
//! `report.json` except: `provenance`; when the round was closed; the digest of the locked
//! protocol (a lock names its moment); and per site the release's id and the digest of its
//! bytes, which follow from the job (its moment of issue) and the salted commitment to the data.
//! The other files repeat these values and nothing else that differs.
//!
//! From: bundles.
//! To: tests.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// `report.json` without what may differ between two rounds on the same data.
pub fn comparable(bundle: &Path) -> Value {
    let text = std::fs::read_to_string(bundle.join("report.json")).unwrap();
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report
        .as_object_mut()
        .unwrap()
        .remove("provenance")
        .unwrap();
    let study = report["study"].as_object_mut().unwrap();
    study.remove("closed_at").unwrap();
    study.remove("protocol_digest").unwrap();
    for site in study["sites"].as_array_mut().unwrap() {
        let site = site.as_object_mut().unwrap();
        site.remove("bytes");
        site.remove("release");
    }
    report
}

/// Every file of a bundle by name.
pub fn files(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![bundle.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(bundle).unwrap().display().to_string();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// A bundle's other files as text with every digest and every moment made alike.
pub fn normalised(bundle: &Path) -> BTreeMap<String, String> {
    files(bundle)
        .into_iter()
        .filter(|(name, _)| name != "report.json")
        .map(|(name, bytes)| (name, alike(&String::from_utf8(bytes).unwrap())))
        .collect()
}

/// Runs of at least eight hexadecimal digits and RFC 3339 moments become one character.
fn alike(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let hex = rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
            .count();
        let before = out.as_bytes().last().copied().unwrap_or(b' ');
        let fresh = !before.is_ascii_alphanumeric() && before != b'.';
        let letters = rest[..hex].iter().any(u8::is_ascii_alphabetic);
        if fresh && hex >= 8 && letters {
            out.push('#');
            at += hex;
        } else if fresh && is_moment(rest) {
            out.push('@');
            at += 19;
        } else {
            let step = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + step]);
            at += step;
        }
    }
    out
}

/// `2026-01-31T12:00:00` or the same with a space.
fn is_moment(bytes: &[u8]) -> bool {
    let shape = b"0000-00-00T00:00:00";
    bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b' '),
            other => other == byte,
        })
}
