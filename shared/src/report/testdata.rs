//! The bundled study as tests read it: measured, reviewed and pooled here, so that it always
//! has what a round has.
//!
//! From: `configs/examples/heart`.
//! To: `tests`.

use crate::disclosure::policy::OPEN_DATA;
use crate::disclosure::{Header, Policy, ReceivedRelease, document, review};
use crate::identity::Digest;
use crate::pool::result::PooledStudy;
use crate::pool::study::{RoundFacts, SiteAnswer, pool};
use crate::statistic::cases::{Column, Intake, Tally};
use crate::statistic::{Cases, measure};
use crate::study::{Axis, AxisRule, Field, StudyProtocol, Timestamp, plan, source, validate};

const SITES: [(&str, &str); 4] = [
    (
        "cleveland",
        include_str!("../../../configs/examples/heart/data/cleveland.csv"),
    ),
    (
        "hungarian",
        include_str!("../../../configs/examples/heart/data/hungarian.csv"),
    ),
    (
        "switzerland",
        include_str!("../../../configs/examples/heart/data/switzerland.csv"),
    ),
    (
        "va",
        include_str!("../../../configs/examples/heart/data/va.csv"),
    ),
];

/// Three external hospitals and one development hospital, public data.
pub(super) fn heart() -> PooledStudy {
    let text = include_str!("../../../configs/examples/heart/study.toml");
    let protocol = validate::expand(&source::parse(text).unwrap());
    let facts = RoundFacts {
        protocol_digest: Digest::of(b"protocol"),
        locked: true,
        signed: true,
        round: Some("heart-2026.r1".parse().unwrap()),
        closed_at: Timestamp::from_unix(1_795_168_800),
    };
    let answers = SITES.iter().map(|(site, text)| {
        let answer = SiteAnswer::Released(
            Box::new(release(&protocol, site, text)),
            Digest::of(text.as_bytes()),
        );
        (site.parse().unwrap(), answer)
    });
    pool(&protocol, facts, answers.collect())
}

fn release(protocol: &StudyProtocol, site: &str, text: &str) -> ReceivedRelease {
    let policy = Policy::parse(OPEN_DATA).unwrap();
    let statistics = measure::measure(protocol, &cases(protocol, text), &plan::kinds(protocol));
    let header = Header {
        schema: document::SCHEMA.to_owned(),
        study: protocol.slug.clone(),
        study_version: protocol.version.clone(),
        protocol: Digest::of(b"protocol"),
        round: Some("heart-2026.r1".parse().unwrap()),
        job: Some(Digest::of(b"job")),
        exchange: "measure".parse().unwrap(),
        step: 1,
        site: site.parse().unwrap(),
        dataset: Digest::of(text.as_bytes()),
        policy: policy.stamp(),
        clustered: false,
        software: "fedval-node 0".to_owned(),
    };
    let reviewed = review(&policy, protocol, statistics, false);
    let bytes = reviewed.release(header).unwrap().encode().unwrap();
    ReceivedRelease::read(bytes.bytes()).unwrap()
}

/// One row of the bundled files per patient, every column a number or a declared level.
fn cases(protocol: &StudyProtocol, text: &str) -> Cases {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let values = |name: &str| -> Vec<&str> {
        let place = head.iter().position(|column| *column == name).unwrap();
        rows.iter().map(|row| row[place]).collect()
    };
    let numbers = |name: &str| -> Vec<Option<f64>> {
        values(name).iter().map(|text| text.parse().ok()).collect()
    };
    let patients = u32::try_from(rows.len()).unwrap();
    let column = |field: &Field| {
        let name = field.name.as_str();
        if name == "case_id" {
            Column::Withheld
        } else if field.levels.is_empty() {
            Column::Number(numbers(name))
        } else {
            let levels = values(name);
            let place = |text: &&str| field.levels.iter().position(|level| level == text);
            Column::Category(levels.iter().map(place).collect())
        }
    };
    let column: Vec<Column> = protocol.field.iter().map(column).collect();
    let of = |name: &str| {
        let place = protocol
            .field
            .iter()
            .position(|field| field.name.as_str() == name);
        (&protocol.field[place.unwrap()], &column[place.unwrap()])
    };
    let level = |axis: &Axis| -> Vec<usize> {
        let (field, column) = of(axis.field.as_str());
        let absent = axis.levels(field).len() - 1;
        let found: Vec<Option<usize>> = match column {
            Column::Category(levels) => levels.clone(),
            Column::Number(values) => values
                .iter()
                .map(|value| match axis.rule {
                    AxisRule::Band => value.and_then(|value| field.band_of(value)),
                    _ => value.map(|value| usize::from(value != 1.0)),
                })
                .collect(),
            Column::Withheld => Vec::new(),
        };
        found
            .into_iter()
            .map(|level| level.unwrap_or(absent))
            .collect()
    };
    let outcome = |name: &str| -> Vec<Option<bool>> {
        let found = numbers(name).into_iter();
        found.map(|value| value.map(|value| value == 1.0)).collect()
    };
    let tally = Tally {
        rows: u64::from(patients),
        patients: u64::from(patients),
    };
    Cases {
        patient: (0..patients).collect(),
        patients,
        outcome: protocol
            .endpoint
            .iter()
            .map(|one| outcome(one.field.as_str()))
            .collect(),
        score: protocol
            .model
            .iter()
            .map(|one| numbers(one.field.as_str()))
            .collect(),
        level: protocol.subgroup.iter().map(level).collect(),
        column,
        intake: Intake {
            records: tally,
            excluded: Vec::new(),
        },
    }
}
