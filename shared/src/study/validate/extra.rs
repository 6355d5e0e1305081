//! Checks of what a protocol may add: sensitivity analyses, the failure analysis, development
//! performance.
//!
//! From: `protocol`.
//! To: the list of problems.

use super::{FieldKind, Found, ModelRole, SamplingDesign, StudyProtocol, term_problem};
use crate::study::{Development, SensitivityAnalysis, SensitivityKind};

/// Most sensitivity analyses of one study: each is one more set of overlapping numbers.
const SENSITIVITIES_MAX: usize = 12;

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    let ids = protocol.sensitivity.iter().map(|entry| entry.id.as_str());
    found.unique("sensitivity", ids);
    found.unless(
        protocol.sensitivity.len() <= SENSITIVITIES_MAX,
        "sensitivity",
        "more than twelve sensitivity analyses",
        "keep those whose answer would change a decision",
    );
    for (index, entry) in protocol.sensitivity.iter().enumerate() {
        sensitivity(protocol, entry, &format!("sensitivity[{index}]"), found);
    }
    failure(protocol, found);
    for (index, model) in protocol.model.iter().enumerate() {
        if let Some(development) = &model.development {
            reported(development, &format!("model[{index}].development"), found);
        }
    }
}

fn sensitivity(
    protocol: &StudyProtocol,
    entry: &SensitivityAnalysis,
    place: &str,
    found: &mut Found,
) {
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    found.unless(
        (1..=40).contains(&entry.id.len()) && entry.id.chars().all(plain),
        place,
        "its id is not made of lower-case letters, digits and dashes",
        "write for example \"no-prediction-negative\"",
    );
    found.unless(
        !entry.label.trim().is_empty(),
        place,
        "its label is empty",
        "say in words what is done otherwise",
    );
    let kind = entry.kind;
    found.unless(
        (kind == SensitivityKind::Exclude) != entry.exclude.is_empty(),
        place,
        "kind \"exclude\" and exclusion terms go together",
        "give the terms with kind = \"exclude\", and only there",
    );
    for (term, one) in entry.exclude.iter().enumerate() {
        if let Some((what, fix)) = term_problem(protocol, one) {
            found.add(format!("{place}.exclude[{term}]"), what, fix);
        }
    }
    threshold(protocol, entry, place, found);
    found.unless(
        kind != SensitivityKind::DefaultAction || protocol.missing.default_call.is_some(),
        place,
        "missing.default_call is not given",
        "say whether the default action treats a patient as positive or as negative",
    );
    verification(protocol, kind, place, found);
}

/// A sensitivity analysis at another threshold names one that is declared.
fn threshold(
    protocol: &StudyProtocol,
    entry: &SensitivityAnalysis,
    place: &str,
    found: &mut Found,
) {
    let index = protocol
        .model
        .iter()
        .find(|model| model.role == ModelRole::Index);
    let declared = |value: f64| {
        let mut all = protocol.threshold.iter();
        all.any(|one| {
            Some(&one.model) == index.map(|model| &model.id)
                && one.value.to_bits() == value.to_bits()
        })
    };
    found.unless(
        (entry.kind == SensitivityKind::Threshold) == entry.threshold.is_some()
            && entry.threshold.is_none_or(declared),
        place,
        "kind \"threshold\" and a declared threshold of the model under validation go together",
        "declare it as [[threshold]] too, and name it here",
    );
}

/// Corrections for partial verification need fractions, and cases not sampled by outcome.
fn verification(protocol: &StudyProtocol, kind: SensitivityKind, place: &str, found: &mut Found) {
    let weights = [
        protocol.verification.fraction_model_positive,
        protocol.verification.fraction_model_negative,
    ];
    found.unless(
        kind != SensitivityKind::VerificationWeights || weights.iter().all(|one| *one > 0.0),
        place,
        "a verification fraction is 0: nobody can stand for those who were not verified",
        "use the bounds, verification-lowest and verification-highest",
    );
    let corrects = matches!(
        kind,
        SensitivityKind::BeggGreenes
            | SensitivityKind::VerificationWeights
            | SensitivityKind::VerificationLowest
            | SensitivityKind::VerificationHighest
    );
    found.unless(
        !corrects || protocol.sampling.design != SamplingDesign::OutcomeDependent,
        place,
        "cases sampled by outcome all have a reference standard",
        "leave this analysis out",
    );
}

fn failure(protocol: &StudyProtocol, found: &mut Found) {
    let Some(failure) = &protocol.failure else {
        return;
    };
    let field = protocol.find_field(&failure.field);
    let fits = field.is_some_and(|field| match field.kind {
        FieldKind::Category => true,
        FieldKind::Integer | FieldKind::Number => field.bands.len() > 1,
        FieldKind::Identifier
        | FieldKind::Binary
        | FieldKind::Probability
        | FieldKind::Mask
        | FieldKind::Image
        | FieldKind::Places => false,
    });
    found.unless(
        fits,
        "failure.field",
        "it is no declared category, nor a number with bands",
        "name a category field with its levels",
    );
    found.unless(
        !failure.label.trim().is_empty(),
        "failure.label",
        "the heading is empty",
        "write for example \"Lesion type\"",
    );
}

fn reported(one: &Development, place: &str, found: &mut Found) {
    let area = |value: f64| (0.0..=1.0).contains(&value);
    found.unless(
        one.events > 0 && one.events < one.n,
        place,
        "events are not a part of n",
        "give the numbers of the model card",
    );
    found.unless(
        [Some(one.auc), one.auc_low, one.auc_high]
            .into_iter()
            .flatten()
            .all(area),
        place,
        "an AUC lies between 0 and 1",
        "give the numbers of the model card",
    );
    found.unless(
        one.oe.is_none_or(|ratio| ratio > 0.0)
            && one.slope.is_none_or(f64::is_finite)
            && one.predictor_sd.is_none_or(|sd| sd > 0.0),
        place,
        "O:E and the standard deviation of the linear predictor are positive",
        "give the numbers of the model card",
    );
    found.unless(
        !one.source.trim().is_empty(),
        place,
        "source is empty",
        "cite the publication or the model card",
    );
}
