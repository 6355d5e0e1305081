//! Whoever cheats before shares are opened is found, and named: keys exchanged or made up, messages
//! of another run, another place or another time, sites shown different things.
//!
//! From: `world`.
//! To: nothing.

use std::collections::BTreeMap;

use shared::identity::{Digest, Signature, SigningKey};
use shared::masking::collector::CollectKeys;
use shared::masking::site::Site;
use shared::masking::{
    Abort, Advertised, AgreementKey, Confirmed, Input, MaskedVector, Phase, Refused, Roster,
    VECTOR_MAX,
};

use crate::world::{Set, World, answer, roster, sign, signing};

const FIVE: u32 = 5;

/// Keys as the member at `position` would sign them, or as `key` does in its name.
fn forged(
    roster: &Roster,
    position: u32,
    (cipher, mask, seed): (AgreementKey, AgreementKey, Digest),
    key: &SigningKey,
) -> Advertised {
    let content = Digest::of_list(&[
        roster.digest().as_bytes(),
        &position.to_be_bytes(),
        cipher.as_bytes(),
        mask.as_bytes(),
        seed.as_bytes(),
    ]);
    Advertised {
        cipher,
        mask,
        seed,
        signature: key.sign("fedval.masking.keys/1", content.as_bytes()),
    }
}

fn bad_signature(world: &World, position: u32, phase: Phase) -> Refused {
    Refused::Signature {
        site: world.name(position),
        phase,
    }
}

/// What a site and a coordinator say to these keys.
fn both_refuse(world: &World, keys: &BTreeMap<u32, Advertised>, refused: &Refused) {
    let site = world.begin(0).1;
    assert_eq!(
        site.keys(keys.clone()).err(),
        Some(Abort::Refused(refused.clone()))
    );
    let mut collect = CollectKeys::begin(world.roster.clone(), 3).unwrap();
    let all = keys
        .iter()
        .map(|(at, message)| collect.accept(*at, message.clone()));
    let first = all.filter_map(Result::err).next();
    assert_eq!(first.as_ref(), Some(refused));
}

#[test]
fn an_exchanged_key_is_found_by_both_sides() {
    let world = World::new(FIVE, 3, 1);
    let good = world.advertised(&world.all());
    let foreign = AgreementKey::from_bytes([9; 32]);
    for change in 0..4 {
        let mut keys = good.clone();
        let entry = keys.get_mut(&3).unwrap();
        match change {
            0 => entry.cipher = foreign,
            1 => entry.mask = foreign,
            2 => entry.seed = Digest::of(b"another seed"),
            _ => std::mem::swap(&mut entry.cipher, &mut entry.mask),
        }
        both_refuse(&world, &keys, &bad_signature(&world, 3, Phase::Keys));
    }
    let mut keys = good.clone();
    keys.get_mut(&0).unwrap().cipher = foreign;
    let phase = Phase::Keys;
    let own = world.begin(0).1.keys(keys.clone()).err();
    assert_eq!(own, Some(Abort::OwnChanged { phase }));
    keys.remove(&0);
    let own = world.begin(0).1.keys(keys).err();
    assert_eq!(own, Some(Abort::OwnChanged { phase }));
}

#[test]
fn a_made_up_site_is_found_by_both_sides() {
    let world = World::new(FIVE, 3, 2);
    let mut keys = world.advertised(&world.all());
    let content = (keys[&3].cipher, keys[&3].mask, keys[&3].seed);
    let intruder = SigningKey::from_seed(&[66; 32]);
    keys.insert(3, forged(&world.roster, 3, content, &intruder));
    both_refuse(&world, &keys, &bad_signature(&world, 3, Phase::Keys));
    // The form that is signed is the one above: with the right key it is what the site says.
    let right = forged(&world.roster, 3, content, &signing(3));
    assert_eq!(right, world.begin(3).0);
    let mut keys = world.advertised(&world.all());
    keys.insert(7, right);
    both_refuse(&world, &keys, &Refused::Foreign { position: 7 });
}

