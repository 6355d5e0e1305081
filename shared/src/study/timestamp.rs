//! A moment in UTC to the second, written as RFC 3339. `shared` never reads a clock:
//! whoever calls passes `now`.
//!
//! From: the callers' clocks.
//! To: protocol, job, ledger, report.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Timestamp(i64);

/// The text is no RFC 3339 date and time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a date and time such as 2026-11-25T10:00:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// From seconds since the Unix epoch; years 1970 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        const LAST: i64 = 253_402_300_799;
        (0..=LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since the Unix epoch.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// This moment moved by `seconds`, clamped to the representable years.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        const LAST: i64 = 253_402_300_799;
        Self(self.0.saturating_add(seconds).clamp(0, LAST))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        out.write_str(&text)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        Self::from_unix(moment.unix_timestamp()).ok_or(InvalidTimestamp)
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_through_text() {
        let moment = Timestamp::from_unix(1_800_000_000).unwrap();
        assert_eq!(moment.to_string(), "2027-01-15T08:00:00Z");
        assert_eq!(Timestamp::try_from(moment.to_string()), Ok(moment));
        assert_eq!(
            Timestamp::try_from("yesterday".to_owned()),
            Err(InvalidTimestamp)
        );
    }
}
