//! Sites as the roster knows them: invitations, requests for a certificate, certificates,
//! and when a node was last heard.
//!
//! From: `roster`, `dispatch`.
//! To: the same.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use shared::fault::{Code, Fault};
use shared::identity::{Digest, PublicKey, Serial};
use shared::study::{SiteSlug, SiteState, Timestamp};
use shared::wire::{LedgerHead, Refusal};

use super::audit::{AuditEntry, append};
use super::{Store, broken, checkpoint, maybe_moment, moment, parsed, unreadable};

/// A request that is under way on a connection when its certificate is superseded must not
/// suspend the site; seconds.
const SUPERSEDED_GRACE_S: i64 = 60;

/// A site's enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// An invitation was made.
    Invited,
    /// The node asked for a certificate; people compare words.
    Joined,
    /// A certificate was issued.
    Approved,
    /// A superseded certificate was used again: two holders of one identity, or a stolen key.
    Suspended,
    /// The site's certificates were withdrawn.
    Revoked,
}

impl Standing {
    const ALL: &'static [Self] = &[
        Self::Invited,
        Self::Joined,
        Self::Approved,
        Self::Suspended,
        Self::Revoked,
    ];

    /// The word in storage and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Joined => "joined",
            Self::Approved => "approved",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    /// The state shown for the site when no round says more.
    pub fn state(self) -> SiteState {
        match self {
            Self::Invited => SiteState::Invited,
            Self::Joined => SiteState::Joined,
            Self::Approved => SiteState::Approved,
            Self::Suspended | Self::Revoked => SiteState::Revoked,
        }
    }
}

impl std::str::FromStr for Standing {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let found = Self::ALL.iter().find(|standing| standing.as_str() == text);
        found.copied().ok_or(())
    }
}

/// One site.
#[derive(Clone, Debug)]
pub struct SiteRow {
    /// The site.
    pub site: SiteSlug,
    /// Its enrolment.
    pub standing: Standing,
    /// Whom to call, as the coordinator wrote it down.
    pub contact: Option<String>,
    /// When its enrolment last changed.
    pub changed_at: Timestamp,
}

/// A request for a certificate.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Digest of the invitation's secret.
    pub secret: Digest,
    /// The certificate signing request, DER.
    pub csr: Vec<u8>,
    /// The words of its key.
    pub words: String,
    /// Where it came from.
    pub remote: String,
    /// When.
    pub requested_at: Timestamp,
}

/// What an invitation's secret opens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Enrolled {
    /// The secret is unknown, expired, used for another key, or for another site.
    Invalid,
    /// The request is stored.
    Pending,
    /// The certificate, DER.
    Issued(Vec<u8>),
}

/// One certificate of a site.
#[derive(Clone, Debug)]
pub struct CertificateRow {
    /// Its serial.
    pub serial: Serial,
    /// The site.
    pub site: SiteSlug,
    /// The certified key.
    pub public_key: PublicKey,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// When a newer one took its place.
    pub superseded_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
}

/// When a node was last heard and what it said.
#[derive(Clone, Debug)]
pub struct Presence {
    /// When.
    pub heard_at: Timestamp,
    /// The state it told.
    pub state: SiteState,
    /// Its software version.
    pub software: String,
}

fn site_row(row: &Row<'_>) -> rusqlite::Result<SiteRow> {
    Ok(SiteRow {
        site: parsed(row, "slug")?,
        standing: parsed(row, "standing")?,
        contact: row.get("contact")?,
        changed_at: moment(row, "changed_at")?,
    })
}

fn enrolment_row(row: &Row<'_>) -> rusqlite::Result<Enrolment> {
    Ok(Enrolment {
        secret: parsed(row, "secret")?,
        csr: row.get("csr")?,
        words: row.get("words")?,
        remote: row.get("remote")?,
        requested_at: moment(row, "requested_at")?,
    })
}

fn certificate_row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        serial: parsed(row, "serial")?,
        site: parsed(row, "site")?,
        public_key: parsed(row, "public_key")?,
        der: row.get("der")?,
        issued_at: moment(row, "issued_at")?,
        not_after: moment(row, "not_after")?,
        superseded_at: maybe_moment(row, "superseded_at")?,
        revoked_at: maybe_moment(row, "revoked_at")?,
    })
}

fn find(connection: &Connection, site: &SiteSlug) -> rusqlite::Result<Option<SiteRow>> {
    connection
        .prepare_cached("SELECT * FROM site WHERE slug = ?1")?
        .query_row([site.as_str()], site_row)
        .optional()
}

