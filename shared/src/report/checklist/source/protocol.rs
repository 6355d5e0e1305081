//! Sources in the protocol.
//!
//! From: `study::protocol`.
//! To: `source`.

use super::super::super::number::{Style, real};
use super::super::super::words;
use super::{Entry, Found, Subject, entry, is_written, text, together};
use crate::study::{
    Design, Estimand, Model, ModelOutput, ModelRun, SamplingDesign, StudyProtocol, Tau2Estimator,
};

pub(super) const ALL: &[Entry] = &[
    entry(
        "protocol.title",
        &[],
        |s| text(&of(s).title),
        "title of the protocol",
    ),
    entry(
        "protocol.question",
        &["answer"],
        |s| text(&of(s).question),
        "question of the protocol",
    ),
    entry(
        "protocol.purpose",
        &["methods"],
        |s| text(&of(s).purpose),
        "purpose of the protocol",
    ),
    entry(
        "protocol.design",
        &["methods"],
        design,
        "design of the protocol",
    ),
    entry(
        "protocol.population",
        &["independence"],
        |s| text(&of(s).intended_use.population),
        "intended_use.population of the protocol",
    ),
    entry(
        "protocol.user",
        &["independence"],
        |s| text(&of(s).intended_use.user),
        "intended_use.user of the protocol",
    ),
    entry(
        "protocol.setting",
        &["independence"],
        |s| text(&of(s).intended_use.setting),
        "intended_use.setting of the protocol",
    ),
    entry(
        "protocol.risk-tier",
        &["independence"],
        |s| text(&of(s).intended_use.risk_tier),
        "intended_use.risk_tier of the protocol",
    ),
    entry(
        "protocol.inequalities",
        &["independence"],
        |s| text(&of(s).intended_use.known_inequalities),
        "intended_use.known_inequalities of the protocol",
    ),
    entry(
        "protocol.model",
        &["independence"],
        model,
        "name and version of the model",
    ),
    entry(
        "protocol.model-description",
        &["independence"],
        |s| index(s, |model| text(&model.description)),
        "description of the model in the protocol",
    ),
    entry(
        "protocol.output",
        &["independence"],
        output,
        "output of the model in the protocol",
    ),
    entry(
        "protocol.model-file",
        &["independence"],
        model_file,
        "sha256 of the model in the protocol, or why there is no file",
    ),
    entry(
        "protocol.prediction-route",
        &["methods"],
        route,
        "with which software, version and hardware predictions were made",
    ),
    entry(
        "protocol.missing-inputs",
        &["design"],
        |s| index(s, |model| text(&model.missing_inputs)),
        "missing_inputs of the model in the protocol",
    ),
    entry(
        "protocol.development",
        &["case-mix", "independence"],
        development,
        "[model.development] of the protocol: what the developers reported, and where",
    ),
    entry(
        "protocol.fields",
        &["sites"],
        fields,
        "the inputs of the model, declared as fields",
    ),
    entry(
        "protocol.event",
        &["sites"],
        |s| each(s, |endpoint| text(&endpoint.event)),
        "event of each endpoint in the protocol",
    ),
    entry(
        "protocol.reference",
        &["sites"],
        |s| each(s, |endpoint| text(&endpoint.reference_standard.definition)),
        "definition of each reference standard in the protocol",
    ),
    entry(
        "protocol.reference-rationale",
        &["sites"],
        |s| each(s, |endpoint| text(&endpoint.reference_standard.rationale)),
        "rationale of each reference standard in the protocol",
    ),
    entry(
        "protocol.readers",
        &["sites"],
        readers,
        "how many readers, and how they agreed",
    ),
    entry(
        "protocol.blinding",
        &["sites"],
        blinding,
        "whether assessors knew the model's output",
    ),
    entry(
        "protocol.sampling",
        &["design"],
        sampling,
        "how cases were sampled, with fractions",
    ),
    entry(
        "protocol.verification",
        &["design"],
        verification,
        "methods of verification",
    ),
    entry(
        "protocol.eligibility",
        &["methods"],
        |s| text(&of(s).eligibility.description),
        "eligibility.description of the protocol",
    ),
    entry(
        "protocol.unit",
        &["methods"],
        |s| text(&of(s).eligibility.unit),
        "eligibility.unit of the protocol",
    ),
    entry(
        "protocol.thresholds",
        &["operating-point", "segmentation", "detection"],
        thresholds,
        "thresholds with their source, or that the output has none",
    ),
    entry(
        "protocol.missing",
        &["design"],
        |s| text(&of(s).missing.default_action),
        "missing.default_action of the protocol",
    ),
    entry(
        "protocol.subgroups",
        &["subgroups", "segmentation", "detection"],
        subgroups,
        "subgroups in which the model may do better or worse, declared beforehand",
    ),
    entry(
        "protocol.sensitivity",
        &["design"],
        sensitivity,
        "sensitivity analyses, declared beforehand, or why there are none",
    ),
    entry(
        "protocol.primary",
        &["methods"],
        primary,
        "the primary analysis",
    ),
    entry(
        "protocol.pooling",
        &["methods"],
        pooling,
        "how hospitals are pooled",
    ),
    entry(
        "protocol.sample-size",
        &["discrimination", "segmentation", "detection"],
        sample_size,
        "[sample_size] of the protocol (fedval study power), or how the size came about",
    ),
    entry(
        "protocol.registration",
        &["methods"],
        registration,
        "register and identifier in the protocol",
    ),
    entry(
        "protocol.ethics",
        &[],
        ethics,
        "each hospital: ethics committee and number of the approval or waiver",
    ),
    entry(
        "protocol.funding",
        &["methods"],
        |s| text(&of(s).registration.funding),
        "registration.funding of the protocol",
    ),
    entry(
        "protocol.patient-involvement",
        &["methods"],
        |s| text(&of(s).registration.patient_involvement),
        "registration.patient_involvement of the protocol",
    ),
    entry(
        "protocol.lock",
        &["provenance"],
        lock,
        "lock the protocol before data are seen",
    ),
    entry(
        "protocol.signoffs",
        &["methods"],
        signoffs,
        "who signs off, and lock the protocol",
    ),
    entry(
        "protocol.rounds",
        &["methods"],
        rounds,
        "when the model is looked at again",
    ),
];

