//! Masked sums over twelve made-up hospitals in real processes: the sum is right whoever drops
//! out in whichever phase, and too few are an end with a word, not a sum.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use coordinator::sim::{SimStudy, screening};
use harness::{Federation, Mode, Site, Template};
use serde_json::Value;
use shared::disclosure::policy::STANDARD;

const SITES: u64 = 12;
const SLUG: &str = "heart-disease";

fn site(number: u64) -> Site {
    Site {
        slug: format!("hospital-{number:02}"),
        table: screening::table(number).into_bytes(),
        policy: Some(STANDARD.to_owned()),
        mode: Mode::Automatic,
        four_eyes: "never",
        approvers: Vec::new(),
        studies: vec![SLUG.to_owned()],
        more: String::new(),
    }
}

fn source() -> String {
    let text = SimStudy::Screening(SITES).source();
    let text = text.replace("simulated-screening", SLUG);
    let quick = text.replace("phase_seconds = 3600", "phase_seconds = 4");
    assert_ne!(text, quick);
    quick
}

/// Every hospital enrolled, the study locked, and every key in every other hospital's hands.
fn consortium() -> Arc<Template> {
    static TEMPLATE: OnceLock<Arc<Template>> = OnceLock::new();
    let made = TEMPLATE.get_or_init(|| {
        let sites = (1..=SITES).map(site).collect();
        let mut federation = Federation::enrolled(harness::programs!(), sites);
        federation.plan(&source());
        let mut peers = String::new();
        for slug in federation.slugs() {
            let own = federation.node(&slug, &["peer", "own"]).expect(0).data();
            peers.push_str(&format!("{slug} = {}\n", own["key"]));
        }
        for slug in federation.slugs() {
            federation.change_site(&slug, |site| {
                site.more = format!("[study.{SLUG}.masked_sums]\nkeep_days = 30\n[peers]\n{peers}");
            });
        }
        federation.into_template()
    });
    Arc::clone(made)
}

/// Rows by outcome and by whether the score is at or above the threshold, of some hospitals.
fn counted(numbers: impl Iterator<Item = u64>, threshold: f64) -> [u64; 4] {
    let mut counts = [0; 4];
    for number in numbers {
        for line in screening::table(number).lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let positive = cells[2].parse::<f64>().unwrap() >= threshold;
            let place = match (cells[1], positive) {
                ("1", true) => 0,
                ("0", true) => 1,
                ("1", false) => 2,
                (_, _) => 3,
            };
            counts[place] += 1;
        }
    }
    counts
}

fn table(masked: &Value, threshold: f64) -> [u64; 4] {
    let tables = masked["tables"].as_array().unwrap();
    let found = tables
        .iter()
        .find(|one| one["model"] == "ai" && one["threshold"] == threshold);
    let cells = [
        "true_positive",
        "false_positive",
        "false_negative",
        "true_negative",
    ];
    cells.map(|cell| found.unwrap()[cell]["value"].as_u64().unwrap())
}

