//! Whole rounds with real processes: the simulation, people's decisions, refusals, closing, files
//! without a server, restarts.
//!
//! From: `harness`.
//! To: nobody.

mod approve;
mod decide;
mod end;
mod leave;
mod masked;
mod noise;
mod offline;
mod own;
mod preview;
mod refuse;
mod restart;
mod sign;
mod simulate;
mod steps;
mod trail;
mod twice;
mod witness;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use harness::{Federation, Site, Template};

/// An enrolled consortium of the bundled example, made once for all tests that run at a time;
/// its folder goes with the last of them.
fn consortium(change: impl Fn(&mut Site)) -> Federation {
    static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut kept = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    let template = kept.upgrade().unwrap_or_else(|| {
        let fresh = Federation::enrolled(harness::programs!(), Site::all()).into_template();
        *kept = Arc::downgrade(&fresh);
        fresh
    });
    drop(kept);
    template.copy(change)
}
