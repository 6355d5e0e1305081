//! The groups of patients that this site's releases have spoken about, over all studies and
//! requesters and for life, and what they forbid: a release whose groups differ from an earlier one's
//! by a few patients (L2), from which with all others a small group would follow (L3), or that comes
//! of a table in which a few patients were changed (L5).
//!
//! Patients are known by tags ([`crate::cohort::People`]). None of this leaves the node.
//!
//! From: `cohort` (who is in the table), `store` (what was released).
//! To: `measure`, which withholds; `store`, which keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::disclosure::atoms::{Exposure, exposure};
use shared::disclosure::{Policy, Reviewed};
use shared::identity::Digest;
use shared::statistic::cases::{Cases, Earlier};
use shared::statistic::spoken;
use shared::study::{StudyProtocol, Timestamp};

use crate::cohort::{People, Tag};

/// A group of patients that a release speaks about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpokenGroup {
    /// What it is, in the words of its protocol.
    pub name: String,
    /// Its patients, in the order of their tags.
    pub(crate) tag: Vec<Tag>,
    /// What the table said of each of them.
    pub(crate) version: Vec<u64>,
    /// What those cover.
    pub(crate) shape: Option<Digest>,
}

impl SpokenGroup {
    /// Whether it is the whole set of an endpoint.
    fn is_cohort(&self) -> bool {
        !self.name.contains(' ')
    }

    /// Axis and level; empty for the set of an endpoint.
    fn level(&self) -> &str {
        let name = self.name.strip_suffix(", event");
        let name = name.or_else(|| self.name.strip_suffix(", no event"));
        let name = name.unwrap_or(&self.name);
        name.split_once(' ').map_or("", |(_, level)| level)
    }
}

/// The models of a protocol, by name and version.
pub(crate) fn models(protocol: &StudyProtocol) -> impl Iterator<Item = String> {
    protocol
        .model
        .iter()
        .map(|model| format!("{} {}", model.name, model.version))
}

/// What a release speaks about, and how much was known when that was compared with the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spoken {
    /// The groups.
    pub groups: Vec<SpokenGroup>,
    /// Releases that they were compared with; absent where the policy asks for no comparison.
    pub(crate) after: Option<i64>,
}

/// One digest of what a release speaks about, for the ledger.
pub(crate) fn digest(groups: &[SpokenGroup]) -> Digest {
    let each: Vec<Vec<u8>> = groups
        .iter()
        .map(|group| {
            let mut bytes = group.name.clone().into_bytes();
            bytes.push(0);
            bytes.extend(group.shape.iter().flat_map(|shape| *shape.as_bytes()));
            bytes.extend(group.tag.concat());
            bytes.extend(group.version.iter().flat_map(|one| one.to_le_bytes()));
            bytes
        })
        .collect();
    let parts: Vec<&[u8]> = each.iter().map(Vec::as_slice).collect();
    Digest::of_list(&parts)
}

/// Everything that earlier releases spoke about.
#[derive(Default)]
pub struct Past {
    told: Vec<Told>,
    releases: i64,
}

/// One earlier release.
pub(crate) struct Told {
    /// When it was approved.
    pub(crate) at: Timestamp,
    /// Its models, by name and version; none where its protocol is not kept.
    pub(crate) models: Vec<String>,
    /// What it spoke about.
    pub(crate) groups: Vec<SpokenGroup>,
}

impl Past {
    /// Every release that may have left, and how many the database counts.
    pub(crate) fn new(told: Vec<Told>, releases: i64) -> Self {
        Self { told, releases }
    }

    fn groups(&self) -> impl Iterator<Item = &SpokenGroup> {
        self.told.iter().flat_map(|told| &told.groups)
    }

    /// L4: why a person must approve, whatever the site's configuration says.
    pub(crate) fn over_budget(
        &self,
        policy: &Policy,
        protocol: &StudyProtocol,
        spoken: &Spoken,
        now: Timestamp,
    ) -> Option<String> {
        let budget = policy.budget()?;
        let since = now.unix() - i64::from(budget.days) * 86_400;
        let recent = || self.told.iter().filter(|told| told.at.unix() >= since);
        let groups = recent().flat_map(|told| &told.groups).chain(&spoken.groups);
        let cohorts: BTreeSet<&[Tag]> = groups
            .filter(|group| group.is_cohort())
            .map(|group| group.tag.as_slice())
            .collect();
        let models: BTreeSet<String> = recent()
            .flat_map(|told| told.models.iter().cloned())
            .chain(models(protocol))
            .collect();
        for (count, most, what) in [
            (cohorts.len(), budget.cohorts, "cohorts"),
            (models.len(), budget.models, "models"),
        ] {
            if count > most {
                return Some(format!(
                    "rule L4: with this one, {count} different {what} in {} days; the policy lets \
                     {most} pass without a person",
                    budget.days
                ));
            }
        }
        None
    }

