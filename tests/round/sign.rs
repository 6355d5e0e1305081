//! The approver's own signature: where the site lists keys nothing leaves without one, the key
//! stays under its passphrase, and the ledger and its export carry what was signed.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use coordinator::link::system_now;
use harness::{Answer, Federation};
use node::approval::signature::Statement;
use node::config::NodeConfig;
use node::daemon::control::{Request, ask};
use node::release::Verb;
use node::store::Store;
use serde_json::Value;
use shared::fault::{Code, Fault};
use shared::identity::{Digest, SigningKey};

use crate::consortium;
use crate::decide::{has_terminal, type_at_terminal};
use crate::twice::{ROUNDS, approve, launch, waiting};

const SITE: &str = "cleveland";
const PASSPHRASE: &str = "copper lantern river quiet";

/// Makes a key as a person would, without a terminal.
fn make_key(federation: &Federation, file: &Path) -> Answer {
    let mut command = federation.node_command(SITE);
    command.args(["approver", "new", "--out"]).arg(file);
    command.args(["--format", "json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    writeln!(keyboard, "{PASSPHRASE}").unwrap();
    drop(keyboard);
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Approves what a preview shows with a signature of `key` in the name of `person`.
fn approve_signed(
    federation: &Federation,
    preview: &Value,
    key: &SigningKey,
    person: &str,
) -> Result<(), Fault> {
    let digest = |value: &Value| -> Digest { value.as_str().unwrap().parse().unwrap() };
    let (job, seen) = (
        digest(&preview["job"]["digest"]),
        digest(&preview["digest"]),
    );
    let signature = Statement::new(person, job, seen, None).sign(key).unwrap();
    let decision = Verb::Approve {
        job,
        seen,
        standing: None,
        note: None,
        signature: Some(Box::new(signature)),
    };
    let state = federation.path(SITE).join("state");
    ask(&state, &Request::Decide { decision }).map(drop)
}

#[test]
fn where_keys_are_listed_nothing_leaves_unsigned_and_the_ledger_keeps_the_signature() {
    if !has_terminal() {
        return;
    }
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().manual();
        }
    });
    let file = federation.path("approver.key");
    let made = make_key(&federation, &file).expect(0).data();
    let (person, key) = (
        made["approver"].as_str().unwrap(),
        made["key"].as_str().unwrap(),
    );
    federation.change_site(SITE, |site| {
        site.more = format!("[access.keys]\n{person:?} = \"{key}\"\n");
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let preview = waiting(&federation, ROUNDS[0]);
    // Neither without a signature, nor with somebody else's key.
    assert_eq!(
        approve(&federation, &preview).unwrap_err().code,
        Code::ApprovalNotSigned
    );
    let own = SigningKey::from_seed(&[9; 32]);
    let fault = approve_signed(&federation, &preview, &own, person).unwrap_err();
    assert_eq!(fault.code, Code::ApprovalNotSigned);
    assert!(fault.why.contains("lists ed25519:"), "{fault}");

    let command = federation.node_command(SITE);
    let bare = format!("job approve {}", ROUNDS[0]);
    let (code, text) = type_at_terminal(&command, &bare, &["heart-disease"]);
    assert!(code == Some(7) && text.contains("FV-POL-010"), "{text}");
    let words = format!("{bare} --key {}", file.display());
    let (code, text) = type_at_terminal(
        &command,
        &words,
        &["heart-disease", "another one, and wrong"],
    );
    assert!(
        code == Some(7) && text.contains("the passphrase is another one"),
        "{text}"
    );
    let (code, text) = type_at_terminal(&command, &words, &["heart-disease", PASSPHRASE]);
    assert_eq!(code, Some(0), "{text}");
    federation.wait_state(SITE, "delivered");
    assert_kept(&federation, &preview, person, key);
    // What was approved did not come with a name or a key to the coordinator.
    for (name, bytes) in federation.outside() {
        let found = bytes.windows(key.len()).any(|part| part == key.as_bytes());
        assert!(!found, "{name} has the approver's key");
    }
}

/// Whoever can write the node's database can write an approval into it, and cannot sign for an
/// approver: the bytes stay where they are.
#[test]
fn an_approval_that_nobody_signed_is_not_sent_where_keys_are_listed() {
    let me = node::person::Person::myself().name;
    let key = SigningKey::from_seed(&[4; 32]).public();
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().manual();
            site.more = format!("[access.keys]\n{me:?} = \"{key}\"\n");
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let preview = waiting(&federation, ROUNDS[0]);
    federation.take_node(SITE).stop();
    {
        // As the program itself would write it, on a node that lists no keys.
        let mut config = NodeConfig::load(&federation.path(SITE).join("node.toml")).unwrap();
        config.access.keys.clear();
        let store = Store::open(&config.storage.dir).unwrap();
        let digest = |value: &Value| -> Digest { value.as_str().unwrap().parse().unwrap() };
        let verb = Verb::Approve {
            job: digest(&preview["job"]["digest"]),
            seen: digest(&preview["digest"]),
            standing: None,
            note: None,
            signature: None,
        };
        node::release::decide(&store, &config, verb, &me, system_now()).unwrap();
    }
    federation.start_node(SITE, None);
    let node = federation.running(SITE);
    let said = node.wait_for("held back", 1, Duration::from_secs(30));
    assert!(said.contains("FV-POL-010"), "{said}");
    let jobs = federation.node(SITE, &["job", "list"]).expect(0).data();
    assert_eq!(jobs[0]["state"], "sending");
    let verified = federation
        .node(SITE, &["ledger", "verify"])
        .expect(0)
        .data();
    assert_eq!(
        (&verified["signed"], &verified["unsigned"]),
        (&0.into(), &1.into())
    );
    // It is the missing signature that holds it back.
    federation.take_node(SITE).stop();
    federation.change_site(SITE, |site| site.more = String::new());
    federation.start_node(SITE, None);
    federation.wait_state(SITE, "delivered");
}

/// The ledger and its export carry the signature, and whoever has the key can check it.
fn assert_kept(federation: &Federation, preview: &Value, person: &str, key: &str) {
    let verified = federation
        .node(SITE, &["ledger", "verify"])
        .expect(0)
        .data();
    assert_eq!(
        (&verified["signed"], &verified["unsigned"]),
        (&1.into(), &0.into())
    );
    assert_eq!(verified["unlisted"], serde_json::json!([]));
    let entry = federation
        .node(SITE, &["ledger", "show", "1"])
        .expect(0)
        .data();
    let signed = &entry["event"]["signatures"][0];
    assert_eq!(
        (&signed["approver"], &signed["key"]),
        (&person.into(), &key.into())
    );
    // The documented form, made by hand.
    let statement = format!(
        "{{\"approver\":\"{person}\",\"digest\":{},\"job\":{},\"schema\":\"fedval.approval/1\",\
         \"standing\":null}}",
        preview["digest"], preview["job"]["digest"]
    );
    let signature = signed["signature"].as_str().unwrap().parse().unwrap();
    let public: shared::identity::PublicKey = key.parse().unwrap();
    assert!(public.verify("fedval.approval/1", statement.as_bytes(), &signature));

    let out = federation.path("ledger");
    let export = ["ledger", "export", "--out", out.to_str().unwrap()];
    federation.node(SITE, &export).expect(0);
    for name in ["ledger.csv", "ro-crate-metadata.json"] {
        let text = std::fs::read_to_string(out.join(name)).unwrap();
        assert!(
            text.contains(signed["signature"].as_str().unwrap()),
            "{name}"
        );
    }
    // A key that is no longer listed is said, and what it signed stays valid.
    let config = federation.path(SITE).join("node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("[access.keys]", "[access.keys]\n# ")
            .replace("# \n", "# "),
    )
    .unwrap();
    let verified = federation
        .node(SITE, &["ledger", "verify"])
        .expect(0)
        .data();
    assert_eq!(verified["unlisted"], serde_json::json!([1]));
}
