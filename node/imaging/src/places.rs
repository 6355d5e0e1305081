//! Lists of places in images, as CSV (RFC 4180, UTF-8, header required): candidates with scores, or
//! the lesions of a truth. A list belongs to one scan, or holds the rows of many, told apart by a
//! column that the site names.
//!
//! Columns are found by their names, in any case and with any signs between letters:
//!
//! | column | names |
//! |---|---|
//! | position | `x`, `coordX`, `x_mm`, and so for y and z; without z a plane |
//! | size of a ball | `radius`, `radius_mm`, or `diameter`, `diameter_mm` |
//! | a box by its corners | `x_min`, `x_max`, and so for y and z |
//! | a box by its lowest corner | `x`, `y`, `z` with `width`, `height` and `depth` |
//! | score | `score`, `probability`, `confidence` |
//! | label | `label`: a whole number, the structure that the row is about |
//! | irrelevant | `irrelevant`: 1 for a finding that neither counts as a lesion nor makes a candidate false |
//!
//! From: paths of a manifest.
//! To: `detection`, by way of `node::images`.

use std::collections::BTreeMap;
use std::path::Path;

use csv::StringRecord;

use crate::detection::{Bounds, Place};
use crate::file::open;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// The most bytes of a list.
const BYTES: u64 = 256 << 20;
/// The most rows of a list.
const ROWS: usize = 1 << 22;
/// The farthest that a position may lie from the origin: no scan of a patient reaches it.
const FARTHEST: f64 = 1e7;

/// One row of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listed {
    /// Where it lies, in the list's own coordinates.
    pub place: Place,
    /// Radius of a ball.
    pub radius: Option<f64>,
    /// Its score.
    pub score: Option<f64>,
    /// The structure that it is about.
    pub label: Option<u16>,
    /// Whether it counts: false for an irrelevant finding.
    pub counts: bool,
}

/// A list as it was read, its rows by scan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    rows: BTreeMap<String, Vec<Listed>>,
}

impl Places {
    /// The rows of the scan called `key`, or of a list of one scan with an empty key.
    pub fn of(&self, key: &str) -> &[Listed] {
        self.rows.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether any row is about the scan called `key`.
    pub fn knows(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }
}

/// Reads the list at `path`; `scan` names the column that tells scans apart, of a list of many.
///
/// # Errors
/// A [`Refusal`]; its detail names lines and columns, and no value.
pub fn read(path: &Path, scan: Option<&str>, limits: &Limits) -> Result<Places, Refusal> {
    let limits = Limits {
        file_bytes: limits.file_bytes.min(BYTES),
        ..*limits
    };
    let file = open(path, &limits)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(std::io::BufReader::new(file));
    let header = reader.headers().map_err(|error| broken(&error))?;
    let columns = Columns::of(header, scan)?;
    let mut places = Places::default();
    let mut record = StringRecord::new();
    let mut count = 0;
    while reader
        .read_record(&mut record)
        .map_err(|error| broken(&error))?
    {
        count += 1;
        if count > ROWS {
            let why = format!("more than {ROWS} rows");
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        let line = record.position().map_or(0, csv::Position::line);
        let (key, row) = columns.row(&record, line)?;
        places.rows.entry(key.to_owned()).or_default().push(row);
    }
    Ok(places)
}

fn broken(error: &csv::Error) -> Refusal {
    let line = error.position().map_or(0, csv::Position::line);
    let why = if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) {
        "bytes that UTF-8 does not have"
    } else if matches!(error.kind(), csv::ErrorKind::UnequalLengths { .. }) {
        "another number of columns than the header"
    } else {
        "no row of a CSV file"
    };
    Refusal::new(Reason::Malformed, format!("line {line}: {why}"))
}

/// A column's name without case and signs.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|one| one.to_ascii_lowercase()).collect()
}

/// Where each part of a row stands.
struct Columns {
    scan: Option<usize>,
    /// Position, or lowest corner.
    position: [Option<usize>; 3],
    /// Highest corner, or extent.
    extent: [Option<usize>; 3],
    /// What position and extent mean.
    form: Form,
    radius: Option<usize>,
    diameter: Option<usize>,
    score: Option<usize>,
    label: Option<usize>,
    irrelevant: Option<usize>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    Points,
    Corners,
    Extents,
}

