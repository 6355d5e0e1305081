//! Published and reference values: every number our mathematics shares with R or Python is
//! compared at the tolerance its digits allow. Run with `--nocapture` to see what no code of
//! ours computes yet.
//!
//! From: `tests/fixtures/reference`, computed by pROC, metafor, vcd, coin, statsmodels, ...
//! To: nothing.

mod area;
mod calibration;
mod curve;
mod discrimination_round;
mod fair;
mod fair_measures;
mod fair_round;
mod heart_calibration;
mod heart_groups;
mod heart_round;
mod masked;
mod nomogram;
mod planning;
mod pooled;
mod rate;
mod reference;
mod rows;
mod shuffled;
mod steps;
mod tables;
mod utility;
mod utility_round;

#[test]
fn reference_values() {
    let mut entries = reference::entries();
    let mut failures = Vec::new();
    let mut compared = 0;
    let mut left = Vec::new();
    for entry in &mut entries {
        match entry.metric.as_str() {
            "auc" => area::area(entry),
            "auc_paired_delong" => area::paired(entry),
            "auc_from_class_histograms" | "auc_delong_from_histograms" => area::histogram(entry),
            "site_concordance_matrix" => area::concordance(entry),
            "cross_group_auc" => area::cross_group(entry),
            "contingency" => tables::contingency(entry),
            "cochran_mantel_haenszel" => tables::mantel_haenszel(entry),
            "breslow_day" => tables::breslow_day(entry),
            "generalised_cmh" => tables::generalised(entry),
            "cmh_ordinal" => tables::ordinal(entry),
            "cochran_armitage" => tables::trend(entry),
            "permutation_auc_exact" | "permutation_stratified" | "stratified_rank_permutation" => {
                shuffled::permutation(entry)
            }
            "fairness" => fair::criteria(entry),
            "multiple_testing" => fair::adjusted(entry),
            "confusion_at_threshold" => rate::confusion(entry),
            "proportion_ci" => rate::proportion(entry),
            "proportion_difference_newcombe" => rate::difference(entry),
            "mergeable_moments" => rate::moments(entry),
            "sample_size" | "sample_size_auc" => planning::power(entry),
            "sample_size_external_validation" => planning::external(entry),
            "average_precision" => curve::average_precision(entry),
            "partial_auc" => curve::partial_area(entry),
            "youden_threshold" => curve::youden(entry),
            "auc_clustered_obuchowski" => curve::clustered(entry),
            "random_effects_meta" => pooled::random_effects(entry),
            "bivariate_reitsma" => pooled::bivariate(entry),
            "binomial_normal_glmm" => pooled::binomial_normal(entry),
            "meta_regression" => pooled::meta_regression(entry),
            "calibration" => calibration::site(entry),
            "calibration_slope_site_stratified" => {
                calibration::site_intercepts(entry);
                steps::site_intercepts(entry);
            }
            "calibration_slope_intercept_pooled" => {
                calibration::newton(entry);
                steps::pooled_newton(entry);
            }
            "one_pass_sums" => calibration::sums(entry),
            "ece_brier_decomposition" => calibration::bins(entry),
            "net_benefit" => utility::net_benefit(entry),
            "mcnemar" => utility::mcnemar(entry),
            "nri_idi" => utility::reclassification(entry),
            _ => {}
        }
        failures.extend_from_slice(entry.failures());
        let rest = entry.left();
        if rest.is_empty() {
            compared += 1;
            continue;
        }
        let reason = reason(&entry.metric).unwrap_or("NO REASON");
        if entry.any_compared() {
            let rest = rest.join(" ");
            left.push(format!("{} (in part): {rest}: {reason}", entry.id));
        } else {
            left.push(format!("{} ({}): {reason}", entry.id, entry.metric));
        }
    }
    left.iter().for_each(|words| println!("left: {words}"));
    println!("reference: {compared} compared, {} left", left.len());
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
    let unexplained = left.iter().filter(|words| words.ends_with("NO REASON"));
    assert_eq!(unexplained.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(
        compared >= 125,
        "only {compared} entries were compared in full"
    );
}

/// Why values of a kind are left, where no statistic of the catalogue gives them.
fn reason(metric: &str) -> Option<&'static str> {
    match metric {
        "calibration" => Some("a loess needs every row; ICI, E50 and E90 are logistic"),
        "mergeable_moments" => Some("skewness and kurtosis are not released"),
        "cohen_kappa" | "fleiss_kappa" => Some("agreement of readers is no statistic yet"),
        "ks_two_sample" | "kruskal_wallis" => Some("compares the rows of several sites"),
        "drift" => Some("change over time is no statistic yet"),
        "quantile_bounds" => Some("score quantiles are not released"),
        "multiclass" => Some("endpoints have two classes"),
        "conformal_coverage" => Some("prediction sets are no statistic yet"),
        _ => None,
    }
}
