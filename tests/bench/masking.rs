//! Masked sums: what a site and a coordinator compute, and what travels, for 256 bins of two
//! classes on six axes.
//!
//! From: a seed.
//! To: criterion's files, and a table of bytes in the output.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a bench stops at the first fault, and says how many bytes it saw"
)]

mod cpu;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use cpu::Cpu;
use criterion::{BenchmarkId, Criterion};
use serde::Serialize;
use shared::identity::{Digest, SigningKey, to_canonical};
use shared::masking::collector::{CollectKeys, Opening};
use shared::masking::site::Site;
use shared::masking::{
    Advertised, Confirmed, Input, Member, Opened, Roster, Sealed, Secret, Shared,
};

const LENGTH: usize = 256 * 2 * 6;

/// A whole run, message by message.
struct Run {
    roster: Roster,
    keys: BTreeMap<u32, Advertised>,
    shared: BTreeMap<u32, Shared>,
    parcels: BTreeMap<u32, BTreeMap<u32, Sealed>>,
    inputs: BTreeMap<u32, Input>,
    survivors: BTreeSet<u32>,
    confirmed: BTreeMap<u32, Confirmed>,
    opened: BTreeMap<u32, Opened>,
}

fn signing(position: u32) -> SigningKey {
    SigningKey::from_seed(Digest::of_list(&[b"key", &position.to_be_bytes()]).as_bytes())
}

fn secret(position: u32) -> Secret {
    let bytes = Digest::of_list(&[b"secret", &position.to_be_bytes()]);
    Secret::from_bytes(*bytes.as_bytes())
}

fn vector(position: u32) -> Vec<u64> {
    (0..LENGTH as u64)
        .map(|at| (at * 7 + u64::from(position)) % 40)
        .collect()
}

impl Run {
    /// `sites` sites, of which the last `gone` deal shares and send no vector.
    fn of(sites: u32, gone: u32) -> Self {
        let member = |position| Member {
            site: format!("site-{position}").parse().unwrap(),
            key: signing(position).public(),
        };
        let members = (0..sites).map(member).collect();
        let roster = Roster::new(Digest::of(b"bench"), members).unwrap();
        let (mut keys, mut waiting) = (BTreeMap::new(), Vec::new());
        for position in 0..sites {
            let begun = Site::begin(
                roster.clone(),
                position,
                secret(position),
                &signing(position),
            );
            let (message, site) = begun.unwrap();
            keys.insert(position, message);
            waiting.push(site);
        }
        let (mut shared, mut dealt) = (BTreeMap::new(), Vec::new());
        let mut parcels: BTreeMap<u32, BTreeMap<u32, Sealed>> = BTreeMap::new();
        for (position, site) in (0..).zip(waiting) {
            let (message, site) = site.keys(keys.clone()).unwrap();
            for (recipient, sealed) in &message.sealed {
                let parcel = parcels.entry(*recipient).or_default();
                parcel.insert(position, sealed.clone());
            }
            shared.insert(position, message);
            dealt.push(site);
        }
        let here = sites - gone;
        let (mut inputs, mut masked) = (BTreeMap::new(), Vec::new());
        for (position, site) in (0..here).zip(dealt) {
            let (message, site) = site
                .shares(parcels[&position].clone(), &vector(position))
                .unwrap();
            inputs.insert(position, message);
            masked.push(site);
        }
        let survivors: BTreeSet<u32> = (0..here).collect();
        let (mut confirmed, mut signed) = (BTreeMap::new(), Vec::new());
        for (position, site) in (0..here).zip(masked) {
            let (message, site) = site.survivors(survivors.clone()).unwrap();
            confirmed.insert(position, message);
            signed.push(site);
        }
        let answer = |(position, site): (u32, shared::masking::site::AwaitSignatures)| {
            (position, site.signatures(confirmed.clone()).unwrap())
        };
        let opened = (0..here).zip(signed).map(answer).collect();
        Self {
            roster,
            keys,
            shared,
            parcels,
            inputs,
            survivors,
            confirmed,
            opened,
        }
    }

    /// Everything the first site computes.
    fn site(&self) -> Opened {
        let begun = Site::begin(self.roster.clone(), 0, secret(0), &signing(0));
        let site = begun.unwrap().1.keys(self.keys.clone()).unwrap().1;
        let site = site.shares(self.parcels[&0].clone(), &vector(0)).unwrap().1;
        let site = site.survivors(self.survivors.clone()).unwrap().1;
        site.signatures(self.confirmed.clone()).unwrap()
    }

    /// Everything the coordinator computes.
    fn coordinator(&self) -> Opening {
        let mut collect = CollectKeys::begin(self.roster.clone(), LENGTH).unwrap();
        for (position, message) in &self.keys {
            collect.accept(*position, message.clone()).unwrap();
        }
        let mut collect = collect.close().unwrap().1;
        for (position, message) in &self.shared {
            collect.accept(*position, message.clone()).unwrap();
        }
        let mut collect = collect.close().unwrap().1;
        for (position, message) in &self.inputs {
            collect.accept(*position, message.clone()).unwrap();
        }
        let mut collect = collect.close().unwrap().1;
        for (position, message) in &self.confirmed {
            collect.accept(*position, message.clone()).unwrap();
        }
        let mut collect = collect.close().unwrap().1;
        for (position, message) in &self.opened {
            collect.accept(*position, message.clone()).unwrap();
        }
        collect.open().unwrap()
    }

    /// Bytes of canonical JSON that the first site sends, and that it is sent.
    fn print_bytes(&self) {
        let sent = [
            bytes(&self.keys[&0]),
            bytes(&self.shared[&0]),
            bytes(&self.inputs[&0]),
            bytes(&self.confirmed[&0]),
            bytes(&self.opened[&0]),
        ];
        let received = [
            bytes(&self.keys),
            bytes(&self.parcels[&0]),
            bytes(&self.survivors),
            bytes(&self.confirmed),
        ];
        let (out, back) = (sent.iter().sum::<usize>(), received.iter().sum::<usize>());
        let expansion = out as f64 / (8 * LENGTH) as f64;
        println!(
            "{} sites: {out} bytes sent {sent:?}, {back} received {received:?}; \
             {expansion:.2} times the vector's {} bytes",
            self.roster.members().len(),
            8 * LENGTH,
        );
    }
}

fn bytes<T: Serialize>(message: &T) -> usize {
    to_canonical(message).unwrap().len()
}

fn main() {
    let mut criterion: Criterion<Cpu> = cpu::criterion();
    for sites in [5, 30, 100] {
        let run = Run::of(sites, 0);
        run.print_bytes();
        let name = BenchmarkId::new("masked sum, one site", sites);
        criterion.bench_with_input(name, &run, |bench, run| {
            bench.iter(|| black_box(run).site())
        });
        let name = BenchmarkId::new("masked sum, coordinator", sites);
        criterion.bench_with_input(name, &run, |bench, run| {
            bench.iter(|| black_box(run).coordinator());
        });
        let spare = sites - run.roster.threshold() as u32;
        let run = Run::of(sites, spare);
        let name = BenchmarkId::new("masked sum, coordinator, most dropouts", sites);
        criterion.bench_with_input(name, &run, |bench, run| {
            bench.iter(|| black_box(run).coordinator());
        });
    }
    criterion.final_summary();
}
