//! Merkle trees over the entries of a log, the proof that a log only grew, and the proof that it
//! holds an entry (RFC 9162, section 2.1, doi:10.17487/RFC9162; the same tree as RFC 6962). A leaf is hashed with another first byte
//! than an inner node, so that no node passes as an entry.
//!
//! Hashes of leaves appear in proofs: entries whose content can be guessed must hold a random part.
//!
//! From: the node's ledger, the coordinator's audit trail.
//! To: `wire::checkpoint`, the commands that verify either.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Digest;

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// Most hashes in a proof of consistency between trees of at most 2^63 leaves.
pub const PROOF_MAX: usize = 64;

/// Size and root of a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash; the digest of nothing when there are none.
    pub root: Digest,
}

/// The entries of which at least the first is not what was signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Departure {
    /// The first entry that may differ, from 1: all before are as they were.
    pub first: u64,
    /// One of `first..=last` differs for certain.
    pub last: u64,
    /// Whether the log ends before `last`.
    pub short: bool,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, .. } = self;
        if first == last {
            write!(out, "entry {first}")
        } else {
            write!(out, "one of the entries {first} to {last}")
        }
    }
}

/// A log's hashes of leaves, in order.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    leaves: Vec<Digest>,
}

fn leaf(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[LEAF], entry])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: usize) -> usize {
    length.next_power_of_two() / 2
}

fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

/// SUBPROOF of RFC 9162, 2.1.4.1: what proves that the first `old` of `leaves` are the old tree.
/// `known` while the old tree's root is the root of a subtree that the verifier has.
fn subproof(leaves: &[Digest], old: usize, known: bool, proof: &mut Vec<Digest>) {
    if old == leaves.len() {
        if !known {
            proof.push(root(leaves));
        }
        return;
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    if old <= at {
        subproof(left, old, known, proof);
        proof.push(root(right));
    } else {
        subproof(right, old - at, false, proof);
        proof.push(root(left));
    }
}

/// PATH of RFC 9162, 2.1.3.1: the hashes beside the way from leaf `index` to the root.
fn path(leaves: &[Digest], index: usize, proof: &mut Vec<Digest>) {
    if leaves.len() < 2 {
        return;
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    if index < at {
        path(left, index, proof);
        proof.push(root(right));
    } else {
        path(right, index - at, proof);
        proof.push(root(left));
    }
}

impl TreeHead {
    /// The head of an empty log.
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: Digest::of(b""),
        }
    }

    /// Whether `proof` shows that the log of this head is the log of `old` with entries appended
    /// (RFC 9162, 2.1.4.2). Every log extends the empty one, without a proof.
    pub fn extends(&self, old: &Self, proof: &[Digest]) -> bool {
        if old.size == 0 || old.size == self.size {
            let same = old.size == 0 || old.root == self.root;
            return proof.is_empty() && same && (old.size > 0 || *old == Self::empty());
        }
        if old.size > self.size || proof.len() > PROOF_MAX {
            return false;
        }
        let (mut first, mut second) = (old.size - 1, self.size - 1);
        while first & 1 == 1 {
            (first, second) = (first >> 1, second >> 1);
        }
        // A complete old tree is its own first hash.
        let seed = old.size.is_power_of_two().then_some(&old.root);
        let mut path = seed.into_iter().chain(proof);
        let Some(begin) = path.next() else {
            return false;
        };
        let (mut old_root, mut new_root) = (*begin, *begin);
        for hash in path {
            if second == 0 {
                return false;
            }
            if first & 1 == 1 || first == second {
                old_root = node(hash, &old_root);
                new_root = node(hash, &new_root);
                while first & 1 == 0 && first != 0 {
                    (first, second) = (first >> 1, second >> 1);
                }
            } else {
                new_root = node(&new_root, hash);
            }
            (first, second) = (first >> 1, second >> 1);
        }
        second == 0 && old_root == old.root && new_root == self.root
    }
}

