//! The example of the page, calculated again.
//!
//! From: `docs/explanation/masking.md`.
//! To: nothing.

const PAGE: &str = include_str!("../../docs/explanation/masking.md");
const MODULUS: i64 = 1000;

/// The numbers of a table's row that starts with `first`.
fn row(first: &str) -> Vec<i64> {
    let start = format!("| {first} | ");
    let line = PAGE.lines().find(|line| line.starts_with(&start));
    let cells = line.unwrap()[start.len()..]
        .trim_end_matches(" |")
        .split(" | ");
    cells.map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn the_example_of_the_page_adds_up() {
    let pairs = row("mask");
    let mask_of = |one: usize, other: usize| {
        let place = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        let found = |pair: (usize, usize)| place.iter().position(|known| *known == pair);
        let added = found((one, other)).map(|at| pairs[at]);
        let taken = found((other, one)).map(|at| -pairs[at]);
        added.or(taken).unwrap_or(0)
    };
    let rows = ["A", "B", "C", "D"].map(row);
    for (own, row) in rows.iter().enumerate() {
        let masks: Vec<i64> = (0..4).map(|other| mask_of(own, other)).collect();
        assert_eq!(row[2..6], masks, "masks of {own}");
        let sent = row[..6].iter().sum::<i64>().rem_euclid(MODULUS);
        assert_eq!(row[6], sent, "what {own} sends");
    }
    let sum = |column: usize, of: usize| rows[..of].iter().map(|row| row[column]).sum::<i64>();
    let says = |text: String| assert!(PAGE.contains(&text), "the page lacks: {text}");
    let all = sum(6, 4);
    let (of_all, selves) = (all % MODULUS, sum(1, 4) % MODULUS);
    says(format!("= {all}, so {of_all}."));
    says(format!(
        "add up to {selves}; {of_all} - {selves} = **{}**",
        sum(0, 4)
    ));
    let three = sum(6, 3);
    let (of_three, selves) = (three % MODULUS, sum(1, 3) % MODULUS);
    let left = (of_three - selves).rem_euclid(MODULUS);
    says(format!("= {three}, so {of_three}."));
    says(format!("are {selves}: {of_three} - {selves} = {left}."));
    let gone = (0..3).map(|own| mask_of(own, 3)).sum::<i64>() % MODULUS;
    says(format!("= {gone}: {left} - {gone} = **{}**", sum(0, 3)));
    assert_eq!((left - gone).rem_euclid(MODULUS), sum(0, 3));
    let late = (rows[3][6] + gone) % MODULUS;
    says(format!(
        "+ {gone} = {late}, which is {} + {}",
        rows[3][0], rows[3][1]
    ));
    assert_eq!(late, rows[3][0] + rows[3][1]);
}
