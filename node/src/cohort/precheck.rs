//! What must hold of every row before anyone is left out: values of the declared kind and range,
//! keys that identify, and one truth per case. All faults are collected; a table with any is
//! refused whole. A missing value is no fault: it is missing data, and is counted.
//!
//! From: `value`, `identifier`.
//! To: `eligible`; findings and faults go to the people at the site.

mod repeat;

use shared::fault::{Code, Fault};
use shared::statistic::cases::Column;
use shared::study::{Field, FieldKind, StudyProtocol};

use super::finding::Finding;
use super::map::Selection;
use super::raw::{Examples, RawTable, TextColumn, quote};
use super::source::{TableSource, Transform};
use super::value::{Markers, Problem, Reading, read};

/// Largest whole number that a double holds exactly.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Share of values outside 0..1 from which a column is taken for logits or percentages.
const OUTSIDE_SHARE: f64 = 0.1;

/// Every row of the table with typed values.
pub(crate) struct Typed {
    /// By declared field.
    pub(crate) column: Vec<Column>,
    /// Patient of each row, numbered by first appearance.
    pub(crate) patient: Vec<u32>,
    /// Distinct patients.
    pub(crate) patients: u32,
    /// The row repeats an earlier one: same key, same patient, same values.
    pub(crate) duplicate: Vec<bool>,
}

/// Types and checks every row.
///
/// # Errors
/// `FV-DATA-006` to `-012` and `-021`, one per field and kind of problem.
pub(crate) fn check(
    study: &StudyProtocol,
    source: &TableSource,
    table: &RawTable,
    selection: &Selection,
    findings: &mut Vec<Finding>,
) -> Result<Typed, Vec<Fault>> {
    let mut checker = Checker {
        study,
        source,
        table,
        faults: Vec::new(),
        findings,
    };
    let column: Vec<Column> = study
        .field
        .iter()
        .zip(&selection.field)
        .map(|(field, position)| checker.field(field, *position))
        .collect();
    let markers = Markers::new(&source.missing);
    let patient = checker.keys(selection.cluster, &markers);
    let case = if selection.key == selection.cluster {
        None
    } else {
        Some(checker.keys(selection.key, &markers))
    };
    if !checker.faults.is_empty() {
        return Err(checker.faults);
    }
    let mut typed = Typed {
        column,
        duplicate: vec![false; table.rows()],
        patients: patient.count,
        patient: patient.index,
    };
    let (case, cases) = match &case {
        Some(case) => (&case.index, case.count),
        None => (&typed.patient, typed.patients),
    };
    typed.duplicate = checker.repeats(&typed, (case, cases), selection.key);
    if study.eligibility.unit == "patient" {
        checker.one_truth_per_patient(&typed, selection.cluster);
    }
    checker.two_levels_of_a_patient(&typed);
    if checker.faults.is_empty() {
        Ok(typed)
    } else {
        Err(checker.faults)
    }
}

struct Checker<'a> {
    study: &'a StudyProtocol,
    source: &'a TableSource,
    table: &'a RawTable,
    faults: Vec<Fault>,
    findings: &'a mut Vec<Finding>,
}

