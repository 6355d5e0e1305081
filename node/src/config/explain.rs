//! What a person reads about a configuration that is not valid: file, line, and the key that
//! was probably meant.
//!
//! From: `config`.
//! To: standard error, as a `Fault`.

use std::path::Path;

use shared::fault::{Code, Fault};

use shared::study::source::nearest;

/// A configuration that is not valid.
pub(super) fn invalid(
    file: &Path,
    what: impl Into<String>,
    why: impl Into<String>,
    fix: impl Into<String>,
) -> Fault {
    let what = format!("{}: {}", file.display(), what.into());
    Fault::new(Code::ConfigInvalid, what, why, fix)
}

/// The fault of a file that does not parse, with its line.
pub(super) fn toml_fault(file: &Path, text: &str, error: &toml::de::Error) -> Fault {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let place = format!("{} line {line}", file.display());
    let message = error.message();
    if message.starts_with("address ") {
        return Fault::new(
            Code::AddressInvalid,
            format!("{place}: the coordinator's address is not valid"),
            message,
            "write address = \"host:port\", such as \"coord.example.org:443\"",
        );
    }
    let (what, fix) = match unknown_key(message) {
        Some((key, known)) => {
            let fix = match nearest(key, known.iter().copied()) {
                Some(candidate) => format!("did you mean \"{candidate}\"?"),
                None => "remove it, or correct its name".to_owned(),
            };
            (format!("unknown key \"{key}\""), fix)
        }
        None => (
            "not valid".to_owned(),
            "correct this line; the reference of node.toml lists every key".to_owned(),
        ),
    };
    Fault::new(
        Code::ConfigInvalid,
        format!("{place}: {what}"),
        message,
        fix,
    )
}

/// The unknown key and the known ones, from serde's words: "unknown field `a`, expected `b` or `c`".
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let is_key = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let mut names = message.split('`').skip(1).step_by(2);
    let key = names.next().filter(|_| is_key)?;
    Some((key, names.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unknown_key_is_taken_from_serdes_words() {
        assert_eq!(
            unknown_key("unknown field `polcy`, expected `policy`"),
            Some(("polcy", vec!["policy"]))
        );
        assert_eq!(
            unknown_key("unknown variant `x`, expected one of `a`, `b`"),
            Some(("x", vec!["a", "b"]))
        );
        assert_eq!(unknown_key("missing field `slug`"), None);
    }
}
