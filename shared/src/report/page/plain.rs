//! The answer in everyday words, for a reader who never met an AUC.
//!
//! From: the primary pool, summary points.
//! To: `front`.

use super::super::number::{Style, level_words, real};
use super::super::view::View;
use super::super::words;
use crate::pool::result::{Answer, Metric, PoolOutcome, Pooled, SummaryOutcome};

/// A test of heterogeneity below this p value is put in words.
const APART: f64 = 0.05;

/// The paragraphs; empty where there is no pool, since the hospitals' own results then lead.
pub(super) fn paragraphs(view: View<'_>) -> Vec<String> {
    let Some(primary) = view.primary() else {
        return Vec::new();
    };
    let PoolOutcome::Pooled(pooled) = &primary.pool else {
        return Vec::new();
    };
    let model = view.model(&primary.key.model);
    let mut out: Vec<String> = result(primary.key.metric, &model, pooled)
        .into_iter()
        .collect();
    out.extend(decisions(view, &model));
    let mut last = spread(pooled).to_owned();
    last.push(' ');
    last.push_str(standard(view.study.verdict.answer));
    out.push(last);
    out
}

/// `81`, of a hundred.
fn hundred(share: f64) -> String {
    real(100.0 * share, Style::Plain(0))
}

fn result(metric: Metric, model: &str, pooled: &Pooled) -> Option<String> {
    if metric == Metric::Auc {
        return Some(format!(
            "Take two patients of one hospital, one with the event and one without it. {model} gave \
             the higher risk to the one with it in about {} of 100 such pairs ({} to {} with {} \
             confidence); tossing a coin gives 50.",
            hundred(pooled.estimate),
            hundred(pooled.low),
            hundred(pooled.high),
            level_words(pooled.level)
        ));
    }
    (metric == Metric::Dice).then(|| {
        format!(
            "On a scale from 0, no overlap, to 100, the same outline, the outlines of {model} \
             agreed with the reference by {} on average ({} to {} with {} confidence).",
            hundred(pooled.estimate),
            hundred(pooled.low),
            hundred(pooled.high),
            level_words(pooled.level)
        )
    })
}

/// What the first threshold means for a hundred patients of either kind.
fn decisions(view: View<'_>, model: &str) -> Option<String> {
    let index = view.study.protocol.index_model()?;
    let mut points = view.study.bivariate.iter();
    let point = points.find(|point| point.model == index.id)?;
    let SummaryOutcome::Fitted { counts, .. } = &point.outcome else {
        return None;
    };
    Some(format!(
        "If everybody with a prediction of {} or more is called positive, {model} finds about {} of \
         100 patients with the event and alarms for about {} of 100 without it.",
        point.threshold,
        hundred(counts.sensitivity),
        hundred(1.0 - counts.specificity)
    ))
}

fn spread(pooled: &Pooled) -> &'static str {
    if pooled.k < words::PREDICTION_SENTENCE_MIN {
        "So few hospitals took part that a further hospital may see better or worse results than \
         any of them."
    } else if pooled.q_p < APART {
        "The hospitals' results lie further apart than chance explains, so a further hospital \
         cannot count on the average."
    } else {
        "The hospitals' results lie no further apart than chance can explain, which does not prove \
         that they are alike."
    }
}

fn standard(answer: Answer) -> &'static str {
    match answer {
        Answer::Met => {
            "By the standard that was written down before the data were seen, this is \
                        good enough."
        }
        Answer::Refuted => {
            "By the standard that was written down before the data were seen, this \
                            is not good enough."
        }
        Answer::Inconclusive => {
            "Whether this is good enough by the standard that was written down \
                                 before the data were seen remains open."
        }
        Answer::NotAnswered => {
            "Whether this is good enough by the standard that was written down \
                                before the data were seen cannot be said from these hospitals."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{guarded, heart};
    use super::*;

    #[test]
    fn pairs_of_a_hundred_and_no_jargon() {
        let study = heart();
        let text = paragraphs(View::of(&study)).join(" ");
        assert!(
            text.contains("about 81 of 100 such pairs (49 to 95 with 95% confidence)"),
            "{text}"
        );
        assert!(text.contains("remains open"));
        for jargon in ["AUC", "random-effects", "logit", "τ", "I²"] {
            assert!(!text.contains(jargon), "{jargon}");
        }
        let study = guarded();
        assert!(paragraphs(View::of(&study)).is_empty());
    }
}
