//! Laws over random rosters, vectors and dropouts, and over texts that strangers write.
//!
//! From: `world`.
//! To: nothing.

use proptest::prelude::*;
use shared::identity::{from_canonical, to_canonical};
use shared::masking::fixed::Fixed;
use shared::masking::{Abort, Advertised, Confirmed, Input, Opened, Phase, Shared};

use crate::world::{World, answer, here, sign};

fn few_cases() -> ProptestConfig {
    ProptestConfig {
        cases: if crate::is_long() { 2000 } else { 40 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(few_cases())]

    /// A run opens exactly the survivors' sum, or ends in the first phase in which too few are
    /// left, with their number.
    #[test]
    fn a_run_opens_the_exact_sum_or_says_where_too_few_were_left(
        seed: u64,
        leaves in prop::collection::vec(
            prop_oneof![8 => Just(5usize), 1 => 0..5usize],
            4..=10,
        ),
    ) {
        let world = World::new(leaves.len() as u32, 5, seed);
        let here = here(&leaves);
        let needed = world.roster.threshold();
        let phases = [
            Phase::Keys,
            Phase::Shares,
            Phase::Inputs,
            Phase::Signatures,
            Phase::Openings,
        ];
        let mut sizes = phases.into_iter().zip(here.iter().map(|set| set.len()));
        let run = world.run(&here);
        match sizes.find(|(_, found)| *found < needed) {
            Some((phase, found)) => prop_assert_eq!(run, Err(Abort::TooFew { phase, found, needed })),
            None => {
                let opening = run.unwrap();
                prop_assert_eq!(opening.sum, world.sum(&here[2]));
                prop_assert_eq!(&opening.survivors, &here[2]);
            }
        }
    }

    /// Every message reads back from its canonical bytes, and one byte changed is another
    /// message or none.
    #[test]
    fn messages_read_back_from_their_bytes_and_from_no_others(seed: u64, at: usize, bits in 1u8..) {
        let world = World::new(4, 3, seed);
        let all = world.all();
        let dealt = world.deal(&all).unwrap();
        let (keys, shared) = (dealt.keys[&1].clone(), dealt.shared[&1].clone());
        let masked = world.mask(dealt, &all).unwrap();
        let input = masked.inputs[&1].clone();
        let three = all.iter().copied().take(3).collect();
        let signed = sign(masked, &three).unwrap();
        let confirmed = signed.confirmed[&1].clone();
        let opened = answer(signed, &three).unwrap().opened[&1].clone();
        macro_rules! reads_back {
            ($kind:ty, $message:expr) => {
                let mut bytes = to_canonical(&$message).unwrap();
                prop_assert_eq!(&from_canonical::<$kind>(&bytes).unwrap(), &$message);
                let end = bytes.len();
                bytes[at % end] ^= bits;
                if let Ok(other) = from_canonical::<$kind>(&bytes) {
                    prop_assert_ne!(other, $message);
                }
            };
        }
        reads_back!(Advertised, keys);
        reads_back!(Shared, shared);
        reads_back!(Input, input);
        reads_back!(Confirmed, confirmed);
        reads_back!(Opened, opened);
    }

    /// Fixed point: a sum is within the stated error, whatever the signs are.
    #[test]
    fn a_fixed_point_sum_is_within_its_bound(
        bits in 0..=40u32,
        values in prop::collection::vec(-4.0e4..4.0e4f64, 4..100),
    ) {
        let fixed = Fixed::new(bits, values.len() as u32).unwrap();
        let sum = values.iter().fold(0u64, |sum, value| {
            sum.wrapping_add(fixed.encode(*value).unwrap())
        });
        let exact: f64 = values.iter().sum();
        prop_assert!((fixed.decode(sum) - exact).abs() <= fixed.error_bound() + 1e-7);
    }
}

#[test]
fn messages_with_more_or_less_in_them_are_none() {
    let world = World::new(4, 3, 1);
    let keys = serde_json::to_value(world.begin(0).0).unwrap();
    assert!(serde_json::from_value::<Advertised>(keys.clone()).is_ok());
    let mut more = keys.clone();
    more["note"] = "x".into();
    assert!(serde_json::from_value::<Advertised>(more).is_err());
    for field in ["cipher", "mask", "seed", "signature"] {
        let mut less = keys.clone();
        less.as_object_mut().unwrap().remove(field);
        assert!(
            serde_json::from_value::<Advertised>(less).is_err(),
            "{field}"
        );
    }
    for text in [
        r#"{"sealed":{"x":"AA=="}}"#,
        r#"{"sealed":{"-1":"AA=="}}"#,
        r#"{"sealed":{"4294967296":"AA=="}}"#,
        r#"{"sealed":[]}"#,
    ] {
        assert!(serde_json::from_str::<Shared>(text).is_err(), "{text}");
    }
}

/// The published schema of each message takes what sites say.
#[test]
fn messages_follow_their_schemas() {
    let world = World::new(4, 3, 2);
    let all = world.all();
    let dealt = world.deal(&all).unwrap();
    let check = |schema: schemars::Schema, message: serde_json::Value| {
        let validator = jsonschema::validator_for(schema.as_value()).unwrap();
        assert!(validator.is_valid(&message), "{message}");
        assert!(!validator.is_valid(&serde_json::json!({"x": 1})));
    };
    let json = |value| serde_json::to_value(value).unwrap();
    check(schemars::schema_for!(Advertised), json(&dealt.keys[&1]));
    let shared = serde_json::to_value(&dealt.shared[&1]).unwrap();
    check(schemars::schema_for!(Shared), shared);
    let masked = world.mask(dealt, &all).unwrap();
    check(
        schemars::schema_for!(Input),
        serde_json::to_value(&masked.inputs[&1]).unwrap(),
    );
    let three = all.iter().copied().take(3).collect();
    let signed = sign(masked, &three).unwrap();
    check(
        schemars::schema_for!(Confirmed),
        serde_json::to_value(&signed.confirmed[&1]).unwrap(),
    );
    let opened = answer(signed, &three).unwrap().opened;
    check(
        schemars::schema_for!(Opened),
        serde_json::to_value(&opened[&1]).unwrap(),
    );
}