    /// The earlier groups as the patients of a table.
    pub(crate) fn within(&self, people: &People) -> Arc<[Earlier]> {
        let local = local(people);
        let each = self.groups().map(|group| {
            let mut inside = vec![false; people.tag.len()];
            let mut outside = 0;
            for tag in &group.tag {
                match local.get(tag) {
                    Some(patient) => inside[*patient] = true,
                    None => outside += 1,
                }
            }
            Earlier { inside, outside }
        });
        each.collect()
    }

    /// L5: of the patients of a group that was spoken about, none or at least k may read differently
    /// now. Asked of the endpoints' sets, and of single levels.
    pub(crate) fn changed(&self, people: &People, policy: &Policy) -> Changed {
        let (local, k) = (local(people), policy.min_cell());
        let changes = |group: &SpokenGroup| {
            let pairs = group.tag.iter().zip(&group.version);
            pairs
                .filter(|(tag, version)| {
                    let now = local.get(*tag).map(|patient| people.version[*patient]);
                    now.is_some_and(|now| now != **version)
                })
                .count() as u64
        };
        let few = |of_levels: bool| {
            let same = self.groups().filter(|group| {
                group.shape.is_some()
                    && group.shape == people.shape
                    && group.level().is_empty() != of_levels
            });
            let few = same.map(changes).filter(|count| *count > 0 && *count < k);
            let few = few.min().filter(|_| policy.protects())?;
            let patients = if few == 1 { "patient" } else { "patients" };
            Some(format!(
                "rule L5: the table says other things of {few} {patients} than when they were last \
                 spoken about; the policy asks for {k} or none"
            ))
        };
        Changed {
            sets: few(false),
            levels: few(true),
        }
    }

    /// L3: why the groups of a release may not be spoken about after the earlier ones. It is asked
    /// among the sets of the endpoints, among these and the groups of each single level, and
    /// among all: what follows from some of the groups is found more surely without the others,
    /// which only divide the patients further.
    pub(crate) fn follows(&self, groups: &[SpokenGroup], policy: &Policy) -> Option<String> {
        if !policy.protects() {
            return None;
        }
        let k = policy.min_cell();
        let mut number: BTreeMap<Tag, u32> = BTreeMap::new();
        let mut sets: Vec<(&str, Vec<u32>)> = Vec::new();
        for group in self.groups().chain(groups) {
            let members = group.tag.iter().map(|tag| {
                let next = u32::try_from(number.len()).unwrap_or(u32::MAX);
                *number.entry(*tag).or_insert(next)
            });
            let mut members: Vec<u32> = members.collect();
            members.sort_unstable();
            sets.push((group.level(), members));
        }
        let levels: BTreeSet<&str> = sets.iter().map(|(level, _)| *level).collect();
        let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Vec<u32>> {
            let chosen = sets.iter().filter(|(level, _)| wanted(level));
            chosen.map(|(_, members)| members.clone()).collect()
        };
        let each = levels
            .iter()
            .map(|one| of(&|level| level.is_empty() || level == *one));
        let found = each
            .chain([of(&|_| true)])
            .map(|sets| exposure(&sets, k))
            .find(|found| *found != Exposure::None);
        match found? {
            Exposure::None => None,
            Exposure::Few(patients) => Some(format!(
                "rule L3: with the groups of earlier releases, something about {patients} patients \
                 would follow by sums and differences; the policy asks for {k}"
            )),
            Exposure::Unknown => Some(
                "rule L3: there are too many earlier groups to tell what follows from them"
                    .to_owned(),
            ),
        }
    }
}

/// Why a table that was changed since an earlier release may not be spoken about.
pub(crate) struct Changed {
    /// Of the endpoints' sets: not at all.
    pub(crate) sets: Option<String>,
    /// Of levels: not by level.
    pub(crate) levels: Option<String>,
}

fn local(people: &People) -> BTreeMap<Tag, usize> {
    let each = people.tag.iter().enumerate();
    each.map(|(patient, tag)| (*tag, patient)).collect()
}

/// What a release of these cases speaks about, compared with `past`.
pub(crate) fn of(
    protocol: &StudyProtocol,
    cases: &Cases,
    people: &People,
    (reviewed, past): (&Reviewed, &Past),
    policy: &Policy,
) -> Spoken {
    let says: spoken::Says<'_> =
        &|endpoint, axis, level, by_class| reviewed.speaks_of(endpoint, axis, level, by_class);
    let groups = spoken::groups(protocol, cases, says);
    let each = groups.into_iter().map(|group| {
        let mut members: Vec<(Tag, u64)> = group
            .patient
            .iter()
            .map(|patient| {
                let patient = *patient as usize;
                (people.tag[patient], people.version[patient])
            })
            .collect();
        members.sort_unstable();
        let (tag, version) = members.into_iter().unzip();
        SpokenGroup {
            name: group.name,
            tag,
            version,
            shape: people.shape,
        }
    });
    Spoken {
        groups: each.collect(),
        after: policy.protects().then_some(past.releases),
    }
}
