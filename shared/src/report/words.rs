//! Names and sentences: what a result is called, and what may be said of it.
//!
//! From: the pages.
//! To: `document`.

use super::number::{self, Shown, Style, level_words, range, real, with_interval};
use super::view::View;
use crate::pool::result::{
    AnalysisRole, Answer, Correction, EstimateKey, Excluded, Metric, PoolOutcome, Pooled,
    PoolingModel, Scale, SiteEstimate, SiteOutcome,
};
use crate::statistic::confusion::RateMeasure;
use crate::statistic::contingency::ContingencyKind;
use crate::statistic::subgroup::Measure;
use crate::study::{Estimand, PoolInterval, Pooling, SiteRole, Tau2Estimator};

/// Sites from which a sentence may be made of a prediction interval (decision C5).
pub(super) const PREDICTION_SENTENCE_MIN: usize = 5;
/// Sites from which a prediction interval is computed.
pub(super) const PREDICTION_MIN: usize = 3;

/// A metric's name.
pub(super) fn metric(metric: Metric) -> &'static str {
    metric.entry().name
}

/// A metric's name in files and slugs.
pub(super) fn metric_slug(metric: Metric) -> &'static str {
    metric.entry().slug
}

/// How a metric is printed.
pub(super) fn style(metric: Metric) -> Style {
    metric.entry().style
}

/// What an analysis is about, in one line.
pub(super) fn key(view: View<'_>, key: &EstimateKey) -> String {
    let mut text = format!("{} of {}", metric(key.metric), view.model(&key.model));
    if let Some(comparator) = &key.comparator {
        text.push_str(&format!(" against {}", view.model(comparator)));
    }
    if let (Some(axis), Some(level)) = (&key.axis, &key.level) {
        text.push_str(&format!(", {} = {level}", view.axis(axis).0));
    }
    for (what, value, unit) in [
        ("at ", key.threshold, ""),
        ("at prevalence ", key.prevalence, ""),
        ("within ", key.tolerance_mm, " mm"),
        (
            "at ",
            key.false_positives_per_scan,
            " false positives per scan",
        ),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(", {what}{value}{unit}"));
        }
    }
    if let Some(sensitivity) = &key.sensitivity {
        text.push_str(&format!(", {sensitivity}"));
    }
    if view.endpoints().count() > 1 {
        text.push_str(&format!(" ({})", view.endpoint(&key.endpoint)));
    }
    text
}

/// A scale's name in files.
pub(super) fn scale_slug(scale: Scale) -> &'static str {
    match scale {
        Scale::Identity => "identity",
        Scale::Logit => "logit",
        Scale::Log => "log",
    }
}

/// A scale in a sentence.
pub(super) fn scale(scale: Scale) -> &'static str {
    match scale {
        Scale::Identity => "natural scale",
        Scale::Logit => "logit scale",
        Scale::Log => "log scale",
    }
}

/// An analysis role's name.
pub(super) fn analysis_role(role: AnalysisRole) -> &'static str {
    match role {
        AnalysisRole::Primary => "primary",
        AnalysisRole::Secondary => "secondary",
        AnalysisRole::Exploratory => "exploratory",
    }
}

/// A site role's name.
pub(super) fn site_role(role: SiteRole) -> &'static str {
    match role {
        SiteRole::Development => "development",
        SiteRole::Tuning => "tuning",
        SiteRole::ThresholdSelection => "threshold selection",
        SiteRole::Recalibration => "recalibration",
        SiteRole::External => "external",
    }
}

/// What a site did.
pub(super) fn outcome(outcome: SiteOutcome) -> &'static str {
    match outcome {
        SiteOutcome::Released => "released",
        SiteOutcome::NotReleased => "not released under its own policy",
        SiteOutcome::Refused => "refused the job",
        SiteOutcome::NoAnswer => "no answer before the round closed",
        SiteOutcome::Quarantined => "released; set aside, because checks found a contradiction",
        SiteOutcome::Withdrew => "left the study and took its release back",
    }
}

/// Why a site is not in a pool.
pub(super) fn excluded(reason: Excluded) -> &'static str {
    match reason {
        Excluded::NotExternal => "not external",
        Excluded::Suppressed => "withheld",
        Excluded::NotEstimable => "not estimable",
        Excluded::NoVariance => "no variance",
        Excluded::SmallGroup => "fewer than ten cases in the level or the rest",
        Excluded::PatientsRepeat => "patients repeat, and the model takes cases for independent",
    }
}

