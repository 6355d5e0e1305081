//! The review: every exact number meets its rules and becomes a cell; every item gets a verdict
//! that the hospital's staff read before they approve.
//!
//! From: `statistic::measure`, `policy`.
//! To: `released` (the document), the node's preview (items).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::noise::Noisy;
use super::policy::Policy;
use super::rule::support::{Objection, supports};
use super::rule::{Rule, admission, rounding, small_cell};
use crate::statistic::spoken::{Part, Says};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount, ExactReal, Undefined};
use crate::statistic::{Statistic, flow};
use crate::study::{AxisId, EndpointId, ModelId, StudyProtocol};

mod axes;
mod contingency;
mod curves;
mod detection;
mod estimates;
mod masks;
mod missing;
mod noisy;
mod pairs;
mod steps;
mod tables;

/// What the gate says about one item, in the words of output checkers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may leave as it is shown.
    Pass,
    /// It may leave, and a person should look: it is within one rounding step of the limit.
    Review,
    /// It does not leave; its cell says so.
    Fail,
}

/// One item of a release as staff see it. Shown at the site only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What it is, in words.
    pub name: String,
    /// Distinct patients in the smallest group behind it, when that may be shown to staff.
    pub patients: u64,
    /// What leaves.
    pub value: String,
    /// The rule that decided.
    pub rule: Rule,
    /// Its answer.
    pub verdict: Verdict,
    /// What was done: `rounded`, `suppressed`, `rules off`.
    pub action: String,
}

/// Whether anything leaves at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The reviewed statistics may be offered for approval.
    Release,
    /// Nothing is released; the reason stays at the site.
    Withhold {
        /// The rule.
        rule: Rule,
        /// Why, for staff.
        why: String,
    },
}

/// The outcome of a review.
pub struct Reviewed {
    pub(super) statistics: Vec<Statistic<Disclosed>>,
    pub(super) noisy: Option<Noisy>,
    pub(super) clustered: bool,
    pub(super) policy: Policy,
    axes: BTreeMap<(String, String), axes::Visible>,
    tables: Vec<(String, String, f64)>,
    pairs: Vec<pairs::Pair>,
    edges: Vec<f64>,
    /// Every item with its verdict.
    pub items: Vec<Item>,
    /// Whether anything leaves.
    pub decision: Decision,
}

/// Which parts of the endpoints' sets may be shown, after what earlier releases said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Axes {
    levels: bool,
    cuts: bool,
    left_out: bool,
}

impl Axes {
    /// Those that the rules let pass.
    pub const BY_RULE: Self = Self {
        levels: true,
        cuts: true,
        left_out: true,
    };
    /// No level of any axis.
    pub const NO_LEVEL: Self = Self {
        levels: false,
        ..Self::BY_RULE
    };
    /// Nothing that cuts along a score: neither 2x2 tables nor blocks of histograms.
    pub const NO_CUT: Self = Self {
        cuts: false,
        ..Self::BY_RULE
    };
    /// Not how many were left out for which reason.
    pub const NO_REASON: Self = Self {
        left_out: false,
        ..Self::BY_RULE
    };

    /// The same without what `other` hides.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            levels: self.levels && other.levels,
            cuts: self.cuts && other.cuts,
            left_out: self.left_out && other.left_out,
        }
    }
}

