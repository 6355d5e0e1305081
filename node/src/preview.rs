//! The preview: what staff read before they decide about a job, as text and as a page.
//!
//! From: `measure`, `store`, by way of the command line.
//! To: `cli`.

mod difference;
mod further;
mod page;
mod words;

use std::fmt::Write as _;

use shared::disclosure::{Item, ReceivedRelease, Verdict};
use shared::identity::Digest;
use shared::study::{ModelRun, StudyProtocol};

use crate::cohort::{Finding, harmless};
pub use difference::{Before, Difference, Since};
pub use further::Further;
pub use page::Page;
use words::many;

/// What a job that waits for approval adds to what was released before, in data and in words.
pub struct Told {
    /// What is new, what changed, what is the same.
    pub difference: Difference,
    /// What the coordinator can infer, one paragraph.
    pub inference: String,
}

impl Told {
    /// The same for people and for the page: `release` are the bytes that wait.
    pub fn new(
        protocol: &StudyProtocol,
        release: &ReceivedRelease,
        items: &[Item],
        difference: Difference,
        further: &[Further],
    ) -> Self {
        let inference = words::inference(protocol, release, items, &difference, further);
        Self {
            difference,
            inference,
        }
    }
}

/// The preview as text: who asks, what is read, what it adds to earlier releases, every item with
/// its verdict, and the exact bytes.
pub fn text(
    heading: &str,
    protocol: &StudyProtocol,
    (items, told): (&[Item], Option<&Told>),
    findings: &[Finding],
    bytes: Option<&[u8]>,
) -> String {
    let question = line(&protocol.question);
    let mut text = format!("{heading}\n\nwhat is asked\n  {question}\n");
    let fields: Vec<&str> = protocol
        .field
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let _ = writeln!(text, "what is read\n  columns for: {}", fields.join(", "));
    text.push_str(&models_text(protocol));
    text.push_str("what never leaves\n  keys, rows, images, file names, log lines\n\n");
    if !findings.is_empty() {
        text.push_str("data check\n");
        for finding in findings {
            let field = finding
                .field
                .as_ref()
                .map_or("table", |field| field.as_str());
            let _ = writeln!(
                text,
                "  {field}: {} ({} rows); {}",
                finding.what, finding.rows, finding.hint
            );
        }
        text.push('\n');
    }
    if let Some(told) = told {
        told_text(&mut text, told);
    }
    if !items.is_empty() {
        let since = told.map_or(&[][..], |told| &told.difference.items);
        item_table(&mut text, items, since);
    }
    if let Some(bytes) = bytes {
        let digest = Digest::of(bytes);
        let _ = writeln!(
            text,
            "\nexactly these {} bytes, {digest}, and nothing else:\n",
            bytes.len()
        );
        text.push_str(&String::from_utf8_lossy(bytes));
        text.push('\n');
    }
    spelled(&text, |letter| letter == '\n' || harmless(letter))
}

/// Words of a protocol in one line: whoever wrote it writes nothing else on the approver's screen.
pub fn line(text: &str) -> String {
    spelled(text, harmless)
}

fn spelled(text: &str, plain: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if plain(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_unicode());
        }
    }
    shown
}

/// What was released before, and what follows from all of it.
fn told_text(text: &mut String, told: &Told) {
    let difference = &told.difference;
    text.push_str("what was released before\n");
    if difference.before.is_empty() {
        text.push_str("  nothing of this study or about these patients\n");
    }
    for before in &difference.before {
        let _ = writeln!(
            text,
            "  entry {:>4}  {}  {:16} {:16} {} in common, {} only here, {} only there",
            before.entry,
            before.at,
            before.study.as_ref().map_or("-", |study| study.as_str()),
            before.round.as_ref().map_or("-", |round| round.as_str()),
            many(before.common, "patient"),
            before.new,
            before.gone
        );
    }
    if let Some(entry) = difference.compared {
        let [new, other, same] = difference.counts();
        let _ = writeln!(
            text,
            "  beside entry {entry}: {new} items new, {other} with another value, {same} the same, {} \
             no longer there",
            difference.gone.len()
        );
    }
    if difference.stale {
        text.push_str(
            "  another release has left since this was computed: compute it again before you approve\n",
        );
    }
    let _ = writeln!(
        text,
        "what the coordinator can infer\n{}\n",
        wrapped(&told.inference)
    );
}

