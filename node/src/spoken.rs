//! The groups of patients that this site's releases have spoken about, over all studies and
//! requesters and for life, and what they forbid: a release whose groups differ from an earlier one's
//! by a few patients (L2), from which with all others a small group would follow (L3), or that comes
//! of a table in which a few patients were changed (L5).
//!
//! Patients are known by tags ([`crate::cohort::People`]), and each tag by a number of this site.
//! None of this leaves the node.
//!
//! From: `cohort` (who is in the table), `store` (what was released).
//! To: `measure`, which withholds; `store`, which keeps.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use shared::disclosure::atoms::exposures;
use shared::disclosure::{Axes, Policy};
use shared::identity::Digest;
use shared::statistic::cases::Earlier;
use shared::statistic::patients::PatientSet;
use shared::statistic::spoken::Group;
use shared::study::{RoundId, StudyProtocol, StudySlug, Timestamp};

use crate::cohort::{People, Sha256, Tag};

/// What a release speaks about, and how much was known when that was compared with the past.
#[derive(Default)]
pub struct Spoken {
    /// The patients of the table.
    pub(crate) people: People,
    /// The groups, by their index in it.
    pub(crate) groups: Vec<Group>,
    /// Releases that they were compared with; absent where the policy asks for no comparison.
    pub(crate) after: Option<i64>,
}

/// A group of patients that an earlier release spoke about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PastGroup {
    /// What it is, in the words of its protocol.
    pub(crate) name: String,
    /// The fields that its versions are about.
    pub(crate) field: Vec<String>,
    /// Its patients' numbers, ascending.
    pub(crate) member: Vec<u32>,
    /// What the table said of each, field by field; only of the whole set of an endpoint, whose parts
    /// have the same.
    pub(crate) version: Vec<u64>,
}

/// One earlier release.
pub(crate) struct Told {
    /// Number of the ledger's entry.
    pub(crate) seq: u64,
    /// When it was approved.
    pub(crate) at: Timestamp,
    /// The study.
    pub(crate) study: Option<StudySlug>,
    /// The round; absent for a file written without a coordinator.
    pub(crate) round: Option<RoundId>,
    /// Digest of its bytes.
    pub(crate) digest: Digest,
    /// Its models ([`models`]); none where its protocol is not kept.
    pub(crate) models: Vec<String>,
    /// What it spoke about.
    pub(crate) groups: Vec<PastGroup>,
}

/// Everything that earlier releases spoke about.
#[derive(Default)]
pub struct Past {
    numbers: Numbers,
    told: Vec<Told>,
    releases: i64,
}

/// The number of each patient that was spoken about, in the order of their tags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Vec<(Tag, u32)>);

impl Numbers {
    /// `pairs` in the order of their tags.
    pub(crate) fn new(pairs: Vec<(Tag, u32)>) -> Self {
        Self(pairs)
    }

    /// By index of a table's patients.
    pub(crate) fn of(&self, people: &People) -> Vec<Option<u32>> {
        let find = |tag: &Tag| {
            let found = self.0.binary_search_by(|(known, _)| known.cmp(tag)).ok()?;
            self.0.get(found).map(|(_, number)| *number)
        };
        people.tag.iter().map(find).collect()
    }

    /// The tag of each number.
    pub(crate) fn tags(&self) -> Vec<Option<Tag>> {
        let mut tags = vec![None; self.end() as usize];
        for (tag, number) in &self.0 {
            tags[*number as usize] = Some(*tag);
        }
        tags
    }

    /// One above the greatest number.
    fn end(&self) -> u32 {
        let greatest = self.0.iter().map(|(_, number)| *number).max();
        greatest.map_or(0, |number| number + 1)
    }
}

/// One digest of what a release speaks about, for the ledger; `None` when a patient is not known.
pub(crate) fn digest(groups: &[PastGroup], tags: &[Option<Tag>]) -> Option<Digest> {
    let mut sha256 = Sha256::default();
    for group in groups {
        sha256.update(group.name.as_bytes());
        sha256.update(&[0]);
        for field in &group.field {
            sha256.update(field.as_bytes());
            sha256.update(&[0]);
        }
        sha256.update(&(group.member.len() as u64).to_le_bytes());
        for member in &group.member {
            sha256.update(tags.get(*member as usize)?.as_ref()?);
        }
        for version in &group.version {
            sha256.update(&version.to_le_bytes());
        }
    }
    Some(sha256.finish())
}

