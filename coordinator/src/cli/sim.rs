//! `fedval sim`: four hospitals and a coordinator on this machine, one real report.
//!
//! From: the bundled study and data.
//! To: `sim`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use shared::disclosure::Profile;
use shared::fault::{Code, Fault};
use shared::pool::result::{PoolOutcome, SiteOutcome};
use shared::report::Report;

use super::output::{Answer, Manners};
use crate::sim::{Plan, SimStudy, simulate};

/// Run a bundled study on this machine, as real processes, and write its report.
#[derive(Debug, Args)]
pub(super) struct Sim {
    /// What is simulated.
    #[arg(long, value_enum, default_value_t = Template::Binary)]
    template: Template,
    /// How many hospitals the template "screening" has, 4 to 40.
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=40))]
    sites: Option<u64>,
    /// Disclosure policy of every simulated hospital; default: open-data, and standard for
    /// "screening".
    #[arg(long, value_enum)]
    policy: Option<Policy>,
    /// Where to write the report bundle.
    #[arg(long, value_name = "DIR", default_value = "fedval-report")]
    out: PathBuf,
    /// Open the report in the browser.
    #[arg(long)]
    open: bool,
    /// The node's program; default: `fedval-node` beside this one.
    #[arg(long, value_name = "FILE")]
    node: Option<PathBuf>,
    /// Keep the coordinator's and the hospitals' state in this folder, to look around.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Template {
    /// Predictions for real, public data of four hospitals.
    Binary,
    /// Masks of three made-up hospitals, in NIfTI and DICOM, made by seed.
    Segmentation,
    /// A screening study with masked sums over made-up hospitals, made by seed.
    Screening,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Policy {
    /// The bundled data are public: no disclosure control, stamped on the report.
    OpenData,
    /// As a hospital would: 10 patients.
    Standard,
    /// 11 patients.
    Strict,
    /// 8 patients.
    Nhs,
    /// 5 patients.
    Network,
}

impl From<Policy> for Profile {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::OpenData => Self::OpenData,
            Policy::Standard => Self::Standard,
            Policy::Strict => Self::Strict,
            Policy::Nhs => Self::Nhs,
            Policy::Network => Self::Network,
        }
    }
}

impl Sim {
    pub(super) fn run(&self, manners: Manners) -> Result<Answer, Fault> {
        let fedval = std::env::current_exe()
            .map_err(|fault| Fault::internal(format!("this program's path: {fault}")))?;
        let node = match &self.node {
            Some(node) => node.clone(),
            None => beside(&fedval)?,
        };
        let out = absolute(&self.out)?;
        let keep = self.keep.as_deref().map(absolute).transpose()?;
        let study = self.study()?;
        let usual = match study {
            SimStudy::Binary | SimStudy::Segmentation => Policy::OpenData,
            SimStudy::Screening(_) => Policy::Standard,
        };
        let policy = Profile::from(self.policy.unwrap_or(usual));
        let say = |words: &str| {
            if !manners.quiet {
                eprintln!("{words}");
            }
        };
        simulate(&Plan {
            study,
            policy,
            out: &out,
            fedval: &fedval,
            node: &node,
            state: keep.as_deref(),
            say: &say,
        })?;
        let report = out.join("report.html");
        if self.open {
            open(&report);
        }
        let template = match study {
            SimStudy::Binary => String::new(),
            SimStudy::Segmentation => "--template segmentation ".to_owned(),
            SimStudy::Screening(sites) => format!("--template screening --sites {sites} "),
        };
        let other = match (study, policy) {
            (SimStudy::Screening(_), Profile::Strict) => Profile::Standard,
            (SimStudy::Screening(_), _) => Profile::Strict,
            (_, Profile::OpenData) => Profile::Standard,
            (_, _) => Profile::OpenData,
        };
        let other = format!(
            "fedval sim {template}--policy {} --out {}-{}",
            other.as_str(),
            self.out.display(),
            other.as_str()
        );
        let data = json!({
            "report": report,
            "policy": policy.as_str(),
            "state": keep,
        });
        let mut text = format!("{}\n", summary(&out)?);
        if policy == Profile::OpenData {
            text.push_str("the data are public: disclosure control was off\n");
        }
        let _ = writeln!(text, "report  {}", report.display());
        Ok(Answer::new(text, &data)?.next(other))
    }
}

impl Sim {
    fn study(&self) -> Result<SimStudy, Fault> {
        const SITES: u64 = 8;
        match self.template {
            Template::Screening => Ok(SimStudy::Screening(self.sites.unwrap_or(SITES))),
            Template::Binary | Template::Segmentation if self.sites.is_some() => Err(Fault::new(
                Code::UsageInvalid,
                "this template has hospitals of its own",
                "--sites goes with --template screening",
                "leave --sites out",
            )),
            Template::Binary => Ok(SimStudy::Binary),
            Template::Segmentation => Ok(SimStudy::Segmentation),
        }
    }
}

/// The answer in one line, read back from the report that was written.
fn summary(out: &Path) -> Result<String, Fault> {
    let unread = || Fault::internal("the written report.json cannot be read back");
    let bytes = std::fs::read(out.join("report.json")).map_err(|_| unread())?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|_| unread())?;
    let study = report.study;
    let released = study
        .sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released);
    let released = released.count();
    if let Some(site) = study
        .sites
        .iter()
        .find(|site| site.outcome == SiteOutcome::Quarantined)
    {
        return Err(Fault::internal(format!(
            "the release of {} was set aside",
            site.site
        )));
    }
    let sites = format!("{released} of {} hospitals released", study.sites.len());
    let primary = study.analyses.first();
    let name = primary.map_or("", |analysis| analysis.key.metric.entry().name);
    Ok(match primary.map(|analysis| &analysis.pool) {
        Some(PoolOutcome::Pooled(pool)) => format!(
            "{sites}; mean {name} over {} external hospitals {:.3} ({:.0}% CI {:.3} to {:.3})",
            pool.k,
            pool.estimate,
            pool.level * 100.0,
            pool.low,
            pool.high
        ),
        Some(PoolOutcome::TooFewSites {
            sites: usable,
            minimum,
        }) => format!(
            "{sites}; no pool: {usable} external hospitals, the protocol asks for {minimum}"
        ),
        Some(PoolOutcome::ConfoundedWithSite | PoolOutcome::NotPooled | PoolOutcome::Failed)
        | None => format!("{sites}; no pool"),
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path).map_err(|fault| {
        Fault::new(
            Code::OutputUnwritable,
            format!("{} is no usable path", path.display()),
            fault.to_string(),
            "name another folder",
        )
    })
}

fn beside(fedval: &Path) -> Result<PathBuf, Fault> {
    let node = fedval.with_file_name("fedval-node");
    if node.exists() {
        return Ok(node);
    }
    Err(Fault::new(
        Code::UsageInvalid,
        "the node's program was not found",
        format!("there is no {}", node.display()),
        "build it (cargo build --release), or name it with --node",
    ))
}

/// The desktop's opener; that there is none changes nothing.
fn open(report: &Path) {
    let opened = std::process::Command::new("xdg-open")
        .arg(report)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if opened.is_err() {
        eprintln!("no program to open {} was found", report.display());
    }
}
