//! A CSV file (RFC 4180, UTF-8, header required) as text columns. Only the columns the study
//! needs are kept. A file that is not well formed is refused whole.
//!
//! From: `file`.
//! To: `value`, by way of `RawTable`.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;

use csv::ByteRecord;
use shared::fault::{Code, Fault};
use shared::identity::Digest;

use super::file::{OpenTable, Sha256};
use super::map::{Select, Selection};
use super::raw::{RawTable, TextColumn, quote};
use super::source::TableSource;

/// Most malformed rows named in one message.
const SHOWN: usize = 5;

/// Reads the columns that `select` chooses from the header, and the hash of the bytes read.
///
/// # Errors
/// The faults of `select`; `FV-DATA-001`, `-002`, `-004`, `-016`, `-017`, `-018`.
pub(crate) fn read(
    mut opened: OpenTable,
    source: &TableSource,
    select: &Select<'_>,
) -> Result<(RawTable, Selection, Digest), Vec<Fault>> {
    let result = parse(&opened, source, select);
    // A file that is being written also looks malformed; that it changes is the better answer.
    opened.unchanged().map_err(|fault| vec![fault])?;
    let (table, selection, digest) = result?;
    // File times may be too coarse to show a write of the last few milliseconds.
    if opened.hash().map_err(|fault| vec![fault])? != digest {
        return Err(vec![opened.changed()]);
    }
    Ok((table, selection, digest))
}

fn parse(
    opened: &OpenTable,
    source: &TableSource,
    select: &Select<'_>,
) -> Result<(RawTable, Selection, Digest), Vec<Fault>> {
    let file = opened
        .file
        .try_clone()
        .map_err(|error| vec![opened.unreadable(&error)])?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(Metered::new(file, source.caps.record_bytes));
    let mut scan = Scan {
        opened,
        source,
        record: ByteRecord::new(),
        ragged: 0,
        ragged_lines: Vec::new(),
        behind: 0,
    };
    let header = scan.header(&mut reader).map_err(|fault| vec![fault])?;
    let selection = select(&header)?;
    let table = scan
        .rows(&mut reader, &header, &selection)
        .map_err(|fault| vec![fault])?;
    let metered = reader.into_inner();
    scan.quotes(&metered).map_err(|fault| vec![fault])?;
    Ok((table, selection, metered.sha256.finish()))
}

const BUFFER: usize = 256 << 10;

/// The file, hashed and counted as it is read; an over-long record ends the reading before it
/// can fill the memory.
struct Metered {
    file: File,
    sha256: Sha256,
    quotes: u64,
    read: u64,
    /// Where the last complete record ended.
    done: Cell<u64>,
    limit: u64,
    too_long: bool,
}

impl Metered {
    fn new(file: File, limit: u64) -> Self {
        Self {
            file,
            sha256: Sha256::default(),
            quotes: 0,
            read: 0,
            done: Cell::new(0),
            limit: limit.saturating_add(BUFFER as u64),
            too_long: false,
        }
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.file.read(buffer)?;
        let bytes = &buffer[..length];
        self.sha256.update(bytes);
        // A byte holds the count of a chunk, so that many are compared at once.
        let quotes = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte == b'"')).sum::<u8>();
        self.quotes += bytes
            .chunks(128)
            .map(|chunk| u64::from(quotes(chunk)))
            .sum::<u64>();
        self.read += length as u64;
        if self.read.saturating_sub(self.done.get()) > self.limit {
            self.too_long = true;
            return Err(std::io::Error::other("the row exceeds the limit"));
        }
        Ok(length)
    }
}

struct Scan<'a> {
    opened: &'a OpenTable,
    source: &'a TableSource,
    record: ByteRecord,
    ragged: u64,
    ragged_lines: Vec<String>,
    /// Lines by which the reader is behind: it counts the second character of the line ends
    /// `\r\n` only with the next row.
    behind: u64,
}

