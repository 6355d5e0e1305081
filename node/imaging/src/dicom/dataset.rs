//! A DICOM file: its head, its elements before the pixels, and where the pixels are.
//!
//! A file without the DICM word is refused: nothing in it says how it is encoded. What kind of
//! object it would be can often be said nevertheless, so that contours are refused as contours.
//!
//! Specification: PS3.10 section 7 (files), PS3.5 annex A (transfer syntaxes).
//!
//! From: bytes of a file.
//! To: `functional`, `pixel`, `seg`, `series`, `attribute`.

use std::borrow::Cow;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use flate2::{Decompress, FlushDecompress, Status};

use super::element::{Encoding, Head, Object, fragments};
use super::kind::Kind;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// How a file is encoded and its pixels are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Syntax {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
    Deflated,
    RunLength,
    JpegLossless,
    /// Elements are explicit, little endian; pixels are not read.
    Unread,
}

impl Syntax {
    /// The syntax of an identifier; `None` for one that is not the standard's, whose elements may
    /// be encoded in any way.
    fn of(uid: &str) -> Option<Self> {
        Some(match uid {
            "1.2.840.10008.1.2" => Self::ImplicitLittle,
            "1.2.840.10008.1.2.1" => Self::ExplicitLittle,
            "1.2.840.10008.1.2.2" => Self::ExplicitBig,
            "1.2.840.10008.1.2.1.99" => Self::Deflated,
            "1.2.840.10008.1.2.5" => Self::RunLength,
            "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => Self::JpegLossless,
            // Data sets deflated by a server, and pixels elsewhere.
            "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205" => return None,
            other if other.starts_with("1.2.840.10008.1.2.") => Self::Unread,
            _ => return None,
        })
    }

    fn encoding(self) -> Encoding {
        match self {
            Self::ImplicitLittle => Encoding::IMPLICIT_LITTLE,
            Self::ExplicitBig => Encoding::EXPLICIT_BIG,
            Self::ExplicitLittle
            | Self::Deflated
            | Self::RunLength
            | Self::JpegLossless
            | Self::Unread => Encoding::EXPLICIT_LITTLE,
        }
    }
}

/// A file, its head read and its data set inflated.
pub(super) struct File<'a> {
    uid: String,
    syntax: Syntax,
    class: Option<String>,
    body: Cow<'a, [u8]>,
}

/// A data set whose pixels are still bytes.
pub(super) struct Dataset<'a> {
    pub(super) object: Object<'a>,
    pub(super) syntax: Syntax,
    uid: &'a str,
    class: Option<&'a str>,
    bytes: &'a [u8],
    pixels: Option<Head>,
}

/// Pixels as they are stored.
pub(super) enum Pixels<'a> {
    Native {
        bytes: &'a [u8],
        /// Whether they are written as words (OW), whose bytes a big-endian file swaps.
        words: bool,
    },
    /// The table of offsets, then the fragments.
    Fragments(Vec<&'a [u8]>),
}

impl<'a> File<'a> {
    /// Reads a file's head.
    ///
    /// # Errors
    /// `unknown-format` for no DICOM file, `wrong-object`, `malformed`, `truncated`, `too-large`,
    /// `transfer-syntax` for one that is not the standard's.
    pub(super) fn of(file: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        let start = if file.get(128..132) == Some(b"DICM") {
            132
        } else if file.get(..4) == Some(b"DICM") {
            4
        } else {
            return Err(without_head(file));
        };
        let (meta, length) = Object::read_meta(&file[start..])?;
        let uid = meta.text(tags::TRANSFER_SYNTAX_UID);
        let uid = uid.ok_or_else(|| {
            Refusal::new(Reason::Malformed, "the file's head has no transfer syntax")
        })?;
        let syntax =
            Syntax::of(&uid).ok_or_else(|| Refusal::new(Reason::TransferSyntax, shown(&uid)))?;
        let body = &file[start + length..];
        let body = match syntax {
            Syntax::Deflated => Cow::Owned(inflated(body, limits)?),
            Syntax::ImplicitLittle
            | Syntax::ExplicitLittle
            | Syntax::ExplicitBig
            | Syntax::RunLength
            | Syntax::JpegLossless
            | Syntax::Unread => Cow::Borrowed(body),
        };
        Ok(Self {
            uid,
            syntax,
            class: meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID),
            body,
        })
    }

    /// The data set up to its pixels.
    ///
    /// # Errors
    /// `truncated`, `malformed`, `too-large`.
    pub(super) fn dataset(&self) -> Result<Dataset<'_>, Refusal> {
        let (object, pixels) = Object::read(&self.body, self.syntax.encoding())?;
        Ok(Dataset {
            object,
            syntax: self.syntax,
            uid: &self.uid,
            class: self.class.as_deref(),
            bytes: &self.body,
            pixels,
        })
    }
}

