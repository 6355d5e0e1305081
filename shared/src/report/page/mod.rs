//! The pages of the report, one file each: what is shown and in which order.
//!
//! From: `view`, `words`, `number`, `figure`.
//! To: `document`, set by `html`.

mod absent;
mod calibration;
mod card;
mod case_mix;
mod checklists;
mod comparison;
mod contingency;
mod design;
mod detection;
mod discrimination;
mod estimates;
mod failure;
mod fairness;
mod flow;
mod front;
mod glossary;
mod masked;
mod methods;
mod moderator;
mod noisy;
mod one_stage;
mod operating;
mod overview;
mod own;
mod plain;
mod precision;
mod provenance;
mod reading;
mod robustness;
mod segmentation;
mod single;
mod sites;
mod subgroups;
mod summary;
mod utility;
mod whom;
mod withheld;

use super::Provenance;
use super::checklist::{self, Filled, List};
use super::document::{Document, Section};
use super::view::View;

/// The pages with results: of predicted probabilities, or of masks.
fn results(view: View<'_>) -> Vec<Section> {
    if view.study.protocol.is_segmentation() {
        let compared = view.study.protocol.comparators().next().is_some();
        let comparison = compared.then(|| comparison::page(view));
        return [segmentation::page(view)]
            .into_iter()
            .chain(comparison)
            .collect();
    }
    let pages = [
        discrimination::page(view),
        calibration::page(view),
        operating::page(view),
        utility::page(view),
        case_mix::page(view),
        comparison::page(view),
        subgroups::page(view),
        failure::page(view),
        contingency::page(view),
    ];
    pages.into_iter().chain(masked::page(view)).collect()
}

/// Parts of the front page that a checklist may point at.
const FRONT: [(&str, &str); 2] = [
    ("answer", "The answer"),
    ("independence", "Independence and model facts"),
];

/// The whole report of one pooled study, and its checklists as filled.
pub(super) fn document(
    view: View<'_>,
    provenance: &Provenance,
    lists: Vec<List>,
) -> (Document, Vec<Filled>) {
    let mut sections: Vec<Section> = view
        .own
        .map(|site| own::page(view, site))
        .into_iter()
        .chain([flow::page(view), sites::page(view)])
        .chain(results(view))
        .chain(noisy::page(view))
        .chain([
            design::page(view),
            withheld::page(view),
            absent::page(view),
            methods::page(view, provenance),
        ])
        .collect();
    let provenance = provenance::page(view, provenance);
    let shown = sections.iter().chain([&provenance]);
    let anchors: Vec<(&str, &str)> = FRONT
        .into_iter()
        .chain(shown.map(|section| (section.id, section.title)))
        .collect();
    let filled = checklist::fill(lists, view, &anchors);
    sections.extend([checklists::page(view, &filled), provenance]);
    let mut document = Document {
        title: view.study.protocol.title.clone(),
        front: front::page(view),
        own: view.own.map(|site| site.display_name.replace('|', " ")),
        sites: view
            .released()
            .iter()
            .map(|site| site.display_name.clone())
            .collect(),
        sections,
    };
    let text = document.text();
    document.sections.push(glossary::page(&text));
    document.number();
    (document, filled)
}
