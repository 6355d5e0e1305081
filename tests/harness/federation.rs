//! A consortium of real processes on loopback: one coordinator, one node per hospital, each with
//! a folder of its own below one temporary folder with a short path (a Unix socket's path has at
//! most 107 bytes).
//!
//! From: `process`, the bundled example.
//! To: tests.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::disclosure::policy::{OPEN_DATA, STANDARD};
use tempfile::TempDir;

use crate::process::{Answer, HOLD_AT, KILL_AT, Process, Programs};

/// The bundled study's short name and the round every test launches.
const SLUG: &str = "heart-disease";
const ROUND: &str = "heart-disease.r1";
const STUDY: &str = include_str!("../../configs/examples/heart/study.toml");
const TABLES: [(&str, &[u8]); 4] = [
    (
        "cleveland",
        include_bytes!("../../configs/examples/heart/data/cleveland.csv"),
    ),
    (
        "hungarian",
        include_bytes!("../../configs/examples/heart/data/hungarian.csv"),
    ),
    (
        "switzerland",
        include_bytes!("../../configs/examples/heart/data/switzerland.csv"),
    ),
    (
        "va",
        include_bytes!("../../configs/examples/heart/data/va.csv"),
    ),
];

/// Who decides about releases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A person.
    Manual,
    /// What a person approved in the same shape.
    SameShape,
    /// The site's configuration.
    Automatic,
}

/// One hospital.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name in the consortium.
    pub slug: String,
    /// Its table, CSV.
    pub table: Vec<u8>,
    /// Text of its policy file; absent for a node without a policy.
    pub policy: Option<String>,
    /// Who decides.
    pub mode: Mode,
    /// When two people must approve; by default never, since a test is one person.
    pub four_eyes: &'static str,
    /// Who may approve, as `node.toml` lists them; by default the user that runs the node.
    pub approvers: Vec<String>,
    /// Studies on its list.
    pub studies: Vec<String>,
    /// Further lines of its `node.toml`.
    pub more: String,
}

impl Site {
    /// The four hospitals of the bundled example, releasing by themselves under `open-data`.
    pub fn all() -> Vec<Self> {
        TABLES
            .iter()
            .map(|(slug, table)| Self {
                slug: (*slug).to_owned(),
                table: table.to_vec(),
                policy: Some(OPEN_DATA.to_owned()),
                mode: Mode::Automatic,
                four_eyes: "never",
                approvers: Vec::new(),
                studies: vec![SLUG.to_owned()],
                more: String::new(),
            })
            .collect()
    }

    /// This hospital under the `standard` policy.
    #[must_use]
    pub fn standard(mut self) -> Self {
        self.policy = Some(STANDARD.to_owned());
        self
    }

    /// This hospital with people deciding.
    #[must_use]
    pub fn manual(mut self) -> Self {
        self.mode = Mode::Manual;
        self
    }

    fn config(&self, port: u16) -> String {
        let mode = match self.mode {
            Mode::Manual => "manual",
            Mode::SameShape => "same-shape",
            Mode::Automatic => "automatic",
        };
        let studies: Vec<String> = self.studies.iter().map(|s| format!("{s:?}")).collect();
        let policy = match &self.policy {
            Some(_) => "[disclosure]\npolicy = \"policy.toml\"\n",
            None => "",
        };
        format!(
            "config_version = 1\n[site]\nslug = \"{slug}\"\n[identity]\ndir = \"identity\"\n\
             [storage]\ndir = \"state\"\n[coordinator]\naddress = \"127.0.0.1:{port}\"\n\
             [access]\nstudies = [{studies}]\napprovers = {approvers:?}\n[release]\nmode = \"{mode}\"\nfour_eyes = \"{eyes}\"\n{policy}\
             [study.{SLUG}.table]\npath = \"predictions.csv\"\nkey = \"case_id\"\n{more}",
            slug = self.slug,
            eyes = self.four_eyes,
            approvers = self.approvers,
            studies = studies.join(", "),
            more = self.more,
        )
    }
}

