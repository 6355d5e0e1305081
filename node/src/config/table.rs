//! `[study.<slug>]`: one study's table at this site.
//!
//! From: `config`.
//! To: `cohort::TableSource`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::{FieldName, StudySlug};

use super::explain;
use crate::cohort::{Caps, MISSING, Origin, TableSource, Transform};

/// `[study.<slug>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySection {
    /// Cells that mean "no value"; default: empty, NA, N/A, null, None, nan, `.`, `?`. Letter
    /// case does not matter, and empty cells always count.
    #[serde(default = "missing_default")]
    pub missing: Vec<LocalCode>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableSection>,
    /// Protocol field to local column; default: the column of the field's own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<FieldName, String>,
    /// By field, level to local codes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<FieldName, BTreeMap<String, Vec<LocalCode>>>,
    /// By field, `logistic` or `percent`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub transform: BTreeMap<FieldName, Transform>,
    /// With it this site adds its numbers to masked sums of the study; without, it sends its own
    /// release and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_sums: Option<MaskedSection>,
}

/// `[study.<slug>.masked_sums]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedSection {
    /// Days that the plain numbers stay here for audit; default 365.
    #[serde(default = "keep_days_default")]
    pub keep_days: u32,
}

fn keep_days_default() -> u32 {
    365
}

/// `[study.<slug>.table]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSection {
    /// The CSV or Parquet file.
    pub path: PathBuf,
    /// Column with the case's key; it stays here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Column with the patient's key; not needed when each case is a patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Fields of the protocol this site does not record.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<FieldName>,
    /// The file's hash, `sha256:` and 64 hex digits; when given, another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Largest file, in MiB; default 4096.
    #[serde(default = "max_mb_default")]
    pub max_mb: u32,
}

fn max_mb_default() -> u32 {
    4096
}

fn missing_default() -> Vec<LocalCode> {
    MISSING
        .iter()
        .map(|text| LocalCode::Text((*text).to_owned()))
        .collect()
}

/// A local code: text, or a number or boolean as the table writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LocalCode {
    /// `"F"`.
    Text(String),
    /// `1`.
    Whole(i64),
    /// `1.5`.
    Number(f64),
    /// `true`.
    Truth(bool),
}

impl fmt::Display for LocalCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Whole(number) => number.fmt(out),
            Self::Number(number) => number.fmt(out),
            Self::Truth(truth) => truth.fmt(out),
        }
    }
}

impl StudySection {
    /// What can be checked without the protocol.
    pub(super) fn check(&self, file: &Path, slug: &StudySlug) -> Result<(), Fault> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let wrong = |what: String, why: &str| {
            let fix = format!("mend [study.{slug}]");
            Err(explain::invalid(file, what, why, fix))
        };
        if table.max_mb == 0 {
            return wrong("max_mb is 0".to_owned(), "no table would fit");
        }
        if let Some(both) = table.absent.iter().find(|name| self.map.contains_key(name)) {
            return wrong(
                format!("\"{both}\" is mapped and said to be absent"),
                "it can only be one of them",
            );
        }
        let empty =
            |name: &Option<String>| name.as_ref().is_some_and(|name| name.trim().is_empty());
        let unnamed = self.map.values().any(|name| name.trim().is_empty());
        if unnamed || empty(&table.key) || empty(&table.cluster) {
            return wrong(
                "a column's name is empty".to_owned(),
                "fields this site does not record are listed in absent = [...]",
            );
        }
        Ok(())
    }

    /// The source this section describes, when it names a table.
    pub(super) fn source(&self, file: &Path, slug: &StudySlug) -> Option<TableSource> {
        let table = self.table.as_ref()?;
        let texts = |codes: &Vec<LocalCode>| codes.iter().map(LocalCode::to_string).collect();
        let codes = self.codes.iter().map(|(field, levels)| {
            let levels = levels
                .iter()
                .map(|(level, codes)| (level.clone(), texts(codes)));
            (field.clone(), levels.collect())
        });
        Some(TableSource {
            path: table.path.clone(),
            key: table.key.clone(),
            cluster: table.cluster.clone(),
            map: self.map.clone(),
            absent: table.absent.clone(),
            codes: codes.collect(),
            transform: self.transform.clone(),
            missing: texts(&self.missing),
            sha256: table.sha256,
            caps: Caps {
                file_bytes: u64::from(table.max_mb) << 20,
                ..Caps::default()
            },
            origin: Origin::Config {
                file: file.to_owned(),
                study: slug.clone(),
            },
        })
    }
}
