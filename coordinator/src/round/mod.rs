//! A round's life as a state machine without I/O: values and moments go in, the next state
//! comes out.
//!
//! From: `fedval round launch | close`, what nodes say, `report build`.
//! To: `store`, which keeps the state.

pub mod launch;
pub mod view;

use serde::{Deserialize, Serialize};
use shared::identity::Digest;
use shared::study::Timestamp;

/// Where a round stands.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RoundState {
    /// Planned; no job is signed.
    Draft,
    /// Jobs are signed and wait; no node has taken one.
    Open {
        /// When it was launched.
        launched_at: Timestamp,
    },
    /// At least one node has taken its job.
    Collecting {
        /// When it was launched.
        launched_at: Timestamp,
    },
    /// Nothing more is taken.
    Closed {
        /// When it was closed; the report's date.
        closed_at: Timestamp,
    },
    /// The accepted releases are frozen and pooled.
    Pooled {
        /// When the round was closed.
        closed_at: Timestamp,
        /// Digest of the sorted list of accepted releases' bytes.
        accepted: Digest,
    },
    /// A report was written.
    Published {
        /// When the round was closed.
        closed_at: Timestamp,
        /// Digest of the accepted releases.
        accepted: Digest,
        /// Digest of `report.json`.
        report: Digest,
    },
}

/// What happens to a round.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RoundEvent {
    /// Its jobs are signed and stored.
    Launch {
        /// When.
        at: Timestamp,
    },
    /// A node took its job or answered.
    Hear,
    /// The coordinator closes it.
    Close {
        /// When.
        at: Timestamp,
    },
    /// The accepted releases are frozen.
    Pool {
        /// Digest of the accepted releases.
        accepted: Digest,
    },
    /// A report was written.
    Publish {
        /// Digest of `report.json`.
        report: Digest,
    },
}

/// Why an event does not fit a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WrongEvent {
    /// It was launched before.
    #[error("the round was launched before")]
    AlreadyLaunched,
    /// It is not launched yet.
    #[error("the round is not launched yet")]
    NotLaunched,
    /// It is closed.
    #[error("the round is closed: it takes nothing more")]
    Closed,
    /// It is still open.
    #[error("the round is still open: close it first, then its result cannot change")]
    StillOpen,
    /// The accepted set is another one than before.
    #[error("the accepted releases are not the ones that were pooled before")]
    SetChanged,
}

