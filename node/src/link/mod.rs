//! How this node reaches the coordinator: its identity on disk, the first contact by invitation,
//! and the connection it keeps open. Dials out only. The only module of this package that names
//! quinn and rustls.
//!
//! From: the identity folder, the invitation, the configured address.
//! To: `admission` (jobs that arrive), `outbox` (releases that leave).

mod backoff;
mod dial;
mod fault;
mod identity;
mod join;
mod renewal;
mod stream;
mod tls;

pub use backoff::Backoff;
pub use dial::{Acknowledged, Dialer, Link};
pub use fault::{CertificateWhy, LinkFault};
pub use identity::{IdentityDir, NodeIdentity};
pub use join::Enrolment;
pub use renewal::{Renewal, RenewalFault};

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
