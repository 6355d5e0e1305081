use proptest::prelude::*;

use super::*;

/// The definition, pair by pair, with plain divisor `n - 1` variances.
fn brute(outcome: &[bool], score: &[f64]) -> (f64, f64) {
    let class = |event| -> Vec<f64> {
        outcome
            .iter()
            .zip(score)
            .filter(|(y, _)| **y == event)
            .map(|(_, s)| *s)
            .collect()
    };
    let (x, y) = (class(true), class(false));
    let wins = |wins: bool| f64::from(u8::from(wins));
    let psi = |a: f64, b: f64| 0.5 * (wins(a > b) + wins(a >= b));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let variance = |v: &[f64]| {
        let m = mean(v);
        v.iter().map(|a| (a - m) * (a - m)).sum::<f64>() / (v.len() - 1) as f64
    };
    let v10: Vec<f64> = x
        .iter()
        .map(|a| mean(&y.iter().map(|b| psi(*a, *b)).collect::<Vec<_>>()))
        .collect();
    let v01: Vec<f64> = y
        .iter()
        .map(|b| mean(&x.iter().map(|a| psi(*a, *b)).collect::<Vec<_>>()))
        .collect();
    (
        mean(&v10),
        variance(&v10) / x.len() as f64 + variance(&v01) / y.len() as f64,
    )
}

