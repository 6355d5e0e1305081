//! A file's data set, looked through before it is parsed: nesting, lengths, and where the pixels
//! are. The walk keeps a list of open sequences instead of calling itself, so that nothing a
//! file contains can exhaust the stack; what it cannot make sense of is left to the parser.
//!
//! Specification: PS3.5 sections 7.1 (elements), 7.5 (nesting), A.4 (encapsulation), PS3.10.
//!
//! From: bytes of a file.
//! To: `functional`, `seg`, `series`, `attribute`.

use std::borrow::Cow;
use std::io::Read as _;
use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTable, InMemDicomObject};
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// Deepest nesting of sequences and items.
const DEPTH_MAX: usize = 64;
/// Largest data set apart from its pixels: headers of thousands of frames.
const HEADER_MAX: usize = 64 << 20;
const UNDEFINED: u32 = u32::MAX;

const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// A data set whose header is parsed and whose pixels are still bytes.
pub(super) struct Dataset<'a> {
    /// Everything before the pixels.
    pub(super) header: InMemDicomObject,
    /// The file as it is.
    file: &'a [u8],
    /// The whole data set, inflated.
    bytes: Cow<'a, [u8]>,
    /// Where the pixel data element starts, and where its value is.
    pixels: Option<Pixels>,
    /// The transfer syntax of the file.
    pub(super) syntax: String,
    class: String,
}

/// The pixel data element.
struct Pixels {
    value: Range<usize>,
    encapsulated: bool,
    /// Whether the element's type is that of words (OW).
    words: bool,
}

impl<'a> Dataset<'a> {
    /// Looks through a file and parses its header.
    ///
    /// # Errors
    /// `unknown-format` for no DICOM file, `truncated`, `malformed`, `too-large`,
    /// `transfer-syntax`.
    pub(super) fn of(file: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        if let Some(class) = class_without_meta(file) {
            let why = format!("an object of class {class}, without the file's head");
            return Err(Refusal::new(Reason::WrongObject, why));
        }
        let start = if file.get(128..132) == Some(b"DICM") {
            128
        } else if file.get(..4) == Some(b"DICM") {
            0
        } else {
            let why = "no DICOM file: there is no DICM word, so nobody can say how it is encoded";
            return Err(Refusal::new(Reason::UnknownFormat, why));
        };
        let mut rest = &file[start..];
        let meta = FileMetaTable::from_reader(&mut rest).map_err(|fault| {
            Refusal::new(Reason::Malformed, format!("file meta information: {fault}"))
        })?;
        let syntax = trimmed(&meta.transfer_syntax);
        let class = trimmed(&meta.media_storage_sop_class_uid);
        let bytes = inflated(rest, &syntax, limits)?;
        let (explicit, big_endian) = match syntax.as_str() {
            IMPLICIT_LITTLE => (false, false),
            EXPLICIT_BIG => (true, true),
            _ => (true, false),
        };
        let walk = Walk {
            bytes: &bytes,
            explicit,
            big_endian,
        };
        let (end, pixels) = walk.to_pixels()?;
        if end > HEADER_MAX {
            let why = format!("a header of {end} bytes");
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        let parser = if syntax == IMPLICIT_LITTLE || syntax == EXPLICIT_BIG {
            syntax.as_str()
        } else {
            EXPLICIT_LITTLE
        };
        let parser = TransferSyntaxRegistry
            .get(parser)
            .ok_or_else(|| Refusal::new(Reason::TransferSyntax, syntax.clone()))?;
        let header = InMemDicomObject::read_dataset_with_ts(&bytes[..end], parser)
            .map_err(|fault| Refusal::new(Reason::Malformed, chain(&fault)))?;
        Ok(Self {
            header,
            file,
            bytes,
            pixels,
            syntax,
            class,
        })
    }

    /// The class of the object: the data set's own, else the file's.
    pub(super) fn sop_class(&self) -> String {
        self.text(tags::SOP_CLASS_UID)
            .unwrap_or_else(|| self.class.clone())
    }

    pub(super) fn has_pixels(&self) -> bool {
        self.pixels.is_some()
    }

    /// Pixel bytes as they are stored, little endian as far as words go.
    ///
    /// # Errors
    /// `wrong-object` without pixels, `transfer-syntax` where they are compressed.
    pub(super) fn native(&self) -> Result<&[u8], Refusal> {
        let pixels = self
            .pixels
            .as_ref()
            .ok_or_else(|| Refusal::new(Reason::WrongObject, "the object has no pixels"))?;
        if pixels.encapsulated {
            return Err(Refusal::new(Reason::TransferSyntax, self.syntax.clone()));
        }
        Ok(&self.bytes[pixels.value.clone()])
    }

    /// Whether pixels are compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.pixels
            .as_ref()
            .is_some_and(|pixels| pixels.encapsulated)
    }

