//! A coordinator that closes, refuses or lies when a release arrives; and what it can learn of a
//! failed data check.

use coordinator::link::system_now;
use coordinator::round::launch::{self, Asked, Locked};
use shared::disclosure::document::ReceivedRelease;
use shared::identity::Digest;
use shared::study::{RoundId, SiteState};
use shared::wire::{LedgerHead, NodeRequest, Receipt, Refusal};

use crate::{Delivery, Lair, SITE, is_harmless, locked, protocol, refusals};

const ROUND: &str = "heart-disease.r1";

/// An honest round of one site, launched in the store as `fedval round launch` does.
fn launch(lair: &Lair) -> Digest {
    let (store, consortium) = (&lair.hostile.store, &lair.hostile.consortium);
    let now = system_now();
    let bytes = locked(consortium, now);
    let digest = Digest::of(&bytes);
    let protocol = shared::study::validate::expand(&protocol());
    let locked = Locked {
        protocol: &protocol,
        digest,
        bytes: &bytes,
    };
    let asked = Asked {
        sites: vec![SITE.parse().unwrap()],
        left_out: Vec::new(),
    };
    let round: RoundId = ROUND.parse().unwrap();
    let key = &consortium.signing;
    let launch = launch::sign(locked, asked, &round, now, &key.key, &key.certificate).unwrap();
    store.launch(&launch).unwrap();
    lair.publish(digest, bytes);
    lair.offer(launch.jobs[0].bytes.clone())
}

fn set(lair: &Lair, delivery: Delivery) {
    *lair.hostile.delivery.lock().unwrap() = delivery;
}

fn state(lair: &Lair) -> String {
    let state = &lair.staff(&["job", "list"])[0]["state"];
    state.as_str().unwrap_or_default().to_owned()
}

async fn until_state(lair: &Lair, wanted: &str) {
    for _ in 0..3_000 {
        if state(lair) == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it is {}, not {wanted}", state(lair));
}

fn delivered(heard: &[NodeRequest]) -> usize {
    let deliver = |request: &&NodeRequest| matches!(request, NodeRequest::Deliver { .. });
    heard.iter().filter(deliver).count()
}

/// A receipt for whatever was delivered last, changed, signed by the key of that purpose.
fn receipt(lair: &Lair, change: impl FnOnce(&mut Receipt), honest_key: bool) -> Vec<u8> {
    let document = lair.deliveries().pop().unwrap();
    let release = ReceivedRelease::read(&document).unwrap();
    let mut receipt = Receipt {
        round: ROUND.parse().unwrap(),
        job: release.header.job.unwrap(),
        site: SITE.parse().unwrap(),
        release: release.id,
        bytes: Digest::of(&document),
        ledger: LedgerHead {
            entries: 1,
            hash: Digest::of(b"x"),
        },
        received_at: system_now(),
    };
    change(&mut receipt);
    let consortium = &lair.hostile.consortium;
    let key = if honest_key {
        &consortium.receipt
    } else {
        &consortium.signing
    };
    receipt.sign(&key.key, key.certificate.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_hangs_up_or_lies_about_a_receipt_gets_the_same_bytes_again() {
    let mut lair = Lair::open().await;
    set(&lair, Delivery::Drop);
    launch(&lair);
    lair.start();
    lair.until("two deliveries", |heard| delivered(heard) >= 2)
        .await;
    assert_eq!(state(&lair), "sending");

    let lies = vec![
        b"{}".to_vec(),
        receipt(&lair, |_| {}, false),
        receipt(
            &lair,
            |receipt| receipt.bytes = Digest::of(b"other bytes"),
            true,
        ),
        receipt(
            &lair,
            |receipt| receipt.job = Digest::of(b"another job"),
            true,
        ),
        receipt(
            &lair,
            |receipt| receipt.site = "cleveland".parse().unwrap(),
            true,
        ),
    ];
    let count = lies.len();
    let before = delivered(&lair.heard());
    set(&lair, Delivery::Receipts(lies));
    lair.until("another try after each lie", |heard| {
        delivered(heard) > before + count
    })
    .await;
    until_state(&lair, "delivered").await;
    let documents = lair.deliveries();
    assert!(documents.iter().all(|document| *document == documents[0]));
    let ledger = lair.staff(&["ledger", "list"]);
    let events: Vec<&str> = ledger
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["approved", "delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_ends_there_and_is_recorded() {
    let mut lair = Lair::open().await;
    set(&lair, Delivery::Refuse(Refusal::RoundClosed));
    launch(&lair);
    lair.start();
    lair.until("a delivery", |heard| delivered(heard) == 1)
        .await;
    until_state(&lair, "rejected-by-site").await;
    let ledger = lair.staff(&["ledger", "list"]);
    assert_eq!(ledger[1]["event"]["event"], "declined");
    assert_eq!(ledger[1]["event"]["refusal"], "round closed");
    assert_eq!(ledger[1]["event"]["by"], "coordinator");
    let beats = |heard: &[NodeRequest]| {
        heard
            .iter()
            .filter(|request| matches!(request, NodeRequest::Poll { .. }))
            .count()
    };
    let polls = beats(&lair.heard());
    lair.until("two more polls", |heard| beats(heard) >= polls + 2)
        .await;
    assert_eq!(delivered(&lair.heard()), 1, "it is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_failed_data_check_only_waiting_is_visible() {
    let mut lair = Lair::open().await;
    let good = String::from_utf8(crate::TABLE.to_vec()).unwrap();
    let bad = good
        .replacen(",0.", ",7.", 1)
        .replacen("male", "unheard-of", 1);
    lair.write_site(bad.as_bytes());
    launch(&lair);
    lair.start();
    until_state(&lair, "precheck-failed").await;
    let seen = |heard: &[NodeRequest]| {
        let waits = |request: &&NodeRequest| {
            let state = SiteState::WaitingApproval;
            matches!(request, NodeRequest::Progress { state: said, .. } if *said == state)
        };
        heard.iter().any(|request| waits(&request))
    };
    lair.until("that it waits", seen).await;
    let polls = |heard: &[NodeRequest]| heard.len();
    let before = polls(&lair.heard());
    lair.until("more", |heard| polls(heard) > before + 2).await;
    let heard = lair.heard();
    assert!(heard.iter().all(is_harmless), "{heard:?}");
    assert!(refusals(&heard).is_empty());
    let why = lair.staff(&["job", "list"])[0]["local_why"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(why.contains("FV-DATA"), "{why}");
}
