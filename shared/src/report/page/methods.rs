//! Methods in the past tense, generated from the protocol and from what happened.
//!
//! From: `study::protocol`, outcomes.
//! To: `document::Section`.

use super::super::Provenance;
use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, level_words, range, real};
use super::super::view::View;
use super::super::words::{self, join, plural};
use super::robustness;
use crate::pool::result::{AnalysisRole, Metric, PoolOutcome, SiteOutcome};
use crate::study::{Design, Estimand, PoolInterval, SamplingDesign, Tau2Estimator};

/// The page.
pub(super) fn page(view: View<'_>, provenance: &Provenance) -> Section {
    let mut blocks = vec![
        Block::Heading("Design and participants".to_owned()),
        Block::Text(design(view)),
        Block::Heading("Estimation at each hospital".to_owned()),
        Block::Text(estimation(view)),
        Block::Heading("Pooling".to_owned()),
        Block::Text(pooling(view)),
        Block::Terms(formulas(view)),
    ];
    let table = predictions(view);
    if !table.is_empty() {
        blocks.push(Block::Table(table));
    }
    blocks.push(Block::Heading("Software".to_owned()));
    blocks.push(Block::Built(software(provenance)));
    blocks.push(Block::Heading("Disclosure".to_owned()));
    blocks.push(Block::Text(disclosure(view)));
    blocks.push(Block::Heading(
        "Deviations from the locked protocol".to_owned(),
    ));
    blocks.push(Block::List(deviations(view)));
    Section {
        id: "methods",
        title: "Methods",
        blocks,
    }
}

/// What computed the report; nothing else in Methods may differ between two builds.
fn software(provenance: &Provenance) -> String {
    let facts = provenance.facts.iter();
    let facts: Vec<String> = facts
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut text = format!(
        "Results were pooled and this report was made by {}",
        if provenance.software.is_empty() {
            "a program that did not say its version"
        } else {
            &provenance.software
        }
    );
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join("; ")));
    }
    text.push_str(
        ". Hospitals\u{2019} programs answered a known question with each release, and a wrong \
         answer would have set the release aside.",
    );
    text
}

fn design(view: View<'_>) -> String {
    let protocol = &view.study.protocol;
    let sampling = match protocol.sampling.design {
        SamplingDesign::Consecutive => "consecutive",
        SamplingDesign::Random => "a random sample",
        SamplingDesign::OutcomeDependent => "sampled by outcome",
    };
    let when = match protocol.design {
        Design::Retrospective => "retrospective",
        Design::Prospective => "prospective",
    };
    format!(
        "This was a {when} study ({}). Eligible were: {}. Cases were {sampling}; the unit of \
         analysis was the {}. Reference standard methods: {}; {} of model-positive and {} of \
         model-negative cases were verified. The analysis set was the complete cases: a \
         reference standard and a prediction of every model. When there was no prediction, the \
         clinic's default action was: {}. Registration: {}{}. Funding: {}. Patient involvement: {}.",
        protocol.purpose,
        lower(&protocol.eligibility.description),
        protocol.eligibility.unit,
        join(&protocol.verification.methods),
        real(
            protocol.verification.fraction_model_positive,
            Style::Percent
        ),
        real(
            protocol.verification.fraction_model_negative,
            Style::Percent
        ),
        protocol.missing.default_action.trim_end_matches('.'),
        protocol.registration.register,
        protocol
            .registration
            .id
            .as_ref()
            .map_or_else(String::new, |id| format!(" {id}")),
        protocol.registration.funding.trim_end_matches('.'),
        protocol
            .registration
            .patient_involvement
            .trim_end_matches('.'),
    )
}

fn lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

