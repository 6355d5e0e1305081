//! Small symmetric systems: what a regression of a handful of columns needs.
//!
//! Cholesky's factorisation without pivoting (Higham 2009, doi:10.1002/wics.18). A matrix that
//! is not positive definite to working precision has no factor: collinear columns are a status,
//! never a huge number.
//!
//! From: `pool` (meta-regression, bivariate and binomial models).
//! To: plain numbers.

/// A square matrix, stored by rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Square {
    n: usize,
    cells: Vec<f64>,
}

/// The lower triangle `L` of `A = L L'`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    n: usize,
    lower: Vec<f64>,
}

/// A pivot this small beside its diagonal entry counts as zero.
const SINGULAR: f64 = 1e-13;

impl Square {
    /// `n` rows and columns of zeros.
    pub fn zeros(n: usize) -> Self {
        Self {
            n,
            cells: vec![0.0; n * n],
        }
    }

    /// A matrix from a function of row and column.
    pub fn from_fn(n: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let cells = (0..n * n).map(|place| entry(place / n, place % n));
        Self {
            n,
            cells: cells.collect(),
        }
    }

    /// Rows, which are as many as columns.
    pub fn size(&self) -> usize {
        self.n
    }

    /// The entry at row `i` and column `j`.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.cells[i * self.n + j]
    }

    /// Adds to the entry at row `i` and column `j`.
    pub fn add(&mut self, i: usize, j: usize, value: f64) {
        self.cells[i * self.n + j] += value;
    }

    /// The matrix product with another of the same size.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self::from_fn(self.n, |i, j| {
            (0..self.n).map(|m| self.at(i, m) * other.at(m, j)).sum()
        })
    }

    /// The product with a vector.
    pub fn apply(&self, vector: &[f64]) -> Vec<f64> {
        (0..self.n)
            .map(|i| {
                vector
                    .iter()
                    .enumerate()
                    .map(|(j, x)| self.at(i, j) * x)
                    .sum()
            })
            .collect()
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.n).map(|i| self.at(i, i)).sum()
    }

    /// The factor of a symmetric positive definite matrix (its lower triangle is read); `None`
    /// where it is singular to working precision, indefinite or not finite.
    pub fn cholesky(&self) -> Option<Cholesky> {
        let n = self.n;
        let mut lower = vec![0.0; n * n];
        for j in 0..n {
            for i in j..n {
                let known: f64 = (0..j).map(|m| lower[i * n + m] * lower[j * n + m]).sum();
                let rest = self.at(i, j) - known;
                if i == j {
                    let usable = rest.is_finite() && rest > SINGULAR * self.at(j, j).abs();
                    if !usable {
                        return None;
                    }
                    lower[j * n + j] = rest.sqrt();
                } else {
                    lower[i * n + j] = rest / lower[j * n + j];
                }
            }
        }
        Some(Cholesky { n, lower })
    }
}

impl Cholesky {
    /// `A^-1 b`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.n;
        let mut x = right.to_vec();
        for i in 0..n {
            let known: f64 = (0..i).map(|m| self.lower[i * n + m] * x[m]).sum();
            x[i] = (x[i] - known) / self.lower[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|m| self.lower[m * n + i] * x[m]).sum();
            x[i] = (x[i] - known) / self.lower[i * n + i];
        }
        x
    }

    /// `A^-1`.
    pub fn inverse(&self) -> Square {
        let columns: Vec<Vec<f64>> = (0..self.n)
            .map(|j| {
                let unit: Vec<f64> = (0..self.n)
                    .map(|i| if i == j { 1.0 } else { 0.0 })
                    .collect();
                self.solve(&unit)
            })
            .collect();
        Square::from_fn(self.n, |i, j| columns[j][i])
    }

    /// `log |A|`.
    pub fn log_determinant(&self) -> f64 {
        let n = self.n;
        2.0 * (0..n)
            .map(|i| libm::log(self.lower[i * n + i]))
            .sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_of_a_hilbert_block_is_the_known_one() {
        let hilbert = Square::from_fn(3, |i, j| 1.0 / (i + j + 1) as f64);
        let factor = hilbert.cholesky().unwrap();
        let inverse = factor.inverse();
        let known = [
            [9.0, -36.0, 30.0],
            [-36.0, 192.0, -180.0],
            [30.0, -180.0, 180.0],
        ];
        for (i, row) in known.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                assert!((inverse.at(i, j) - value).abs() < 1e-10);
            }
        }
        assert!((factor.log_determinant() - libm::log(1.0 / 2160.0)).abs() < 1e-12);
        let back = hilbert.apply(&factor.solve(&[1.0, 2.0, 3.0]));
        assert!((back[2] - 3.0).abs() < 1e-12);
        assert!((hilbert.times(&inverse).trace() - 3.0).abs() < 1e-11);
    }

    #[test]
    fn singular_indefinite_and_undefined_matrices_have_no_factor() {
        let collinear = Square::from_fn(2, |i, j| ((i + 1) * (j + 1)) as f64);
        assert_eq!(collinear.cholesky(), None);
        let indefinite = Square::from_fn(2, |i, j| if i == j { 1.0 } else { 2.0 });
        assert_eq!(indefinite.cholesky(), None);
        let mut undefined = Square::zeros(1);
        undefined.add(0, 0, f64::NAN);
        assert_eq!(undefined.cholesky(), None);
    }
}
