//! A site's disclosure policy: thresholds as data, in a file of its own that the site writes
//! and whose digest stands in every release. A study can only tighten it.
//!
//! From: `configs/policy.*.toml`, `[disclosure]` in the node's configuration.
//! To: `review`, every rule.

use serde::{Deserialize, Serialize};

use super::document::PolicyStamp;
use super::noise::NoisePlan;
use crate::identity::Digest;
use crate::study::{SiteSlug, StudyProtocol, Timestamp, Visibility};

/// No profile but `open-data` and `dua` may go below this many patients in a cell; compiled in, as
/// is what each profile's name promises ([`Profile::least_cell`]).
pub const FLOOR: u64 = 5;

/// Distinct people who approve a release under `dua`.
pub const DUA_APPROVERS: usize = 2;

/// A disclosure policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    file: PolicyFile,
    digest: Digest,
}

/// The policy file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy_version: u32,
    profile: Profile,
    /// D1: smallest number of patients in an analysis set.
    min_patients: u64,
    /// D1, D8: smallest number of patients in each outcome class.
    min_class: u64,
    /// D2: smallest number of distinct patients in a cell; zero counts as small.
    min_cell: u64,
    /// D4: counts are rounded to multiples of this, after the test.
    rounding: u64,
    /// D6: most blocks of a released histogram.
    max_blocks: usize,
    /// D8, D9: largest share one patient may carry of what a number sums.
    max_share: f64,
    /// D8, D9: largest share two patients may carry.
    #[serde(default = "two_thirds")]
    max_share_of_two: f64,
    /// L4: what may be released without a person.
    #[serde(default)]
    budget: Budget,
    /// The contract that `dua` rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract: Option<Contract>,
    /// D20: only score histograms leave, with noise on every count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    differential_privacy: Option<NoisePlan>,
}

/// The most that two patients may ever carry (Australian Bureau of Statistics, `DataLab` output
/// rules).
const MOST_OF_TWO: f64 = 0.67;

fn two_thirds() -> f64 {
    MOST_OF_TWO
}

/// How much may be released in some days before a person must approve, also where the site's
/// configuration says `automatic`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Over how many days is counted.
    pub days: u32,
    /// Different cohorts, the sets of endpoints.
    pub cohorts: usize,
    /// Different models: each may be made to ask about somebody.
    pub models: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            days: 90,
            cohorts: 25,
            models: 5,
        }
    }
}

/// A data use agreement.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its reference in the hospital's own records.
    pub reference: String,
    /// From this moment on nothing is released under it.
    pub expires: Timestamp,
}

/// Named sets of thresholds. A policy may be stricter than its profile's name says, never less so:
/// the name stands in every release, and a coordinator reads it as this promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The default: 10 patients, rounding base 5; ACRO's threshold.
    Standard,
    /// 11 patients, as PCORnet and the US Centers for Medicare and Medicaid Services ask.
    Strict,
    /// 8 patients: the NHS hides 1 to 7 and rounds to 5.
    Nhs,
    /// 5 patients, as research networks such as OHDSI and PEDSnet ask.
    Network,
    /// Public data sets only: rules D1 and D3, rounding and coarsening are off.
    OpenData,
    /// Under a data use agreement: thresholds as the contract says, blocks of several-step jobs
    /// may leave, two people approve each release, and all of it ends with the contract.
    Dua,
}

impl Profile {
    /// Every profile, the default first.
    pub const ALL: [Self; 6] = [
        Self::Standard,
        Self::Strict,
        Self::Nhs,
        Self::Network,
        Self::OpenData,
        Self::Dua,
    ];

    /// The profile called `word`.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether exact sums of a several-step job may leave in the clear (decision P4).
    pub fn allows_blocks(self) -> bool {
        match self {
            Self::OpenData | Self::Dua => true,
            Self::Standard | Self::Strict | Self::Nhs | Self::Network => false,
        }
    }

