//! `fedval-node measure`: what would be sent, without any coordinator. This is how a statistician
//! tries a protocol on one table, and how an air-gapped site works.
//!
//! From: a protocol, a table, a policy.
//! To: a release file for `fedval pool`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use shared::disclosure::{Item, Policy, Profile};
use shared::fault::{Code, Exit, Fault};
use shared::identity::Digest;
use shared::study::lock::{LockedProtocol, SCHEMA};
use shared::study::source::nearest;
use shared::study::{SiteSlug, StudyProtocol, plan, source, validate};

use super::output::Output;
use super::{Cli, Outcome, one};
use crate::cohort::{Finding, Means, TableSource};
use crate::config::NodeConfig;
use crate::daemon::StateLock;
use crate::link::system_now;
use crate::measure::{self, Measured, Question};
use crate::noise::Purse;
use crate::preview;
use crate::release;
use crate::spoken::Past;
use crate::store::Store;

mod enrolled;

use enrolled::Enrolled;

/// Compute what would be sent.
#[derive(Debug, Args)]
pub(super) struct Measure {
    /// The protocol: a locked document, or TOML source.
    #[arg(long)]
    study: PathBuf,
    /// The table, CSV or Parquet.
    #[arg(long)]
    data: PathBuf,
    /// A declared field and its column; without it, a column of the field's own name is read.
    #[arg(long = "map", value_name = "NAME=COLUMN")]
    map: Vec<String>,
    /// The site, as the protocol names it.
    #[arg(long)]
    site: SiteSlug,
    /// A policy file, or the name of a shipped profile: standard, strict, nhs, network, open-data.
    #[arg(long, default_value = "standard")]
    policy: String,
    /// Where the release is written; without it, it is printed.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A protocol as read from a file.
pub(super) struct Study {
    pub(super) protocol: StudyProtocol,
    pub(super) digest: Digest,
}

#[derive(Serialize)]
struct Report<'a> {
    release: String,
    bytes: usize,
    digest: String,
    out: Option<String>,
    items: &'a [Item],
    findings: &'a [Finding],
}

impl Measure {
    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let study = read_study(&self.study)?;
        if study.protocol.find_site(&self.site).is_none() {
            let names: Vec<&str> = study
                .protocol
                .site
                .iter()
                .map(|site| site.slug.as_str())
                .collect();
            return Err(one(Fault::new(
                Code::UnknownSite,
                format!("the protocol does not invite a site {}", self.site),
                format!("it invites {}", names.join(", ")),
                "use one of these names with --site",
            )));
        }
        let policy = self.policy().map_err(one)?;
        let mut source = TableSource::new(&self.data);
        for text in &self.map {
            source.map_argument(text).map_err(one)?;
        }
        let enrolled = self.enrolled(cli)?;
        if let Some(node) = &enrolled {
            node.may_measure(&study, &policy).map_err(one)?;
        }
        let salt = match &enrolled {
            Some(node) => release::salt(&node.store).map_err(one)?,
            None => fresh_salt().map_err(one)?,
        };
        let past = match &enrolled {
            Some(node) => {
                if policy.profile() == Profile::OpenData {
                    release::only_public_studies(&node.store).map_err(one)?;
                }
                node.store.past().map_err(one)?
            }
            None => Past::default(),
        };
        let question = Question {
            protocol: &study.protocol,
            digest: study.digest,
            site: &self.site,
            job: None,
            kinds: &plan::kinds(&study.protocol),
            salt: &salt,
            past: &past,
            purse: enrolled.as_ref().map(|node| Purse {
                store: &node.store,
                now: system_now(),
            }),
        };
        let watch = output.watch();
        let tell = |progress| watch.tell(progress);
        let config = enrolled.as_ref().map(|node| &node.config);
        let allowance = config.map(|config| config.imaging.allowance());
        let state = config.map(|config| config.storage.dir.as_path());
        let means = Means::new(allowance.unwrap_or_default(), state, &tell);
        // Where no ledger is kept, nobody asks who the patients are.
        let means = if enrolled.is_some() {
            means.salted(&salt)
        } else {
            means
        };
        let mut measured = measure::run(&question, &source, &means, &policy)?;
        let kept = measured.kept.take();
        let finished = self.finish(&study, &policy, &measured, enrolled.as_ref(), output);
        // A release that could not be written is asked for again; one that is withheld is not.
        if let (Some(kept), true) = (kept, finished.is_ok() || measured.outcome.is_err()) {
            kept.done();
        }
        finished
    }

    fn finish(
        &self,
        study: &Study,
        policy: &Policy,
        measured: &Measured,
        enrolled: Option<&Enrolled>,
        output: &Output,
    ) -> Outcome {
        let heading = format!(
            "{} {} at {}, policy {}",
            study.protocol.slug,
            preview::line(&study.protocol.version),
            self.site,
            policy.profile().as_str()
        );
        let bytes = match &measured.outcome {
            Ok(bytes) => bytes,
            Err(why) => {
                let text = preview::text(
                    &heading,
                    &study.protocol,
                    (&[], None),
                    &measured.findings,
                    None,
                );
                output.words(&text);
                return Err(one(Fault::new(
                    Code::NotReleased,
                    format!("{} would release nothing", self.site),
                    why.clone(),
                    "nothing to do: this is the site's own protection; see docs/explanation/disclosure.md",
                )));
            }
        };
        if let Some(node) = enrolled {
            node.may_write(study, bytes.bytes()).map_err(one)?;
            let told = (bytes, policy.stamp().digest, &measured.spoken);
            node.store
                .record(&study.protocol.slug, study.digest, system_now(), told)
                .map_err(one)?;
        }
        let shown = if self.out.is_none() {
            Some(bytes.bytes())
        } else {
            None
        };
        let text = preview::text(
            &heading,
            &study.protocol,
            (&measured.items, None),
            &measured.findings,
            shown,
        );
        if let Some(out) = &self.out {
            write(out, bytes.bytes()).map_err(one)?;
            output.words(&format!("written: {}", out.display()));
        }
        let data = Report {
            release: bytes.id().to_string(),
            bytes: bytes.bytes().len(),
            digest: bytes.digest().to_string(),
            out: self.out.as_ref().map(|out| out.display().to_string()),
            items: &measured.items,
            findings: &measured.findings,
        };
        let next = format!(
            "fedval pool {} --study {} --out report",
            self.file(),
            self.study.display()
        );
        output.result("measure", Exit::Done, data, &text, &[&next])
    }

    fn file(&self) -> String {
        self.out.as_ref().map_or_else(
            || "release.json ...".to_owned(),
            |out| out.display().to_string(),
        )
    }

    fn policy(&self) -> Result<Policy, Fault> {
        let shipped = Profile::parse(&self.policy);
        // A contract has a reference and an end of its own: `dua` is always a file.
        if let Some(profile) = shipped.filter(|profile| *profile != Profile::Dua) {
            return measure::parse_policy(profile.shipped(), profile.as_str());
        }
        let path = Path::new(&self.policy);
        if !path.exists() && shipped.is_none() {
            let profiles = Profile::ALL.map(Profile::as_str);
            let near = nearest(&self.policy, profiles);
            return Err(Fault::new(
                Code::PolicyMissing,
                format!("{} is neither a policy file nor a profile", self.policy),
                "no such file exists here",
                near.map_or_else(
                    || {
                        "name a file, or one of standard, strict, nhs, network, open-data"
                            .to_owned()
                    },
                    |near| format!("did you mean \"{near}\"? or name a policy file"),
                ),
            ));
        }
        let policy = measure::policy(Some(path))?;
        measure::in_force(&policy, system_now())?;
        if policy.approvers() > 1 {
            return Err(Fault::new(
                Code::SecondApprover,
                "a release under profile dua needs two people",
                "this command writes a file for one",
                "take part in a round: fedval-node run, then two approvals",
            ));
        }
        Ok(policy)
    }

    /// On an enrolled node the measurement goes into its ledger (decision P8); `--config` names it.
    fn enrolled(&self, cli: &Cli) -> Result<Option<Enrolled>, Vec<Fault>> {
        if !cli.config.exists() {
            return Ok(None);
        }
        let config = NodeConfig::load(&cli.config).map_err(one)?;
        if config.site.slug != self.site {
            return Ok(None);
        }
        let lock = StateLock::take(&config.storage.dir).map_err(one)?;
        let store = Store::open(&config.storage.dir).map_err(one)?;
        Ok(Some(Enrolled {
            config,
            store,
            _lock: lock,
        }))
    }
}

