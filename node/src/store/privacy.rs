//! The privacy budget: spent for life and by patient, over all studies and tables, and recorded
//! before noise is drawn. What was drawn is kept, so that the same question costs nothing again.
//!
//! From: `noise`.
//! To: the database, the ledger; `fedval-node status`.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use shared::disclosure::noise::{Amount, NoiseStamp};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::{RoundId, StudySlug, Timestamp};

use super::{
    Store, Subject, WriteFault, append, digest_column, head, ledger_rows, spoken, verified,
};
use crate::cohort::{People, Sha256, Tag};
use crate::ledger::{Entry, Event};

/// The version of the database that keeps losses.
const SINCE: u32 = 7;

/// Who asks for noise, about whom, and what it would spend.
pub(crate) struct Asked<'a> {
    pub(crate) study: &'a StudySlug,
    pub(crate) protocol: Digest,
    pub(crate) round: Option<RoundId>,
    pub(crate) job: Option<Digest>,
    pub(crate) now: Timestamp,
    /// Digest of the canonical question.
    pub(crate) question: Digest,
    pub(crate) stamp: &'a NoiseStamp,
    /// What may ever be spent on a patient.
    pub(crate) budget: Amount,
    /// Everybody in the table.
    pub(crate) people: &'a People,
}

/// What is to be done about a question.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// It was answered before: these bytes, with the digest that the ledger names.
    Kept {
        /// Canonical JSON.
        bytes: Vec<u8>,
        /// Their digest.
        digest: Digest,
    },
    /// It is paid for: noise may be drawn.
    Draw,
    /// It would spend more than is left.
    Exhausted {
        /// What is left of the patient with the least.
        left: Amount,
    },
}

/// One loss.
struct Spend {
    question: Digest,
    epsilon: Amount,
    delta: Amount,
    members: Vec<u32>,
    noisy: Option<(Vec<u8>, Digest)>,
}

/// What this node has spent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// Different questions that were paid for.
    pub questions: usize,
    /// Patients on whom something was spent.
    pub patients: usize,
    /// The largest loss of a patient.
    pub most: Amount,
    /// The largest sum of deltas of a patient.
    pub most_delta: Amount,
}

impl Store {
    /// Pays for a question, once for ever, in the ledger and in the database together; what a budget
    /// does not cover changes nothing.
    ///
    /// # Errors
    /// `FV-LEDGER-001` when what is kept is not what the ledger says; `FV-INT-001`.
    pub(crate) fn spend(&self, asked: &Asked<'_>) -> Result<Claim, Fault> {
        self.write(|sql| {
            let spends = read(sql)?;
            if let Some(known) = spends.iter().find(|one| one.question == asked.question) {
                let kept = known.noisy.clone();
                return Ok(
                    kept.map_or(Claim::Draw, |(bytes, digest)| Claim::Kept { bytes, digest })
                );
            }
            let members = spoken::number_all(sql, asked.people)?;
            let spent = most(&spends, &members, |one| one.epsilon);
            let after = spent.and_then(|spent| spent.plus(asked.stamp.epsilon));
            if after.is_none_or(|after| after > asked.budget) {
                let left = spent.map_or(Amount::ZERO, |spent| asked.budget.minus(spent));
                return Ok(Claim::Exhausted { left });
            }
            let tags = spoken::numbers(sql)?.tags();
            let seq = head(sql)?.entries + 1;
            let event = Event::Spent {
                question: asked.question,
                mechanism: asked.stamp.mechanism,
                epsilon: asked.stamp.epsilon,
                delta: asked.stamp.delta,
                scale: asked.stamp.scale,
                patients: digest(&members, &tags)
                    .ok_or_else(|| Fault::internal("a patient of a table has no tag"))?,
            };
            append(sql, asked.now, asked.subject(), event)?;
            let delta = asked.stamp.delta.unwrap_or_default();
            let packed: Vec<u8> = members.iter().flat_map(|one| one.to_le_bytes()).collect();
            sql.execute(
                "INSERT INTO privacy (seq, question, epsilon, delta, members)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    i64::try_from(seq).unwrap_or(i64::MAX),
                    asked.question.to_string(),
                    asked.stamp.epsilon.to_string(),
                    delta.to_string(),
                    packed
                ],
            )?;
            Ok(Claim::Draw)
        })
    }

    /// Keeps what was drawn for a question that is paid for. The first draw stays.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub(crate) fn drawn(&self, asked: &Asked<'_>, bytes: &[u8]) -> Result<(), Fault> {
        self.write(|sql| {
            let kept = sql.execute(
                "UPDATE privacy SET noisy = ?2 WHERE question = ?1 AND noisy IS NULL",
                params![asked.question.to_string(), bytes],
            )?;
            if kept != 1 {
                return Err(
                    Fault::internal("noise was drawn for a question that has an answer").into(),
                );
            }
            let event = Event::Drawn {
                question: asked.question,
                digest: Digest::of(bytes),
            };
            append(sql, asked.now, asked.subject(), event)
        })
    }

    /// What was spent so far.
    ///
    /// # Errors
    /// `FV-LEDGER-001` when what is kept is not what the ledger says; `FV-INT-001`.
    pub fn spent(&self) -> Result<Spent, Fault> {
        let (version, spends) = self.read(|sql| {
            let version: u32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let spends = (version >= SINCE).then(|| read(sql));
            Ok((version, spends))
        })?;
        let spends = match spends {
            Some(spends) => spends.map_err(|fault| match fault {
                WriteFault::Sql(fault) => super::failed(&self.path, &fault),
                WriteFault::Person(fault) => *fault,
            })?,
            // A database that no running node has brought up to date yet.
            None if version < SINCE => Vec::new(),
            None => return Err(Fault::internal("privacy losses were not read")),
        };
        let mut everybody: Vec<u32> = spends
            .iter()
            .flat_map(|one| one.members.iter().copied())
            .collect();
        everybody.sort_unstable();
        everybody.dedup();
        let most = |pick: fn(&Spend) -> Amount| {
            let overflow = Amount::of_units(u64::MAX);
            self::most(&spends, &everybody, pick).unwrap_or(overflow)
        };
        Ok(Spent {
            questions: spends.len(),
            patients: everybody.len(),
            most: most(|one| one.epsilon),
            most_delta: most(|one| one.delta),
        })
    }
}

