//! `robustness.csv`: what single sites and other models do to each pool over all cases;
//! `summary_points.csv`: sensitivity and specificity together, with their regions.
//!
//! From: `pool::robustness`, `pool::summary_point`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, flag, real, real_or_empty, slugs, text};
use crate::pool::result::{
    Analysis, Boundary, Flag, LeftOutSite, OtherPool, PoolOutcome, PoolingModel, Robustness,
    SiteInfluence, SummaryOutcome, SummaryPoint, SummaryValues,
};

const HEAD: [&str; 23] = [
    "analysis",
    "metric",
    "scale",
    "part",
    "site",
    "model",
    "tau2_method",
    "test",
    "k_sites",
    "estimate",
    "ci_low",
    "ci_high",
    "tau2",
    "i2",
    "q",
    "rstudent",
    "dffits",
    "cook_d",
    "cov_r",
    "dfbetas",
    "hat",
    "q_residual",
    "flags",
];

/// A row's numbers; what a part does not have stays empty.
#[derive(Default)]
struct Line {
    part: &'static str,
    site: String,
    model: &'static str,
    tau2_method: &'static str,
    test: &'static str,
    k: Option<usize>,
    estimate: Option<f64>,
    interval: Option<[f64; 2]>,
    tau2: Option<f64>,
    i2: Option<f64>,
    q: Option<f64>,
    influence: [Option<f64>; 7],
    flags: String,
}

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for (analysis, name) in view.study.analyses.iter().zip(slugs(view.study)) {
        let PoolOutcome::Pooled(pool) = &analysis.pool else {
            continue;
        };
        for line in lines(view, pool.k, &pool.robustness) {
            sheet.push(&row(analysis, &name, &line));
        }
    }
    sheet.finish()
}

fn row(analysis: &Analysis, name: &str, line: &Line) -> Vec<String> {
    let [low, high] = line.interval.map_or([None, None], |ends| ends.map(Some));
    let mut row = vec![
        text(name),
        words::metric_slug(analysis.key.metric).to_owned(),
        words::scale_slug(analysis.scale).to_owned(),
        line.part.to_owned(),
        line.site.clone(),
        line.model.to_owned(),
        line.tau2_method.to_owned(),
        line.test.to_owned(),
        line.k.map_or_else(String::new, |k| k.to_string()),
    ];
    let numbers = [line.estimate, low, high, line.tau2, line.i2, line.q];
    row.extend(numbers.into_iter().chain(line.influence).map(real_or_empty));
    row.push(text(&line.flags));
    row
}

fn lines(view: View<'_>, k: usize, found: &Robustness) -> Vec<Line> {
    let pooling = &view.study.protocol.pooling;
    let own = || Line {
        model: "two-stage",
        tau2_method: words::tau2_slug(pooling.tau2),
        test: words::interval_slug(pooling.interval),
        ..Line::default()
    };
    let left = found
        .leave_one_out
        .iter()
        .map(|one| left_out(one, k, own()));
    let steps = found.cumulative.iter().map(|step| Line {
        part: "cumulative",
        site: step.site.to_string(),
        k: Some(step.k),
        estimate: Some(step.estimate),
        interval: step.interval,
        tau2: step.tau2,
        i2: step.i2,
        ..own()
    });
    let influence = found.influence.iter().map(|one| influence(one, k, own()));
    let drawn = found.shrunken.iter().map(|one| Line {
        part: "shrunken",
        site: one.site.to_string(),
        k: Some(k),
        estimate: Some(one.estimate),
        interval: one.interval,
        ..own()
    });
    let others = found.others.iter().map(|other| other_model(other, k));
    left.chain(steps)
        .chain(influence)
        .chain(drawn)
        .chain(others)
        .collect()
}

/// The pool of `k` sites without one of them.
fn left_out(one: &LeftOutSite, k: usize, own: Line) -> Line {
    Line {
        part: "leave-one-out",
        site: one.site.to_string(),
        k: k.checked_sub(1),
        estimate: Some(one.estimate),
        interval: one.interval,
        tau2: Some(one.tau2),
        i2: Some(one.i2),
        q: Some(one.q),
        ..own
    }
}

/// What one of `k` sites does to the pool.
fn influence(one: &SiteInfluence, k: usize, own: Line) -> Line {
    let flags: Vec<&str> = one.flags.iter().map(|flag| flag.words()).collect();
    Line {
        part: if one.flags.contains(&Flag::Influential) {
            "influence-flagged"
        } else {
            "influence"
        },
        site: one.site.to_string(),
        k: k.checked_sub(1),
        tau2: Some(one.tau2),
        q: Some(one.q),
        influence: [
            Some(one.studentised),
            Some(one.dffits),
            Some(one.cooks_distance),
            Some(one.covariance_ratio),
            Some(one.dfbetas),
            Some(one.hat),
            Some(one.q_residual),
        ],
        flags: flags.join("; "),
        ..own
    }
}

/// The mean of the `k` sites by one of the other estimators, intervals or models.
fn other_model(other: &OtherPool, k: usize) -> Line {
    Line {
        part: if other.chosen {
            "chosen"
        } else {
            "other-model"
        },
        model: match other.model {
            PoolingModel::TwoStage => "two-stage",
            PoolingModel::BinomialNormal => "binomial-normal",
        },
        tau2_method: words::tau2_slug(other.tau2_estimator),
        test: words::interval_slug(other.interval_method),
        k: Some(k),
        estimate: Some(other.estimate),
        interval: other.interval,
        tau2: Some(other.tau2),
        i2: other.i2,
        ..Line::default()
    }
}

const POINTS: [&str; 21] = [
    "model",
    "endpoint",
    "threshold",
    "fit",
    "k_sites",
    "sites",
    "sensitivity",
    "sensitivity_low",
    "sensitivity_high",
    "specificity",
    "specificity_low",
    "specificity_high",
    "logit_sensitivity",
    "logit_fpr",
    "var_sensitivity",
    "covariance",
    "var_fpr",
    "tau2_sensitivity",
    "tau2_fpr",
    "rho",
    "boundary",
];

/// The summary points; a region's points are those of `report.json`.
pub(super) fn summary_points(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&POINTS);
    for point in &view.study.bivariate {
        if let SummaryOutcome::Fitted { counts, logits, .. } = &point.outcome {
            sheet.push(&fit(point, "binomial-normal", counts));
            if let Some(logits) = logits {
                sheet.push(&fit(point, "normal-normal", logits));
            }
        }
    }
    sheet.finish()
}

fn fit(point: &SummaryPoint, name: &str, values: &SummaryValues) -> Vec<String> {
    let sites: Vec<String> = point.sites.iter().map(ToString::to_string).collect();
    let ends = |interval: Option<[f64; 2]>| {
        interval
            .map_or([None, None], |ends| ends.map(Some))
            .map(real_or_empty)
    };
    let mut row = vec![
        point.model.to_string(),
        point.endpoint.to_string(),
        real(point.threshold),
        name.to_owned(),
        point.sites.len().to_string(),
        text(&sites.join(" ")),
        real(values.sensitivity),
    ];
    row.extend(ends(values.sensitivity_interval));
    row.push(real(values.specificity));
    row.extend(ends(values.specificity_interval));
    let [first, second] = values.covariance;
    row.extend(
        [
            values.mean[0],
            values.mean[1],
            first[0],
            first[1],
            second[1],
            values.tau2_sensitivity,
            values.tau2_fpr,
        ]
        .map(real),
    );
    row.push(real_or_empty(values.rho));
    row.push(flag(values.boundary != Boundary::Inside));
    row
}
