//! Elements of a data set, found in its bytes and not copied. Sequences are not entered until they
//! are asked for; where one of undefined length ends is found by a loop with a list of what is
//! open, so that no file can exhaust the stack, and no length is believed before it is compared
//! with the bytes that are there. Memory is a few words for each element of the one item that is
//! looked at.
//!
//! This is our own because dicom-object 0.10.1 calls itself once for every level of nesting,
//! takes memory by the lengths that a file states, and reads sequences of unknown type (UN, as
//! archives make them of private sequences) in the wrong encoding.
//!
//! Specification: PS3.5 sections 6.2.2 (unknown types), 7.1 (elements) and 7.5 (nesting).
//!
//! From: `dataset`.
//! To: `dataset`, `functional`, `attribute`.

use dicom_core::Tag;

use crate::refusal::{Reason, Refusal};

/// Deepest nesting of sequences and items of undefined length.
const DEPTH_MAX: usize = 64;
/// Most elements of one item.
const ELEMENTS_MAX: usize = 1 << 16;
/// Most items of one sequence.
const ITEMS_MAX: usize = 1 << 20;
const UNDEFINED: u32 = u32::MAX;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
/// Where the pixels are: as floats, as doubles, as whole numbers.
const PIXELS: [Tag; 3] = [
    Tag(0x7FE0, 0x0008),
    Tag(0x7FE0, 0x0009),
    Tag(0x7FE0, 0x0010),
];

/// The types whose length has two bytes; all others, also those not known, have four.
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

/// How elements are written.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    /// Whether each element has its type written.
    pub(super) explicit: bool,
    /// Whether the largest byte of a word comes first.
    pub(super) big_endian: bool,
}

impl Encoding {
    pub(super) const IMPLICIT_LITTLE: Self = Self {
        explicit: false,
        big_endian: false,
    };
    pub(super) const EXPLICIT_LITTLE: Self = Self {
        explicit: true,
        big_endian: false,
    };
    pub(super) const EXPLICIT_BIG: Self = Self {
        explicit: true,
        big_endian: true,
    };

    /// How the items of an element of this type are written: those of an unknown type have no
    /// types of their own, and little endian (PS3.5 section 6.2.2).
    fn inside(self, kind: [u8; 2]) -> Self {
        if kind == *b"UN" {
            Self::IMPLICIT_LITTLE
        } else {
            self
        }
    }

    fn word<const N: usize>(self, bytes: &[u8], at: usize) -> Option<[u8; N]> {
        let mut word: [u8; N] = bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
        if self.big_endian {
            word.reverse();
        }
        Some(word)
    }
}

/// An element's head.
#[derive(Clone, Copy)]
pub(super) struct Head {
    tag: Tag,
    /// The type; zeros where none is written.
    pub(super) kind: [u8; 2],
    length: u32,
    /// Where the value starts.
    pub(super) value: usize,
}

impl Head {
    fn of(bytes: &[u8], at: usize, encoding: Encoding) -> Result<Self, Refusal> {
        Self::read(bytes, at, encoding).ok_or_else(|| {
            Refusal::new(Reason::Truncated, "the file ends within an element's head")
        })
    }

    fn read(bytes: &[u8], at: usize, encoding: Encoding) -> Option<Self> {
        let group = u16::from_le_bytes(encoding.word(bytes, at)?);
        let element = u16::from_le_bytes(encoding.word(bytes, at + 2)?);
        let tag = Tag(group, element);
        // Items and delimiters have no type in either encoding.
        if !encoding.explicit || group == 0xFFFE {
            return Some(Self {
                tag,
                kind: [0; 2],
                length: u32::from_le_bytes(encoding.word(bytes, at + 4)?),
                value: at + 8,
            });
        }
        let kind: [u8; 2] = bytes.get(at + 4..at + 6)?.try_into().ok()?;
        let (length, value) = if SHORT.contains(&&kind) {
            let length = u16::from_le_bytes(encoding.word(bytes, at + 6)?);
            (u32::from(length), at + 8)
        } else {
            (u32::from_le_bytes(encoding.word(bytes, at + 8)?), at + 12)
        };
        Some(Self {
            tag,
            kind,
            length,
            value,
        })
    }

    pub(super) fn is_undefined(&self) -> bool {
        self.length == UNDEFINED
    }

    /// Whether the pixels of this element are whole numbers.
    pub(super) fn is_whole(&self) -> bool {
        self.tag.1 == 0x0010
    }

    /// Where a value of defined length ends.
    ///
    /// # Errors
    /// `truncated`.
    pub(super) fn end(&self, bytes: &[u8]) -> Result<usize, Refusal> {
        let end = self.value.checked_add(self.length as usize);
        end.filter(|end| *end <= bytes.len()).ok_or_else(|| {
            let why = format!(
                "element {} states {} bytes, {} are left",
                self.tag,
                self.length,
                bytes.len().saturating_sub(self.value)
            );
            Refusal::new(Reason::Truncated, why)
        })
    }
}

