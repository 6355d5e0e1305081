//! What only the inside can ask: bytes that must not change, and parts by themselves.

use std::collections::BTreeMap;

use chacha20::rand_core::Rng as _;

use super::collector::CollectKeys;
use super::derive::{Direction, Key, apply};
use super::sharing::{Unrecovered, recover, split};
use super::site::Site;
use super::*;
use crate::identity::{Digest, SigningKey, to_canonical};

pub(super) fn signing(position: u32) -> SigningKey {
    SigningKey::from_seed(&[u8::try_from(position).unwrap() + 1; 32])
}

pub(super) fn roster(sites: u32) -> Roster {
    let member = |position| Member {
        site: format!("site-{position}").parse().unwrap(),
        key: signing(position).public(),
    };
    Roster::new(Digest::of(b"context"), (0..sites).map(member).collect()).unwrap()
}

pub(super) fn secret(position: u32) -> Secret {
    Secret::from_bytes(*Digest::of_list(&[b"secret", &position.to_be_bytes()]).as_bytes())
}

/// All bytes that four sites say in a run in which the last sends no vector, and the sum.
fn run() -> (Vec<Vec<u8>>, Vec<u64>) {
    let roster = roster(4);
    let mut said = Vec::new();
    let mut collect = CollectKeys::begin(roster.clone(), 3).unwrap();
    let mut sites = BTreeMap::new();
    for position in 0..4 {
        let own = secret(position);
        let (message, site) =
            Site::begin(roster.clone(), position, own, &signing(position)).unwrap();
        said.push(to_canonical(&message).unwrap());
        collect.accept(position, message).unwrap();
        sites.insert(position, site);
    }
    let (keys, mut collect) = collect.close().unwrap();
    let mut dealt = BTreeMap::new();
    for (position, site) in sites {
        let (message, site) = site.keys(keys.clone()).unwrap();
        said.push(to_canonical(&message).unwrap());
        collect.accept(position, message).unwrap();
        dealt.insert(position, site);
    }
    let (mut parcels, mut collect) = collect.close().unwrap();
    let mut masked = BTreeMap::new();
    for (position, site) in dealt.into_iter().filter(|(position, _)| *position < 3) {
        let vector = [u64::from(position), 10, u64::MAX];
        let parcel = parcels.remove(&position).unwrap();
        let (message, site) = site.shares(parcel, &vector).unwrap();
        said.push(to_canonical(&message).unwrap());
        collect.accept(position, message).unwrap();
        masked.insert(position, site);
    }
    let (survivors, mut collect) = collect.close().unwrap();
    let mut signed = BTreeMap::new();
    for (position, site) in masked {
        let (message, site) = site.survivors(survivors.clone()).unwrap();
        said.push(to_canonical(&message).unwrap());
        collect.accept(position, message).unwrap();
        signed.insert(position, site);
    }
    let (signatures, mut collect) = collect.close().unwrap();
    for (position, site) in signed {
        let message = site.signatures(signatures.clone()).unwrap();
        said.push(to_canonical(&message).unwrap());
        collect.accept(position, message).unwrap();
    }
    (said, collect.open().unwrap().sum)
}

#[test]
fn one_secret_says_the_same_bytes_for_ever() {
    let (said, sum) = run();
    assert_eq!(sum, [3, 30, 3u64.wrapping_neg()]);
    assert_eq!(run(), (said.clone(), sum));
    let parts: Vec<&[u8]> = said.iter().map(Vec::as_slice).collect();
    assert_eq!(
        Digest::of_list(&parts).to_string(),
        "sha256:059eb9c5adefeb5860c07eaeee726f48c7302eb1a3d26a7749af37464f47da82",
        "stored secrets and messages of other versions would no longer fit"
    );
}

#[test]
fn the_stream_is_chacha20() {
    // RFC 8439, appendix A.1, test vector 1: key, nonce and counter are zero.
    let mut vector = [0; 4];
    let key = Key::new([0; 32]);
    apply(&mut vector, &key, Direction::Add);
    let expected = [
        [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90],
        [0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28],
        [0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a],
        [0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7],
    ];
    assert_eq!(vector, expected.map(u64::from_le_bytes));
    apply(&mut vector, &key, Direction::Subtract);
    assert_eq!(vector, [0; 4]);
}

