//! What a simulation found, beside what was promised.
//!
//! From: `sites`, `pools`.
//! To: `main`.

use shared::numeric::distribution::binomial_cdf;

/// Coverage below this is a failure where theory promises the nominal level (decision C16).
const FLOOR: f64 = 0.94;
/// Coverage above this is named over-coverage.
const CEILING: f64 = 0.96;
/// How rarely a true coverage of [`FLOOR`] may fail.
const ALPHA: f64 = 1e-3;

/// One interval in one scenario.
#[derive(Clone, Debug)]
pub struct Line {
    pub scenario: String,
    pub quantity: String,
    /// Whether the nominal level is promised here, or merely described.
    pub promised: bool,
    pub replicates: u64,
    /// Replicates in which the interval exists.
    pub defined: u64,
    /// Of these, those whose interval holds the truth.
    pub covered: u64,
}

impl Line {
    pub fn new(scenario: &str, quantity: &str, promised: bool) -> Self {
        Self {
            scenario: scenario.to_owned(),
            quantity: quantity.to_owned(),
            promised,
            replicates: 0,
            defined: 0,
            covered: 0,
        }
    }

    /// Enters one replicate.
    pub fn enter(&mut self, interval: Option<(f64, f64)>, truth: f64) {
        self.replicates += 1;
        if let Some((low, high)) = interval {
            self.defined += 1;
            self.covered += u64::from(low <= truth && truth <= high);
        }
    }

    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.defined.max(1) as f64
    }

    /// Standard error of the coverage from the number of replicates.
    pub fn error(&self) -> f64 {
        let coverage = self.coverage();
        (coverage * (1.0 - coverage) / self.defined.max(1) as f64).sqrt()
    }

    fn below(&self) -> bool {
        self.defined > 0
            && binomial_cdf(self.covered, self.defined, FLOOR).is_some_and(|tail| tail < ALPHA)
    }

    /// Promised, and not kept.
    pub fn fails(&self) -> bool {
        self.promised && (self.below() || self.defined == 0)
    }

    fn verdict(&self) -> &'static str {
        if self.fails() {
            "FAILS"
        } else if self.below() {
            "below"
        } else if self.coverage() - 2.0 * self.error() > CEILING {
            "over"
        } else {
            "holds"
        }
    }
}

/// All lines of a run.
pub struct Table(Vec<Line>);

impl Table {
    pub fn new(mut lines: Vec<Line>) -> Self {
        lines.sort_by(|a, b| (&a.scenario, &a.quantity).cmp(&(&b.scenario, &b.quantity)));
        Self(lines)
    }

    /// A table in Markdown.
    pub fn print(&self) {
        println!("| scenario | interval | nominal | observed | Monte Carlo error | defined | |");
        println!("|---|---|---|---|---|---|---|");
        for line in &self.0 {
            println!(
                "| {} | {} | 95 % | {:.1} % | {:.2} | {:.1} % | {}{} |",
                line.scenario,
                line.quantity,
                100.0 * line.coverage(),
                100.0 * line.error(),
                100.0 * line.defined as f64 / line.replicates.max(1) as f64,
                line.verdict(),
                if line.promised { "" } else { ", described" },
            );
        }
    }

    pub fn demand(&self) {
        assert!(!self.0.is_empty());
        let failing: Vec<String> = self
            .0
            .iter()
            .filter(|line| line.fails())
            .map(|line| {
                format!(
                    "{}, {}: {} of {}",
                    line.scenario, line.quantity, line.covered, line.defined
                )
            })
            .collect();
        assert!(failing.is_empty(), "too low:\n{}", failing.join("\n"));
    }
}
