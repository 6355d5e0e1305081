//! Named moments of a round. Nobody listens in a program that runs at a hospital or a
//! coordinating centre: naming a moment then does nothing. The crash tests start this crate's
//! `main` from a program of their own, which listens and ends the process at the moment a test
//! asks for; what ends it is not part of this crate.
//!
//! From: the places where something is about to become, or has become, durable.
//! To: a listener of the crash tests.

use std::sync::OnceLock;

static LISTENER: OnceLock<fn(&str)> = OnceLock::new();

/// Lets `listener` hear every moment of this process; the first listener stays.
pub fn listen(listener: fn(&str)) {
    let _ = LISTENER.set(listener);
}

/// The moment `name` has come.
pub(crate) fn pass(name: &str) {
    if let Some(listener) = LISTENER.get() {
        listener(name);
    }
}
