//! Rates of lesions and of findings from their counts, and their intervals by patient.
//!
//! A lesion that is found and a finding that is right are counted apart, as one finding may
//! belong to two lesions and two findings to one; rules that match one to one make them equal.
//!
//! From: lesions matched at a site (`node::imaging`), sums of sites.
//! To: `bootstrap` (weights), plain numbers.

use super::bootstrap::{self, Bootstrap};
use super::sum::{Neumaier, count};

/// Added counts of scans.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Scans.
    pub scans: u64,
    /// Lesions of the truth.
    pub lesions: u64,
    /// Of these, found.
    pub found: u64,
    /// Findings that belong to a lesion.
    pub right: u64,
    /// Findings that belong to none.
    pub wrong: u64,
    /// Sum of the intersections over union of found lesions, each in `[0, 1]`.
    pub iou_sum: f64,
}

impl Tally {
    /// Found lesions among all; `None` without lesions.
    pub fn sensitivity(&self) -> Option<f64> {
        over(count(self.found), count(self.lesions))
    }

    /// Right findings among all; `None` without findings.
    pub fn precision(&self) -> Option<f64> {
        over(count(self.right), count(self.right) + count(self.wrong))
    }

    /// The harmonic mean of sensitivity and precision; 0 where both are 0, `None` where one of
    /// them does not exist.
    pub fn f1(&self) -> Option<f64> {
        let (recall, precision) = (self.sensitivity()?, self.precision()?);
        Some(over(2.0 * recall * precision, recall + precision).unwrap_or(0.0))
    }

    /// Wrong findings per scan; `None` without scans.
    pub fn false_positives_per_scan(&self) -> Option<f64> {
        over(count(self.wrong), count(self.scans))
    }

    /// Recognition quality, `TP / (TP + FP / 2 + FN / 2)`; `None` without lesions and wrong
    /// findings. Of a rule that matches one to one (Kirillov et al. 2019,
    /// doi:10.1109/CVPR.2019.00963), like the next two.
    pub fn recognition_quality(&self) -> Option<f64> {
        over(count(self.found), self.matched_size())
    }

    /// Segmentation quality: the mean intersection over union of found lesions; `None` without.
    pub fn segmentation_quality(&self) -> Option<f64> {
        over(self.iou_sum, count(self.found))
    }

    /// Panoptic quality, the product of both: the sum of the intersections over union over
    /// `TP + FP / 2 + FN / 2`.
    pub fn panoptic_quality(&self) -> Option<f64> {
        over(self.iou_sum, self.matched_size())
    }

    fn matched_size(&self) -> f64 {
        let missed = count(self.lesions) - count(self.found);
        count(self.found) + (count(self.wrong) + missed) / 2.0
    }

    /// The sum of patients' counts, each as often as `weights` says; patients beyond the weights
    /// count 0.
    pub fn weighted(patients: &[Self], weights: &[u32]) -> Self {
        let mut sum = Self::default();
        let mut iou = Neumaier::default();
        for (one, weight) in patients.iter().zip(weights).filter(|(_, w)| **w > 0) {
            let add = |sum: &mut u64, one: u64| {
                *sum = sum.saturating_add(one.saturating_mul(u64::from(*weight)));
            };
            add(&mut sum.scans, one.scans);
            add(&mut sum.lesions, one.lesions);
            add(&mut sum.found, one.found);
            add(&mut sum.right, one.right);
            add(&mut sum.wrong, one.wrong);
            iou.add(one.iou_sum * f64::from(*weight));
        }
        sum.iou_sum = iou.total();
        sum
    }

    /// Standard errors and intervals of `K` rates over patients' counts, from `resamples`
    /// resamples of patients and `seed`, at a two-sided `level` in (0, 1). With 2^32 patients or
    /// more nobody is drawn.
    pub fn bootstrap<const K: usize>(
        patients: &[Self],
        seed: u64,
        resamples: u32,
        level: f64,
        rates: impl Fn(&Self) -> [Option<f64>; K],
    ) -> [Bootstrap; K] {
        let number = u32::try_from(patients.len()).unwrap_or(0);
        bootstrap::intervals(number, seed, resamples, level, |weights| {
            rates(&Self::weighted(patients, weights))
        })
    }
}