impl Scan<'_> {
    /// Reads the next record; false at the end.
    fn next(&mut self, reader: &mut csv::Reader<Metered>) -> Result<bool, Fault> {
        let more = reader
            .read_byte_record(&mut self.record)
            .map_err(|error| self.broken(reader.get_ref(), error))?;
        reader.get_ref().done.set(reader.position().byte());
        Ok(more)
    }

    fn broken(&self, metered: &Metered, error: csv::Error) -> Fault {
        if metered.too_long {
            return self.too_large(
                "a row is longer than the limit",
                format!(
                    "one row may have {} bytes; a quotation mark that is not closed swallows the rest of the file",
                    self.source.caps.record_bytes
                ),
            );
        }
        if error.is_io_error() {
            self.opened.unreadable(&error.into())
        } else {
            self.malformed(error.to_string(), "export the table again")
        }
    }

    fn header(&mut self, reader: &mut csv::Reader<Metered>) -> Result<Vec<String>, Fault> {
        if !self.next(reader)? {
            return Err(self.malformed(
                "there is no line of column names",
                "export the table with its column names in the first line",
            ));
        }
        self.limits()?;
        let one_line = !self.record.as_slice().contains(&b'\n');
        self.behind = u64::from(one_line && reader.position().line() == self.line());
        let names = (0..self.record.len())
            .map(|index| self.cell(index).map(|name| name.trim().to_owned()))
            .collect::<Result<Vec<_>, _>>()?;
        if let [only] = names.as_slice()
            && only.contains([';', '\t', '|'])
        {
            return Err(self.malformed(
                format!("the first line is one single column, {}", quote(only)),
                "separate columns by commas and write decimals with a point; in R: write.csv, not write.csv2",
            ));
        }
        let data = |name: &&String| name.is_empty() || name.parse::<f64>().is_ok();
        if names.iter().filter(data).count() * 2 > names.len() {
            return Err(self.malformed(
                "the first line holds values instead of column names",
                "export the table with its column names in the first line",
            ));
        }
        Ok(names)
    }

    fn rows(
        &mut self,
        reader: &mut csv::Reader<Metered>,
        header: &[String],
        selection: &Selection,
    ) -> Result<RawTable, Fault> {
        let mut table = RawTable {
            column: selection
                .column
                .iter()
                .map(|&index| TextColumn::new(header.get(index).map_or("", String::as_str)))
                .collect(),
            place: Vec::new(),
            noun: "line",
        };
        while self.next(reader)? {
            self.limits()?;
            if self.record.len() != header.len() {
                self.note_ragged();
                continue;
            }
            if table.rows() as u64 >= self.source.caps.rows {
                return Err(self.too_large(
                    "there are more rows than the limit",
                    format!("at most {} rows are read", self.source.caps.rows),
                ));
            }
            let ascii = std::str::from_utf8(self.record.as_slice());
            let ascii = ascii.ok().filter(|text| text.is_ascii());
            if ascii.is_none() {
                // A fault in a column that nobody reads is a fault of the file, too.
                for index in 0..self.record.len() {
                    self.cell(index)?;
                }
            }
            for (column, &index) in table.column.iter_mut().zip(&selection.column) {
                let cell = ascii.zip(self.record.range(index));
                match cell.and_then(|(text, range)| text.get(range)) {
                    Some(cell) => column.push(cell),
                    None => column.push(self.cell(index)?),
                }
            }
            table
                .place
                .push(u32::try_from(self.line()).unwrap_or(u32::MAX));
        }
        if self.ragged > 0 {
            return Err(self.ragged_fault(header.len()));
        }
        Ok(table)
    }

    fn line(&self) -> u64 {
        let counted = self.record.position().map_or(0, csv::Position::line);
        counted + self.behind
    }

    fn cell(&self, index: usize) -> Result<&str, Fault> {
        let bytes = self.record.get(index).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| {
            Fault::new(
                Code::EncodingUnsupported,
                format!(
                    "{} is not UTF-8 text (line {})",
                    self.opened.name(),
                    self.line()
                ),
                "there are bytes that UTF-8 does not have, as in Latin-1 or Windows-1252 files",
                "export it as \"CSV UTF-8\"; in R: fileEncoding = \"UTF-8\"",
            )
        })
    }

    fn limits(&self) -> Result<(), Fault> {
        let caps = &self.source.caps;
        if self.record.len() > caps.columns {
            return Err(self.too_large(
                "there are more columns than the limit",
                format!("at most {} columns are read", caps.columns),
            ));
        }
        let long = |cell: &[u8]| cell.len() > caps.field_bytes;
        if self.record.as_slice().len() > caps.field_bytes && self.record.iter().any(long) {
            return Err(self.too_large(
                "a cell is longer than the limit",
                format!(
                    "one cell may have {} bytes; a quotation mark that is not closed swallows what follows",
                    caps.field_bytes
                ),
            ));
        }
        Ok(())
    }

    fn note_ragged(&mut self) {
        self.ragged += 1;
        if self.ragged_lines.len() < SHOWN {
            let text = format!("line {} has {}", self.line(), self.record.len());
            self.ragged_lines.push(text);
        }
    }

    fn ragged_fault(&self, expected: usize) -> Fault {
        let more = if self.ragged > self.ragged_lines.len() as u64 {
            ", ..."
        } else {
            ""
        };
        self.malformed(
            format!(
                "the first line has {expected} columns, but {} rows have another number ({}{more})",
                self.ragged,
                self.ragged_lines.join(", ")
            ),
            "put cells that contain commas, quotation marks or line breaks into quotation marks; a cut file must be exported again",
        )
    }

    /// Quotation marks come in pairs in every well-formed file, also where one is doubled.
    fn quotes(&self, metered: &Metered) -> Result<(), Fault> {
        if metered.quotes.is_multiple_of(2) {
            return Ok(());
        }
        Err(self.malformed(
            "a quotation mark is not closed",
            "put cells with quotation marks into quotation marks and double those inside; a cut file must be exported again",
        ))
    }

    fn malformed(&self, why: impl Into<String>, fix: &str) -> Fault {
        Fault::new(
            Code::TableMalformed,
            format!("{} is not a well-formed CSV table", self.opened.name()),
            why,
            fix,
        )
    }

    fn too_large(&self, what: &str, why: String) -> Fault {
        Fault::new(
            Code::TableTooLarge,
            format!("{}: {what} (line {})", self.opened.name(), self.line()),
            why,
            "leave out columns and rows the study does not need, or mend the export",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::open;
    use super::super::source::Caps;
    use super::*;

    fn everything(header: &[String]) -> Result<Selection, Vec<Fault>> {
        Ok(Selection {
            pattern: vec![],
            column: (0..header.len()).collect(),
            field: vec![],
            key: 0,
            cluster: 0,
        })
    }

    fn read_text(text: &[u8], caps: Caps) -> Result<RawTable, Code> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let source = TableSource {
            caps,
            ..TableSource::new(&path)
        };
        let opened = open(&source).map_err(|fault| fault.code)?;
        let (table, _, digest) =
            read(opened, &source, &everything).map_err(|faults| faults[0].code)?;
        assert_eq!(digest, Digest::of(text));
        Ok(table)
    }

    fn cells(text: &str) -> Vec<Vec<String>> {
        let table = read_text(text.as_bytes(), Caps::default()).unwrap();
        let own = |column: &TextColumn| column.cells().map(std::borrow::Cow::into_owned).collect();
        table.column.iter().map(own).collect()
    }

    #[test]
    fn marks_line_ends_and_quotes_read_alike() {
        let expected = [["1", "3"], ["2", "4"]];
        for text in [
            "a,b\n1,2\n3,4\n",
            "a,b\r\n1,2\r\n3,4",
            "a,b\r1,2\n\n3,4\r\n",
            "\u{feff}a,b\n1,2\n3,4\n",
            "\u{feff}\"a\",b\n\"1\",2\n3,\"4\"\n",
        ] {
            assert_eq!(cells(text), expected, "{text:?}");
        }
        assert_eq!(
            cells("a,b\n\"x\ny\",\"p\"\"q\"\n"),
            [["x\ny"], ["p\"q"]],
            "line breaks and doubled marks inside quotation marks"
        );
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        let table = read_text(b"a,b\n\"x\ny\",2\n3,4\n", Caps::default()).unwrap();
        assert_eq!(table.place, [2, 4]);
        let windows = b"a,b\r\n\"x\r\ny\",2\r\n3,4\r\n";
        let table = read_text(windows, Caps::default()).unwrap();
        assert_eq!(table.place, [2, 4]);
    }

    #[test]
    fn malformed_text_is_refused_whole() {
        for (text, code) in [
            (&b"a,b\n1,2\n3\n"[..], Code::TableMalformed),
            (b"a,b\n1,2,3\n", Code::TableMalformed),
            (b"a,b\n1,\"2\n", Code::TableMalformed),
            (b"a;b\n1;2\n", Code::TableMalformed),
            (b"1,0.5\n2,0.7\n", Code::TableMalformed),
            (b"\n\n", Code::TableMalformed),
            (b"a,b\nM\xfcnchen,2\n", Code::EncodingUnsupported),
            (b"a,\xe9\n1,2\n", Code::EncodingUnsupported),
        ] {
            assert_eq!(read_text(text, Caps::default()).err(), Some(code));
        }
    }

    #[test]
    fn caps_are_limits_not_cuts() {
        let text = b"a,b\n1,2\n3,4\n5,6666666\n";
        let caps = Caps::default();
        for small in [
            Caps { rows: 2, ..caps },
            Caps { columns: 1, ..caps },
            Caps {
                field_bytes: 6,
                ..caps
            },
            Caps {
                file_bytes: 10,
                ..caps
            },
        ] {
            assert_eq!(read_text(text, small).err(), Some(Code::TableTooLarge));
        }
        assert_eq!(read_text(text, Caps { rows: 3, ..caps }).unwrap().rows(), 3);
    }

    #[test]
    fn an_endless_row_stops_at_the_limit() {
        let mut text = b"a,b\n1,\"".to_vec();
        text.resize(4 << 20, b'\n');
        let caps = Caps {
            record_bytes: 1 << 20,
            ..Caps::default()
        };
        assert_eq!(read_text(&text, caps).err(), Some(Code::TableTooLarge));
    }
}
