//! `tests.csv`: one row per test of a site or over sites, with what it was computed on, and one
//! per range over the levels of an axis.
//!
//! From: `pool::result` (tables, fairness, family, permutation, representation).
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, real_or_empty, text};
use crate::pool::result::{
    AdjustedGap, AxisFairness, AxisRepresentation, BetweenSites, PooledPermutation, PooledTable,
    Ratio, TestResult, TwoLevelsOverSites,
};
use crate::statistic::Cell;

const HEAD: [&str; 14] = [
    "study",
    "about",
    "endpoint",
    "model",
    "axis",
    "level",
    "scope",
    "site",
    "test",
    "statistic",
    "df",
    "p_value",
    "low",
    "high",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut out = Out {
        study: view.study.protocol.slug.to_string(),
        sheet: Sheet::new(&HEAD),
    };
    for pooled in &view.study.tables {
        contingency(&mut out, pooled);
    }
    for found in &view.study.fairness {
        fairness(&mut out, found);
    }
    for one in &view.study.family {
        family(&mut out, one);
    }
    for one in &view.study.between_sites {
        between_sites(&mut out, one);
    }
    for axis in &view.study.representation {
        representation(&mut out, axis);
    }
    for pooled in &view.study.permutation {
        permutation(&mut out, pooled);
    }
    out.sheet.finish()
}

struct Out {
    study: String,
    sheet: Sheet,
}

impl Out {
    /// `about`: what, endpoint, model; `place`: axis, level, scope, site; `numbers`: statistic,
    /// degrees of freedom, p value, lower and upper end. A line without a number is left out.
    fn line(&mut self, about: [&str; 3], place: [&str; 4], test: &str, numbers: [Option<f64>; 5]) {
        if numbers.iter().all(Option::is_none) {
            return;
        }
        let mut row = vec![self.study.clone()];
        row.extend(about.map(text));
        row.extend(place.map(text));
        row.push(text(test));
        row.extend(numbers.map(real_or_empty));
        self.sheet.push(&row);
    }

    fn test(&mut self, about: [&str; 3], place: [&str; 4], name: &str, test: Option<&TestResult>) {
        let Some(test) = test else { return };
        let numbers = [
            Some(test.statistic),
            df(test.degrees_of_freedom),
            Some(test.p_value),
        ];
        let [statistic, df, p] = numbers;
        self.line(about, place, name, [statistic, df, p, None, None]);
    }

    fn ratio(&mut self, about: [&str; 3], place: [&str; 4], name: &str, ratio: Option<&Ratio>) {
        let Some(ratio) = ratio else { return };
        let [low, high] = ratio.interval.map_or([None, None], |ends| ends.map(Some));
        self.line(
            about,
            place,
            name,
            [Some(ratio.estimate), None, None, low, high],
        );
    }
}

fn df(degrees: u32) -> Option<f64> {
    (degrees > 0).then(|| f64::from(degrees))
}

fn contingency(out: &mut Out, pooled: &PooledTable) {
    let model = pooled.model.as_ref().map_or("", |model| model.as_str());
    let about = [
        words::kind_slug(pooled.kind),
        pooled.endpoint.as_str(),
        model,
    ];
    for site in &pooled.sites {
        let place = [pooled.axis.as_str(), "", "site", site.site.as_str()];
        let freedom = df(site.degrees_of_freedom);
        let number = |cell: &Cell<f64>| cell.number();
        for (name, statistic, p) in [
            ("chi-squared", Some(&site.chi_squared), &site.p_value),
            ("chi-squared, Yates", None, &site.yates_p),
            ("G2", Some(&site.g2), &site.g2_p),
            ("Fisher", None, &site.fisher_p),
        ] {
            let statistic = statistic.and_then(number);
            let freedom = freedom.filter(|_| statistic.is_some());
            out.line(
                about,
                place,
                name,
                [statistic, freedom, number(p), None, None],
            );
        }
        let v = number(&site.cramers_v);
        out.line(about, place, "Cramer's V", [v, None, None, None, None]);
        let trend = site.trend_p.as_ref().and_then(number);
        out.line(
            about,
            place,
            "Cochran-Armitage",
            [None, None, trend, None, None],
        );
    }
    let place = [pooled.axis.as_str(), "", "pooled", ""];
    if let Some(found) = &pooled.trend {
        out.test(about, place, "CMH, ordinal", Some(&found.test));
    }
    if let Some(found) = &pooled.two_levels {
        two_levels(out, about, place, found);
    }
    if let crate::pool::result::Cmh::Computed {
        statistic,
        degrees_of_freedom,
        p_value,
        ..
    } = &pooled.cmh
    {
        let test = TestResult {
            statistic: *statistic,
            degrees_of_freedom: *degrees_of_freedom,
            p_value: *p_value,
        };
        out.test(about, place, "CMH, general", Some(&test));
    }
}

fn two_levels(out: &mut Out, about: [&str; 3], place: [&str; 4], found: &TwoLevelsOverSites) {
    out.test(about, place, "CMH", found.cmh.as_ref());
    out.test(about, place, "CMH, corrected", found.corrected.as_ref());
    out.ratio(
        about,
        place,
        "Mantel-Haenszel odds ratio",
        found.odds_ratio.as_ref(),
    );
    let Some(exact) = &found.exact else { return };
    out.line(
        about,
        place,
        "CMH, exact",
        [None, None, exact.p_value, None, None],
    );
    out.ratio(
        about,
        place,
        "conditional odds ratio",
        exact.odds_ratio.as_ref(),
    );
    out.ratio(
        about,
        place,
        "Mantel-Haenszel risk ratio",
        exact.risk_ratio.as_ref(),
    );
    out.ratio(
        about,
        place,
        "Mantel-Haenszel risk difference",
        exact.risk_difference.as_ref(),
    );
    out.test(about, place, "Breslow-Day", exact.breslow_day.as_ref());
    out.test(about, place, "Tarone", exact.tarone.as_ref());
    out.test(about, place, "Woolf", exact.woolf.as_ref());
}

