//! The kept columns of a table as text, and how cells are shown to the people at the site.
//!
//! From: `read_csv`, `read_parquet`.
//! To: `value`, `identifier`, `precheck`.

use std::borrow::Cow;

/// Most cells shown in one message.
const SHOWN: usize = 5;
/// Most characters of a cell that are shown.
const SHOWN_CHARS: usize = 40;

/// The kept columns, all with the same number of rows.
pub(crate) struct RawTable {
    /// Columns in the order of `Selection::column`.
    pub(crate) column: Vec<TextColumn>,
    /// Place of each row in the file.
    pub(crate) place: Vec<u32>,
    /// What a place is called: `line` in text files, `row` elsewhere.
    pub(crate) noun: &'static str,
}

/// One column's cells.
pub(crate) struct TextColumn {
    /// Name in the file.
    pub(crate) name: String,
    cells: Cells,
}

/// How cells are kept; all that is read of them is their text.
enum Cells {
    /// A few texts, and which of them each cell is.
    Few(Few),
    /// Any texts.
    Many(Many),
    /// Numbers of a file that has numbers: a cell's text is the shortest that reads back to the same
    /// number, and not-a-number the empty cell.
    #[cfg_attr(
        not(feature = "parquet"),
        expect(dead_code, reason = "CSV has no numbers, only texts")
    )]
    Numbers(Vec<f64>),
}

/// The texts that occur, by first appearance.
struct Few {
    text: Vec<String>,
    code: Vec<u16>,
    /// Places of the texts, each at its hash or where there is room behind.
    slot: Vec<u16>,
    /// Places of the texts of one byte.
    single: Vec<u16>,
}

/// Texts end to end in one buffer.
#[derive(Default)]
struct Many {
    text: String,
    /// End of each cell, counted from the start of its block.
    end: Vec<u32>,
    /// Where each block of [`BLOCK`] cells starts.
    start: Vec<usize>,
}

/// Most texts that are few.
const FEW: usize = 512;
/// Bytes of a text that is not one of a few.
const LONG: usize = 64;
/// Slots for the few, four each.
const SLOTS: usize = 4 * FEW;
const FREE: u16 = u16::MAX;

impl Few {
    fn new() -> Self {
        Self {
            text: Vec::new(),
            code: Vec::new(),
            slot: vec![FREE; SLOTS],
            single: vec![FREE; 256],
        }
    }

    /// Adds a cell; false where its text would be one too many.
    fn push(&mut self, cell: &str) -> bool {
        let known = match cell.as_bytes() {
            [byte] => self.single[usize::from(*byte)],
            _ => FREE,
        };
        if known == FREE {
            return self.push_any(cell);
        }
        self.code.push(known);
        true
    }

    fn push_any(&mut self, cell: &str) -> bool {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        let bytes = cell.bytes().take(16);
        let hash = bytes.fold(cell.len() as u64, |hash, byte| {
            hash.rotate_left(5) ^ u64::from(byte)
        });
        let mut at = (hash.wrapping_mul(ODD) >> 32) as usize % SLOTS;
        loop {
            let code = self.slot[at];
            let Some(known) = self.text.get(usize::from(code)) else {
                break;
            };
            if known == cell {
                self.code.push(code);
                return true;
            }
            at = (at + 1) % SLOTS;
        }
        if self.text.len() == FEW || cell.len() > LONG {
            return false;
        }
        let code = u16::try_from(self.text.len()).unwrap_or(FREE);
        self.slot[at] = code;
        if let [byte] = cell.as_bytes() {
            self.single[usize::from(*byte)] = code;
        }
        self.text.push(cell.to_owned());
        self.code.push(code);
        true
    }
}

/// Cells per block: even if each were as long as a cell may be, their ends fit into 32 bits.
const BLOCK: usize = 256;

impl Many {
    fn push(&mut self, cell: &str) {
        if self.end.len().is_multiple_of(BLOCK) {
            self.start.push(self.text.len());
        }
        self.text.push_str(cell);
        let start = self.start.last().copied().unwrap_or_default();
        let end = self.text.len() - start;
        self.end.push(u32::try_from(end).unwrap_or(u32::MAX));
    }

    fn end_of(&self, row: usize) -> Option<usize> {
        Some(self.start.get(row / BLOCK)? + *self.end.get(row)? as usize)
    }

