//! A population whose every metric is known: within each outcome class the marker is normal, so
//! that the true risk is logistic in it, and predictions miss that risk by a known intercept and
//! slope. Rows of one patient may be alike; the law of a single row stays the same.
//!
//! From: `sites`.
//! To: `sites`.

use harness::random::{Draw, Row};
use shared::numeric::distribution::{inverse_logit, logit, normal_sf};

/// The population of one site.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    pub prevalence: f64,
    /// Distance of the classes' means, by model; the index model first.
    pub separation: [f64; 2],
    /// `logit(risk) = intercept + slope * logit(prediction)`.
    pub intercept: f64,
    pub slope: f64,
    pub patients: usize,
    /// Each patient has one to this many rows.
    pub most_rows: usize,
    /// Correlation of two rows of a patient, in marker and in outcome.
    pub alike: f64,
}

/// A standard normal number (Box and Muller 1958).
pub fn normal(draw: &mut Draw) -> f64 {
    let (u, v) = (1.0 - draw.unit(), draw.unit());
    (-2.0 * libm::log(u)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * v)
}

/// Correlation of the two models' markers within a class.
const SHARED: f64 = 0.6;

impl Law {
    fn log_odds(&self, model: usize, marker: f64) -> f64 {
        let separation = self.separation[model];
        logit(self.prevalence).unwrap() + separation * (marker - separation / 2.0)
    }

    fn prediction(&self, model: usize, marker: f64) -> f64 {
        let predictor = (self.log_odds(model, marker) - self.intercept) / self.slope;
        inverse_logit(predictor).unwrap()
    }

    /// One site's table.
    pub fn rows(&self, draw: &mut Draw) -> Vec<Row> {
        let (own, alike) = ((1.0 - self.alike).sqrt(), self.alike.sqrt());
        let mut rows = Vec::new();
        for patient in 0..self.patients {
            let common: Vec<f64> = (0..3).map(|_| normal(draw)).collect();
            for _ in 0..draw.within(1, self.most_rows + 1) {
                let mut mixed = |place: usize| own * normal(draw) + alike * common[place];
                let event = normal_sf(mixed(0)).unwrap() < self.prevalence;
                let (first, second) = (mixed(1), mixed(2));
                let noise = [
                    first,
                    SHARED * first + (1.0 - SHARED * SHARED).sqrt() * second,
                ];
                let score = [0, 1].map(|model| {
                    let centre = if event { self.separation[model] } else { 0.0 };
                    Some(self.prediction(model, centre + noise[model]))
                });
                rows.push(Row {
                    patient: patient as u32,
                    outcome: Some(event),
                    score,
                    level: Vec::new(),
                    number: None,
                });
            }
        }
        rows
    }

    /// The truth of a metric of the model with this index, by the name it has in a bundle; `None`
    /// for a metric without a simulated truth.
    pub fn truth(&self, metric: &str, model: usize, threshold: Option<f64>) -> Option<f64> {
        let area = |model: usize| {
            normal_sf(-self.separation[model] * std::f64::consts::FRAC_1_SQRT_2).unwrap()
        };
        let (event, other) = (self.prevalence, 1.0 - self.prevalence);
        let above = |class: bool| {
            let at = logit(threshold?)? * self.slope + self.intercept;
            let separation = self.separation[model];
            let marker = (at - logit(self.prevalence)?) / separation + separation / 2.0;
            normal_sf(marker - if class { separation } else { 0.0 })
        };
        let (hit, alarm) = (above(true), above(false));
        let odds = threshold.map(|at| at / (1.0 - at));
        let rates = hit
            .zip(alarm)
            .map(|(hit, alarm)| (event * hit, other * alarm));
        Some(match metric {
            "auc" => area(model),
            "auc-difference" => area(0) - area(1),
            "observed-expected" => event / self.mean(model, |p, _| p),
            "brier" => self.mean(model, |p, y| (p - y) * (p - y)),
            "scaled-brier" => 1.0 - self.mean(model, |p, y| (p - y) * (p - y)) / (event * other),
            "calibration-slope" => self.slope,
            "joint-intercept" => self.intercept,
            "citl" => self.shift(model),
            "log-loss" => self.mean(model, |p, y| -libm::log(if y > 0.5 { p } else { 1.0 - p })),
            "average-precision" => self.precision(model),
            "accuracy" => rates.map(|(tp, fp)| tp + other - fp)?,
            "balanced-accuracy" => (hit? + 1.0 - alarm?) / 2.0,
            "youden-index" => hit? - alarm?,
            "f1" => rates.map(|(tp, fp)| 2.0 * tp / (tp + fp + event))?,
            "kappa" => rates.map(|(tp, fp)| {
                let chance = event * (tp + fp) + other * (1.0 - tp - fp);
                (tp + other - fp - chance) / (1.0 - chance)
            })?,
            "mcc" => rates.map(|(tp, fp)| {
                let selected = tp + fp;
                let margins = event * other * selected * (1.0 - selected);
                (tp - event * selected) / margins.sqrt()
            })?,
            "likelihood-ratio-positive" => hit? / alarm?,
            "likelihood-ratio-negative" => (1.0 - hit?) / (1.0 - alarm?),
            "diagnostic-odds-ratio" => hit? * (1.0 - alarm?) / (alarm? * (1.0 - hit?)),
            "prevalence" => event,
            "sensitivity" => hit?,
            "specificity" => 1.0 - alarm?,
            "selection-rate" => event * hit? + other * alarm?,
            "ppv" => event * hit? / (event * hit? + other * alarm?),
            "npv" => other * (1.0 - alarm?) / (event * (1.0 - hit?) + other * (1.0 - alarm?)),
            "net-benefit" => event * hit? - other * alarm? * odds?,
            "net-benefit-treat-all" => event - other * odds?,
            "net-benefit-over-treat-all" => other * (1.0 - alarm?) * odds? - event * (1.0 - hit?),
            "interventions-avoided" => other * (1.0 - alarm?) - event * (1.0 - hit?) / odds?,
            "standardised-net-benefit" => hit? - other * alarm? * odds? / event,
            _ => return None,
        })
    }

