//! Filled lists over the bundled study, and over a protocol with fields left open.

use super::super::Provenance;
use super::super::page;
use super::super::tests::{guarded, heart};
use super::*;
use crate::pool::result::PooledStudy;
use crate::study::StudyProtocol;

fn filled(study: &PooledStudy) -> Vec<Filled> {
    page::document(View::of(study), &Provenance::default(), read().unwrap()).1
}

fn row<'a>(lists: &'a [Filled], list: &str, item: &str) -> &'a FilledRow {
    let list = lists.iter().find(|one| one.list.id == list).unwrap();
    let mut rows = list.rows.iter();
    rows.find(|row| row.item == item).unwrap()
}

/// States of a row before and after a change of the protocol.
fn around(list: &str, item: &str, change: impl Fn(&mut StudyProtocol)) -> (State, State) {
    let mut study = heart();
    let before = row(&filled(&study), list, item).state;
    change(&mut study.protocol);
    (before, row(&filled(&study), list, item).state)
}

#[test]
fn a_field_that_is_emptied_needs_a_person() {
    let needs_you = (State::Complete, State::NeedsYou);
    for (list, item, change) in [
        (
            "tripod-ai",
            "3c",
            (|p| p.intended_use.known_inequalities.clear()) as fn(&mut StudyProtocol),
        ),
        ("tripod-ai", "6b", |p| p.eligibility.description.clear()),
        ("tripod-ai", "18a", |p| p.registration.funding = " ".into()),
        ("tripod-ai", "19", |p| {
            p.registration.patient_involvement = "to be stated".into();
        }),
        ("tripod-ai", "14", |p| p.subgroup.clear()),
        ("tripod-cluster", "19", |p| p.registration.funding.clear()),
        ("claim-2024", "4", |p| p.question.clear()),
        ("claim-2024", "14", |p| {
            p.endpoint[0].reference_standard.definition.clear();
        }),
        ("claim-2024", "21", |p| p.sample_size = None),
        ("stard-ai", "15c", |p| p.threshold.clear()),
        ("stard-ai", "16c", |p| p.endpoint[0].event.clear()),
    ] {
        assert_eq!(around(list, item, change), needs_you, "{list} {item}");
    }
    let (before, after) = around("tripod-ai", "3b", |p| p.intended_use.user.clear());
    assert_eq!((before, after), (State::Complete, State::Partial));
}

#[test]
fn words_of_a_template_are_nothing() {
    let (before, after) = around("claim-2024", "4", |p| {
        p.question = "Does MODEL identify patients with OUTCOME at new hospitals well enough to \
                      support DECISION?"
            .to_owned();
    });
    assert_eq!((before, after), (State::Complete, State::NeedsYou));
}

#[test]
fn nothing_is_complete_that_no_document_holds() {
    let lists = filled(&heart());
    for (list, item) in [
        ("tripod-ai", "5b"),
        ("tripod-ai", "6c"),
        ("tripod-ai", "18b"),
        ("tripod-cluster", "7a"),
        ("tripod-cluster", "11"),
        ("claim-2024", "11"),
        ("claim-2024", "13"),
        ("claim-2024", "25"),
        ("future-ai", "Us2"),
        ("stard-ai", "11"),
    ] {
        let row = row(&lists, list, item);
        assert_eq!(row.state, State::NeedsYou, "{list} {item}");
        assert!(row.stands_on.is_empty() && !row.to_write.is_empty());
    }
}

#[test]
fn every_row_says_what_it_stands_on_and_what_is_left() {
    for study in [heart(), guarded()] {
        for one in filled(&study) {
            for row in &one.rows {
                let place = format!("{} {}", one.list.id, row.item);
                let (stands, writes) = (!row.stands_on.is_empty(), !row.to_write.is_empty());
                let expected = match row.state {
                    State::Complete => (true, false),
                    State::Partial => (true, true),
                    State::NeedsYou => (false, true),
                };
                assert_eq!((stands, writes), expected, "{place}");
                assert!(
                    row.stands_on.iter().all(|one| !one.value.is_empty()),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn risk_of_bias_is_judged_by_people_hospital_by_hospital() {
    let lists = filled(&guarded());
    let list = lists.iter().find(|one| one.list.per_site).unwrap();
    assert_eq!(list.rows.len(), 3 * 7);
    assert_eq!(list.count(State::Complete), 0);
    let of = |slug: &str, item: &str| {
        let mut rows = list.rows.iter();
        let found = rows.find(|row| {
            row.item == item && row.site.as_ref().is_some_and(|(site, _)| site == slug)
        });
        found.unwrap()
    };
    let values = |row: &FilledRow| {
        let values: Vec<&str> = row.stands_on.iter().map(|one| one.value.as_str()).collect();
        values.join("; ")
    };
    assert!(values(of("hungarian", "4 bias")).contains("AUC 0.888"));
    let silent = of("switzerland", "4 bias");
    assert!(!values(silent).contains("AUC"), "it released nothing");
    assert!(
        silent
            .to_write
            .iter()
            .any(|text| text.contains("not in the report"))
    );
}

#[test]
fn less_released_means_less_complete() {
    let (open, hidden) = (filled(&heart()), filled(&guarded()));
    for (list, item) in [
        ("tripod-ai", "20a"),
        ("tripod-ai", "23b"),
        ("claim-2024", "33"),
        ("stard-ai", "30"),
    ] {
        assert_eq!(
            row(&open, list, item).state,
            State::Complete,
            "{list} {item}"
        );
        assert_ne!(
            row(&hidden, list, item).state,
            State::Complete,
            "{list} {item}"
        );
    }
}

#[test]
fn every_section_that_a_source_names_is_one() {
    let known = [
        "answer",
        "independence",
        "flow",
        "sites",
        "discrimination",
        "segmentation",
        "detection",
        "calibration",
        "operating-point",
        "clinical-utility",
        "case-mix",
        "comparison",
        "subgroups",
        "failures",
        "contingency",
        "design",
        "withheld",
        "methods",
        "provenance",
    ];
    let mut names = std::collections::BTreeSet::new();
    let used: Vec<String> = read()
        .unwrap()
        .iter()
        .flat_map(|list| &list.row)
        .flat_map(|row| row.fill.iter().map(|source| source.name().to_owned()))
        .collect();
    for (name, source) in source::Source::all() {
        assert!(names.insert(name), "{name} stands twice");
        assert!(!source.to_write().is_empty(), "{name}");
        assert!(
            source.sections().iter().all(|id| known.contains(id)),
            "{name}"
        );
        assert!(
            used.iter().any(|used| used == name),
            "no row asks for {name}"
        );
    }
}
