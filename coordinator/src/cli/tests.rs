use super::*;
use clap::CommandFactory;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn code(line: &str) -> String {
    format!("{:?}", run(&words(line)))
}

fn exit(exit: Exit) -> String {
    format!("{:?}", ExitCode::from(exit as u8))
}

#[test]
fn the_grammar_is_sound_and_every_verb_parses() {
    Cli::command().debug_assert();
    for line in [
        "fedval init --name N --address h:1",
        "fedval check --format json",
        "fedval site invite st-olav --contact a@b --expires 72h",
        "fedval site approve st-olav --words one",
        "fedval site list -q",
        "fedval site revoke st-olav",
        "fedval site rebaseline st-olav --reason disk",
        "fedval study new --template binary --out s.toml",
        "fedval study check s.toml",
        "fedval study lock s.toml --signoff a=b --signoff c=d --out l.json",
        "fedval study show l.json",
        "fedval study power s.toml --auc 0.8 --spread 0.03 --drop 0.05 --miss 0.1",
        "fedval study noise s.toml --epsilon 0.5 --mechanism discrete-gaussian --delta 0.000001",
        "fedval serve --listen 127.0.0.1:0",
        "fedval round launch l.json --round r.1 --without a --without b --dry-run",
        "fedval ledger list --shown --round r.1",
        "fedval ledger verify",
        "fedval ledger rebaseline --reason backup",
        "fedval ledger entry entry-2.json",
        "fedval storage rotate-key --drop-old",
        "fedval round list",
        "fedval round status r.1",
        "fedval round watch r.1 --format jsonl",
        "fedval round wait r.1 --timeout 10m",
        "fedval round accept r.1 --site va --reason theirs",
        "fedval round close r.1 --no-color",
        "fedval report build r.1 --out d",
        "fedval report verify d --round r.1",
        "fedval completion bash",
        "fedval man --out d -vv",
    ] {
        let parsed = Cli::try_parse_from(words(line));
        assert!(
            parsed.is_ok(),
            "{line}: {:?}",
            parsed.err().map(|e| e.to_string())
        );
    }
}

#[test]
fn wrong_use_is_exit_code_2_in_both_formats() {
    for line in [
        "fedval",
        "fedval nonsense",
        "fedval site invite UPPER --format json",
        "fedval --format=json round",
        "fedval round wait r.1 --timeout soon",
        "fedval study lock s.toml --signoff nobody --out x",
    ] {
        assert_eq!(code(line), exit(Exit::Usage), "{line}");
    }
    assert_eq!(code("fedval --help"), exit(Exit::Done));
    assert_eq!(code("fedval site invite --help"), exit(Exit::Done));
}

#[test]
fn exit_codes_follow_the_kind_of_fault() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let state = at("state");
    let run = |line: &str| code(&format!("fedval --dir {state} {line}"));

    assert_eq!(run("site list"), exit(Exit::Identity));
    assert_eq!(run("round status x.r1"), exit(Exit::Identity));
    assert_eq!(run("check --format json"), exit(Exit::No));
    assert_eq!(run("init --name N --address nowhere"), exit(Exit::Config));
    assert_eq!(
        run("init --name N --address localhost:4433"),
        exit(Exit::Done)
    );
    assert_eq!(
        run("init --name N --address localhost:4433"),
        exit(Exit::No)
    );
    assert_eq!(run("check"), exit(Exit::Done));
    assert_eq!(run("ledger verify"), exit(Exit::Done));
    assert_eq!(run("site invite site-b"), exit(Exit::Done));
    assert_eq!(run("site approve site-b --words a"), exit(Exit::Human));
    assert_eq!(run("site revoke elsewhere"), exit(Exit::No));
    assert_eq!(run("round status x.r1"), exit(Exit::No));

    let study = at("study.toml");
    let locked = at("locked.json");
    assert_eq!(run(&format!("study new --out {study}")), exit(Exit::Done));
    assert_eq!(run(&format!("study new --out {study}")), exit(Exit::Config));
    assert_eq!(run(&format!("study check {study}")), exit(Exit::Done));
    assert_eq!(
        run(&format!("study lock {study} --out {locked}")),
        exit(Exit::Human)
    );
    let signed = "--signoff principal-investigator=A --signoff statistician=B";
    assert_eq!(
        run(&format!("study lock {study} {signed} --out {locked}")),
        exit(Exit::Done)
    );
    assert_eq!(
        run(&format!("study show {locked} --format json")),
        exit(Exit::Done)
    );
    assert_eq!(
        run(&format!("round launch {locked} --dry-run")),
        exit(Exit::No)
    );
    assert_eq!(run(&format!("round launch {study}")), exit(Exit::No));

    let mut bytes = std::fs::read(&locked).unwrap();
    let middle = bytes.iter().position(|byte| *byte == b'M').unwrap();
    bytes[middle] = b'N';
    std::fs::write(&locked, bytes).unwrap();
    assert_eq!(run(&format!("study show {locked}")), exit(Exit::No));

    std::fs::write(dir.path().join("state/coordinator.toml"), "[sever]\n").unwrap();
    assert_eq!(run("site list"), exit(Exit::Config));
}

#[test]
fn completions_and_manual_pages_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man");
    assert_eq!(
        code(&format!("fedval man --out {}", out.display())),
        exit(Exit::Done)
    );
    assert!(out.join("fedval.1").exists());
    assert!(out.join("fedval-site-invite.1").exists());
    assert_eq!(code("fedval completion zsh"), exit(Exit::Done));
}
