//! The roster: who may take part. An invitation is one use of one secret; a certificate follows
//! only after two people compared the words of the node's key.
//!
//! From: `fedval site`, join requests, renewals.
//! To: `store`, and whether a certificate may be used.

use shared::fault::{Code, Fault};
use shared::identity::{Address, Entropy, InvitationSecret, JoinToken, Serial, words_agree};
use shared::study::{SiteSlug, Timestamp};
use shared::wire::{JoinReply, JoinRequest, NodeReply, Refusal};

use crate::consortium::{Consortium, no_entropy};
use crate::link::CheckedCsr;
use crate::store::{CertificateRow, Enrolled, Enrolment, SiteRow, Standing, Store};

/// Default life of an invitation, hours.
pub const INVITATION_HOURS: u32 = 72;

/// Whom to invite, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    /// The site.
    pub site: &'a SiteSlug,
    /// What its node dials.
    pub address: &'a Address,
    /// Whom to call, for the coordinator's own list.
    pub contact: Option<&'a str>,
    /// Life of the invitation, hours.
    pub hours: u32,
}

/// Makes an invitation; the token's text is shown once and kept nowhere.
///
/// # Errors
/// [`Fault`] when the site has a certificate already, or nothing can be stored.
pub fn invite(
    store: &Store,
    consortium: &Consortium,
    invitation: Invitation<'_>,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<(JoinToken, Timestamp), Fault> {
    let Invitation { site, contact, .. } = invitation;
    let secret = InvitationSecret::generate(entropy).map_err(no_entropy)?;
    let expires_at = now.plus_seconds(i64::from(invitation.hours).saturating_mul(3600));
    store.add_invitation(site, contact, &secret.digest(), now, expires_at)?;
    let token = JoinToken {
        address: invitation.address.clone(),
        site: site.clone(),
        ca: consortium.ca.fingerprint(),
        secret,
    };
    Ok((token, expires_at))
}

/// Answers a joining process.
///
/// # Errors
/// [`Fault`] when the database fails; the process is told to try again.
pub fn join(
    store: &Store,
    consortium: &Consortium,
    remote: &str,
    request: &JoinRequest,
    now: Timestamp,
) -> Result<JoinReply, Fault> {
    let (site, secret) = match request {
        JoinRequest::Enrol { site, secret, .. } | JoinRequest::Collect { site, secret } => {
            (site, secret)
        }
    };
    let Some(secret) = InvitationSecret::from_bytes(secret).map(|secret| secret.digest()) else {
        return Ok(JoinReply::Refused(Refusal::InvitationInvalid));
    };
    let enrolled = match request {
        JoinRequest::Enrol { csr, .. } => {
            let checked = match CheckedCsr::open(csr) {
                Ok(checked) => checked,
                Err(refusal) => return Ok(JoinReply::Refused(refusal)),
            };
            let enrolment = Enrolment {
                secret,
                csr: csr.clone(),
                words: checked.words(),
                remote: remote.to_owned(),
                requested_at: now,
            };
            store.enrol(site, &enrolment, now)?
        }
        JoinRequest::Collect { .. } => store.collect(site, &secret)?,
    };
    Ok(match enrolled {
        Enrolled::Invalid => JoinReply::Refused(Refusal::InvitationInvalid),
        Enrolled::Pending => JoinReply::Pending,
        Enrolled::Issued(certificate) => JoinReply::Issued {
            certificate,
            ca: consortium.ca.certificate_der().to_vec(),
            signers: consortium.signers()?,
        },
    })
}

/// Issues the certificate of a waiting request, after the words agreed.
///
/// # Errors
/// [`Fault`] when no request waits, or the words differ.
pub fn approve(
    store: &Store,
    consortium: &Consortium,
    site: &SiteSlug,
    words: &str,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<CertificateRow, Fault> {
    let Some(waiting) = store.pending_enrolment(site)? else {
        return Err(nothing_waits(store, site)?);
    };
    let csr = CheckedCsr::open(&waiting.csr)
        .map_err(|_| Fault::internal("a stored certificate request no longer opens"))?;
    if !words_agree(words, &csr.words()) {
        return Err(Fault::new(
            Code::WordsDiffer,
            format!("these are not the words of {site}'s key"),
            "someone else may have used the invitation, or a word was misheard",
            "call the site on a number you know and compare again; if they still differ: fedval site revoke",
        ));
    }
    let certificate = issue(consortium, site, &csr, now, entropy)?;
    store.approve(&waiting.secret, &certificate, now)?;
    Ok(certificate)
}

fn nothing_waits(store: &Store, site: &SiteSlug) -> Result<Fault, Fault> {
    let standing = store.site(site)?.map(|row| row.standing);
    Ok(match standing {
        None => unknown_site(site),
        Some(standing) => Fault::new(
            Code::ApprovalPending,
            format!("no request of {site} waits for approval"),
            format!("the site is {}", standing.as_str()),
            match standing {
                Standing::Invited => "the site runs: fedval-node join TOKEN",
                Standing::Joined | Standing::Approved => "nothing to do; see: fedval site list",
                Standing::Suspended | Standing::Revoked => "invite the site again",
            },
        ),
    })
}

/// The fault for a site nobody invited.
pub fn unknown_site(site: &SiteSlug) -> Fault {
    Fault::new(
        Code::UnknownSite,
        format!("there is no site \"{site}\""),
        "no invitation was made under this name",
        "see: fedval site list",
    )
}

fn issue(
    consortium: &Consortium,
    site: &SiteSlug,
    csr: &CheckedCsr,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<CertificateRow, Fault> {
    let serial = Serial::generate(entropy).map_err(no_entropy)?;
    let issued = consortium.ca.issue_node(site, csr, serial, now)?;
    Ok(CertificateRow {
        serial: issued.serial,
        site: site.clone(),
        public_key: csr.public(),
        der: issued.der,
        issued_at: now,
        not_after: issued.not_after,
        superseded_at: None,
        revoked_at: None,
    })
}

/// Renews a certificate for a new key; `current` is the certificate the node speaks with. The same request again gets the same certificate; the
/// old one stays valid until the new one is used, so that a crash in between locks nobody out.
///
/// # Errors
/// [`Fault`] when the database fails.
pub fn renew(
    store: &Store,
    consortium: &Consortium,
    (site, current): (&SiteSlug, &Serial),
    csr: &[u8],
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<NodeReply, Fault> {
    let csr = match CheckedCsr::open(csr) {
        Ok(csr) => csr,
        Err(refusal) => return Ok(NodeReply::Refused(refusal)),
    };
    let known = store.certificates(site)?;
    if let Some(row) = known.iter().find(|row| row.public_key == csr.public()) {
        let usable = row.superseded_at.is_none() && row.revoked_at.is_none();
        // A renewal proves a new key; certifying the one in use again would defeat it.
        return Ok(if usable && row.serial != *current {
            NodeReply::Certificate(row.der.clone())
        } else {
            NodeReply::Refused(Refusal::NotAllowed)
        });
    }
    let certificate = issue(consortium, site, &csr, now, entropy)?;
    store.add_renewal(&certificate, now)?;
    Ok(NodeReply::Certificate(certificate.der))
}

/// Withdraws a site's certificates. A running server closes its connections within a second.
///
/// # Errors
/// [`Fault`] when there is no such site.
pub fn revoke(store: &Store, site: &SiteSlug, now: Timestamp) -> Result<SiteRow, Fault> {
    let Some(row) = store.site(site)? else {
        return Err(unknown_site(site));
    };
    store.withdraw(site, Standing::Revoked, now)?;
    Ok(row)
}
