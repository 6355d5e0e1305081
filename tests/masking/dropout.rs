//! Whoever drops out, and whenever: the sum over the survivors is exact, or too few are left and
//! that is said.
//!
//! The patterns of up to 8 sites are walked as a tree: who sent keys, who of them dealt shares,
//! who of them a vector, and so on. What a site says depends on the branch so far only, so it is
//! asked once per branch; what the coordinator makes of it is built anew for every leaf.
//!
//! From: `world`.
//! To: nothing.

use shared::masking::collector::{CollectKeys, CollectSignatures};
use shared::masking::{Abort, Phase, Roster};

use crate::is_long;
use crate::world::{Answered, Dealt, Draw, Masked, Set, Signed, World, answer, here, open, sign};

/// The subsets of `set` with at least `least` members, the whole first.
fn subsets(set: &Set, least: usize) -> Vec<Set> {
    let members: Vec<u32> = set.iter().copied().collect();
    let all = (1u32 << members.len()) - 1;
    let chosen = |bits: u32| {
        let kept = members.iter().enumerate();
        let kept = kept.filter(|(at, _)| bits >> at & 1 == 1);
        kept.map(|(_, member)| *member).collect::<Set>()
    };
    let sets = (0..=all).rev().map(chosen);
    sets.filter(|set| set.len() >= least).collect()
}

fn too_few(phase: Phase, roster: &Roster) -> Abort {
    Abort::TooFew {
        phase,
        found: roster.threshold() - 1,
        needed: roster.threshold(),
    }
}

/// What was said along one branch.
struct Branch<'a> {
    world: &'a World,
    dealt: &'a Dealt,
    dealers: &'a Set,
    masked: &'a Masked,
}

impl Branch<'_> {
    /// A coordinator that has only the messages.
    fn coordinator(&self, survivors: &Set) -> Result<CollectSignatures, Abort> {
        let mut collect = self.world.collect_keys(&self.dealt.keys).close()?.1;
        for dealer in self.dealers {
            collect
                .accept(*dealer, self.dealt.shared[dealer].clone())
                .unwrap();
        }
        let mut collect = collect.close()?.1;
        for survivor in survivors {
            collect
                .accept(*survivor, self.masked.inputs[survivor].clone())
                .unwrap();
        }
        Ok(collect.close()?.1)
    }

    /// All ways on from a survivor set; how many sums were opened.
    fn leaves(&self, survivors: &Set) -> usize {
        let (world, threshold) = (self.world, self.world.roster.threshold());
        let set: Set = self.dealt.keys.keys().copied().collect();
        let again = world.mask(world.deal(&set).unwrap(), self.dealers).unwrap();
        assert_eq!(
            again.inputs, self.masked.inputs,
            "a restarted site says the same"
        );
        let signed = sign(again, survivors).unwrap();
        let confirmed = signed.confirmed.clone();
        let opened = answer(signed, survivors).unwrap().opened;
        let expected = world.sum(survivors);
        let mut leaves = 0;
        for signers in subsets(survivors, threshold) {
            for givers in subsets(&signers, threshold) {
                let mut collect = self.coordinator(survivors).unwrap();
                for signer in &signers {
                    collect.accept(*signer, confirmed[signer].clone()).unwrap();
                }
                let answered = Answered {
                    opened: opened.clone(),
                    collect: collect.close().unwrap().1,
                };
                let opening = open(answered, &givers).unwrap();
                assert_eq!(
                    opening.sum, expected,
                    "{survivors:?} {signers:?} {givers:?}"
                );
                assert_eq!(opening.survivors, *survivors);
                leaves += 1;
            }
        }
        leaves
    }
}

/// Every pattern of `sites` sites; how many sums were opened.
fn every_pattern(sites: u32) -> usize {
    let world = World::new(sites, 3, u64::from(sites));
    let threshold = world.roster.threshold();
    let mut leaves = 0;
    for known in subsets(&world.all(), threshold) {
        let dealt = world.deal(&known).unwrap();
        for dealers in subsets(&known, threshold) {
            let masked = world.mask(world.deal(&known).unwrap(), &dealers).unwrap();
            let branch = Branch {
                world: &world,
                dealt: &dealt,
                dealers: &dealers,
                masked: &masked,
            };
            for survivors in subsets(&dealers, threshold) {
                leaves += branch.leaves(&survivors);
            }
        }
    }
    leaves
}

/// Patterns in which no more than `sites - threshold` leave, each before one of five messages.
fn patterns(sites: u64, leave: u64) -> u64 {
    let mut choose = 1;
    let mut all = 0;
    for leaving in 0..=leave {
        all += choose * 5u64.pow(leaving as u32);
        choose = choose * (sites - leaving) / (leaving + 1);
    }
    all
}

