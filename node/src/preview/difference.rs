//! What a preview adds to earlier releases: whose patients it speaks about again, and which of its
//! items are new, say something else than last time, or say the same.
//!
//! From: `store` (what was released and shown), `spoken` (about whom).
//! To: the preview, as text and as a page.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use shared::disclosure::{Item, ReceivedRelease};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::{RoundId, StudySlug, Timestamp};

use crate::spoken;
use crate::store::Store;

/// An earlier release, and whom it has in common with this one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Before {
    /// Number of its ledger entry.
    pub entry: u64,
    /// When it was approved.
    pub at: Timestamp,
    /// Its study.
    pub study: Option<StudySlug>,
    /// Its round; absent for a file written without a coordinator.
    pub round: Option<RoundId>,
    /// Patients that both speak about.
    pub common: usize,
    /// Patients that only this one speaks about.
    pub new: usize,
    /// Patients that only the earlier one speaks about.
    pub gone: usize,
}

/// What an item says beside the last release of its study.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "since", rename_all = "kebab-case")]
pub enum Since {
    /// It was not there.
    New,
    /// It said the same.
    Same,
    /// It said something else.
    Was {
        /// What it said.
        value: String,
    },
}

/// What a preview adds to everything that this site has released.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Every earlier release that speaks about one of these patients, or belongs to the study.
    pub before: Vec<Before>,
    /// Earlier releases of this site, of all studies.
    pub releases: usize,
    /// Ledger entry of the last release of the study, with which the items are compared.
    pub compared: Option<u64>,
    /// What each item says beside it, in the order of the items; empty without one.
    pub items: Vec<Since>,
    /// Items of it that are no longer there, with what they said.
    pub gone: Vec<(String, String)>,
    /// Whether the released statistics are byte for byte the same.
    pub identical: bool,
    /// Whether the node compares releases at all; not under `open-data`.
    pub guarded: bool,
    /// Whether another release has left since this one was computed, so that it must be computed
    /// again.
    pub stale: bool,
}

impl Difference {
    /// How many items are new, say something else, say the same.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for since in &self.items {
            let place = match since {
                Since::New => 0,
                Since::Was { .. } => 1,
                Since::Same => 2,
            };
            counts[place] += 1;
        }
        counts
    }

    /// The last release of the study.
    pub fn last(&self) -> Option<&Before> {
        let entry = self.compared?;
        self.before.iter().find(|before| before.entry == entry)
    }

    /// Compares bytes that wait for approval with what this site has released.
    ///
    /// # Errors
    /// `FV-LEDGER-001`, `FV-INT-001`.
    pub fn of(
        store: &Store,
        study: &StudySlug,
        digest: Digest,
        items: &[Item],
    ) -> Result<Self, Fault> {
        let past = store.past()?;
        let (groups, after) = store.speaks(digest)?;
        let own = spoken::everybody(&groups);
        let mut found = Self {
            guarded: after.is_some(),
            ..Self::default()
        };
        let mut last = None;
        for told in past.told().iter().filter(|told| told.digest != digest) {
            found.releases += 1;
            let theirs = spoken::everybody(&told.groups);
            let common = own.intersection(&theirs).count();
            let of_study = told.study.as_ref() == Some(study);
            if common == 0 && !of_study {
                continue;
            }
            found.before.push(Before {
                entry: told.seq,
                at: told.at,
                study: told.study.clone(),
                round: told.round.clone(),
                common,
                new: own.len() - common,
                gone: theirs.len() - common,
            });
            if of_study && let Some(shown) = store.shown(told.digest)? {
                last = Some((told.seq, shown));
            }
        }
        let left = past.told().iter().any(|told| told.digest == digest);
        found.stale = !left && after.is_some_and(|after| after != past.releases());
        if let Some((entry, (bytes, earlier))) = last {
            let earlier: Vec<Item> = serde_json::from_str(&earlier)
                .map_err(|_| Fault::internal("a stored preview cannot be read"))?;
            found.compared = Some(entry);
            (found.items, found.gone) = compare(items, &earlier);
            let now = store.shown(digest)?;
            found.identical = now.is_some_and(|(now, _)| same_statistics(&now, &bytes));
        }
        Ok(found)
    }
}

fn same_statistics(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes| ReceivedRelease::read(bytes).ok();
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one.statistics == other.statistics && one.noisy == other.noisy,
        (_, None) | (None, _) => false,
    }
}

/// Items by name; of several with one name the first belongs to the first, and so on.
fn compare(items: &[Item], earlier: &[Item]) -> (Vec<Since>, Vec<(String, String)>) {
    let mut open: BTreeMap<&str, VecDeque<&Item>> = BTreeMap::new();
    for item in earlier {
        open.entry(&item.name).or_default().push_back(item);
    }
    let since = items
        .iter()
        .map(|item| {
            let before = open
                .get_mut(item.name.as_str())
                .and_then(VecDeque::pop_front);
            match before {
                None => Since::New,
                Some(before) if before.value == item.value => Since::Same,
                Some(before) => Since::Was {
                    value: before.value.clone(),
                },
            }
        })
        .collect();
    let gone = open.into_values().flatten();
    let gone = gone.map(|item| (item.name.clone(), item.value.clone()));
    (since, gone.collect())
}

#[cfg(test)]
mod tests {
    use shared::disclosure::Verdict;
    use shared::disclosure::rule::Rule;

    use super::*;

    fn item(name: &str, value: &str) -> Item {
        Item {
            name: name.to_owned(),
            patients: 12,
            value: value.to_owned(),
            rule: Rule::SmallCell,
            verdict: Verdict::Pass,
            action: "rounded".to_owned(),
        }
    }

    #[test]
    fn items_of_one_name_are_compared_in_order() {
        let earlier = [
            item("a", "1"),
            item("a", "2"),
            item("b", "3"),
            item("c", "4"),
        ];
        let now = [
            item("a", "1"),
            item("a", "5"),
            item("a", "6"),
            item("b", "3"),
        ];
        let (since, gone) = compare(&now, &earlier);
        let was = Since::Was {
            value: "2".to_owned(),
        };
        assert_eq!(since, [Since::Same, was, Since::New, Since::Same]);
        assert_eq!(gone, [("c".to_owned(), "4".to_owned())]);
        let difference = Difference {
            items: since,
            ..Difference::default()
        };
        assert_eq!(difference.counts(), [1, 1, 2]);
    }
}