impl Checker<'_> {
    fn field(&mut self, field: &Field, position: Option<usize>) -> Column {
        let rows = self.table.rows();
        let Some(cells) = position.and_then(|position| self.table.column.get(position)) else {
            return match field.kind {
                FieldKind::Identifier | FieldKind::Mask | FieldKind::Image | FieldKind::Places => {
                    Column::Withheld
                }
                FieldKind::Category => Column::Category(vec![None; rows]),
                FieldKind::Binary
                | FieldKind::Probability
                | FieldKind::Integer
                | FieldKind::Number => Column::Number(vec![None; rows]),
            };
        };
        let reading = read(field, self.source, cells);
        for (problem, examples) in &reading.problem {
            self.faults
                .push(self.problem(field, cells, *problem, examples));
        }
        match &reading.column {
            Column::Number(values) => self.range(field, cells, &reading, values),
            Column::Category(levels) => self.unused_levels(field, levels),
            Column::Withheld => {}
        }
        if reading.missing > 0 {
            let hint = if field.required {
                "the protocol requires it: these rows cannot be analysed where it is needed"
            } else {
                "counted as missing"
            };
            self.findings.push(Finding::field(
                &field.name,
                "no value",
                reading.missing,
                hint,
            ));
        }
        reading.column
    }

    fn problem(
        &self,
        field: &Field,
        cells: &TextColumn,
        problem: Problem,
        examples: &Examples,
    ) -> Fault {
        let what = |text: &str| {
            format!(
                "column {} ({}): {} {text}",
                quote(&cells.name),
                field.name,
                examples.describe(self.table)
            )
        };
        let codes = self.source.origin.place("codes");
        let markers = "if these cells mean \"no value\", add them to missing = [...] of the study's section; otherwise mend the export";
        match problem {
            Problem::Label => Fault::new(
                Code::LabelInvalid,
                what("neither 0 nor 1"),
                "a label must be known to be an event or none; it is never guessed",
                format!(
                    "map the local codes in {codes}.{}: 1 = [\"...\"], 0 = [\"...\"]",
                    field.name
                ),
            ),
            Problem::Level => Fault::new(
                Code::LevelUnknown,
                what("not among the declared levels"),
                format!("the protocol's levels are: {}", levels(field)),
                format!(
                    "map the local codes in {codes}.{}, or add them to missing = [...]",
                    field.name
                ),
            ),
            Problem::NotWhole => Fault::new(
                Code::ValueNotNumber,
                what("not whole numbers"),
                "the protocol declares whole numbers",
                "mend the column or its mapping",
            ),
            Problem::DecimalComma => Fault::new(
                Code::ValueNotNumber,
                what("with a comma inside a number"),
                "this looks like a decimal comma; 1,234 could as well be a thousand, so it is not guessed",
                "export with a decimal point; in R: write.csv, not write.csv2",
            ),
            Problem::Thousands => Fault::new(
                Code::ValueNotNumber,
                what("with thousands separators"),
                "numbers are written as 1234.5",
                "export numbers without grouping",
            ),
            Problem::Formula => Fault::new(
                Code::ValueNotNumber,
                what("that are formulas"),
                "formulas are never evaluated",
                "export values instead of formulas",
            ),
            Problem::Hexadecimal
            | Problem::NotFinite
            | Problem::Overflow
            | Problem::Date
            | Problem::NotNumber => Fault::new(
                Code::ValueNotNumber,
                what("that are no numbers"),
                odd(problem),
                markers,
            ),
        }
    }

    fn range(
        &mut self,
        field: &Field,
        cells: &TextColumn,
        reading: &Reading,
        values: &[Option<f64>],
    ) {
        let transform = self.source.transform.get(&field.name);
        let [low, high] = bounds(field);
        let outside = |value: f64| value < low || value > high;
        let mut examples = Examples::default();
        for (row, value) in values.iter().enumerate() {
            if value.is_some_and(outside) {
                examples.add(row, &cells.cell(row));
            }
        }
        let recorded = values.iter().flatten().count() as f64;
        if !examples.is_empty() {
            let many = examples.count as f64 >= OUTSIDE_SHARE * recorded;
            let fault = match reading.span {
                Some((smallest, largest))
                    if field.kind == FieldKind::Probability && many && transform.is_none() =>
                {
                    self.other_scale(field, cells, &examples, smallest, largest)
                }
                Some(_) | None => self.out_of_range(field, cells, &examples, low, high),
            };
            self.faults.push(fault);
        }
        if field.kind == FieldKind::Probability {
            self.probability_findings(field, reading, values, transform.copied());
        }
    }

    fn other_scale(
        &self,
        field: &Field,
        cells: &TextColumn,
        examples: &Examples,
        smallest: f64,
        largest: f64,
    ) -> Fault {
        let percent = smallest >= 0.0 && largest <= 100.0;
        let (scale, transform) = if percent {
            ("percentages", "percent")
        } else {
            ("logits", "logistic")
        };
        Fault::new(
            if percent {
                Code::ValueOutOfRange
            } else {
                Code::LogitsSuspected
            },
            format!(
                "column {} ({}) has {} outside 0..1",
                quote(&cells.name),
                field.name,
                examples.describe(self.table)
            ),
            format!(
                "the protocol declares probabilities; values look like {scale} ({smallest} .. {largest})"
            ),
            format!(
                "if they are, set {} = \"{transform}\" in {}",
                field.name,
                self.source.origin.place("transform")
            ),
        )
    }

    fn out_of_range(
        &self,
        field: &Field,
        cells: &TextColumn,
        examples: &Examples,
        low: f64,
        high: f64,
    ) -> Fault {
        let unit = field.unit.as_deref().unwrap_or_default();
        Fault::new(
            Code::ValueOutOfRange,
            format!(
                "column {} ({}) has {} outside {low}..{high}",
                quote(&cells.name),
                field.name,
                examples.describe(self.table)
            ),
            format!("the protocol declares {low} to {high} {unit}")
                .trim_end()
                .to_owned(),
            "mend these values or the column's unit; if they mean \"no value\", add them to missing = [...]",
        )
    }

    fn probability_findings(
        &mut self,
        field: &Field,
        reading: &Reading,
        values: &[Option<f64>],
        transform: Option<Transform>,
    ) {
        let extreme = |value: &&f64| **value == 0.0 || **value == 1.0;
        let extremes = values.iter().flatten().filter(extreme).count() as u64;
        if extremes > 0 {
            self.findings.push(Finding::field(
                &field.name,
                "predictions of exactly 0 or 1",
                extremes,
                "they have no logit; the protocol's clip moves them for calibration slopes only",
            ));
        }
        let unit_span = reading
            .span
            .is_some_and(|(low, high)| low >= 0.0 && high <= 1.0 && low < high);
        if transform.is_some() && unit_span {
            self.findings.push(Finding::field(
                &field.name,
                "every value lies within 0..1 before the transform",
                values.iter().flatten().count() as u64,
                "these may be probabilities already: then remove the transform",
            ));
        }
    }

    fn unused_levels(&mut self, field: &Field, levels: &[Option<u16>]) {
        let mut used = vec![false; field.levels.len()];
        for level in levels.iter().flatten() {
            if let Some(slot) = used.get_mut(usize::from(*level)) {
                *slot = true;
            }
        }
        for (level, _) in field.levels.iter().zip(used).filter(|(_, used)| !used) {
            self.findings.push(Finding::field(
                &field.name,
                format!("no row has the level {}", quote(level)),
                0,
                "right if there is no such patient; otherwise a local code is not mapped",
            ));
        }
    }
}

