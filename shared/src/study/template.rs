//! A complete, commented protocol to start from.
//!
//! From: `fedval study new --template`.
//! To: whoever writes a study; `source` reads it back.

/// External validation of a model that predicts a binary outcome, against a clinical comparator.
pub const BINARY: &str = include_str!("template/binary.toml");

/// External validation of a model that outlines structures.
pub const SEGMENTATION: &str = include_str!("template/segmentation.toml");

/// External validation of a model that finds lesions and scores them.
pub const DETECTION: &str = include_str!("template/detection.toml");

/// Every template by name.
pub const ALL: &[(&str, &str)] = &[
    ("binary", BINARY),
    ("segmentation", SEGMENTATION),
    ("detection", DETECTION),
];

/// The template called `name`.
pub fn find(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{source, validate};

    #[test]
    fn every_template_is_a_protocol_that_may_be_locked() {
        for (name, text) in ALL {
            let protocol = source::parse(text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!(validate::check(&protocol), [], "{name}");
            let expanded = validate::expand(&protocol);
            assert_eq!(validate::check(&expanded), [], "{name}, expanded");
        }
    }

    #[test]
    fn the_bundled_study_may_be_locked() {
        let text = include_str!("../../../configs/examples/heart/study.toml");
        let protocol = source::parse(text).unwrap();
        assert_eq!(validate::check(&protocol), []);
        assert_eq!(protocol.site.len(), protocol.public_dataset.len());
    }
}
