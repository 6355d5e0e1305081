//! Why a connection ends: the application close codes of QUIC (RFC 9000, section 19.19), a
//! closed list without text.
//!
//! From: `node::link`, `coordinator::link`.
//! To: the other side's error for a person.

/// Why one side closed the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Close {
    /// Nothing is left to say, or the process stops.
    Done,
    /// The peer broke the protocol: frame, message, order or limits.
    Misbehaved,
    /// The peer showed no certificate, and this protocol needs one.
    CertificateMissing,
    /// The peer's certificate is unknown here, superseded or revoked.
    CertificateRefused,
    /// A newer connection of the same certificate takes this one's place.
    Replaced,
    /// There are too many connections; try later.
    Busy,
}

impl Close {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::Done,
        Self::Misbehaved,
        Self::CertificateMissing,
        Self::CertificateRefused,
        Self::Replaced,
        Self::Busy,
    ];

    /// The number on the wire; never reused for another reason.
    pub fn code(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::Misbehaved => 1,
            Self::CertificateMissing => 2,
            Self::CertificateRefused => 3,
            Self::Replaced => 4,
            Self::Busy => 5,
        }
    }

    /// The reason of a number.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| u64::from(reason.code()) == code)
    }
}
