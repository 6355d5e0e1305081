//! Protocols, rounds and jobs.
//!
//! From: `round`, `dispatch`.
//! To: the same.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::{RoundId, SiteSlug, SiteState, StudySlug, Timestamp};
use shared::wire::{JobOffer, Refusal};

use super::audit::{AuditEntry, append};
use super::{Store, broken, corrupt, inbox, maybe_moment, moment, parsed, unreadable};
use crate::round::{RoundEvent, RoundState};
use crate::waypoint;

/// A round to be launched, complete.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The round.
    pub round: RoundId,
    /// The study.
    pub study: StudySlug,
    /// Version of its protocol.
    pub version: String,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// The locked protocol.
    pub protocol_bytes: Vec<u8>,
    /// Every invited site of the protocol, asked or not: these may fetch it.
    pub sites: Vec<SiteSlug>,
    /// One job per asked site.
    pub jobs: Vec<NewJob>,
    /// Invited sites that are not asked, by the coordinator's decision.
    pub left_out: Vec<SiteSlug>,
    /// When.
    pub launched_at: Timestamp,
    /// When the jobs expire.
    pub expires_at: Timestamp,
}

/// One signed job.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The site.
    pub site: SiteSlug,
    /// Digest of `bytes`.
    pub digest: Digest,
    /// The signed job.
    pub bytes: Vec<u8>,
}

/// One round.
#[derive(Clone, Debug)]
pub struct RoundRow {
    /// The round.
    pub id: RoundId,
    /// The study.
    pub study: StudySlug,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// Where it stands.
    pub state: RoundState,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When its jobs expire.
    pub expires_at: Timestamp,
}

/// One site's part of a round.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// The job.
    pub digest: Digest,
    /// The round.
    pub round: RoundId,
    /// The site.
    pub site: SiteSlug,
    /// Where the site stands.
    pub state: SiteState,
    /// Why nothing is released, once that is so.
    pub refusal: Option<Refusal>,
    /// When the node was first told.
    pub offered_at: Option<Timestamp>,
    /// When the state last changed.
    pub changed_at: Timestamp,
}

fn round_row(row: &Row<'_>) -> rusqlite::Result<RoundRow> {
    let state: String = row.get("state")?;
    Ok(RoundRow {
        id: parsed(row, "id")?,
        study: parsed(row, "study")?,
        protocol: parsed(row, "protocol")?,
        state: serde_json::from_str(&state).map_err(|_| unreadable("state"))?,
        launched_at: moment(row, "launched_at")?,
        expires_at: moment(row, "expires_at")?,
    })
}

pub(super) fn job_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    let state: String = row.get("state")?;
    let refusal: Option<String> = row.get("refusal")?;
    Ok(JobRow {
        digest: parsed(row, "digest")?,
        round: parsed(row, "round")?,
        site: parsed(row, "site")?,
        state: SiteState::parse(&state).ok_or_else(|| unreadable("state"))?,
        refusal: refusal.and_then(|text| Refusal::parse(&text)),
        offered_at: maybe_moment(row, "offered_at")?,
        changed_at: moment(row, "changed_at")?,
    })
}

pub(super) fn find_round(
    connection: &Connection,
    id: &RoundId,
) -> rusqlite::Result<Option<RoundRow>> {
    connection
        .prepare_cached("SELECT * FROM round WHERE id = ?1")?
        .query_row([id.as_str()], round_row)
        .optional()
}

pub(super) fn find_job(connection: &Connection, job: &Digest) -> rusqlite::Result<Option<JobRow>> {
    connection
        .prepare_cached("SELECT * FROM job WHERE digest = ?1")?
        .query_row([job.to_string()], job_row)
        .optional()
}

