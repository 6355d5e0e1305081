//! Station 6, the only gate outward: exact statistics go in, a reviewed release comes out.
//!
//! From: `statistic` (exact values), the site's policy.
//! To: `node::release` (preview, approval), `wire` (released bytes), `coordinator::intake`.

pub mod atoms;
pub mod audit;
pub mod document;
pub mod masked;
pub mod noise;
pub mod policy;
pub mod released;
pub mod review;
pub mod rule;

pub use document::{Header, PolicyStamp, ReceiveFault, ReceivedRelease};
pub use policy::{Policy, Profile};
pub use released::{Released, ReleasedBytes};
pub use review::{Axes, Decision, Item, Reviewed, Verdict, review};
