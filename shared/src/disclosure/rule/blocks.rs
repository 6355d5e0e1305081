//! D6 with decision P2: bins are merged along one fixed dyadic tree until every block holds
//! enough patients. Thresholds whose tables are shown are block edges too, so that no
//! difference between histogram and table is a small count.
//!
//! From: exact bin counts of one class.
//! To: `review` (histogram).

/// A merged block of bins `first..=last` with its count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Merged {
    /// First bin.
    pub first: usize,
    /// Last bin.
    pub last: usize,
}

/// Blocks of at least `least` each, cut at every bin index in `cuts` (a cut at `c` separates bin
/// `c - 1` from bin `c`), at most `most` of them. `counts` holds one count per bin. Segments
/// between cuts that are smaller than `least` stay one block: their count is what the tables at
/// the two thresholds give away already, and the caller has checked those. `allowed` says of a bin
/// index whether a cut may lie there at all.
pub fn merge(
    counts: &[u64],
    cuts: &[usize],
    allowed: &dyn Fn(usize) -> bool,
    (least, most): (u64, usize),
) -> Vec<Merged> {
    let mut least = least;
    loop {
        let blocks = partition(counts, cuts, allowed, least);
        let segments = cuts.len() + 1;
        if blocks.len() <= most.max(segments) {
            return blocks;
        }
        least += least.div_ceil(4).max(1);
    }
}

fn partition(
    counts: &[u64],
    cuts: &[usize],
    allowed: &dyn Fn(usize) -> bool,
    least: u64,
) -> Vec<Merged> {
    let size = counts.len().next_power_of_two().max(1);
    let mut edges = vec![0];
    edges.extend(
        cuts.iter()
            .copied()
            .filter(|cut| *cut > 0 && *cut < counts.len()),
    );
    edges.push(counts.len());
    let mut inner: Vec<usize> = edges.clone();
    for pair in edges.windows(2) {
        let tree = Tree {
            counts,
            allowed,
            least,
            from: pair[0],
            to: pair[1],
        };
        tree.split(0, size, pair[0], pair[1], &mut inner);
    }
    inner.sort_unstable();
    inner.dedup();
    inner
        .windows(2)
        .map(|pair| Merged {
            first: pair[0],
            last: pair[1] - 1,
        })
        .collect()
}

struct Tree<'a> {
    counts: &'a [u64],
    allowed: &'a dyn Fn(usize) -> bool,
    least: u64,
    from: usize,
    to: usize,
}

impl Tree<'_> {
    fn sum(&self, from: usize, to: usize) -> u64 {
        self.counts
            .get(from..to)
            .map_or(0, |part| part.iter().sum())
    }

    /// Splits the block `[low, high)` at the midpoints of the tree node `[start, start + size)`
    /// and its children; a side that is too small alone stays with its neighbour.
    fn split(&self, start: usize, size: usize, low: usize, high: usize, edges: &mut Vec<usize>) {
        if size < 2 || low >= high {
            return;
        }
        let half = size / 2;
        let middle = (start + half).clamp(self.from, self.to);
        let inside = middle > low && middle < high && (self.allowed)(middle);
        if inside && self.sum(low, middle) >= self.least && self.sum(middle, high) >= self.least {
            edges.push(middle);
            self.split(start, half, low, middle, edges);
            self.split(start + half, half, middle, high, edges);
            return;
        }
        // No edge here: the larger half may still be split, its outer block absorbing the rest.
        if self.sum(low, middle.min(high)) >= self.sum(middle.max(low), high) {
            self.split(start, half, low, high, edges);
        } else {
            self.split(start + half, half, low, high, edges);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everywhere(_: usize) -> bool {
        true
    }

    fn sums(counts: &[u64], blocks: &[Merged]) -> Vec<u64> {
        blocks
            .iter()
            .map(|block| counts[block.first..=block.last].iter().sum())
            .collect()
    }

    #[test]
    fn blocks_cover_every_bin_once_and_are_large_enough() {
        let counts: Vec<u64> = (0..129).map(|bin| (bin * 7) % 5).collect();
        let blocks = merge(&counts, &[64], &everywhere, (10, 32));
        assert_eq!(blocks.first().unwrap().first, 0);
        assert_eq!(blocks.last().unwrap().last, 128);
        assert!(
            blocks
                .windows(2)
                .all(|pair| pair[0].last + 1 == pair[1].first)
        );
        assert!(sums(&counts, &blocks).iter().all(|sum| *sum >= 10));
        assert!(blocks.iter().any(|block| block.first == 64));
        assert!(blocks.len() <= 32 && blocks.len() > 8);
    }

    #[test]
    fn edges_lie_on_the_fixed_tree() {
        let counts = [30, 0, 0, 0, 0, 0, 0, 30];
        let blocks = merge(&counts, &[], &everywhere, (10, 32));
        assert_eq!(sums(&counts, &blocks), [30, 30]);
        assert_eq!(blocks[1].first, 4);
    }

    #[test]
    fn too_few_for_two_blocks_is_one_block() {
        let counts = [3, 3, 3, 3, 3, 0, 0];
        let one = merge(&counts, &[], &everywhere, (10, 32));
        assert_eq!(one, [Merged { first: 0, last: 6 }]);
    }

    #[test]
    fn no_more_blocks_than_allowed() {
        let counts = vec![100; 128];
        assert!(merge(&counts, &[], &everywhere, (10, 7)).len() <= 7);
    }

    #[test]
    fn no_block_begins_where_none_may() {
        let counts = vec![100; 16];
        let blocks = merge(&counts, &[], &|bin| bin % 8 != 0, (10, 32));
        assert!(blocks.len() > 4);
        assert!(blocks.iter().skip(1).all(|block| block.first % 8 != 0));
    }
}
