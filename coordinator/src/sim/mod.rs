//! A whole consortium on one machine: this program as coordinator and one `fedval-node` process
//! per hospital, on loopback, with the bundled public data or with masks made by seed. Every step is a command that a
//! person would type, run as a process of its own and shown as it runs.
//!
//! From: `cli::sim`, the bundled example.
//! To: a report bundle, written by the same `fedval report build` as any other.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shared::disclosure::Profile;
use shared::fault::{Code, Fault};

mod process;
pub mod screening;

use process::{Child, run};

/// What is simulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SimStudy {
    /// The bundled study of public tables of four hospitals.
    Binary,
    /// Masks of three made-up hospitals, made by seed.
    Segmentation,
    /// A screening study with masked sums over so many made-up hospitals, made by seed.
    Screening(u64),
}

/// One simulated hospital: its slug, its name, what it has.
struct Hospital {
    slug: String,
    name: String,
    data: Data,
}

/// What a simulated hospital has.
enum Data {
    /// A table, as it stands.
    Table(Cow<'static, [u8]>),
    /// Masks that the node's program makes, and the table that names them.
    Masks {
        seed: &'static str,
        form: &'static str,
    },
}

macro_rules! public_table {
    ($slug:literal, $name:literal) => {
        (
            $slug,
            $name,
            include_bytes!(concat!(
                "../../../configs/examples/heart/data/",
                $slug,
                ".csv"
            ))
            .as_slice(),
        )
    };
}

const TABLES: [(&str, &str, &[u8]); 4] = [
    public_table!("cleveland", "Cleveland Clinic"),
    public_table!("hungarian", "Hungarian Institute of Cardiology"),
    public_table!("switzerland", "University Hospitals Zurich and Basel"),
    public_table!("va", "VA Medical Center Long Beach"),
];

const MASKS: [(&str, &str, &str, &str); 3] = [
    ("north", "Simulated hospital North", "1", "nifti"),
    ("south", "Simulated hospital South", "2", "nifti-packed"),
    ("coast", "Simulated hospital Coast", "3", "dicom-seg"),
];

impl SimStudy {
    /// The protocol's source.
    pub fn source(self) -> String {
        match self {
            Self::Binary => include_str!("../../../configs/examples/heart/study.toml").to_owned(),
            Self::Segmentation => {
                include_str!("../../../configs/examples/masks/study.toml").to_owned()
            }
            Self::Screening(_) => {
                let text = include_str!("../../../configs/examples/screening/study.toml");
                let hospitals = self.hospitals().into_iter().map(|hospital| {
                    format!(
                        "\n[[site]]\nslug = \"{}\"\ndisplay_name = \"{}\"\nrole = \"external\"\n",
                        hospital.slug, hospital.name
                    )
                });
                text.to_owned() + &hospitals.collect::<String>()
            }
        }
    }

    /// Its short name, as in the source.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Binary => "heart-disease",
            Self::Segmentation => "simulated-masks",
            Self::Screening(_) => "simulated-screening",
        }
    }

    fn hospitals(self) -> Vec<Hospital> {
        let hospital = |slug: &str, name: &str, data| Hospital {
            slug: slug.to_owned(),
            name: name.to_owned(),
            data,
        };
        match self {
            Self::Binary => TABLES
                .into_iter()
                .map(|(slug, name, table)| hospital(slug, name, Data::Table(Cow::Borrowed(table))))
                .collect(),
            Self::Segmentation => MASKS
                .into_iter()
                .map(|(slug, name, seed, form)| hospital(slug, name, Data::Masks { seed, form }))
                .collect(),
            Self::Screening(sites) => (1..=sites)
                .map(|number| {
                    let table = Cow::Owned(screening::table(number).into_bytes());
                    hospital(
                        &format!("hospital-{number:02}"),
                        &format!("Simulated hospital {number}"),
                        Data::Table(table),
                    )
                })
                .collect(),
        }
    }

    /// Whether its hospitals share masks, and so must know each other's keys.
    fn has_peers(self) -> bool {
        matches!(self, Self::Screening(_))
    }
}

/// Longest wait for all hospitals.
const PATIENCE: &str = "240s";

/// What to simulate.
pub struct Plan<'a> {
    /// The study and its hospitals.
    pub study: SimStudy,
    /// Policy of every hospital.
    pub policy: Profile,
    /// Where the report goes.
    pub out: &'a Path,
    /// This program.
    pub fedval: &'a Path,
    /// The node's program.
    pub node: &'a Path,
    /// Where coordinator and hospitals live; absent for a folder that is removed at the end.
    pub state: Option<&'a Path>,
    /// Hears of every step.
    pub say: &'a dyn Fn(&str),
}

