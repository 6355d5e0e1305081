//! Who is connected: a bounded list, so that a revoked certificate's connections can be closed
//! and one certificate cannot take every place.
//!
//! From: `listen`.
//! To: `roster` (revocation), `fedval site list`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::Connection;
use shared::identity::Serial;
use shared::study::SiteSlug;
use shared::wire::Close;

/// An enrolled site's node on an open connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The site its certificate names.
    pub site: SiteSlug,
    /// The certificate's serial.
    pub serial: Serial,
    /// Where it dialled from when it connected.
    pub remote: SocketAddr,
}

struct Entry {
    peer: Peer,
    connection: Connection,
}

/// Open connections of enrolled nodes, in the order they came.
#[derive(Default)]
struct Open {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

/// The shared list.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<Open>>);

/// A place in the list; leaves it when dropped.
pub(super) struct Place {
    registry: Registry,
    number: u64,
}

pub(super) fn close(connection: &Connection, reason: Close) {
    connection.close(quinn::VarInt::from_u32(reason.code()), b"");
}

impl Registry {
    /// The list stays usable when a task has panicked: each change is one insertion or removal.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. Of one certificate only the newest `most` stay: a node that lost its
    /// network must be able to return before its old connections have timed out.
    pub(super) fn enter(&self, peer: Peer, connection: Connection, most: usize) -> Place {
        let mut open = self.open();
        let older: Vec<u64> = open
            .entries
            .iter()
            .filter(|(_, entry)| entry.peer.serial == peer.serial)
            .map(|(number, _)| *number)
            .collect();
        let surplus = (older.len() + 1).saturating_sub(most.max(1));
        for number in older.iter().take(surplus) {
            if let Some(entry) = open.entries.remove(number) {
                close(&entry.connection, Close::Replaced);
            }
        }
        let number = open.next;
        open.next += 1;
        open.entries.insert(number, Entry { peer, connection });
        Place {
            registry: self.clone(),
            number,
        }
    }

    /// Closes every connection whose peer is `wanted`; how many they were.
    pub(super) fn close_where(&self, wanted: impl Fn(&Peer) -> bool) -> usize {
        let open = self.open();
        let found = open.entries.values().filter(|entry| wanted(&entry.peer));
        found
            .map(|entry| close(&entry.connection, Close::CertificateRefused))
            .count()
    }

    /// Who is connected now, in the order they came.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let open = self.open();
        open.entries
            .values()
            .filter(|entry| entry.connection.close_reason().is_none())
            .map(|entry| entry.peer.clone())
            .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.open().entries.remove(&self.number);
    }
}
