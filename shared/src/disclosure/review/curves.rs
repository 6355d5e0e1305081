//! Review of 2x2 tables and histograms, which speak about the same patients along the score and
//! are therefore decided together: thresholds whose table is shown are block edges.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::{Rule, blocks, rounding, small_cell};
use crate::statistic::Statistic;
use crate::statistic::calibration_bins::{CalibrationBins, PredictionBin};
use crate::statistic::confusion::{Confusion, Rate, RateMeasure};
use crate::statistic::histogram::{Block, Histogram, bin_of};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount};

impl Gate<'_> {
    /// D7 with decision P2: a 2x2 table is shown when its four cells are large enough and, between
    /// it and the last table shown, at least k patients of each class lie or none does; and when each
    /// of them differs from every group of an earlier release by nobody or by k patients (L2).
    pub(super) fn note_tables(&mut self, statistics: &[Statistic<Exact>]) {
        let mut tables: Vec<&Confusion<Exact>> = Vec::new();
        for statistic in statistics {
            if let Statistic::Confusion(table) = statistic {
                tables.push(table);
            }
        }
        let k = self.policy.min_cell();
        let mut shown: Vec<&Confusion<Exact>> = Vec::new();
        for table in tables {
            // The patients between two thresholds are at least as many as the two counts differ
            // by; where patients repeat, equal numbers of patients may hide a case or two.
            let gap = |before: &ExactCount, after: &ExactCount| {
                before.rows == after.rows || before.patients.abs_diff(after.patients) >= k
            };
            let apart = shown
                .iter()
                .filter(|other| other.model == table.model && other.endpoint == table.endpoint)
                .all(|other| {
                    gap(&other.true_positive, &table.true_positive)
                        && gap(&other.false_positive, &table.false_positive)
                });
            let large = cells(table)
                .iter()
                .all(|cell| cell.patients >= k && cell.nearest >= k);
            if !self.policy.protects() || (self.cuts && large && apart) {
                let key = (
                    table.model.to_string(),
                    table.endpoint.to_string(),
                    table.threshold,
                );
                self.shown_cuts.push(key);
                shown.push(table);
            }
        }
    }

    pub(super) fn table_shown(&self, model: &str, endpoint: &str, threshold: f64) -> bool {
        self.shown_cuts
            .iter()
            .any(|(m, e, t)| m == model && e == endpoint && t.to_bits() == threshold.to_bits())
    }

    /// Mean predictions within bins say more than the histogram's blocks, and tenths cut across
    /// these: they leave only where the policy does not protect. Staff read one line.
    pub(super) fn calibration_bins(
        &mut self,
        one: CalibrationBins<Exact>,
    ) -> CalibrationBins<Disclosed> {
        let open = !self.policy.protects();
        let name = format!("bins of the calibration curve of {}", one.model);
        let smallest = one.grid.iter().map(|bin| bin.n.patients).min().unwrap_or(0);
        let (grid, tenths) = if open {
            (self.bins(one.grid), self.bins(one.tenths))
        } else {
            (Vec::new(), Vec::new())
        };
        let words = if open {
            format!("{} bins", grid.len() + tenths.len())
        } else {
            "nothing".to_owned()
        };
        self.item(&name, smallest, words, Rule::Estimate, open);
        CalibrationBins {
            model: one.model,
            endpoint: one.endpoint,
            grid,
            tenths,
        }
    }

    fn bins(&mut self, bins: Vec<PredictionBin<Exact>>) -> Vec<PredictionBin<Disclosed>> {
        let before = self.items.len();
        let bins = bins
            .into_iter()
            .map(|bin| PredictionBin {
                n: self.count("", &bin.n),
                events: self.count("", &bin.events),
                mean: self.real("", bin.mean, Rule::Estimate),
                mean_square: self.real("", bin.mean_square, Rule::Estimate),
                mean_of_events: self.real("", bin.mean_of_events, Rule::Estimate),
            })
            .collect();
        self.items.truncate(before);
        bins
    }

    pub(super) fn confusion(&mut self, one: Confusion<Exact>) -> Confusion<Disclosed> {
        let shown = self.table_shown(one.model.as_str(), one.endpoint.as_str(), one.threshold);
        let name = format!("{} at {}", one.model, one.threshold);
        let rule = Rule::OperatingPoint;
        let bounds = self.bounds_of_small(&one, shown);
        let mut cell = |what: &str, count: &ExactCount| {
            // A cell that is hidden because it is small says so, and no more (decision C1).
            let known = bounds.as_ref().is_some_and(|known| known.tells(what));
            let small = known && !small_cell::shows(self.policy, count.patients);
            let rule = if small { Rule::SmallCell } else { rule };
            self.count_if(&format!("{name}: {what}"), count, shown, rule)
        };
        let true_positive = cell("true positives", &one.true_positive);
        let false_positive = cell("false positives", &one.false_positive);
        let false_negative = cell("false negatives", &one.false_negative);
        let true_negative = cell("true negatives", &one.true_negative);
        let rates = one
            .rates
            .into_iter()
            .map(|rate| {
                let name = format!("{name}: {}", rate.measure.words());
                let value = self.real_if(&name, rate.value, Rule::Rate, shown);
                Rate {
                    n: self.count_if(&format!("{name}, cases"), &rate.n, shown, rule),
                    value: bounds
                        .as_ref()
                        .map_or(value, |known| known.of(rate.measure, value)),
                    low: self.real_if(&format!("{name}, lower end"), rate.low, Rule::Rate, shown),
                    high: self.real_if(&format!("{name}, upper end"), rate.high, Rule::Rate, shown),
                    measure: rate.measure,
                }
            })
            .collect();
        Confusion {
            model: one.model,
            endpoint: one.endpoint,
            threshold: one.threshold,
            true_positive,
            false_positive,
            false_negative,
            true_negative,
            rates,
        }
    }

    /// What small cells say about the rates of a table that is not shown: only that they are
    /// small, against the class totals as they are released. Nothing is said of a class so small
    /// that both its cells could be, since each would bound the other; nor where patients repeat,
    /// since few patients may own many cases.
    fn bounds_of_small(&self, one: &Confusion<Exact>, shown: bool) -> Option<SmallCells> {
        if shown || self.clustered || !self.policy.protects() {
            return None;
        }
        let small = |count: &ExactCount| !small_cell::shows(self.policy, count.patients);
        let total = |a: &ExactCount, b: &ExactCount| {
            let k = self.policy.min_cell();
            let total = rounding::count(a.rows + b.rows, self.policy.rounding(), k);
            total.bounds().map_or(0, |(least, _)| least)
        };
        Some(SmallCells {
            most: self.policy.min_cell().saturating_sub(1),
            events: total(&one.true_positive, &one.false_negative),
            others: total(&one.true_negative, &one.false_positive),
            sensitivity: [small(&one.false_negative), small(&one.true_positive)],
            specificity: [small(&one.false_positive), small(&one.true_negative)],
        })
    }

    pub(super) fn histogram(&mut self, one: Histogram<Exact>) -> Histogram<Disclosed> {
        let (model, endpoint) = (one.model.to_string(), one.endpoint.to_string());
        let edges = &self.protocol.histogram.edges;
        let thresholds: Vec<f64> = self
            .shown_cuts
            .iter()
            .filter(|(m, e, _)| *m == model && *e == endpoint)
            .map(|(_, _, threshold)| *threshold)
            .collect();
        let cuts = thresholds.iter().map(|cut| bin_of(edges, *cut)).collect();
        // A threshold inside a bin would leave a seam between table and block: then the class
        // stays one block (decision P2).
        let on_grid = thresholds.iter().all(|cut| edges.contains(cut));
        let cuts: Option<Vec<usize>> = Some(cuts).filter(|_| on_grid);
        let name = format!("score histogram of {model}");
        Histogram {
            events: self.class(&format!("{name}, events"), one.events, cuts.as_deref()),
            non_events: self.class(
                &format!("{name}, non-events"),
                one.non_events,
                cuts.as_deref(),
            ),
            model: one.model,
            endpoint: one.endpoint,
        }
    }

    pub(super) fn class(
        &mut self,
        name: &str,
        bins: Vec<Block<Exact>>,
        cuts: Option<&[usize]>,
    ) -> Vec<Block<Disclosed>> {
        if !self.policy.protects() {
            return bins
                .into_iter()
                .map(|bin| Block {
                    count: self.count(&format!("{name}, bin {}", bin.first), &bin.count),
                    first: bin.first,
                    last: bin.last,
                })
                .collect();
        }
        let rows: Vec<u64> = bins.iter().map(|bin| bin.count.rows).collect();
        let total: u64 = rows.iter().sum();
        // Distinct patients of merged bins are not the sum of the bins': where patients repeat
        // the class stays one block.
        let cuts = cuts.filter(|_| !self.clustered && self.cuts);
        let most = cuts.map_or(1, |_| self.most_blocks(total));
        let cuts = inhabited(&rows, cuts.unwrap_or(&[]));
        let k = self.policy.min_cell();
        let allowed = |bin: usize| bins.get(bin).is_some_and(|bin| bin.count.nearest >= k);
        blocks::merge(&rows, &cuts, &allowed, (k, most))
            .into_iter()
            .map(|block| {
                let rows = rows[block.first..=block.last].iter().sum();
                let count = ExactCount::new(rows, rows);
                let name = format!("{name}, bins {} to {}", block.first, block.last);
                Block {
                    count: self.count_if(&name, &count, true, Rule::Histogram),
                    first: bins[block.first].first,
                    last: bins[block.last].last,
                }
            })
            .collect()
    }

    /// At most n / (2k) blocks, and never more than the policy's bound.
    fn most_blocks(&self, total: u64) -> usize {
        let by_size = total / (2 * self.policy.min_cell()).max(1);
        usize::try_from(by_size)
            .unwrap_or(usize::MAX)
            .clamp(1, self.policy.max_blocks())
    }
}

