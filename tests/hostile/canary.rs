//! Strings that exist nowhere but in a hospital's table, its column names, its paths, the names in its
//! node's configuration and its staff's remarks are found nowhere outside the hospital, and not in its
//! node's log either: not in what travels, nor in what a coordinator keeps, nor in a report.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};

use coordinator::link::system_now;
use harness::{Federation, Mode, Site};
use shared::disclosure::policy::STANDARD;
use shared::identity::Digest;
use shared::study::SiteState;
use shared::wire::NodeRequest;

use crate::{Lair, jobs, locked};

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

/// How the site keeps its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kept {
    Csv,
    Parquet,
}

impl Kept {
    fn path(self) -> &'static str {
        match self {
            Self::Csv => "canaryfolder/canaryfile.csv",
            Self::Parquet => "canaryfolder/canaryfile.parquet",
        }
    }
}

/// The same columns in a Parquet file that says who wrote it.
fn as_parquet(table: &str, path: &Path) {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |place: usize| -> ArrayRef {
        let cells = || {
            rows.iter()
                .map(|row| Some(&row[place]).filter(|cell| !cell.is_empty()))
        };
        let numbers = cells().map(|cell| cell.map(str::parse::<f64>).transpose());
        match numbers.collect::<Result<Float64Array, _>>() {
            Ok(numbers) => Arc::new(numbers),
            Err(_) => Arc::new(cells().collect::<StringArray>()),
        }
    };
    let columns = names.iter().enumerate();
    let columns = columns.map(|(place, name)| (name.as_str(), column(place), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let said =
        parquet::file::metadata::KeyValue::new("canarykey".to_owned(), "canarysaid".to_owned());
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_created_by("canarywriter".to_owned())
        .set_key_value_metadata(Some(vec![said]))
        .build();
    let file = std::fs::File::create(path).unwrap();
    let schema = batch.schema();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The site's table moves to a marked path with a marked key column; its policy, state and identity
/// get marked names.
fn move_table(home: &Path, kept: Kept) {
    std::fs::create_dir_all(home.join("canaryfolder")).unwrap();
    let table = std::fs::read_to_string(home.join("predictions.csv")).unwrap();
    std::fs::remove_file(home.join("predictions.csv")).unwrap();
    match kept {
        Kept::Csv => std::fs::write(home.join(kept.path()), table).unwrap(),
        Kept::Parquet => as_parquet(&table, &home.join(kept.path())),
    }
    std::fs::rename(home.join("policy.toml"), home.join("canarypolicy.toml")).unwrap();
    std::fs::rename(home.join("identity"), home.join("canaryidentity")).unwrap();
    let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
    let config = config
        .replace("\"predictions.csv\"", &format!("\"{}\"", kept.path()))
        .replace("\"policy.toml\"", "\"canarypolicy.toml\"")
        .replace("\"identity\"", "\"canaryidentity\"")
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
    for kept in [Kept::Csv, Kept::Parquet] {
        a_released_table_is_not_told(template.copy(|site| mark(site, false)), kept);
    }
    // The same with a table that the data check refuses, where messages quote most.
    a_refused_table_is_not_told(template.copy(|site| mark(site, true)));
}

fn a_released_table_is_not_told(mut federation: Federation, kept: Kept) {
    move_table(&federation.path(SITE), kept);
    federation.start();
    federation.launch();
    federation.wait_state(SITE, "waiting-approval");
    let preview = federation
        .node(SITE, &["job", "preview", federation.round()])
        .expect(0)
        .data();
    // The marks are really there: the staff's own screens may name columns.
    let table = std::fs::read(federation.path(SITE).join(kept.path())).unwrap();
    assert!(String::from_utf8_lossy(&table).contains("canaryid"));
    let bytes = serde_json::to_vec(&preview["document"]).unwrap();
    assert_absent([("the release".to_owned(), bytes)]);
    let decision = node::release::Verb::Approve {
        job: preview["job"]["digest"].as_str().unwrap().parse().unwrap(),
        seen: preview["digest"].as_str().unwrap().parse().unwrap(),
        standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
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
}

fn a_refused_table_is_not_told(mut federation: Federation) {
    move_table(&federation.path(SITE), Kept::Csv);
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

/// Everything that a node says to a coordinator, as it arrives: one table that leaves as statistics
/// and one that the data check refuses.
#[tokio::test]
async fn no_request_of_a_node_says_a_word_of_its_table() {
    for broken in [false, true] {
        let mut lair = Lair::open().await;
        let all = Site::all();
        let mut site = all.into_iter().find(|site| site.slug == SITE).unwrap();
        mark(&mut site, broken);
        let config = std::fs::read_to_string(lair.path("node.toml")).unwrap();
        // Nobody is there to approve.
        let alone = "mode = \"automatic\"\nfour_eyes = \"never\"";
        let config = config.replace("mode = \"automatic\"", alone);
        std::fs::write(lair.path("node.toml"), config + &site.more).unwrap();
        std::fs::write(lair.path("policy.toml"), STANDARD).unwrap();
        std::fs::write(lair.path("predictions.csv"), &site.table).unwrap();
        move_table(&lair.path(""), Kept::Csv);
        let consortium = Arc::clone(&lair.hostile.consortium);
        let study = locked(&consortium, system_now());
        lair.publish(Digest::of(&study), study.clone());
        let job = jobs::job(Digest::of(&study), "heart-disease.r1", system_now());
        lair.offer(jobs::sign(job, &consortium.signing));
        lair.start();
        if broken {
            let waits = |request: &NodeRequest| {
                matches!(
                    request,
                    NodeRequest::Progress {
                        state: SiteState::WaitingApproval,
                        ..
                    }
                )
            };
            lair.until("waiting", |heard| heard.iter().any(waits)).await;
        } else {
            let sent = |request: &NodeRequest| matches!(request, NodeRequest::Deliver { .. });
            lair.until("a delivery", |heard| heard.iter().any(sent))
                .await;
            assert_eq!(lair.deliveries().len(), 1);
        }
        let mut words = format!("{:?}", lair.heard()).into_bytes();
        lair.deliveries()
            .iter()
            .for_each(|bytes| words.extend(bytes));
        let log = lair.node.as_ref().unwrap().words().into_bytes();
        for (name, bytes) in [("requests", words), ("the node's log", log)] {
            assert!(bytes.len() > 30, "{name}");
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            assert!(!text.contains(MARK), "{name}: {text}");
        }
    }
}
