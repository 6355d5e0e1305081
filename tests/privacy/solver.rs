//! The attacker's arithmetic. Every count that was told is a sum over atoms, the patients who stand
//! in the same counted groups. Elimination modulo a prime finds atoms that the told counts isolate;
//! linear programming over them finds protected cells that are bounded too closely. It is written
//! apart from the program's own elimination, to another prime: a fault of one must not hide in both.
//!
//! From: `question` (what an answer tells).
//! To: `adaptive`, `named`.

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};
use shared::statistic::Cell;

use crate::hospital::{Hospital, Patient};

const WORDS: usize = 10;
/// 2^31 - 1.
const PRIME: u64 = (1 << 31) - 1;
const MANY: u64 = 1 << 40;

/// A set of patients of one hospital, by place.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Set([u64; WORDS]);

impl Set {
    /// Those in the table for whom `holds`.
    pub fn of(hospital: &Hospital, holds: impl Fn(&Patient) -> bool) -> Self {
        let mut set = Self::default();
        for place in &hospital.present {
            if holds(&hospital.people[*place]) {
                set.0[place / 64] |= 1 << (place % 64);
            }
        }
        set
    }

    fn zip(&self, other: &Self, word: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| word(self.0[at], other.0[at])))
    }

    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn holds(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..64 * WORDS).filter(|place| self.holds(*place))
    }
}

/// What an outsider knows of one group.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lo: u64,
    hi: u64,
    /// Told in a form that gives the number away.
    exact: bool,
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub struct Known {
    facts: BTreeMap<Set, Bounds>,
    hidden: BTreeSet<Set>,
}

/// A small group that the attacker has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub patients: u64,
    pub how: &'static str,
}

impl Known {
    fn add(&mut self, set: &Set, new: Bounds) {
        if set.len() > 0 {
            let entry = self.facts.entry(*set).or_insert(new);
            entry.lo = entry.lo.max(new.lo);
            entry.hi = entry.hi.min(new.hi);
            entry.exact |= new.exact;
        }
    }

    /// A count that is granted exactly where it is shown.
    pub fn count(&mut self, set: &Set, cell: Cell<u64>) {
        let truth = set.len();
        if cell.number().is_some() {
            let (lo, hi) = (truth, truth);
            self.add(
                set,
                Bounds {
                    lo,
                    hi,
                    exact: true,
                },
            );
        } else if let Cell::Suppressed { lo, hi } = cell {
            let exact = false;
            self.add(set, Bounds { lo, hi, exact });
            self.hidden.insert(*set);
        }
    }

    /// A count that is told by its rounded value alone.
    pub fn rounded(&mut self, set: &Set, cell: Cell<u64>) {
        if let Some((lo, hi)) = cell.bounds() {
            assert!(lo <= set.len() && set.len() <= hi, "{cell:?}");
            let exact = lo == hi;
            self.add(set, Bounds { lo, hi, exact });
        }
    }

    /// How many counts were told.
    pub fn told(&self) -> usize {
        self.facts.values().filter(|one| one.exact).count()
    }

