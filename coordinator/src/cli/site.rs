//! `fedval site`: the roster.
//!
//! From: the coordinator's staff.
//! To: `roster`.

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::{Code, Fault};
use shared::study::{SiteSlug, Timestamp};

use super::output::{Answer, table};
use crate::config::Home;
use crate::consortium::Consortium;
use crate::link::{SystemEntropy, system_now};
use crate::roster::{self, INVITATION_HOURS, Invitation};
use crate::store::{SiteRow, Store};

/// Invite, approve, list and revoke sites.
#[derive(Debug, Subcommand)]
pub(super) enum Site {
    /// Print a one-use invitation for a site's node.
    Invite(Invite),
    /// Issue a node's certificate after its words were compared.
    Approve(Approve),
    /// List the sites.
    List,
    /// Withdraw a site's certificates; its connections are closed.
    Revoke(Named),
    /// Let a node go on that lost its ledger; a person at the site has agreed.
    Rebaseline(Rebaseline),
}

/// One site.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The site's name.
    site: SiteSlug,
}

/// Print a one-use invitation for a site's node.
#[derive(Debug, Args)]
pub(super) struct Invite {
    /// The site's name, such as st-olav.
    site: SiteSlug,
    /// Whom to call, for your own list. Never trust a number from an invitation.
    #[arg(long)]
    contact: Option<String>,
    /// Life of the invitation, hours.
    #[arg(long, value_name = "HOURS", value_parser = hours, default_value_t = INVITATION_HOURS)]
    expires: u32,
}

/// Reads `72h`, `3d` or `72`.
fn hours(text: &str) -> Result<u32, String> {
    let (digits, factor) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(digits), _) => (digits, 1),
        (_, Some(digits)) => (digits, 24),
        (None, None) => (text, 1),
    };
    let count: u32 = digits
        .parse()
        .map_err(|_| "write for example 72h or 3d".to_owned())?;
    let hours = count.saturating_mul(factor);
    if (1..=24 * 90).contains(&hours) {
        Ok(hours)
    } else {
        Err("an invitation lives from 1 hour to 90 days".to_owned())
    }
}

/// Issue a node's certificate after its words were compared.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// The site's name.
    site: SiteSlug,
    /// The six words the site read to you.
    #[arg(long)]
    words: String,
}

/// Let a node go on that lost its ledger.
#[derive(Debug, Args)]
pub(super) struct Rebaseline {
    /// The site's name.
    site: SiteSlug,
    /// Why, for the audit trail.
    #[arg(long)]
    reason: String,
}

impl Site {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Invite(_) => "site invite",
            Self::Approve(_) => "site approve",
            Self::List => "site list",
            Self::Revoke(_) => "site revoke",
            Self::Rebaseline(_) => "site rebaseline",
        }
    }

    pub(super) fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let store = home.store()?;
        match self {
            Self::Invite(invite) => invite.run(home, &store),
            Self::Approve(approve) => approve.run(home, &store),
            Self::List => list(&store, system_now()),
            Self::Revoke(named) => revoke(&store, &named.site),
            Self::Rebaseline(wish) => rebaseline(&store, wish),
        }
    }
}

impl Invite {
    fn run(&self, home: &Home, store: &Store) -> Result<Answer, Fault> {
        let consortium = Consortium::load(&home.ca_dir())?;
        let invitation = Invitation {
            site: &self.site,
            address: &home.address()?,
            contact: self.contact.as_deref(),
            hours: self.expires,
        };
        let (token, expires_at) = roster::invite(
            store,
            &consortium,
            invitation,
            system_now(),
            &mut SystemEntropy,
        )?;
        let token = token.to_string();
        let data = json!({"site": self.site, "token": token, "expires_at": expires_at});
        Ok(Answer::new(&token, &data)?
            .warn(format!(
                "one use, expires {expires_at}; it is shown only now"
            ))
            .next(format!("at the site: fedval-node join {token}"))
            .next(format!(
                "then here: fedval site approve {} --words \"...\"",
                self.site
            )))
    }
}

