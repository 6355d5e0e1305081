//! What a hospital adds to a masked sum: score histograms by outcome at the full resolution of the
//! protocol's grid, of each model over all analysed cases and of the model under validation over
//! each subgroup level, with the sum of the scores of every bin; and the scores of the model and of
//! each comparator crossed, by outcome, on a joined grid. From the sum over hospitals
//! everything follows that these give: ROC and precision-recall curves, 2x2 tables, AUC
//! with DeLong's variance, calibration, net benefit, subgroup tables, paired comparisons. Nothing
//! else has to travel for a joint calibration line: Newton's steps over all patients run on the
//! opened sum. Opened sums become cases
//! again, one for each patient of the pool with the mean score of its bin, so that the same code
//! measures them and the same review lets them out.
//!
//! Counts and areas are exact for the binned score; the sum of the predictions (and O:E) is exact to
//! 2^-33 per hospital and bin; what depends on scores within a bin (the calibration slope, the Brier score)
//! differs from the rows' by what the bins' widths allow.
//!
//! Merge class H: vectors add, modulo 2^64.
//!
//! From: `cases` (a hospital's), a sum that was opened.
//! To: `disclosure::masked`, which alone lets either leave.

use std::sync::Arc;

use super::Cases;
use super::Statistic;
use super::analysis_set::AnalysisSet;
use super::auc::Areas;
use super::cases::{Column, Intake, Tally};
use super::histogram::bin_of;
use super::measure::measure;
use super::net_benefit;
use super::stage::{Basis, Exact, ExactCount};
use crate::masking::fixed::{Fixed, FixedFault};
use crate::numeric::sum::{Neumaier, count as number};
use crate::study::masked::{HOSPITALS_MAX, Layout, Pair, Part};
use crate::study::plan::StatisticKind;
use crate::study::validate::LEVELS_MAX;
use crate::study::{ModelRole, StudyProtocol};

/// Binary places of a sum of scores: steps of 2.4e-10, and up to 2.1e7 per hospital and bin.
const FRACTION_BITS: u32 = 32;

/// The form of a sum of scores over up to a hundred hospitals.
fn form() -> Result<Fixed, FixedFault> {
    Fixed::new(
        FRACTION_BITS,
        u32::try_from(HOSPITALS_MAX).unwrap_or(u32::MAX),
    )
}

/// Most cases of a sum: each becomes one in memory, and a hospital may have added any number.
const MOST: u64 = 1 << 24;

/// Statistics measured on the cases of an opened sum.
const WHOLE: [StatisticKind; 6] = [
    StatisticKind::Confusion,
    StatisticKind::Auc,
    StatisticKind::Histogram,
    StatisticKind::ObservedExpected,
    StatisticKind::Calibration,
    StatisticKind::NetBenefit,
];

/// Statistics of two models on the same cases.
const COMPARED: [StatisticKind; 2] = [StatisticKind::PairedAuc, StatisticKind::Discordance];

/// The same by subgroup.
const BY_LEVEL: [StatisticKind; 2] = [StatisticKind::Subgroup, StatisticKind::Contingency];

/// The numbers that a hospital adds. They can be neither printed nor serialised; the hospital's own
/// database keeps their bytes, for audit.
pub struct PlainVector(pub(crate) Vec<u64>);

impl PlainVector {
    /// Eight bytes of each number, little-endian; for the hospital's own disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|one| one.to_le_bytes()).collect()
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let numbers = numbers.iter().copied().map(u64::from_le_bytes);
        rest.is_empty().then(|| Self(numbers.collect()))
    }
}

/// One hospital's part, before it is masked, with what the gate must know of it.
pub struct Contribution {
    /// The numbers.
    pub vector: PlainVector,
    /// By endpoint: all analysed cases, events, non-events.
    pub(crate) totals: Vec<[ExactCount; 3]>,
    /// The people behind the difference of each model's numbers from those of the models before it.
    pub(crate) alike: Vec<Basis>,
    /// Whether patients contribute several cases.
    pub(crate) clustered: bool,
}