/// An element: its type, and its value as it is stored.
struct Element<'a> {
    tag: Tag,
    kind: [u8; 2],
    value: &'a [u8],
}

/// The elements of a data set or of an item.
pub(super) struct Object<'a> {
    encoding: Encoding,
    elements: Vec<Element<'a>>,
}

/// An item that is not looked into yet.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Item<'a> {
    /// The item's elements.
    ///
    /// # Errors
    /// `malformed`.
    pub(super) fn open(self) -> Result<Object<'a>, Refusal> {
        let (object, _) = Object::read(self.bytes, self.encoding).map_err(within)?;
        Ok(object)
    }
}

/// What an item lacks is no fault of the file's length.
fn within(refusal: Refusal) -> Refusal {
    if refusal.reason == Reason::Truncated {
        Refusal::new(Reason::Malformed, refusal.detail)
    } else {
        refusal
    }
}

impl<'a> Object<'a> {
    /// The elements of `bytes`, up to the pixels, and the head of the pixels.
    ///
    /// # Errors
    /// `truncated`, `malformed`, `too-large` for more elements than an item has.
    pub(super) fn read(
        bytes: &'a [u8],
        encoding: Encoding,
    ) -> Result<(Self, Option<Head>), Refusal> {
        let mut elements = Vec::new();
        let mut at = 0_usize;
        while at < bytes.len() {
            let head = Head::of(bytes, at, encoding)?;
            if PIXELS.contains(&head.tag) {
                return Ok((Self { encoding, elements }, Some(head)));
            }
            if head.tag.0 == 0xFFFE {
                let why = format!("{} outside a sequence", head.tag);
                return Err(Refusal::new(Reason::Malformed, why));
            }
            let (end, next) = if head.is_undefined() {
                closing(bytes, head.value, encoding.inside(head.kind), false)?
            } else {
                let end = head.end(bytes)?;
                (end, end)
            };
            if elements.len() >= ELEMENTS_MAX {
                let why = format!("more than {ELEMENTS_MAX} elements");
                return Err(Refusal::new(Reason::TooLarge, why));
            }
            elements.push(Element {
                tag: head.tag,
                kind: head.kind,
                value: &bytes[head.value..end],
            });
            at = next;
        }
        Ok((Self { encoding, elements }, None))
    }

    /// The elements of a file's head, which ends where the group ends, whatever length it states.
    ///
    /// # Errors
    /// `truncated`, `malformed`.
    pub(super) fn read_meta(bytes: &'a [u8]) -> Result<(Self, usize), Refusal> {
        let encoding = Encoding::EXPLICIT_LITTLE;
        let mut elements = Vec::new();
        let mut at = 0_usize;
        while bytes.get(at..at + 2) == Some(&[2, 0]) {
            let head = Head::of(bytes, at, encoding)?;
            if head.is_undefined() || elements.len() >= ELEMENTS_MAX {
                let why = format!("{} in the file's head", head.tag);
                return Err(Refusal::new(Reason::Malformed, why));
            }
            at = head.end(bytes)?;
            elements.push(Element {
                tag: head.tag,
                kind: head.kind,
                value: &bytes[head.value..at],
            });
        }
        Ok((Self { encoding, elements }, at))
    }

