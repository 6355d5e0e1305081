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
