//! Who said what: digests, canonical bytes, signatures, words for the telephone.
//!
//! From: nothing of ours.
//! To: locked protocols, jobs, releases, ledgers, enrolment.

mod canonical;
mod digest;

pub use canonical::{CanonicalError, from_canonical, to_canonical};
pub use digest::{Digest, InvalidDigest};
