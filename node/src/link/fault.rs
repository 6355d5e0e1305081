//! What can go wrong between this node and the coordinator, told apart so that a person knows
//! whom to ask: the firewall team, the coordinator, or nobody yet.
//!
//! From: QUIC close codes, TLS alerts, the certificate check.
//! To: `shared::fault::Fault`, the decision whether to try again.

use quinn::{ConnectionError, VarInt};
use shared::fault::{Code, Fault};
use shared::identity::Address;
use shared::wire::{Close, CodecFault, Refusal};

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum CertificateWhy {
    /// Unknown to the coordinator, superseded or revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Issued by another CA.
    UnknownIssuer,
    /// Issued for another name.
    OtherName,
    /// Of a form or for a purpose that is not accepted.
    Unusable,
}

impl CertificateWhy {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "it is unknown to the coordinator, superseded or revoked",
            Self::Expired => "it has expired, or a clock is wrong",
            Self::NotYetValid => "it is not valid yet, or a clock is wrong",
            Self::UnknownIssuer => "it was issued by another CA",
            Self::OtherName => "it was issued for another name",
            Self::Unusable => "its form or purpose is not accepted",
        }
    }

    /// The four-part error of a node whose certificate is not accepted. An expired certificate
    /// cannot renew itself: TLS ends the connection before a request could be read.
    pub fn to_fault(self) -> Fault {
        Fault::new(
            Code::CertificateRefused,
            "the coordinator refused this node's certificate",
            self.as_str(),
            "ask the coordinator for a new invitation (fedval site revoke, fedval site invite), move the folder [identity] dir away, then: fedval-node join TOKEN",
        )
    }
}

/// Why there is no connection or no reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkFault {
    /// Nothing answers.
    Unreachable {
        /// What was tried.
        why: String,
    },
    /// Somebody else answers: the certificate is not of the consortium's CA.
    Intercepted {
        /// Who issued it.
        issuer: String,
    },
    /// The coordinator's certificate is of the right CA and cannot be accepted.
    CoordinatorCertificate {
        /// What is wrong with it.
        why: CertificateWhy,
    },
    /// The coordinator does not accept this node's certificate.
    CertificateRefused {
        /// What is wrong with it.
        why: CertificateWhy,
    },
    /// No common version.
    Version,
    /// The coordinator's answer is a refusal.
    Refused(Refusal),
    /// The coordinator has no room now.
    Busy,
    /// A newer connection with the same certificate took this one's place.
    Replaced,
    /// The connection ended; what was asked may or may not have been done.
    Lost,
    /// No reply in time.
    TimedOut,
    /// One side broke the protocol.
    Misbehaved {
        /// How.
        why: String,
    },
    /// This machine could not even try.
    Local {
        /// What failed.
        why: String,
    },
}

impl From<CodecFault> for LinkFault {
    fn from(fault: CodecFault) -> Self {
        Self::Misbehaved {
            why: fault.to_string(),
        }
    }
}

impl From<ConnectionError> for LinkFault {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => from_close(close.error_code),
            ConnectionError::ConnectionClosed(close) => from_transport(close.error_code.into()),
            ConnectionError::TransportError(error) => Self::Misbehaved {
                why: error.to_string(),
            },
            ConnectionError::VersionMismatch => Self::Version,
            ConnectionError::Reset | ConnectionError::TimedOut | ConnectionError::LocallyClosed => {
                Self::Lost
            }
            ConnectionError::CidsExhausted => Self::Local {
                why: error.to_string(),
            },
        }
    }
}

/// The coordinator's own close codes.
fn from_close(code: VarInt) -> LinkFault {
    match Close::from_code(code.into_inner()) {
        Some(Close::Done) => LinkFault::Lost,
        Some(Close::CertificateMissing | Close::CertificateRefused) => {
            LinkFault::CertificateRefused {
                why: CertificateWhy::Revoked,
            }
        }
        Some(Close::Replaced) => LinkFault::Replaced,
        Some(Close::Busy) => LinkFault::Busy,
        Some(Close::Misbehaved) => LinkFault::Misbehaved {
            why: "the coordinator found a mistake in what this node sent".to_owned(),
        },
        None => LinkFault::Misbehaved {
            why: format!("the coordinator closed with the unknown code {code}"),
        },
    }
}

/// Close codes of QUIC (RFC 9000, 20.1); from 0x100 on they are TLS alerts (RFC 8446, 6).
fn from_transport(code: u64) -> LinkFault {
    const CONNECTION_REFUSED: u64 = 0x2;
    let refused = |why| LinkFault::CertificateRefused { why };
    match code {
        CONNECTION_REFUSED => LinkFault::Busy,
        0x12a | 0x12b | 0x12e | 0x133 => refused(CertificateWhy::Unusable),
        0x12c => refused(CertificateWhy::Revoked),
        0x12d => refused(CertificateWhy::Expired),
        0x130 => refused(CertificateWhy::UnknownIssuer),
        0x174 => refused(CertificateWhy::Unusable),
        0x146 | 0x178 => LinkFault::Version,
        0x0 | 0x1 | 0xc => LinkFault::Lost,
        _ => LinkFault::Misbehaved {
            why: format!("the coordinator's QUIC closed with code {code:#x}"),
        },
    }
}

