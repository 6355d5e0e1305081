//! TOML, the source form of a protocol and of configuration files: where a text is wrong, with
//! a "did you mean" for a misspelt key.
//!
//! From: `study.toml`, `coordinator.toml`, `node.toml`.
//! To: `StudyProtocol`, and a [`Fault`] a person can act on.

use serde::de::DeserializeOwned;

use super::StudyProtocol;
use crate::fault::{Code, Fault};

/// Longest accepted source, bytes.
pub const SOURCE_MAX: usize = 1 << 20;

/// Where and why a TOML text is not what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct SourceFault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, one line.
    pub what: String,
    /// How to mend it, one line.
    pub fix: String,
}

impl SourceFault {
    /// The fault for a person; `file` names the text, `code` says which kind of file it is.
    pub fn into_fault(self, code: Code, file: &str) -> Fault {
        let place = format!("{file}, line {}, column {}", self.line, self.column);
        Fault::new(
            code,
            format!("{place}: {}", self.what),
            code.title(),
            self.fix,
        )
    }
}

/// Reads a study protocol. Whether it makes sense is `validate::check`'s business.
///
/// # Errors
/// [`SourceFault`] names the first place that does not fit.
pub fn parse(text: &str) -> Result<StudyProtocol, SourceFault> {
    read(text)
}

/// Reads any document that has a TOML source form.
///
/// # Errors
/// [`SourceFault`] names the first place that does not fit.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, SourceFault> {
    if text.len() > SOURCE_MAX {
        return Err(SourceFault {
            line: 1,
            column: 1,
            what: format!("the file is longer than {SOURCE_MAX} bytes"),
            fix: "give the file itself, not a collection of files".into(),
        });
    }
    toml::from_str(text).map_err(|error| explain(text, &error))
}

fn explain(text: &str, error: &toml::de::Error) -> SourceFault {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let message = error.message().lines().next().unwrap_or("not valid TOML");
    SourceFault {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what: message.replace('`', "\""),
        fix: fix_for(message),
    }
}

/// The message of serde names the known words between back quotes; the nearest is offered.
fn fix_for(message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let is_choice = message.starts_with("unknown field") || message.starts_with("unknown variant");
    match words.split_first() {
        Some((given, known)) if is_choice => nearest(given, known.iter().copied()).map_or_else(
            || format!("use one of: {}", known.join(", ")),
            |word| format!("did you mean \"{word}\"? (one of: {})", one_line(known)),
        ),
        Some((missing, [])) if message.starts_with("missing field") => {
            format!("add {missing} = ... in this table")
        }
        Some(_) | None => "correct this place; the format is shown by: fedval study new".into(),
    }
}

fn one_line(known: &[&str]) -> String {
    const SHOWN: usize = 12;
    let mut text = known
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if known.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// The known word most like `given`, whatever the letter case, when one is alike enough to be
/// meant (Jaro-Winkler at least 0.8).
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&given, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::template;

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_the_likely_word() {
        let text = template::BINARY.replacen("version = \"1.0.0\"", "versoin = \"1.0.0\"", 1);
        let fault = parse(&text).unwrap_err();
        let line = text
            .lines()
            .position(|line| line.starts_with("versoin"))
            .unwrap()
            + 1;
        assert_eq!((fault.line, fault.column), (line, 1));
        assert!(fault.what.contains("unknown field \"versoin\""), "{fault}");
        assert!(
            fault.fix.starts_with("did you mean \"version\"?"),
            "{}",
            fault.fix
        );
        let shown = fault
            .into_fault(Code::ProtocolInvalid, "study.toml")
            .to_string();
        assert_eq!(shown.lines().count(), 3);
    }

    #[test]
    fn nearest_ignores_case_and_refuses_strangers() {
        let known = ["age_years", "sex", "ai_prob"];
        assert_eq!(nearest("Age_year", known), Some("age_years"));
        assert_eq!(nearest("height", known), None);
    }

    #[test]
    fn a_missing_key_a_bad_word_and_broken_syntax_are_explained() {
        let missing = template::BINARY.replacen("question = ", "# question = ", 1);
        assert!(parse(&missing).unwrap_err().fix.contains("question"));
        let word = template::BINARY.replacen("\"retrospective\"", "\"retrospektive\"", 1);
        assert!(
            parse(&word)
                .unwrap_err()
                .fix
                .contains("did you mean \"retrospective\"")
        );
        assert!(parse("slug = ").is_err());
        assert!(parse(&"#".repeat(SOURCE_MAX + 1)).is_err());
    }
}