/// Runs the simulation.
///
/// # Errors
/// The first command that fails, with what it printed. Every process started here has ended.
pub fn simulate(plan: &Plan<'_>) -> Result<(), Fault> {
    let scratch = match plan.state {
        Some(_) => None,
        None => Some(Scratch::make()?),
    };
    let state = plan
        .state
        .or(scratch.as_ref().map(|scratch| scratch.0.as_path()));
    let state = state.ok_or_else(|| Fault::internal("no state folder"))?;
    let sim = Sim {
        plan,
        state,
        begun: Instant::now(),
    };
    let serve = sim.consortium()?;
    let nodes = sim.hospitals()?;
    sim.round()?;
    for node in nodes {
        node.stop()?;
    }
    serve.stop()
}

/// A folder that goes when the simulation ends.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self, Fault> {
        // Short, because the path of a Unix socket has at most 107 bytes.
        let path = std::env::temp_dir().join(format!("fedval-sim-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|fault| unwritable(&path, &fault))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn unwritable(path: &Path, fault: &std::io::Error) -> Fault {
    Fault::new(
        Code::OutputUnwritable,
        format!("{} cannot be written", path.display()),
        fault.to_string(),
        "name a folder you may write, with --out or --keep",
    )
}

struct Sim<'a> {
    plan: &'a Plan<'a>,
    state: &'a Path,
    begun: Instant,
}

