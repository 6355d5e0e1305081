//! The areas of every level of an axis, of what is not of that level, and of each against the
//! other, from one walk through the cases by rising score.
//!
//! Twice the number of cases of the other class below a case is a whole number for each level of
//! the other class, and so are the sums, squares and products of these numbers. Every area here
//! counts the cases of one level or of all but one, so that its wins and the spread of its
//! placements follow from those sums, exactly, before the first division.
//!
//! From: cases sorted by score, each a patient of its own.
//! To: `statistic::subgroup`.

use std::collections::BTreeMap;

use super::{Auc, Comparison, Sizes};
use crate::numeric::sum::count;

/// Four areas around one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelAreas {
    /// Events of the level against its non-events.
    pub own: BoundedArea,
    /// Events of all other levels against their non-events.
    pub rest: BoundedArea,
    /// Events of the level against the others' non-events.
    pub events: BoundedArea,
    /// Events of the others against the level's non-events.
    pub non_events: BoundedArea,
}

/// An area, and how much one case can carry of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedArea {
    /// The area with DeLong's variance.
    pub auc: Auc,
    /// No case has a larger share than this in its class's sum of absolute deviations of
    /// placements from their mean: with deviations `d`, `max d^2 / sum d^2` is at least
    /// `max |d| / sum |d|`. May exceed 1; infinite where the sum is 0.
    pub dominance_bound: f64,
}

/// Cases by rising score, one element each.
#[derive(Clone, Copy)]
pub struct ByScore<'a> {
    /// Whether the case has the event.
    pub outcome: &'a [bool],
    /// Whether its score is that of the case before it.
    pub tied: &'a [bool],
    /// Its level, below the number of levels.
    pub level: &'a [u16],
}

/// The areas around each of `levels` levels. A case with a higher level is of no level: it
/// belongs to every rest. At most 2^31 - 1 cases; empty beyond that, and for columns of
/// different lengths.
pub fn areas_by_level(cases: ByScore<'_>, levels: usize) -> Vec<LevelAreas> {
    let n = cases.outcome.len();
    if n as u64 >= super::placement::LIMIT || cases.tied.len() != n || cases.level.len() != n {
        return Vec::new();
    }
    let mut sums = Sums::new(levels + 1);
    let mut start = 0;
    while start < n {
        let same = cases.tied[start + 1..].iter().take_while(|tied| **tied);
        let end = start + 1 + same.count();
        sums.run(cases, start..end);
        start = end;
    }
    sums.settle_all();
    sums.find_ends(cases);
    (0..levels).map(|level| sums.around(level)).collect()
}

/// Of some cases: sums of `p` and of `p^2`, where `p` is twice the number of certain cases of the
/// other class below, and the least and greatest `p`, which rises from case to case.
#[derive(Clone, Copy, Default)]
struct Moments {
    sum: u64,
    square: u128,
    first: u32,
    last: u32,
}

impl Moments {
    fn add(&mut self, p: u32, is_first: bool) {
        let wide = u64::from(p);
        self.sum += wide;
        self.square += u128::from(wide * wide);
        self.last = p;
        if is_first {
            self.first = p;
        }
    }
}

/// The cases of one class and level.
#[derive(Clone, Default)]
struct Own {
    cases: u64,
    /// Against the other class's cases of the same level, and against its others.
    level: Moments,
    rest: Moments,
    /// Where the first and the last stand.
    first_at: usize,
    last_at: usize,
}

/// All cases of one class.
#[derive(Clone, Default)]
struct Class {
    cases: u64,
    /// Against all cases of the other class: the sum of `p`, and of `p^2`.
    sum: u64,
    square: u128,
    /// Against each level of the other class.
    each: Vec<Against>,
}

/// Sums over the cases of a class of `p` against one level, of `p^2`, and of `p` times the number
/// against all levels. `p` changes only with a case of that level, so that many cases are added at
/// once, when it is about to change.
#[derive(Clone, Copy, Default)]
struct Against {
    sum: u64,
    square: u128,
    product: u128,
    /// Cases of the class that are added, and their sum against all levels.
    added: u64,
    added_sum: u64,
}

struct Sums {
    /// By class (non-event, event) and level: twice the cases below.
    below: [Vec<u32>; 2],
    below_all: [u32; 2],
    /// By class and level.
    own: [Vec<Own>; 2],
    class: [Class; 2],
    /// By class and level: the least and greatest `p` of the class's cases of other levels, against
    /// the level and against all others.
    ends: [Vec<[(u32, u32); 2]>; 2],
}

