//! How far the groups of a release differ from each other and from those of earlier releases: two
//! overlapping groups whose numbers both leave speak, by subtraction, about the patients in one and
//! not in the other (the ledger's rule L2, which by decision P5 holds within one release too).
//!
//! From: `analysis_set`.
//! To: the disclosure gate, by way of the counts of levels and of analysed cases.

use super::analysis_set::AnalysisSet;
use super::cases::{Cases, Earlier};
use super::histogram::bin_of;
use super::patients::PatientSet;
use super::stage::ExactCount;

/// For each level of the axis with index `axis`: the fewest distinct patients, within an outcome
/// class, by which it or the rest of the site differs from a level of an earlier axis or its
/// rest. Groups that are equal do not differ.
pub(crate) fn nearest(set: &AnalysisSet<'_>, axis: usize) -> Vec<u64> {
    let Some(own) = set.level.get(axis) else {
        return Vec::new();
    };
    let levels = levels_of(set, axis);
    let mut nearest = vec![u64::MAX; levels];
    for earlier in 0..axis {
        let (other, others) = (&set.level[earlier], levels_of(set, earlier));
        let groups = levels * others;
        let place = |row: usize| {
            let class = groups * usize::from(set.outcome[row]);
            class + usize::from(own[row]) * others + usize::from(other[row])
        };
        let both = set.counts(2 * groups, place);
        for cells in both.chunks(groups.max(1)) {
            for (level, nearest) in nearest.iter_mut().enumerate() {
                for pair in 0..others {
                    let found = difference(set.clustered(), cells, others, (level, pair));
                    *nearest = found.min(*nearest);
                }
            }
        }
    }
    nearest
}

/// The fewest patients by which a level or its rest differs from a level of the other axis or
/// its rest. A difference as large as one of the two groups is no difference between groups:
/// where it is small, so is the group, and it is hidden for that.
fn difference(
    clustered: bool,
    cells: &[ExactCount],
    others: usize,
    (level, pair): (usize, usize),
) -> u64 {
    let people = |part: &dyn Fn(bool, bool) -> bool| {
        let patients = cells
            .iter()
            .enumerate()
            .filter(|(cell, _)| part(cell / others == level, cell % others == pair))
            .map(|(_, count)| count.patients);
        distinct(clustered, patients)
    };
    let (own, rest) = (people(&|own, _| own), people(&|own, _| !own));
    let (other, other_rest) = (people(&|_, other| other), people(&|_, other| !other));
    let apart = people(&|own, other| own != other);
    let alike = people(&|own, other| own == other);
    let mut found = u64::MAX;
    for (patients, pairs) in [
        (apart, [(own, other), (rest, other_rest)]),
        (alike, [(own, other_rest), (rest, other)]),
    ] {
        let compares = pairs.iter().any(|(a, b)| patients < *a && patients < *b);
        if patients > 0 && compares {
            found = found.min(patients);
        }
    }
    found
}

/// Distinct patients in some cells; a lower bound where patients repeat and may stand in
/// several.
fn distinct(clustered: bool, patients: impl Iterator<Item = u64>) -> u64 {
    if clustered {
        patients.max().unwrap_or(0)
    } else {
        patients.sum()
    }
}

pub(super) fn levels_of(set: &AnalysisSet<'_>, axis: usize) -> usize {
    let declared = set.protocol.subgroup.get(axis);
    let field = declared.and_then(|axis| set.protocol.find_field(&axis.field));
    match (declared, field) {
        (Some(axis), Some(field)) => axis.levels(field).len(),
        (None, _) | (_, None) => 0,
    }
}

/// For each level of the axis with index `axis`: the fewest patients by which it, or its cases with
/// or without the event, differ from a group of an earlier release.
pub(crate) fn nearest_earlier_level(set: &AnalysisSet<'_>, axis: usize) -> Vec<u64> {
    let levels = levels_of(set, axis);
    let Some(own) = set.level.get(axis) else {
        return vec![u64::MAX; levels];
    };
    if set.earlier.is_empty() {
        return vec![u64::MAX; levels];
    }
    let mut nearest = vec![u64::MAX; levels];
    for event in CLASSES {
        let groups = members(set, levels, |row| {
            let counts = event.is_none_or(|event| set.outcome[row] == event);
            counts.then_some(usize::from(own[row]))
        });
        for (nearest, group) in nearest.iter_mut().zip(&groups) {
            *nearest = nearest_earlier(&set.earlier, group).min(*nearest);
        }
    }
    nearest
}

/// The fewest patients by which the analysed cases of an endpoint, or those with or without the
/// event, differ from a group of an earlier release.
pub(crate) fn nearest_earlier_set(set: &AnalysisSet<'_>) -> u64 {
    if set.earlier.is_empty() {
        return u64::MAX;
    }
    let groups = CLASSES.map(|event| {
        members(set, 1, |row| {
            let counts = event.is_none_or(|event| set.outcome[row] == event);
            counts.then_some(0)
        })
    });
    let each = groups.iter().flatten();
    let each = each.map(|group| nearest_earlier(&set.earlier, group));
    each.min().unwrap_or(u64::MAX)
}

