//! Random sites: rows drawn from a seed, the protocol they answer to, and plain brute force
//! over the rows.
//!
//! From: a seed.
//! To: `tests/privacy`, `tests/merge`.

use serde_json::json;
use shared::statistic::Cases;
use shared::statistic::cases::{Column, Intake, Tally};
use shared::study::{Axis, AxisRule, Field, StudyProtocol, Threshold, validate};

use crate::heart;

/// SplitMix64: the same numbers on every machine.
pub struct Draw(pub u64);

impl Draw {
    #[allow(
        clippy::should_implement_trait,
        reason = "it never ends, so it is no iterator"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In `low..high`.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low) as u64) as usize
    }
}

/// One row of a site's table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub patient: u32,
    pub outcome: Option<bool>,
    pub score: [Option<f64>; 2],
    /// By axis; the last level is `not recorded`.
    pub level: Vec<usize>,
    pub number: Option<f64>,
}

impl Row {
    /// Whether the row is analysed.
    pub fn complete(&self) -> bool {
        self.outcome.is_some() && self.score.iter().all(Option::is_some)
    }

    pub fn event(&self) -> bool {
        self.outcome == Some(true)
    }

    /// Prediction of the model: 0 the index model, 1 the comparator.
    pub fn score(&self, model: usize) -> f64 {
        self.score[model].unwrap()
    }
}

/// The bundled protocol with axes of these numbers of levels (`not recorded` comes on top), one
/// numeric field, and these thresholds for both models.
pub fn protocol(levels: &[usize], thresholds: &[f64]) -> StudyProtocol {
    let mut protocol = heart::written();
    let field = |value: serde_json::Value| -> Field { serde_json::from_value(value).unwrap() };
    protocol.field = vec![
        field(json!({ "name": "case_id", "kind": "identifier", "required": true })),
        field(json!({ "name": "y", "kind": "binary" })),
        field(json!({ "name": "p_a", "kind": "probability" })),
        field(json!({ "name": "p_b", "kind": "probability" })),
        field(json!({ "name": "age", "kind": "number", "range": [0, 120] })),
    ];
    // Tests add the sections that they are about.
    protocol.decision_curve = None;
    protocol.target_prevalence.clear();
    protocol.sensitivity.clear();
    // Enough for an interval, few enough for thousands of releases.
    protocol.bootstrap.resamples = 100;
    protocol.subgroup.clear();
    for (axis, count) in levels.iter().enumerate() {
        let name = format!("axis_{axis}");
        let names: Vec<String> = (0..*count).map(|level| format!("level_{level}")).collect();
        protocol.field.push(field(
            json!({ "name": name, "kind": "category", "levels": names }),
        ));
        let declared: Axis = serde_json::from_value(json!({
            "id": name, "label": name, "field": name, "rule": "level", "prespecified": true,
        }))
        .unwrap();
        protocol.subgroup.push(declared);
    }
    protocol.threshold = ["p_b", "p_a"]
        .iter()
        .flat_map(|model| {
            thresholds.iter().map(|value| Threshold {
                model: model.parse().unwrap(),
                endpoint: "disease".parse().unwrap(),
                value: *value,
                source: "test".to_owned(),
            })
        })
        .collect();
    let mut protocol = validate::expand(&protocol);
    // As few as have an interval: many releases are made, and none is about resamples.
    protocol.bootstrap.resamples = 40;
    protocol
}

/// Every two of some axes.
pub fn pairs(axes: usize) -> Vec<(usize, usize)> {
    let each = (0..axes).flat_map(|first| (first + 1..axes).map(move |second| (first, second)));
    each.collect()
}

/// The same protocol with every two of its axes crossed; pairs are numbered after the axes.
pub fn crossed_protocol(levels: &[usize], thresholds: &[f64]) -> StudyProtocol {
    let mut protocol = protocol(levels, thresholds);
    for (place, (first, second)) in pairs(levels.len()).into_iter().enumerate() {
        let name = format!("axis_{}", levels.len() + place);
        let declared: Axis = serde_json::from_value(json!({
            "id": name, "label": name, "rule": "pair", "prespecified": true,
            "axes": [format!("axis_{first}"), format!("axis_{second}")],
        }))
        .unwrap();
        protocol.subgroup.push(declared);
    }
    validate::expand(&protocol)
}

/// Appends the level of each pair of axes to every row.
pub fn cross(rows: &mut [Row], levels: &[usize]) {
    for row in rows {
        for (first, second) in pairs(levels.len()) {
            row.level
                .push(row.level[first] * (levels[second] + 1) + row.level[second]);
        }
    }
}

/// How a random site looks.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub patients: usize,
    pub prevalence: f64,
    /// Share of patients with further rows.
    pub repeats: f64,
    /// Share of missing levels, scores and outcomes.
    pub missing: f64,
}

