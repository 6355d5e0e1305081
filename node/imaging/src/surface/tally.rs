//! Distances of one surface from another, counted: how many points of which weight at each
//! distance. What is counted are whole steps along the axes, so neither the order of points nor
//! rounding changes anything, and memory grows with the number of different distances, not with
//! that of points.
//!
//! From: `nearest`.
//! To: `surface`.

use super::nearest::each_nearest;
use super::rows::Rows;

/// Entries before they are first put in order: 2 MiB.
const ENTRIES: usize = 1 << 18;

/// Bits of an entry that count points. An entry that is full is followed by another.
const COUNT_BITS: u32 = 24;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Steps along the axes and classes of points, by how often they occur.
struct Counter {
    shape: [usize; 3],
    /// The steps as a place of the lattice, the class, and how many points. 2^31 places, of
    /// volumes up to eight times the readers' limit, and 2^8 classes fit.
    entries: Vec<u64>,
    most: usize,
}

impl Counter {
    fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            entries: Vec::new(),
            most: ENTRIES,
        }
    }

    fn add(&mut self, steps: [usize; 3], class: u8) {
        let place = (steps[2] * self.shape[1] + steps[1]) * self.shape[0] + steps[0];
        let key = (place as u64) << u8::BITS | u64::from(class);
        self.entries.push(key << COUNT_BITS | 1);
        if self.entries.len() >= self.most {
            self.join();
            self.most = ENTRIES.max(2 * self.entries.len());
        }
    }

    /// Puts the entries in order and joins those of the same steps and class.
    fn join(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup_by(|next, kept| {
            let points = (*next & COUNT) + (*kept & COUNT);
            let is_joined = *next >> COUNT_BITS == *kept >> COUNT_BITS && points <= COUNT;
            if is_joined {
                *kept += *next & COUNT;
            }
            is_joined
        });
    }

    /// A distance is the root of the sum of squared steps, each times its spacing first, as the
    /// programs compute it to whose digits ours are compared.
    fn finish(mut self, spacing: [f64; 3], weights: &[f64]) -> Tally {
        self.join();
        let [width, height, _] = self.shape.map(|extent| extent as u64);
        let steps = self.entries.into_iter().map(|entry| {
            let key = entry >> COUNT_BITS;
            let place = key >> u8::BITS;
            let along = [
                place % width,
                place / width % height,
                place / width / height,
            ];
            let [x, y, z] = [0, 1, 2].map(|axis| real(along[axis]) * spacing[axis]);
            Step {
                distance: (x * x + y * y + z * z).sqrt(),
                class: key.to_le_bytes()[0],
                points: u32::try_from(entry & COUNT).unwrap_or(u32::MAX),
            }
        });
        Tally::sorted(steps.collect(), weights.to_vec())
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "steps and points of one volume stay far below 2^53"
)]
fn real(count: u64) -> f64 {
    count as f64
}

/// Points at one distance that weigh the same.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    /// Millimetres.
    distance: f64,
    /// Which weight each has.
    class: u8,
    points: u32,
}

/// The distances of the points of one set from another set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tally {
    /// By distance, then by class, ascending.
    steps: Vec<Step>,
    /// The weight of each class, ascending: 1, or square millimetres (in a plane millimetres) of
    /// surface.
    weights: Vec<f64>,
}

impl Tally {
    fn sorted(mut steps: Vec<Step>, weights: Vec<f64>) -> Self {
        steps.sort_unstable_by(|a, b| {
            let by_distance = a.distance.total_cmp(&b.distance);
            by_distance.then(a.class.cmp(&b.class))
        });
        Self { steps, weights }
    }

    /// How far each point of `from` lies from `to`. `class` says which of the `weights`, which
    /// ascend, a point has.
    pub(super) fn new(
        from: &Rows,
        to: &Rows,
        spacing: [f64; 3],
        weights: &[f64],
        class: impl Fn([usize; 3]) -> u8,
    ) -> Self {
        let mut counter = Counter::new(from.shape);
        each_nearest(from, to, spacing, |at, steps| counter.add(steps, class(at)));
        counter.finish(spacing, weights)
    }