    fn cell(&self, row: usize) -> Option<&str> {
        let start = match row.checked_sub(1) {
            Some(before) => self.end_of(before)?,
            None => 0,
        };
        self.text.get(start..self.end_of(row)?)
    }
}

impl TextColumn {
    /// An empty column.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cells: Cells::Few(Few::new()),
        }
    }

    /// Adds a cell; an absent value is the empty cell.
    pub(crate) fn push(&mut self, cell: &str) {
        let is_kept = match &mut self.cells {
            Cells::Few(few) => few.push(cell),
            Cells::Many(many) => {
                many.push(cell);
                true
            }
            Cells::Numbers(_) => false,
        };
        if !is_kept {
            let mut many = self.as_many();
            many.push(cell);
            self.cells = Cells::Many(many);
        }
    }

    /// Adds a cell as `write!` prints it.
    #[cfg(feature = "parquet")]
    pub(crate) fn push_display(&mut self, value: impl std::fmt::Display) {
        self.push(&value.to_string());
    }

    /// Adds a number, or of none the empty cell.
    #[cfg(feature = "parquet")]
    pub(crate) fn push_number(&mut self, value: Option<f64>) {
        if self.rows() == 0 {
            self.cells = Cells::Numbers(Vec::new());
        }
        match (&mut self.cells, value) {
            (Cells::Numbers(values), _) => values.push(value.unwrap_or(f64::NAN)),
            (Cells::Few(_) | Cells::Many(_), Some(value)) => self.push_display(value),
            (Cells::Few(_) | Cells::Many(_), None) => self.push(""),
        }
    }

    /// The same cells, kept as any texts are.
    fn as_many(&self) -> Many {
        let mut many = Many::default();
        self.cells().for_each(|cell| many.push(&cell));
        many
    }

    /// Number of cells.
    pub(crate) fn rows(&self) -> usize {
        match &self.cells {
            Cells::Few(few) => few.code.len(),
            Cells::Many(many) => many.end.len(),
            Cells::Numbers(values) => values.len(),
        }
    }

    /// The cell of `row`; empty beyond the last row.
    pub(crate) fn cell(&self, row: usize) -> Cow<'_, str> {
        match &self.cells {
            Cells::Few(few) => {
                let text = few
                    .code
                    .get(row)
                    .and_then(|code| few.text.get(usize::from(*code)));
                Cow::Borrowed(text.map_or("", String::as_str))
            }
            Cells::Many(many) => Cow::Borrowed(many.cell(row).unwrap_or_default()),
            Cells::Numbers(values) => match values.get(row) {
                Some(value) if !value.is_nan() => Cow::Owned(value.to_string()),
                Some(_) | None => Cow::Borrowed(""),
            },
        }
    }

    /// Every cell in row order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.rows()).map(|row| self.cell(row))
    }

    /// Where cells are of a few texts: these, and which of them each cell is.
    pub(crate) fn few(&self) -> Option<(&[String], &[u16])> {
        match &self.cells {
            Cells::Few(few) => Some((&few.text, &few.code)),
            Cells::Many(_) | Cells::Numbers(_) => None,
        }
    }

    /// Where the file has numbers: these, not-a-number for the empty cell.
    pub(crate) fn numbers(&self) -> Option<&[f64]> {
        match &self.cells {
            Cells::Numbers(values) => Some(values),
            Cells::Few(_) | Cells::Many(_) => None,
        }
    }
}

impl RawTable {
    /// How people find a row: `line 4`.
    pub(crate) fn name_of(&self, row: usize) -> String {
        let place = self.place.get(row).copied().unwrap_or_default();
        format!("{} {place}", self.noun)
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.place.len()
    }
}

/// How often something was met, with the first few cells. Shown at the site only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Examples {
    /// Cells met.
    pub(crate) count: u64,
    shown: Vec<(usize, String)>,
}

