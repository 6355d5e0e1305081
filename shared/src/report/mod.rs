//! Station 8, the report: one bundle of files from one pooled study. It adds words, pictures
//! and formats, and no number of its own.
//!
//! Read in this order: `document` (what a report consists of), `number` and `words` (how
//! things are said), `page` (what is said), `figure` (what is drawn), `checklist` (what
//! publications ask for), `html`, `csv`, `schema`, `companion` (files for those who cite or
//! archive it), `export` (what is made on demand).
//!
//! From: `pool::result`.
//! To: files on disk, written by `coordinator`, and by `node` for its own report.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::{CanonicalError, Digest, to_canonical};
use crate::pool::result::PooledStudy;
use crate::ro_crate;
use crate::study::SiteSlug;

mod checklist;
mod companion;
mod csv;
mod document;
pub mod export;
mod figure;
mod html;
mod number;
mod page;
mod schema;
mod view;
mod words;

#[cfg(test)]
mod testdata;
#[cfg(test)]
mod tests;

pub use csv::slug as analysis_slug;

/// Version of `report.json`.
pub const SCHEMA: &str = "fedval.report/1";

/// Facts about the making of one report that may differ between two builds; nothing else does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Name and version of the program: `fedval 0.1.0`.
    pub software: String,
    /// Further facts by name, such as the compiler or the versions of the nodes.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// The content of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// What may differ between two builds.
    pub provenance: Provenance,
    /// Every number of the report.
    pub study: PooledStudy,
}

impl Report {
    /// Reads a bundle's `report.json`, and compares it with the bundle's `manifest.json` where there
    /// is one.
    ///
    /// # Errors
    /// Why it is not the report of a bundle, in words.
    pub fn read(bytes: &[u8], manifest: Option<&[u8]>) -> Result<Self, String> {
        if let Some(manifest) = manifest {
            let manifest: serde_json::Value = serde_json::from_slice(manifest)
                .map_err(|error| format!("its manifest.json does not read: {error}"))?;
            let named = manifest["files"]["report.json"]["sha256"].as_str();
            if named != Some(Digest::of(bytes).hex().as_str()) {
                return Err(
                    "its bytes are not those that manifest.json names: it was changed after it \
                     was built"
                        .to_owned(),
                );
            }
        }
        let report: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if report.schema == SCHEMA {
            Ok(report)
        } else {
            Err(format!(
                "its schema is {}, this program's {SCHEMA}",
                report.schema
            ))
        }
    }
}

/// The files of a report by their path inside the bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// Path, with `/`, and bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why no report can be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportFault {
    /// The study holds a number that JSON cannot say.
    #[error("the pooled study has no JSON form: {0}")]
    Form(#[from] CanonicalError),
    /// A template failed.
    #[error("the page cannot be set: {0}")]
    Page(#[from] askama::Error),
    /// A checklist does not read.
    #[error("a checklist does not read: {0}")]
    Checklist(#[from] checklist::ListFault),
}

/// Makes `report.html` alone; [`bundle`] has it among its files.
///
/// # Errors
/// [`ReportFault::Page`] when a template fails, [`ReportFault::Checklist`] when a checklist does not
/// read.
pub fn page(study: &PooledStudy, provenance: &Provenance) -> Result<String, ReportFault> {
    let view = view::View::of(study);
    let (document, _) = page::document(view, provenance, checklist::read()?);
    Ok(html::render(&document)?)
}

/// Makes the page of one hospital: the report with its own results beside the others' first;
/// `None` when it was not invited.
///
/// # Errors
/// As [`page`].
pub fn site_page(report: &Report, site: &SiteSlug) -> Result<Option<String>, ReportFault> {
    let study = &report.study;
    let Some(own) = study.sites.iter().find(|one| one.site == *site) else {
        return Ok(None);
    };
    let view = view::View {
        own: Some(own),
        ..view::View::of(study)
    };
    let (document, _) = page::document(view, &report.provenance, checklist::read()?);
    Ok(Some(html::render(&document)?))
}

/// Makes every file of the report: `report.html`, `report.json`, its schema, the CSV files, the
/// checklists, citation, references, methods and description, and `manifest.json` with the SHA-256
/// of all of them. The same input gives the same bytes.
///
/// # Errors
/// [`ReportFault::Form`] when a number is NaN or infinite, [`ReportFault::Page`] when a template
/// fails, [`ReportFault::Checklist`] when a checklist does not read.
pub fn bundle(study: &PooledStudy, provenance: &Provenance) -> Result<Bundle, ReportFault> {
    let view = view::View::of(study);
    let report = Report {
        schema: SCHEMA.to_owned(),
        provenance: provenance.clone(),
        study: study.clone(),
    };
    let (document, checklists) = page::document(view, provenance, checklist::read()?);
    let mut files = BTreeMap::from([
        (
            "report.html".to_owned(),
            html::render(&document)?.into_bytes(),
        ),
        ("report.json".to_owned(), to_canonical(&report)?),
        ("schema/report.schema.json".to_owned(), schema::report()?),
    ]);
    for (name, text) in csv::files(view) {
        files.insert(name.to_owned(), text.into_bytes());
    }
    for filled in &checklists {
        let name = format!("checklists/{}.csv", filled.list.id);
        files.insert(name, csv::checklists::table(filled).into_bytes());
    }
    let texts = [
        ("CITATION.cff", companion::citation(view)),
        ("methods.md", companion::methods(&document)),
        ("references.bib", companion::references(&checklists)),
    ];
    files.extend(texts.map(|(name, text)| (name.to_owned(), text.into_bytes())));
    let description = to_canonical(&companion::describe(view, provenance, &files))?;
    files.insert(ro_crate::FILE.to_owned(), description);
    let manifest = manifest(&files)?;
    files.insert("manifest.json".to_owned(), manifest);
    Ok(Bundle { files })
}

#[derive(Serialize)]
struct Manifest {
    schema: &'static str,
    files: BTreeMap<String, ManifestEntry>,
}

#[derive(Serialize)]
struct ManifestEntry {
    sha256: String,
    bytes: usize,
}

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, CanonicalError> {
    let entry = |bytes: &Vec<u8>| ManifestEntry {
        sha256: Digest::of(bytes).hex(),
        bytes: bytes.len(),
    };
    to_canonical(&Manifest {
        schema: "fedval.manifest/1",
        files: files
            .iter()
            .map(|(name, bytes)| (name.clone(), entry(bytes)))
            .collect(),
    })
}
