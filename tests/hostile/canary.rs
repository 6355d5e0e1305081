//! Strings that exist nowhere but in a hospital's table, its column names, its paths and its
//! staff's remarks are found nowhere outside the hospital, and not in its node's log either.

use std::fmt::Write as _;

use harness::{Federation, Mode, Site};
use shared::disclosure::policy::STANDARD;

const SITE: &str = "va";
const MARK: &str = "canary";

/// The table with marked keys, a marked free-text column and marked column names.
fn marked(table: &[u8]) -> String {
    let text = String::from_utf8(table.to_vec()).unwrap();
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        if index == 0 {
            let names: Vec<String> = line
                .split(',')
                .map(|name| format!("{MARK}col{name}"))
                .collect();
            let _ = writeln!(out, "{},{MARK}note", names.join(","));
            continue;
        }
        let line = line
            .replace(",male,", ",canarym,")
            .replace(",female,", ",canaryf,");
        let _ = writeln!(out, "{MARK}id{line},{MARK}text{index}");
    }
    out
}

fn mark(site: &mut Site, broken: bool) {
    if site.slug != SITE {
        return;
    }
    site.mode = Mode::Manual;
    site.policy = Some(STANDARD.to_owned());
    let mut table = marked(&site.table);
    if broken {
        table = table.replacen(",0.", ",canaryvalue0.", 3);
    }
    site.table = table.into_bytes();
    site.more.push_str(
        "[study.heart-disease.map]\ny = \"canarycoly\"\np_a = \"canarycolp_a\"\n\
         p_b = \"canarycolp_b\"\nage = \"canarycolage\"\nsex = \"canarycolsex\"\n\
         has_ca = \"canarycolhas_ca\"\nhas_thal = \"canarycolhas_thal\"\n\
         has_chol = \"canarycolhas_chol\"\n\
         [study.heart-disease.codes.sex]\nfemale = [\"canaryf\"]\nmale = [\"canarym\"]\n",
    );
}

/// The site's table moves to a marked path with a marked key column.
fn move_table(federation: &Federation) {
    let home = federation.path(SITE);
    std::fs::create_dir_all(home.join("canaryfolder")).unwrap();
    std::fs::rename(
        home.join("predictions.csv"),
        home.join("canaryfolder/canaryfile.csv"),
    )
    .unwrap();
    let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
    let config = config
        .replace("\"predictions.csv\"", "\"canaryfolder/canaryfile.csv\"")
        .replace("key = \"case_id\"", "key = \"canarycolcase_id\"");
    std::fs::write(home.join("node.toml"), config).unwrap();
}

#[track_caller]
fn assert_absent(places: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let mut searched = 0;
    for (name, bytes) in places {
        searched += bytes.len();
        let found = bytes
            .windows(MARK.len())
            .position(|part| part.eq_ignore_ascii_case(MARK.as_bytes()));
        if let Some(at) = found {
            let near = &bytes[at..bytes.len().min(at + 60)];
            panic!("{name}: {}", String::from_utf8_lossy(near));
        }
    }
    assert!(searched > 10_000, "the search looked at something");
}

#[test]
fn nothing_of_a_table_but_its_released_statistics_leaves_the_hospital() {
    let federation = Federation::enrolled(harness::programs!(), Site::all());
    let template = federation.into_template();
    let mut federation = template.copy(|site| mark(site, false));
    move_table(&federation);
    federation.start();
    federation.launch();
    federation.wait_state(SITE, "waiting-approval");
    let preview = federation
        .node(SITE, &["job", "preview", federation.round()])
        .expect(0)
        .data();
    // The marks are really there: the staff's own screens may name columns.
    assert!(
        std::fs::read_to_string(federation.path("va/canaryfolder/canaryfile.csv"))
            .unwrap()
            .contains("canaryid")
    );
    let bytes = serde_json::to_vec(&preview["document"]).unwrap();
    assert_absent([("the release".to_owned(), bytes)]);
    let decision = node::release::Verb::Approve {
        job: preview["job"]["digest"].as_str().unwrap().parse().unwrap(),
        seen: preview["digest"].as_str().unwrap().parse().unwrap(),
        note: Some("canaryremark".to_owned()),
        signature: None,
    };
    let request = node::daemon::control::Request::Decide { decision };
    node::daemon::control::ask(&federation.path("va/state"), &request).unwrap();
    federation.wait();
    federation.close(0);
    let report = federation.report("report");
    assert_absent(federation.outside());
    assert_absent(harness::files(&report));

    // The same with a table that the data check refuses, where messages quote most.
    let mut federation = template.copy(|site| mark(site, true));
    move_table(&federation);
    federation.start();
    federation.launch();
    let job = federation.wait_state(SITE, "precheck-failed");
    assert!(
        job["local_why"].as_str().unwrap().contains("FV-DATA"),
        "{job}"
    );
    let words = [
        "job",
        "reject",
        federation.round(),
        "--reason",
        "canaryreason",
    ];
    federation.node(SITE, &words).expect(0);
    federation.wait();
    federation.close(1);
    federation.report("report");
    assert_absent(federation.outside());
    assert_absent(harness::files(&federation.path("report")));
}
