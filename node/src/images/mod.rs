//! Stations 4 and 5 for studies of masks: the files that a site's table names become measurements
//! of cases. Files are read and measured in processes of their own ([`worker`]), which may take so
//! much memory and time and have no network; a file that is too much for one costs one counted
//! case. Paths, rows and reasons appear in messages for the site only.
//!
//! From: `cohort` (which files, by row), `imaging`.
//! To: `shared::statistic::cases`, and the people at the site (`Finding`).

mod allowance;
mod answer;
mod candidates;
mod digest;
mod journal;
pub(crate) mod made;
mod measured;
mod pool;
mod question;
mod reconcile;
mod score;
pub(crate) mod worker;

pub use allowance::Allowance;
pub use measured::FileCount;
pub(crate) use measured::{Images, acquired, masks};
pub(crate) use question::Files;