/// Obuchowski's variance, pair by pair and patient by patient from the definition.
fn brute_clustered(outcome: &[bool], score: &[f64], patient: &[u32]) -> f64 {
    let rows: Vec<(bool, f64, u32)> = outcome
        .iter()
        .zip(score)
        .zip(patient)
        .map(|((y, s), p)| (*y, *s, *p))
        .collect();
    let of = |event: bool| rows.iter().filter(|r| r.0 == event).collect::<Vec<_>>();
    let (x, y) = (of(true), of(false));
    let (n1, n0) = (x.len() as f64, y.len() as f64);
    let psi = |a: f64, b: f64| {
        if a > b {
            1.0
        } else if a == b {
            0.5
        } else {
            0.0
        }
    };
    let area = x
        .iter()
        .flat_map(|a| y.iter().map(move |b| psi(a.1, b.1)))
        .sum::<f64>()
        / (n1 * n0);
    let distinct = |rows: &[&(bool, f64, u32)]| {
        rows.iter()
            .map(|r| r.2)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (i1, i0) = (distinct(&x).len() as f64, distinct(&y).len() as f64);
    let all: std::collections::BTreeSet<u32> = patient.iter().copied().collect();
    let total = all.len() as f64;
    let (mut s10, mut s01, mut s11) = (0.0, 0.0, 0.0);
    for p in &all {
        let t10: f64 = x
            .iter()
            .filter(|a| a.2 == *p)
            .map(|a| y.iter().map(|b| psi(a.1, b.1)).sum::<f64>() / n0 - area)
            .sum();
        let t01: f64 = y
            .iter()
            .filter(|b| b.2 == *p)
            .map(|b| x.iter().map(|a| psi(a.1, b.1)).sum::<f64>() / n1 - area)
            .sum();
        s10 += t10 * t10;
        s01 += t01 * t01;
        s11 += t10 * t01;
    }
    i1 / (i1 - 1.0) * s10 / n1 / n1
        + i0 / (i0 - 1.0) * s01 / n0 / n0
        + 2.0 * total / (total - 1.0) * s11 / n1 / n0
}

fn table() -> impl Strategy<Value = Vec<(bool, f64)>> {
    proptest::collection::vec((any::<bool>(), 0_u8..7), 4..40).prop_map(|rows| {
        rows.into_iter()
            .map(|(y, s)| (y, f64::from(s) / 4.0))
            .collect()
    })
}

fn columns(rows: &[(bool, f64)]) -> (Vec<bool>, Vec<f64>) {
    rows.iter().copied().unzip()
}

fn ids(n: usize) -> Vec<u32> {
    (0..u32::try_from(n).unwrap()).collect()
}

proptest! {
    #[test]
    fn equals_the_definition_with_ties(rows in table()) {
        let (y, s) = columns(&rows);
        let got = auc(&y, &s, &ids(y.len())).unwrap();
        if got.sizes.events >= 2 && got.sizes.non_events >= 2 {
            let (area, variance) = brute(&y, &s);
            prop_assert!((got.auc.unwrap() - area).abs() < 1e-13);
            prop_assert!((got.variance.unwrap() - variance).abs() < 1e-13);
            prop_assert!(!got.sizes.clustered());
        }
    }

    #[test]
    fn repeated_patients_equal_obuchowskis_definition(rows in table(), of in 2_u32..9) {
        let (y, s) = columns(&rows);
        let patient: Vec<u32> = ids(y.len()).iter().map(|i| i * 7 % 13 % of).collect();
        let got = auc(&y, &s, &patient).unwrap();
        if let Some(variance) = got.variance {
            let expected = brute_clustered(&y, &s, &patient).max(0.0);
            prop_assert!((variance - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn order_of_rows_and_names_of_patients_do_not_matter(rows in table(), turn in 0_usize..40) {
        let (y, s) = columns(&rows);
        let patient: Vec<u32> = (0..y.len()).map(|i| u32::try_from(i / 2).unwrap()).collect();
        let turn = turn % y.len();
        let rotate = |n: usize| (0..n).map(|i| (i + turn) % n).collect::<Vec<_>>();
        let order = rotate(y.len());
        let y2: Vec<bool> = order.iter().map(|i| y[*i]).collect();
        let s2: Vec<f64> = order.iter().map(|i| s[*i]).collect();
        let p2: Vec<u32> = order.iter().map(|i| 1000 - patient[*i]).collect();
        let (a, b) = (auc(&y, &s, &patient).unwrap(), auc(&y2, &s2, &p2).unwrap());
        prop_assert_eq!(a.status, b.status);
        prop_assert_eq!(a.auc, b.auc);
        prop_assert!((a.variance.unwrap_or(0.0) - b.variance.unwrap_or(0.0)).abs() < 1e-14);
    }

    #[test]
    fn histograms_equal_rows_and_merge(rows in table(), cut in 0_usize..40) {
        let (y, s) = columns(&rows);
        let cut = cut % y.len();
        let mut events = [0_u64; 7];
        let mut non_events = [0_u64; 7];
        for part in [&rows[..cut], &rows[cut..]] {
            for (y, s) in part {
                let bin = (s * 4.0) as usize;
                if *y { events[bin] += 1 } else { non_events[bin] += 1 }
            }
        }
        let by_rows = auc(&y, &s, &ids(y.len())).unwrap();
        let by_bins = from_histogram(&events, &non_events).unwrap();
        prop_assert_eq!(by_rows.status, by_bins.binned.status);
        prop_assert_eq!(by_rows.auc, by_bins.binned.auc);
        prop_assert!((by_rows.variance.unwrap_or(0.0) - by_bins.binned.variance.unwrap_or(0.0)).abs() < 1e-14);
    }

    #[test]
    fn the_error_bound_holds(rows in proptest::collection::vec((any::<bool>(), 0.0_f64..1.0), 4..60)) {
        let (y, s) = columns(&rows);
        let (mut events, mut non_events) = ([0_u64; 8], [0_u64; 8]);
        for (y, s) in &rows {
            let bin = ((s * 8.0) as usize).min(7);
            if *y { events[bin] += 1 } else { non_events[bin] += 1 }
        }
        let binned = from_histogram(&events, &non_events).unwrap();
        if let (Some(exact), Some(bound)) = (auc(&y, &s, &ids(y.len())).unwrap().auc, binned.error_bound) {
            prop_assert!((exact - binned.binned.auc.unwrap()).abs() <= bound + 1e-14);
            prop_assert!(binned.lowest.unwrap() <= exact + 1e-14 && exact <= binned.highest.unwrap() + 1e-14);
        }
    }

    #[test]
    fn the_variance_of_a_difference_is_that_of_the_joint_placements(rows in table(), other in table()) {
        let n = rows.len().min(other.len());
        let (y, s) = columns(&rows[..n]);
        let (_, t) = columns(&other[..n]);
        let set = Comparison::of(&y, &[&s, &t], &ids(n)).unwrap();
        if let Some(d) = set.difference(0, 1, 0.95) {
            let per = |a: &[Placement], b: &[Placement]| {
                let v: Vec<f64> = a.iter().zip(b).map(|(a, b)| a.value - b.value).collect();
                let m = v.iter().sum::<f64>() / v.len() as f64;
                v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / ((v.len() - 1) * v.len()) as f64
            };
            let (a, b) = (&set.placements[0], &set.placements[1]);
            let direct = per(&a.events, &b.events) + per(&a.non_events, &b.non_events);
            prop_assert!((d.variance - direct).abs() < 1e-13);
        }
    }
}

#[test]
fn doubled_rows_of_a_patient_do_not_narrow_the_interval() {
    let y = [true, false, true, false, true, false, false, true];
    let s = [0.9, 0.2, 0.4, 0.5, 0.7, 0.1, 0.6, 0.3];
    let once = auc(&y, &s, &ids(8)).unwrap();
    let twice = |v: &[f64]| [v, v].concat();
    let y2 = [y, y].concat();
    let patients = [ids(8), ids(8)].concat();
    let clustered = auc(&y2, &twice(&s), &patients).unwrap();
    assert!(clustered.sizes.clustered());
    assert_eq!(clustered.auc, once.auc);
    assert!((clustered.variance.unwrap() - once.variance.unwrap()).abs() < 1e-15);
    let naive = auc(&y2, &twice(&s), &ids(16)).unwrap();
    assert!(naive.variance.unwrap() < 0.5 * once.variance.unwrap());
}

#[test]
fn degenerate_tables_have_a_status() {
    let status = |y: &[bool], s: &[f64]| auc(y, s, &ids(y.len())).unwrap().status;
    assert_eq!(status(&[], &[]), AucStatus::OneClass);
    assert_eq!(status(&[true, true], &[1.0, 2.0]), AucStatus::OneClass);
    assert_eq!(
        status(&[true, false, false], &[0.5, 0.4, 0.6]),
        AucStatus::SingleEvent
    );
    assert_eq!(
        status(&[true, false, true], &[0.5, 0.5, 0.6]),
        AucStatus::SingleNonEvent
    );
    assert_eq!(
        status(&[true, false, true, false], &[2.0, 1.0, 2.0, 1.0]),
        AucStatus::Perfect
    );
    assert_eq!(
        status(&[true, false, true, false], &[1.0; 4]),
        AucStatus::ZeroVariance
    );
    let one_patient = auc(
        &[true, true, false, false],
        &[0.4, 0.2, 0.3, 0.1],
        &[1, 1, 2, 3],
    )
    .unwrap();
    assert_eq!(one_patient.status, AucStatus::SingleEvent);
    assert_eq!(one_patient.logit_interval(0.95), None);
    let perfect = auc(&[true, false, true, false], &[2.0, 1.0, 2.0, 1.0], &ids(4)).unwrap();
    assert_eq!(
        (perfect.logit(), perfect.logit_interval(0.95)),
        (None, None)
    );
}

#[test]
fn bad_input_is_an_error() {
    assert_eq!(auc(&[true], &[], &[0]), Err(DelongFault::Length));
    assert_eq!(auc(&[true], &[1.0], &[]), Err(DelongFault::Length));
    assert_eq!(
        auc(&[true], &[f64::NAN], &[0]),
        Err(DelongFault::NotANumber)
    );
    assert!(auc(&[true, false], &[f64::INFINITY, f64::NEG_INFINITY], &[0, 1]).is_ok());
    assert_eq!(from_histogram(&[1], &[]), Err(DelongFault::Length));
    assert_eq!(
        from_histogram(&[u64::MAX, 1], &[1, 1]),
        Err(DelongFault::TooMany)
    );
}

#[test]
fn products_of_class_sizes_do_not_overflow() {
    let (n1, n0) = (1_u64 << 30, (1_u64 << 31) - 1);
    let h = from_histogram(&[0, n1, 0], &[n0 / 2, 0, n0 - n0 / 2]).unwrap();
    assert!((h.binned.auc.unwrap() - 0.5).abs() < 1e-9);
}

proptest! {
    /// Sorting bits changes nothing: skewed, negative, infinite and tied scores rank as a plain
    /// comparison ranks them.
    #[test]
    fn placements_count_what_is_below(
        rows in proptest::collection::vec((any::<bool>(), 0_usize..9, -300_i32..300), 1..200),
        spread in 1_i32..300,
    ) {
        let outcome: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let score: Vec<f64> = rows
            .iter()
            .map(|(_, kind, exponent)| match kind {
                0 => -0.0,
                1 => 0.0,
                2 => f64::INFINITY,
                3 => -0.25,
                _ => libm::exp10(f64::from(exponent % spread)),
            })
            .map(|score| if spread > 200 { score } else { score.min(1e200) })
            .collect();
        let found = Placements::of(&outcome, &score).unwrap();
        for place in &found.events {
            let others = || outcome.iter().zip(&score).filter(|(event, _)| !**event);
            let below = others().filter(|(_, s)| **s < score[place.row]).count();
            let same = others().filter(|(_, s)| **s == score[place.row]).count();
            let expected = (2 * below + same) as f64 / (2 * others().count()) as f64;
            prop_assert_eq!(place.value, expected);
        }
    }

    #[test]
    fn levels_have_the_areas_of_their_rows(
        rows in proptest::collection::vec((any::<bool>(), 0_u8..40, 0_u16..4), 0..80),
    ) {
        let mut rows = rows;
        rows.sort_by_key(|row| row.1);
        let tied: Vec<bool> = rows.iter().enumerate()
            .map(|(place, row)| place > 0 && rows[place - 1].1 == row.1)
            .collect();
        let outcome: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let level: Vec<u16> = rows.iter().map(|row| row.2).collect();
        // Level 3 is of no level: everybody's rest.
        let cases = ByScore { outcome: &outcome, tied: &tied, level: &level };
        let found = areas_by_level(cases, 3);
        prop_assert_eq!(found.len(), 3);
        for (level, found) in found.iter().enumerate() {
            let level = level as u16;
            let areas = [
                (found.own, true, true),
                (found.rest, false, false),
                (found.events, true, false),
                (found.non_events, false, true),
            ];
            for (found, event_inside, other_inside) in areas {
                let chosen: Vec<&(bool, u8, u16)> = rows.iter()
                    .filter(|row| (row.2 == level) == if row.0 { event_inside } else { other_inside })
                    .collect();
                let outcome: Vec<bool> = chosen.iter().map(|row| row.0).collect();
                let score: Vec<f64> = chosen.iter().map(|row| f64::from(row.1)).collect();
                let patient: Vec<u32> = (0..outcome.len() as u32).collect();
                let expected = auc(&outcome, &score, &patient).unwrap();
                prop_assert_eq!(found.auc.sizes, expected.sizes);
                prop_assert_eq!(found.auc.auc, expected.auc);
                prop_assert_eq!(found.auc.status, expected.status);
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs().max(1e-3);
                match (found.auc.variance, expected.variance) {
                    (Some(a), Some(b)) => prop_assert!(close(a, b), "{a} {b}"),
                    (a, b) => prop_assert_eq!(a, b),
                }
                let exact = dominance_of_runs(&runs_of(&outcome, &score));
                prop_assert!(exact.largest <= found.dominance_bound * (1.0 + 1e-12));
            }
        }
    }
}

fn runs_of(outcome: &[bool], score: &[f64]) -> Vec<Run> {
    let rows: Vec<(bool, f64)> = outcome.iter().copied().zip(score.iter().copied()).collect();
    rows.chunk_by(|a, b| a.1 == b.1)
        .map(|run| Run {
            events: run.iter().filter(|row| row.0).count() as u32,
            non_events: run.iter().filter(|row| !row.0).count() as u32,
        })
        .collect()
}

#[test]
fn one_row_that_stands_apart_dominates() {
    // Of eleven events nine lie above everything, one in the middle, one below everything: of
    // the deviations from the mean placement, 19/22, it carries 19 of 54 parts.
    let (mut outcome, mut score) = (vec![true; 11], vec![3.0; 11]);
    (score[0], score[1]) = (0.0, 1.095);
    outcome.extend(vec![false; 20]);
    score.extend((0..20).map(|row| 1.0 + f64::from(row) / 100.0));
    let mut rows: Vec<(bool, f64)> = outcome.iter().copied().zip(score).collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (outcome, score): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
    let found = dominance_of_runs(&runs_of(&outcome, &score));
    assert!((found.largest - 19.0 / 54.0).abs() < 1e-12);
    // The one in the middle carries 8 parts.
    assert!((found.two - 27.0 / 54.0).abs() < 1e-12);
}

#[test]
fn many_cases_do_not_overflow() {
    // One score for all of one class, another for the other: the largest numbers there are.
    let n = 200_000_usize;
    let outcome: Vec<bool> = (0..n).map(|case| case >= n / 2).collect();
    let level: Vec<u16> = (0..n).map(|case| u16::from(case % 3 == 0)).collect();
    let tied: Vec<bool> = (0..n).map(|case| case % (n / 2) != 0).collect();
    let cases = ByScore {
        outcome: &outcome,
        tied: &tied,
        level: &level,
    };
    for found in areas_by_level(cases, 2) {
        assert_eq!(found.own.auc.auc, Some(1.0));
        assert_eq!(found.rest.auc.variance, Some(0.0));
    }
}
