//! The groups of patients that a release speaks about: the analysed cases of each endpoint, each
//! level of each axis among them, and each of these by outcome; who was left out, by reason; and the
//! cuts along a score, which are those of a class at or above a threshold or an edge between two blocks of a histogram. A site
//! keeps them for life, so that the next release is compared with every earlier one (rules L2 and
//! L3).
//!
//! From: `cases`.
//! To: the node's ledger. Who is in a group never leaves the node.

use super::analysis_set::AnalysisSet;
use super::cases::Cases;
use super::overlap::{CLASSES, members};
use super::patients::PatientSet;
use super::{flow, sensitivity};
use crate::study::{AxisId, EndpointId, Model, ModelId, ModelRole, StudyProtocol};

/// A group of patients.
pub struct Group {
    /// What it is, in the words of the protocol: `disease`, `disease sex female, event`. Where
    /// patients stand in several cases, the parts of a set overlap, and the name of a part starts
    /// with a star: numbers of its patients do not add up. The name of a cut starts with an at sign:
    /// `@disease p_b 0.5, event`, or among a level `@disease sex female p_b 0.5, event`; of those who
    /// were left out for a reason with a hyphen.
    pub name: String,
    /// Its patients, as `Cases` numbers them.
    pub patient: PatientSet,
}

/// How much is said of a level of an axis; each part contains the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Of its cases.
    Cases,
    /// Also of those with and without the event.
    Classes,
    /// Also of each class at or above a threshold.
    Quarters,
}

/// What a release says of parts of its sets.
pub trait Says {
    /// Whether that much is said of the level with this index of an axis.
    fn level(&self, endpoint: &EndpointId, axis: &AxisId, level: usize, part: Part) -> bool;

    /// The scores, ascending, at which a class is cut for a model.
    fn cuts(&self, endpoint: &EndpointId, model: &ModelId, event: bool) -> Vec<f64>;

    /// The thresholds of a model whose 2x2 table is shown, ascending.
    fn tables(&self, endpoint: &EndpointId, model: &ModelId) -> Vec<f64>;

    /// Whether it is told how many were left out for this reason.
    fn left_out(&self, endpoint: &EndpointId, reason: &str) -> bool;

    /// The thresholds of two models at which their decisions are shown crossed.
    fn crossed(&self, endpoint: &EndpointId, models: [&ModelId; 2]) -> Vec<[f64; 2]>;
}

/// Every group of `cases` that is spoken about: the endpoints' sets, what `says` names of their
/// parts, and the sets of sensitivity analyses that are at least `min_cell` patients apart from all
/// others.
pub fn groups(
    protocol: &StudyProtocol,
    cases: &Cases,
    says: &dyn Says,
    min_cell: u64,
) -> Vec<Group> {
    let mut found = Vec::new();
    for index in 0..protocol.endpoint.len() {
        let Some(set) = AnalysisSet::of(protocol, cases, index) else {
            continue;
        };
        for (axis, level) in protocol.subgroup.iter().zip(&set.level) {
            let names = protocol.find_field(&axis.field);
            let names = names.map(|field| axis.levels(field)).unwrap_or_default();
            let by_class = by_class(&set, names.len(), |row| Some(usize::from(level[row])));
            for (class, each) in CLASSES.into_iter().zip(by_class) {
                for (place, (name, patient)) in names.iter().zip(each).enumerate() {
                    let depth = class.map_or(Part::Cases, |_| Part::Classes);
                    if says.level(&set.endpoint, &axis.id, place, depth) {
                        let part = format!(" {} {name}", axis.id);
                        keep(&mut found, &set, &part, class, patient);
                    }
                }
            }
        }
        whole(&mut found, &set, "");
        for (entry, set) in sensitivity::spoken(protocol, cases, index, &set, min_cell) {
            whole(&mut found, &set, &format!(" sensitivity {}", entry.id));
        }
        for (reason, patient) in flow::left_out(protocol, cases, index) {
            if says.left_out(&set.endpoint, &reason) {
                let before = found.len();
                keep(&mut found, &set, &format!(" {reason}"), None, patient);
                mark(&mut found[before..], '-');
            }
        }
        cuts(&mut found, &set, says);
        quarters(&mut found, &set, says);
        crossed(&mut found, &set, says);
        let validated = models(protocol).find(|(_, model)| model.role == ModelRole::Index);
        if let Some((place, model)) = validated {
            let tables = says.tables(&set.endpoint, &model.id);
            let at = (place, tables.as_slice(), min_cell);
            for (entry, set, threshold) in sensitivity::spoken_at(protocol, cases, index, &set, at)
            {
                let part = format!(" sensitivity {} {} {threshold}", entry.id, model.id);
                both_cuts(&mut found, &set, &part, |row| {
                    set.score[place][row] >= threshold
                });
            }
        }
    }
    found
}

fn models(protocol: &StudyProtocol) -> impl Iterator<Item = (usize, &Model)> {
    protocol.model.iter().enumerate()
}

