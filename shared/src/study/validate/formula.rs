//! Whether a model's formula can be computed from the declared columns.
//!
//! From: `validate`.
//! To: its list of problems.

use super::{Found, Model, StudyProtocol};

pub(super) fn check(protocol: &StudyProtocol, model: &Model, place: &str, found: &mut Found) {
    found.unless(
        model.field.is_none(),
        place,
        "it has a field, but a formula computes its predictions",
        "remove field, or write run = \"predictions-table\"",
    );
    let Some(formula) = &model.formula else {
        found.add(
            place,
            "there is no formula",
            "write [model.formula] with intercept, link and terms",
        );
        return;
    };
    for (part, what, fix) in formula.problems(&protocol.field) {
        found.add(format!("{place}.formula.{part}"), what, fix);
    }
    let outcome = formula.terms.iter().any(|term| {
        let mut endpoints = protocol.endpoint.iter();
        endpoints.any(|endpoint| endpoint.field == term.field)
    });
    found.unless(
        !outcome,
        place,
        "its formula reads an endpoint",
        "use what is known before the outcome",
    );
    let digest = formula.sha256().ok();
    let agrees = model.sha256.is_none() || model.sha256 == digest;
    found.unless(
        agrees,
        place,
        "sha256 is not the digest of its formula",
        "remove sha256: the lock fills it in",
    );
}
