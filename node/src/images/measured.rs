//! The cases of a table with their images: masks measured, acquisitions read, refusals counted.
//!
//! From: `cohort`.
//! To: `cohort` (columns and masks of `Cases`), findings for the site.

use std::collections::{BTreeMap, BTreeSet};

use imaging::refusal::Reason;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::cases::Column;
use shared::statistic::masks::MaskEndpoint;
use shared::study::{Field, FieldKind, StudyProtocol};

use super::answer::{Answer, Attribute};
use super::pool;
use super::question::{Files, Plan};
use crate::cohort::Finding;

/// Refusals shown in one finding.
const SHOWN: usize = 3;

/// The files of a table's rows.
pub(crate) struct Images<'a> {
    /// By row and declared field.
    pub(crate) files: &'a [Files],
    /// How people find each row.
    pub(crate) place: &'a dyn Fn(usize) -> String,
}

/// The masks of some rows, and the digest of every file among them.
pub(crate) struct Measured {
    /// By endpoint.
    pub(crate) masks: Vec<Option<MaskEndpoint>>,
    /// Of the files' bytes, in the order of the rows.
    pub(crate) digest: Digest,
}

/// The masks of some rows; `None` in a study without masks.
///
/// # Errors
/// When no reader process can be started.
pub(crate) fn masks(
    study: &StudyProtocol,
    images: &Images<'_>,
    rows: &[usize],
    findings: &mut Vec<Finding>,
) -> Result<Option<Measured>, Fault> {
    let Some(plan) = Plan::of_masks(study) else {
        return Ok(None);
    };
    let cases: Vec<Files> = rows.iter().map(|row| images.files[*row].clone()).collect();
    let answers = pool::ask(&plan, &cases)?;
    unnamed(study, &plan, &cases, findings);
    refusals(study, images, rows, &answers, findings);
    copies(study, &plan, &answers, findings);
    unlisted(study, &plan, &answers, findings)?;
    let digest = fingerprint(&answers);
    let mut each: Vec<MaskEndpoint> = plan
        .endpoint
        .iter()
        .map(|_| MaskEndpoint {
            present: Vec::with_capacity(rows.len()),
            model: plan.model.iter().map(|_| Vec::new()).collect(),
        })
        .collect();
    for answer in answers {
        let mut cases = answer.case.into_iter();
        for (at, endpoint) in each.iter_mut().enumerate() {
            let volume = answer.truth_ml.get(at).copied().flatten();
            let volume = volume.filter(|ml| ml.is_finite() && *ml >= 0.0);
            let present = answer.present.get(at).copied().flatten();
            endpoint.present.push(volume.and(present));
            let mut models = cases.next().unwrap_or_default().into_iter();
            for model in &mut endpoint.model {
                let case = models
                    .next()
                    .flatten()
                    .and_then(super::answer::Case::into_case);
                model.push(case.filter(|_| volume.is_some()));
            }
        }
    }
    let masks = each.into_iter().map(Some).collect();
    Ok(Some(Measured { masks, digest }))
}

/// One digest of all masks that were read, in the order of the rows.
fn fingerprint(answers: &[Answer]) -> Digest {
    let each = answers.iter().flat_map(|answer| &answer.digest);
    let parts: Vec<&[u8]> = each
        .map(|digest| digest.as_ref().map_or(&[][..], |digest| digest.as_bytes()))
        .collect();
    Digest::of_list(&parts)
}

