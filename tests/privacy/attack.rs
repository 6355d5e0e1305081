//! The attack on one release of a site where each patient has one row, on sites where patients
//! repeat what may be said at all, and the same attack where the rules are off.
//!
//! From: `said`.
//! To: nothing.

use std::collections::BTreeMap;

use harness::path;
use harness::random::{self, Draw, Row, Shape};
use shared::disclosure::{Policy, ReceivedRelease};
use shared::statistic::{Cell, Statistic};

use crate::said::Book;

pub const THRESHOLDS: [f64; 3] = [0.3, 0.5, 0.55];
const SITES: u64 = 150;
const MANY: u64 = 1 << 40;

/// A random site: its rows, the number of levels by axis.
pub fn site(seed: u64, repeats: bool) -> (Vec<Row>, Vec<usize>) {
    let mut draw = Draw(seed);
    let axes = draw.within(1, 4);
    let levels: Vec<usize> = (0..axes).map(|_| draw.within(2, 6)).collect();
    let shape = Shape {
        patients: draw.within(50, 501),
        prevalence: 0.05 + 0.55 * draw.unit(),
        repeats: if repeats { 0.4 } else { 0.0 },
        missing: [0.0, 0.02, 0.1][draw.within(0, 3)],
    };
    let rows = random::rows(&mut draw, &levels, shape);
    (rows, levels)
}

pub fn release(rows: &[Row], levels: &[usize], policy: &Policy) -> Option<(ReceivedRelease, Book)> {
    let protocol = random::protocol(levels, &THRESHOLDS);
    let cases = random::cases(&protocol, rows);
    let release = path::release(&protocol, &cases, policy, "a")?;
    let book = Book::of(&release, rows, &protocol.histogram.edges);
    Some((release, book))
}

/// Narrows the interval of every count as far as the sums allow.
pub fn propagate(
    mut known: BTreeMap<String, (u64, u64)>,
    sums: &[(String, Vec<String>)],
) -> BTreeMap<String, (u64, u64)> {
    for _ in 0..200 {
        let before = known.clone();
        for (whole, parts) in sums {
            let (Some(total), Some(each)) = (
                known.get(whole).copied(),
                parts
                    .iter()
                    .map(|part| known.get(part).copied())
                    .collect::<Option<Vec<_>>>(),
            ) else {
                continue;
            };
            let lo: u64 = each.iter().map(|part| part.0).sum();
            let hi: u64 = each.iter().map(|part| part.1).sum::<u64>().min(MANY);
            known.insert(whole.clone(), (total.0.max(lo), total.1.min(hi)));
            for (part, own) in parts.iter().zip(&each) {
                let others_lo = lo - own.0;
                let others_hi: u64 = each.iter().map(|p| p.1).sum::<u64>() - own.1;
                let low = own.0.max(total.0.saturating_sub(others_hi));
                let high = own.1.min(total.1.saturating_sub(others_lo));
                assert!(low <= high, "{part}: the release contradicts itself");
                known.insert(part.clone(), (low, high));
            }
        }
        if known == before {
            break;
        }
    }
    known
}

/// What an outsider starts from: shown counts exactly, hidden ones as the release bounds them.
fn start(book: &Book) -> BTreeMap<String, (u64, u64)> {
    let mut known: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for said in &book.said {
        let (lo, hi) = match said.cell {
            Cell::Suppressed { lo, hi } => (lo, hi),
            Cell::Value { .. } | Cell::Rounded { .. } | Cell::Zero => (said.rows, said.rows),
            Cell::NotComputed { .. } => (0, MANY),
        };
        let entry = known.entry(said.name.clone()).or_insert((0, MANY));
        *entry = (entry.0.max(lo), entry.1.min(hi));
    }
    known
}

/// Small groups (1 to 9 patients) that end with fewer than five possible steps.
fn pinned(book: &Book, known: &BTreeMap<String, (u64, u64)>) -> Vec<String> {
    let small = book
        .said
        .iter()
        .filter(|said| (1..10).contains(&said.patients));
    small
        .filter(|said| known[&said.name].1 - known[&said.name].0 < 5)
        .map(|said| format!("{} = {} in {:?}", said.name, said.rows, known[&said.name]))
        .collect()
}

#[test]
fn no_small_group_can_be_pinned() {
    let (mut released, mut hidden) = (0, 0);
    for seed in 0..SITES {
        let (rows, levels) = site(seed, false);
        let Some((_, book)) = release(&rows, &levels, &path::standard()) else {
            continue;
        };
        released += 1;
        hidden += book
            .said
            .iter()
            .filter(|said| said.cell.is_suppressed())
            .count();
        let known = propagate(start(&book), &book.sums);
        let found = pinned(&book, &known);
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        for said in &book.said {
            let shown = said.cell.number().is_some();
            assert!(
                !shown || said.patients >= 10,
                "seed {seed}: {} speaks about {} patients",
                said.name,
                said.patients
            );
        }
    }
    assert!(released > 60, "only {released} sites released anything");
    assert!(hidden > 1000, "only {hidden} cells were hidden");
}

