//! Who is asked in a round, and the signed jobs. No silent quorum: every invited site is asked,
//! or the coordinator names it with `--without` and the report says so.
//!
//! From: a locked protocol, the roster, the study-signing key.
//! To: `store::launch`, in one transaction.

use std::collections::BTreeSet;

use shared::fault::{Code, Fault};
use shared::identity::{Digest, KeyCertificate, SigningKey};
use shared::study::job::{Job, MEASURE};
use shared::study::{ExchangeId, RoundId, SiteSlug, StudyProtocol, Timestamp};

use crate::store::{Launch, NewJob, SiteRow, Standing};

/// Which sites a round asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// Sites that get a job, in the protocol's order.
    pub sites: Vec<SiteSlug>,
    /// Invited sites that do not, by the coordinator's decision.
    pub left_out: Vec<SiteSlug>,
}

/// Decides who is asked.
///
/// # Errors
/// [`Fault`] when `without` names a site the protocol does not invite, when an invited site has
/// no certificate yet, or when nobody is left.
pub fn ask(
    protocol: &StudyProtocol,
    roster: &[SiteRow],
    without: &[SiteSlug],
) -> Result<Asked, Fault> {
    for site in without {
        if protocol.find_site(site).is_none() {
            return Err(Fault::new(
                Code::UnknownSite,
                format!("{site} is not invited to {}", protocol.slug),
                "--without names a site of the protocol that is not to be asked",
                format!("invited: {}", names(protocol.site.iter().map(|s| &s.slug))),
            ));
        }
    }
    let without: BTreeSet<&SiteSlug> = without.iter().collect();
    let enrolled: BTreeSet<&SiteSlug> = roster
        .iter()
        .filter(|row| row.standing == Standing::Approved)
        .map(|row| &row.site)
        .collect();
    let (left_out, sites): (Vec<SiteSlug>, Vec<SiteSlug>) = protocol
        .site
        .iter()
        .map(|site| site.slug.clone())
        .partition(|site| without.contains(site));
    let missing: Vec<&SiteSlug> = sites.iter().filter(|s| !enrolled.contains(s)).collect();
    if !missing.is_empty() {
        return Err(Fault::new(
            Code::UnknownSite,
            format!("not enrolled yet: {}", names(missing.iter().copied())),
            "a round asks every invited site; leaving one out silently would bias the result",
            "enrol it (fedval site invite, approve), or leave it out by name with --without: the report will say so",
        ));
    }
    if sites.is_empty() {
        return Err(Fault::new(
            Code::UnknownSite,
            "no site is left to ask",
            "--without names every invited site",
            "leave fewer sites out",
        ));
    }
    Ok(Asked { sites, left_out })
}

/// Names for people: `a, b, c`.
pub fn names<'a>(sites: impl Iterator<Item = &'a SiteSlug>) -> String {
    sites.map(SiteSlug::as_str).collect::<Vec<_>>().join(", ")
}

/// The name of a study's first round.
///
/// # Errors
/// [`Fault`] when the study's name leaves no room for it.
pub fn first_round(protocol: &StudyProtocol) -> Result<RoundId, Fault> {
    format!("{}.r1", protocol.slug).parse().map_err(|_| {
        Fault::new(
            Code::UsageInvalid,
            "the round needs a name",
            "the study's name is too long to add .r1",
            "name it with --round",
        )
    })
}

/// A locked protocol with its digest and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Locked<'a> {
    /// The protocol.
    pub protocol: &'a StudyProtocol,
    /// Digest of `bytes`.
    pub digest: Digest,
    /// The locked document.
    pub bytes: &'a [u8],
}

