//! Masked sums at the site: what was added, kept for audit until its day has come, and whose sums
//! this site has let be opened, kept for life.
//!
//! From: `masked`.
//! To: the same, after any restart.

use rusqlite::{OptionalExtension, params};
use shared::disclosure::ReleasedBytes;
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::{SiteSlug, Timestamp};

use super::{StepKey, Store, digest_column};
use crate::ledger::Masked;

/// What this site adds to one sum.
pub struct KeptPart {
    /// The one secret that all keys of the exchange follow from.
    pub secret: [u8; 32],
    /// The plain numbers, 8 bytes each.
    pub vector: Vec<u8>,
    /// The commitment to the table that they were counted on.
    pub dataset: Digest,
}

impl Store {
    /// What this site adds to the sum of a job, while it is kept.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn masked_part(&self, job: Digest) -> Result<Option<KeptPart>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT secret, vector, dataset FROM masked WHERE job = ?1 AND length(secret) = 32",
                params![job.to_string()],
                |row| {
                    Ok(KeptPart {
                        secret: row.get(0)?,
                        vector: row.get(1)?,
                        dataset: digest_column(row, 2)?,
                    })
                },
            )
            .optional()
        })
    }

    /// Keeps what this site adds until `keep_until`; what was kept first stays, since its secret
    /// may serve one exchange only.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn keep_masked_part(
        &self,
        job: Digest,
        part: &KeptPart,
        keep_until: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "INSERT OR IGNORE INTO masked (job, secret, vector, dataset, keep_until)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    job.to_string(),
                    part.secret.as_slice(),
                    part.vector,
                    part.dataset.to_string(),
                    keep_until.unix()
                ],
            )?;
            Ok(())
        })
    }

    /// Removes secrets and numbers whose day has come. Whose sums were opened stays.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn forget_masked_parts(&self, now: Timestamp) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "UPDATE masked SET secret = x'', vector = x''
                 WHERE keep_until <= ?1 AND length(secret) > 0",
                params![now.unix()],
            )?;
            Ok(())
        })
    }

    /// The hospitals of every sum that this site has let be opened, beside the one of `job`.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn opened_sums(&self, job: Digest) -> Result<Vec<Vec<SiteSlug>>, Fault> {
        let texts: Vec<String> = self.read(|sql| {
            sql.prepare(
                "SELECT survivors FROM masked WHERE survivors IS NOT NULL AND job <> ?1
                 ORDER BY job",
            )?
            .query_map(params![job.to_string()], |row| row.get(0))?
            .collect()
        })?;
        let read = |text: &String| {
            serde_json::from_str(text)
                .map_err(|fault| Fault::internal(format!("the stored survivors: {fault}")))
        };
        texts.iter().map(read).collect()
    }

    /// The answer to a step of a masked sum, into the outbox and the ledger at once; where it
    /// signs survivors, these are noted in the same transaction.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn answer_masked(
        &self,
        key: StepKey<'_>,
        bytes: &ReleasedBytes,
        by: (Digest, &str),
        masked: Masked,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| {
            if let Some(survivors) = &masked.survivors {
                let text = serde_json::to_string(survivors)
                    .map_err(|fault| Fault::internal(format!("the survivors: {fault}")))?;
                sql.execute(
                    "UPDATE masked SET survivors = ?2 WHERE job = ?1",
                    params![key.job.digest.to_string(), text],
                )?;
            }
            super::steps::answer(sql, key, bytes, (by, Some(masked)), now)
        })
    }
}
