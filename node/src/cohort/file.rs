//! Opening the table and proving that what was read is one state of one file: the hash is taken
//! from the bytes that are parsed, and the file's identity, size and times are compared.
//!
//! From: `source`.
//! To: `read_csv`, `read_parquet`.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use shared::fault::{Code, Fault};
use shared::identity::Digest;

use super::source::TableSource;

/// What the first bytes say the file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// Comma-separated text.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A table's file, open for reading, with its state at the moment it was opened.
pub(crate) struct OpenTable {
    /// The open file, at its start.
    pub(crate) file: File,
    /// What it is.
    pub(crate) format: Format,
    path: PathBuf,
    stamp: Stamp,
}

/// Opens the table of `source` and recognises its format by its first bytes.
///
/// # Errors
/// `FV-DATA-001` (absent, not a file, compressed, a workbook), `FV-DATA-002` (empty),
/// `FV-DATA-017` (larger than the cap), `FV-DATA-018` (UTF-16 and the like).
pub(crate) fn open(source: &TableSource) -> Result<OpenTable, Fault> {
    let path = &source.path;
    // Asked before opening: opening a pipe would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Fault::new(
            Code::TableUnreadable,
            format!("{} is not a file", path.display()),
            "a table is read from an ordinary file, so that it can be proven unchanged",
            "name a CSV or Parquet file",
        ));
    }
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    let stamp = Stamp::of(&metadata);
    if stamp.size > source.caps.file_bytes {
        return Err(Fault::new(
            Code::TableTooLarge,
            format!("{} has {} bytes", path.display(), stamp.size),
            format!("the limit is {} bytes", source.caps.file_bytes),
            format!(
                "leave out columns and rows the study does not need, or raise max_mb in {}",
                source.origin.place("table")
            ),
        ));
    }
    let mut head = Vec::new();
    let read = Read::by_ref(&mut file).take(4096).read_to_end(&mut head);
    read.and_then(|_| file.seek(SeekFrom::Start(0)))
        .map_err(|error| unreadable(path, &error))?;
    let format = recognise(&head, path)?;
    Ok(OpenTable {
        file,
        format,
        path: path.clone(),
        stamp,
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(
        Code::TableUnreadable,
        format!("cannot read {}", path.display()),
        error.to_string(),
        "check the path and that the node's user may read it",
    )
}

fn recognise(head: &[u8], path: &Path) -> Result<Format, Fault> {
    const PACKED: [(&[u8], &str); 5] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"PK\x03\x04", "zip or Excel workbook"),
    ];
    if head.is_empty() {
        return Err(Fault::new(
            Code::TableMalformed,
            format!("{} is empty", path.display()),
            "a table starts with a line of column names",
            "export the table again",
        ));
    }
    if let Some((_, kind)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Fault::new(
            Code::TableUnreadable,
            format!("{} is a {kind} file", path.display()),
            "packed files are not opened: a small one can unpack to any size, and the hash would not be that of the table",
            "unpack it, or export it as CSV (UTF-8) or Parquet",
        ));
    }
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    let wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if wide || head.contains(&0) {
        return Err(Fault::new(
            Code::EncodingUnsupported,
            format!("{} is not UTF-8 text", path.display()),
            if wide {
                "it starts with the mark of UTF-16, as Excel's \"Unicode text\" has it"
            } else {
                "there are zero bytes in its first lines, as in UTF-16 or binary files"
            },
            "export it as \"CSV UTF-8\"",
        ));
    }
    Ok(Format::Csv)
}

impl OpenTable {
    /// Succeeds when neither the open file nor what its path names changed since it was opened.
    ///
    /// # Errors
    /// `FV-DATA-016`.
    pub(crate) fn unchanged(&self) -> Result<(), Fault> {
        let here = self.file.metadata().map(|metadata| Stamp::of(&metadata));
        let there = std::fs::metadata(&self.path).map(|metadata| Stamp::of(&metadata));
        if matches!((here, there), (Ok(here), Ok(there)) if here == self.stamp && there == self.stamp)
        {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// The fault of a table that changed under the reader.
    pub(crate) fn changed(&self) -> Fault {
        Fault::new(
            Code::TableChanged,
            format!("{} changed while it was read", self.path.display()),
            "rows of two states of the table may have been mixed, so nothing of it is used",
            "let the export finish, then run this again; write a new file and rename it instead of writing in place",
        )
    }

    /// The fault of a file that can no longer be read.
    pub(crate) fn unreadable(&self, error: &std::io::Error) -> Fault {
        unreadable(&self.path, error)
    }

    /// The path, for messages.
    pub(crate) fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Bytes in the file when it was opened.
    #[cfg(feature = "parquet")]
    pub(crate) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// SHA-256 of the whole file; leaves the file at its start.
    pub(crate) fn hash(&mut self) -> Result<Digest, Fault> {
        let mut pass = || -> std::io::Result<Digest> {
            self.file.seek(SeekFrom::Start(0))?;
            let digest = Sha256::of(&mut self.file)?;
            self.file.seek(SeekFrom::Start(0))?;
            Ok(digest)
        };
        pass().map_err(|error| self.unreadable(&error))
    }
}

/// SHA-256 over bytes as they come.
pub(crate) struct Sha256(ring::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }
}

impl Sha256 {
    /// The digest of everything that a reader gives.
    pub(crate) fn of(reader: &mut impl Read) -> std::io::Result<Digest> {
        let mut sha256 = Self::default();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let length = reader.read(&mut buffer)?;
            if length == 0 {
                return Ok(sha256.finish());
            }
            sha256.update(&buffer[..length]);
        }
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    pub(crate) fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Digest::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_wide_and_empty_files_are_refused_by_their_first_bytes() {
        let path = Path::new("t.csv");
        let code = |head: &[u8]| recognise(head, path).map_err(|fault| fault.code);
        assert_eq!(code(b"a,b\n1,2\n"), Ok(Format::Csv));
        assert_eq!(code(b"\xef\xbb\xbfa,b\n"), Ok(Format::Csv));
        assert_eq!(code(b"PAR1...."), Ok(Format::Parquet));
        assert_eq!(code(b""), Err(Code::TableMalformed));
        assert_eq!(code(b"\x1f\x8b\x08"), Err(Code::TableUnreadable));
        assert_eq!(code(b"PK\x03\x04"), Err(Code::TableUnreadable));
        assert_eq!(code(b"\xff\xfea\0"), Err(Code::EncodingUnsupported));
        assert_eq!(code(b"a\0,\0b\0"), Err(Code::EncodingUnsupported));
    }

    #[test]
    fn writing_in_place_and_renaming_over_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a\n1\n").unwrap();
        let source = TableSource::new(&path);

        let opened = open(&source).unwrap();
        assert_eq!(opened.unchanged(), Ok(()));
        std::fs::write(&path, "a\n1\n2\n").unwrap();
        assert_eq!(opened.unchanged().unwrap_err().code, Code::TableChanged);

        let opened = open(&source).unwrap();
        let other = folder.path().join("other.csv");
        std::fs::write(&other, "a\n1\n2\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(opened.unchanged().unwrap_err().code, Code::TableChanged);
    }

    #[test]
    fn hashing_equals_the_digest_of_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a\n1\n").unwrap();
        let mut opened = open(&TableSource::new(&path)).unwrap();
        assert_eq!(opened.hash().unwrap(), Digest::of(b"a\n1\n"));
    }

    #[test]
    fn folders_and_absent_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none.csv")] {
            let fault = open(&TableSource::new(path)).err().unwrap();
            assert_eq!(fault.code, Code::TableUnreadable);
        }
    }
}
