//! A hospital that answers question after question in this process: its table as a file, its policy,
//! and the node's own decision: data check, review, comparison with everything said before, ledger.
//!
//! From: `question`.
//! To: `adaptive`, `named`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use harness::random::Draw;
use node::cohort::{Means, TableSource};
use node::measure::{self, Question as Asked};
use node::noise::Purse;
use node::spoken::Past;
use node::store::{Spent, Store};
use shared::disclosure::{Policy, ReceivedRelease};
use shared::identity::{Digest, to_canonical};
use shared::study::plan::StatisticKind;
use shared::study::{SiteSlug, StudyProtocol, Timestamp};

/// One patient, with one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Patient {
    pub event: bool,
    /// Of the model under validation, and of the comparator.
    pub score: [f64; 2],
    pub age: u32,
    pub sex: usize,
    pub ward: usize,
}

pub const SEXES: usize = 2;
pub const WARDS: usize = 4;
pub const AGES: std::ops::Range<u32> = 20..90;

/// Patients of a random hospital; wards have unequal sizes, the last is small.
pub fn patients(draw: &mut Draw, count: usize, prevalence: f64) -> Vec<Patient> {
    let each = (0..count).map(|_| {
        let event = draw.unit() < prevalence;
        let mut score = || {
            let bell = draw.unit() + draw.unit() + draw.unit() - 1.5;
            let logit = 2.5 * bell + if event { 0.9 } else { -0.9 };
            (1000.0 / (1.0 + (-logit).exp())).round() / 1000.0
        };
        let score = [score(), score()];
        Patient {
            event,
            score,
            age: AGES.start + (draw.unit().sqrt() * f64::from(AGES.end - AGES.start)) as u32,
            sex: usize::from(draw.unit() < 0.4),
            ward: (draw.unit().powi(2) * WARDS as f64) as usize,
        }
    });
    each.collect()
}

/// The hospital: everybody who was ever in its table, and who is now.
pub struct Hospital {
    pub people: Vec<Patient>,
    pub present: BTreeSet<usize>,
    folder: tempfile::TempDir,
    store: Option<Store>,
    policy: Policy,
    salt: Vec<u8>,
    asked: i64,
}

impl Hospital {
    /// `remembers` says whether it keeps what it released: rules L1 to L5 rest on that.
    pub fn new(people: Vec<Patient>, policy: Policy, remembers: bool) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let store = remembers.then(|| Store::open(&folder.path().join("state")).unwrap());
        Self {
            present: (0..people.len()).collect(),
            people,
            folder,
            store,
            policy,
            salt: vec![7; 32],
            asked: 0,
        }
    }

    /// New patients in the table.
    pub fn admit(&mut self, newcomers: Vec<Patient>) {
        for patient in newcomers {
            self.present.insert(self.people.len());
            self.people.push(patient);
        }
    }

    fn write(&self) -> std::path::PathBuf {
        let path = self.folder.path().join("table.csv");
        let mut text = String::from("case_id,y,p_a,p_b,age,axis_0,axis_1\n");
        for place in &self.present {
            let one = &self.people[*place];
            let _ = writeln!(
                text,
                "case-{place},{},{},{},{},level_{},level_{}",
                u8::from(one.event),
                one.score[1],
                one.score[0],
                one.age,
                one.sex,
                one.ward
            );
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The bytes that leave, or why none do.
    pub fn bytes(
        &mut self,
        protocol: &StudyProtocol,
        kinds: &[StatisticKind],
    ) -> Result<Vec<u8>, String> {
        let source = TableSource::new(self.write());
        let past = match &self.store {
            Some(store) => store.past().unwrap(),
            None => Past::default(),
        };
        let site: SiteSlug = protocol.site[0].slug.clone();
        let digest = Digest::of(&to_canonical(protocol).unwrap());
        let question = Asked {
            protocol,
            digest,
            site: &site,
            job: None,
            kinds,
            salt: &self.salt,
            past: &past,
            purse: self.store.as_ref().map(|store| Purse {
                store,
                now: Timestamp::from_unix(1_800_000_000 + self.asked).unwrap(),
            }),
        };
        let means = Means::default().salted(&self.salt);
        let measured = measure::run(&question, &source, &means, &self.policy)
            .map_err(|faults| format!("{faults:?}"))?;
        let bytes = measured.outcome?;
        self.asked += 1;
        if let Some(store) = &self.store {
            let now = Timestamp::from_unix(1_800_000_000 + self.asked).unwrap();
            let told = (&bytes, self.policy.stamp().digest, &measured.spoken);
            store.record(&protocol.slug, digest, now, told).unwrap();
        }
        Ok(bytes.bytes().to_vec())
    }

    /// What it has spent under differential privacy.
    pub fn spent(&self) -> Spent {
        self.store.as_ref().unwrap().spent().unwrap()
    }

    /// How many ledger entries record this event.
    pub fn events(&self, word: &str) -> usize {
        let entries = self.store.as_ref().unwrap().entries().unwrap();
        entries
            .iter()
            .filter(|entry| entry.event.word() == word)
            .count()
    }

    /// Somebody with access to the machine alters the database.
    pub fn alter(&self, sql: &str) {
        let path = self.folder.path().join("state/node.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
    }

    /// What the coordinator reads.
    pub fn ask(
        &mut self,
        protocol: &StudyProtocol,
        kinds: &[StatisticKind],
    ) -> Result<ReceivedRelease, String> {
        let bytes = self.bytes(protocol, kinds)?;
        Ok(ReceivedRelease::read(&bytes).unwrap())
    }
}
