//! The kept columns of a table as text, and how cells are shown to the people at the site.
//!
//! From: `read_csv`, `read_parquet`.
//! To: `value`, `identifier`, `precheck`.

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

/// One column's cells, end to end in one buffer.
pub(crate) struct TextColumn {
    /// Name in the file.
    pub(crate) name: String,
    text: String,
    /// End of each cell, counted from the start of its block.
    end: Vec<u32>,
    /// Where each block of [`BLOCK`] cells starts.
    start: Vec<usize>,
}

/// Cells per block: even if each were as long as a cell may be, their ends fit into 32 bits.
const BLOCK: usize = 256;

impl TextColumn {
    /// An empty column.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: String::new(),
            end: Vec::new(),
            start: Vec::new(),
        }
    }

    /// Adds a cell; an absent value is the empty cell.
    pub(crate) fn push(&mut self, cell: &str) {
        self.open();
        self.text.push_str(cell);
        self.close();
    }

    fn open(&mut self) {
        if self.end.len().is_multiple_of(BLOCK) {
            self.start.push(self.text.len());
        }
    }

    fn close(&mut self) {
        let start = self.start.last().copied().unwrap_or_default();
        let end = self.text.len() - start;
        self.end.push(u32::try_from(end).unwrap_or(u32::MAX));
    }

    fn end_of(&self, row: usize) -> Option<usize> {
        Some(self.start.get(row / BLOCK)? + *self.end.get(row)? as usize)
    }

    /// Adds a cell as `write!` prints it.
    #[cfg(feature = "parquet")]
    pub(crate) fn push_display(&mut self, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        self.open();
        // Writing to a String does not fail.
        let _ = write!(self.text, "{value}");
        self.close();
    }

    /// The cell of `row`; empty beyond the last row.
    pub(crate) fn cell(&self, row: usize) -> &str {
        let start = if row == 0 {
            Some(0)
        } else {
            self.end_of(row - 1)
        };
        start
            .zip(self.end_of(row))
            .and_then(|(start, end)| self.text.get(start..end))
            .unwrap_or_default()
    }

    /// Every cell in row order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        let blocks = self.start.iter().zip(self.end.chunks(BLOCK));
        let ends =
            blocks.flat_map(|(first, ends)| ends.iter().map(move |end| first + *end as usize));
        ends.map(move |end| {
            let cell = self.text.get(start..end).unwrap_or_default();
            start = end;
            cell
        })
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
        assert_eq!((column.cell(0), column.cell(2)), ("a", "ccc"));
        assert_eq!(column.cell(4), "");
    }

    #[test]
    fn cells_of_many_blocks_come_back() {
        let mut column = TextColumn::new("x");
        for row in 0..3 * BLOCK + 1 {
            column.push(&"y".repeat(row % 5));
        }
        assert_eq!(column.cells().count(), 3 * BLOCK + 1);
        for (row, cell) in column.cells().enumerate() {
            assert_eq!((cell.len(), column.cell(row)), (row % 5, cell), "{row}");
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
