//! Attacks with a name, each against the rule as it would be without the amendment, where it
//! succeeds, and against this program, where it does not. `docs/explanation/attacks.md` lists them all.
//!
//! From: `hospital`, `question`, `solver`, `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Draw, Row};
use serde_json::{Value, json};
use shared::disclosure::ReceivedRelease;
use shared::statistic::stage::Cell;
use shared::statistic::{Metric, Statistic};
use shared::study::{Term, validate};

use crate::hospital::{Hospital, Patient, patients};
use crate::question::Question;
use crate::solver::{Known, Set};

const K: u64 = 10;

fn hospital(seed: u64, count: usize, remembers: bool) -> Hospital {
    let people = patients(&mut Draw(seed), count, 0.4);
    Hospital::new(people, path::standard(), remembers)
}

/// Share of patients in groups of fewer than k whose numbers follow from the answers.
fn singled_out(questions: &[Question], remembers: bool) -> f64 {
    let mut hospital = hospital(7, 300, remembers);
    let mut known = Known::default();
    for question in questions {
        if let Ok(release) = hospital.ask(&question.protocol(), &question.kinds()) {
            question.learn(&release, &hospital, &mut known);
        }
    }
    let found = known.isolated(K);
    found.iter().map(|one| one.patients).sum::<u64>() as f64 / 300.0
}

/// The same where a requester lays the edges himself, each answer in blocks of ten and more.
fn singled_out_by_free_edges() -> f64 {
    let hospital = hospital(7, 300, false);
    let mut scores: Vec<f64> = hospital.people.iter().map(|one| one.score[0]).collect();
    scores.sort_by(f64::total_cmp);
    let mut known = Known::default();
    for turn in 0..20 {
        let inner = (10 + turn..scores.len() - 10).step_by(10 + turn % 7);
        let mut edges: Vec<f64> = inner.map(|place| scores[place]).collect();
        edges.push(f64::INFINITY);
        edges.dedup();
        let mut from = 0.0;
        for to in edges {
            let block = Set::of(&hospital, |one| (from..to).contains(&one.score[0]));
            let told = Cell::Value { value: block.len() };
            known.count(&block, told);
            from = to;
        }
    }
    let found = known.isolated(K);
    found.iter().map(|one| one.patients).sum::<u64>() as f64 / 300.0
}

#[test]
fn twenty_moved_grids_single_nobody_out() {
    let moved = |turn: u32| Question {
        study: turn,
        grid: Some((5 + 2 * turn, 40)),
        ..Question::default()
    };
    let questions: Vec<Question> = (0..20).map(moved).collect();
    let forgetful = singled_out(&questions, false);
    let free = singled_out_by_free_edges();
    println!("moved grids, no ledger: {forgetful}, edges of the requester's own: {free}");
    assert!(forgetful > 0.3, "{forgetful}");
    assert!(free > 0.9, "{free}");
    assert_eq!(singled_out(&questions, true), 0.0);
}

/// Sensitivity at threshold after threshold is the distribution of the score: every quantile.
#[test]
fn a_ladder_of_thresholds_tells_no_quantile() {
    let rung = |turn: u32| Question {
        study: turn,
        thresholds: vec![200 + 4 * turn],
        ..Question::default()
    };
    let questions: Vec<Question> = (0..150).map(rung).collect();
    let forgetful = singled_out(&questions, false);
    println!("ladder of thresholds, no ledger: {forgetful}");
    assert!(forgetful > 0.5, "{forgetful}");
    assert_eq!(singled_out(&questions, true), 0.0);
    // In one question no two tables lie so close that what is between them is small.
    let all = Question {
        thresholds: questions.iter().map(|one| one.thresholds[0]).collect(),
        ..Question::default()
    };
    assert_eq!(singled_out(&[all], true), 0.0);
}

fn statistics(release: &ReceivedRelease) -> Vec<Value> {
    let told = release.statistics.iter();
    // The flow names the reasons in the words of the question.
    let told = told.filter(|one| !matches!(one, Statistic::Flow(_)));
    told.map(|one| serde_json::to_value(one).unwrap()).collect()
}

