//! The tables the reference values were computed on.
//!
//! From: `tests/fixtures/*.csv`.
//! To: the comparisons of this target.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::reference::fixtures;

/// Rows of a table as text.
#[derive(Clone)]
pub struct Rows(Vec<BTreeMap<String, String>>);

impl Rows {
    /// The table an entry's `input` names, with its `filter`; `None` if it is not bundled.
    /// Tables that may not be bundled are looked for in the folder `inputs` of the folder that
    /// the environment variable `FEDVAL_REFERENCE` names.
    pub fn of(input: &Value) -> Option<Self> {
        let name = input["file"].as_str()?;
        let bundled = fixtures().join(name);
        let file = if bundled.exists() {
            bundled
        } else {
            let elsewhere = std::env::var_os("FEDVAL_REFERENCE")?;
            std::path::Path::new(&elsewhere)
                .join("inputs")
                .join(name.rsplit('/').next()?)
        };
        if !file.exists() {
            return None;
        }
        let all = Self(
            csv::Reader::from_path(file)
                .unwrap()
                .deserialize()
                .map(Result::unwrap)
                .collect(),
        );
        let columns: Vec<&str> = input["drop_missing"]
            .as_array()
            .map_or_else(Vec::new, |list| {
                list.iter().map(|v| v.as_str().unwrap()).collect()
            });
        let all = all.complete(&columns);
        Some(match input["filter"].as_object() {
            Some(filter) => filter
                .iter()
                .fold(all, |rows, (key, v)| rows.only(key, v.as_str().unwrap())),
            None => all,
        })
    }

    /// The rows that have a value in each of `columns`.
    pub fn complete(&self, columns: &[&str]) -> Self {
        let recorded = |row: &&BTreeMap<String, String>| {
            let missing = |column: &&str| matches!(row[*column].as_str(), "" | "NA");
            !columns.iter().any(missing)
        };
        Self(self.0.iter().filter(recorded).cloned().collect())
    }

    pub fn only(&self, column: &str, value: &str) -> Self {
        Self(
            self.0
                .iter()
                .filter(|row| row[column] == value)
                .cloned()
                .collect(),
        )
    }

    pub fn text(&self, column: &str) -> Vec<String> {
        self.0.iter().map(|row| row[column].clone()).collect()
    }

    pub fn number(&self, column: &str) -> Vec<f64> {
        self.0
            .iter()
            .map(|row| row[column].parse().unwrap())
            .collect()
    }

    pub fn event(&self, column: &str) -> Vec<bool> {
        self.number(column).into_iter().map(|y| y == 1.0).collect()
    }

    pub fn each_a_patient(&self) -> Vec<u32> {
        (0..u32::try_from(self.0.len()).unwrap()).collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Distinct values in order of appearance.
    pub fn levels(&self, column: &str) -> Vec<String> {
        let mut levels = Vec::new();
        for value in self.text(column) {
            if !levels.contains(&value) {
                levels.push(value);
            }
        }
        levels
    }

    /// Counts of `rows x columns` for the levels given.
    pub fn cross(
        &self,
        row: &str,
        rows: &[String],
        column: &str,
        columns: &[String],
    ) -> Vec<Vec<f64>> {
        let count = |r: &String, c: &String| {
            self.0
                .iter()
                .filter(|x| x[row] == *r && x[column] == *c)
                .count() as f64
        };
        rows.iter()
            .map(|r| columns.iter().map(|c| count(r, c)).collect())
            .collect()
    }
}
