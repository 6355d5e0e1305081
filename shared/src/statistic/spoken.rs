//! The groups of patients that a release speaks about: the analysed cases of each endpoint, each
//! level of each axis among them, and each of these by outcome. A site keeps them for life, so that
//! the next release is compared with every earlier one (rules L2 and L3).
//!
//! From: `cases`.
//! To: the node's ledger. Who is in a group never leaves the node.

use super::analysis_set::AnalysisSet;
use super::cases::Cases;
use super::overlap::{CLASSES, members};
use crate::study::{AxisId, EndpointId, StudyProtocol};

/// A group of patients.
pub struct Group {
    /// What it is, in the words of the protocol: `disease`, `disease sex female, event`.
    pub name: String,
    /// Its patients, ascending, as `Cases` numbers them.
    pub patient: Vec<u32>,
}

/// What is said of a level of an axis: of all its cases, or also by class.
pub type Says<'a> = &'a dyn Fn(&EndpointId, &AxisId, usize, bool) -> bool;

/// Every group of `cases` that is spoken about: the endpoints' sets, and the levels that `says`
/// names.
pub fn groups(protocol: &StudyProtocol, cases: &Cases, says: Says<'_>) -> Vec<Group> {
    let mut found = Vec::new();
    for index in 0..protocol.endpoint.len() {
        let Some(set) = AnalysisSet::of(protocol, cases, index) else {
            continue;
        };
        for event in CLASSES {
            let counts = |row: usize| event.is_none_or(|event| set.outcome[row] == event);
            let class = match event {
                None => "",
                Some(true) => ", event",
                Some(false) => ", no event",
            };
            let all = members(&set, 1, |row| counts(row).then_some(0));
            let mut keep = |words: String, patient: Vec<u32>| {
                if !patient.is_empty() {
                    let name = format!("{}{words}{class}", set.endpoint);
                    found.push(Group { name, patient });
                }
            };
            for patient in all {
                keep(String::new(), patient);
            }
            for (axis, level) in protocol.subgroup.iter().zip(&set.level) {
                let names = protocol.find_field(&axis.field);
                let names = names.map(|field| axis.levels(field)).unwrap_or_default();
                let each = members(&set, names.len(), |row| counts(row).then_some(level[row]));
                for (level, (name, patient)) in names.iter().zip(each).enumerate() {
                    if says(&set.endpoint, &axis.id, level, event.is_some()) {
                        keep(format!(" {} {name}", axis.id), patient);
                    }
                }
            }
        }
    }
    found
}
