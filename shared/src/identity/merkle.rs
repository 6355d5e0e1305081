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
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// Entries and roots of the reference implementation of Certificate Transparency
    /// (`merkle_tree_test.cc`), sizes 0 to 8.
    const ENTRIES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn published(size: usize) -> Tree {
        let entries: Vec<Vec<u8>> = ENTRIES[..size]
            .iter()
            .map(|hex| HEXLOWER.decode(hex.as_bytes()).unwrap())
            .collect();
        Tree::of(entries.iter().map(Vec::as_slice))
    }

    fn numbered(size: u64) -> Tree {
        let entries: Vec<[u8; 8]> = (0..size).map(u64::to_be_bytes).collect();
        Tree::of(entries.iter().map(<[u8; 8]>::as_slice))
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut roots = Roots::default();
        for (size, hex) in ROOTS.iter().enumerate() {
            assert_eq!(published(size).head().root.hex(), *hex);
            assert_eq!(roots.root().hex(), *hex);
            if let Some(leaf) = published(8).leaves.get(size) {
                roots.push(*leaf);
            }
        }
        assert_eq!(published(0).head(), TreeHead::empty());
    }

    /// The worked examples of RFC 9162, 2.1.5, on its tree of seven leaves: from 3 [c, d, g, l],
    /// from 4 [l], from 6 [i, j, k].
    #[test]
    fn proofs_are_those_of_the_worked_examples() {
        let tree = published(7);
        let [a, b, c, d, e, f, j] = tree.leaves[..] else {
            panic!("seven leaves")
        };
        let (g, h, i) = (node(&a, &b), node(&c, &d), node(&e, &f));
        let (k, l) = (node(&g, &h), node(&i, &j));
        assert_eq!(tree.head().root, node(&k, &l));
        assert_eq!(tree.since(3), Some(vec![c, d, g, l]));
        assert_eq!(tree.since(4), Some(vec![l]));
        assert_eq!(tree.since(6), Some(vec![i, j, k]));
        assert_eq!(tree.since(7), Some(Vec::new()));
        assert_eq!(tree.since(0), Some(Vec::new()));
        assert_eq!(tree.since(8), None);
    }

    /// The worked examples of RFC 9162, 2.1.5: of d0 [b, h, l], of d3 [c, g, l], of d4 [f, j, k], of d6
    /// [i, k]; and a proof of the reference implementation, of entry 6 of 8.
    #[test]
    fn inclusion_proofs_are_those_of_the_worked_examples() {
        let tree = published(7);
        let [a, b, c, d, e, f, j] = tree.leaves[..] else {
            panic!("seven leaves")
        };
        let (g, h, i) = (node(&a, &b), node(&c, &d), node(&e, &f));
        let (k, l) = (node(&g, &h), node(&i, &j));
        assert_eq!(tree.inclusion(1, 7), Some(vec![b, h, l]));
        assert_eq!(tree.inclusion(4, 7), Some(vec![c, g, l]));
        assert_eq!(tree.inclusion(5, 7), Some(vec![f, j, k]));
        assert_eq!(tree.inclusion(7, 7), Some(vec![i, k]));
        for (number, size) in [(0, 7), (8, 7), (8, 8), (5, 4)] {
            assert_eq!(tree.inclusion(number, size), None);
        }
        let hex: Vec<String> = published(8)
            .inclusion(6, 8)
            .unwrap()
            .iter()
            .map(Digest::hex)
            .collect();
        assert_eq!(
            hex,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_entry_is_shown_at_its_own_place_and_no_other_is() {
        for size in 1..=40_u64 {
            let tree = numbered(50);
            let head = numbered(size).head();
            for number in 1..=size {
                let proof = tree.inclusion(number, size).unwrap();
                let entry = (number - 1).to_be_bytes();
                assert!(head.includes(number, &entry, &proof), "{number} of {size}");
                assert!(!head.includes(number, b"another", &proof));
                assert!(!head.includes(0, &entry, &proof));
                for other in (1..=size + 1).filter(|other| *other != number) {
                    assert!(!head.includes(other, &entry, &proof), "{other} of {size}");
                }
                for at in 0..proof.len() {
                    let mut forged = proof.clone();
                    forged[at] = Digest::of(b"other");
                    assert!(!head.includes(number, &entry, &forged));
                    forged.remove(at);
                    assert!(!head.includes(number, &entry, &forged));
                }
                let more = [proof.as_slice(), &[Digest::of(b"more")]].concat();
                assert!(!head.includes(number, &entry, &more));
            }
        }
        // A node's two hashes are no entry.
        let tree = numbered(4);
        let inner = [
            tree.leaves[0].as_bytes().as_slice(),
            tree.leaves[1].as_bytes(),
        ]
        .concat();
        let half = TreeHead {
            size: 2,
            root: tree.head().root,
        };
        assert!(!half.includes(1, &inner, &[node(&tree.leaves[2], &tree.leaves[3])]));
    }

    #[test]
    fn every_log_is_shown_to_extend_each_of_its_beginnings() {
        for size in 0..=70 {
            let new = numbered(size);
            for old in 0..=size {
                let before = numbered(old).head();
                let proof = new.since(old).unwrap();
                assert!(proof.len() <= 8, "{old} {size}");
                assert!(new.head().extends(&before, &proof), "{old} {size}");
                assert!(new.had(&before));
            }
        }
    }

    /// An altered, dropped, inserted or reordered entry of the past, or a cut end, has no proof:
    /// neither the one that its own log would give nor the honest one.
    #[test]
    fn no_other_past_has_a_proof() {
        let entries: Vec<[u8; 8]> = (0..40_u64).map(u64::to_be_bytes).collect();
        let tree = |entries: &[[u8; 8]]| Tree::of(entries.iter().map(<[u8; 8]>::as_slice));
        for old in 1..=33_usize {
            let before = tree(&entries[..old]).head();
            let honest = tree(&entries).since(old as u64).unwrap();
            for at in 0..old {
                let mut altered = entries.clone();
                altered[at][0] ^= 1;
                let mut dropped = entries.clone();
                dropped.remove(at);
                let mut inserted = entries.clone();
                inserted.insert(at, [9; 8]);
                let mut swapped = entries.clone();
                swapped.swap(at, at + 1);
                for (what, forged) in [
                    ("altered", altered),
                    ("dropped", dropped),
                    ("inserted", inserted),
                    ("swapped", swapped),
                ] {
                    let forged = tree(&forged);
                    // Swapping the last old entry with the next one is another past as well.
                    assert!(!forged.had(&before), "{what} {at} of {old}");
                    let own = forged.since(old as u64).unwrap();
                    let head = forged.head();
                    assert!(!head.extends(&before, &own), "{what} {at} of {old}");
                    assert!(!head.extends(&before, &honest), "{what} {at} of {old}");
                    let found = forged.departure(&[before, tree(&entries).head()]).unwrap();
                    assert_eq!((found.first, found.last), (1, old as u64), "{what} {at}");
                }
            }
            let shorter = tree(&entries[..old - 1]);
            for proof in [&honest, &Vec::new()] {
                assert!(!shorter.head().extends(&before, proof), "cut at {old}");
            }
            let found = shorter.departure(&[before]).unwrap();
            assert!(found.short);
        }
    }

    #[test]
    fn a_proof_with_any_hash_changed_missing_or_more_is_refused() {
        for size in 2..=33_u64 {
            for old in 1..size {
                let (new, before) = (numbered(size), numbered(old).head());
                let proof = new.since(old).unwrap();
                for at in 0..proof.len() {
                    let mut other = proof.clone();
                    other[at] = Digest::of(b"other");
                    assert!(!new.head().extends(&before, &other));
                    let mut less = proof.clone();
                    less.remove(at);
                    assert!(!new.head().extends(&before, &less));
                }
                for at in 0..=proof.len() {
                    let mut more = proof.clone();
                    more.insert(at, Digest::of(b"more"));
                    assert!(!new.head().extends(&before, &more));
                }
                let long = vec![Digest::of(b"long"); 10_000];
                assert!(!new.head().extends(&before, &long));
            }
        }
        let odd = TreeHead {
            size: 0,
            root: Digest::of(b"not empty"),
        };
        assert!(!numbered(3).head().extends(&odd, &[]));
    }

    #[test]
    fn the_first_departure_lies_between_two_signed_heads() {
        let mut entries: Vec<[u8; 8]> = (0..20_u64).map(u64::to_be_bytes).collect();
        let tree = |entries: &[[u8; 8]]| Tree::of(entries.iter().map(<[u8; 8]>::as_slice));
        let heads = [20, 5, 9, 10, 10, 0].map(|size| tree(&entries[..size]).head());
        assert_eq!(tree(&entries).departure(&heads), None);
        entries[9][3] ^= 1;
        let found = tree(&entries).departure(&heads).unwrap();
        assert_eq!((found.first, found.last, found.short), (10, 10, false));
        assert_eq!(found.to_string(), "entry 10");
        entries[7][3] ^= 1;
        let found = tree(&entries).departure(&heads).unwrap();
        assert_eq!(found.to_string(), "one of the entries 6 to 9");
        entries.truncate(6);
        let found = tree(&entries).departure(&heads).unwrap();
        assert_eq!((found.first, found.last, found.short), (6, 9, true));
    }
}
