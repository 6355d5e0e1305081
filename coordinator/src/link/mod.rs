//! Who may speak to the coordinator, and how: the consortium's CA and the QUIC listener. The
//! only module of this package that names quinn and rustls.
//!
//! From: the network; keys and certificates of the state directory.
//! To: `roster` (enrolment), `dispatch`, `intake` (requests of known sites).

mod ca;
mod files;
mod listen;
mod registry;
mod stream;
mod tls;

pub use ca::{CheckedCsr, ConsortiumCa, NODE_CERTIFICATE_DAYS, NodeCertificate, ServerIdentity};
pub use files::{certificate_from_pem, key_from_pem, key_to_pem, write_private};
pub use listen::{Handler, Limits, Server, ServerHandle};
pub use registry::Peer;

use shared::identity::{Entropy, NoEntropy};
use shared::study::Timestamp;

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        use ring::rand::{SecureRandom, SystemRandom};
        SystemRandom::new().fill(bytes).map_err(|_| NoEntropy)
    }
}

/// This machine's clock; before 1970 it reads 1970.
pub fn system_now() -> Timestamp {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    let Some(epoch) = Timestamp::from_unix(0) else {
        unreachable!("1970 is the first representable year")
    };
    epoch.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
