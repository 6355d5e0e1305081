//! Whoever cheats after keys are known and before shares are opened is found, and named: messages
//! of another run, another place or another time, sites shown different things.
//!
//! From: `world`.
//! To: nothing.

use std::collections::BTreeMap;

use shared::identity::Signature;
use shared::masking::collector::CollectKeys;
use shared::masking::{Abort, Confirmed, Input, MaskedVector, Phase, Refused, VECTOR_MAX};

use crate::world::{Set, World, answer, sign};

const FIVE: u32 = 5;

#[test]
fn shares_of_another_run_sender_or_recipient_cannot_be_opened() {
    let world = World::new(FIVE, 3, 6);
    let all = world.all();
    let shared = world.deal(&all).unwrap().shared;
    let fewer = world.deal(&Set::from([0, 1, 2, 3])).unwrap().shared;
    let other = World::new(FIVE, 3, 7).deal(&all).unwrap().shared;
    let mut bent = *shared[&1].sealed[&0].as_bytes();
    bent[70] ^= 1;
    let strange = [
        other[&1].sealed[&0].clone(),
        fewer[&1].sealed[&0].clone(),
        shared[&2].sealed[&0].clone(),
        shared[&1].sealed[&2].clone(),
        shared[&0].sealed[&1].clone(),
        shared::masking::Sealed::from_bytes(bent),
        shared::masking::Sealed::from_bytes([0; 80]),
    ];
    for sealed in strange {
        let mut dealt = world.deal(&all).unwrap();
        let parcel = |sender| (sender, shared[&sender].sealed[&0].clone());
        let mut parcel: BTreeMap<u32, _> = (1..FIVE).map(parcel).collect();
        parcel.insert(1, sealed);
        let site = dealt.sites.remove(&0).unwrap();
        let unopened = Abort::Unopened {
            site: world.name(1),
        };
        assert_eq!(site.shares(parcel, &[0; 3]).err(), Some(unopened));
    }
}

/// A coordinator that shows two groups different sets of keys gets no shares opened: what was
/// sealed under one set cannot be opened under the other.
#[test]
fn sites_that_know_different_keys_open_nothing() {
    let world = World::new(6, 3, 8);
    let one = world.deal(&world.all()).unwrap();
    let mut two = world.deal(&Set::from([0, 1, 2, 3, 4])).unwrap();
    let parcel = |sender| (sender, one.shared[&sender].sealed[&0].clone());
    let site = two.sites.remove(&0).unwrap();
    let fault = site.shares((1..5).map(parcel).collect(), &[0; 3]).err();
    assert_eq!(
        fault,
        Some(Abort::Unopened {
            site: world.name(1)
        })
    );
}

fn again(world: &World, phase: Phase) -> Refused {
    let site = world.name(1);
    Refused::Repeated { site, phase }
}

fn late(world: &World, phase: Phase) -> Refused {
    let site = world.name(4);
    Refused::NotExpected { site, phase }
}

#[test]
fn nobody_sends_keys_or_shares_twice_or_out_of_turn() {
    let world = World::new(FIVE, 3, 9);
    let four = Set::from([0, 1, 2, 3]);
    let mut collect = world.collect_keys(&world.advertised(&four));
    let (twice, phase) = (world.begin(1).0, Phase::Keys);
    assert_eq!(collect.accept(1, twice), Err(again(&world, phase)));

    let phase = Phase::Shares;
    let mut dealt = world.deal(&four).unwrap();
    let shares = dealt.shared[&1].clone();
    let mut accept = |position, shares| dealt.collect.accept(position, shares);
    assert_eq!(accept(4, shares.clone()), Err(late(&world, phase)));
    accept(1, shares.clone()).unwrap();
    assert_eq!(accept(1, shares.clone()), Err(again(&world, phase)));
    let foreign = Refused::Foreign { position: 5 };
    assert_eq!(accept(5, shares.clone()), Err(foreign));
    let mut few = dealt.shared[&2].clone();
    few.sealed.remove(&1);
    let mut many = dealt.shared[&2].clone();
    many.sealed.insert(4, shares.sealed[&0].clone());
    for wrong in [few, many] {
        let site = world.name(2);
        assert_eq!(accept(2, wrong), Err(Refused::Recipients { site }));
    }
}

