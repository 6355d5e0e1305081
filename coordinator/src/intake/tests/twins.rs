//! Copies under another name are found, rounded or in part; hospitals that are merely alike, or
//! that release next to nothing, are not taken for copies.
//!
//! From: the bundled tables, and tables drawn from them.
//! To: `twins`.

use shared::numeric::random::Draws;

use super::super::twins::{Alike, Sketch};
use super::*;

fn release(site: &str, policy: &str) -> Option<ReceivedRelease> {
    let job = job(&protocol(), site);
    let bytes = delivered(&job, Digest::of(b"job"), policy)?;
    Some(ReceivedRelease::read(&bytes).unwrap())
}

/// `rows` cases drawn with replacement from all four bundled tables.
fn drawn(protocol: &StudyProtocol, rows: u32, seed: u64) -> Cases {
    let parts = ["cleveland", "hungarian", "switzerland", "va"].map(|site| cases(protocol, site));
    let mut draws = Draws::new(seed);
    let picks: Vec<(usize, usize)> = (0..rows)
        .map(|_| {
            let part = usize::try_from(draws.below(4)).unwrap();
            let of = parts[part].patient.len() as u64;
            (part, usize::try_from(draws.below(of)).unwrap())
        })
        .collect();
    let mut all = cases(protocol, "cleveland");
    all.patient = (0..rows).collect();
    all.patients = rows;
    all.intake.records = Tally {
        rows: u64::from(rows),
        patients: u64::from(rows),
    };
    for (place, column) in all.outcome.iter_mut().enumerate() {
        *column = picks
            .iter()
            .map(|(p, r)| parts[*p].outcome[place][*r])
            .collect();
    }
    for (place, column) in all.score.iter_mut().enumerate() {
        *column = picks
            .iter()
            .map(|(p, r)| parts[*p].score[place][*r])
            .collect();
    }
    for (place, column) in all.level.iter_mut().enumerate() {
        *column = picks
            .iter()
            .map(|(p, r)| parts[*p].level[place][*r])
            .collect();
    }
    for (place, column) in all.column.iter_mut().enumerate() {
        let pick = |(p, r): &(usize, usize)| (&parts[*p].column[place], *r);
        *column = match column {
            Column::Number(_) => Column::Number(
                picks
                    .iter()
                    .map(|one| match pick(one) {
                        (Column::Number(values), row) => values[row],
                        _ => None,
                    })
                    .collect(),
            ),
            Column::Category(_) => Column::Category(
                picks
                    .iter()
                    .map(|one| match pick(one) {
                        (Column::Category(values), row) => values[row],
                        _ => None,
                    })
                    .collect(),
            ),
            Column::Withheld => Column::Withheld,
        };
    }
    all
}

fn alike(one: &ReceivedRelease, other: &ReceivedRelease) -> Alike {
    Alike::of(&Sketch::of(one), &Sketch::of(other))
}

#[test]
fn hospitals_that_are_merely_alike_do_not_collide() {
    for policy in [OPEN, STANDARD] {
        let all: Vec<ReceivedRelease> = ["cleveland", "hungarian", "switzerland", "va"]
            .iter()
            .filter_map(|site| release(site, policy))
            .collect();
        for (place, one) in all.iter().enumerate() {
            for other in &all[place + 1..] {
                let found = alike(one, other);
                println!("{} {} {found:?}", one.header.site, other.header.site);
                assert!(!found.suspicious(), "{found:?}");
            }
        }
    }
    // Two samples of one population, large and small.
    let protocol = protocol();
    for (rows, policy) in [(4_000, STANDARD), (4_000, OPEN), (90, STANDARD), (60, OPEN)] {
        let sites = [("va", 1), ("hungarian", 2)].map(|(site, seed)| {
            let cases = drawn(&protocol, rows, seed);
            let job = job(&protocol, site);
            let bytes =
                delivered_of((&protocol, &cases), false, &job, Digest::of(b"job"), policy).unwrap();
            ReceivedRelease::read(&bytes).unwrap()
        });
        let found = alike(&sites[0], &sites[1]);
        println!("{rows} {found:?}");
        assert!(!found.suspicious(), "{rows}: {found:?}");
    }
}

/// The same table under two names: as it is, rounded once more, and only most of its numbers.
#[test]
fn a_copy_is_found_also_when_it_is_rounded_or_changed_in_part() {
    let (_, _, bytes) = open_data("va");
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let mine = ReceivedRelease::deserialize(&valid).unwrap();
    let copy = |change: &dyn Fn(usize, f64) -> f64| {
        let mut value = valid.clone();
        value["header"]["site"] = Value::from("hungarian");
        let mut seen = 0;
        touch(&mut value["statistics"], &mut |number| {
            seen += 1;
            change(seen, number)
        });
        ReceivedRelease::deserialize(&value).unwrap()
    };
    let theirs = copy(&|_, number| number);
    let rounded = copy(&|_, number| format!("{number:.2e}").parse().unwrap());
    let every_other = copy(&|seen, number| {
        if seen % 2 == 0 {
            number
        } else {
            number * 1.013
        }
    });
    let all = copy(&|_, number| number * 1.013);
    for (copy, suspicious) in [
        (theirs, true),
        (rounded, true),
        (every_other, true),
        (all, false),
    ] {
        let found = alike(&mine, &copy);
        assert_eq!(found.suspicious(), suspicious, "{found:?}");
    }
    // The same table under a policy that rounds and hides.
    let guarded = release("va", STANDARD).unwrap();
    let found = alike(&mine, &guarded);
    assert!(found.suspicious(), "{found:?}");
}

/// Every real number of a value.
fn touch(value: &mut Value, change: &mut dyn FnMut(f64) -> f64) {
    match value {
        Value::Number(number) => {
            if !number.is_u64() {
                *value = Value::from(change(number.as_f64().unwrap()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| touch(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| touch(item, change)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Hospitals that withhold nearly everything look the same without being the same.
#[test]
fn releases_with_next_to_no_numbers_do_not_collide() {
    let protocol = protocol();
    let mut one = release("va", STANDARD).unwrap();
    one.statistics
        .retain(|statistic| statistic.flow().is_some() || statistic.histogram().is_some());
    let mut other = one.clone();
    other.header.site = "hungarian".parse().unwrap();
    assert!(!alike(&one, &other).suspicious());
    assert_eq!(check(&one, &protocol), []);
}