/// Columns of the declared fields that images give: by field, `None` for those of the table.
///
/// # Errors
/// When no reader process can be started.
pub(crate) fn acquired(
    study: &StudyProtocol,
    images: &Images<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Option<Column>>, Fault> {
    let tagged: Vec<(usize, &Field)> = study
        .field
        .iter()
        .enumerate()
        .filter(|(_, field)| field.tag.is_some())
        .collect();
    let mut columns: Vec<Option<Column>> = study.field.iter().map(|_| None).collect();
    let image = study
        .field
        .iter()
        .position(|field| field.kind == FieldKind::Image);
    let (Some(image), false) = (image, tagged.is_empty()) else {
        return Ok(columns);
    };
    let slugs = tagged.iter().filter_map(|(_, field)| field.tag);
    let plan = Plan::of_acquisition(slugs.map(|tag| tag.slug().to_owned()).collect());
    let only_image = |files: &Files| -> Files {
        let each = files.iter().enumerate();
        each.map(|(at, path)| path.clone().filter(|_| at == image))
            .collect()
    };
    let cases: Vec<Files> = images.files.iter().map(only_image).collect();
    let answers = pool::ask(&plan, &cases)?;
    let rows: Vec<usize> = (0..cases.len()).collect();
    refusals(study, images, &rows, &answers, findings);
    for (at, (index, field)) in tagged.into_iter().enumerate() {
        let values = answers
            .iter()
            .map(|answer| answer.attribute.get(at)?.as_ref());
        columns[index] = Some(if field.kind == FieldKind::Category {
            categories(field, values, findings)
        } else {
            numbers(field, values, findings)
        });
    }
    Ok(columns)
}

/// Numbers within the declared bands and range; others are no value.
fn numbers<'a>(
    field: &Field,
    values: impl Iterator<Item = Option<&'a Attribute>>,
    findings: &mut Vec<Finding>,
) -> Column {
    let mut outside = 0;
    let column = values
        .map(|value| match value? {
            Attribute::Term(_) => None,
            Attribute::Number(number) => {
                let [low, high] = field.range.unwrap_or([f64::MIN, f64::MAX]);
                let in_band = field.bands.is_empty() || field.band_of(*number).is_some();
                let fits = in_band && (low..=high).contains(number);
                outside += u64::from(!fits);
                fits.then_some(*number)
            }
        })
        .collect();
    if outside > 0 {
        findings.push(Finding::field(
            &field.name,
            "images say numbers outside the declared range or bands",
            outside,
            "they count as \"not recorded\"",
        ));
    }
    Column::Number(column)
}

/// Terms as declared levels, whatever their case; others are the level `other`, if declared.
fn categories<'a>(
    field: &Field,
    values: impl Iterator<Item = Option<&'a Attribute>>,
    findings: &mut Vec<Finding>,
) -> Column {
    let level = |term: &str| {
        let mut levels = field.levels.iter();
        levels.position(|level| level.eq_ignore_ascii_case(term))
    };
    let other = level("other");
    let mut undeclared: BTreeMap<&str, u64> = BTreeMap::new();
    let column = values
        .map(|value| match value? {
            Attribute::Number(_) => None,
            Attribute::Term(term) => level(term).or_else(|| {
                *undeclared.entry(term).or_default() += 1;
                other
            }),
        })
        .collect();
    if !undeclared.is_empty() {
        let rows = undeclared.values().sum();
        let terms: Vec<&str> = undeclared.keys().copied().take(SHOWN).collect();
        let counted = if other.is_some() {
            "other"
        } else {
            "not recorded"
        };
        findings.push(Finding::field(
            &field.name,
            format!("images say {terms:?}"),
            rows,
            format!("not among the declared levels, so they count as \"{counted}\""),
        ));
    }
    Column::Category(column)
}

/// Rows that name no mask.
fn unnamed(study: &StudyProtocol, plan: &Plan, cases: &[Files], findings: &mut Vec<Finding>) {
    for index in plan.needed() {
        let named = |files: &&Files| files.get(index).is_none_or(Option::is_none);
        let rows = cases.iter().filter(named).count() as u64;
        if let (Some(field), true) = (study.field.get(index), rows > 0) {
            let hint = "counted as missing";
            findings.push(Finding::field(&field.name, "no file named", rows, hint));
        }
    }
}

/// Cases that a list of many scans has no row of. Where that is every case, the column that tells
/// scans apart holds other names than the table.
///
/// # Errors
/// `FV-DATA-013` then.
fn unlisted(
    study: &StudyProtocol,
    plan: &Plan,
    answers: &[Answer],
    findings: &mut Vec<Finding>,
) -> Result<(), Fault> {
    for index in plan.needed() {
        let without = answers.iter().filter(|one| one.unlisted.contains(&index));
        let rows = without.count();
        let Some(field) = study.field.get(index).filter(|_| rows > 0) else {
            continue;
        };
        if rows == answers.len() {
            return Err(Fault::new(
                Code::NoCases,
                format!("the list of \"{}\" has no row of any case", field.name),
                "the names in its column of scans are not those that the table gives",
                "look at what stands after # in the mapping: list.csv#column={name}",
            ));
        }
        findings.push(Finding::field(
            &field.name,
            "the list has no row of these cases",
            rows as u64,
            "counted as scans without candidates, or without lesions where it is the truth",
        ));
    }
    Ok(())
}

