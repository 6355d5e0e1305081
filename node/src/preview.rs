//! The preview in words: what staff read before they decide about a job.
//!
//! From: `measure`, `store`, by way of the command line.
//! To: `cli`.

use std::fmt::Write as _;

use shared::disclosure::{Item, Verdict};
use shared::identity::Digest;
use shared::study::job::Exchange;
use shared::study::{ModelRun, StudyProtocol};

use crate::cohort::Finding;

/// The preview as text: who asks, what is read, every item with its verdict, and the exact bytes.
pub fn text(
    heading: &str,
    protocol: &StudyProtocol,
    items: &[Item],
    findings: &[Finding],
    bytes: Option<&[u8]>,
) -> String {
    let mut text = format!("{heading}\n\nwhat is asked\n  {}\n", protocol.question);
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
    if !items.is_empty() {
        item_table(&mut text, items);
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
    text
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
            model.id, model.name, model.version
        );
        if let Some(formula) = &model.formula {
            let _ = writeln!(text, "    {}", formula.words());
        }
    }
    text
}

/// What approving a job covers beyond the bytes that are shown: the declared shape of its steps
/// and their greatest number. Each step is reviewed and kept in the ledger when it comes.
pub fn exchange_text(exchange: &Exchange) -> String {
    format!(
        "what follows, approved together with this\n  exchange {}: at most {} steps, without \
         another question\n  each step: per model and endpoint the cases, the events, and at two \
         places log-likelihood,\n  score (2 numbers) and information (3 numbers); the places \
         follow from the protocol's start and\n  the sums of all hospitals; nothing under the \
         profile standard",
        exchange.id, exchange.max_steps
    )
}

fn item_table(text: &mut String, items: &[Item]) {
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
    for item in items {
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
            "  {:width$}  {patients:>8}  {:4} {verdict:8} {:10} {}",
            item.name,
            item.rule.id(),
            item.action,
            item.value
        );
    }
}
