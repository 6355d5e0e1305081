//! `fedval-node peer own | list`.
//!
//! From: this node's identity; the configuration.
//! To: the people of other hospitals, by telephone or on paper.

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;
use shared::fault::Exit;

use super::output::Output;
use super::{Cli, Outcome, one};
use crate::link::IdentityDir;

/// Keys of other hospitals.
#[derive(Debug, Subcommand)]
pub(super) enum Peer {
    /// The line that other hospitals write under [peers] of their configuration.
    Own,
    /// The hospitals whose keys are listed here.
    List,
}

#[derive(Serialize)]
struct Own {
    site: String,
    key: String,
}

impl Peer {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Own => "peer own",
            Self::List => "peer list",
        }
    }

    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let config = cli.config()?;
        match self {
            Self::Own => {
                let identity = IdentityDir::new(&config.identity.dir).load().map_err(one)?;
                let data = Own {
                    site: identity.site.to_string(),
                    key: identity.key().public().to_string(),
                };
                output.words(
                    "give this to the other hospitals by telephone or on paper, never by way of the \
                     coordinator; it stays good when the certificate is renewed:",
                );
                let text = format!("{} = \"{}\"\n", data.site, data.key);
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
            Self::List => {
                let mut text = String::new();
                for (site, key) in &config.peers {
                    let _ = writeln!(text, "{site:24} {key}");
                }
                if config.peers.is_empty() {
                    text.push_str("no hospital is listed: this site adds to no masked sum\n");
                }
                output.result(self.word(), Exit::Done, config.peers, &text, &[])
            }
        }
    }
}