/// Whether numbers of a group's patients add up with those of others: not those of parts of a set in
/// which patients stand several times.
fn adds_up(name: &str) -> bool {
    !name.trim_start_matches(['@', '-']).starts_with('*')
}

/// What kind of group a name is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// An endpoint's set, a level, or a class of them.
    Set,
    /// Those who were left out for a reason.
    LeftOut,
    /// A class at or above a score.
    Cut,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name.chars().next() {
            Some('@') => Self::Cut,
            Some('-') => Self::LeftOut,
            Some(_) | None => Self::Set,
        }
    }
}

/// The endpoint of a group's name, its axis and level, its reason, or where it is cut, and its class.
fn parts(name: &str) -> (&str, &str, &str) {
    let name = name.trim_start_matches(['@', '-', '*']);
    let class = [", event", ", no event"];
    let class = class.into_iter().find(|class| name.ends_with(class));
    let class = class.unwrap_or_default();
    let rest = name.strip_suffix(class).unwrap_or(name);
    let (endpoint, level) = rest.split_once(' ').unwrap_or((rest, ""));
    (endpoint, level, class)
}

/// Whether a group is the whole set of an endpoint.
pub(crate) fn is_cohort(name: &str) -> bool {
    let (_, level, class) = parts(name);
    level.is_empty() && class.is_empty()
}

/// The models of a protocol: by digest, or by study, name and version where none is declared.
pub(crate) fn models(protocol: &StudyProtocol) -> impl Iterator<Item = String> {
    let models = protocol.model.iter();
    models.map(|model| {
        // A digest is what was computed with; a name is what somebody wrote.
        let digest = model.sha256.clone();
        digest.unwrap_or_else(|| format!("{} {} {}", protocol.slug, model.name, model.version))
    })
}

/// Everybody that groups speak about, by number.
pub(crate) fn everybody(groups: &[PastGroup]) -> BTreeSet<u32> {
    let sets = groups.iter().filter(|group| is_cohort(&group.name));
    sets.flat_map(|group| group.member.iter().copied())
        .collect()
}

/// A group as rule L3 looks at it.
struct Stated<'a> {
    /// The level or the reason, or of a cut all but the score; nothing of a set.
    key: &'a str,
    kind: Kind,
    member: Cow<'a, PatientSet>,
}

impl<'a> Stated<'a> {
    fn new(name: &'a str, member: Cow<'a, PatientSet>) -> Self {
        let (_, level, _) = parts(name);
        let kind = Kind::of(name);
        let key = level.rsplit_once(' ').filter(|_| kind == Kind::Cut);
        let key = key.map_or(level, |(rest, _)| rest);
        Self { key, kind, member }
    }
}

/// What would follow from earlier releases and a new one together.
pub(crate) struct Follows {
    /// Why it may not, for staff.
    pub(crate) why: String,
    /// What may be hidden for another try, the first first, and what staff read of that.
    pub(crate) hide: &'static [(Axes, &'static str)],
}

/// No level of any axis, and what staff read of that.
pub(crate) const NO_LEVEL: (Axes, &str) = (Axes::NO_LEVEL, "no level of any axis is shown");
const NO_REASON: (Axes, &str) = (
    Axes::NO_REASON,
    "how many were left out for which reason is not shown",
);
const NO_CUT: (Axes, &str) = (Axes::NO_CUT, "no threshold and no histogram is shown");

