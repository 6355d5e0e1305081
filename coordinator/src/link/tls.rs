//! The listener's TLS and QUIC settings: TLS 1.3 with ring and nothing else, no resumption (a
//! resumed session would not be checked again), no early data, small windows.
//!
//! From: `ca`.
//! To: `listen`.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, TransportConfig, VarInt,
};
use ring::hmac;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use shared::fault::Fault;
use shared::identity::Entropy as _;
use shared::wire::{ALPN_JOIN, ALPN_NODE};

use super::SystemEntropy;
use super::ca::ServerIdentity;

/// Streams that one enrolled peer may have open.
const NODE_STREAMS: u32 = 16;
/// Bytes of one stream that wait here unread.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes of one connection that wait here unread, and that wait here unsent.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// A connection that says nothing ends after this, milliseconds.
const IDLE_MS: u32 = 60_000;
/// Handshakes that wait to be looked at.
const INCOMING_MAX: usize = 256;
/// Bytes that one waiting handshake, and all of them, may hold.
const INCOMING_BYTES: u64 = 64 * 1024;
const INCOMING_BYTES_TOTAL: u64 = 8 * 1024 * 1024;

fn defect(error: &dyn std::fmt::Display) -> Fault {
    Fault::internal(format!("the listener's TLS could not be set up: {error}"))
}

/// What the listener speaks: both application protocols, client certificates checked when shown.
pub(super) fn server_config(
    identity: &ServerIdentity,
    ca: &[u8],
) -> Result<quinn::ServerConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(ca.to_vec()))
        .map_err(|error| defect(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| defect(&error))?;
    let key = PrivatePkcs8KeyDer::from(identity.key.to_pkcs8());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| defect(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), key.into())
        .map_err(|error| defect(&error))?;
    tls.alpn_protocols = vec![ALPN_NODE.to_vec(), ALPN_JOIN.to_vec()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| defect(&error))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport()))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    Ok(config)
}

/// The listener sends no keep-alives: the node does, from inside its firewall, so that a peer
/// that has gone is noticed after [`IDLE_MS`].
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(NODE_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(None::<Duration>);
    transport
}

/// Reset tokens that follow from `secret`, so that the next process of this server can end
/// connections of this one. Ids are not recognised: any packet of an unknown connection gets a
/// reset, which is shorter than the packet and which only the true peer believes.
pub(super) fn endpoint_config(secret: &[u8; 32]) -> EndpointConfig {
    let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
    let mut config = EndpointConfig::new(key);
    config.cid_generator(|| Box::new(RandomIds { made: 0 }));
    config
}

/// Connection ids of 8 random bytes.
struct RandomIds {
    made: u64,
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        // Without randomness they at least differ; handshakes fail then anyway.
        self.made = self.made.wrapping_add(1);
        let mut bytes = self.made.to_be_bytes();
        let _ = SystemEntropy.fill(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
