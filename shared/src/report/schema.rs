//! JSON Schema 2020-12 of `report.json`, from the Rust types.
//!
//! From: `Report`.
//! To: `schema/report.schema.json`.

use super::Report;
use crate::identity::{CanonicalError, to_canonical};

/// The schema's bytes.
pub(super) fn report() -> Result<Vec<u8>, CanonicalError> {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    to_canonical(&generator.into_root_schema_for::<Report>())
}
