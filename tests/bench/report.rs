//! The page of a round, and every file of its bundle, at 30 and at 200 hospitals. The goal for the
//! page at 200 is a second and 3 MB; the other files hold every number and grow with them.
//!
//! From: `data`, made into releases.
//! To: criterion's files.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stderr,
    reason = "a bench stops at the first fault, and its tables are small"
)]

mod cpu;
mod data;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use shared::disclosure::policy::{Policy, STANDARD};
use shared::disclosure::{Axes, Header, ReceivedRelease, document, review};
use shared::identity::Digest;
use shared::pool::result::PooledStudy;
use shared::pool::study::{RoundFacts, SiteAnswer, pool};
use shared::report::{Provenance, bundle, page};
use shared::statistic::cases::{Column, Intake, Tally};
use shared::statistic::measure::measure;
use shared::statistic::{Cases, known_answer};
use shared::study::{StudyProtocol, Timestamp, plan, source, validate};
use shared::wire;

/// Patients of each hospital.
const ROWS: usize = 600;

/// The protocol of the benches with `sites` external hospitals.
fn protocol(sites: usize) -> StudyProtocol {
    let mut protocol = source::parse(include_str!("study.toml")).unwrap();
    let first = protocol.site[0].clone();
    protocol.site = (0..sites)
        .map(|place| {
            let mut site = first.clone();
            site.slug = format!("site-{place}").parse().unwrap();
            site.display_name = format!("Hospital {place}");
            site
        })
        .collect();
    validate::expand(&protocol)
}

fn cases(protocol: &StudyProtocol, site: usize) -> Cases {
    let all = Tally {
        rows: ROWS as u64,
        patients: ROWS as u64,
    };
    let rows = || site * ROWS..(site + 1) * ROWS;
    Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: (0..ROWS as u32).collect(),
        patients: ROWS as u32,
        outcome: vec![rows().map(|row| Some(data::event(row))).collect()],
        score: (0..protocol.model.len())
            .map(|model| rows().map(|row| Some(data::score(model, row))).collect())
            .collect(),
        level: (0..data::AXES)
            .map(|axis| rows().map(|row| data::level(axis, row) as u16).collect())
            .collect(),
        column: protocol.field.iter().map(|_| Column::Withheld).collect(),
        intake: Intake {
            records: all,
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}

fn answer(protocol: &StudyProtocol, policy: &Policy, place: usize) -> SiteAnswer {
    let site = &protocol.site[place].slug;
    let exact = measure(protocol, &cases(protocol, place), &plan::kinds(protocol));
    let header = Header {
        schema: document::SCHEMA.to_owned(),
        study: protocol.slug.clone(),
        study_version: protocol.version.clone(),
        protocol: Digest::of(b"protocol"),
        round: Some("bench.r1".parse().unwrap()),
        job: Some(Digest::of(b"job")),
        exchange: "measure".parse().unwrap(),
        step: 1,
        input: None,
        site: site.clone(),
        dataset: Digest::of(site.as_str().as_bytes()),
        policy: policy.stamp(),
        clustered: false,
        software: "fedval-node 0".to_owned(),
        known_answer: known_answer::answer(),
    };
    let reviewed = review(policy, protocol, exact, (false, Axes::BY_RULE));
    let bytes = wire::encode(&reviewed.release(header).unwrap()).unwrap();
    let release = ReceivedRelease::read(bytes.bytes()).unwrap();
    SiteAnswer::Released(Box::new(release), Digest::of(bytes.bytes()))
}

fn study(sites: usize) -> PooledStudy {
    let (protocol, policy) = (protocol(sites), Policy::parse(STANDARD).unwrap());
    let facts = RoundFacts {
        protocol_digest: Digest::of(b"protocol"),
        locked: true,
        signed: true,
        round: Some("bench.r1".parse().unwrap()),
        closed_at: Timestamp::from_unix(1_795_168_800),
    };
    let answers = (0..sites).map(|place| {
        let site = protocol.site[place].slug.clone();
        (site, answer(&protocol, &policy, place))
    });
    pool(&protocol, facts, answers.collect())
}

fn main() {
    let mut criterion: Criterion<cpu::Cpu> = cpu::criterion();
    let tried = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] = if tried { &[5] } else { &[30, 200] };
    for &sites in sizes {
        let study = study(sites);
        let provenance = Provenance::default();
        let bytes = page(&study, &provenance).unwrap().len();
        eprintln!("report.html at {sites} hospitals: {bytes} bytes");
        assert!(bytes <= 3_000_000, "{bytes} bytes");
        criterion.bench_with_input(BenchmarkId::new("page", sites), &sites, |bench, _| {
            bench.iter(|| page(black_box(&study), &provenance).unwrap().len());
        });
        criterion.bench_with_input(BenchmarkId::new("bundle", sites), &sites, |bench, _| {
            bench.iter(|| bundle(black_box(&study), &provenance).unwrap().files.len());
        });
    }
    criterion.final_summary();
}
