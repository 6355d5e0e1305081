//! Points of a lattice as rows of bits. Every row has an empty word at both ends, so that the 64
//! points around any of its points are two loads away.
//!
//! From: `border`.
//! To: `nearest`.

/// Points of one word.
pub(super) const BITS: usize = 64;

/// Points of a lattice, one bit each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    /// Points along each axis.
    pub(super) shape: [usize; 3],
    /// Words from one row to the next, the two empty ones included.
    stride: usize,
    words: Vec<u64>,
}

impl Rows {
    /// No points.
    pub(super) fn empty(shape: [usize; 3]) -> Self {
        let stride = shape[0].div_ceil(BITS) + 2;
        Self {
            shape,
            stride,
            words: vec![0; stride * shape[1] * shape[2]],
        }
    }

    fn start(&self, y: usize, z: usize) -> usize {
        (z * self.shape[1] + y) * self.stride
    }

    /// The row at (y, z) without its empty ends: bit `x % 64` of word `x / 64`.
    pub(super) fn row(&self, y: usize, z: usize) -> &[u64] {
        let start = self.start(y, z);
        &self.words[start + 1..start + self.stride - 1]
    }

    /// The same, to be written. Bits beyond the row must stay 0.
    pub(super) fn row_mut(&mut self, y: usize, z: usize) -> &mut [u64] {
        let start = self.start(y, z);
        &mut self.words[start + 1..start + self.stride - 1]
    }

    /// Whether (x, y, z) is a point.
    pub(super) fn contains(&self, [x, y, z]: [usize; 3]) -> bool {
        let word = self.row(y, z).get(x / BITS);
        word.is_some_and(|word| word >> (x % BITS) & 1 == 1)
    }

    /// Calls `visit` with each point, along the rows.
    pub(super) fn each(&self, mut visit: impl FnMut([usize; 3])) {
        for z in 0..self.shape[2] {
            for y in 0..self.shape[1] {
                for (at, word) in self.row(y, z).iter().enumerate() {
                    each_bit(*word, |bit| visit([at * BITS + bit, y, z]));
                }
            }
        }
    }

    /// Steps along the row (y, z) from `x` to its nearest point, if there is one less than 32
    /// steps away.
    #[inline]
    pub(super) fn beside(&self, x: usize, y: usize, z: usize) -> Option<usize> {
        // Bit 32 of the window is x; the empty word in front makes up for the 32 before it.
        let (word, shift) = ((x + BITS / 2) / BITS, (x + BITS / 2) % BITS);
        let at = self.start(y, z) + word;
        let &[low, high] = self.words.get(at..at + 2)? else {
            return None;
        };
        let window = low >> shift | (high << 1) << (BITS - 1 - shift);
        let left = (window << (BITS / 2 - 1)).leading_zeros();
        let right = (window >> (BITS / 2)).trailing_zeros();
        Some(left.min(right) as usize).filter(|steps| *steps < BITS / 2)
    }

    /// Steps along the row (y, z) from `x` to its nearest point, if there is any.
    #[inline]
    pub(super) fn along(&self, x: usize, y: usize, z: usize) -> Option<usize> {
        let row = self.row(y, z);
        let (word, bit) = (x / BITS, x % BITS);
        let here = *row.get(word)?;
        let (below, above) = (here & (u64::MAX >> (BITS - 1 - bit)), here >> bit);
        let left = if below != 0 {
            Some(bit + below.leading_zeros() as usize + 1 - BITS)
        } else {
            let filled = row[..word].iter().rposition(|word| *word != 0);
            filled.map(|at| x + row[at].leading_zeros() as usize + 1 - BITS - at * BITS)
        };
        let right = if above != 0 {
            Some(above.trailing_zeros() as usize)
        } else {
            let filled = row[word + 1..].iter().position(|word| *word != 0);
            filled.map(|ahead| {
                let at = word + 1 + ahead;
                at * BITS + row[at].trailing_zeros() as usize - x
            })
        };
        match (left, right) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        }
    }

    /// Every 2 x 2 neighbouring rows as one.
    pub(super) fn joined(&self) -> Self {
        let [width, height, depth] = self.shape;
        let mut joined = Self::empty([width, height.div_ceil(2), depth.div_ceil(2)]);
        for z in 0..depth {
            for y in 0..height {
                let target = joined.row_mut(y / 2, z / 2);
                for (target, word) in target.iter_mut().zip(self.row(y, z)) {
                    *target |= word;
                }
            }
        }
        joined
    }
}

/// Calls `visit` with the place of each set bit, ascending.
#[inline]
pub(super) fn each_bit(word: u64, mut visit: impl FnMut(usize)) {
    let mut rest = word;
    while rest != 0 {
        visit(rest.trailing_zeros() as usize);
        rest &= rest - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_of_a_row_is_found_on_either_side() {
        let mut rows = Rows::empty([300, 2, 2]);
        let points = [0_usize, 63, 64, 100, 191, 192, 299];
        for kept in 0..1_usize << points.len() {
            let all = points.iter().enumerate();
            let chosen: Vec<usize> = all
                .filter(|(at, _)| kept >> at & 1 == 1)
                .map(|(_, x)| *x)
                .collect();
            rows.row_mut(1, 1).fill(0);
            for x in &chosen {
                rows.row_mut(1, 1)[x / 64] |= 1 << (x % 64);
            }
            for x in 0..300 {
                let expected = chosen.iter().map(|point| point.abs_diff(x)).min();
                assert_eq!(rows.along(x, 1, 1), expected, "{chosen:?} from {x}");
                let near = expected.filter(|steps| *steps < 32);
                assert_eq!(rows.beside(x, 1, 1), near, "{chosen:?} from {x}");
                assert_eq!(rows.along(x, 0, 1), None);
            }
            let mut seen = Vec::new();
            rows.each(|at| seen.push(at));
            let expected: Vec<[usize; 3]> = chosen.iter().map(|x| [*x, 1, 1]).collect();
            assert_eq!(seen, expected);
        }
        assert_eq!(rows.joined().along(5, 0, 0), Some(5));
    }
}
