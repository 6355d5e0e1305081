//! The preview of a second release: as a page of exact bytes that no one else may read, beside what
//! was released before, and with what follows from both.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::{Answer, Federation, Site};
use serde_json::Value;
use shared::identity::Digest;

use crate::consortium;
use crate::twice::{ROUNDS, approve, launch, waiting};

const SITE: &str = "cleveland";

/// The hospital's table with `count` further patients of each class.
pub(crate) fn grown(site: &mut Site, count: usize) {
    let text = String::from_utf8(site.table.clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for class in ["0", "1"] {
        let of = |line: &&String| line.split(',').nth(6) == Some(class);
        let copies: Vec<String> = lines
            .iter()
            .skip(1)
            .filter(of)
            .take(count)
            .cloned()
            .collect();
        for (index, line) in copies.iter().enumerate() {
            let (_, rest) = line.split_once(',').unwrap();
            lines.push(format!("new{class}{index},{rest}"));
        }
    }
    site.table = (lines.join("\n") + "\n").into_bytes();
}

fn html(federation: &Federation, round: &str, file: &Path) -> Answer {
    let file = file.to_str().unwrap();
    federation.node(SITE, &["job", "preview", round, "--html", file])
}

/// What stands between two tags, as a browser shows it.
fn shown<'a>(page: &'a str, open: &str, close: &str) -> String {
    let (_, rest) = page.split_once(open).unwrap_or_else(|| panic!("no {open}"));
    let (text, _): (&'a str, _) = rest.split_once(close).unwrap();
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

/// No script, no request, nothing that another page could start.
fn assert_self_contained(page: &str) {
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    for word in [
        "<script", "src=", "href=", "url(", "@import", "http:", "https:", " on",
    ] {
        let found = match word {
            // An event handler is ` on` and letters before an equals sign inside a tag.
            " on" => page.split('<').any(|tag| {
                let tag = tag.split('>').next().unwrap_or_default();
                tag.split_whitespace()
                    .any(|part| part.starts_with("on") && part.contains('='))
            }),
            word => page.contains(word),
        };
        assert!(!found, "the page has {word}");
    }
}

#[test]
fn a_page_shows_the_bytes_and_what_they_add_to_earlier_releases() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard().manual();
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let first = waiting(&federation, ROUNDS[0]);
    assert_eq!(first["difference"]["before"], serde_json::json!([]));
    let said = first["inference"].as_str().unwrap();
    assert!(
        said.contains("about 305 patients were analysed") && said.contains("no earlier"),
        "{said}"
    );

    let file = federation.path("first.html");
    let answer = html(&federation, ROUNDS[0], &file).expect(0);
    assert_eq!(answer.data()["html"], file.to_str().unwrap());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = html(&federation, ROUNDS[0], &file).expect(78);
    assert_eq!(again.json()["error"]["code"], "FV-CONF-005");
    let page = std::fs::read_to_string(&file).unwrap();
    assert_self_contained(&page);
    let bytes = shown(&page, "aria-label=\"The exact bytes\">", "</pre>");
    let digest = Digest::of(bytes.as_bytes()).to_string();
    assert_eq!(first["digest"], digest.as_str());
    assert!(page.contains(&format!(
        "<dt>What is approved</dt><dd><code>{digest}</code>"
    )));
    for words in [
        "withheld: rule D4",
        "to look at: allowed, and close to the limit of 10 patients",
        "This page stays at the hospital",
        "Nothing of this study, and nothing about these patients",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
    approve(&federation, &first).unwrap();
    federation.wait_state(SITE, "delivered");

    // Twelve patients more of each class, and the same question.
    federation.take_node(SITE).stop();
    federation.change_site(SITE, |site| grown(site, 12));
    federation.start_node(SITE, None);
    launch(&federation, ROUNDS[1]);
    let second = waiting(&federation, ROUNDS[1]);
    assert_added(&second);
    let file = federation.path("second.html");
    html(&federation, ROUNDS[1], &file).expect(0);
    let page = std::fs::read_to_string(&file).unwrap();
    assert_self_contained(&page);
    assert!(page.contains("<td class=\"n\">303</td><td class=\"n\">24</td><td class=\"n\">0</td>"));
    assert!(page.contains("was about 305 (303 to 307)"));
    let mut text = federation.node_command(SITE);
    let text = Answer::of(text.args(["job", "preview", ROUNDS[1]]))
        .expect(0)
        .out
        .clone();
    assert!(
        text.contains("303 patients in common, 24 only here, 0 only there"),
        "{text}"
    );
    assert!(text.contains("[was about 305 (303 to 307)]"), "{text}");
    if let Ok(folder) = std::env::var("FEDVAL_KEEP_PAGES") {
        for name in ["first.html", "second.html"] {
            std::fs::copy(federation.path(name), Path::new(&folder).join(name)).unwrap();
        }
    }
}

/// The second preview is set beside the first release: 24 patients came, nobody went.
fn assert_added(second: &Value) {
    let difference = &second["difference"];
    assert_eq!(difference["compared"], 1);
    let before = &difference["before"][0];
    assert_eq!(before["entry"], 1);
    assert_eq!(before["round"], ROUNDS[0]);
    let people = ["common", "new", "gone"].map(|key| before[key].as_u64().unwrap());
    assert_eq!(people, [303, 24, 0]);
    assert_eq!(difference["stale"], false);
    assert_eq!(difference["identical"], false);
    let items = second["items"].as_array().unwrap();
    let since = difference["items"].as_array().unwrap();
    assert_eq!(items.len(), since.len());
    let place = items
        .iter()
        .position(|item| item["name"] == "analysed cases")
        .unwrap();
    assert_eq!(since[place]["value"], "about 305 (303 to 307)");
    assert_eq!(items[place]["value"], "about 325 (323 to 327)");
    let same = since.iter().filter(|one| one["since"] == "same").count();
    assert!(same > 0 && same < since.len());
    let said = second["inference"].as_str().unwrap();
    assert!(
        said.contains("24 patients came and 0 patients went"),
        "{said}"
    );
}
