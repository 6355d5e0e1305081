//! The eligible rows as the table that every statistic reads.
//!
//! From: `eligible` (which rows), `precheck` (their values).
//! To: `shared::statistic::cases`.

use shared::fault::{Code, Fault};
use shared::statistic::cases::{Cases, Column, Intake};
use shared::study::{Axis, AxisId, AxisRule, Field, FieldName, Model, ModelOutput, StudyProtocol};

use super::formula;
use super::precheck::Typed;
use super::raw::{Examples, RawTable};

/// Builds the analysis table from `rows`, whose patients are numbered by `number`, but for the declared
/// columns, which [`columns`] gives.
///
/// # Errors
/// `FV-DATA-007` when an eligible value lies outside every declared band; `FV-STUDY-002` when
/// an endpoint, model or axis does not fit its field.
pub(crate) fn build(
    study: &StudyProtocol,
    table: &RawTable,
    typed: &Typed,
    (rows, number): (&[usize], &[u32]),
    mut intake: Intake,
) -> Result<Cases, Vec<Fault>> {
    let builder = Builder {
        study,
        table,
        typed,
        rows,
    };
    let of = |patient: u32| number[patient as usize];
    for left in &mut intake.left {
        left.iter_mut().for_each(|patient| *patient = of(*patient));
        left.sort_unstable();
    }
    let patient: Vec<u32> = rows.iter().map(|row| of(typed.patient[*row])).collect();
    let patients = patient.iter().max().map_or(0, |last| last + 1);
    let mut faults = Vec::new();
    let mut keep = |result: Result<Vec<Option<f64>>, Fault>| {
        result.unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        })
    };
    let outcome = study
        .endpoint
        .iter()
        .map(|endpoint| match endpoint.structure {
            // What masks say comes with the images.
            Some(_) => Vec::new(),
            None => keep(builder.numbers(&endpoint.field)),
        })
        .map(|values| {
            values
                .iter()
                .map(|value| value.map(|one| one == 1.0))
                .collect()
        })
        .collect();
    let score = study
        .model
        .iter()
        .map(|model| match model.output {
            ModelOutput::Mask | ModelOutput::Candidates => Vec::new(),
            ModelOutput::Probability => keep(builder.score(model)),
        })
        .collect();
    let level = study
        .subgroup
        .iter()
        .map(|axis| {
            builder.levels(axis).unwrap_or_else(|fault| {
                faults.push(fault);
                Vec::new()
            })
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient,
        patients,
        outcome,
        score,
        level,
        column: Vec::new(),
        intake,
    })
}

/// The declared columns of the eligible `rows`: those of the table where every row is one.
pub(crate) fn columns(typed: Typed, rows: &[usize]) -> Vec<Column> {
    if rows.len() == typed.patient.len() {
        return typed.column;
    }
    let columns = typed.column.into_iter();
    columns.map(|column| pick(column, rows)).collect()
}

fn pick(column: Column, rows: &[usize]) -> Column {
    match column {
        Column::Number(values) => Column::Number(rows.iter().map(|&row| values[row]).collect()),
        Column::Category(levels) => Column::Category(rows.iter().map(|&row| levels[row]).collect()),
        Column::Withheld => Column::Withheld,
    }
}

struct Builder<'a> {
    study: &'a StudyProtocol,
    table: &'a RawTable,
    typed: &'a Typed,
    rows: &'a [usize],
}

/// By patient of the table, the number that its cases have: those of the eligible rows by first appearance among
/// them, then those who were only left out.
pub(crate) fn numbers(typed: &Typed, rows: &[usize]) -> Vec<u32> {
    let mut number: Vec<Option<u32>> = vec![None; typed.patients as usize];
    let mut count = 0;
    let mut next = |slot: &mut Option<u32>| {
        *slot.get_or_insert_with(|| {
            count += 1;
            count - 1
        })
    };
    for row in rows {
        next(&mut number[typed.patient[*row] as usize]);
    }
    number.iter_mut().map(next).collect()
}

