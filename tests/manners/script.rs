//! What scripts rely on: the shape of the envelope and of a fault.
//!
//! From: `program`'s answers.
//! To: assertions.

use serde_json::Value;

use crate::program::{Answer, documented};

pub(crate) fn text(value: &Value, key: &str) -> String {
    let found = value[key].as_str();
    found
        .unwrap_or_else(|| panic!("no {key}: {value}"))
        .to_owned()
}

/// One envelope on standard output, of the documented shape, for this command and exit code.
pub(crate) fn envelope(answer: &Answer, command: &str, code: i32) {
    assert_eq!(answer.code, Some(code), "{command}: {answer:?}");
    assert_eq!(answer.out.lines().count(), 1, "{command}: {answer:?}");
    let value = answer.json();
    let fields = value.as_object().unwrap();
    let known = [
        "schema", "command", "ok", "data", "error", "warnings", "next",
    ];
    for field in fields.keys() {
        assert!(known.contains(&field.as_str()), "{command}: {field}");
    }
    assert_eq!(text(&value, "schema"), "fedval.cli/1");
    assert_eq!(text(&value, "command"), command, "{answer:?}");
    assert_eq!(value["ok"], Value::Bool(code == 0), "{answer:?}");
    for list in ["warnings", "next"] {
        let items = value[list].as_array().unwrap();
        assert!(items.iter().all(Value::is_string), "{command}: {list}");
    }
    if code == 0 {
        assert!(fields.contains_key("data"), "{answer:?}");
        assert!(!fields.contains_key("error"), "{answer:?}");
    } else if let Some(error) = fields.get("error") {
        fault(error);
    } else {
        // A list of checks tells each failure in its own finding.
        let findings = value["data"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer:?}"));
        let failed: Vec<_> = findings.iter().filter(|f| f["ok"] == false).collect();
        assert!(!failed.is_empty());
        failed.iter().for_each(|finding| fault(&finding["fault"]));
    }
}

fn fault(value: &Value) {
    for part in ["what", "why", "fix"] {
        assert!(!text(value, part).trim().is_empty(), "{value}");
    }
    let code = text(value, "code");
    assert_eq!(
        text(value, "docs"),
        format!("docs/reference/errors/{code}.md")
    );
    assert!(documented(&text(value, "docs")), "{value}");
}

/// Nothing on standard output; on standard error faults of four parts, each with a page.
pub(crate) fn four_parts(answer: &Answer) {
    assert!(answer.out.is_empty(), "{answer:?}");
    let lines: Vec<&str> = answer.err.lines().collect();
    let heads: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with("FV-"))
        .collect();
    assert!(!heads.is_empty(), "{answer:?}");
    for (number, head) in heads.iter().enumerate() {
        let end = heads.get(number + 1).copied().unwrap_or(lines.len());
        let (code, what) = lines[*head].split_once("  ").unwrap();
        assert!(
            documented(&format!("docs/reference/errors/{code}.md")),
            "{code}"
        );
        assert!(!what.trim().is_empty(), "{answer:?}");
        let part = |mark: &str| {
            let found = lines[*head..end]
                .iter()
                .find_map(|line| line.strip_prefix(mark));
            found.is_some_and(|words| !words.trim().is_empty())
        };
        assert!(part("  why   ") && part("  fix   "), "{answer:?}");
    }
}