    /// Both as one; the weights are the same.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let both = [self.steps.as_slice(), &other.steps].concat();
        Self::sorted(both, self.weights.clone())
    }

    fn weight(&self, step: &Step) -> f64 {
        let weight = self.weights.get(usize::from(step.class));
        weight.copied().unwrap_or(0.0)
    }

    /// Points.
    pub(super) fn points(&self) -> u64 {
        self.steps.iter().map(|step| u64::from(step.points)).sum()
    }

    /// Points, or area.
    pub(super) fn total(&self) -> f64 {
        self.sum(f64::INFINITY, |_| 1.0)
    }

    /// Distance times points, or times area.
    pub(super) fn moment(&self) -> f64 {
        self.sum(f64::INFINITY, |step| step.distance)
    }

    /// Points, or area, within a tolerance: up to `1e-6 max(1, tau)` more, so that spacings stored
    /// in single precision decide no tie.
    pub(super) fn within(&self, tau: f64) -> f64 {
        self.sum(tau + 1e-6 * tau.max(1.0), |_| 1.0)
    }

    /// What `of` says, times weight, summed over the points up to a distance. Rounding does not
    /// grow with the number of terms (Neumaier 1974, doi:10.1002/zamm.19740540106).
    fn sum(&self, most: f64, of: impl Fn(&Step) -> f64) -> f64 {
        let (mut total, mut lost) = (0.0_f64, 0.0_f64);
        for step in self.steps.iter().take_while(|step| step.distance <= most) {
            let term = of(step) * f64::from(step.points) * self.weight(step);
            let next = total + term;
            // No term is negative, so one of the two is the larger in size as well.
            lost += if total >= term {
                (total - next) + term
            } else {
                (term - next) + total
            };
            total = next;
        }
        total + lost
    }

    /// The largest distance; 0 when nothing is counted.
    pub(super) fn largest(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.distance)
    }

    /// The quantile `share` of the distances of points, with linear interpolation between order
    /// statistics (type 7 of Hyndman and Fan 1996, doi:10.1080/00031305.1996.10473566).
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let place = share * real(self.points().saturating_sub(1));
        let part = place - place.floor();
        let (low, high) = (self.ranked(place.floor()), self.ranked(place.floor() + 1.0));
        // Interpolated from the nearer end, which keeps the digits.
        if part < 0.5 {
            low + (high - low) * part
        } else {
            high - (high - low) * (1.0 - part)
        }
    }

    /// The distance of the point that has `rank` points before it, or of the last.
    fn ranked(&self, rank: f64) -> f64 {
        let mut before = 0;
        for step in &self.steps {
            before += u64::from(step.points);
            if real(before) > rank {
                return step.distance;
            }
        }
        self.largest()
    }

    /// The distance within which `share` of the area lies, without interpolation. Where a distance
    /// holds just that share, rounding decides; areas are added one by one, by distance and by
    /// size, as the program does that introduced this percentile, so that it decides alike.
    pub(super) fn reached(&self, share: f64) -> f64 {
        let mut whole = 0.0;
        self.one_by_one(|area| {
            whole += area;
            false
        });
        let mut reached = 0.0;
        let found = self.one_by_one(|area| {
            reached += area;
            reached / whole >= share
        });
        found.unwrap_or_else(|| self.largest())
    }

    /// Calls `is_it` with the weight of each point until it says so; the distance of that point.
    fn one_by_one(&self, mut is_it: impl FnMut(f64) -> bool) -> Option<f64> {
        let found = self.steps.iter().find(|step| {
            let weight = self.weight(step);
            (0..step.points).any(|_| is_it(weight))
        });
        found.map(|step| step.distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_however_many_there_are() {
        let mut counter = Counter::new([30, 20, 10]);
        for round in 0..700_000 {
            counter.add([round % 7, round % 3, round % 2], 1);
        }
        counter.join();
        let mut points = 0;
        for entry in &counter.entries {
            points += entry & COUNT;
        }
        assert_eq!((counter.entries.len(), points), (42, 700_000));
        // An entry that is almost full takes no more than it can hold.
        counter.entries = vec![7 << COUNT_BITS | (COUNT - 1), 7 << COUNT_BITS | 5];
        counter.join();
        let points: u64 = counter.entries.iter().map(|entry| entry & COUNT).sum();
        assert_eq!((counter.entries.len(), points), (2, COUNT + 4));
    }

    #[test]
    fn figures_follow_from_counts() {
        let step = |distance: f64, class: u8, points: u32| Step {
            distance,
            class,
            points,
        };
        let steps = vec![step(2.0, 1, 1), step(0.0, 0, 18), step(1.0, 1, 1)];
        let tally = Tally::sorted(steps, vec![0.5, 1.0]);
        assert_eq!(
            (tally.total(), tally.moment(), tally.largest()),
            (11.0, 3.0, 2.0)
        );
        assert_eq!((tally.within(0.5), tally.within(1.0)), (9.0, 10.0));
        // Place 18.05 of 0 to 19: just beyond the point at 1 mm.
        assert!((tally.quantile(0.95) - 1.05).abs() < 1e-12);
        assert_eq!((tally.reached(0.9), tally.reached(0.95)), (1.0, 2.0));
        assert_eq!(tally.joined(&tally).total(), 22.0);
        let none = Tally::sorted(Vec::new(), Vec::new());
        assert!(none.total().is_sign_positive());
        assert_eq!((none.quantile(0.95), none.reached(0.95)), (0.0, 0.0));
    }
}