fn estimation(view: View<'_>) -> String {
    let clusters = if view.clustered() {
        "Where patients had several cases, standard errors were clustered by patient (Obuchowski \
         1997); where no clustered interval exists, none is printed."
    } else {
        "Every patient contributed one case."
    };
    if let Some(plan) = &view.study.protocol.segmentation {
        return format!(
            "Each hospital read its own images in processes without a network; only reviewed \
             aggregates left it. {} Definitions are those of Metrics Reloaded (Maier-Hein et al. \
             2024). Standard errors of means are clustered by patient; intervals of lesion rates \
             are from resampled patients. {clusters}",
            super::segmentation::conventions(plan)
        );
    }
    format!(
        "Each hospital computed its statistics on its own rows; only reviewed aggregates left it. \
         The AUC counted ties half; its variance followed DeLong (1988), as did the paired \
         variance of AUC differences. Intervals of AUCs were computed on the logit scale, of O:E \
         on the log scale with variance (1 − O/n)/O (Debray 2017), of proportions after Wilson \
         (1927), of differences of proportions after Newcombe (1998). O:E and Brier score used \
         unclipped predictions; before logits, predictions were moved into [{e}, 1 − {e}]. \
         {clusters} Tests in contingency tables were computed on exact rows.",
        e = view.study.protocol.clip_epsilon()
    )
}

fn pooling(view: View<'_>) -> String {
    let protocol = &view.study.protocol;
    let acceptance = protocol.analysis.primary.acceptance;
    let estimand = match acceptance.estimand {
        Estimand::Mean => "the mean over hospitals, judged by its confidence interval",
        Estimand::NextSite => {
            "the next exchangeable hospital, judged by the prediction interval (five hospitals or more)"
        }
    };
    format!(
        "External hospitals were pooled by normal-normal random effects in two stages: AUC and \
         proportions on the logit scale, O:E on the log scale, differences as they are. {tau2}; \
         the {} interval of the mean {interval}; the interval of τ² was the \
         Q-profile interval; I² followed metafor's definition. Proportions with fewer than five \
         events or non-events at a hospital, and exact counts at all, were pooled by a \
         binomial-normal model of the counts (maximum likelihood, 13 quadrature nodes; weights \
         shown are those of the two-stage pool); otherwise a proportion of 0 or 1 had one half \
         added to both cells. An AUC of 0 or 1 had one event and one non-event added that tie \
         with everybody; with a single event or non-event its variance followed Hanley and McNeil \
         (1982). Sensitivity and specificity together followed the bivariate binomial-normal \
         model. Fewer than {} with a usable \
         estimate meant no pool. Hospitals that are not external entered no pool. The acceptance \
         bound was {} for {estimand}: met when the lower end is at or above the bound, not met \
         when the upper end is below it, inconclusive otherwise.",
        level_words(protocol.pooling.level),
        plural(protocol.pooling.min_sites, "hospital", "hospitals"),
        real(acceptance.at_least, Style::Plain(3)),
        tau2 = if protocol.pooling.tau2 == Tau2Estimator::Fixed {
            "τ² was set to 0: one common value".to_owned()
        } else {
            let estimator = in_sentence(protocol.pooling.tau2);
            format!("τ² was estimated by {estimator}")
        },
        interval = match protocol.pooling.interval {
            PoolInterval::Hksj => {
                "followed Hartung, Knapp, Sidik and Jonkman with the factor q not below 1"
            }
            PoolInterval::HksjUnguarded => "followed Hartung, Knapp, Sidik and Jonkman",
            PoolInterval::Normal => "was normal",
        },
    )
}

/// An estimator inside a sentence: people keep their capitals.
fn in_sentence(estimator: Tau2Estimator) -> String {
    let name = robustness::estimator_words(estimator);
    match estimator {
        Tau2Estimator::Reml | Tau2Estimator::MaximumLikelihood | Tau2Estimator::EmpiricalBayes => {
            lower(name)
        }
        Tau2Estimator::Fixed
        | Tau2Estimator::DerSimonianLaird
        | Tau2Estimator::PauleMandel
        | Tau2Estimator::SidikJonkman
        | Tau2Estimator::Hedges => name.to_owned(),
    }
}

