//! The command `fedval-node`. Data go to standard output, words to standard error; every error
//! has four parts; exit codes are those of `docs/reference/exit-codes.md`.
//!
//! From: the shell.
//! To: one file per verb.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use shared::fault::{Code, Exit, Fault};
use shared::identity::Address;
use shared::study::{SiteSlug, StudySlug};

use crate::config::NodeConfig;

mod approver;
mod check;
mod data;
mod generate;
mod job;
mod join;
mod ledger;
mod measure;
mod output;
mod peer;
mod report;
mod run;
mod secret;
mod status;

use output::Output;

/// Validates an imaging AI on this hospital's own data and releases only what its staff approve.
#[derive(Debug, Parser)]
#[command(
    name = "fedval-node",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 wrong use, 3 timed out, 4 identity, \
                  5 defect of ours, 6 network, 7 waits for a person, 78 configuration, 130 interrupted."
)]
pub struct Cli {
    /// Configuration file.
    #[arg(
        short,
        long,
        global = true,
        env = "FEDVAL_NODE_CONFIG",
        default_value = "/etc/fedval-node/node.toml"
    )]
    config: PathBuf,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = output::Format::Text)]
    format: output::Format,
    /// Fewer words on standard error.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More words on standard error.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// No colours; the environment variable `NO_COLOR` does the same.
    #[arg(long, global = true)]
    no_color: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Join a consortium with an invitation token.
    Join(join::Join),
    /// Run the node: dial out, take jobs in, send what was approved.
    Run,
    /// Check configuration, identity, policy, data and network; changes nothing.
    Check(check::Check),
    /// How this node stands.
    Status,
    /// Compute and send nothing, until it is resumed; jobs are still taken in.
    Pause {
        /// Why; it stays here.
        #[arg(long)]
        reason: String,
    },
    /// Go on after a pause.
    Resume,
    /// Leave a study: nothing more of it is computed, approved or sent.
    Leave {
        /// The study's short name.
        study: StudySlug,
        /// Why; it stays here.
        #[arg(long)]
        reason: String,
        /// Ask the coordinator to drop what was released in rounds that are still open.
        #[arg(long)]
        withdraw: bool,
    },
    /// Look at jobs and decide about releases.
    #[command(subcommand)]
    Job(job::Job),
    /// The people who approve, and their keys.
    #[command(subcommand)]
    Approver(approver::Approver),
    /// The keys of other hospitals, with which masked sums are shared.
    #[command(subcommand)]
    Peer(peer::Peer),
    /// Look at this site's own tables.
    #[command(subcommand)]
    Data(data::Data),
    /// Look at the record of what was asked, refused and released.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Compute what would be sent for a study, without any coordinator.
    Measure(measure::Measure),
    /// Write this hospital's own copy of a pooled report, with its results beside the others'.
    Report(report::SiteReport),
    /// Read images for this program; not for people.
    #[command(name = "read-images", hide = true)]
    ReadImages,
    /// Write a simulated hospital's masks; for `fedval sim`, not for people.
    #[command(name = "make-masks", hide = true)]
    MakeMasks {
        /// The hospital's folder.
        folder: PathBuf,
        /// Which hospital.
        #[arg(long)]
        seed: u64,
        /// How it stores masks.
        #[arg(long, value_enum)]
        form: crate::images::made::Form,
    },
    /// Print a shell completion script.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(fault) => return output::usage(&fault),
    };
    let output = Output::new(cli.format, cli.quiet);
    let exit = match &cli.verb {
        Verb::Join(verb) => verb.run(&cli, &output),
        Verb::Run => run::run(&cli),
        Verb::Check(verb) => verb.run(&cli, &output),
        Verb::Status => status::run(&cli, &output),
        Verb::Pause { reason } => job::pause(&cli, reason, &output),
        Verb::Resume => job::resume(&cli, &output),
        Verb::Leave {
            study,
            reason,
            withdraw,
        } => job::leave(&cli, (study, *withdraw), reason, &output),
        Verb::Job(verb) => verb.run(&cli, &output),
        Verb::Approver(verb) => verb.run(&cli, &output),
        Verb::Peer(verb) => verb.run(&cli, &output),
        Verb::Data(verb) => verb.run(&cli, &output),
        Verb::Ledger(verb) => verb.run(&cli, &output),
        Verb::Measure(verb) => verb.run(&cli, &output),
        Verb::Report(verb) => verb.run(&cli, &output),
        Verb::ReadImages => return crate::images::worker::serve(),
        Verb::MakeMasks { folder, seed, form } => made(folder, *seed, *form),
        Verb::Completion { shell } => generate::completion(*shell, &mut Cli::command()),
        Verb::Man { out } => generate::man(out, Cli::command()),
    };
    match exit {
        Ok(exit) => output::code(exit),
        Err(faults) => output.faults(cli.verb.word(), &faults),
    }
}

impl Verb {
    fn word(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Run => "run",
            Self::Check(_) => "check",
            Self::Status => "status",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Leave { .. } => "leave",
            Self::Job(verb) => verb.word(),
            Self::Approver(verb) => verb.word(),
            Self::Peer(verb) => verb.word(),
            Self::Data(_) => "data check",
            Self::Ledger(verb) => verb.word(),
            Self::Measure(_) => "measure",
            Self::Report(_) => "report",
            Self::ReadImages => "read-images",
            Self::MakeMasks { .. } => "make-masks",
            Self::Completion { .. } => "completion",
            Self::Man { .. } => "man",
        }
    }
}

/// One fault, or several of the same kind of problem.
type Outcome = Result<Exit, Vec<Fault>>;

fn one(fault: Fault) -> Vec<Fault> {
    vec![fault]
}

impl Cli {
    /// Whether standard error may be coloured.
    fn colours(&self) -> bool {
        !self.no_color
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::io::IsTerminal::is_terminal(&std::io::stderr())
    }

    fn config(&self) -> Result<NodeConfig, Vec<Fault>> {
        NodeConfig::load(&self.config).map_err(one)
    }
}

/// Where the coordinator is: the configuration's word, otherwise what the invitation said.
///
/// # Errors
/// `FV-ID-004` when neither is there.
pub(crate) fn coordinator_address(config: &NodeConfig) -> Result<Address, Fault> {
    if let Some(section) = &config.coordinator {
        return Ok(section.address.clone());
    }
    let path = address_file(&config.identity.dir);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    text.trim().parse().map_err(|_| {
        Fault::new(
            Code::NotJoined,
            "it is not known where the coordinator is",
            format!(
                "neither [coordinator] address nor {} says so",
                path.display()
            ),
            "join first: fedval-node join TOKEN",
        )
    })
}

/// The file in which `join` notes the coordinator's address.
fn address_file(identity: &Path) -> PathBuf {
    identity.join("coordinator")
}

fn made(folder: &Path, seed: u64, form: crate::images::made::Form) -> Outcome {
    crate::images::made::write(folder, seed, form).map_err(|fault| {
        one(Fault::new(
            Code::OutputUnwritable,
            format!("{} cannot be written", folder.display()),
            fault.to_string(),
            "name a folder you may write",
        ))
    })?;
    Ok(Exit::Done)
}

/// The site of this node's certificate or configuration.
fn site(config: &NodeConfig) -> SiteSlug {
    config.site.slug.clone()
}