fn of<'a>(subject: &Subject<'a>) -> &'a StudyProtocol {
    &subject.view.study.protocol
}

fn index(subject: &Subject<'_>, find: fn(&Model) -> Found) -> Found {
    of(subject).index_model().map_or(Found::Absent, find)
}

/// A text of every endpoint.
fn each(subject: &Subject<'_>, find: fn(&crate::study::Endpoint) -> Found) -> Found {
    together(of(subject).endpoint.iter().map(find).collect())
}

/// A list of words; nothing when it is empty.
fn listed(words: &[String]) -> Found {
    if words.is_empty() {
        Found::Absent
    } else {
        Found::Given(words::join(words))
    }
}

fn design(subject: &Subject<'_>) -> Found {
    let words = match of(subject).design {
        Design::Retrospective => "retrospective",
        Design::Prospective => "prospective",
    };
    Found::Given(words.to_owned())
}

fn model(subject: &Subject<'_>) -> Found {
    index(subject, |model| {
        let [name, version] = [&model.name, &model.version].map(|part| text(part));
        together(vec![name, version])
    })
}

fn output(subject: &Subject<'_>) -> Found {
    index(subject, |model| {
        let words = match model.output {
            ModelOutput::Probability => "a probability from 0 to 1",
            ModelOutput::Mask => "a mask of voxel labels",
            ModelOutput::Candidates => "a list of candidates with scores",
        };
        Found::Given(words.to_owned())
    })
}

fn model_file(subject: &Subject<'_>) -> Found {
    index(subject, |model| {
        model.sha256.as_ref().map_or(Found::Absent, |digest| {
            Found::Given(format!("SHA-256 {digest}"))
        })
    })
}

fn route(subject: &Subject<'_>) -> Found {
    index(subject, |model| match model.run {
        ModelRun::Formula => {
            Found::Given("a formula of the protocol, computed at each hospital".to_owned())
        }
        ModelRun::PredictionsTable => {
            Found::Partly("predictions were made at each hospital beforehand".to_owned())
        }
    })
}

fn development(subject: &Subject<'_>) -> Found {
    index(subject, |model| {
        let Some(one) = &model.development else {
            return Found::Absent;
        };
        let numbers = format!(
            "{} patients, {} events, AUC {}",
            one.n,
            one.events,
            real(one.auc, Style::Plain(3))
        );
        together(vec![Found::Given(numbers), text(&one.source)])
    })
}

/// Declared columns are not all inputs of the model: the list is a part of the answer.
fn fields(subject: &Subject<'_>) -> Found {
    let names: Vec<String> = of(subject)
        .field
        .iter()
        .map(|field| field.name.to_string())
        .collect();
    match listed(&names) {
        Found::Given(value) => Found::Partly(format!("declared columns: {value}")),
        other @ (Found::Partly(_) | Found::Absent) => other,
    }
}

fn readers(subject: &Subject<'_>) -> Found {
    each(subject, |endpoint| {
        let standard = &endpoint.reference_standard;
        if standard.readers == 0 {
            return Found::Given("not read by people".to_owned());
        }
        let readers = usize::try_from(standard.readers).unwrap_or(usize::MAX);
        let readers = words::plural(readers, "reader", "readers");
        together(vec![Found::Given(readers), text(&standard.reader_rule)])
    })
}

fn blinding(subject: &Subject<'_>) -> Found {
    each(subject, |endpoint| {
        let words = if endpoint.reference_standard.blinded_to_model {
            "assessors were blinded to the model"
        } else {
            "assessors were not blinded to the model"
        };
        Found::Given(words.to_owned())
    })
}

