//! Kills at random times, from a seed that is printed: the same seed gives the same choices.
//!
//! From: `main`.
//! To: nobody.

use std::time::{Duration, Instant};

use harness::Truth;

use crate::{Cast, Stage};

/// xorshift64* (Vigna 2016, doi:10.1145/2845077).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

/// One round with `kills` kills, each of a random process after a random wait.
fn round(stage: &Stage, seed: u64, kills: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let casts = [Cast::Automatic, Cast::Withholding, Cast::Approver];
    let cast = casts[usize::try_from(dice.roll(3)).unwrap()];
    let mut federation = stage.federation(cast);
    federation.start();
    federation.launch();
    let sites = federation.slugs();
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(dice.roll(500)));
        match sites.get(usize::try_from(dice.roll(5)).unwrap()) {
            Some(site) => {
                federation.take_node(site).kill();
                Truth::of(&federation).assert_never_ahead();
                federation.start_node(site, None);
            }
            None => {
                federation.take_serve().kill();
                Truth::of(&federation).assert_never_ahead();
                federation.start_serve(None);
            }
        }
    }
    stage.assert_as_undisturbed(&mut federation, cast);
}

fn rounds(seeds: std::ops::Range<u64>, kills: u64) {
    let begun = Instant::now();
    let stage = Stage::new();
    let count = seeds.end - seeds.start;
    let next = std::sync::Mutex::new(seeds);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    println!("seed {seed}");
                    round(&stage, seed, kills);
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f32();
    println!("{} kills in {count} rounds, {took:.0} s", count * kills);
}

#[test]
fn a_round_survives_kills_at_random_times() {
    rounds(1..7, 2);
}

/// About 5,000 kills; `FEDVAL_KILL_ROUNDS` sets another number of rounds of ten.
#[test]
#[ignore = "an hour; run by the long form"]
fn rounds_survive_thousands_of_kills() {
    let wanted = std::env::var("FEDVAL_KILL_ROUNDS").ok();
    let wanted = wanted.and_then(|text| text.parse().ok()).unwrap_or(500);
    rounds(1_000..1_000 + wanted, 10);
}