/// A quotient; `None` unless the denominator is above 0 and the result finite.
fn over(numerator: f64, denominator: f64) -> Option<f64> {
    let quotient = numerator / denominator;
    (denominator > 0.0 && quotient.is_finite()).then_some(quotient)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::numeric::bootstrap::{BootstrapStatus, draw};
    use crate::numeric::random::Draws;

    #[test]
    fn qualities_are_those_of_panoptica() {
        let file = include_str!("../../../tests/fixtures/imaging/segmentation.json");
        let reference: Value = serde_json::from_str(file).unwrap();
        let mut seen = 0;
        for case in reference["lesionwise"]["values"]
            .as_object()
            .unwrap()
            .values()
        {
            for values in case["panoptica"].as_object().unwrap().values() {
                let number = |key: &str| values[key].as_u64().unwrap();
                let real = |key: &str| values[key].as_f64().unwrap();
                let found = number("tp");
                let tally = Tally {
                    scans: 1,
                    lesions: found + number("fn"),
                    found,
                    right: found,
                    wrong: number("fp"),
                    iou_sum: real("sq") * count(found),
                };
                let near = |got: Option<f64>, key: &str| {
                    assert!((got.unwrap() - real(key)).abs() <= 1e-11, "{key}");
                };
                near(tally.recognition_quality(), "rq");
                near(tally.panoptic_quality(), "pq");
                // One to one, recognition quality is F1.
                assert!(tally.f1().is_none_or(|f1| (f1 - real("rq")).abs() <= 1e-11));
                for (got, key) in [(tally.sensitivity(), "rec"), (tally.precision(), "prec")] {
                    match got {
                        Some(_) => near(got, key),
                        None => assert_eq!(values[key], Value::Null),
                    }
                }
                if found > 0 {
                    near(tally.segmentation_quality(), "sq");
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn what_has_no_denominator_does_not_exist() {
        let nothing = Tally::default();
        for rate in [
            nothing.sensitivity(),
            nothing.precision(),
            nothing.f1(),
            nothing.false_positives_per_scan(),
            nothing.recognition_quality(),
            nothing.segmentation_quality(),
            nothing.panoptic_quality(),
        ] {
            assert_eq!(rate, None);
        }
        let missed = Tally {
            scans: 2,
            lesions: 3,
            wrong: 1,
            ..nothing
        };
        assert_eq!(missed.f1(), Some(0.0));
        assert_eq!(missed.panoptic_quality(), Some(0.0));
        assert_eq!(missed.false_positives_per_scan(), Some(0.5));
    }

    fn site(patients: usize, seed: u64) -> Vec<Tally> {
        let mut draws = Draws::new(seed);
        let mut one = || {
            let lesions = draws.below(6);
            let found = draws.below(lesions + 1);
            let right = found + draws.below(2);
            Tally {
                scans: 1 + draws.below(2),
                lesions,
                found,
                right,
                wrong: draws.below(4),
                iou_sum: count(found) * (0.5 + draws.unit() / 2.0),
            }
        };
        (0..patients).map(|_| one()).collect()
    }

    fn rates(tally: &Tally) -> [Option<f64>; 5] {
        [
            tally.sensitivity(),
            tally.precision(),
            tally.f1(),
            tally.false_positives_per_scan(),
            tally.panoptic_quality(),
        ]
    }

    #[test]
    fn a_resample_is_the_sum_of_its_patients_written_out() {
        let patients = site(30, 4);
        let mut weights = vec![0; 30];
        draw(6, 2, &mut weights);
        let times = patients.iter().zip(&weights);
        let written: Vec<Tally> = times
            .flat_map(|(one, weight)| vec![*one; *weight as usize])
            .collect();
        let (one, two) = (
            Tally::weighted(&patients, &weights),
            Tally::weighted(&written, &[1; 30]),
        );
        assert!((one.iou_sum - two.iou_sum).abs() < 1e-12);
        assert_eq!(
            Tally {
                iou_sum: 0.0,
                ..one
            },
            Tally {
                iou_sum: 0.0,
                ..two
            }
        );
    }

    #[test]
    fn intervals_cover_the_rates_of_patients_drawn_together() {
        let patients = site(150, 5);
        let whole = Tally::weighted(&patients, &[1; 150]);
        let found = Tally::bootstrap(&patients, 11, 1000, 0.95, rates);
        for (rate, bootstrap) in rates(&whole).into_iter().zip(&found) {
            assert_eq!(bootstrap.status, BootstrapStatus::Estimated);
            let (bca, rate) = (bootstrap.bca.unwrap(), rate.unwrap());
            assert!(bca.lower < rate && rate < bca.upper);
        }
        // Wrong findings per scan is a ratio of sums: its linearised standard error is near.
        let rate = whole.false_positives_per_scan().unwrap();
        let square = |one: &Tally| {
            let residual = count(one.wrong) - rate * count(one.scans);
            residual * residual
        };
        let error = patients.iter().map(square).sum::<f64>().sqrt() / count(whole.scans);
        let ratio = found[3].standard_error.unwrap() / error;
        assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
        assert_eq!(
            Tally::bootstrap(&patients, 11, 1000, 0.95, rates),
            found,
            "a seed gives one result"
        );
    }
}
