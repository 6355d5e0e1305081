//! Disparity: how far the recorded levels of an axis lie apart within one site, by measure.
//! Largest minus smallest value, beside what that range would be if all levels were equal, an
//! interval that allows for having looked for the extremes, and a test that all are equal
//! (decision C10: the naive interval of a largest gap excludes 0 although nothing differs).
//!
//! Shares: the expected range follows exactly from the levels' binomial laws, the test is
//! Pearson's. AUC, log O:E and Brier score: from normal laws with the levels' variances, the
//! test is Cochran's. Levels are compared that hold at least [`MIN_GROUP`] cases; `not recorded`
//! is no group. Where patients repeat, levels share patients and only the range is given.
//! Merge class: the tests' statistics and degrees of freedom add over sites, as sites are
//! independent; ranges do not merge. See `numeric::disparity` for the sources.
//!
//! From: `subgroup`.
//! To: `pool::fairness`, report page "subgroups".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::LEVEL;
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use super::subgroup::Measure;
use crate::numeric::disparity::{
    each_level, expected_range_of_estimates, expected_range_of_shares, homogeneity_of_estimates,
    range, range_interval, ratio, together,
};
use crate::numeric::proportion::wilson;
use crate::numeric::sum::count;
use crate::numeric::{Interval, Test, table};
use crate::study::NOT_RECORDED;

/// Fewer cases than this and a level is not compared.
pub const MIN_GROUP: u64 = 10;

/// How far the levels lie apart in one measure.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Disparity<S: Stage> {
    /// Which measure.
    pub measure: Measure,
    /// The levels compared; none when the numbers are withheld.
    pub levels: Vec<String>,
    /// Largest minus smallest value; of logarithms for O:E.
    pub range: S::Real,
    /// Smallest over largest value, natural scale, in [0, 1].
    pub ratio: S::Real,
    /// What the range would be if all levels were equal, same scale.
    pub expected: S::Real,
    /// Lower end of the range's 95 % interval.
    pub low: S::Real,
    /// Upper end of it.
    pub high: S::Real,
    /// Test that all levels are equal.
    pub chi_squared: S::Real,
    /// Its degrees of freedom; 0 without a test.
    pub degrees_of_freedom: u32,
    /// Its p value.
    pub p_value: S::Real,
}

/// What one level says about itself in one measure.
pub(crate) struct Own {
    value: Result<Value, Undefined>,
    basis: Basis,
}

enum Value {
    Share(u64, u64),
    Estimate(f64, Result<f64, Undefined>),
}

impl Own {
    pub(crate) fn share(hits: u64, cases: u64, basis: Basis) -> Self {
        let value = if cases > 0 {
            Ok(Value::Share(hits, cases))
        } else {
            Err(Undefined::NoCases)
        };
        Self { value, basis }
    }

    /// Value and variance on the scale of comparison: the logarithm for O:E.
    pub(crate) fn estimate(value: f64, variance: Result<f64, Undefined>, basis: Basis) -> Self {
        Self {
            value: Ok(Value::Estimate(value, variance)),
            basis,
        }
    }

    pub(crate) fn none(reason: Undefined, basis: Basis) -> Self {
        Self {
            value: Err(reason),
            basis,
        }
    }
}

/// The levels of one axis, as they come.
pub(crate) struct Apart {
    clustered: bool,
    levels: Vec<(Measure, String, Own)>,
}

impl Apart {
    pub(crate) fn new(clustered: bool) -> Self {
        Self {
            clustered,
            levels: Vec::new(),
        }
    }

    /// A level of `cases` cases.
    pub(crate) fn add(&mut self, measure: Measure, level: &str, cases: u64, own: Own) {
        if cases >= MIN_GROUP && recorded(level) {
            self.levels.push((measure, level.to_owned(), own));
        }
    }

    pub(crate) fn disparities(&self) -> Vec<Disparity<Exact>> {
        Measure::ALL
            .iter()
            .map(|measure| self.disparity(*measure))
            .collect()
    }