/// Axes crossed with each other share their margins: the attacker adds the levels of a pair up
/// to those of its axes, and pins nobody. Large sites do show pairs.
#[test]
fn no_small_group_can_be_pinned_by_pairs() {
    let (mut released, mut pairs_shown, mut pairs_hidden) = (0, 0, 0);
    for seed in 5000..5000 + SITES / 2 {
        let mut draw = Draw(seed);
        let axes = draw.within(2, 4);
        let levels: Vec<usize> = (0..axes).map(|_| draw.within(2, 4)).collect();
        let shape = Shape {
            patients: draw.within(100, 1501),
            prevalence: 0.2 + 0.3 * draw.unit(),
            repeats: 0.0,
            missing: [0.0, 0.01, 0.1][draw.within(0, 3)],
        };
        let mut rows = random::rows(&mut draw, &levels, shape);
        random::cross(&mut rows, &levels);
        let protocol = random::crossed_protocol(&levels, &THRESHOLDS);
        let cases = random::cases(&protocol, &rows);
        let Some(release) = path::release(&protocol, &cases, &path::standard(), "a") else {
            continue;
        };
        released += 1;
        let mut book = Book::of(&release, &rows, &protocol.histogram.edges);
        for (place, pair) in random::pairs(levels.len()).into_iter().enumerate() {
            book.link_pair(levels.len() + place, pair, &levels);
            // Characteristics and subgroup table both speak of a level's cases.
            let prefix = format!("n.{}.", levels.len() + place);
            let mut shown: BTreeMap<&str, bool> = BTreeMap::new();
            let said = book.said.iter().filter(|said| said.rows > 0);
            for said in said.filter(|said| said.name.starts_with(&prefix)) {
                *shown.entry(&said.name).or_default() |= said.cell.number().is_some();
            }
            if shown.values().any(|shown| *shown) {
                pairs_shown += 1;
                assert!(shown.values().all(|shown| *shown), "seed {seed}: a hole");
            } else {
                pairs_hidden += 1;
            }
        }
        let found = pinned(&book, &propagate(start(&book), &book.sums));
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        for said in &book.said {
            let shown = said.cell.number().is_some();
            assert!(!shown || said.patients >= 10, "seed {seed}: {}", said.name);
        }
    }
    assert!(released > 50, "only {released} sites released anything");
    assert!(pairs_shown > 10, "only {pairs_shown} pairs were shown");
    assert!(pairs_hidden > 25, "only {pairs_hidden} pairs were hidden");
}

#[test]
fn repeated_patients_count_once() {
    let mut released = 0;
    for seed in 1000..1000 + SITES / 2 {
        let (rows, levels) = site(seed, true);
        let Some((release, book)) = release(&rows, &levels, &path::standard()) else {
            continue;
        };
        assert!(release.header.clustered);
        released += 1;
        for said in &book.said {
            let shown = said.cell.number().is_some();
            assert!(
                !shown || said.patients >= 10,
                "seed {seed}: {} speaks about {} patients",
                said.name,
                said.patients
            );
        }
    }
    assert!(released > 30, "only {released} sites released anything");
}

/// The attacker is not a weak one: against primary suppression alone, with margins, and against
/// a release without rules, he succeeds.
#[test]
fn the_attack_works_where_the_rules_are_off() {
    let (mut small, mut recovered, mut open) = (0, 0, 0);
    for seed in 0..40 {
        let (rows, levels) = site(seed, false);
        let (_, book) = release(&rows, &levels, &path::open_data()).unwrap();
        open += pinned(&book, &propagate(start(&book), &book.sums)).len();
        let mut primary: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for said in &book.said {
            let hidden = said.patients < 10;
            let known = if hidden {
                (0, 9)
            } else {
                (said.rows, said.rows)
            };
            primary.insert(said.name.clone(), known);
        }
        let axes = |name: &str| name.matches('.').count() == 2 && !name.starts_with("piece");
        let known = propagate(primary, &book.sums);
        let cells = book
            .said
            .iter()
            .filter(|said| axes(&said.name) && (1..10).contains(&said.patients));
        for said in cells {
            small += 1;
            recovered += usize::from(known[&said.name] == (said.rows, said.rows));
        }
    }
    assert!(open > 1000, "only {open} small groups in the open");
    assert!(
        recovered * 10 > small,
        "{recovered} of {small} hidden cells were recovered"
    );
}

/// Integers behind a rate: every numerator and denominator that fit the released value and the
/// released denominator have numerator and complement of at least k.
#[test]
fn rates_speak_about_enough_patients() {
    let mut rates = 0;
    for seed in 0..SITES {
        let (rows, levels) = site(seed, false);
        let Some((release, _)) = release(&rows, &levels, &path::standard()) else {
            continue;
        };
        for statistic in &release.statistics {
            let Statistic::Confusion(one) = statistic else {
                continue;
            };
            for rate in &one.rates {
                let (Some((p_lo, p_hi)), Some((n_lo, n_hi))) =
                    (rate.value.bounds(), rate.n.bounds())
                else {
                    panic!("a rate without bounds")
                };
                if rate.value.number().is_none() {
                    assert!(rate.low.is_suppressed() && rate.high.is_suppressed());
                    assert!(rate.n.is_suppressed());
                    continue;
                }
                rates += 1;
                let fits = (n_lo..=n_hi).flat_map(|n| (0..=n).map(move |hits| (hits, n)));
                let smallest = fits
                    .filter(|(hits, n)| (p_lo..=p_hi).contains(&(*hits as f64 / *n as f64)))
                    .map(|(hits, n)| hits.min(n - hits));
                // The largest reading must reach k; all readings lie within a step of it.
                assert!(
                    smallest.max().unwrap() >= 10,
                    "{:?} {rate:?}",
                    one.threshold
                );
            }
        }
    }
    assert!(rates > 300, "only {rates} rates were released");
}
