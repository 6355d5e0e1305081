//! Keys of cases and patients: which rows share one, and which keys look like the same one
//! written differently.
//!
//! From: the readers' text columns.
//! To: `precheck`, `eligible`, `build`. The keys themselves go no further than here.

use super::fnv::{BASIS, fold, step};
use super::raw::{Examples, TextColumn};
use super::value::Markers;

/// Rows by key.
pub(crate) struct Groups {
    /// Key of each row as a number, counted in order of first appearance.
    pub(crate) index: Vec<u32>,
    /// Number of distinct keys.
    pub(crate) count: u32,
    /// Rows without a key.
    pub(crate) empty: Examples,
    /// Keys that differ from an earlier one only by white space or letter case.
    pub(crate) similar: Examples,
    /// Keys that a spreadsheet would run, or with control characters.
    pub(crate) strange: Examples,
}

/// Groups the rows by the keys in `cells`.
pub(crate) fn group(cells: &TextColumn, markers: &Markers) -> Groups {
    let mut groups = Groups {
        index: Vec::new(),
        count: 0,
        empty: Examples::default(),
        similar: Examples::default(),
        strange: Examples::default(),
    };
    let mut hashes = Vec::with_capacity(cells.rows());
    for (row, cell) in cells.cells().enumerate() {
        hashes.push(hash(&cell));
        if markers.contain(cell.trim()) {
            groups.empty.add(row, &cell);
        } else if cell.starts_with(['=', '@']) || has_control(&cell) {
            groups.strange.add(row, &cell);
        }
    }
    // In a loop of its own, so that the look-ups of several rows run side by side.
    let mut firsts = Firsts::new(cells.rows());
    groups.index.reserve_exact(cells.rows());
    for (row, hash) in (0_u32..).zip(hashes) {
        let index = match firsts.find(cells, hash, row) {
            None => {
                groups.count += 1;
                groups.count - 1
            }
            Some(first) => {
                let cell = cells.cell(row as usize);
                if cells.cell(first) != cell {
                    groups.similar.add(row as usize, &cell);
                }
                groups.index[first]
            }
        };
        groups.index.push(index);
    }
    groups
}

fn has_control(cell: &str) -> bool {
    if cell.is_ascii() {
        return cell.bytes().any(|byte| byte.is_ascii_control());
    }
    cell.chars().any(char::is_control)
}

/// The first row of each key, found by the key's hash: at its place, or where there is room behind.
struct Firsts {
    /// The upper half of the hash and the row, or [`FREE`].
    slot: Vec<(u32, u32)>,
}

const FREE: (u32, u32) = (0, u32::MAX);

impl Firsts {
    fn new(rows: usize) -> Self {
        // At most half of the slots are ever taken.
        Self {
            slot: vec![FREE; (2 * rows).next_power_of_two()],
        }
    }

    /// The first row with the key of the cell in `row`, whose hash is given; none where this is the
    /// first.
    fn find(&mut self, cells: &TextColumn, hash: u64, row: u32) -> Option<usize> {
        let upper = u32::try_from(hash >> 32).unwrap_or_default();
        let mut at = hash;
        loop {
            #[allow(clippy::cast_possible_truncation, reason = "only lower bits are kept")]
            let place = at as usize & (self.slot.len() - 1);
            if self.slot[place] == FREE {
                self.slot[place] = (upper, row);
                return None;
            }
            let (known, first) = self.slot[place];
            if known == upper {
                let (cell, other) = (cells.cell(row as usize), cells.cell(first as usize));
                if other == cell || alike(&other, &cell) {
                    return Some(first as usize);
                }
            }
            at = at.wrapping_add(1);
        }
    }
}

/// The characters that tell keys apart: no white space, no invisible marks, lower case.
pub(super) fn essential(cell: &str) -> impl Iterator<Item = char> {
    cell.chars()
        .filter(|one| !one.is_whitespace() && !matches!(one, '\u{200b}'..='\u{200d}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
}

fn alike(left: &str, right: &str) -> bool {
    essential(left).eq(essential(right))
}

/// FNV-1a of the essential characters; keys with equal hashes are compared in full.
fn hash(cell: &str) -> u64 {
    if cell.is_ascii() {
        let bytes = cell
            .bytes()
            .filter(|&byte| !char::from(byte).is_whitespace());
        return bytes.fold(BASIS, |state, byte| step(state, byte.to_ascii_lowercase()));
    }
    essential(cell).fold(BASIS, |state, one| {
        let mut buffer = [0; 4];
        fold(state, one.encode_utf8(&mut buffer).as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(cells: &[&str]) -> Groups {
        let mut column = TextColumn::new("id");
        for cell in cells {
            column.push(cell);
        }
        group(&column, &Markers::new(&["NA".to_owned()]))
    }

    #[test]
    fn keys_are_numbered_by_first_appearance() {
        let found = groups(&["z", "a", "z", "b", "a"]);
        assert_eq!(found.index, [0, 1, 0, 2, 1]);
        assert_eq!(found.count, 3);
        assert!(found.similar.is_empty() && found.empty.is_empty());
    }

    #[test]
    fn spelling_variants_are_found() {
        for variant in ["P1 ", " P1", "p1", "P\u{a0}1", "P1\u{200b}", "P 1"] {
            let found = groups(&["P1", "P2", variant]);
            assert_eq!(found.similar.count, 1, "{variant:?}");
            assert_eq!(found.count, 2);
        }
        assert!(groups(&["P1", "P10", "P01"]).similar.is_empty());
    }

    #[test]
    fn empty_and_dangerous_keys_are_found() {
        assert_eq!(groups(&["", "  ", "na", "x"]).empty.count, 3);
        assert_eq!(groups(&["=cmd()", "@x", "a\nb", "-5"]).strange.count, 3);
    }
}
