//! Peers that mean harm, or are broken. Each gets no byte of application data, its request
//! reaches nobody, and an honest peer is served meanwhile and afterwards.
//!
//! From: `world`, raw QUIC.
//! To: nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use node::link::Link;
use quinn::{Connection, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use shared::identity::SigningKey;
use shared::wire::codec::encode;
use shared::wire::frame::{Header, Kind};
use shared::wire::{ALPN_JOIN, ALPN_NODE, Close, JoinRequest, NodeReply};
use tokio::time::timeout;

use crate::world::{World, beat, hello, key, rcgen_key, request_for};

const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate chain to show, with its key.
type Papers = Option<(Vec<u8>, SigningKey)>;

/// A raw QUIC client that trusts the coordinator and shows `papers`.
struct Raw {
    endpoint: Endpoint,
    config: quinn::ClientConfig,
}

impl Raw {
    fn new(world: &World, alpn: &[u8], papers: Papers) -> Self {
        let mut roots = RootCertStore::empty();
        let root = world.roster.ca.certificate_der().to_vec();
        roots.add(CertificateDer::from(root)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut tls = match papers {
            Some((der, key)) => {
                let key = PrivatePkcs8KeyDer::from(key.to_pkcs8());
                let chain = vec![CertificateDer::from(der)];
                builder.with_client_auth_cert(chain, key.into()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = vec![alpn.to_vec()];
        tls.enable_early_data = true;
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
        Self {
            endpoint: Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap(),
            config: quinn::ClientConfig::new(Arc::new(crypto)),
        }
    }

    async fn connect(&self, world: &World) -> Result<Connection, quinn::ConnectionError> {
        let config = self.config.clone();
        let connecting = self
            .endpoint
            .connect_with(config, world.socket, "127.0.0.1");
        timeout(PATIENCE, connecting.unwrap()).await.unwrap()
    }
}

/// What a hostile peer got to see.
#[derive(Debug)]
struct Seen {
    bytes: usize,
    close: Option<Close>,
    alert: Option<u64>,
}

fn seen(bytes: usize, error: quinn::ConnectionError) -> Seen {
    let (mut close, mut alert) = (None, None);
    match error {
        quinn::ConnectionError::ApplicationClosed(end) => {
            close = Close::from_code(end.error_code.into_inner());
        }
        quinn::ConnectionError::ConnectionClosed(end) => alert = Some(end.error_code.into()),
        other => panic!("expected to be closed by the coordinator, got {other}"),
    }
    Seen {
        bytes,
        close,
        alert,
    }
}

/// Connects, sends `payload` as one whole stream, reads whatever comes until the end.
async fn say(world: &World, alpn: &[u8], papers: Papers, payload: &[u8]) -> Seen {
    let raw = Raw::new(world, alpn, papers);
    let connection = match raw.connect(world).await {
        Ok(connection) => connection,
        Err(error) => return seen(0, error),
    };
    let talk = async {
        let mut bytes = 0;
        if let Ok((mut send, mut recv)) = connection.open_bi().await {
            let _ = send.write_all(payload).await;
            let _ = send.finish();
            while let Ok(Some(chunk)) = recv.read_chunk(usize::MAX, true).await {
                bytes += chunk.bytes.len();
            }
        }
        bytes
    };
    let bytes = timeout(PATIENCE, talk).await.unwrap();
    let error = timeout(PATIENCE, connection.closed()).await.unwrap();
    seen(bytes, error)
}

/// An honest node that stays connected all through.
async fn honest(world: &World) -> Link {
    world
        .dialer("honest")
        .await
        .connect(&hello())
        .await
        .unwrap()
}

/// Nothing but `expected` reached the roster, and the honest peer is served.
async fn still_works(world: &World, link: &Link, expected: usize) {
    assert_eq!(world.node_requests(), expected);
    assert_eq!(link.request(&beat(), PATIENCE).await, Ok(NodeReply::Ack));
    assert_eq!(world.node_requests(), expected + 1);
}

/// A certificate of this consortium that is valid now.
fn valid(world: &World, site: &str) -> (Vec<u8>, SigningKey) {
    let key = key();
    let now = coordinator::link::system_now();
    let issued = world.certificate(site, &key, now.plus_seconds(-60), now.plus_seconds(3600));
    (issued.der, key)
}

/// TLS alerts (RFC 8446, section 6) as QUIC close codes.
const BAD_CERTIFICATE: u64 = 0x12a;
const UNSUPPORTED_CERTIFICATE: u64 = 0x12b;
const CERTIFICATE_EXPIRED: u64 = 0x12d;
const UNKNOWN_CA: u64 = 0x130;
const DECRYPT_ERROR: u64 = 0x133;
const NO_APPLICATION_PROTOCOL: u64 = 0x178;

#[tokio::test]
async fn certificates_that_tls_refuses() {
    let world = World::open();
    let foreign = World::open();
    let link = honest(&world).await;
    let now = coordinator::link::system_now();
    let key = key();
    let dated = |from, to| {
        let (from, to) = (now.plus_seconds(from), now.plus_seconds(to));
        world.certificate("st-olav", &key, from, to).der
    };
    let mut self_signed = rcgen::CertificateParams::default();
    self_signed.subject_alt_names = vec![rcgen::SanType::URI(
        "fedval://site/st-olav".try_into().unwrap(),
    )];
    let self_signed = self_signed.self_signed(&rcgen_key(&key)).unwrap();
    let cases: [(&str, Vec<u8>, &[u64]); 5] = [
        (
            "expired a second ago",
            dated(-3600, -1),
            &[CERTIFICATE_EXPIRED],
        ),
        (
            "valid from tomorrow",
            dated(86_400, 2 * 86_400),
            &[CERTIFICATE_EXPIRED, BAD_CERTIFICATE],
        ),
        (
            "foreign CA of the same form",
            valid_of(&foreign, &key),
            &[UNKNOWN_CA, DECRYPT_ERROR, BAD_CERTIFICATE],
        ),
        (
            "self-signed",
            self_signed.der().to_vec(),
            &[UNKNOWN_CA, BAD_CERTIFICATE],
        ),
        (
            "the coordinator's own kind",
            server_certificate(&world, &key),
            &[UNSUPPORTED_CERTIFICATE, BAD_CERTIFICATE],
        ),
    ];
    for alpn in [ALPN_NODE, ALPN_JOIN] {
        for (name, der, alerts) in &cases {
            let papers = Some((der.clone(), key.clone()));
            let before = world.node_requests();
            let got = say(&world, alpn, papers, &encode(&hello()).unwrap()).await;
            assert_eq!(got.bytes, 0, "{name}");
            assert!(
                got.alert.is_some_and(|alert| alerts.contains(&alert)),
                "{name}: {got:x?}"
            );
            still_works(&world, &link, before).await;
        }
    }
    assert_eq!(world.roster.join_requests.load(Ordering::SeqCst), 2);
    world.stop().await;
    foreign.stop().await;
}

fn valid_of(world: &World, key: &SigningKey) -> Vec<u8> {
    let now = coordinator::link::system_now();
    let (from, to) = (now.plus_seconds(-60), now.plus_seconds(3600));
    world.certificate("st-olav", key, from, to).der
}

/// A server certificate of the right CA: same root, other purpose.
fn server_certificate(world: &World, key: &SigningKey) -> Vec<u8> {
    let root = CertificateDer::from(world.roster.ca.certificate_der().to_vec());
    let ca_key = rcgen_key(world.roster.ca.key());
    let issuer = rcgen::Issuer::from_ca_cert_der(&root, ca_key).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.signed_by(&rcgen_key(key), &issuer).unwrap();
    made.der().to_vec()
}

/// A client certificate of the right CA with other names than the CA writes.
fn oddly_named(world: &World, key: &SigningKey, names: Vec<rcgen::SanType>) -> Vec<u8> {
    let root = CertificateDer::from(world.roster.ca.certificate_der().to_vec());
    let ca_key = rcgen_key(world.roster.ca.key());
    let issuer = rcgen::Issuer::from_ca_cert_der(&root, ca_key).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let made = params.signed_by(&rcgen_key(key), &issuer).unwrap();
    made.der().to_vec()
}

#[tokio::test]
async fn certificates_that_the_coordinator_refuses() {
    let world = World::open();
    let link = honest(&world).await;
    let key = key();
    let greeting = encode(&hello()).unwrap();
    let uri = |text: &str| rcgen::SanType::URI(text.try_into().unwrap());
    let names = [
        vec![],
        vec![uri("fedval://site/")],
        vec![uri("fedval://site/St-Olav")],
        vec![uri("fedval://site/a/b")],
        vec![uri("https://site/st-olav")],
        vec![uri("fedval://site/a"), uri("fedval://site/b")],
        vec![rcgen::SanType::DnsName("*.example".try_into().unwrap())],
    ];
    for names in names {
        let label = format!("{names:?}");
        let der = oddly_named(&world, &key, names);
        let before = world.node_requests();
        let got = say(&world, ALPN_NODE, Some((der, key.clone())), &greeting).await;
        assert_eq!(
            (got.bytes, got.close),
            (0, Some(Close::CertificateRefused)),
            "{label}"
        );
        still_works(&world, &link, before).await;
    }

    let now = coordinator::link::system_now();
    let revoked = world.certificate("st-olav", &key, now, now.plus_seconds(3600));
    world.roster.revoked.lock().unwrap().insert(revoked.serial);
    let before = world.node_requests();
    let got = say(&world, ALPN_NODE, Some((revoked.der, key)), &greeting).await;
    assert_eq!((got.bytes, got.close), (0, Some(Close::CertificateRefused)));
    let got = say(&world, ALPN_NODE, None, &greeting).await;
    assert_eq!((got.bytes, got.close), (0, Some(Close::CertificateMissing)));
    still_works(&world, &link, before).await;
    world.stop().await;
}

#[tokio::test]
async fn protocols_are_not_mixed() {
    let world = World::open();
    let link = honest(&world).await;
    let before = world.node_requests();
    let joined = world.roster.join_requests.load(Ordering::SeqCst);
    let greeting = encode(&hello()).unwrap();
    let enrol = encode(&JoinRequest::Enrol {
        site: "st-olav".parse().unwrap(),
        secret: vec![0; 16],
        csr: request_for(&key()),
    })
    .unwrap();
    for alpn in [&b"h3"[..], b"fedval/2", b"fedval-join/2"] {
        let got = say(&world, alpn, None, &greeting).await;
        assert_eq!((got.bytes, got.alert), (0, Some(NO_APPLICATION_PROTOCOL)));
    }
    let asked = [
        (ALPN_JOIN, None, &greeting),
        (ALPN_JOIN, Some(valid(&world, "st-olav")), &greeting),
        (ALPN_NODE, Some(valid(&world, "st-olav")), &enrol),
    ];
    for (alpn, papers, payload) in asked {
        let got = say(&world, alpn, papers, payload).await;
        assert_eq!((got.bytes, got.close), (0, Some(Close::Misbehaved)));
    }
    assert_eq!(world.roster.join_requests.load(Ordering::SeqCst), joined);
    still_works(&world, &link, before).await;
    world.stop().await;
}

/// Streams that no honest peer sends first.
fn broken_streams() -> Vec<(&'static str, Vec<u8>)> {
    let greeting = encode(&hello()).unwrap();
    let header = |kind, length| Header {
        version: 1,
        kind,
        length,
    };
    let mut other_version = greeting.clone();
    other_version[5] = 9;
    let mut flipped = greeting.clone();
    flipped[12] ^= 0x40;
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![b'F']),
        ("half a header", greeting[..6].to_vec()),
        ("half a body", greeting[..greeting.len() - 1].to_vec()),
        ("a byte more", [greeting.as_slice(), &[0]].concat()),
        ("two frames", [greeting.as_slice(), &greeting].concat()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: coord\r\n\r\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("another version", other_version),
        ("a flipped bit", flipped),
        ("not a greeting", encode(&beat()).unwrap()),
        (
            "more than a control frame holds",
            header(Kind::NodeControl, 64 * 1024).to_bytes().to_vec(),
        ),
        (
            "more than any frame holds",
            header(Kind::NodeDocument, u32::MAX).to_bytes().to_vec(),
        ),
        ("a reply", header(Kind::ReplyControl, 1).to_bytes().to_vec()),
    ]
}

#[tokio::test]
async fn broken_frames_close_the_connection_without_an_answer() {
    let world = World::open();
    let link = honest(&world).await;
    let joined = world.roster.join_requests.load(Ordering::SeqCst);
    for (name, payload) in broken_streams() {
        for alpn in [ALPN_NODE, ALPN_JOIN] {
            let papers = (alpn == ALPN_NODE).then(|| valid(&world, "st-olav"));
            let before = world.node_requests();
            let got = say(&world, alpn, papers, &payload).await;
            assert_eq!(
                (got.bytes, got.close),
                (0, Some(Close::Misbehaved)),
                "{name}"
            );
            still_works(&world, &link, before).await;
        }
    }
    assert_eq!(world.roster.join_requests.load(Ordering::SeqCst), joined);
    world.stop().await;
}

#[tokio::test]
async fn an_oversize_frame_is_refused_before_its_body_is_sent() {
    let world = World::open();
    let link = honest(&world).await;
    let before = world.node_requests();
    let raw = Raw::new(&world, ALPN_NODE, Some(valid(&world, "st-olav")));
    let connection = raw.connect(&world).await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    let header = Header {
        version: 1,
        kind: Kind::NodeDocument,
        length: u32::MAX,
    };
    send.write_all(&header.to_bytes()).await.unwrap();
    // The stream stays open: only the header can have been the reason.
    let error = timeout(PATIENCE, connection.closed()).await.unwrap();
    assert_eq!(seen(0, error).close, Some(Close::Misbehaved));
    still_works(&world, &link, before).await;
    world.stop().await;
}

#[tokio::test]
async fn a_flood_of_streams_fills_sixteen_places_and_nobody_elses() {
    let world = World::open();
    let link = honest(&world).await;
    for (alpn, papers) in [
        (ALPN_NODE, Some(valid(&world, "st-olav"))),
        (ALPN_JOIN, None),
    ] {
        let before = world.node_requests();
        let raw = Raw::new(&world, alpn, papers);
        let connection = raw.connect(&world).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..16 {
            let (mut send, recv) = timeout(PATIENCE, connection.open_bi())
                .await
                .unwrap()
                .unwrap();
            send.write_all(b"FVAL").await.unwrap();
            held.push((send, recv));
        }
        let short = Duration::from_millis(200);
        assert!(
            timeout(short, connection.open_bi()).await.is_err(),
            "a 17th stream"
        );
        assert!(
            timeout(short, connection.open_uni()).await.is_err(),
            "a one-way stream"
        );
        assert!(
            connection.send_datagram(vec![0].into()).is_err(),
            "a datagram"
        );
        still_works(&world, &link, before).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn no_ticket_is_given_so_nothing_can_be_resumed() {
    let world = World::open();
    let raw = Raw::new(&world, ALPN_NODE, Some(valid(&world, "st-olav")));
    let connection = raw.connect(&world).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&encode(&hello()).unwrap()).await.unwrap();
    send.finish().unwrap();
    assert!(!recv.read_to_end(4096).await.unwrap().is_empty());
    let config = raw.config.clone();
    let again = raw
        .endpoint
        .connect_with(config, world.socket, "127.0.0.1")
        .unwrap();
    assert!(again.into_0rtt().is_err(), "early data was possible");
    world.stop().await;
}

#[tokio::test]
async fn a_dropped_request_does_not_end_the_conversation() {
    let world = World::open();
    let raw = Raw::new(&world, ALPN_NODE, Some(valid(&world, "st-olav")));
    let connection = raw.connect(&world).await.unwrap();
    let ask = async |payload: Vec<u8>| {
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(&payload).await.unwrap();
        send.finish().unwrap();
        recv.read_to_end(4096).await.unwrap()
    };
    assert!(!ask(encode(&hello()).unwrap()).await.is_empty());
    for _ in 0..64 {
        let (mut send, _recv) = timeout(PATIENCE, connection.open_bi())
            .await
            .unwrap()
            .unwrap();
        send.write_all(b"FVAL\x00\x01").await.unwrap();
        send.reset(quinn::VarInt::from_u32(0)).unwrap();
    }
    let answer = ask(encode(&beat()).unwrap()).await;
    assert_eq!(answer, encode(&NodeReply::Ack).unwrap());
    world.stop().await;
}
