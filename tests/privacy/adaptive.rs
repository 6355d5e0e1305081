//! Attackers who choose the next question from the last answers: they step bounds of eligibility,
//! ask by other axes and intersections, move thresholds and grids, add sensitivity sets, ask under
//! another study's name, and again after a few patients came or went. After each answer they solve
//! for what they know.
//!
//! A thousand of them in the short form; a hundred thousand with `FEDVAL_LONG=1`.
//!
//! From: `hospital`, `question`, `solver`.
//! To: nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use harness::path;
use harness::random::Draw;

use crate::hospital::{AGES, Hospital, SEXES, WARDS, patients};
use crate::question::Question;
use crate::solver::{Found, Known};

const K: u64 = 10;
const WIDTH: u64 = 5;
const FEW: u64 = 1000;
const MANY: u64 = 100_000;

/// What one attacker came to.
#[derive(Debug, Default)]
struct Outcome {
    answers: usize,
    refusals: usize,
    told: usize,
    found: Vec<Found>,
    last: Vec<Question>,
}

/// Ways to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    Lower,
    Upper,
    Ward,
    Sex,
    WithoutWard,
    WithoutAge,
    Axes,
    Threshold,
    Grid,
    Sensitivity,
    Study,
    Table,
}

const MOVES: [Move; 12] = [
    Move::Lower,
    Move::Upper,
    Move::Ward,
    Move::Sex,
    Move::WithoutWard,
    Move::WithoutAge,
    Move::Axes,
    Move::Threshold,
    Move::Grid,
    Move::Sensitivity,
    Move::Study,
    Move::Table,
];

/// A bound that moves by `step` in either direction and stays within ages.
fn stepped(draw: &mut Draw, from: u32, step: u32) -> u32 {
    let up = draw.within(0, 2) == 1;
    let to = if up {
        from + step
    } else {
        from.saturating_sub(step)
    };
    to.clamp(AGES.start, AGES.end)
}

/// One of `count`, or none.
fn some(draw: &mut Draw, count: usize) -> Option<usize> {
    draw.within(0, count + 1).checked_sub(1)
}

fn go_on(draw: &mut Draw, question: &mut Question, how: Move, step: u32) {
    match how {
        Move::Lower => question.ages[0] = stepped(draw, question.ages[0], step),
        Move::Upper => question.ages[1] = stepped(draw, question.ages[1], step),
        Move::Ward => question.ward = some(draw, WARDS),
        Move::Sex => question.sex = some(draw, SEXES),
        Move::WithoutWard => question.without.0 = some(draw, WARDS),
        Move::WithoutAge => {
            let from = question.without.1.unwrap_or(45);
            question.without.1 = Some(stepped(draw, from, step)).filter(|_| draw.within(0, 4) > 0);
        }
        Move::Axes => {
            let axis = draw.within(0, 3);
            question.axes[axis] ^= true;
        }
        Move::Threshold => {
            let from = question.thresholds.first().copied().unwrap_or(500);
            let to = stepped(draw, 45, step) + from - 45;
            question.thresholds = vec![to.clamp(100, 900)];
        }
        Move::Grid => {
            let steps = [25, 50, 100, 200];
            let width = steps[draw.within(0, steps.len())];
            question.grid = Some((1 + draw.within(0, width as usize) as u32, width));
        }
        Move::Sensitivity => {
            let from = question.sensitivity.unwrap_or(45);
            question.sensitivity = Some(stepped(draw, from, step));
        }
        Move::Study | Move::Table => question.study += 1,
    }
}

/// A few patients come, and sometimes one goes.
fn change_table(draw: &mut Draw, hospital: &mut Hospital, step: u32) {
    let count = draw.within(1, 2 * step as usize + 2);
    let room = 600_usize.saturating_sub(hospital.people.len());
    let newcomers = patients(draw, count.min(room), 0.4);
    hospital.admit(newcomers);
    if draw.within(0, 3) == 0 {
        let gone = draw.within(0, hospital.people.len());
        hospital.present.remove(&gone);
    }
}

