//! Contingency tables, in one stratum and in several.
//!
//! From: `ct.*`, `cmh.*`, `bd.*`, `trend.*`.
//! To: `numeric::{table, conditional, fisher, stratified, generalised, homogeneity, trend}`.

use shared::numeric::conditional::Conditional;
use shared::numeric::fisher::fisher_exact_table;
use shared::numeric::generalised::{GeneralAssociation, LinearAssociation};
use shared::numeric::homogeneity::homogeneity;
use shared::numeric::stratified::{MantelHaenszel, RiskParts};
use shared::numeric::table::{TwoByTwo, association, fisher_exact, odds_ratio};
use shared::numeric::trend::cochran_armitage;
use shared::numeric::{Interval, Test};

use crate::reference::Entry;
use crate::rows::Rows;

fn matrix(value: &serde_json::Value) -> Vec<Vec<f64>> {
    let row = |r: &serde_json::Value| {
        r.as_array()
            .unwrap()
            .iter()
            .map(|c| c.as_f64().unwrap())
            .collect()
    };
    value.as_array().unwrap().iter().map(row).collect()
}

fn two_by_two(table: &[Vec<f64>]) -> TwoByTwo {
    [
        [table[0][0] as u64, table[0][1] as u64],
        [table[1][0] as u64, table[1][1] as u64],
    ]
}

fn statistic(test: Option<Test>) -> Option<f64> {
    test.map(|t| t.statistic)
}

fn tail(test: Option<Test>) -> Option<f64> {
    test.map(|t| t.p)
}

fn sorted(mut levels: Vec<String>) -> Vec<String> {
    levels.sort();
    levels
}

pub fn contingency(entry: &mut Entry) {
    let table = matrix(&entry.expected["table"]);
    if let Some(rows) = Rows::of(&entry.input) {
        let levels = |key: &str| -> Vec<String> {
            let list = entry.expected[key].as_array().unwrap();
            list.iter()
                .map(|v| v.as_str().unwrap().to_owned())
                .collect()
        };
        let (row, column) = (
            entry.input["rows"].as_str().unwrap(),
            entry.input["cols"].as_str().unwrap(),
        );
        assert_eq!(
            table,
            rows.cross(row, &levels("row_levels"), column, &levels("col_levels")),
            "{}",
            entry.id
        );
    }
    entry.describes(&["/table", "/row_levels", "/col_levels"]);
    let got = association(&table);
    entry.check("/n", got.n);
    entry.check("/chi2", statistic(got.chi2));
    entry.check("/df", got.chi2.map(|t| f64::from(t.df)));
    entry.check("/p", tail(got.chi2));
    entry.check("/g2", statistic(got.g2));
    entry.check("/g2_p", tail(got.g2));
    entry.check("/cramers_v", got.cramers_v);
    entry.check("/contingency_coef", got.contingency_coefficient);
    entry.check("/min_expected", got.smallest_expected);
    if table.len() == 2 && table[0].len() == 2 {
        entry.check("/chi2_yates", statistic(got.yates));
        entry.check("/p_yates", tail(got.yates));
        entry.check("/phi", got.phi);
        let odds = odds_ratio(two_by_two(&table), 0.95);
        entry.check("/or_sample", odds.estimate);
        entry.check("/or_wald_ci95", odds.interval);
        let fisher = fisher_exact(two_by_two(&table), 0.95).unwrap();
        entry.check("/fisher_p_two", fisher.two_sided);
        entry.check("/fisher_p_less", fisher.less);
        entry.check("/fisher_p_greater", fisher.greater);
        entry.check_to("/fisher_or_conditional_mle", fisher.odds_ratio, 1e-3);
        entry.check_to("/fisher_or_ci95", fisher.interval(), 1e-3);
    } else if entry.has("/fisher_p_two") {
        let counts: Vec<Vec<u64>> = table
            .iter()
            .map(|row| row.iter().map(|cell| *cell as u64).collect())
            .collect();
        entry.check("/fisher_p_two", fisher_exact_table(&counts).ok());
    }
}