impl Examples {
    /// Counts a cell of `row`.
    pub(crate) fn add(&mut self, row: usize, cell: &str) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push((row, quote(cell)));
        }
    }

    /// Nothing was met.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `3 values (line 4: "x", line 9: "y", line 12: "z")`.
    pub(crate) fn describe(&self, table: &RawTable) -> String {
        let noun = if self.count == 1 { "value" } else { "values" };
        format!("{} {noun} ({})", self.count, self.places(table))
    }

    /// `line 4: "x", line 9: "y", ...`.
    pub(crate) fn places(&self, table: &RawTable) -> String {
        let mut text = self
            .shown
            .iter()
            .map(|(row, cell)| format!("{}: {cell}", table.name_of(*row)))
            .collect::<Vec<_>>()
            .join(", ");
        if self.count > self.shown.len() as u64 {
            text.push_str(", ...");
        }
        text
    }
}

/// Whether a character neither steers a terminal nor changes how its neighbours read.
pub(crate) fn harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A cell in quotation marks, short, with nothing in it that steers a terminal.
pub(crate) fn quote(cell: &str) -> String {
    let mut text = String::from("\"");
    for character in cell.chars().take(SHOWN_CHARS) {
        if character == '"' || character == '\\' || !harmless(character) {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text.push('"');
    if cell.chars().nth(SHOWN_CHARS).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_pushed() {
        let mut column = TextColumn::new("x");
        for cell in ["a", "", "ccc"] {
            column.push(cell);
        }
        column.push_display(0.1);
        assert_eq!(column.cells().collect::<Vec<_>>(), ["a", "", "ccc", "0.1"]);
        assert_eq!((&*column.cell(0), &*column.cell(2)), ("a", "ccc"));
        assert_eq!(column.cell(4), "");
    }

    #[test]
    fn few_texts_become_many_where_there_is_one_too_many() {
        for (long, few) in [(false, true), (true, false)] {
            let mut column = TextColumn::new("x");
            let mut pushed = Vec::new();
            for row in 0..3 * FEW {
                pushed.push(format!("text {}", row % FEW));
            }
            if long {
                pushed.push("y".repeat(LONG + 1));
            }
            pushed.iter().for_each(|cell| column.push(cell));
            assert_eq!(column.few().is_some(), few);
            assert_eq!(column.cells().collect::<Vec<_>>(), pushed);
            column.push("one more");
            column.push("text 0");
            assert!(column.few().is_none());
            assert_eq!(column.rows(), pushed.len() + 2);
            assert_eq!(column.cell(FEW + 7), "text 7");
            assert_eq!(column.cell(pushed.len() + 1), "text 0");
        }
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn numbers_are_texts_to_whoever_reads_texts() {
        let mut column = TextColumn::new("x");
        for value in [Some(0.1), None, Some(-0.0), Some(1e300), Some(3.0)] {
            column.push_number(value);
        }
        assert!(column.numbers().is_some());
        let texts: Vec<String> = column.cells().map(Cow::into_owned).collect();
        assert_eq!(
            (&*texts[0], &*texts[1], &*texts[2], &*texts[4]),
            ("0.1", "", "-0", "3")
        );
        column.push("18446744073709551615");
        column.push_number(Some(0.5));
        assert!(column.numbers().is_none());
        assert_eq!(column.cells().take(5).collect::<Vec<_>>(), texts);
        assert_eq!(column.cell(6), "0.5");
    }

    #[test]
    fn cells_of_many_blocks_come_back() {
        let mut column = TextColumn::new("x");
        for row in 0..3 * BLOCK + 1 {
            column.push(&format!("{row}{}", "y".repeat(row % 5)));
        }
        assert!(column.few().is_none());
        assert_eq!(column.cells().count(), 3 * BLOCK + 1);
        for (row, cell) in column.cells().enumerate() {
            assert_eq!(cell, format!("{row}{}", "y".repeat(row % 5)));
        }
    }

    #[test]
    fn examples_stop_at_five_and_escape_what_steers_a_terminal() {
        let table = RawTable {
            column: vec![],
            place: (2..20).collect(),
            noun: "line",
        };
        let mut examples = Examples::default();
        for row in 0..7 {
            examples.add(row, "\u{1b}[31m\u{202e}x");
        }
        let text = examples.describe(&table);
        assert!(text.starts_with("7 values (line 2: \"\\u{1b}[31m\\u{202e}x\", line 3"));
        assert!(text.ends_with("line 6: \"\\u{1b}[31m\\u{202e}x\", ...)"));
        assert_eq!(quote(&"y".repeat(50)).len(), 45);
    }
}
