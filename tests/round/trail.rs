//! Who was shown what at the coordinator, the key of what it stores, and two names for one table.

use harness::Federation;
use serde_json::Value;
use shared::disclosure::policy::STANDARD;

use crate::consortium;

/// The audit trail's entries that showed results, as `(what, sites)`.
fn shown(federation: &Federation) -> Vec<(String, Vec<String>)> {
    let entries = federation
        .fedval(&["ledger", "list", "--shown", "--round", federation.round()])
        .expect(0)
        .data();
    let entry = |value: &Value| {
        let content = &value["content"];
        let uid = rustix::process::getuid().as_raw().to_string();
        assert!(content["by"].as_str().unwrap().contains(&uid), "{content}");
        assert_eq!(content["study"], "heart-disease");
        let sites = content["shown"].as_array().unwrap().iter();
        let sites = sites.map(|site| site.as_str().unwrap().to_owned());
        (
            content["what"].as_str().unwrap().to_owned(),
            sites.collect(),
        )
    };
    entries.as_array().unwrap().iter().map(entry).collect()
}

/// A report that cannot be written was about to be shown all the same: the entry comes first.
#[test]
fn who_is_shown_results_is_in_the_trail_first() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation.launch();
    federation.wait();
    federation
        .fedval(&["round", "status", federation.round()])
        .expect(0);
    assert_eq!(
        shown(&federation),
        [],
        "a status without findings shows none"
    );
    federation.close(0);
    let taken = federation.path("taken");
    std::fs::write(&taken, "a file").unwrap();
    let words = ["report", "build", federation.round(), "--out"];
    let build = |out: &str| federation.fedval(&[&words[..], &[out]].concat());
    build(taken.to_str().unwrap()).expect(78);
    let sites: Vec<String> = federation.slugs();
    assert_eq!(
        shown(&federation),
        [("report build".to_owned(), sites.clone())]
    );

    // A new key while the server runs, then the report: nothing is lost, and all of it proves.
    let rotated = federation
        .fedval(&["storage", "rotate-key", "--drop-old"])
        .expect(0);
    assert!(rotated.data()["texts"].as_u64().unwrap() >= 12);
    let out = federation.report("report");
    federation
        .fedval(&[
            "report",
            "verify",
            out.to_str().unwrap(),
            "--round",
            federation.round(),
        ])
        .expect(0);
    let found = shown(&federation);
    let whats: Vec<&str> = found.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(whats, ["report build", "report build", "report verify"]);
    assert!(found.iter().all(|(_, of)| *of == sites));
    federation.fedval(&["ledger", "verify"]).expect(0);

    // Without its key the database tells nothing, by any command.
    let keys = federation.path("coordinator/storage.keys");
    std::fs::rename(&keys, federation.path("elsewhere")).unwrap();
    for words in [["round", "list"], ["ledger", "verify"]] {
        let answer = federation.fedval(&words).expect(78);
        assert!(answer.out.contains("FV-CONF-006"), "{}", answer.out);
    }
}

/// Two hospitals with one table: both are set aside, `status` says why, and that it said so is in
/// the trail.
#[test]
fn one_table_under_two_names_is_set_aside_and_told() {
    let theirs = harness::Site::all()
        .into_iter()
        .find(|site| site.slug == "hungarian")
        .unwrap();
    let mut federation = consortium(|site| {
        if ["hungarian", "va"].contains(&site.slug.as_str()) {
            site.table = theirs.table.clone();
            site.policy = Some(STANDARD.to_owned());
        }
    });
    federation.start();
    federation.launch();
    federation.wait();
    let view = federation
        .fedval(&["round", "status", federation.round()])
        .expect(0)
        .data();
    for site in view["sites"].as_array().unwrap() {
        let name = site["site"].as_str().unwrap();
        let copied = ["hungarian", "va"].contains(&name);
        assert_eq!(site["outcome"] == "quarantined", copied, "{site}");
        if copied {
            assert_eq!(site["findings"][0]["rule"], "fingerprint-unique", "{site}");
        }
    }
    let pair = vec!["hungarian".to_owned(), "va".to_owned()];
    let status = ("round status".to_owned(), pair.clone());
    assert!(shown(&federation).contains(&status));
    // Whose numbers they are a person finds out; nobody is kept out by a copy.
    let accept = |site: &str, reason: &str| {
        let words = ["round", "accept", federation.round(), "--site", site];
        federation.fedval(&[&words[..], &["--reason", reason]].concat())
    };
    accept("hungarian", " ").expect(2);
    accept("cleveland", "why not").expect(1);
    let taken = accept("hungarian", "it is their table").expect(0).data();
    assert_eq!(taken["documents"].as_array().unwrap().len(), 1);
    accept("hungarian", "again").expect(1);
    let view = federation
        .fedval(&["round", "status", federation.round()])
        .expect(0)
        .data();
    for site in view["sites"].as_array().unwrap() {
        let copied = site["site"] == "va";
        assert_eq!(site["outcome"] == "quarantined", copied, "{site}");
    }
    let trail = federation.fedval(&["ledger", "list"]).expect(0).data();
    let trail = trail.as_array().unwrap().iter();
    let taken: Vec<&Value> = trail
        .map(|entry| &entry["content"])
        .filter(|entry| entry["what"] == "release accepted by a person")
        .collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["reason"], "it is their table");
    assert_eq!(taken[0]["site"], "hungarian");
    federation.fedval(&["ledger", "verify"]).expect(0);
    federation.close(1);
    accept("va", "too late").expect(1);
    let report = std::fs::read_to_string(federation.report("report").join("report.html")).unwrap();
    assert!(report.contains("released; set aside, because checks found a contradiction"));
    federation.fedval(&["ledger", "verify"]).expect(0);
}
