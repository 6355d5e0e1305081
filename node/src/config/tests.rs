//! What `node.toml` may and may not say.
//!
//! From: `config`.
//! To: the test run.

use super::*;

const FULL: &str = r#"
config_version = 1

[site]
slug = "st-olav"
display_name = "St Olav Hospital"

[coordinator]
address = "coord.example.org:443"

[identity]
dir = "identity"

[storage]
dir = "/srv/fedval state"

[access]
studies = ["heart-2026"]
protocol_signers = ["sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]
approvers = ["unix-group:fedval-approvers", "anna"]

[release]
mode = "automatic"

[disclosure]
policy = "../policy/standard.toml"

[logging]
level = "debug"

[study.heart-2026]
missing = ["", "NA", -9]

[study.heart-2026.table]
path = "tables/va.csv"
key = "case_id"
absent = ["smoking"]
max_mb = 10

[study.heart-2026.map]
age = "age_years"

[study.heart-2026.codes.sex]
female = ["F", 2]
male = ["M", 1]

[study.heart-2026.codes.y]
1 = ["yes", true]
0 = ["no"]

[study.heart-2026.transform]
p_b = "logistic"
"#;

const SMALL: &str = "config_version = 1\n[site]\nslug = \"va\"\n";

fn parse(text: &str) -> Result<NodeConfig, Fault> {
    NodeConfig::parse(text, Path::new("/etc/fedval-node/node.toml"))
}

#[test]
fn every_section_is_read() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.storage.dir, Path::new("/srv/fedval state"));
    assert_eq!(config.identity.dir, Path::new("/etc/fedval-node/identity"));
    assert_eq!(
        config.disclosure.policy.as_deref(),
        Some(Path::new("/etc/fedval-node/../policy/standard.toml"))
    );
    assert_eq!(
        config.access.approvers,
        [
            Approver::Group("fedval-approvers".to_owned()),
            Approver::User("anna".to_owned())
        ]
    );
    assert_eq!(config.release.mode, ReleaseMode::Automatic);
    assert_eq!(config.logging.level.as_str(), "debug");
    let study: StudySlug = "heart-2026".parse().unwrap();
    assert!(config.allows(&study));
    let source = config.table(&study).unwrap();
    assert_eq!(source.path, Path::new("/etc/fedval-node/tables/va.csv"));
    assert_eq!(source.missing, ["", "NA", "-9"]);
    assert_eq!(source.caps.file_bytes, 10 << 20);
    let codes = |field: &str, level: &str| source.codes[&field.parse().unwrap()][level].clone();
    assert_eq!(codes("sex", "female"), ["F", "2"]);
    assert_eq!(codes("y", "1"), ["yes", "true"]);
}

#[test]
fn the_sample_is_valid_and_says_the_defaults() {
    let text = include_str!("../../../configs/node.toml");
    let config = parse(text).unwrap();
    let small = parse(SMALL).unwrap();
    assert_eq!(config.identity, small.identity);
    assert_eq!(config.storage, small.storage);
    assert_eq!(config.release, small.release);
    assert_eq!(config.logging, small.logging);
    let source = config.table(&"heart-2026".parse().unwrap()).unwrap();
    let plain = crate::cohort::TableSource::new("t");
    assert_eq!(source.missing, plain.missing);
    assert_eq!(source.caps, plain.caps);
}

#[test]
fn defaults_deny_and_ask() {
    let config = parse(SMALL).unwrap();
    assert_eq!(config.site.display_name, "va");
    assert_eq!(config.release.mode, ReleaseMode::Manual);
    assert_eq!(config.release.four_eyes, FourEyes::First);
    assert_eq!(config.disclosure.policy, None);
    assert!(config.access.studies.is_empty() && config.access.approvers.is_empty());
    let study: StudySlug = "heart-2026".parse().unwrap();
    assert!(!config.allows(&study));
    let fault = config.table(&study).unwrap_err();
    assert!(fault.fix.contains("[study.heart-2026.table]"));
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    for text in [FULL, SMALL] {
        let config = parse(text).unwrap();
        let shown = config.effective();
        assert!(shown.contains("mode = "), "defaults are shown: {shown}");
        assert_eq!(parse(&shown).unwrap(), config);
    }
}

#[test]
fn marks_and_line_ends_do_not_matter() {
    let plain = parse(FULL).unwrap();
    let dressed = format!("\u{feff}{}", FULL.replace('\n', "\r\n"));
    assert_eq!(parse(&dressed).unwrap(), plain);
}