fn formulas(view: View<'_>) -> Vec<(String, String)> {
    let pair = |term: &str, text: &str| (term.to_owned(), text.to_owned());
    vec![
        pair("Mean", "μ = Σ wᵢyᵢ / Σ wᵢ with wᵢ = 1 / (vᵢ + τ²)"),
        pair(
            "Standard error",
            standard_error(view.study.protocol.pooling.interval),
        ),
        pair(
            "Prediction interval",
            "μ ± t(k − 2) · √(τ² + se²), prespecified; the interval with t(k − 1) is printed below for comparison",
        ),
        pair(
            "Reproduction in R",
            &format!(
                "rma(yi, vi, data = subset(read.csv(\"meta_input.csv\"), analysis == \"{}\" & in_pool == \"true\"), \
             method = \"{}\", test = \"{}\", control = list(threshold = 1e-14, maxiter = 1000))",
                view.primary()
                    .map_or_else(String::new, |primary| super::super::csv::slug(&primary.key)),
                words::tau2_slug(view.study.protocol.pooling.tau2),
                words::interval_slug(view.study.protocol.pooling.interval),
            ),
        ),
    ]
}

fn standard_error(interval: PoolInterval) -> &'static str {
    match interval {
        PoolInterval::Hksj => {
            "se² = max(1, q) / Σ wᵢ with q = Σ wᵢ(yᵢ − μ)² / (k − 1); interval μ ± t(k − 1) · se"
        }
        PoolInterval::HksjUnguarded => {
            "se² = q / Σ wᵢ with q = Σ wᵢ(yᵢ − μ)² / (k − 1); interval μ ± t(k − 1) · se"
        }
        PoolInterval::Normal => "se² = 1 / Σ wᵢ; interval μ ± z · se",
    }
}

fn predictions(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Both prediction intervals of pooled analyses over all cases",
        &[
            "Analysis",
            "k",
            "t(k − 2), prespecified",
            "t(k − 1), for comparison",
        ],
    );
    for analysis in view
        .study
        .analyses
        .iter()
        .filter(|analysis| analysis.key.axis.is_none())
    {
        let PoolOutcome::Pooled(pooled) = &analysis.pool else {
            continue;
        };
        let metric: Metric = analysis.key.metric;
        let other = match pooled.prediction_k1 {
            Some([low, high]) => Shown::number(range(low, high, words::style(metric))),
            None => Shown::not_computed("needs two hospitals"),
        };
        let at = analysis
            .key
            .threshold
            .map_or_else(String::new, |at| format!(" at {at}"));
        table.push(Row::new(
            format!(
                "{}, {}{at}",
                words::metric(metric),
                view.model(&analysis.key.model)
            ),
            vec![
                Shown::number(pooled.k.to_string()),
                words::prediction_cell(metric, pooled),
                other,
            ],
        ));
    }
    table.notes.push("With five to ten hospitals, the prespecified interval covers about 86 to 90% instead of 95%.".to_owned());
    table
}

fn disclosure(view: View<'_>) -> String {
    let profiles = &view.study.profiles;
    if profiles.is_empty() {
        return "No hospital released a result.".to_owned();
    }
    let floor = view.study.protocol.disclosure.min_cell;
    let mut text = format!(
        "Each hospital applied its own disclosure policy; the {} in use: {}. The study asked for \
         at least {} behind each released count; a hospital's own policy was applied where \
         stricter.",
        if profiles.len() == 1 {
            "profile"
        } else {
            "profiles"
        },
        join(profiles),
        plural(
            usize::try_from(floor).unwrap_or(usize::MAX),
            "patient",
            "patients"
        ),
    );
    if view.open_data() {
        text.push_str(
            " The profile open-data turns off minimum counts, rounding and coarsening; it is \
             permitted for listed public data sets only.",
        );
    }
    text
}

fn deviations(view: View<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if !view.study.locked {
        out.push("The protocol was not locked.".to_owned());
    }
    for site in view
        .study
        .sites
        .iter()
        .filter(|site| site.outcome != SiteOutcome::Released)
    {
        out.push(format!(
            "{}: {}.",
            site.display_name,
            words::outcome(site.outcome)
        ));
    }
    let exploratory = view
        .study
        .analyses
        .iter()
        .filter(|analysis| analysis.role == AnalysisRole::Exploratory)
        .count();
    if exploratory > 0 {
        out.push(format!(
            "{} not declared in the protocol and marked exploratory.",
            if exploratory == 1 {
                "One analysis was".to_owned()
            } else {
                format!(
                    "{} analyses were",
                    number::whole(u64::try_from(exploratory).unwrap_or(u64::MAX))
                )
            }
        ));
    }
    if out.is_empty() {
        out.push("None.".to_owned());
    }
    out
}
