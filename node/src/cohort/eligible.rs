//! Who is analysed: duplicates leave first, then every inclusion term, then every exclusion
//! term, in protocol order. Each row that leaves is counted once, under the first reason.
//!
//! A comparison with an absent value is false: such a row fails an inclusion term and is not
//! caught by an exclusion term. Only `missing` is true of an absent value.
//!
//! From: `precheck`.
//! To: `build`, which numbers the patients; the counts go to the participant flow.

use shared::fault::{Code, Fault};
use shared::statistic::cases::{Column, Exclusion, Intake, Tally};
use shared::study::{Field, Operator, Scalar, StudyProtocol, Term};

use super::precheck::Typed;

/// The rows to analyse, ascending, and what happened to the others. `Intake::excluded` names
/// every reason in order, also those that met no row.
///
/// # Errors
/// `FV-STUDY-002` when a term does not fit its field.
pub(crate) fn select(study: &StudyProtocol, typed: &Typed) -> Result<(Vec<usize>, Intake), Fault> {
    let rows = typed.patient.len();
    let mut reason: Vec<Option<Exclusion>> = typed
        .duplicate
        .iter()
        .map(|&duplicate| duplicate.then_some(Exclusion::Duplicate))
        .collect();
    let mut reasons = vec![Exclusion::Duplicate];
    for (index, term) in study.eligibility.include.iter().enumerate() {
        let test = Test::new(study, typed, term)?;
        mark(&mut reason, Exclusion::NotIncluded(index), |row| {
            !test.holds(row)
        });
        reasons.push(Exclusion::NotIncluded(index));
    }
    for (index, term) in study.eligibility.exclude.iter().enumerate() {
        let test = Test::new(study, typed, term)?;
        mark(&mut reason, Exclusion::Excluded(index), |row| {
            test.holds(row)
        });
        reasons.push(Exclusion::Excluded(index));
    }
    let tally = |wanted: &dyn Fn(usize) -> bool| tally(typed, rows, wanted);
    let left = |one: &Exclusion| {
        let rows = (0..rows).filter(|&row| reason[row] == Some(*one));
        let mut patients: Vec<u32> = rows.map(|row| typed.patient[row]).collect();
        patients.sort_unstable();
        patients.dedup();
        patients
    };
    let intake = Intake {
        records: tally(&|_| true),
        excluded: reasons
            .iter()
            .map(|one| (*one, tally(&|row| reason[row] == Some(*one))))
            .collect(),
        left: reasons.iter().map(left).collect(),
    };
    let kept = (0..rows).filter(|&row| reason[row].is_none()).collect();
    Ok((kept, intake))
}

fn mark(reason: &mut [Option<Exclusion>], exclusion: Exclusion, leaves: impl Fn(usize) -> bool) {
    for (row, slot) in reason.iter_mut().enumerate() {
        if slot.is_none() && leaves(row) {
            *slot = Some(exclusion);
        }
    }
}

fn tally(typed: &Typed, rows: usize, wanted: &dyn Fn(usize) -> bool) -> Tally {
    let mut seen = vec![false; typed.patients as usize];
    let mut tally = Tally::default();
    for row in (0..rows).filter(|&row| wanted(row)) {
        tally.rows += 1;
        let patient = typed.patient[row] as usize;
        if !seen[patient] {
            seen[patient] = true;
            tally.patients += 1;
        }
    }
    tally
}

/// A term with its column at hand.
struct Test<'a> {
    column: &'a Column,
    operator: Operator,
    constant: Constant,
}

enum Constant {
    None,
    Number(f64),
    Level(u16),
}

impl<'a> Test<'a> {
    fn new(study: &StudyProtocol, typed: &'a Typed, term: &Term) -> Result<Self, Fault> {
        let wrong = |why: &str| {
            Fault::new(
                Code::ProtocolInvalid,
                format!(
                    "an eligibility term on \"{}\" cannot be applied",
                    term.field
                ),
                why,
                "tell the coordinator: the protocol needs an amendment",
            )
        };
        let index = study
            .field
            .iter()
            .position(|field| field.name == term.field)
            .ok_or_else(|| wrong("the protocol declares no such field"))?;
        let column = typed
            .column
            .get(index)
            .ok_or_else(|| wrong("the field was not read"))?;
        if matches!(column, Column::Withheld) {
            return Err(wrong("identifiers cannot be compared"));
        }
        let constant = constant(&study.field[index], term).map_err(wrong)?;
        Ok(Self {
            column,
            operator: term.op,
            constant,
        })
    }

    fn holds(&self, row: usize) -> bool {
        match (self.column, &self.constant) {
            (Column::Number(values), Constant::Number(constant)) => {
                values[row].is_some_and(|value| self.compare(value.partial_cmp(constant)))
            }
            (Column::Category(levels), Constant::Level(constant)) => {
                levels[row].is_some_and(|level| self.compare(level.partial_cmp(constant)))
            }
            (Column::Number(values), _) => self.presence(values[row].is_some()),
            (Column::Category(levels), _) => self.presence(levels[row].is_some()),
            (Column::Withheld, _) => false,
        }
    }

