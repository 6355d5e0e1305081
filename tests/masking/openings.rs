//! Shares: never of both secrets of one site, and false ones are named instead of added up.
//!
//! From: `world`.
//! To: nothing.

use shared::masking::{Abort, Opened, Refused, Share, SharedSecret};

use crate::world::{Answered, Set, World, answer, open, roster, sign};

/// Six sites of which the last dealt shares and sent no vector; threshold 5.
fn answered(world: &World) -> Answered {
    let five = Set::from([0, 1, 2, 3, 4]);
    let masked = world
        .mask(world.deal(&world.all()).unwrap(), &world.all())
        .unwrap();
    answer(sign(masked, &five).unwrap(), &five).unwrap()
}

/// Eight sites, all there; threshold 6.
fn to_spare(world: &World) -> Answered {
    let all = world.all();
    let masked = world.mask(world.deal(&all).unwrap(), &all).unwrap();
    let seven: Set = (0..7).collect();
    let signed = sign(masked, &seven).unwrap();
    answer(signed, &seven).unwrap()
}

#[test]
fn a_site_opens_one_secret_of_each_dealer() {
    let world = World::new(6, 3, 1);
    for opened in answered(&world).opened.values() {
        let seeds: Set = opened.seed_shares.keys().copied().collect();
        let masks: Set = opened.mask_shares.keys().copied().collect();
        assert_eq!((seeds, masks), (Set::from([0, 1, 2, 3, 4]), Set::from([5])));
    }
}

#[test]
fn shares_of_both_secrets_of_one_site_are_refused() {
    let world = World::new(6, 3, 2);
    let mut run = answered(&world);
    let mut both = run.opened[&2].clone();
    both.mask_shares.insert(3, both.seed_shares[&3].clone());
    let (site, of) = (world.name(2), world.name(3));
    assert_eq!(
        run.collect.accept(2, both),
        Err(Refused::BothSecrets { site, of })
    );
}

#[test]
fn shares_that_were_not_asked_for_are_refused() {
    let world = World::new(6, 3, 3);
    let mut run = answered(&world);
    let good = run.opened[&2].clone();
    let refuse = |change: &dyn Fn(&mut Opened)| {
        let mut opened = good.clone();
        change(&mut opened);
        opened
    };
    let any = Share::from_bytes([1; 32]);
    for wrong in [
        refuse(&|opened| drop(opened.seed_shares.remove(&0))),
        refuse(&|opened| drop(opened.mask_shares.remove(&5))),
        refuse(&|opened| drop(opened.seed_shares.insert(9, any.clone()))),
        refuse(&|opened| {
            // The secret that would read the vector of a survivor, instead of its seed.
            let share = opened.seed_shares.remove(&3).unwrap();
            opened.mask_shares.insert(3, share);
        }),
        refuse(&|opened| {
            let share = opened.mask_shares.remove(&5).unwrap();
            opened.seed_shares.insert(5, share);
        }),
    ] {
        let site = world.name(2);
        assert_eq!(run.collect.accept(2, wrong), Err(Refused::Dealers { site }));
    }
    run.collect.accept(2, good).unwrap();
}

#[test]
fn a_false_share_is_an_abort_and_never_a_wrong_sum() {
    let world = World::new(6, 3, 4);
    let five = Set::from([0, 1, 2, 3, 4]);
    for (of, secret) in [(3, SharedSecret::SelfSeed), (5, SharedSecret::MaskKey)] {
        for bit in [0, 77, 255] {
            let mut run = answered(&world);
            let opened = run.opened.get_mut(&2).unwrap();
            let shares = match secret {
                SharedSecret::SelfSeed => &mut opened.seed_shares,
                SharedSecret::MaskKey => &mut opened.mask_shares,
            };
            let mut bytes = *shares[&of].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            shares.insert(of, Share::from_bytes(bytes));
            // Five shares where five are needed: none can be left out to see which is false.
            let of = world.name(of);
            assert_eq!(open(run, &five), Err(Abort::Unrecoverable { of, secret }));
        }
    }
}

#[test]
fn where_there_are_shares_to_spare_the_giver_is_named() {
    let world = World::new(8, 3, 5);
    let givers: Set = (0..7).collect();
    for (of, secret) in [(1, SharedSecret::SelfSeed), (7, SharedSecret::MaskKey)] {
        let falsify = |run: &mut Answered, giver: u32| {
            let opened = run.opened.get_mut(&giver).unwrap();
            let shares = match secret {
                SharedSecret::SelfSeed => &mut opened.seed_shares,
                SharedSecret::MaskKey => &mut opened.mask_shares,
            };
            shares.insert(of, Share::from_bytes([5; 32]));
        };
        let mut run = to_spare(&world);
        falsify(&mut run, 4);
        let (giver, name) = (world.name(4), world.name(of));
        let named = Abort::FalseShare {
            giver,
            of: name.clone(),
            secret,
        };
        assert_eq!(open(run, &givers), Err(named));
        let mut run = to_spare(&world);
        falsify(&mut run, 4);
        falsify(&mut run, 0);
        let unnamed = Abort::Unrecoverable { of: name, secret };
        assert_eq!(open(run, &givers), Err(unnamed));
    }
}

/// With up to `colluders_borne` members on its side a coordinator cannot show two survivor sets
/// to two groups of the others and have a threshold of signatures for each; with one more it
/// can. All rosters there are.
#[test]
fn no_division_of_the_sites_gives_two_quorums() {
    for sites in 4..=100 {
        let roster = roster(sites, "context");
        let threshold = roster.threshold();
        let quorums = |colluders: usize| {
            let honest = sites as usize - colluders;
            (0..=honest)
                .any(|one| one + colluders >= threshold && honest - one + colluders >= threshold)
        };
        let borne = roster.colluders_borne();
        assert!(
            borne >= 1 && !quorums(borne) && quorums(borne + 1),
            "{sites}"
        );
        // Nor can they recover a secret by themselves, and two honest sites are in every sum.
        assert!(borne + 2 <= threshold, "{sites}");
    }
}
