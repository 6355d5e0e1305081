//! Differential privacy at one hospital, through the node's own decision: what leaves, what is
//! spent, and what asking again and again gains.

use std::collections::BTreeSet;

use harness::random::{self, Draw, Row};
use shared::disclosure::masked::admit;
use shared::disclosure::policy::STANDARD;
use shared::disclosure::{Policy, ReceivedRelease};
use shared::statistic::masked_sums::Contribution;
use shared::study::plan::{self, StatisticKind};
use shared::study::{StudyProtocol, Term};

use crate::hospital::{Hospital, Patient, patients};
use crate::is_long;
use crate::question::Question;

/// The `standard` policy with noise; `more` are further lines of the section.
fn policy(epsilon: &str, budget: &str, more: &str) -> Policy {
    let text = format!(
        "{STANDARD}\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
         epsilon_per_release = \"{epsilon}\"\nepsilon_budget = \"{budget}\"\nblocks = 8\n{more}"
    );
    Policy::parse(&text).unwrap()
}

fn people(seed: u64, count: usize) -> Vec<Patient> {
    patients(&mut Draw(seed), count, 0.4)
}

/// A protocol with a grid, thresholds and axes, so that everything could be asked.
fn asked(study: u32) -> StudyProtocol {
    let question = Question {
        study,
        axes: [true, true, false],
        thresholds: vec![300, 500],
        grid: Some((50, 50)),
        ..Question::default()
    };
    question.protocol()
}

fn ask(hospital: &mut Hospital, protocol: &StudyProtocol) -> Result<ReceivedRelease, String> {
    hospital.ask(protocol, &plan::kinds(protocol))
}

/// Nothing exact leaves beside the noise: no statistic at all, no count of patients, and whether
/// patients repeat is said by the policy alone.
#[test]
fn with_noise_nothing_exact_leaves_beside_it() {
    let mut hospital = Hospital::new(people(1, 400), policy("1", "3", ""), true);
    let protocol = asked(0);
    let release = ask(&mut hospital, &protocol).unwrap();
    assert!(release.statistics.is_empty());
    assert_eq!(release.noisy.len(), protocol.model.len());
    let stamp = release.header.policy.noise.unwrap();
    // A patient stands in one count of each of two histograms.
    assert_eq!(stamp.scale.to_string(), "2");
    assert!(!release.header.clustered);
    // Each count is a count and noise: about right, and not exact.
    let one = &release.noisy[0];
    let exact = exact(&hospital.people, &protocol, one.events.len());
    let off: Vec<i64> = one
        .events
        .iter()
        .chain(&one.non_events)
        .zip(&exact)
        .map(|(noisy, exact)| noisy - exact)
        .collect();
    let mean = off.iter().map(|off| off.unsigned_abs() as f64).sum::<f64>() / off.len() as f64;
    let expected = stamp.spread().absolute;
    assert!(mean > 0.3 * expected && mean < 3.0 * expected, "{off:?}");
    // The other models of the house: where no histogram is asked for, nothing leaves.
    let kinds = [StatisticKind::Flow, StatisticKind::Auc];
    let fresh = &mut Hospital::new(people(1, 400), policy("1", "3", ""), true);
    let why = fresh.ask(&protocol, &kinds).unwrap_err();
    assert!(why.contains("D20"), "{why}");
    assert_eq!(fresh.spent().questions, 0);
}

/// Events, then non-events, of the index model by block, counted here.
fn exact(people: &[Patient], protocol: &StudyProtocol, blocks: usize) -> Vec<i64> {
    let last = shared::disclosure::noise::groups(protocol, 8);
    assert_eq!(last.len(), blocks);
    let mut counts = vec![0; 2 * blocks];
    let model = protocol
        .model
        .iter()
        .position(|model| model.id.as_str() == "p_b")
        .unwrap();
    assert_eq!(model, 0);
    for one in people {
        let bin = protocol
            .histogram
            .edges
            .partition_point(|edge| *edge <= one.score[0]);
        let block = last.iter().position(|end| *end as usize >= bin).unwrap();
        counts[block + if one.event { 0 } else { blocks }] += 1;
    }
    counts
}

