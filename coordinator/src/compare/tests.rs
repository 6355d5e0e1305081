//! Comparisons of a small report with itself and with changed ones.

use shared::pool::result::{PooledStudy, SiteEstimate};
use shared::statistic::{Cell, Statistic};

use super::*;
use crate::export::tests::report;

fn changed(change: impl Fn(&mut PooledStudy)) -> Comparison {
    let mut other = report();
    change(&mut other.study);
    compare(&report(), &other).unwrap()
}

fn first(study: &mut PooledStudy) -> &mut SiteEstimate {
    &mut study.analyses[0].sites[0]
}

fn kinds(found: &Comparison) -> Vec<(&'static str, &str, Kind)> {
    let changes = found.changes.iter();
    changes
        .map(|one| (one.table, one.column.as_str(), one.kind))
        .collect()
}

#[test]
fn a_report_equals_itself_whoever_made_it() {
    let mut other = report();
    other.provenance.software = "fedval 99".to_owned();
    let found = compare(&report(), &other).unwrap();
    assert!(found.equal && found.changes.is_empty() && found.parts.is_empty());
}

#[test]
fn a_changed_number_says_by_how_much() {
    let found = changed(|study| first(study).estimate = Cell::Value { value: 0.9375 });
    assert_eq!(
        kinds(&found),
        [("estimates.csv", "estimate", Kind::Changed)]
    );
    assert_eq!(found.changes[0].difference, Some(0.125));
    assert!(
        found.changes[0].row.starts_with("auc."),
        "{}",
        found.changes[0].row
    );
    assert_eq!(found.parts, ["analyses"]);
    assert!(!found.equal);
}

#[test]
fn hiding_and_vanishing_are_no_zeros() {
    let hidden = Cell::Suppressed { lo: 0.5, hi: 1.0 };
    let found = changed(|study| first(study).estimate = hidden);
    let one = &found.changes[0];
    assert_eq!(
        (one.kind, one.second.as_str()),
        (Kind::BecameSuppressed, "hidden")
    );
    assert_eq!(one.difference, None);
    let found = changed(|study| study.analyses.clear());
    assert!(found.changes.iter().all(|one| one.kind == Kind::Vanished));
    assert!(!found.changes.is_empty());
}

#[test]
fn a_hidden_count_that_becomes_known_is_named() {
    let found = changed(|study| {
        let mut sites = study.sites.iter_mut();
        let site = sites.find(|site| !site.statistics.is_empty()).unwrap();
        let Statistic::Confusion(table) = &mut site.statistics[0] else {
            panic!("the fixture has a 2x2 table")
        };
        table.false_negative = Cell::Value { value: 9 };
    });
    let known = found
        .changes
        .iter()
        .find(|one| one.kind == Kind::BecameKnown);
    assert_eq!(known.unwrap().second, "9");
}

#[test]
fn what_has_no_row_is_still_a_difference() {
    let found = changed(|study| study.protocol.title.push('!'));
    assert!(!found.equal && found.changes.is_empty());
    assert_eq!(found.parts, ["protocol"]);
}
