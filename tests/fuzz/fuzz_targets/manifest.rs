//! A hospital's table, from its bytes to the cases of a study: refused with faults that name
//! themselves, or read.
#![no_main]

use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use node::cohort::{self, Loaded, Means, TableSource};
use shared::fault::Fault;
use shared::study::{StudyProtocol, source, validate};

static STUDY: LazyLock<StudyProtocol> = LazyLock::new(|| {
    let text = include_str!("../../../configs/examples/heart/study.toml");
    validate::expand(&source::parse(text).expect("the example parses"))
});

/// Reads the bytes as a table; its columns have the names of the fields.
fn load(bytes: &[u8]) -> Result<Loaded, Vec<Fault>> {
    // A file without a name: nothing is left behind, whatever happens.
    let handle = rustix::fs::memfd_create("table.csv", rustix::fs::MemfdFlags::empty());
    let mut file = std::fs::File::from(handle.expect("memory for a file"));
    file.write_all(bytes).expect("memory for its bytes");
    file.rewind().expect("a file that can be rewound");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mut table = TableSource::new(path);
    table.caps.rows = 1000;
    cohort::load(&STUDY, &table, &Means::default())
}

fuzz_target!(|bytes: &[u8]| {
    match load(bytes) {
        Ok(loaded) => assert!(loaded.cases.patient.len() <= 1000),
        Err(faults) => assert!(!faults.is_empty()),
    }
});
