//! A job: one site's part of a round, a declared sequence of exchanges (decision A2), signed by
//! the study-signing key.
//!
//! From: `fedval round launch`.
//! To: `coordinator::dispatch`, `node::admission`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::masked;
use super::plan::{self, StatisticKind};
use super::step::CALIBRATION;
use super::{
    ExchangeId, Refusal, RoundId, SiteRole, SiteSlug, StudyProtocol, StudySlug, Timestamp,
};
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, Signed,
    SigningKey,
};

/// Name and version of the job document; also the signature's domain.
pub const SCHEMA: &str = "fedval.job/1";

/// One site's part of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The study.
    pub study: StudySlug,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// The round.
    pub round: RoundId,
    /// The site this job is for.
    pub site: SiteSlug,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Not accepted from here on.
    pub expires_at: Timestamp,
    /// What is exchanged, in order.
    pub exchanges: Vec<Exchange>,
}

/// One exchange of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Its name.
    pub id: ExchangeId,
    /// Most releases it may ask for.
    pub max_steps: u32,
    /// Words of the statistics it asks for; a node refuses a word it does not know.
    pub statistics: Vec<String>,
}

/// The exchange of Newton blocks that `protocol` plans for `site`: external sites only, since
/// no other enters a pool (decision C9).
fn calibration(protocol: &StudyProtocol, site: &SiteSlug) -> Option<Exchange> {
    let plan = protocol.one_stage_calibration?;
    let external = protocol.find_site(site)?.role == SiteRole::External;
    let id = CALIBRATION.parse().ok().filter(|_| external)?;
    Some(Exchange {
        id,
        max_steps: plan.max_steps,
        statistics: vec![StatisticKind::CalibrationBlock.as_str().to_owned()],
    })
}

/// The exchange of masked sums that `protocol` plans for `site`, likewise.
fn masked_sums(protocol: &StudyProtocol, site: &SiteSlug) -> Option<Exchange> {
    protocol.masked_sums?;
    let external = protocol.find_site(site)?.role == SiteRole::External;
    let id = masked::EXCHANGE.parse().ok().filter(|_| external)?;
    Some(Exchange {
        id,
        max_steps: masked::STEPS,
        statistics: vec![StatisticKind::MaskedSums.as_str().to_owned()],
    })
}

/// The exchanges of several steps that `protocol` plans for `site`, in the order of a job.
fn in_steps(protocol: &StudyProtocol, site: &SiteSlug) -> Vec<Exchange> {
    let planned = [calibration(protocol, site), masked_sums(protocol, site)];
    planned.into_iter().flatten().collect()
}

/// The name of the exchange that asks for the planned statistics once.
pub const MEASURE: &str = "measure";

impl Job {
    /// The job that asks `site` once for everything the protocol plans and, where it plans the
    /// one-stage calibration or masked sums and the site is external, then step by step for
    /// those.
    pub fn measure(
        protocol: &StudyProtocol,
        digest: Digest,
        round: RoundId,
        site: SiteSlug,
        issued_at: Timestamp,
        exchange: ExchangeId,
    ) -> Self {
        let seconds = i64::from(protocol.rounds.deadline_days).saturating_mul(86_400);
        let statistics = plan::kinds(protocol)
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect();
        let mut exchanges = vec![Exchange {
            id: exchange,
            max_steps: 1,
            statistics,
        }];
        exchanges.extend(in_steps(protocol, &site));
        Self {
            study: protocol.slug.clone(),
            protocol: digest,
            round,
            site,
            issued_at,
            expires_at: issued_at.plus_seconds(seconds),
            exchanges,
        }
    }

    /// The exchanges of several steps that this job declares.
    pub fn in_steps(&self) -> impl Iterator<Item = &Exchange> {
        let stepped =
            |exchange: &&Exchange| [CALIBRATION, masked::EXCHANGE].contains(&exchange.id.as_str());
        self.exchanges.iter().filter(stepped)
    }

    /// The exchange of several steps called `id`, if this job declares it.
    pub fn stepped(&self, id: &ExchangeId) -> Option<&Exchange> {
        self.in_steps().find(|exchange| exchange.id == *id)
    }

    /// Signs the job; the result's digest is the job's id.
    ///
    /// # Errors
    /// [`CanonicalError`] when the job cannot be written as canonical JSON.
    pub fn sign(
        self,
        key: &SigningKey,
        certificate: KeyCertificate,
    ) -> Result<Vec<u8>, CanonicalError> {
        Signed::sign(SCHEMA, self, key, certificate)?.to_bytes()
    }

    /// Reads a signed job. The expiry is checked by `admit`, so that an expired job is told from
    /// a forged one.
    ///
    /// # Errors
    /// [`DocumentFault`] when signature, signer or form are wrong.
    pub fn open(
        bytes: &[u8],
        ca: &PublicKey,
        pinned: Option<&[PublicKey]>,
        now: Timestamp,
    ) -> Result<Self, DocumentFault> {
        Signed::<Self>::open(bytes, SCHEMA, KeyPurpose::StudySigning, ca, pinned, now)
            .map(|signed| signed.body)
    }

    /// Whether the job may run for `site` now under `protocol`, and which statistics it asks for
    /// in its first exchange. Further ones must be, word for word, those that the protocol
    /// plans. Clocks may differ by five minutes.
    ///
    /// # Errors
    /// A [`Refusal`] that depends on nothing but the job, the protocol and the clock.
    pub fn admit(
        &self,
        protocol: &StudyProtocol,
        site: &SiteSlug,
        now: Timestamp,
    ) -> Result<Vec<StatisticKind>, Refusal> {
        const SKEW_S: i64 = 300;
        if self.site != *site || protocol.find_site(site).is_none() {
            return Err(Refusal::WrongSite);
        }
        if self.study != protocol.slug {
            return Err(Refusal::StudyNotListed);
        }
        let expired = now.unix() >= self.expires_at.unix();
        if expired || self.issued_at.unix() > now.plus_seconds(SKEW_S).unix() {
            return Err(Refusal::Expired);
        }
        let Some((exchange, stepped)) = self.exchanges.split_first() else {
            return Err(Refusal::UnknownForm);
        };
        if !stepped.is_empty() && stepped != in_steps(protocol, site) {
            return Err(Refusal::UnknownForm);
        }
        if exchange.id.as_str() != MEASURE || exchange.max_steps != 1 {
            return Err(Refusal::UnknownForm);
        }
        let planned = plan::kinds(protocol);
        let mut kinds = Vec::new();
        for word in &exchange.statistics {
            let kind = StatisticKind::parse(word).filter(|kind| planned.contains(kind));
            let kind = kind.ok_or(Refusal::UnknownStatistic)?;
            if kinds.contains(&kind) {
                return Err(Refusal::UnknownForm);
            }
            kinds.push(kind);
        }
        kinds.sort_unstable();
        Ok(kinds)
    }
}
