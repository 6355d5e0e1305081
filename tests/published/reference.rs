//! The reference entries, and the book-keeping of what has been compared with them.
//!
//! From: `tests/fixtures/reference/*.json`.
//! To: the comparisons of this target.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shared::numeric::Interval;

/// One entry, and which of its values have been compared.
pub struct Entry {
    pub id: String,
    pub metric: String,
    pub input: Value,
    pub expected: Value,
    rel_tol: f64,
    compared: BTreeSet<String>,
    given: BTreeSet<String>,
    failures: Vec<String>,
}

/// What our code says: one number or several, `None` where it says "undefined".
pub enum Got {
    One(Option<f64>),
    Many(Vec<f64>),
}

impl From<f64> for Got {
    fn from(value: f64) -> Self {
        Self::One(Some(value))
    }
}
impl From<u64> for Got {
    fn from(value: u64) -> Self {
        Self::One(Some(value as f64))
    }
}
impl From<Option<f64>> for Got {
    fn from(value: Option<f64>) -> Self {
        Self::One(value)
    }
}
impl From<Vec<f64>> for Got {
    fn from(value: Vec<f64>) -> Self {
        Self::Many(value)
    }
}
impl From<Interval> for Got {
    fn from(value: Interval) -> Self {
        Self::Many(vec![value.lower, value.upper])
    }
}
impl From<Option<Interval>> for Got {
    fn from(value: Option<Interval>) -> Self {
        value.map_or(Self::One(None), Self::from)
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Every entry of every file, in order of file name: the bundled ones, or those of the folder
/// that the environment variable `FEDVAL_REFERENCE` names, whose tables may not be bundled.
pub fn entries() -> Vec<Entry> {
    let bundled = fixtures().join("reference");
    let folder = std::env::var_os("FEDVAL_REFERENCE").map_or(bundled.clone(), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(bundled)
        .unwrap()
        .map(|f| folder.join(f.unwrap().file_name()))
        .collect();
    files.sort();
    files.iter().flat_map(|file| entries_of(file)).collect()
}

fn entries_of(file: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(file).unwrap();
    let values: Vec<Value> = serde_json::from_str(&text).unwrap();
    values.into_iter().map(Entry::read).collect()
}

/// Entries over data that may not stand in the repository: those of `name` in the folder that
/// `FEDVAL_REFERENCE` names, or in `shared/reference` beside the repository, that are not
/// bundled. Empty, and said, where there is no such file.
pub fn entries_beside(name: &str) -> Vec<Entry> {
    let named = std::env::var_os("FEDVAL_REFERENCE").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let file = named.unwrap_or(beside).join(name);
    if !file.exists() {
        let note = "SKIPPED: reference values beside the repository are not here\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes());
        return Vec::new();
    }
    let bundled: BTreeSet<String> = entries().into_iter().map(|entry| entry.id).collect();
    let mut all = entries_of(&file);
    all.retain(|entry| !bundled.contains(&entry.id));
    all
}

impl Entry {
    fn read(value: Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        Self {
            id: text("id"),
            metric: text("metric"),
            input: value["input"].clone(),
            expected: value["expected"].clone(),
            rel_tol: value["rel_tol"].as_f64().unwrap(),
            compared: BTreeSet::new(),
            given: BTreeSet::new(),
            failures: Vec::new(),
        }
    }

    /// A list of numbers among the expected values that is an input of ours.
    pub fn given(&mut self, path: &str) -> Vec<f64> {
        self.given.insert(path.to_owned());
        let list = self.expected.pointer(path).unwrap().as_array().unwrap();
        list.iter().map(|v| v.as_f64().unwrap()).collect()
    }

    /// Marks values that describe the entry and are nothing to compare.
    pub fn describes(&mut self, paths: &[&str]) {
        self.given.extend(paths.iter().map(|p| (*p).to_owned()));
    }

    pub fn has(&self, path: &str) -> bool {
        self.expected.pointer(path).is_some()
    }

    /// Compares at the entry's own tolerance; a path the entry does not have is passed over.
    pub fn check(&mut self, path: &str, got: impl Into<Got>) {
        self.check_to(path, got, self.rel_tol);
    }

    /// Compares at a tolerance the entry's note names.
    pub fn check_to(&mut self, path: &str, got: impl Into<Got>, rel_tol: f64) {
        let Some(expected) = self.expected.pointer(path).cloned() else {
            return;
        };
        self.compared.insert(path.to_owned());
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_p =
            name == "p" || name.ends_with("_p") || name.starts_with("p_") || name.contains("_p_");
        let agree = match (&expected, got.into()) {
            (Value::Null, Got::One(None)) => Ok(()),
            (Value::Number(e), Got::One(Some(g))) => close(e.as_f64().unwrap(), g, rel_tol, is_p),
            (Value::Array(e), Got::Many(g)) if e.len() == g.len() => {
                e.iter().zip(&g).try_for_each(|(e, g)| match e.as_f64() {
                    Some(e) => close(e, *g, rel_tol, is_p),
                    None => Err(format!("{e} against {g}")),
                })
            }
            (_, Got::One(g)) => Err(format!("expected {expected}, got {g:?}")),
            (_, Got::Many(g)) => Err(format!("expected {expected}, got {g:?}")),
        };
        if let Err(words) = agree {
            self.failures.push(format!("{} {path}: {words}", self.id));
        }
    }

    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    pub fn any_compared(&self) -> bool {
        !self.compared.is_empty()
    }

    /// Expected values neither compared nor given, as paths.
    pub fn left(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        leaf_paths("", &self.expected, &mut leaves);
        let covered = |leaf: &String| {
            self.compared
                .iter()
                .chain(&self.given)
                .any(|p| leaf == p || leaf.starts_with(&format!("{p}/")))
        };
        leaves.retain(|leaf| !covered(leaf));
        leaves
    }
}

fn leaf_paths(path: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(key, v)| leaf_paths(&format!("{path}/{key}"), v, leaves));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, v)| leaf_paths(&format!("{path}/{i}"), v, leaves));
        }
        _ => leaves.push(path.to_owned()),
    }
}

/// `|got - expected| <= rel_tol |expected| + 1e-12`; p values below 1e-9 by their logarithm to
/// 1e-6, and those a package computed as one minus a distribution function may read 0.
fn close(expected: f64, got: f64, rel_tol: f64, is_p: bool) -> Result<(), String> {
    let agree = if is_p && expected == 0.0 {
        (0.0..1e-15).contains(&got)
    } else if is_p && expected < 1e-9 {
        (got.ln() - expected.ln()).abs() <= rel_tol.max(1e-6)
    } else {
        (got - expected).abs() <= rel_tol * expected.abs() + 1e-12
    };
    agree.then_some(()).ok_or_else(|| {
        format!(
            "expected {expected:e}, got {got:e}, relative {:.1e}",
            (got - expected).abs() / expected.abs()
        )
    })
}