/// Reviews everything one release would say, together. `clustered` says whether patients
/// contribute several cases.
pub fn review(
    policy: &Policy,
    protocol: &StudyProtocol,
    statistics: Vec<Statistic<Exact>>,
    (clustered, axes): (bool, Axes),
) -> Reviewed {
    let decision = decide(policy, protocol, &statistics);
    let mut gate = Gate {
        policy,
        protocol,
        clustered,
        items: Vec::new(),
        cuts: axes.cuts,
        left_out: axes.left_out,
        shown_cuts: Vec::new(),
        shown_pairs: Vec::new(),
        axes: BTreeMap::new(),
        presences: BTreeMap::new(),
    };
    // 2x2 tables come first: the histogram's blocks depend on which of them are shown.
    gate.note_tables(&statistics);
    gate.note_pairs(&statistics);
    gate.note_axes(&statistics);
    gate.note_masks(&statistics);
    for axis in gate.axes.values_mut() {
        axis.keep_if(axes.levels);
        if !axes.cuts {
            axis.hide_quarters();
        }
    }
    let statistics = statistics
        .into_iter()
        .map(|statistic| gate.statistic(statistic))
        .collect();
    let (items, axes) = (gate.items, gate.axes);
    let (tables, pairs) = (gate.shown_cuts, gate.shown_pairs);
    let released = if decision == Decision::Release {
        statistics
    } else {
        Vec::new()
    };
    Reviewed {
        statistics: released,
        noisy: None,
        clustered,
        policy: policy.clone(),
        axes,
        tables,
        pairs,
        edges: protocol.histogram.edges.clone(),
        items,
        decision,
    }
}

/// Under `open-data`, where nothing is compared with the past, no cut is named.
impl Says for Reviewed {
    fn level(&self, endpoint: &EndpointId, axis: &AxisId, level: usize, part: Part) -> bool {
        let key = (endpoint.to_string(), axis.to_string());
        let shown = self.axes.get(&key);
        let shown = shown.map(|axis| match part {
            Part::Cases => &axis.cases,
            Part::Classes => &axis.classes,
            Part::Quarters => &axis.quarters,
        });
        let told = shown.is_some_and(|levels| levels.get(level) == Some(&true));
        told && (part != Part::Quarters || self.policy.protects())
    }

    fn cuts(&self, endpoint: &EndpointId, model: &ModelId, event: bool) -> Vec<f64> {
        if !self.policy.protects() {
            return Vec::new();
        }
        let mut cuts = self.tables(endpoint, model);
        for statistic in &self.statistics {
            if let Statistic::Histogram(one) = statistic
                && one.model == *model
                && one.endpoint == *endpoint
            {
                let blocks = if event { &one.events } else { &one.non_events };
                let firsts = blocks.iter().filter_map(|block| block.first.checked_sub(1));
                let edges = firsts.filter_map(|edge| self.edges.get(edge as usize));
                cuts.extend(edges.copied());
            }
        }
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        cuts
    }

    fn tables(&self, endpoint: &EndpointId, model: &ModelId) -> Vec<f64> {
        if !self.policy.protects() {
            return Vec::new();
        }
        let tables = self.tables.iter();
        let of = tables.filter(|(m, e, _)| m == model.as_str() && e == endpoint.as_str());
        let mut found: Vec<f64> = of.map(|(_, _, threshold)| *threshold).collect();
        found.sort_by(f64::total_cmp);
        found
    }

    fn left_out(&self, endpoint: &EndpointId, reason: &str) -> bool {
        let told = |one: &Statistic<Disclosed>| {
            let Statistic::Flow(flow) = one else {
                return false;
            };
            let mut reasons = flow.excluded.iter();
            let told = match reason {
                flow::NO_REFERENCE => flow.without_reference.number().is_some(),
                flow::NO_PREDICTION => flow.without_prediction.number().is_some(),
                _ => reasons.any(|one| one.reason == reason && one.count.number().is_some()),
            };
            flow.endpoint == *endpoint && told
        };
        self.policy.protects() && self.statistics.iter().any(told)
    }

    fn crossed(&self, endpoint: &EndpointId, [one, other]: [&ModelId; 2]) -> Vec<[f64; 2]> {
        let models = [one.as_str(), other.as_str()];
        pairs::thresholds(&self.pairs, endpoint.as_str(), models)
    }
}

