//! The how-to pages, followed as printed: every `sh` line of `docs/how-to` is typed in order by
//! a coordinator and a hospital, real processes on loopback. What a person must supply (an
//! address, a token, six words, a name typed at the terminal) is filled in where it belongs.
//!
//! From: `docs/how-to`.
//! To: the promise that the pages work.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The other three hospitals of the bundled study.
const OTHERS: [&str; 3] = ["cleveland", "switzerland", "va"];

type Stream = Box<dyn Read + Send>;

struct Walk {
    dir: PathBuf,
    running: Vec<Child>,
    port: u16,
}

impl Drop for Walk {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The `sh` lines of a page, in order.
fn lines(page: &str) -> VecDeque<String> {
    let text = std::fs::read_to_string(root().join("docs/how-to").join(page)).unwrap();
    let mut inside = false;
    let mut found = VecDeque::new();
    for line in text.lines().map(str::trim) {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside && !line.is_empty() => found.push_back(line.to_owned()),
            _ => {}
        }
    }
    found
}

/// Takes the next line of a page, which must contain `text`.
fn next(page: &mut VecDeque<String>, text: &str) -> String {
    let line = page
        .pop_front()
        .unwrap_or_else(|| panic!("the page ends before {text:?}"));
    assert!(
        line.contains(text),
        "expected a line with {text:?}, the page says {line:?}"
    );
    line
}

