//! Sources in the results.
//!
//! From: `pool::result`.
//! To: `source`.

use super::super::super::number::{level_words, range};
use super::super::super::view::confusions;
use super::super::super::words;
use super::{Entry, Found, Subject, entry, together};
use crate::pool::result::{Analysis, Pooled, SiteResult};
use crate::statistic::Statistic;
use crate::statistic::metric::Topic;
use crate::study::SiteRole;

/// Sections of the main results, by kind of study.
const RESULTS: &[&str] = &["discrimination", "segmentation", "detection"];

pub(super) const ALL: &[Entry] = &[
    entry(
        "result.sites",
        &["sites"],
        sites,
        "hospitals that did not release: why, if they tell",
    ),
    entry(
        "result.flow",
        &["flow"],
        |s| over_sites(s, has_flow),
        "the flow of participants of hospitals that did not release it",
    ),
    entry(
        "result.characteristics",
        &["sites"],
        |s| over_sites(s, has_characteristics),
        "the characteristics of patients of hospitals that did not release them",
    ),
    entry(
        "result.missing",
        &["design"],
        |s| over_sites(s, has_missing),
        "the missing values of hospitals that released no counts of them",
    ),
    entry(
        "result.operating",
        &["operating-point"],
        |s| over_sites(s, has_table),
        "2×2 tables that were not released, or why the output has none",
    ),
    entry(
        "result.primary",
        RESULTS,
        primary,
        "a pooled result: there is none in the report",
    ),
    entry(
        "result.verdict",
        &["answer"],
        verdict,
        "an answer to the protocol's question",
    ),
    entry(
        "result.performance",
        RESULTS,
        performance,
        "measures of performance that no hospital released",
    ),
    entry(
        "result.heterogeneity",
        RESULTS,
        heterogeneity,
        "the spread between hospitals",
    ),
    entry(
        "result.sample",
        &["flow"],
        sample,
        "cases and events of each analysis",
    ),
    entry(
        "result.subgroups",
        &["subgroups", "segmentation", "detection"],
        subgroups,
        "results by subgroup: none are in the report",
    ),
    entry(
        "result.sensitivity",
        &["design"],
        sensitivity,
        "results of sensitivity analyses: none are in the report",
    ),
    entry(
        "result.failures",
        &["failures"],
        failures,
        "counts of errors: none are in the report",
    ),
    entry(
        "result.utility",
        &["clinical-utility"],
        utility,
        "results on clinical utility: none are in the report",
    ),
    entry(
        "result.case-mix",
        &["case-mix"],
        case_mix,
        "how patients differ from those of development: the report has no case mix",
    ),
    entry(
        "result.updating",
        &["methods"],
        updating,
        "how the model was recalibrated, and where",
    ),
    entry(
        "result.data-use",
        &["sites"],
        data_use,
        "what each hospital's data were used for",
    ),
    entry(
        "result.no-resampling",
        &["methods"],
        |_| Found::Given("cases were not resampled for the evaluation".to_owned()),
        "how cases were weighted",
    ),
    entry(
        "result.methods",
        &["methods"],
        |_| said("methods of estimation and pooling"),
        "methods",
    ),
    entry(
        "result.deviations",
        &["methods"],
        |_| said("deviations from the protocol"),
        "deviations",
    ),
    entry(
        "result.withheld",
        &["withheld"],
        withheld,
        "what was withheld",
    ),
    entry(
        "result.disclosure",
        &["withheld"],
        disclosure,
        "how hospitals protect their patients",
    ),
    entry(
        "result.bundle",
        &["provenance"],
        |_| said("every number of the report as JSON with a schema, and as CSV"),
        "data files",
    ),
    entry(
        "result.software",
        &["provenance"],
        |_| said("pooled by Fedval (Apache-2.0), version under provenance"),
        "software of the analysis",
    ),
    entry(
        "result.releases",
        &["provenance"],
        releases,
        "digests of what hospitals released",
    ),
];

fn said(words: &str) -> Found {
    Found::Given(words.to_owned())
}

pub(super) fn has_flow(site: &SiteResult) -> bool {
    site.statistics.iter().any(|one| one.flow().is_some())
}

pub(super) fn has_characteristics(site: &SiteResult) -> bool {
    let mut all = site
        .statistics
        .iter()
        .filter_map(Statistic::characteristics);
    all.next().is_some()
}

pub(super) fn has_missing(site: &SiteResult) -> bool {
    site.statistics.iter().any(|one| one.missing().is_some())
}