fn fairness(out: &mut Out, found: &AxisFairness) {
    let (endpoint, model) = (found.endpoint.as_str(), found.model.as_str());
    let axis = found.axis.as_str();
    for site in &found.sites {
        let place = [axis, "", "site", site.site.as_str()];
        for one in &site.disparities {
            let about = [one.measure.words(), endpoint, model];
            let number = |cell: &Cell<f64>| cell.number();
            let (low, high) = (number(&one.low), number(&one.high));
            out.line(
                about,
                place,
                "range",
                [number(&one.range), None, None, low, high],
            );
            let expected = number(&one.expected);
            out.line(
                about,
                place,
                "expected range",
                [expected, None, None, None, None],
            );
            out.line(
                about,
                place,
                "ratio",
                [number(&one.ratio), None, None, None, None],
            );
            let (statistic, p) = (number(&one.chi_squared), number(&one.p_value));
            let freedom = df(one.degrees_of_freedom);
            out.line(
                about,
                place,
                "homogeneity",
                [statistic, freedom, p, None, None],
            );
        }
    }
    let place = [axis, "", "pooled", ""];
    for one in &found.interaction {
        let about = [one.measure.words(), endpoint, model];
        out.test(about, place, "interaction, summed", Some(&one.test));
    }
    let Some(merged) = &found.merged else { return };
    let about = ["fairness of merged patients", endpoint, model];
    for (name, value) in [
        (
            "demographic parity difference",
            merged.demographic_parity_difference,
        ),
        ("demographic parity ratio", merged.demographic_parity_ratio),
        (
            "equal opportunity difference",
            merged.equal_opportunity_difference,
        ),
        (
            "equalised odds difference",
            merged.equalised_odds_difference,
        ),
        (
            "equalised odds difference, mean",
            merged.equalised_odds_difference_mean,
        ),
        ("equalised odds ratio", merged.equalised_odds_ratio),
    ] {
        out.line(about, place, name, [value, None, None, None, None]);
    }
}

/// A gap between levels, with its p value alone and adjusted for the family.
fn family(out: &mut Out, one: &AdjustedGap) {
    let key = &one.key;
    let level = key.level.as_deref().unwrap_or_default();
    let axis = key.axis.as_ref().map_or("", |axis| axis.as_str());
    let about = [
        words::metric_slug(key.metric),
        key.endpoint.as_str(),
        key.model.as_str(),
    ];
    let place = [axis, level, "pooled", ""];
    out.line(
        about,
        place,
        "t, no gap",
        [None, None, Some(one.p_value), None, None],
    );
    out.line(
        about,
        place,
        "Holm",
        [None, None, Some(one.holm), None, None],
    );
    let adjusted = Some(one.benjamini_hochberg);
    out.line(
        about,
        place,
        "Benjamini-Hochberg",
        [None, None, adjusted, None, None],
    );
}

/// The range of a measure over hospitals, beside the range chance alone would give.
fn between_sites(out: &mut Out, one: &BetweenSites) {
    let key = &one.key;
    let about = [
        words::metric_slug(key.metric),
        key.endpoint.as_str(),
        key.model.as_str(),
    ];
    let place = ["site", "", "pooled", ""];
    let [low, high] = one.interval.map(Some);
    out.line(
        about,
        place,
        "range",
        [Some(one.range), None, None, low, high],
    );
    out.line(
        about,
        place,
        "expected range",
        [Some(one.expected), None, None, None, None],
    );
    out.test(about, place, "homogeneity", Some(&one.test));
}

/// How the patients of one axis fit the target population.
fn representation(out: &mut Out, axis: &AxisRepresentation) {
    let about = ["representation", axis.endpoint.as_str(), ""];
    for site in &axis.sites {
        let place = [axis.axis.as_str(), "", "site", site.site.as_str()];
        let numbers = [site.chi_squared.number(), df(site.degrees_of_freedom)];
        let [statistic, df] = numbers;
        let p = site.p_value.number();
        out.line(
            about,
            place,
            "goodness of fit",
            [statistic, df, p, None, None],
        );
    }
    let place = [axis.axis.as_str(), "", "pooled", ""];
    let test = axis.test.as_ref().map(|found| &found.test);
    out.test(about, place, "goodness of fit, summed", test);
}

fn permutation(out: &mut Out, pooled: &PooledPermutation) {
    let about = [
        "shuffled outcomes",
        pooled.endpoint.as_str(),
        pooled.model.as_str(),
    ];
    for site in &pooled.sites {
        let place = ["", "", "site", site.site.as_str()];
        out.line(about, place, "z", [site.z, None, site.p_value, None, None]);
        out.line(
            about,
            place,
            "exact",
            [None, None, site.exact_p.number(), None, None],
        );
        if let Some((plan, cell)) = &site.shuffled {
            let name = format!("shuffles {}, seed {}", plan.shuffles, plan.seed);
            out.line(about, place, &name, [None, None, cell.number(), None, None]);
        }
    }
    let place = ["", "", "pooled", ""];
    out.line(
        about,
        place,
        "z",
        [pooled.z, None, pooled.p_value, None, None],
    );
}