#[test]
fn a_threshold_of_shares_gives_the_secret_and_fewer_give_none() {
    use chacha20::rand_core::SeedableRng as _;
    let mut draw = chacha20::ChaCha20Rng::from_seed([3; 32]);
    for sites in [4, 5, 9, 100] {
        let roster = roster(sites);
        let (mut secret, mut coins) = ([0; 32], Key::new([0; 32]));
        draw.fill_bytes(&mut secret);
        draw.fill_bytes(coins.as_mut());
        let shares = split(&secret, &roster, &coins);
        let threshold = roster.threshold();
        let all: BTreeMap<u32, &Share> = (0..).zip(&shares).collect();
        let holds = |found: &[u8; 32]| *found == secret;
        for first in 0..(sites as usize - threshold) {
            let some = all.iter().skip(first).take(threshold);
            let some = some.map(|(at, share)| (*at, *share)).collect();
            assert!(recover(&some, threshold, holds).is_ok());
        }
        let few = all
            .iter()
            .take(threshold - 1)
            .map(|(at, share)| (*at, *share))
            .collect();
        assert!(matches!(
            recover(&few, threshold, holds),
            Err(Unrecovered::All)
        ));
    }
}

#[test]
fn one_false_share_is_named_where_there_are_shares_to_spare() {
    let roster = roster(6);
    let (secret, coins) = ([7; 32], Key::new([8; 32]));
    let mut shares = split(&secret, &roster, &coins);
    shares[2] = Share::from_bytes([1; 32]);
    let mut all: BTreeMap<u32, &Share> = (0..).zip(&shares).collect();
    let holds = |found: &[u8; 32]| *found == secret;
    assert!(matches!(
        recover(&all, 5, holds),
        Err(Unrecovered::False(2))
    ));
    all.remove(&5);
    assert!(matches!(recover(&all, 5, holds), Err(Unrecovered::All)));
}

#[test]
fn a_share_says_nothing_of_the_secret() {
    // The first coefficient is uniform, so the first byte of one share is too, whatever the
    // secret is: chi-squared over 256 cells, 0.999 quantile 330.5.
    let roster = roster(4);
    for secret in [[0; 32], [255; 32]] {
        let mut seen = [0u32; 256];
        for run in 0u32..512 {
            let coins = Key::new(*Digest::of(&run.to_be_bytes()).as_bytes());
            let shares = split(&secret, &roster, &coins);
            for byte in shares[1].as_bytes() {
                seen[usize::from(*byte)] += 1;
            }
        }
        let expected = f64::from(512 * 32) / 256.0;
        let off = |count: &u32| {
            let by = f64::from(*count) - expected;
            by * by / expected
        };
        let statistic: f64 = seen.iter().map(off).sum();
        assert!(statistic < 330.5, "{statistic}");
    }
}

#[test]
fn texts_have_their_length_and_one_spelling() {
    let share = Share::from_bytes([9; 32]);
    let text = String::from(share.clone());
    assert_eq!(Share::try_from(text.clone()), Ok(share));
    assert!(Share::try_from(format!("{text}A")).is_err());
    assert!(Share::try_from(text[..40].to_owned()).is_err());
    // The last character before the padding holds four bits that must be zero.
    let loose = text.replace("k=", "l=");
    assert!(loose != text && Share::try_from(loose).is_err());
    for bad in ["", "AAAA", "AAAAAAAAAAA", "AAAAAAAAAAB="] {
        assert!(MaskedVector::try_from(bad.to_owned()).is_err(), "{bad}");
    }
    let one = MaskedVector::try_from("AQAAAAAAAAA=".to_owned()).unwrap();
    assert_eq!(one.values(), [1]);
    let long = "A".repeat(data_encoding::BASE64.encode_len(8 * VECTOR_MAX) + 4);
    assert!(MaskedVector::try_from(long).is_err());
}

#[test]
fn thresholds_are_two_thirds_and_one() {
    for (sites, threshold, borne) in [
        (4, 3, 1),
        (5, 4, 2),
        (6, 5, 3),
        (7, 5, 2),
        (8, 6, 3),
        (9, 7, 4),
        (12, 9, 5),
        (30, 21, 11),
        (100, 67, 33),
    ] {
        let roster = roster(sites);
        assert_eq!(
            (roster.threshold(), roster.colluders_borne()),
            (threshold, borne)
        );
    }
}

#[test]
fn members_that_are_no_roster_are_refused() {
    let good = roster(5);
    let with = |members: Vec<Member>| Roster::new(good.context(), members);
    assert_eq!(
        with(good.members()[..3].to_vec()),
        Err(RosterFault::Size { found: 3 })
    );
    let mut twice = good.members().to_vec();
    twice[4].site = twice[0].site.clone();
    assert!(matches!(with(twice), Err(RosterFault::Site { .. })));
    let mut twice = good.members().to_vec();
    twice[4].key = twice[0].key;
    assert!(matches!(with(twice), Err(RosterFault::Key { .. })));
    let mut turned = good.members().to_vec();
    turned.swap(0, 1);
    assert_ne!(with(turned).unwrap().digest(), good.digest());
    let other = Roster::new(Digest::of(b"other"), good.members().to_vec()).unwrap();
    assert_ne!(other.digest(), good.digest());
    assert_eq!(good.position(&good.members()[3].site), Some(3));
    assert!(good.member(5).is_none() && good.member(u32::MAX).is_none());
}
