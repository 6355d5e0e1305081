//! Front page: the answer to the protocol's question, what carries it, what it does not show.
//!
//! From: `view`, `words`.
//! To: `document::Front`.

use super::super::document::{Front, Row, Table};
use super::super::number::{self, Shown, range};
use super::super::view::{self, View};
use super::super::words::{self, join, plural};
use super::{absent, plain, robustness, segmentation};
use crate::pool::result::{AnalysisRole, Flag, PoolOutcome, SiteInfluence, SiteOutcome};
use crate::statistic::Cell;
use crate::study::{Design, Model, ModelOutput, ModelRole, SamplingDesign, SiteRole};

/// Results beside the primary one that the front page names for hospitals that stand out.
const STANDING_OUT_MAX: usize = 3;

/// The front page.
pub(super) fn page(view: View<'_>) -> Front {
    let protocol = &view.study.protocol;
    let (verdict, verdict_class) = words::answer(view.study.verdict.answer);
    Front {
        kicker: format!(
            "{} · {} · {}",
            capital(&protocol.purpose),
            plural(
                view.external().len(),
                "external hospital",
                "external hospitals"
            ),
            match protocol.design {
                Design::Retrospective => "retrospective",
                Design::Prospective => "prospective",
            }
        ),
        imprint: imprint(view),
        stamps: stamps(view),
        question: protocol.question.clone(),
        verdict: verdict.to_owned(),
        verdict_class,
        answer: words::answer_paragraphs(view),
        plain: plain::paragraphs(view),
        strip: strip(view),
        limits: limits(view),
        independence: independence(view),
        facts: vec![facts(view)],
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn imprint(view: View<'_>) -> Vec<(String, String)> {
    let study = view.study;
    let protocol = &study.protocol;
    let mut out = vec![(
        "Study".to_owned(),
        format!("{}, version {}", protocol.slug, protocol.version),
    )];
    if let Some(model) = protocol.index_model() {
        out.push((
            "Model".to_owned(),
            format!("{}, version {}", model.name, model.version),
        ));
    }
    if let Some(round) = &study.round {
        out.push(("Round".to_owned(), round.to_string()));
    }
    if let Some(closed) = study.closed_at {
        let text = closed.to_string();
        out.push((
            "Closed".to_owned(),
            text.get(..10).unwrap_or(&text).to_owned(),
        ));
    }
    let label = if study.locked {
        "Locked protocol"
    } else {
        "Protocol (not locked)"
    };
    out.push((label.to_owned(), study.protocol_digest.to_string()));
    out
}

fn stamps(view: View<'_>) -> Vec<(String, String)> {
    let study = view.study;
    let mut out = Vec::new();
    if view.open_data() {
        out.push((
            "Public data: disclosure control off".to_owned(),
            "The policy profile open-data was in use: small counts are printed and nothing is \
             rounded. This is permitted for published data sets only."
                .to_owned(),
        ));
    }
    let noisy: Vec<String> = super::noisy::hospitals(view)
        .iter()
        .map(|site| site.display_name.clone())
        .collect();
    if !noisy.is_empty() {
        out.push((
            "Noise on the counts of some hospitals".to_owned(),
            format!(
                "{}: differential privacy. Nothing exact left these hospitals; their AUCs have the \
                 noise in their intervals, and they are in no other pool.",
                words::join(&noisy)
            ),
        ));
    }
    if !study.locked {
        out.push((
            "Protocol not locked".to_owned(),
            "The analysis plan was not frozen and signed before the results were made; every \
             analysis counts as exploratory."
                .to_owned(),
        ));
    }
    if !study.signed {
        out.push((
            "Unsigned releases".to_owned(),
            "The hospitals' files were read from disk; that each comes from the hospital it \
             names is not verified."
                .to_owned(),
        ));
    }
    out
}

/// Counts over external sites that released.
fn total(view: View<'_>, pick: fn(&view::Flows) -> Cell<u64>) -> Option<Cell<u64>> {
    let endpoint = &view.study.protocol.analysis.primary.endpoint;
    let flows: Vec<_> = view
        .external()
        .into_iter()
        .filter_map(|site| view::flow(site, endpoint))
        .collect();
    (!flows.is_empty()).then(|| view::sum(flows.iter().map(|flow| pick(flow))))
}

fn strip(view: View<'_>) -> Vec<(String, String, String)> {
    let show = |cell: Option<Cell<u64>>| cell.map_or_else(Shown::none, |cell| number::count(&cell));
    let (patients, events) = (
        show(total(view, |flow| flow.patients)),
        show(total(view, |flow| flow.events)),
    );
    let bounds = |shown: &Shown| {
        shown
            .sub
            .as_ref()
            .map_or_else(String::new, |sub| format!("{sub}; "))
    };
    let classes = segmentation::classes(view);
    let apart = view.released().len() - view.external().len();
    let mut sites = format!("of {} invited", view.invited_external());
    if apart > 0 {
        sites.push_str(&format!("; {apart} shown apart"));
    }
    let mut out = vec![
        (
            "External hospitals".to_owned(),
            view.external().len().to_string(),
            sites,
        ),
        (
            "Patients".to_owned(),
            patients.text.clone(),
            format!(
                "{}{} cases analysed",
                bounds(&patients),
                show(total(view, |flow| flow.analysed)).text
            ),
        ),
        (
            classes[0].to_owned(),
            events.text.clone(),
            format!(
                "{}{} {}",
                bounds(&events),
                show(total(view, |flow| flow.non_events)).text,
                classes[1].to_lowercase()
            ),
        ),
    ];
    out.extend(primary_strip(view));
    out
}

/// The primary result and its prediction interval.
fn primary_strip(view: View<'_>) -> Vec<(String, String, String)> {
    let Some(primary) = view.primary() else {
        return vec![];
    };
    let mut out = Vec::new();
    let name = format!("Mean {}", words::metric(primary.key.metric));
    if let PoolOutcome::Pooled(pooled) = &primary.pool {
        let style = words::style(primary.key.metric);
        out.push((
            name,
            number::real(pooled.estimate, style),
            format!(
                "{} CI {}",
                number::level_words(pooled.level),
                range(pooled.low, pooled.high, style)
            ),
        ));
        let cell = words::prediction_cell(primary.key.metric, pooled);
        let (value, remark) = if pooled.k >= words::PREDICTION_SENTENCE_MIN {
            (cell.text, cell.sub.unwrap_or_default())
        } else {
            (
                "not stated".to_owned(),
                "needs five hospitals; the number is in section 3".to_owned(),
            )
        };
        out.push(("Prediction interval".to_owned(), value, remark));
    } else {
        let reason = words::no_pool(&primary.pool).unwrap_or_default();
        out.push((name, "no pool".to_owned(), reason));
    }
    out
}

fn names(view: View<'_>, keep: impl Fn(SiteRole) -> bool) -> Vec<String> {
    view.study
        .sites
        .iter()
        .filter(|site| keep(site.role))
        .map(|site| site.display_name.clone())
        .collect()
}

fn independence(view: View<'_>) -> String {
    let external = names(view, |role| role == SiteRole::External);
    let mut text = format!(
        "{} took part as external {}: by attestation, none of their data were used to develop, \
         tune, recalibrate or set a threshold of any model in this report.",
        join(&external),
        if external.len() == 1 {
            "hospital"
        } else {
            "hospitals"
        },
    );
    for site in view
        .study
        .sites
        .iter()
        .filter(|site| site.role != SiteRole::External)
    {
        text.push_str(&format!(
            " {} has the role {}; its results are shown apart and enter no pool.",
            site.display_name,
            words::site_role(site.role)
        ));
    }
    if view.study.locked {
        text.push_str(
            " The analysis plan was locked and signed before any hospital computed a result.",
        );
    }
    text
}

/// What measures of masks, or of probabilities, leave open.
fn not_assessed(view: View<'_>) -> Vec<&'static str> {
    if view.study.protocol.is_segmentation() {
        return vec![
            "Benefit to patients: agreement of outlines was assessed, not decisions or outcomes \
             of care.",
            "Whether an outline is good enough to act on: overlap and distances do not say which \
             errors matter, and references differ between readers too.",
        ];
    }
    let mut out = vec![
        "Benefit to patients: predictions were held against outcomes; decisions and outcomes of \
         care were not assessed.",
    ];
    if view.study.calibration.is_empty() {
        out.push(
            "Calibration of each prediction: no bins of the curve were released, so it is known \
             only on the whole and by a slope.",
        );
    }
    out
}

fn limits(view: View<'_>) -> Vec<String> {
    let protocol = &view.study.protocol;
    let external = view.external().len();
    let mut out = Vec::new();
    if external < words::PREDICTION_SENTENCE_MIN {
        out.push(format!(
            "How the model would do at the next hospital: {} cannot describe the spread between \
             hospitals.",
            plural(external, "external hospital", "external hospitals")
        ));
    }
    out.extend(not_assessed(view).into_iter().map(str::to_owned));
    if protocol.design == Design::Retrospective {
        out.push(
            "Prospective performance: cases were collected before the protocol was written."
                .to_owned(),
        );
    }
    if protocol.sampling.design == SamplingDesign::OutcomeDependent {
        out.push(
            "Predictive values and calibration in routine care: cases were sampled by outcome."
                .to_owned(),
        );
    }
    let verified = &protocol.verification;
    if verified.fraction_model_positive < 1.0 || verified.fraction_model_negative < 1.0 {
        out.push(format!(
            "Patients without the reference standard: {} of model-positive and {} of \
             model-negative cases were verified.",
            number::real(verified.fraction_model_positive, number::Style::Percent),
            number::real(verified.fraction_model_negative, number::Style::Percent)
        ));
    }
    for model in &protocol.model {
        out.push(format!(
            "What {} would do with complete inputs: missing inputs were handled as follows: {}.",
            model.name, model.missing_inputs
        ));
    }
    let silent: Vec<String> = view
        .study
        .sites
        .iter()
        .filter(|site| site.outcome != SiteOutcome::Released)
        .map(|site| format!("{} ({})", site.display_name, words::outcome(site.outcome)))
        .collect();
    if !silent.is_empty() {
        out.push(format!("Results at {}.", join(&silent)));
    }
    out.extend(standing_out(view));
    // Hospitals without any release are named above; why there is none is not always a policy.
    let withheld = &view.study.withheld;
    let items = withheld.iter().filter(|one| one.item.is_some()).count();
    if items > 0 {
        out.push(format!(
            "{} withheld by the hospitals' policies; they are withheld, not at random (What was withheld).",
            plural(items, "item was", "items were").replacen(
                "1 item was",
                "One item was",
                1
            )
        ));
    }
    out.push(format!(
        "{} that readers of a validation may look for; each stands with its reason in the section \
         What this report does not show.",
        plural(absent::count(view), "further check", "further checks")
    ));
    out
}

/// Hospitals that stand out from the pools of the model under validation: the primary one in
/// full, the others by name.
fn standing_out(view: View<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let index = view.study.protocol.index_model().map(|model| &model.id);
    let mut others = Vec::new();
    for analysis in &view.study.analyses {
        let key = &analysis.key;
        let own = key.is_whole() && Some(&key.model) == index;
        let PoolOutcome::Pooled(pooled) = &analysis.pool else {
            continue;
        };
        if analysis.role == AnalysisRole::Primary {
            let name = words::key(view, key);
            out.extend(robustness::standing_out(view, &name, analysis));
        } else if own {
            let strong = |one: &&SiteInfluence| {
                let apart = [Flag::Outlying, Flag::MovesMean];
                one.flags.iter().any(|flag| apart.contains(flag))
            };
            let flagged = pooled.robustness.influence.iter().filter(strong);
            let sites: Vec<String> = flagged.map(|one| view.site(&one.site)).collect();
            if !sites.is_empty() {
                others.push(format!("{} at {}", words::key(view, key), join(&sites)));
            }
        }
    }
    if !others.is_empty() {
        let more = others.len().saturating_sub(STANDING_OUT_MAX);
        others.truncate(STANDING_OUT_MAX);
        let rest = match more {
            0 => String::new(),
            more => format!("; {more} more"),
        };
        out.push(format!(
            "Values that stand out from the other hospitals\u{2019}, beside the primary result: \
             {}{rest} (robustness.csv, column flags). They are in the pools.",
            others.join("; ")
        ));
    }
    out
}

/// What a model's digest is of, and the formula itself.
fn source(model: &Model) -> String {
    let digest = model.sha256.clone();
    match &model.formula {
        Some(formula) => format!("{}; {}", formula.words(), digest.unwrap_or_default()),
        None => {
            digest.unwrap_or_else(|| "predictions supplied as a table; no model file".to_owned())
        }
    }
}

fn facts(view: View<'_>) -> Table {
    let protocol = &view.study.protocol;
    let mut table = Table::prose("Model facts", &["", "Under validation"]);
    let models: Vec<_> = protocol
        .index_model()
        .into_iter()
        .chain(protocol.comparators())
        .collect();
    table.head = std::iter::once(String::new())
        .chain(models.iter().map(|model| match model.role {
            ModelRole::Index => "Under validation".to_owned(),
            ModelRole::Comparator => "Comparator".to_owned(),
        }))
        .collect();
    let mut row = |head: &str, pick: &dyn Fn(&Model) -> String| {
        let cells = models
            .iter()
            .map(|model| Shown::words(pick(model)))
            .collect();
        table.push(Row::new(head, cells));
    };
    row("Name, version", &|model| {
        format!("{}, {}", model.name, model.version)
    });
    row("Development", &|model| model.description.clone());
    row("Output", &|model| {
        match model.output {
            ModelOutput::Probability => "probability from 0 to 1",
            ModelOutput::Mask => "mask of the image",
            ModelOutput::Candidates => "candidates with scores",
        }
        .to_owned()
    });
    row("Missing inputs", &|model| model.missing_inputs.clone());
    row("Thresholds", &|model| {
        let all: Vec<String> = protocol
            .threshold
            .iter()
            .filter(|entry| entry.model == model.id)
            .map(|entry| format!("{} ({})", entry.value, entry.source))
            .collect();
        if all.is_empty() {
            "none declared".to_owned()
        } else {
            all.join("; ")
        }
    });
    row("File or formula (SHA-256)", &source);
    let use_ = &protocol.intended_use;
    for (head, text) in [
        ("Intended population", &use_.population),
        (
            "User and setting",
            &format!("{}; {}", use_.user, use_.setting),
        ),
        ("Risk tier", &use_.risk_tier),
        ("Known inequalities", &use_.known_inequalities),
    ] {
        let cells = models
            .iter()
            .map(|_| Shown::words(text.clone()))
            .collect::<Vec<_>>();
        table.push(Row::new(
            head,
            cells.into_iter().take(models.len()).collect(),
        ));
    }
    table
}
