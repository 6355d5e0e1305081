//! The QUIC listener (RFC 9000): admits connections, decides what each may say, hands requests
//! over and sends the replies. One bidirectional stream per request.
//!
//! A peer without a certificate may negotiate `fedval-join/1` only, and say only what
//! `JoinRequest` can say. A peer on `fedval/1` has shown a certificate of the consortium's CA,
//! is asked for at the roster before each request, and must begin with `Hello`. Whoever does
//! otherwise is closed with a code and gets no byte of application data.
//!
//! From: UDP.
//! To: [`Handler`], which the roster, dispatch and intake stand behind.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream, VarInt};
use rustls::pki_types::CertificateDer;
use shared::fault::{Code, Fault};
use shared::identity::Serial;
use shared::study::{SiteSlug, Timestamp};
use shared::wire::message::{WIRE_VERSION_MAX, WIRE_VERSION_MIN};
use shared::wire::{
    ALPN_JOIN, ALPN_NODE, Close, JoinReply, JoinRequest, Message, NodeReply, NodeRequest, Refusal,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ca::{ServerIdentity, name_of};
use super::registry::{Peer, Registry, close};
use super::stream::{StreamFault, read, write};
use super::{system_now, tls};

/// From this many open connections on, a peer must prove its address before a handshake.
const RETRY_FROM: usize = 32;
/// A joining connection is closed after this: its requests are short.
const JOIN_LIFETIME: Duration = Duration::from_secs(60);
/// What open requests get to finish when the coordinator stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What stands behind the listener.
pub trait Handler: Send + Sync + 'static {
    /// May this certificate speak now? Asked when a connection opens and before each request,
    /// so it must answer at once, from memory or a local table.
    ///
    /// # Errors
    /// Any [`Refusal`]; the connection is closed with [`Close::CertificateRefused`].
    fn may_connect(&self, site: &SiteSlug, serial: &Serial) -> Result<(), Refusal>;

    /// Answers a process that has no certificate yet.
    fn join(
        &self,
        remote: SocketAddr,
        request: JoinRequest,
    ) -> impl Future<Output = JoinReply> + Send;

    /// Answers an enrolled node. `Hello` comes here too, first on its connection and with a
    /// common wire version; the answer to it is `HelloAck` or `Refused`. The future is dropped
    /// when the connection ends: whatever must not be half done belongs in one step.
    fn node(&self, peer: &Peer, request: NodeRequest) -> impl Future<Output = NodeReply> + Send;

    /// The coordinator stops: held requests are to be answered now.
    fn stopping(&self) {}

    /// One of the peer's connections has ended.
    fn gone(&self, peer: &Peer) {
        let _ = peer;
    }
}

/// How much the listener takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections altogether, handshakes included; default 512, about 20 MB.
    pub connections_total: usize,
    /// Connections of one certificate; the oldest gives way. Default 2.
    pub connections_per_certificate: usize,
    /// Connections of joining processes; default 16.
    pub joining_total: usize,
    /// A handshake takes at most this long; default 10 s.
    pub handshake_timeout: Duration,
    /// A request must have arrived within this, and its reply have been taken; default 120 s.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_total: 512,
            connections_per_certificate: 2,
            joining_total: 16,
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(120),
        }
    }
}

/// The bound listener; [`Server::serve`] makes it answer.
pub struct Server {
    endpoint: Endpoint,
    registry: Registry,
    limits: Limits,
}

/// Acts on a listener that is serving.
#[derive(Clone)]
pub struct ServerHandle {
    endpoint: Endpoint,
    registry: Registry,
}

impl ServerHandle {
    /// Closes the connections of a revoked or superseded certificate; how many they were.
    pub fn close_serial(&self, serial: &Serial) -> usize {
        self.registry.close_where(|peer| peer.serial == *serial)
    }

    /// Closes every connection of a site; how many they were.
    pub fn close_site(&self, site: &SiteSlug) -> usize {
        self.registry.close_where(|peer| peer.site == *site)
    }

    /// Who is connected now, in the order they came.
    pub fn connected(&self) -> Vec<Peer> {
        self.registry.peers()
    }