    /// Patients by the facts that hold them.
    fn atoms(&self, exact: bool) -> Vec<(Vec<usize>, Set)> {
        let facts = self.facts.iter().filter(|(_, known)| known.exact || !exact);
        let mut of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, (set, _)) in facts.enumerate() {
            for place in set.places() {
                of.entry(place).or_default().push(index);
            }
        }
        let mut atoms: BTreeMap<Vec<usize>, Set> = BTreeMap::new();
        for (place, facts) in of {
            let set = atoms.entry(facts).or_default();
            set.0[place / 64] |= 1 << (place % 64);
        }
        atoms.into_iter().collect()
    }

    /// Atoms of fewer than `k` patients whose number follows from the told counts.
    pub fn isolated(&self, k: u64) -> Vec<Found> {
        let atoms = self.atoms(true);
        if atoms.iter().all(|(_, set)| set.len() >= k) {
            return Vec::new();
        }
        let mut rows = vec![vec![0_u64; atoms.len()]; self.told()];
        for (column, (facts, _)) in atoms.iter().enumerate() {
            for fact in facts {
                rows[*fact][column] = 1;
            }
        }
        eliminate(&mut rows);
        let only = |row: &Vec<u64>| {
            let mut filled = (0..row.len()).filter(|column| row[*column] != 0);
            filled.next().filter(|_| filled.next().is_none())
        };
        let alone = rows.iter().filter_map(only);
        let sizes = alone.map(|column| atoms[column].1.len());
        let how = "isolated";
        let found = sizes.filter(|patients| *patients < k);
        found.map(|patients| Found { patients, how }).collect()
    }

    /// Cells of 1 to `k` - 1 patients that were withheld, or by which two told groups differ, whose
    /// possible numbers are fewer than the audit asks for; at most `most` are tried.
    pub fn pinned(&self, k: u64, width: u64, most: usize, turn: usize) -> Vec<Found> {
        let mut targets = self.hidden.clone();
        for one in self.facts.keys() {
            for other in self.facts.keys() {
                targets.insert(one.without(other));
            }
        }
        targets.retain(|set| (1..k).contains(&set.len()));
        let targets: Vec<Set> = targets.into_iter().collect();
        let chosen = (0..targets.len().min(most)).map(|at| targets[(turn + at) % targets.len()]);
        let pinned = chosen.filter(|target| self.is_pinned(target, width));
        let how = "pinned";
        let found = pinned.map(|target| Found {
            patients: target.len(),
            how,
        });
        found.collect()
    }

    fn is_pinned(&self, target: &Set, width: u64) -> bool {
        let mut with = self.clone();
        let (lo, hi) = (0, MANY);
        with.add(
            target,
            Bounds {
                lo,
                hi,
                exact: false,
            },
        );
        let atoms = with.atoms(false);
        let place = with.facts.keys().position(|set| set == target);
        let extreme = |direction| {
            let mut problem = Problem::new(direction);
            let inside = |facts: &[usize]| place.is_some_and(|place| facts.contains(&place));
            let variables: Vec<Variable> = atoms
                .iter()
                .map(|(facts, _)| problem.add_var(f64::from(u8::from(inside(facts))), (0.0, 1e6)))
                .collect();
            for (index, known) in with.facts.values().enumerate() {
                let mut sum = LinearExpr::empty();
                for ((facts, _), variable) in atoms.iter().zip(&variables) {
                    if facts.contains(&index) {
                        sum.add(*variable, 1.0);
                    }
                }
                if known.lo == known.hi {
                    problem.add_constraint(sum, ComparisonOp::Eq, known.lo as f64);
                    continue;
                }
                if known.lo > 0 {
                    problem.add_constraint(sum.clone(), ComparisonOp::Ge, known.lo as f64);
                }
                if known.hi < MANY {
                    problem.add_constraint(sum, ComparisonOp::Le, known.hi as f64);
                }
            }
            let solved = problem.solve().unwrap().into_solution().unwrap();
            solved.objective()
        };
        let least = (extreme(OptimizationDirection::Minimize) - 1e-6).ceil();
        let most = (extreme(OptimizationDirection::Maximize) + 1e-6).floor();
        most - least < width as f64
    }
}

fn eliminate(rows: &mut [Vec<u64>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let mut done = 0;
    for column in 0..columns {
        let Some(found) = (done..rows.len()).find(|row| rows[*row][column] != 0) else {
            continue;
        };
        rows.swap(done, found);
        let factor = power(rows[done][column], PRIME - 2);
        for value in &mut rows[done][column..] {
            *value = *value * factor % PRIME;
        }
        let pivot = rows[done].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if index != done && factor != 0 {
                for (value, pivot) in row[column..].iter_mut().zip(&pivot[column..]) {
                    if *pivot != 0 {
                        *value = (*value + (PRIME - factor) * pivot) % PRIME;
                    }
                }
            }
        }
        done += 1;
        if done == rows.len() {
            return;
        }
    }
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut square, mut found) = (base, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            found = found * square % PRIME;
        }
        square = square * square % PRIME;
        exponent >>= 1;
    }
    found
}