impl Contribution {
    /// The hospital's part. An endpoint without analysed cases adds zeros.
    ///
    /// # Errors
    /// [`FixedFault`] when a bin has more cases than a sum can hold.
    pub fn measure(protocol: &StudyProtocol, cases: &Cases) -> Result<Self, FixedFault> {
        let layout = Layout::of(protocol);
        let mut numbers = vec![1];
        let mut crossed_tables = Vec::new();
        let mut found = Self {
            vector: PlainVector(Vec::new()),
            totals: Vec::new(),
            alike: Vec::new(),
            clustered: false,
        };
        for endpoint in 0..protocol.endpoint.len() {
            let of = layout.parts().iter();
            let own: Vec<Part> = of
                .filter(|part| part.endpoint == endpoint)
                .copied()
                .collect();
            let pairs = layout.pairs().iter();
            let pairs = pairs.filter(|pair| pair.endpoint == endpoint);
            let Some(set) = AnalysisSet::of(protocol, cases, endpoint) else {
                let zeros = own.len().saturating_mul(layout.block());
                numbers.extend(std::iter::repeat_n(0, zeros));
                crossed_tables.extend(pairs.map(|_| vec![0; layout.crossed()]));
                continue;
            };
            let areas = Areas::of(&set);
            let models = 0..protocol.model.len();
            found.alike.extend(models.map(|model| areas.beside(model)));
            found.clustered |= set.clustered();
            found.totals.push([
                set.count(|_| true),
                set.count(|row| set.outcome[row]),
                set.count(|row| !set.outcome[row]),
            ]);
            for part in own {
                numbers.extend(block(&set, part, layout.bins())?);
            }
            crossed_tables.extend(pairs.map(|pair| crossed(&set, *pair, &layout)));
        }
        numbers.extend(crossed_tables.into_iter().flatten());
        found.vector = PlainVector(numbers);
        Ok(found)
    }
}

/// Non-events by bin, events by bin, sums of scores by bin.
fn block(set: &AnalysisSet<'_>, part: Part, bins: usize) -> Result<Vec<u64>, FixedFault> {
    let edges = &set.protocol.histogram.edges;
    let mut counts = vec![0_u64; 2 * bins];
    let mut sums = vec![Neumaier::default(); bins];
    let scores = set.score.get(part.model).map_or(&[][..], Vec::as_slice);
    for (row, score) in scores.iter().enumerate() {
        let inside = part.level.is_none_or(|(axis, level)| {
            let own = set.level.get(axis).and_then(|of| of.get(row));
            own.is_some_and(|own| usize::from(*own) == level)
        });
        if inside {
            let bin = bin_of(edges, *score);
            counts[bin + if set.outcome[row] { bins } else { 0 }] += 1;
            sums[bin].add(*score);
        }
    }
    let form = form()?;
    for sum in &sums {
        counts.push(form.encode(sum.total())?);
    }
    Ok(counts)
}

/// Non-events by block of the model's score and block of the comparator's, then events.
fn crossed(set: &AnalysisSet<'_>, pair: Pair, layout: &Layout) -> Vec<u64> {
    let edges = &set.protocol.histogram.edges;
    let block = |score: f64| block_of(layout, bin_of(edges, score));
    let size = layout.blocks().len();
    let mut counts = vec![0_u64; layout.crossed()];
    let of = |model: usize| set.score.get(model).map_or(&[][..], Vec::as_slice);
    let both = of(pair.model).iter().zip(of(pair.comparator));
    for ((model, comparator), event) in both.zip(set.outcome.iter()) {
        let place = block(*model) * size + block(*comparator);
        counts[place + if *event { size * size } else { 0 }] += 1;
    }
    counts
}

/// The block that a bin lies in.
fn block_of(layout: &Layout, bin: usize) -> usize {
    let above = layout.blocks().partition_point(|first| *first <= bin);
    above.saturating_sub(1)
}

/// Why an opened sum is not one of histograms.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SumFault {
    /// It has another length than the protocol's layout.
    #[error("the sum has another length than the protocol's layout")]
    Length,
    /// It counts another number of hospitals than survived.
    #[error("the sum counts another number of hospitals than took part")]
    Hospitals,
    /// The levels of an axis do not add to all cases.
    #[error("the levels of an axis do not add to all cases")]
    Levels,
    /// The models of an endpoint count different cases.
    #[error("the models of an endpoint count different cases")]
    Models,
    /// Crossed scores do not add to those of each model.
    #[error("the crossed scores of two models do not add to those of each")]
    Crossed,
    /// A bin's scores cannot lie in the bin.
    #[error("the scores of a bin cannot lie within it")]
    Scores,
    /// It counts more cases than a sum can hold.
    #[error("the sum counts more than 2^24 cases")]
    TooLarge,
}

