//! Planning: how many patients and hospitals a validation needs, and what a given number of
//! them can show.
//!
//! * [`external`]: one population, after Riley et al. (2021, doi:10.1002/sim.9025): O:E, the
//!   c-statistic, the calibration slope and the standardised net benefit.
//! * [`power`]: the classical power formulas for two proportions, a t test, a goodness of fit
//!   and one area under the ROC curve.
//! * [`network`]: several hospitals whose true areas differ: the width of the pooled interval,
//!   the prediction interval, the chance of an answer, and the hospitals needed for it.
//! * [`noise`]: what differential privacy will cost.
//!
//! A plan is arithmetic on guesses: it has no data, so nothing here is merged or disclosed. A
//! guess outside its range gives `None`, never a number.
//!
//! From: `fedval study power`.
//! To: plain numbers.

pub mod external;
pub mod network;
pub mod noise;
pub mod power;

/// Largest number of patients that a search considers.
pub const PATIENTS_MAX: u64 = 100_000_000;

/// The smallest `n` in `from..=to` for which `enough` holds, where it holds for every larger
/// one; `None` if not even `to` is enough.
fn smallest(from: u64, to: u64, enough: impl Fn(u64) -> bool) -> Option<u64> {
    if from > to || !enough(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// `value` if it lies strictly between 0 and 1.
fn share(value: f64) -> Option<f64> {
    (value > 0.0 && value < 1.0).then_some(value)
}

/// `value` rounded up, if it is a number of patients that a study could have.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn patients(value: f64) -> Option<u64> {
    let whole = value.ceil();
    (whole >= 0.0 && whole <= super::sum::count(PATIENTS_MAX)).then_some(whole as u64)
}
