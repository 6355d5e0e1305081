//! Made-up hospitals in a masked sum: a coordinator that runs the certification authority invents
//! three hospitals, adds nothing for them, and reads what the fourth has added. It succeeds
//! where the authority's word makes a member, and fails where people have confirmed keys.

use harness::heart;
use harness::masked::summed;
use node::config::NodeConfig;
use node::masked::{Own, check};
use shared::identity::{Digest, SigningKey};
use shared::masking::step::{MaskedStep, Participant, Relay};
use shared::statistic::Cases;
use shared::study::job::Job;
use shared::study::{MaskedSums, SiteSlug, StudyProtocol, Timestamp};

const VICTIM: &str = "va";
const MADE_UP: [&str; 3] = ["cleveland", "hungarian", "switzerland"];

fn protocol() -> StudyProtocol {
    let mut protocol = heart::four_external("p_a");
    protocol.masked_sums = Some(MaskedSums { phase_seconds: 60 });
    protocol
}

/// Without the roster's rule: the sum with three empty hospitals is the victim's own numbers.
#[test]
fn made_up_hospitals_read_the_real_one_where_the_authority_makes_members() {
    let protocol = protocol();
    let victim = heart::cases(&protocol, VICTIM);
    let [events, others] = count(&victim);
    let mut nobody = heart::cases(&protocol, MADE_UP[0]);
    for outcome in &mut nobody.outcome {
        outcome.fill(None);
    }
    let empty = || {
        let mut none = heart::cases(&protocol, MADE_UP[0]);
        none.outcome.clone_from(&nobody.outcome);
        none
    };
    let mut sites: Vec<(&str, Cases)> = MADE_UP.iter().map(|site| (*site, empty())).collect();
    sites.push((VICTIM, victim));
    let sum = summed(&protocol, &sites);
    assert_eq!(sum.totals(), [[events, others]]);
}

fn count(cases: &Cases) -> [u64; 2] {
    let of = |event| {
        let outcomes = cases.outcome[0].iter();
        outcomes.filter(|outcome| **outcome == Some(event)).count() as u64
    };
    [of(true), of(false)]
}

/// With it: the real hospital's people have called nobody of that name, and it adds nothing.
#[test]
fn a_hospital_adds_nothing_beside_hospitals_that_nobody_has_called() {
    let protocol = protocol();
    let key = |seed: u8| SigningKey::from_seed(&[seed; 32]);
    let site = |slug: &str| -> SiteSlug { slug.parse().unwrap() };
    let mut roster: Vec<Participant> = MADE_UP
        .iter()
        .zip(1..)
        .map(|(slug, seed)| Participant {
            site: site(slug),
            key: key(seed).public(),
            successions: Vec::new(),
        })
        .collect();
    roster.push(Participant {
        site: site(VICTIM),
        key: key(9).public(),
        successions: Vec::new(),
    });
    let job = Job::measure(
        &protocol,
        Digest::of(b"protocol"),
        "heart-disease.r1".parse().unwrap(),
        site(VICTIM),
        Timestamp::from_unix(1_800_000_000).unwrap(),
        "measure".parse().unwrap(),
    );
    let step = MaskedStep {
        study: job.study.clone(),
        protocol: job.protocol,
        round: job.round.clone(),
        relay: Relay::Roster(roster.clone()),
    };
    let folder = tempfile::tempdir().unwrap();
    let asked = |peers: &str| {
        let file = folder.path().join("node.toml");
        let text = format!("config_version = 1\n[site]\nslug = \"{VICTIM}\"\n{peers}");
        std::fs::write(&file, text).unwrap();
        let config = NodeConfig::load(&file).unwrap();
        let own = Own {
            key: &key(9),
            successions: &[],
        };
        check(&config, own, (&job, &protocol), (2, &step))
    };
    let (_, _, why) = asked("").unwrap_err();
    for made_up in MADE_UP {
        assert!(why.contains(made_up), "{why}");
    }
    // The same roster is fine once people have called: nothing else stands in its way.
    let called: Vec<String> = roster[..3]
        .iter()
        .map(|one| format!("{} = \"{}\"", one.site, one.key))
        .collect();
    assert!(asked(&format!("[peers]\n{}\n", called.join("\n"))).is_ok());
}