impl Kind {
    /// What hiding may help where groups up to this kind say too much together.
    fn hide(self) -> &'static [(Axes, &'static str)] {
        match self {
            Self::Set => &[NO_LEVEL],
            Self::LeftOut => &[NO_REASON, NO_LEVEL],
            Self::Cut => &[NO_CUT, NO_REASON, NO_LEVEL],
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

impl Past {
    /// Every release that may have left, and how many the database counts.
    pub(crate) fn new(numbers: Numbers, told: Vec<Told>, releases: i64) -> Self {
        Self {
            numbers,
            told,
            releases,
        }
    }

    /// How many releases there were, where a policy asks for comparison with them.
    pub(crate) fn after(&self, policy: &Policy) -> Option<i64> {
        policy.protects().then_some(self.releases)
    }

    /// Every earlier release, oldest first.
    pub(crate) fn told(&self) -> &[Told] {
        &self.told
    }

    /// How many different releases there were.
    pub(crate) fn releases(&self) -> i64 {
        self.releases
    }

    /// The earlier groups as the patients of a table.
    pub(crate) fn within(&self, people: &People) -> Arc<[Earlier]> {
        let local = self.local(people);
        let groups = self.told.iter().flat_map(|told| &told.groups);
        let each = groups.map(|group| {
            let (mut inside, mut outside) = (PatientSet::default(), 0);
            for member in &group.member {
                match local.get(*member as usize).copied().flatten() {
                    Some(patient) => inside.insert(patient),
                    None => outside += 1,
                }
            }
            Earlier { inside, outside }
        });
        each.collect()
    }

    /// By number, the patient's index in a table.
    fn local(&self, people: &People) -> Vec<Option<u32>> {
        let mut local = vec![None; self.numbers.end() as usize];
        for (patient, number) in (0..).zip(self.numbers.of(people)) {
            if let Some(number) = number {
                local[number as usize] = Some(patient);
            }
        }
        local
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
        let earlier = recent().flat_map(|told| &told.groups);
        let earlier = earlier.filter(|group| is_cohort(&group.name));
        let numbers = self.numbered(&spoken.people);
        let new = spoken.groups.iter().filter(|group| is_cohort(&group.name));
        let cohorts: BTreeSet<Vec<u32>> = earlier
            .map(|group| group.member.clone())
            .chain(new.map(|group| members(group, &numbers)))
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

    /// L5: of the patients of a group that was spoken about, none or at least k may read differently
    /// now. Asked of the endpoints' sets, and of single levels.
    pub(crate) fn changed(&self, people: &People, policy: &Policy) -> Changed {
        let (local, k) = (self.local(people), policy.min_cell());
        let mut few: [Option<u64>; 2] = [None, None];
        for told in self.told.iter().filter(|_| policy.protects()) {
            for cohort in told.groups.iter().filter(|group| is_cohort(&group.name)) {
                let common = common(&cohort.field, &people.field);
                let (then, now) = (cohort.field.len(), people.field.len());
                let differs = |member: u32, at: usize| {
                    let patient = local.get(member as usize).copied().flatten();
                    patient.is_some_and(|patient| {
                        common.iter().any(|(before, after)| {
                            let before = cohort.version.get(at * then + before);
                            let after = people.version.get(patient as usize * now + after);
                            // Of those who are left out now nothing is said.
                            after.is_some() && before != after
                        })
                    })
                };
                let changed: BTreeSet<u32> = (0..)
                    .zip(&cohort.member)
                    .filter(|(at, member)| differs(**member, *at))
                    .map(|(_, member)| *member)
                    .collect();
                if changed.is_empty() {
                    continue;
                }
                let endpoint = parts(&cohort.name).0;
                for group in told
                    .groups
                    .iter()
                    // Of cuts and those left out it is said who they are, which L2 compares, and
                    // nothing else.
                    .filter(|one| {
                        parts(&one.name).0 == endpoint && Kind::of(&one.name) == Kind::Set
                    })
                {
                    let both = group.member.iter().filter(|one| changed.contains(one));
                    let count = both.count() as u64;
                    let least = &mut few[usize::from(!parts(&group.name).1.is_empty())];
                    if (1..k).contains(&count) {
                        *least = Some(least.map_or(count, |known| known.min(count)));
                    }
                }
            }
        }
        let [sets, levels] = few.map(|few| {
            let few = few?;
            let patients = if few == 1 { "patient" } else { "patients" };
            Some(format!(
                "rule L5: the table says other things of {few} {patients} than when they were last \
                 spoken about; the policy asks for {k} or none"
            ))
        });
        Changed { sets, levels }
    }

    /// L3: why the groups of a release may not be spoken about after the earlier ones. It is asked
    /// among the sets of the endpoints and the groups of each single level, and among all levels; then
    /// also with those who were left out; and, once there is an earlier release, among the sets and
    /// the cuts of each model, and among all groups. What follows from some of the groups is found
    /// more surely without the others, which only divide the patients further.
    ///
    /// What followed before is not held against what is asked now; nor is what follows from the cuts
    /// of one release alone, which the rules of one release judge.
    pub(crate) fn follows(
        &self,
        people: &People,
        groups: &[Group],
        policy: &Policy,
    ) -> Option<Follows> {
        if !policy.protects() {
            return None;
        }
        // Whoever is not in this table stands beyond those who are.
        let (local, beyond) = (self.local(people), people.tag.len());
        let beyond = u32::try_from(beyond).unwrap_or(u32::MAX);
        let place = |number: &u32| {
            let here = local.get(*number as usize).copied().flatten();
            here.unwrap_or(beyond.saturating_add(*number))
        };
        let before = self.told.iter().flat_map(|told| &told.groups);
        let before: Vec<Stated<'_>> = before
            .filter(|group| adds_up(&group.name))
            .map(|group| {
                let members = group.member.iter().map(place).collect();
                Stated::new(&group.name, Cow::Owned(members))
            })
            .collect();
        let new = groups.iter().filter(|group| adds_up(&group.name));
        let new: Vec<Stated<'_>> = new
            .map(|group| Stated::new(&group.name, Cow::Borrowed(&group.patient)))
            .collect();
        let asked = Asked {
            before: &before,
            new: &new,
            k: policy.min_cell(),
        };
        asked
            .of_sets()
            .or_else(|| asked.of_left_out())
            .or_else(|| asked.of_cuts())
    }

    /// By index of a table's patients: the number, or a new one where there is none yet.
    fn numbered(&self, people: &People) -> Vec<u32> {
        let mut next = self.numbers.end();
        let each = self.numbers.of(people).into_iter().map(|number| {
            number.unwrap_or_else(|| {
                next += 1;
                next
            })
        });
        each.collect()
    }
}

/// What was told, what would be, and how many patients may be told of.
struct Asked<'a> {
    before: &'a [Stated<'a>],
    new: &'a [Stated<'a>],
    k: u64,
}