/// A contingency table's name.
pub(super) fn kind(kind: ContingencyKind) -> &'static str {
    match kind {
        ContingencyKind::OutcomeBySubgroup => "Outcome by subgroup",
        ContingencyKind::ErrorBySubgroup => "Error by subgroup",
        ContingencyKind::CompletenessByOutcome => "Completeness of inputs by outcome",
    }
}

/// A contingency table's name in files.
pub(super) fn kind_slug(kind: ContingencyKind) -> &'static str {
    match kind {
        ContingencyKind::OutcomeBySubgroup => "outcome-by-subgroup",
        ContingencyKind::ErrorBySubgroup => "error-by-subgroup",
        ContingencyKind::CompletenessByOutcome => "completeness-by-outcome",
    }
}

/// A rate's name.
pub(super) fn rate(measure: RateMeasure) -> &'static str {
    match measure {
        RateMeasure::Sensitivity => "Sensitivity",
        RateMeasure::Specificity => "Specificity",
        RateMeasure::Ppv => "PPV",
        RateMeasure::Npv => "NPV",
        RateMeasure::SelectionRate => "Selection rate",
        RateMeasure::Prevalence => "Prevalence",
    }
}

/// A subgroup measure's name and print style.
pub(super) fn measure(measure: Measure) -> (&'static str, Style) {
    match measure {
        Measure::SelectionRate => ("Selection rate", Style::Percent),
        Measure::Tpr => ("True positive rate", Style::Percent),
        Measure::Fpr => ("False positive rate", Style::Percent),
        Measure::Ppv => ("PPV", Style::Percent),
        Measure::Auc => ("AUC", Style::Plain(3)),
        Measure::ObservedExpected => ("O:E", Style::Plain(2)),
        Measure::Npv => ("NPV", Style::Percent),
        Measure::Brier => ("Brier score", Style::Plain(3)),
        Measure::Xauc => ("Cross-group AUC", Style::Plain(3)),
    }
}

/// Why there is no pool, for one line; `None` when there is one.
pub(super) fn no_pool(pool: &PoolOutcome) -> Option<String> {
    match pool {
        PoolOutcome::Pooled(_) => None,
        PoolOutcome::TooFewSites { sites, minimum } => Some(format!(
            "No pool: {} with a usable estimate; the protocol requires {minimum}.",
            plural(*sites, "external hospital", "external hospitals")
        )),
        PoolOutcome::ConfoundedWithSite => Some("Confounded with site; no gap.".to_owned()),
        PoolOutcome::NotPooled => Some("Described per hospital and not pooled.".to_owned()),
        PoolOutcome::Failed => Some("No pool: the estimator did not converge.".to_owned()),
    }
}

