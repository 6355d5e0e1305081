//! What hospitals and developers know and no document of a study holds: these sources find
//! nothing, and say who has to be asked.
//!
//! From: nothing.
//! To: `source`.

use super::{Entry, Found, Subject};

const fn entry(name: &'static str, write: &'static str) -> Entry {
    Entry {
        name,
        sections: &[],
        find: nothing,
        write,
    }
}

fn nothing(_: &Subject<'_>) -> Found {
    Found::Absent
}

pub(super) const ALL: &[Entry] = &[
    entry(
        "hospital.data-source",
        "each hospital: from which system or register the data come",
    ),
    entry(
        "hospital.period",
        "each hospital: first and last month of the data",
    ),
    entry(
        "hospital.setting",
        "each hospital: kind of hospital, place, how patients come to it",
    ),
    entry(
        "hospital.treatments",
        "each hospital: treatments, and time between prediction and reference standard",
    ),
    entry(
        "hospital.preprocessing",
        "each hospital: how images and values were prepared before the model saw them",
    ),
    entry(
        "hospital.precheck",
        "each hospital: what its pre-check found (fedval-node data check)",
    ),
    entry(
        "hospital.de-identification",
        "each hospital: how images and tables were de-identified",
    ),
    entry(
        "hospital.acquisition",
        "each hospital: devices and protocols by which inputs were acquired",
    ),
    entry(
        "hospital.annotation",
        "each hospital: who set the reference standard and measured the inputs, with what training",
    ),
    entry(
        "hospital.reader-agreement",
        "how far readers of the reference standard agreed",
    ),
    entry(
        "card.predictors",
        "from the developers: how inputs were chosen, defined and handled",
    ),
    entry(
        "card.training",
        "from the developers: how the model was built, trained and chosen",
    ),
    entry(
        "card.imbalance",
        "from the developers: how class imbalance was handled in training",
    ),
    entry(
        "card.development-data",
        "from the developers: whom the development data represent, and how they differ from these",
    ),
    entry(
        "card.explainability",
        "from the developers: methods of explanation and how they were tested, or that there are none",
    ),
    entry(
        "card.access",
        "from the developers: on what terms model and code can be had",
    ),
];
