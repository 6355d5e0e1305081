//! Sets of patients by number, one bit each: what a release speaks about is a few hundred groups of
//! up to all patients of a site.
//!
//! From: `overlap`, `spoken`; the node's ledger.
//! To: `disclosure::atoms`, the node's ledger.

use std::cmp::Ordering;

/// Distinct patients, each a number from 0.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PatientSet {
    /// The last word holds somebody, so that equal sets have equal words.
    word: Vec<u64>,
}

const BITS: usize = 64;

impl PatientSet {
    /// Nobody yet, with room for the numbers below `patients`.
    pub fn with_room(patients: u32) -> Self {
        let words = (patients as usize).div_ceil(BITS);
        Self {
            word: Vec::with_capacity(words),
        }
    }

    /// Adds a patient.
    pub fn insert(&mut self, patient: u32) {
        let (place, bit) = (patient as usize / BITS, patient as usize % BITS);
        if place >= self.word.len() {
            self.word.resize(place + 1, 0);
        }
        self.word[place] |= 1 << bit;
    }

    /// Adds everybody of another set.
    pub fn join(&mut self, other: &Self) {
        if self.word.len() < other.word.len() {
            self.word.resize(other.word.len(), 0);
        }
        for (own, other) in self.word.iter_mut().zip(&other.word) {
            *own |= other;
        }
    }

    /// Whether the set holds a patient.
    pub fn contains(&self, patient: u32) -> bool {
        let word = self.word.get(patient as usize / BITS);
        word.is_some_and(|word| word >> (patient as usize % BITS) & 1 == 1)
    }

    /// Nobody.
    pub fn is_empty(&self) -> bool {
        self.word.is_empty()
    }

    /// How many they are.
    pub fn len(&self) -> u64 {
        let bits = self.word.iter().map(|word| word.count_ones());
        bits.map(u64::from).sum()
    }

    /// How many stand in both sets.
    pub fn in_both(&self, other: &Self) -> u64 {
        let both = self.word.iter().zip(&other.word);
        both.map(|(own, other)| u64::from((own & other).count_ones()))
            .sum()
    }

    /// Whether these are everybody of two sets that have nobody in common.
    pub(crate) fn is_sum_of(&self, one: &Self, other: &Self) -> bool {
        let longer = one.word.len().max(other.word.len());
        let word = |set: &Self, place: usize| set.word.get(place).copied().unwrap_or(0);
        longer == self.word.len()
            && self.word.iter().enumerate().all(|(place, own)| {
                let (one, other) = (word(one, place), word(other, place));
                one & other == 0 && one | other == *own
            })
    }

    /// The patients, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.word).flat_map(|(place, word)| {
            let rest = |word: &u64| Some(word & (word - 1)).filter(|rest| *rest != 0);
            let each = std::iter::successors(Some(*word).filter(|word| *word != 0), rest);
            each.map(move |word| place * 64 + word.trailing_zeros())
        })
    }

    /// The bits, 64 patients a word.
    pub(crate) fn words(&self) -> &[u64] {
        &self.word
    }
}

impl FromIterator<u32> for PatientSet {
    fn from_iter<I: IntoIterator<Item = u32>>(patients: I) -> Self {
        let mut set = Self::default();
        patients.into_iter().for_each(|patient| set.insert(patient));
        set
    }
}

/// The order of their lists of patients.
impl Ord for PatientSet {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut words = self.word.iter().zip(&other.word);
        let Some(place) = words.position(|(own, other)| own != other) else {
            return self.word.len().cmp(&other.word.len());
        };
        // Up to the lowest bit that differs the lists are one; then the list that has this patient
        // is the lesser, unless the other one has ended.
        let (own, others) = (self.word[place], other.word[place]);
        let bit = (own ^ others).trailing_zeros();
        let goes_on = |set: &Self| set.word[place] >> bit != 0 || set.word.len() > place + 1;
        match own >> bit & 1 {
            1 if goes_on(other) => Ordering::Less,
            0 if !goes_on(self) => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl PartialOrd for PatientSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::random::Draws;

    #[test]
    fn sets_hold_count_join_and_sort_as_lists_do() {
        let mut draws = Draws::new(3);
        let mut lists: Vec<Vec<u32>> = (0..60)
            .map(|_| {
                let (room, rare) = (1 + draws.below(200) as u32, 1 + draws.below(40));
                (0..room).filter(|_| draws.below(rare) == 0).collect()
            })
            .collect();
        lists.push(Vec::new());
        for one in lists.clone() {
            lists.push(one.iter().copied().take(one.len() / 2).collect());
        }
        let sets: Vec<PatientSet> = lists
            .iter()
            .map(|one| one.iter().copied().collect())
            .collect();
        for (list, set) in lists.iter().zip(&sets) {
            assert_eq!(&set.iter().collect::<Vec<_>>(), list);
            assert_eq!(set.len(), list.len() as u64);
            assert_eq!(set.is_empty(), list.is_empty());
            for (other, theirs) in lists.iter().zip(&sets) {
                assert_eq!(set.cmp(theirs), list.cmp(other), "{list:?} {other:?}");
                assert_eq!(set == theirs, list == other);
                let both = list.iter().filter(|one| other.contains(one));
                assert_eq!(set.in_both(theirs), both.count() as u64);
                let mut joined = set.clone();
                joined.join(theirs);
                assert_eq!(joined.is_sum_of(set, theirs), set.in_both(theirs) == 0);
                let smaller = joined.len() < set.len() + theirs.len();
                assert!(!(smaller && joined.is_sum_of(set, theirs)));
                let is_more = joined != *set;
                assert!(!(is_more && set.is_sum_of(set, theirs)));
                assert!((0..250).all(|one| {
                    let in_either = list.contains(&one) || other.contains(&one);
                    joined.contains(one) == in_either
                }));
            }
        }
    }
}