fn set_standing(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    standing: Standing,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE site SET standing = ?2, changed_at = ?3 WHERE slug = ?1",
            params![site.as_str(), standing.as_str(), now.unix()],
        )
        .map(|_| ())
}

fn insert_certificate(transaction: &Transaction<'_>, row: &CertificateRow) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO certificate (serial, site, public_key, der, issued_at, not_after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                row.serial.to_string(),
                row.site.as_str(),
                row.public_key.to_string(),
                row.der,
                row.issued_at.unix(),
                row.not_after.unix()
            ],
        )
        .map(|_| ())
}

impl Store {
    /// Every site, by name.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn sites(&self) -> Result<Vec<SiteRow>, Fault> {
        self.read(|connection| {
            connection
                .prepare("SELECT * FROM site ORDER BY slug")?
                .query_map([], site_row)?
                .collect()
        })
    }

    /// One site.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn site(&self, site: &SiteSlug) -> Result<Option<SiteRow>, Fault> {
        self.read(|connection| find(connection, site))
    }

    /// Stores an invitation; earlier unused ones of the site end. An approved site is left as it
    /// is and refused.
    ///
    /// # Errors
    /// [`Fault`] when the site already has a certificate, or the database fails.
    pub fn add_invitation(
        &self,
        site: &SiteSlug,
        contact: Option<&str>,
        secret: &Digest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Fault> {
        self.change(|transaction| {
            let known = find(transaction, site).map_err(|error| broken(&error))?;
            if known.is_some_and(|row| row.standing == Standing::Approved) {
                return Err(Fault::new(
                    Code::AlreadyJoined,
                    format!("{site} already has a certificate"),
                    "an invitation would let a second machine take its place",
                    format!("if the node lost its key: fedval site revoke {site}, then invite again"),
                ));
            }
            transaction
                .execute(
                    "INSERT INTO site (slug, standing, contact, created_at, changed_at)
                     VALUES (?1, 'invited', ?2, ?3, ?3)
                     ON CONFLICT (slug) DO UPDATE SET standing = 'invited',
                     contact = coalesce(excluded.contact, contact), changed_at = excluded.changed_at",
                    params![site.as_str(), contact, now.unix()],
                )
                .and_then(|_| {
                    transaction.execute(
                        "UPDATE invitation SET expires_at = min(expires_at, ?2)
                         WHERE site = ?1 AND used_at IS NULL",
                        params![site.as_str(), now.unix()],
                    )
                })
                .and_then(|_| {
                    transaction.execute(
                        "INSERT INTO invitation (secret, site, created_at, expires_at)
                         VALUES (?1, ?2, ?3, ?4)",
                        params![secret.to_string(), site.as_str(), now.unix(), expires_at.unix()],
                    )
                })
                .map_err(|error| broken(&error))?;
            append(transaction, &AuditEntry::new(now, "site invited").site(site))
        })
    }

    /// Uses an invitation once: stores the request. The same request again is answered the same.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn enrol(
        &self,
        site: &SiteSlug,
        enrolment: &Enrolment,
        now: Timestamp,
    ) -> Result<Enrolled, Fault> {
        self.change(|transaction| {
            let secret = enrolment.secret.to_string();
            let invitation: Option<(i64, Option<i64>)> = transaction
                .query_row(
                    "SELECT expires_at, used_at FROM invitation WHERE secret = ?1 AND site = ?2",
                    [secret.as_str(), site.as_str()],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
                .map_err(|error| broken(&error))?;
            match invitation {
                None => Ok(Enrolled::Invalid),
                Some((_, Some(_))) => {
                    answer_again(transaction, site, &secret, Some(&enrolment.csr))
                }
                Some((expires_at, None)) if expires_at <= now.unix() => Ok(Enrolled::Invalid),
                Some((_, None)) => {
                    first_use(transaction, site, enrolment, now)?;
                    Ok(Enrolled::Pending)
                }
            }
        })
    }

    /// What became of a request.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn collect(&self, site: &SiteSlug, secret: &Digest) -> Result<Enrolled, Fault> {
        self.change(|transaction| answer_again(transaction, site, &secret.to_string(), None))
    }

    /// The newest request of a site that has no certificate yet.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn pending_enrolment(&self, site: &SiteSlug) -> Result<Option<Enrolment>, Fault> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT * FROM enrolment WHERE site = ?1 AND serial IS NULL
                     ORDER BY requested_at DESC, secret LIMIT 1",
                    [site.as_str()],
                    enrolment_row,
                )
                .optional()
        })
    }

    /// Stores the certificate of an approved request.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn approve(
        &self,
        secret: &Digest,
        certificate: &CertificateRow,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.change(|transaction| {
            insert_certificate(transaction, certificate)
                .and_then(|()| {
                    transaction.execute(
                        "UPDATE enrolment SET serial = ?2 WHERE secret = ?1",
                        [secret.to_string(), certificate.serial.to_string()],
                    )
                })
                .and_then(|_| set_standing(transaction, &certificate.site, Standing::Approved, now))
                .map_err(|error| broken(&error))?;
            let entry = AuditEntry::new(now, "site approved")
                .site(&certificate.site)
                .object(&certificate.serial);
            append(transaction, &entry)
        })
    }

    /// Stores a renewed certificate; the old one stays valid until the new one is used.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn add_renewal(&self, certificate: &CertificateRow, now: Timestamp) -> Result<(), Fault> {
        self.change(|transaction| {
            insert_certificate(transaction, certificate).map_err(|error| broken(&error))?;
            let entry = AuditEntry::new(now, "certificate renewed")
                .site(&certificate.site)
                .object(&certificate.serial);
            append(transaction, &entry)
        })
    }

    /// Every certificate of a site, oldest first.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn certificates(&self, site: &SiteSlug) -> Result<Vec<CertificateRow>, Fault> {
        self.read(|connection| {
            connection
                .prepare("SELECT * FROM certificate WHERE site = ?1 ORDER BY issued_at, serial")?
                .query_map([site.as_str()], certificate_row)?
                .collect()
        })
    }

    /// Whether a certificate may be used now. Use of a superseded one suspends the site.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn admit(
        &self,
        site: &SiteSlug,
        serial: &Serial,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Fault> {
        let found = self.read(|connection| {
            let certificate = connection
                .prepare_cached("SELECT * FROM certificate WHERE serial = ?1 AND site = ?2")?
                .query_row([serial.to_string(), site.to_string()], certificate_row)
                .optional()?;
            Ok((find(connection, site)?, certificate))
        })?;
        let (Some(row), Some(certificate)) = found else {
            return Ok(Err(Refusal::CertificateInvalid));
        };
        if row.standing != Standing::Approved || certificate.revoked_at.is_some() {
            return Ok(Err(Refusal::CertificateInvalid));
        }
        match certificate.superseded_at {
            None => Ok(Ok(())),
            Some(at) if now < at.plus_seconds(SUPERSEDED_GRACE_S) => {
                Ok(Err(Refusal::CertificateInvalid))
            }
            Some(_) => {
                self.withdraw(site, Standing::Suspended, now)?;
                Ok(Err(Refusal::CertificateInvalid))
            }
        }
    }

    /// Notes that a certificate is in use: every other one of the site is superseded. Returns
    /// the serials that this ended.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn certificate_used(
        &self,
        site: &SiteSlug,
        serial: &Serial,
        now: Timestamp,
    ) -> Result<Vec<Serial>, Fault> {
        let text = serial.to_string();
        self.change(|transaction| {
            let first = transaction
                .execute(
                    "UPDATE certificate SET first_used_at = ?2
                     WHERE serial = ?1 AND first_used_at IS NULL",
                    params![text, now.unix()],
                )
                .map_err(|error| broken(&error))?;
            if first == 0 {
                return Ok(Vec::new());
            }
            let ended: Vec<Serial> = transaction
                .prepare(
                    "UPDATE certificate SET superseded_at = ?3
                     WHERE site = ?1 AND serial <> ?2 AND superseded_at IS NULL
                     AND revoked_at IS NULL RETURNING serial",
                )
                .and_then(|mut statement| {
                    statement
                        .query_map(params![site.as_str(), text, now.unix()], |row| {
                            parsed(row, "serial")
                        })?
                        .collect()
                })
                .map_err(|error| broken(&error))?;
            for serial in &ended {
                let entry = AuditEntry::new(now, "certificate superseded");
                append(transaction, &entry.site(site).object(serial))?;
            }
            Ok(ended)
        })
    }

    /// Withdraws every certificate of a site.
    ///
    /// # Errors
    /// [`Fault`] when there is no such site or the database fails.
    pub fn withdraw(
        &self,
        site: &SiteSlug,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.change(|transaction| {
            set_standing(transaction, site, standing, now)
                .and_then(|()| {
                    transaction.execute(
                        "UPDATE certificate SET revoked_at = ?2
                         WHERE site = ?1 AND revoked_at IS NULL",
                        params![site.as_str(), now.unix()],
                    )
                })
                .and_then(|_| {
                    transaction.execute(
                        "UPDATE invitation SET expires_at = min(expires_at, ?2) WHERE site = ?1",
                        params![site.as_str(), now.unix()],
                    )
                })
                .map_err(|error| broken(&error))?;
            let what = format!("site {}", standing.as_str());
            append(transaction, &AuditEntry::new(now, &what).site(site))
        })
    }

    /// Notes that a node was heard.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn heard(
        &self,
        site: &SiteSlug,
        state: SiteState,
        software: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO presence (site, heard_at, state, software)
                     VALUES (?1, ?2, ?3, coalesce(?4, ''))
                     ON CONFLICT (site) DO UPDATE SET heard_at = excluded.heard_at,
                     state = excluded.state, software = coalesce(?4, software)",
                )?
                .execute(params![site.as_str(), now.unix(), state.as_str(), software])
                .map(|_| ())
        })
    }

    /// When a node was last heard.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn presence(&self, site: &SiteSlug) -> Result<Option<Presence>, Fault> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT * FROM presence WHERE site = ?1")?
                .query_row([site.as_str()], |row| {
                    let state: String = row.get("state")?;
                    Ok(Presence {
                        heard_at: moment(row, "heard_at")?,
                        state: SiteState::parse(&state).ok_or_else(|| unreadable("state"))?,
                        software: row.get("software")?,
                    })
                })
                .optional()
        })
    }

    /// The site's ledger as of the last receipt; empty before the first.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn ledger_head(&self, site: &SiteSlug) -> Result<LedgerHead, Fault> {
        self.read(|connection| ledger_head(connection, site))
    }

    /// Forgets the site's ledger head and no longer holds it to its checkpoints, so that a node that lost its ledger may go on. A person
    /// decides this; the trail keeps it.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn rebaseline(&self, site: &SiteSlug, reason: &str, now: Timestamp) -> Result<(), Fault> {
        self.change(|transaction| {
            transaction
                .execute("DELETE FROM ledger WHERE site = ?1", [site.as_str()])
                .map_err(|error| broken(&error))?;
            checkpoint::give_up(transaction, site, now)?;
            let entry = AuditEntry::new(now, "ledger re-baselined");
            append(transaction, &entry.site(site).object(&reason))
        })
    }
}

