//! Masks and candidates: what honest nodes release passes, what was changed is found.
//!
//! From: made-up scans.
//! To: `check`.

use shared::numeric::random::Draws;
use shared::statistic::masks::{CandidateCounts, LesionCounts, MaskCase, MaskEndpoint, Pair};

use shared::statistic::Statistic;

use super::*;

const SCANS: u32 = 120;

fn images() -> StudyProtocol {
    let text = include_str!("../../../../configs/examples/masks/study.toml");
    validate::expand(&source::parse(text).unwrap())
}

/// Half of the scans have lesions, one to three; all have the organ.
fn made(protocol: &StudyProtocol) -> Cases {
    let mut draws = Draws::new(7);
    let scores = protocol.endpoint[1].structure.as_ref().unwrap();
    let scores = scores.candidates.as_ref().unwrap().score_edges.len();
    let mut organ = Vec::new();
    let mut lesion = Vec::new();
    for _ in 0..SCANS {
        organ.push(Some(scan(&mut draws, 0, 0)));
        let lesions = if draws.below(2) == 0 {
            0
        } else {
            1 + draws.below(3)
        };
        lesion.push(Some(scan(
            &mut draws,
            u32::try_from(lesions).unwrap(),
            scores,
        )));
    }
    let endpoint = |model: Vec<Option<MaskCase>>| {
        let present = |case: &Option<MaskCase>| case.as_ref().map(|case| case.truth_ml > 0.0);
        Some(MaskEndpoint {
            present: model.iter().map(present).collect(),
            model: vec![model],
        })
    };
    let tally = Tally {
        rows: u64::from(SCANS),
        patients: u64::from(SCANS),
    };
    let mut levels = |levels: u64| -> Vec<usize> {
        let draw = |_| usize::try_from(draws.below(levels)).unwrap();
        (0..SCANS).map(draw).collect()
    };
    let axes = [levels(3), levels(2), levels(3)];
    let category = |axis: usize| {
        let levels = axes[axis].iter();
        Column::Category(levels.map(|level| Some(*level as u16)).collect())
    };
    let rows = SCANS as usize;
    Cases {
        patient: (0..SCANS).collect(),
        patients: SCANS,
        outcome: vec![vec![None; rows]; 2],
        score: vec![vec![None; rows]],
        earlier: std::sync::Arc::default(),
        masks: vec![endpoint(organ), endpoint(lesion)],
        column: protocol
            .field
            .iter()
            .map(|field| match field.name.as_str() {
                "age" => {
                    Column::Number((0..rows).map(|row| Some(30.0 + row as f64 / 3.0)).collect())
                }
                "sex" => category(1),
                "scanner" => category(2),
                _ => Column::Withheld,
            })
            .collect(),
        level: axes
            .map(|levels| levels.into_iter().map(|level| level as u16).collect())
            .to_vec(),
        intake: Intake {
            records: tally,
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}

/// A scan whose structure has so many lesions, all of it where that is none asked for.
fn scan(draws: &mut Draws, lesions: u32, scores: usize) -> MaskCase {
    let is_organ = scores == 0;
    let found = (0..lesions).filter(|_| draws.below(4) > 0).count();
    let found = u32::try_from(found).unwrap();
    let alarms = if is_organ {
        0
    } else {
        u32::try_from(draws.below(3)).unwrap()
    };
    let share = 0.5 + 0.5 * draws.unit();
    let is_there = is_organ || (lesions > 0 && found + alarms > 0);
    let volume = |there: bool| if there { 5.0 + 10.0 * share } else { 0.0 };
    let pair = Pair {
        dice: share,
        iou: share / (2.0 - share),
        volume_similarity: 0.9,
        relative_volume_error: 0.1,
        hd_mm: 9.0 * share,
        hd95_mm: 5.0 * share,
        assd_mm: 2.0 * share,
        masd_mm: 2.0 * share,
        nsd: vec![share],
        centre_mm: 1.0,
    };
    // Higher scores call fewer of them.
    let last = u32::try_from(scores).unwrap().max(1);
    let at = (0..last).map(|score| {
        (
            found * (last - score) / last,
            alarms * (last - score) / last,
        )
    });
    MaskCase {
        truth_ml: volume(is_organ || lesions > 0),
        prediction_ml: volume(is_organ || found + alarms > 0),
        pair: is_there.then_some(pair),
        lesions: (!is_organ).then(|| LesionCounts {
            truth: lesions,
            found,
            predicted: found + alarms,
            hits: found,
            iou_sum: Some(f64::from(found) * 0.5),
            by_size: vec![(lesions, found), (0, 0), (0, 0)],
        }),
        candidates: (!is_organ).then(|| CandidateCounts {
            lesions,
            at: at.collect(),
        }),
    }
}

fn released(protocol: &StudyProtocol, cases: &Cases, policy: &str) -> Vec<u8> {
    let job = job(protocol, "north");
    delivered_of((protocol, cases), false, &job, Digest::of(b"job"), policy).unwrap()
}

#[test]
fn what_honest_nodes_release_of_images_passes_under_both_policies() {
    let protocol = images();
    let cases = made(&protocol);
    for policy in [OPEN, STANDARD] {
        let release = ReceivedRelease::read(&released(&protocol, &cases, policy)).unwrap();
        let found = check(&release, &protocol);
        assert!(found.is_empty(), "{found:#?}");
        let candidates = release.statistics.iter().filter_map(Statistic::detection);
        assert_eq!(candidates.count(), 1);
    }
}

#[test]
fn a_changed_count_of_lesions_or_candidates_is_found() {
    let protocol = images();
    let bytes = released(&protocol, &made(&protocol), OPEN);
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let counts = |one: &Value| one["statistic"] == "detection" || one["statistic"] == "lesions";
    let (missed, total) = missed(&protocol, &valid, 1, counts);
    // A change by one may stay within what everything else says.
    let count: usize = missed.values().sum();
    assert!(total > 100 && count <= 3, "{count} of {total}: {missed:#?}");
}

#[test]
fn a_changed_sensitivity_or_mean_is_found() {
    let protocol = images();
    let bytes = released(&protocol, &made(&protocol), OPEN);
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let of_curve = |one: &Value| {
        let metric = one["key"]["metric"].as_str().unwrap_or_default();
        ["froc-sensitivity", "cpm", "detection-average-precision"].contains(&metric)
    };
    let (mut missed, total) = missed(&protocol, &valid, 1, of_curve);
    // Interval and variance come from the bootstrap over patients, whom nobody else has.
    missed.retain(|what, _| {
        !["low", "high", "variance"]
            .iter()
            .any(|end| what.ends_with(&format!(" {end}")))
    });
    assert!(total > 50 && missed.is_empty(), "of {total}: {missed:#?}");
}

/// IoU is `D / (2 - D)` case by case; of means it is at least that, and at most the Dice.
#[test]
fn a_mean_iou_that_no_dice_has_is_found() {
    let protocol = images();
    let bytes = released(&protocol, &made(&protocol), OPEN);
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let all = valid["statistics"].as_array().unwrap();
    let place = all
        .iter()
        .position(|one| one["key"]["metric"] == "iou-present");
    let path = format!("/statistics/{}/value/value", place.unwrap());
    let honest = valid.pointer(&path).unwrap().as_f64().unwrap();
    for (value, passes) in [(honest, true), (honest * 0.9, false), (honest * 1.3, false)] {
        let mut changed = valid.clone();
        *changed.pointer_mut(&path).unwrap() = Value::from(value);
        let release = ReceivedRelease::deserialize(&changed).unwrap();
        let found = check(&release, &protocol);
        let rules: Vec<&str> = found.iter().map(|one| one.rule.as_str()).collect();
        assert_eq!(
            !rules.contains(&"iou-follows"),
            passes,
            "{value}: {rules:?}"
        );
    }
}