impl<'a> Dataset<'a> {
    /// What kind of object this is, by its own class, else by the file's.
    pub(super) fn kind(&self) -> Kind {
        let own = self.object.text(tags::SOP_CLASS_UID);
        Kind::of(own.as_deref().or(self.class).unwrap_or_default())
    }

    pub(super) fn has_pixels(&self) -> bool {
        self.pixels.is_some()
    }

    /// The pixels.
    ///
    /// # Errors
    /// `wrong-object` without pixels or with pixels that are no whole numbers, `truncated`,
    /// `malformed`, `transfer-syntax` where they are compressed in a way that is not read.
    pub(super) fn pixels(&self) -> Result<Pixels<'a>, Refusal> {
        let head = self
            .pixels
            .as_ref()
            .ok_or_else(|| Refusal::new(Reason::WrongObject, "the object has no pixels"))?;
        if !head.is_whole() {
            let why = "pixels with fractions are measurements, not labels";
            return Err(Refusal::new(Reason::NotLabels, why));
        }
        let compressed = match self.syntax {
            Syntax::Unread => return Err(self.unread()),
            Syntax::RunLength | Syntax::JpegLossless => true,
            Syntax::ImplicitLittle
            | Syntax::ExplicitLittle
            | Syntax::ExplicitBig
            | Syntax::Deflated => false,
        };
        if compressed != head.is_undefined() {
            let why = "pixels are not stored as the transfer syntax says";
            return Err(Refusal::new(Reason::Malformed, why));
        }
        if compressed {
            return Ok(Pixels::Fragments(fragments(self.bytes, head)?));
        }
        Ok(Pixels::Native {
            bytes: &self.bytes[head.value..head.end(self.bytes)?],
            words: &head.kind == b"OW",
        })
    }

    /// A refusal that names the transfer syntax.
    pub(super) fn unread(&self) -> Refusal {
        Refusal::new(Reason::TransferSyntax, shown(self.uid))
    }

    /// A text value; `None` when absent or empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.object.text(tag)
    }

    /// A size of the image.
    pub(super) fn size(&self, tag: Tag) -> Option<usize> {
        self.object.whole(tag).map(|value| value as usize)
    }
}

/// An identifier of at most 64 digits and points, as it may be shown.
fn shown(uid: &str) -> String {
    uid.chars()
        .take(64)
        .map(|letter| {
            if letter.is_ascii_graphic() {
                letter
            } else {
                '?'
            }
        })
        .collect()
}

/// Why a file without the DICM word is refused: what it holds, where that can be said.
fn without_head(file: &[u8]) -> Refusal {
    // Both encodings start with group 8, and the explicit one has two capitals after the tag.
    if file.get(..2) == Some(&[8, 0]) {
        let capitals = file.get(4..6);
        let explicit = capitals.is_some_and(|kind| kind.iter().all(u8::is_ascii_uppercase));
        let encoding = if explicit {
            Encoding::EXPLICIT_LITTLE
        } else {
            Encoding::IMPLICIT_LITTLE
        };
        let class = Object::read(file, encoding)
            .ok()
            .and_then(|(object, _)| object.text(tags::SOP_CLASS_UID));
        if let Some(class) = class
            && let Err(refusal) = Kind::of(&class).refuse_other()
        {
            return refusal;
        }
    }
    let why = "no DICOM file: there is no DICM word, so nothing says how it is encoded";
    Refusal::new(Reason::UnknownFormat, why)
}

/// A deflated data set, which must be whole.
fn inflated(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let mut stream = Decompress::new(false);
    let mut inflated = Vec::with_capacity(1 << 16);
    loop {
        let rest = usize::try_from(stream.total_in()).ok();
        let rest = rest.and_then(|at| bytes.get(at..)).unwrap_or_default();
        let status = stream
            .decompress_vec(rest, &mut inflated, FlushDecompress::None)
            .map_err(|fault| Refusal::new(Reason::Malformed, fault.to_string()))?;
        if inflated.len() as u64 > limits.file_bytes {
            let why = "the deflated data set is larger than a file may be";
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        if status == Status::StreamEnd {
            return Ok(inflated);
        }
        if inflated.len() < inflated.capacity() {
            let why = "the deflated data set has no end";
            return Err(Refusal::new(Reason::Truncated, why));
        }
        inflated.reserve(inflated.capacity());
    }
}