/// A UDP port below the system's own range, so that no client's socket takes it while a
/// coordinator is down.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 300).unwrap() * 40;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::SeqCst) % 400;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An enrolled consortium at rest, to be copied for many tests.
pub struct Template {
    folder: TempDir,
    programs: Programs,
    sites: Vec<Site>,
}

/// A consortium.
pub struct Federation {
    folder: TempDir,
    programs: Programs,
    port: u16,
    sites: Vec<Site>,
    serve: Option<Process>,
    nodes: BTreeMap<String, Process>,
    /// Keeps the template's folder until its last copy is gone.
    _template: Option<Arc<Template>>,
}

fn short_folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("fv")
        .tempdir_in("/tmp")
        .unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type());
        let kind = kind.unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_file() {
            std::fs::copy(&from, to).unwrap();
        }
    }
}

impl Template {
    /// A fresh copy; nothing runs yet. `change` may alter a hospital before.
    pub fn copy(self: &Arc<Self>, change: impl Fn(&mut Site)) -> Federation {
        let folder = short_folder();
        copy(self.folder.path(), folder.path());
        let mut sites = self.sites.clone();
        sites.iter_mut().for_each(change);
        let federation = Federation {
            folder,
            programs: self.programs.clone(),
            port: free_port(),
            sites,
            serve: None,
            nodes: BTreeMap::new(),
            _template: Some(Arc::clone(self)),
        };
        federation.write_sites();
        federation
    }
}

impl Federation {
    /// A consortium with every site enrolled and the study locked; nothing runs.
    pub fn enrolled(programs: Programs, sites: Vec<Site>) -> Self {
        let mut federation = Self {
            folder: short_folder(),
            programs,
            port: free_port(),
            sites,
            serve: None,
            nodes: BTreeMap::new(),
            _template: None,
        };
        let address = format!("127.0.0.1:{}", federation.port);
        federation
            .fedval(&["init", "--name", "Test consortium", "--address", &address])
            .expect(0);
        std::fs::write(federation.path("study.toml"), STUDY).unwrap();
        federation.lock("study.toml", "study.locked.json");
        federation.write_sites();
        federation.start_serve(None);
        for site in federation.slugs() {
            federation.enrol(&site);
        }
        federation.serve.take().unwrap().stop();
        federation
    }

    /// The consortium at rest, to be copied.
    pub fn into_template(self) -> Arc<Template> {
        Arc::new(Template {
            programs: self.programs.clone(),
            sites: self.sites.clone(),
            folder: self.folder,
        })
    }

    /// A path below the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The sites' names, in order.
    pub fn slugs(&self) -> Vec<String> {
        self.sites.iter().map(|site| site.slug.clone()).collect()
    }

