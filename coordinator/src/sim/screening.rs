//! A made-up screening cohort: patients, their outcome, two scores. The same seed gives the same
//! table on every machine. Nobody is behind it.
//!
//! Hospitals differ as real ones do: in size, in how common the disease is, in how far the score
//! is off. The disease is so rare that a hospital of this size may show almost nothing alone.
//!
//! From: `fedval sim --template screening`.
//! To: a hospital's `predictions.csv`.

use std::fmt::Write as _;

use shared::numeric::distribution::{inverse_logit, normal_quantile};
use shared::numeric::random::Draws;

/// Patients of the smallest hospital, and how many more the largest has.
const PATIENTS: (u64, u64) = (300, 500);

/// The table of the hospital with this number, CSV.
pub fn table(hospital: u64) -> String {
    let mut draws = Draws::new(hospital.wrapping_mul(7919).wrapping_add(2026));
    let patients = PATIENTS.0 + draws.below(PATIENTS.1);
    // Log-odds of the disease, bias and spread of the made-up model.
    let common = -3.0 + 0.35 * normal(&mut draws);
    let bias = 0.3 * normal(&mut draws);
    let spread = 0.9 + 0.25 * draws.unit();
    let mut text = "case_id,y,p_ai,p_nomogram,age,density,vendor\n".to_owned();
    for patient in 1..=patients {
        let age = 50 + u32::try_from(draws.below(25)).unwrap_or(0);
        let density = ["A", "B", "C", "D"][usize::try_from(draws.below(4)).unwrap_or(0)];
        let vendor = ["north", "south"][usize::from(draws.below(3) == 0)];
        let years = (f64::from(age) - 62.0) / 8.0;
        let lesion = normal(&mut draws);
        let truth = common + 0.35 * years + 1.25 * lesion;
        let event = draws.unit() < risk(truth);
        let dense = if density == "D" { 1.5 } else { 1.0 };
        let seen = truth + bias + dense * spread * 0.8 * normal(&mut draws);
        let asked = common + 0.35 * years + 0.5 * normal(&mut draws);
        let _ = writeln!(
            text,
            "h{hospital:02}-{patient:04},{},{:.4},{:.4},{age},{density},{vendor}",
            u8::from(event),
            risk(seen),
            risk(asked),
        );
    }
    text
}

/// The risk at these log-odds, neither impossible nor certain.
fn risk(log_odds: f64) -> f64 {
    inverse_logit(log_odds).map_or(0.5, |risk| risk.clamp(0.0001, 0.9999))
}

fn normal(draws: &mut Draws) -> f64 {
    let inside = draws.unit().clamp(1e-9, 1.0 - 1e-9);
    normal_quantile(inside).unwrap_or(0.0)
}