impl Columns {
    fn of(header: &StringRecord, scan: Option<&str>) -> Result<Self, Refusal> {
        let names: Vec<String> = header.iter().map(plain).collect();
        let find = |known: &[&str]| -> Result<Option<usize>, Refusal> {
            let mut places = names.iter().enumerate();
            let mut places = places
                .by_ref()
                .filter(|(_, name)| known.contains(&name.as_str()));
            let first = places.next().map(|(place, _)| place);
            if places.next().is_some() {
                let why = format!("two columns are called {}", known.join(" or "));
                return Err(Refusal::new(Reason::Malformed, why));
            }
            Ok(first)
        };
        let axes = |make: &dyn Fn(&str) -> Vec<String>| -> Result<[Option<usize>; 3], Refusal> {
            let mut found = [None; 3];
            for (place, axis) in found.iter_mut().zip(["x", "y", "z"]) {
                let known = make(axis);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                *place = find(&known)?;
            }
            Ok(found)
        };
        let lowest = axes(&|axis| vec![format!("{axis}min"), format!("min{axis}")])?;
        let highest = axes(&|axis| vec![format!("{axis}max"), format!("max{axis}")])?;
        let centre = axes(&|axis| {
            ["", "coord", "center", "centre"]
                .iter()
                .flat_map(|before| [format!("{before}{axis}"), format!("{before}{axis}mm")])
                .collect()
        })?;
        let extents = [
            find(&["width", "widthmm"])?,
            find(&["height", "heightmm"])?,
            find(&["depth", "depthmm"])?,
        ];
        let (form, position, extent) = if lowest[0].is_some() {
            (Form::Corners, lowest, highest)
        } else if extents[0].is_some() {
            (Form::Extents, centre, extents)
        } else {
            (Form::Points, centre, [None; 3])
        };
        let columns = Self {
            scan: scan.map(|name| named(header, name)).transpose()?,
            position,
            extent,
            form,
            radius: find(&["radius", "radiusmm"])?,
            diameter: find(&["diameter", "diametermm"])?,
            score: find(&["score", "probability", "confidence"])?,
            label: find(&["label"])?,
            irrelevant: find(&["irrelevant"])?,
        };
        columns.complete()
    }

    /// Refuses positions of one axis, and boxes with an end missing.
    fn complete(self) -> Result<Self, Refusal> {
        let planes = self.position[0].is_some() && self.position[1].is_some();
        let boxes = match self.form {
            Form::Points => true,
            Form::Corners | Form::Extents => {
                (0..3).all(|axis| self.extent[axis].is_some() == self.position[axis].is_some())
            }
        };
        if planes && boxes {
            return Ok(self);
        }
        let why = "no columns x and y, nor boxes as x_min, x_max, y_min, y_max";
        Err(Refusal::new(Reason::Malformed, why))
    }

    fn row<'a>(&self, record: &'a StringRecord, line: u64) -> Result<(&'a str, Listed), Refusal> {
        let wrong = |what: &str| {
            let why = format!("line {line}: {what}");
            Refusal::new(Reason::Malformed, why)
        };
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let number = |column: Option<usize>, what: &str| -> Result<Option<f64>, Refusal> {
            let Some(text) = column.map(cell).filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            value.map(Some).ok_or_else(|| wrong(what))
        };
        let mut low = [0.0; 3];
        let mut high = [0.0; 3];
        for axis in 0..3 {
            let what = "a position or size that is no number";
            let Some(column) = self.position[axis] else {
                continue;
            };
            let at = number(Some(column), what)?.ok_or_else(|| wrong("no position"))?;
            let end = match self.form {
                Form::Points => at,
                Form::Corners => number(self.extent[axis], what)?.ok_or_else(|| wrong(what))?,
                Form::Extents => {
                    at + number(self.extent[axis], what)?.ok_or_else(|| wrong(what))?
                }
            };
            if end < at || at.abs() > FARTHEST || end.abs() > FARTHEST {
                return Err(wrong(
                    "a box turned inside out, or a place out of every scan",
                ));
            }
            (low[axis], high[axis]) = (at, end);
        }
        let place = match self.form {
            Form::Points => Place::Point(low),
            Form::Corners | Form::Extents => Place::Box(Bounds { low, high }),
        };
        let radius = number(self.radius, "a radius that is no number")?;
        let diameter = number(self.diameter, "a diameter that is no number")?;
        let radius = radius.or(diameter.map(|diameter| diameter / 2.0));
        if radius.is_some_and(|radius| radius < 0.0) {
            return Err(wrong("a size below 0"));
        }
        let label = self.label.map(cell).filter(|text| !text.is_empty());
        let label = label.map(|text| {
            text.parse::<u16>()
                .map_err(|_| wrong("a label that is no whole number from 0 to 65535"))
        });
        let irrelevant = match self.irrelevant.map_or("0", cell) {
            "1" => true,
            "0" | "" => false,
            _ => return Err(wrong("irrelevant is neither 0 nor 1")),
        };
        let row = Listed {
            place,
            radius,
            score: number(self.score, "a score that is no number")?,
            label: label.transpose()?,
            counts: !irrelevant,
        };
        Ok((self.scan.map_or("", cell), row))
    }
}

