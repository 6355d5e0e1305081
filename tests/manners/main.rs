//! How both commands behave: every documented exit code from a real command, one envelope for
//! scripts, four parts in every fault, data on standard output and words on standard error.
//!
//! From: the two programs.
//! To: nobody.

mod program;
mod script;

use std::path::Path;

use program::{Answer, Desk, at_terminal, fedval, node};
use script::{envelope, four_parts};

/// A consortium in its own folder, with an address on loopback.
fn consortium() -> Desk {
    let desk = Desk::new();
    let init = ["init", "--name", "Heart", "--address", &desk.address()];
    assert_eq!(fedval(&desk, &init).code, Some(0));
    desk
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn without_a_state_directory_or_configuration_the_way_out_is_said() {
    let desk = Desk::new();
    for verb in [&["site", "list"][..], &["round", "list"]] {
        let answer = fedval(&desk, verb);
        assert_eq!(answer.code, Some(4), "{answer:?}");
        four_parts(&answer);
        assert!(answer.err.contains("fedval init"), "{}", answer.err);
    }
    for verb in [&["run"][..], &["check"], &["status"], &["job", "list"]] {
        let answer = node(&desk, verb);
        assert_eq!(answer.code, Some(78), "{answer:?}");
        four_parts(&answer);
        assert!(answer.err.contains("node.toml"), "{}", answer.err);
    }
    desk.write("node.toml", "config_version = 1\n[site]\nslgu = \"va\"\n");
    let answer = node(&desk, &["check"]);
    assert_eq!(answer.code, Some(78));
    four_parts(&answer);
    assert!(answer.err.contains("slug"), "{}", answer.err);

    desk.write("node.toml", "config_version = 1\n[site]\nslug = \"va\"\n");
    let answer = node(&desk, &["run"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    four_parts(&answer);
    assert!(answer.err.contains("fedval-node join"), "{}", answer.err);
    assert_eq!(node(&desk, &["check", "config"]).code, Some(0));
    let answer = node(&desk, &["check", "identity"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
}

#[test]
fn wrong_use_ends_with_two_and_defects_of_the_disk_with_five() {
    let desk = consortium();
    for run in [fedval, node] {
        for wrong in [&["nonsense"][..], &["--no-such-flag"], &["man"]] {
            let answer = run(&desk, wrong);
            assert_eq!(answer.code, Some(2), "{answer:?}");
            assert!(
                answer.out.is_empty() && !answer.err.is_empty(),
                "{answer:?}"
            );
        }
        assert_eq!(run(&desk, &["--help"]).code, Some(0));
        assert_eq!(run(&desk, &["--version"]).code, Some(0));
    }
    desk.write("state/fedval.db", &"no database ".repeat(1000));
    let answer = fedval(&desk, &["site", "list"]);
    assert_eq!(answer.code, Some(5), "{answer:?}");
    four_parts(&answer);
}

#[test]
fn every_answer_is_one_envelope() {
    let desk = consortium();
    let study = repository().join("configs/examples/heart/study.toml");
    let study = study.to_str().unwrap();
    desk.write("bad.toml", "[study]\n");
    let bad = desk.path("bad.toml");
    let planned = plan("0.05");
    let noise = [
        "study",
        "noise",
        study,
        "--patients",
        "900",
        "--prevalence",
        "0.2",
        "--auc",
        "0.8",
    ];
    let cases: [(&[&str], &str, i32); 18] = [
        (&["check"], "check", 0),
        (&["site", "list"], "site list", 0),
        (&["site", "invite", "va"], "site invite", 0),
        (&["site", "revoke", "nobody"], "site revoke", 1),
        (
            &["site", "approve", "va", "--words", "a b"],
            "site approve",
            7,
        ),
        (&["study", "check", study], "study check", 0),
        (&["study", "show", study], "study show", 0),
        (&["study", "check", &bad], "study check", 1),
        (&planned, "study power", 0),
        (&["study", "power", "--auc", "0.8"], "study power", 2),
        (&noise, "study noise", 0),
        (
            &["study", "noise", study, "--epsilon", "2"],
            "study noise",
            2,
        ),
        (&["study", "check", "/no/such/file"], "study check", 78),
        (&["round", "list"], "round list", 0),
        (&["round", "status", "nothing.r1"], "round status", 1),
        (&["completion", "bash"], "completion", 0),
        (
            &["report", "build", "nothing.r1", "--out", &desk.path("r")],
            "report build",
            1,
        ),
        (&["nonsense"], "fedval", 2),
    ];
    for (words, command, code) in cases {
        let answer = fedval(&desk, &[words, &["--format", "json"]].concat());
        envelope(&answer, command, code);
    }
    desk.write(
        "node.toml",
        "config_version = 1\n[site]\nslug = \"va\"\n[storage]\ndir = \"node\"\n",
    );
    let nobody = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let cases: [(&[&str], &str, i32); 9] = [
        (&["status"], "status", 0),
        (&["check", "config"], "check", 0),
        (&["check", "policy"], "check", 7),
        (&["run"], "run", 4),
        (&["join", "no-token"], "join", 4),
        (&["data", "check", "heart-2026"], "data check", 1),
        (&["job", "show", nobody], "job show", 78),
        (
            &[
                "measure", "--study", "/no/such", "--data", "x", "--site", "va",
            ],
            "measure",
            78,
        ),
        (&["nonsense"], "fedval-node", 2),
    ];
    for (words, command, code) in cases {
        let answer = node(&desk, &[words, &["--format", "json"]].concat());
        envelope(&answer, command, code);
    }
}

/// `study power` with every guess; the hospitals differ by `spread`.
fn plan(spread: &str) -> Vec<&str> {
    let words = "study power --prevalence 0.43 --auc 0.8 --sites 6 --patients 300 \
                 --at-least 0.7 --predictor -0.32 1.25 --threshold 0.2 --spread";
    words.split_whitespace().chain([spread]).collect()
}

#[test]
fn a_plan_answers_in_sentences_and_in_numbers() {
    let desk = Desk::new();
    let said = fedval(&desk, &plan("0.05"));
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        "Hospitals differ",
        "6 hospitals of 300 patients, 1800 in all",
        "the chance that the answer is \"met\" is ",
        "One hospital alone would need",
        "net benefit",
    ] {
        assert!(said.out.contains(words), "no {words:?}: {}", said.out);
    }
    // Riley's reference sizes, by the words of the command line.
    let json = fedval(&desk, &[&plan("0.05")[..], &["--format", "json"]].concat()).json();
    let alone = &json["data"]["one_hospital_alone"];
    assert_eq!(alone["oe"], 510);
    assert_eq!(alone["auc"], 308);
    assert_eq!(alone["slope"], 2141);

    // The template's study speaks for itself.
    let study = desk.path("study.toml");
    let new = fedval(&desk, &["study", "new", "--out", &study]);
    assert_eq!(new.code, Some(0), "{new:?}");
    let said = fedval(&desk, &["study", "power", &study]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("3 hospitals of 300"), "{}", said.out);
    assert!(said.err.contains("fewer than 5 hospitals"), "{}", said.err);
}

#[test]
fn a_plan_without_sense_is_a_fault_of_four_parts() {
    let desk = Desk::new();
    for (words, named) in [
        (&["study", "power"][..], "--prevalence"),
        (&["study", "power", "--prevalence", "30"], "--prevalence 30"),
        (&plan("-0.1"), "--spread -0.1"),
        (&plan("0.7"), "--spread 0.7"),
        (
            &[&plan("0")[..], &["--drop", "0.9", "--miss", "0.1"]].concat(),
            "--drop",
        ),
        (&[&plan("0")[..], &["--drop", "0.1"]].concat(), "--miss"),
        (
            &[&plan("0")[..], &["--change", "0.1", "nan", "--miss", "0.1"]].concat(),
            "--change",
        ),
    ] {
        let answer = fedval(&desk, words);
        assert_eq!(answer.code, Some(2), "{answer:?}");
        four_parts(&answer);
        assert!(answer.err.contains(named), "{}", answer.err);
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let desk = Desk::new();
    for (run, name) in [(fedval as program::Run, "fedval"), (node, "fedval-node")] {
        for shell in ["bash", "zsh", "fish"] {
            let answer = run(&desk, &["completion", shell]);
            assert_eq!(answer.code, Some(0), "{answer:?}");
            assert!(answer.out.contains(name), "{shell}");
        }
        let out = desk.path(name);
        let answer = run(&desk, &["man", "--out", &out]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        let page = std::fs::read_to_string(Path::new(&out).join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".TH"), "{page}");
        let pages = std::fs::read_dir(&out).unwrap().count();
        assert!(pages > 5, "a page per verb, not {pages}");
    }
}

/// Enrols one hospital by the commands of a person, launches a round, and reads what waiting,
/// interrupting and being alone end with.
#[test]
fn waiting_interruption_and_silence_have_their_own_codes() {
    let desk = consortium();
    let server = desk.serve();
    desk.write("node.toml", "config_version = 1\n[site]\nslug = \"va\"\n[identity]\ndir = \"identity\"\n[storage]\ndir = \"node\"\n");
    let invited = fedval(&desk, &["site", "invite", "va", "--format", "json"]);
    let token = script::text(&invited.json()["data"], "token");
    let pending = node(&desk, &["join", &token, "--wait", "0", "--format", "json"]);
    envelope(&pending, "join", 7);
    let why = script::text(&pending.json()["error"], "why");
    let words = why.rsplit(": ").next().unwrap();
    let wrong = fedval(&desk, &["site", "approve", "va", "--words", "not these"]);
    assert_eq!(wrong.code, Some(4));
    four_parts(&wrong);
    let approved = fedval(&desk, &["site", "approve", "va", "--words", words]);
    assert_eq!(approved.code, Some(0), "{approved:?}");
    let joined = node(&desk, &["join", &token, "--wait", "20"]);
    assert_eq!(joined.code, Some(0), "{joined:?}");
    let status = node(&desk, &["status"]);
    assert!(status.out.contains("days left"), "{}", status.out);
    let identity = node(&desk, &["check", "identity"]);
    assert!(identity.out.contains("29 days left") || identity.out.contains("30 days left"));
    assert_eq!(node(&desk, &["check", "network"]).code, Some(0));

    let study = repository().join("configs/examples/heart/study.toml");
    let locked = desk.path("locked.json");
    let lock: Vec<&str> = vec![
        "study",
        "lock",
        study.to_str().unwrap(),
        "--out",
        &locked,
        "--signoff",
        "principal-investigator=A. Person",
        "--signoff",
        "statistician=B. Person",
    ];
    assert_eq!(fedval(&desk, &lock).code, Some(0));
    let others = [
        "--without",
        "cleveland",
        "--without",
        "hungarian",
        "--without",
        "switzerland",
    ];
    let launch = [
        &["round", "launch", &locked, "--round", "heart.r1"][..],
        &others,
    ]
    .concat();
    let launched = fedval(&desk, &launch);
    assert_eq!(launched.code, Some(0), "{launched:?}");
    let late = fedval(
        &desk,
        &[
            "round",
            "wait",
            "heart.r1",
            "--timeout",
            "1s",
            "--format",
            "json",
        ],
    );
    envelope(&late, "round wait", 3);

    let running = desk.run_node();
    running.until("connected");
    assert_eq!(running.interrupt(), Answer::interrupted());
    assert_eq!(server.interrupt(), Answer::interrupted());
    let alone = node(&desk, &["check", "network"]);
    assert_eq!(alone.code, Some(6), "{alone:?}");
}

/// A signal would end the program before it has given the terminal back.
#[test]
fn ctrl_c_at_a_passphrase_leaves_the_terminal_as_it_was() {
    let desk = Desk::new();
    let after = "echo ended $?; stty -a";
    let keys = ("letters or more: ", &b"copper lan\x03"[..]);
    let shown = at_terminal(&desk, "approver new --out key", after, keys);
    assert!(shown.contains("ended 130"), "{shown}");
    let modes: Vec<&str> = shown.split_whitespace().collect();
    for mode in ["echo", "icanon", "isig"] {
        assert!(modes.contains(&mode), "{mode}: {shown}");
    }
    assert!(!shown.contains("copper"), "{shown}");
    assert!(!Path::new(&desk.path("key")).exists());
}

/// Nobody thinks of a passphrase for a key that cannot be written.
#[test]
fn a_key_file_that_exists_is_told_before_a_passphrase_is_asked() {
    let desk = Desk::new();
    desk.write("key", "mine");
    for out in [desk.path("key"), desk.path("nowhere/key")] {
        let answer = node(&desk, &["approver", "new", "--out", &out]);
        assert_eq!(answer.code, Some(78), "{answer:?}");
        four_parts(&answer);
        assert!(!answer.err.contains("passphrase"), "{answer:?}");
    }
    let answer = node(&desk, &["approver", "new", "--out", &desk.path("other")]);
    assert!(answer.err.contains("passphrase"), "{answer:?}");
}
