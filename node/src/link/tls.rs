//! The dialling side's TLS and QUIC settings, and the check of the coordinator's certificate:
//! by the consortium's root, known from disk or, at the first contact, by the fingerprint in the
//! invitation alone.
//!
//! From: `identity`, the invitation.
//! To: `dial`, `join`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use shared::identity::{Digest, SigningKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fault::{CertificateWhy, LinkFault};

/// Keeps the firewall's state alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A connection that says nothing ends after this, milliseconds.
const IDLE_MS: u32 = 60_000;
/// Bytes of one stream, and of the connection, that wait here unread.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// How the consortium's root is known.
#[derive(Clone, Debug)]
pub(super) enum Root {
    /// Its SHA-256, from the invitation; the server must send it along.
    Fingerprint(Digest),
    /// The certificate itself, DER.
    Certificate(Vec<u8>),
}

/// What the check of one handshake left behind.
#[derive(Clone, Debug, Default)]
struct Seen {
    root: Option<Vec<u8>>,
    fault: Option<LinkFault>,
}

/// Checks one coordinator certificate and remembers why it refused.
#[derive(Debug)]
pub(super) struct Verifier {
    root: Root,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

impl Verifier {
    /// A check against `root`, for one handshake.
    pub(super) fn new(root: Root) -> Arc<Self> {
        Arc::new(Self {
            root,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Why the certificate was refused, if it was.
    pub(super) fn fault(&self) -> Option<LinkFault> {
        self.seen().fault
    }

    /// The root certificate by which the handshake was accepted, DER.
    pub(super) fn root(&self) -> Option<Vec<u8>> {
        self.seen().root
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The root to check by: the known one, or the one in the chain that has the fingerprint.
    fn find_root(&self, chain: &[CertificateDer<'_>]) -> Option<CertificateDer<'static>> {
        match &self.root {
            Root::Certificate(der) => Some(CertificateDer::from(der.clone())),
            Root::Fingerprint(expected) => chain
                .iter()
                .find(|certificate| Digest::of(certificate) == *expected)
                .map(|certificate| certificate.clone().into_owned()),
        }
    }
}

/// Who issued a certificate, in words; whatever it says is only shown.
fn issuer_of(certificate: &[u8]) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return "unreadable".to_owned();
    };
    let name = parsed.issuer().to_string();
    let shown = name.chars().filter(|letter| !letter.is_control());
    shown.take(200).collect()
}

/// What a failed check means.
fn meaning(error: &Error, certificate: &[u8]) -> LinkFault {
    use CertificateError as Is;
    let Error::InvalidCertificate(problem) = error else {
        return LinkFault::CoordinatorCertificate {
            why: CertificateWhy::Unusable,
        };
    };
    if matches!(problem, Is::UnknownIssuer | Is::BadSignature) {
        return LinkFault::Intercepted {
            issuer: issuer_of(certificate),
        };
    }
    let why = if matches!(problem, Is::Expired | Is::ExpiredContext { .. }) {
        CertificateWhy::Expired
    } else if matches!(problem, Is::NotValidYet | Is::NotValidYetContext { .. }) {
        CertificateWhy::NotYetValid
    } else if matches!(
        problem,
        Is::NotValidForName | Is::NotValidForNameContext { .. }
    ) {
        CertificateWhy::OtherName
    } else {
        CertificateWhy::Unusable
    };
    LinkFault::CoordinatorCertificate { why }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(root) = self.find_root(intermediates) else {
            let issuer = issuer_of(end_entity);
            self.note(|seen| seen.fault = Some(LinkFault::Intercepted { issuer }));
            return Err(CertificateError::UnknownIssuer.into());
        };
        let checked = check(
            &self.provider,
            &root,
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match &checked {
            Ok(_) => self.note(|seen| seen.root = Some(root.to_vec())),
            Err(error) => {
                let fault = meaning(error, end_entity);
                self.note(|seen| seen.fault = Some(fault));
            }
        }
        checked
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The ordinary check of names, dates, purpose and signatures, with `root` as the only anchor.
fn check(
    provider: &Arc<CryptoProvider>,
    root: &CertificateDer<'static>,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    ocsp_response: &[u8],
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))?
        .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
}

fn local(error: &dyn std::fmt::Display) -> LinkFault {
    LinkFault::Local {
        why: error.to_string(),
    }
}

/// What the dialling side speaks: one application protocol, our certificate if there is one.
pub(super) fn client_config(
    verifier: Arc<Verifier>,
    alpn: &[u8],
    identity: Option<(&[u8], &SigningKey)>,
) -> Result<quinn::ClientConfig, LinkFault> {
    let builder = rustls::ClientConfig::builder_with_provider(verifier.provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| local(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut tls = match identity {
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from(certificate.to_vec())];
            let key = PrivatePkcs8KeyDer::from(key.to_pkcs8());
            builder
                .with_client_auth_cert(chain, key.into())
                .map_err(|error| local(&error))?
        }
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| local(&error))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

/// The coordinator opens no streams and sends no datagrams.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE));
    transport
}