    /// What has to be added to every logit of a prediction for the mean to be the prevalence.
    fn shift(&self, model: usize) -> f64 {
        let (mut low, mut high) = (-10.0, 10.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            let mean = self.mean(model, |p, _| {
                logit(p).map_or(p, |at| inverse_logit(at + middle).unwrap())
            });
            if mean < self.prevalence {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low + high) / 2.0
    }

    /// Mean precision at the thresholds where events lie.
    fn precision(&self, model: usize) -> f64 {
        let separation = self.separation[model];
        let at = |p: f64| {
            let log_odds = logit(p).unwrap_or(-40.0) * self.slope + self.intercept;
            let marker = (log_odds - logit(self.prevalence).unwrap()) / separation;
            let marker = marker + separation / 2.0;
            let hits = self.prevalence * normal_sf(marker - separation).unwrap();
            hits / (hits + (1.0 - self.prevalence) * normal_sf(marker).unwrap())
        };
        self.mean(model, |p, y| if y > 0.5 { at(p) } else { 0.0 }) / self.prevalence
    }

    /// Mean over the population of a function of prediction and outcome, by Simpson's rule.
    fn mean(&self, model: usize, of: impl Fn(f64, f64) -> f64) -> f64 {
        const STEPS: usize = 2000;
        let (low, high) = (-9.0, 9.0 + self.separation[model]);
        let width = (high - low) / STEPS as f64;
        let density = |x: f64| libm::exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
        let sum: f64 = (0..=STEPS)
            .map(|step| {
                let marker = low + width * step as f64;
                let p = self.prediction(model, marker);
                let weight = match step {
                    0 | STEPS => 1.0,
                    step if step % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                let event = self.prevalence * density(marker - self.separation[model]) * of(p, 1.0);
                let other = (1.0 - self.prevalence) * density(marker) * of(p, 0.0);
                weight * (event + other)
            })
            .sum();
        sum * width / 3.0
    }
}

/// The truths agree with a large sample, or every coverage would be of something else.
#[test]
fn truths_are_those_of_a_large_sample() {
    let law = Law {
        prevalence: 0.3,
        separation: [1.2, 0.7],
        intercept: -0.3,
        slope: 0.8,
        patients: 60_000,
        most_rows: 3,
        alike: 0.4,
    };
    let rows = law.rows(&mut Draw(5));
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
    let indicator = |row: &Row| f64::from(u8::from(row.event()));
    let events = mean(&indicator);
    let close = |what: &str, threshold, sample: f64| {
        let truth = law.truth(what, 0, threshold).unwrap();
        assert!((truth - sample).abs() < 0.01, "{what}: {truth} {sample}");
    };
    close("prevalence", None, events);
    close(
        "observed-expected",
        None,
        events / mean(&|row| row.score(0)),
    );
    close(
        "brier",
        None,
        mean(&|row| (row.score(0) - indicator(row)) * (row.score(0) - indicator(row))),
    );
    let positive = |row: &Row| f64::from(u8::from(row.score(0) >= 0.4));
    close("selection-rate", Some(0.4), mean(&positive));
    close(
        "sensitivity",
        Some(0.4),
        mean(&|row| positive(row) * indicator(row)) / events,
    );
    close(
        "ppv",
        Some(0.4),
        mean(&|row| positive(row) * indicator(row)) / mean(&positive),
    );
    let outcome: Vec<bool> = rows.iter().map(Row::event).collect();
    let score = |model: usize| -> Vec<f64> { rows.iter().map(|row| row.score(model)).collect() };
    let patient: Vec<u32> = rows.iter().map(|row| row.patient).collect();
    let area = |model: usize| {
        let found = shared::numeric::delong::auc(&outcome, &score(model), &patient);
        found.unwrap().auc.unwrap()
    };
    for (what, at) in [
        ("citl", None),
        ("average-precision", None),
        ("log-loss", None),
    ] {
        assert!(law.truth(what, 0, at).unwrap().is_finite(), "{what}");
    }
    close("auc", None, area(0));
    close("auc-difference", None, area(0) - area(1));
}