/// D1, for every endpoint; one that fails withholds the release as a whole.
fn decide(policy: &Policy, protocol: &StudyProtocol, statistics: &[Statistic<Exact>]) -> Decision {
    let flows = statistics.iter().filter_map(Statistic::flow);
    let mut blocks = statistics.iter().filter_map(Statistic::calibration_block);
    if let Some(verdict) = blocks.find_map(|block| steps::objection(policy, block)) {
        return verdict;
    }
    let mut seen = statistics
        .iter()
        .any(|statistic| statistic.calibration_block().is_some());
    for flow in flows {
        seen = true;
        let (events, others) = if protocol.is_segmentation() {
            // A structure that everybody has makes no classes; its counts have rules of their own.
            (u64::MAX, u64::MAX)
        } else {
            (flow.events.patients, flow.non_events.patients)
        };
        if !admission::admits(policy, flow.patients.patients, events, others) {
            let why = if protocol.is_segmentation() {
                format!(
                    "endpoint {}: {} patients; the policy asks for {}",
                    flow.endpoint,
                    flow.patients.patients,
                    policy.min_patients()
                )
            } else {
                format!(
                    "endpoint {}: {} patients, {events} with the event, {others} without; the \
                     policy asks for {} patients and {} in each class",
                    flow.endpoint,
                    flow.patients.patients,
                    policy.min_patients(),
                    policy.min_class()
                )
            };
            return Decision::Withhold {
                rule: Rule::Admission,
                why,
            };
        }
        if policy.protects() && flow.analysed.nearest < policy.min_cell() {
            let why = format!(
                "endpoint {}: its cases, or one outcome among them, and those of an earlier endpoint \
                 or an earlier release differ by {} patients; the policy asks for {} or none",
                flow.endpoint,
                flow.analysed.nearest,
                policy.min_cell()
            );
            return Decision::Withhold {
                rule: Rule::Margin,
                why,
            };
        }
    }
    if seen || !policy.protects() {
        Decision::Release
    } else {
        // Without a flow nobody has checked the sizes: fail closed.
        let why = "the job does not ask for the participant flow, so sizes cannot be checked";
        Decision::Withhold {
            rule: Rule::Admission,
            why: why.to_owned(),
        }
    }
}

/// The gate while it works through one release.
struct Gate<'a> {
    policy: &'a Policy,
    protocol: &'a StudyProtocol,
    clustered: bool,
    items: Vec<Item>,
    /// Whether anything may be cut along a score.
    cuts: bool,
    /// Whether it may be told how many were left out for which reason.
    left_out: bool,
    /// Per model and endpoint: thresholds whose 2x2 table is shown.
    shown_cuts: Vec<(String, String, f64)>,
    /// Pairs of models and thresholds whose crossed decisions are shown.
    shown_pairs: Vec<pairs::Pair>,
    /// Per endpoint and axis: the levels that are shown.
    axes: BTreeMap<(String, String), axes::Visible>,
    /// Per endpoint of masks: which of the four counts are shown.
    presences: BTreeMap<String, masks::Presences>,
}

