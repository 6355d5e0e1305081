//! Fisher's exact test of a table of any size (Freeman and Halton 1951,
//! doi:10.1093/biomet/38.1-2.141): the probability, given all margins, of a table no more
//! probable than the one observed.
//!
//! Lines of the longer side are taken one after another; what remains of the other side's
//! totals is the state. As in the network algorithm of Mehta and Patel (1983,
//! doi:10.1080/01621459.1983.10477989), the most and the least probable completion of every
//! state are found first; a path whose completions all count, or none, is closed at once by
//! the closed form of their sum. Two-by-two tables have their own code: `conditional`.
//!
//! From: `statistic::contingency`, on exact counts.
//! To: the report's contingency tables.

use std::collections::BTreeMap;

use super::conditional::ConditionalFault;
use super::sum::{Neumaier, count};

/// Steps that the search may take: some hundredths of a second, as a release has many tables.
const MOST_WORK: u64 = 100_000;

/// Cases beyond this are left to the asymptotic test: logarithms of factorials lose digits.
const MOST_CASES: u64 = 200_000;

/// Tables within this factor of the observed probability count as equally probable, as in R.
const TIE: f64 = 1e-7;

/// Logarithms of weights that differ by less are one path.
const SAME: f64 = 1e10;

/// The two-sided p value of a table of counts `table[row][column]`, in `[0, 1]`, as R's
/// `fisher.test`. Lines without counts are passed over.
///
/// # Errors
/// [`ConditionalFault::NoFreedom`] below two rows or columns with counts, or for lines of
/// different length; [`ConditionalFault::TooLarge`] beyond the work limit: then the
/// asymptotic test is all there is.
pub fn fisher_exact_table(table: &[Vec<u64>]) -> Result<f64, ConditionalFault> {
    let mut search = Search::of(table)?;
    let stages = search.stages()?;
    let bounds = search.bounds(&stages)?;
    search.sum(&bounds)
}

/// What remains of the totals of the shorter side, ascending: which line is which does not
/// matter to the weights.
type State = Vec<u32>;

/// Logarithms of the largest and smallest weight of a completion.
type Bounds = BTreeMap<State, (f64, f64)>;

struct Search {
    /// Totals of the longer side, in the order they are taken.
    lines: Vec<u32>,
    /// Totals of the shorter side.
    start: State,
    /// Logarithm of the observed table's weight, the product of 1 / cell!.
    observed: f64,
    /// Logarithm of the constant that makes weights probabilities.
    constant: f64,
    /// `ln k!` by `k`.
    factorial: Vec<f64>,
    work: u64,
}

impl Search {
    fn of(table: &[Vec<u64>]) -> Result<Self, ConditionalFault> {
        let width = table.first().map_or(0, Vec::len);
        if table.iter().any(|row| row.len() != width) {
            return Err(ConditionalFault::NoFreedom);
        }
        let cells = table.iter().flatten().copied();
        let n = cells
            .clone()
            .try_fold(0_u64, u64::checked_add)
            .filter(|n| *n <= MOST_CASES)
            .ok_or(ConditionalFault::TooLarge)?;
        let factorial = factorials(n);
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let rows: Vec<u32> = table.iter().map(|row| small(row.iter().sum())).collect();
        let columns = (0..width).map(|c| small(table.iter().map(|row| row[c]).sum()));
        let keep = |totals: Vec<u32>| -> Vec<u32> {
            let mut kept: Vec<u32> = totals.into_iter().filter(|total| *total > 0).collect();
            kept.sort_unstable();
            kept
        };
        let (rows, columns) = (keep(rows), keep(columns.collect()));
        if rows.len() < 2 || columns.len() < 2 {
            return Err(ConditionalFault::NoFreedom);
        }
        let at = |k: u64| usize::try_from(k).ok().and_then(|k| factorial.get(k));
        let log = |k: u64| at(k).copied().unwrap_or(f64::INFINITY);
        let observed = -total(cells.map(log));
        let margins = total(rows.iter().chain(&columns).map(|k| log(u64::from(*k))));
        let constant = margins - log(n);
        let (start, mut lines) = if rows.len() <= columns.len() {
            (rows, columns)
        } else {
            (columns, rows)
        };
        // Large lines first: few states are left when the small ones come.
        lines.reverse();
        Ok(Self {
            lines,
            start,
            observed,
            constant,
            factorial,
            work: 0,
        })
    }

    fn log_factorial(&self, k: u32) -> f64 {
        let found = self.factorial.get(k as usize).copied();
        found.unwrap_or(f64::INFINITY)
    }

    fn spend(&mut self, steps: u64) -> Result<(), ConditionalFault> {
        self.work = self.work.saturating_add(steps);
        if self.work > MOST_WORK {
            return Err(ConditionalFault::TooLarge);
        }
        Ok(())
    }

