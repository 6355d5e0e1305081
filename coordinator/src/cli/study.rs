//! `fedval study`: from a template to a locked protocol.
//!
//! From: `study.toml`.
//! To: `desk::lock_study`; the locked document.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared::disclosure::noise::histograms;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::{Metric, mode};
use shared::study::lock::{LockedProtocol, Signoff};
use shared::study::masked::{HOSPITALS_MIN, Layout, STEPS};
use shared::study::plan::StatisticKind;
use shared::study::{StudyProtocol, plan, template, validate};

use super::noise::Noise;
use super::output::{Answer, table};
use super::power::Power;
use crate::config::Home;
use crate::consortium::Consortium;
use crate::desk;
use crate::link::system_now;

/// Write, check and lock a study.
#[derive(Debug, Subcommand)]
pub(super) enum Study {
    /// Start from a commented template.
    New(New),
    /// Check a study file and say what every site will compute and send.
    Check(FileOnly),
    /// Freeze and sign a study; afterwards it cannot change.
    Lock(Lock),
    /// Show a study, locked or not.
    Show(FileOnly),
    /// Say how many hospitals and patients are needed, and what a given number can show.
    Power(Box<Power>),
    /// Say what differential privacy at the hospitals would do to counts and AUC.
    Noise(Box<Noise>),
}

