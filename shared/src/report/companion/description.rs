//! The bundle as an RO-Crate 1.1: what each file is, from which study, by which program.
//!
//! From: the bundle's other files.
//! To: `ro-crate-metadata.json`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Provenance;
use super::super::view::View;
use crate::ro_crate::{self, local_id, reference};

/// What a file is, in a few words.
fn name(path: &str) -> &'static str {
    match path {
        "report.html" => "The report, complete in itself",
        "report.json" => "Every number of the report, with the protocol",
        "schema/report.schema.json" => "JSON Schema of report.json",
        "methods.md" => "The methods page as text",
        "references.bib" => "References of methods and checklists",
        "CITATION.cff" => "How to cite this report",
        _ if path.starts_with("checklists/") => "A reporting checklist as filled",
        _ => "A table of the report's data",
    }
}

/// The description of `files`.
pub(in crate::report) fn describe(
    view: View<'_>,
    provenance: &Provenance,
    files: &BTreeMap<String, Vec<u8>>,
) -> Value {
    let study = view.study;
    let protocol = &study.protocol;
    let sites: Vec<Value> = study
        .sites
        .iter()
        .map(|site| {
            json!({
                "@id": local_id("site", site.site.as_str()),
                "@type": "Organization",
                "name": site.display_name,
                "description": super::super::words::site_role(site.role),
            })
        })
        .collect();
    let contributors: Vec<&Value> = sites.iter().filter_map(|site| site.get("@id")).collect();
    let root = json!({
        "@id": "./",
        "@type": "Dataset",
        "name": protocol.title,
        "description": protocol.question,
        "version": protocol.version,
        "identifier": study.protocol_digest.to_string(),
        "datePublished": study.closed_at.map(|closed| closed.to_string()),
        "license": "For the study's investigators to state before publication",
        "contributor": contributors.iter().map(|id| json!({ "@id": id })).collect::<Vec<_>>(),
        "hasPart": files.keys().map(|name| reference(name)).collect::<Vec<_>>(),
        "mentions": reference("#pooling"),
    });
    let pooling = json!({
        "@id": "#pooling",
        "@type": "CreateAction",
        "name": "Pooling of the hospitals' releases",
        "instrument": reference("#software"),
        "object": study.sites.iter().filter_map(|site| site.release).map(|release| release.to_string()).collect::<Vec<_>>(),
        "result": reference("report.json"),
        "endTime": study.closed_at.map(|closed| closed.to_string()),
    });
    let software = json!({
        "@id": "#software",
        "@type": "SoftwareApplication",
        "name": provenance.software,
    });
    let mut graph = vec![ro_crate::descriptor(), root, pooling, software];
    graph.extend(sites);
    graph.extend(
        files
            .iter()
            .map(|(path, bytes)| ro_crate::file(path, name(path), bytes)),
    );
    ro_crate::document(graph)
}
