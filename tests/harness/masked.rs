//! A masked sum inside one process: every site's message goes through the gate, encoding and
//! reading, as in a round.
//!
//! From: cases by site.
//! To: tests that compare the opened sum with reference values.

use std::collections::BTreeMap;

use shared::disclosure::Policy;
use shared::disclosure::ReceivedRelease;
use shared::disclosure::masked::{Members, Message, ReviewedSum, review_sum};
use shared::identity::{Digest, SigningKey};
use shared::masking::Secret;
use shared::masking::collector::CollectKeys;
use shared::masking::step::{Answer, Participant, roster};
use shared::pool::masked::{MaskedPool, OpenedPool, SumOutcome};
use shared::pool::study::{Steps, pool_with_steps};
use shared::statistic::Cases;
use shared::statistic::masked_sums::{Contribution, OpenedSum};
use shared::study::StudyProtocol;
use shared::study::masked::Layout;
use shared::wire;

use crate::path;

/// What the coordinator reads of a message.
fn said(message: Message, site: &str) -> Answer {
    let policy = path::standard();
    let released = message.release(&policy, path::header(&policy, site));
    let bytes = wire::encode(&released).unwrap();
    ReceivedRelease::read(bytes.bytes())
        .unwrap()
        .masked
        .unwrap()
}

macro_rules! each {
    ($phase:ident, $answers:expr, $variant:ident) => {
        for (position, answer) in $answers {
            let Answer::$variant(answer) = answer else {
                panic!("another message");
            };
            $phase.accept(position, answer).unwrap();
        }
    };
}

/// The sum of every site's part, opened.
pub fn summed(protocol: &StudyProtocol, sites: &[(&str, Cases)]) -> OpenedSum {
    let key = |place: usize| SigningKey::from_seed(&[u8::try_from(place).unwrap() + 1; 32]);
    let participants: Vec<Participant> = sites
        .iter()
        .enumerate()
        .map(|(place, (site, _))| Participant {
            site: site.parse().unwrap(),
            key: key(place).public(),
            successions: Vec::new(),
        })
        .collect();
    let digest = Digest::of(b"protocol");
    let round = "test.r1".parse().unwrap();
    let roster = roster((protocol, digest), &round, &participants).unwrap();
    let places = 0..u32::try_from(sites.len()).unwrap();
    let name = |place: u32| sites[place as usize].0;

    let mut phase = CollectKeys::begin(roster.clone(), Layout::of(protocol).length()).unwrap();
    let (mut states, mut answers) = (BTreeMap::new(), BTreeMap::new());
    for place in places.clone() {
        let secret = Secret::from_bytes([u8::try_from(place).unwrap() + 101; 32]);
        let made = Message::keys(roster.clone(), place, secret, &key(place as usize));
        let (message, state) = made.unwrap();
        states.insert(place, state);
        answers.insert(place, said(message, name(place)));
    }
    each!(phase, std::mem::take(&mut answers), Keys);
    let (keys, mut phase) = phase.close().unwrap();
    let mut next = BTreeMap::new();
    for (place, state) in states {
        let (message, state) = Message::shares(state, keys.clone()).unwrap();
        next.insert(place, state);
        answers.insert(place, said(message, name(place)));
    }
    each!(phase, std::mem::take(&mut answers), Shares);
    let (parcels, mut phase) = phase.close().unwrap();
    let mut states = BTreeMap::new();
    for (place, state) in next {
        let part = Contribution::measure(protocol, &sites[place as usize].1).unwrap();
        let parcel = parcels[&place].clone();
        let (message, state) = Message::vector(state, parcel, &part.vector).unwrap();
        states.insert(place, state);
        answers.insert(place, said(message, name(place)));
    }
    each!(phase, std::mem::take(&mut answers), Vector);
    let (survivors, mut phase) = phase.close().unwrap();
    let mut next = BTreeMap::new();
    for (place, state) in states {
        let (message, state) = Message::survivors(state, survivors.clone()).unwrap();
        next.insert(place, state);
        answers.insert(place, said(message, name(place)));
    }
    each!(phase, std::mem::take(&mut answers), Survivors);
    let (signatures, mut phase) = phase.close().unwrap();
    for (place, state) in next {
        let message = Message::opened(state, signatures.clone()).unwrap();
        answers.insert(place, said(message, name(place)));
    }
    each!(phase, answers, Opened);
    let opening = phase.open().unwrap();
    OpenedSum::read(protocol, opening.sum, opening.survivors.len()).unwrap()
}

/// The opened sum of these sites, all of whom stayed to the end, as its review lets it out.
pub fn reviewed(protocol: &StudyProtocol, sites: &[(&str, Cases)], policy: &Policy) -> ReviewedSum {
    let slugs: Vec<_> = sites
        .iter()
        .map(|(site, _)| site.parse().unwrap())
        .collect();
    let members = Members {
        roster: slugs.clone(),
        survivors: slugs,
        transcript: Digest::of(b"steps"),
    };
    let sum = summed(protocol, sites);
    review_sum(policy, protocol, &sum, members).unwrap().0
}

/// What a report shows of it.
pub fn pool(protocol: &StudyProtocol, sum: ReviewedSum) -> OpenedPool {
    let outcome = SumOutcome::Opened(Box::new(sum));
    let steps = Steps {
        exchange: None,
        masked: Some(&outcome),
    };
    match pool_with_steps(protocol, path::facts(), Vec::new(), steps).masked {
        Some(MaskedPool::Opened(pool)) => *pool,
        other => panic!("{other:?}"),
    }
}