impl Builder<'_> {
    fn find(&self, name: &FieldName) -> Result<(&Field, &Column), Fault> {
        self.study
            .field
            .iter()
            .zip(&self.typed.column)
            .find(|(field, _)| field.name == *name)
            .ok_or_else(|| misfit(name, "the protocol declares no such field"))
    }

    fn numbers(&self, name: &FieldName) -> Result<Vec<Option<f64>>, Fault> {
        match self.find(name)?.1 {
            Column::Number(values) => Ok(self.rows.iter().map(|&row| values[row]).collect()),
            Column::Category(_) | Column::Withheld => {
                Err(misfit(name, "outcomes and predictions are numbers"))
            }
        }
    }

    /// Predictions of a model: its column's, or its formula's from the columns it names.
    fn score(&self, model: &Model) -> Result<Vec<Option<f64>>, Fault> {
        match (&model.field, &model.formula) {
            (Some(field), None) => self.numbers(field),
            (None, Some(formula)) => formula::predict(formula, self.rows, |name| self.find(name)),
            (Some(_), Some(_)) | (None, None) => Err(Fault::new(
                Code::ProtocolInvalid,
                format!(
                    "model \"{}\" has not exactly one source of predictions",
                    model.id
                ),
                "predictions come from a declared field, or from a formula",
                "tell the coordinator: the protocol needs an amendment",
            )),
        }
    }

    /// Level of each row in the order of `Axis::levels`, `not recorded` last.
    fn levels(&self, axis: &Axis) -> Result<Vec<u16>, Fault> {
        if axis.rule == AxisRule::Pair {
            return self.pair(axis);
        }
        let (field, column) = self.find(&axis.field)?;
        let absent = small(axis.levels(field).len() - 1);
        match (axis.rule, column) {
            (AxisRule::Level, Column::Category(levels)) => Ok(self
                .rows
                .iter()
                .map(|&row| levels[row].unwrap_or(absent))
                .collect()),
            (AxisRule::Availability, Column::Number(values)) => Ok(self
                .rows
                .iter()
                .map(|&row| values[row].map_or(absent, |value| u16::from(value != 1.0)))
                .collect()),
            (AxisRule::Band, Column::Number(values)) => self.bands(field, values, absent),
            (
                AxisRule::Level | AxisRule::Availability | AxisRule::Band | AxisRule::Pair,
                Column::Number(_) | Column::Category(_) | Column::Withheld,
            ) => Err(misfit(
                &axis.field,
                "levels need a category, bands a number, availability a binary field",
            )),
        }
    }

    /// The level of each row on both axes of a pair, as one number.
    fn pair(&self, axis: &Axis) -> Result<Vec<u16>, Fault> {
        let named = |id: &AxisId| self.study.subgroup.iter().find(|one| one.id == *id);
        let parts: Option<Vec<&Axis>> = axis.axes.iter().map(named).collect();
        let Some([first, second]) = parts.as_deref() else {
            return Err(misfit(&axis.field, "a pair needs two declared axes"));
        };
        if [first, second].iter().any(|one| one.rule == AxisRule::Pair) {
            return Err(misfit(&axis.field, "a pair crosses no pairs"));
        }
        let width = small(second.levels(self.find(&second.field)?.0).len());
        let both = self.levels(first)?.into_iter().zip(self.levels(second)?);
        Ok(both.map(|(one, two)| one * width + two).collect())
    }

    fn bands(&self, field: &Field, values: &[Option<f64>], absent: u16) -> Result<Vec<u16>, Fault> {
        let mut outside = Examples::default();
        let levels = self
            .rows
            .iter()
            .map(|&row| match values[row] {
                None => absent,
                Some(value) => field.band_of(value).map(small).unwrap_or_else(|| {
                    outside.add(row, &value.to_string());
                    absent
                }),
            })
            .collect();
        if outside.is_empty() {
            return Ok(levels);
        }
        Err(Fault::new(
            Code::ValueOutOfRange,
            format!(
                "field \"{}\" has {} outside every declared band, in eligible rows",
                field.name,
                outside.describe(self.table)
            ),
            format!(
                "the protocol's bands end at {} and {}",
                field.bands.first().copied().unwrap_or_default(),
                field.bands.last().copied().unwrap_or_default()
            ),
            "mend these values; if they are right, the protocol needs an eligibility term or a wider band: tell the coordinator",
        ))
    }
}

/// An axis has far fewer levels than this can hold (`study::validate::LEVELS_MAX`).
fn small(level: usize) -> u16 {
    u16::try_from(level).unwrap_or(u16::MAX)
}

pub(super) fn misfit(name: &FieldName, why: &str) -> Fault {
    Fault::new(
        Code::ProtocolInvalid,
        format!("field \"{name}\" cannot be used as the protocol says"),
        why,
        "tell the coordinator: the protocol needs an amendment",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::fixture;
    use crate::cohort::source::TableSource;

    fn cases(text: &str, rows: &[usize]) -> Result<Cases, Vec<Fault>> {
        let (study, source) = (fixture::study(), TableSource::new("t"));
        let (table, selection) = fixture::table(text, &source, &study);
        let typed =
            super::super::precheck::check(&study, &source, &table, &selection, &mut vec![])?;
        let number = numbers(&typed, rows);
        let built = build(&study, &table, &typed, (rows, &number), Intake::default())?;
        Ok(Cases {
            column: columns(typed, rows),
            ..built
        })
    }

    const TABLE: &str = "patient,age,sex,ca,y,p_a,p_b\n\
        a,17,female,1,1,0.5,0.6\n\
        b,50,male,0,0,0.4,\n\
        c,,,,,0.4,0.3\n\
        d,120,female,1,1,0.9,0.8\n";

    #[test]
    fn columns_follow_the_protocol_and_absent_levels_come_last() {
        let built = cases(TABLE, &[1, 2, 3]).unwrap();
        assert_eq!(
            (built.patient.as_slice(), built.patients),
            (&[0, 1, 2][..], 3)
        );
        assert_eq!(built.outcome, [[Some(false), None, Some(true)]]);
        assert_eq!(
            built.score,
            [
                [None, Some(0.3), Some(0.8)],
                [Some(0.4), Some(0.4), Some(0.9)]
            ],
            "models in protocol order: p_b first"
        );
        // age bands [18,50) [50,65) [65,120], sex female male, ca available not-available
        assert_eq!(built.level, [[1, 3, 2], [1, 2, 0], [1, 2, 0]]);
        assert!(matches!(built.column[0], Column::Withheld));
        let Column::Number(age) = &built.column[1] else {
            panic!("not numbers");
        };
        assert_eq!(age, &[Some(50.0), None, Some(120.0)]);
        let all = cases(&TABLE.replace("a,17", "a,18"), &[0, 1, 2, 3]).unwrap();
        assert!(matches!(&all.column[1], Column::Number(age) if age.len() == 4));
    }

    #[test]
    fn eligible_values_outside_every_band_are_a_fault() {
        let faults = cases(TABLE, &[0, 1]).err().unwrap();
        assert_eq!(faults[0].code, Code::ValueOutOfRange);
        assert!(faults[0].what.contains("line 2"), "{}", faults[0].what);
    }
}