/// Start from a commented template.
#[derive(Debug, Args)]
pub(super) struct New {
    /// Which template.
    #[arg(long, default_value = "binary", value_parser = ["binary", "segmentation", "detection"])]
    template: String,
    /// Where to write it; standard output when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// One file.
#[derive(Debug, Args)]
pub(super) struct FileOnly {
    /// The study file.
    file: PathBuf,
}

/// Freeze and sign a study.
#[derive(Debug, Args)]
pub(super) struct Lock {
    /// The study file (TOML).
    file: PathBuf,
    /// Who signed off, once per role the study requires.
    #[arg(long, value_name = "ROLE=NAME", value_parser = signoff)]
    signoff: Vec<Signoff>,
    /// Where to write the locked study.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn signoff(text: &str) -> Result<Signoff, String> {
    match text.split_once('=') {
        Some((role, name)) if !role.trim().is_empty() && !name.trim().is_empty() => Ok(Signoff {
            role: role.trim().to_owned(),
            name: name.trim().to_owned(),
        }),
        Some(_) | None => Err("write for example statistician=\"A. Name\"".to_owned()),
    }
}

impl Study {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "study new",
            Self::Check(_) => "study check",
            Self::Lock(_) => "study lock",
            Self::Show(_) => "study show",
            Self::Power(_) => "study power",
            Self::Noise(_) => "study noise",
        }
    }

    pub(super) fn run(&self, dir: &Path) -> Result<Answer, Fault> {
        match self {
            Self::New(new) => new.run(),
            Self::Check(wish) => check(&wish.file),
            Self::Lock(lock) => lock.run(dir),
            Self::Show(wish) => show(&wish.file, dir),
            Self::Power(power) => power.run(),
            Self::Noise(noise) => noise.run(),
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(file).map_err(|error| {
        Fault::new(
            Code::ProtocolUnreadable,
            format!("{} cannot be read", file.display()),
            error.to_string(),
            "check the path; start one with: fedval study new --out study.toml",
        )
    })
}

pub(super) fn read_source(file: &Path) -> Result<StudyProtocol, Fault> {
    let bytes = read(file)?;
    let name = file.display().to_string();
    let text = String::from_utf8(bytes).map_err(|_| {
        Fault::new(
            Code::ProtocolUnreadable,
            format!("{name} is not text"),
            "a study is written in TOML, UTF-8",
            "save it as plain UTF-8 text",
        )
    })?;
    if text.trim_start().starts_with('{') {
        return Err(Fault::new(
            Code::ProtocolInvalid,
            format!("{name} is JSON"),
            "it looks like a study that is locked already; locking starts from TOML",
            format!("look at it with: fedval study show {name}"),
        ));
    }
    desk::read_study(&text, &name)
}

fn unwritable(file: &Path, error: &std::io::Error) -> Fault {
    Fault::new(
        Code::OutputUnwritable,
        format!("{} cannot be written", file.display()),
        error.to_string(),
        "choose another --out",
    )
}

impl New {
    fn run(&self) -> Result<Answer, Fault> {
        let text = template::find(&self.template)
            .ok_or_else(|| Fault::internal("a listed template is missing"))?;
        let data = json!({"template": self.template, "out": self.out, "text": text});
        let Some(out) = &self.out else {
            return Answer::new(text, &data);
        };
        let mut file = std::fs::File::create_new(out).map_err(|error| unwritable(out, &error))?;
        std::io::Write::write_all(&mut file, text.as_bytes())
            .map_err(|error| unwritable(out, &error))?;
        let name = out.display();
        Ok(Answer::new(format!("wrote {name}"), &data)?.next(format!("fedval study check {name}")))
    }
}

/// What every site will compute and send, in words.
fn asked_of_sites(protocol: &StudyProtocol) -> Vec<Value> {
    plan::kinds(protocol)
        .iter()
        .chain(&plan::stepped(protocol))
        .map(|kind| json!({"statistic": kind.as_str(), "words": kind.words()}))
        .collect()
}

fn check(file: &Path) -> Result<Answer, Fault> {
    let protocol = read_source(file)?;
    let name = file.display().to_string();
    let problems = validate::check(&protocol);
    if !problems.is_empty() {
        let data: Vec<Value> = problems
            .iter()
            .map(|p| json!({"place": p.place, "what": p.what, "fix": p.fix}))
            .collect();
        let mut answer = Answer::new("", &json!({"problems": data}))?;
        answer.fault = Some(desk::problems_fault(&problems, &name));
        return Ok(answer);
    }
    let mut text = format!("{}\n\n", summary(&protocol));
    text.push_str("Every site will compute and, after its own review, send:\n");
    for kind in plan::kinds(&protocol) {
        text.push_str(&planned(kind));
    }
    if let Some(plan) = protocol.one_stage_calibration {
        text.push_str(&format!(
            "External sites will then answer at most {} steps, with the sums of all in between:\n",
            plan.max_steps
        ));
        text.push_str(&planned(StatisticKind::CalibrationBlock));
    }
    if let Some(plan) = protocol.masked_sums {
        let layout = Layout::of(&validate::expand(&protocol));
        text.push_str(&format!(
            "External sites that allow it will then add {} numbers under masks, to be read as \
             a sum over at least {HOSPITALS_MIN}; each of {} phases waits {} s for a site:\n",
            layout.length(),
            STEPS,
            plan.phase_seconds
        ));
        text.push_str(&planned(StatisticKind::MaskedSums));
    }
    if !histograms(&validate::expand(&protocol)).is_empty() {
        text.push_str(&format!(
            "A site whose policy asks for differential privacy sends score histograms with noise \
             instead, and nothing else; how far off they are: fedval study noise {name}\n"
        ));
    }
    text.push_str(
        "No row, no identifier and no image leaves a site. What each statistic gives with masked \
         sums, under an agreement or on public data: docs/reference/statistics/README.md",
    );
    let data = json!({
        "study": protocol.slug,
        "version": protocol.version,
        "problems": [],
        "asked_of_sites": asked_of_sites(&protocol),
    });
    let signoffs: String = protocol
        .signoff
        .required
        .iter()
        .map(|role| format!(" --signoff {role}=\"...\""))
        .collect();
    Ok(Answer::new(text, &data)?.next(format!(
        "fedval study lock {name}{signoffs} --out locked.json"
    )))
}

/// What every site computes of one kind, and what of it a site that protects lets leave.
fn planned(kind: plan::StatisticKind) -> String {
    let line = mode::line(kind);
    format!(
        "  {:<18} {}\n  {:<18} leaves a site that protects: {}\n",
        kind.as_str(),
        kind.words(),
        "",
        line.site
    )
}

impl Lock {
    fn run(&self, dir: &Path) -> Result<Answer, Fault> {
        let consortium = Consortium::load(&Home::open(dir)?.ca_dir())?;
        let protocol = read_source(&self.file)?;
        let name = self.file.display().to_string();
        let bytes = desk::lock_study(&consortium, &protocol, &self.signoff, &name, system_now())?;
        // A locked study is never overwritten: another file with the same name would differ.
        let mut out =
            std::fs::File::create_new(&self.out).map_err(|error| unwritable(&self.out, &error))?;
        std::io::Write::write_all(&mut out, &bytes)
            .map_err(|error| unwritable(&self.out, &error))?;
        let digest = Digest::of(&bytes);
        let shown = self.out.display();
        let text = format!(
            "locked {} {}\ndigest  {digest}\nfile    {shown}",
            protocol.slug, protocol.version
        );
        let data = json!({
            "study": protocol.slug,
            "version": protocol.version,
            "digest": digest,
            "out": self.out,
        });
        Ok(Answer::new(text, &data)?.next(format!("fedval round launch {shown} --dry-run")))
    }
}

fn show(file: &Path, dir: &Path) -> Result<Answer, Fault> {
    let bytes = read(file)?;
    if bytes.first() != Some(&b'{') {
        let protocol = read_source(file)?;
        let text = format!("{}\nnot locked", summary(&protocol));
        return Answer::new(text, &json!({"locked": false, "protocol": protocol}));
    }
    let digest = Digest::of(&bytes);
    let home = Home::open(dir)?;
    if Consortium::exists(&home.ca_dir()) {
        let consortium = Consortium::load(&home.ca_dir())?;
        let (locked, digest) = desk::open_locked(&consortium, &bytes, system_now())?;
        return shown(&locked, digest, true);
    }
    let document: Value =
        serde_json::from_slice(&bytes).map_err(|error| not_locked(file, &error))?;
    let body = document.get("body").cloned().unwrap_or_default();
    let locked: LockedProtocol =
        serde_json::from_value(body).map_err(|error| not_locked(file, &error))?;
    Ok(shown(&locked, digest, false)?
        .warn("its signature was not checked: there is no consortium in this state directory"))
}

fn not_locked(file: &Path, error: &serde_json::Error) -> Fault {
    Fault::new(
        Code::ProtocolNotLocked,
        format!("{} is no locked study", file.display()),
        error.to_string(),
        "use the file that fedval study lock wrote, unchanged",
    )
}

fn shown(locked: &LockedProtocol, digest: Digest, checked: bool) -> Result<Answer, Fault> {
    let mut text = summary(&locked.protocol);
    text.push_str(&format!(
        "\nlocked    {}\ndigest    {digest}",
        locked.locked_at
    ));
    for signoff in &locked.signoffs {
        text.push_str(&format!("\nsign-off  {} ({})", signoff.name, signoff.role));
    }
    let data = json!({
        "locked": true,
        "signature_checked": checked,
        "digest": digest,
        "locked_at": locked.locked_at,
        "signoffs": locked.signoffs,
        "protocol": locked.protocol,
    });
    Answer::new(text, &data)
}

fn summary(protocol: &StudyProtocol) -> String {
    let primary = &protocol.analysis.primary;
    let mut text = format!(
        "{} {}: {}\nquestion  {}\nprimary   {} of {} for {}, at least {}\n",
        protocol.slug,
        protocol.version,
        protocol.title,
        protocol.question,
        Metric::of_primary(primary.metric).entry().name,
        primary.model,
        primary.endpoint,
        primary.acceptance.at_least
    );
    let rows: Vec<Vec<String>> = protocol
        .site
        .iter()
        .map(|site| {
            let role = serde_json::to_value(site.role).unwrap_or_default();
            let role = role.as_str().unwrap_or_default().to_owned();
            vec![site.slug.to_string(), role, site.display_name.clone()]
        })
        .collect();
    text.push_str(&table(&["site", "role", "name"], &rows));
    text
}