/// The same after `not computed: `.
pub(super) fn no_pool_reason(pool: &PoolOutcome) -> String {
    let text = no_pool_short(pool);
    let text = text.strip_prefix("No pool: ").unwrap_or(&text);
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// The same for the narrow column of a figure.
pub(super) fn no_pool_short(pool: &PoolOutcome) -> String {
    match pool {
        PoolOutcome::TooFewSites { sites, minimum } => {
            format!("No pool: {sites} of {minimum} hospitals needed")
        }
        PoolOutcome::NotPooled => "Not pooled".to_owned(),
        PoolOutcome::Pooled(_) | PoolOutcome::ConfoundedWithSite | PoolOutcome::Failed => {
            no_pool(pool).unwrap_or_default()
        }
    }
}

/// `1 hospital`, `3 hospitals`.
pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn join(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// Whether a prediction interval spans so much of the scale that it says nothing.
pub(super) fn is_uninformative(metric: Metric, [low, high]: [f64; 2]) -> bool {
    let entry = metric.entry();
    match entry.scale {
        Scale::Log => low <= 0.0 || high / low >= 20.0,
        Scale::Identity | Scale::Logit => entry.form.is_bounded() && high - low >= 0.8,
    }
}

/// The prediction interval as a table shows it (decision C5): a number from three sites on.
pub(super) fn prediction_cell(key: Metric, pooled: &Pooled) -> Shown {
    let Some(ends) = pooled.prediction.filter(|_| pooled.k >= PREDICTION_MIN) else {
        return Shown::not_computed("needs three hospitals");
    };
    let shown = Shown::number(range(ends[0], ends[1], style(key)));
    if is_uninformative(key, ends) {
        shown.with("spans nearly the whole scale: not informative")
    } else if pooled.k < PREDICTION_SENTENCE_MIN {
        shown.with("fewer than five hospitals: not interpreted")
    } else {
        shown.with("approximate")
    }
}

/// What may be said from the prediction interval; nothing below five sites (decision C5).
pub(super) fn prediction_sentence(key: Metric, pooled: &Pooled) -> Option<String> {
    let ends = pooled.prediction?;
    if pooled.k < PREDICTION_SENTENCE_MIN {
        return None;
    }
    let mut text = format!(
        "The approximate {} prediction interval for the true {} of an exchangeable hospital is {}.",
        level_words(pooled.level),
        metric(key),
        range(ends[0], ends[1], style(key))
    );
    if is_uninformative(key, ends) {
        text.push_str(" It spans nearly the whole scale and is not informative.");
    }
    if pooled.tau2 == 0.0 {
        text.push_str(" Heterogeneity cannot be excluded");
        if let Some([low, high]) = pooled.tau2_interval {
            text.push_str(&format!(
                " (\u{3c4}\u{b2} interval {})",
                range(low, high, Style::Plain(3))
            ));
        }
        text.push('.');
    }
    Some(text)
}

/// The answer in one to three words.
pub(super) fn answer(answer: Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::Met => ("Bound met", "met"),
        Answer::Refuted => ("Bound not met", "refuted"),
        Answer::Inconclusive => ("Inconclusive", "inconclusive"),
        Answer::NotAnswered => ("Not answered", "not-answered"),
    }
}

/// The answer to the protocol's question, against its acceptance bound (decision C6). Below
/// five hospitals the hospitals' own results come first.
pub(super) fn answer_paragraphs(view: View<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let Some(primary) = view.primary() else {
        out.push("The primary analysis is not among the results.".to_owned());
        return out;
    };
    let style = style(primary.key.metric);
    let name = metric(primary.key.metric);
    let external: Vec<&SiteEstimate> = primary
        .sites
        .iter()
        .filter(|site| site.role == SiteRole::External)
        .collect();
    if let Some(text) = site_sentence(view, &external, (name, style)) {
        out.push(text);
    }
    let verdict = &view.study.verdict;
    let model = view.model(&primary.key.model);
    let endpoint = view.endpoint(&primary.key.endpoint);
    match &primary.pool {
        PoolOutcome::Pooled(pooled) => {
            out.push(format!(
                "Over {} the random-effects mean {name} of {model} for {endpoint} was {}.",
                plural(pooled.k, "external hospital", "external hospitals"),
                with_interval(
                    pooled.estimate,
                    pooled.low,
                    pooled.high,
                    pooled.level,
                    style
                ),
            ));
            out.push(verdict_sentence(view));
            out.extend(prediction_sentence(primary.key.metric, pooled));
        }
        PoolOutcome::TooFewSites { sites, minimum } => out.push(format!(
            "There is no pooled result. {} gave a usable estimate for the primary analysis; the \
             protocol requires at least {minimum}. Each hospital's result is shown on its own, \
             and whether the mean {name} reaches {} is not answered.",
            sentence_count(*sites, "external hospital", "external hospitals"),
            real(verdict.at_least, Style::Plain(2)),
        )),
        PoolOutcome::ConfoundedWithSite | PoolOutcome::NotPooled | PoolOutcome::Failed => {
            out.push(format!(
                "There is no pooled result. {}",
                no_pool(&primary.pool).unwrap_or_default()
            ));
        }
    }
    out
}

fn sentence_count(count: usize, one: &str, many: &str) -> String {
    if count == 0 {
        format!("No {one}")
    } else {
        plural(count, one, many)
    }
}

/// One sentence with every external hospital's result, for few hospitals; a range for many.
fn site_sentence(
    view: View<'_>,
    sites: &[&SiteEstimate],
    (name, style): (&str, Style),
) -> Option<String> {
    let usable: Vec<(&SiteEstimate, f64)> = sites
        .iter()
        .filter_map(|site| Some((*site, site.estimate.number()?)))
        .collect();
    if usable.is_empty() {
        return None;
    }
    if usable.len() < PREDICTION_SENTENCE_MIN {
        let parts: Vec<String> = usable
            .iter()
            .map(|(site, value)| {
                let interval = match (site.low.number(), site.high.number()) {
                    (Some(low), Some(high)) => format!(" ({})", range(low, high, style)),
                    (None, _) | (_, None) => " (no interval)".to_owned(),
                };
                format!(
                    "{}{interval} at {}",
                    real(*value, style),
                    view.site(&site.site)
                )
            })
            .collect();
        return Some(format!("The {name} was {}.", join(&parts)));
    }
    let low = usable
        .iter()
        .fold(f64::INFINITY, |low, (_, value)| low.min(*value));
    let high = usable
        .iter()
        .fold(f64::NEG_INFINITY, |high, (_, value)| high.max(*value));
    Some(format!(
        "Across {} the {name} ranged from {} to {}.",
        plural(usable.len(), "external hospital", "external hospitals"),
        real(low, style),
        real(high, style)
    ))
}

/// The verdict against the acceptance bound.
pub(super) fn verdict_sentence(view: View<'_>) -> String {
    let verdict = &view.study.verdict;
    let acceptance = view.study.protocol.analysis.primary.acceptance;
    let bound = real(verdict.at_least, Style::Plain(3));
    let name = view.primary().map_or("", |one| metric(one.key.metric));
    let (interval, subject) = match acceptance.estimand {
        Estimand::Mean => (
            "confidence interval of the mean",
            format!("the mean {name} over hospitals"),
        ),
        Estimand::NextSite => (
            "prediction interval",
            format!("the {name} of the next exchangeable hospital"),
        ),
    };
    let ends = verdict.interval.map_or_else(String::new, |[low, high]| {
        format!(" ({})", range(low, high, Style::Plain(3)))
    });
    match verdict.answer {
        Answer::Met => format!(
            "The protocol asked that {subject} be at least {bound}. The bound is met: the lower \
             end of the {interval}{ends} is at or above it."
        ),
        Answer::Refuted => format!(
            "The protocol asked that {subject} be at least {bound}. The bound is not met: the \
             upper end of the {interval}{ends} is below it."
        ),
        Answer::Inconclusive => format!(
            "The protocol asked that {subject} be at least {bound}. The result is inconclusive: \
             the {interval}{ends} contains the bound, so values on either side of it are \
             compatible with these data."
        ),
        Answer::NotAnswered => format!(
            "The protocol asked that {subject} be at least {bound}. This is not answered: the \
             {interval} that it takes is not available from {}.",
            plural(verdict.sites, "external hospital", "external hospitals")
        ),
    }
}

/// `tau2 0.281 (0.026 to 12.413)`.
pub(super) fn tau2(pooled: &Pooled) -> Shown {
    let shown = Shown::number(real(pooled.tau2, Style::Plain(3)));
    match pooled.tau2_interval {
        Some([low, high]) => shown.with(format!("({})", range(low, high, Style::Plain(3)))),
        None => shown.with("(no interval)"),
    }
}

/// `0.813 (0.486 to 0.952)` as a cell.
pub(super) fn pooled_cell(key: Metric, pooled: &Pooled) -> Shown {
    let style = style(key);
    let mut sub = format!("({})", range(pooled.low, pooled.high, style));
    if let Some(bounds) = &pooled.robustness.withheld {
        let sites = plural(bounds.sites.len(), "hospital", "hospitals");
        sub.push_str(&format!("; withheld, not at random, at {sites}"));
    }
    Shown::number(real(pooled.estimate, style)).with(sub)
}

/// How an estimate at the end of its scale came into the pool, for files.
pub(super) fn correction_slug(correction: Correction) -> &'static str {
    match correction {
        Correction::HalfAdded => "half-added",
        Correction::TiedPairAdded => "tied-pair-added",
        Correction::HanleyMcNeil => "hanley-mcneil",
    }
}

