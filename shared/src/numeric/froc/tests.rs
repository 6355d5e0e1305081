use serde_json::Value;

use super::*;
use crate::numeric::bootstrap::BootstrapStatus;
use crate::numeric::random::Draws;

fn curve(scans: u64, lesions: u64, rising: &[(u64, u64)]) -> Option<Curve> {
    let called = |(detected, false_positives): &(u64, u64)| Called {
        detected: *detected,
        false_positives: *false_positives,
    };
    Curve::of(
        scans,
        lesions,
        &rising.iter().map(called).collect::<Vec<_>>(),
    )
}

fn near(got: f64, value: &Value) {
    let value = value.as_f64().unwrap();
    assert!(
        (got - value).abs() <= 1e-11 * value.abs().max(1.0),
        "{got} against {value}"
    );
}

#[test]
fn counts_give_the_published_curve_and_precisions() {
    let file = include_str!("../../../../tests/fixtures/imaging/segmentation.json");
    let reference: Value = serde_json::from_str(file).unwrap();
    let detection = &reference["detection"];
    let number = |value: &Value| value.as_u64().unwrap();
    let values = &detection["values"];
    for rule in [
        "duplicates_ignored_luna16",
        "duplicates_are_false_positives_nndetection_coco",
    ] {
        let expected = &values[rule];
        let counts = expected["counts_by_score_desc"].as_array().unwrap();
        let rising = counts
            .iter()
            .rev()
            .map(|one| (number(&one[1]), number(&one[2])));
        let rising: Vec<_> = rising.collect();
        let curve = curve(
            number(&values["scans"]),
            number(&values["lesions"]),
            &rising,
        )
        .unwrap();
        for (reading, name) in [(Reading::Linear, "linear"), (Reading::Step, "step")] {
            let each = &expected[format!("sensitivity_at_points_{name}")];
            let points = detection["recipe"]["fp_per_scan_points"]
                .as_array()
                .unwrap();
            assert_eq!(points.len(), CPM_POINTS.len());
            for (at, per_scan) in CPM_POINTS.into_iter().enumerate() {
                assert_eq!(points[at].as_f64(), Some(per_scan));
                near(curve.sensitivity_at(per_scan, reading).unwrap(), &each[at]);
            }
            let cpm = curve.mean_sensitivity(&CPM_POINTS, reading).unwrap();
            near(cpm, &expected[format!("cpm_mean_of_seven_{name}")]);
        }
        for (average, key) in [
            (Average::Points, "ap_area_no_envelope"),
            (Average::Envelope, "ap_area_under_envelope_voc2010"),
            (Average::Recalls101, "ap_101_point_envelope"),
            (Average::Recalls11, "ap_11_point_envelope"),
        ] {
            near(curve.average_precision(average), &expected[key]);
        }
    }
}

#[test]
fn a_curve_is_read_between_and_beyond_its_points() {
    // Nothing at 0.9; then 2 of 8 lesions with 4 false positives, and 6 with 10, in 10 scans.
    let curve = curve(10, 8, &[(6, 10), (2, 4), (2, 4), (0, 0)]).unwrap();
    let at = |per_scan, reading| curve.sensitivity_at(per_scan, reading).unwrap();
    let both = |per_scan| (at(per_scan, Reading::Linear), at(per_scan, Reading::Step));
    assert_eq!(both(0.0), (0.0, 0.0));
    assert_eq!(both(0.2), (0.125, 0.0));
    assert_eq!(both(0.4), (0.25, 0.25));
    assert_eq!(both(0.7), (0.5, 0.25));
    assert_eq!(both(1.0), (0.75, 0.75));
    assert_eq!(both(1e300), (0.75, 0.75));
    for wrong in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(curve.sensitivity_at(wrong, Reading::Step), None);
        assert_eq!(curve.mean_sensitivity(&[1.0, wrong], Reading::Linear), None);
    }
    assert_eq!(curve.mean_sensitivity(&[], Reading::Linear), None);
    let points = curve.points();
    let places: Vec<usize> = points.iter().map(|point| point.threshold).collect();
    assert_eq!(places, [3, 2, 1, 0]);
    assert_eq!(
        (points[0].precision, points[3].precision),
        (None, Some(6.0 / 16.0))
    );
    assert_eq!(points[3].sensitivity, 0.75);
    assert_eq!(points[3].false_positives_per_scan, 1.0);
}