fn fresh_salt() -> Result<Vec<u8>, Fault> {
    use shared::identity::Entropy as _;
    let mut salt = vec![0; 32];
    crate::link::SystemEntropy
        .fill(&mut salt)
        .map_err(|_| Fault::internal("this machine gives no random bytes"))?;
    Ok(salt)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    std::fs::write(path, bytes).map_err(|fault| {
        Fault::new(
            Code::OutputUnwritable,
            format!("{} cannot be written", path.display()),
            fault.to_string(),
            "name a file in a folder you may write",
        )
    })
}

/// The protocol inside a locked document, without checking who signed it: for looking and for
/// measuring without a coordinator, never for admitting a job.
pub(super) fn unverified(bytes: &[u8]) -> Option<StudyProtocol> {
    let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    if document.get("schema")?.as_str()? != SCHEMA {
        return None;
    }
    let body: LockedProtocol = serde_json::from_value(document.get("body")?.clone()).ok()?;
    Some(body.protocol)
}

/// Reads a protocol from a locked document or from TOML source.
pub(super) fn read_study(path: &Path) -> Result<Study, Vec<Fault>> {
    let text = std::fs::read_to_string(path).map_err(|fault| {
        one(Fault::new(
            Code::ProtocolUnreadable,
            format!("the study file {} cannot be read", path.display()),
            fault.to_string(),
            "name the locked document or the TOML source of the protocol",
        ))
    })?;
    if text.trim_start().starts_with('{') {
        let protocol = unverified(text.as_bytes()).ok_or_else(|| {
            one(Fault::new(
                Code::ProtocolInvalid,
                format!("{} is not a locked protocol", path.display()),
                format!("it is JSON, but not a {SCHEMA}"),
                "use the file that fedval study lock wrote",
            ))
        })?;
        return Ok(Study {
            protocol,
            digest: Digest::of(text.as_bytes()),
        });
    }
    let name = path.display().to_string();
    let parsed = source::parse(&text)
        .map_err(|fault| one(fault.into_fault(Code::ProtocolInvalid, &name)))?;
    let problems = validate::check(&parsed);
    if !problems.is_empty() {
        let fault = |problem: &validate::Problem| {
            Fault::new(
                Code::ProtocolInvalid,
                format!("{name}: {}", problem.place),
                problem.what.clone(),
                problem.fix.clone(),
            )
        };
        return Err(problems.iter().map(fault).collect());
    }
    let protocol = validate::expand(&parsed);
    let bytes = shared::identity::to_canonical(&protocol).map_err(|fault| {
        one(Fault::internal(format!(
            "the protocol cannot be written: {fault}"
        )))
    })?;
    Ok(Study {
        digest: Digest::of(&bytes),
        protocol,
    })
}