impl Gate<'_> {
    fn statistic(&mut self, statistic: Statistic<Exact>) -> Statistic<Disclosed> {
        match statistic {
            Statistic::Flow(one) => Statistic::Flow(self.flow(one)),
            Statistic::Characteristics(one) => {
                Statistic::Characteristics(self.characteristics(one))
            }
            Statistic::Confusion(one) => Statistic::Confusion(self.confusion(one)),
            Statistic::Auc(one) => Statistic::Auc(self.auc(one)),
            Statistic::PairedAuc(one) => Statistic::PairedAuc(self.paired_auc(one)),
            Statistic::Histogram(one) => Statistic::Histogram(self.histogram(one)),
            Statistic::ObservedExpected(one) => {
                Statistic::ObservedExpected(self.observed_expected(one))
            }
            Statistic::Estimate(one) => Statistic::Estimate(self.estimate(one)),
            Statistic::CalibrationBins(one) => {
                Statistic::CalibrationBins(self.calibration_bins(one))
            }
            Statistic::SubgroupTable(one) => Statistic::SubgroupTable(self.subgroup(one)),
            Statistic::Contingency(one) => Statistic::Contingency(self.contingency(one)),
            Statistic::Discordance(one) => Statistic::Discordance(self.discordance(one)),
            Statistic::Permutation(one) => Statistic::Permutation(self.permutation(one)),
            Statistic::CalibrationBlock(one) => {
                Statistic::CalibrationBlock(self.calibration_block(one))
            }
            Statistic::Missing(one) => Statistic::Missing(self.missing(one)),
            Statistic::Segmentation(one) => Statistic::Segmentation(self.segmentation(one)),
            Statistic::Lesions(one) => Statistic::Lesions(self.lesions(one)),
            Statistic::Detection(one) => Statistic::Detection(self.detection(one)),
        }
    }

    /// Largest value a hidden count of rows may have: k - 1 where each patient is one row; where
    /// patients repeat, few patients may own many rows, so nothing is said.
    fn hidden_count(&self) -> Cell<u64> {
        let hi = if self.clustered {
            MANY
        } else {
            self.policy.min_cell().saturating_sub(1)
        };
        Cell::Suppressed { lo: 0, hi }
    }

    fn count(&mut self, name: &str, count: &ExactCount) -> Cell<u64> {
        let shown = small_cell::shows(self.policy, count.patients);
        self.count_if(name, count, shown, Rule::SmallCell)
    }

    /// A count that `shown` decides about; counts that a rule hides although they are large say
    /// nothing but that they are hidden.
    fn count_if(&mut self, name: &str, count: &ExactCount, shown: bool, rule: Rule) -> Cell<u64> {
        let small = !small_cell::shows(self.policy, count.patients);
        let cell = if shown {
            rounding::count(count.rows, self.policy.rounding(), self.policy.min_cell())
        } else if small && rule == Rule::SmallCell {
            self.hidden_count()
        } else {
            Cell::Suppressed { lo: 0, hi: MANY }
        };
        let rule = if !shown && count.patients == 0 && rule == Rule::SmallCell {
            Rule::Zero
        } else {
            rule
        };
        self.item(name, count.patients, count_words(&cell), rule, shown);
        cell
    }

    fn real(&mut self, name: &str, real: ExactReal, rule: Rule) -> Cell<f64> {
        self.real_if(name, real, rule, true)
    }

    /// A number that may leave if its own basis supports it and `allowed` holds.
    fn real_if(&mut self, name: &str, real: ExactReal, rule: Rule, allowed: bool) -> Cell<f64> {
        let objection = supports(self.policy, real.basis);
        let shown = allowed && objection.is_ok();
        let hidden = Cell::Suppressed {
            lo: real.form.lo,
            hi: real.form.hi,
        };
        let cell = match real.value {
            Err(reason) if shown || is_design(reason) => Cell::NotComputed { reason },
            Err(_) => hidden,
            Ok(_) if !shown => hidden,
            Ok(value) if self.policy.protects() => rounding::real(value, real.form),
            Ok(value) => {
                if value == 0.0 {
                    Cell::Zero
                } else {
                    Cell::Value { value }
                }
            }
        };
        let rule = match objection {
            Err(Objection::Dominance) => Rule::Estimate,
            Err(Objection::SmallGroup) | Ok(()) => rule,
        };
        let shown = !cell.is_suppressed();
        self.item(name, real.basis.smallest, real_words(&cell), rule, shown);
        cell
    }

    fn item(&mut self, name: &str, patients: u64, value: String, rule: Rule, shown: bool) {
        let near = self.policy.min_cell() + self.policy.rounding();
        let (verdict, action) = match (shown, self.policy.protects()) {
            (true, true) if patients < near => (Verdict::Review, "rounded"),
            (true, true) => (Verdict::Pass, "rounded"),
            (true, false) => (Verdict::Pass, "rules off"),
            (false, _) => (Verdict::Fail, "suppressed"),
        };
        self.items.push(Item {
            name: name.to_owned(),
            patients,
            value,
            rule,
            verdict,
            action: action.to_owned(),
        });
    }

    fn flow(&mut self, one: flow::Flow<Exact>) -> flow::Flow<Disclosed> {
        let analysed = self.count("analysed cases", &one.analysed);
        let excluded: Vec<flow::Excluded<Disclosed>> = one
            .excluded
            .into_iter()
            .map(|entry| flow::Excluded {
                count: self.reason(&format!("left out: {}", entry.reason), &entry.count),
                reason: entry.reason,
            })
            .collect();
        let without_reference = self.reason(flow::NO_REFERENCE, &one.without_reference);
        let without_prediction = self.reason(flow::NO_PREDICTION, &one.without_prediction);
        let eligible = self.margin(
            "eligible cases",
            &one.eligible,
            &[analysed, without_reference, without_prediction],
        );
        let mut parts: Vec<Cell<u64>> = excluded.iter().map(|entry| entry.count).collect();
        parts.push(eligible);
        let records = self.margin("rows read", &one.records, &parts);
        let [events, non_events] = if self.protocol.is_segmentation() {
            self.classes_of_masks(&one.endpoint, [&one.events, &one.non_events])
        } else {
            [
                self.count("analysed cases with the event", &one.events),
                self.count("analysed cases without the event", &one.non_events),
            ]
        };
        flow::Flow {
            patients: self.count("distinct patients analysed", &one.patients),
            events,
            non_events,
            endpoint: one.endpoint,
            records,
            excluded,
            eligible,
            without_reference,
            without_prediction,
            analysed,
        }
    }

    /// How many were left out for a reason. It is told unless that would say, beside earlier releases,
    /// who was not.
    fn reason(&mut self, name: &str, count: &ExactCount) -> Cell<u64> {
        let apart = count.nearest >= self.policy.min_cell() && self.left_out;
        if apart || !self.policy.protects() {
            self.count(name, count)
        } else {
            self.count_if(name, count, false, Rule::Margin)
        }
    }

    /// D4: a margin over a hidden part is the sum of what is shown, with the interval of what
    /// is hidden; otherwise the difference would give the hidden part away.
    fn margin(&mut self, name: &str, count: &ExactCount, parts: &[Cell<u64>]) -> Cell<u64> {
        let complete = parts
            .iter()
            .all(|part| matches!(part, Cell::Value { .. } | Cell::Zero));
        if complete || !self.policy.protects() {
            return self.count_if(name, count, true, Rule::Margin);
        }
        let shown = parts
            .iter()
            .filter_map(Cell::number)
            .fold(0_u64, u64::saturating_add);
        let bounds = parts.iter().filter_map(Cell::bounds);
        let (lo, hi) = bounds.fold((0_u64, 0_u64), |(lo, hi), (low, high)| {
            (lo.saturating_add(low), hi.saturating_add(high))
        });
        let cell = Cell::Rounded {
            value: shown,
            lo,
            hi: hi.min(MANY),
        };
        self.item(name, count.patients, count_words(&cell), Rule::Margin, true);
        cell
    }
}

/// "Any number of cases": the largest count a release can state.
pub const MANY: u64 = 1 << 40;

/// Reasons that follow from the protocol or the policy, not from the data.
fn is_design(reason: Undefined) -> bool {
    matches!(reason, Undefined::DesignForbids | Undefined::NotInPolicy)
}

fn count_words(cell: &Cell<u64>) -> String {
    match cell {
        Cell::Value { value } => value.to_string(),
        Cell::Rounded { value, lo, hi } => format!("about {value} ({lo} to {hi})"),
        Cell::Zero => "0".to_owned(),
        Cell::Suppressed { hi, .. } if *hi < MANY => format!("withheld (0 to {hi})"),
        Cell::Suppressed { .. } => "withheld".to_owned(),
        Cell::NotComputed { reason } => format!("not computed: {}", reason.words()),
    }
}

fn real_words(cell: &Cell<f64>) -> String {
    match cell {
        Cell::Value { value } | Cell::Rounded { value, .. } => value.to_string(),
        Cell::Zero => "0".to_owned(),
        Cell::Suppressed { .. } => "withheld".to_owned(),
        Cell::NotComputed { reason } => format!("not computed: {}", reason.words()),
    }
}