#[test]
fn mistakes_name_the_line_and_the_key_that_was_meant() {
    for (from, to, line, hint) in [
        (
            "mode = \"auto",
            "mod = \"auto",
            23,
            "did you mean \"mode\"?",
        ),
        (
            "[disclosure]",
            "[disclosures]",
            25,
            "did you mean \"disclosure\"?",
        ),
        (
            "\"automatic\"",
            "\"automatik\"",
            23,
            "did you mean \"automatic\"?",
        ),
        ("key = \"case", "keys = \"case", 36, "did you mean \"key\"?"),
        (
            "level = \"debug\"",
            "level = \"debug\"\nlevel = \"info\"",
            30,
            "",
        ),
        ("slug = \"st-olav\"", "slug = \"St Olav\"", 5, ""),
        ("\"unix-group:fedval-approvers\"", "\"ldap:x\"", 20, ""),
        ("sha256:0123", "sha256:123", 19, ""),
        ("max_mb = 10", "max_mb = -1", 38, ""),
    ] {
        let text = FULL.replacen(from, to, 1);
        assert_ne!(text, FULL, "{from}");
        let fault = parse(&text).unwrap_err();
        assert_eq!(fault.code, Code::ConfigInvalid, "{to}");
        let place = format!("/etc/fedval-node/node.toml line {line}:");
        assert!(fault.what.starts_with(&place), "{to}: {fault}");
        assert!(fault.fix.contains(hint), "{to}: {fault}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (from, to) in [
        ("config_version = 1", "config_version = 2"),
        ("absent = [\"smoking\"]", "absent = [\"age\"]"),
        ("\"age_years\"", "\" \""),
        ("max_mb = 10", "max_mb = 0"),
        ("\"tables/va.csv\"", "\"\""),
        (
            "mode = \"automatic\"",
            "mode = \"automatic\"\nfour_eyes = \"always\"",
        ),
        ("\"tables/va.csv\"", "\"tables\\nva.csv\""),
    ] {
        let text = FULL.replacen(from, to, 1);
        assert_ne!(text, FULL, "{from}");
        assert_eq!(parse(&text).unwrap_err().code, Code::ConfigInvalid, "{to}");
    }
    assert!(parse("").is_err());
}

#[test]
fn one_key_is_listed_for_one_person() {
    let key = |seed: u8| shared::identity::SigningKey::from_seed(&[seed; 32]).public();
    let with = |ben: u8| {
        let keys = format!(
            "[access.keys]\nanna = \"{}\"\nben = \"{}\"\n\n[release]",
            key(1),
            key(ben)
        );
        parse(&FULL.replacen("[release]", &keys, 1))
    };
    assert_eq!(with(2).unwrap().access.keys.len(), 2);
    let fault = with(1).unwrap_err();
    assert_eq!(fault.code, Code::ConfigInvalid);
    assert!(fault.what.contains("anna and for ben"), "{fault}");
}

#[test]
fn addresses_have_their_own_code() {
    for bad in [
        "coord.example.org:0",
        "coord.example.org:65536",
        "coord.example.org.:443",
    ] {
        let text = FULL.replacen("coord.example.org:443", bad, 1);
        let fault = parse(&text).unwrap_err();
        assert_eq!(fault.code, Code::AddressInvalid, "{bad}");
        assert!(fault.why.contains(bad), "{fault}");
    }
}

#[test]
fn files_that_are_absent_large_shared_or_not_text_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    let code = || NodeConfig::load(&path).map_err(|fault| fault.code);
    assert_eq!(code(), Err(Code::ConfigUnreadable));
    std::fs::write(&path, SMALL).unwrap();
    assert_eq!(code().unwrap().file, path);
    std::fs::write(&path, format!("{SMALL}#{}", "x".repeat(1 << 20))).unwrap();
    assert_eq!(code(), Err(Code::ConfigUnreadable));
    std::fs::write(&path, b"config_version = 1 # \xff").unwrap();
    assert_eq!(code(), Err(Code::ConfigUnreadable));
    std::fs::write(&path, SMALL).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(code(), Err(Code::ConfigInvalid));
    assert_eq!(
        NodeConfig::load(folder.path()).unwrap_err().code,
        Code::ConfigUnreadable
    );
}