    /// The text of the policy that is shipped for it.
    pub fn shipped(self) -> &'static str {
        match self {
            Self::Standard => STANDARD,
            Self::Strict => STRICT,
            Self::Nhs => NHS,
            Self::Network => NETWORK,
            Self::OpenData => OPEN_DATA,
            Self::Dua => DUA,
        }
    }

    /// The least that a policy of this name may have as the smallest number of patients in a cell.
    pub fn least_cell(self) -> u64 {
        match self {
            Self::Standard => 10,
            Self::Strict => 11,
            Self::Nhs => 8,
            Self::Network => FLOOR,
            Self::OpenData | Self::Dua => 1,
        }
    }

    /// The least rounding base that a policy of this name may have.
    pub fn least_rounding(self) -> u64 {
        match self {
            Self::Standard | Self::Strict | Self::Nhs | Self::Network => 3,
            Self::OpenData | Self::Dua => 1,
        }
    }

    /// The word in releases and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
            Self::Nhs => "nhs",
            Self::Network => "network",
            Self::OpenData => "open-data",
            Self::Dua => "dua",
        }
    }
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyFault {
    /// Not TOML of the expected form.
    #[error("{0}")]
    Form(String),
    /// A threshold is outside what this program allows.
    #[error("{key} is {value}; {rule}")]
    Threshold {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
}

/// Why `open-data` may not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenDataFault {
    /// The protocol is not locked as public.
    #[error("the protocol does not say visibility = \"public\"")]
    NotPublic,
    /// The protocol does not list this file's digest for this site.
    #[error("the protocol does not list this data set's digest for this site")]
    NotListed,
}

impl Policy {
    /// Reads a policy file; its digest is that of `text`.
    ///
    /// # Errors
    /// [`PolicyFault`] for an unknown key, a missing threshold, or one outside its range.
    pub fn parse(text: &str) -> Result<Self, PolicyFault> {
        let plain = text.trim_start_matches('\u{feff}');
        let file: PolicyFile =
            toml::from_str(plain).map_err(|fault| PolicyFault::Form(fault.to_string()))?;
        file.check()?;
        Ok(Self {
            file,
            digest: Digest::of(text.as_bytes()),
        })
    }

    /// The policy under which a sum over hospitals is reviewed once it is opened: that of the
    /// shipped profile `standard`, with the strictest smallest cell of the hospitals in it.
    /// Counts are not rounded and blocks are limited by their size alone, since behind each stand
    /// the patients of all hospitals.
    ///
    /// # Errors
    /// [`PolicyFault`] when the shipped policy does not read, which is a defect.
    pub fn over_hospitals(min_cell: u64) -> Result<Self, PolicyFault> {
        let mut policy = Self::parse(STANDARD)?.tightened(min_cell);
        policy.file.rounding = 1;
        policy.file.max_blocks = usize::MAX;
        let words = format!("fedval.policy-over-hospitals/1 {}", policy.file.min_cell);
        policy.digest = Digest::of(words.as_bytes());
        Ok(policy)
    }

    /// The same policy, at least as strict as a study asks.
    #[must_use]
    pub fn tightened(mut self, min_cell: u64) -> Self {
        if self.protects() {
            // The classes and the whole follow, or a margin would show what a cell hides.
            let file = &mut self.file;
            file.min_cell = file.min_cell.max(min_cell);
            file.min_class = file.min_class.max(file.min_cell);
            file.min_patients = file.min_patients.max(file.min_class.saturating_mul(2));
        }
        self
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.file.profile
    }

    /// False only for `open-data`.
    pub fn protects(&self) -> bool {
        self.file.profile != Profile::OpenData
    }

    /// Whether exact sums of a several-step job may leave in the clear (decision P4).
    pub fn allows_blocks(&self) -> bool {
        self.file.profile.allows_blocks()
    }

    /// Distinct people who must approve a release.
    pub fn approvers(&self) -> usize {
        match self.file.profile {
            Profile::Standard
            | Profile::Strict
            | Profile::Nhs
            | Profile::Network
            | Profile::OpenData => 1,
            Profile::Dua => DUA_APPROVERS,
        }
    }

    /// L4: what may be released without a person; nothing is counted under `open-data`.
    pub fn budget(&self) -> Option<Budget> {
        self.protects().then_some(self.file.budget)
    }