/// The column that the site named, by its name as written.
fn named(header: &StringRecord, name: &str) -> Result<usize, Refusal> {
    let mut places = header.iter();
    places.position(|column| column == name).ok_or_else(|| {
        let why = format!("no column \"{name}\" tells its scans apart");
        Refusal::new(Reason::Malformed, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str, scan: Option<&str>) -> Result<Places, Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, scan, &Limits::default())
    }

    #[test]
    fn luna16_lists_are_read_as_they_are() {
        let candidates = "seriesuid,coordX,coordY,coordZ,probability\n\
            1.2,-10.5,20,-300.25,0.9\n1.3,1,2,3,0.1\n1.2,0,0,0,0.2\n";
        let found = list(candidates, Some("seriesuid")).unwrap();
        let first = found.of("1.2");
        assert_eq!(first.len(), 2);
        assert_eq!(first[0].place, Place::Point([-10.5, 20.0, -300.25]));
        assert_eq!((first[0].score, first[0].radius), (Some(0.9), None));
        assert!(found.knows("1.3") && !found.knows("1.4") && found.of("1.4").is_empty());
        let truth = "seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,1,2,3,8\n";
        let found = list(truth, Some("seriesuid")).unwrap();
        assert_eq!(found.of("1.2")[0].radius, Some(4.0));
    }

    #[test]
    fn boxes_are_read_by_corners_and_by_extents() {
        let wanted = Place::Box(Bounds {
            low: [1.0, 2.0, 3.0],
            high: [5.0, 6.0, 7.0],
        });
        let corners = "xmin,ymin,zmin,xmax,ymax,zmax,score\n1,2,3,5,6,7,0.5\n";
        assert_eq!(list(corners, None).unwrap().of("")[0].place, wanted);
        let extents = "X,Width,Y,Height,Z,Depth,Score\n1,4,2,4,3,4,0.5\n";
        assert_eq!(list(extents, None).unwrap().of("")[0].place, wanted);
        let plane = "x_min,x_max,y_min,y_max,label,irrelevant\n1,2,3,4,7,1\n";
        let found = list(plane, None).unwrap().of("")[0];
        assert_eq!((found.label, found.counts), (Some(7), false));
    }

    #[test]
    fn a_header_alone_is_a_scan_without_candidates() {
        assert!(list("x,y,z,score\n", None).unwrap().of("").is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused_by_line_without_a_value() {
        for (text, line) in [
            ("x,y,z,score\n1,2,3,0.5\n1,2,secret,0.5\n", "line 3"),
            ("x,y,z,score\n1,2,3,NaN\n", "line 2"),
            ("x,y,z,score\n1,2,3\n", "line 2"),
            ("x,y,z,score\n1,2,1e300,0.5\n", "line 2"),
            ("x,y,radius\n1,2,-3\n", "line 2"),
            ("xmin,xmax,ymin,ymax\n2,1,0,1\n", "line 2"),
            ("x,y,irrelevant\n1,2,maybe\n", "line 2"),
            ("x,score\n1,0.5\n", "no columns"),
            ("x,coordX,y\n1,2,3\n", "two columns"),
            ("xmin,ymin,xmax\n1,2,3\n", "no columns"),
        ] {
            let refusal = list(text, None).unwrap_err();
            assert_eq!(refusal.reason, Reason::Malformed, "{text}");
            assert!(refusal.detail.contains(line), "{}", refusal.detail);
            assert!(!refusal.detail.contains("secret"));
        }
        let refusal = list("x,y\n1,2\n", Some("scan")).unwrap_err();
        assert!(refusal.detail.contains("scan"));
    }
}
