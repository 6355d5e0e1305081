//! What several test targets share: the bundled study, random sites with a known truth, and real
//! processes in a folder of their own that end when the test ends.
//!
//! From: `configs/examples/heart`, a seed, the programs under test.
//! To: `tests/published`, `tests/privacy`, `tests/merge`, `tests/round`, `tests/crash`,
//! `tests/hostile`, `tests/segmentation`.

mod federation;
pub mod heart;
pub mod masked;
pub mod path;
mod process;
pub mod random;
pub mod recipe;
mod report;
pub mod steps;
mod truth;

use node::cohort::{Loaded, Means, TableSource};
use shared::fault::Fault;
use shared::study::StudyProtocol;

pub use federation::{Federation, Mode, Site, Template};
pub use process::{Answer, HOLD_AT, KILL_AT, Process, Programs, interrupt_at};
pub use report::{comparable, files, normalised};
pub use truth::Truth;

/// A table as a node reads it, with default limits for images.
///
/// # Errors
/// As [`node::cohort::load`].
pub fn load(study: &StudyProtocol, source: &TableSource) -> Result<Loaded, Vec<Fault>> {
    node::cohort::load(study, source, &Means::default())
}

/// The programs under test, built by cargo for this package.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::Programs {
            fedval: env!("CARGO_BIN_EXE_fedval-under-test").into(),
            node: env!("CARGO_BIN_EXE_fedval-node-under-test").into(),
        }
    };
}