    /// The contract of a `dua` policy that no longer holds at `now`.
    pub fn expired(&self, now: Timestamp) -> Option<&Contract> {
        let contract = self.file.contract.as_ref();
        contract.filter(|contract| now.unix() >= contract.expires.unix())
    }

    /// D2: smallest number of distinct patients in a cell.
    pub fn min_cell(&self) -> u64 {
        self.file.min_cell
    }

    /// D1: smallest number of patients.
    pub fn min_patients(&self) -> u64 {
        self.file.min_patients
    }

    /// D1: smallest number of patients in a class.
    pub fn min_class(&self) -> u64 {
        self.file.min_class
    }

    /// D4: rounding base.
    pub fn rounding(&self) -> u64 {
        self.file.rounding
    }

    /// D6: most blocks of a histogram.
    pub fn max_blocks(&self) -> usize {
        self.file.max_blocks
    }

    /// D8, D9: largest share of one patient.
    pub fn max_share(&self) -> f64 {
        self.file.max_share
    }

    /// D8, D9: largest share of two patients.
    pub fn max_share_of_two(&self) -> f64 {
        self.file.max_share_of_two
    }

    /// D20: the noise of every release, where the site asks for differential privacy.
    pub fn noise(&self) -> Option<&NoisePlan> {
        self.file.differential_privacy.as_ref()
    }

    /// What a release says about its policy; what it says of its noise is known with its protocol.
    pub fn stamp(&self) -> PolicyStamp {
        PolicyStamp {
            profile: self.file.profile.as_str().to_owned(),
            digest: self.digest,
            min_cell: self.file.min_cell,
            rounding: self.file.rounding,
            noise: None,
        }
    }

    /// Whether this policy may be applied to this file in this study (decision P8).
    ///
    /// # Errors
    /// [`OpenDataFault`] when the profile is `open-data` and the protocol does not allow it.
    pub fn allow(
        &self,
        protocol: &StudyProtocol,
        site: &SiteSlug,
        file: Digest,
    ) -> Result<(), OpenDataFault> {
        if self.protects() {
            return Ok(());
        }
        if protocol.visibility != Visibility::Public {
            return Err(OpenDataFault::NotPublic);
        }
        let hex = file.hex();
        let listed = protocol
            .public_dataset
            .iter()
            .any(|data| data.site == *site && data.sha256 == hex);
        if listed {
            Ok(())
        } else {
            Err(OpenDataFault::NotListed)
        }
    }
}

impl PolicyFile {
    fn check(&self) -> Result<(), PolicyFault> {
        let fault = |key, value: String, rule| Err(PolicyFault::Threshold { key, value, rule });
        if self.policy_version != 1 {
            let rule = "this program knows version 1";
            return fault("policy_version", self.policy_version.to_string(), rule);
        }
        self.check_contract()?;
        self.check_noise()?;
        if self.profile == Profile::OpenData {
            return self.check_open();
        }
        let least = self.profile.least_cell();
        let rule = match self.profile {
            Profile::Standard => "profile \"standard\" goes from 10 to 100000",
            Profile::Strict => "profile \"strict\" goes from 11 to 100000",
            Profile::Nhs => "profile \"nhs\" goes from 8 to 100000",
            Profile::Network => "profile \"network\" goes from 5 to 100000",
            Profile::OpenData | Profile::Dua => "it must lie between 1 and 100000",
        };
        for (key, value) in [
            ("min_cell", self.min_cell),
            ("min_class", self.min_class),
            ("min_patients", self.min_patients),
        ] {
            if !(least..=100_000).contains(&value) {
                return fault(key, value.to_string(), rule);
            }
        }
        let least = self.profile.least_rounding();
        if !(least..=1000).contains(&self.rounding) {
            let rule = "it must lie between 3 and 1000; only \"dua\" may have less";
            return fault("rounding", self.rounding.to_string(), rule);
        }
        if self.min_class < self.min_cell || self.min_patients < 2 * self.min_class {
            let rule = "min_class must be at least min_cell, min_patients at least twice min_class";
            return fault("min_class", self.min_class.to_string(), rule);
        }
        let budget = &self.budget;
        if !(1..=3650).contains(&budget.days) || budget.cohorts > 1000 || budget.models > 1000 {
            return fault(
                "budget",
                format!(
                    "{} days, {} cohorts, {} models",
                    budget.days, budget.cohorts, budget.models
                ),
                "days go from 1 to 3650, cohorts and models to 1000",
            );
        }
        if !(1..=32).contains(&self.max_blocks) {
            return fault(
                "max_blocks",
                self.max_blocks.to_string(),
                "it must lie between 1 and 32",
            );
        }
        if !(self.max_share > 0.0 && self.max_share <= 0.5) {
            return fault(
                "max_share",
                self.max_share.to_string(),
                "it must lie in (0, 0.5]",
            );
        }
        if !(self.max_share_of_two > 0.0 && self.max_share_of_two <= MOST_OF_TWO) {
            return fault(
                "max_share_of_two",
                self.max_share_of_two.to_string(),
                "it must lie in (0, 0.67]",
            );
        }
        Ok(())
    }

