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
    let mut sums = Sums::new(levels + 1, n);
    let mut start = 0;
    while start < n {
        let same = cases.tied[start + 1..].iter().take_while(|tied| **tied);
        let end = start + 1 + same.count();
        sums.run(cases, levels, start..end);
        start = end;
    }
    sums.flush();
    (0..levels).map(|level| sums.around(level)).collect()
}

/// What the cases of one class and level add up to against the other class: in all, and against
/// each level of it.
#[derive(Clone, Default)]
struct Against {
    cases: u64,
    all: Moments,
    each: Vec<Moments>,
}

/// Sums over cases of `p`, of `p^2`, and of `p` times the number against all levels, where `p` is
/// twice the number of cases below; and the least and greatest `p`, which rises from case to case.
#[derive(Clone, Copy, Default)]
struct Moments {
    sum: u128,
    square: u128,
    product: u128,
    first: u32,
    last: u32,
}

/// The sums of [`Moments`] while they fit into 64 bits.
#[derive(Clone, Copy, Default)]
struct Part {
    sum: u64,
    square: u64,
    product: u64,
}

struct Sums {
    levels: usize,
    /// By class (non-event, event) and level: twice the cases below.
    below: [Vec<u32>; 2],
    below_all: [u32; 2],
    /// By class and level.
    against: [Vec<Against>; 2],
    /// By class, level and level of the other class; and against all of it.
    part: [Vec<Part>; 2],
    part_all: [Vec<Part>; 2],
    /// Cases that may be added before a part could overflow.
    room: u64,
    added: u64,
}

impl Sums {
    fn new(levels: usize, n: usize) -> Self {
        let against = Against {
            each: vec![Moments::default(); levels],
            ..Against::default()
        };
        let both = || [vec![0; levels], vec![0; levels]];
        let most = 4 * u128::from(n as u64) * u128::from(n as u64);
        Self {
            levels,
            below: both(),
            below_all: [0; 2],
            against: [vec![against.clone(); levels], vec![against; levels]],
            part: [(); 2].map(|()| vec![Part::default(); levels * levels]),
            part_all: [(); 2].map(|()| vec![Part::default(); levels]),
            room: u64::try_from(u128::from(u64::MAX) / most.max(1)).unwrap_or(u64::MAX),
            added: 0,
        }
    }

    /// Adds cases of one score.
    fn run(&mut self, cases: ByScore<'_>, levels: usize, run: std::ops::Range<usize>) {
        let place = |case: usize| {
            let level = usize::from(cases.level[case]).min(levels);
            (usize::from(cases.outcome[case]), level)
        };
        if run.len() == 1 {
            let (class, level) = place(run.start);
            self.single(class, level);
            self.below[class][level] += 2;
            self.below_all[class] += 2;
            return;
        }
        // Half of the run lies below each of its cases.
        for case in run.clone() {
            let (class, level) = place(case);
            self.below[class][level] += 1;
            self.below_all[class] += 1;
        }
        for case in run.clone() {
            let (class, level) = place(case);
            self.single(class, level);
        }
        for case in run {
            let (class, level) = place(case);
            self.below[class][level] += 1;
            self.below_all[class] += 1;
        }
    }

    fn single(&mut self, class: usize, level: usize) {
        if self.added == self.room {
            self.flush();
        }
        self.added += 1;
        let all = self.below_all[1 - class];
        let wide = u64::from(all);
        let row = level * self.levels..(level + 1) * self.levels;
        let below = &self.below[1 - class];
        for (part, p) in self.part[class][row].iter_mut().zip(below) {
            let p = u64::from(*p);
            part.sum += p;
            part.square += p * p;
            part.product += p * wide;
        }
        let part = &mut self.part_all[class][level];
        part.sum += wide;
        part.square += wide * wide;
        let against = &mut self.against[class][level];
        if against.cases == 0 {
            against.all.first = all;
            for (moments, p) in against.each.iter_mut().zip(below) {
                moments.first = *p;
            }
        }
        against.cases += 1;
        against.all.last = all;
        for (moments, p) in against.each.iter_mut().zip(below) {
            moments.last = *p;
        }
    }

    fn flush(&mut self) {
        let take = |moments: &mut Moments, part: &mut Part| {
            moments.sum += u128::from(part.sum);
            moments.square += u128::from(part.square);
            moments.product += u128::from(part.product);
            *part = Part::default();
        };
        for class in 0..2 {
            for level in 0..self.levels {
                let against = &mut self.against[class][level];
                take(&mut against.all, &mut self.part_all[class][level]);
                let row = level * self.levels..(level + 1) * self.levels;
                for (moments, part) in against.each.iter_mut().zip(&mut self.part[class][row]) {
                    take(moments, part);
                }
            }
        }
        self.added = 0;
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
        let mut group = Group::default();
        for (own, against) in self.against[class].iter().enumerate() {
            if (own == level) != inside || against.cases == 0 {
                continue;
            }
            let (all, each) = (against.all, against.each[level]);
            let part = if to_inside {
                Group {
                    cases: against.cases,
                    sum: each.sum,
                    square: each.square,
                    least: each.first,
                    greatest: each.last,
                }
            } else {
                Group {
                    cases: against.cases,
                    sum: all.sum - each.sum,
                    // (all - each)^2, summed.
                    square: all.square + each.square - 2 * each.product,
                    least: all.first - each.first,
                    greatest: all.last - each.last,
                }
            };
            group = group.and(part);
        }
        group
    }
}

struct Sides {
    of_level_to_level: Group,
    of_level_to_rest: Group,
    of_rest_to_level: Group,
    of_rest_to_rest: Group,
}

/// Cases of one class with what they add up to against some of the other.
#[derive(Clone, Copy, Default)]
struct Group {
    cases: u64,
    sum: u128,
    square: u128,
    least: u32,
    greatest: u32,
}

impl Group {
    fn and(self, other: Self) -> Self {
        if self.cases == 0 {
            return other;
        }
        Self {
            cases: self.cases + other.cases,
            sum: self.sum + other.sum,
            square: self.square + other.square,
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }

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
