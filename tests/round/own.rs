//! A hospital's own copy of the pooled report: made from the bundle alone, compared with the
//! hospital's ledger.

use serde_json::Value;

use crate::consortium;

#[test]
fn a_hospital_makes_its_own_copy_of_the_report() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation.launch();
    federation.wait();
    federation.close(0);
    let bundle = federation.report("report");
    let copy = |site: &str, from: &std::path::Path, name: &str| {
        let (from, out) = (from.to_str().unwrap(), federation.path(name));
        let command = ["report", from, "--out", out.to_str().unwrap()];
        federation.node(site, &command)
    };
    let before = federation.node("va", &["ledger", "list"]).expect(0).data();
    let made = copy("va", &bundle, "own.html").expect(0).data();
    assert_eq!(made["is_ours"], true, "{made}");
    let page = std::fs::read_to_string(federation.path("own.html")).unwrap();
    let name = "V.A. Medical Center, Long Beach";
    assert!(page.contains(&format!("data-own=\"{name}\"")));
    assert!(page.contains("This hospital and the others"));
    assert!(page.contains("on average over 3 external hospitals"));
    let common = std::fs::read_to_string(bundle.join("report.html")).unwrap();
    assert!(!common.contains("This hospital and the others"));
    let apart = copy("cleveland", &bundle, "apart.html").expect(0).data();
    assert_eq!(apart["is_ours"], true);
    let page = std::fs::read_to_string(federation.path("apart.html")).unwrap();
    assert!(page.contains("enter no mean"));
    // It is never written over, and a bundle that was changed is refused.
    let again = copy("va", &bundle, "own.html").expect(78).json();
    assert_eq!(again["error"]["code"], "FV-CONF-005");
    let text = std::fs::read_to_string(bundle.join("report.json")).unwrap();
    let ours = made["release"].as_str().unwrap();
    let strange = text.replace(ours, &format!("sha256:{}", "0".repeat(64)));
    assert_ne!(text, strange);
    let alone = federation.path("alone.json");
    std::fs::write(&alone, &strange).unwrap();
    let made = copy("va", &alone, "strange.html").expect(0).data();
    assert_eq!(made["is_ours"], false);
    std::fs::write(bundle.join("report.json"), &strange).unwrap();
    let changed = copy("va", &bundle, "changed.html").expect(1).json();
    assert_eq!(changed["error"]["code"], "FV-REPORT-003");
    assert!(!federation.path("changed.html").exists());
    let after: Value = federation.node("va", &["ledger", "list"]).expect(0).data();
    assert_eq!(before, after, "nothing is released by looking");
}
