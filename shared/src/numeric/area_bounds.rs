//! Where the AUC lies when scores are known by blocks only, and of each block's count only two
//! bounds: an identification region, not an interval of chance.
//!
//! With `c(i, j)` true where every score of event block `i` is above every score of non-event
//! block `j`, the AUC is at least the share of pairs with `c`. For counts between bounds, the
//! share of non-events certainly below block `i` is least with those at their lower bounds and
//! the others at their upper ones; the mean of these shares over events is a ratio of linear
//! functions of the events' counts and is least where the blocks with the smallest shares are at
//! their upper bounds. Taking the two steps one after the other bounds the joint problem from
//! below, so the region is valid and may be a little too wide. The upper end is one minus the same
//! with the classes exchanged. Source: Manski (2003), Partial Identification of Probability
//! Distributions, doi:10.1007/b97478, chapter 1.
//!
//! From: released histograms.
//! To: `pool::curve`, `coordinator::intake`.

use super::Interval;
use super::sum::count;

/// Scores from bin `first` to bin `last` of a grid, with between `low` and `high` cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBlock {
    /// First bin.
    pub first: u32,
    /// Last bin.
    pub last: u32,
    /// Fewest cases.
    pub low: u64,
    /// Most cases.
    pub high: u64,
}

/// The values in `[0, 1]` that the AUC of the raw scores can have; `None` when a class may hold
/// nobody.
pub fn area_bounds(events: &[ScoreBlock], non_events: &[ScoreBlock]) -> Option<Interval> {
    let some = |class: &[ScoreBlock]| class.iter().any(|block| block.low > 0);
    if !(some(events) && some(non_events)) {
        return None;
    }
    Some(Interval {
        lower: least_above(events, non_events),
        upper: 1.0 - least_above(non_events, events),
    })
}

/// Least share of pairs in which the case of `upper` certainly scores above that of `lower`.
fn least_above(upper: &[ScoreBlock], lower: &[ScoreBlock]) -> f64 {
    let mut shares: Vec<(f64, &ScoreBlock)> = upper
        .iter()
        .filter(|block| block.high > 0)
        .map(|block| (least_below(block, lower), block))
        .collect();
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut cases) = (0.0, 0.0);
    for (share, block) in &shares {
        pairs += share * count(block.low);
        cases += count(block.low);
    }
    let mut least = if cases > 0.0 { pairs / cases } else { 1.0 };
    for (share, block) in &shares {
        let more = count(block.high.saturating_sub(block.low));
        pairs += share * more;
        cases += more;
        if cases > 0.0 {
            least = least.min(pairs / cases);
        }
    }
    least.clamp(0.0, 1.0)
}

/// Least share of the class `lower` that certainly scores below `block`.
fn least_below(block: &ScoreBlock, lower: &[ScoreBlock]) -> f64 {
    let (mut below, mut others) = (0.0, 0.0);
    for other in lower {
        if other.last < block.first {
            below += count(other.low);
        } else {
            others += count(other.high);
        }
    }
    if others > 0.0 {
        below / (below + others)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::random::Draws;

    fn block(first: u32, last: u32, low: u64, high: u64) -> ScoreBlock {
        ScoreBlock {
            first,
            last,
            low,
            high,
        }
    }

    #[test]
    fn exact_single_bins_leave_only_ties_open() {
        let events = [block(0, 0, 1, 1), block(1, 1, 3, 3)];
        let rest = [block(0, 0, 4, 4), block(1, 1, 0, 0)];
        // 12 of 16 pairs are in order, 4 stand in one bin.
        let found = area_bounds(&events, &rest).unwrap();
        assert!((found.lower - 0.75).abs() < 1e-15 && found.upper == 1.0);
        assert_eq!(area_bounds(&events, &[block(0, 1, 0, 9)]), None);
        assert_eq!(area_bounds(&[], &rest), None);
    }

    /// Whatever scores and counts the blocks allow, the AUC lies inside; and with exact counts some
    /// scores reach either end.
    #[test]
    fn no_table_that_the_blocks_allow_lies_outside() {
        let mut draws = Draws::new(11);
        for _ in 0..300 {
            let mut class = |shift: u64| -> Vec<u64> {
                (0..8)
                    .map(|bin| draws.below(6) + if bin >= 4 { shift } else { 0 })
                    .collect()
            };
            let (events, rest) = (class(5), class(0));
            let mut blocks = |counts: &[u64]| -> Vec<ScoreBlock> {
                let width = [1_usize, 2, 4][usize::try_from(draws.below(3)).unwrap()];
                let parts = counts.chunks(width).zip((0_u32..).step_by(width));
                parts
                    .map(|(part, first)| {
                        let sum: u64 = part.iter().sum();
                        let last = first + u32::try_from(width).unwrap() - 1;
                        block(
                            first,
                            last,
                            sum - sum.min(draws.below(3)),
                            sum + draws.below(3),
                        )
                    })
                    .collect()
            };
            let (a, b) = (blocks(&events), blocks(&rest));
            let Some(found) = area_bounds(&a, &b) else {
                continue;
            };
            assert!(found.lower <= found.upper);
            // Within a bin the raw scores may be in any order.
            for ties in [0.0, 0.5, 1.0] {
                let (mut pairs, mut all) = (0.0, 0.0);
                for (i, e) in events.iter().enumerate() {
                    for (j, n) in rest.iter().enumerate() {
                        let both = count(*e) * count(*n);
                        all += both;
                        pairs += match i.cmp(&j) {
                            std::cmp::Ordering::Greater => both,
                            std::cmp::Ordering::Equal => ties * both,
                            std::cmp::Ordering::Less => 0.0,
                        };
                    }
                }
                if all > 0.0 {
                    let area = pairs / all;
                    let inside = found.lower - 1e-12..=found.upper + 1e-12;
                    assert!(inside.contains(&area), "{area} outside {found:?}");
                }
            }
        }
    }
}
