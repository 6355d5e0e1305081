//! Groups of patients that releases speak about, beside the bytes they belong to.
//!
//! From: `change` (previews and approvals), `measure`.
//! To: `spoken::Past`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::StudyProtocol;
use shared::study::lock::LockedProtocol;

use super::{Store, WriteFault, digest_column, ledger_rows, verified};
use crate::cohort::People;
use crate::ledger::Event;
use crate::spoken::{self, Numbers, Past, PastGroup, Spoken, Told};

/// The version of the database that keeps groups.
const SINCE: u32 = 4;

impl Store {
    /// Everything that releases which may have left spoke about, as the ledger says it.
    ///
    /// # Errors
    /// `FV-LEDGER-001` when a release's groups are not those that its ledger entry names;
    /// `FV-INT-001`.
    pub fn past(&self) -> Result<Past, Fault> {
        // In one look: somebody may approve while this is read.
        let (rows, found) = self.read(|sql| {
            let rows = ledger_rows(sql)?;
            let version: u32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
            // A database that no running node has brought up to date yet.
            if version < SINCE {
                return Ok((rows, None));
            }
            let all = groups(sql, "released = 1", params![])?;
            Ok((rows, Some((numbers(sql)?, all, releases(sql)?))))
        })?;
        let entries = verified(&rows)?;
        let (numbers, all, releases) = found.unwrap_or_default();
        let named = entries.iter().filter_map(|entry| match &entry.event {
            Event::Approved { digest, groups, .. } | Event::Measured { digest, groups, .. } => {
                Some((entry, *digest, (*groups)?))
            }
            Event::Delivered { .. }
            | Event::Declined { .. }
            | Event::Endorsed { .. }
            | Event::Step { .. }
            | Event::StepDeclined { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Left { .. }
            | Event::Returned {}
            | Event::Spent { .. }
            | Event::Drawn { .. }
            | Event::ModeEnded { .. }
            | Event::Rebaselined { .. } => None,
        });
        let tags = numbers.tags();
        let mut of: BTreeMap<Digest, Vec<PastGroup>> = BTreeMap::new();
        for (digest, group) in all {
            of.entry(digest).or_default().push(group);
        }
        let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
        for (entry, release, expected) in named {
            // The same bytes may have been written twice.
            let Some(groups) = of.remove(&release) else {
                if seen.contains(&release) {
                    continue;
                }
                return Err(broken(entry.seq));
            };
            if spoken::digest(&groups, &tags) != Some(expected) {
                return Err(broken(entry.seq));
            }
            seen.insert(release);
            let protocol = match entry.protocol {
                Some(digest) => self.study_protocol(digest)?,
                None => None,
            };
            told.push(Told {
                seq: entry.seq,
                at: entry.at,
                study: entry.study.clone(),
                round: entry.round.clone(),
                digest: release,
                models: protocol
                    .map(|protocol| spoken::models(&protocol).collect())
                    .unwrap_or_default(),
                groups,
            });
        }
        Ok(Past::new(numbers, told, releases))
    }

    /// A protocol that this node has checked when it came.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn study_protocol(&self, digest: Digest) -> Result<Option<StudyProtocol>, Fault> {
        let bytes = self.protocol(digest)?;
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Document>(&bytes).ok();
        Ok(bytes.and_then(read).map(|document| document.body.protocol))
    }

    /// The groups that these bytes speak about, and with how many releases they were compared;
    /// absent where the policy compares nothing.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub(crate) fn speaks(&self, digest: Digest) -> Result<(Vec<PastGroup>, Option<i64>), Fault> {
        let text = digest.to_string();
        self.read(|sql| {
            let all = groups(sql, "digest = ?1", params![text])?;
            let after = sql
                .query_row(
                    "SELECT after FROM spoken WHERE digest = ?1 LIMIT 1",
                    params![text],
                    |row| row.get(0),
                )
                .optional()?;
            let all = all.into_iter().map(|(_, group)| group).collect();
            Ok((all, after.flatten()))
        })
    }

    /// What staff were shown of bytes that were approved: the bytes and their items, JSON. Absent
    /// for a file that was written without a coordinator.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub(crate) fn shown(&self, digest: Digest) -> Result<Option<(Vec<u8>, String)>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT bytes, items FROM preview WHERE digest = ?1 LIMIT 1",
                params![digest.to_string()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
        })
    }
}

/// What is read of a locked document: this node has checked it when it came.
#[derive(serde::Deserialize)]
struct Document {
    body: LockedProtocol,
}

fn broken(seq: u64) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        format!("what ledger entry {seq} spoke about is not what is kept of it"),
        "groups of patients were altered or removed from the state directory",
        "this node releases nothing until it is explained; restore the state directory from its \
         backup",
    )
}

/// Keeps the groups of bytes that wait for approval, in place of those of an earlier preview.
pub(super) fn keep(
    sql: &Transaction<'_>,
    digest: Digest,
    spoken: &Spoken,
) -> Result<(), WriteFault> {
    forget(sql, digest)?;
    // The same bytes once more speak about nobody else.
    let known = sql
        .prepare("SELECT 1 FROM spoken WHERE digest = ?1")?
        .exists(params![digest.to_string()])?;
    if known {
        return Ok(());
    }
    let numbers = number(sql, spoken)?;
    let people = &spoken.people;
    let fields = people.field.len();
    let mut local: Vec<(u32, usize)> = numbers.iter().copied().zip(0..).collect();
    local.sort_unstable();
    let field = serde_json::to_string(&people.field)
        .map_err(|fault| Fault::internal(format!("a table's fields: {fault}")))?;
    for group in &spoken.groups {
        let members = spoken::members(group, &numbers);
        let mut versions = Vec::new();
        if spoken::is_cohort(&group.name) {
            for member in &members {
                let found = local.binary_search_by_key(member, |(number, _)| *number);
                let patient = found.map_or(0, |at| local[at].1);
                let said = people.version.get(patient * fields..(patient + 1) * fields);
                let said = said.unwrap_or_default().iter();
                versions.extend(said.flat_map(|one| one.to_le_bytes()));
            }
        }
        let members: Vec<u8> = members
            .iter()
            .flat_map(|member| member.to_le_bytes())
            .collect();
        sql.execute(
            "INSERT INTO spoken (digest, name, fields, members, versions, released, after)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
            params![
                digest.to_string(),
                group.name,
                field,
                members,
                versions,
                spoken.after
            ],
        )?;
    }
    Ok(())
}

