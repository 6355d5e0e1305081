//! The made-up table of the benches. Every value is a function of a seed and a row, by
//! operations that give the same bits in any language: `peers/data.py` makes the same table.

#![allow(dead_code, reason = "each bench reads some columns")]

/// Levels of an axis.
pub(crate) const LEVELS: usize = 5;
/// Axes of the table.
pub(crate) const AXES: usize = 6;

/// The number in [0, 1) at `place` of the stream `seed`: SplitMix64 (Steele, Lea and Flood 2014,
/// doi:10.1145/2714064.2660195).
pub(crate) fn unit(seed: u64, place: usize) -> f64 {
    let state = (place as u64 + 1).wrapping_add(seed << 40);
    let mut z = state.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (((z ^ (z >> 31)) >> 11) as f64) / ((1_u64 << 53) as f64)
}

/// Whether the row has the event: three in ten.
pub(crate) fn event(row: usize) -> bool {
    unit(1, row) < 0.3
}

/// The prediction of a model, in [0, 1]: bell-shaped, higher for events.
pub(crate) fn score(model: usize, row: usize) -> f64 {
    let seed = 10 * (model as u64 + 1);
    let bell = (unit(seed, row) + unit(seed + 1, row) + unit(seed + 2, row)) / 3.0;
    0.85 * bell + if event(row) { 0.15 } else { 0.0 }
}

/// The level of the row on an axis.
pub(crate) fn level(axis: usize, row: usize) -> usize {
    (unit(100 + axis as u64, row) * LEVELS as f64) as usize
}

/// Outcomes of the first `rows` rows.
pub(crate) fn outcomes(rows: usize) -> Vec<bool> {
    (0..rows).map(event).collect()
}

/// Predictions of the first `rows` rows.
pub(crate) fn scores(model: usize, rows: usize) -> Vec<f64> {
    (0..rows).map(|row| score(model, row)).collect()
}

/// The first `rows` rows with a header, as text: 12 columns.
pub(crate) fn csv(rows: usize) -> String {
    use std::fmt::Write as _;
    let mut text =
        String::from("case_id,y,p_a,p_b,age,axis_0,axis_1,axis_2,axis_3,axis_4,axis_5,note\n");
    for row in 0..rows {
        let (y, age) = (u8::from(event(row)), 20 + (unit(200, row) * 70.0) as u32);
        let (a, b) = (score(1, row), score(0, row));
        let _ = write!(text, "id{row:08},{y},{a},{b},{age}");
        for axis in 0..AXES {
            let _ = write!(text, ",{}", ["a", "b", "c", "d", "e"][level(axis, row)]);
        }
        let _ = writeln!(text, ",n{}", row % 97);
    }
    text
}

/// How many rows to take: a thousand where a bench is only tried out (`--test`).
pub(crate) fn rows(full: usize) -> usize {
    let tried = std::env::args().any(|argument| argument == "--test");
    if tried { full.min(1000) } else { full }
}