/// A sum over hospitals, opened; exact, and like a contribution neither printed nor serialised.
pub struct OpenedSum {
    layout: Layout,
    vector: Vec<u64>,
}

/// One model's cases in one block.
#[derive(Clone, Default)]
struct Joined {
    /// Non-events, events.
    counts: [u64; 2],
    /// The sum of their scores.
    scores: f64,
}

impl OpenedSum {
    /// Reads the sum over `hospitals` contributions.
    ///
    /// # Errors
    /// [`SumFault`] names what no hospitals' histograms add up to: one of them sent something else.
    pub fn read(
        protocol: &StudyProtocol,
        vector: Vec<u64>,
        hospitals: usize,
    ) -> Result<Self, SumFault> {
        let layout = Layout::of(protocol);
        if vector.len() != layout.length() {
            return Err(SumFault::Length);
        }
        if vector.first().copied() != u64::try_from(hospitals).ok() {
            return Err(SumFault::Hospitals);
        }
        let sum = Self { layout, vector };
        sum.check(protocol)?;
        Ok(sum)
    }

    fn check(&self, protocol: &StudyProtocol) -> Result<(), SumFault> {
        let form = form().map_err(|_| SumFault::Scores)?;
        let slack = form.error_bound() + form.resolution();
        let bins = self.layout.bins();
        for (index, part) in self.layout.parts().iter().enumerate() {
            let own = self.block(index);
            let counts = own.get(..2 * bins).unwrap_or(&[]);
            if total(counts.iter()).is_none_or(|total| total > MOST) {
                return Err(SumFault::TooLarge);
            }
            for bin in 0..bins {
                let (low, high) = edges_of(protocol, bin);
                let count = counts[bin] + counts[bins + bin];
                let scores = form.decode(own[2 * bins + bin]);
                let size = number(count);
                // A case on an edge lies in the bin above; rounding is bounded by the form.
                let within = (low * size - slack..=high * size + slack).contains(&scores);
                if !within {
                    return Err(SumFault::Scores);
                }
            }
            self.check_margins(index, *part)?;
        }
        let pairs = self.layout.pairs().iter().enumerate();
        let mut broken = pairs.filter(|(index, pair)| !self.adds_up(*index, **pair));
        broken.next().map_or(Ok(()), |_| Err(SumFault::Crossed))
    }

    /// Whether a crossed table has both models' histograms as its margins. No sum may wrap: a cell
    /// is then no larger than its margin, whatever a hospital added.
    fn adds_up(&self, index: usize, pair: Pair) -> bool {
        let joined = |model| self.joined(pair.endpoint, model);
        let (Some(models), Some(comparators)) = (joined(pair.model), joined(pair.comparator))
        else {
            return false;
        };
        let size = models.len();
        let classes = self
            .crossed(index)
            .chunks(size.saturating_mul(size))
            .enumerate();
        let places = || models.iter().zip(&comparators).enumerate();
        classes.into_iter().all(|(class, table)| {
            places().all(|(place, (model, comparator))| {
                let row = total(table.iter().skip(place * size).take(size));
                let column = total(table.iter().skip(place).step_by(size));
                row == Some(model.counts[class]) && column == Some(comparator.counts[class])
            })
        })
    }

    /// One model's histogram over all cases, joined to blocks.
    fn joined(&self, endpoint: usize, model: usize) -> Option<Vec<Joined>> {
        let whole = Part {
            endpoint,
            model,
            level: None,
        };
        let index = self.layout.parts().iter().position(|part| *part == whole)?;
        let (own, bins) = (self.block(index), self.layout.bins());
        let mut blocks = vec![Joined::default(); self.layout.blocks().len()];
        for bin in 0..bins {
            let block = blocks.get_mut(block_of(&self.layout, bin))?;
            block.counts[0] += own.get(bin)?;
            block.counts[1] += own.get(bins + bin)?;
            block.scores += form().ok()?.decode(*own.get(2 * bins + bin)?);
        }
        Some(blocks)
    }

