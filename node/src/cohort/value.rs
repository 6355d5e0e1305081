//! Cells to values: missing markers, numbers, codes, transforms. What cannot be read is counted
//! by kind of problem with a few examples, never guessed.
//!
//! From: the readers' text columns, `source` (codes, markers, transforms).
//! To: `precheck`.

use std::collections::BTreeMap;

use shared::statistic::cases::Column;
use shared::study::{Field, FieldKind};

use super::raw::{Examples, TextColumn};
use super::source::{TableSource, Transform};

/// Why a cell has no value although something stands in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Problem {
    /// `0,5`.
    DecimalComma,
    /// `1,234.5` or `1 234`.
    Thousands,
    /// `=A1/2`.
    Formula,
    /// `0x1F`.
    Hexadecimal,
    /// `inf`, or `nan` where it is no missing marker.
    NotFinite,
    /// `1e400`.
    Overflow,
    /// `2021-03-04`.
    Date,
    /// Anything else that is no number.
    NotNumber,
    /// A whole number is declared; this has a fraction.
    NotWhole,
    /// Neither 0 nor 1, nor a configured code.
    Label,
    /// Not a declared level, nor a configured code.
    Level,
}

/// A field's values, and what was met on the way.
pub(crate) struct Reading {
    /// The values.
    pub(crate) column: Column,
    /// Rows without a value.
    pub(crate) missing: u64,
    /// Cells that could not be read.
    pub(crate) problem: BTreeMap<Problem, Examples>,
    /// Smallest and largest number before any transform.
    pub(crate) span: Option<(f64, f64)>,
}

/// Reads `cells` as the values of `field`.
pub(crate) fn read(field: &Field, source: &TableSource, cells: &TextColumn) -> Reading {
    let markers = Markers::new(&source.missing);
    let mut reading = Reading {
        column: Column::Withheld,
        missing: 0,
        problem: BTreeMap::new(),
        span: None,
    };
    reading.column = match field.kind {
        FieldKind::Identifier | FieldKind::Mask | FieldKind::Image | FieldKind::Places => {
            Column::Withheld
        }
        FieldKind::Binary => match Lookup::of_codes(field, source) {
            Some(lookup) => Column::Number(reading.each(cells, |cell| {
                lookup.find(cell, &markers, Problem::Label, |level| 1.0 - level as f64)
            })),
            None => Column::Number(match cells.numbers() {
                // As below, 0 and 1 are never markers; -0 may be one.
                Some(values) => reading.doubles(
                    (cells, values),
                    |value| {
                        let is_code = [0.0_f64, 1.0].map(f64::to_bits).contains(&value.to_bits());
                        !is_code && markers.contain_number(value)
                    },
                    |value| {
                        let is_label = value == 0.0 || value == 1.0;
                        is_label.then_some(value + 0.0).ok_or(Problem::Label)
                    },
                ),
                None => reading.each(cells, |cell| binary(cell, &markers)),
            }),
        },
        FieldKind::Category => {
            let lookup = Lookup::of_levels(field, source);
            Column::Category(reading.each(cells, |cell| {
                lookup.find(cell, &markers, Problem::Level, level_number)
            }))
        }
        FieldKind::Probability | FieldKind::Integer | FieldKind::Number => {
            let transform = source.transform.get(&field.name).copied();
            let whole = field.kind == FieldKind::Integer;
            Column::Number(reading.numbers(cells, &markers, transform, whole))
        }
    };
    reading
}

/// A declared level; protocols have far fewer than this can hold (`study::validate::LEVELS_MAX`).
fn level_number(level: usize) -> u16 {
    u16::try_from(level).unwrap_or(u16::MAX)
}

