//! What differs between hospitals against what they found: the protocol's moderators in a
//! regression over sites, for the primary analysis, O:E and the calibration slope.
//!
//! Only from ten external sites on (decision C16); below, and where a site has no value, the
//! report says why there is none. Moderators are properties of a hospital, declared before the
//! round; nothing of them comes from patients.
//!
//! From: `analysis`, the protocol's `[[pooling.moderator]]` and `[[site]]`.
//! To: report page "discrimination", `meta_regression.csv`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mean::inference;
use super::meta_regression::{Coefficient, LEAST_SITES, MetaRegression, RegressionFault, regress};
use super::result::{Analysis, AnalysisRole, EstimateKey, Metric, Scale};
use crate::study::StudyProtocol;

/// One analysis against the protocol's moderators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeratorAnalysis {
    /// What is estimated at each site.
    pub key: EstimateKey,
    /// The scale of estimates and coefficients.
    pub scale: Scale,
    /// Ids of the moderators, in the protocol's order.
    pub moderators: Vec<String>,
    /// The regression, or why there is none.
    pub outcome: ModeratorOutcome,
}

/// A regression over sites, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ModeratorOutcome {
    /// Fitted.
    Fitted(Box<Regression>),
    /// Fewer external sites with an estimate than a regression needs.
    TooFewSites {
        /// External sites with an estimate.
        sites: usize,
        /// The fewest.
        minimum: usize,
    },
    /// A moderator does not differ between these sites, or follows from the others.
    Collinear,
    /// The estimator did not converge.
    Failed,
}

/// A fitted regression over sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Regression {
    /// Sites.
    pub k: usize,
    /// The intercept, then one coefficient for each moderator.
    pub coefficients: Vec<RegressionCoefficient>,
    /// Between-site variance left beside the moderators, REML.
    pub tau2: f64,
    /// The same without moderators.
    pub tau2_without: f64,
    /// Share of the between-site variance that goes with the moderators, percent.
    pub r2: Option<f64>,
    /// Test that no moderator matters: F, or chi-squared under the normal law.
    pub moderators_statistic: f64,
    /// Its first degrees of freedom.
    pub moderators_df1: u32,
    /// Its second; absent under the normal law.
    pub moderators_df2: Option<u32>,
    /// Its p value.
    pub moderators_p: f64,
    /// Cochran's Q of what the moderators leave.
    pub residual_q: f64,
    /// Its degrees of freedom.
    pub residual_df: u32,
    /// Its p value.
    pub residual_p: f64,
}

/// One coefficient, on the pooling scale per unit of the moderator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegressionCoefficient {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Two-sided p value of 0.
    pub p: Option<f64>,
    /// Its interval at the protocol's level.
    pub interval: Option<[f64; 2]>,
}

/// Every regression that the protocol declares.
pub(super) fn all(protocol: &StudyProtocol, analyses: &[Analysis]) -> Vec<ModeratorAnalysis> {
    if protocol.pooling.moderator.is_empty() {
        return Vec::new();
    }
    let asked = |analysis: &&Analysis| {
        let also = matches!(
            analysis.key.metric,
            Metric::ObservedExpected | Metric::CalibrationSlope
        );
        let index = protocol.index_model().map(|model| &model.id);
        analysis.role == AnalysisRole::Primary
            || (also && analysis.key.is_whole() && Some(&analysis.key.model) == index)
    };
    let asked = analyses.iter().filter(asked);
    asked.map(|analysis| one(protocol, analysis)).collect()
}

fn one(protocol: &StudyProtocol, analysis: &Analysis) -> ModeratorAnalysis {
    let moderators = &protocol.pooling.moderator;
    let members: Vec<(f64, f64, &crate::study::StudySite)> = analysis
        .sites
        .iter()
        .filter(|row| row.excluded.is_none())
        .filter_map(|row| Some((row.yi?, row.vi?, protocol.find_site(&row.site)?)))
        .collect();
    let yi: Vec<f64> = members.iter().map(|(yi, _, _)| *yi).collect();
    let vi: Vec<f64> = members.iter().map(|(_, vi, _)| *vi).collect();
    let columns: Vec<Vec<f64>> = moderators
        .iter()
        .map(|moderator| {
            let value =
                |site: &crate::study::StudySite| site.moderators.get(&moderator.id).copied();
            let each = members.iter().map(|(_, _, site)| value(site));
            each.map(|value| value.unwrap_or(f64::NAN)).collect()
        })
        .collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let law = inference(protocol.pooling.interval);
    let outcome = match regress(&yi, &vi, &columns, protocol.pooling.level, law) {
        Ok(found) => ModeratorOutcome::Fitted(Box::new(fitted(&found))),
        Err(RegressionFault::TooFewSites { sites }) => ModeratorOutcome::TooFewSites {
            sites,
            minimum: LEAST_SITES.max(moderators.len() + 3),
        },
        Err(RegressionFault::Collinear) => ModeratorOutcome::Collinear,
        Err(RegressionFault::Shape | RegressionFault::Pool(_)) => ModeratorOutcome::Failed,
    };
    ModeratorAnalysis {
        key: analysis.key.clone(),
        scale: analysis.scale,
        moderators: moderators.iter().map(|one| one.id.clone()).collect(),
        outcome,
    }
}

