//! Messages to frames and back; the one module that names bincode (2.0.1, standard
//! configuration: little-endian, variable-length integers). bincode by itself accepts several
//! encodings of one value and lengths that its input cannot hold; here a decode is limited,
//! must use every byte, must re-encode to the same bytes and must keep the messages' own bounds.
//!
//! From: `message`, frames that arrived.
//! To: `node::link`, `coordinator::link`.

use bincode::config;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{CONTROL_FRAME_MAX, DOCUMENT_FRAME_MAX, FrameFault, Header, Kind, split};
use super::message::{
    JoinReply, JoinRequest, NodeReply, NodeRequest, WIRE_VERSION_CHECKPOINTS, WIRE_VERSION_MIN,
    WIRE_VERSION_STEPS,
};
use crate::identity::{Digest, PROOF_MAX};

/// Most jobs a node names as known in one poll.
pub const KNOWN_MAX: usize = 64;
/// Most jobs in one reply.
pub const JOBS_MAX: usize = 16;
/// Longest software version, bytes of printable ASCII.
pub const SOFTWARE_MAX: usize = 32;
/// Longest invitation secret, bytes.
pub const SECRET_MAX: usize = 64;
/// Largest certificate or certificate request, bytes of DER.
pub const CERTIFICATE_MAX: usize = 16 * 1024;
/// Most signers to pin in one reply.
pub const SIGNERS_MAX: usize = 8;
/// Largest key certificate, bytes of canonical JSON.
pub const SIGNER_MAX: usize = 2 * 1024;
/// Largest document, and largest sum of documents in one reply, bytes of canonical JSON.
pub const DOCUMENT_MAX: usize = DOCUMENT_FRAME_MAX - CONTROL_FRAME_MAX;
/// Largest checkpoint, bytes of canonical JSON.
pub const CHECKPOINT_MAX: usize = 4 * 1024;
/// Longest wait a node may ask for in a poll, milliseconds.
pub const WAIT_MAX_MS: u32 = 25_000;

/// Why a message cannot be framed or bytes are no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodecFault {
    /// The frame around the message is wrong.
    #[error(transparent)]
    Frame(#[from] FrameFault),
    /// A frame of a kind that has no place here.
    #[error("a frame of the kind {got:?} has no place here")]
    Unexpected {
        /// The frame's kind.
        got: Kind,
    },
    /// The body is no message of its kind.
    #[error("the body is not a message of its kind")]
    Body,
    /// The body is followed by bytes of no meaning.
    #[error("bytes follow the message")]
    Trailing,
    /// Another encoding of the same message than the one we write.
    #[error("the message is not encoded the one accepted way")]
    NotCanonical,
    /// A field exceeds its bound.
    #[error("{field} exceeds its bound")]
    Bound {
        /// The field.
        field: &'static str,
    },
}

mod sealed {
    /// Only the four messages travel.
    pub trait Sealed {}
    impl Sealed for super::JoinRequest {}
    impl Sealed for super::JoinReply {}
    impl Sealed for super::NodeRequest {}
    impl Sealed for super::NodeReply {}
}

/// What can be framed: the four message types and nothing else.
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {
    /// The kinds of frame that carry this type.
    const KINDS: &'static [Kind];

    /// The kind of frame that carries this message.
    fn kind(&self) -> Kind;

    /// The first wire version with this message; its frames carry this number, so that a peer
    /// of an older version still reads what it knows.
    fn version(&self) -> u16 {
        WIRE_VERSION_MIN
    }

    /// Checks every bound that the types do not hold.
    ///
    /// # Errors
    /// [`CodecFault::Bound`] names the first field beyond its bound.
    fn check(&self) -> Result<(), CodecFault>;
}

fn bound(holds: bool, field: &'static str) -> Result<(), CodecFault> {
    if holds {
        Ok(())
    } else {
        Err(CodecFault::Bound { field })
    }
}

fn bound_checkpoint(document: &[u8], proof: &[Digest]) -> Result<(), CodecFault> {
    bound(document.len() <= CHECKPOINT_MAX, "checkpoint")?;
    bound(proof.len() <= PROOF_MAX, "proof")
}