pub(super) fn set_job(
    transaction: &Transaction<'_>,
    job: &Digest,
    state: SiteState,
    refusal: Option<Refusal>,
    now: Timestamp,
) -> Result<(), Fault> {
    transaction
        .execute(
            "UPDATE job SET state = ?2, refusal = ?3, changed_at = ?4 WHERE digest = ?1",
            params![
                job.to_string(),
                state.as_str(),
                refusal.map(Refusal::as_str),
                now.unix()
            ],
        )
        .map(|_| ())
        .map_err(|error| broken(&error))
}

/// Moves a round by one event inside a transaction.
pub(super) fn advance(
    transaction: &Transaction<'_>,
    id: &RoundId,
    event: &RoundEvent,
) -> Result<RoundState, Fault> {
    let row = find_round(transaction, id).map_err(|error| broken(&error))?;
    let Some(row) = row else {
        return Err(unknown_round(id));
    };
    let next = row.state.clone().step(event).map_err(|wrong| {
        Fault::new(
            Code::RoundState,
            format!("round {id} is {}", row.state.as_str()),
            wrong.to_string(),
            format!("see: fedval round status {id}"),
        )
    })?;
    if next != row.state {
        let text = serde_json::to_string(&next).map_err(|_| corrupt("round state"))?;
        transaction
            .execute(
                "UPDATE round SET state = ?2 WHERE id = ?1",
                [id.as_str(), &text],
            )
            .map_err(|error| broken(&error))?;
    }
    Ok(next)
}

/// The fault for a round nobody launched.
pub(crate) fn unknown_round(id: &RoundId) -> Fault {
    Fault::new(
        Code::UnknownRound,
        format!("there is no round \"{id}\""),
        "nothing was launched under this name here",
        "list the rounds with: fedval round list",
    )
}

impl Store {
    /// Stores a round with its protocol and jobs at once. The same round of the same protocol
    /// again changes nothing and is answered with the stored row.
    ///
    /// # Errors
    /// [`Fault`] when the round exists for another protocol, or the database fails.
    pub fn launch(&self, launch: &Launch) -> Result<RoundRow, Fault> {
        self.change(|transaction| {
            let known = find_round(transaction, &launch.round).map_err(|error| broken(&error))?;
            match known {
                Some(row) if row.protocol == launch.protocol => return Ok(row),
                Some(_) => {
                    return Err(Fault::new(
                        Code::RoundState,
                        format!("round {} exists for another protocol", launch.round),
                        "a round belongs to one locked protocol",
                        "name another round with --round",
                    ));
                }
                None => {}
            }
            insert_protocol(transaction, launch).map_err(|error| broken(&error))?;
            let row = insert_round(transaction, launch)?;
            insert_jobs(transaction, launch).map_err(|error| broken(&error))?;
            waypoint::pass("coordinator.launch.inside");
            let entry = AuditEntry::new(launch.launched_at, "round launched");
            append(
                transaction,
                &entry.round(&launch.round).object(&launch.protocol),
            )?;
            Ok(row)
        })
    }