    /// Shows new peers another server certificate; open connections stay.
    ///
    /// # Errors
    /// [`Code::Internal`] when the certificate is not usable.
    pub fn renew_identity(&self, identity: &ServerIdentity, ca: &[u8]) -> Result<(), Fault> {
        let config = tls::server_config(identity, ca)?;
        self.endpoint.set_server_config(Some(config));
        Ok(())
    }
}

impl Server {
    /// Binds a UDP socket; must be called inside a tokio runtime. `ca` is the consortium's root
    /// certificate, DER.
    ///
    /// # Errors
    /// [`Code::AddressInvalid`] when the socket cannot be bound.
    pub fn bind(
        listen: SocketAddr,
        identity: &ServerIdentity,
        ca: &[u8],
        limits: Limits,
    ) -> Result<Self, Fault> {
        let config = tls::server_config(identity, ca)?;
        let endpoint = Endpoint::server(config, listen).map_err(|error| unbound(listen, &error))?;
        Ok(Self {
            endpoint,
            registry: Registry::default(),
            limits,
        })
    }

    /// As [`Server::bind`], for a server that remembers `secret` across restarts: a peer whose
    /// connection was with the process before is told so with its next packet (RFC 9000, 10.3)
    /// instead of waiting for a reply that will not come.
    ///
    /// # Errors
    /// [`Code::AddressInvalid`] when the socket cannot be bound.
    pub fn bind_again(
        listen: SocketAddr,
        identity: &ServerIdentity,
        ca: &[u8],
        limits: Limits,
        secret: &[u8; 32],
    ) -> Result<Self, Fault> {
        let config = tls::server_config(identity, ca)?;
        let socket = std::net::UdpSocket::bind(listen).map_err(|error| unbound(listen, &error))?;
        let remembered = tls::endpoint_config(secret);
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(remembered, Some(config), socket, runtime)
            .map_err(|error| unbound(listen, &error))?;
        Ok(Self {
            endpoint,
            registry: Registry::default(),
            limits,
        })
    }

    /// The bound address; with port 0 this tells the port.
    ///
    /// # Errors
    /// [`Code::Internal`] when the system does not say.
    pub fn local_addr(&self) -> Result<SocketAddr, Fault> {
        self.endpoint
            .local_addr()
            .map_err(|error| Fault::internal(format!("no local address: {error}")))
    }

    /// For whoever revokes, renews or lists.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            endpoint: self.endpoint.clone(),
            registry: self.registry.clone(),
        }
    }

    /// Answers until `stop` completes; then takes no new connection or request, gives the open
    /// ones two seconds, closes every connection and returns.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, stop: impl Future<Output = ()> + Send) {
        let (stopping, stopped) = watch::channel(false);
        let host = Arc::new(Host {
            handler,
            registry: self.registry,
            limits: self.limits,
            joining: AtomicUsize::new(0),
            stopped,
        });
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => {
                        let open = connections.len();
                        if let Some(incoming) = admit(incoming, open, &host.limits) {
                            connections.spawn(host.clone().meet(incoming));
                        }
                    }
                    None => break,
                },
            }
        }
        self.endpoint.set_server_config(None);
        stopping.send_replace(true);
        host.handler.stopping();
        let finished = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(STOP_GRACE * 2, finished).await;
        self.endpoint
            .close(VarInt::from_u32(Close::Done.code()), b"");
        let _ = timeout(STOP_GRACE, self.endpoint.wait_idle()).await;
    }
}

fn unbound(listen: SocketAddr, error: &std::io::Error) -> Fault {
    Fault::new(
        Code::AddressInvalid,
        format!("cannot listen on UDP {listen}"),
        error.to_string(),
        "choose an address of this machine and a free port; ports below 1024 need a right",
    )
}

/// Refuses, asks for proof of address, or lets a handshake begin.
fn admit(incoming: Incoming, open: usize, limits: &Limits) -> Option<Incoming> {
    if open >= limits.connections_total {
        incoming.refuse();
        return None;
    }
    if open >= RETRY_FROM && !incoming.remote_address_validated() && incoming.may_retry() {
        if let Err(error) = incoming.retry() {
            error.into_incoming().refuse();
        }
        return None;
    }
    Some(incoming)
}

/// Why a conversation ends from this side.
type End = Close;

