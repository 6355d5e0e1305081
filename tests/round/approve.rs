//! Who must approve: two people for the first release of a study and before a mode comes into
//! force, nobody for what a person has approved in the same shape, a person for everything else.

use std::time::{Duration, Instant};

use harness::{Federation, Mode, heart, path};
use node::approval::shape::shape;
use node::config::NodeConfig;
use node::link::system_now;
use node::release::{Verb, decide};
use node::store::Store;
use serde_json::Value;
use shared::disclosure::Policy;
use shared::disclosure::policy::STANDARD;
use shared::fault::{Code, Fault};
use shared::statistic::Cases;

use crate::consortium;
use crate::preview::grown;
use crate::twice::{ROUNDS, approve, launch, waiting};

const SITE: &str = "cleveland";

/// Waits until the job of a round stands in `state`.
fn wait_round(federation: &Federation, round: &str, state: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let jobs = federation.node(SITE, &["job", "list"]).expect(0).data();
        let of = |job: &&Value| job["round"] == round;
        let found = jobs.as_array().unwrap().iter().find(of).cloned();
        if found.as_ref().is_some_and(|job| job["state"] == state) {
            return;
        }
        assert!(Instant::now() < until, "{round} is not {state}: {jobs}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// The approvals of the ledger, oldest first.
fn approvals(federation: &Federation) -> Vec<Value> {
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap().iter();
    let approved = entries.filter(|entry| entry["event"]["event"] == "approved");
    approved.cloned().collect()
}

/// Approves what a preview shows as `person`, while the node is stopped.
fn decide_as(federation: &Federation, preview: &Value, person: &str) -> Result<(), Fault> {
    let config = NodeConfig::load(&federation.path(SITE).join("node.toml")).unwrap();
    let store = Store::open(&config.storage.dir).unwrap();
    let digest = |value: &Value| value.as_str().unwrap().parse().unwrap();
    let verb = Verb::Approve {
        job: digest(&preview["job"]["digest"]),
        seen: digest(&preview["digest"]),
        standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
        note: None,
        signature: None,
    };
    decide(&store, &config, verb, person, system_now())
}

#[test]
fn what_was_approved_in_the_same_shape_leaves_and_another_shape_waits() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard();
            site.mode = Mode::SameShape;
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let first = waiting(&federation, ROUNDS[0]);
    assert_eq!(first["approval"]["people"], 1);
    let preview = || {
        federation
            .node(SITE, &["job", "preview", ROUNDS[0]])
            .expect(0)
    };
    assert_eq!(preview().json()["next"].as_array().unwrap().len(), 1);
    approve(&federation, &first).unwrap();
    wait_round(&federation, ROUNDS[0], "delivered");
    // Nobody is asked to approve what has left.
    assert_eq!(preview().json()["next"], serde_json::json!([]));
    // The same question on the same table: nobody is asked.
    launch(&federation, ROUNDS[1]);
    wait_round(&federation, ROUNDS[1], "delivered");
    let found = approvals(&federation);
    assert_eq!(found[1]["event"]["approver"], node::approval::SAME_SHAPE);
    assert_eq!(found[1]["event"]["follows"], found[0]["seq"]);
    assert_eq!(found[1]["event"]["shape"], Value::Null);
    assert_eq!(first["approval"]["shape"], found[0]["event"]["shape"]);
    // More patients let other levels be hidden than before: somebody must look.
    federation.take_node(SITE).stop();
    federation.change_site(SITE, |site| grown(site, 12));
    federation.start_node(SITE, None);
    launch(&federation, ROUNDS[2]);
    let third = waiting(&federation, ROUNDS[2]);
    assert_ne!(third["approval"]["shape"], first["approval"]["shape"]);
    assert_eq!(approvals(&federation).len(), 2);
}

#[test]
fn the_first_release_and_a_mode_that_comes_into_force_ask_for_two_people() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard();
            site.four_eyes = "first";
            site.approvers = vec!["anna".to_owned(), "ben".to_owned()];
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    // The file says automatic; a file is not two people.
    let first = waiting(&federation, ROUNDS[0]);
    assert_eq!(first["approval"]["people"], 2);
    assert_eq!(first["approval"]["why"], "first");
    assert_eq!(first["approval"]["standing"], "automatic");
    federation.take_node(SITE).stop();
    // Whoever was shown no mode brings none into force, nor another one.
    for shown in [Value::Null, "same-shape".into()] {
        let mut other = first.clone();
        other["approval"]["standing"] = shown;
        let fault = decide_as(&federation, &other, "anna").unwrap_err();
        assert_eq!(fault.code, Code::NotWaiting);
        assert!(
            fault.what.starts_with("automatic would come into force"),
            "{fault}"
        );
    }
    assert!(approvals(&federation).is_empty());
    decide_as(&federation, &first, "anna").unwrap();
    let half = waiting(&federation, ROUNDS[0]);
    assert_eq!(half["approved_so_far"], serde_json::json!(["anna"]));
    assert_eq!(half["job"]["state"], "waiting-approval");
    let again = decide_as(&federation, &first, "anna").unwrap_err();
    assert_eq!(again.code, Code::SecondApprover);
    assert!(again.fix.contains("four_eyes"), "{again}");
    // What was reviewed under a policy that is no longer the site's is computed again first.
    let file = federation.path(SITE).join("policy.toml");
    let policy = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, policy.replace("max_share = 0.5", "max_share = 0.4")).unwrap();
    let stricter = decide_as(&federation, &first, "ben").unwrap_err();
    assert_eq!(stricter.code, Code::NotWaiting);
    assert!(stricter.what.contains("another policy"), "{stricter}");
    std::fs::write(&file, policy).unwrap();
    decide_as(&federation, &first, "ben").unwrap();
    federation.start_node(SITE, None);
    wait_round(&federation, ROUNDS[0], "delivered");
    let found = approvals(&federation);
    assert_eq!(found[0]["event"]["approver"], "anna and ben");
    assert_eq!(found[0]["event"]["standing"], "automatic");
    // Now the mode is in force.
    launch(&federation, ROUNDS[1]);
    wait_round(&federation, ROUNDS[1], "delivered");
    let found = approvals(&federation);
    assert_eq!(found[1]["event"]["approver"], node::approval::AUTOMATIC);
    assert_eq!(found[1]["event"]["follows"], found[0]["seq"]);
    // For the policy that both have seen, and no other.
    let policy = format!("{STANDARD}# the same, written anew\n");
    std::fs::write(federation.path(SITE).join("policy.toml"), policy).unwrap();
    launch(&federation, ROUNDS[2]);
    let third = waiting(&federation, ROUNDS[2]);
    assert_eq!(third["approval"]["why"], "standing");
    federation.node(SITE, &["ledger", "verify"]).expect(0);

    // Under the policy that both have seen, but the site's file has named another mode meanwhile.
    federation.change_site(SITE, |site| site.policy = Some(STANDARD.to_owned()));
    for mode in [Mode::Manual, Mode::Automatic] {
        federation.take_node(SITE).stop();
        federation.change_site(SITE, |site| site.mode = mode);
        let log = std::fs::read_to_string(federation.path("cleveland.log")).unwrap();
        let nth = 1 + log.matches("connected").count();
        federation.start_node(SITE, None);
        let wait = Duration::from_secs(30);
        federation.running(SITE).wait_for("connected", nth, wait);
    }
    launch(&federation, "heart-disease.r4");
    let fourth = waiting(&federation, "heart-disease.r4");
    assert_eq!(fourth["approval"]["why"], "standing");
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let mut ended = entries.as_array().unwrap().iter();
    let ended = ended.find(|entry| entry["event"]["event"] == "mode-ended");
    assert_eq!(ended.unwrap()["event"]["mode"], "automatic");
}