/// One attack from a seed, against a hospital that remembers or does not.
fn attack(seed: u64, remembers: bool) -> Outcome {
    let mut draw = Draw(seed);
    let size = 50 + (draw.unit().powi(3) * 450.0) as usize;
    let prevalence = 0.2 + 0.4 * draw.unit();
    let people = patients(&mut draw, size, prevalence);
    let mut hospital = Hospital::new(people, path::standard(), remembers);
    let mut question = Question::default();
    for _ in 0..draw.within(0, 3) {
        let how = MOVES[draw.within(6, 9)];
        go_on(&mut draw, &mut question, how, 5);
    }
    // Each attacker has a few favourites: sequences of one kind go deepest.
    let favourites: Vec<Move> = (0..3).map(|_| MOVES[draw.within(0, MOVES.len())]).collect();
    let (mut known, mut outcome) = (Known::default(), Outcome::default());
    let (mut step, mut how) = (8, favourites[0]);
    for _ in 0..draw.within(4, 10) {
        let protocol = question.protocol();
        let before = question.clone();
        outcome.last.push(question.clone());
        match hospital.ask(&protocol, &question.kinds()) {
            Ok(release) => {
                outcome.answers += 1;
                question.learn(&release, &hospital, &mut known);
                outcome.found = known.isolated(K);
                // What was told goes finer.
                step = (step / 2).max(1);
            }
            Err(_) => {
                outcome.refusals += 1;
                // What was refused is asked in larger steps, or otherwise.
                step = (step * 2).min(16);
                how = favourites[draw.within(0, favourites.len())];
            }
        }
        if !outcome.found.is_empty() {
            break;
        }
        if draw.within(0, 3) == 0 {
            how = favourites[draw.within(0, favourites.len())];
        }
        question = before;
        go_on(&mut draw, &mut question, how, step);
        if how == Move::Table {
            change_table(&mut draw, &mut hospital, step);
        }
    }
    if outcome.found.is_empty() {
        let most = if crate::is_long() { 20 } else { 2 };
        outcome.found = known.pinned(K, WIDTH, most, seed as usize);
    }
    outcome.told = known.told();
    outcome
}

fn attackers() -> u64 {
    if crate::is_long() { MANY } else { FEW }
}

/// The attacks of these seeds, on every processor.
fn campaign(count: u64, remembers: bool, found: &(impl Fn(u64, &Outcome) + Sync)) -> [u64; 4] {
    let next = AtomicU64::new(0);
    let sums: [AtomicU64; 4] = std::array::from_fn(|_| AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    let outcome = attack(seed, remembers);
                    let numbers = [
                        outcome.answers as u64,
                        outcome.refusals as u64,
                        outcome.told as u64,
                        u64::from(!outcome.found.is_empty()),
                    ];
                    for (sum, number) in sums.iter().zip(numbers) {
                        sum.fetch_add(number, Ordering::Relaxed);
                    }
                    found(seed, &outcome);
                }
            });
        }
    });
    sums.map(AtomicU64::into_inner)
}

#[test]
fn no_adaptive_attacker_isolates_or_pins_anybody() {
    let failed = std::sync::Mutex::new(Vec::new());
    let count = attackers();
    let [answers, refusals, told, _] = campaign(count, true, &|seed, outcome| {
        if !outcome.found.is_empty() {
            let mut failed = failed.lock().unwrap();
            failed.push(format!("{seed}: {:?} by {:?}", outcome.found, outcome.last));
        }
    });
    println!("{count} attackers: {answers} answers, {refusals} refusals, {told} counts told");
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} succeed\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(answers > count && refusals > count && told > 10 * count);
}

#[test]
fn the_same_attackers_succeed_against_a_node_that_forgets() {
    let count = attackers() / 5;
    let [answers, _, told, found] = campaign(count, false, &|_, _| ());
    println!("{count} attackers: {answers} answers, {told} counts told, {found} succeed");
    assert!(found * 5 > count * 2, "only {found} of {count}");
}