/// What every connection's task shares.
struct Host<H> {
    handler: Arc<H>,
    registry: Registry,
    limits: Limits,
    joining: AtomicUsize,
    stopped: watch::Receiver<bool>,
}

/// Who the peer of a connection is, by what TLS has checked.
enum Standing {
    Joining,
    Enrolled(Peer, Timestamp),
}

/// Decides by protocol and certificate, before any stream is read.
fn standing(connection: &Connection) -> Result<Standing, End> {
    let protocol = connection
        .handshake_data()
        .and_then(|data| data.downcast::<HandshakeData>().ok())
        .and_then(|data| data.protocol);
    let chain = connection
        .peer_identity()
        .and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    match protocol.as_deref() {
        Some(ALPN_JOIN) => Ok(Standing::Joining),
        Some(ALPN_NODE) => {
            let chain = chain.ok_or(Close::CertificateMissing)?;
            let leaf = chain.first().ok_or(Close::CertificateMissing)?;
            let named = name_of(leaf).ok_or(Close::CertificateRefused)?;
            let peer = Peer {
                site: named.site,
                serial: named.serial,
                remote: connection.remote_address(),
            };
            Ok(Standing::Enrolled(peer, named.not_after))
        }
        Some(_) | None => Err(Close::Misbehaved),
    }
}

