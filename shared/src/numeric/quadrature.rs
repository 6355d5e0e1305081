//! Gauss-Hermite rules: integrals against the standard normal law.
//!
//! Nodes are the zeros of the orthonormal Hermite polynomial, found by sign changes and halving
//! to the last bit; weights are the reciprocals of the Christoffel sums (Golub and Welsch 1969,
//! doi:10.1090/S0025-5718-69-99647-1, for the theory). A rule of `n` nodes is exact for
//! polynomials of degree `2 n - 1`.
//!
//! From: `pool` (binomial-normal models).
//! To: nodes and weights.

use super::distribution::bisect;

/// A node of a rule with its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Where the function is evaluated, in standard deviations.
    pub at: f64,
    /// Its weight; a rule's weights add to 1.
    pub weight: f64,
}

/// Cells per node in the search for sign changes; the closest zeros of the rules used here are
/// several cells apart.
const CELLS: usize = 200;

/// The rule of `n` nodes, in ascending order, for the standard normal law: `sum w f(x)` is about
/// the mean of `f`. Empty for 0; meant for `n` up to 40.
pub fn gauss_hermite(n: usize) -> Vec<Node> {
    let size = super::sum::count(n as u64);
    let reach = 2.0 * (size + 1.0).sqrt();
    let cells = CELLS * n;
    let edge = |cell: usize| {
        let share = super::sum::count(cell as u64) / super::sum::count(cells.max(1) as u64);
        reach * share
    };
    let value = |x: f64| orthonormal(n, x).0;
    let mut positive = Vec::new();
    for cell in 0..cells {
        // The zero of odd rules lies at the origin itself and is added below.
        let low = if cell == 0 { reach * 1e-6 } else { edge(cell) };
        let high = edge(cell + 1);
        let start = value(low);
        if (start > 0.0) != (value(high) > 0.0) {
            positive.push(bisect(low, high, |x| (value(x) > 0.0) == (start > 0.0)));
        }
    }
    let node = |at: f64| Node {
        at,
        weight: 1.0 / orthonormal(n, at).1,
    };
    let mut nodes: Vec<Node> = positive.iter().rev().map(|x| node(-x)).collect();
    if n % 2 == 1 {
        nodes.push(node(0.0));
    }
    nodes.extend(positive.iter().map(|x| node(*x)));
    nodes
}

/// The orthonormal polynomial of degree `n` under the standard normal law, and the sum of the
/// squares of those below it.
fn orthonormal(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut now, mut squares) = (0.0, 1.0, 0.0);
    for degree in 0..n {
        squares += now * now;
        let j = super::sum::count(degree as u64);
        let next = (x * now - j.sqrt() * before) / (j + 1.0).sqrt();
        before = now;
        now = next;
    }
    (now, squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_normal_law_are_exact() {
        for n in [1, 2, 5, 7, 13, 20] {
            let rule = gauss_hermite(n);
            assert_eq!(rule.len(), n);
            let mut moment = 1.0;
            for degree in 0..n {
                let got: f64 = rule
                    .iter()
                    .map(|node| node.weight * libm::pow(node.at, (2 * degree) as f64))
                    .sum();
                assert!((got - moment).abs() <= 1e-10 * moment, "{n} {degree}");
                moment *= (2 * degree + 1) as f64;
            }
        }
    }

    #[test]
    fn three_nodes_are_the_textbook_rule() {
        let rule = gauss_hermite(3);
        assert!((rule[2].at - 3.0_f64.sqrt()).abs() < 1e-14);
        assert!((rule[2].weight - 1.0 / 6.0).abs() < 1e-14);
        assert_eq!(rule[1].at, 0.0);
        assert!(gauss_hermite(0).is_empty());
    }
}