    fn crossed(&self, index: usize) -> &[u64] {
        let size = self.layout.crossed();
        let from = self.layout.histograms() + index.saturating_mul(size);
        self.vector.get(from..from + size).unwrap_or(&[])
    }

    /// Each axis adds to the whole; each model counts the same cases of each class.
    fn check_margins(&self, index: usize, part: Part) -> Result<(), SumFault> {
        if part.level.is_some() {
            return Ok(());
        }
        let bins = self.layout.bins();
        let whole = self.block(index);
        let parts = || self.layout.parts().iter().enumerate();
        let same = |other: &Part| (other.endpoint, other.model) == (part.endpoint, part.model);
        let axes = parts().filter(|(_, other)| same(other));
        let axes: std::collections::BTreeSet<usize> =
            axes.filter_map(|(_, other)| Some(other.level?.0)).collect();
        for axis in axes {
            let mut sum = vec![0_u64; whole.len()];
            for (place, other) in parts() {
                if same(other) && other.level.is_some_and(|(of, _)| of == axis) {
                    let own = self.block(place).iter();
                    sum.iter_mut()
                        .zip(own)
                        .for_each(|(sum, own)| *sum = sum.wrapping_add(*own));
                }
            }
            // Each level's sum of scores was rounded at each hospital, and so was the whole.
            let slack = u64::try_from(HOSPITALS_MAX.saturating_mul(LEVELS_MAX)).unwrap_or(0);
            let (counts, scores) = sum.split_at(2 * bins);
            let (of_all, all_scores) = whole.split_at(2 * bins);
            let near = scores
                .iter()
                .zip(all_scores)
                .all(|(levels, whole)| levels.abs_diff(*whole) <= slack);
            if counts != of_all || !near {
                return Err(SumFault::Levels);
            }
        }
        let classes = |block: &[u64]| -> [u64; 2] {
            [
                block.iter().take(bins).sum(),
                block.iter().skip(bins).take(bins).sum(),
            ]
        };
        let first = parts()
            .find(|(_, other)| other.endpoint == part.endpoint && other.level.is_none())
            .map(|(place, _)| classes(self.block(place)));
        if first == Some(classes(whole)) {
            Ok(())
        } else {
            Err(SumFault::Models)
        }
    }

    fn block(&self, index: usize) -> &[u64] {
        let size = self.layout.block();
        let from = index.saturating_mul(size).saturating_add(1);
        self.vector.get(from..from + size).unwrap_or(&[])
    }

    /// Events and non-events of each endpoint, in the protocol's order.
    pub fn totals(&self) -> Vec<[u64; 2]> {
        let bins = self.layout.bins();
        let mut totals = Vec::new();
        for (index, part) in self.layout.parts().iter().enumerate() {
            if part.level.is_none() && totals.len() == part.endpoint {
                let own = self.block(index);
                let non_events = own.iter().take(bins).sum::<u64>();
                let events = own.iter().skip(bins).take(bins).sum::<u64>();
                totals.push([events, non_events]);
            }
        }
        totals
    }

    /// The exact statistics of the sum, each of which a review must let out.
    pub fn measure(&self, protocol: &StudyProtocol) -> Vec<Statistic<Exact>> {
        let mut found = Vec::new();
        for part in self.layout.parts() {
            if part.level.is_some() {
                continue;
            }
            let whole = narrowed(protocol, *part, None);
            let cases = self.cases(protocol, *part, None);
            let index = protocol.model.get(part.model);
            let index = index.is_some_and(|model| model.role == ModelRole::Index);
            if index {
                found.extend(measure(&whole, &cases, &[StatisticKind::Flow]));
            }
            found.extend(measure(&whole, &cases, &WHOLE));
            if !index {
                continue;
            }
            for axis in 0..protocol.subgroup.len() {
                let by_level = narrowed(protocol, *part, Some(axis));
                let cases = self.cases(protocol, *part, Some(axis));
                let kinds: Vec<StatisticKind> = BY_LEVEL
                    .into_iter()
                    .filter(|kind| {
                        *kind != StatisticKind::Subgroup || !by_level.threshold.is_empty()
                    })
                    .collect();
                found.extend(measure(&by_level, &cases, &kinds));
            }
        }
        for (index, pair) in self.layout.pairs().iter().enumerate() {
            found.extend(self.compared(protocol, index, *pair));
        }
        found
    }