impl Asked<'_> {
    /// The keys of the new groups of this kind that nobody was told of.
    fn fresh(&self, kind: Kind) -> BTreeSet<&str> {
        let told = self.before.iter().map(|one| &*one.member);
        let told: BTreeSet<&PatientSet> = told.collect();
        let new = self.new.iter().filter(|one| one.kind == kind);
        let new = new.filter(|one| !told.contains(&*one.member));
        new.map(|one| one.key).collect()
    }

    fn has(&self, kind: Kind) -> bool {
        let mut all = self.before.iter().chain(self.new);
        all.any(|one| one.kind == kind)
    }

    fn of_sets(&self) -> Option<Follows> {
        let levels = self.fresh(Kind::Set);
        let each = |level: &&str| {
            let wanted = |one: &Stated<'_>| one.key.is_empty() || one.key == *level;
            self.worse(Kind::Set, &|one| one.kind == Kind::Set && wanted(one))
        };
        let found = levels.iter().find_map(each);
        let all = || self.worse(Kind::Set, &|one| one.kind == Kind::Set);
        found.or_else(|| all().filter(|_| !levels.is_empty()))
    }

    fn of_left_out(&self) -> Option<Follows> {
        let fresh = [Kind::Set, Kind::LeftOut].map(|kind| self.fresh(kind));
        if !self.has(Kind::LeftOut) || fresh.iter().all(BTreeSet::is_empty) {
            return None;
        }
        let whole = |one: &Stated<'_>| one.kind == Kind::LeftOut || one.key.is_empty();
        let found = self.worse(Kind::LeftOut, &whole);
        found.or_else(|| self.worse(Kind::LeftOut, &|one| one.kind != Kind::Cut))
    }

    fn of_cuts(&self) -> Option<Follows> {
        let kinds = [Kind::Set, Kind::LeftOut, Kind::Cut];
        let fresh = kinds.iter().any(|kind| !self.fresh(*kind).is_empty());
        if self.before.is_empty() || !self.has(Kind::Cut) || !fresh {
            return None;
        }
        // A key without a space is a model alone.
        let chains = self.fresh(Kind::Cut);
        let mut chains = chains.iter().filter(|key| !key.contains(' '));
        let one = |chain: &&str| {
            self.worse(Kind::Cut, &|one| match one.kind {
                Kind::Cut => one.key == *chain,
                Kind::Set => one.key.is_empty(),
                Kind::LeftOut => false,
            })
        };
        let found = chains.find_map(one);
        found.or_else(|| self.worse(Kind::Cut, &|_| true))
    }

    /// What would follow from the groups that are `wanted`, which go up to this kind, and did not
    /// before; nor, where they are cuts, does from the new ones alone.
    fn worse(&self, kind: Kind, wanted: &dyn Fn(&Stated<'_>) -> bool) -> Option<Follows> {
        let (before, new) = (chosen(self.before, wanted), chosen(self.new, wanted));
        let all: Vec<&PatientSet> = before.iter().chain(&new).copied().collect();
        let mut tolerated = vec![before.as_slice()];
        tolerated.extend((kind == Kind::Cut).then_some(new.as_slice()));
        let why = match exposures(&all, &tolerated, self.k) {
            Some(few) => {
                let patients = few.into_iter().min()?;
                format!(
                    "rule L3: with the groups of earlier releases, something about {patients} \
                     patients would follow by sums and differences; the policy asks for {}",
                    self.k
                )
            }
            None => "rule L3: there are too many earlier groups to tell what follows from them"
                .to_owned(),
        };
        let hide = kind.hide();
        Some(Follows { why, hide })
    }
}