#[test]
fn the_same_question_in_other_words_has_one_answer() {
    let plain = Question {
        ages: [40, 90],
        axes: [true, false, false],
        thresholds: vec![500],
        ..Question::default()
    };
    let term = |value: Value| -> Term { serde_json::from_value(value).unwrap() };
    let at_least = term(json!({ "field": "age", "op": "ge", "value": 40 }));
    let below = term(json!({ "field": "age", "op": "lt", "value": 40 }));
    let under = term(json!({ "field": "age", "op": "lt", "value": 90 }));
    let mut words = Vec::new();
    for study in 0..4 {
        for (include, exclude) in [
            (vec![at_least.clone()], vec![]),
            (vec![], vec![below.clone()]),
            (
                vec![at_least.clone(), at_least.clone()],
                vec![below.clone()],
            ),
            (vec![under.clone(), at_least.clone()], vec![]),
            (vec![at_least.clone(), under.clone()], vec![below.clone()]),
        ] {
            let mut protocol = plain.protocol();
            protocol.slug = format!("study-{study}").parse().unwrap();
            (protocol.eligibility.include, protocol.eligibility.exclude) = (include, exclude);
            words.push(protocol);
        }
    }
    let turns = if crate::is_long() { 1000 } else { 100 };
    let kinds = plain.kinds();
    let mut forgetful = hospital(3, 120, false);
    let first = forgetful.bytes(&words[0], &kinds).unwrap();
    for _ in 1..turns {
        assert_eq!(forgetful.bytes(&words[0], &kinds).unwrap(), first);
    }
    let expected = statistics(&ReceivedRelease::read(&first).unwrap());
    for turn in 0..turns {
        let protocol = &words[turn % words.len()];
        let again = forgetful.ask(protocol, &kinds).unwrap();
        assert_eq!(statistics(&again), expected);
    }
    // So does a hospital that remembers: nobody new is spoken about.
    let mut hospital = hospital(3, 120, true);
    for protocol in &words {
        let again = hospital.ask(protocol, &kinds).unwrap();
        assert_eq!(statistics(&again), expected);
    }
}

/// A requester cannot name a row, give weights, or write an expression: the types that travel have
/// no place for it, and what they have a place for is checked.
#[test]
fn no_vector_weight_or_row_can_be_written_as_a_question() {
    for value in [
        json!({ "field": "age", "op": "in", "value": [41, 42] }),
        json!({ "field": "age", "op": "ge", "value": [0, 1, 0] }),
        json!({ "field": "age", "op": "ge", "value": 40, "weights": [0, 1] }),
        json!({ "field": "age", "op": "ge", "value": "age * 2" , "not": true }),
        json!({ "not": { "field": "age", "op": "ge", "value": 40 } }),
        json!({ "any": [{ "field": "age", "op": "ge", "value": 40 }] }),
        json!({ "row": 7 }),
        json!("age > 40 and row = 7"),
    ] {
        assert!(
            serde_json::from_value::<Term>(value.clone()).is_err(),
            "{value}"
        );
    }
    let problems = |value: Value| {
        let mut protocol = harness::heart::written();
        protocol.eligibility.include = vec![serde_json::from_value(value).unwrap()];
        validate::check(&protocol).len()
    };
    assert_eq!(validate::check(&harness::heart::written()).len(), 0);
    for value in [
        json!({ "field": "case_id", "op": "eq", "value": "case-7" }),
        json!({ "field": "case_id", "op": "ge", "value": 7 }),
        json!({ "field": "age", "op": "eq", "value": 45 }),
        json!({ "field": "age", "op": "ge", "value": 45.5 }),
        json!({ "field": "sex", "op": "eq", "value": "female' or 1=1" }),
        json!({ "field": "p_b", "op": "ge", "value": 0.5 }),
    ] {
        assert!(problems(value.clone()) > 0, "{value}");
    }
    let document = serde_json::to_value(harness::heart::written()).unwrap();
    for (key, value) in [
        ("weights", json!([0, 1])),
        ("rows", json!([7])),
        ("vector", json!([0.0, 1.0])),
        ("expression", json!("1 / 0")),
    ] {
        let mut altered = document.clone();
        altered[key] = value;
        let read = serde_json::from_value::<shared::study::StudyProtocol>(altered);
        assert!(read.is_err(), "{key}");
    }
}

/// A score that is one number for everybody but the target: the area is above one half exactly when
/// the target has the event.
fn vector(count: usize, rest: f64, event: bool) -> Vec<Row> {
    let row = |place: usize, event: bool, score: f64| Row {
        patient: place as u32,
        outcome: Some(event),
        score: [Some(score); 2],
        level: vec![0],
        number: Some(50.0),
    };
    let mut rows = vec![row(0, event, 0.999), row(1, !event, rest)];
    rows.extend((2..count).map(|place| row(place, place % 10 < 3, rest)));
    rows
}

