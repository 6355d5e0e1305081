//! One request and one reply on a stream of their own.
//!
//! From: `listen`.
//! To: the codec in `shared::wire`.

use quinn::{ReadError, ReadExactError, ReadToEndError, RecvStream, SendStream};
use shared::wire::codec::{decode, encode, expect_header};
use shared::wire::frame::{FrameFault, HEADER_BYTES};
use shared::wire::{CodecFault, Message};

/// Why no request came out of a stream.
#[derive(Debug)]
pub(super) enum StreamFault {
    /// The peer broke the protocol.
    Misbehaved(CodecFault),
    /// The stream or the connection ended.
    Gone,
}

impl From<CodecFault> for StreamFault {
    fn from(fault: CodecFault) -> Self {
        Self::Misbehaved(fault)
    }
}

impl From<ReadError> for StreamFault {
    fn from(_: ReadError) -> Self {
        Self::Gone
    }
}

/// Reads the one message of a stream: the header first, so that a frame of a kind or length
/// that has no place here is refused before its body is awaited.
pub(super) async fn read<M: Message>(stream: &mut RecvStream) -> Result<M, StreamFault> {
    let mut frame = vec![0; HEADER_BYTES];
    match stream.read_exact(&mut frame).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(_)) => {
            return Err(CodecFault::Frame(FrameFault::Truncated).into());
        }
        Err(ReadExactError::ReadError(error)) => return Err(error.into()),
    }
    let header = expect_header::<M>(&frame)?;
    match stream
        .read_to_end(header.frame_bytes() - HEADER_BYTES)
        .await
    {
        Ok(body) => frame.extend_from_slice(&body),
        Err(ReadToEndError::TooLong) => {
            return Err(CodecFault::Frame(FrameFault::Trailing).into());
        }
        Err(ReadToEndError::Read(error)) => return Err(error.into()),
    }
    Ok(decode(&frame)?)
}

/// Writes the one message of a stream and ends it.
pub(super) async fn write<M: Message>(
    stream: &mut SendStream,
    message: &M,
) -> Result<(), StreamFault> {
    let frame = encode(message)?;
    stream
        .write_all(&frame)
        .await
        .map_err(|_| StreamFault::Gone)?;
    stream.finish().map_err(|_| StreamFault::Gone)
}
