//! Bad files: names, encodings, quotation marks, sizes, and files that change.
//!
//! From: `node::cohort`.
//! To: the test run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::load;
use node::cohort::{Caps, TableSource};
use shared::fault::Code;
use shared::identity::Digest;
use shared::statistic::cases::Exclusion;

use super::{
    HEAD, assert_faults, excluded, loaded, print, read, refused, rows, study, text, with_cell,
    with_row,
};

#[test]
fn a_good_table_is_read_whole() {
    let loaded = loaded(&text(&rows()));
    assert_eq!(loaded.cases.patient, (0..40).collect::<Vec<_>>());
    assert_eq!(loaded.cases.patients, 40);
    let events = loaded.cases.outcome[0].iter().flatten();
    assert_eq!(events.filter(|event| **event).count(), 14);
    assert_eq!(loaded.fingerprint, Digest::of(text(&rows()).as_bytes()));
    assert_eq!(excluded(&loaded, Exclusion::Duplicate), (0, 0));
}

#[test]
fn no_header() {
    let body = text(&rows()).split_once('\n').unwrap().1.to_owned();
    let said = refused(&body, Code::TableMalformed);
    assert!(said.contains("column names"), "{said}");
    refused("\n\n\n", Code::TableMalformed);
}

#[test]
fn empty_file() {
    refused("", Code::TableMalformed);
}

#[test]
fn duplicate_columns() {
    let doubled = text(&rows()).replacen("p_a,p_b", "p_b,p_b", 1);
    refused(doubled, Code::ColumnDuplicate);
    let unused = text(&rows())
        .lines()
        .enumerate()
        .map(|(line, row)| row.to_owned() + if line == 0 { ",x,x\n" } else { ",1,2\n" })
        .collect::<String>();
    refused(unused, Code::ColumnDuplicate);
}

#[test]
fn missing_columns_and_wrong_names() {
    let renamed = text(&rows()).replacen("age", "Age", 1);
    let said = refused(&renamed, Code::FieldUnmapped);
    assert!(said.contains("did you mean \"Age\"?"), "{said}");
    let map = |argument: &'static str| {
        move |source: &mut TableSource| source.map_argument(argument).unwrap()
    };
    assert!(read(renamed.as_bytes(), map("age=Age")).is_ok());
    assert_faults(
        read(renamed.as_bytes(), map("age=Agee")),
        Code::ColumnMissing,
    );
    assert_faults(
        read(renamed.as_bytes(), map("agee=Age")),
        Code::FieldUnknown,
    );
    // Both outcome and patient are gone: both are told.
    let faults = assert_faults(read(b"a,b\n1,2\n", |_| ()), Code::FieldUnmapped);
    assert_eq!(faults.len(), 7);
}

#[test]
fn fields_said_to_be_absent_are_missing_data() {
    let renamed = text(&rows()).replacen("has_ca", "other", 1);
    let absent = read(renamed.as_bytes(), |source| {
        source.map_argument("has_ca=").unwrap();
    });
    let loaded = absent.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(loaded.cases.level[2].iter().all(|level| *level == 2));
    let outcome = read(renamed.as_bytes(), |source| {
        source.map_argument("y=").unwrap();
    });
    assert_faults(outcome, Code::ConfigInvalid);
}

#[test]
fn predictions_read_from_the_outcome() {
    let leak = read(text(&rows()).as_bytes(), |source| {
        source.map_argument("p_b=y").unwrap();
    });
    assert_faults(leak, Code::ConfigInvalid);
}

#[test]
fn byte_order_mark_and_mixed_line_ends() {
    let plain = text(&rows());
    let expected = print(&loaded(&plain).cases);
    let mixed: String = plain
        .lines()
        .enumerate()
        .map(|(line, row)| row.to_owned() + ["\n", "\r\n", "\r\n\n"][line % 3])
        .collect();
    for variant in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        mixed,
        plain.trim_end().to_owned(),
    ] {
        assert_eq!(print(&loaded(&variant).cases), expected);
    }
}

#[test]
fn utf_16() {
    let plain = text(&rows());
    let little: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
    refused(
        [b"\xff\xfe", little.as_slice()].concat(),
        Code::EncodingUnsupported,
    );
    refused(
        [b"\xfe\xff", big.as_slice()].concat(),
        Code::EncodingUnsupported,
    );
    refused(little, Code::EncodingUnsupported);
}

#[test]
fn latin_1() {
    let mut bytes = with_cell("sex", "f#male").into_bytes();
    for byte in &mut bytes {
        if *byte == b'#' {
            *byte = 0xe9;
        }
    }
    let said = refused(bytes, Code::EncodingUnsupported);
    assert!(said.contains("line 7"), "{said}");
}

#[test]
fn quotes_and_line_breaks_in_fields() {
    let with_note = |note: &str| {
        text(&rows())
            .lines()
            .enumerate()
            .map(|(line, row)| format!("{row},{}\n", if line == 0 { "note" } else { note }))
            .collect::<String>()
    };
    let expected = print(&loaded(&text(&rows())).cases);
    for note in ["\"a,b\"", "\"a\nb\r\nc\"", "\"say \"\"no\"\"\"", "\"\""] {
        assert_eq!(print(&loaded(&with_note(note)).cases), expected, "{note}");
    }
    refused(with_cell("case_id", "\"a\nb\""), Code::IdentifierInvalid);
    let said = refused(with_cell("p_b", "\"0.5"), Code::TableMalformed);
    assert!(said.contains("quotation mark"), "{said}");
    refused(with_row("p900,50,male,1,1,0.5,\"0.5"), Code::TableMalformed);
}

