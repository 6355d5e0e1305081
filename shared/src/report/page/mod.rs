//! The pages of the report, one file each: what is shown and in which order.
//!
//! From: `view`, `words`, `number`, `figure`.
//! To: `document`, set by `html`.

mod absent;
mod calibration;
mod card;
mod case_mix;
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

/// The whole report of one pooled study.
pub(super) fn document(view: View<'_>, provenance: &Provenance) -> Document {
    let mut document = Document {
        title: view.study.protocol.title.clone(),
        front: front::page(view),
        sites: view
            .released()
            .iter()
            .map(|site| site.display_name.clone())
            .collect(),
        sections: std::iter::empty()
            .chain([flow::page(view), sites::page(view)])
            .chain(results(view))
            .chain(noisy::page(view))
            .chain([
                design::page(view),
                withheld::page(view),
                absent::page(view),
                methods::page(view, provenance),
                provenance::page(view, provenance),
            ])
            .collect(),
    };
    let text = document.text();
    document.sections.push(glossary::page(&text));
    document.number();
    document
}
