//! With whom a mask is shared is this site's own word, and no two opened sums are so alike that
//! their difference says something of one or two hospitals.
//!
//! From: `masked::check`, `masked::apart`.
//! To: the test run.

use shared::study::{MaskedSums, StudySite, source, validate};
use shared::wire::Refusal;

use super::*;

const SITE: &str = "va";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// Five external hospitals.
fn protocol() -> StudyProtocol {
    let text = include_str!("../../../configs/examples/heart/study.toml");
    let mut protocol = source::parse(text).unwrap();
    protocol.masked_sums = Some(MaskedSums { phase_seconds: 60 });
    let more = ["north", "south"].map(|slug| StudySite {
        slug: slug.parse().unwrap(),
        display_name: slug.to_owned(),
        role: SiteRole::External,
        moderators: std::collections::BTreeMap::new(),
    });
    protocol.site.extend(more);
    validate::expand(&protocol)
}

fn job(protocol: &StudyProtocol) -> Job {
    Job::measure(
        protocol,
        Digest::of(b"protocol"),
        "heart-disease.r1".parse().unwrap(),
        SITE.parse().unwrap(),
        Timestamp::from_unix(1_800_000_000).unwrap(),
        "measure".parse().unwrap(),
    )
}

const EXTERNAL: [(&str, u8); 5] = [
    ("hungarian", 1),
    ("switzerland", 2),
    ("va", 3),
    ("north", 4),
    ("south", 5),
];

fn participants() -> Vec<Participant> {
    EXTERNAL
        .iter()
        .map(|(site, seed)| Participant {
            site: site.parse().unwrap(),
            key: key(*seed).public(),
            successions: Vec::new(),
        })
        .collect()
}

/// This site's configuration, with the keys of the other four.
fn config() -> NodeConfig {
    let peers: String = EXTERNAL
        .iter()
        .filter(|(site, _)| *site != SITE)
        .map(|(site, seed)| format!("{site} = \"{}\"\n", key(*seed).public()))
        .collect();
    let text = format!("config_version = 1\n[site]\nslug = \"{SITE}\"\n[peers]\n{peers}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, text).unwrap();
    NodeConfig::load(&file).unwrap()
}

fn asked(participants: Vec<Participant>, config: &NodeConfig) -> Result<(), Declined> {
    let protocol = protocol();
    let job = job(&protocol);
    let step = MaskedStep {
        study: job.study.clone(),
        protocol: job.protocol,
        round: job.round.clone(),
        relay: Relay::Roster(participants),
    };
    let own = Own {
        key: &key(3),
        successions: &[],
    };
    check(config, own, (&job, &protocol), (2, &step))
}

fn why(found: Result<(), Declined>) -> (Refusal, String) {
    let (refusal, _, why) = found.unwrap_err();
    (refusal, why)
}

#[test]
fn a_mask_is_shared_with_confirmed_keys_alone() {
    let config = config();
    assert!(asked(participants(), &config).is_ok());
    // The coordinator runs the CA and could certify a key of its own for any hospital.
    let mut swapped = participants();
    swapped[3].key = key(9).public();
    let (refusal, text) = why(asked(swapped, &config));
    assert_eq!(refusal, Refusal::NotReleased);
    assert!(text.contains("north"), "{text}");
    // A hospital that nobody here has called.
    let mut strange = config.clone();
    strange.peers.remove(&"south".parse().unwrap());
    assert!(why(asked(participants(), &strange)).1.contains("south"));
}

#[test]
fn a_renewed_key_is_believed_from_the_one_before_alone() {
    let config = config();
    let mut renewed = participants();
    renewed[0].key = key(21).public();
    renewed[0].successions = vec![Succession::sign(&key(1), key(21).public())];
    assert!(asked(renewed.clone(), &config).is_ok());
    renewed[0].successions = vec![Succession::sign(&key(8), key(21).public())];
    assert!(why(asked(renewed, &config)).1.contains("hungarian"));
}

#[test]
fn a_roster_is_of_four_external_hospitals_and_this_one_with_its_own_key() {
    let config = config();
    let altered: [fn(&mut Vec<Participant>); 5] = [
        |roster| roster.truncate(3),
        |roster| roster[4] = roster[3].clone(),
        |roster| roster[2].key = key(7).public(),
        |roster| drop(roster.remove(2)),
        // Developed the model: it enters no pool, and no sum.
        |roster| roster[4].site = "cleveland".parse().unwrap(),
    ];
    for alter in altered {
        let mut roster = participants();
        alter(&mut roster);
        assert_eq!(why(asked(roster, &config)).0, Refusal::NotAllowed);
    }
}

#[test]
fn no_two_opened_sums_differ_by_one_hospital_or_two() {
    let sites = |names: &[&str]| -> Vec<SiteSlug> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    let all = sites(&["a", "b", "c", "d", "e", "f", "g"]);
    assert!(apart(&all, &[]).is_ok());
    assert!(apart(&all, std::slice::from_ref(&all)).is_ok());
    for less in 1..=2 {
        let fewer = all[less..].to_vec();
        let (refusal, _, text) = apart(&fewer, std::slice::from_ref(&all)).unwrap_err();
        assert_eq!(refusal, Refusal::NotReleased);
        assert!(text.contains('a'), "{text}");
    }
    assert!(apart(&all[3..], std::slice::from_ref(&all)).is_ok());
    // One left and one came: two, whose numbers the difference would mix.
    let exchanged = sites(&["b", "c", "d", "e", "f", "g", "h"]);
    assert!(apart(&exchanged, &[all]).is_err());
}