    /// Whether words of the pixels have their largest byte first.
    pub(super) fn is_big_endian(&self) -> bool {
        self.syntax == EXPLICIT_BIG
    }

    /// Whether pixels are written as words, so that their bytes are swapped in a big-endian file.
    pub(super) fn pixels_are_words(&self) -> bool {
        self.pixels.as_ref().is_some_and(|pixels| pixels.words)
    }

    /// The file as it is.
    pub(super) fn file(&self) -> &'a [u8] {
        self.file
    }

    /// A text value without padding; `None` when absent or empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        text(&self.header, tag)
    }

    /// A whole number; `None` when absent or no number.
    pub(super) fn whole(&self, tag: Tag) -> Option<u32> {
        whole(&self.header, tag)
    }
}

/// A text value of an object, without padding.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = object.get(tag)?;
    let text = element.to_str().ok()?;
    let text = trimmed(&text);
    (!text.is_empty()).then_some(text)
}

/// A whole number of an object.
pub(super) fn whole(object: &InMemDicomObject, tag: Tag) -> Option<u32> {
    object.get(tag)?.to_int::<u32>().ok()
}

/// Numbers of an object; `None` when absent or one of them is no finite number.
pub(super) fn reals(object: &InMemDicomObject, tag: Tag) -> Option<Vec<f64>> {
    let values = object.get(tag)?.to_multi_float64().ok()?;
    values
        .iter()
        .all(|value| value.is_finite())
        .then_some(values)
}

fn trimmed(text: &str) -> String {
    text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace())
        .to_owned()
}

/// An error with its causes, one line.
pub(super) fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

/// The class of an object that holds no pixels and stands in a file without its head: what it is
/// can be said, though not how pixels would be encoded.
fn class_without_meta(file: &[u8]) -> Option<String> {
    if file.get(..2) != Some(&[8, 0]) {
        return None;
    }
    let explicit = file.get(4..6)?.iter().all(u8::is_ascii_uppercase);
    let walk = Walk {
        bytes: file,
        explicit,
        big_endian: false,
    };
    let (end, pixels) = walk.to_pixels().ok()?;
    if pixels.is_some() || end > HEADER_MAX {
        return None;
    }
    let syntax = if explicit {
        EXPLICIT_LITTLE
    } else {
        IMPLICIT_LITTLE
    };
    let parser = TransferSyntaxRegistry.get(syntax)?;
    let header = InMemDicomObject::read_dataset_with_ts(file.get(..end)?, parser).ok()?;
    text(&header, tags::SOP_CLASS_UID)
}

fn inflated<'a>(bytes: &'a [u8], syntax: &str, limits: &Limits) -> Result<Cow<'a, [u8]>, Refusal> {
    if syntax != DEFLATED {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut inflated = Vec::new();
    flate2::read::DeflateDecoder::new(bytes)
        .take(limits.file_bytes.saturating_add(1))
        .read_to_end(&mut inflated)
        .map_err(|error| crate::nifti::unreadable(&error))?;
    if inflated.len() as u64 > limits.file_bytes {
        let why = "the deflated data set is larger than a file may be";
        return Err(Refusal::new(Reason::TooLarge, why));
    }
    Ok(Cow::Owned(inflated))
}

/// A look through a data set.
struct Walk<'a> {
    bytes: &'a [u8],
    explicit: bool,
    big_endian: bool,
}

/// An open sequence or item.
struct Open {
    /// Where it ends; `None` until its delimiter.
    end: Option<usize>,
    /// Whether elements inside have their type written.
    explicit: bool,
    is_item: bool,
    /// Whether items hold bytes of compressed pixels, not elements.
    fragments: bool,
}

/// An element's head.
struct Head {
    group: u16,
    element: u16,
    sequence: bool,
    unknown: bool,
    words: bool,
    /// Whether the value is bytes or words, which are never a sequence.
    bytes: bool,
    length: u32,
    value: usize,
}