/// The number of each patient of a table; those of its groups who have none get one.
fn number(sql: &Transaction<'_>, spoken: &Spoken) -> Result<Vec<u32>, WriteFault> {
    let people = &spoken.people;
    let mut named = vec![false; people.tag.len()];
    for patient in spoken.groups.iter().flat_map(|group| group.patient.iter()) {
        named[patient as usize] = true;
    }
    let known = numbers(sql)?.of(people);
    let mut insert = sql.prepare("INSERT INTO patient (tag) VALUES (?1) RETURNING id")?;
    let mut found = Vec::with_capacity(known.len());
    for ((number, tag), named) in known.into_iter().zip(&people.tag).zip(named) {
        found.push(match number {
            Some(number) => number,
            None if named => insert.query_row(params![tag.as_slice()], |row| row.get(0))?,
            // Nobody speaks of this one: no group asks for the number.
            None => u32::MAX,
        });
    }
    Ok(found)
}

/// The numbers of everybody in a table, ascending; who has none gets one.
pub(super) fn number_all(sql: &Transaction<'_>, people: &People) -> Result<Vec<u32>, WriteFault> {
    let known = numbers(sql)?.of(people);
    let mut insert = sql.prepare("INSERT INTO patient (tag) VALUES (?1) RETURNING id")?;
    let mut found = Vec::with_capacity(known.len());
    for (number, tag) in known.into_iter().zip(&people.tag) {
        found.push(match number {
            Some(number) => number,
            None => insert.query_row(params![tag.as_slice()], |row| row.get(0))?,
        });
    }
    found.sort_unstable();
    Ok(found)
}

/// Forgets the groups of bytes that will not leave.
pub(super) fn forget(sql: &Transaction<'_>, digest: Digest) -> Result<(), WriteFault> {
    sql.execute(
        "DELETE FROM spoken WHERE digest = ?1 AND released = 0",
        params![digest.to_string()],
    )?;
    Ok(())
}

/// The bytes may leave: their groups are kept for life. Their digest, if there are any.
///
/// # Errors
/// `FV-POL-009` when other bytes were released since these were compared with the past.
pub(super) fn release(sql: &Transaction<'_>, digest: Digest) -> Result<Option<Digest>, WriteFault> {
    let text = digest.to_string();
    let stale = sql
        .prepare("SELECT 1 FROM spoken WHERE digest = ?1 AND released = 0 AND after <> ?2")?
        .exists(params![text, releases(sql)?])?;
    if stale {
        return Err(Fault::new(
            Code::PreviewStale,
            "another release has left since this one was computed",
            "together they could say more than the policy allows, and they have not been compared",
            "compute it again and look again: fedval-node job retry ROUND",
        )
        .into());
    }
    sql.execute(
        "UPDATE spoken SET released = 1 WHERE digest = ?1",
        params![text],
    )?;
    let all = groups(sql, "digest = ?1", params![text])?;
    if all.is_empty() {
        return Ok(None);
    }
    let all: Vec<PastGroup> = all.into_iter().map(|(_, group)| group).collect();
    let digest = spoken::digest(&all, &numbers(sql)?.tags());
    let lost = || Fault::internal("a patient of a release has no tag");
    Ok(Some(digest.ok_or_else(lost)?))
}

/// Different bytes that may have left.
fn releases(sql: &Connection) -> rusqlite::Result<i64> {
    let count = "SELECT count(DISTINCT digest) FROM spoken WHERE released = 1";
    sql.query_row(count, [], |row| row.get(0))
}

pub(super) fn numbers(sql: &Connection) -> rusqlite::Result<Numbers> {
    let pairs = sql
        .prepare("SELECT tag, id FROM patient ORDER BY tag")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Numbers::new(pairs))
}

fn groups(
    sql: &Connection,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<(Digest, PastGroup)>> {
    let query = format!(
        "SELECT digest, name, fields, members, versions FROM spoken WHERE {condition} ORDER BY id"
    );
    let bad = |index: usize| {
        rusqlite::Error::InvalidColumnType(index, "spoken".into(), rusqlite::types::Type::Blob)
    };
    sql.prepare(&query)?
        .query_map(values, |row| {
            let field: String = row.get(2)?;
            let members: Vec<u8> = row.get(3)?;
            let versions: Vec<u8> = row.get(4)?;
            let (members, _) = members.as_chunks::<4>();
            let (versions, _) = versions.as_chunks::<8>();
            Ok((
                digest_column(row, 0)?,
                PastGroup {
                    name: row.get(1)?,
                    field: serde_json::from_str(&field).map_err(|_| bad(2))?,
                    member: members.iter().map(|one| u32::from_le_bytes(*one)).collect(),
                    version: versions
                        .iter()
                        .map(|one| u64::from_le_bytes(*one))
                        .collect(),
                },
            ))
        })?
        .collect()
}
