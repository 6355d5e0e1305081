//! Whether the eligible cases can be analysed at all: someone is left, both outcomes occur, and
//! predictions differ. Checked after eligibility, because it is about those who are analysed.
//!
//! From: `build`.
//! To: the people at the site.

use shared::fault::{Code, Fault};
use shared::statistic::cases::{Cases, Exclusion};
use shared::study::{ModelRole, StudyProtocol, Term};

use super::finding::Finding;

/// Fewer events or non-events than this are worth a remark.
const SMALL: usize = 10;

/// Checks the cases.
///
/// # Errors
/// `FV-DATA-013`, `FV-DATA-014`, `FV-DATA-015`; all of them at once.
pub(crate) fn check(
    study: &StudyProtocol,
    cases: &Cases,
    findings: &mut Vec<Finding>,
) -> Result<(), Vec<Fault>> {
    if cases.patient.is_empty() {
        return Err(vec![nobody(study, cases)]);
    }
    if study.is_segmentation() {
        return masks(study, cases, findings);
    }
    let mut faults = Vec::new();
    for (endpoint, outcome) in study.endpoint.iter().zip(&cases.outcome) {
        let events = outcome.iter().filter(|one| **one == Some(true)).count();
        let others = outcome.iter().filter(|one| **one == Some(false)).count();
        if events == 0 || others == 0 {
            faults.push(Fault::new(
                Code::OneClass,
                format!(
                    "endpoint \"{}\" has {events} events and {others} non-events among {} eligible cases",
                    endpoint.id,
                    outcome.len()
                ),
                "discrimination and calibration need both",
                "check the outcome's mapping and codes; if it is so, this site cannot take part in this study",
            ));
        }
        for (count, class) in [(events, "events"), (others, "non-events")] {
            if (1..SMALL).contains(&count) {
                findings.push(Finding::field(
                    &endpoint.field,
                    format!("few {class}"),
                    count as u64,
                    "most results will be imprecise, and many cells are too small to be released",
                ));
            }
        }
    }
    for (model, score) in study.model.iter().zip(&cases.score) {
        let mut values = score.iter().flatten();
        let first = values.next();
        if first.is_none() && model.role == ModelRole::Index {
            faults.push(Fault::new(
                Code::NoCases,
                format!("no eligible case has a prediction of \"{}\"", model.id),
                "the model under validation has nothing to be validated on",
                "check the column of its predictions",
            ));
        } else if first.is_none() {
            findings.push(Finding {
                field: model.field.clone(),
                what: format!("no eligible case has a prediction of \"{}\"", model.id),
                rows: score.len() as u64,
                hint: "the comparison with it is not computed here".to_owned(),
            });
        } else if score.len() > 1 && values.all(|value| Some(value) == first) {
            faults.push(Fault::new(
                Code::ScoresConstant,
                format!("every prediction of \"{}\" is the same", model.id),
                "a model that gives everyone the same value was not applied, or its column was filled by default",
                "check the column of its predictions",
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Every model under validation has a mask that lies in one space with a truth, in some case.
fn masks(study: &StudyProtocol, cases: &Cases, findings: &[Finding]) -> Result<(), Vec<Fault>> {
    let rows = cases.patient.len();
    let is_measured = |model: usize| {
        let mut pairs = cases.masks.iter().flatten();
        pairs.any(|masks| (0..rows).any(|row| masks.case(model, row).is_some()))
    };
    let without = study
        .model
        .iter()
        .enumerate()
        .filter(|(at, model)| model.role == ModelRole::Index && !is_measured(*at));
    let faults: Vec<Fault> = without
        .map(|(_, model)| {
            let seen = findings.iter().filter_map(|finding| {
                let field = finding.field.as_ref()?;
                Some(format!("{field}: {} ({} rows)", finding.what, finding.rows))
            });
            let seen: Vec<String> = seen.collect();
            Fault::new(
                Code::NoCases,
                format!("no eligible case has a truth and a mask or list of \"{}\" that can be compared", model.id),
                if seen.is_empty() {
                    "no row names both files".to_owned()
                } else {
                    seen.join("; ")
                },
                "check the paths: they start at the table's folder, or are absolute; fedval-node data check names files",
            )
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn nobody(study: &StudyProtocol, cases: &Cases) -> Fault {
    let records = cases.intake.records.rows;
    let why = if records == 0 {
        "the table has column names but no rows".to_owned()
    } else {
        let left: Vec<_> = cases
            .intake
            .excluded
            .iter()
            .filter(|(_, tally)| tally.rows > 0)
            .map(|(reason, tally)| format!("{}: {} rows", words(study, *reason), tally.rows))
            .collect();
        format!(
            "{records} rows were read, all left out ({})",
            left.join(", ")
        )
    };
    Fault::new(
        Code::NoCases,
        "no case is left to analyse",
        why,
        "check the export, and the mapping of the fields the eligibility terms name",
    )
}

/// A reason to leave a row out, with the field it is about.
fn words(study: &StudyProtocol, reason: Exclusion) -> String {
    let field = |terms: &[Term], index: usize| {
        terms
            .get(index)
            .map_or_else(String::new, |term| format!(" on \"{}\"", term.field))
    };
    match reason {
        Exclusion::Duplicate => "duplicates".to_owned(),
        Exclusion::NotIncluded(index) => format!(
            "inclusion term {}{} not met",
            index + 1,
            field(&study.eligibility.include, index)
        ),
        Exclusion::Excluded(index) => format!(
            "exclusion term {}{}",
            index + 1,
            field(&study.eligibility.exclude, index)
        ),
    }
}

#[cfg(test)]
mod tests {
    use shared::statistic::cases::Intake;

    use super::*;
    use crate::cohort::fixture;

    fn cases(outcome: &[Option<bool>], index: &[Option<f64>], other: &[Option<f64>]) -> Cases {
        Cases {
            masks: Vec::new(),
            earlier: std::sync::Arc::default(),
            patient: (0..outcome.len() as u32).collect(),
            patients: outcome.len() as u32,
            outcome: vec![outcome.to_vec()],
            score: vec![index.to_vec(), other.to_vec()],
            level: vec![],
            column: vec![],
            intake: Intake::default(),
        }
    }

    fn codes(cases: &Cases) -> (Vec<Code>, usize) {
        let mut findings = Vec::new();
        let result = check(&fixture::study(), cases, &mut findings);
        let faults = result.err().unwrap_or_default();
        (
            faults.into_iter().map(|fault| fault.code).collect(),
            findings.len(),
        )
    }

    #[test]
    fn both_classes_and_varying_scores_are_needed() {
        let both = [Some(true), Some(false)];
        let vary = [Some(0.2), Some(0.4)];
        let flat = [Some(0.2), Some(0.2)];
        assert_eq!(
            codes(&cases(&both, &vary, &vary)),
            (vec![], 2),
            "few of each"
        );
        assert_eq!(codes(&cases(&[], &[], &[])).0, [Code::NoCases]);
        assert_eq!(
            codes(&cases(&[Some(true), None], &vary, &vary)).0,
            [Code::OneClass]
        );
        assert_eq!(
            codes(&cases(&both, &flat, &flat)).0,
            [Code::ScoresConstant, Code::ScoresConstant]
        );
        assert_eq!(
            codes(&cases(&both, &[None, None], &vary)).0,
            [Code::NoCases]
        );
        assert_eq!(
            codes(&cases(&both, &vary, &[None, None])),
            (vec![], 3),
            "a comparator may be absent"
        );
    }
}