/// Rows of a random site; levels of an axis have unequal shares.
pub fn rows(draw: &mut Draw, levels: &[usize], shape: Shape) -> Vec<Row> {
    let skew: Vec<f64> = levels.iter().map(|_| 1.0 + 3.0 * draw.unit()).collect();
    let mut rows = Vec::new();
    for patient in 0..shape.patients {
        let level: Vec<usize> = levels
            .iter()
            .zip(&skew)
            .map(|(count, skew)| {
                if draw.unit() < shape.missing {
                    *count
                } else {
                    let place = draw.unit().powf(*skew) * *count as f64;
                    (place as usize).min(count - 1)
                }
            })
            .collect();
        let again = draw.unit() < shape.repeats;
        for _ in 0..if again { draw.within(2, 5) } else { 1 } {
            let event = draw.unit() < shape.prevalence;
            let mut score = || {
                let bell = draw.unit() + draw.unit() + draw.unit() - 1.5;
                let logit = 2.5 * bell + if event { 0.9 } else { -0.9 };
                // Three digits: ties occur.
                (1000.0 / (1.0 + (-logit).exp())).round() / 1000.0
            };
            let score = [Some(score()), Some(score())];
            let lost = draw.unit() < shape.missing / 2.0;
            rows.push(Row {
                patient: patient as u32,
                outcome: Some(event).filter(|_| draw.unit() >= shape.missing / 2.0),
                score: if lost { [None, score[1]] } else { score },
                level: level.clone(),
                number: Some((40.0 + 40.0 * draw.unit()).round())
                    .filter(|_| draw.unit() >= shape.missing),
            });
        }
    }
    rows
}

/// The rows as the statistics read them.
pub fn cases(protocol: &StudyProtocol, rows: &[Row]) -> Cases {
    let mut names: Vec<u32> = rows.iter().map(|row| row.patient).collect();
    names.sort_unstable();
    names.dedup();
    let place = |patient: &u32| names.binary_search(patient).unwrap() as u32;
    let score = |model: &str| {
        let index = usize::from(model == "p_a");
        rows.iter().map(|row| row.score[index]).collect()
    };
    let axes = protocol.subgroup.len();
    let mut column = vec![
        Column::Withheld,
        Column::Number(
            rows.iter()
                .map(|row| row.outcome.map(|event| f64::from(u8::from(event))))
                .collect(),
        ),
        Column::Number(score("p_a")),
        Column::Number(score("p_b")),
        Column::Number(rows.iter().map(|row| row.number).collect()),
    ];
    for axis in (0..axes).filter(|axis| protocol.subgroup[*axis].rule != AxisRule::Pair) {
        let count = protocol.field[5 + axis].levels.len();
        column.push(Column::Category(
            rows.iter()
                .map(|row| Some(row.level[axis]).filter(|level| *level < count))
                .map(|level| level.map(|level| level as u16))
                .collect(),
        ));
    }
    Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: rows.iter().map(|row| place(&row.patient)).collect(),
        patients: names.len() as u32,
        outcome: vec![rows.iter().map(|row| row.outcome).collect()],
        score: protocol
            .model
            .iter()
            .map(|model| score(model.id.as_str()))
            .collect(),
        level: (0..axes)
            .map(|axis| rows.iter().map(|row| row.level[axis] as u16).collect())
            .collect(),
        column,
        intake: Intake {
            records: Tally {
                rows: rows.len() as u64,
                patients: names.len() as u64,
            },
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}

/// Adds the cases of another site, with patients of their own.
pub fn join(all: &mut Cases, other: Cases) {
    let offset = all.patients;
    all.patients += other.patients;
    all.patient
        .extend(other.patient.iter().map(|patient| patient + offset));
    for (own, more) in all.outcome.iter_mut().zip(other.outcome) {
        own.extend(more);
    }
    for (own, more) in all.score.iter_mut().zip(other.score) {
        own.extend(more);
    }
    for (own, more) in all.level.iter_mut().zip(other.level) {
        own.extend(more);
    }
    for (own, more) in all.column.iter_mut().zip(other.column) {
        match (own, more) {
            (Column::Number(own), Column::Number(more)) => own.extend(more),
            (Column::Category(own), Column::Category(more)) => own.extend(more),
            (Column::Withheld | Column::Number(_) | Column::Category(_), _) => {}
        }
    }
    all.intake.records.rows += other.intake.records.rows;
    all.intake.records.patients += other.intake.records.patients;
}

/// Rows and distinct patients for which `holds`.
pub fn tally(rows: &[Row], holds: impl Fn(&Row) -> bool) -> (u64, u64) {
    let found: Vec<&Row> = rows.iter().filter(|row| holds(row)).collect();
    let mut patients: Vec<u32> = found.iter().map(|row| row.patient).collect();
    patients.sort_unstable();
    patients.dedup();
    (found.len() as u64, patients.len() as u64)
}

/// The area by comparing every event with every non-event.
pub fn area(rows: &[&Row], model: usize) -> Option<f64> {
    let (mut wins, mut pairs) = (0_u64, 0_u64);
    for event in rows.iter().filter(|row| row.event()) {
        for other in rows.iter().filter(|row| !row.event()) {
            let (a, b) = (event.score(model), other.score(model));
            wins += u64::from(a > b) * 2 + u64::from(a == b);
            pairs += 2;
        }
    }
    (pairs > 0).then(|| wins as f64 / pairs as f64)
}