#[test]
fn nobody_sends_a_vector_or_signs_or_opens_twice_or_out_of_turn() {
    let world = World::new(FIVE, 3, 9);
    let (all, four) = (world.all(), Set::from([0, 1, 2, 3]));
    let mut masked = world.mask(world.deal(&all).unwrap(), &four).unwrap();
    let (input, phase) = (masked.inputs[&1].clone(), Phase::Inputs);
    let mut accept = |position| masked.collect.accept(position, input.clone());
    assert_eq!(accept(4), Err(late(&world, phase)));
    accept(1).unwrap();
    assert_eq!(accept(1), Err(again(&world, phase)));

    let masked = || world.mask(world.deal(&all).unwrap(), &all).unwrap();
    let mut signed = sign(masked(), &four).unwrap();
    let (signature, phase) = (signed.confirmed[&1].clone(), Phase::Signatures);
    let mut accept = |position| signed.collect.accept(position, signature.clone());
    assert_eq!(accept(4), Err(late(&world, phase)));
    accept(1).unwrap();
    assert_eq!(accept(1), Err(again(&world, phase)));

    let mut answered = answer(sign(masked(), &all).unwrap(), &four).unwrap();
    let (opened, phase) = (answered.opened[&1].clone(), Phase::Openings);
    let mut accept = |position| answered.collect.accept(position, opened.clone());
    assert_eq!(accept(4), Err(late(&world, phase)));
    accept(1).unwrap();
    assert_eq!(accept(1), Err(again(&world, phase)));
    assert_eq!(accept(9), Err(Refused::Foreign { position: 9 }));
}

#[test]
fn senders_of_shares_have_keys() {
    let world = World::new(FIVE, 3, 10);
    let four = Set::from([0, 1, 2, 3]);
    for (sender, refused) in [
        (
            4,
            Refused::NotExpected {
                site: world.name(4),
                phase: Phase::Shares,
            },
        ),
        (
            0,
            Refused::NotExpected {
                site: world.name(0),
                phase: Phase::Shares,
            },
        ),
        (5, Refused::Foreign { position: 5 }),
    ] {
        let mut dealt = world.deal(&four).unwrap();
        let sealed = dealt.shared[&1].sealed[&0].clone();
        let site = dealt.sites.remove(&0).unwrap();
        let fault = site
            .shares(BTreeMap::from([(sender, sealed)]), &[0; 3])
            .err();
        assert_eq!(fault, Some(Abort::Refused(refused)));
    }
}

