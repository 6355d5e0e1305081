//! Where a site stands, one enum for command line, storage, documents and report.
//!
//! From: the node's and the coordinator's lifecycles.
//! To: both stores, both command lines, `docs/reference/states.md` (a test compares).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// A site's place in its enrolment and in the current round.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema)]
        pub enum SiteState {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)*
        }

        impl SiteState {
            /// Every state, in the order a site meets them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word used everywhere.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What the word means, one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

states! {
    /// The coordinator has made an invitation that nobody used yet.
    Invited = "invited",
    /// The node has made its key and asked for a certificate; people compare words now.
    Joined = "joined",
    /// The coordinator has issued a certificate.
    Approved = "approved",
    /// The node is connected and has nothing to do.
    Idle = "idle",
    /// A job waits for the node to admit it.
    JobOffered = "job-offered",
    /// The site's own data check failed; staff see why, the coordinator sees `waiting-approval`.
    PrecheckFailed = "precheck-failed",
    /// A person at the site looks at what would be sent.
    WaitingApproval = "waiting-approval",
    /// The node is computing.
    Computing = "computing",
    /// The approved release is on its way.
    Sending = "sending",
    /// The coordinator has confirmed the release.
    Delivered = "delivered",
    /// The site did not release.
    RejectedBySite = "rejected-by-site",
    /// The site has paused all sending.
    Paused = "paused",
    /// Nothing was heard from the node for a while.
    Silent = "silent",
    /// The certificate was withdrawn.
    Revoked = "revoked",
}

impl SiteState {
    /// The state called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
    }

    /// Nothing more will happen in this round.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Delivered | Self::RejectedBySite | Self::Revoked)
    }

    /// What a coordinator may know: whether a data check failed stays at the site, since the
    /// answer depends on the data (`docs/explanation/disclosure.md`).
    #[must_use]
    pub fn as_seen_outside(self) -> Self {
        if self == Self::PrecheckFailed {
            Self::WaitingApproval
        } else {
            self
        }
    }
}

impl std::fmt::Display for SiteState {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_meanings_are_sentences() {
        for &state in SiteState::ALL {
            assert_eq!(SiteState::parse(state.as_str()), Some(state));
            assert!(state.meaning().ends_with('.'), "{state}");
        }
    }
}