/// Each class from every score upwards at which it is cut.
fn cuts(found: &mut Vec<Group>, set: &AnalysisSet<'_>, says: &dyn Says) {
    for (place, model) in models(set.protocol) {
        for event in [true, false] {
            let edges = says.cuts(&set.endpoint, &model.id, event);
            // By how many edges a score reaches; whoever reaches one reaches those below.
            let mut reached = members(set, edges.len() + 1, |row| {
                let score = set.score[place][row];
                let reached = || edges.partition_point(|edge| score >= *edge);
                (set.outcome[row] == event).then(reached)
            });
            let mut above = PatientSet::default();
            for reached in reached.iter_mut().rev() {
                reached.join(&above);
                above.clone_from(reached);
            }
            for (edge, patient) in edges.iter().zip(reached.into_iter().skip(1)) {
                let part = format!(" {} {edge}", model.id);
                cut(found, set, &part, event, patient);
            }
        }
    }
}

/// The same of the levels that are shown by predicted class: of the model under validation, at its
/// first threshold, as the subgroup tables are.
fn quarters(found: &mut Vec<Group>, set: &AnalysisSet<'_>, says: &dyn Says) {
    let validated = models(set.protocol).find(|(_, model)| model.role == ModelRole::Index);
    let Some((place, model)) = validated else {
        return;
    };
    let thresholds = set.protocol.thresholds(&model.id, &set.endpoint);
    let Some(threshold) = thresholds.first() else {
        return;
    };
    for (axis, level) in set.protocol.subgroup.iter().zip(&set.level) {
        let names = set.protocol.find_field(&axis.field);
        let names = names.map(|field| axis.levels(field)).unwrap_or_default();
        let [_, events, others] = by_class(set, names.len(), |row| {
            (set.score[place][row] >= *threshold).then_some(usize::from(level[row]))
        });
        for (index, (name, both)) in names.iter().zip(events.into_iter().zip(others)).enumerate() {
            if !says.level(&set.endpoint, &axis.id, index, Part::Quarters) {
                continue;
            }
            let part = format!(" {} {name} {} {threshold}", axis.id, model.id);
            cut(found, set, &part, true, both.0);
            cut(found, set, &part, false, both.1);
        }
    }
}

/// Those whom two models call positive: with the cuts of both, every cell of the crossed table
/// follows.
fn crossed(found: &mut Vec<Group>, set: &AnalysisSet<'_>, says: &dyn Says) {
    for (first, one) in models(set.protocol) {
        for (second, other) in models(set.protocol) {
            for [a, b] in says.crossed(&set.endpoint, [&one.id, &other.id]) {
                let part = format!(" {} {a} {} {b}", one.id, other.id);
                both_cuts(found, set, &part, |row| {
                    set.score[first][row] >= a && set.score[second][row] >= b
                });
            }
        }
    }
}

/// The chosen of those with the event, and of those without.
fn both_cuts(
    found: &mut Vec<Group>,
    set: &AnalysisSet<'_>,
    part: &str,
    chosen: impl Fn(usize) -> bool,
) {
    let [_, events, others] = by_class(set, 1, |row| chosen(row).then_some(0));
    for (event, each) in [(true, events), (false, others)] {
        for patient in each {
            cut(found, set, part, event, patient);
        }
    }
}

/// One cut of a class; nobody at all is none.
fn cut(
    found: &mut Vec<Group>,
    set: &AnalysisSet<'_>,
    part: &str,
    event: bool,
    patient: PatientSet,
) {
    let before = found.len();
    keep(found, set, part, Some(event), patient);
    mark(&mut found[before..], '@');
}

fn mark(found: &mut [Group], sign: char) {
    found
        .iter_mut()
        .for_each(|group| group.name.insert(0, sign));
}

/// A set, and its cases with and without the event.
fn whole(found: &mut Vec<Group>, set: &AnalysisSet<'_>, part: &str) {
    for (class, all) in CLASSES.into_iter().zip(by_class(set, 1, |_| Some(0))) {
        for patient in all {
            keep(found, set, part, class, patient);
        }
    }
}

/// The patients of each of `groups` groups, class by class as [`CLASSES`] are.
fn by_class(
    set: &AnalysisSet<'_>,
    groups: usize,
    group_of: impl Fn(usize) -> Option<usize>,
) -> [Vec<PatientSet>; 3] {
    let mut events = members(set, 2 * groups, |row| {
        let group = group_of(row).filter(|group| *group < groups)?;
        Some(group + if set.outcome[row] { 0 } else { groups })
    });
    let others = events.split_off(groups);
    let mut all = events.clone();
    all.iter_mut()
        .zip(&others)
        .for_each(|(all, others)| all.join(others));
    [all, events, others]
}

fn keep(
    found: &mut Vec<Group>,
    set: &AnalysisSet<'_>,
    part: &str,
    class: Option<bool>,
    patient: PatientSet,
) {
    if patient.is_empty() {
        return;
    }
    let class_words = match class {
        None => "",
        Some(true) => ", event",
        Some(false) => ", no event",
    };
    let is_part = class.is_some() || !part.is_empty();
    let star = if set.clustered() && is_part { "*" } else { "" };
    let name = format!("{star}{}{part}{class_words}", set.endpoint);
    found.push(Group { name, patient });
}