    /// The round of this test.
    pub fn round(&self) -> &'static str {
        ROUND
    }

    fn write_sites(&self) {
        for site in &self.sites {
            self.write_site(site);
        }
    }

    fn write_site(&self, site: &Site) {
        let home = self.path(&site.slug);
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("node.toml"), site.config(self.port)).unwrap();
        std::fs::write(home.join("predictions.csv"), &site.table).unwrap();
        match &site.policy {
            Some(policy) => std::fs::write(home.join("policy.toml"), policy).unwrap(),
            None => drop(std::fs::remove_file(home.join("policy.toml"))),
        }
    }

    /// Alters a hospital's table, policy or configuration; a running node reads it when it
    /// starts again.
    pub fn change_site(&mut self, slug: &str, change: impl FnOnce(&mut Site)) {
        let site = self
            .sites
            .iter_mut()
            .find(|site| site.slug == slug)
            .unwrap();
        change(site);
        let site = site.clone();
        self.write_site(&site);
    }

    /// Locks a study file with its two sign-offs.
    pub fn lock(&self, source: &str, locked: &str) {
        let (source, locked) = (self.path(source), self.path(locked));
        self.fedval(&[
            "study",
            "lock",
            source.to_str().unwrap(),
            "--signoff",
            "principal-investigator=A Person",
            "--signoff",
            "statistician=B Person",
            "--out",
            locked.to_str().unwrap(),
        ])
        .expect(0);
    }

    /// Locks the study anew with four external sites and the one-stage calibration planned.
    pub fn plan_steps(&self) {
        let external = STUDY.replace("role = \"development\"", "role = \"external\"");
        let planned =
            format!("{external}\n[one_stage_calibration]\nstart = [0, 1]\nmax_steps = 8\n");
        self.plan(&planned);
    }

    /// Locks another study under the bundled one's name.
    pub fn plan(&self, source: &str) {
        std::fs::write(self.path("study.toml"), source).unwrap();
        std::fs::remove_file(self.path("study.locked.json")).unwrap();
        self.lock("study.toml", "study.locked.json");
    }

    /// Why an exchange of several steps ended at a site, as its people are told.
    pub fn ended(&self, site: &str) -> String {
        let path = self.path(site).join("state/node.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        let why = connection.query_row("SELECT local_why FROM exchange_end", [], |row| row.get(0));
        why.unwrap()
    }

    fn enrol(&self, site: &str) {
        let invited = self.fedval(&["site", "invite", site]).expect(0).data();
        let token = invited["token"].as_str().unwrap();
        let mut join = self.node_command(site);
        join.args(["join", token, "--wait", "60"]);
        let mut join = Process::start(&mut join, &self.path(&format!("{site}.join.log")));
        let line = join.wait_for("words to compare", 1, Duration::from_secs(30));
        let words = line.rsplit("  ").next().unwrap().trim();
        self.fedval(&["site", "approve", site, "--words", words])
            .expect(0);
        let status = join.wait_end(Duration::from_secs(60));
        assert!(
            status.is_some_and(|status| status.success()),
            "{}",
            join.words()
        );
    }

    fn fedval_command(&self) -> Command {
        let mut command = Command::new(&self.programs.fedval);
        command.env("FEDVAL_DIR", self.path("coordinator"));
        command.env_remove(KILL_AT);
        command
    }

    /// A command of the coordinator's staff, answered in JSON.
    pub fn fedval(&self, words: &[&str]) -> Answer {
        self.fedval_killed_at(words, None)
    }

    /// The same, ending itself at a moment.
    pub fn fedval_killed_at(&self, words: &[&str], moment: Option<&str>) -> Answer {
        let mut command = self.fedval_command();
        command.args(words).args(["--format", "json"]);
        command.envs(moment.map(|moment| (KILL_AT, moment)));
        Answer::of(&mut command)
    }

    /// The start of a command at a site.
    pub fn node_command(&self, site: &str) -> Command {
        let mut command = Command::new(&self.programs.node);
        command
            .arg("--config")
            .arg(self.path(site).join("node.toml"));
        command.env_remove(KILL_AT);
        command
    }

    /// A command at a site, answered in JSON.
    pub fn node(&self, site: &str, words: &[&str]) -> Answer {
        let mut command = self.node_command(site);
        Answer::of(command.args(words).args(["--format", "json"]))
    }

    /// Starts the coordinator; returns when it listens, or, with a moment at which it ends
    /// itself, at once.
    pub fn start_serve(&mut self, kill_at: Option<&str>) {
        let listen = format!("127.0.0.1:{}", self.port);
        let log = self.path("coordinator.log");
        let before = std::fs::read_to_string(&log).unwrap_or_default();
        let nth = before.matches("listening on").count() + 1;
        let mut command = self.fedval_command();
        command.args(["serve", "--listen", &listen]);
        command.envs(kill_at.map(|moment| (KILL_AT, moment)));
        let mut serve = Process::start(&mut command, &log);
        if kill_at.is_none() {
            serve.wait_for("listening on", nth, Duration::from_secs(20));
        }
        self.serve = Some(serve);
    }

    /// Starts a site's node.
    pub fn start_node(&mut self, site: &str, kill_at: Option<&str>) {
        let mut command = self.node_command(site);
        command.arg("run");
        command.envs(kill_at.map(|moment| (KILL_AT, moment)));
        let log = self.path(&format!("{site}.log"));
        let node = Process::start(&mut command, &log);
        self.nodes.insert(site.to_owned(), node);
    }

    /// Starts the coordinator and every node.
    pub fn start(&mut self) {
        self.start_serve(None);
        for site in self.slugs() {
            self.start_node(&site, None);
        }
    }

    /// Starts a site's node; at `moment` it waits until the returned file is made.
    pub fn start_node_held(&mut self, site: &str, moment: &str) -> PathBuf {
        let go = self.path(&format!("{site}.go"));
        let mut command = self.node_command(site);
        command
            .arg("run")
            .env(HOLD_AT, format!("{moment}={}", go.display()));
        let log = self.path(&format!("{site}.log"));
        let node = Process::start(&mut command, &log);
        self.nodes.insert(site.to_owned(), node);
        go
    }

    /// The running coordinator.
    pub fn serve(&mut self) -> &mut Process {
        self.serve.as_mut().unwrap()
    }

    /// The coordinator's process, to be stopped or killed.
    pub fn take_serve(&mut self) -> Process {
        self.serve.take().unwrap()
    }

    /// A site's running node.
    pub fn running(&mut self, site: &str) -> &mut Process {
        self.nodes.get_mut(site).unwrap()
    }

    /// A site's process, to be stopped or killed.
    pub fn take_node(&mut self, site: &str) -> Process {
        self.nodes.remove(site).unwrap()
    }

    /// Kills whatever runs.
    pub fn kill_all(&mut self) {
        self.nodes.clear();
        self.serve = None;
    }

    /// Launches the round.
    pub fn launch(&self) {
        let locked = self.path("study.locked.json");
        self.fedval(&["round", "launch", locked.to_str().unwrap()])
            .expect(0);
    }

    /// Waits until every asked site has answered.
    #[track_caller]
    pub fn wait(&mut self) -> Value {
        let answer = self.fedval(&["round", "wait", ROUND, "--timeout", "90s"]);
        if answer.code != Some(0) {
            let logs: String = self.nodes.values().map(Process::words).collect();
            panic!("{}\n{}\n{logs}", answer.out, answer.err);
        }
        answer.data()
    }

    /// Closes the round; 1 means below the protocol's minimum.
    #[track_caller]
    pub fn close(&self, code: i32) -> Value {
        self.fedval(&["round", "close", ROUND]).expect(code).data()
    }

    /// Builds the report into a folder of that name.
    pub fn report(&self, name: &str) -> PathBuf {
        let out = self.path(name);
        self.fedval(&["report", "build", ROUND, "--out", out.to_str().unwrap()])
            .expect(0);
        out
    }

    /// Waits until the site's only job stands in `state`, as its own staff see it.
    #[track_caller]
    pub fn wait_state(&self, site: &str, state: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.node(site, &["job", "list"]);
            let jobs = if answer.code == Some(0) {
                answer.data()
            } else {
                Value::Null
            };
            let found = jobs.as_array().and_then(|jobs| jobs.first().cloned());
            if let Some(job) = found.filter(|job| job["state"] == state) {
                return job;
            }
            let log = std::fs::read_to_string(self.path(&format!("{site}.log")));
            assert!(
                Instant::now() < until,
                "{site} is not {state}: {jobs}\n{}",
                log.unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Everything the processes have said and the coordinator has stored, for searches.
    pub fn outside(&self) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<_> = crate::files(&self.path("coordinator"))
            .into_iter()
            .collect();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "log") {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
        found.extend(self.received());
        found
    }

    /// What the coordinator's database keeps sealed, opened.
    fn received(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.path("coordinator");
        let database = folder.join("fedval.db");
        let store = coordinator::store::Store::open(&database, &folder.join("storage.keys"));
        let (store, round) = (store.unwrap(), self.round().parse().unwrap());
        let mut items = store.inbox(&round).unwrap();
        items.extend(store.step_inbox(&round).unwrap());
        items
            .into_iter()
            .flat_map(|item| {
                let findings = format!("{:?}", item.findings);
                [
                    (format!("release of {}", item.site), item.bytes),
                    (format!("findings of {}", item.site), findings.into_bytes()),
                ]
            })
            .collect()
    }
}
