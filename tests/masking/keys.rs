//! Keys exchanged, made up, weak or shown before are found by both sides, and named.
//!
//! From: `world`.
//! To: nothing.

use std::collections::BTreeMap;

use shared::identity::{Digest, SigningKey};
use shared::masking::collector::CollectKeys;
use shared::masking::site::Site;
use shared::masking::{Abort, Advertised, AgreementKey, Phase, Refused, Roster};

use crate::world::{World, roster, signing};

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
        both_refuse(&world, &keys, &world.bad_signature(3, Phase::Keys));
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
    both_refuse(&world, &keys, &world.bad_signature(3, Phase::Keys));
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
    both_refuse(&world, &keys, &world.bad_signature(3, Phase::Keys));

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
        both_refuse(&world, &keys, &world.bad_signature(3, Phase::Keys));
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
