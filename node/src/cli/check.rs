//! `fedval-node check [part]`: configuration, identity, policy, data, network. Changes nothing,
//! and says for each part what is wrong and how to mend it.
//!
//! From: the configuration.
//! To: hospital IT.

use clap::{Args, ValueEnum};
use serde::Serialize;
use shared::fault::{Exit, Fault, FaultView};
use shared::wire::NodeRequest;

use super::output::Output;
use super::{Cli, Outcome, coordinator_address, run};
use crate::config::{FourEyes, NodeConfig, ReleaseSection};
use crate::link::{CertificateWhy, Dialer, IdentityDir, system_now};
use crate::measure;
use crate::store::Store;

/// Check this node.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// What to check.
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
    /// Print the configuration with every default filled in.
    #[arg(long)]
    show_effective: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Everything.
    All,
    /// The configuration file.
    Config,
    /// Key and certificate.
    Identity,
    /// The disclosure policy.
    Policy,
    /// The tables named for each study can be opened.
    Data,
    /// A real connection to the coordinator.
    Network,
}

#[derive(Serialize)]
struct Finding {
    part: &'static str,
    ok: bool,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<FaultView>,
}

impl Check {
    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let config = cli.config()?;
        let mut text = String::new();
        if self.show_effective {
            text.push_str(&config.effective());
            text.push('\n');
        }
        let mut findings = Vec::new();
        let mut worst = None;
        for (part, name) in [
            (Part::Config, "config"),
            (Part::Identity, "identity"),
            (Part::Policy, "policy"),
            (Part::Data, "data"),
            (Part::Network, "network"),
        ] {
            if self.part != Part::All && self.part != part {
                continue;
            }
            let (ok, what, fault) = match look(part, &config) {
                Ok(what) => (true, what, None),
                Err(fault) => {
                    worst = worst.or(Some(fault.code.exit()));
                    (false, fault.to_string(), Some(FaultView::from(&fault)))
                }
            };
            let mark = if ok { "ok  " } else { "FAIL" };
            text.push_str(&format!(
                "{mark}  {name:9} {}\n",
                what.replace('\n', "\n      ")
            ));
            findings.push(Finding {
                part: name,
                ok,
                what,
                fault,
            });
        }
        output.result("check", worst.unwrap_or(Exit::Done), findings, &text, &[])
    }
}

fn look(part: Part, config: &NodeConfig) -> Result<String, Fault> {
    match part {
        Part::All | Part::Config => Ok(format!(
            "{}; {} studies listed; releases {}",
            config.file.display(),
            config.access.studies.len(),
            releases(&config.release)
        )),
        Part::Identity => {
            let identity = IdentityDir::new(&config.identity.dir).load()?;
            let days = identity.days_left(system_now());
            if days < 0 {
                return Err(CertificateWhy::Expired.to_fault());
            }
            Ok(format!(
                "{}, certificate until {} ({days} days left), {} pinned keys",
                identity.site,
                identity.not_after,
                identity.signers.len()
            ))
        }
        Part::Policy => {
            let policy = measure::policy(config.disclosure.policy.as_deref())?;
            measure::in_force(&policy, system_now())?;
            let stamp = policy.stamp();
            let noise = policy.noise().map_or_else(String::new, |plan| {
                format!(
                    "; differential privacy: {}, epsilon {} each time of {} for life, score histograms only",
                    plan.mechanism.as_str(),
                    plan.epsilon_per_release,
                    plan.epsilon_budget
                )
            });
            Ok(format!(
                "profile {}, cells of {} patients or more{noise}",
                stamp.profile, stamp.min_cell
            ))
        }
        Part::Data => {
            for study in &config.access.studies {
                let source = config.table(study)?;
                std::fs::File::open(&source.path).map_err(|fault| {
                    Fault::new(
                        shared::fault::Code::TableUnreadable,
                        format!("the table of {study} cannot be opened"),
                        format!("{}: {fault}", source.path.display()),
                        format!("mend [study.{study}.table] path, or the file's permissions"),
                    )
                })?;
            }
            Ok("every listed study has a readable table".to_owned())
        }
        Part::Network => network(config),
    }
}

/// Who decides about releases, in a few words.
fn releases(section: &ReleaseSection) -> String {
    let eyes = match section.four_eyes {
        FourEyes::First => "two people for the first of each study",
        FourEyes::Always => "two people for each",
        FourEyes::Never => "one person suffices",
    };
    format!("{}, {eyes}", section.mode.as_str())
}

/// A real connection, so that a firewall that drops UDP is found here and not in a round.
fn network(config: &NodeConfig) -> Result<String, Fault> {
    let identity = IdentityDir::new(&config.identity.dir).load()?;
    let address = coordinator_address(config)?;
    let head = Store::open_read_only(&config.storage.dir)
        .and_then(|store| store.head())
        .unwrap_or_else(|_| crate::ledger::empty());
    let hello = NodeRequest::Hello {
        version_min: shared::wire::message::WIRE_VERSION_MIN,
        version_max: shared::wire::message::WIRE_VERSION_MAX,
        software: concat!("fedval-node ", env!("CARGO_PKG_VERSION")).to_owned(),
        ledger: head,
    };
    let dialer = Dialer::new(address.clone(), std::sync::Arc::new(identity));
    let runtime = run::runtime().map_err(|mut faults| {
        faults
            .pop()
            .unwrap_or_else(|| Fault::internal("no runtime"))
    })?;
    runtime.block_on(async {
        let link = dialer
            .connect(&hello)
            .await
            .map_err(|fault| fault.to_fault(&address))?;
        let skew = link.acknowledged().skew_seconds;
        let version = link.acknowledged().version;
        link.hang_up().await;
        Ok(format!(
            "{address} by QUIC, wire version {version}, clock skew {skew} s"
        ))
    })
}