fn sampling(subject: &Subject<'_>) -> Found {
    let sampling = &of(subject).sampling;
    match (sampling.design, sampling.fractions) {
        (SamplingDesign::Consecutive, _) => Found::Given("consecutive".to_owned()),
        (SamplingDesign::Random, _) => Found::Given("a random sample".to_owned()),
        (SamplingDesign::OutcomeDependent, Some(_)) => {
            Found::Given("by outcome, with fractions".to_owned())
        }
        (SamplingDesign::OutcomeDependent, None) => {
            Found::Partly("by outcome, at unknown rates".to_owned())
        }
    }
}

fn verification(subject: &Subject<'_>) -> Found {
    let methods = &of(subject).verification.methods;
    let written: Vec<String> = methods
        .iter()
        .filter(|method| is_written(method))
        .cloned()
        .collect();
    listed(&written)
}

fn thresholds(subject: &Subject<'_>) -> Found {
    let declared = of(subject).threshold.iter();
    let parts = declared.map(|one| match text(&one.source) {
        Found::Given(source) => Found::Given(format!("{} ({source})", one.value)),
        Found::Partly(_) | Found::Absent => Found::Partly(one.value.to_string()),
    });
    together(parts.collect())
}

fn subgroups(subject: &Subject<'_>) -> Found {
    let axes = of(subject).subgroup.iter().filter(|axis| axis.prespecified);
    listed(&axes.map(|axis| axis.label.clone()).collect::<Vec<_>>())
}

fn sensitivity(subject: &Subject<'_>) -> Found {
    let labels = of(subject).sensitivity.iter().map(|one| one.label.clone());
    listed(&labels.collect::<Vec<_>>())
}

fn primary(subject: &Subject<'_>) -> Found {
    let acceptance = of(subject).analysis.primary.acceptance;
    let metric = subject.view.primary().map(|one| one.key.metric);
    let estimand = match acceptance.estimand {
        Estimand::Mean => "the mean over hospitals",
        Estimand::NextSite => "the next hospital",
    };
    let bound = real(acceptance.at_least, Style::Plain(3));
    match metric {
        Some(metric) => Found::Given(format!(
            "{} of at least {bound} for {estimand}",
            words::metric(metric)
        )),
        None => Found::Partly(format!("a bound of {bound} for {estimand}")),
    }
}

fn pooling(subject: &Subject<'_>) -> Found {
    let pooling = &of(subject).pooling;
    let model = if pooling.tau2 == Tau2Estimator::Fixed {
        "one common value"
    } else {
        "random effects"
    };
    Found::Given(format!(
        "{model}, {}, {} interval, at least {}",
        words::tau2_slug(pooling.tau2),
        words::interval_slug(pooling.interval),
        words::plural(pooling.min_sites, "hospital", "hospitals")
    ))
}

fn sample_size(subject: &Subject<'_>) -> Found {
    let Some(plan) = &of(subject).sample_size else {
        return Found::Absent;
    };
    let guess = format!(
        "{} patients per hospital, AUC {}, {} with the event",
        plan.patients_per_site,
        real(plan.auc, Style::Plain(2)),
        real(plan.prevalence, Style::Percent)
    );
    together(vec![
        Found::Given(guess),
        text(&plan.source),
        text(&plan.chosen_by),
    ])
}

fn registration(subject: &Subject<'_>) -> Found {
    let registration = &of(subject).registration;
    if registration.register.trim() == "none" {
        return Found::Given("not registered".to_owned());
    }
    let id = registration.id.as_deref().map_or(Found::Absent, text);
    together(vec![text(&registration.register), id])
}

fn ethics(subject: &Subject<'_>) -> Found {
    if of(subject).registration.ethics_required {
        Found::Partly("each hospital needs an approval".to_owned())
    } else {
        Found::Given("the protocol says that no approval is required".to_owned())
    }
}

fn lock(subject: &Subject<'_>) -> Found {
    let study = subject.view.study;
    if study.locked {
        Found::Given(format!("locked, {}", study.protocol_digest))
    } else {
        Found::Absent
    }
}

/// The lock asks for every sign-off; an unlocked protocol only says whose are asked for.
fn signoffs(subject: &Subject<'_>) -> Found {
    let roles = listed(&of(subject).signoff.required);
    match roles {
        Found::Given(roles) if subject.view.study.locked => {
            Found::Given(format!("signed off by {roles}"))
        }
        Found::Given(roles) => Found::Partly(format!("to be signed off by {roles}")),
        Found::Partly(_) | Found::Absent => Found::Absent,
    }
}

/// One look is not an audit that repeats.
fn rounds(subject: &Subject<'_>) -> Found {
    match text(&of(subject).rounds.schedule) {
        Found::Given(schedule) if schedule == "once" => {
            Found::Partly("one round is planned".to_owned())
        }
        Found::Given(schedule) => Found::Given(format!("rounds: {schedule}")),
        other @ (Found::Partly(_) | Found::Absent) => other,
    }
}
