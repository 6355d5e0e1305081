//! Rule L3: no small group may follow from sums and differences of many large ones. Two releases
//! that differ enough from each other can still isolate a patient together with a third.
//!
//! Patients who are in the same released groups form an atom. What follows from the released counts
//! are the vectors over the atoms that lie in the row space of the groups' memberships; one whose
//! atoms hold fewer than k patients together, and anybody at all, says something about them. That
//! there is none cannot be decided quickly in general; found are those that a reduction finds which
//! takes the large atoms first, so that what is left lies among the small ones. Every single atom is
//! decided exactly. Linear algebra is done modulo the prime 2^61 - 1, where nothing is rounded; a
//! vector in the row space over the rationals is in it there too.
//!
//! From: the groups of every release of a site.
//! To: the node, which withholds what would expose an atom.

use std::collections::{BTreeMap, BTreeSet};

use crate::statistic::patients::PatientSet;

/// 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;
/// Most cells of the matrix that is reduced; beyond, nobody can say, and nothing is released.
const CELLS: usize = 40_000_000;

/// The independent statements about fewer than `k` patients that follow from `groups`, and from none
/// of the parts of them in `tolerated` alone, each by its number of patients; `None` when there are
/// too many groups to say.
pub fn exposures(groups: &[&PatientSet], tolerated: &[&[&PatientSet]], k: u64) -> Option<Vec<u64>> {
    let groups: BTreeSet<&PatientSet> = groups.iter().copied().collect();
    let mut atoms = atoms(&groups);
    if atoms.iter().all(|(_, patients)| *patients >= k) {
        return Some(Vec::new());
    }
    if groups.len().saturating_mul(atoms.len()) > CELLS {
        return None;
    }
    atoms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let large = atoms.iter().take_while(|(_, patients)| *patients >= k);
    let large = large.count();
    // The row of a group that is two others together lies in the span of theirs.
    let span = |wanted: &BTreeSet<&PatientSet>| {
        let wanted: BTreeSet<&PatientSet> = dividing(wanted).into_iter().collect();
        let mut rows: Vec<Vec<u64>> = Vec::with_capacity(wanted.len());
        let mut row_of = vec![None; groups.len()];
        for (row_of, group) in row_of.iter_mut().zip(&groups) {
            if wanted.contains(group) {
                *row_of = Some(rows.len());
                rows.push(vec![0; atoms.len()]);
            }
        }
        for (column, (groups, _)) in atoms.iter().enumerate() {
            let rows_of = groups.iter().filter_map(|group| row_of[*group as usize]);
            rows_of.for_each(|row| rows[row][column] = 1);
        }
        reduce(&mut rows, large);
        rows
    };
    let about = |row: &Vec<u64>| -> u64 {
        let each = row.iter().zip(&atoms).filter(|(value, _)| **value != 0);
        each.map(|(_, atom)| atom.1).sum()
    };
    let mut few = span(&groups);
    few.retain(|row| (1..k).contains(&about(row)));
    for part in tolerated {
        if few.is_empty() {
            break;
        }
        let part: BTreeSet<&PatientSet> = part.iter().copied().collect();
        let known = span(&part);
        few.retain(|row| !lies_in(&known, row));
    }
    Some(few.iter().map(about).collect())
}

/// The groups of each atom, and its patients: those in no group yet are one class, and every group
/// divides each class into those inside and those outside. As long as classes are few they are sets,
/// divided 64 patients at a time; then every patient has the number of its class.
fn atoms(groups: &BTreeSet<&PatientSet>) -> Vec<(Vec<u32>, u64)> {
    let words = groups.iter().map(|group| group.words().len()).max();
    let mut few = vec![vec![u64::MAX; words.unwrap_or(0)]];
    let mut each = dividing(groups).into_iter();
    while few.len() <= FEW
        && let Some(members) = each.next()
    {
        divide(&mut few, members.words());
    }
    let found = refined(few, each).into_iter();
    let named = found.map(|class| {
        let of = (0_u32..).zip(groups);
        let of = of.filter(|(_, group)| group.contains(class.first));
        let of: Vec<u32> = of.map(|(number, _)| number).collect();
        (of, class.patients)
    });
    named.filter(|(groups, _)| !groups.is_empty()).collect()
}

/// The groups without those that are two others together, as a level is those of it with the event
/// and those without: these divide no further.
fn dividing<'a>(groups: &BTreeSet<&'a PatientSet>) -> Vec<&'a PatientSet> {
    let sized: Vec<(u64, &PatientSet)> = groups.iter().map(|one| (one.len(), *one)).collect();
    let mut by_size: BTreeMap<u64, Vec<&PatientSet>> = BTreeMap::new();
    for (size, group) in &sized {
        by_size.entry(*size).or_default().push(group);
    }
    let is_sum = |size: u64, group: &PatientSet| {
        let smaller = sized.iter().filter(|(part, _)| 0 < *part && *part < size);
        smaller.take(TRIED).any(|(part, one)| {
            let rests = by_size.get(&(size - part)).into_iter().flatten();
            rests.take(TRIED).any(|rest| group.is_sum_of(one, rest))
        })
    };
    let divides = sized.iter().filter(|(size, group)| !is_sum(*size, group));
    divides.map(|(_, group)| *group).collect()
}