#[test]
fn where_each_of_two_lists_must_agree_two_of_one_list_are_not_enough() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard().manual();
            site.four_eyes = "always";
            site.approvers = vec!["anna".to_owned(), "ben".to_owned()];
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    waiting(&federation, ROUNDS[0]);
    federation.take_node(SITE).stop();
    let file = federation.path(SITE).join("node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lists = "[access]\nsecond_approvers = [\"dora\"]\n";
    std::fs::write(&file, text.replace("[access]\n", lists)).unwrap();
    let preview = waiting(&federation, ROUNDS[0]);
    assert_eq!(preview["approval"]["why"], "always");
    for person in ["anna", "ben"] {
        decide_as(&federation, &preview, person).unwrap();
        assert!(approvals(&federation).is_empty(), "{person}");
    }
    decide_as(&federation, &preview, "dora").unwrap();
    let found = approvals(&federation);
    assert_eq!(found[0]["event"]["approver"], "anna and ben and dora");
}

#[test]
fn a_shape_is_the_question_the_policy_and_what_is_shown() {
    let protocol = heart::protocol();
    let policy = Policy::parse(STANDARD).unwrap();
    let cases = |site: &str| heart::cases(&protocol, site);
    let of = |cases: &Cases, policy: &Policy| {
        path::release(&protocol, cases, policy, "cleveland").unwrap()
    };
    let one = of(&cases("cleveland"), &policy);
    let own = shape(&one, &protocol, &[]).unwrap();
    // Other numbers, the same shape.
    let mut moved = one.clone();
    let auc = moved.statistics.iter_mut();
    let auc = auc.filter_map(|one| match one {
        shared::statistic::Statistic::Auc(auc) => Some(auc),
        _ => None,
    });
    let cell = |value: f64| shared::statistic::Cell::Rounded {
        value,
        lo: value,
        hi: value,
    };
    auc.for_each(|auc| auc.auc = cell(0.5));
    assert_ne!(moved, one);
    assert_eq!(shape(&moved, &protocol, &[]).unwrap(), own);
    // A public data set's next version.
    let mut next = protocol.clone();
    next.public_dataset.clear();
    assert_ne!(next, protocol);
    assert_eq!(shape(&one, &next, &[]).unwrap(), own);
    // Another hospital shows other levels; another policy, model, threshold is another shape.
    let other = of(&cases("hungarian"), &policy);
    assert_ne!(shape(&other, &protocol, &[]).unwrap(), own);
    let stricter = STANDARD.replace("max_blocks", "# \nmax_blocks");
    let other = of(&cases("cleveland"), &Policy::parse(&stricter).unwrap());
    assert_ne!(shape(&other, &protocol, &[]).unwrap(), own);
    let mut model = protocol.clone();
    model.model[0].version = "2.0.0".to_owned();
    assert_ne!(shape(&one, &model, &[]).unwrap(), own);
    let mut fewer = one.clone();
    fewer.statistics.pop();
    assert_ne!(shape(&fewer, &protocol, &[]).unwrap(), own);
    // Steps that the job goes on with.
    let steps = |max_steps| {
        let id = "calibration".parse().unwrap();
        let declared = shared::study::job::Exchange {
            id,
            max_steps,
            statistics: Vec::new(),
        };
        shape(&one, &protocol, &[declared]).unwrap()
    };
    assert!(steps(8) != own && steps(8) != steps(7));
    let mut newer = one.clone();
    newer.header.software = "fedval-node 99.0.0".to_owned();
    assert_ne!(shape(&newer, &protocol, &[]).unwrap(), own);
}