    /// The states before each line.
    fn stages(&mut self) -> Result<Vec<Vec<State>>, ConditionalFault> {
        let mut stages = vec![vec![self.start.clone()]];
        for line in 0..self.lines.len() {
            let mut next: Vec<State> = Vec::new();
            for state in stages.last().cloned().unwrap_or_default() {
                next.extend(self.steps(&state, line)?.into_iter().map(|step| step.0));
            }
            next.sort_unstable();
            next.dedup();
            stages.push(next);
        }
        Ok(stages)
    }

    /// Every way to fill a line: the state that follows, and the logarithm of its weight.
    fn steps(&mut self, state: &State, line: usize) -> Result<Vec<(State, f64)>, ConditionalFault> {
        let Some(wanted) = self.lines.get(line).copied() else {
            return Ok(Vec::new());
        };
        let mut open: Vec<(State, u32, f64)> = vec![(Vec::new(), wanted, 0.0)];
        for (place, room) in state.iter().enumerate() {
            // What the later places can still take.
            let later: u32 = state[place + 1..].iter().sum();
            let ends = |left: u32| (left.saturating_sub(later), left.min(*room));
            // Counted before any is made: one place of a large table has millions.
            let ways = open.iter().map(|(_, left, _)| {
                let (least, most) = ends(*left);
                u64::from((most + 1).saturating_sub(least))
            });
            self.spend(ways.sum())?;
            let mut next = Vec::new();
            for (filled, left, weight) in &open {
                let (least, most) = ends(*left);
                for cell in least..=most {
                    let mut filled = filled.clone();
                    filled.push(room - cell);
                    next.push((filled, left - cell, weight - self.log_factorial(cell)));
                }
            }
            open = next;
        }
        let sorted = open.into_iter().map(|(mut state, _, weight)| {
            state.sort_unstable();
            (state, weight)
        });
        Ok(sorted.collect())
    }

    fn bounds(&mut self, stages: &[Vec<State>]) -> Result<Vec<Bounds>, ConditionalFault> {
        let mut found: Vec<Bounds> = stages.iter().map(|_| Bounds::new()).collect();
        for stage in (0..stages.len()).rev() {
            for state in &stages[stage] {
                let steps = self.steps(state, stage)?;
                let mut both = (f64::NEG_INFINITY, f64::INFINITY);
                if stage + 1 == stages.len() {
                    both = (0.0, 0.0);
                }
                for (next, weight) in steps {
                    let after = found.get(stage + 1).and_then(|known| known.get(&next));
                    if let Some((most, least)) = after {
                        both = (both.0.max(weight + most), both.1.min(weight + least));
                    }
                }
                found[stage].insert(state.clone(), both);
            }
        }
        Ok(found)
    }

    /// Logarithm of the sum of the weights of every completion: a multinomial identity.
    fn completions(&self, state: &State, line: usize) -> f64 {
        let rest: u32 = state.iter().sum();
        let lines = self.lines[line..].iter();
        self.log_factorial(rest) - total(lines.chain(state).map(|k| self.log_factorial(*k)))
    }

    fn sum(&mut self, bounds: &[Bounds]) -> Result<f64, ConditionalFault> {
        // Logarithm of a path's weight so far, and how many paths have it.
        let mut paths: BTreeMap<State, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
        let first = BTreeMap::from([(0, (0.0, 1.0))]);
        paths.insert(self.start.clone(), first);
        let limit = self.observed + TIE;
        let mut p = Neumaier::default();
        for (line, known) in bounds.iter().enumerate() {
            let mut after: BTreeMap<State, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
            for (state, weights) in std::mem::take(&mut paths) {
                let Some((most, least)) = known.get(&state).copied() else {
                    continue;
                };
                let rest = self.completions(&state, line);
                let mut open = Vec::new();
                for (weight, times) in weights.into_values() {
                    if weight + most <= limit {
                        p.add(times * libm::exp(self.constant + weight + rest));
                    } else if weight + least <= limit {
                        open.push((weight, times));
                    }
                }
                if open.is_empty() {
                    continue;
                }
                let steps = self.steps(&state, line)?;
                self.spend((steps.len() * open.len()) as u64)?;
                for (next, step) in steps {
                    let there = after.entry(next).or_default();
                    for (weight, times) in &open {
                        join(there, weight + step, *times);
                    }
                }
            }
            paths = after;
        }
        Ok(p.total().clamp(0.0, 1.0))
    }
}

/// Adds `times` paths of one weight to those that have it within rounding.
fn join(paths: &mut BTreeMap<i64, (f64, f64)>, weight: f64, times: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights are below 1e7, so the key is below 2^63"
    )]
    let key = libm::round(weight * SAME) as i64;
    let known = paths.entry(key).or_insert((weight, 0.0));
    known.1 += times * libm::exp(weight - known.0);
}

