//! What a release says about counts, each with the rows it is about, and the sums that link them.
//!
//! From: a release and the rows behind it.
//! To: `attack`.

use harness::random::{Row, tally};
use shared::disclosure::ReceivedRelease;
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::histogram::Block;
use shared::statistic::stage::Cell;
use shared::statistic::{Disclosed, Statistic};

/// Whether a case with this prediction and this event lands in a column.
type Lands = fn(bool, bool) -> bool;

type Holds = Box<dyn Fn(&Row) -> bool>;

/// One count of a release.
pub struct Said {
    pub name: String,
    pub cell: Cell<u64>,
    /// Rows and distinct patients in truth.
    pub rows: u64,
    pub patients: u64,
}

/// All counts and the sums that everybody knows to hold among them, by name.
#[derive(Default)]
pub struct Book {
    pub said: Vec<Said>,
    pub sums: Vec<(String, Vec<String>)>,
    rows: Vec<Row>,
    protects: bool,
}

impl Book {
    pub fn of(release: &ReceivedRelease, rows: &[Row], edges: &[f64]) -> Self {
        let mut book = Self {
            rows: rows.iter().filter(|row| row.complete()).cloned().collect(),
            protects: release.header.policy.profile != "open-data",
            ..Self::default()
        };
        for statistic in &release.statistics {
            book.statistic(statistic, edges);
        }
        book.sum("n", &["e", "o"]);
        book
    }

    fn say(&mut self, name: &str, cell: Cell<u64>, holds: Holds) {
        let (rows, patients) = tally(&self.rows, holds);
        if let Cell::Rounded { lo, hi, .. } = cell {
            assert!(
                lo <= rows && rows <= hi,
                "{name}: {rows} is not in {lo}..={hi}"
            );
        }
        self.said.push(Said {
            name: name.to_owned(),
            cell,
            rows,
            patients,
        });
    }

    /// A group that the release does not name and sums give.
    fn imply(&mut self, name: &str, holds: Holds) {
        let hidden = Cell::Suppressed { lo: 0, hi: 1 << 40 };
        self.say(name, hidden, holds);
    }

    fn sum(&mut self, whole: &str, parts: &[&str]) {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        self.sums.push((whole.to_owned(), parts));
    }

    fn statistic(&mut self, statistic: &Statistic<Disclosed>, edges: &[f64]) {
        match statistic {
            // Studies of masks are attacked elsewhere; these sites have none.
            Statistic::Segmentation(_) | Statistic::Lesions(_) | Statistic::Detection(_) => {}
            Statistic::Flow(one) => {
                self.say("n", one.analysed, Box::new(|_| true));
                self.say("e", one.events, Box::new(Row::event));
                self.say("o", one.non_events, Box::new(|row| !row.event()));
            }
            Statistic::Characteristics(one) => {
                for (axis, counts) in one.axes.iter().enumerate() {
                    for (level, count) in counts.levels.iter().enumerate() {
                        let holds = move |row: &Row| row.level[axis] == level;
                        self.say(&format!("n.{axis}.{level}"), count.n, Box::new(holds));
                    }
                    self.columns(axis, counts.levels.len());
                }
                let age = &one.moments[0];
                self.say("age", age.n, Box::new(|row| row.number.is_some()));
                self.imply("no age", Box::new(|row| row.number.is_none()));
                self.sum("n", &["age", "no age"]);
            }
            Statistic::Confusion(one) => {
                let model = usize::from(one.model.as_str() == "p_a");
                let (at, name) = (one.threshold, format!("{model}@{}", one.threshold));
                let mut cell = |what: &str, cell, positive: bool, event: bool| {
                    let holds = move |row: &Row| {
                        (row.score(model) >= at) == positive && row.event() == event
                    };
                    self.say(&format!("{what}.{name}"), cell, Box::new(holds));
                };
                cell("tp", one.true_positive, true, true);
                cell("fn", one.false_negative, false, true);
                cell("fp", one.false_positive, true, false);
                cell("tn", one.true_negative, false, false);
                self.sum("e", &[&format!("tp.{name}"), &format!("fn.{name}")]);
                self.sum("o", &[&format!("fp.{name}"), &format!("tn.{name}")]);
            }
            Statistic::Histogram(one) => {
                let model = usize::from(one.model.as_str() == "p_a");
                self.histogram(model, true, &one.events, edges);
                self.histogram(model, false, &one.non_events, edges);
            }
            Statistic::SubgroupTable(one) => self.subgroup(one),
            Statistic::Discordance(one) => {
                let thresholds = (one.threshold, one.comparator_threshold);
                self.crossed(thresholds, true, one.events.counts());
                self.crossed(thresholds, false, one.non_events.counts());
            }
            Statistic::Contingency(one) => self.table(one),
            Statistic::Auc(_)
            | Statistic::PairedAuc(_)
            | Statistic::ObservedExpected(_)
            | Statistic::Permutation(_)
            // Counts of what is absent are about cases that are not analysed.
            | Statistic::Missing(_)
            | Statistic::Estimate(_) => {}
            // A protecting policy refuses the steps these travel in, and the release's first
            // exchange never asks for them.
            Statistic::CalibrationBlock(_) => {}
            // Where the policy protects, bins of a calibration curve say nothing.
            Statistic::CalibrationBins(one) => {
                let none = one.grid.is_empty() && one.tenths.is_empty();
                assert!(none || !self.protects, "bins leave a site that protects");
            }
        }
    }