/// The head as stored, or that of an empty ledger.
pub(super) fn ledger_head(
    connection: &Connection,
    site: &SiteSlug,
) -> rusqlite::Result<LedgerHead> {
    let stored = connection
        .prepare_cached("SELECT entries, hash FROM ledger WHERE site = ?1")?
        .query_row([site.as_str()], |row| {
            Ok(LedgerHead {
                entries: u64::try_from(row.get::<_, i64>("entries")?).unwrap_or(0),
                hash: parsed(row, "hash")?,
            })
        })
        .optional()?;
    Ok(stored.unwrap_or_else(|| LedgerHead {
        entries: 0,
        hash: Digest::of(b""),
    }))
}

/// Request, certificate, and when it was revoked.
type Answered = (Vec<u8>, Option<Vec<u8>>, Option<i64>);

/// The answer to a secret that was used before; with `csr`, only for the same request.
fn answer_again(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    secret: &str,
    csr: Option<&[u8]>,
) -> Result<Enrolled, Fault> {
    let found: Option<Answered> = transaction
        .query_row(
            "SELECT enrolment.csr, certificate.der, certificate.revoked_at FROM enrolment
             LEFT JOIN certificate ON certificate.serial = enrolment.serial
             WHERE enrolment.secret = ?1 AND enrolment.site = ?2",
            [secret, site.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(|error| broken(&error))?;
    Ok(match found {
        None | Some((_, _, Some(_))) => Enrolled::Invalid,
        Some((stored, _, None)) if csr.is_some_and(|csr| csr != stored) => Enrolled::Invalid,
        Some((_, None, None)) => Enrolled::Pending,
        Some((_, Some(der), None)) => Enrolled::Issued(der),
    })
}

fn first_use(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    enrolment: &Enrolment,
    now: Timestamp,
) -> Result<(), Fault> {
    let secret = enrolment.secret.to_string();
    transaction
        .execute(
            "UPDATE invitation SET used_at = ?2 WHERE secret = ?1",
            params![secret, now.unix()],
        )
        .and_then(|_| {
            transaction.execute(
                "INSERT INTO enrolment (secret, site, csr, words, remote, requested_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    secret,
                    site.as_str(),
                    enrolment.csr,
                    enrolment.words,
                    enrolment.remote,
                    now.unix()
                ],
            )
        })
        .and_then(|_| set_standing(transaction, site, Standing::Joined, now))
        .map_err(|error| broken(&error))?;
    let entry = AuditEntry::new(now, "certificate requested");
    append(transaction, &entry.site(site).object(&enrolment.remote))
}