impl Sim<'_> {
    fn say(&self, words: &str) {
        let seconds = self.begun.elapsed().as_secs_f32();
        (self.plan.say)(&format!("{seconds:6.1} s  {words}"));
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|fault| unwritable(folder, &fault))?;
        }
        std::fs::write(path, bytes).map_err(|fault| unwritable(path, &fault))
    }

    /// One command of the coordinator's, shown as typed.
    fn fedval(&self, arguments: &[&str]) -> Result<String, Fault> {
        self.say(&format!("$ fedval {}", shown(arguments)));
        let dir = self.state.join("coordinator");
        run(self.plan.fedval, &dir, arguments, &[])
    }

    /// Station 1 and the server.
    fn consortium(&self) -> Result<Child, Fault> {
        let address = format!("127.0.0.1:{}", free_port()?);
        self.fedval(&["init", "--name", "Fedval simulation", "--address", &address])?;
        let source = self.state.join("study.toml");
        self.write(&source, self.plan.study.source().as_bytes())?;
        let locked = self.locked();
        self.fedval(&[
            "study",
            "lock",
            &text(&source),
            "--signoff",
            "principal-investigator=Simulated principal-investigator",
            "--signoff",
            "statistician=Simulated statistician",
            "--out",
            &text(&locked),
        ])?;
        self.say("$ fedval serve");
        let dir = self.state.join("coordinator");
        let serve = Child::spawn(self.plan.fedval, &[("FEDVAL_DIR", &text(&dir))], &["serve"])?;
        serve.wait_for("listening on", Duration::from_secs(20))?;
        Ok(serve)
    }

    fn locked(&self) -> PathBuf {
        self.state.join("study.locked.json")
    }

    /// All enrolments, then all nodes.
    fn hospitals(&self) -> Result<Vec<Child>, Fault> {
        let hospitals = self.plan.study.hospitals();
        for hospital in &hospitals {
            self.enrol(hospital)?;
        }
        if self.plan.study.has_peers() {
            self.acquaint(&hospitals)?;
        }
        hospitals
            .iter()
            .map(|hospital| {
                self.say(&format!(
                    "$ fedval-node run                      # at {}",
                    hospital.name
                ));
                let config = self.config(hospital);
                Child::spawn(self.plan.node, &[], &["--config", &text(&config), "run"])
            })
            .collect()
    }

    fn config(&self, hospital: &Hospital) -> PathBuf {
        self.state.join(&hospital.slug).join("node.toml")
    }

    /// Every hospital writes down the keys of all others, as its people would by telephone.
    fn acquaint(&self, hospitals: &[Hospital]) -> Result<(), Fault> {
        let mut lines =
            String::from("\n[peers]    # by telephone, never by way of the coordinator\n");
        for hospital in hospitals {
            let config = text(&self.config(hospital));
            let arguments = ["--config", &config, "peer", "own", "--format", "json"];
            let told = run(self.plan.node, self.state, &arguments, &[])?;
            let _ = writeln!(
                lines,
                "{} = \"{}\"",
                hospital.slug,
                field(&told, "/data/key")?
            );
        }
        self.say("$ fedval-node peer own                  # at each hospital, told to all others");
        for hospital in hospitals {
            let known = self.node_toml(hospital) + &lines;
            self.write(&self.config(hospital), known.as_bytes())?;
        }
        Ok(())
    }

    fn enrol(&self, hospital: &Hospital) -> Result<(), Fault> {
        let home = self.state.join(&hospital.slug);
        self.bring(hospital, &home)?;
        self.write(
            &home.join("policy.toml"),
            self.plan.policy.shipped().as_bytes(),
        )?;
        let config = self.config(hospital);
        self.write(&config, self.node_toml(hospital).as_bytes())?;
        let invited = self.fedval(&["site", "invite", &hospital.slug, "--format", "json"])?;
        let token = field(&invited, "/data/token")?;
        self.say(&format!(
            "$ fedval-node join {}...             # at {}",
            &token[..token.len().min(18)],
            hospital.name
        ));
        let arguments = ["--config", &text(&config), "join", &token, "--wait", "60"];
        let join = Child::spawn(self.plan.node, &[], &arguments)?;
        let line = join.wait_for("words to compare", Duration::from_secs(30))?;
        let words = line
            .rsplit("  ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        self.fedval(&["site", "approve", &hospital.slug, "--words", &words])?;
        join.finish(Duration::from_secs(60))
    }

    fn node_toml(&self, hospital: &Hospital) -> String {
        let Hospital { slug, name, data } = hospital;
        let study = self.plan.study.slug();
        let (table, map) = match data {
            Data::Table(_) if self.plan.study.has_peers() => (
                "predictions.csv",
                format!("\n[study.{study}.masked_sums]\nkeep_days = 30\n"),
            ),
            Data::Table(_) => ("predictions.csv", String::new()),
            Data::Masks { .. } => (
                "manifest.csv",
                format!(
                    "\n[study.{study}.map]\n\
                     candidates = \"candidates.csv#scan={{case_id}}\"    # rows of one scan\n"
                ),
            ),
        };
        format!(
            "# Written by fedval sim. A real hospital keeps mode = \"manual\".\n\
             config_version = 1\n\n\
             [site]\nslug = \"{slug}\"\ndisplay_name = \"{name}\"\n\n\
             [identity]\ndir = \"identity\"\n\n\
             [storage]\ndir = \"state\"\n\n\
             [access]\nstudies = [\"{study}\"]\n\n\
             [release]\nmode = \"automatic\"\nfour_eyes = \"never\"    # public data, and nobody to ask\n\n\
             [disclosure]\npolicy = \"policy.toml\"\n\n\
             [study.{study}.table]\npath = \"{table}\"\nkey = \"case_id\"\n{map}"
        )
    }

    /// The hospital's own data.
    fn bring(&self, hospital: &Hospital, home: &Path) -> Result<(), Fault> {
        match &hospital.data {
            Data::Table(bytes) => self.write(&home.join("predictions.csv"), bytes),
            Data::Masks { seed, form } => {
                self.say(&format!("made-up masks for {}", hospital.name));
                let arguments = ["make-masks", &text(home), "--seed", seed, "--form", form];
                Child::spawn(self.plan.node, &[], &arguments)?.finish(Duration::from_secs(120))
            }
        }
    }

    fn round(&self) -> Result<(), Fault> {
        let round = format!("{}.r1", self.plan.study.slug());
        self.fedval(&["round", "launch", &text(&self.locked()), "--round", &round])?;
        self.fedval(&["round", "wait", &round, "--timeout", PATIENCE])?;
        // Too few releases close the round with exit code 1: an answer, not a failure.
        self.say(&format!("$ fedval round close {round}"));
        let dir = self.state.join("coordinator");
        run(self.plan.fedval, &dir, &["round", "close", &round], &[1])?;
        self.fedval(&["report", "build", &round, "--out", &text(self.plan.out)])?;
        Ok(())
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A command line as a person would type it.
fn shown(arguments: &[&str]) -> String {
    let quote = |word: &&str| {
        if word.contains(' ') {
            format!("\"{word}\"")
        } else {
            (*word).to_owned()
        }
    };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A UDP port that is free now.
fn free_port() -> Result<u16, Fault> {
    std::net::UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .map(|address| address.port())
        .map_err(|fault| {
            Fault::new(
                Code::Unreachable,
                "no UDP port can be opened on 127.0.0.1",
                fault.to_string(),
                "allow this user UDP sockets on the loopback interface",
            )
        })
}

/// A text inside a JSON answer.
fn field(answer: &str, pointer: &str) -> Result<String, Fault> {
    serde_json::from_str::<serde_json::Value>(answer)
        .ok()
        .and_then(|value| value.pointer(pointer)?.as_str().map(str::to_owned))
        .ok_or_else(|| Fault::internal(format!("a command's answer has no {pointer}")))
}