/// Most groups that are tried as one part of another, and as its rest.
const TRIED: usize = 1000;

/// Classes up to which they are kept as sets.
const FEW: usize = 16;

/// Divides each class into those inside a group and those outside.
fn divide(classes: &mut Vec<Vec<u64>>, members: &[u64]) {
    for at in 0..classes.len() {
        let class = &mut classes[at];
        let own = class.iter().zip(members);
        if own.clone().all(|(own, member)| own & member == 0) {
            continue;
        }
        let inside: Vec<u64> = own.map(|(own, member)| own & member).collect();
        for (own, inside) in class.iter_mut().zip(&inside) {
            *own &= !inside;
        }
        if class.iter().all(|own| *own == 0) {
            *class = inside;
        } else {
            classes.push(inside);
        }
    }
}

/// A class of patients.
struct Class {
    first: u32,
    patients: u64,
}

/// The classes after more groups have divided them.
fn refined<'a>(classes: Vec<Vec<u64>>, groups: impl Iterator<Item = &'a PatientSet>) -> Vec<Class> {
    let mut groups = groups.peekable();
    if groups.peek().is_none() {
        let of = |class: Vec<u64>| {
            let mut found: Option<Class> = None;
            let words = (0_u32..).zip(&class).filter(|(_, word)| **word != 0);
            for (place, word) in words {
                let first = place * 64 + word.trailing_zeros();
                let class = found.get_or_insert(Class { first, patients: 0 });
                class.patients += u64::from(word.count_ones());
            }
            found
        };
        return classes.into_iter().filter_map(of).collect();
    }
    let words = classes.first().map_or(0, Vec::len);
    let mut class = vec![0_u32; 64 * words];
    let mut count = 0;
    for patients in classes {
        bits(&patients, |patient| class[patient] = count);
        count += 1;
    }
    for members in groups {
        let mut inside = vec![u32::MAX; count as usize];
        bits(members.words(), |patient| {
            let own = &mut class[patient];
            let slot = &mut inside[*own as usize];
            if *slot == u32::MAX {
                *slot = count;
                count += 1;
            }
            *own = *slot;
        });
    }
    let mut found: Vec<Option<Class>> = (0..count).map(|_| None).collect();
    for (patient, class) in (0_u32..).zip(class) {
        let class = found[class as usize].get_or_insert(Class {
            first: patient,
            patients: 0,
        });
        class.patients += 1;
    }
    found.into_iter().flatten().collect()
}