#[test]
fn sums_are_exact_for_every_dropout_pattern_of_four_to_six_sites() {
    for sites in 4..=6 {
        assert_eq!(every_pattern(sites) as u64, patterns(sites.into(), 1));
    }
}

#[test]
fn sums_are_exact_for_every_dropout_pattern_of_seven_sites() {
    assert_eq!(every_pattern(7) as u64, patterns(7, 2));
}

#[test]
fn sums_are_exact_for_every_dropout_pattern_of_eight_sites() {
    assert_eq!(every_pattern(8) as u64, patterns(8, 2));
}

/// Every pattern in which more leave than may: each is one of these sets at the phase where the
/// threshold is missed first, since then the run is over.
#[test]
fn too_few_sites_in_any_phase_are_an_abort_on_both_sides() {
    for sites in 4..=8 {
        let world = World::new(sites, 3, 1);
        let (all, few) = (world.all(), world.roster.threshold() - 1);
        let small = subsets(&all, few)
            .into_iter()
            .filter(|set| set.len() == few);
        for (turn, set) in small.enumerate() {
            let phases = [
                Phase::Keys,
                Phase::Shares,
                Phase::Inputs,
                Phase::Signatures,
                Phase::Openings,
            ];
            for (at, phase) in phases.into_iter().enumerate() {
                // The first phase is cheap; of the others each set has its turn.
                if at > 0 && turn % 4 + 1 != at {
                    continue;
                }
                let mut here: [Set; 5] = std::array::from_fn(|_| all.clone());
                here[at..].fill(set.clone());
                assert_eq!(world.run(&here), Err(too_few(phase, &world.roster)));
            }
        }
        sites_count_too(&world, &all, few);
    }
}

/// A coordinator that goes on regardless is stopped by the sites.
fn sites_count_too(world: &World, all: &Set, few: usize) {
    let roster = &world.roster;
    let set: Set = all.iter().copied().take(few).collect();
    let keys = world.begin(0).1.keys(world.advertised(&set));
    assert_eq!(keys.err(), Some(too_few(Phase::Keys, roster)));

    let mut dealt = world.deal(all).unwrap();
    let sender = |sender: &u32| (*sender, dealt.shared[sender].sealed[&0].clone());
    let parcel = set
        .iter()
        .filter(|sender| **sender != 0)
        .map(sender)
        .collect();
    let site = dealt.sites.remove(&0).unwrap();
    let shares = site.shares(parcel, &world.vectors[0]);
    assert_eq!(shares.err(), Some(too_few(Phase::Shares, roster)));

    let mut masked = world.mask(world.deal(all).unwrap(), all).unwrap();
    let site = masked.sites.remove(&0).unwrap();
    let survivors = site.survivors(set.clone());
    assert_eq!(survivors.err(), Some(too_few(Phase::Inputs, roster)));

    let masked = world.mask(world.deal(all).unwrap(), all).unwrap();
    let Signed {
        mut sites,
        mut confirmed,
        ..
    } = sign(masked, all).unwrap();
    confirmed.retain(|position, _| set.contains(position));
    let opened = sites.remove(&0).unwrap().signatures(confirmed);
    assert_eq!(opened.err(), Some(too_few(Phase::Signatures, roster)));
}

/// Random sites leave before random messages.
#[test]
fn sums_are_exact_for_random_dropouts_of_up_to_sixty_sites() {
    let mut draw = Draw(60);
    let sizes: &[u64] = if is_long() {
        &[60; 200]
    } else {
        &[60, 31, 20, 12, 12, 9, 9]
    };
    for (seed, most) in (0..).zip(sizes) {
        let sites = if is_long() {
            9 + draw.below(most - 8)
        } else {
            *most
        };
        let world = World::new(sites as u32, 40, seed);
        let spare = world.roster.members().len() - world.roster.threshold();
        let mut leaves = vec![5; sites as usize];
        for _ in 0..draw.below(spare as u64 + 1) {
            leaves[draw.below(sites) as usize] = draw.below(5) as usize;
        }
        let here = here(&leaves);
        let opening = world.run(&here).unwrap();
        assert_eq!(opening.survivors, here[2], "{leaves:?}");
        assert_eq!(opening.sum, world.sum(&here[2]), "{leaves:?}");
    }
}

#[test]
fn a_coordinator_knows_whom_it_waits_for() {
    let world = World::new(5, 1, 3);
    let mut collect = CollectKeys::begin(world.roster.clone(), 1).unwrap();
    assert_eq!(collect.missing(), world.all());
    collect.accept(3, world.begin(3).0).unwrap();
    assert_eq!(collect.missing(), Set::from([0, 1, 2, 4]));
    let dealt = world.deal(&Set::from([0, 1, 2, 4])).unwrap();
    assert_eq!(dealt.collect.missing(), Set::from([0, 1, 2, 4]));
}