impl LinkFault {
    /// True when the same try may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Busy
            | Self::Replaced
            | Self::Lost
            | Self::TimedOut
            | Self::Refused(Refusal::Busy) => true,
            Self::Intercepted { .. }
            | Self::CoordinatorCertificate { .. }
            | Self::CertificateRefused { .. }
            | Self::Version
            | Self::Refused(_)
            | Self::Misbehaved { .. }
            | Self::Local { .. } => false,
        }
    }

    /// The four-part error for a person at the site.
    pub fn to_fault(&self, address: &Address) -> Fault {
        match self {
            Self::Unreachable { why } => unreachable_fault(address, why),
            Self::Intercepted { issuer } => Fault::new(
                Code::WrongCoordinator,
                format!("{address} does not show a certificate of your consortium"),
                format!("an inspecting proxy may be replacing certificates (issuer: \"{issuer}\")"),
                format!(
                    "ask for a TLS-inspection exemption for {}; do not add the gateway's CA here",
                    address.host
                ),
            ),
            Self::CoordinatorCertificate { why } => Fault::new(
                Code::WrongCoordinator,
                format!("the certificate shown by {address} cannot be accepted"),
                why.as_str(),
                "check this machine's clock, then tell the coordinator",
            ),
            Self::CertificateRefused { why } => why.to_fault(),
            Self::Version => Fault::new(
                Code::VersionUnsupported,
                format!("{address} speaks no protocol version that this node speaks"),
                "one of the two programs is too old",
                "install the same release of fedval-node as the coordinator runs",
            ),
            Self::Refused(refusal) => refusal_fault(*refusal),
            Self::Busy | Self::Replaced | Self::Lost | Self::TimedOut => {
                unreachable_fault(address, self.interruption())
            }
            Self::Misbehaved { why } => Fault::new(
                Code::PeerMisbehaved,
                format!("the conversation with {address} broke off"),
                why.clone(),
                "nothing was released; if it happens again, compare the versions of both programs",
            ),
            Self::Local { why } => Fault::new(
                Code::Unreachable,
                format!("no connection to {address} could be tried"),
                why.clone(),
                "check this machine's network settings",
            ),
        }
    }

    /// What a passing fault is called.
    fn interruption(&self) -> &'static str {
        match self {
            Self::Busy => "the coordinator has no room for another connection now",
            Self::Replaced => {
                "another process connected with this node's certificate; two may be running"
            }
            Self::TimedOut => "the coordinator did not reply in time",
            Self::Lost
            | Self::Unreachable { .. }
            | Self::Intercepted { .. }
            | Self::CoordinatorCertificate { .. }
            | Self::CertificateRefused { .. }
            | Self::Version
            | Self::Refused(_)
            | Self::Misbehaved { .. }
            | Self::Local { .. } => "the connection was lost",
        }
    }
}

fn unreachable_fault(address: &Address, why: &str) -> Fault {
    Fault::new(
        Code::Unreachable,
        format!("cannot keep a QUIC connection to {address}"),
        why,
        format!(
            "ask the firewall team for: allow UDP out to {} port {} (stateful)",
            address.host, address.port
        ),
    )
}

/// What a refusal of the coordinator means at the site.
fn refusal_fault(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::InvitationInvalid => Fault::new(
            Code::TokenInvalid,
            "the coordinator does not accept the invitation",
            "it was used before, has expired, or was withdrawn",
            "ask the coordinator for a new one: fedval site invite",
        ),
        Refusal::CertificateInvalid => CertificateWhy::Revoked.to_fault(),
        Refusal::LedgerBehind => Fault::new(
            Code::LedgerBehind,
            "this node's ledger is older than the coordinator's last receipt",
            "the state directory was restored from a backup, or replaced",
            "nothing is computed until a person has re-baselined the ledger",
        ),
        Refusal::LedgerAltered => Fault::new(
            Code::LedgerBroken,
            "this node's ledger contradicts what this node signed of it before",
            "the coordinator keeps a signed checkpoint that the ledger does not extend",
            "nothing is computed or sent until it is explained: fedval-node ledger verify",
        ),
        Refusal::VersionUnsupported => Fault::new(
            Code::VersionUnsupported,
            "the coordinator speaks no protocol version that this node speaks",
            "one of the two programs is too old",
            "install the same release of fedval-node as the coordinator runs",
        ),
        Refusal::NotReleased
        | Refusal::BadSignature
        | Refusal::UnknownSigner
        | Refusal::Expired
        | Refusal::StudyNotListed
        | Refusal::UnknownForm
        | Refusal::UnknownStatistic
        | Refusal::WrongSite
        | Refusal::RoundClosed
        | Refusal::Conflict
        | Refusal::NotAllowed
        | Refusal::Busy
        | Refusal::Withdrawn => Fault::new(
            Code::PeerMisbehaved,
            format!("the coordinator refused: {}", refusal.as_str()),
            "the request does not fit what the coordinator holds about this site",
            "tell the coordinator this word and the time",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_and_close_codes_are_told_apart() {
        let refused = |why| LinkFault::CertificateRefused { why };
        for (alert, expected) in [
            (42, refused(CertificateWhy::Unusable)),
            (44, refused(CertificateWhy::Revoked)),
            (45, refused(CertificateWhy::Expired)),
            (48, refused(CertificateWhy::UnknownIssuer)),
            (120, LinkFault::Version),
        ] {
            assert_eq!(from_transport(0x100 + alert), expected);
        }
        for reason in Close::ALL {
            let fault = from_close(VarInt::from_u32(reason.code()));
            let lasting = matches!(
                reason,
                Close::Misbehaved | Close::CertificateMissing | Close::CertificateRefused
            );
            assert_eq!(fault.is_transient(), !lasting, "{reason:?}");
        }
    }

    #[test]
    fn interception_names_the_issuer() {
        let address: Address = "coord.example.org:443".parse().unwrap();
        let fault = LinkFault::Intercepted {
            issuer: "Hospital Web Gateway CA".to_owned(),
        }
        .to_fault(&address);
        assert_eq!(fault.code, Code::WrongCoordinator);
        assert!(fault.why.contains("Hospital Web Gateway CA"));
        assert!(fault.fix.contains("coord.example.org"));
    }
}
