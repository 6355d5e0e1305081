//! The `fedval` command: one file per noun. Standard output carries data, standard error words;
//! every verb answers in text or in one JSON envelope, and ends with a documented exit code.
//!
//! From: people and scripts.
//! To: `desk`, `roster`, `serve`, `bundle`.

mod check;
mod generate;
mod init;
mod ledger;
mod noise;
mod output;
mod pool;
mod power;
mod report;
mod round;
mod serve;
mod sim;
mod site;
mod storage;
mod study;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Parser, Subcommand};
use shared::fault::{Code, Exit, Fault};

use crate::config::{DIR_DEFAULT, Home};
use output::{Answer, Format, Manners};

/// Validate an imaging AI at many hospitals without moving a single image.
#[derive(Debug, Parser)]
#[command(
    name = "fedval",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 wrong use, 3 timed out, 4 identity, \
                  5 defect of ours, 6 network, 7 waits for a person, 78 configuration, 130 interrupted."
)]
pub struct Cli {
    /// State directory.
    #[arg(long, global = true, env = "FEDVAL_DIR", default_value = DIR_DEFAULT, value_name = "DIR")]
    dir: PathBuf,
    /// Form of the answer; `jsonl` for `round watch`.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// No words on standard error except errors.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More words about what happens; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// No colours; the environment variable `NO_COLOR` does the same.
    #[arg(long, global = true)]
    no_color: bool,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make a consortium: its CA, its study-signing key, its database.
    Init(init::Init),
    /// Look over keys, configuration and database; changes nothing.
    Check,
    /// List who did and saw what; prove that what was received is still stored as it came.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Change the key under which received results are stored.
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Invite, approve, list and revoke sites.
    #[command(subcommand)]
    Site(site::Site),
    /// Write, check and lock a study.
    #[command(subcommand)]
    Study(study::Study),
    /// Answer nodes until stopped.
    Serve(serve::Serve),
    /// Launch, follow and close rounds.
    #[command(subcommand)]
    Round(round::Round),
    /// Build, verify, export and compare report bundles.
    #[command(subcommand)]
    Report(report::Report),
    /// Pool release files into a report, without a server.
    Pool(pool::Pool),
    /// Run the bundled four-hospital study on this machine and write its report.
    Sim(sim::Sim),
    /// Print the completion script of a shell.
    Completion(generate::Completion),
    /// Write the manual pages.
    Man(generate::Man),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Check => "check",
            Self::Ledger(ledger) => ledger.name(),
            Self::Storage(storage) => storage.name(),
            Self::Site(site) => site.name(),
            Self::Study(study) => study.name(),
            Self::Serve(_) => "serve",
            Self::Round(round) => round.name(),
            Self::Report(report) => report.name(),
            Self::Pool(_) => "pool",
            Self::Sim(_) => "sim",
            Self::Completion(_) => "completion",
            Self::Man(_) => "man",
        }
    }
}

/// Runs the command that `arguments` name, the first being the program.
pub fn run(arguments: &[OsString]) -> ExitCode {
    match <Cli as Parser>::try_parse_from(arguments) {
        Ok(cli) => perform(&cli),
        Err(error) => misused(&error, arguments),
    }
}

fn perform(cli: &Cli) -> ExitCode {
    let manners = Manners {
        format: cli.format,
        quiet: cli.quiet,
    };
    let colours = !cli.no_color && std::env::var_os("NO_COLOR").is_none();
    let serving = matches!(cli.command, Command::Serve(_));
    output::start_log(cli.verbose, serving, cli.quiet, colours);
    let command = cli.command.name();
    let answer = answer(cli, manners);
    output::finish(command, answer, manners)
}

fn answer(cli: &Cli, manners: Manners) -> Result<Answer, Fault> {
    match &cli.command {
        Command::Init(init) => init.run(&cli.dir),
        Command::Completion(completion) => completion.run(),
        Command::Man(man) => man.run(),
        Command::Study(study) => study.run(&cli.dir),
        Command::Pool(pool) => pool.run(),
        Command::Sim(sim) => sim.run(manners),
        Command::Check => check::run(&cli.dir),
        Command::Ledger(ledger) => ledger.run(&Home::open(&cli.dir)?),
        Command::Storage(storage) => storage.run(&Home::open(&cli.dir)?),
        Command::Site(site) => site.run(&Home::open(&cli.dir)?),
        Command::Serve(serve) => serve.run(&Home::open(&cli.dir)?, manners),
        Command::Round(round) => round.run(&Home::open(&cli.dir)?, manners),
        Command::Report(report) => report.run(&cli.dir),
    }
}

/// Help and version are no misuse; everything else ends with exit code 2, as an envelope when
/// JSON was asked for.
fn misused(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // A closed pipe while help is printed is the reader's choice.
        let _ = error.print();
        return ExitCode::from(Exit::Done as u8);
    }
    let json = arguments
        .windows(2)
        .any(|pair| pair[0] == "--format" && (pair[1] == "json" || pair[1] == "jsonl"))
        || arguments
            .iter()
            .any(|word| word == "--format=json" || word == "--format=jsonl");
    if !json {
        let _ = error.print();
        return ExitCode::from(Exit::Usage as u8);
    }
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or("wrong use");
    let fault = Fault::new(
        Code::UsageInvalid,
        what.trim_start_matches("error: "),
        "the command line does not fit this program's grammar",
        "see: fedval --help",
    );
    let manners = Manners {
        format: Format::Json,
        quiet: false,
    };
    output::finish("fedval", Err(fault), manners)
}
