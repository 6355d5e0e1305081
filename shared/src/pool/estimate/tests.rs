use super::*;

/// The closed form against DeLong's variance of the enlarged table.
#[test]
fn a_perfect_area_moves_as_if_a_tied_pair_were_added() {
    for (events, non_events) in [(1_u64, 4_u64), (6, 9), (40, 3)] {
        // Events above non-events, and a pair that ties with everybody: two rows cannot tie
        // with all, so the placements are written out.
        let (m, n) = (events as f64, non_events as f64);
        let placements = |own: f64, other: f64| {
            let mut list = vec![(other + 0.5) / (other + 1.0); own as usize];
            list.push(0.5);
            list
        };
        let spread = |list: &[f64]| {
            let mean = list.iter().sum::<f64>() / list.len() as f64;
            let squares: f64 = list.iter().map(|x| (x - mean) * (x - mean)).sum();
            squares / (list.len() - 1) as f64 / list.len() as f64
        };
        let (x, y) = (placements(m, n), placements(n, m));
        let (area, variance, how) = corrected(1.0, events, non_events).unwrap();
        assert!((area - x.iter().sum::<f64>() / x.len() as f64).abs() < 1e-14);
        assert!((area - y.iter().sum::<f64>() / y.len() as f64).abs() < 1e-14);
        assert!((variance - spread(&x) - spread(&y)).abs() < 1e-14);
        assert_eq!(how, Correction::TiedPairAdded);
        let (mirrored, same, _) = corrected(0.0, events, non_events).unwrap();
        assert!((mirrored + area - 1.0).abs() < 1e-14 && same == variance);
    }
}

#[test]
fn a_single_event_takes_another_variance_and_two_classes_are_needed() {
    let (area, variance, how) = corrected(0.8, 1, 20).unwrap();
    assert_eq!((area, how), (0.8, Correction::HanleyMcNeil));
    assert!(variance > 0.0);
    assert_eq!(corrected(0.8, 5, 20), None);
    assert_eq!(corrected(1.0, 0, 20), None);
}