fn factorials(n: u64) -> Vec<f64> {
    let mut sum = Neumaier::default();
    let mut all = vec![0.0];
    for k in 1..=n {
        sum.add(libm::log(count(k)));
        all.push(sum.total());
    }
    all
}

fn total(values: impl Iterator<Item = f64>) -> f64 {
    super::sum::sum_iter(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::table::fisher_exact;

    #[test]
    fn two_by_two_is_the_conditional_test() {
        for table in [[[3, 1], [1, 3]], [[0, 12], [7, 9]], [[72, 25], [92, 114]]] {
            let lists: Vec<Vec<u64>> = table.iter().map(|row| row.to_vec()).collect();
            let (got, expected) = (
                fisher_exact_table(&lists).unwrap(),
                fisher_exact(table, 0.95).unwrap().two_sided,
            );
            assert!((got / expected - 1.0).abs() < 1e-9, "{got} {expected}");
        }
    }

    #[test]
    fn larger_tables_equal_r() {
        // fisher.test(matrix(c(0,6,3,1,0,8,42,29,29,5), 2, byrow = TRUE)) in R 4.2.2.
        let p = fisher_exact_table(&[vec![0, 6, 3, 1, 0], vec![8, 42, 29, 29, 5]]).unwrap();
        assert!((p / 0.664_406_155_385_899 - 1.0).abs() < 1e-8);
        // R's example of job satisfaction (Agresti 2002, table 2.8) takes three million steps.
        let jobs = [[1, 2, 1, 0], [3, 3, 6, 1], [10, 10, 14, 9], [6, 7, 12, 11]];
        let jobs: Vec<Vec<u64>> = jobs.iter().map(|row| row.to_vec()).collect();
        assert_eq!(fisher_exact_table(&jobs), Err(ConditionalFault::TooLarge));
    }

    #[test]
    fn every_table_of_small_margins_is_counted() {
        // Brute force over all tables with these margins.
        let observed = [[2_u64, 1, 0], [0, 2, 3], [1, 0, 4]];
        let rows: Vec<u64> = observed.iter().map(|r| r.iter().sum()).collect();
        let columns: Vec<u64> = (0..3)
            .map(|c| observed.iter().map(|r| r[c]).sum())
            .collect();
        let factorial = |k: u64| (1..=k).map(|x| x as f64).product::<f64>();
        let weight = |t: &[[u64; 3]; 3]| -> f64 {
            1.0 / t.iter().flatten().map(|x| factorial(*x)).product::<f64>()
        };
        let (mut all, mut extreme) = (0.0, 0.0);
        for code in 0..6_u64.pow(4) {
            let free: Vec<u64> = (0..4).map(|i| code / 6_u64.pow(i) % 6).collect();
            let [a, b, c, d] = [free[0], free[1], free[2], free[3]];
            let (Some(e), Some(f)) = (rows[0].checked_sub(a + b), rows[1].checked_sub(c + d))
            else {
                continue;
            };
            let last = [(0, a + c), (1, b + d), (2, e + f)].map(|(i, s)| columns[i].checked_sub(s));
            let [Some(g), Some(h), Some(i)] = last else {
                continue;
            };
            let w = weight(&[[a, b, e], [c, d, f], [g, h, i]]);
            all += w;
            if w <= weight(&observed) * (1.0 + 1e-7) {
                extreme += w;
            }
        }
        let lists: Vec<Vec<u64>> = observed.iter().map(|row| row.to_vec()).collect();
        let got = fisher_exact_table(&lists).unwrap();
        assert!((got / (extreme / all) - 1.0).abs() < 1e-10);
        let turned: Vec<Vec<u64>> = (0..3)
            .map(|c| observed.iter().map(|row| row[c]).collect())
            .collect();
        assert!((fisher_exact_table(&turned).unwrap() / got - 1.0).abs() < 1e-10);
    }

    #[test]
    fn what_cannot_be_computed_is_an_error() {
        assert_eq!(fisher_exact_table(&[]), Err(ConditionalFault::NoFreedom));
        let line = [vec![3, 4, 5], vec![0, 0, 0]];
        assert_eq!(fisher_exact_table(&line), Err(ConditionalFault::NoFreedom));
        let large: Vec<Vec<u64>> = (0..8)
            .map(|r| (0..8).map(|c| 90 + r * c).collect())
            .collect();
        assert_eq!(fisher_exact_table(&large), Err(ConditionalFault::TooLarge));
        let many = [vec![1 << 40, 5], vec![7, 9], vec![1, 1]];
        assert_eq!(fisher_exact_table(&many), Err(ConditionalFault::TooLarge));
    }
}