/// The same, for people.
pub(super) fn correction(correction: Correction) -> &'static str {
    match correction {
        Correction::HalfAdded => "one half added to both cells",
        Correction::TiedPairAdded => "one tied pair added",
        Correction::HanleyMcNeil => "variance of Hanley and McNeil",
    }
}

/// How a pool was made, for files: estimator and interval, or the model of counts.
pub(super) fn pool_method(pooling: &Pooling, pooled: &Pooled) -> String {
    if pooled.model == PoolingModel::BinomialNormal {
        let law = match pooling.interval {
            PoolInterval::Normal => "normal",
            PoolInterval::Hksj | PoolInterval::HksjUnguarded => "t",
        };
        return format!("binomial-normal by counts, {law} interval");
    }
    let interval = match pooling.interval {
        PoolInterval::Hksj => "HKSJ guarded",
        PoolInterval::HksjUnguarded => "HKSJ",
        PoolInterval::Normal => "normal interval",
    };
    format!("random-effects {}, {interval}", tau2_slug(pooling.tau2))
}

/// An estimator of the between-site variance as metafor and the protocol name it.
pub(super) fn tau2_slug(estimator: Tau2Estimator) -> &'static str {
    match estimator {
        Tau2Estimator::Fixed => "FE",
        Tau2Estimator::DerSimonianLaird => "DL",
        Tau2Estimator::PauleMandel => "PM",
        Tau2Estimator::MaximumLikelihood => "ML",
        Tau2Estimator::Reml => "REML",
        Tau2Estimator::SidikJonkman => "SJ",
        Tau2Estimator::Hedges => "HE",
        Tau2Estimator::EmpiricalBayes => "EB",
    }
}

