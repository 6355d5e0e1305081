//! Masked sums: each site adds noise to its vector so that a coordinator reads the total over at
//! least four sites and nothing of any one site. Secure aggregation after K. Bonawitz et al.,
//! "Practical secure aggregation for privacy-preserving machine learning", CCS 2017,
//! doi 10.1145/3133956.3133982, the variant against active adversaries with the consistency
//! check. Vectors are of `u64`, added modulo 2^64.
//!
//! Five messages of each site, one type each in `message`; [`site`] and [`collector`] are the two
//! ends, one consumed state per awaited message. Nothing here reads a clock or draws randomness:
//! a site's keys, seeds and coefficients all follow from one [`Secret`], so that a restarted node
//! that is given its stored secret and messages again says the same bytes again.
//!
//! What the caller must hold: a secret serves one roster once; what a site was told in a phase
//! is stored before the site answers, and nothing else is taken for that phase ever after. With
//! two different survivor sets answered under one secret nothing here could protect the vector.
//!
//! From: integer vectors of statistics, [`fixed`] for sums of real numbers.
//! To: `wire`, and the total to `pool`.

mod abort;
pub mod collector;
#[cfg(test)]
mod collusion_tests;
mod derive;
pub mod fixed;
mod message;
mod roster;
mod sharing;
pub mod site;
pub mod step;
#[cfg(test)]
mod tests;
mod text;

pub use abort::{Abort, Phase, Refused, SharedSecret};
pub use derive::Secret;
pub use message::{Advertised, Confirmed, Input, MaskedVector, Opened, Shared, VECTOR_MAX};
pub use roster::{MEMBERS_MAX, MEMBERS_MIN, Member, Roster, RosterFault};
pub use text::{AgreementKey, InvalidText, Sealed, Share};
