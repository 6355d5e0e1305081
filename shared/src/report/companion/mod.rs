//! Files beside the report for those who cite, archive or write it up: `CITATION.cff`,
//! `references.bib`, `methods.md`, and the description of the whole as an RO-Crate.
//!
//! From: a pooled study, its document, the bundle's other files.
//! To: the bundle.

mod citation;
mod description;
mod markdown;

pub(super) use citation::{citation, references};
pub(super) use description::describe;
pub(super) use markdown::methods;
