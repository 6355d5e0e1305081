//! Station 4, what a hospital's table becomes: read, checked, restricted to the eligible, and
//! laid out as the protocol names it. Nothing is guessed, nothing is cut: the table is used as
//! a whole or refused with every reason at once. Rows and values appear in messages for the
//! site only.
//!
//! From: `admission` (a job that may run), `config` (where the table is).
//! To: `tally` (`Cases`), and the people at the site (`Finding`, `Fault`).

mod adequacy;
mod build;
mod eligible;
mod file;
mod finding;
#[cfg(test)]
mod fixture;
mod fnv;
mod formula;
mod identifier;
mod map;
mod means;
mod path;
mod people;
mod precheck;
mod raw;
mod read_csv;
#[cfg(feature = "parquet")]
mod read_parquet;
mod source;
mod value;

pub(crate) use file::Sha256;
pub use finding::Finding;
pub use people::People;
pub(crate) use people::Tag;
pub(crate) use raw::harmless;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::cases::{Cases, Column};
use shared::study::StudyProtocol;
pub use source::{Caps, MISSING, Origin, TableSource, Transform};

use file::Format;
use map::Selection;
use raw::RawTable;

use crate::images::{self, Images};
pub use crate::images::{Allowance, FileCount};
pub use means::{Kept, Means, Progress};

/// A table that may be analysed. It holds patient values: it cannot be printed or serialised.
pub struct Loaded {
    /// The eligible cases.
    pub cases: Cases,
    /// SHA-256 of the file's bytes as they were parsed; in a study of masks, of that and of the
    /// bytes of every mask of the eligible cases.
    pub fingerprint: Digest,
    /// Who the cases belong to.
    pub people: People,
    /// Remarks for the people at the site.
    pub findings: Vec<Finding>,
    /// Masks and lists of each field, among the eligible rows.
    pub files: Vec<FileCount>,
    /// Measurements of images that stay on disk until what is computed of them is safe.
    pub kept: Option<Kept>,
}

/// Reads the table of `source`, checks it against `study`, and keeps the eligible cases.
/// Deterministic: the same bytes and mapping give the same `Loaded`, whatever was kept from before.
///
/// # Errors
/// Every fault found by the first step that finds any: the mapping, the file, the columns, the
/// values, the cases. Codes `FV-DATA-*`, and `FV-CONF-002` or `FV-STUDY-002` where the
/// mapping or the protocol is at fault.
pub fn load(
    study: &StudyProtocol,
    source: &TableSource,
    means: &Means<'_>,
) -> Result<Loaded, Vec<Fault>> {
    map::check(study, source)?;
    let (table, selection, mut fingerprint) = read(study, source)?;
    if let Some(expected) = source.sha256
        && expected != fingerprint
    {
        return Err(vec![mismatch(source, expected, fingerprint)]);
    }
    let mut findings = Vec::new();
    let mut typed = precheck::check(study, source, &table, &selection, &mut findings)?;
    let one = |fault| vec![fault];
    let paths = path::files(study, source, &table, &selection);
    let images = Images {
        files: &paths,
        place: &|row| table.name_of(row),
    };
    let acquired =
        images::acquired(study, &images, &typed.patient, means, &mut findings).map_err(one)?;
    for (column, acquired) in typed.column.iter_mut().zip(acquired) {
        *column = acquired.unwrap_or_else(|| std::mem::replace(column, Column::Withheld));
    }
    let (rows, intake) = eligible::select(study, &typed).map_err(one)?;
    let number = build::numbers(&typed, &rows);
    let mut cases = build::build(study, &table, &typed, (&rows, &number), intake)?;
    let measured = images::masks(study, &images, &rows, means, &mut findings).map_err(one)?;
    let mut kept = None;
    let (mut files, mut digests) = (Vec::new(), Vec::new());
    if let Some(measured) = measured {
        kept = measured.kept;
        files = measured.files;
        digests = measured.digests;
        cases.masks = measured.masks;
        fingerprint = Digest::of_list(&[fingerprint.as_bytes(), measured.digest.as_bytes()]);
    }
    adequacy::check(study, &cases, &mut findings)?;
    let people = people::people(
        means.salt(),
        study,
        &people::Keys {
            patient: &table.column[selection.cluster],
            case: &table.column[selection.key],
        },
        &typed,
        (&rows, &cases.patient, cases.patients),
        (&number, &digests),
    );
    cases.column = build::columns(typed, &rows);
    Ok(Loaded {
        cases,
        fingerprint,
        people,
        findings,
        files,
        kept,
    })
}

fn read(
    study: &StudyProtocol,
    source: &TableSource,
) -> Result<(RawTable, Selection, Digest), Vec<Fault>> {
    let select = |header: &[String]| map::select(study, source, header);
    let opened = file::open(source).map_err(|fault| vec![fault])?;
    match opened.format {
        Format::Csv => read_csv::read(opened, source, &select),
        #[cfg(feature = "parquet")]
        Format::Parquet => read_parquet::read(opened, source, &select),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(vec![Fault::new(
            Code::TableUnreadable,
            format!("{} is a Parquet file", source.path.display()),
            "this program was built without the feature \"parquet\"",
            "export the table as CSV (UTF-8)",
        )]),
    }
}

fn mismatch(source: &TableSource, expected: Digest, found: Digest) -> Fault {
    Fault::new(
        Code::TableMismatch,
        format!("{} is not the expected table", source.path.display()),
        format!("its hash is {found}, configured is {expected}"),
        format!(
            "if the new table is meant, write its hash into {}",
            source.origin.place("table")
        ),
    )
}