#[test]
fn a_model_that_is_a_vector_reads_no_label() {
    for count in [100, 300, 1000, 5000] {
        for rest in [0.5, 0.6, 0.3] {
            let protocol = random::protocol(&[1], &[0.55]);
            let worlds = [true, false].map(|event| {
                let rows = vector(count, rest, event);
                let cases = random::cases(&protocol, &rows);
                let of = |policy| path::release(&protocol, &cases, &policy, "a").unwrap();
                let open = of(path::open_data()).statistics;
                let area = open.iter().find_map(|one| match one {
                    Statistic::Auc(one) => one.auc.number(),
                    _ => None,
                });
                // Four decimals are enough to read it where no rule stands in the way.
                let read = (area.unwrap() * 1e4).round() > 5000.0;
                assert_eq!(read, event, "{count}");
                let standard = of(path::standard()).statistics;
                let told = standard.iter().filter(|one| match one {
                    Statistic::Auc(one) => one.auc.number().is_some(),
                    Statistic::Estimate(one) => one.value.number().is_some(),
                    _ => false,
                });
                assert_eq!(told.count(), 0, "{count}");
                serde_json::to_value(standard).unwrap()
            });
            let [one, other] = worlds.map(|world| world.as_array().unwrap().clone());
            for (one, other) in one.iter().zip(&other) {
                assert_eq!(one, other, "{count} patients, {rest}");
            }
        }
    }
}

fn area(release: &ReceivedRelease) -> (f64, f64) {
    let found = release.statistics.iter().find_map(|one| match one {
        Statistic::Auc(one) => Some((one.auc.number()?, one.events.number()? as f64)),
        _ => None,
    });
    found.unwrap()
}

/// Where a patient's score lies among the other class follows from the areas without and with them.
#[test]
fn two_areas_tell_a_rank_and_the_second_is_refused() {
    let question = Question::default();
    let (protocol, kinds) = (question.protocol(), question.kinds());
    let mut read = 0;
    for seed in 0..20 {
        let newcomer = Patient {
            event: true,
            ..patients(&mut Draw(seed + 900), 1, 1.0).remove(0)
        };
        let mut forgetful = hospital(seed, 200, false);
        let mut remembers = hospital(seed, 200, true);
        let events = forgetful.people.iter().filter(|one| one.event).count() as f64;
        let others = forgetful.people.iter().filter(|one| !one.event);
        let wins = others
            .clone()
            .map(|one| match newcomer.score[0].total_cmp(&one.score[0]) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            });
        let rank = wins.sum::<f64>() / others.count() as f64;
        let (before, _) = area(&forgetful.ask(&protocol, &kinds).unwrap());
        forgetful.admit(vec![newcomer.clone()]);
        let (after, _) = area(&forgetful.ask(&protocol, &kinds).unwrap());
        let found = (events + 1.0) * after - events * before;
        // Four decimals leave an error of one hundredth of the class.
        read += usize::from((found - rank).abs() < 0.015);

        remembers.ask(&protocol, &kinds).unwrap();
        remembers.admit(vec![newcomer]);
        remembers.ask(&protocol, &kinds).unwrap_err();
    }
    assert_eq!(read, 20);
}

/// The variance of log(O:E) is 1/O - 1/n: exact, it gives O away.
#[test]
fn the_variance_of_a_ratio_gives_no_count_away() {
    let (mut exact, mut sites) = (0, 0);
    for seed in 0..40 {
        let mut draw = Draw(seed);
        let shape = random::Shape {
            patients: draw.within(100, 500),
            prevalence: 0.3,
            repeats: 0.0,
            missing: 0.0,
        };
        let rows = random::rows(&mut draw, &[2], shape);
        let protocol = random::protocol(&[2], &[0.5]);
        let cases = random::cases(&protocol, &rows);
        let truth = random::tally(&rows, Row::event).0;
        // How many numbers of events fit the variance, given the number of cases.
        let fits = |variance: Cell<f64>, all: (u64, u64), events: (u64, u64)| -> Vec<u64> {
            let (lo, hi) = variance.bounds().unwrap();
            let fits = |events: &u64| {
                (all.0..=all.1).any(|all| {
                    let variance = 1.0 / *events as f64 - 1.0 / all as f64;
                    (lo - 1e-12..=hi + 1e-12).contains(&variance)
                })
            };
            (events.0..=events.1).filter(fits).collect()
        };
        for (policy, rules) in [(path::open_data(), false), (path::standard(), true)] {
            let Some(release) = path::release(&protocol, &cases, &policy, "a") else {
                continue;
            };
            for statistic in &release.statistics {
                let (n, events, variance) = match statistic {
                    Statistic::ObservedExpected(one) => (one.n, one.observed, one.log_variance),
                    Statistic::Estimate(one)
                        if one.key.metric == Metric::ObservedExpected && one.key.is_whole() =>
                    {
                        (one.n, one.events, one.variance)
                    }
                    _ => continue,
                };
                if variance.number().is_none() {
                    continue;
                }
                let n = n.bounds().unwrap();
                if rules {
                    let told = events.bounds().unwrap();
                    let left = fits(variance, n, told);
                    assert_eq!(left.len() as u64, told.1 - told.0 + 1, "seed {seed}");
                    sites += 1;
                } else {
                    let left = fits(variance, n, (1, n.0 - 1));
                    exact += usize::from(left == [truth]);
                }
            }
        }
    }
    assert!(exact >= 40 && sites >= 30, "{exact} exact, {sites} sites");
}