impl Message for JoinRequest {
    const KINDS: &'static [Kind] = &[Kind::JoinRequest];

    fn kind(&self) -> Kind {
        Kind::JoinRequest
    }

    fn check(&self) -> Result<(), CodecFault> {
        match self {
            Self::Enrol { secret, csr, .. } => {
                bound(secret.len() <= SECRET_MAX, "secret")?;
                bound(csr.len() <= CERTIFICATE_MAX, "csr")
            }
            Self::Collect { secret, .. } => bound(secret.len() <= SECRET_MAX, "secret"),
        }
    }
}

impl Message for JoinReply {
    const KINDS: &'static [Kind] = &[Kind::JoinReply];

    fn kind(&self) -> Kind {
        Kind::JoinReply
    }

    fn check(&self) -> Result<(), CodecFault> {
        match self {
            Self::Issued {
                certificate,
                ca,
                signers,
            } => {
                bound(certificate.len() <= CERTIFICATE_MAX, "certificate")?;
                bound(ca.len() <= CERTIFICATE_MAX, "ca")?;
                bound(signers.len() <= SIGNERS_MAX, "signers")?;
                let fits = signers.iter().all(|signer| signer.len() <= SIGNER_MAX);
                bound(fits, "signer")
            }
            Self::Pending | Self::Refused(_) => Ok(()),
        }
    }
}

impl Message for NodeRequest {
    const KINDS: &'static [Kind] = &[Kind::NodeControl, Kind::NodeDocument];

    fn kind(&self) -> Kind {
        match self {
            Self::Deliver { .. } => Kind::NodeDocument,
            Self::Hello { .. }
            | Self::Beat { .. }
            | Self::Poll { .. }
            | Self::FetchProtocol { .. }
            | Self::Progress { .. }
            | Self::Decline { .. }
            | Self::Renew { .. }
            | Self::NextStep { .. }
            | Self::DeclineStep { .. }
            | Self::FetchCheckpoint { .. }
            | Self::Checkpoint { .. } => Kind::NodeControl,
        }
    }

    fn version(&self) -> u16 {
        match self {
            Self::NextStep { .. } | Self::DeclineStep { .. } => WIRE_VERSION_STEPS,
            Self::FetchCheckpoint { .. } | Self::Checkpoint { .. } => WIRE_VERSION_CHECKPOINTS,
            Self::Hello { .. }
            | Self::Beat { .. }
            | Self::Poll { .. }
            | Self::FetchProtocol { .. }
            | Self::Progress { .. }
            | Self::Deliver { .. }
            | Self::Decline { .. }
            | Self::Renew { .. } => WIRE_VERSION_MIN,
        }
    }

    fn check(&self) -> Result<(), CodecFault> {
        match self {
            Self::Hello {
                version_min,
                version_max,
                software,
                ..
            } => {
                bound(version_min <= version_max, "version")?;
                let printable = software.bytes().all(|byte| (0x20..0x7f).contains(&byte));
                bound(printable && software.len() <= SOFTWARE_MAX, "software")
            }
            Self::Poll { wait_ms, known } => {
                bound(*wait_ms <= WAIT_MAX_MS, "wait_ms")?;
                bound(known.len() <= KNOWN_MAX, "known")
            }
            Self::Deliver { document, .. } => bound(document.len() <= DOCUMENT_MAX, "document"),
            Self::Renew { csr } => bound(csr.len() <= CERTIFICATE_MAX, "csr"),
            Self::NextStep { wait_ms, .. } => bound(*wait_ms <= WAIT_MAX_MS, "wait_ms"),
            Self::FetchCheckpoint { held } => bound_checkpoint(held, &[]),
            Self::Checkpoint {
                document, proof, ..
            } => bound_checkpoint(document, proof),
            Self::Beat { .. }
            | Self::FetchProtocol { .. }
            | Self::Progress { .. }
            | Self::Decline { .. }
            | Self::DeclineStep { .. } => Ok(()),
        }
    }
}

impl Message for NodeReply {
    const KINDS: &'static [Kind] = &[Kind::ReplyControl, Kind::ReplyDocument];

