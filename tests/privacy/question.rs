//! What a requester may ask, as a few choices: who is eligible, by what axes, at which thresholds, on
//! which grid, with which sensitivity set. And the same from outside: which counts an answer tells
//! or bounds, each with the patients it is about.
//!
//! From: nothing.
//! To: `adaptive`, `named`, `solver`.

use std::sync::OnceLock;

use harness::random;
use serde_json::{Value, json};
use shared::disclosure::ReceivedRelease;
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::{Cell, Statistic};
use shared::study::plan::StatisticKind;
use shared::study::{StudyProtocol, Threshold, validate};

use crate::hospital::{AGES, Hospital, Patient, SEXES, WARDS};
use crate::solver::{Known, Set};

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub study: u32,
    /// Ages, from and before.
    pub ages: [u32; 2],
    pub sex: Option<usize>,
    pub ward: Option<usize>,
    /// Nobody of this ward, and nobody below this age.
    pub without: (Option<usize>, Option<u32>),
    /// By sex, by ward, and by both crossed.
    pub axes: [bool; 3],
    /// In thousandths.
    pub thresholds: Vec<u32>,
    /// First edge and distance of edges, in thousandths; none: no histogram.
    pub grid: Option<(u32, u32)>,
    /// A second set without those below this age.
    pub sensitivity: Option<u32>,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            study: 0,
            ages: [AGES.start, AGES.end],
            sex: None,
            ward: None,
            without: (None, None),
            axes: [false; 3],
            thresholds: Vec::new(),
            grid: None,
            sensitivity: None,
        }
    }
}

fn base() -> &'static StudyProtocol {
    static BASE: OnceLock<StudyProtocol> = OnceLock::new();
    BASE.get_or_init(|| random::protocol(&[SEXES, WARDS], &[]))
}

fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl Question {
    /// The protocol that asks it.
    pub fn protocol(&self) -> StudyProtocol {
        let mut protocol = base().clone();
        protocol.slug = format!("study-{}", self.study).parse().unwrap();
        let mut ages: Vec<u32> = AGES.chain([AGES.end]).collect();
        ages.extend(self.ages);
        ages.sort_unstable();
        ages.dedup();
        protocol.field[4].bands = ages.into_iter().map(f64::from).collect();
        let term = |field: &str, op: &str, value: Value| json!({ "field": field, "op": op, "value": value });
        let level = |level: usize| Value::String(format!("level_{level}"));
        let mut include = Vec::new();
        if self.ages[0] > AGES.start {
            include.push(term("age", "ge", json!(self.ages[0])));
        }
        if self.ages[1] < AGES.end {
            include.push(term("age", "lt", json!(self.ages[1])));
        }
        include.extend(self.sex.map(|sex| term("axis_0", "eq", level(sex))));
        include.extend(self.ward.map(|ward| term("axis_1", "eq", level(ward))));
        let mut exclude = Vec::new();
        exclude.extend(self.without.0.map(|ward| term("axis_1", "eq", level(ward))));
        exclude.extend(self.without.1.map(|age| term("age", "lt", json!(age))));
        protocol.eligibility.include = of(Value::Array(include));
        protocol.eligibility.exclude = of(Value::Array(exclude));
        let mut axes = std::mem::take(&mut protocol.subgroup).into_iter();
        let (sex, ward) = (axes.next().unwrap(), axes.next().unwrap());
        let [by_sex, by_ward, crossed] = self.axes;
        protocol
            .subgroup
            .extend(Some(sex).filter(|_| by_sex || crossed));
        protocol
            .subgroup
            .extend(Some(ward).filter(|_| by_ward || crossed));
        if crossed {
            protocol.subgroup.push(of(json!({
                "id": "axis_2", "label": "axis_2", "rule": "pair", "prespecified": true,
                "axes": ["axis_0", "axis_1"],
            })));
        }
        protocol.threshold = ["p_b", "p_a"]
            .iter()
            .flat_map(|model| {
                self.thresholds.iter().map(|value| Threshold {
                    model: model.parse().unwrap(),
                    endpoint: "disease".parse().unwrap(),
                    value: f64::from(*value) / 1000.0,
                    source: "asked".to_owned(),
                })
            })
            .collect();
        let edges = self
            .grid
            .into_iter()
            .flat_map(|(first, step)| (first..1000).step_by(step as usize));
        let mut edges: Vec<u32> = edges.chain(self.thresholds.iter().copied()).collect();
        edges.sort_unstable();
        edges.dedup();
        protocol.histogram.edges = edges
            .into_iter()
            .map(|edge| f64::from(edge) / 1000.0)
            .collect();
        protocol.sensitivity = self
            .sensitivity
            .iter()
            .map(|age| {
                of(json!({
                    "id": "older", "label": "older", "kind": "exclude",
                    "exclude": [term("age", "lt", json!(age))],
                }))
            })
            .collect();
        validate::expand(&protocol)
    }

    /// What it asks for.
    pub fn kinds(&self) -> Vec<StatisticKind> {
        let mut kinds = vec![StatisticKind::Flow, StatisticKind::Auc];
        if self.axes.contains(&true) {
            kinds.extend([StatisticKind::Characteristics, StatisticKind::Subgroup]);
            kinds.push(StatisticKind::Contingency);
        }
        if !self.thresholds.is_empty() {
            kinds.extend([StatisticKind::Confusion, StatisticKind::Discordance]);
        }
        kinds.extend(self.grid.map(|_| StatisticKind::Histogram));
        kinds.extend(self.sensitivity.map(|_| StatisticKind::Sensitivity));
        kinds
    }

    /// The first reason for which a patient is left out, in the protocol's order.
    fn reason(&self, one: &Patient) -> Option<usize> {
        let [from, to] = self.ages;
        let terms = [
            (from > AGES.start).then_some(one.age < from),
            (to < AGES.end).then_some(one.age >= to),
            self.sex.map(|sex| one.sex != sex),
            self.ward.map(|ward| one.ward != ward),
            self.without.0.map(|ward| one.ward == ward),
            self.without.1.map(|age| one.age < age),
        ];
        terms.into_iter().flatten().position(|leaves| leaves)
    }

    /// Who is analysed.
    pub fn cohort(&self, hospital: &Hospital) -> Set {
        Set::of(hospital, |one| self.reason(one).is_none())
    }

    /// Adds what the answer tells to what is known. Every count that is shown is granted exactly:
    /// rates with three digits, areas and variances give it away. Only how many were left out, and
    /// for which reason, is told by a rounded count and by nothing else.
    pub fn learn(&self, release: &ReceivedRelease, hospital: &Hospital, known: &mut Known) {
        let cohort = self.cohort(hospital);
        let class = |event: bool| cohort.and(&Set::of(hospital, |one| one.event == event));
        let (events, others) = (class(true), class(false));
        let edges = self.protocol().histogram.edges;
        let lower = |bin: u32| bin.checked_sub(1).map_or(0.0, |edge| edges[edge as usize]);
        let upper = |bin: u32| edges.get(bin as usize).copied().unwrap_or(f64::INFINITY);
        let model = |id: &str| usize::from(id == "p_a");
        let above = |model: usize, at: f64| Set::of(hospital, move |one| one.score[model] >= at);
        let level = |axis: &str, level: usize| {
            let axis = axis.to_owned();
            cohort.and(&Set::of(hospital, move |one| match axis.as_str() {
                "axis_0" => one.sex == level,
                "axis_1" => one.ward == level,
                _ => one.sex * (WARDS + 1) + one.ward == level,
            }))
        };
        for statistic in &release.statistics {
            match statistic {
                Statistic::Flow(one) => {
                    known.count(&cohort, one.analysed);
                    known.count(&events, one.events);
                    known.count(&others, one.non_events);
                    // Of the reasons the first is that a case stands twice.
                    for (index, entry) in one.excluded.iter().skip(1).enumerate() {
                        let left = Set::of(hospital, |one| self.reason(one) == Some(index));
                        known.rounded(&left, entry.count);
                    }
                }
                Statistic::Characteristics(one) => {
                    for axis in &one.axes {
                        for (index, row) in axis.levels.iter().enumerate() {
                            known.count(&level(axis.axis.as_str(), index), row.n);
                        }
                    }
                }
                Statistic::Confusion(one) => {
                    let positive = above(model(one.model.as_str()), one.threshold);
                    known.count(&events.and(&positive), one.true_positive);
                    known.count(&events.without(&positive), one.false_negative);
                    known.count(&others.and(&positive), one.false_positive);
                    known.count(&others.without(&positive), one.true_negative);
                }
                Statistic::Discordance(one) => {
                    let first = above(model(one.model.as_str()), one.threshold);
                    let second = above(model(one.comparator.as_str()), one.comparator_threshold);
                    for (class, crossed) in [(&events, &one.events), (&others, &one.non_events)] {
                        known.count(&class.and(&first).and(&second), crossed.both);
                        known.count(&class.and(&first).without(&second), crossed.model_only);
                        known.count(&class.and(&second).without(&first), crossed.comparator_only);
                        known.count(&class.without(&first).without(&second), crossed.neither);
                    }
                }
                Statistic::Histogram(one) => {
                    let index = model(one.model.as_str());
                    for (class, blocks) in [(&events, &one.events), (&others, &one.non_events)] {
                        for block in blocks {
                            let inside = above(index, lower(block.first))
                                .without(&above(index, upper(block.last)));
                            known.count(&class.and(&inside), block.count);
                        }
                    }
                }
                Statistic::SubgroupTable(one) => {
                    let positive = above(0, one.threshold);
                    for (index, row) in one.rows.iter().enumerate() {
                        let within = level(one.axis.as_str(), index);
                        let (e, o) = (within.and(&events), within.and(&others));
                        known.count(&within, row.n);
                        known.count(&e, row.events);
                        known.count(&o, row.non_events);
                        known.count(&e.and(&positive), row.true_positive);
                        known.count(&e.without(&positive), row.false_negative);
                        known.count(&o.and(&positive), row.false_positive);
                        known.count(&o.without(&positive), row.true_negative);
                    }
                }
                Statistic::Contingency(one) => {
                    let positive = above(0, one.threshold.unwrap_or(0.0));
                    for (index, row) in one.rows.iter().enumerate() {
                        let within = level(one.axis.as_str(), index);
                        let (e, o) = (within.and(&events), within.and(&others));
                        let cells = match one.kind {
                            ContingencyKind::ErrorBySubgroup => vec![
                                e.and(&positive).or(&o.without(&positive)),
                                o.and(&positive),
                                e.without(&positive),
                            ],
                            ContingencyKind::OutcomeBySubgroup
                            | ContingencyKind::CompletenessByOutcome => vec![o, e],
                        };
                        for (set, cell) in cells.iter().zip(&row.cells) {
                            known.count(set, *cell);
                        }
                    }
                }
                Statistic::Estimate(one) if one.key.sensitivity.is_some() => {
                    let age = self.sensitivity.unwrap_or(0);
                    let older = Set::of(hospital, |one| one.age >= age);
                    let (e, o) = (events.and(&older), others.and(&older));
                    known.count(&e.or(&o), one.n);
                    known.count(&e, one.events);
                    if let (Some(at), Some(_)) = (one.key.threshold, one.value.number()) {
                        let positive = above(0, at);
                        let told = Cell::Value { value: 0 };
                        known.count(&e.and(&positive), told);
                        known.count(&o.and(&positive), told);
                    }
                }
                Statistic::Auc(_)
                | Statistic::PairedAuc(_)
                | Statistic::ObservedExpected(_)
                | Statistic::Estimate(_)
                | Statistic::CalibrationBins(_)
                | Statistic::Permutation(_)
                | Statistic::CalibrationBlock(_)
                | Statistic::Missing(_)
                | Statistic::Segmentation(_)
                | Statistic::Lesions(_)
                | Statistic::Detection(_) => {}
            }
        }
    }
}
