//! Parts of an RO-Crate 1.1 description: a node describes the folder of its ledger with them, a
//! report its bundle.
//!
//! From: files and what they are.
//! To: `ro-crate-metadata.json`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::identity::Digest;

/// Name of the description inside its folder.
pub const FILE: &str = "ro-crate-metadata.json";

/// A reference to another part.
pub fn reference(id: &str) -> Value {
    json!({ "@id": id })
}

/// The description's own entry.
pub fn descriptor() -> Value {
    json!({
        "@id": FILE,
        "@type": "CreativeWork",
        "about": reference("./"),
        "conformsTo": reference("https://w3id.org/ro/crate/1.1"),
    })
}

/// A file of the folder, with its size and SHA-256.
pub fn file(path: &str, name: &str, bytes: &[u8]) -> Value {
    json!({
        "@id": path,
        "@type": "File",
        "name": name,
        "encodingFormat": format(path),
        "contentSize": bytes.len().to_string(),
        "sha256": Digest::of(bytes).hex(),
    })
}

/// Media type by the ending of a file's name.
fn format(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "csv")) => "text/csv",
        Some((_, "html")) => "text/html",
        Some((_, "md")) => "text/markdown",
        Some((_, "bib")) => "application/x-bibtex",
        Some((_, "cff")) => "application/yaml",
        Some(_) | None => "application/json",
    }
}

/// A local name as a part's id, of which what an identifier may not hold is spelled out, so that
/// no two names have one.
pub fn local_id(kind: &str, name: &str) -> String {
    let mut id = format!("#{kind}-");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            id.push(char::from(byte));
        } else {
            let _ = write!(id, "%{byte:02X}");
        }
    }
    id
}

/// The whole description.
pub fn document(graph: Vec<Value>) -> Value {
    json!({ "@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_have_one_id() {
        assert_eq!(local_id("person", "a b"), "#person-a%20b");
        assert_ne!(local_id("person", "a%20b"), local_id("person", "a b"));
    }

    #[test]
    fn files_say_what_they_are() {
        let entry = file("a/b.csv", "A table", b"x\n");
        assert_eq!(entry["encodingFormat"], "text/csv");
        assert_eq!(entry["contentSize"], "2");
        assert_eq!(entry["sha256"], Digest::of(b"x\n").hex());
    }
}
