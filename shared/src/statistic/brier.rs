//! Brier score: mean squared difference of prediction and outcome (Brier 1950, doi
//! 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2), and its scaled form
//! `1 - B / (pi (1 - pi))`.
//!
//! Merge class T here; predictions are not clipped (decision C11). The standard error is that of
//! a mean, summed by patient where patients repeat; the scaled form's follows by the delta
//! method from the influence of both its parts.
//!
//! From: `cases`.
//! To: report page "calibration".

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::metric::{Metric, Scale};
use super::sampling::Weights;
use super::stage::{Basis, Exact, Undefined};
use crate::numeric::sum::{sum, sum_iter};

/// Brier score and scaled Brier score of the model with index `model`.
pub(crate) fn measure(
    set: &AnalysisSet<'_>,
    areas: &Areas,
    model: usize,
) -> Option<[Estimate<Exact>; 2]> {
    let id = set.protocol.model.get(model)?.id.clone();
    let score = set.score.get(model)?;
    let event = |row: usize| f64::from(u8::from(set.outcome[row]));
    let squares: Vec<f64> = (0..set.len())
        .map(|row| (score[row] - event(row)) * (score[row] - event(row)))
        .collect();
    let events = set.patients(|row| set.outcome[row]);
    let others = set.patients(|row| !set.outcome[row]);
    // Of the sum that leaves: weighted where the design weighs cases.
    let by_design = Weights::of(set).unwrap_or(Weights::PLAIN);
    let terms =
        (0..set.len()).map(|row| (set.patient[row], by_design.of_row(set, row) * squares[row]));
    let share = dominance(terms);
    let basis = Basis::of(events.min(others))
        .dominated(share)
        .and(areas.beside(model));
    let key = |metric| EstimateKey::whole(metric, id.clone(), set.endpoint.clone());
    let weights = Weights::of(set).and_then(|weights| {
        if set.is_empty() {
            return Err(Undefined::NoCases);
        }
        Ok(weights)
    });
    let (plain, scaled) = match weights {
        Ok(weights) => {
            let scores = Scores::of(set, &squares, weights);
            (scores.plain(), scores.scaled())
        }
        Err(why) => (Found::undefined(why), Found::undefined(why)),
    };
    Some([
        Estimate::whole(set, key(Metric::Brier), plain, basis),
        Estimate::whole(set, key(Metric::ScaledBrier), scaled, basis),
    ])
}

/// Squared errors of at least one case.
struct Scores<'a> {
    set: &'a AnalysisSet<'a>,
    squares: &'a [f64],
    weights: Weights,
    n: f64,
    mean: f64,
    prevalence: f64,
}

impl<'a> Scores<'a> {
    fn of(set: &'a AnalysisSet<'a>, squares: &'a [f64], weights: Weights) -> Self {
        let weight = |row: usize| weights.of_row(set, row);
        let n = sum_iter((0..set.len()).map(weight));
        let mass = |value: &dyn Fn(usize) -> f64| -> f64 {
            let terms: Vec<f64> = (0..set.len()).map(|row| weight(row) * value(row)).collect();
            sum(&terms) / n
        };
        Self {
            set,
            squares,
            weights,
            n,
            mean: mass(&|row| squares[row]),
            prevalence: mass(&|row| f64::from(u8::from(set.outcome[row]))),
        }
    }

    fn variance(&self, influence: impl Fn(usize) -> f64) -> Result<f64, Undefined> {
        let influence: Vec<f64> = (0..self.squares.len())
            .map(|row| self.weights.of_row(self.set, row) * influence(row))
            .collect();
        clustered_variance(&influence, &self.set.patient)
            .filter(|variance| *variance > 0.0)
            .ok_or(Undefined::NoVariance)
    }

    fn plain(&self) -> Found {
        let variance = self.variance(|row| (self.squares[row] - self.mean) / self.n);
        Found::normal(Scale::Identity, Ok(self.mean), variance)
    }

    /// `S = 1 - B / U`, `U = pi (1 - pi)`: `dS = -dB / U + B (1 - 2 pi) dpi / U^2`.
    fn scaled(&self) -> Found {
        let (pi, uncertainty) = (self.prevalence, self.prevalence * (1.0 - self.prevalence));
        if uncertainty <= 0.0 {
            return Found::undefined(Undefined::OneClass);
        }
        let slope = self.mean * (1.0 - 2.0 * pi) / (uncertainty * uncertainty);
        let variance = self.variance(|row| {
            let event = f64::from(u8::from(self.set.outcome[row]));
            let loss = (self.squares[row] - self.mean) / uncertainty;
            (slope * (event - pi) - loss) / self.n
        });
        let value = 1.0 - self.mean / uncertainty;
        Found::normal(Scale::Identity, Ok(value), variance)
    }
}
