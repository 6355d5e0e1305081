//! An eligibility term on the columns of the analysis table: what `node::cohort` does before
//! eligibility, again for the extra exclusions of a sensitivity analysis.
//!
//! A comparison with an absent value is false; only `missing` is true of one.
//!
//! From: the protocol's terms, `cases`.
//! To: `sensitivity`.

use super::cases::{Cases, Column};
use crate::study::{Operator, Scalar, StudyProtocol, Term};

/// Whether `term` holds for each case; `None` if it does not fit its field.
pub(crate) fn holds(protocol: &StudyProtocol, cases: &Cases, term: &Term) -> Option<Vec<bool>> {
    let index = protocol
        .field
        .iter()
        .position(|field| field.name == term.field)?;
    let field = protocol.field.get(index)?;
    let compare = |order: Option<std::cmp::Ordering>| {
        order.is_some_and(|order| match term.op {
            Operator::Eq => order.is_eq(),
            Operator::Ne => order.is_ne(),
            Operator::Ge => order.is_ge(),
            Operator::Lt => order.is_lt(),
            Operator::Present | Operator::Missing => false,
        })
    };
    let presence = |present: bool| match term.op {
        Operator::Present => present,
        Operator::Missing => !present,
        Operator::Eq | Operator::Ne | Operator::Ge | Operator::Lt => false,
    };
    match (cases.column.get(index)?, &term.value) {
        (Column::Number(values), None) => Some(each(values, |value| presence(value.is_some()))),
        (Column::Category(values), None) => Some(each(values, |value| presence(value.is_some()))),
        (Column::Number(values), Some(Scalar::Number(constant))) => Some(each(values, |value| {
            value.is_some_and(|value| compare(value.partial_cmp(constant)))
        })),
        (Column::Category(values), Some(Scalar::Text(level))) => {
            let constant = field.levels.iter().position(|one| one == level)?;
            let constant = u16::try_from(constant).ok()?;
            Some(each(values, |value| {
                value.is_some_and(|value| compare(Some(value.cmp(&constant))))
            }))
        }
        (Column::Withheld, _) | (Column::Number(_) | Column::Category(_), Some(_)) => None,
    }
}

fn each<T: Copy>(values: &[Option<T>], test: impl Fn(Option<T>) -> bool) -> Vec<bool> {
    values.iter().map(|value| test(*value)).collect()
}
