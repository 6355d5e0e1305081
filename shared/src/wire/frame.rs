//! The frame around every message: eleven bytes that say whose they are, which version they
//! speak, what kind of message follows and how long it is. A stream carries one frame each way.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 4 | magic `FVAL` |
//! | 4 | 2 | wire version, big-endian |
//! | 6 | 1 | [`Kind`] |
//! | 7 | 4 | length of the body, big-endian |
//! | 11 | length | body (`codec`) |
//!
//! From: streams of `node::link`, `coordinator::link`.
//! To: `codec`.

use super::message::{WIRE_VERSION_MAX, WIRE_VERSION_MIN};

/// The first bytes of every frame.
pub const MAGIC: [u8; 4] = *b"FVAL";
/// Bytes before the body.
pub const HEADER_BYTES: usize = 11;
/// Largest control frame with its header, bytes.
pub const CONTROL_FRAME_MAX: usize = 64 * 1024;
/// Largest frame that carries documents, with its header, bytes.
pub const DOCUMENT_FRAME_MAX: usize = 8 * 1024 * 1024;

/// What a frame carries. The kind fixes the limit, so that a length is refused before any of the
/// body is read, and says which peers may send it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Kind {
    /// `JoinRequest`; the only kind that a peer without a certificate may send.
    JoinRequest,
    /// `JoinReply`.
    JoinReply,
    /// `NodeRequest` without a document.
    NodeControl,
    /// `NodeRequest::Deliver`.
    NodeDocument,
    /// `NodeReply` without a document.
    ReplyControl,
    /// `NodeReply::Jobs`, `Protocol` and `Receipt`.
    ReplyDocument,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::JoinRequest,
        Self::JoinReply,
        Self::NodeControl,
        Self::NodeDocument,
        Self::ReplyControl,
        Self::ReplyDocument,
    ];

    /// The byte at offset 6.
    pub fn code(self) -> u8 {
        match self {
            Self::JoinRequest => 0x01,
            Self::JoinReply => 0x02,
            Self::NodeControl => 0x11,
            Self::NodeDocument => 0x12,
            Self::ReplyControl => 0x21,
            Self::ReplyDocument => 0x22,
        }
    }

    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// Largest frame of this kind with its header, bytes.
    pub fn frame_max(self) -> usize {
        match self {
            Self::NodeDocument | Self::ReplyDocument => DOCUMENT_FRAME_MAX,
            Self::JoinRequest | Self::JoinReply | Self::NodeControl | Self::ReplyControl => {
                CONTROL_FRAME_MAX
            }
        }
    }
}

/// Why eleven bytes begin no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameFault {
    /// Fewer bytes than a header, or than the header announces.
    #[error("the frame is cut short")]
    Truncated,
    /// More bytes than the header announces.
    #[error("bytes follow the frame")]
    Trailing,
    /// The magic is not ours.
    #[error("the bytes are not a Fedval frame")]
    Magic,
    /// A wire version that this build does not speak.
    #[error("wire version {got} is not spoken here")]
    Version {
        /// The version in the header.
        got: u16,
    },
    /// No such kind.
    #[error("message kind {got:#04x} is unknown")]
    Kind {
        /// The byte in the header.
        got: u8,
    },
    /// The length exceeds the kind's limit.
    #[error("the frame exceeds its limit of {limit} bytes")]
    TooLarge {
        /// The limit, bytes, header included.
        limit: usize,
    },
}

/// A frame's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Wire version of the body.
    pub version: u16,
    /// What the body is.
    pub kind: Kind,
    /// Bytes of the body.
    pub length: u32,
}

