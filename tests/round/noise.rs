//! A hospital under differential privacy among others: what it sends, what the pool makes of it, and
//! what a second round costs.

use harness::Federation;
use serde_json::Value;
use shared::disclosure::policy::STANDARD;

use crate::consortium;
use crate::twice::{ROUNDS, launch};

/// An external hospital of 294 patients.
const SITE: &str = "hungarian";

fn private() -> String {
    format!(
        "{STANDARD}\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
         epsilon_per_release = \"1\"\nblocks = 8\n"
    )
}

fn json(federation: &Federation, name: &str) -> Value {
    let bytes = std::fs::read(federation.path(name)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn delivered(federation: &Federation, round: &str) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let jobs = federation.node(SITE, &["job", "list"]).expect(0).data();
        let mut jobs = jobs.as_array().unwrap().iter();
        if jobs.any(|job| job["round"] == round && job["state"] == "delivered") {
            return;
        }
        assert!(std::time::Instant::now() < until, "{round}");
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
}

#[test]
fn a_hospital_with_noise_is_pooled_with_others_and_a_second_round_is_free() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            site.policy = Some(private());
        }
    });
    federation.start();
    federation.launch();
    federation.wait();
    federation.close(0);
    let out = federation.report("report");
    let report: Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let study = &report["study"];
    let find = |list: &Value, key: &str| -> Value {
        let mut list = list.as_array().unwrap().iter();
        list.find(|one| one[key] == SITE).unwrap().clone()
    };
    let site = find(&study["sites"], "site");
    assert_eq!(site["outcome"], "released");
    assert_eq!(site["statistics"], serde_json::json!([]));
    assert_eq!(site["noise"]["scale"], "2");
    // Its area is in the pool, with a variance that has the noise in it.
    let primary = &study["analyses"][0];
    assert_eq!(primary["pool"]["outcome"], "pooled", "{}", primary["pool"]);
    let row = find(&primary["sites"], "site");
    assert!(row["weight"].as_f64().unwrap() > 0.0, "{row}");
    assert_eq!(row["estimate"]["state"], "rounded");
    let noisy = find(&study["noisy"], "site");
    let area = &noisy["auc"];
    let [value, se, noise] = ["value", "se", "noise_se"].map(|key| area[key].as_f64().unwrap());
    assert!(value > 0.5 && noise > 0.0 && se > noise, "{area}");
    let slope = value * (1.0 - value);
    let variance = row["vi"].as_f64().unwrap();
    assert!((variance.sqrt() - se / slope).abs() < 1e-9, "{row}");
    // No other pool has it, and the report says so in each place.
    for analysis in study["analyses"].as_array().unwrap() {
        let mut sites = analysis["sites"].as_array().unwrap().iter();
        let has = sites.any(|row| row["site"] == SITE);
        assert_eq!(
            has,
            analysis["key"]["metric"] == "auc"
                && analysis["key"]["axis"].is_null()
                && analysis["key"]["sensitivity"].is_null(),
            "{}",
            analysis["key"]
        );
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for words in [
        "Noise on the counts of some hospitals",
        "Results with noise",
        "D20",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let sheet = std::fs::read_to_string(out.join("noisy.csv")).unwrap();
    assert!(sheet.contains(",hungarian,auc,"), "{sheet}");
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["privacy"]["spent"], "1");
    assert_eq!(status["privacy"]["budget"], "3");

    // The same question again: the same counts, and nothing spent.
    launch(&federation, ROUNDS[1]);
    delivered(&federation, ROUNDS[1]);
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["privacy"]["spent"], "1");
    assert_eq!(status["privacy"]["questions"], 1);
    federation.node(SITE, &["ledger", "verify"]).expect(0);
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let words: Vec<&str> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event"]["event"].as_str().unwrap())
        .filter(|word| *word != "delivered")
        .collect();
    assert_eq!(words, ["spent", "drawn", "approved", "approved"]);
    let exported = federation.path("ledger");
    let folder = exported.to_str().unwrap();
    federation
        .node(SITE, &["ledger", "export", "--out", folder])
        .expect(0);
    let releases: Vec<Value> = std::fs::read_dir(exported.join("releases"))
        .unwrap()
        .map(|entry| {
            let name = entry.unwrap().file_name();
            json(
                &federation,
                &format!("ledger/releases/{}", name.to_str().unwrap()),
            )
        })
        .collect();
    assert_eq!(releases.len(), 2);
    assert_eq!(releases[0]["noisy"], releases[1]["noisy"]);
    assert_ne!(
        releases[0]["header"]["round"],
        releases[1]["header"]["round"]
    );
}

/// Where the budget is spent the outside hears what it hears of every refusal.
#[test]
fn a_spent_budget_is_not_released_outside_and_said_inside() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            // Enough for one question.
            site.policy =
                Some(private().replace("blocks = 8", "epsilon_budget = \"1\"\nblocks = 8"));
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    delivered(&federation, ROUNDS[0]);
    federation.take_node(SITE).stop();
    // One patient fewer is another table: another draw, which the others cannot pay.
    federation.change_site(SITE, |site| {
        let text = String::from_utf8(site.table.clone()).unwrap();
        let last = text.trim_end().rfind('\n').unwrap();
        site.table = text.as_bytes()[..=last].to_vec();
    });
    federation.start_node(SITE, None);
    launch(&federation, ROUNDS[1]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let job = loop {
        let jobs = federation.node(SITE, &["job", "list"]).expect(0).data();
        let mut jobs = jobs.as_array().unwrap().iter();
        let job = jobs.find(|job| job["round"] == ROUNDS[1] && job["state"] == "rejected-by-site");
        if let Some(job) = job {
            break job.clone();
        }
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(30));
    };
    assert_eq!(job["refusal"], "not released");
    let why = job["local_why"].as_str().unwrap();
    assert!(
        why.contains("FV-POL-011") && why.contains("of 1, 0 is left"),
        "{why}"
    );
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["privacy"]["spent"], "1");
}