impl Reading {
    fn each<T: Copy>(
        &mut self,
        cells: &TextColumn,
        mut read: impl FnMut(&str) -> Result<Option<T>, Problem>,
    ) -> Vec<Option<T>> {
        if let Some((texts, codes)) = cells.few() {
            // Each text is read once, however often it stands in the table.
            let texts = texts.iter().map(|text| read(text.trim()));
            let texts: Vec<Result<Option<T>, Problem>> = texts.collect();
            let each = codes.iter().enumerate();
            return each
                .map(|(row, code)| match texts.get(usize::from(*code)) {
                    Some(Ok(Some(value))) => Some(*value),
                    Some(Ok(None)) | None => self.none(),
                    Some(Err(problem)) => self.odd(*problem, row, &cells.cell(row)),
                })
                .collect();
        }
        let each = cells.cells().enumerate();
        each.map(|(row, cell)| match read(cell.trim()) {
            Ok(Some(value)) => Some(value),
            Ok(None) => self.none(),
            Err(problem) => self.odd(problem, row, &cell),
        })
        .collect()
    }

    /// The same of numbers as the file has them, of which `is_missing` says whether they are markers.
    fn doubles(
        &mut self,
        (cells, values): (&TextColumn, &[f64]),
        is_missing: impl Fn(f64) -> bool,
        mut read: impl FnMut(f64) -> Result<f64, Problem>,
    ) -> Vec<Option<f64>> {
        let each = values.iter().enumerate();
        each.map(|(row, value)| {
            if value.is_nan() || is_missing(*value) {
                return self.none();
            }
            match read(*value) {
                Ok(value) => Some(value),
                Err(problem) => self.odd(problem, row, &cells.cell(row)),
            }
        })
        .collect()
    }

    fn none<T>(&mut self) -> Option<T> {
        self.missing += 1;
        None
    }

    fn odd<T>(&mut self, problem: Problem, row: usize, cell: &str) -> Option<T> {
        self.problem.entry(problem).or_default().add(row, cell);
        None
    }

    fn numbers(
        &mut self,
        cells: &TextColumn,
        markers: &Markers,
        transform: Option<Transform>,
        whole: bool,
    ) -> Vec<Option<f64>> {
        let mut span: Option<(f64, f64)> = None;
        let mut take = |value: f64| {
            if whole && value.fract() != 0.0 {
                return Err(Problem::NotWhole);
            }
            let (low, high) = span.unwrap_or((value, value));
            span = Some((low.min(value), high.max(value)));
            Ok(transformed(value, transform))
        };
        let values = match cells.numbers() {
            Some(values) => self.doubles(
                (cells, values),
                |value| markers.contain_number(value),
                |value| {
                    let finite = value.is_finite().then_some(value + 0.0);
                    take(finite.ok_or(Problem::NotFinite)?)
                },
            ),
            None => self.each(cells, |cell| {
                if markers.contain(cell) {
                    return Ok(None);
                }
                take(number(cell)?).map(Some)
            }),
        };
        self.span = span;
        values
    }
}

fn transformed(value: f64, transform: Option<Transform>) -> f64 {
    match transform {
        None => value,
        Some(Transform::Logistic) => 1.0 / (1.0 + libm::exp(-value)),
        Some(Transform::Percent) => value / 100.0,
    }
}

/// Cells that mean "no value".
pub(crate) struct Markers {
    text: Vec<String>,
    /// Bytes of the longest.
    longest: usize,
    /// Those that are the texts of numbers.
    number: Vec<f64>,
}

impl Markers {
    /// The site's markers.
    pub(crate) fn new(missing: &[String]) -> Self {
        let number = |marker: &String| {
            let number: f64 = marker.parse().ok()?;
            number
                .to_string()
                .eq_ignore_ascii_case(marker)
                .then_some(number)
        };
        Self {
            text: missing.to_vec(),
            longest: missing.iter().map(String::len).max().unwrap_or(0),
            number: missing.iter().filter_map(number).collect(),
        }
    }

    /// Whether the text of a number means "no value".
    fn contain_number(&self, value: f64) -> bool {
        let mut numbers = self.number.iter();
        numbers.any(|number| number.to_bits() == value.to_bits())
    }