    /// One round.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn round(&self, id: &RoundId) -> Result<Option<RoundRow>, Fault> {
        self.read(|connection| find_round(connection, id))
    }

    /// Every round, newest first.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn rounds(&self) -> Result<Vec<RoundRow>, Fault> {
        self.read(|connection| {
            connection
                .prepare("SELECT * FROM round ORDER BY launched_at DESC, id")?
                .query_map([], round_row)?
                .collect()
        })
    }

    /// Moves a round by one event.
    ///
    /// # Errors
    /// [`Fault`] when the round is unknown or its state does not allow the event.
    pub fn advance(
        &self,
        id: &RoundId,
        event: &RoundEvent,
        now: Timestamp,
    ) -> Result<RoundState, Fault> {
        self.change(|transaction| {
            let state = advance(transaction, id, event)?;
            let what = format!("round {}", state.as_str());
            append(transaction, &AuditEntry::new(now, &what).round(id))?;
            Ok(state)
        })
    }

    /// Jobs of a round, by site.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn jobs(&self, round: &RoundId) -> Result<Vec<JobRow>, Fault> {
        self.read(|connection| {
            connection
                .prepare("SELECT * FROM job WHERE round = ?1 ORDER BY site")?
                .query_map([round.as_str()], job_row)?
                .collect()
        })
    }

    /// One job.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn job(&self, job: &Digest) -> Result<Option<JobRow>, Fault> {
        self.read(|connection| find_job(connection, job))
    }

    /// Sites of a round that are not asked, by name.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn left_out(&self, round: &RoundId) -> Result<Vec<SiteSlug>, Fault> {
        self.read(|connection| {
            connection
                .prepare("SELECT site FROM left_out WHERE round = ?1 ORDER BY site")?
                .query_map([round.as_str()], |row| parsed(row, "site"))?
                .collect()
        })
    }

    /// Jobs that wait for `site` and that it does not hold yet, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn offers(
        &self,
        site: &SiteSlug,
        known: &[Digest],
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<JobOffer>, Fault> {
        let open: Vec<(Digest, RoundId, Vec<u8>, bool)> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT job.digest, job.round, job.bytes, job.offered_at FROM job
                     JOIN round ON round.id = job.round
                     WHERE job.site = ?1 AND round.expires_at > ?2
                     AND job.state NOT IN ('delivered', 'rejected-by-site', 'revoked')
                     AND json_extract(round.state, '$.state') IN ('open', 'collecting')
                     ORDER BY round.launched_at, job.digest",
                )?
                .query_map(params![site.as_str(), now.unix()], |row| {
                    Ok((
                        parsed(row, "digest")?,
                        parsed(row, "round")?,
                        row.get("bytes")?,
                        row.get::<_, Option<i64>>("offered_at")?.is_some(),
                    ))
                })?
                .collect()
        })?;
        let chosen: Vec<_> = open
            .into_iter()
            .filter(|(job, ..)| !known.contains(job))
            .take(limit)
            .collect();
        if chosen.iter().any(|(_, _, _, told)| !told) {
            self.change(|transaction| {
                for (job, round, _, told) in &chosen {
                    if !told {
                        mark_offered(transaction, job, round, now)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(chosen
            .into_iter()
            .map(|(job, _, document, _)| JobOffer { job, document })
            .collect())
    }

    /// A locked protocol's bytes.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn protocol(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT bytes FROM protocol WHERE digest = ?1",
                    [digest.to_string()],
                    |row| row.get(0),
                )
                .optional()
        })
    }

    /// Whether `site` is on the site list of this protocol.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn takes_part(&self, digest: &Digest, site: &SiteSlug) -> Result<bool, Fault> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM protocol_site WHERE protocol = ?1 AND site = ?2")?
                .exists([digest.to_string(), site.to_string()])
        })
    }

    /// Notes where a node says its job stands. What is over stays over.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn progress(
        &self,
        site: &SiteSlug,
        job: &Digest,
        state: SiteState,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Fault> {
        self.change(|transaction| {
            let row = match own_job(transaction, site, job)? {
                Ok(row) => row,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if row.state.is_terminal() || row.state == state {
                return Ok(Ok(()));
            }
            if advance(transaction, &row.round, &RoundEvent::Hear).is_err() {
                return Ok(Err(Refusal::RoundClosed));
            }
            set_job(transaction, job, state, None, now)?;
            Ok(Ok(()))
        })
    }

    /// Notes that nothing will be released for a job.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn decline(
        &self,
        site: &SiteSlug,
        job: &Digest,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Fault> {
        self.change(|transaction| {
            let row = match own_job(transaction, site, job)? {
                Ok(row) => row,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if row.state == SiteState::RejectedBySite {
                return Ok(Ok(()));
            }
            let delivered = row.state == SiteState::Delivered;
            if delivered && refusal != Refusal::Withdrawn {
                return Ok(Err(Refusal::Conflict));
            }
            if advance(transaction, &row.round, &RoundEvent::Hear).is_err() {
                if delivered {
                    let entry = AuditEntry::new(now, "withdrawal after the close").site(site);
                    append(transaction, &entry.round(&row.round))?;
                }
                return Ok(Err(Refusal::RoundClosed));
            }
            set_job(
                transaction,
                job,
                SiteState::RejectedBySite,
                Some(refusal),
                now,
            )?;
            let action = if delivered {
                inbox::take_back((transaction, &self.vault), job, &row.round, now)?;
                "release withdrawn"
            } else {
                "job declined"
            };
            let entry = AuditEntry::new(now, action).site(site);
            append(
                transaction,
                &entry.round(&row.round).object(&refusal.as_str()),
            )?;
            Ok(Ok(()))
        })
    }
}

/// The job, if it is one of `site`.
pub(super) fn own_job(
    connection: &Connection,
    site: &SiteSlug,
    job: &Digest,
) -> Result<Result<JobRow, Refusal>, Fault> {
    let row = find_job(connection, job).map_err(|error| broken(&error))?;
    Ok(match row {
        None => Err(Refusal::NotAllowed),
        Some(row) if row.site != *site => Err(Refusal::WrongSite),
        Some(row) => Ok(row),
    })
}

fn mark_offered(
    transaction: &Transaction<'_>,
    job: &Digest,
    round: &RoundId,
    now: Timestamp,
) -> Result<(), Fault> {
    transaction
        .execute(
            "UPDATE job SET offered_at = coalesce(offered_at, ?2) WHERE digest = ?1",
            params![job.to_string(), now.unix()],
        )
        .map_err(|error| broken(&error))?;
    // A round that closed a moment ago stays closed; the node learns it when it delivers.
    match advance(transaction, round, &RoundEvent::Hear) {
        Ok(_) => Ok(()),
        Err(fault) if fault.code == Code::RoundState => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn insert_protocol(transaction: &Transaction<'_>, launch: &Launch) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO protocol (digest, study, version, bytes, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (digest) DO NOTHING",
        params![
            launch.protocol.to_string(),
            launch.study.as_str(),
            launch.version,
            launch.protocol_bytes,
            launch.launched_at.unix()
        ],
    )?;
    for site in &launch.sites {
        transaction.execute(
            "INSERT INTO protocol_site (protocol, site) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            [launch.protocol.to_string(), site.to_string()],
        )?;
    }
    Ok(())
}

fn insert_round(transaction: &Transaction<'_>, launch: &Launch) -> Result<RoundRow, Fault> {
    let state = RoundState::Open {
        launched_at: launch.launched_at,
    };
    let text = serde_json::to_string(&state).map_err(|_| corrupt("round state"))?;
    transaction
        .execute(
            "INSERT INTO round (id, study, protocol, state, launched_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                launch.round.as_str(),
                launch.study.as_str(),
                launch.protocol.to_string(),
                text,
                launch.launched_at.unix(),
                launch.expires_at.unix()
            ],
        )
        .map_err(|error| broken(&error))?;
    Ok(RoundRow {
        id: launch.round.clone(),
        study: launch.study.clone(),
        protocol: launch.protocol,
        state,
        launched_at: launch.launched_at,
        expires_at: launch.expires_at,
    })
}

fn insert_jobs(transaction: &Transaction<'_>, launch: &Launch) -> rusqlite::Result<()> {
    for job in &launch.jobs {
        transaction.execute(
            "INSERT INTO job (digest, round, site, bytes, state, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                job.digest.to_string(),
                launch.round.as_str(),
                job.site.as_str(),
                job.bytes,
                SiteState::JobOffered.as_str(),
                launch.launched_at.unix()
            ],
        )?;
    }
    for site in &launch.left_out {
        transaction.execute(
            "INSERT INTO left_out (round, site) VALUES (?1, ?2)",
            [launch.round.as_str(), site.as_str()],
        )?;
    }
    Ok(())
}