#[test]
fn whole_numbers_of_false_positives_are_not_lost_to_rounding() {
    // 0.29 * 100 is a rounding below 29.
    let curve = curve(100, 2, &[(2, 30), (1, 29)]).unwrap();
    assert_eq!(curve.sensitivity_at(0.29, Reading::Step), Some(0.5));
    assert_eq!(curve.sensitivity_at(0.2899, Reading::Step), Some(0.0));
}

#[test]
fn perfect_useless_and_silent_detectors_have_the_known_precisions() {
    let all = [
        Average::Points,
        Average::Envelope,
        Average::Recalls101,
        Average::Recalls11,
    ];
    let perfect = curve(3, 7, &[(7, 0), (7, 0), (5, 0)]).unwrap();
    let silent = curve(3, 7, &[(0, 0), (0, 0)]).unwrap();
    let wrong = curve(3, 7, &[(0, 9), (0, 2)]).unwrap();
    let none = curve(3, 7, &[]).unwrap();
    for average in all {
        assert_eq!(perfect.average_precision(average), 1.0);
        for other in [&silent, &wrong, &none] {
            assert_eq!(other.average_precision(average), 0.0);
        }
    }
    assert_eq!(none.sensitivity_at(1.0, Reading::Linear), Some(0.0));
    // A tenth of the lesions at precision 1 reaches recalls 0 and 0.1 of eleven.
    let tenth = curve(1, 10, &[(1, 0)]).unwrap();
    assert_eq!(tenth.average_precision(Average::Recalls11), 2.0 / 11.0);
    assert_eq!(tenth.average_precision(Average::Recalls101), 11.0 / 101.0);
    assert_eq!(tenth.average_precision(Average::Points), 0.1);
}

#[test]
fn counts_that_contradict_each_other_make_no_curve() {
    assert_eq!(curve(0, 1, &[]), None);
    assert_eq!(curve(1, 0, &[]), None);
    assert_eq!(curve(1, 2, &[(3, 0)]), None);
    assert_eq!(curve(1, 2, &[(1, 0), (2, 0)]), None);
    assert_eq!(curve(1, 2, &[(2, 0), (2, 1)]), None);
    let most = u64::MAX;
    let huge = curve(most, most, &[(most, most), (1, 0)]).unwrap();
    assert!(huge.average_precision(Average::Recalls101) <= 1.0);
    assert!(huge.sensitivity_at(1.0, Reading::Linear).unwrap() <= 1.0);
}

/// Precision by definition at a recall: the best among points that reach it.
#[test]
fn precisions_are_those_of_the_definition() {
    let mut draws = Draws::new(5);
    let mut below = |n: u64| draws.below(n);
    for _ in 0..500 {
        let lesions = 1 + below(30);
        let mut called = vec![(below(lesions + 1), below(40))];
        for _ in 0..below(12) {
            let (detected, wrong) = called[called.len() - 1];
            called.push((below(detected + 1), below(wrong + 1)));
        }
        let curve = curve(4, lesions, &called).unwrap();
        let share =
            |(detected, wrong): (u64, u64)| detected as f64 / (detected + wrong).max(1) as f64;
        let best = |least: u64, of: u64| {
            let reach = called.iter().filter(|one| one.0 * of >= least * lesions);
            reach.map(|one| share(*one)).fold(0.0, f64::max)
        };
        for (average, steps) in [(Average::Recalls11, 10), (Average::Recalls101, 100)] {
            let mean = (0..=steps).map(|step| best(step, steps)).sum::<f64>() / (steps + 1) as f64;
            assert!((curve.average_precision(average) - mean).abs() < 1e-13);
        }
        // The envelope integrated lesion by lesion.
        let area = (1..=lesions).map(|n| best(n, lesions)).sum::<f64>() / lesions as f64;
        assert!((curve.average_precision(Average::Envelope) - area).abs() < 1e-13);
    }
}

/// Scans, lesions, and what is called at each threshold.
type Row = (u32, u32, [(u32, u32); 3]);