fn fitted(found: &MetaRegression) -> Regression {
    let coefficient = |one: &Coefficient| RegressionCoefficient {
        estimate: one.estimate,
        se: one.standard_error,
        p: one.p,
        interval: one.interval.map(|ends| [ends.lower, ends.upper]),
    };
    Regression {
        k: found.k,
        coefficients: found.coefficients.iter().map(coefficient).collect(),
        tau2: found.tau2,
        tau2_without: found.tau2_without,
        r2: found.r2,
        moderators_statistic: found.moderators.statistic,
        moderators_df1: found.moderators.df1,
        moderators_df2: found.moderators.df2,
        moderators_p: found.moderators.p,
        residual_q: found.residual.statistic,
        residual_df: found.residual.df,
        residual_p: found.residual.p,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::result::{Excluded, PoolOutcome, SiteEstimate};
    use crate::statistic::Cell;
    use crate::study::{Moderator, PoolInterval, SiteRole, StudySite, source, template};

    #[allow(
        clippy::approx_constant,
        reason = "one of the log odds is that of 1 in 11"
    )]
    const YI: [f64; 19] = [
        -2.56494935746154,
        -1.75785791755237,
        -3.71357206670431,
        -2.56494935746154,
        -1.94591014905531,
        -4.36944785246702,
        -2.37490575457367,
        -1.67964217110735,
        0.138150338480817,
        -0.75377180237638,
        -3.15700042115011,
        -3.2188758248682,
        -2.63905732961526,
        -2.23359222150709,
        -3.73766961828337,
        -2.2512917986065,
        -2.89037175789616,
        -2.30258509299405,
        -3.04452243772342,
    ];
    const VI: [f64; 19] = [
        1.07692307692308,
        0.0781609195402299,
        1.02439024390244,
        0.179487179487179,
        0.19047619047619,
        2.0253164556962,
        0.273255813953488,
        0.107858243451464,
        0.0692951015531661,
        0.0306372549019608,
        0.521276595744681,
        0.346666666666667,
        0.178571428571429,
        0.18452380952381,
        1.02380952380952,
        0.552631578947368,
        1.05555555555556,
        0.55,
        2.0952380952381,
    ];
    const SIZE: [f64; 19] = [
        14.0, 102.0, 42.0, 84.0, 48.0, 39.0, 47.0, 70.0, 58.0, 150.0, 49.0, 78.0, 90.0, 62.0, 43.0,
        21.0, 19.0, 22.0, 10.0,
    ];

    /// A protocol with as many hospitals, each with its size, and what they found.
    fn study(hospitals: usize) -> (StudyProtocol, Vec<Analysis>) {
        let mut protocol = source::parse(template::BINARY).unwrap();
        protocol.pooling.interval = PoolInterval::HksjUnguarded;
        protocol.pooling.moderator = vec![Moderator {
            id: "size".to_owned(),
            label: "Patients".to_owned(),
        }];
        protocol.site = (0..hospitals)
            .map(|place| StudySite {
                slug: format!("site-{place}").parse().unwrap(),
                display_name: format!("Hospital {place}"),
                role: SiteRole::External,
                moderators: [("size".to_owned(), SIZE[place])].into(),
            })
            .collect();
        assert_eq!(crate::study::validate::check(&protocol), []);
        let index = protocol.index_model().unwrap().id.clone();
        let endpoint = protocol.endpoint[0].id.clone();
        let row = |place: usize| SiteEstimate {
            site: protocol.site[place].slug.clone(),
            role: SiteRole::External,
            n: Cell::Value { value: 50 },
            events: Cell::Value { value: 9 },
            estimate: Cell::Value { value: YI[place] },
            low: Cell::Zero,
            high: Cell::Zero,
            yi: Some(YI[place]),
            vi: Some(VI[place]),
            weight: None,
            excluded: None,
            correction: None,
            counts: None,
        };
        let analysis = Analysis {
            key: EstimateKey::whole(Metric::ObservedExpected, index, endpoint),
            role: AnalysisRole::Secondary,
            scale: Scale::Log,
            sites: (0..hospitals).map(row).collect(),
            pool: PoolOutcome::NotPooled,
        };
        (protocol, vec![analysis])
    }

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs(),
            "{found} {expected}"
        );
    }

    /// The values of metafor's rma(mods = ~ n, method = "REML", test = "knha").
    #[test]
    fn hospitals_sizes_are_regressed_as_metafor_does() {
        let (protocol, analyses) = study(19);
        let found = all(&protocol, &analyses);
        let ModeratorOutcome::Fitted(fit) = &found[0].outcome else {
            panic!("{:?}", found[0].outcome);
        };
        close(fit.coefficients[0].estimate, -2.98034504300173);
        close(fit.coefficients[1].estimate, 0.0121132974278229);
        close(fit.coefficients[1].se, 0.00633405915118372);
        close(
            fit.coefficients[1].interval.unwrap()[0],
            -0.00125039924026222,
        );
        close(fit.tau2, 0.719647185527811);
        close(fit.r2.unwrap(), 12.031900142262);
        close(fit.moderators_statistic, 3.6572995485815);
        close(fit.residual_q, 92.5030242856522);
    }

    #[test]
    fn few_hospitals_and_excluded_ones_give_a_reason_instead_of_a_line() {
        let (protocol, mut analyses) = study(10);
        let fitted = |analyses: &[Analysis]| all(&protocol, analyses)[0].outcome.clone();
        assert!(matches!(fitted(&analyses), ModeratorOutcome::Fitted(_)));
        analyses[0].sites[3].excluded = Some(Excluded::NotExternal);
        let expected = ModeratorOutcome::TooFewSites {
            sites: 9,
            minimum: 10,
        };
        assert_eq!(fitted(&analyses), expected);
        let mut without = protocol.clone();
        without.pooling.moderator.clear();
        assert_eq!(all(&without, &analyses), []);
    }
}