/// A 2x2 table without a hidden cell.
fn has_table(site: &SiteResult) -> bool {
    confusions(site).any(|table| {
        let cells = [
            table.true_positive,
            table.false_positive,
            table.false_negative,
            table.true_negative,
        ];
        cells.iter().all(|cell| cell.number().is_some())
    })
}

/// How many of the invited external hospitals have something.
fn over_sites(subject: &Subject<'_>, has: fn(&SiteResult) -> bool) -> Found {
    let sites = subject.view.study.sites.iter();
    let external: Vec<&SiteResult> = sites
        .filter(|site| site.role == SiteRole::External)
        .collect();
    let found = external.iter().filter(|site| has(site)).count();
    let words = format!("{found} of {} external hospitals", external.len());
    match found {
        0 => Found::Absent,
        all if all == external.len() => Found::Given(words),
        _ => Found::Partly(words),
    }
}

fn sites(subject: &Subject<'_>) -> Found {
    let released = subject.view.external().len();
    let invited = subject.view.invited_external();
    let words = format!("{released} of {invited} external hospitals released");
    match released {
        0 => Found::Absent,
        all if all == invited => Found::Given(words),
        _ => Found::Partly(words),
    }
}

fn pool<'a>(subject: &Subject<'a>) -> Option<(&'a Analysis, &'a Pooled)> {
    let analysis = subject.view.primary()?;
    Some((analysis, analysis.pool.pooled()?))
}

fn primary(subject: &Subject<'_>) -> Found {
    if let Some((analysis, pool)) = pool(subject) {
        let metric = analysis.key.metric;
        return Found::Given(format!(
            "{} {}",
            words::metric(metric),
            words::pooled_cell(metric, pool).line()
        ));
    }
    let Some(analysis) = subject.view.primary() else {
        return Found::Absent;
    };
    let numbers = analysis
        .sites
        .iter()
        .filter(|site| site.role == SiteRole::External && site.estimate.number().is_some());
    match numbers.count() {
        0 => Found::Absent,
        count => Found::Partly(format!(
            "no pool; {} by itself",
            words::plural(count, "hospital", "hospitals")
        )),
    }
}

fn verdict(subject: &Subject<'_>) -> Found {
    let verdict = &subject.view.study.verdict;
    let words = words::answer(verdict.answer).0.to_owned();
    match verdict.interval {
        Some(_) => Found::Given(words),
        None => Found::Partly(words),
    }
}

/// Whether any hospital has a number on a topic, over all cases.
fn has_topic(subject: &Subject<'_>, topic: Topic) -> bool {
    let numbers = |one: &Analysis| {
        one.sites
            .iter()
            .any(|site| site.estimate.number().is_some())
    };
    let mut analyses = subject.view.study.analyses.iter();
    analyses.any(|one| one.key.metric.entry().topic == topic && one.key.is_whole() && numbers(one))
}

/// Discrimination, calibration, thresholds and utility; of masks, overlap or detection.
fn performance(subject: &Subject<'_>) -> Found {
    let protocol = &subject.view.study.protocol;
    let topics: &[Topic] = match (protocol.is_segmentation(), protocol.has_masks()) {
        (true, true) => &[Topic::Segmentation],
        (true, false) => &[Topic::Detection],
        (false, _) => &[
            Topic::Discrimination,
            Topic::Calibration,
            Topic::Threshold,
            Topic::Utility,
        ],
    };
    let found = topics.iter().map(|topic| {
        if has_topic(subject, *topic) {
            Found::Given(topic.words().to_lowercase())
        } else {
            Found::Absent
        }
    });
    together(found.collect())
}

fn heterogeneity(subject: &Subject<'_>) -> Found {
    let Some((analysis, pool)) = pool(subject) else {
        return Found::Absent;
    };
    let tau2 = format!("τ² {}", words::tau2(pool).line());
    match pool.prediction {
        Some([low, high]) => Found::Given(format!(
            "{tau2}; {} prediction interval {}",
            level_words(pool.level),
            range(low, high, words::style(analysis.key.metric))
        )),
        None => Found::Partly(tau2),
    }
}

/// Every external estimate with a number of cases and events, hidden ones set apart.
fn sample(subject: &Subject<'_>) -> Found {
    let Some(analysis) = subject.view.primary() else {
        return Found::Absent;
    };
    let external = analysis
        .sites
        .iter()
        .filter(|site| site.role == SiteRole::External);
    let (known, all) = external.fold((0, 0), |(known, all), site| {
        let both = site.n.number().is_some() && site.events.number().is_some();
        (known + usize::from(both), all + 1)
    });
    let words = format!("cases and events of {known} of {all} hospitals, per analysis");
    match known {
        0 => Found::Absent,
        _ if known == all => Found::Given(words),
        _ => Found::Partly(words),
    }
}