    fn kind(&self) -> Kind {
        match self {
            Self::Jobs(_) | Self::Protocol(_) | Self::Receipt { .. } | Self::Step(_) => {
                Kind::ReplyDocument
            }
            Self::HelloAck { .. }
            | Self::Ack
            | Self::Certificate(_)
            | Self::Refused(_)
            | Self::NoStep { .. }
            | Self::Checkpoint { .. } => Kind::ReplyControl,
        }
    }

    fn version(&self) -> u16 {
        match self {
            Self::Step(_) | Self::NoStep { .. } => WIRE_VERSION_STEPS,
            Self::Checkpoint { .. } => WIRE_VERSION_CHECKPOINTS,
            Self::HelloAck { .. }
            | Self::Ack
            | Self::Jobs(_)
            | Self::Protocol(_)
            | Self::Receipt { .. }
            | Self::Certificate(_)
            | Self::Refused(_) => WIRE_VERSION_MIN,
        }
    }

    fn check(&self) -> Result<(), CodecFault> {
        match self {
            Self::Jobs(jobs) => {
                bound(jobs.len() <= JOBS_MAX, "jobs")?;
                let bytes: usize = jobs.iter().map(|job| job.document.len()).sum();
                bound(bytes <= DOCUMENT_MAX, "jobs")
            }
            Self::Protocol(document) => bound(document.len() <= DOCUMENT_MAX, "protocol"),
            Self::Receipt { receipt, .. } => bound(receipt.len() <= DOCUMENT_MAX, "receipt"),
            Self::Certificate(der) => bound(der.len() <= CERTIFICATE_MAX, "certificate"),
            Self::Step(document) => bound(document.len() <= DOCUMENT_MAX, "step"),
            Self::Checkpoint { document, proof } => bound_checkpoint(document, proof),
            Self::HelloAck { .. } | Self::Ack | Self::Refused(_) | Self::NoStep { .. } => Ok(()),
        }
    }
}

/// The body's bytes; the only encoding that [`decode`] accepts.
fn body_of<M: Message>(message: &M) -> Result<Vec<u8>, CodecFault> {
    bincode::serde::encode_to_vec(message, config::standard()).map_err(|_| CodecFault::Body)
}

/// The whole frame of `message`.
///
/// # Errors
/// [`CodecFault`] when a field or the frame exceeds its bound: a peer would refuse it.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, CodecFault> {
    message.check()?;
    let body = body_of(message)?;
    let header = Header::new(message.version(), message.kind(), body.len())?;
    let mut frame = Vec::with_capacity(header.frame_bytes());
    frame.extend_from_slice(&header.to_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Reads a header and demands a kind that carries `M`; the links call this before they read a
/// body.
///
/// # Errors
/// [`CodecFault`] for a header that is wrong or of a kind that has no place here.
pub fn expect_header<M: Message>(bytes: &[u8]) -> Result<Header, CodecFault> {
    let header = Header::parse(bytes)?;
    if M::KINDS.contains(&header.kind) {
        Ok(header)
    } else {
        Err(CodecFault::Unexpected { got: header.kind })
    }
}

/// The message of a whole frame.
///
/// # Errors
/// [`CodecFault`] for anything but the exact bytes that [`encode`] writes for some message.
pub fn decode<M: Message>(frame: &[u8]) -> Result<M, CodecFault> {
    expect_header::<M>(frame)?;
    let (header, body) = split(frame)?;
    let (message, used): (M, usize) = if header.kind.frame_max() <= CONTROL_FRAME_MAX {
        let limited = config::standard().with_limit::<CONTROL_FRAME_MAX>();
        bincode::serde::decode_from_slice(body, limited)
    } else {
        let limited = config::standard().with_limit::<DOCUMENT_FRAME_MAX>();
        bincode::serde::decode_from_slice(body, limited)
    }
    .map_err(|_| CodecFault::Body)?;
    if used != body.len() {
        return Err(CodecFault::Trailing);
    }
    message.check()?;
    if message.kind() != header.kind {
        return Err(CodecFault::Unexpected { got: header.kind });
    }
    if message.version() != header.version {
        return Err(CodecFault::NotCanonical);
    }
    if body_of(&message)? != body {
        return Err(CodecFault::NotCanonical);
    }
    Ok(message)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