impl Sums {
    fn new(levels: usize) -> Self {
        let class = || Class {
            each: vec![Against::default(); levels],
            ..Class::default()
        };
        Self {
            below: [vec![0; levels], vec![0; levels]],
            below_all: [0; 2],
            own: [vec![Own::default(); levels], vec![Own::default(); levels]],
            class: [class(), class()],
            ends: [Vec::new(), Vec::new()],
        }
    }

    /// The class and the level of a case; whoever is of no level is of the last.
    fn place(&self, cases: ByScore<'_>, case: usize) -> (usize, usize) {
        let last = self.below[0].len() - 1;
        let level = usize::from(cases.level[case]).min(last);
        (usize::from(cases.outcome[case]), level)
    }

    /// Adds cases of one score.
    fn run(&mut self, cases: ByScore<'_>, run: std::ops::Range<usize>) {
        if run.len() == 1 {
            let (class, level) = self.place(cases, run.start);
            self.single(class, level, run.start);
            self.raise(class, level, 2);
            return;
        }
        // Half of the run lies below each of its cases.
        for case in run.clone() {
            let (class, level) = self.place(cases, case);
            self.raise(class, level, 1);
        }
        for case in run.clone() {
            let (class, level) = self.place(cases, case);
            self.single(class, level, case);
        }
        for case in run {
            let (class, level) = self.place(cases, case);
            self.raise(class, level, 1);
        }
    }

    fn single(&mut self, class: usize, level: usize, at: usize) {
        let (p, all) = (self.below[1 - class][level], self.below_all[1 - class]);
        let own = &mut self.own[class][level];
        let is_first = own.cases == 0;
        if is_first {
            own.first_at = at;
        }
        own.last_at = at;
        own.cases += 1;
        own.level.add(p, is_first);
        own.rest.add(all - p, is_first);
        let (class, wide) = (&mut self.class[class], u64::from(all));
        class.cases += 1;
        class.sum += wide;
        class.square += u128::from(wide * wide);
    }

    /// There are more cases of a class and level below those that follow.
    fn raise(&mut self, class: usize, level: usize, by: u32) {
        self.settle(1 - class, level);
        self.below[class][level] += by;
        self.below_all[class] += by;
    }

    /// Adds the cases of a class that came since the number below them of a level of the other class
    /// was last changed.
    fn settle(&mut self, class: usize, level: usize) {
        let p = u64::from(self.below[1 - class][level]);
        let class = &mut self.class[class];
        let each = &mut class.each[level];
        let (cases, sum) = (class.cases - each.added, class.sum - each.added_sum);
        each.sum += p * cases;
        each.square += u128::from(p * p) * u128::from(cases);
        each.product += u128::from(p) * u128::from(sum);
        (each.added, each.added_sum) = (class.cases, class.sum);
    }

    fn settle_all(&mut self) {
        for class in 0..2 {
            for level in 0..self.below[0].len() {
                self.settle(class, level);
            }
        }
    }

    /// Looks up the least and the greatest `p` of the cases of all levels but one.
    fn find_ends(&mut self, cases: ByScore<'_>) {
        for class in 0..2 {
            let mut known: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
            let levels = self.below[0].len();
            let mut found = Vec::with_capacity(levels);
            for level in 0..levels {
                let others = self.own[class].iter().enumerate();
                let others = others.filter(|(other, own)| *other != level && own.cases > 0);
                let places = others.map(|(_, own)| [own.first_at, own.last_at]);
                let ends = places.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
                let Some(ends) = ends else {
                    found.push([(0, 0); 2]);
                    continue;
                };
                let [first, last] = ends.map(|at| {
                    let below = known.entry(at).or_insert_with(|| self.below_at(cases, at));
                    (below[level], below.iter().sum::<u32>() - below[level])
                });
                found.push([(first.0, last.0), (first.1, last.1)]);
            }
            self.ends[class] = found;
        }
    }

    /// By level of the other class: twice its cases below the case that stands at a place, counted
    /// from the nearer end.
    fn below_at(&self, cases: ByScore<'_>, at: usize) -> Vec<u32> {
        let n = cases.outcome.len();
        let start = (0..=at).rev().find(|case| !cases.tied[*case]).unwrap_or(0);
        let end = (at + 1..n).find(|case| !cases.tied[*case]).unwrap_or(n);
        let other = 1 - usize::from(cases.outcome[at]);
        let mut below = vec![0_u32; self.below[other].len()];
        let from_start = start <= n - end;
        let others = if from_start { 0..start } else { end..n };
        for (rows, twice) in [(others, 2), (start..end, 1)] {
            for case in rows {
                let (class, level) = self.place(cases, case);
                below[level] += if class == other { twice } else { 0 };
            }
        }
        if !from_start {
            let all = below.iter_mut().zip(&self.below[other]);
            all.for_each(|(below, all)| *below = all - *below);
        }
        below
    }