/// The same question a thousand times, in other words, under other names and rounds: one answer, paid
/// for once. Without that memory the mean of the answers would give the counts away.
#[test]
fn averaging_repeated_questions_gains_nothing() {
    let term = |field: &str, value: &str| -> Term {
        serde_json::from_value(serde_json::json!({ "field": field, "op": "eq", "value": value }))
            .unwrap()
    };
    let mut protocol = asked(0);
    protocol.eligibility.exclude = vec![term("axis_0", "level_1"), term("axis_1", "level_3")];
    let mut hospital = Hospital::new(people(2, 500), policy("1", "3", ""), true);
    let mut answers = BTreeSet::new();
    let repetitions = if is_long() { 1000 } else { 40 };
    for turn in 0..repetitions {
        protocol.title = format!("Study number {turn}");
        protocol.slug = format!("study-{turn}").parse().unwrap();
        protocol.eligibility.exclude.reverse();
        protocol.eligibility.description = format!("whoever it may be, {turn}");
        protocol.subgroup.rotate_left(1);
        let release = ask(&mut hospital, &protocol).unwrap();
        answers.insert(serde_json::to_string(&release.noisy).unwrap());
    }
    assert_eq!(answers.len(), 1);
    let spent = hospital.spent();
    assert_eq!(
        (spent.questions, spent.most.to_string()),
        (1, "1".to_owned())
    );
    assert_eq!(hospital.events("spent"), 1);
    assert_eq!(hospital.events("drawn"), 1);
}

/// The budget is each patient's, for life: other studies, other cohorts and other tables of the same
/// patients draw on it; other patients have their own; what was answered stays answered.
#[test]
fn a_budget_is_spent_by_patient_over_studies_and_tables() {
    let mut hospital = Hospital::new(people(3, 400), policy("1", "3", ""), true);
    let older = |from: u32| {
        let question = Question {
            study: from,
            ages: [from, 90],
            grid: Some((50, 50)),
            ..Question::default()
        };
        question.protocol()
    };
    for from in [20, 30, 40] {
        ask(&mut hospital, &older(from)).unwrap();
    }
    assert_eq!(hospital.spent().most.to_string(), "3");
    let why = ask(&mut hospital, &older(50)).unwrap_err();
    assert!(
        why.contains("FV-POL-011") && why.contains("of 3, 0 is left"),
        "{why}"
    );
    // What is refused costs nothing, however often.
    assert_eq!(ask(&mut hospital, &older(50)).unwrap_err(), why);
    assert_eq!(hospital.spent().questions, 3);
    // The memory of answers goes on.
    ask(&mut hospital, &older(30)).unwrap();
    // A table without one of them is another table, and the others' budget is spent all the same.
    hospital.present.remove(&7);
    assert!(
        ask(&mut hospital, &older(30))
            .unwrap_err()
            .contains("FV-POL-011")
    );
    // Patients who were never asked about have theirs; one old one among them has not.
    let old: Vec<usize> = hospital.present.iter().copied().collect();
    hospital.admit(people(4, 400));
    hospital
        .present
        .retain(|one| !old.contains(one) && *one != 7);
    ask(&mut hospital, &older(50)).unwrap();
    assert_eq!(hospital.spent().most.to_string(), "3");
    hospital.present.insert(old[0]);
    assert!(
        ask(&mut hospital, &older(60))
            .unwrap_err()
            .contains("FV-POL-011")
    );
    assert_eq!(hospital.spent().patients, 800);
}

/// Budgets are exact: ten tenths are one, and not a hair more.
#[test]
fn ten_tenths_are_spent_and_an_eleventh_is_not() {
    let mut hospital = Hospital::new(people(5, 3000), policy("0.1", "1", ""), true);
    let ask = |hospital: &mut Hospital, study: u32| {
        let question = Question {
            study,
            grid: Some((50 + study, 100)),
            ..Question::default()
        };
        ask(hospital, &question.protocol())
    };
    for study in 0..10 {
        ask(&mut hospital, study).unwrap();
    }
    assert!(ask(&mut hospital, 10).unwrap_err().contains("FV-POL-011"));
    assert_eq!(hospital.spent().most.to_string(), "1");
}

/// D1 is asked of the noisy totals: what is too small is refused after it was paid for, and the word
/// outside is the same.
#[test]
fn a_small_site_is_refused_by_its_noisy_totals() {
    let mut hospital = Hospital::new(people(6, 30), policy("1", "3", ""), true);
    let why = ask(&mut hospital, &asked(0)).unwrap_err();
    assert!(why.contains("with noise"), "{why}");
    assert_eq!(hospital.spent().most.to_string(), "1");
}

/// Whoever removes a loss, makes it smaller, or alters what was drawn is found out, and nothing more
/// is drawn.
#[test]
fn losses_that_were_altered_by_hand_are_missed() {
    for change in [
        "DELETE FROM privacy",
        "UPDATE privacy SET epsilon = '0.1'",
        "UPDATE privacy SET members = zeroblob(0)",
        "UPDATE privacy SET question = replace(question, '1', '2')",
        "UPDATE privacy SET noisy = NULL",
        "UPDATE privacy SET noisy = CAST(replace(CAST(noisy AS TEXT), '1', '2') AS BLOB)",
        "INSERT INTO privacy (seq, question, epsilon, delta, members)
         SELECT seq + 100, 'sha256:' || hex(zeroblob(32)), '0', '0', members FROM privacy",
    ] {
        let mut hospital = Hospital::new(people(7, 400), policy("1", "3", ""), true);
        ask(&mut hospital, &asked(0)).unwrap();
        hospital.alter(change);
        let why = ask(&mut hospital, &asked(1)).unwrap_err();
        assert!(why.contains("LedgerBroken"), "{change}: {why}");
    }
}