impl Header {
    /// The header of a body of `length` bytes in the version that first had its message.
    ///
    /// # Errors
    /// [`FrameFault::TooLarge`] when the kind's limit does not allow it.
    pub fn new(version: u16, kind: Kind, length: usize) -> Result<Self, FrameFault> {
        let limit = kind.frame_max();
        let length = u32::try_from(length).map_err(|_| FrameFault::TooLarge { limit })?;
        let header = Self {
            version,
            kind,
            length,
        };
        if header.frame_bytes() > limit {
            return Err(FrameFault::TooLarge { limit });
        }
        Ok(header)
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(self) -> usize {
        HEADER_BYTES.saturating_add(usize::try_from(self.length).unwrap_or(usize::MAX))
    }

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_be_bytes());
        bytes[6] = self.kind.code();
        bytes[7..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Reads a header and checks all that can be checked before the body is there.
    ///
    /// # Errors
    /// [`FrameFault`] names the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameFault> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(FrameFault::Truncated);
        };
        let [m0, m1, m2, m3, v0, v1, kind, l0, l1, l2, l3] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(FrameFault::Magic);
        }
        let version = u16::from_be_bytes([v0, v1]);
        if !(WIRE_VERSION_MIN..=WIRE_VERSION_MAX).contains(&version) {
            return Err(FrameFault::Version { got: version });
        }
        let kind = Kind::from_code(kind).ok_or(FrameFault::Kind { got: kind })?;
        let header = Self {
            version,
            kind,
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        };
        let limit = kind.frame_max();
        if header.frame_bytes() > limit {
            return Err(FrameFault::TooLarge { limit });
        }
        Ok(header)
    }
}

/// Splits a whole frame into header and body.
///
/// # Errors
/// [`FrameFault`], also when bytes are missing or left over.
pub fn split(bytes: &[u8]) -> Result<(Header, &[u8]), FrameFault> {
    let header = Header::parse(bytes)?;
    match bytes.len().cmp(&header.frame_bytes()) {
        std::cmp::Ordering::Less => Err(FrameFault::Truncated),
        std::cmp::Ordering::Greater => Err(FrameFault::Trailing),
        std::cmp::Ordering::Equal => Ok((header, &bytes[HEADER_BYTES..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, length: u32) -> Vec<u8> {
        let mut bytes = b"FVAL\x00\x01".to_vec();
        bytes.push(kind);
        bytes.extend(length.to_be_bytes());
        bytes
    }

    #[test]
    fn a_header_is_refused_at_every_length_but_its_own() {
        let bytes = Header::new(1, Kind::NodeControl, 3).unwrap().to_bytes();
        for end in 0..HEADER_BYTES {
            assert_eq!(Header::parse(&bytes[..end]), Err(FrameFault::Truncated));
        }
        let frame = [bytes.as_slice(), &[1, 2, 3]].concat();
        assert_eq!(split(&frame).unwrap().1, &[1, 2, 3]);
        assert_eq!(split(&frame[..13]), Err(FrameFault::Truncated));
        let longer = [frame.as_slice(), &[4]].concat();
        assert_eq!(split(&longer), Err(FrameFault::Trailing));
    }

    #[test]
    fn a_length_beyond_the_kind_is_refused_from_the_header_alone() {
        for kind in Kind::ALL {
            let most = u32::try_from(kind.frame_max() - HEADER_BYTES).unwrap();
            assert!(Header::parse(&header(kind.code(), most)).is_ok());
            for length in [most + 1, 1 << 31, u32::MAX] {
                assert!(matches!(
                    Header::parse(&header(kind.code(), length)),
                    Err(FrameFault::TooLarge { .. })
                ));
            }
            assert!(Header::new(1, *kind, usize::MAX).is_err());
        }
    }

    #[test]
    fn other_magic_version_and_kind_are_refused() {
        assert_eq!(Header::parse(b"GET / HTTP/1.1\r\n"), Err(FrameFault::Magic));
        let mut bytes = header(0x11, 0);
        bytes[5] = 4;
        assert_eq!(Header::parse(&bytes), Err(FrameFault::Version { got: 4 }));
        bytes[5] = 0;
        assert_eq!(Header::parse(&bytes), Err(FrameFault::Version { got: 0 }));
        let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        for got in (0..=u8::MAX).filter(|byte| !known.contains(byte)) {
            assert_eq!(
                Header::parse(&header(got, 0)),
                Err(FrameFault::Kind { got })
            );
        }
    }
}