/// An interval of the mean as metafor names its test.
pub(super) fn interval_slug(interval: PoolInterval) -> &'static str {
    match interval {
        PoolInterval::Hksj => "adhoc",
        PoolInterval::HksjUnguarded => "knha",
        PoolInterval::Normal => "z",
    }
}

/// One site's estimate as a cell.
pub(super) fn site_cell(key: Metric, site: &SiteEstimate) -> Shown {
    number::estimate(&site.estimate, &site.low, &site.high, style(key))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{guarded, heart};
    use super::*;
    use crate::pool::result::PooledStudy;

    fn pooled(k: usize, ends: [f64; 2], tau2: f64) -> Pooled {
        let study = heart();
        let PoolOutcome::Pooled(pool) = &study.analyses[0].pool else {
            panic!("the fixture has a pool")
        };
        Pooled {
            k,
            prediction: (k >= 3).then_some(ends),
            tau2,
            tau2_interval: Some([0.0, 0.5]),
            ..Pooled::clone(pool)
        }
    }

    #[test]
    fn prediction_intervals_speak_from_five_sites_on() {
        let two = pooled(2, [0.6, 0.9], 0.1);
        assert_eq!(prediction_sentence(Metric::Auc, &two), None);
        assert_eq!(prediction_cell(Metric::Auc, &two).class(), "not-computed");
        let three = pooled(3, [0.6, 0.9], 0.1);
        assert_eq!(prediction_sentence(Metric::Auc, &three), None);
        let cell = prediction_cell(Metric::Auc, &three);
        assert_eq!(cell.text, "0.600 to 0.900");
        assert_eq!(
            cell.sub.as_deref(),
            Some("fewer than five hospitals: not interpreted")
        );
        let wide = prediction_cell(Metric::Auc, &pooled(3, [0.001, 0.999], 0.1));
        assert!(wide.sub.unwrap().contains("not informative"));
        let five = prediction_sentence(Metric::Auc, &pooled(5, [0.6, 0.9], 0.1)).unwrap();
        assert_eq!(
            five,
            "The approximate 95% prediction interval for the true AUC of an exchangeable hospital \
             is 0.600 to 0.900."
        );
        let flat = prediction_sentence(Metric::Auc, &pooled(5, [0.6, 0.9], 0.0)).unwrap();
        assert!(flat.ends_with(
            "Heterogeneity cannot be excluded (\u{3c4}\u{b2} interval 0.000 to 0.500)."
        ));
    }

    fn said(study: &PooledStudy) -> String {
        answer_paragraphs(View::of(study)).join(" ")
    }

    #[test]
    fn verdicts_name_bound_and_interval() {
        let mut study = heart();
        let text = said(&study);
        assert!(
            text.starts_with("The AUC was 0.888 (0.839 to 0.923) at Hungarian"),
            "{text}"
        );
        assert!(
            text.contains("was 0.813 (95% CI 0.486 to 0.952)."),
            "{text}"
        );
        assert!(
            text.contains("inconclusive: the confidence interval of the mean (0.486 to 0.952)")
        );
        study.verdict.answer = Answer::Met;
        assert!(said(&study).contains("The bound is met: the lower end"));
        study.verdict.answer = Answer::Refuted;
        assert!(said(&study).contains("The bound is not met: the upper end"));
        study.verdict.answer = Answer::NotAnswered;
        study.verdict.interval = None;
        study.protocol.analysis.primary.acceptance.estimand = Estimand::NextSite;
        let text = said(&study);
        assert!(
            text.contains("the AUC of the next exchangeable hospital"),
            "{text}"
        );
        assert!(
            text.contains("not answered: the prediction interval that it takes"),
            "{text}"
        );
        assert!(said(&guarded()).contains("the protocol requires at least 3"));
    }

    #[test]
    fn lists_read_as_english() {
        let list = |items: &[&str]| {
            join(
                &items
                    .iter()
                    .map(|&item| item.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(plural(1, "hospital", "hospitals"), "1 hospital");
    }
}