/// Of the cases of one class that `chosen` takes: the fewest patients by which they, or the rest of
/// the class among `within`, differ from a group of an earlier release.
pub(crate) fn nearest_earlier_part(
    set: &AnalysisSet<'_>,
    within: impl Fn(usize) -> bool,
    chosen: impl Fn(usize) -> bool,
) -> u64 {
    if set.earlier.is_empty() {
        return u64::MAX;
    }
    let parts = members(set, 2, |row| within(row).then(|| usize::from(chosen(row))));
    let each = parts.iter().filter(|part| !part.is_empty());
    let each = each.map(|part| nearest_earlier(&set.earlier, part));
    each.min().unwrap_or(u64::MAX)
}

/// By bin of the grid: the same of the cases of a class at or above the bin's lower edge, for the
/// model with index `model`. Where patients repeat no edge is told, and none is looked at.
pub(crate) fn nearest_earlier_edges(set: &AnalysisSet<'_>, model: usize, event: bool) -> Vec<u64> {
    let edges = &set.protocol.histogram.edges;
    let mut nearest = vec![u64::MAX; edges.len() + 1];
    let Some(score) = set.score.get(model).filter(|_| !set.clustered()) else {
        return nearest;
    };
    if set.earlier.is_empty() {
        return nearest;
    }
    let rows: Vec<(usize, u32)> = (0..set.len())
        .filter(|row| set.outcome[*row] == event)
        .map(|row| (bin_of(edges, score[row]), set.patient[row]))
        .collect();
    for earlier in set.earlier.iter() {
        let (mut own, mut both) = (vec![0_u64; nearest.len()], vec![0_u64; nearest.len()]);
        for (bin, patient) in &rows {
            own[*bin] += 1;
            both[*bin] += u64::from(earlier.inside.contains(*patient));
        }
        let theirs = earlier.patients();
        let (all, shared) = (rows.len() as u64, both.iter().sum::<u64>());
        let (mut below, mut shared_below) = (0, 0);
        for (bin, nearest) in nearest.iter_mut().enumerate().skip(1) {
            below += own[bin - 1];
            shared_below += both[bin - 1];
            let parts = [(below, shared_below), (all - below, shared - shared_below)];
            for (own, both) in parts {
                *nearest = apart(own, theirs, both).unwrap_or(u64::MAX).min(*nearest);
            }
        }
    }
    nearest
}

/// Everybody, those with the event, those without.
pub(super) const CLASSES: [Option<bool>; 3] = [None, Some(true), Some(false)];

/// The patients of the cases of each of `groups` groups.
pub(super) fn members(
    set: &AnalysisSet<'_>,
    groups: usize,
    group_of: impl Fn(usize) -> Option<usize>,
) -> Vec<PatientSet> {
    let mut members = vec![PatientSet::default(); groups];
    for row in 0..set.len() {
        if let Some(group) = group_of(row).and_then(|group| members.get_mut(group)) {
            group.insert(set.patient[row]);
        }
    }
    members
}

/// The fewest patients, of those whom one group holds and the other not, between `group` and the
/// groups of earlier releases. As above, a difference as large as one of the groups compares
/// nothing, and equal groups do not differ.
pub(super) fn nearest_earlier(earlier: &[Earlier], group: &PatientSet) -> u64 {
    let own = group.len();
    let each = earlier
        .iter()
        .filter_map(|other| apart(own, other.patients(), group.in_both(&other.inside)));
    each.min().unwrap_or(u64::MAX)
}

/// By how many patients two groups of `own` and `theirs`, of whom `both` stand in both, differ;
/// nothing where that compares nothing.
fn apart(own: u64, theirs: u64, both: u64) -> Option<u64> {
    let apart = own + theirs - 2 * both;
    (apart > 0 && apart < own && apart < theirs).then_some(apart)
}

/// Distinct patients by which the analysis set of `endpoint` differs from that of an earlier
/// endpoint, the fewest of them.
pub(crate) fn nearest_endpoint(cases: &Cases, endpoint: usize) -> u64 {
    let analysed = |index: usize, row: usize| {
        cases.truth(index, row).is_some() && cases.is_predicted(index, row)
    };
    let apart = |earlier: usize| {
        let differs = |row: usize| analysed(earlier, row) != analysed(endpoint, row);
        super::analysis_set::count(&cases.patient, cases.patients, differs).patients
    };
    (0..endpoint)
        .map(apart)
        .filter(|patients| *patients > 0)
        .min()
        .unwrap_or(u64::MAX)
}