    fn find(&self, tag: Tag) -> Option<&Element<'a>> {
        self.elements.iter().rev().find(|one| one.tag == tag)
    }

    pub(super) fn has(&self, tag: Tag) -> bool {
        self.find(tag).is_some()
    }

    /// Every sequence of this object that is written as one, opened as far as its items.
    pub(super) fn sequences(&self) -> impl Iterator<Item = Vec<Item<'a>>> {
        let tags = self.elements.iter().map(|one| one.tag);
        tags.filter_map(|tag| self.items(tag).ok())
    }

    /// The items of a sequence; none where it is absent.
    ///
    /// # Errors
    /// `malformed` where the value is no sequence, `too-large`.
    pub(super) fn items(&self, tag: Tag) -> Result<Vec<Item<'a>>, Refusal> {
        let Some(element) = self.find(tag) else {
            return Ok(Vec::new());
        };
        let encoding = self.encoding.inside(element.kind);
        let bytes = element.value;
        let mut items = Vec::new();
        let mut at = 0_usize;
        while at < bytes.len() {
            let head = Head::of(bytes, at, encoding).map_err(within)?;
            if head.tag == SEQUENCE_END {
                break;
            }
            if head.tag != ITEM || items.len() >= ITEMS_MAX {
                let why = format!(
                    "{} in sequence {tag}, after {} items",
                    head.tag,
                    items.len()
                );
                return Err(Refusal::new(Reason::Malformed, why));
            }
            let (end, next) = if head.is_undefined() {
                closing(bytes, head.value, encoding, true).map_err(within)?
            } else {
                let end = head.end(bytes).map_err(within)?;
                (end, end)
            };
            items.push(Item {
                bytes: &bytes[head.value..end],
                encoding,
            });
            at = next;
        }
        Ok(items)
    }

    /// The first item of a sequence, opened.
    ///
    /// # Errors
    /// As [`Self::items`].
    pub(super) fn first(&self, tag: Tag) -> Result<Option<Object<'a>>, Refusal> {
        let items = self.items(tag)?;
        items.first().map(|item| item.open()).transpose()
    }

    /// A text value without padding; `None` when absent or empty. Bytes that are no UTF-8 are
    /// taken as Latin-1: what is compared or counted here is ASCII in every character set.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let bytes = self.find(tag)?.value;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let text = text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A whole number of two or four bytes; `None` when absent or of another length. A negative
    /// one is larger than anything that it is compared with.
    pub(super) fn whole(&self, tag: Tag) -> Option<u32> {
        let bytes = self.find(tag)?.value;
        match bytes.len() {
            2 => Some(u32::from(u16::from_le_bytes(self.encoding.word(bytes, 0)?))),
            4 => Some(u32::from_le_bytes(self.encoding.word(bytes, 0)?)),
            _ => None,
        }
    }

    /// Numbers, as text or in binary; `None` when absent, empty, or one of them is no finite
    /// number.
    pub(super) fn reals(&self, tag: Tag) -> Option<Vec<f64>> {
        let element = self.find(tag)?;
        let word = |at| self.encoding.word(element.value, at);
        let values: Option<Vec<f64>> = match &element.kind {
            b"FD" => (0..element.value.len() / 8)
                .map(|at| Some(f64::from_le_bytes(word(at * 8)?)))
                .collect(),
            b"FL" => (0..element.value.len() / 4)
                .map(|at| {
                    let single = f32::from_le_bytes(self.encoding.word(element.value, at * 4)?);
                    Some(crate::geometry::from_single(single))
                })
                .collect(),
            _ => {
                let text = self.text(tag)?;
                text.split('\\')
                    .map(|one| one.trim().parse().ok())
                    .collect()
            }
        };
        values.filter(|all| !all.is_empty() && all.iter().all(|one| one.is_finite()))
    }

    /// The first of some numbers, if it is above zero.
    pub(super) fn length(&self, tag: Tag) -> Option<f64> {
        let first = self.reals(tag)?.first().copied();
        first.filter(|value| *value > 0.0)
    }
}

/// What is open: a sequence or an item of undefined length.
struct Open {
    is_item: bool,
    encoding: Encoding,
}

/// Where a value of undefined length ends that starts at `start`, and where its delimiter ends.
fn closing(
    bytes: &[u8],
    start: usize,
    encoding: Encoding,
    is_item: bool,
) -> Result<(usize, usize), Refusal> {
    let mut open = vec![Open { is_item, encoding }];
    let mut at = start;
    while let Some(level) = open.last() {
        let (is_item, encoding) = (level.is_item, level.encoding);
        let head = Head::of(bytes, at, encoding)?;
        let delimiter = if is_item { ITEM_END } else { SEQUENCE_END };
        if head.tag == delimiter {
            open.pop();
            if open.is_empty() {
                return Ok((at, head.value));
            }
            at = head.value;
            continue;
        }
        // Items hold elements, sequences hold items.
        if is_item == (head.tag.0 == 0xFFFE) || (!is_item && head.tag != ITEM) {
            let why = format!("{} where something else must stand", head.tag);
            return Err(Refusal::new(Reason::Malformed, why));
        }
        if !head.is_undefined() {
            at = head.end(bytes)?;
            continue;
        }
        if open.len() >= DEPTH_MAX {
            let why = format!("sequences nest deeper than {DEPTH_MAX}");
            return Err(Refusal::new(Reason::Malformed, why));
        }
        open.push(Open {
            is_item: !is_item,
            encoding: encoding.inside(head.kind),
        });
        at = head.value;
    }
    Err(Refusal::new(Reason::Malformed, "a sequence without an end"))
}

/// Where the fragments of compressed pixels are: the bytes of each item up to the delimiter, the
/// first of which is the table of offsets.
///
/// # Errors
/// `truncated`, `malformed`.
pub(super) fn fragments<'a>(bytes: &'a [u8], head: &Head) -> Result<Vec<&'a [u8]>, Refusal> {
    let mut fragments = Vec::new();
    let mut at = head.value;
    loop {
        let head = Head::of(bytes, at, Encoding::EXPLICIT_LITTLE)?;
        if head.tag == SEQUENCE_END {
            return Ok(fragments);
        }
        if head.tag != ITEM || head.is_undefined() || fragments.len() > ITEMS_MAX {
            let why = format!("{} among the fragments of pixels", head.tag);
            return Err(Refusal::new(Reason::Malformed, why));
        }
        at = head.end(bytes)?;
        fragments.push(&bytes[head.value..at]);
    }
}
