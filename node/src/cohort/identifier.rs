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
    let mut order: Vec<(u64, u32)> = Vec::new();
    for (row, cell) in cells.cells().enumerate() {
        if markers.contain(cell.trim()) {
            groups.empty.add(row, cell);
        } else if cell.starts_with(['=', '@']) || cell.chars().any(char::is_control) {
            groups.strange.add(row, cell);
        }
        order.push((hash(cell), u32::try_from(row).unwrap_or(u32::MAX)));
    }
    order.sort_unstable();
    let mut leader: Vec<u32> = vec![0; order.len()];
    let mut similar: Vec<u32> = Vec::new();
    for run in order.chunk_by(|left, right| left.0 == right.0) {
        lead(cells, run, &mut leader, &mut similar);
    }
    similar.sort_unstable();
    for row in similar {
        groups.similar.add(row as usize, cells.cell(row as usize));
    }
    for (row, first) in leader.into_iter().enumerate() {
        let first = first as usize;
        let index = if first == row {
            groups.count += 1;
            groups.count - 1
        } else {
            groups.index[first]
        };
        groups.index.push(index);
    }
    groups
}

/// Finds for every row of `run` (equal hashes) the first row with the same key.
fn lead(cells: &TextColumn, run: &[(u64, u32)], leader: &mut [u32], similar: &mut Vec<u32>) {
    let mut firsts: Vec<(u32, &str)> = Vec::new();
    for &(_, row) in run {
        let cell = cells.cell(row as usize);
        let first = firsts
            .iter()
            .find(|(_, known)| *known == cell || alike(known, cell));
        match first {
            Some((first, known)) => {
                leader[row as usize] = *first;
                if *known != cell {
                    similar.push(row);
                }
            }
            None => {
                leader[row as usize] = row;
                firsts.push((row, cell));
            }
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
