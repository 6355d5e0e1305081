//! The groups of patients that a release speaks about: the analysed cases of each endpoint, each
//! level of each axis among them, and each of these by outcome. A site keeps them for life, so that
//! the next release is compared with every earlier one (rules L2 and L3).
//!
//! From: `cases`.
//! To: the node's ledger. Who is in a group never leaves the node.

use super::analysis_set::AnalysisSet;
use super::cases::Cases;
use super::overlap::{CLASSES, members};
use super::sensitivity;
use crate::study::{AxisId, EndpointId, StudyProtocol};

/// A group of patients.
pub struct Group {
    /// What it is, in the words of the protocol: `disease`, `disease sex female, event`. Where
    /// patients stand in several cases, the parts of a set overlap, and the name of a part starts
    /// with a star: numbers of its patients do not add up.
    pub name: String,
    /// Its patients, ascending, as `Cases` numbers them.
    pub patient: Vec<u32>,
}

/// What is said of a level of an axis: of all its cases, or also by class.
pub type Says<'a> = &'a dyn Fn(&EndpointId, &AxisId, usize, bool) -> bool;

/// Every group of `cases` that is spoken about: the endpoints' sets, the levels that `says` names,
/// and the sets of sensitivity analyses that are at least `min_cell` patients apart from all others.
pub fn groups(
    protocol: &StudyProtocol,
    cases: &Cases,
    says: Says<'_>,
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
            for class in CLASSES {
                let of = |row: usize| counts(&set, class, row).then_some(usize::from(level[row]));
                let each = members(&set, names.len(), of);
                for (place, (name, patient)) in names.iter().zip(each).enumerate() {
                    if says(&set.endpoint, &axis.id, place, class.is_some()) {
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
    }
    found
}

/// A set, and its cases with and without the event.
fn whole(found: &mut Vec<Group>, set: &AnalysisSet<'_>, part: &str) {
    for class in CLASSES {
        let all = members(set, 1, |row| counts(set, class, row).then_some(0));
        for patient in all {
            keep(found, set, part, class, patient);
        }
    }
}

fn counts(set: &AnalysisSet<'_>, class: Option<bool>, row: usize) -> bool {
    class.is_none_or(|event| set.outcome[row] == event)
}

fn keep(
    found: &mut Vec<Group>,
    set: &AnalysisSet<'_>,
    part: &str,
    class: Option<bool>,
    patient: Vec<u32>,
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