/// A site of patients with one to three scans each, on three thresholds.
fn site(patients: u32, seed: u64) -> (Patients, Vec<Row>) {
    let mut draws = Draws::new(seed);
    let mut below = |n: u64| u32::try_from(draws.below(n)).unwrap();
    let mut all = Patients::new(3);
    let mut rows = Vec::new();
    for _ in 0..patients {
        let (scans, lesions) = (1 + below(3), below(5));
        let mut called = [(0, 0); 3];
        let (mut detected, mut wrong) = (lesions, 6);
        for one in &mut called {
            (detected, wrong) = (below(u64::from(detected) + 1), below(u64::from(wrong) + 1));
            *one = (detected, wrong);
        }
        assert!(all.add(scans, lesions, &called));
        rows.push((scans, lesions, called));
    }
    (all, rows)
}

#[test]
fn a_resample_is_the_curve_of_its_patients_written_out() {
    let (patients, rows) = site(40, 1);
    assert_eq!(patients.patients(), 40);
    let mut weights = vec![0; 40];
    bootstrap::draw(9, 3, &mut weights);
    let mut written = Patients::new(3);
    for (row, weight) in rows.iter().zip(&weights) {
        for _ in 0..*weight {
            assert!(written.add(row.0, row.1, &row.2));
        }
    }
    assert_eq!(patients.curve(&weights), written.whole());
    assert!(patients.curve(&weights).is_some());
    assert_eq!(patients.curve(&[]), None);
    assert!(!written.add(1, 1, &[(0, 0)]));
}

#[test]
fn whole_patients_are_drawn_so_copies_of_scans_narrow_nothing() {
    let (patients, rows) = site(200, 2);
    let statistics = |curve: &Curve| {
        [
            curve.mean_sensitivity(&CPM_POINTS, Reading::Linear),
            Some(curve.average_precision(Average::Envelope)),
        ]
    };
    let got = patients.bootstrap(7, 1000, 0.95, statistics);
    let mut copied = Patients::new(3);
    for (scans, lesions, called) in rows {
        let thrice = called.map(|(detected, wrong)| (3 * detected, 3 * wrong));
        assert!(copied.add(3 * scans, 3 * lesions, &thrice));
    }
    let again = copied.bootstrap(7, 1000, 0.95, statistics);
    let whole = statistics(&patients.whole().unwrap());
    for at in 0..2 {
        assert_eq!(got[at].status, BootstrapStatus::Estimated);
        let (one, two) = (got[at].bca.unwrap(), again[at].bca.unwrap());
        assert!((one.lower - two.lower).abs() < 1e-12 && (one.upper - two.upper).abs() < 1e-12);
        assert!(one.contains(whole[at].unwrap()) && one.lower < one.upper);
    }
    // The standard error of a mean of independent patients, by the linearised ratio.
    let [share] = patients.bootstrap(7, 2000, 0.95, |curve| {
        [curve.points().last().map(|point| point.sensitivity)]
    });
    let (_, rows) = site(200, 2);
    let sums = rows.iter().fold((0.0, 0.0), |sum, row| {
        (sum.0 + f64::from(row.2[0].0), sum.1 + f64::from(row.1))
    });
    let rate = sums.0 / sums.1;
    let square = |row: &Row| {
        let residual = (f64::from(row.2[0].0) - rate * f64::from(row.1)) / sums.1;
        residual * residual
    };
    let error = rows.iter().map(square).sum::<f64>().sqrt();
    assert!((share.standard_error.unwrap() / error - 1.0).abs() < 0.08);
}

#[test]
fn without_patients_or_lesions_nothing_is_estimated() {
    let statistics = |curve: &Curve| [Some(curve.average_precision(Average::Points))];
    let [none] = Patients::new(2).bootstrap(1, 100, 0.95, statistics);
    assert_eq!(none.status, BootstrapStatus::NoEstimate);
    let mut healthy = Patients::new(1);
    assert!(healthy.add(2, 0, &[(0, 3)]));
    let [none] = healthy.bootstrap(1, 100, 0.95, statistics);
    assert_eq!(none.status, BootstrapStatus::NoEstimate);
}
