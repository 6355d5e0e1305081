//! With what a table and its images are read here, and who hears how far it has come. Numbers of cases are told to
//! people at the site only: to a coordinator they would be the size of a cohort.
//!
//! From: `cli`, `release`, `exchange`.
//! To: `cohort`, `images`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::images::Allowance;

/// How far reading the images of a table has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Cases done, those known from before among them.
    pub done: usize,
    /// Cases known from before a stop.
    pub known: usize,
    /// All cases.
    pub of: usize,
}

impl Progress {
    pub(crate) fn of(cases: usize) -> Self {
        Self {
            of: cases,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, known: bool) {
        self.done += 1;
        self.known += usize::from(known);
    }
}

/// With what a table and its images are read.
pub struct Means<'a> {
    salt: &'a [u8],
    allowance: Allowance,
    keep: Option<PathBuf>,
    tell: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Means<'a> {
    /// `state` is the state directory in which finished cases are kept until the computation that
    /// asked has come to its end; without one a stop begins anew.
    pub fn new(
        allowance: Allowance,
        state: Option<&Path>,
        tell: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self {
            salt: &[],
            allowance,
            keep: state.map(|state| state.join("reading")),
            tell,
        }
    }

    /// The same with the site's secret, by which the ledger knows patients again.
    #[must_use]
    pub fn salted(self, salt: &'a [u8]) -> Self {
        Self { salt, ..self }
    }

    pub(crate) fn salt(&self) -> &[u8] {
        self.salt
    }

    pub(crate) fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    pub(crate) fn keep(&self) -> Option<&Path> {
        self.keep.as_deref()
    }

    pub(crate) fn tell(&self, progress: Progress) {
        (self.tell)(progress);
    }
}

impl Default for Means<'_> {
    /// Default limits; nothing is kept, nobody listens.
    fn default() -> Self {
        Self::new(Allowance::default(), None, &|_| ())
    }
}

/// Measurements of cases that are kept on disk; they stay until someone says that they are done.
#[derive(Debug)]
pub struct Kept(pub(crate) PathBuf);

impl Kept {
    /// Removes them: what was computed of them is safe.
    pub fn done(self) {
        // One that stays is removed by its age.
        let _ = std::fs::remove_file(self.0);
    }
}