/// Which cells of a hidden table are small, and the least that its class totals may be.
struct SmallCells {
    /// Largest count of a small cell.
    most: u64,
    /// Least number of events, as released.
    events: u64,
    /// Least number of non-events, as released.
    others: u64,
    /// Whether misses, and hits, among events are small.
    sensitivity: [bool; 2],
    /// Whether misses, and hits, among non-events are small.
    specificity: [bool; 2],
}

impl SmallCells {
    /// Whether a class of at least so many has at most one small cell.
    fn is_telling(&self, least: u64) -> bool {
        least > 2 * self.most
    }

    /// Whether the cell called `what` may say that it is small.
    fn tells(&self, what: &str) -> bool {
        let of_events = what == "true positives" || what == "false negatives";
        self.is_telling(if of_events { self.events } else { self.others })
    }

    /// The one-sided bound of a rate whose misses (or hits) are fewer than k of a class of at
    /// least so many; other rates stay as they are.
    fn of(&self, measure: RateMeasure, cell: Cell<f64>) -> Cell<f64> {
        let (least, small) = match measure {
            RateMeasure::Sensitivity => (self.events, self.sensitivity),
            RateMeasure::Specificity => (self.others, self.specificity),
            RateMeasure::Ppv
            | RateMeasure::Npv
            | RateMeasure::SelectionRate
            | RateMeasure::Prevalence => return cell,
        };
        let Cell::Suppressed { lo, hi } = cell else {
            return cell;
        };
        if !self.is_telling(least) {
            return cell;
        }
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let share = self.most as f64 / least as f64;
        Cell::Suppressed {
            lo: if small[0] { lo.max(1.0 - share) } else { lo },
            hi: if small[1] { hi.min(share) } else { hi },
        }
    }
}

fn cells(table: &Confusion<Exact>) -> [&ExactCount; 4] {
    [
        &table.true_positive,
        &table.false_positive,
        &table.false_negative,
        &table.true_negative,
    ]
}

/// The cuts without those that part nobody from the cut before: an empty block between two
/// thresholds would be a released zero.
fn inhabited(rows: &[u64], cuts: &[usize]) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut from = 0;
    for cut in cuts {
        let between: u64 = rows.get(from..*cut).map_or(0, |part| part.iter().sum());
        if between > 0 {
            kept.push(*cut);
            from = *cut;
        }
    }
    kept
}
