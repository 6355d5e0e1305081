//! What one site sends looks like noise, whatever its vector is: bytes by chi-squared, values by
//! correlation, over many secrets. The same tests tell plain and half-masked vectors at once, so
//! they can fail.
//!
//! From: `world`.
//! To: nothing.

use std::collections::BTreeMap;

use shared::identity::Digest;
use shared::masking::site::Site;
use shared::masking::{Secret, Shared};

use crate::is_long;
use crate::world::{Draw, roster, signing};

const LENGTH: usize = 128;
/// One in a million of chi-squared with 255 degrees of freedom lies beyond it (Wilson and
/// Hilferty's approximation).
const BEYOND: f64 = 377.0;

/// The masked vector of the first of four sites, under fresh secrets.
fn masked(context: &str, seed: u64, vector: &[u64]) -> Vec<u64> {
    let roster = roster(4, context);
    let secret = |position: u32| {
        let parts: [&[u8]; 2] = [&seed.to_be_bytes(), &position.to_be_bytes()];
        Secret::from_bytes(*Digest::of_list(&parts).as_bytes())
    };
    let begin = |position| {
        Site::begin(
            roster.clone(),
            position,
            secret(position),
            &signing(position),
        )
        .unwrap()
    };
    let (mut keys, mut sites) = (BTreeMap::new(), Vec::new());
    for position in 0..4 {
        let (message, site) = begin(position);
        keys.insert(position, message);
        sites.push(site);
    }
    let mut dealt = sites
        .into_iter()
        .map(|site| site.keys(keys.clone()).unwrap());
    let site = dealt.next().unwrap().1;
    let sealed = |(shared, _): (Shared, _)| shared.sealed[&0].clone();
    let parcel = (1..4).zip(dealt.map(sealed)).collect();
    let input = site.shares(parcel, vector).unwrap().0;
    input.vector.values().to_vec()
}

fn runs() -> u64 {
    if is_long() { 4000 } else { 120 }
}

/// Chi-squared against uniform, for each of the eight bytes of the values.
fn chi_squared(vectors: &[Vec<u64>]) -> [f64; 8] {
    let mut seen = [[0u32; 256]; 8];
    for value in vectors.iter().flatten() {
        for (counts, byte) in seen.iter_mut().zip(value.to_le_bytes()) {
            counts[usize::from(byte)] += 1;
        }
    }
    let expected = vectors.iter().flatten().count() as f64 / 256.0;
    seen.map(|counts| {
        let off = counts.map(|count| f64::from(count) - expected);
        off.iter().map(|off| off * off / expected).sum()
    })
}

fn correlation(one: &[f64], two: &[f64]) -> f64 {
    let n = one.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (a, b) = (mean(one), mean(two));
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        one.iter().zip(two).map(|(x, y)| of(x - a, y - b)).sum()
    };
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

/// Vectors as hospitals have them: nobody, everybody, and small counts.
fn plain(kind: usize, draw: &mut Draw) -> Vec<u64> {
    let value = |_| match kind {
        0 => 0,
        1 => u64::MAX,
        _ => draw.below(500),
    };
    (0..LENGTH).map(value).collect()
}

#[test]
fn masked_vectors_pass_for_uniform_whatever_is_in_them() {
    for kind in 0..3 {
        let mut draw = Draw(kind as u64);
        let vectors = (0..runs()).map(|seed| masked("context", seed, &plain(kind, &mut draw)));
        let statistics = chi_squared(&vectors.collect::<Vec<_>>());
        assert!(
            statistics.iter().all(|found| *found < BEYOND),
            "{kind} {statistics:?}"
        );
    }
}

#[test]
fn a_masked_vector_does_not_follow_the_plain_one() {
    let mut draw = Draw(9);
    let (mut plains, mut noises) = (Vec::new(), Vec::new());
    for seed in 0..runs() {
        let vector = plain(2, &mut draw);
        noises.extend(
            masked("context", seed, &vector)
                .into_iter()
                .map(|value| value as f64),
        );
        plains.extend(vector.into_iter().map(|value| value as f64));
    }
    let bound = 4.9 / (plains.len() as f64).sqrt();
    let found = correlation(&plains, &noises);
    assert!(found.abs() < bound, "{found} {bound}");
    // The same in neighbouring values, where a repeated mask would show.
    let found = correlation(&noises[1..], &noises[..noises.len() - 1]);
    assert!(found.abs() < bound, "{found} {bound}");
    assert!(correlation(&plains, &plains) > 0.999);
}

/// One secret used for two runs would be a fault of the caller; the masks are unrelated all the
/// same, since they are bound to the roster's context.
#[test]
fn masks_of_two_contexts_are_unrelated() {
    let mut draw = Draw(10);
    let difference = (0..runs()).map(|seed| {
        let vector = plain(2, &mut draw);
        let (one, two) = (masked("one", seed, &vector), masked("two", seed, &vector));
        one.iter()
            .zip(two)
            .map(|(one, two)| one.wrapping_sub(two))
            .collect()
    });
    let statistics = chi_squared(&difference.collect::<Vec<_>>());
    assert!(
        statistics.iter().all(|found| *found < BEYOND),
        "{statistics:?}"
    );
}

#[test]
fn plain_and_half_masked_vectors_fail_the_same_test() {
    let mut draw = Draw(11);
    let plains: Vec<Vec<u64>> = (0..120).map(|_| plain(2, &mut draw)).collect();
    assert!(chi_squared(&plains).iter().all(|found| *found > BEYOND));
    let half = |vector: &Vec<u64>| {
        let mut draw = Draw(vector[0]);
        vector
            .iter()
            .map(|value| value.wrapping_add(draw.next() >> 32))
            .collect()
    };
    let halves: Vec<Vec<u64>> = plains.iter().map(half).collect();
    assert!(
        chi_squared(&halves)[5..]
            .iter()
            .all(|found| *found > BEYOND)
    );
    let byte = |value: &u64| value.wrapping_add(Draw(*value).next()) & !0xff | *value & 0xff;
    let low = plains
        .iter()
        .map(|vector| vector.iter().map(byte).collect())
        .collect::<Vec<_>>();
    assert!(chi_squared(&low)[0] > BEYOND);
}
