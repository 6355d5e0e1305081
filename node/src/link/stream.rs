//! A dialled connection and one question with its answer on a stream of their own.
//!
//! From: `dial`, `join`.
//! To: the codec in `shared::wire`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    Connection, Endpoint, ReadError, ReadExactError, ReadToEndError, RecvStream, WriteError,
};
use shared::identity::{Address, SigningKey};
use shared::wire::codec::{decode, encode, expect_header};
use shared::wire::frame::{FrameFault, HEADER_BYTES};
use shared::wire::{CodecFault, Message};
use tokio::time::timeout;

use super::fault::LinkFault;
use super::tls::{Verifier, client_config};

/// One address of the coordinator gets this long to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The reason for a close follows the end of a stream within this.
const CLOSING: Duration = Duration::from_secs(1);

/// A connection with the socket it lives on.
pub(super) struct Line {
    pub(super) connection: Connection,
    endpoint: Endpoint,
}

/// Tries each IP address of `address` in turn; the first that answers at all decides.
pub(super) async fn dial(
    address: &Address,
    alpn: &[u8],
    verifier: &Arc<Verifier>,
    identity: Option<(&[u8], &SigningKey)>,
) -> Result<Line, LinkFault> {
    let config = client_config(verifier.clone(), alpn, identity)?;
    let looked_up = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    let targets: Vec<SocketAddr> = looked_up
        .map_err(|error| LinkFault::Unreachable {
            why: format!("{} cannot be looked up: {error}", address.host),
        })?
        .collect();
    let mut tried = Vec::new();
    for target in targets {
        let any: SocketAddr = if target.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let local = |error: &dyn std::fmt::Display| LinkFault::Local {
            why: error.to_string(),
        };
        let endpoint = Endpoint::client(any).map_err(|error| local(&error))?;
        let connecting = endpoint
            .connect_with(config.clone(), target, &address.host)
            .map_err(|error| local(&error))?;
        match timeout(HANDSHAKE, connecting).await {
            Ok(Ok(connection)) => {
                return Ok(Line {
                    connection,
                    endpoint,
                });
            }
            Ok(Err(quinn::ConnectionError::TimedOut)) | Err(_) => tried.push(target.to_string()),
            Ok(Err(error)) => return Err(verifier.fault().unwrap_or_else(|| error.into())),
        }
    }
    Err(LinkFault::Unreachable {
        why: format!(
            "UDP packets leave for {}, nothing returns",
            tried.join(", ")
        ),
    })
}

impl Line {
    /// Sends `question` on a stream of its own and reads the one answer.
    pub(super) async fn ask<Q: Message, R: Message>(
        &self,
        question: &Q,
        patience: Duration,
    ) -> Result<R, LinkFault> {
        let frame = encode(question)?;
        let exchange = async {
            let (mut send, mut recv) = self.connection.open_bi().await?;
            // A coordinator that refuses the frame may answer before it has read it all, or
            // close: both show when the answer is read.
            match send.write_all(&frame).await {
                Ok(()) => {
                    let _ = send.finish();
                }
                Err(WriteError::ConnectionLost(error)) => return Err(error.into()),
                Err(_) => {}
            }
            self.read(&mut recv).await
        };
        timeout(patience, exchange)
            .await
            .unwrap_or(Err(LinkFault::TimedOut))
    }

    async fn read<R: Message>(&self, recv: &mut RecvStream) -> Result<R, LinkFault> {
        let mut frame = vec![0; HEADER_BYTES];
        match recv.read_exact(&mut frame).await {
            Ok(()) => {}
            Err(ReadExactError::FinishedEarly(_)) => {
                let cut = CodecFault::Frame(FrameFault::Truncated).into();
                return Err(self.reason_or(cut).await);
            }
            Err(ReadExactError::ReadError(error)) => {
                return Err(self.reason_or(lost(error)).await);
            }
        }
        let header = expect_header::<R>(&frame)?;
        match recv.read_to_end(header.frame_bytes() - HEADER_BYTES).await {
            Ok(body) => frame.extend_from_slice(&body),
            Err(ReadToEndError::TooLong) => {
                return Err(CodecFault::Frame(FrameFault::Trailing).into());
            }
            Err(ReadToEndError::Read(error)) => {
                return Err(self.reason_or(lost(error)).await);
            }
        }
        Ok(decode(&frame)?)
    }

    /// A stream that ends without an answer is mostly one whose connection is being closed: the
    /// reason for that says more than the stream.
    async fn reason_or(&self, otherwise: LinkFault) -> LinkFault {
        match timeout(CLOSING, self.connection.closed()).await {
            Ok(error) => error.into(),
            Err(_) => otherwise,
        }
    }

    /// Says goodbye and waits, shortly, until it is said.
    pub(super) async fn hang_up(self) {
        let done = quinn::VarInt::from_u32(shared::wire::Close::Done.code());
        self.connection.close(done, b"");
        let _ = timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}

fn lost(error: ReadError) -> LinkFault {
    match error {
        ReadError::ConnectionLost(error) => error.into(),
        ReadError::Reset(_)
        | ReadError::ClosedStream
        | ReadError::IllegalOrderedRead
        | ReadError::ZeroRttRejected => LinkFault::Lost,
    }
}