    fn disparity(&self, measure: Measure) -> Disparity<Exact> {
        let all = || self.levels.iter().filter(|one| one.0 == measure);
        let usable: Vec<(&String, &Value)> = all()
            .filter_map(|(_, level, own)| Some((level, own.value.as_ref().ok()?)))
            .collect();
        let basis = all()
            .filter(|(_, _, own)| own.value.is_ok())
            .map(|(_, _, own)| own.basis)
            .reduce(Basis::and)
            .unwrap_or(Basis::of(0));
        let why = all()
            .find_map(|(_, _, own)| own.value.as_ref().err())
            .copied()
            .unwrap_or(Undefined::NoRest);
        let values: Vec<&Value> = usable.iter().map(|one| one.1).collect();
        let spread = Spread::of(&values, self.clustered, why);
        let log = measure == Measure::ObservedExpected;
        let form = if log { Form::RATIO } else { Form::AREA };
        let real = |value, form| ExactReal::new(value, form, basis);
        let points = spread
            .points
            .iter()
            .map(|y| if log { libm::exp(*y) } else { *y });
        let points: Vec<f64> = points.collect();
        Disparity {
            measure,
            levels: usable.iter().map(|one| one.0.clone()).collect(),
            range: real(range(&spread.points).ok_or(why), form),
            ratio: real(ratio(&points).ok_or(why), Form::AREA),
            expected: real(spread.expected, form),
            low: real(spread.interval.map(|interval| interval.lower), form),
            high: real(spread.interval.map(|interval| interval.upper), form),
            chi_squared: real(spread.test.map(|test| test.statistic), Form::STATISTIC),
            degrees_of_freedom: spread.test.map_or(0, |test| test.df),
            p_value: real(spread.test.map(|test| test.p), Form::P_VALUE),
        }
    }
}

/// Whether a level, or both parts of a pair's, is recorded.
pub fn recorded(level: &str) -> bool {
    level.split(", ").all(|part| part != NOT_RECORDED)
}

struct Spread {
    points: Vec<f64>,
    expected: Result<f64, Undefined>,
    interval: Result<Interval, Undefined>,
    test: Result<Test, Undefined>,
}

impl Spread {
    fn of(values: &[&Value], clustered: bool, why: Undefined) -> Self {
        let points = values.iter().map(|value| match value {
            Value::Share(hits, cases) => count(*hits) / count(*cases),
            Value::Estimate(value, _) => *value,
        });
        let points: Vec<f64> = points.collect();
        let none = |points, why| Self {
            points,
            expected: Err(why),
            interval: Err(why),
            test: Err(why),
        };
        if values.len() < 2 {
            return none(points, why);
        }
        if clustered {
            return none(points, Undefined::Clustered);
        }
        let shares: Option<Vec<(u64, u64)>> = values.iter().map(|value| value.counts()).collect();
        if let Some(shares) = shares {
            let found = ShareSpread::of(&shares);
            return Self {
                points,
                expected: found.expected.ok_or(Undefined::NotFinite),
                interval: found.interval.ok_or(Undefined::NotFinite),
                test: found.test.ok_or(Undefined::NoVariance),
            };
        }
        let estimates: Result<Vec<(f64, f64)>, Undefined> =
            values.iter().map(|value| value.estimated()).collect();
        let estimates = match estimates {
            Ok(estimates) => estimates,
            Err(why) => return none(points, why),
        };
        let errors: Vec<f64> = estimates.iter().map(|(_, v)| v.sqrt()).collect();
        let interval = together(&estimates, LEVEL).and_then(|all| range_interval(&all));
        Self {
            points,
            expected: expected_range_of_estimates(&errors).ok_or(Undefined::NoVariance),
            interval: interval.ok_or(Undefined::NoVariance),
            test: homogeneity_of_estimates(&estimates).ok_or(Undefined::NoVariance),
        }
    }
}

impl Value {
    fn counts(&self) -> Option<(u64, u64)> {
        match self {
            Self::Share(hits, cases) => Some((*hits, *cases)),
            Self::Estimate(_, _) => None,
        }
    }

    fn estimated(&self) -> Result<(f64, f64), Undefined> {
        match self {
            Self::Share(_, _) => Err(Undefined::NoVariance),
            Self::Estimate(value, variance) => Ok((*value, (*variance)?)),
        }
    }
}

/// The range of shares of independent groups, `(hits, cases)` each.
pub struct ShareSpread {
    /// What the range would be if all groups had the share of all together.
    pub expected: Option<f64>,
    /// 95 % interval of the range.
    pub interval: Option<Interval>,
    /// Pearson's test that all groups have one share.
    pub test: Option<Test>,
}

impl ShareSpread {
    /// Nothing below two groups; groups without cases are no groups.
    pub fn of(shares: &[(u64, u64)]) -> Self {
        let sizes: Vec<u64> = shares.iter().map(|share| share.1).collect();
        let hits: u64 = shares.iter().map(|share| share.0).sum();
        let all: u64 = sizes.iter().sum();
        let cells = |(hits, cases): &(u64, u64)| vec![count(*hits), count(cases - hits)];
        let together: Option<Vec<Interval>> = each_level(LEVEL, shares.len()).and_then(|level| {
            let each = shares
                .iter()
                .map(|(hits, cases)| wilson(*hits, *cases, level));
            each.collect()
        });
        let test = table::association(&shares.iter().map(cells).collect::<Vec<_>>()).chi2;
        Self {
            expected: expected_range_of_shares(&sizes, count(hits) / count(all)),
            interval: together.and_then(|all| range_interval(&all)),
            test,
        }
    }
}