    /// Whether the trimmed `cell` means "no value"; letter case does not matter.
    pub(crate) fn contain(&self, cell: &str) -> bool {
        let is_marker = |marker: &String| marker.eq_ignore_ascii_case(cell);
        cell.is_empty() || (cell.len() <= self.longest && self.text.iter().any(is_marker))
    }
}

/// 0 and 1, as whole or decimal numbers, or true and false.
fn binary(cell: &str, markers: &Markers) -> Result<Option<f64>, Problem> {
    match cell {
        "0" => return Ok(Some(0.0)),
        "1" => return Ok(Some(1.0)),
        _ if markers.contain(cell) => return Ok(None),
        _ if cell.eq_ignore_ascii_case("true") => return Ok(Some(1.0)),
        _ if cell.eq_ignore_ascii_case("false") => return Ok(Some(0.0)),
        _ => {}
    }
    match number(cell) {
        Ok(value) if value == 0.0 || value == 1.0 => Ok(Some(value)),
        Ok(_) | Err(_) => Err(Problem::Label),
    }
}

/// A finite decimal number; `-0` is 0.
pub(crate) fn number(cell: &str) -> Result<f64, Problem> {
    let value: f64 = cell.parse().map_err(|_| explain(cell))?;
    if value.is_finite() {
        return Ok(value + 0.0);
    }
    // `f64::from_str` also reads `inf` and `nan`, the only numbers without a digit.
    if cell.bytes().any(|byte| byte.is_ascii_digit()) {
        Err(Problem::Overflow)
    } else {
        Err(explain(cell))
    }
}

fn explain(cell: &str) -> Problem {
    let bare = cell.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let commas = bare.matches(',').count();
    let numeric = |keep: &[char]| {
        bare.chars()
            .all(|one| one.is_ascii_digit() || keep.contains(&one))
    };
    if cell.starts_with(['=', '@']) {
        Problem::Formula
    } else if bare.starts_with("0x") {
        Problem::Hexadecimal
    } else if ["inf", "infinity", "nan"].contains(&bare.as_str()) {
        Problem::NotFinite
    } else if commas == 1 && !bare.contains('.') && numeric(&[',', 'e', '-', '+']) {
        Problem::DecimalComma
    } else if numeric(&[',', '.', ' ', '\'', '\u{a0}', '\u{202f}']) && {
        let spaced = bare.contains([' ', '\'', '\u{a0}', '\u{202f}']);
        spaced || commas > 0
    } {
        Problem::Thousands
    } else if ['-', '/', '.']
        .iter()
        .any(|&mark| bare.split(mark).count() == 3 && bare.split(mark).all(digits))
    {
        Problem::Date
    } else {
        Problem::NotNumber
    }
}

/// Texts and the level they stand for.
struct Lookup {
    /// By rising text.
    entries: Vec<(String, usize)>,
    /// Place of the first text, in `entries`, of each value of [`slot`].
    first: Vec<Option<usize>>,
}

/// Values of [`slot`].
const SLOTS: usize = 256;

/// A number that most texts of a field have for themselves.
fn slot(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| {
        (usize::from(*first), usize::from(*last))
    });
    (first + 7 * last + 31 * bytes.len()) % SLOTS
}

impl Lookup {
    /// The configured codes of a binary field: level 0 is `1`, level 1 is `0`.
    fn of_codes(field: &Field, source: &TableSource) -> Option<Self> {
        let codes = source.codes.get(&field.name)?;
        let entries = [("1", 0), ("0", 1)]
            .into_iter()
            .flat_map(|(level, index)| {
                let locals = codes.get(level).into_iter().flatten();
                locals.map(move |local| (local.trim().to_owned(), index))
            })
            .collect();
        Some(Self::sorted(entries))
    }