/// Signs one job per asked site.
///
/// # Errors
/// [`Fault`] when a job cannot be written.
pub fn sign(
    locked: Locked<'_>,
    asked: Asked,
    round: &RoundId,
    now: Timestamp,
    key: &SigningKey,
    certificate: &KeyCertificate,
) -> Result<Launch, Fault> {
    let protocol = locked.protocol;
    let exchange: ExchangeId = MEASURE
        .parse()
        .map_err(|_| Fault::internal("the exchange's name is not a name"))?;
    let mut expires_at = now;
    let mut jobs = Vec::new();
    for site in asked.sites {
        let job = Job::measure(
            protocol,
            locked.digest,
            round.clone(),
            site.clone(),
            now,
            exchange.clone(),
        );
        expires_at = job.expires_at;
        let bytes = job
            .sign(key, certificate.clone())
            .map_err(|error| Fault::internal(format!("a job could not be written: {error}")))?;
        jobs.push(NewJob {
            site,
            digest: Digest::of(&bytes),
            bytes,
        });
    }
    Ok(Launch {
        round: round.clone(),
        study: protocol.slug.clone(),
        version: protocol.version.clone(),
        protocol: locked.digest,
        protocol_bytes: locked.bytes.to_vec(),
        sites: protocol.site.iter().map(|site| site.slug.clone()).collect(),
        jobs,
        left_out: asked.left_out,
        launched_at: now,
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::study::{source, template};

    fn roster(approved: &[&str]) -> Vec<SiteRow> {
        approved
            .iter()
            .map(|name| SiteRow {
                site: name.parse().unwrap(),
                standing: Standing::Approved,
                contact: None,
                changed_at: Timestamp::from_unix(1).unwrap(),
            })
            .collect()
    }

    #[test]
    fn every_invited_site_is_asked_or_named() {
        let protocol = source::parse(template::BINARY).unwrap();
        let all = ["site-a", "site-b", "site-c", "site-d"];
        let asked = ask(&protocol, &roster(&all), &[]).unwrap();
        assert_eq!(asked.sites.len(), 4);
        assert!(asked.left_out.is_empty());

        let fault = ask(&protocol, &roster(&all[..3]), &[]).unwrap_err();
        assert!(fault.what.contains("site-d"), "{fault}");

        let without = ["site-d".parse().unwrap()];
        let asked = ask(&protocol, &roster(&all[..3]), &without).unwrap();
        assert_eq!(asked.left_out, without);
        assert_eq!(names(asked.sites.iter()), "site-a, site-b, site-c");

        assert!(ask(&protocol, &roster(&all), &["elsewhere".parse().unwrap()]).is_err());
        let everyone: Vec<SiteSlug> = all.iter().map(|s| s.parse().unwrap()).collect();
        assert!(ask(&protocol, &roster(&all), &everyone).is_err());
    }

    #[test]
    fn jobs_open_with_the_signers_key_and_differ_by_site() {
        use shared::identity::{CountingEntropy, KeyPurpose, KeyStatement, Serial};
        let now = Timestamp::from_unix(1_800_000_000).unwrap();
        let mut entropy = CountingEntropy::new(1);
        let ca = SigningKey::generate(&mut entropy).unwrap();
        let key = SigningKey::generate(&mut entropy).unwrap();
        let statement = KeyStatement {
            purpose: KeyPurpose::StudySigning,
            key: key.public(),
            consortium: "test".into(),
            not_before: now,
            not_after: now.plus_seconds(86_400),
            serial: Serial::generate(&mut entropy).unwrap(),
        };
        let certificate = KeyCertificate::issue(statement, &ca).unwrap();
        let protocol = source::parse(template::BINARY).unwrap();
        let locked = Locked {
            protocol: &protocol,
            digest: Digest::of(b"locked"),
            bytes: b"locked",
        };
        let asked = Asked {
            sites: vec!["site-b".parse().unwrap(), "site-c".parse().unwrap()],
            left_out: vec![],
        };
        let round = first_round(&protocol).unwrap();
        let launch = sign(locked, asked, &round, now, &key, &certificate).unwrap();
        assert_eq!(launch.expires_at.unix(), now.unix() + 21 * 86_400);
        assert_ne!(launch.jobs[0].digest, launch.jobs[1].digest);
        for job in &launch.jobs {
            let read = Job::open(&job.bytes, &ca.public(), None, now).unwrap();
            assert_eq!(read.site, job.site);
            assert!(read.admit(&protocol, &job.site, now).is_ok());
        }
    }
}