    /// Both models' decisions in one class, and the 2x2 tables they add to.
    fn crossed(&mut self, (first, second): (f64, f64), event: bool, cells: [&Cell<u64>; 4]) {
        let decisions = [(true, true), (true, false), (false, true), (false, false)];
        let name = |one: bool, other: bool| {
            let class = if event { "e" } else { "o" };
            format!("{class}.{one}.{other}.{first}x{second}")
        };
        for ((one, other), cell) in decisions.into_iter().zip(cells) {
            let holds = move |row: &Row| {
                (row.score(0) >= first) == one
                    && (row.score(1) >= second) == other
                    && row.event() == event
            };
            self.say(&name(one, other), *cell, Box::new(holds));
        }
        let words = |positive: bool| match (positive, event) {
            (true, true) => "tp",
            (false, true) => "fn",
            (true, false) => "fp",
            (false, false) => "tn",
        };
        for positive in [true, false] {
            let own = [name(positive, true), name(positive, false)];
            let other = [name(true, positive), name(false, positive)];
            let word = words(positive);
            self.sums.push((format!("{word}.0@{first}"), own.into()));
            self.sums.push((format!("{word}.1@{second}"), other.into()));
        }
    }

    /// Sums over the levels of an axis, and within each level.
    fn columns(&mut self, axis: usize, levels: usize) {
        let whole = format!("0@{}", crate::attack::THRESHOLDS[0]);
        for (part, whole) in [
            ("n", "n".to_owned()),
            ("e", "e".to_owned()),
            ("o", "o".to_owned()),
            ("tp", format!("tp.{whole}")),
            ("fn", format!("fn.{whole}")),
            ("fp", format!("fp.{whole}")),
            ("tn", format!("tn.{whole}")),
        ] {
            let parts = (0..levels).map(|level| format!("{part}.{axis}.{level}"));
            self.sums.push((whole, parts.collect()));
        }
        for level in 0..levels {
            let name = |part: &str| format!("{part}.{axis}.{level}");
            for (whole, parts) in [
                ("n", vec!["e", "o"]),
                ("e", vec!["tp", "fn"]),
                ("o", vec!["fp", "tn"]),
                ("right", vec!["tp", "tn"]),
                ("n", vec!["right", "fp", "fn"]),
            ] {
                let parts = parts.into_iter().map(name).collect();
                self.sums.push((name(whole), parts));
            }
        }
    }

    /// The levels of a pair's axis with number `pair` add to the levels of both its axes.
    pub fn link_pair(&mut self, pair: usize, (first, second): (usize, usize), levels: &[usize]) {
        let (rows, columns) = (levels[first] + 1, levels[second] + 1);
        for part in ["n", "e", "o", "tp", "fn", "fp", "tn", "right"] {
            let cell =
                |row: usize, column: usize| format!("{part}.{pair}.{}", row * columns + column);
            for row in 0..rows {
                let parts = (0..columns).map(|column| cell(row, column)).collect();
                self.sums.push((format!("{part}.{first}.{row}"), parts));
            }
            for column in 0..columns {
                let parts = (0..rows).map(|row| cell(row, column)).collect();
                self.sums.push((format!("{part}.{second}.{column}"), parts));
            }
        }
    }

