//! Whole rounds with real processes: the simulation, people's decisions, refusals, closing, files
//! without a server, restarts.
//!
//! From: `harness`.
//! To: nobody.

mod decide;
mod end;
mod offline;
mod refuse;
mod restart;
mod simulate;

use std::sync::OnceLock;

use harness::{Federation, Site, Template};

/// An enrolled consortium of the bundled example, made once for all tests of this file.
fn consortium(change: impl Fn(&mut Site)) -> Federation {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| Federation::enrolled(harness::programs!(), Site::all()).into_template())
        .copy(change)
}
