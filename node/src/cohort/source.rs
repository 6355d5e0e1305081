//! Where a hospital's table is and how its columns and codes read.
//!
//! From: `config` (`[study.<slug>]`), or the arguments of `fedval-node measure`.
//! To: `map`, `read_csv`, `read_parquet`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::{FieldName, StudySlug};

/// Cells that mean "no value" unless the site lists its own; letter case does not matter.
/// An empty cell always means "no value".
pub const MISSING: [&str; 8] = ["", "NA", "N/A", "null", "None", "nan", ".", "?"];

/// One table and its mapping to the protocol's fields.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSource {
    /// The CSV or Parquet file.
    pub path: PathBuf,
    /// Column with the case's key. Absent: another identifier field's column, or the patient
    /// column when the unit of analysis is the patient.
    pub key: Option<String>,
    /// Column with the patient's key. Absent: the column mapped to, or named as, the
    /// protocol's cluster field; else `key` when the unit of analysis is the patient.
    pub cluster: Option<String>,
    /// Protocol field to local column. Other fields are read from the column of their own name.
    pub map: BTreeMap<FieldName, String>,
    /// Declared fields this site does not record: missing in every row.
    pub absent: BTreeSet<FieldName>,
    /// By field, level to local codes. For binary fields the levels are `1` and `0`.
    pub codes: BTreeMap<FieldName, BTreeMap<String, Vec<String>>>,
    /// By field, how numbers are converted.
    pub transform: BTreeMap<FieldName, Transform>,
    /// Cells that mean "no value".
    pub missing: Vec<String>,
    /// When present, the file must have this hash.
    pub sha256: Option<Digest>,
    /// Limits of what is read.
    pub caps: Caps,
    /// Where a person mends this mapping.
    pub origin: Origin,
}

/// How the numbers of a column become probabilities.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Logits: `1 / (1 + exp(-x))`.
    Logistic,
    /// Percentages: `x / 100`.
    Percent,
}

/// Limits of what is read; a table beyond one of them is refused, never cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caps {
    /// Rows; default 20 million.
    pub rows: u64,
    /// Columns; default 4096.
    pub columns: usize,
    /// Bytes of one cell; default 64 KiB.
    pub field_bytes: usize,
    /// Bytes of one row; default 16 MiB.
    pub record_bytes: u64,
    /// Bytes of the file; default 4 GiB.
    pub file_bytes: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            rows: 20_000_000,
            columns: 4096,
            field_bytes: 64 << 10,
            record_bytes: 16 << 20,
            file_bytes: 4 << 30,
        }
    }
}

/// Where the mapping was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A section `[study.<slug>]` of a configuration file.
    Config {
        /// The file.
        file: PathBuf,
        /// The study.
        study: StudySlug,
    },
    /// Arguments of a command.
    Arguments,
}

impl Origin {
    /// The place where `part` (`table`, `map`, `codes`, `transform`) is written, for people.
    pub(crate) fn place(&self, part: &str) -> String {
        match self {
            Self::Config { file, study } => {
                format!("[study.{study}.{part}] of {}", file.display())
            }
            Self::Arguments if part == "map" => "--map name=column".to_owned(),
            Self::Arguments => format!("[study.<slug>.{part}] of the node's configuration"),
        }
    }
}

impl TableSource {
    /// A table whose columns are named as the protocol's fields.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key: None,
            cluster: None,
            map: BTreeMap::new(),
            absent: BTreeSet::new(),
            codes: BTreeMap::new(),
            transform: BTreeMap::new(),
            missing: MISSING.map(str::to_owned).to_vec(),
            sha256: None,
            caps: Caps::default(),
            origin: Origin::Arguments,
        }
    }

    /// Adds the mapping of an argument `name=column`; `name=` says the site does not record it.
    ///
    /// # Errors
    /// `FV-CONF-002` when the text has no `=`, the name is no field name, or stands twice.
    pub fn map_argument(&mut self, text: &str) -> Result<(), Fault> {
        let wrong = |why: String| {
            Fault::new(
                Code::ConfigInvalid,
                format!("--map {text:?} is not a mapping"),
                why,
                "write --map name=column, the protocol's name first; --map name= when there is no such column",
            )
        };
        let (name, column) = text
            .split_once('=')
            .ok_or_else(|| wrong("there is no = in it".to_owned()))?;
        let name: FieldName = name
            .trim()
            .parse()
            .map_err(|invalid| wrong(format!("{name:?}: {invalid}")))?;
        if self.map.contains_key(&name) || self.absent.contains(&name) {
            return Err(wrong(format!("{name} is mapped twice")));
        }
        if column.is_empty() {
            self.absent.insert(name);
        } else {
            self.map.insert(name, column.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_map_or_declare_absence_once() {
        let mut source = TableSource::new("t.csv");
        source.map_argument("age=age_years").unwrap();
        source.map_argument("stage=").unwrap();
        assert_eq!(source.map.len(), 1);
        assert_eq!(source.absent.len(), 1);
        for bad in ["age", "age=other", "Age=x", "stage=s", "=x"] {
            let fault = source.map_argument(bad).unwrap_err();
            assert_eq!(fault.code, Code::ConfigInvalid, "{bad}");
        }
    }
}
