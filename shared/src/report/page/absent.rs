//! What this report does not show: every check that a reader may look for, and the reason of each
//! that was not made.
//!
//! From: the protocol, what was released and pooled.
//! To: `document::Section`, the front page.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::Shown;
use super::super::view::View;
use super::super::words::{self, join, plural};
use crate::pool::result::{Metric, PoolOutcome, SummaryOutcome};
use crate::statistic::{Disclosed, Statistic};
use crate::study::Design;

/// Whether a check was made, or the reason why it was not.
type State = Result<(), String>;

/// One check, the section in which it stands, and its state in a study.
struct Check {
    what: &'static str,
    section: &'static str,
    state: fn(View<'_>) -> State,
}

const MASKS: &str = "the model gives outlines or candidates, and no probability";
const PROBABILITIES: &str = "the model gives a probability, and no outline";

const CHECKS: [Check; 35] = [
    check("Discrimination (AUC)", "Discrimination", |view| {
        measured(view, Metric::Auc, "no hospital released an AUC")
    }),
    check(
        "Mean over hospitals of the primary result",
        "Front page",
        pooled,
    ),
    check("What to expect at the next hospital", "Front page", ahead),
    check(
        "Precision-recall and ROC curves",
        "Discrimination",
        |view| {
            if view.study.merged.is_empty() {
                refused(view, "no hospital released its histogram of scores")
            } else {
                Ok(())
            }
        },
    ),
    check("Calibration in the large (O:E)", "Calibration", |view| {
        measured(view, Metric::ObservedExpected, "no hospital released it")
    }),
    check(
        "Spread of the predictions (calibration slope)",
        "Calibration",
        |view| {
            measured(
                view,
                Metric::CalibrationSlope,
                "no hospital released a slope",
            )
        },
    ),
    check(
        "Calibration of each prediction (curve)",
        "Calibration",
        |view| {
            if view.study.calibration.is_empty() {
                refused(
                    view,
                    "no hospital released the bins of the curve; a slope cannot bend",
                )
            } else {
                Ok(())
            }
        },
    ),
    check(
        "Sensitivity and specificity at a threshold",
        "Operating point",
        |view| {
            if !masks(view) && view.study.protocol.threshold.is_empty() {
                return Err("the protocol declares no threshold".to_owned());
            }
            measured(
                view,
                Metric::Sensitivity,
                "no hospital released a 2×2 table",
            )
        },
    ),
    check(
        "Sensitivity and specificity together, with regions",
        "Operating point",
        regions,
    ),
    check(
        "Net benefit and decision curve",
        "Clinical utility",
        |view| {
            measured(
                view,
                Metric::NetBenefit,
                "the protocol declares no threshold, or no hospital released a net benefit",
            )
        },
    ),
    check(
        "Comparison with another model",
        "Model against comparator",
        |view| {
            when(
                view.study.protocol.comparators().next().is_some(),
                "the protocol names no comparator",
            )
        },
    ),
    check(
        "Case mix against the AUC",
        "Case mix and development performance",
        |view| {
            measured(
                view,
                Metric::PredictorSd,
                "no hospital released its spread of predictions",
            )
        },
    ),
    check("Overlap and distance of outlines", "Segmentation", |view| {
        if view.study.protocol.has_masks() {
            found(view, Metric::Dice, "no hospital released a mean over masks")
        } else {
            Err(PROBABILITIES.to_owned())
        }
    }),
    check(
        "Lesions found and false positives (FROC)",
        "Segmentation",
        |view| {
            found(
                view,
                Metric::FrocSensitivity,
                "the protocol asks for no candidates with scores",
            )
        },
    ),
    check("Results by subgroup", "Subgroups", |view| {
        when(
            !view.study.protocol.subgroup.is_empty(),
            "the protocol declares no subgroup axis",
        )
    }),
    check("Gaps between subgroups, on every axis", "Subgroups", gaps),
    check("Age", "Subgroups", |view| axis(view, &["age"])),
    check("Sex or gender", "Subgroups", |view| {
        axis(view, &["sex", "gender"])
    }),
    check("Health status", "Subgroups", |view| {
        axis(view, &["comorbid", "health", "stage", "asa", "frail"])
    }),
    check("Ethnicity", "Subgroups", |view| {
        axis(view, &["ethnic", "race"])
    }),
    check("Socio-economic position", "Subgroups", |view| {
        axis(
            view,
            &["depriv", "socio", "income", "insurance", "education"],
        )
    }),
    check("Scanner or vendor", "Subgroups", |view| {
        axis(
            view,
            &["manufacturer", "scanner", "vendor", "device", "model"],
        )
    }),
    check(
        "Who is represented, against a target population",
        "Subgroups",
        |view| {
            when(
                !view.study.representation.is_empty(),
                "the protocol declares no target population for an axis",
            )
        },
    ),
    check("Errors by category", "Failure analysis", |view| {
        when(
            !view.study.failures.is_empty(),
            "no threshold, or no hospital released errors by level",
        )
    }),
    check(
        "Absent predictions and reference standards",
        "Design, missing data and sensitivity analyses",
        |view| {
            released(
                view,
                |one| one.missing().is_some(),
                "no hospital released their counts",
            )
        },
    ),
    check(
        "Sensitivity analyses",
        "Design, missing data and sensitivity analyses",
        |view| {
            when(
                view.study
                    .analyses
                    .iter()
                    .any(|one| one.key.is_declared_sensitivity()),
                "the protocol prespecifies none, or no hospital released one",
            )
        },
    ),
    check("Shuffled labels", "Contingency tables", |view| {
        when(
            !view.study.permutation.is_empty(),
            "no hospital released a permutation of its labels",
        )
    }),
    check(
        "Properties of hospitals that explain their spread",
        "Discrimination",
        |view| {
            let planned = !view.study.protocol.pooling.moderator.is_empty();
            when(
                planned && !view.study.moderators.is_empty(),
                if planned {
                    "fewer than ten hospitals"
                } else {
                    "the protocol declares no property of hospitals"
                },
            )
        },
    ),
    check(
        "All hospitals' patients as one (masked sums)",
        "All hospitals together (masked sums)",
        |view| {
            when(
                view.study.masked.is_some(),
                "the protocol plans no masked sum",
            )
        },
    ),
    check("Prospective performance", "Front page", |view| {
        when(
            view.study.protocol.design == Design::Prospective,
            "cases were collected before the protocol was written",
        )
    }),
    check("Agreement between readers", "–", |_| {
        Err("one reference standard per case was read, not those of single readers".to_owned())
    }),
    check("Agreement of measured sizes (Bland-Altman)", "–", |_| {
        Err("endpoints are events, outlines or lesions; none is a measured size".to_owned())
    }),
    check("Change over time", "–", |_| {
        Err("one round is reported; earlier ones are not compared with it".to_owned())
    }),
    check(
        "Altered images, uncertainty and explanations of single predictions",
        "–",
        |_| {
            Err("predictions were taken as they are; they were neither made again on altered images \
             nor explained"
            .to_owned())
        },
    ),
    check("Benefit to patients, workload and cost", "–", |_| {
        Err("measures of predictions were assessed, and no decision or outcome of care".to_owned())
    }),
];

const fn check(what: &'static str, section: &'static str, state: fn(View<'_>) -> State) -> Check {
    Check {
        what,
        section,
        state,
    }
}

fn when(holds: bool, reason: &str) -> State {
    if holds {
        Ok(())
    } else {
        Err(reason.to_owned())
    }
}

fn masks(view: View<'_>) -> bool {
    view.study.protocol.is_segmentation()
}

/// The reason, or that of a study of masks.
fn refused(view: View<'_>, reason: &str) -> State {
    Err(if masks(view) { MASKS } else { reason }.to_owned())
}

/// A measure of probabilities over all cases, at one hospital at least.
fn measured(view: View<'_>, metric: Metric, reason: &str) -> State {
    found(view, metric, reason).or_else(|_| refused(view, reason))
}

fn found(view: View<'_>, metric: Metric, reason: &str) -> State {
    let known = view.study.analyses.iter().any(|one| {
        one.key.metric == metric
            && one.key.axis.is_none()
            && one
                .sites
                .iter()
                .any(|site| site.estimate.number().is_some())
    });
    when(known, reason)
}

fn released(view: View<'_>, kind: fn(&Statistic<Disclosed>) -> bool, reason: &str) -> State {
    let mut all = view.study.sites.iter().flat_map(|site| &site.statistics);
    when(all.any(kind), reason)
}

fn pooled(view: View<'_>) -> State {
    match view.primary() {
        Some(primary) => words::no_pool(&primary.pool).map_or(Ok(()), Err),
        None => Err("the primary analysis is not among the results".to_owned()),
    }
}

fn ahead(view: View<'_>) -> State {
    let sites = view.primary().map_or(0, |primary| match &primary.pool {
        PoolOutcome::Pooled(pooled) => pooled.k,
        PoolOutcome::TooFewSites { sites, .. } => *sites,
        PoolOutcome::ConfoundedWithSite | PoolOutcome::NotPooled | PoolOutcome::Failed => 0,
    });
    when(
        sites >= words::PREDICTION_SENTENCE_MIN,
        &format!(
            "{} cannot describe the spread between hospitals; five are needed",
            plural(
                sites,
                "external hospital with a result",
                "external hospitals with a result"
            )
        ),
    )
}

fn regions(view: View<'_>) -> State {
    if view.study.bivariate.is_empty() {
        return refused(view, "no hospital released a 2×2 table");
    }
    let drawn = view
        .study
        .bivariate
        .iter()
        .any(|point| match &point.outcome {
            SummaryOutcome::Fitted { counts, .. } => !counts.confidence_region.is_empty(),
            SummaryOutcome::TooFewSites { .. }
            | SummaryOutcome::OneSided
            | SummaryOutcome::Failed => false,
        });
    when(
        drawn,
        "the point is given; a region takes five hospitals and a fit that is not on the boundary",
    )
}

/// Axes on which no level has a pooled gap.
fn gaps(view: View<'_>) -> State {
    let mut missing = Vec::new();
    for axis in &view.study.protocol.subgroup {
        let of = |one: &&crate::pool::result::Analysis| one.key.axis.as_ref() == Some(&axis.id);
        let pooled = view
            .study
            .analyses
            .iter()
            .filter(of)
            .any(|one| matches!(one.pool, PoolOutcome::Pooled(_)));
        let confounded = view
            .study
            .analyses
            .iter()
            .filter(of)
            .any(|one| one.pool == PoolOutcome::ConfoundedWithSite);
        if !pooled {
            let why = if confounded {
                "its levels go with the hospitals"
            } else {
                "too few hospitals with a usable gap"
            };
            missing.push(format!("{} ({why})", axis.label));
        }
    }
    if view.study.protocol.subgroup.is_empty() {
        return Err("the protocol declares no subgroup axis".to_owned());
    }
    when(
        missing.is_empty(),
        &format!("no pooled gap for {}", join(&missing)),
    )
}

/// Whether an axis of that kind is among the protocol's.
fn axis(view: View<'_>, names: &[&str]) -> State {
    let holds = |text: &str| {
        let text = text.to_lowercase();
        text.split(|letter: char| !letter.is_alphanumeric())
            .any(|word| names.iter().any(|name| word.starts_with(name)))
    };
    let known =
        view.study.protocol.subgroup.iter().any(|axis| {
            holds(axis.id.as_str()) || holds(&axis.label) || holds(axis.field.as_str())
        });
    when(known, "not an axis of the protocol")
}

/// Number of checks that were not made.
pub(super) fn count(view: View<'_>) -> usize {
    CHECKS
        .iter()
        .filter(|one| (one.state)(view).is_err())
        .count()
}

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let head = ["Check", "Why it is not here"];
    let mut table = Table::prose("Not assessed, each with its reason", &head);
    let mut made = Table::prose("Assessed, and where", &["Check", "Section"]);
    for one in &CHECKS {
        match (one.state)(view) {
            Ok(()) => made.push(Row::new(one.what, vec![Shown::words(one.section)])),
            Err(reason) => {
                let cell = Shown::words(format!("not assessed: {}", reason.trim_end_matches('.')));
                table.push(Row::new(one.what, vec![cell]));
            }
        }
    }
    let mut blocks = vec![Block::Text(format!(
        "A missing check must not look like a passed one. Of {} that readers of a validation ask \
         for, {} were not made.",
        CHECKS.len(),
        count(view)
    ))];
    blocks.push(Block::Table(table));
    if !made.is_empty() {
        blocks.push(Block::Table(made));
    }
    Section {
        id: "not-shown",
        title: "What this report does not show",
        blocks,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{guarded, heart};
    use super::*;
    use crate::pool::result::PooledStudy;

    fn states(study: &PooledStudy) -> Vec<(&'static str, State)> {
        let state = |one: &Check| (one.what, (one.state)(View::of(study)));
        CHECKS.iter().map(state).collect()
    }

    #[test]
    fn every_check_is_made_or_has_a_reason() {
        let mut empty = guarded();
        empty.analyses.clear();
        empty.merged.clear();
        empty.bivariate.clear();
        empty.failures.clear();
        empty.permutation.clear();
        empty.protocol.subgroup.clear();
        empty.protocol.model.truncate(1);
        empty
            .sites
            .iter_mut()
            .for_each(|site| site.statistics.clear());
        for study in [heart(), guarded(), empty.clone()] {
            for (what, state) in states(&study) {
                let reason = state.err().unwrap_or_else(|| "made".to_owned());
                assert!(!reason.trim().is_empty(), "{what}");
            }
        }
        let made: Vec<&str> = states(&empty)
            .into_iter()
            .filter_map(|(what, state)| state.ok().map(|()| what))
            .collect();
        assert_eq!(made, Vec::<&str>::new(), "nothing was released");
    }

    #[test]
    fn what_a_study_lacks_is_said() {
        let study = heart();
        let of = |wanted: &str| {
            let mut all = states(&study).into_iter();
            all.find(|(what, _)| *what == wanted).unwrap().1
        };
        assert_eq!(of("Discrimination (AUC)"), Ok(()));
        assert_eq!(of("Age"), Ok(()));
        assert!(
            of("What to expect at the next hospital")
                .unwrap_err()
                .contains("five are needed")
        );
        assert_eq!(of("Ethnicity").unwrap_err(), "not an axis of the protocol");
        let mut names: Vec<&str> = CHECKS.iter().map(|one| one.what).collect();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
    }
}
