//! A small study for the unit tests of this folder.
//!
//! From: nothing.
//! To: the tests.

use shared::study::StudyProtocol;

use super::map::{Selection, select};
use super::raw::{RawTable, TextColumn};
use super::source::TableSource;

/// Fields: patient, age, sex, ca, y, p_a, p_b; models: p_b (index), p_a; axes: age, sex, ca.
pub(crate) fn study() -> StudyProtocol {
    toml::from_str(STUDY).unwrap()
}

/// Comma-separated text without quotation marks, as the readers would give it.
pub(crate) fn table(
    text: &str,
    source: &TableSource,
    study: &StudyProtocol,
) -> (RawTable, Selection) {
    let mut lines = text.lines();
    let header: Vec<String> = lines
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let selection = select(study, source, &header).unwrap();
    let mut table = RawTable {
        column: selection
            .column
            .iter()
            .map(|&index| TextColumn::new(&header[index]))
            .collect(),
        place: vec![],
        noun: "line",
    };
    for (row, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        for (column, &index) in table.column.iter_mut().zip(&selection.column) {
            column.push(cells[index]);
        }
        table.place.push(row as u32 + 2);
    }
    (table, selection)
}

const STUDY: &str = r#"
protocol_version = 1
slug = "heart"
version = "1.0.0"
title = "t"
question = "q?"
design = "retrospective"
purpose = "external testing"
field = [
  { name = "patient", kind = "identifier", required = true },
  { name = "age", kind = "integer", unit = "years", range = [0, 120], bands = [18, 50, 65, 120] },
  { name = "sex", kind = "category", levels = ["female", "male"] },
  { name = "ca", kind = "binary" },
  { name = "y", kind = "binary", required = true },
  { name = "p_a", kind = "probability" },
  { name = "p_b", kind = "probability", required = true },
]
subgroup = [
  { id = "age", label = "Age", field = "age", rule = "band", prespecified = true },
  { id = "sex", label = "Sex", field = "sex", rule = "level", prespecified = true },
  { id = "ca", label = "Fluoroscopy", field = "ca", rule = "availability" },
]

[registration]
register = "none"
ethics_required = false
funding = "none"
patient_involvement = "none"
[intended_use]
population = "p"
user = "u"
setting = "s"
risk_tier = "low"
known_inequalities = "none"
[[model]]
id = "forest"
name = "Forest"
version = "1"
role = "index"
field = "p_b"
output = "probability"
run = "predictions-table"
missing_inputs = "median"
description = "d"
[[model]]
id = "nomogram"
name = "Nomogram"
version = "1"
role = "comparator"
field = "p_a"
output = "probability"
run = "predictions-table"
missing_inputs = "median"
description = "d"
[[endpoint]]
id = "disease"
label = "Disease"
field = "y"
event = "e"
[endpoint.reference_standard]
definition = "d"
rationale = "r"
readers = 0
reader_rule = "none"
blinded_to_model = true
[sampling]
design = "consecutive"
[verification]
methods = ["m"]
fraction_model_positive = 1
fraction_model_negative = 1
[eligibility]
description = "all"
unit = "patient"
cluster = "patient"
[histogram]
spacing = "logit"
bins = 128
[clip]
epsilon = 1e-6
[missing]
primary = "complete-case"
default_action = "a"
[analysis.primary]
metric = "auc"
model = "forest"
endpoint = "disease"
acceptance = { estimand = "mean", at_least = 0.7 }
[pooling]
model = "random-effects"
tau2 = "REML"
interval = "HKSJ"
level = 0.95
min_sites = 3
[disclosure]
min_cell = 10
[rounds]
schedule = "once"
deadline_days = 7
[signoff]
required = []
[[site]]
slug = "va"
display_name = "VA"
role = "external"
"#;