    /// Both models on the same cases. The joined grid keeps the prespecified thresholds and no
    /// other of the decision curve.
    fn compared(
        &self,
        protocol: &StudyProtocol,
        index: usize,
        pair: Pair,
    ) -> Vec<Statistic<Exact>> {
        let mut both = protocol.clone();
        both.endpoint = one(&protocol.endpoint, pair.endpoint);
        both.model = one(&protocol.model, pair.model);
        both.model.extend(one(&protocol.model, pair.comparator));
        both.decision_curve = None;
        let both = without_the_rest(both);
        let Some(cases) = self.crossed_cases(protocol, index, pair) else {
            return Vec::new();
        };
        let mut found = measure(&both, &cases, &COMPARED);
        if let Some(set) = AnalysisSet::of(&both, &cases, 0) {
            let differences = net_benefit::differences(&set, 0, 1).into_iter();
            found.extend(differences.map(Statistic::Estimate));
        }
        found
    }

    /// One case for each patient of a crossed table, with the mean score of each model's block.
    fn crossed_cases(&self, protocol: &StudyProtocol, index: usize, pair: Pair) -> Option<Cases> {
        let blocks = self.layout.blocks();
        let means = |model: usize| -> Option<Vec<f64>> {
            let joined = self.joined(pair.endpoint, model)?;
            let spans = joined.iter().enumerate().map(|(place, block)| {
                let (low, _) = edges_of(protocol, blocks[place]);
                let next = blocks.get(place + 1).copied();
                let (_, high) = edges_of(protocol, next.unwrap_or(self.layout.bins()) - 1);
                mean(block.scores, block.counts[0] + block.counts[1], (low, high))
            });
            Some(spans.collect())
        };
        let (models, comparators) = (means(pair.model)?, means(pair.comparator)?);
        let mut outcome = Vec::new();
        let mut score = [Vec::new(), Vec::new()];
        for (place, count) in self.crossed(index).iter().enumerate() {
            let (above, second) = (place / blocks.len(), place % blocks.len());
            let (event, first) = (above >= blocks.len(), above % blocks.len());
            for _ in 0..*count {
                outcome.push(Some(event));
                score[0].push(Some(models[first]));
                score[1].push(Some(comparators[second]));
            }
        }
        Some(cases_of(protocol, outcome, score.into(), Vec::new()))
    }

    /// One case for each patient of the sum: the mean score of the bin, the outcome, the level of
    /// `axis`.
    fn cases(&self, protocol: &StudyProtocol, part: Part, axis: Option<usize>) -> Cases {
        let bins = self.layout.bins();
        let (mut outcome, mut score, mut level) = (Vec::new(), Vec::new(), Vec::new());
        for (index, other) in self.layout.parts().iter().enumerate() {
            let same = (other.endpoint, other.model) == (part.endpoint, part.model);
            if !same || other.level.map(|(of, _)| of) != axis {
                continue;
            }
            let place = other.level.and_then(|(_, place)| u16::try_from(place).ok());
            let own = self.block(index);
            for bin in 0..bins {
                let (without, with) = (own[bin], own[bins + bin]);
                let sum = form().map_or(0.0, |form| form.decode(own[2 * bins + bin]));
                let mean = mean(sum, without + with, edges_of(protocol, bin));
                for (event, count) in [(false, without), (true, with)] {
                    for _ in 0..count {
                        outcome.push(Some(event));
                        score.push(Some(mean));
                        level.push(place.unwrap_or(0));
                    }
                }
            }
        }
        let level = axis.map(|_| level).into_iter().collect();
        cases_of(protocol, outcome, vec![score], level)
    }
}

/// Cases of one endpoint, each of another patient.
fn cases_of(
    protocol: &StudyProtocol,
    outcome: Vec<Option<bool>>,
    score: Vec<Vec<Option<f64>>>,
    level: Vec<Vec<u16>>,
) -> Cases {
    let patients = u32::try_from(outcome.len()).unwrap_or(u32::MAX);
    let rows = u64::from(patients);
    Cases {
        patient: (0..patients).collect(),
        patients,
        outcome: vec![outcome],
        masks: vec![None],
        score,
        earlier: Arc::from([]),
        level,
        column: protocol.field.iter().map(|_| Column::Withheld).collect(),
        intake: Intake {
            records: Tally {
                rows,
                patients: rows,
            },
            ..Intake::default()
        },
    }
}