    fn check_noise(&self) -> Result<(), PolicyFault> {
        let Some(plan) = &self.differential_privacy else {
            return Ok(());
        };
        let fault = |(key, value, rule)| PolicyFault::Threshold { key, value, rule };
        plan.check().map_err(fault)?;
        if self.profile == Profile::OpenData {
            let rule = "public data have nobody to protect; use \"standard\"";
            return Err(fault(("differential_privacy", "given".to_owned(), rule)));
        }
        Ok(())
    }

    /// A contract is what `dua` rests on, and nothing else has one.
    fn check_contract(&self) -> Result<(), PolicyFault> {
        let fault = |value: &str, rule| {
            Err(PolicyFault::Threshold {
                key: "contract",
                value: value.to_owned(),
                rule,
            })
        };
        match (&self.contract, self.profile) {
            (None, Profile::Dua) => fault(
                "absent",
                "profile \"dua\" needs [contract] reference and expires",
            ),
            (Some(contract), Profile::Dua) if contract.reference.trim().is_empty() => fault(
                "without a reference",
                "name the contract in [contract] reference",
            ),
            (Some(_), Profile::Dua) | (None, _) => Ok(()),
            (Some(_), _) => fault("given", "only profile \"dua\" rests on a contract"),
        }
    }

    /// `open-data` is a name for "no rules", not a way to set some of them.
    fn check_open(&self) -> Result<(), PolicyFault> {
        let plain = self.min_cell == 1 && self.rounding == 1 && self.max_share == 1.0;
        if plain {
            return Ok(());
        }
        Err(PolicyFault::Threshold {
            key: "profile",
            value: "open-data".to_owned(),
            rule: "it goes with min_cell = 1, rounding = 1, max_share = 1; use \"standard\" to protect",
        })
    }
}

