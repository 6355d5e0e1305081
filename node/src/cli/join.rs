//! `fedval-node join TOKEN`: makes the key here, asks for a certificate, shows six words.
//!
//! From: an invitation.
//! To: the identity folder; never the configuration.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use shared::fault::{Code, Exit, Fault};

use super::output::Output;
use super::{Cli, Outcome, address_file, one, run};
use crate::link::{Enrolment, IdentityDir, SystemEntropy};

/// Join a consortium.
#[derive(Debug, Args)]
pub(super) struct Join {
    /// The invitation token, as printed by the coordinator.
    token: String,
    /// How long to wait for the coordinator's approval, seconds; 0 to come back later with the
    /// same command.
    #[arg(long, default_value_t = 600)]
    wait: u64,
}

#[derive(Serialize)]
struct Joined {
    site: String,
    words: String,
    not_after: String,
    identity: String,
}

impl Join {
    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let config = cli.config()?;
        let dir = &config.identity.dir;
        let identity = IdentityDir::new(dir);
        let enrolment =
            Enrolment::prepare(&identity, &self.token, &mut SystemEntropy).map_err(one)?;
        if *enrolment.site() != config.site.slug {
            return Err(one(Fault::new(
                Code::TokenInvalid,
                format!(
                    "the invitation is for {}, this site is {}",
                    enrolment.site(),
                    config.site.slug
                ),
                "[site] slug in the configuration differs from the invitation",
                format!(
                    "write slug = \"{}\", or ask for another invitation",
                    enrolment.site()
                ),
            )));
        }
        output.words(&format!(
            "made a private key here (it never leaves)   {}",
            enrolment.key_path().display()
        ));
        output.words(&format!(
            "coordinator CA must match the token         {}",
            enrolment.ca()
        ));
        let address = address_file(dir);
        std::fs::write(&address, format!("{}\n", enrolment.address())).map_err(|fault| {
            one(Fault::new(
                Code::OutputUnwritable,
                format!("{} cannot be written", address.display()),
                fault.to_string(),
                "give this user the identity folder",
            ))
        })?;
        let joined = run::runtime()?.block_on(async {
            enrolment.enrol().await?;
            output.words(&format!(
                "words to compare by telephone               {}",
                enrolment.words()
            ));
            output.words("waiting for the coordinator to approve ...");
            enrolment.wait(Duration::from_secs(self.wait)).await
        });
        let joined = joined.map_err(one)?;
        let data = Joined {
            site: joined.site.to_string(),
            words: enrolment.words().to_owned(),
            not_after: joined.not_after.to_string(),
            identity: dir.display().to_string(),
        };
        let text = format!(
            "joined as {}; certificate until {}\n",
            data.site, data.not_after
        );
        output.result(
            "join",
            Exit::Done,
            data,
            &text,
            &["fedval-node check", "fedval-node run"],
        )
    }
}