    fn subgroup(&mut self, one: &shared::statistic::subgroup::SubgroupTable<Disclosed>) {
        let axis = axis_of(one.axis.as_str());
        let at = one.threshold;
        for (level, row) in one.rows.iter().enumerate() {
            let mut cell = |what: &str, cell, holds: fn(bool, bool) -> bool| {
                let holds = move |row: &Row| {
                    row.level[axis] == level && holds(row.score(0) >= at, row.event())
                };
                self.say(&format!("{what}.{axis}.{level}"), cell, Box::new(holds));
            };
            cell("n", row.n, |_, _| true);
            cell("e", row.events, |_, event| event);
            cell("o", row.non_events, |_, event| !event);
            cell("tp", row.true_positive, |positive, event| positive && event);
            cell("fn", row.false_negative, |positive, event| {
                !positive && event
            });
            cell("fp", row.false_positive, |positive, event| {
                positive && !event
            });
            cell("tn", row.true_negative, |positive, event| {
                !positive && !event
            });
        }
    }

    fn table(&mut self, one: &shared::statistic::contingency::Contingency<Disclosed>) {
        let axis = axis_of(one.axis.as_str());
        let at = one.threshold.unwrap_or(0.0);
        let columns: Vec<(&str, Lands)> = match one.kind {
            ContingencyKind::ErrorBySubgroup => vec![
                ("right", |positive, event| positive == event),
                ("fp", |positive, event| positive && !event),
                ("fn", |positive, event| !positive && event),
            ],
            ContingencyKind::OutcomeBySubgroup | ContingencyKind::CompletenessByOutcome => {
                vec![("o", |_, event| !event), ("e", |_, event| event)]
            }
        };
        for (level, row) in one.rows.iter().enumerate() {
            for (cell, (name, holds)) in row.cells.iter().zip(&columns) {
                let holds = *holds;
                let holds = move |row: &Row| {
                    row.level[axis] == level && holds(row.score(0) >= at, row.event())
                };
                self.say(&format!("{name}.{axis}.{level}"), *cell, Box::new(holds));
            }
        }
    }

    /// Blocks, and the pieces into which thresholds cut them.
    fn histogram(&mut self, model: usize, event: bool, blocks: &[Block<Disclosed>], edges: &[f64]) {
        let class = if event { "e" } else { "o" };
        let (above, below) = if event { ("tp", "fn") } else { ("fp", "tn") };
        let lower = |bin: u32| bin.checked_sub(1).map_or(0.0, |edge| edges[edge as usize]);
        let upper = |bin: u32| edges.get(bin as usize).copied().unwrap_or(f64::INFINITY);
        let mut bounds: Vec<f64> = blocks.iter().map(|block| lower(block.first)).collect();
        bounds.extend(crate::attack::THRESHOLDS);
        bounds.push(f64::INFINITY);
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let pieces: Vec<(f64, f64, String)> = bounds
            .windows(2)
            .map(|pair| {
                (
                    pair[0],
                    pair[1],
                    format!("piece.{class}.{model}.{}", pair[0]),
                )
            })
            .collect();
        for (low, high, name) in pieces.clone() {
            let holds =
                move |row: &Row| row.event() == event && (low..high).contains(&row.score(model));
            self.imply(&name, Box::new(holds));
        }
        let among = |low: f64, high: f64| -> Vec<String> {
            pieces
                .iter()
                .filter(|piece| piece.0 >= low && piece.1 <= high)
                .map(|piece| piece.2.clone())
                .collect()
        };
        let mut sums = Vec::new();
        for block in blocks {
            let (low, high) = (lower(block.first), upper(block.last));
            let name = format!("block.{class}.{model}.{low}");
            let holds =
                move |row: &Row| row.event() == event && (low..high).contains(&row.score(model));
            self.say(&name, block.count, Box::new(holds));
            sums.push((name, among(low, high)));
        }
        for at in crate::attack::THRESHOLDS {
            sums.push((format!("{above}.{model}@{at}"), among(at, f64::INFINITY)));
            sums.push((format!("{below}.{model}@{at}"), among(0.0, at)));
        }
        sums.push((class.to_owned(), among(0.0, f64::INFINITY)));
        self.sums.extend(sums);
    }
}

fn axis_of(name: &str) -> usize {
    name.trim_start_matches("axis_").parse().unwrap()
}