/// A paragraph in lines of at most 96 letters, indented.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::from(" ")];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last + word.chars().count() >= 96 {
            lines.push(String::from(" "));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Each model as staff approve it: what it is, and the digest of its file or its formula. A
/// formula is computed here, from the site's rows, so it is shown whole.
fn models_text(protocol: &StudyProtocol) -> String {
    let mut text = String::from("what is compared with the outcome\n");
    for model in &protocol.model {
        let digest = match (&model.sha256, &model.formula) {
            (_, Some(formula)) => formula.sha256().ok(),
            (sha256, None) => sha256.clone(),
        };
        let digest = digest.map_or_else(
            || "no digest declared".to_owned(),
            |digest| format!("sha256 {digest}"),
        );
        let how = match model.run {
            ModelRun::PredictionsTable => "predictions of the site's table",
            ModelRun::Formula => "formula computed here",
        };
        let _ = writeln!(
            text,
            "  model {} ({}, {}): {how}, {digest}",
            model.id,
            line(&model.name),
            line(&model.version)
        );
        if let Some(formula) = &model.formula {
            let _ = writeln!(text, "    {}", line(&formula.words()));
        }
    }
    text
}

fn item_table(text: &mut String, items: &[Item], since: &[Since]) {
    let count = |verdict| items.iter().filter(|item| item.verdict == verdict).count();
    let _ = writeln!(
        text,
        "{} items: {} pass, {} to look at, {} withheld",
        items.len(),
        count(Verdict::Pass),
        count(Verdict::Review),
        count(Verdict::Fail)
    );
    let width = items
        .iter()
        .map(|item| item.name.chars().count())
        .max()
        .unwrap_or(4)
        .min(72);
    let _ = writeln!(
        text,
        "  {:width$}  {:>8}  {:4} {:8} {:10} value",
        "item", "patients", "rule", "verdict", "action"
    );
    let since = since.iter().map(Some).chain(std::iter::repeat(None));
    for (item, since) in items.iter().zip(since) {
        let since = match since {
            None | Some(Since::Same) => String::new(),
            Some(Since::New) => "  [new]".to_owned(),
            Some(Since::Was { value }) => format!("  [was {}]", line(value)),
        };
        let verdict = match item.verdict {
            Verdict::Pass => "pass",
            Verdict::Review => "review",
            Verdict::Fail => "fail",
        };
        let patients = if item.patients == u64::MAX {
            "-".to_owned()
        } else {
            item.patients.to_string()
        };
        let _ = writeln!(
            text,
            "  {:width$}  {patients:>8}  {:4} {verdict:8} {:10} {}{since}",
            line(&item.name),
            item.rule.id(),
            item.action,
            line(&item.value)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocols_words_write_nothing_else_on_the_approvers_screen() {
        let words = "Is it so?\u{1b}[2J\n\nwho must approve\n  nobody\u{9b}8m \u{202e}";
        let shown = line(words);
        assert!(shown.chars().all(harmless), "{shown}");
        assert!(shown.starts_with("Is it so?\\u{1b}[2J\\u{a}"), "{shown}");
        assert_eq!(line("Gefäß, 50 % – 3 µm"), "Gefäß, 50 % – 3 µm");
        let study = include_str!("../../tests/fixtures/heart_study.toml");
        let mut protocol = shared::study::source::parse(study).unwrap();
        protocol.question = words.to_owned();
        protocol.model[0].name = words.to_owned();
        let bytes = "{\"one\":\"\u{7f}\u{9b}2J\"}".as_bytes();
        let text = text("release", &protocol, (&[], None), &[], Some(bytes));
        let steers = |letter: char| letter != '\n' && !harmless(letter);
        assert!(!text.contains(steers), "{text}");
        assert!(!text.contains("\nwho must approve"), "{text}");
    }
}
