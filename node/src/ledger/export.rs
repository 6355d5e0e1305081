//! The ledger as a folder for people who ask: a table, a page, the released documents, and a
//! description that tools of secure environments read. The description follows the Five Safes
//! RO-Crate profile 0.4 (w3id.org/5s-crate/0.4) as far as a ledger can: what was asked is a
//! `CreateAction`, each approval a disclosure check by a named person.
//!
//! Remarks and reasons are left out unless they are asked for: they were written to stay here.
//!
//! From: `store` (entries, bytes that may have left).
//! To: `cli::ledger`.

use std::collections::BTreeSet;

use askama::Template;
use serde::Serialize;
use serde_json::{Value, json};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::ro_crate::{self, local_id, reference};
use shared::study::SiteSlug;
use shared::wire::LedgerHead;

use super::{AND, Entry, Event};
use crate::approval::signature::Signed;
use crate::approval::{AUTOMATIC, SAME_SHAPE};
use crate::config::ReleaseMode;

/// What an export is made of.
pub(crate) struct Export<'a> {
    /// This site.
    pub(crate) site: &'a SiteSlug,
    /// Its name for people.
    pub(crate) name: &'a str,
    /// The verified entries.
    pub(crate) entries: &'a [Entry],
    /// The chain's head.
    pub(crate) head: LedgerHead,
    /// Bytes that may have left, by their digest.
    pub(crate) released: &'a [(Digest, Vec<u8>)],
    /// Whether remarks and reasons are shown.
    pub(crate) remarks: bool,
}

/// One entry as a row.
#[derive(Default, Serialize)]
struct Line {
    seq: u64,
    at: String,
    event: &'static str,
    study: String,
    round: String,
    job: String,
    protocol: String,
    by: String,
    outside: String,
    size: String,
    digest: String,
    policy: String,
    shape: String,
    standing: String,
    follows: String,
    epsilon: String,
    signatures: String,
    #[serde(skip)]
    signed_by: String,
    remark: String,
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct Page<'a> {
    site: &'a str,
    head: String,
    rows: &'a [Line],
    remarks: bool,
}