/// Without a memory there is no budget, and nothing leaves.
#[test]
fn without_a_ledger_no_noise_is_drawn() {
    let mut hospital = Hospital::new(people(8, 400), policy("1", "3", ""), false);
    let why = ask(&mut hospital, &asked(0)).unwrap_err();
    assert!(why.contains("PrivacyUnkept"), "{why}");
}

/// In a masked sum its part would be exact, so it has none.
#[test]
fn a_hospital_with_noise_adds_nothing_to_a_masked_sum() {
    let protocol = random::protocol(&[1], &[0.5]);
    let rows: Vec<Row> = (0..200_u32)
        .map(|place| Row {
            patient: place,
            outcome: Some(place % 2 == 0),
            score: [Some(f64::from(place) / 200.0); 2],
            level: vec![0],
            number: Some(50.0),
        })
        .collect();
    let part = Contribution::measure(&protocol, &random::cases(&protocol, &rows)).unwrap();
    let plain = Policy::parse(STANDARD).unwrap();
    assert!(admit(&plain, &protocol, &part).is_ok());
    let (rule, _) = admit(&policy("1", "3", ""), &protocol, &part).unwrap_err();
    assert_eq!(rule.id(), "D20");
}

/// The discrete Gaussian goes the same way.
#[test]
fn the_discrete_gaussian_is_released_with_its_delta() {
    let text = format!(
        "{STANDARD}\n[differential_privacy]\nmechanism = \"discrete-gaussian\"\n\
         epsilon_per_release = \"1\"\ndelta = \"0.000001\"\nblocks = 8\n"
    );
    let mut hospital = Hospital::new(people(9, 900), Policy::parse(&text).unwrap(), true);
    let release = ask(&mut hospital, &asked(0)).unwrap();
    let stamp = release.header.policy.noise.unwrap();
    assert_eq!(stamp.delta.unwrap().to_string(), "0.000001");
    // Two histograms at epsilon 1: sigma is the root of 2 times that of one.
    let sigma = stamp.scale.to_f64();
    assert!((7.0..8.0).contains(&sigma), "{sigma}");
    assert_eq!(hospital.spent().most_delta.to_string(), "0.000001");
}

/// The coordinator takes an honest release with noise, and finds what does not follow from its
/// policy and protocol.
#[test]
fn a_release_with_noise_is_checked_at_the_coordinator() {
    let mut hospital = Hospital::new(people(10, 400), policy("1", "3", ""), true);
    let protocol = asked(0);
    let release = ask(&mut hospital, &protocol).unwrap();
    let found = |change: &dyn Fn(&mut ReceivedRelease)| -> Vec<String> {
        let mut release = release.clone();
        change(&mut release);
        let findings = coordinator::intake::check(&release, &protocol);
        findings.iter().map(|one| format!("{one:?}")).collect()
    };
    assert_eq!(found(&|_| ()), Vec::<String>::new());
    // A few below zero are noise; a thousand are not.
    assert!(found(&|one| one.noisy[0].events[0] = -20).is_empty());
    let open = Hospital::new(people(10, 400), Policy::parse(STANDARD).unwrap(), true);
    let exact = ask(&mut { open }, &protocol).unwrap();
    let noise = |one: &mut ReceivedRelease| -> shared::disclosure::noise::NoiseStamp {
        one.header.policy.noise.clone().unwrap()
    };
    let changes: [&dyn Fn(&mut ReceivedRelease); 9] = [
        &|one| one.noisy[0].events[0] = -1000,
        &|one| one.noisy[0].events.push(3),
        &|one| one.noisy.reverse(),
        &|one| drop(one.noisy.pop()),
        &|one| one.statistics.clone_from(&exact.statistics),
        &|one| one.header.policy.noise = None,
        &|one| one.header.clustered = true,
        &|one| {
            let mut stamp = noise(one);
            stamp.epsilon = "0.1".parse().unwrap();
            one.header.policy.noise = Some(stamp);
        },
        &|one| {
            let mut stamp = noise(one);
            stamp.blocks = 200;
            one.header.policy.noise = Some(stamp);
        },
    ];
    for (place, change) in changes.into_iter().enumerate() {
        assert!(!found(change).is_empty(), "change {place} was not found");
    }
}