impl Walk {
    fn shell(&self, line: &str) -> Command {
        let path = format!(
            "{}:{}",
            self.dir.join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("exec {line}")])
            .current_dir(&self.dir)
            .env("PATH", path)
            .env("PYTHONPATH", root().join("shared/readers/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Types a line; it must end with `code`. Returns both outputs.
    fn typed(&self, line: &str, code: i32) -> String {
        let output = self.shell(line).output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{line}\n{text}");
        text
    }

    /// Types a line that goes on running; returns the first output line with `text`.
    fn started(&mut self, line: &str, text: &str, on_stderr: bool) -> String {
        let mut child = self.shell(line).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        self.running.push(child);
        let (listen, drain): (Stream, Stream) = if on_stderr {
            (Box::new(err), Box::new(out))
        } else {
            (Box::new(out), Box::new(err))
        };
        std::thread::spawn(move || {
            BufReader::new(drain)
                .lines()
                .map_while(Result::ok)
                .for_each(drop);
        });
        let mut heard = String::new();
        let mut listen = BufReader::new(listen).lines().map_while(Result::ok);
        while let Some(said) = listen.next() {
            if said.contains(text) {
                // What is still to come is read, so that the process is never blocked.
                std::thread::spawn(move || listen.for_each(drop));
                return said;
            }
            heard.push_str(&said);
            heard.push('\n');
        }
        panic!("{line} ended without {text:?}\n{heard}");
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A hospital's folder: configuration, policy, its bundled table.
    fn hospital(&self, folder: &str, site: &str, mode: &str) {
        let table = root().join(format!("configs/examples/heart/data/{site}.csv"));
        let table = std::fs::read_to_string(table).unwrap();
        self.file(&format!("{folder}predictions.csv"), &table);
        let policy = std::fs::read_to_string(root().join("configs/policy.open-data.toml")).unwrap();
        self.file(&format!("{folder}policy.toml"), &policy);
        let config = format!(
            "config_version = 1\n[site]\nslug = \"{site}\"\n[identity]\ndir = \"identity\"\n\
             [storage]\ndir = \"state\"\n[access]\nstudies = [\"heart-disease\"]\n\
             [release]\nmode = \"{mode}\"\n[disclosure]\npolicy = \"policy.toml\"\n\
             [study.heart-disease.table]\npath = \"predictions.csv\"\nkey = \"case_id\"\n"
        );
        self.file(&format!("{folder}node.toml"), &config);
    }

    /// Joins, is approved, and leaves the node's `join` finished.
    fn enrol(&mut self, invite: &str, join: &str, approve: &str) {
        let token = self.typed(invite, 0);
        let token = token
            .split_whitespace()
            .find(|word| word.starts_with("fvj1."))
            .unwrap();
        let words = self.started(&join.replace("TOKEN", token), "words to compare", true);
        let words = words.rsplit("  ").next().unwrap().trim();
        let (before, after) = approve.split_once('"').unwrap();
        let after = after.split_once('"').unwrap().1;
        self.typed(&format!("{before}\"{words}\"{after}"), 0);
        let joining = self.running.last_mut().unwrap();
        assert!(joining.wait().unwrap().success(), "{join}");
    }

    /// Asks again until a line's output contains `text`.
    fn until(&self, line: &str, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let output = self.typed(line, 0);
            if output.contains(text) {
                return output;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no {text:?}: {output}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Types a line at a pseudo-terminal and answers its question.
    fn at_terminal(&self, line: &str, answer: &str) -> String {
        let inner = format!(
            "cd {} && PATH={}:$PATH {line}",
            self.dir.display(),
            self.dir.join("bin").display()
        );
        let mut child = Command::new("script")
            .args(["-qec", &inner, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{answer}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{text}");
        text
    }
}

fn begin() -> (tempfile::TempDir, Walk) {
    let temp = tempfile::Builder::new()
        .prefix("fv")
        .tempdir_in("/tmp")
        .unwrap();
    let dir = temp.path().to_path_buf();
    std::fs::create_dir(dir.join("bin")).unwrap();
    for (name, program) in [
        ("fedval", env!("CARGO_BIN_EXE_fedval-under-test")),
        ("fedval-node", env!("CARGO_BIN_EXE_fedval-node-under-test")),
    ] {
        std::os::unix::fs::symlink(program, dir.join("bin").join(name)).unwrap();
    }
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (
        temp,
        Walk {
            dir,
            running: Vec::new(),
            port,
        },
    )
}

/// Both pages, woven together as the two people would.
#[test]
fn how_to_pages_work_as_printed() {
    let (_temp, mut walk) = begin();
    let mut round = lines("first-round.md");
    let mut node = lines("run-a-node.md");

    let init = next(&mut round, "init").replace(
        "coord.example.org:4433",
        &format!("127.0.0.1:{}", walk.port),
    );
    walk.typed(&init, 0);
    let serve = next(&mut round, "serve");
    walk.started(&serve, "listening on", false);
    walk.typed(&next(&mut round, "study new"), 0);
    let plan = walk.typed(&next(&mut round, "study power"), 0);
    assert!(plan.contains("the chance that the answer is"), "{plan}");
    let noise = walk.typed(&next(&mut round, "study noise"), 0);
    assert!(noise.contains("off by"), "{noise}");
    let check = next(&mut round, "study check");
    assert!(walk.typed(&check, 0).contains("compute"));
    // The person fills the template in: here with the bundled study.
    walk.file("study.toml", &coordinator::sim::SimStudy::Binary.source());
    walk.typed(&check, 0);
    walk.typed(&next(&mut round, "study lock"), 0);

    walk.hospital("", "hungarian", "manual");
    let (invite, approve) = (next(&mut round, "invite"), next(&mut round, "approve"));
    walk.enrol(&invite, &next(&mut node, "join"), &approve);
    for site in OTHERS {
        let mode = if site == "va" { "manual" } else { "automatic" };
        walk.hospital(&format!("{site}/"), site, mode);
        let join = format!("fedval-node --config {site}/node.toml join TOKEN");
        walk.enrol(
            &invite.replace("hungarian", site),
            &join,
            &approve.replace("hungarian", site),
        );
    }
    assert!(
        walk.typed(&next(&mut round, "site list"), 0)
            .contains("approved")
    );

    let check = walk.typed(&next(&mut node, " check"), 0);
    assert!(check.contains("by QUIC"), "{check}");
    let run = next(&mut node, " run");
    walk.started(&run, "connected", true);
    for site in OTHERS {
        walk.started(
            &format!("fedval-node --config {site}/node.toml run"),
            "connected",
            true,
        );
    }
    walk.typed(&next(&mut node, "data check"), 0);

    walk.typed(&next(&mut round, "round launch"), 0);
    walk.until(&next(&mut node, "job list"), "waiting-approval");
    let preview = walk.typed(&next(&mut node, "job preview"), 0);
    assert!(
        preview.contains("exactly these") && preview.contains("AUC of p_b"),
        "{preview}"
    );
    let page = walk.typed(&next(&mut node, "--html"), 0);
    assert!(page.contains("preview.html: "), "{page}");
    let page = std::fs::read_to_string(walk.dir.join("preview.html")).unwrap();
    assert!(page.contains("What the coordinator can infer"));
    let approve = next(&mut node, "job approve");
    assert!(walk.typed(&approve, 7).contains("FV-POL-005"));
    assert!(
        walk.at_terminal(&approve, "heart-disease")
            .contains("approved by")
    );
    let va = |line: String| line.replace("--config node.toml", "--config va/node.toml");
    walk.until(
        "fedval-node --config va/node.toml job list",
        "waiting-approval",
    );
    walk.typed(&va(next(&mut node, "job reject")), 0);
    finish(&walk, &mut round, &mut node);
}

fn finish(walk: &Walk, round: &mut VecDeque<String>, node: &mut VecDeque<String>) {
    assert!(
        walk.typed(&next(round, "round status"), 0)
            .contains("hungarian")
    );
    walk.typed(&next(round, "round wait"), 0);
    // One hospital said no: two external ones remain, below the protocol's minimum of three.
    assert!(
        walk.typed(&next(round, "round close"), 1)
            .contains("FV-ROUND-003")
    );
    walk.typed(&next(round, "report build"), 0);
    walk.typed(&next(round, "ledger verify"), 0);
    let report = std::fs::read_to_string(walk.dir.join("report/report.html")).unwrap();
    assert!(report.contains("not released under its own policy"));
    let mut bundle = lines("read-the-bundle.md");
    for form in ["tables", "figures", "docx", "xlsx"] {
        walk.typed(&next(&mut bundle, &format!("--as {form}")), 0);
    }
    for file in [
        "tables/tables/index.csv",
        "figures/figures/F01.svg",
        "word/report.docx",
        "excel/report.xlsx",
    ] {
        let path = walk.dir.join(format!("report-{file}"));
        assert!(path.is_file(), "{}", path.display());
    }
    walk.typed(&next(&mut bundle, "report verify"), 0);
    walk.typed(&next(&mut bundle, "report build"), 0);
    let same = walk.typed(&next(&mut bundle, "report diff"), 0);
    assert!(same.contains("the reports say the same"), "{same}");
    read(walk, &mut bundle);
    let mut keep = lines("run-a-coordinator.md");
    walk.typed(&next(&mut keep, "ledger verify"), 0);
    let none = walk.typed(&next(&mut keep, "ledger rebaseline"), 1);
    assert!(none.contains("nothing to re-baseline"), "{none}");
    walk.typed(&next(&mut keep, "storage rotate-key"), 0);
    let shown = walk.typed(&next(&mut keep, "ledger list"), 0);
    for command in ["report build", "report verify"] {
        assert!(shown.contains(command), "{command}: {shown}");
    }
    let made = walk.at_terminal(
        &next(node, "approver new"),
        "copper lantern river\ncopper lantern river",
    );
    assert!(made.contains("= \"ed25519:"), "{made}");
    let listed = walk.typed(&next(node, "approver list"), 0);
    assert!(listed.contains("approvals are not signed"), "{listed}");
    let own = walk.typed(&next(node, "peer own"), 0);
    assert!(own.contains("hungarian = \"ed25519:"), "{own}");
    let peers = walk.typed(&next(node, "peer list"), 0);
    assert!(peers.contains("adds to no masked sum"), "{peers}");
    assert!(walk.typed(&next(node, "pause"), 0).contains("paused by"));
    assert!(walk.typed(&next(node, "resume"), 0).contains("resumed by"));
    assert!(walk.typed(&next(node, " leave"), 0).contains("left by"));
    let copy = walk.typed(&next(node, " report report"), 0);
    assert!(
        copy.contains("what this node's ledger says was released"),
        "{copy}"
    );
    assert!(walk.typed(&next(node, "status"), 0).contains("connected"));
    assert!(
        walk.typed(&next(node, "ledger list"), 0)
            .contains("delivered")
    );
    assert!(
        walk.typed(&next(node, "ledger verify"), 0)
            .contains("chain sound")
    );
    let export = next(node, "ledger export");
    walk.typed(&export, 0);
    assert_exported(&walk.dir.join("ledger-2026"), 1);
    assert!(walk.typed(&export, 78).contains("does not exist yet"));
    let proof = walk.typed(&next(node, "ledger prove"), 0);
    assert!(proof.contains("entry 2 with its proof"), "{proof}");
    let shown = walk.typed(&next(&mut keep, "ledger entry"), 0);
    assert!(
        shown.contains("stood in the ledger of hungarian"),
        "{shown}"
    );
    let late = walk.typed(&next(&mut keep, "round accept"), 1);
    assert!(late.contains("takes nothing more"), "{late}");
    let taken = walk.typed(&next(node, "ledger rebaseline"), 0);
    assert!(taken.contains("re-baselined by"), "{taken}");
    // A reason stays at its hospital unless it is asked for.
    let reason = "asked for outside the agreement";
    for (remarks, shown) in [("", false), (" --remarks", true)] {
        let folder = format!("va-ledger{}", remarks.trim());
        let line =
            format!("fedval-node --config va/node.toml ledger export --out {folder}{remarks}");
        walk.typed(&line, 0);
        let folder = walk.dir.join(folder);
        assert_exported(&folder, 0);
        for file in ["ledger.csv", "ledger.html"] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert_eq!(text.contains(reason), shown, "{file}");
            assert!(text.contains("not released"), "{file}");
        }
    }
    for page in [round, node, &mut bundle, &mut keep] {
        assert!(page.is_empty(), "never typed: {page:?}");
    }
}

/// The readers of bundles, typed where Python and R are; the programs need neither.
fn read(walk: &Walk, bundle: &mut VecDeque<String>) {
    let python = "import sys; sys.exit(sys.version_info < (3, 9))";
    for (program, argument, text) in [
        ("python3", python, "-m fedval_report"),
        ("Rscript", "invisible(0)", "fedval_report.R"),
    ] {
        let shared = format!("{}/shared/", root().display());
        let line = next(bundle, text).replace("shared/", &shared);
        let flag = if program == "python3" { "-c" } else { "-e" };
        let here = Command::new(program).args([flag, argument]).output();
        if here.is_ok_and(|output| output.status.success()) {
            let said = walk.typed(&line, 0);
            assert!(said.contains("whole: "), "{said}");
        }
    }
}

/// The folder describes every one of its files, and nothing that is not there.
fn assert_exported(folder: &std::path::Path, releases: usize) {
    let text = std::fs::read_to_string(folder.join("ro-crate-metadata.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let graph = document["@graph"].as_array().unwrap();
    let ids: std::collections::BTreeSet<&str> = graph
        .iter()
        .map(|one| one["@id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), graph.len(), "an id stands twice");
    let root = graph.iter().find(|one| one["@id"] == "./").unwrap();
    let parts = root["hasPart"].as_array().unwrap();
    assert_eq!(parts.len(), 2 + releases);
    for part in parts {
        let name = part["@id"].as_str().unwrap();
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let entry = graph.iter().find(|one| one["@id"] == name).unwrap();
        let digest = shared::identity::Digest::of(&bytes).hex();
        assert_eq!(entry["sha256"], digest.as_str());
        assert!(!name.starts_with("releases/") || name.contains(&digest));
    }
    let checks = root["mentions"].as_array().unwrap();
    assert!(!checks.is_empty());
    for check in checks {
        let action = graph.iter().find(|one| one["@id"] == check["@id"]).unwrap();
        for key in ["object", "agent", "instrument"] {
            let id = action[key]["@id"].as_str().unwrap();
            assert!(ids.contains(id), "{key} {id} is not described");
        }
    }
}
