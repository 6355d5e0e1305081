//! Predictions of a formula, row by row: the one kind of model that runs here without a column
//! of its own. A row without one of the inputs gets no prediction.
//!
//! From: `build` (typed columns, eligible rows), the protocol's formula.
//! To: `build` (a model's scores).

use shared::fault::Fault;
use shared::statistic::cases::Column;
use shared::study::{Field, FieldName, Formula, FormulaTerm};

use super::build::misfit;

/// Risks of the eligible `rows`; `find` gives a declared field with its values.
///
/// # Errors
/// `FV-STUDY-002` when a term does not fit its field.
pub(super) fn predict<'a>(
    formula: &Formula,
    rows: &[usize],
    find: impl Fn(&FieldName) -> Result<(&'a Field, &'a Column), Fault>,
) -> Result<Vec<Option<f64>>, Fault> {
    let terms = formula.terms.iter();
    let inputs = terms
        .map(|term| find(&term.field).and_then(|(field, column)| Input::of(term, field, column)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(rows
        .iter()
        .map(|&row| formula.risk(inputs.iter().map(|input| input.added(row))))
        .collect())
}

/// A term with its values at hand.
enum Input<'a> {
    Number(&'a FormulaTerm, &'a [Option<f64>]),
    /// The term's level among the field's, and the rows' levels.
    Level(&'a FormulaTerm, u16, &'a [Option<u16>]),
}

impl<'a> Input<'a> {
    fn of(term: &'a FormulaTerm, field: &Field, column: &'a Column) -> Result<Self, Fault> {
        match (column, &term.level) {
            (Column::Number(values), None) => Ok(Self::Number(term, values)),
            (Column::Category(values), Some(level)) => {
                let place = field.levels.iter().position(|one| one == level);
                let place = place.and_then(|place| u16::try_from(place).ok());
                place
                    .map(|place| Self::Level(term, place, values))
                    .ok_or_else(|| misfit(&term.field, "the formula names a level it has not"))
            }
            (Column::Number(_) | Column::Category(_) | Column::Withheld, _) => Err(misfit(
                &term.field,
                "a formula reads numbers, binary fields, and levels of categories",
            )),
        }
    }

    fn added(&self, row: usize) -> Option<f64> {
        match self {
            Self::Number(term, values) => term.of_number((*values.get(row)?)?),
            Self::Level(term, level, values) => Some(term.of_level((*values.get(row)?)? == *level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::study::FieldKind;

    fn field(name: &str, kind: FieldKind, levels: &[&str]) -> Field {
        Field {
            name: name.parse().unwrap(),
            kind,
            required: false,
            unit: None,
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            range: None,
            tag: None,
            bands: vec![],
        }
    }

    fn predicted(text: &str) -> Result<Vec<Option<f64>>, Fault> {
        let formula: Formula = toml::from_str(text).unwrap();
        let columns = [
            (
                field("age", FieldKind::Integer, &[]),
                Column::Number(vec![Some(50.0), Some(60.0), None, Some(70.0)]),
            ),
            (
                field("sex", FieldKind::Category, &["female", "male"]),
                Column::Category(vec![Some(0), Some(1), Some(1), None]),
            ),
        ];
        predict(&formula, &[1, 0, 2, 3], |name| {
            let found = columns.iter().find(|(field, _)| field.name == *name);
            let (field, column) = found.unwrap();
            Ok((field, column))
        })
    }

    #[test]
    fn rows_without_an_input_have_no_prediction() {
        let found = predicted(
            "intercept = -6.0\nlink = \"logit\"\nterms = [\
             { field = \"age\", coefficient = 0.1 },\
             { field = \"sex\", level = \"male\", coefficient = 2.0 }]",
        )
        .unwrap();
        let risk = |sum: f64| 1.0 / (1.0 + (-sum).exp());
        assert!((found[0].unwrap() - risk(2.0)).abs() < 1e-15);
        assert!((found[1].unwrap() - risk(-1.0)).abs() < 1e-15);
        assert_eq!(&found[2..], [None, None]);
    }

    #[test]
    fn a_term_that_does_not_fit_is_a_fault() {
        for term in [
            r#"{ field = "sex", coefficient = 1.0 }"#,
            r#"{ field = "sex", level = "other", coefficient = 1.0 }"#,
            r#"{ field = "age", level = "old", coefficient = 1.0 }"#,
        ] {
            let text = format!("intercept = 0.0\nlink = \"logit\"\nterms = [{term}]");
            assert!(predicted(&text).is_err(), "{term}");
        }
    }
}
