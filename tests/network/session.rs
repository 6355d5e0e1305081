//! Conversations of enrolled nodes: several requests at once, revocation, replacement, stopping.
//!
//! From: `world`.
//! To: nobody.

use std::sync::Arc;
use std::time::Duration;

use coordinator::link::Limits;
use node::link::{CertificateWhy, Dialer, LinkFault};
use shared::fault::Code;
use shared::identity::Digest;
use shared::wire::codec::DOCUMENT_MAX;
use shared::wire::message::WIRE_VERSION_MAX;
use shared::wire::{NodeReply, NodeRequest, Refusal};

use crate::world::{World, beat, empty_ledger, hello};

const PATIENCE: Duration = Duration::from_secs(20);

fn waiting_poll() -> NodeRequest {
    NodeRequest::Poll {
        wait_ms: 25_000,
        known: vec![Digest::of(b"gate")],
    }
}

#[tokio::test]
async fn requests_run_beside_each_other_and_documents_travel_whole() {
    let world = World::open();
    let dialer = world.dialer("st-olav").await;
    let link = dialer.connect(&hello()).await.unwrap();
    let poll = waiting_poll();
    let held = link.request(&poll, PATIENCE);
    let others = async {
        world.roster.waiting.notified().await;
        assert_eq!(link.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
        let fetch = NodeRequest::FetchProtocol {
            protocol: Digest::of(b"p"),
        };
        let reply = link.request(&fetch, PATIENCE).await.unwrap();
        assert_eq!(reply, NodeReply::Protocol(vec![b' '; 1 << 20]));
        let deliver = NodeRequest::Deliver {
            job: Digest::of(b"job"),
            release: Digest::of(b"release"),
            document: vec![b' '; DOCUMENT_MAX],
            ledger: empty_ledger(),
        };
        let receipt = link.request(&deliver, PATIENCE).await.unwrap();
        assert!(matches!(receipt, NodeReply::Receipt { .. }));
        world.roster.gate.notify_one();
    };
    let (held, ()) = tokio::join!(held, others);
    assert_eq!(held, Ok(NodeReply::Jobs(Vec::new())));
    link.hang_up().await;
    world.stop().await;
}

#[tokio::test]
async fn a_refused_greeting_is_told_and_ends_the_connection() {
    let world = World::open();
    let dialer = world.dialer("st-olav").await;
    *world.roster.greeting.lock().unwrap() = Some(Refusal::LedgerBehind);
    let fault = dialer.connect(&hello()).await.err().unwrap();
    assert_eq!(fault, LinkFault::Refused(Refusal::LedgerBehind));
    assert_eq!(fault.to_fault(&world.address).code, Code::LedgerBehind);
    *world.roster.greeting.lock().unwrap() = None;
    let before = world.node_requests();
    let newer = NodeRequest::Hello {
        version_min: WIRE_VERSION_MAX + 1,
        version_max: WIRE_VERSION_MAX + 2,
        software: "from the future".to_owned(),
        ledger: empty_ledger(),
    };
    let fault = dialer.connect(&newer).await.err().unwrap();
    assert_eq!(fault, LinkFault::Refused(Refusal::VersionUnsupported));
    assert_eq!(world.node_requests(), before);
    world.stop().await;
}

#[tokio::test]
async fn revocation_closes_what_is_open_and_refuses_what_comes() {
    let world = World::open();
    let (_folder, identity) = world.enrol("st-olav").await;
    let serial = identity.serial;
    let dialer = Dialer::new(world.address.clone(), Arc::new(identity));
    let link = dialer.connect(&hello()).await.unwrap();
    let other = world.dialer("ahus").await.connect(&hello()).await.unwrap();
    let connected: Vec<_> = world.handle.connected();
    assert_eq!(connected.len(), 2);

    world.roster.revoked.lock().unwrap().insert(serial);
    assert_eq!(world.handle.close_serial(&serial), 1);
    let refused = LinkFault::CertificateRefused {
        why: CertificateWhy::Revoked,
    };
    assert_eq!(link.closed().await, refused);
    let before = world.node_requests();
    assert_eq!(dialer.connect(&hello()).await.err(), Some(refused.clone()));
    assert_eq!(world.node_requests(), before);
    let fault = refused.to_fault(&world.address);
    assert_eq!(fault.code, Code::CertificateRefused);
    assert_eq!(other.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
    world.stop().await;
}

#[tokio::test]
async fn a_revocation_nobody_announced_holds_from_the_next_request() {
    let world = World::open();
    let (_folder, identity) = world.enrol("st-olav").await;
    let serial = identity.serial;
    let dialer = Dialer::new(world.address.clone(), Arc::new(identity));
    let link = dialer.connect(&hello()).await.unwrap();
    world.roster.revoked.lock().unwrap().insert(serial);
    let refused = LinkFault::CertificateRefused {
        why: CertificateWhy::Revoked,
    };
    assert_eq!(link.request(&beat(), PATIENCE).await, Err(refused));
    world.stop().await;
}

#[tokio::test]
async fn of_one_certificate_the_newest_two_connections_stay() {
    let world = World::open();
    let dialer = world.dialer("st-olav").await;
    let first = dialer.connect(&hello()).await.unwrap();
    let second = dialer.connect(&hello()).await.unwrap();
    let third = dialer.connect(&hello()).await.unwrap();
    assert_eq!(first.closed().await, LinkFault::Replaced);
    for link in [&second, &third] {
        assert_eq!(link.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
    }
    world.stop().await;
}

#[tokio::test]
async fn beyond_the_total_a_dialler_is_told_to_come_later() {
    let limits = Limits {
        connections_total: 1,
        ..Limits::default()
    };
    let world = World::open_at(coordinator::link::system_now(), limits);
    let (_folder, identity) = world.enrol("st-olav").await;
    let dialer = Dialer::new(world.address.clone(), Arc::new(identity));
    // The join's last connection may still be ending.
    let link = dialer
        .connect_patiently(hello, |fault, _| assert_eq!(*fault, LinkFault::Busy))
        .await
        .unwrap();
    assert_eq!(dialer.connect(&hello()).await.err(), Some(LinkFault::Busy));
    assert_eq!(link.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
    world.stop().await;
}

#[tokio::test]
async fn stopping_lets_a_request_finish_and_then_says_goodbye() {
    let world = World::open();
    let dialer = world.dialer("st-olav").await;
    let link = Arc::new(dialer.connect(&hello()).await.unwrap());
    let asking = link.clone();
    let held = tokio::spawn(async move { asking.request(&waiting_poll(), PATIENCE).await });
    world.roster.waiting.notified().await;
    let roster = world.roster.clone();
    let stopping = tokio::spawn(world.stop());
    roster.gate.notify_one();
    assert_eq!(held.await.unwrap(), Ok(NodeReply::Jobs(Vec::new())));
    stopping.await.unwrap();
    assert_eq!(link.closed().await, LinkFault::Lost);
}

#[tokio::test]
async fn a_node_returns_after_its_connection_went() {
    let world = World::open();
    let dialer = world.dialer("st-olav").await;
    let link = dialer.connect(&hello()).await.unwrap();
    drop(link);
    let again = dialer.connect_patiently(hello, |_, _| {}).await.unwrap();
    assert_eq!(again.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
    world.stop().await;
}

#[tokio::test]
async fn a_coordinator_of_another_ca_or_with_old_papers_hears_nothing() {
    let world = World::open();
    let stranger = World::open();
    let (_folder, identity) = world.enrol("st-olav").await;
    let dialer = Dialer::new(stranger.address.clone(), Arc::new(identity));
    let fault = dialer.connect(&hello()).await.err().unwrap();
    assert!(
        matches!(&fault, LinkFault::Intercepted { issuer } if issuer.contains("Test consortium")),
        "{fault:?}"
    );
    assert_eq!(
        fault.to_fault(&stranger.address).code,
        Code::WrongCoordinator
    );
    assert_eq!(stranger.node_requests(), 0);

    let year = 365 * 86_400;
    let made = coordinator::link::system_now().plus_seconds(-year);
    let old = World::open_at(made, Limits::default());
    let token = old
        .roster
        .invite("st-olav", old.address.clone())
        .to_string();
    let folder = tempfile::tempdir().unwrap();
    let dir = node::link::IdentityDir::new(folder.path());
    let entropy = &mut node::link::SystemEntropy;
    let enrolment = node::link::Enrolment::prepare(&dir, &token, entropy).unwrap();
    let fault = enrolment.enrol().await.err().unwrap();
    assert_eq!(fault.code, Code::WrongCoordinator);
    assert!(fault.why.contains("expired"), "{fault}");
    for world in [world, stranger, old] {
        world.stop().await;
    }
}