    fn around(&self, level: usize) -> LevelAreas {
        let [non_events, events] = [0, 1].map(|class| Sides {
            of_level_to_level: self.group(class, level, true, true),
            of_level_to_rest: self.group(class, level, true, false),
            of_rest_to_level: self.group(class, level, false, true),
            of_rest_to_rest: self.group(class, level, false, false),
        });
        LevelAreas {
            own: area(events.of_level_to_level, non_events.of_level_to_level),
            rest: area(events.of_rest_to_rest, non_events.of_rest_to_rest),
            events: area(events.of_level_to_rest, non_events.of_rest_to_level),
            non_events: area(events.of_rest_to_level, non_events.of_level_to_rest),
        }
    }

    /// The cases of a class that are of the level or not, against those of the other class that
    /// are of the level or not.
    fn group(&self, class: usize, level: usize, inside: bool, to_inside: bool) -> Group {
        let (own, all) = (&self.own[class][level], &self.class[class]);
        let moments = if to_inside { own.level } else { own.rest };
        if inside {
            return Group {
                cases: own.cases,
                sum: moments.sum.into(),
                square: moments.square,
                least: moments.first,
                greatest: moments.last,
            };
        }
        let each = all.each[level];
        let (sum, square) = if to_inside {
            (each.sum, each.square)
        } else {
            // (all - each)^2, summed.
            let square = all.square + each.square - 2 * each.product;
            (all.sum - each.sum, square)
        };
        let (least, greatest) = self.ends[class][level][usize::from(!to_inside)];
        Group {
            cases: all.cases - own.cases,
            sum: (sum - moments.sum).into(),
            square: square - moments.square,
            least,
            greatest,
        }
    }
}

struct Sides {
    of_level_to_level: Group,
    of_level_to_rest: Group,
    of_rest_to_level: Group,
    of_rest_to_rest: Group,
}

/// Cases of one class with what they add up to against some of the other.
#[derive(Clone, Copy)]
struct Group {
    cases: u64,
    sum: u128,
    square: u128,
    least: u32,
    greatest: u32,
}

impl Group {
    /// `cases` times the sum of squared deviations from the mean.
    fn spread(&self) -> f64 {
        let cases = u128::from(self.cases);
        real((cases * self.square).saturating_sub(self.sum * self.sum))
    }

    fn dominance_bound(&self) -> f64 {
        let cases = count(self.cases);
        let mean = real(self.sum) / cases;
        let furthest = (mean - f64::from(self.least)).max(f64::from(self.greatest) - mean);
        let spread = self.spread();
        if spread > 0.0 {
            furthest * furthest * cases / spread
        } else {
            f64::INFINITY
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "to the nearest double")]
fn real(whole: u128) -> f64 {
    whole as f64
}

/// The area of events against non-events, where each was counted against the other.
fn area(events: Group, non_events: Group) -> BoundedArea {
    let (n1, n0) = (events.cases, non_events.cases);
    let mut found = Comparison {
        sizes: Sizes {
            events: n1,
            non_events: n0,
            patients: n1 + n0,
            event_patients: n1,
            non_event_patients: n0,
        },
        areas: None,
        covariance: None,
        placements: Vec::new(),
    };
    if n1 == 0 || n0 == 0 {
        return BoundedArea {
            auc: found.area(0),
            dominance_bound: f64::INFINITY,
        };
    }
    found.areas = Some(vec![real(events.sum) / (2.0 * count(n1 * n0))]);
    if n1 >= 2 && n0 >= 2 {
        // Sample variance of the placements over their number; a placement is a number of cases
        // below, doubled, over twice the number of cases of the other class.
        let part = |group: Group, other: u64| {
            let (n, scale) = (count(group.cases), 2.0 * count(other));
            group.spread() / (n * n * (n - 1.0)) / (scale * scale)
        };
        found.covariance = Some(vec![vec![part(events, n0) + part(non_events, n1)]]);
    }
    let bound = events.dominance_bound().max(non_events.dominance_bound());
    BoundedArea {
        auc: found.area(0),
        dominance_bound: bound,
    }
}