impl Approve {
    fn run(&self, home: &Home, store: &Store) -> Result<Answer, Fault> {
        let consortium = Consortium::load(&home.ca_dir())?;
        let certificate = roster::approve(
            store,
            &consortium,
            &self.site,
            &self.words,
            system_now(),
            &mut SystemEntropy,
        )?;
        let text = format!(
            "{} may take part\ncertificate  {}\nvalid until  {} (its node renews it)",
            self.site, certificate.serial, certificate.not_after
        );
        let data = json!({
            "site": self.site,
            "serial": certificate.serial,
            "not_after": certificate.not_after,
        });
        Ok(Answer::new(text, &data)?.next("fedval site list"))
    }
}

fn list(store: &Store, now: Timestamp) -> Result<Answer, Fault> {
    let mut rows = Vec::new();
    let mut data = Vec::new();
    for site in store.sites()? {
        let words = store
            .pending_enrolment(&site.site)?
            .map(|waiting| waiting.words);
        let heard = store.presence(&site.site)?;
        let certificate = store
            .certificates(&site.site)?
            .into_iter()
            .rfind(|row| row.revoked_at.is_none() && row.superseded_at.is_none());
        let expires = certificate.as_ref().map(|row| row.not_after);
        let heard_at = heard.as_ref().map(|presence| presence.heard_at);
        let shown = |moment: Option<Timestamp>| moment.map(|m| m.to_string()).unwrap_or_default();
        rows.push(vec![
            site.site.to_string(),
            site.standing.as_str().to_owned(),
            shown(heard_at),
            shown(expires),
            site.contact.clone().unwrap_or_default(),
        ]);
        data.push(json!({
            "site": site.site,
            "standing": site.standing,
            "since": site.changed_at,
            "state": heard.as_ref().map(|presence| presence.state),
            "heard_at": heard_at,
            "heard_seconds_ago": heard_at.map(|at| now.unix() - at.unix()),
            "software": heard.as_ref().map(|presence| presence.software.as_str()),
            "certificate_not_after": expires,
            "contact": site.contact,
            "waits_for_approval": words.is_some(),
        }));
    }
    let headings = [
        "site",
        "standing",
        "last heard",
        "certificate until",
        "contact",
    ];
    Answer::new(table(&headings, &rows), &data)
}

fn revoke(store: &Store, site: &SiteSlug) -> Result<Answer, Fault> {
    let SiteRow { standing, .. } = roster::revoke(store, site, system_now())?;
    let text = format!(
        "{site} may no longer take part (it was {})",
        standing.as_str()
    );
    let data = json!({"site": site, "was": standing});
    Ok(Answer::new(text, &data)?.warn("a running server closes its connections within a second"))
}

fn rebaseline(store: &Store, wish: &Rebaseline) -> Result<Answer, Fault> {
    if store.site(&wish.site)?.is_none() {
        return Err(roster::unknown_site(&wish.site));
    }
    if wish.reason.trim().is_empty() {
        return Err(Fault::new(
            Code::UsageInvalid,
            "a re-baseline needs its reason",
            "the audit trail keeps why the site's ledger was given up",
            "say it with --reason \"...\"",
        ));
    }
    store.rebaseline(&wish.site, &wish.reason, system_now())?;
    let text = format!("{} may start from the ledger it has now", wish.site);
    Answer::new(text, &json!({"site": wish.site}))
}

#[cfg(test)]
mod tests {
    use super::hours;

    #[test]
    fn lives_are_read_in_hours_and_days() {
        assert_eq!(hours("72h"), Ok(72));
        assert_eq!(hours("3d"), Ok(72));
        assert_eq!(hours("5"), Ok(5));
        for bad in ["", "0", "h", "91d", "-1h", "9999999999d"] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }
}
