//! Non-interference: one patient is another, and what is released is the same, or differs only where
//! it speaks about groups that this patient is in. `FEDVAL_LONG` asks for 10,000 neighbours instead
//! of the short form; every neighbour is compared in every statistic of a release.
//!
//! From: `attack`.
//! To: nothing.

use std::collections::BTreeMap;

use harness::path;
use harness::random::{self, Draw, Row};
use serde_json::Value;
use shared::study::plan::StatisticKind;

use crate::attack::{THRESHOLDS, site};

/// By what the statistic is about: its cells by path.
type Cells = BTreeMap<String, Value>;

fn collect(value: &Value, path: &str, found: &mut Cells) {
    match value {
        Value::Object(fields) if fields.contains_key("state") => {
            found.insert(path.to_owned(), value.clone());
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                collect(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                collect(value, &format!("{path}/{place}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.insert(path.to_owned(), value.clone());
        }
    }
}

/// Every cell of the release, named by its statistic, model, comparator, axis and endpoint.
fn cells(rows: &[Row], levels: &[usize]) -> Option<Cells> {
    let protocol = random::protocol(levels, &THRESHOLDS);
    let cases = random::cases(&protocol, rows);
    let bytes = path::bytes(&protocol, &cases, &path::standard(), "a")?;
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let mut found = Cells::new();
    for (place, one) in document["statistics"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let field = |name: &str| {
            let own = word(&one[name]);
            if own == "-" {
                word(&one["key"][name])
            } else {
                own
            }
        };
        let names = ["statistic", "model", "comparator", "axis"].map(field);
        collect(one, &format!("{} #{place}", names.join(" ")), &mut found);
    }
    Some(found)
}

fn is_shown(cell: &Value) -> bool {
    cell["state"] == "rounded" || cell["state"] == "value" || cell["state"] == "zero"
}

/// One change of one patient, and whether a cell's path may differ after it.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The comparator's score.
    Comparator,
    /// The level on the first axis.
    Level,
    /// The numeric field.
    Number,
    /// The outcome.
    Outcome,
    /// The score under validation.
    Score,
}

impl Change {
    fn make(self, draw: &mut Draw, row: &mut Row, levels: &[usize]) {
        let score = Some((draw.unit() * 1000.0).round() / 1000.0);
        match self {
            Self::Comparator => row.score[1] = row.score[1].and(score),
            Self::Score => row.score[0] = row.score[0].and(score),
            Self::Level => row.level[0] = draw.within(0, levels[0]),
            Self::Number => row.number = row.number.map(|_| (40.0 + 40.0 * draw.unit()).round()),
            Self::Outcome => row.outcome = row.outcome.map(|event| !event),
        }
    }

    /// Whether a cell at `path` may tell of it.
    fn may_tell(self, path: &str) -> bool {
        let about: Vec<&str> = path.split(['#', ' ']).collect();
        let [statistic, model, comparator, axis] = [about[0], about[1], about[2], about[3]];
        match self {
            Self::Comparator => model == "p_a" || comparator == "p_a",
            Self::Score => model == "p_b" || comparator == "p_b" || statistic == "contingency",
            Self::Level => axis == "axis_0" || path.contains("/axes/0/"),
            Self::Number => path.contains("/moments/"),
            Self::Outcome => match statistic {
                "characteristics" => false,
                "flow" => path.ends_with("events"),
                _ => true,
            },
        }
    }
}

#[test]
fn a_changed_patient_shows_only_where_it_may() {
    let sites: u64 = if crate::is_long() { 2000 } else { 30 };
    let (mut compared, mut neighbours, mut differ) = (BTreeMap::<String, u64>::new(), 0, 0);
    for seed in 0..sites {
        let (rows, levels) = site(20_000 + seed, false);
        let Some(before) = cells(&rows, &levels) else {
            continue;
        };
        let mut draw = Draw(seed);
        for change in [
            Change::Comparator,
            Change::Score,
            Change::Level,
            Change::Number,
            Change::Outcome,
        ] {
            let mut other = rows.clone();
            let place = draw.within(0, rows.len());
            change.make(&mut draw, &mut other[place], &levels);
            let Some(after) = cells(&other, &levels) else {
                continue;
            };
            neighbours += 1;
            let paths = before.keys().chain(after.keys());
            for path in paths {
                let pair = (before.get(path), after.get(path));
                let (Some(one), Some(two)) = pair else {
                    // Blocks of a histogram are as many as its cases allow.
                    assert!(change.may_tell(path), "{seed} {change:?} {path}: {pair:?}");
                    continue;
                };
                let statistic = path.split(' ').next().unwrap();
                *compared.entry(statistic.to_owned()).or_default() += 1;
                if one == two {
                    continue;
                }
                differ += 1;
                // What is hidden in both is the same bytes, and what may not tell is hidden in one.
                let states = [is_shown(one), is_shown(two)];
                let hidden_by_likeness =
                    states != [true, true] && (path.contains("axis_") || path.contains("/axes/"));
                let may = change.may_tell(path) || hidden_by_likeness;
                assert!(may, "{seed} {change:?} {path}: {one} {two}");
                // A hidden 2x2 table says of a cell that it is smaller than k, and bounds its rate by
                // the rounded total of the class.
                let by_table = path.starts_with("confusion") && change.may_tell(path);
                let hidden = states == [false, false] && one["state"] == two["state"];
                assert!(
                    !hidden || by_table || one["state"].is_null(),
                    "{seed} {change:?} {path}: {one} {two}"
                );
            }
        }
    }
    println!("{neighbours} neighbours, {differ} cells differ, compared {compared:?}");
    assert!(neighbours > sites * 3 && compared.len() >= 10 && differ > 100);
}

/// Sites around the border of what is large enough: a refusal is the same word whatever is behind it,
/// and one patient decides only at the border itself.
#[test]
fn a_refusal_says_nothing_of_a_patient_but_at_its_border() {
    let (mut refused, mut border) = (0, 0);
    for seed in 0..if crate::is_long() { 10_000 } else { 600 } {
        let (mut rows, levels) = site(40_000 + seed, false);
        rows.truncate(40 + (seed % 25) as usize);
        let of = |rows: &[Row]| {
            let count = |event| random::tally(rows, |row| row.complete() && row.event() == event).1;
            let [events, others] = [count(true), count(false)];
            let slack = [
                (events + others) as i64 - 50,
                events as i64 - 10,
                others as i64 - 10,
            ];
            let protocol = random::protocol(&levels, &THRESHOLDS);
            let cases = random::cases(&protocol, rows);
            let flow = [StatisticKind::Flow];
            let bytes = path::bytes_of(&protocol, &cases, &path::standard(), "a", &flow);
            (bytes.is_some(), slack.into_iter().min().unwrap())
        };
        let (released, slack) = of(&rows);
        let mut draw = Draw(seed);
        let place = draw.within(0, rows.len());
        let mut other = rows.clone();
        Change::Outcome.make(&mut draw, &mut other[place], &levels);
        let (again, _) = of(&other);
        refused += u64::from(!released);
        if released != again {
            border += 1;
            assert!((-1..=0).contains(&slack), "seed {seed}: {slack}");
        }
    }
    assert!(refused > 10 && border > 0, "{refused} {border}");
}
