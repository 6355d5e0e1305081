//! The cases of a table with their images: masks measured, acquisitions read, refusals counted.
//!
//! From: `cohort`.
//! To: `cohort` (columns and masks of `Cases`), findings for the site.

use std::collections::{BTreeMap, BTreeSet};

use imaging::refusal::Reason;
use serde::Serialize;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::cases::Column;
use shared::statistic::masks::MaskEndpoint;
use shared::study::{Field, FieldKind, FieldName, StudyProtocol};

use super::answer::{Answer, Attribute};
use super::pool::{self, Digests};
use super::question::{Files, Plan};
use super::reconcile;
use crate::cohort::{Finding, Kept, Means};

/// Refusals shown in one finding.
pub(super) const SHOWN: usize = 3;

/// The files of a table's rows.
pub(crate) struct Images<'a> {
    /// By row and declared field.
    pub(crate) files: &'a [Files],
    /// How people find each row.
    pub(crate) place: &'a dyn Fn(usize) -> String,
}

/// Files of one field, among the eligible rows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FileCount {
    /// The declared field.
    pub field: FieldName,
    /// Rows that name a file.
    pub named: u64,
    /// Rows whose file was read and could be compared.
    pub usable: u64,
}

/// The masks of some rows, and the digest of every file among them.
pub(crate) struct Measured {
    /// By endpoint.
    pub(crate) masks: Vec<Option<MaskEndpoint>>,
    /// Of the files' bytes, in the order of the rows.
    pub(crate) digest: Digest,
    /// By row, those of its files.
    pub(crate) digests: Vec<Digests>,
    /// Of each field with masks or lists.
    pub(crate) files: Vec<FileCount>,
    /// What was kept of them in the state directory.
    pub(crate) kept: Option<Kept>,
}

/// The masks of some rows; `None` in a study without masks.
///
/// # Errors
/// When no reader process can be started.
pub(crate) fn masks(
    study: &StudyProtocol,
    images: &Images<'_>,
    rows: &[usize],
    means: &Means<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Measured>, Fault> {
    let Some(plan) = Plan::of_masks(study) else {
        return Ok(None);
    };
    let cases: Vec<Files> = rows.iter().map(|row| images.files[*row].clone()).collect();
    let (asked, kept) = pool::measure(plan.clone(), &cases, means)?;
    let split = asked.into_iter().map(|one| (one.answer, one.digest));
    let (answers, digests): (Vec<Answer>, Vec<Digests>) = split.unzip();
    let digest = fingerprint(&digests);
    unnamed(study, &plan, &cases, findings);
    refusals(study, images, rows, &answers, findings);
    copies(study, &plan, (&answers, &digests), findings);
    unlisted(study, &plan, &answers, findings)?;
    reconcile::strangers(study, images.files, findings);
    let files = counts(study, &plan, &cases, &answers);
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
    Ok(Some(Measured {
        masks,
        digest,
        digests,
        files,
        kept,
    }))
}

/// One digest of all masks and lists, in the order of the rows.
fn fingerprint(digests: &[Digests]) -> Digest {
    let parts: Vec<&[u8]> = digests
        .iter()
        .flatten()
        .map(|digest| digest.as_ref().map_or(&[][..], |digest| digest.as_bytes()))
        .collect();
    Digest::of_list(&parts)
}

/// Columns of the declared fields that images give: by field, `None` for those of the table.
/// `patient` is the patient of each row, as the table has it.
///
/// # Errors
/// When no reader process can be started.
pub(crate) fn acquired(
    study: &StudyProtocol,
    images: &Images<'_>,
    patient: &[u32],
    means: &Means<'_>,
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
    let Some(image) = image else {
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
    if cases.iter().flatten().all(Option::is_none) && tagged.is_empty() {
        return Ok(columns);
    }
    let answers = pool::ask(plan, &cases, means)?;
    let rows: Vec<usize> = (0..cases.len()).collect();
    refusals(study, images, &rows, &answers, findings);
    reconcile::origins(&study.field[image], images, patient, &answers, findings);
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
        let place = levels.position(|level| level.eq_ignore_ascii_case(term));
        place.and_then(|place| u16::try_from(place).ok())
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

/// How many files of each field there are, and can be used.
fn counts(
    study: &StudyProtocol,
    plan: &Plan,
    cases: &[Files],
    answers: &[Answer],
) -> Vec<FileCount> {
    let needed = plan.needed().into_iter();
    let each = needed.filter_map(|index| {
        let names = |files: &Files| files.get(index).is_some_and(Option::is_some);
        let refused = |answer: &Answer| answer.refused.iter().any(|one| one.field == index);
        let pairs = cases.iter().zip(answers).filter(|(files, _)| names(files));
        Some(FileCount {
            field: study.field.get(index)?.name.clone(),
            named: pairs.clone().count() as u64,
            usable: pairs.filter(|(_, answer)| !refused(answer)).count() as u64,
        })
    });
    each.collect()
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
fn copies(
    study: &StudyProtocol,
    plan: &Plan,
    (answers, digests): (&[Answer], &[Digests]),
    findings: &mut Vec<Finding>,
) {
    let truths: BTreeSet<usize> = plan.endpoint.iter().map(|(_, truth)| *truth).collect();
    let of = |digests: &Digests, field: usize| digests.get(field).copied().flatten();
    for &truth in truths.iter().filter(|truth| !plan.is_listed(**truth)) {
        let mask = |(answer, digests): (&Answer, &Digests)| {
            let mut volumes = answer.truth_ml.iter().flatten();
            let any = volumes.any(|ml| *ml > 0.0);
            of(digests, truth).filter(|_| any)
        };
        repeated(
            study,
            truth,
            answers.iter().zip(digests).map(mask),
            findings,
        );
    }
    let models = plan.model.iter().enumerate();
    for (at, &model) in models.filter(|(_, model)| !plan.is_listed(**model)) {
        let mask = |(answer, digests): (&Answer, &Digests)| {
            let cases = answer.case.iter();
            let mut cases = cases.filter_map(|case| case.get(at)?.as_ref());
            let any = cases.any(|case| case.prediction_ml > 0.0);
            of(digests, model).filter(|_| any)
        };
        let masks: Vec<Option<Digest>> = answers.iter().zip(digests).map(mask).collect();
        repeated(study, model, masks.iter().copied(), findings);
        let is_truth = |(digests, mask): &(&Digests, &Option<Digest>)| {
            mask.is_some() && truths.iter().any(|truth| of(digests, *truth) == **mask)
        };
        let same = digests.iter().zip(&masks).filter(is_truth).count() as u64;
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
fn repeated(
    study: &StudyProtocol,
    field: usize,
    masks: impl Iterator<Item = Option<Digest>>,
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
    // By compression, each of which a site mends in its own way, and by reason.
    let mut by_reason: BTreeMap<(usize, Reason, &str), (u64, Vec<String>)> = BTreeMap::new();
    for (row, answer) in rows.iter().zip(answers) {
        for refused in &answer.refused {
            let reason = refused.reason();
            let detail = refused.detail.as_str();
            let syntax = if reason == Reason::TransferSyntax {
                detail
            } else {
                ""
            };
            let key = (refused.field, reason, syntax);
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
    for ((field, reason, _), (count, mut shown)) in by_reason {
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