/// The tables of an entry, checked against the rows.
fn strata(entry: &mut Entry) -> Vec<TwoByTwo> {
    entry.describes(&["/tables", "/strata"]);
    let tables: Vec<Vec<Vec<f64>>> = entry.expected["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(matrix)
        .collect();
    if let (Some(rows), Some("site")) = (Rows::of(&entry.input), entry.input["strata"].as_str()) {
        let (sex, y) = (
            ["female", "male"].map(str::to_owned),
            ["0", "1"].map(str::to_owned),
        );
        for (site, table) in rows.levels("site").iter().zip(&tables) {
            assert_eq!(*table, rows.only("site", site).cross("sex", &sex, "y", &y));
        }
    }
    tables.iter().map(|t| two_by_two(t)).collect()
}

pub fn mantel_haenszel(entry: &mut Entry) {
    let tables = strata(entry);
    // Sites send their parts; the coordinator adds them.
    let parts = tables
        .iter()
        .map(|t| MantelHaenszel::of(*t))
        .fold(MantelHaenszel::default(), MantelHaenszel::merge);
    let odds = parts.odds_ratio(0.95);
    entry.check("/chi2", statistic(parts.chi2()));
    entry.check("/p", tail(parts.chi2()));
    entry.check("/chi2_corrected", statistic(parts.chi2_corrected()));
    entry.check("/p_corrected", tail(parts.chi2_corrected()));
    entry.check("/or_mh", odds.estimate);
    entry.check("/or_mh_ci95", odds.interval);
    let exact = Conditional::of(&tables).unwrap().inference(0.95).unwrap();
    entry.check("/exact_p", exact.two_sided);
    entry.check_to("/or_conditional_mle", exact.odds_ratio, 1e-4);
    // R's root finder stops at 4 digits; in integer arithmetic the upper limit is
    // 5.40599248710112507.
    entry.check_to("/or_conditional_ci95", exact.interval(), 1e-3);
    assert!((exact.upper.unwrap() / 5.405_992_487_101_125 - 1.0).abs() < 1e-12);
    let same = homogeneity(&tables);
    entry.check("/woolf_chi2", statistic(same.woolf));
    entry.check("/woolf_df", same.woolf.map(|t| f64::from(t.df)));
    entry.check("/woolf_p", tail(same.woolf));
}

pub fn breslow_day(entry: &mut Entry) {
    let tables = strata(entry);
    let parts = MantelHaenszel::over(&tables);
    let odds = parts.odds_ratio(0.95);
    let same = homogeneity(&tables);
    entry.check("/breslow_day_chi2", statistic(same.breslow_day));
    // statsmodels takes p as 1 - cdf and loses digits.
    entry.check_to("/breslow_day_p", tail(same.breslow_day), 1e-6);
    entry.check("/tarone_chi2", statistic(same.tarone));
    entry.check_to("/tarone_p", tail(same.tarone), 1e-6);
    entry.check("/df", same.tarone.map(|t| f64::from(t.df)));
    entry.check("/cmh_chi2", statistic(parts.chi2()));
    entry.check_to("/cmh_p", tail(parts.chi2()), 1e-5);
    entry.check("/cmh_chi2_corrected", statistic(parts.chi2_corrected()));
    entry.check_to("/cmh_p_corrected", tail(parts.chi2_corrected()), 1e-5);
    let risks = tables
        .iter()
        // The entry's value is that of the transposed tables.
        .map(|[[a, b], [c, d]]| RiskParts::of([[*a, *c], [*b, *d]]))
        .fold(RiskParts::default(), RiskParts::merge);
    entry.check("/risk_ratio_mh", risks.ratio(0.95).estimate);
    entry.check("/or_mh", odds.estimate);
    entry.check("/log_or_mh_se_rbg", odds.log_standard_error);
    entry.check("/or_mh_ci95", odds.interval);
}

fn num_by_sex(entry: &Entry) -> Option<Vec<Vec<Vec<f64>>>> {
    let rows = Rows::of(&entry.input)?;
    let (num, sex) = (sorted(rows.levels("num")), sorted(rows.levels("sex")));
    Some(
        rows.levels("site")
            .iter()
            .map(|site| rows.only("site", site).cross("num", &num, "sex", &sex))
            .collect(),
    )
}

pub fn generalised(entry: &mut Entry) {
    let Some(tables) = num_by_sex(entry) else {
        return;
    };
    let parts = tables.iter().map(|t| GeneralAssociation::of(t).unwrap());
    let test = parts.reduce(|a, b| a.merge(&b).unwrap()).unwrap().test();
    entry.check("/m2", statistic(test));
    entry.check("/df", test.map(|t| f64::from(t.df)));
    entry.check("/p", tail(test));
}

pub fn ordinal(entry: &mut Entry) {
    let Some(tables) = num_by_sex(entry) else {
        return;
    };
    let parts = tables
        .iter()
        .map(|t| LinearAssociation::of(t, &[1.0, 2.0, 3.0, 4.0, 5.0], &[0.0, 1.0]).unwrap());
    let test = parts
        .fold(LinearAssociation::default(), LinearAssociation::merge)
        .test();
    entry.check("/chi2", statistic(test));
    entry.check("/p", tail(test));
}

/// Events by age band; the bands are closed on the right.
pub fn trend(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let list = |key: &str| -> Vec<f64> {
        let values = entry.input[key].as_array().unwrap();
        values.iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (breaks, scores) = (list("age_breaks"), list("scores"));
    let mut counts = vec![[0.0; 2]; scores.len()];
    for (age, event) in rows.number("age").into_iter().zip(rows.event("y")) {
        let band = breaks.iter().filter(|edge| **edge < age).count() - 1;
        counts[band][usize::from(!event)] += 1.0;
    }
    entry.check("/events", counts.iter().map(|c| c[0]).collect::<Vec<_>>());
    entry.check("/n", counts.iter().map(|c| c[0] + c[1]).collect::<Vec<_>>());
    let test = cochran_armitage(&counts, &scores);
    entry.check("/chi2", statistic(test));
    entry.check("/p", tail(test));
}

/// An interval whose ends are both finite is needed by `check`.
#[test]
fn an_interval_is_ordered() {
    assert_eq!(Interval::new(2.0, 1.0), None);
    assert_eq!(Interval::new(f64::NEG_INFINITY, 1.0), None);
}