/// The text of the `standard` policy.
pub const STANDARD: &str = include_str!("../../../configs/policy.standard.toml");
/// The text of the `strict` policy.
pub const STRICT: &str = include_str!("../../../configs/policy.strict.toml");
/// The text of the `nhs` policy.
pub const NHS: &str = include_str!("../../../configs/policy.nhs.toml");
/// The text of the `network` policy.
pub const NETWORK: &str = include_str!("../../../configs/policy.network.toml");
/// The text of the `open-data` policy.
pub const OPEN_DATA: &str = include_str!("../../../configs/policy.open-data.toml");
/// The text of a `dua` policy, with a contract that a site replaces by its own.
pub const DUA: &str = include_str!("../../../configs/policy.dua.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_policies_are_valid_and_as_strict_as_their_names() {
        for profile in Profile::ALL {
            let text = profile.shipped();
            let policy = Policy::parse(text).unwrap();
            assert_eq!(policy.profile(), profile);
            assert_eq!(Profile::parse(profile.as_str()), Some(profile));
            assert_eq!(policy.protects(), profile != Profile::OpenData);
            let least = profile.least_cell();
            if profile == Profile::Dua {
                assert!(
                    policy.min_cell() >= FLOOR,
                    "the sample; a contract may say less"
                );
            } else {
                assert_eq!(policy.min_cell(), least);
            }
            // One patient fewer, and the name would promise too much.
            let cell = format!("min_cell = {}", policy.min_cell());
            let lower = text.replace(&cell, &format!("min_cell = {}", least - 1));
            assert_ne!(lower, text);
            assert!(Policy::parse(&lower).is_err(), "{}", profile.as_str());
        }
        assert_eq!(Profile::parse("none"), None);
    }

    #[test]
    fn nothing_goes_below_the_floor() {
        for (from, to) in [
            ("min_cell = 10", "min_cell = 9"),
            ("min_cell = 10", "min_cell = 0"),
            ("min_cell = 10", "min_cell = -1"),
            ("min_class = 10", "min_class = 9"),
            ("rounding = 5", "rounding = 0"),
            ("days = 90", "days = 0"),
            ("cohorts = 25", "cohorts = 2500"),
            ("max_share = 0.5", "max_share = nan"),
            ("max_share = 0.5", "max_share = 0.6"),
            ("max_share_of_two = 0.67", "max_share_of_two = 0.68"),
            ("profile = \"standard\"", "profile = \"none\""),
            ("profile = \"standard\"", "profile = \"open-data\""),
            ("min_cell = 10", "min_cell = 10\nmin_sell = 3"),
            ("min_patients = 50", ""),
        ] {
            let text = STANDARD.replace(from, to);
            assert_ne!(text, STANDARD, "{from}");
            assert!(Policy::parse(&text).is_err(), "{to}");
        }
        assert!(Policy::parse("").is_err());
    }

    #[test]
    fn an_agreement_has_a_reference_and_an_end() {
        let policy = Policy::parse(DUA).unwrap();
        assert!(policy.protects() && policy.allows_blocks());
        assert_eq!(policy.approvers(), 2);
        let end = policy.file.contract.as_ref().unwrap().expires;
        assert!(policy.expired(end.plus_seconds(-1)).is_none());
        assert!(policy.expired(end).is_some());
        for (from, to) in [
            ("profile = \"dua\"", "profile = \"standard\""),
            ("profile = \"dua\"", "profile = \"open-data\""),
            ("reference = ", "reference_ = "),
            ("reference = \"", "reference = \"  \" # \""),
            ("expires = ", "# "),
            ("expires = \"", "expires = \"some day \" # \""),
            ("min_cell = 5", "min_cell = 0"),
            ("[contract]", "[contracts]"),
        ] {
            let text = DUA.replace(from, to);
            assert_ne!(text, DUA, "{from}");
            assert!(Policy::parse(&text).is_err(), "{to}");
        }
        let lower = DUA.replace("min_cell = 5", "min_cell = 2");
        assert_eq!(Policy::parse(&lower).unwrap().min_cell(), 2);
        let standard = Policy::parse(STANDARD).unwrap();
        assert!(!standard.allows_blocks());
        assert_eq!(standard.approvers(), 1);
    }

    #[test]
    fn a_policy_with_noise_is_checked_and_never_one_for_public_data() {
        let section = "\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
                       epsilon_per_release = \"0.5\"\n";
        let policy = Policy::parse(&format!("{STANDARD}{section}")).unwrap();
        let plan = policy.noise().unwrap();
        assert_eq!(plan.epsilon_budget.to_string(), "3");
        assert_eq!((plan.rows_per_patient, plan.blocks), (1, 32));
        assert!(Policy::parse(STANDARD).unwrap().noise().is_none());
        assert!(Policy::parse(&format!("{OPEN_DATA}{section}")).is_err());
        for (from, to) in [
            ("\"0.5\"", "0.5"),
            ("\"0.5\"", "\"2\""),
            ("discrete-laplace", "laplace"),
            ("epsilon_per_release", "epsilon"),
        ] {
            let text = format!("{STANDARD}{}", section.replace(from, to));
            assert!(Policy::parse(&text).is_err(), "{to}");
        }
    }

    #[test]
    fn a_study_can_only_tighten() {
        let policy = Policy::parse(STANDARD).unwrap();
        assert_eq!(policy.clone().tightened(3).min_cell(), 10);
        let tight = policy.tightened(40);
        assert_eq!(tight.min_cell(), 40);
        assert_eq!((tight.min_class(), tight.min_patients()), (40, 80));
    }
}