impl RoundState {
    /// The word in storage and on the command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open { .. } => "open",
            Self::Collecting { .. } => "collecting",
            Self::Closed { .. } => "closed",
            Self::Pooled { .. } => "pooled",
            Self::Published { .. } => "published",
        }
    }

    /// Whether releases are taken.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Collecting { .. })
    }

    /// When it was closed.
    pub fn closed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Draft | Self::Open { .. } | Self::Collecting { .. } => None,
            Self::Closed { closed_at }
            | Self::Pooled { closed_at, .. }
            | Self::Published { closed_at, .. } => Some(*closed_at),
        }
    }

    /// The state after `event`. Events that say again what is so already change nothing.
    ///
    /// # Errors
    /// [`WrongEvent`] when the event does not fit the state.
    pub fn step(self, event: &RoundEvent) -> Result<Self, WrongEvent> {
        match event {
            RoundEvent::Launch { at } => self.launched(*at),
            RoundEvent::Hear => self.heard(),
            RoundEvent::Close { at } => self.closed(*at),
            RoundEvent::Pool { accepted } => self.pooled(*accepted),
            RoundEvent::Publish { report } => self.published(*report),
        }
    }

    fn launched(self, at: Timestamp) -> Result<Self, WrongEvent> {
        match self {
            Self::Draft => Ok(Self::Open { launched_at: at }),
            Self::Open { .. }
            | Self::Collecting { .. }
            | Self::Closed { .. }
            | Self::Pooled { .. }
            | Self::Published { .. } => Err(WrongEvent::AlreadyLaunched),
        }
    }

    fn heard(self) -> Result<Self, WrongEvent> {
        match self {
            Self::Draft => Err(WrongEvent::NotLaunched),
            Self::Open { launched_at } | Self::Collecting { launched_at } => {
                Ok(Self::Collecting { launched_at })
            }
            Self::Closed { .. } | Self::Pooled { .. } | Self::Published { .. } => {
                Err(WrongEvent::Closed)
            }
        }
    }

    fn closed(self, at: Timestamp) -> Result<Self, WrongEvent> {
        match self {
            Self::Draft => Err(WrongEvent::NotLaunched),
            Self::Open { .. } | Self::Collecting { .. } => Ok(Self::Closed { closed_at: at }),
            Self::Closed { .. } | Self::Pooled { .. } | Self::Published { .. } => Ok(self),
        }
    }

    fn pooled(self, now: Digest) -> Result<Self, WrongEvent> {
        match self {
            Self::Draft => Err(WrongEvent::NotLaunched),
            Self::Open { .. } | Self::Collecting { .. } => Err(WrongEvent::StillOpen),
            Self::Closed { closed_at } => Ok(Self::Pooled {
                closed_at,
                accepted: now,
            }),
            Self::Pooled { accepted, .. } | Self::Published { accepted, .. } if accepted != now => {
                Err(WrongEvent::SetChanged)
            }
            Self::Pooled { .. } | Self::Published { .. } => Ok(self),
        }
    }

    fn published(self, report: Digest) -> Result<Self, WrongEvent> {
        match self {
            Self::Draft => Err(WrongEvent::NotLaunched),
            Self::Open { .. } | Self::Collecting { .. } | Self::Closed { .. } => {
                Err(WrongEvent::StillOpen)
            }
            Self::Pooled {
                closed_at,
                accepted,
            }
            | Self::Published {
                closed_at,
                accepted,
                ..
            } => Ok(Self::Published {
                closed_at,
                accepted,
                report,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    fn states() -> [RoundState; 6] {
        let accepted = Digest::of(b"set");
        [
            RoundState::Draft,
            RoundState::Open { launched_at: at(1) },
            RoundState::Collecting { launched_at: at(1) },
            RoundState::Closed { closed_at: at(2) },
            RoundState::Pooled {
                closed_at: at(2),
                accepted,
            },
            RoundState::Published {
                closed_at: at(2),
                accepted,
                report: Digest::of(b"report"),
            },
        ]
    }

    #[test]
    fn a_round_goes_forward_only() {
        let events = [
            RoundEvent::Launch { at: at(9) },
            RoundEvent::Hear,
            RoundEvent::Close { at: at(9) },
            RoundEvent::Pool {
                accepted: Digest::of(b"set"),
            },
            RoundEvent::Publish {
                report: Digest::of(b"report"),
            },
        ];
        let words = [
            "draft",
            "open",
            "collecting",
            "closed",
            "pooled",
            "published",
        ];
        for (index, state) in states().into_iter().enumerate() {
            assert_eq!(state.as_str(), words[index]);
            for event in &events {
                if let Ok(next) = state.clone().step(event) {
                    let after = states().iter().position(|s| s.as_str() == next.as_str());
                    assert!(after.unwrap() >= index, "{state:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_taken_after_the_close_and_closing_again_keeps_the_date() {
        for state in states().into_iter().skip(3) {
            assert_eq!(
                state.clone().step(&RoundEvent::Hear),
                Err(WrongEvent::Closed)
            );
            let again = state
                .clone()
                .step(&RoundEvent::Close { at: at(99) })
                .unwrap();
            assert_eq!(again.closed_at(), Some(at(2)));
        }
    }

    #[test]
    fn a_pooled_set_is_frozen() {
        let other = RoundEvent::Pool {
            accepted: Digest::of(b"other"),
        };
        for state in states().into_iter().skip(4) {
            assert_eq!(state.step(&other), Err(WrongEvent::SetChanged));
        }
        for state in states().into_iter().skip(1).take(2) {
            assert_eq!(state.step(&other), Err(WrongEvent::StillOpen));
        }
    }

    #[test]
    fn states_survive_storage() {
        for state in states() {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<RoundState>(&text).unwrap(), state);
            assert!(text.contains(&format!("\"state\":\"{}\"", state.as_str())));
        }
    }
}