/// The patients of the groups that are `wanted`.
fn chosen<'a>(
    groups: &'a [Stated<'_>],
    wanted: &dyn Fn(&Stated<'_>) -> bool,
) -> Vec<&'a PatientSet> {
    let wanted = groups.iter().filter(|one| wanted(one));
    wanted.map(|one| &*one.member).collect()
}

/// Places of the fields that two tables have in common.
fn common(before: &[String], after: &[String]) -> Vec<(usize, usize)> {
    let pairs = before.iter().enumerate().filter_map(|(place, field)| {
        let same = after.iter().position(|other| other == field)?;
        Some((place, same))
    });
    pairs.collect()
}

/// The numbers of a group's patients, ascending.
pub(crate) fn members(group: &Group, numbers: &[u32]) -> Vec<u32> {
    let each = group.patient.iter();
    let mut members: Vec<u32> = each.map(|patient| numbers[patient as usize]).collect();
    members.sort_unstable();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parts("disease"), ("disease", "", ""));
        assert_eq!(parts("disease, event"), ("disease", "", ", event"));
        let level = "disease sex not recorded, no event";
        assert_eq!(parts(level), ("disease", "sex not recorded", ", no event"));
        assert_eq!(parts("*disease, event"), ("disease", "", ", event"));
        assert!(!adds_up("*disease, event") && adds_up("disease, event"));
        let cut = "@disease sex female p_b 0.5, event";
        assert_eq!(parts(cut), ("disease", "sex female p_b 0.5", ", event"));
        assert_eq!(Kind::of(cut), Kind::Cut);
        assert!(adds_up(cut) && !adds_up("@*disease p_b 0.5, event"));
        let left = "-disease not: age is at least 18";
        assert_eq!(
            (Kind::of(left), parts(left).1),
            (Kind::LeftOut, "not: age is at least 18")
        );
        assert_eq!(Stated::new(cut, Cow::default()).key, "sex female p_b");
        assert_eq!(
            Stated::new("@disease p_b 0.5, event", Cow::default()).key,
            "p_b"
        );
        assert_eq!(Stated::new(level, Cow::default()).key, "sex not recorded");
        assert!(is_cohort("disease") && !is_cohort("disease, event") && !is_cohort(level));
    }

    #[test]
    fn numbers_are_found_by_tag_and_new_ones_lie_beyond() {
        let tag = |byte: u8| [byte; 16];
        let past = Past {
            numbers: Numbers::new(vec![(tag(1), 5), (tag(3), 2)]),
            ..Past::default()
        };
        let people = People {
            tag: vec![tag(3), tag(2), tag(1), tag(4)],
            version: Vec::new(),
            field: Vec::new(),
        };
        let numbers = past.numbered(&people);
        assert_eq!((numbers[0], numbers[2]), (2, 5));
        assert!(numbers[1] > 5 && numbers[3] > 5 && numbers[1] != numbers[3]);
        assert_eq!(past.local(&people)[5], Some(2));
        let tags = past.numbers.tags();
        assert_eq!(
            (tags[5], tags[2], tags[4]),
            (Some(tag(1)), Some(tag(3)), None)
        );
    }
}