/// A round in which these hospitals' nodes end themselves at their moments.
fn round(killed: &BTreeMap<u64, String>) -> (Value, Value) {
    let mut federation = consortium().copy(|_| {});
    federation.start_serve(None);
    for number in 1..=SITES {
        let slug = format!("hospital-{number:02}");
        federation.start_node(&slug, killed.get(&number).map(String::as_str));
    }
    federation.launch();
    let view = federation.wait();
    federation.close(0);
    let report = federation.report("report");
    let text = std::fs::read(report.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    (
        view["exchanges"][0].clone(),
        report["study"]["masked"].clone(),
    )
}

/// Three hospitals are killed when they are sent `step`; the sum is over `expected`.
#[track_caller]
fn opened_without(step: u32, expected: &[u64]) {
    let moment = format!("node.step.received#{step}");
    let killed = [2, 7, 11].map(|number| (number, moment.clone()));
    let (exchange, masked) = round(&killed.into());
    let words = format!("the sum over {} sites is open", expected.len());
    assert_eq!(exchange["end"], words, "{exchange}");
    let survivors: Vec<String> = expected
        .iter()
        .map(|number| format!("hospital-{number:02}"))
        .collect();
    assert_eq!(masked["survivors"], serde_json::json!(survivors));
    for threshold in [0.05, 0.1] {
        let right = counted(expected.iter().copied(), threshold);
        assert_eq!(table(&masked, threshold), right, "at {threshold}");
    }
}

const ALL: [u64; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const NINE: [u64; 9] = [1, 3, 4, 5, 6, 8, 9, 10, 12];

#[test]
fn three_that_never_say_they_take_part_are_not_in_the_roster() {
    opened_without(1, &NINE);
}

#[test]
fn three_killed_before_their_keys_leave_a_sum_over_nine() {
    opened_without(2, &NINE);
}

#[test]
fn three_killed_before_their_shares_leave_a_sum_over_nine() {
    opened_without(3, &NINE);
}

#[test]
fn three_killed_before_their_numbers_leave_a_sum_over_nine() {
    opened_without(4, &NINE);
}

#[test]
fn three_killed_before_they_sign_are_in_the_sum() {
    opened_without(5, &ALL);
}

#[test]
fn three_killed_before_they_open_are_in_the_sum() {
    opened_without(6, &ALL);
}

#[test]
fn four_lost_of_twelve_end_the_sum_and_nothing_else() {
    let moment = "node.step.received#4".to_owned();
    let killed = [1, 4, 8, 12].map(|number| (number, moment.clone()));
    let (exchange, masked) = round(&killed.into());
    assert_eq!(exchange["end"], "ended: 8 sites answered step 4 and 9 must");
    let none = serde_json::json!({"outcome": "not-opened", "reason": "left"});
    assert_eq!(masked, none);
}

#[test]
fn a_node_that_starts_again_says_the_same_and_stays_in_the_sum() {
    let mut federation = consortium().copy(|_| {});
    federation.start_serve(None);
    for number in 1..=SITES {
        let slug = format!("hospital-{number:02}");
        let moment = (number == 5).then_some("node.step.stored#4");
        federation.start_node(&slug, moment);
    }
    federation.launch();
    let mut killed = federation.take_node("hospital-05");
    assert!(
        killed
            .wait_end(std::time::Duration::from_secs(60))
            .is_some()
    );
    federation.start_node("hospital-05", None);
    let view = federation.wait();
    let end = &view["exchanges"][0]["end"];
    assert_eq!(*end, "the sum over 12 sites is open");
}

#[test]
fn a_hospital_whose_key_was_not_confirmed_stops_those_who_did_not_and_no_other_part() {
    let mut federation = consortium().copy(|site| {
        // Nobody at hospital 3 has called hospital 9.
        if site.slug == "hospital-03" {
            let kept = site
                .more
                .lines()
                .filter(|line| !line.starts_with("hospital-09"));
            site.more = kept.collect::<Vec<_>>().join("\n") + "\n";
        }
    });
    federation.start();
    federation.launch();
    let view = federation.wait();
    let end = &view["exchanges"][0]["end"];
    assert_eq!(*end, "the sum over 11 sites is open");
    let round = federation.round();
    let shown = federation.node("hospital-03", &["job", "show", round]);
    let why = federation.ended("hospital-03");
    assert!(why.contains("hospital-09"), "{why}\n{}", shown.out);
    assert!(why.contains("fedval-node peer own"), "{why}");
}

#[test]
fn after_a_withdrawal_there_is_no_masked_sum() {
    let mut federation = consortium().copy(|_| {});
    federation.start();
    federation.launch();
    let view = federation.wait();
    let end = &view["exchanges"][0]["end"];
    assert_eq!(*end, "the sum over 12 sites is open");
    let site = "hospital-04";
    crate::leave::take_back(&federation, site);
    assert_eq!(
        crate::leave::told(&federation, (site, federation.round())),
        "withdrawn"
    );
    federation.close(0);
    let report = federation.report("report");
    let text = std::fs::read(report.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    let none = serde_json::json!({"outcome": "not-opened", "reason": "withdrawn"});
    assert_eq!(report["study"]["masked"], none);
    let page = std::fs::read_to_string(federation.path("report/report.html")).unwrap();
    assert!(page.contains("left the study and took its release back"));
}
