//! What colluders and false dealers gain, asked from inside.

use std::collections::BTreeMap;

use super::collector::CollectKeys;
use super::derive::{
    Direction, Own, agree, apply, commitment, pair_mask, public, self_mask, transcript, view,
};
use super::site::Site;
use super::tests::{roster, signing};
use super::*;
use crate::identity::Digest;

/// What four sites send, each with its secrets, and the view their masks are bound to.
fn inputs(seed: u32, vectors: [&[u64]; 4]) -> (Vec<Own>, Digest, Vec<Vec<u64>>) {
    let roster = roster(4);
    let secret = |position: u32| {
        let parts: [&[u8]; 2] = [&seed.to_be_bytes(), &position.to_be_bytes()];
        Secret::from_bytes(*Digest::of_list(&parts).as_bytes())
    };
    let (mut keys, mut sites) = (BTreeMap::new(), Vec::new());
    for position in 0..4 {
        let (message, site) = Site::begin(
            roster.clone(),
            position,
            secret(position),
            &signing(position),
        )
        .unwrap();
        keys.insert(position, message);
        sites.push(site);
    }
    let dealt: Vec<_> = sites
        .into_iter()
        .map(|site| site.keys(keys.clone()).unwrap())
        .collect();
    let sealed: Vec<_> = dealt
        .iter()
        .map(|(shared, _)| shared.sealed.clone())
        .collect();
    let mut masked = Vec::new();
    for (position, (_, site)) in (0u32..).zip(dealt) {
        let parcel = (0u32..).zip(&sealed);
        let parcel = parcel.filter_map(|(sender, to)| Some((sender, to.get(&position)?.clone())));
        let input = site
            .shares(parcel.collect(), vectors[position as usize])
            .unwrap()
            .0;
        masked.push(input.vector.values().to_vec());
    }
    let own = (0..4)
        .map(|position| Own::of(&secret(position), &roster, position))
        .collect();
    let view = view(transcript(&roster, &keys), &(0..4).collect());
    (own, view, masked)
}

/// Sites 2 and 3 side with the coordinator, which opened everybody's self seed: it takes off
/// all masks but that between 0 and 1. What is left of 0 still looks uniform, and the two
/// together give their sum.
#[test]
fn a_coordinator_with_two_of_four_sites_reads_the_sum_of_the_others_only() {
    let runs = 300;
    let mut seen = [[0u32; 256]; 8];
    for seed in 0..runs {
        let vectors: [&[u64]; 4] = [&[0; 64], &[7; 64], &[1; 64], &[2; 64]];
        let (own, view, masked) = inputs(seed, vectors);
        let bare = |honest: u32| {
            let mut left = masked[honest as usize].clone();
            let seed = &own[honest as usize].seed;
            apply(
                &mut left,
                &self_mask(seed, view, honest),
                Direction::Subtract,
            );
            for colluder in [2, 3] {
                let other = public(&own[honest as usize].mask);
                let agreed = agree(&own[colluder as usize].mask, &other);
                let key = pair_mask(&agreed, view, honest, colluder);
                apply(
                    &mut left,
                    &key,
                    Direction::of_pair(honest, colluder).reversed(),
                );
            }
            left
        };
        let (one, other) = (bare(0), bare(1));
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.wrapping_add(*other), 7);
            for (counts, byte) in seen.iter_mut().zip(one.to_le_bytes()) {
                counts[usize::from(byte)] += 1;
            }
        }
    }
    let expected = f64::from(runs * 64) / 256.0;
    for counts in seen {
        let off = counts.map(|count| f64::from(count) - expected);
        let statistic: f64 = off.iter().map(|off| off * off / expected).sum();
        // One in a million of chi-squared with 255 degrees of freedom.
        assert!(statistic < 377.0, "{statistic}");
    }
}

/// A site that commits to another seed than it deals, or deals another key than it advertised.
#[test]
fn what_a_dealer_did_not_commit_to_is_not_added_up() {
    for secret in [SharedSecret::SelfSeed, SharedSecret::MaskKey] {
        let roster = roster(4);
        let mut keys = BTreeMap::new();
        let mut sites = Vec::new();
        for position in 0..4 {
            let key = signing(position);
            let own = super::tests::secret(position);
            let (mut message, mut site) = Site::begin(roster.clone(), position, own, &key).unwrap();
            if position == 3 {
                message = site.deal_another(secret, &commitment(&roster, 3, &[1; 32]));
            }
            keys.insert(position, message);
            sites.push(site);
        }
        let mut collect = CollectKeys::begin(roster.clone(), 1).unwrap();
        for (position, message) in &keys {
            collect.accept(*position, message.clone()).unwrap();
        }
        let mut collect = collect.close().unwrap().1;
        let mut dealt = Vec::new();
        for (position, site) in (0..).zip(sites) {
            let (message, site) = site.keys(keys.clone()).unwrap();
            collect.accept(position, message).unwrap();
            dealt.push(site);
        }
        let (mut parcels, mut collect) = collect.close().unwrap();
        // The false mask key matters when its owner is gone, the false seed when it is not.
        let here = if secret == SharedSecret::MaskKey {
            3
        } else {
            4
        };
        let mut masked = Vec::new();
        for (position, site) in (0..here).zip(dealt) {
            let parcel = parcels.remove(&position).unwrap();
            let (message, site) = site.shares(parcel, &[1]).unwrap();
            collect.accept(position, message).unwrap();
            masked.push(site);
        }
        let (survivors, mut collect) = collect.close().unwrap();
        let mut signed = Vec::new();
        for (position, site) in (0..here).zip(masked) {
            let (message, site) = site.survivors(survivors.clone()).unwrap();
            collect.accept(position, message).unwrap();
            signed.push(site);
        }
        let (signatures, mut collect) = collect.close().unwrap();
        for (position, site) in (0..here).zip(signed) {
            collect
                .accept(position, site.signatures(signatures.clone()).unwrap())
                .unwrap();
        }
        let of = roster.member(3).unwrap().site.clone();
        assert_eq!(collect.open(), Err(Abort::Unrecoverable { of, secret }));
    }
}