#[test]
fn keys_under_another_position_or_roster_or_context_are_refused() {
    let world = World::new(FIVE, 3, 3);
    let good = world.advertised(&world.all());
    let mut keys = good.clone();
    keys.insert(3, good[&2].clone());
    both_refuse(&world, &keys, &bad_signature(&world, 3, Phase::Keys));

    let mut turned = world.roster.members().to_vec();
    turned.swap(1, 2);
    let others = [
        roster(FIVE, "another context"),
        roster(FIVE + 1, "context"),
        Roster::new(world.roster.context(), turned).unwrap(),
    ];
    for other in others {
        let own = world.secret(3);
        let (message, site) = Site::begin(other, 3, own, &signing(3)).unwrap();
        let mut keys = good.clone();
        keys.insert(3, message.clone());
        both_refuse(&world, &keys, &bad_signature(&world, 3, Phase::Keys));
        let mut keys = good.clone();
        keys.insert(3, message);
        let fault = site.keys(keys).err();
        let Some(Abort::Refused(Refused::Signature { phase, .. })) = fault else {
            panic!("a site of another roster took the keys: {fault:?}")
        };
        assert_eq!(phase, Phase::Keys);
    }
}

#[test]
fn weak_and_repeated_keys_are_refused() {
    let world = World::new(FIVE, 3, 4);
    let good = world.advertised(&world.all());
    let (own, seed) = (good[&3].clone(), good[&3].seed);
    let (mut one, mut order_eight) = ([0; 32], [0; 32]);
    one[0] = 1;
    // A point of order 8 (RFC 7748, section 6.1, and the list on Bernstein's page on Curve25519).
    order_eight.copy_from_slice(&[
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ]);
    for weak in [[0; 32], one, order_eight].map(AgreementKey::from_bytes) {
        for content in [(weak, own.mask, seed), (own.cipher, weak, seed)] {
            let mut keys = good.clone();
            keys.insert(3, forged(&world.roster, 3, content, &signing(3)));
            let site = world.name(3);
            both_refuse(&world, &keys, &Refused::WeakKey { site });
        }
    }
    for (shown, by) in [(good[&1].cipher, 1), (good[&1].mask, 1), (own.cipher, 3)] {
        let mut keys = good.clone();
        keys.insert(
            3,
            forged(&world.roster, 3, (own.cipher, shown, seed), &signing(3)),
        );
        let (site, other) = (world.name(3), world.name(by));
        both_refuse(&world, &keys, &Refused::RepeatedKey { site, other });
    }
}

#[test]
fn a_site_takes_part_under_its_own_key_and_place_only() {
    let world = World::new(FIVE, 3, 5);
    let begin = |position, key: &SigningKey| {
        let own = world.secret(position);
        Site::begin(world.roster.clone(), position, own, key).err()
    };
    assert_eq!(
        begin(5, &signing(5)),
        Some(Abort::NotMember { position: 5 })
    );
    let site = world.name(1);
    assert_eq!(begin(1, &signing(2)), Some(Abort::ForeignKey { site }));
    assert_eq!(begin(1, &signing(1)), None);
}

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
            let refused = bad_signature(&world, other, Phase::Signatures);
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
    let refused = bad_signature(&world, 4, Phase::Signatures);
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
    let refused = Some(Abort::Refused(bad_signature(&world, 2, phase)));
    assert_eq!(fault(2, Some(&zero)), refused);
    assert_eq!(fault(2, Some(&three)), refused);
    let site = world.name(4);
    let left = Abort::Refused(Refused::NotExpected { site, phase });
    assert_eq!(fault(4, Some(&three)), Some(left));
    let foreign = Abort::Refused(Refused::Foreign { position: 5 });
    assert_eq!(fault(5, Some(&three)), Some(foreign));
    let mut collect = signed().collect;
    let refused = bad_signature(&world, 2, phase);
    assert_eq!(collect.accept(2, zero), Err(refused));
}