impl TreeHead {
    /// Whether `proof` shows that entry `number`, from 1, of the log of this head is `entry` (RFC
    /// 9162, 2.1.3.2).
    pub fn includes(&self, number: u64, entry: &[u8], proof: &[Digest]) -> bool {
        if number == 0 || number > self.size || proof.len() > PROOF_MAX {
            return false;
        }
        let (mut at, mut last) = (number - 1, self.size - 1);
        let mut hash = leaf(entry);
        for beside in proof {
            if last == 0 {
                return false;
            }
            if at & 1 == 1 || at == last {
                hash = node(beside, &hash);
                while at & 1 == 0 && at != 0 {
                    (at, last) = (at >> 1, last >> 1);
                }
            } else {
                hash = node(&hash, beside);
            }
            (at, last) = (at >> 1, last >> 1);
        }
        last == 0 && hash == self.root
    }
}

impl Tree {
    /// The tree of a log's entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self {
            leaves: entries.into_iter().map(leaf).collect(),
        }
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size(),
            root: root(&self.leaves),
        }
    }

    fn first(&self, size: u64) -> Option<&[Digest]> {
        self.leaves.get(..usize::try_from(size).ok()?)
    }

    /// Whether the log once had this head: its first entries are that tree.
    pub fn had(&self, head: &TreeHead) -> bool {
        self.first(head.size)
            .is_some_and(|leaves| root(leaves) == head.root)
    }

    /// What proves that this log extends its first `old` entries; at most [`PROOF_MAX`] hashes.
    /// `None` when it never had that many.
    pub fn since(&self, old: u64) -> Option<Vec<Digest>> {
        let old = self.first(old)?.len();
        let mut proof = Vec::new();
        if old > 0 {
            subproof(&self.leaves, old, true, &mut proof);
        }
        Some(proof)
    }

    /// What proves that entry `number`, from 1, stands in the log's first `size` entries; at most
    /// [`PROOF_MAX`] hashes. `None` when it does not.
    pub fn inclusion(&self, number: u64, size: u64) -> Option<Vec<Digest>> {
        let leaves = self.first(size).filter(|_| number <= size)?;
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let mut proof = Vec::new();
        path(leaves, index, &mut proof);
        Some(proof)
    }

    /// Where this log departs from heads that were signed of it; `None` when it had them all.
    pub fn departure(&self, signed: &[TreeHead]) -> Option<Departure> {
        let mut signed = signed.to_vec();
        signed.sort_by_key(|head| head.size);
        // The two largest sizes so far at which the log is as signed.
        let (mut below, mut sound) = (0, 0);
        let mut roots = Roots::default();
        let mut leaves = self.leaves.iter();
        for head in signed {
            while roots.size < head.size {
                let Some(leaf) = leaves.next() else { break };
                roots.push(*leaf);
            }
            if roots.size != head.size || roots.root() != head.root {
                let first = 1 + if head.size > sound { sound } else { below };
                return Some(Departure {
                    first,
                    last: head.size.max(first),
                    short: roots.size < head.size,
                });
            }
            if head.size > sound {
                (below, sound) = (sound, head.size);
            }
        }
        None
    }
}

/// The root after each entry, without hashing all before it again: the roots of the complete
/// subtrees, largest first, one for each bit of the size.
#[derive(Default)]
struct Roots {
    size: u64,
    complete: Vec<Digest>,
}

impl Roots {
    fn push(&mut self, leaf: Digest) {
        let mut carried = leaf;
        let mut size = self.size;
        while size & 1 == 1
            && let Some(left) = self.complete.pop()
        {
            carried = node(&left, &carried);
            size >>= 1;
        }
        self.complete.push(carried);
        self.size += 1;
    }

    fn root(&self) -> Digest {
        let mut from_right = self.complete.iter().rev();
        let Some(last) = from_right.next() else {
            return Digest::of(b"");
        };
        from_right.fold(*last, |right, left| node(left, &right))
    }
}

#[cfg(test)]
mod tests;