    /// The levels themselves and the configured codes; a code wins over a level of that name.
    fn of_levels(field: &Field, source: &TableSource) -> Self {
        let mut entries: BTreeMap<String, usize> = field
            .levels
            .iter()
            .enumerate()
            .map(|(index, level)| (level.trim().to_owned(), index))
            .collect();
        let codes = source.codes.get(&field.name);
        for (level, locals) in codes.into_iter().flatten() {
            if let Some(index) = field.levels.iter().position(|one| one == level) {
                for local in locals {
                    entries.insert(local.trim().to_owned(), index);
                }
            }
        }
        Self::sorted(entries.into_iter().collect())
    }

    fn sorted(mut entries: Vec<(String, usize)>) -> Self {
        entries.sort();
        let mut first = vec![None; SLOTS];
        for (place, (text, _)) in entries.iter().enumerate() {
            first[slot(text)].get_or_insert(place);
        }
        Self { entries, first }
    }

    fn exact(&self, cell: &str) -> Option<usize> {
        let (text, level) = self.entries.get(self.first[slot(cell)]?)?;
        if text == cell {
            return Some(*level);
        }
        self.entries
            .binary_search_by(|(text, _)| text.as_str().cmp(cell))
            .ok()
            .and_then(|index| self.entries.get(index))
            .map(|(_, level)| *level)
    }