/// Calls `each` with the place of every bit that is set.
fn bits(words: &[u64], mut each: impl FnMut(usize)) {
    for (place, word) in words.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            each(64 * place + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// Whether a vector lies in the span of rows in reduced echelon form.
fn lies_in(rows: &[Vec<u64>], vector: &[u64]) -> bool {
    let mut left = vector.to_vec();
    for row in rows {
        let Some(pivot) = row.iter().position(|value| *value != 0) else {
            continue;
        };
        let factor = left[pivot];
        if factor != 0 {
            subtract(&mut left, row, factor);
        }
    }
    left.iter().all(|value| *value == 0)
}

/// `left - factor * right`, place by place.
fn subtract(left: &mut [u64], right: &[u64], factor: u64) {
    for (value, right) in left.iter_mut().zip(right) {
        let less = times(*right, factor);
        *value = if *value >= less {
            *value - less
        } else {
            *value + PRIME - less
        };
    }
}

/// Brings the rows into echelon form, and those that start after the first `large` columns into
/// reduced echelon form: then a unit vector of a later column lies in the span of all exactly when it
/// is one of them. A row that starts in one of the first says something about many patients, and
/// its other values do not matter.
fn reduce(rows: &mut [Vec<u64>], large: usize) {
    let columns = rows.first().map_or(0, Vec::len);
    let (mut done, mut first_small) = (0, 0);
    for column in 0..columns {
        if column <= large {
            first_small = done;
        }
        let Some(found) = (done..rows.len()).find(|row| rows[*row][column] != 0) else {
            continue;
        };
        rows.swap(done, found);
        let factor = inverse(rows[done][column]);
        for value in &mut rows[done][column..] {
            *value = times(*value, factor);
        }
        let (before, rest) = rows.split_at_mut(done);
        let Some((pivot, after)) = rest.split_first_mut() else {
            return;
        };
        for row in before.iter_mut().skip(first_small).chain(after) {
            let factor = row[column];
            if factor != 0 {
                subtract(&mut row[column..], &pivot[column..], factor);
            }
        }
        done += 1;
        if done == rows.len() {
            return;
        }
    }
}

fn times(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    let low = u64::try_from(product & u128::from(PRIME)).unwrap_or(0);
    let high = u64::try_from(product >> 61).unwrap_or(0);
    let sum = low + high;
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// By Fermat: the power of two less than the prime.
fn inverse(value: u64) -> u64 {
    let mut power = PRIME - 2;
    let (mut base, mut found) = (value, 1);
    while power > 0 {
        if power & 1 == 1 {
            found = times(found, base);
        }
        base = times(base, base);
        power >>= 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `super::exposures`, of groups that own their patients.
    fn exposures(groups: &[Vec<u32>], tolerated: &[&[Vec<u32>]], k: u64) -> Option<Vec<u64>> {
        let set = |group: &Vec<u32>| group.iter().copied().collect::<PatientSet>();
        let groups: Vec<PatientSet> = groups.iter().map(set).collect();
        let groups: Vec<&PatientSet> = groups.iter().collect();
        let parts: Vec<Vec<PatientSet>> = tolerated
            .iter()
            .map(|part| part.iter().map(set).collect())
            .collect();
        let parts: Vec<Vec<&PatientSet>> = parts.iter().map(|part| part.iter().collect()).collect();
        let parts: Vec<&[&PatientSet]> = parts.iter().map(Vec::as_slice).collect();
        super::exposures(&groups, &parts, k)
    }

    #[test]
    fn atoms_are_the_patients_of_the_same_groups() {
        let set = |(from, to)| (from..to).collect::<PatientSet>();
        let sets = [(0, 50), (30, 80), (0, 80)].map(set);
        let groups: BTreeSet<&PatientSet> = sets.iter().collect();
        let mut found: Vec<u64> = atoms(&groups).into_iter().map(|atom| atom.1).collect();
        found.sort_unstable();
        assert_eq!(found, [20, 30, 30]);
        assert!(atoms(&BTreeSet::new()).is_empty());
        // Numbers of patients may have gaps.
        let far: PatientSet = [3, 900].into_iter().collect();
        assert_eq!(atoms(&BTreeSet::from([&far])), [(vec![0], 2)]);
    }

    #[test]
    fn many_classes_are_those_of_each_patient_alone() {
        use crate::numeric::random::Draws;
        let mut draws = Draws::new(11);
        // Levels of three axes, and nobody of the last patients; more classes than are kept as sets.
        let level: Vec<[u64; 3]> = (0..700)
            .map(|_| [5, 4, 3].map(|of| draws.below(of)))
            .collect();
        let sets: Vec<PatientSet> = (0..3)
            .flat_map(|axis| (0..5).map(move |of| (axis, of)))
            .map(|(axis, of)| {
                (0..650)
                    .filter(|one| level[*one as usize][axis] == of)
                    .collect()
            })
            .collect();
        // Two levels together add nothing, nor do two such unions.
        let mut sets = sets;
        for (one, other) in [(0, 1), (2, 3), (15, 16)] {
            let mut both: PatientSet = sets[one].clone();
            both.join(&sets[other]);
            sets.push(both);
        }
        let groups: BTreeSet<&PatientSet> = sets.iter().collect();
        assert_eq!(dividing(&groups).len() + 3, groups.len());
        let mut expected: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for patient in 0..650 {
            let of = (0_u32..)
                .zip(&groups)
                .filter(|(_, set)| set.contains(patient));
            *expected
                .entry(of.map(|(group, _)| group).collect())
                .or_default() += 1;
        }
        let mut found = atoms(&groups);
        found.sort();
        assert!(found.len() > FEW);
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    fn none() -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn range(from: u32, to: u32) -> Vec<u32> {
        (from..to).collect()
    }

    #[test]
    fn the_inverse_is_one() {
        for value in [1, 2, 3, 12_345_678_901, PRIME - 1] {
            assert_eq!(times(value, inverse(value)), 1);
        }
    }

    #[test]
    fn margins_of_a_table_expose_none_of_its_cells() {
        // Sex by age, with one cell of two patients: rows 0..52 and 52..100, columns by age.
        let women = range(0, 52);
        let men = range(52, 100);
        let young: Vec<u32> = range(0, 50).into_iter().chain(range(52, 80)).collect();
        let old: Vec<u32> = range(50, 52).into_iter().chain(range(80, 100)).collect();
        let groups = [range(0, 100), women, men, young, old];
        assert_eq!(exposures(&groups, &[], 10), none());
    }

    #[test]
    fn three_groups_that_differ_enough_in_pairs_give_a_patient_away() {
        // A and B differ by 21, B and C by 20; but A - B + C is everybody of C and one patient.
        let a = range(0, 61);
        let b: Vec<u32> = range(0, 40);
        let c: Vec<u32> = range(40, 60);
        for (one, two) in [(&a, &b), (&b, &c), (&a, &c)] {
            let both: BTreeSet<_> = one.iter().chain(two).collect();
            let apart = 2 * both.len() - one.len() - two.len();
            assert!(apart >= 10);
        }
        assert_eq!(exposures(&[a.clone(), b.clone()], &[], 10), none());
        assert_eq!(exposures(&[a, b, c], &[], 10), Some(vec![1]));
    }

    #[test]
    fn a_small_group_is_found_though_other_groups_divide_it() {
        // Everybody, those under an age and those over it: what is left are six patients, whom two
        // more groups, women and smokers, divide into atoms that no sum isolates.
        let a = range(0, 66);
        let (b, c) = (range(0, 40), range(46, 66));
        let women: Vec<u32> = (0..66).step_by(2).collect();
        let smokers: Vec<u32> = (0..66).step_by(3).collect();
        assert_eq!(
            exposures(&[a, b, c, women, smokers], &[], 10),
            Some(vec![6])
        );
    }

    #[test]
    fn equal_groups_add_nothing_and_no_group_says_nothing() {
        assert_eq!(exposures(&[], &[], 10), none());
        let groups = [range(0, 30), range(0, 30)];
        assert_eq!(exposures(&groups, &[], 10), none());
        assert_eq!(exposures(&[range(0, 3)], &[], 10), Some(vec![3]));
    }

    #[test]
    fn what_was_known_before_is_not_held_against_what_is_new() {
        // A few of the old groups followed already; the new group adds others.
        let old = [range(0, 30), range(0, 26)];
        let new = [range(50, 90), range(50, 84)];
        let all: Vec<Vec<u32>> = old.iter().chain(&new).cloned().collect();
        let few = |tolerated: &[&[Vec<u32>]]| exposures(&all, tolerated, 10);
        assert_eq!(few(&[]), Some(vec![6, 4]));
        assert_eq!(few(&[&old]), Some(vec![6]));
        assert_eq!(few(&[&old, &new]), none());
        // What only both together give is not known from either.
        let (before, after) = ([range(0, 40)], [range(0, 34), range(100, 120)]);
        let all: Vec<Vec<u32>> = before.iter().chain(&after).cloned().collect();
        assert_eq!(exposures(&all, &[&before, &after], 10), Some(vec![6]));
    }

    /// Whether the unit vector is a rational combination, by exact fractions of small tables.
    fn by_search(groups: &[Vec<u32>], patients: u32, k: u64) -> bool {
        // Every combination with coefficients -2..=2 of at most five groups.
        let mut coefficients = vec![-2_i64; groups.len()];
        loop {
            let sum = |patient: u32| -> i64 {
                let each = groups.iter().zip(&coefficients);
                each.filter(|(group, _)| group.binary_search(&patient).is_ok())
                    .map(|(_, factor)| factor)
                    .sum()
            };
            let values: Vec<i64> = (0..patients).map(sum).collect();
            let filled = values.iter().filter(|value| **value != 0).count() as u64;
            let same = values.iter().filter(|value| **value != 0).min()
                == values.iter().filter(|value| **value != 0).max();
            let atom = |patient: u32| -> Vec<bool> {
                groups
                    .iter()
                    .map(|group| group.binary_search(&patient).is_ok())
                    .collect()
            };
            let holders: BTreeSet<Vec<bool>> = (0..patients)
                .filter(|patient| values[*patient as usize] != 0)
                .map(atom)
                .collect();
            if filled > 0 && filled < k && same && holders.len() == 1 {
                return true;
            }
            let Some(place) = coefficients.iter().position(|value| *value < 2) else {
                return false;
            };
            coefficients[place] += 1;
            coefficients[..place].fill(-2);
        }
    }

    #[test]
    fn what_a_search_finds_is_found() {
        use crate::numeric::random::Draws;
        let mut draws = Draws::new(7);
        let (mut exposed, mut safe) = (0, 0);
        for _ in 0..120 {
            let groups: Vec<Vec<u32>> = (0..4)
                .map(|_| (0..14).filter(|_| draws.below(3) > 0).collect())
                .collect();
            let found = exposures(&groups, &[], 3).is_some_and(|few| !few.is_empty());
            if by_search(&groups, 14, 3) {
                assert!(found, "{groups:?}");
                exposed += 1;
            } else {
                safe += usize::from(!found);
            }
        }
        assert!(exposed > 5 && safe > 5, "{exposed} {safe}");
    }
}