#[test]
fn ragged_rows_and_files_cut_short() {
    let said = refused(with_row("p900,50,male"), Code::TableMalformed);
    assert!(said.contains("line 42 has 3"), "{said}");
    refused(
        with_row("p900,50,male,1,1,0.5,0.5,extra"),
        Code::TableMalformed,
    );
    let whole = text(&rows());
    let cut = &whole[..whole.len() - 12];
    refused(cut, Code::TableMalformed);
    // A cut inside the last number cannot be seen in the text, but the pinned hash shows it.
    let short = &whole[..whole.len() - 2];
    let pinned = Digest::of(whole.as_bytes());
    let result = read(short.as_bytes(), |source| source.sha256 = Some(pinned));
    assert_faults(result, Code::TableMismatch);
}

#[test]
fn hash_mismatch() {
    let whole = text(&rows());
    let result = read(whole.as_bytes(), |source| {
        source.sha256 = Some(Digest::of(b""))
    });
    assert_faults(result, Code::TableMismatch);
    let pinned = Digest::of(whole.as_bytes());
    assert!(read(whole.as_bytes(), |source| source.sha256 = Some(pinned)).is_ok());
}

#[test]
fn other_separators() {
    let said = refused(text(&rows()).replace(',', ";"), Code::TableMalformed);
    assert!(said.contains("write.csv2"), "{said}");
    refused(text(&rows()).replace(',', "\t"), Code::TableMalformed);
}

#[test]
fn packed_files() {
    // The start of a gzip member; what it would unpack to does not matter.
    let said = refused(
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        Code::TableUnreadable,
    );
    assert!(said.contains("gzip"), "{said}");
    refused(b"PK\x03\x04\x14\x00", Code::TableUnreadable);
    refused(b"\x28\xb5\x2f\xfd\x00", Code::TableUnreadable);
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().to_owned(),
        folder.path().join("absent.csv"),
        "/dev/null".into(),
    ] {
        let result = load(&study(), &TableSource::new(path));
        assert_faults(result, Code::TableUnreadable);
    }
}

#[test]
fn too_many_rows_columns_bytes() {
    let whole = text(&rows());
    let limited = |caps: Caps| read(whole.as_bytes(), |source| source.caps = caps);
    let caps = Caps::default();
    assert_faults(limited(Caps { rows: 39, ..caps }), Code::TableTooLarge);
    assert!(limited(Caps { rows: 40, ..caps }).is_ok());
    assert_faults(
        limited(Caps {
            file_bytes: 100,
            ..caps
        }),
        Code::TableTooLarge,
    );
    let wide: String = (0..100_000).map(|column| format!("c{column},")).collect();
    refused(format!("{wide}\n{wide}\n"), Code::TableTooLarge);
}

#[test]
fn endless_line() {
    let mut bytes = text(&rows()).into_bytes();
    bytes.resize(8 << 20, b'x');
    let result = read(&bytes, |source| source.caps.record_bytes = 1 << 20);
    assert_faults(result, Code::TableTooLarge);
    let mut open = with_row("\"").into_bytes();
    open.resize(8 << 20, b'\n');
    let result = read(&open, |source| source.caps.record_bytes = 1 << 20);
    assert_faults(result, Code::TableTooLarge);
    let long = with_cell("case_id", &"x".repeat(70_000));
    refused(long, Code::TableTooLarge);
}

#[test]
fn file_replaced_during_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let versions: Vec<String> = (0..2)
        .map(|version| {
            let row = |row: usize| {
                format!(
                    "p{row},50,male,1,{},0.{}1,0.3{}\n",
                    row % 2,
                    version + 1,
                    row % 7
                )
            };
            format!("{HEAD}\n") + &(0..20_000).map(row).collect::<String>()
        })
        .collect();
    let hashes: Vec<Digest> = versions
        .iter()
        .map(|one| Digest::of(one.as_bytes()))
        .collect();
    std::fs::write(&path, &versions[0]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        move || {
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                if turn % 2 == 0 {
                    // In place, as careless exports do.
                    std::fs::write(&path, &versions[turn % 4 / 2]).unwrap();
                } else {
                    let other = path.with_extension("new");
                    std::fs::write(&other, &versions[turn % 4 / 2]).unwrap();
                    std::fs::rename(&other, &path).unwrap();
                }
            }
        }
    });
    let mut changed = 0;
    for turn in 0..2000 {
        if turn >= 10 && changed > 0 {
            break;
        }
        match load(&study(), &TableSource::new(&path)) {
            Ok(loaded) => {
                assert!(
                    hashes.contains(&loaded.fingerprint),
                    "a mixed state was used"
                );
                assert_eq!(loaded.cases.patient.len(), 20_000);
            }
            Err(faults) => {
                // A half-written file may also be malformed or empty before it is seen to change.
                changed += usize::from(faults[0].code == Code::TableChanged);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(changed > 0, "the writer never met the reader");
}