impl Asked<'_> {
    fn subject(&self) -> Subject {
        Subject {
            study: Some(self.study.clone()),
            protocol: Some(self.protocol),
            round: self.round.clone(),
            job: self.job,
        }
    }
}

/// The largest loss among these patients, ascending; `None` beyond what can be written.
fn most(spends: &[Spend], members: &[u32], pick: impl Fn(&Spend) -> Amount) -> Option<Amount> {
    let mut sums = vec![Amount::ZERO; members.len()];
    for spend in spends {
        for member in &spend.members {
            if let Ok(place) = members.binary_search(member) {
                sums[place] = sums[place].plus(pick(spend))?;
            }
        }
    }
    Some(sums.into_iter().max().unwrap_or_default())
}

/// One digest of the patients whom a question asks about; `None` when one is not known.
fn digest(members: &[u32], tags: &[Option<Tag>]) -> Option<Digest> {
    let mut sha256 = Sha256::default();
    for member in members {
        sha256.update(tags.get(*member as usize)?.as_ref()?);
    }
    Some(sha256.finish())
}

/// Every loss, if rows and ledger say the same.
fn read(sql: &Connection) -> Result<Vec<Spend>, WriteFault> {
    let entries = verified(&ledger_rows(sql)?)?;
    let mut rows = rows(sql)?;
    let tags = spoken::numbers(sql)?.tags();
    let mut drawn: BTreeMap<Digest, (u64, Digest)> = BTreeMap::new();
    for entry in &entries {
        if let Event::Drawn { question, digest } = &entry.event {
            drawn.insert(*question, (entry.seq, *digest));
        }
    }
    let mut spends = Vec::new();
    for entry in &entries {
        let Event::Spent { patients, .. } = &entry.event else {
            continue;
        };
        let (mut spend, noisy) = rows
            .remove(&entry.seq)
            .filter(|(spend, _)| agrees(entry, spend))
            .filter(|(spend, _)| digest(&spend.members, &tags) == Some(*patients))
            .ok_or_else(|| broken(entry.seq))?;
        spend.noisy = match (noisy, drawn.remove(&spend.question)) {
            (None, None) => None,
            (Some(bytes), Some((seq, digest))) => {
                if Digest::of(&bytes) != digest {
                    return Err(broken(seq).into());
                }
                Some((bytes, digest))
            }
            (None, Some((seq, _))) => return Err(broken(seq).into()),
            (Some(_), None) => return Err(broken(entry.seq).into()),
        };
        spends.push(spend);
    }
    // What nobody paid for.
    if let Some(seq) = rows.into_keys().next() {
        return Err(broken(seq).into());
    }
    Ok(spends)
}

fn agrees(entry: &Entry, spend: &Spend) -> bool {
    let Event::Spent {
        question,
        epsilon,
        delta,
        ..
    } = &entry.event
    else {
        return false;
    };
    *question == spend.question
        && *epsilon == spend.epsilon
        && delta.unwrap_or_default() == spend.delta
}

/// A loss, and what was drawn for it.
type SpendRow = (Spend, Option<Vec<u8>>);

/// Rows by their ledger entry.
fn rows(sql: &Connection) -> rusqlite::Result<BTreeMap<u64, SpendRow>> {
    let amount = |text: String, index: usize| {
        text.parse::<Amount>().map_err(|_| {
            rusqlite::Error::InvalidColumnType(index, "privacy".into(), rusqlite::types::Type::Text)
        })
    };
    sql.prepare("SELECT seq, question, epsilon, delta, members, noisy FROM privacy ORDER BY seq")?
        .query_map([], |row| {
            let seq: i64 = row.get(0)?;
            let members: Vec<u8> = row.get(4)?;
            let (members, _) = members.as_chunks::<4>();
            let spend = Spend {
                question: digest_column(row, 1)?,
                epsilon: amount(row.get(2)?, 2)?,
                delta: amount(row.get(3)?, 3)?,
                members: members.iter().map(|one| u32::from_le_bytes(*one)).collect(),
                noisy: None,
            };
            Ok((seq.unsigned_abs(), (spend, row.get(5)?)))
        })?
        .collect()
}

fn broken(seq: u64) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        format!("what ledger entry {seq} spent of the privacy budget is not what is kept of it"),
        "privacy losses were altered or removed in the state directory",
        "this node draws no noise until it is explained; restore the state directory from its backup",
    )
}