impl Walk<'_> {
    fn word<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes: [u8; N] = self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
        if self.big_endian {
            bytes.reverse();
        }
        Some(bytes)
    }

    fn head(&self, at: usize, explicit: bool) -> Option<Head> {
        let group = u16::from_le_bytes(self.word(at)?);
        let element = u16::from_le_bytes(self.word(at + 2)?);
        let mut head = Head {
            group,
            element,
            sequence: false,
            unknown: false,
            words: false,
            bytes: false,
            length: 0,
            value: at + 8,
        };
        // Items and delimiters have no type in either encoding.
        if !explicit || group == 0xFFFE {
            head.length = u32::from_le_bytes(self.word(at + 4)?);
            return Some(head);
        }
        let kind = self.bytes.get(at + 4..at + 6)?;
        head.sequence = kind == b"SQ";
        head.unknown = kind == b"UN";
        head.words = kind == b"OW";
        head.bytes = kind == b"OB" || kind == b"OW";
        let long: [&[u8]; 13] = [
            b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT",
            b"UV",
        ];
        if long.contains(&kind) {
            head.length = u32::from_le_bytes(self.word(at + 8)?);
            head.value = at + 12;
        } else {
            head.length = u32::from(u16::from_le_bytes(self.word(at + 6)?));
        }
        Some(head)
    }

    /// Where the header ends, and the pixels after it.
    fn to_pixels(&self) -> Result<(usize, Option<Pixels>), Refusal> {
        let mut open: Vec<Open> = Vec::new();
        let mut at = 0;
        while at < self.bytes.len() {
            while open
                .last()
                .is_some_and(|one| one.end.is_some_and(|end| at >= end))
            {
                open.pop();
            }
            let explicit = open.last().map_or(self.explicit, |one| one.explicit);
            let head = self.head(at, explicit).ok_or_else(|| {
                Refusal::new(Reason::Truncated, "the file ends within an element")
            })?;
            if (head.group, head.element) == (0x7FE0, 0x0010) && open.is_empty() {
                return Ok((at, Some(self.pixels(&head)?)));
            }
            at = self.enter(&mut open, &head, explicit)?;
            if open.len() > DEPTH_MAX {
                let why = format!("sequences nest deeper than {DEPTH_MAX}");
                return Err(Refusal::new(Reason::Malformed, why));
            }
        }
        Ok((self.bytes.len(), None))
    }

    fn pixels(&self, head: &Head) -> Result<Pixels, Refusal> {
        if head.length == UNDEFINED {
            return Ok(Pixels {
                value: head.value..self.bytes.len(),
                encapsulated: true,
                words: false,
            });
        }
        let end = head.value.checked_add(head.length as usize);
        let end = end
            .filter(|end| *end <= self.bytes.len())
            .ok_or_else(|| Refusal::new(Reason::Truncated, "the file ends within its pixels"))?;
        Ok(Pixels {
            value: head.value..end,
            encapsulated: false,
            words: head.words,
        })
    }

    /// Opens or closes what an element's head says; the place of the next head.
    fn enter(&self, open: &mut Vec<Open>, head: &Head, explicit: bool) -> Result<usize, Refusal> {
        let ends = || {
            let end = head.value.checked_add(head.length as usize);
            end.filter(|end| *end <= self.bytes.len()).ok_or_else(|| {
                let why = format!(
                    "element ({:04X},{:04X}) is longer than the file",
                    head.group, head.element
                );
                Refusal::new(Reason::Truncated, why)
            })
        };
        match (head.group, head.element) {
            (0xFFFE, 0xE000) if open.last().is_some_and(|one| one.fragments) => ends(),
            (0xFFFE, 0xE000) => {
                let end = if head.length == UNDEFINED {
                    None
                } else {
                    Some(ends()?)
                };
                open.push(Open {
                    end,
                    explicit,
                    is_item: true,
                    fragments: false,
                });
                Ok(head.value)
            }
            (0xFFFE, 0xE00D) => {
                if open.last().is_some_and(|one| one.is_item) {
                    open.pop();
                }
                Ok(head.value)
            }
            (0xFFFE, 0xE0DD) => {
                if open.last().is_some_and(|one| !one.is_item) {
                    open.pop();
                }
                Ok(head.value)
            }
            _ if head.length == UNDEFINED => {
                open.push(Open {
                    end: None,
                    // A sequence of unknown type is written without types (PS3.5 6.2.2).
                    explicit: explicit && !head.unknown,
                    is_item: false,
                    fragments: head.bytes,
                });
                Ok(head.value)
            }
            _ if head.sequence || self.starts_item(head) => {
                open.push(Open {
                    end: Some(ends()?),
                    explicit: explicit && !head.unknown,
                    is_item: false,
                    fragments: false,
                });
                Ok(head.value)
            }
            _ => ends(),
        }
    }

    /// Whether a value begins as an item does: where types are not written, that is a sequence.
    fn starts_item(&self, head: &Head) -> bool {
        let tag = (self.word(head.value), self.word(head.value + 2));
        let (Some(group), Some(element)) = tag else {
            return false;
        };
        head.length >= 8
            && !head.bytes
            && u16::from_le_bytes(group) == 0xFFFE
            && u16::from_le_bytes(element) == 0xE000
    }
}
