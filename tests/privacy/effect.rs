//! What a release must not depend on, and what it must always or never do.
//!
//! From: `attack`.
//! To: nothing.

use harness::path;
use harness::random;
use serde_json::Value;
use shared::statistic::{Cell, Statistic};

use crate::attack::{THRESHOLDS, release, site};

/// Patients and class sizes of a site that is large enough as a whole.
fn admitted(rows: &[random::Row]) -> bool {
    let count = |event: bool| random::tally(rows, |row| row.complete() && row.event() == event).1;
    let all = random::tally(rows, random::Row::complete).1;
    all >= 50 && count(true) >= 10 && count(false) >= 10
}

#[test]
fn a_site_that_is_too_small_releases_nothing_at_all() {
    let mut withheld = 0;
    for seed in 0..200 {
        let (mut rows, levels) = site(seed, seed % 3 == 0);
        rows.truncate(40 + seed as usize);
        let released = release(&rows, &levels, &path::standard()).is_some();
        assert_eq!(released, admitted(&rows), "seed {seed}");
        withheld += usize::from(!released);
    }
    assert!(withheld > 10, "only {withheld} sites were too small");
}

#[test]
fn open_data_shows_every_count_exactly() {
    for seed in 0..20 {
        let (rows, levels) = site(seed, seed % 2 == 0);
        let (release, book) = release(&rows, &levels, &path::open_data()).unwrap();
        assert_eq!(release.header.policy.profile, "open-data");
        for said in book
            .said
            .iter()
            .filter(|said| !said.name.starts_with("piece") && said.name != "no age")
        {
            let expected = if said.rows == 0 {
                Cell::Zero
            } else {
                Cell::Value { value: said.rows }
            };
            assert_eq!(said.cell, expected, "{}", said.name);
        }
    }
}

/// A hidden zero and a hidden small count are the same bytes.
#[test]
fn zero_and_small_look_the_same() {
    let (mut zeros, mut smalls) = (0, 0);
    for seed in 0..100 {
        let (rows, levels) = site(seed, false);
        let Some((_, book)) = release(&rows, &levels, &path::standard()) else {
            continue;
        };
        let hidden = book.said.iter().filter(|said| said.cell.is_suppressed());
        for said in hidden {
            // A small cell of a 2x2 table may say that it is small, and no hidden cell says more.
            let of_table = ["tp.", "fn.", "fp.", "tn."]
                .iter()
                .any(|it| said.name.starts_with(it));
            let small = Cell::Suppressed { lo: 0, hi: 9 };
            let whole = Cell::Suppressed { lo: 0, hi: 1 << 40 };
            let fits = said.cell == whole || (of_table && said.patients < 10 && said.cell == small);
            assert!(fits, "{}: {:?}", said.name, said.cell);
            zeros += usize::from(said.rows == 0);
            smalls += usize::from((1..10).contains(&said.rows));
        }
    }
    assert!(zeros > 20 && smalls > 100, "{zeros} zeros, {smalls} small");
}

fn suppressed(value: &Value, path: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if fields.get("state").is_some_and(|s| s == "suppressed") => {
            found.push((path, value.to_string()));
        }
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| suppressed(value, format!("{path}/{key}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, value)| suppressed(value, format!("{path}/{place}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One patient's score moves within its bin: what is hidden stays hidden, with the same bytes.
#[test]
fn a_moved_score_leaves_hidden_cells_alone() {
    let mut compared = 0;
    for seed in 0..60 {
        let (rows, levels) = site(seed, false);
        let protocol = random::protocol(&levels, &THRESHOLDS);
        let hidden = |rows: &[random::Row]| {
            let cases = random::cases(&protocol, rows);
            let bytes = path::bytes(&protocol, &cases, &path::standard(), "a")?;
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            let mut found = Vec::new();
            suppressed(&document["statistics"], String::new(), &mut found);
            Some(found)
        };
        let Some(before) = hidden(&rows) else {
            continue;
        };
        let place = (seed as usize * 7) % rows.len();
        let mut moved = rows.clone();
        moved[place].score[0] = moved[place].score[0].map(|score| (score + 0.0003).min(1.0));
        assert_eq!(hidden(&moved).unwrap(), before, "seed {seed}");
        compared += before.len();
    }
    assert!(
        compared > 1000,
        "only {compared} hidden cells were compared"
    );
}

/// Tests over a table and its degrees of freedom go with its rows.
#[test]
fn a_table_with_a_hidden_level_has_no_test() {
    for seed in 0..60 {
        let (rows, levels) = site(seed, false);
        let Some((release, book)) = release(&rows, &levels, &path::standard()) else {
            continue;
        };
        for statistic in &release.statistics {
            let Statistic::Contingency(table) = statistic else {
                continue;
            };
            if table.chi_squared.number().is_none() {
                continue;
            }
            let axis = table.axis.as_str().trim_start_matches("axis_");
            for (level, row) in table.rows.iter().enumerate() {
                let empty = book
                    .said
                    .iter()
                    .any(|said| said.name == format!("n.{axis}.{level}") && said.rows == 0);
                let shown = row.cells.iter().all(|cell| cell.number().is_some());
                assert!(shown || empty, "seed {seed}: axis {axis}, level {level}");
            }
        }
    }
}

#[test]
fn open_data_is_for_listed_public_tables_only() {
    use shared::disclosure::policy::OpenDataFault;
    use shared::study::Visibility;
    let mut protocol = harness::heart::protocol();
    let listed = protocol.public_dataset[0].clone();
    let digest = format!("sha256:{}", listed.sha256).parse().unwrap();
    let (open, standard) = (path::open_data(), path::standard());
    assert_eq!(open.allow(&protocol, &listed.site, digest), Ok(()));
    let other = shared::identity::Digest::of(b"another table");
    let refused = open.allow(&protocol, &listed.site, other);
    assert_eq!(refused, Err(OpenDataFault::NotListed));
    let stranger = "elsewhere".parse().unwrap();
    let refused = open.allow(&protocol, &stranger, digest);
    assert_eq!(refused, Err(OpenDataFault::NotListed));
    assert_eq!(standard.allow(&protocol, &listed.site, other), Ok(()));
    protocol.visibility = Visibility::Private;
    let refused = open.allow(&protocol, &listed.site, digest);
    assert_eq!(refused, Err(OpenDataFault::NotPublic));
}