/// Masks that are another case's file, and predictions that are the reference's. Masks without any
/// structure are alike by nature and are passed over.
fn copies(study: &StudyProtocol, plan: &Plan, answers: &[Answer], findings: &mut Vec<Finding>) {
    let truths: BTreeSet<usize> = plan.endpoint.iter().map(|(_, truth)| *truth).collect();
    for &truth in truths.iter().filter(|truth| !plan.is_listed(**truth)) {
        let masks = answers.iter().map(|answer| {
            let mut volumes = answer.truth_ml.iter().flatten();
            let digest = answer.digest.get(truth)?.as_ref()?;
            volumes.any(|ml| *ml > 0.0).then_some(digest)
        });
        repeated(study, truth, masks, findings);
    }
    let models = plan.model.iter().enumerate();
    for (at, &model) in models.filter(|(_, model)| !plan.is_listed(**model)) {
        let mask = |answer: &Answer| -> Option<Digest> {
            let mut cases = answer.case.iter().filter_map(|case| case.get(at)?.as_ref());
            let digest = answer.digest.get(model)?.as_ref()?;
            cases
                .any(|case| case.prediction_ml > 0.0)
                .then_some(*digest)
        };
        let masks: Vec<Option<Digest>> = answers.iter().map(mask).collect();
        repeated(study, model, masks.iter().map(Option::as_ref), findings);
        let is_truth = |(answer, mask): &(&Answer, &Option<Digest>)| {
            let truth = |field: &usize| answer.digest.get(*field).is_some_and(|one| one == *mask);
            mask.is_some() && truths.iter().any(truth)
        };
        let same = answers.iter().zip(&masks).filter(is_truth).count() as u64;
        if let (Some(field), true) = (study.field.get(model), same > 0) {
            findings.push(Finding::field(
                &field.name,
                "the prediction is the reference's own file",
                same,
                "they are counted; look whether references were copied by mistake",
            ));
        }
    }
}

/// One finding where files of a field are byte by byte those of earlier cases.
fn repeated<'a>(
    study: &StudyProtocol,
    field: usize,
    masks: impl Iterator<Item = Option<&'a Digest>>,
    findings: &mut Vec<Finding>,
) {
    let mut seen = BTreeSet::new();
    let again = masks.flatten().filter(|digest| !seen.insert(*digest));
    let rows = again.count() as u64;
    if let (Some(field), true) = (study.field.get(field), rows > 0) {
        let hint = "they are counted; look whether a scan stands under two names";
        findings.push(Finding::field(
            &field.name,
            "the same file as an earlier case's",
            rows,
            hint,
        ));
    }
}

/// One finding for each field and reason, with the first few cases.
fn refusals(
    study: &StudyProtocol,
    images: &Images<'_>,
    rows: &[usize],
    answers: &[Answer],
    findings: &mut Vec<Finding>,
) {
    let mut by_reason: BTreeMap<(usize, Reason), (u64, Vec<String>)> = BTreeMap::new();
    for (row, answer) in rows.iter().zip(answers) {
        for refused in &answer.refused {
            let key = (refused.field, refused.reason());
            let (count, shown) = by_reason.entry(key).or_default();
            *count += 1;
            if shown.len() < SHOWN {
                let path = images.files[*row].get(refused.field).cloned().flatten();
                let path = path
                    .map(|path| path.display().to_string())
                    .unwrap_or_default();
                let place = (images.place)(*row);
                shown.push(format!("{place}: {path}: {}", refused.detail));
            }
        }
    }
    for ((field, reason), (count, mut shown)) in by_reason {
        let Some(field) = study.field.get(field) else {
            continue;
        };
        if count > shown.len() as u64 {
            shown.push("...".to_owned());
        }
        findings.push(Finding::field(
            &field.name,
            reason.words(),
            count,
            format!("these cases count as missing; {}", shown.join("; ")),
        ));
    }
}