fn bounds(field: &Field) -> [f64; 2] {
    match field.kind {
        FieldKind::Probability => [0.0, 1.0],
        FieldKind::Integer => field.range.unwrap_or([-WHOLE_MAX, WHOLE_MAX]),
        FieldKind::Number
        | FieldKind::Binary
        | FieldKind::Category
        | FieldKind::Identifier
        | FieldKind::Mask
        | FieldKind::Image
        | FieldKind::Places => field.range.unwrap_or([f64::MIN, f64::MAX]),
    }
}

fn levels(field: &Field) -> String {
    const SHOWN: usize = 12;
    let mut text = field
        .levels
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if field.levels.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// Why a cell of this kind is not read as a number.
fn odd(problem: Problem) -> &'static str {
    match problem {
        Problem::Hexadecimal => {
            "hexadecimal numbers are not read: they are usually keys in the wrong column"
        }
        Problem::NotFinite => "infinity and not-a-number have no place in an analysis",
        Problem::Overflow => "the number is larger than any that can be computed with",
        Problem::Date => "these look like dates; the protocol declares a number",
        Problem::DecimalComma
        | Problem::Thousands
        | Problem::Formula
        | Problem::NotNumber
        | Problem::NotWhole
        | Problem::Label
        | Problem::Level => "the protocol declares a number; text is not guessed at",
    }
}

#[cfg(test)]
mod tests;