/// The sum of counts; `None` when it is no count.
fn total<'a>(mut counts: impl Iterator<Item = &'a u64>) -> Option<u64> {
    counts.try_fold(0_u64, |sum, count| sum.checked_add(*count))
}

/// Lower and upper edge of a bin.
fn edges_of(protocol: &StudyProtocol, bin: usize) -> (f64, f64) {
    let edges = &protocol.histogram.edges;
    let low = bin.checked_sub(1).and_then(|below| edges.get(below));
    let high = edges.get(bin);
    (low.copied().unwrap_or(0.0), high.copied().unwrap_or(1.0))
}

/// The mean of `count` scores that add to `sum`, within its bin: rounding may not carry a score
/// over an edge, which may be a threshold.
fn mean(sum: f64, count: u64, (low, high): (f64, f64)) -> f64 {
    let most = if high < 1.0 { high.next_down() } else { 1.0 };
    if count == 0 {
        return low;
    }
    (sum / number(count)).clamp(low, most)
}

/// The protocol of one endpoint, one model and at most one axis.
fn narrowed(protocol: &StudyProtocol, part: Part, axis: Option<usize>) -> StudyProtocol {
    let mut narrow = protocol.clone();
    narrow.endpoint = one(&protocol.endpoint, part.endpoint);
    narrow.model = one(&protocol.model, part.model);
    for model in &mut narrow.model {
        model.role = ModelRole::Index;
    }
    let mut narrow = without_the_rest(narrow);
    narrow.subgroup = axis.map_or_else(Vec::new, |axis| one(&protocol.subgroup, axis));
    narrow
}

/// Without thresholds of other models and endpoints, and without what needs more than a sum holds.
fn without_the_rest(mut narrow: StudyProtocol) -> StudyProtocol {
    narrow.subgroup.clear();
    let (models, endpoints) = (narrow.model.clone(), narrow.endpoint.clone());
    narrow.threshold.retain(|entry| {
        models.iter().any(|model| model.id == entry.model)
            && endpoints.iter().any(|one| one.id == entry.endpoint)
    });
    narrow.sensitivity.clear();
    narrow.failure = None;
    narrow.comparison = None;
    narrow
}

fn one<T: Clone>(items: &[T], index: usize) -> Vec<T> {
    items.get(index).cloned().into_iter().collect()
}

/// Every kind that is measured on an opened sum.
#[cfg(test)]
fn measured() -> Vec<StatisticKind> {
    let alone = [StatisticKind::Flow, StatisticKind::NetBenefit];
    let mut kinds: Vec<StatisticKind> = [&WHOLE[..], &BY_LEVEL, &COMPARED, &alone].concat();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::mode::{Masked, masked};
    use crate::study::{source, validate};

    /// An empty table, and one whose rows and columns add to nothing modulo 2^64 although each of
    /// four cells says 2^63.
    #[test]
    fn cells_that_wrap_around_are_no_counts() {
        let text = include_str!("../../../configs/examples/heart/study.toml");
        let protocol = validate::expand(&source::parse(text).unwrap());
        let layout = Layout::of(&protocol);
        assert!(!layout.pairs().is_empty());
        let mut vector = vec![0; layout.length()];
        vector[0] = 1;
        assert!(OpenedSum::read(&protocol, vector.clone(), 1).is_ok());
        let (from, size) = (layout.histograms(), layout.blocks().len());
        for cell in [0, 1, size, size + 1] {
            vector[from + cell] = 1 << 63;
        }
        let read = OpenedSum::read(&protocol, vector.clone(), 1);
        assert_eq!(read.err(), Some(SumFault::Crossed));
        vector[1] = MOST + 1;
        let read = OpenedSum::read(&protocol, vector, 1);
        assert_eq!(read.err(), Some(SumFault::TooLarge));
    }

    #[test]
    fn what_travels_masked_is_what_the_catalogue_says() {
        let declared = StatisticKind::ALL.iter().copied();
        let carried = declared
            .filter(|kind| masked(*kind) != Masked::Nothing && *kind != StatisticKind::MaskedSums);
        let mut carried: Vec<StatisticKind> = carried.collect();
        carried.sort_unstable();
        assert_eq!(carried, measured());
    }
}