#[test]
fn vectors_of_another_length_are_refused() {
    let world = World::new(FIVE, 3, 11);
    let all = world.all();
    let masked = |values: usize| {
        let mut dealt = world.deal(&all).unwrap();
        let parcel = |sender: u32| (sender, dealt.shared[&sender].sealed[&0].clone());
        let parcel = (1..FIVE).map(parcel).collect();
        dealt
            .sites
            .remove(&0)
            .unwrap()
            .shares(parcel, &vec![0; values])
    };
    for found in [2, 4] {
        let input = masked(found).unwrap().0;
        let mut run = world.mask(world.deal(&all).unwrap(), &all).unwrap();
        let site = world.name(0);
        let refused = Refused::Length {
            site,
            expected: 3,
            found,
        };
        assert_eq!(run.collect.accept(0, input), Err(refused));
    }
    for found in [0, VECTOR_MAX + 1] {
        assert_eq!(masked(found).err(), Some(Abort::Vector { found }));
        let begun = CollectKeys::begin(world.roster.clone(), found);
        assert_eq!(begun.err(), Some(Abort::Vector { found }));
    }
    // Cut or lengthened on the way, it is no vector or one of another length.
    let text = String::from(masked(3).unwrap().0.vector);
    assert!(MaskedVector::try_from(text[..31].to_owned()).is_err());
    assert!(MaskedVector::try_from(text[..28].to_owned()).is_err());
    let vector = MaskedVector::try_from(format!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA{text}"));
    let mut run = world.mask(world.deal(&all).unwrap(), &all).unwrap();
    let input = Input {
        vector: vector.unwrap(),
    };
    let refused = Refused::Length {
        site: world.name(0),
        expected: 3,
        found: 6,
    };
    assert_eq!(run.collect.accept(0, input), Err(refused));
}

#[test]
fn survivors_dealt_shares_and_include_who_is_asked() {
    let world = World::new(6, 3, 12);
    let dealers = Set::from([0, 1, 2, 3, 4]);
    let refuse = |set: Set| {
        let mut masked = world
            .mask(world.deal(&world.all()).unwrap(), &dealers)
            .unwrap();
        masked.sites.remove(&0).unwrap().survivors(set).err()
    };
    let site = world.name(5);
    let phase = Phase::Inputs;
    let refused = Abort::Refused(Refused::NotExpected { site, phase });
    assert_eq!(refuse(world.all()), Some(refused));
    let foreign = Abort::Refused(Refused::Foreign { position: 6 });
    assert_eq!(refuse(Set::from([0, 1, 2, 3, 4, 6])), Some(foreign));
    assert_eq!(refuse(Set::from([1, 2, 3, 4])), Some(Abort::LeftOut));
    assert_eq!(refuse(dealers.clone()), None);
}

/// The coordinator tells two groups of sites different survivor sets, to get shares of both
/// secrets of the site that only one of the sets has. Every site finds it and opens nothing,
/// whichever way the sites are divided.
#[test]
fn a_split_view_of_the_survivors_opens_no_share() {
    let world = World::new(7, 3, 13);
    let all = world.all();
    let without: Set = all
        .iter()
        .copied()
        .filter(|position| *position != 6)
        .collect();
    for first in 1..6 {
        let one = sign(world.mask(world.deal(&all).unwrap(), &all).unwrap(), &all).unwrap();
        let two = sign(
            world.mask(world.deal(&all).unwrap(), &all).unwrap(),
            &without,
        )
        .unwrap();
        let of = |position: &u32| if *position < first { &one } else { &two };
        let said = without.iter().map(|at| (*at, of(at).confirmed[at].clone()));
        let said: BTreeMap<u32, Confirmed> = said.collect();
        let (mut one, mut two) = (one.sites, two.sites);
        for position in &without {
            let sites = if *position < first {
                &mut one
            } else {
                &mut two
            };
            let other = if *position < first { first } else { 0 };
            let fault = sites
                .remove(position)
                .unwrap()
                .signatures(said.clone())
                .err();
            let refused = world.bad_signature(other, Phase::Signatures);
            assert_eq!(fault, Some(Abort::Refused(refused)), "{first} {position}");
        }
    }
}

/// Sites that are shown different dealers sign different things, though the survivors are the
/// same.
#[test]
fn a_split_view_of_the_dealers_opens_no_share() {
    let world = World::new(8, 3, 15);
    let all = world.all();
    let seven: Set = (0..7).collect();
    let survivors: Set = (0..6).collect();
    let view = |dealers: &Set| {
        let masked = world.mask(world.deal(&all).unwrap(), dealers).unwrap();
        sign(masked, &survivors).unwrap()
    };
    let (mut one, two) = (view(&all), view(&seven));
    let mut said = one.confirmed.clone();
    said.insert(4, two.confirmed[&4].clone());
    let fault = one.sites.remove(&0).unwrap().signatures(said).err();
    let refused = world.bad_signature(4, Phase::Signatures);
    assert_eq!(fault, Some(Abort::Refused(refused)));
}

#[test]
fn signatures_are_of_survivors_over_this_set_with_the_own_among_them() {
    let world = World::new(FIVE, 3, 14);
    let four = Set::from([0, 1, 2, 3]);
    let signed = || {
        let masked = world
            .mask(world.deal(&world.all()).unwrap(), &world.all())
            .unwrap();
        sign(masked, &four).unwrap()
    };
    // What a site says to signatures of which one was removed or put in.
    let fault = |position: u32, put: Option<&Confirmed>| {
        let mut signed = signed();
        let mut said = signed.confirmed.clone();
        match put {
            Some(put) => said.insert(position, put.clone()),
            None => said.remove(&position),
        };
        signed.sites.remove(&0).unwrap().signatures(said).err()
    };
    let phase = Phase::Signatures;
    let zero = Confirmed {
        signature: Signature::from_bytes([0; 64]),
    };
    let three = signed().confirmed[&3].clone();
    assert_eq!(fault(3, Some(&three)), None);
    let own = Some(Abort::OwnChanged { phase });
    assert_eq!(fault(0, None), own);
    assert_eq!(fault(0, Some(&zero)), own);
    let refused = Some(Abort::Refused(world.bad_signature(2, phase)));
    assert_eq!(fault(2, Some(&zero)), refused);
    assert_eq!(fault(2, Some(&three)), refused);
    let site = world.name(4);
    let left = Abort::Refused(Refused::NotExpected { site, phase });
    assert_eq!(fault(4, Some(&three)), Some(left));
    let foreign = Abort::Refused(Refused::Foreign { position: 5 });
    assert_eq!(fault(5, Some(&three)), Some(foreign));
    let mut collect = signed().collect;
    let refused = world.bad_signature(2, phase);
    assert_eq!(collect.accept(2, zero), Err(refused));
}