    /// The level of `cell`. Levels and codes win over missing markers, so that a level may be
    /// called `none`; `1.0` is code `1`, since columns with gaps are often exported so.
    fn find<T>(
        &self,
        cell: &str,
        markers: &Markers,
        problem: Problem,
        value: impl Fn(usize) -> T,
    ) -> Result<Option<T>, Problem> {
        if let Some(level) = self.exact(cell) {
            return Ok(Some(value(level)));
        }
        if markers.contain(cell) {
            return Ok(None);
        }
        number(cell)
            .ok()
            .filter(|number| number.fract() == 0.0)
            .and_then(|number| self.exact(&number.to_string()))
            .map(|level| Some(value(level)))
            .ok_or(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::source::MISSING;

    fn field(kind: FieldKind, levels: &[&str]) -> Field {
        Field {
            name: "x".parse().unwrap(),
            kind,
            required: false,
            unit: None,
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            range: None,
            tag: None,
            bands: vec![],
        }
    }

    fn column(cells: &[&str]) -> TextColumn {
        let mut column = TextColumn::new("x");
        for cell in cells {
            column.push(cell);
        }
        column
    }

    fn numbers(reading: &Reading) -> &[Option<f64>] {
        match &reading.column {
            Column::Number(values) => values,
            Column::Category(_) | Column::Withheld => panic!("not numbers"),
        }
    }

    #[test]
    fn numbers_are_plain_decimals_only() {
        for (cell, expected) in [
            ("0.5", Ok(0.5)),
            ("+.5e-1", Ok(0.05)),
            ("63.", Ok(63.0)),
            ("1e-400", Ok(0.0)),
            ("1e400", Err(Problem::Overflow)),
            ("inf", Err(Problem::NotFinite)),
            ("-Infinity", Err(Problem::NotFinite)),
            ("0x1F", Err(Problem::Hexadecimal)),
            ("0,5", Err(Problem::DecimalComma)),
            ("-1,5e-3", Err(Problem::DecimalComma)),
            ("1,234.5", Err(Problem::Thousands)),
            ("1.234,5", Err(Problem::Thousands)),
            ("1\u{a0}234", Err(Problem::Thousands)),
            ("=1+1", Err(Problem::Formula)),
            ("=cmd()", Err(Problem::Formula)),
            ("2021-03-04", Err(Problem::Date)),
            ("4.3.2021", Err(Problem::Date)),
            ("1_000", Err(Problem::NotNumber)),
            ("\u{2212}1", Err(Problem::NotNumber)),
            ("٣", Err(Problem::NotNumber)),
            ("--1", Err(Problem::NotNumber)),
            ("e5", Err(Problem::NotNumber)),
            ("-", Err(Problem::NotNumber)),
        ] {
            assert_eq!(number(cell), expected, "{cell}");
        }
        let zero = number("-0").unwrap();
        assert_eq!(zero.to_bits(), 0.0_f64.to_bits(), "-0 becomes 0");
    }

    #[test]
    fn missing_markers_ignore_case_and_spaces() {
        let markers = Markers::new(&MISSING.map(str::to_owned));
        for cell in ["", "na", "NaN", "NONE", "n/a", "?", "."] {
            assert!(markers.contain(cell), "{cell}");
        }
        assert!(!markers.contain("0"));
        let source = TableSource::new("t");
        let reading = read(
            &field(FieldKind::Number, &[]),
            &source,
            &column(&[" 1 ", " NA ", "", "2"]),
        );
        assert_eq!(numbers(&reading), [Some(1.0), None, None, Some(2.0)]);
        assert_eq!((reading.missing, reading.span), (2, Some((1.0, 2.0))));
    }

    #[test]
    fn numeric_markers_are_markers() {
        let mut source = TableSource::new("t");
        source.missing = vec!["-9".to_owned(), "999".to_owned()];
        let reading = read(
            &field(FieldKind::Integer, &[]),
            &source,
            &column(&["-9", "63", "999", "63.5"]),
        );
        assert_eq!(numbers(&reading), [None, Some(63.0), None, None]);
        assert_eq!(reading.missing, 2);
        assert_eq!(reading.problem[&Problem::NotWhole].count, 1);
    }

    #[test]
    fn labels_are_zero_and_one_or_configured() {
        let binary = field(FieldKind::Binary, &[]);
        let mut source = TableSource::new("t");
        let cells = ["1", "0.0", "TRUE", "false", "NA", "2", "yes", "0;1"];
        let reading = read(&binary, &source, &column(&cells));
        assert_eq!(
            numbers(&reading)[..5],
            [Some(1.0), Some(0.0), Some(1.0), Some(0.0), None]
        );
        assert_eq!(reading.problem[&Problem::Label].count, 3);

        let codes = [
            ("1".to_owned(), vec!["yes".to_owned(), "2".to_owned()]),
            ("0".to_owned(), vec!["no".to_owned(), "1".to_owned()]),
        ];
        source.codes.insert(binary.name.clone(), codes.into());
        let reading = read(&binary, &source, &column(&["yes", "1", "2.0", "NA", "0"]));
        assert_eq!(
            numbers(&reading),
            [Some(1.0), Some(0.0), Some(1.0), None, None]
        );
        assert_eq!(
            reading.problem[&Problem::Label].count,
            1,
            "with codes, only codes"
        );
    }

    #[test]
    fn levels_win_over_markers_and_codes_over_levels() {
        let smoking = field(FieldKind::Category, &["none", "some"]);
        let mut source = TableSource::new("t");
        let codes = [("some".to_owned(), vec!["1".to_owned()])];
        source.codes.insert(smoking.name.clone(), codes.into());
        let reading = read(
            &smoking,
            &source,
            &column(&["none", "1.0", "some", "NA", "Some"]),
        );
        let Column::Category(levels) = &reading.column else {
            panic!("not levels");
        };
        assert_eq!(levels, &[Some(0), Some(1), Some(1), None, None]);
        assert_eq!(reading.problem[&Problem::Level].count, 1);
    }

    #[test]
    fn transforms_make_probabilities() {
        let score = field(FieldKind::Probability, &[]);
        let mut source = TableSource::new("t");
        source
            .transform
            .insert(score.name.clone(), Transform::Logistic);
        let reading = read(&score, &source, &column(&["0", "-800", "800"]));
        assert_eq!(numbers(&reading), [Some(0.5), Some(0.0), Some(1.0)]);
        source
            .transform
            .insert(score.name.clone(), Transform::Percent);
        let reading = read(&score, &source, &column(&["25"]));
        assert_eq!(numbers(&reading), [Some(0.25)]);
    }
}