impl Export<'_> {
    /// Every file of the folder: its name and its bytes.
    ///
    /// # Errors
    /// `FV-INT-001` when a file cannot be made.
    pub(crate) fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let internal = |why: String| Fault::internal(format!("the export: {why}"));
        let rows: Vec<Line> = self.entries.iter().map(|entry| self.line(entry)).collect();
        let mut table = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            let written = table.serialize(row);
            written.map_err(|fault| internal(fault.to_string()))?;
        }
        let table = table.into_inner();
        let table = table.map_err(|fault| internal(fault.to_string()))?;
        let page = Page {
            site: self.name,
            head: self.head.hash.to_string(),
            rows: &rows,
            remarks: self.remarks,
        };
        let page = page.render().map_err(|fault| internal(fault.to_string()))?;
        let mut files = vec![
            ("ledger.csv".to_owned(), table),
            ("ledger.html".to_owned(), page.into_bytes()),
        ];
        for (digest, bytes) in self.released {
            files.push((release_file(*digest), bytes.clone()));
        }
        let crate_ = serde_json::to_vec_pretty(&self.description(&files));
        let crate_ = crate_.map_err(|fault| internal(fault.to_string()))?;
        files.push((ro_crate::FILE.to_owned(), crate_));
        Ok(files)
    }

    fn line(&self, entry: &Entry) -> Line {
        let event = &entry.event;
        let text = |value: Option<Digest>| value.map(|one| one.to_string()).unwrap_or_default();
        let words = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let name = |value: Option<&dyn std::fmt::Display>| {
            value.map(ToString::to_string).unwrap_or_default()
        };
        Line {
            seq: entry.seq,
            at: entry.at.to_string(),
            event: event.word(),
            study: name(
                entry
                    .study
                    .as_ref()
                    .map(|one| one as &dyn std::fmt::Display),
            ),
            round: name(
                entry
                    .round
                    .as_ref()
                    .map(|one| one as &dyn std::fmt::Display),
            ),
            job: text(entry.job),
            protocol: text(entry.protocol),
            by: words(event.by()),
            outside: words(event.outside()),
            size: event
                .size()
                .map(|size| size.to_string())
                .unwrap_or_default(),
            digest: text(self.bytes_of(event)),
            policy: text(event.policy()),
            shape: text(event.shape()),
            standing: event.standing().map_or("", ReleaseMode::as_str).to_owned(),
            follows: event
                .follows()
                .map(|entry| entry.to_string())
                .unwrap_or_default(),
            epsilon: event
                .epsilon()
                .map(|epsilon| epsilon.to_string())
                .unwrap_or_default(),
            signatures: listed(event, spelled),
            signed_by: listed(event, |one| one.approver.clone()),
            remark: words(event.remark().filter(|_| self.remarks)),
        }
    }

    /// Digest of the bytes that an entry is about; a delivery names the release alone.
    fn bytes_of(&self, event: &Event) -> Option<Digest> {
        let Event::Delivered { release: id, .. } = event else {
            return event.digest();
        };
        let approvals = self.entries.iter().map(|entry| &entry.event);
        let mut same = approvals.filter(|event| match event {
            Event::Approved { release, .. } | Event::Step { release, .. } => release == id,
            Event::Delivered { .. }
            | Event::Declined { .. }
            | Event::Endorsed { .. }
            | Event::StepDeclined { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Left { .. }
            | Event::Returned {}
            | Event::Spent { .. }
            | Event::Drawn { .. }
            | Event::ModeEnded { .. }
            | Event::Rebaselined { .. }
            | Event::Measured { .. } => false,
        });
        same.find_map(Event::digest)
    }

    /// The RO-Crate's description of the folder.
    fn description(&self, files: &[(String, Vec<u8>)]) -> Value {
        let organisation = format!("#{}", self.site);
        let actions: Vec<Value> = self
            .entries
            .iter()
            .filter_map(|entry| self.action(entry))
            .collect();
        let people: BTreeSet<&str> = self.entries.iter().flat_map(approvers).collect();
        let last = self.entries.last().map(|entry| entry.at.to_string());
        let mut graph = vec![
            ro_crate::descriptor(),
            json!({
                "@id": "./",
                "@type": "Dataset",
                "name": format!("Disclosure ledger of {}", self.name),
                "description": "What was asked of this hospital, what it released and refused, and who approved it",
                "conformsTo": reference("https://w3id.org/5s-crate/0.4"),
                "datePublished": last,
                "identifier": self.head.hash.to_string(),
                "license": "For the recipients of this folder; not for publication",
                "publisher": reference(&organisation),
                "hasPart": files.iter().map(|(name, _)| reference(name)).collect::<Vec<_>>(),
                "mentions": actions.iter().filter_map(|action| action.get("@id")).map(|one| json!({ "@id": one })).collect::<Vec<_>>(),
            }),
            json!({
                "@id": "https://w3id.org/5s-crate/0.4",
                "@type": "Profile",
                "name": "Five Safes RO-Crate profile",
            }),
            json!({ "@id": organisation, "@type": "Organization", "name": self.name }),
            json!({
                "@id": "#fedval-node",
                "@type": "SoftwareApplication",
                "name": "fedval-node",
                "softwareVersion": env!("CARGO_PKG_VERSION"),
            }),
        ];
        graph.extend(people.into_iter().map(|person| {
            json!({
                "@id": local_id("person", person),
                "@type": "Person",
                "name": person,
                "affiliation": reference(&organisation),
            })
        }));
        let file = |(name, bytes): &(String, Vec<u8>)| ro_crate::file(name, file_name(name), bytes);
        graph.extend(files.iter().map(file));
        graph.extend(actions);
        ro_crate::document(graph)
    }

    /// What an entry did, in the words of the profile.
    fn action(&self, entry: &Entry) -> Option<Value> {
        let (check, status, name, digest) = match &entry.event {
            Event::Approved { digest, .. } => {
                ("DisclosureCheck", "Completed", "approved", Some(digest))
            }
            Event::Step { digest, .. } => (
                "DisclosureCheck",
                "Completed",
                "step approved",
                Some(digest),
            ),
            Event::Endorsed { digest, .. } => (
                "SignOff",
                "Completed",
                "approved by one of several",
                Some(digest),
            ),
            Event::Declined { .. } | Event::StepDeclined { .. } => {
                ("DisclosureCheck", "Failed", "not released", None)
            }
            Event::Measured { digest, .. } => (
                "DisclosureCheck",
                "Completed",
                "written without a coordinator",
                Some(digest),
            ),
            Event::Delivered { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Left { .. }
            | Event::Spent { .. }
            | Event::Drawn { .. }
            | Event::Returned {}
            | Event::ModeEnded { .. }
            | Event::Rebaselined { .. } => return None,
        };
        let known = digest.filter(|digest| self.released.iter().any(|(one, _)| one == *digest));
        let object = known.map_or_else(|| "./".to_owned(), |digest| release_file(*digest));
        let mut agents: Vec<Value> = approvers(entry)
            .map(|person| json!({ "@id": local_id("person", person) }))
            .collect();
        let agent = match agents.len() {
            0 => json!({ "@id": "#fedval-node" }),
            1 => agents.remove(0),
            _ => Value::Array(agents),
        };
        let study = entry
            .study
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let round = entry
            .round
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        Some(json!({
            "@id": format!("#entry-{}", entry.seq),
            "@type": "AssessAction",
            "additionalType": { "@id": format!("https://w3id.org/shp#{check}") },
            "name": format!("Disclosure check of {study} {round}: {name}").replace("  ", " "),
            "endTime": entry.at.to_string(),
            "object": { "@id": object },
            "agent": agent,
            "instrument": { "@id": "#fedval-node" },
            "identifier": entry.event.signatures().iter().map(spelled).collect::<Vec<_>>(),
            "actionStatus": format!("http://schema.org/{status}ActionStatus"),
        }))
    }
}

/// An approver's signature, whole.
fn spelled(one: &Signed) -> String {
    format!("{} {} {}", one.approver, one.key, one.signature)
}

/// Each signature of an entry, in one field.
fn listed(event: &Event, words: impl Fn(&Signed) -> String) -> String {
    let each: Vec<String> = event.signatures().iter().map(words).collect();
    each.join("; ")
}

/// The people of an entry; rules of the policy and of admission are none.
fn approvers(entry: &Entry) -> impl Iterator<Item = &str> {
    let rule = |by: &&str| {
        let rules = ["policy", "admission", "coordinator", "site"];
        rules.contains(by) || [AUTOMATIC, SAME_SHAPE].contains(by)
    };
    let by = entry.event.by().filter(|by| !rule(by));
    by.into_iter().flat_map(|by| by.split(AND))
}

fn release_file(digest: Digest) -> String {
    format!("releases/{}.json", digest.hex())
}

fn file_name(path: &str) -> &'static str {
    match path {
        "ledger.csv" => "Every entry of the ledger, as a table",
        "ledger.html" => "Every entry of the ledger, as a page",
        _ => "A release, byte by byte as it may have left",
    }
}

#[cfg(test)]
mod tests;