fn subgroups(subject: &Subject<'_>) -> Found {
    let study = subject.view.study;
    let has = |axis: &&crate::study::Axis| {
        study.analyses.iter().any(|one| {
            one.key.axis.as_ref() == Some(&axis.id)
                && one
                    .sites
                    .iter()
                    .any(|site| site.estimate.number().is_some())
        })
    };
    let declared: Vec<_> = study.protocol.subgroup.iter().collect();
    let shown = declared.iter().filter(|axis| has(axis)).count();
    let words = format!("{shown} of {} axes with results", declared.len());
    match shown {
        0 => Found::Absent,
        all if all == declared.len() => Found::Given(words),
        _ => Found::Partly(words),
    }
}

fn sensitivity(subject: &Subject<'_>) -> Found {
    let study = subject.view.study;
    let declared = &study.protocol.sensitivity;
    let has = |id: &str| {
        let mut analyses = study.analyses.iter();
        analyses.any(|one| {
            one.key.sensitivity.as_deref() == Some(id)
                && one
                    .sites
                    .iter()
                    .any(|site| site.estimate.number().is_some())
        })
    };
    let shown = declared.iter().filter(|one| has(&one.id)).count();
    let words = format!("{shown} of {} sensitivity analyses", declared.len());
    match shown {
        0 => Found::Absent,
        all if all == declared.len() => Found::Given(words),
        _ => Found::Partly(words),
    }
}

fn failures(subject: &Subject<'_>) -> Found {
    let failures = &subject.view.study.failures;
    let shown = failures.iter().filter(|one| one.error.is_some()).count();
    match (failures.len(), shown) {
        (0, _) | (_, 0) => Found::Absent,
        (all, shown) if all == shown => Found::Given(format!("errors at {shown} levels")),
        (all, shown) => Found::Partly(format!("errors at {shown} of {all} levels")),
    }
}

fn utility(subject: &Subject<'_>) -> Found {
    if has_topic(subject, Topic::Utility) {
        said("net benefit at the declared thresholds")
    } else {
        Found::Absent
    }
}

/// Case mix speaks about development only where the developers' own is declared.
fn case_mix(subject: &Subject<'_>) -> Found {
    let index = subject.view.study.protocol.index_model();
    let declared = index.and_then(|model| model.development.as_ref());
    let compared = declared.is_some_and(|one| one.predictor_sd.is_some());
    match (has_topic(subject, Topic::CaseMix), compared) {
        (true, true) => said("spread of the linear predictor beside that of development"),
        (true, false) => {
            Found::Partly("spread of the linear predictor at each hospital".to_owned())
        }
        (false, _) => Found::Absent,
    }
}

fn updating(subject: &Subject<'_>) -> Found {
    let mut sites = subject.view.study.sites.iter();
    if sites.any(|site| site.role == SiteRole::Recalibration) {
        Found::Partly("the model was recalibrated at a hospital of this study".to_owned())
    } else {
        said("none: the model was evaluated as it was given")
    }
}

fn data_use(subject: &Subject<'_>) -> Found {
    let external = subject.view.invited_external();
    let others = subject.view.study.sites.len() - external;
    Found::Given(format!(
        "evaluation only at {}; {others} of another role, in no pool",
        words::plural(external, "external hospital", "external hospitals")
    ))
}

fn withheld(subject: &Subject<'_>) -> Found {
    let count = subject.view.study.withheld.len();
    Found::Given(if count == 0 {
        "nothing was withheld".to_owned()
    } else {
        format!(
            "{} withheld, each listed",
            words::plural(count, "item", "items")
        )
    })
}

fn disclosure(subject: &Subject<'_>) -> Found {
    let profiles = &subject.view.study.profiles;
    if profiles.is_empty() {
        Found::Absent
    } else {
        Found::Given(format!("policy profiles in use: {}", words::join(profiles)))
    }
}

/// Digests that anybody can hold against a hospital's ledger.
fn releases(subject: &Subject<'_>) -> Found {
    let released = subject.view.released();
    let with = released.iter().filter(|site| site.bytes.is_some()).count();
    if with == 0 {
        return Found::Absent;
    }
    let words = format!(
        "digest of the release of {with} of {} hospitals",
        released.len()
    );
    if subject.view.study.signed && with == released.len() {
        Found::Given(words)
    } else {
        Found::Partly(format!("{words}, over no authenticated channel"))
    }
}