impl<H: Handler> Host<H> {
    /// A connection from handshake to end.
    async fn meet(self: Arc<Self>, incoming: Incoming) {
        let Ok(connecting) = incoming.accept() else {
            return;
        };
        let remote = connecting.remote_address();
        let connection = match timeout(self.limits.handshake_timeout, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::info!(%remote, %error, "handshake refused");
                return;
            }
            Err(_) => return,
        };
        let end = match standing(&connection) {
            Ok(Standing::Joining) => self.clone().welcome(&connection).await,
            Ok(Standing::Enrolled(peer, until)) => {
                self.clone().converse(&connection, peer, until).await
            }
            Err(end) => end,
        };
        if end != Close::Done {
            tracing::info!(%remote, ?end, "connection closed");
        }
        close(&connection, end);
    }

    /// Speaks with a joining process; at most `joining_total` at a time.
    async fn welcome(self: Arc<Self>, connection: &Connection) -> End {
        let end = if self.joining.fetch_add(1, Ordering::AcqRel) < self.limits.joining_total {
            let host = self.clone();
            let remote = connection.remote_address();
            let answers = self.clone().answers(connection, move |send, recv| {
                let host = host.clone();
                async move {
                    let answer = async |request| Ok(host.handler.join(remote, request).await);
                    host.answer(send, recv, answer).await
                }
            });
            timeout(JOIN_LIFETIME, answers).await.unwrap_or(Close::Done)
        } else {
            Close::Busy
        };
        self.joining.fetch_sub(1, Ordering::AcqRel);
        end
    }

    /// Speaks with an enrolled node.
    async fn converse(
        self: Arc<Self>,
        connection: &Connection,
        peer: Peer,
        until: Timestamp,
    ) -> End {
        // Entered before it is asked for: a revocation in between finds it in the list.
        let most = self.limits.connections_per_certificate;
        let _place = self.registry.enter(peer.clone(), connection.clone(), most);
        let known = Arc::new(Known { peer, until });
        let end = match self.hello(connection, &known).await {
            Ok(()) => {
                let host = self.clone();
                let known = known.clone();
                let answers = self.clone().answers(connection, move |send, recv| {
                    let (host, known) = (host.clone(), known.clone());
                    async move {
                        let answer = async |request| host.ask(&known, request).await;
                        host.answer(send, recv, answer).await
                    }
                });
                answers.await
            }
            Err(end) => end,
        };
        self.handler.gone(&known.peer);
        end
    }

    /// Certificate still valid, still on the roster.
    fn check(&self, known: &Known) -> Result<(), End> {
        if system_now() > known.until {
            return Err(Close::CertificateRefused);
        }
        self.handler
            .may_connect(&known.peer.site, &known.peer.serial)
            .map_err(|_| Close::CertificateRefused)
    }

    async fn ask(&self, known: &Known, request: NodeRequest) -> Result<NodeReply, End> {
        self.check(known)?;
        Ok(self.handler.node(&known.peer, request).await)
    }

    /// The first stream must say `Hello`; nothing else is read before it is acknowledged.
    async fn hello(&self, connection: &Connection, known: &Known) -> Result<(), End> {
        self.check(known)?;
        let limit = self.limits.request_timeout;
        let accepted = timeout(limit, connection.accept_bi()).await;
        let Ok(Ok((mut send, mut recv))) = accepted else {
            return Err(Close::Done);
        };
        let Some(request) = self.take::<NodeRequest>(&mut recv).await? else {
            return Err(Close::Done);
        };
        let NodeRequest::Hello {
            version_min,
            version_max,
            ..
        } = &request
        else {
            return Err(Close::Misbehaved);
        };
        let common = *version_min <= WIRE_VERSION_MAX && *version_max >= WIRE_VERSION_MIN;
        let reply = if common {
            self.ask(known, request).await?
        } else {
            NodeReply::Refused(Refusal::VersionUnsupported)
        };
        self.give(&mut send, &reply).await?;
        if matches!(reply, NodeReply::HelloAck { .. }) {
            Ok(())
        } else {
            Err(Close::Done)
        }
    }

    /// Takes streams until the connection ends, the peer misbehaves or the coordinator stops;
    /// each is answered in its own task, and all end with the connection.
    async fn answers<F, Fut>(self: Arc<Self>, connection: &Connection, answer: F) -> End
    where
        F: Fn(SendStream, RecvStream) -> Fut,
        Fut: Future<Output = Result<(), End>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(done) = tasks.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(end)) => return end,
                    Err(_) => return Close::Busy,
                },
                accepted = connection.accept_bi() => match accepted {
                    Ok((send, recv)) => {
                        tasks.spawn(answer(send, recv));
                    }
                    Err(_) => return Close::Done,
                },
            }
        }
        let finish = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(STOP_GRACE, finish).await;
        Close::Done
    }

    /// One request and its reply. Without a reply the stream is reset: dropping it would end it
    /// as if an empty reply had been meant.
    async fn answer<Q: Message, R: Message>(
        &self,
        mut send: SendStream,
        mut recv: RecvStream,
        reply_to: impl AsyncFnOnce(Q) -> Result<R, End>,
    ) -> Result<(), End> {
        let reply = match self.take::<Q>(&mut recv).await {
            Ok(Some(request)) => reply_to(request).await.map(Some),
            Ok(None) => Ok(None),
            Err(end) => Err(end),
        };
        let unanswered = match reply {
            Ok(Some(reply)) => return self.give(&mut send, &reply).await,
            Ok(None) => Ok(()),
            Err(end) => Err(end),
        };
        let _ = send.reset(VarInt::from_u32(Close::Done.code()));
        unanswered
    }

    /// Reads a request in time; `None` when the peer took it back.
    async fn take<M: Message>(&self, recv: &mut RecvStream) -> Result<Option<M>, End> {
        match timeout(self.limits.request_timeout, read(recv)).await {
            Ok(Ok(message)) => Ok(Some(message)),
            Ok(Err(StreamFault::Misbehaved(fault))) => {
                tracing::warn!(%fault, "a peer broke the protocol");
                Err(Close::Misbehaved)
            }
            Ok(Err(StreamFault::Gone)) => Ok(None),
            Err(_) => Err(Close::Misbehaved),
        }
    }

    /// Sends a reply in time and waits until the peer has it, so that a connection that is
    /// closed afterwards does not take the reply with it.
    async fn give<M: Message>(&self, send: &mut SendStream, reply: &M) -> Result<(), End> {
        let sent = async {
            write(send, reply).await?;
            let _ = send.stopped().await;
            Ok(())
        };
        match timeout(self.limits.request_timeout, sent).await {
            // A peer may take back its request while the reply is under way.
            Ok(Ok(()) | Err(StreamFault::Gone)) => Ok(()),
            Ok(Err(StreamFault::Misbehaved(fault))) => {
                tracing::error!(%fault, "a reply of ours exceeds a bound");
                Err(Close::Busy)
            }
            Err(_) => Err(Close::Misbehaved),
        }
    }
}

/// An enrolled peer and the end of its certificate.
struct Known {
    peer: Peer,
    until: Timestamp,
}
