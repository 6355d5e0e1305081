//! Names: every thing that is referred to across machines has its own id type.
//!
//! From: protocol and configuration text.
//! To: `protocol`, `job`, and every statistic's key.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest accepted slug, in bytes.
pub const SLUG_MAX: usize = 48;

/// Why a text is no valid name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a name has 1 to 48 characters from a-z, 0-9, '-', '_' and '.', and starts with a letter or digit"
)]
pub struct InvalidName;

/// True when `text` may serve as a name (lower case, no spaces, no path separators).
fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    !text.is_empty()
        && text.len() <= SLUG_MAX
        && first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        })
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A study's short name, unique in a consortium: `heart-2026`.
    StudySlug;
    /// An institution that runs a node: `st-olav`.
    SiteSlug;
    /// A model under validation or its comparator.
    ModelId;
    /// An endpoint: the outcome as the reference standard defines it.
    EndpointId;
    /// A column of the analysis table, in the protocol's words.
    FieldName;
    /// A subgroup axis: age band, sex, modality availability.
    AxisId;
    /// One execution of a study across sites: `heart-2026.r1`.
    RoundId;
    /// One exchange inside a job; most jobs have exactly one, called `measure`.
    ExchangeId;
}

impl FieldName {
    /// What stands for the field of a pair of axes until the lock names one.
    pub(super) fn of_a_pair() -> Self {
        Self("pair".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_bounded() {
        for good in ["a", "st-olav", "heart-2026.r1", "0x_1"] {
            assert!(good.parse::<SiteSlug>().is_ok(), "{good}");
        }
        let long = "a".repeat(SLUG_MAX + 1);
        for bad in ["", "-a", "A", "a b", "../x", "a/b", "é", long.as_str()] {
            assert!(bad.parse::<SiteSlug>().is_err(), "{bad}");
        }
    }
}
