//! `fedval-node`: the process inside a hospital. It computes on its own data, applies its own
//! disclosure policy, shows staff what would leave, and dials out only.
//!
//! Read in the order of a job: [`link`] (offered), [`admission`] (admitted), [`cohort`] and
//! [`measure`] (computing), [`release`], [`preview`] and [`approval`] (waiting for people), [`outbox`]
//! (sending), [`ledger`] (what was asked, refused, released), [`spoken`] (about whom), [`noise`] (where a policy asks for it),
//! `witness` (that neither side's record changes unseen). [`store`] keeps all of it,
//! [`daemon`] drives it, [`cli`] is how people see it.
//!
//! From: `shared`.
//! To: the command `fedval-node`.

pub mod admission;
pub mod approval;
pub mod cli;
pub mod cohort;
pub mod config;
pub mod daemon;
pub mod exchange;
mod images;
pub mod ledger;
pub mod link;
pub mod masked;
pub mod measure;
pub mod noise;
pub mod outbox;
pub mod person;
pub mod preview;
mod private;
pub mod release;
pub mod spoken;
pub mod store;
mod suggestion;
pub mod waypoint;
mod witness;
