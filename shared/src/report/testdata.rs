//! The bundled study as tests read it: measured, reviewed and pooled here, so that it always
//! has what a round has.
//!
//! From: `configs/examples/heart`.
//! To: `tests`.

use crate::disclosure::policy::OPEN_DATA;
use crate::disclosure::{Axes, Header, Policy, ReceivedRelease, document, review};
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
    static STUDY: std::sync::OnceLock<PooledStudy> = std::sync::OnceLock::new();
    STUDY.get_or_init(measured).clone()
}

fn measured() -> PooledStudy {
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
        input: None,
        site: site.parse().unwrap(),
        dataset: Digest::of(text.as_bytes()),
        policy: policy.stamp(),
        clustered: false,
        software: "fedval-node 0".to_owned(),
        known_answer: crate::statistic::known_answer::answer(),
    };
    let reviewed = review(&policy, protocol, statistics, (false, Axes::BY_RULE));
    let bytes = reviewed.release(header).unwrap().encode().unwrap();
    ReceivedRelease::read(bytes.bytes()).unwrap()
}

/// One of the bundled files: a row per patient, every column a number or a declared level.
struct File<'a> {
    head: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> File<'a> {
    fn read(text: &'a str) -> Self {
        let mut lines = text.lines();
        Self {
            head: lines.next().unwrap().split(',').collect(),
            rows: lines.map(|line| line.split(',').collect()).collect(),
        }
    }

    fn values(&self, name: &str) -> Vec<&'a str> {
        let place = self.head.iter().position(|column| *column == name);
        self.rows.iter().map(|row| row[place.unwrap()]).collect()
    }

    fn numbers(&self, name: &str) -> Vec<Option<f64>> {
        let values = self.values(name);
        values.iter().map(|text| text.parse().ok()).collect()
    }

    fn column(&self, field: &Field) -> Column {
        let name = field.name.as_str();
        if name == "case_id" {
            Column::Withheld
        } else if field.levels.is_empty() {
            Column::Number(self.numbers(name))
        } else {
            let values = self.values(name);
            let place = |text: &&str| {
                let place = field.levels.iter().position(|level| level == text);
                place.map(|place| place as u16)
            };
            Column::Category(values.iter().map(place).collect())
        }
    }

    fn outcome(&self, name: &str) -> Vec<Option<bool>> {
        let values = self.numbers(name).into_iter();
        values
            .map(|value| value.map(|value| value == 1.0))
            .collect()
    }

    fn level(&self, axis: &Axis, field: &Field) -> Vec<u16> {
        let absent = axis.levels(field).len() - 1;
        let found: Vec<Option<usize>> = match self.column(field) {
            Column::Category(levels) => {
                let levels = levels.into_iter();
                levels.map(|level| level.map(usize::from)).collect()
            }
            Column::Number(values) => {
                let values = values.into_iter();
                if axis.rule == AxisRule::Band {
                    values.map(|value| field.band_of(value?)).collect()
                } else {
                    values
                        .map(|value| Some(usize::from(value? != 1.0)))
                        .collect()
                }
            }
            Column::Withheld => Vec::new(),
        };
        let found = found
            .into_iter()
            .map(|level| level.unwrap_or(absent) as u16);
        found.collect()
    }
}

fn cases(protocol: &StudyProtocol, text: &str) -> Cases {
    let file = File::read(text);
    let patients = u32::try_from(file.rows.len()).unwrap();
    let level = |axis: &Axis| file.level(axis, protocol.find_field(&axis.field).unwrap());
    let tally = Tally {
        rows: u64::from(patients),
        patients: u64::from(patients),
    };
    let (endpoints, models) = (protocol.endpoint.iter(), protocol.model.iter());
    Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: (0..patients).collect(),
        patients,
        outcome: endpoints
            .map(|one| file.outcome(one.field.as_str()))
            .collect(),
        score: models
            .filter_map(|one| one.field.as_ref())
            .map(|field| file.numbers(field.as_str()))
            .collect(),
        level: protocol.subgroup.iter().map(level).collect(),
        column: protocol
            .field
            .iter()
            .map(|field| file.column(field))
            .collect(),
        intake: Intake {
            records: tally,
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}
