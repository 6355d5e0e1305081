//! The preview as one page for the screen or for paper: no script, no network, the exact bytes.
//!
//! From: what the command line has read of a waiting job.
//! To: a file at the hospital.

use std::collections::BTreeMap;

use askama::Template;
use shared::disclosure::rule::Rule;
use shared::disclosure::{Item, PolicyStamp, Verdict};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::StudyProtocol;

use super::words::reason;
use super::{Further, Since, Told, models_text};
use crate::cohort::Finding;

/// What a page is made of.
pub struct Page<'a> {
    /// The hospital, for people.
    pub site: &'a str,
    /// The round.
    pub round: &'a str,
    /// The job.
    pub job: Digest,
    /// Digest of the protocol.
    pub protocol_digest: Digest,
    /// The protocol.
    pub protocol: &'a StudyProtocol,
    /// The policy it was reviewed under.
    pub policy: &'a PolicyStamp,
    /// Every item.
    pub items: &'a [Item],
    /// What the data check found.
    pub findings: &'a [Finding],
    /// What it adds to earlier releases.
    pub told: &'a Told,
    /// The exchanges that are approved together with it.
    pub further: &'a [Further],
    /// Who must approve, in sentences.
    pub asks: &'a [String],
    /// The bytes that would leave, UTF-8.
    pub bytes: &'a str,
}

/// One item as a row.
struct Row<'a> {
    name: &'a str,
    patients: String,
    value: &'a str,
    since: String,
}

/// Items that share a verdict and its reason.
struct Group<'a> {
    title: String,
    advice: &'static str,
    open: bool,
    rows: Vec<Row<'a>>,
}

/// An earlier release as a row.
struct Earlier {
    entry: u64,
    at: String,
    study: String,
    round: String,
    common: usize,
    new: usize,
    gone: usize,
}

#[derive(Template)]
#[template(path = "preview.html")]
struct Html<'a> {
    page: &'a Page<'a>,
    digest: Digest,
    size: usize,
    pass: usize,
    review: usize,
    fail: usize,
    fields: String,
    models: String,
    further: Vec<&'a str>,
    findings: Vec<String>,
    earlier: Vec<Earlier>,
    counts: [usize; 3],
    changed: Vec<Row<'a>>,
    groups: Vec<Group<'a>>,
}

impl Page<'_> {
    /// The page.
    ///
    /// # Errors
    /// `FV-INT-002` when it cannot be made.
    pub fn html(&self) -> Result<String, Fault> {
        let count = |verdict| {
            let items = self.items.iter();
            items.filter(|item| item.verdict == verdict).count()
        };
        let fields = self.protocol.field.iter();
        let fields: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        let html = Html {
            page: self,
            digest: Digest::of(self.bytes.as_bytes()),
            size: self.bytes.len(),
            pass: count(Verdict::Pass),
            review: count(Verdict::Review),
            fail: count(Verdict::Fail),
            fields: fields.join(", "),
            models: models_text(self.protocol),
            further: self.further.iter().map(|one| one.text.as_str()).collect(),
            findings: self.findings.iter().map(sentence).collect(),
            earlier: self.earlier(),
            counts: self.told.difference.counts(),
            changed: self.changed(),
            groups: self.groups(),
        };
        html.render()
            .map_err(|fault| Fault::internal(format!("the page: {fault}")))
    }

    fn earlier(&self) -> Vec<Earlier> {
        let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let before = self.told.difference.before.iter();
        before
            .map(|one| Earlier {
                entry: one.entry,
                at: one.at.to_string(),
                study: word(one.study.as_ref().map(|study| study.as_str())),
                round: word(one.round.as_ref().map(|round| round.as_str())),
                common: one.common,
                new: one.new,
                gone: one.gone,
            })
            .collect()
    }

    /// What the item says beside the last release of the study.
    fn since(&self, index: usize) -> Option<&Since> {
        self.told.difference.items.get(index)
    }

    fn row(&self, index: usize) -> Option<Row<'_>> {
        let item = self.items.get(index)?;
        let since = match self.since(index) {
            None => String::new(),
            Some(Since::Same) => "the same".to_owned(),
            Some(Since::New) => "new".to_owned(),
            Some(Since::Was { value }) => format!("was {value}"),
        };
        let patients = Some(item.patients).filter(|patients| *patients != u64::MAX);
        Some(Row {
            name: &item.name,
            patients: patients.map_or_else(|| "–".to_owned(), |patients| patients.to_string()),
            value: &item.value,
            since,
        })
    }

    fn changed(&self) -> Vec<Row<'_>> {
        let differs = |index: &usize| match self.since(*index) {
            Some(Since::New | Since::Was { .. }) => true,
            Some(Since::Same) | None => false,
        };
        let chosen = (0..self.items.len()).filter(differs);
        chosen.filter_map(|index| self.row(index)).collect()
    }

    /// What a person should look at first, then what passes, then what stays here, by rule.
    fn groups(&self) -> Vec<Group<'_>> {
        let place = |verdict| match verdict {
            Verdict::Review => 0,
            Verdict::Pass => 1,
            Verdict::Fail => 2,
        };
        let mut by_reason: BTreeMap<(u8, Rule), Vec<usize>> = BTreeMap::new();
        for (index, item) in self.items.iter().enumerate() {
            let rule = if item.verdict == Verdict::Fail {
                item.rule
            } else {
                // One group: the reason is the same whatever rule was asked.
                Rule::Admission
            };
            let key = (place(item.verdict), rule);
            by_reason.entry(key).or_default().push(index);
        }
        let k = self.policy.min_cell;
        let groups = by_reason.into_iter().map(|((place, rule), indices)| {
            let (word, verdict) = match place {
                0 => ("to look at", Verdict::Review),
                1 => ("pass", Verdict::Pass),
                _ => ("withheld", Verdict::Fail),
            };
            let (why, advice) = reason(rule, verdict, k);
            Group {
                title: format!("{} {word}: {why}", indices.len()),
                advice,
                open: verdict == Verdict::Review,
                rows: indices
                    .iter()
                    .filter_map(|index| self.row(*index))
                    .collect(),
            }
        });
        groups.collect()
    }
}

fn sentence(finding: &Finding) -> String {
    let field = finding
        .field
        .as_ref()
        .map_or("table", |field| field.as_str());
    let rows = if finding.rows == 0 {
        String::new()
    } else {
        format!(" ({} rows)", finding.rows)
    };
    format!("{field}: {}{rows}; {}", finding.what, finding.hint)
}