    fn presence(&self, present: bool) -> bool {
        match self.operator {
            Operator::Present => present,
            Operator::Missing => !present,
            Operator::Eq | Operator::Ne | Operator::Ge | Operator::Lt => false,
        }
    }

    fn compare(&self, order: Option<std::cmp::Ordering>) -> bool {
        order.is_some_and(|order| match self.operator {
            Operator::Eq => order.is_eq(),
            Operator::Ne => order.is_ne(),
            Operator::Ge => order.is_ge(),
            Operator::Lt => order.is_lt(),
            Operator::Present | Operator::Missing => false,
        })
    }
}

fn constant(field: &Field, term: &Term) -> Result<Constant, &'static str> {
    let presence = matches!(term.op, Operator::Present | Operator::Missing);
    match (&term.value, presence) {
        (None, true) => Ok(Constant::None),
        (Some(_), true) => Err("present and missing compare with nothing"),
        (None, false) => Err("a comparison needs a value"),
        (Some(Scalar::Number(number)), false) if field.levels.is_empty() => {
            Ok(Constant::Number(*number))
        }
        (Some(Scalar::Text(level)), false)
            if matches!(term.op, Operator::Eq | Operator::Ne) && !field.levels.is_empty() =>
        {
            let index = field.levels.iter().position(|one| one == level);
            let index = index.and_then(|index| u16::try_from(index).ok());
            index
                .map(Constant::Level)
                .ok_or("no such level is declared")
        }
        (Some(Scalar::Number(_) | Scalar::Text(_)), false) => {
            Err("levels are compared with eq and ne, numbers with numbers")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::fixture;

    fn typed() -> Typed {
        // patient, age, sex: the protocol of the fixture starts with these fields.
        Typed {
            column: vec![
                Column::Withheld,
                Column::Number(vec![
                    Some(60.0),
                    Some(60.0),
                    Some(17.0),
                    None,
                    Some(50.0),
                    Some(17.0),
                ]),
                Column::Category(vec![Some(0), Some(0), Some(1), Some(0), None, Some(0)]),
            ],
            patient: vec![0, 0, 1, 2, 3, 1],
            patients: 4,
            duplicate: vec![false, true, false, false, false, false],
        }
    }

    fn term(field: &str, op: Operator, value: Option<Scalar>) -> Term {
        Term {
            field: field.parse().unwrap(),
            op,
            value,
        }
    }

    #[test]
    fn every_row_leaves_once_for_the_first_reason() {
        let mut study = fixture::study();
        let male = Some(Scalar::Text("male".to_owned()));
        study.eligibility.include = vec![
            term("age", Operator::Ge, Some(Scalar::Number(18.0))),
            term("age", Operator::Present, None),
        ];
        study.eligibility.exclude = vec![
            term("sex", Operator::Eq, male),
            term("sex", Operator::Missing, None),
        ];
        let (kept, intake) = select(&study, &typed()).unwrap();
        assert_eq!(kept, [0]);
        assert!(
            intake.records
                == Tally {
                    rows: 6,
                    patients: 4
                }
        );
        let found: Vec<_> = intake
            .excluded
            .iter()
            .map(|(reason, tally)| (*reason, tally.rows, tally.patients))
            .collect();
        assert_eq!(
            found,
            [
                (Exclusion::Duplicate, 1, 1),
                (Exclusion::NotIncluded(0), 3, 2),
                (Exclusion::NotIncluded(1), 0, 0),
                (Exclusion::Excluded(0), 0, 0),
                (Exclusion::Excluded(1), 1, 1),
            ]
        );
    }

    #[test]
    fn absent_values_satisfy_no_comparison() {
        let mut study = fixture::study();
        let female = Some(Scalar::Text("female".to_owned()));
        study.eligibility.include = vec![];
        study.eligibility.exclude = vec![term("sex", Operator::Ne, female.clone())];
        let (kept, _) = select(&study, &typed()).unwrap();
        assert_eq!(kept, [0, 3, 4, 5], "row 4 has no sex and stays");
        study.eligibility.exclude = vec![];
        study.eligibility.include = vec![term("sex", Operator::Ne, female)];
        let (kept, _) = select(&study, &typed()).unwrap();
        assert_eq!(kept, [2], "row 4 has no sex and leaves");
    }

    #[test]
    fn terms_that_do_not_fit_are_refused() {
        for bad in [
            term("patient", Operator::Present, None),
            term("sex", Operator::Ge, Some(Scalar::Text("male".to_owned()))),
            term("sex", Operator::Eq, Some(Scalar::Text("x".to_owned()))),
            term("sex", Operator::Eq, Some(Scalar::Number(1.0))),
            term("age", Operator::Eq, Some(Scalar::Text("x".to_owned()))),
            term("age", Operator::Lt, None),
            term("height", Operator::Present, None),
        ] {
            let mut study = fixture::study();
            study.eligibility.include = vec![bad];
            let fault = select(&study, &typed()).err().unwrap();
            assert_eq!(fault.code, Code::ProtocolInvalid);
        }
    }
}
