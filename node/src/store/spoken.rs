//! Groups of patients that releases speak about, beside the bytes they belong to.
//!
//! From: `change` (previews and approvals), `measure`.
//! To: `spoken::Past`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, params};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::lock::LockedProtocol;

use super::{Store, WriteFault, digest_column};
use crate::cohort::Tag;
use crate::ledger::Event;
use crate::spoken::{self, Past, Spoken, SpokenGroup, Told};

impl Store {
    /// Everything that releases which may have left spoke about, as the ledger says it.
    ///
    /// # Errors
    /// `FV-LEDGER-001` when a release's groups are not those that its ledger entry names;
    /// `FV-INT-001`.
    pub fn past(&self) -> Result<Past, Fault> {
        let entries = self.entries()?;
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
            | Event::Resumed { .. } => None,
        });
        let (all, releases) = self.read(|sql| {
            let known = tags(sql)?;
            let all = groups(sql, &known, "released = 1", params![])?;
            Ok((all, releases(sql)?))
        })?;
        let mut seen = BTreeSet::new();
        let mut of: BTreeMap<Digest, Vec<SpokenGroup>> = BTreeMap::new();
        for (digest, group) in all {
            of.entry(digest).or_default().push(group);
        }
        let mut told = Vec::new();
        for (entry, release, expected) in named {
            // The same bytes may have been written twice.
            let Some(groups) = of.remove(&release) else {
                if seen.contains(&release) {
                    continue;
                }
                return Err(broken(entry.seq));
            };
            if spoken::digest(&groups) != expected {
                return Err(broken(entry.seq));
            }
            seen.insert(release);
            let protocol = match entry.protocol {
                Some(digest) => self.protocol(digest)?,
                None => None,
            };
            let protocol: Option<Document> =
                protocol.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            told.push(Told {
                at: entry.at,
                models: protocol
                    .map(|document| spoken::models(&document.body.protocol).collect())
                    .unwrap_or_default(),
                groups,
            });
        }
        Ok(Past::new(told, releases))
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
    for group in spoken.groups.iter().filter(|_| !known) {
        let mut members = Vec::with_capacity(4 * group.tag.len());
        for tag in &group.tag {
            sql.prepare_cached("INSERT OR IGNORE INTO patient (tag) VALUES (?1)")?
                .execute(params![tag.as_slice()])?;
            let id: u32 = sql
                .prepare_cached("SELECT id FROM patient WHERE tag = ?1")?
                .query_row(params![tag.as_slice()], |row| row.get(0))?;
            members.extend(id.to_le_bytes());
        }
        let versions: Vec<u8> = group
            .version
            .iter()
            .flat_map(|one| one.to_le_bytes())
            .collect();
        sql.execute(
            "INSERT INTO spoken (digest, name, shape, members, versions, released, after)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
            params![
                digest.to_string(),
                group.name,
                group.shape.map(|shape| shape.to_string()),
                members,
                versions,
                spoken.after
            ],
        )?;
    }
    Ok(())
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
    let known = tags(sql)?;
    let all = groups(sql, &known, "digest = ?1", params![text])?;
    let all: Vec<SpokenGroup> = all.into_iter().map(|(_, group)| group).collect();
    Ok((!all.is_empty()).then(|| spoken::digest(&all)))
}

/// Different bytes that may have left.
fn releases(sql: &Connection) -> rusqlite::Result<i64> {
    let count = "SELECT count(DISTINCT digest) FROM spoken WHERE released = 1";
    sql.query_row(count, [], |row| row.get(0))
}

fn tags(sql: &Connection) -> rusqlite::Result<BTreeMap<u32, Tag>> {
    sql.prepare("SELECT id, tag FROM patient")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn groups(
    sql: &Connection,
    known: &BTreeMap<u32, Tag>,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<(Digest, SpokenGroup)>> {
    let query = format!(
        "SELECT digest, name, shape, members, versions FROM spoken WHERE {condition} ORDER BY id"
    );
    let bad = |index: usize| {
        rusqlite::Error::InvalidColumnType(index, "spoken".into(), rusqlite::types::Type::Blob)
    };
    sql.prepare(&query)?
        .query_map(values, |row| {
            let shape: Option<String> = row.get(2)?;
            let members: Vec<u8> = row.get(3)?;
            let versions: Vec<u8> = row.get(4)?;
            let (ids, _) = members.as_chunks::<4>();
            let (versions, _) = versions.as_chunks::<8>();
            // A patient who is not known any more was removed by hand: nothing can be compared.
            let tag = ids
                .iter()
                .map(|id| known.get(&u32::from_le_bytes(*id)).copied());
            Ok((
                digest_column(row, 0)?,
                SpokenGroup {
                    name: row.get(1)?,
                    tag: tag.collect::<Option<_>>().ok_or_else(|| bad(3))?,
                    version: versions
                        .iter()
                        .map(|one| u64::from_le_bytes(*one))
                        .collect(),
                    shape: shape
                        .map(|text| text.parse())
                        .transpose()
                        .map_err(|_| bad(2))?,
                },
            ))
        })?
        .collect()
}
