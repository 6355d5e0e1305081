//! Who the cases belong to, as the ledger knows them: a keyed hash of the patient's key, and a number
//! for what each field of the table says of them. Keys themselves go no further; without the site's salt a tag says
//! nothing, and the same patient has the same tag in every study of the site.
//!
//! From: the table's patient column, typed values, digests of files.
//! To: `spoken`.

use ring::hmac;
use shared::identity::Digest;
use shared::statistic::cases::Column;
use shared::study::{Field, StudyProtocol};

use super::fnv::{BASIS, fold};
use super::identifier::essential;
use super::precheck::Typed;
use super::raw::TextColumn;

/// The patients of the eligible cases, as `Cases` numbers them; beyond, those who were left out.
#[derive(Default)]
pub struct People {
    /// Of each patient's key.
    pub(crate) tag: Vec<Tag>,
    /// By patient of the eligible cases, what each declared field says of them, as one number; patient by patient, in the
    /// order of `field`.
    pub(crate) version: Vec<u64>,
    /// The declared fields, by name and kind: only the same field's numbers can be compared.
    pub(crate) field: Vec<String>,
}

/// The first half of an HMAC-SHA256.
pub(crate) type Tag = [u8; 16];

/// The columns by which rows are told apart.
pub(super) struct Keys<'a> {
    pub(super) patient: &'a TextColumn,
    pub(super) case: &'a TextColumn,
}

/// The patients of the table as `number` numbers them. Those of `rows`, the eligible ones, come first:
/// `patient` is each row's, `patients` how many there are, and `files` the digests of each row's files. Nobody
/// where there is no secret: then there is no ledger that would know them.
pub(super) fn people(
    salt: &[u8],
    study: &StudyProtocol,
    keys: &Keys<'_>,
    typed: &Typed,
    (rows, patient, patients): (&[usize], &[u32], u32),
    (number, files): (&[u32], &[Vec<Option<Digest>>]),
) -> People {
    if salt.is_empty() {
        return People::default();
    }
    let secret = hmac::Key::new(hmac::HMAC_SHA256, salt);
    let fields = study.field.len();
    let sign = |row: usize| {
        let text: String = essential(&keys.patient.cell(row)).collect();
        let mut sign = hmac::Context::with_key(&secret);
        sign.update(b"patient\0");
        sign.update(text.as_bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(&sign.sign().as_ref()[..16]);
        tag
    };
    let mut tag = vec![Tag::default(); number.len()];
    for (row, patient) in typed.patient.iter().enumerate() {
        let tag = &mut tag[number[*patient as usize] as usize];
        if *tag == Tag::default() {
            *tag = sign(row);
        }
    }
    let mut version = vec![0_u64; fields * patients as usize];
    let words: Vec<Vec<[u8; 8]>> = study.field.iter().map(words).collect();
    for (at, (row, patient)) in rows.iter().zip(patient).enumerate() {
        let patient = *patient as usize;
        let case = fold(BASIS, keys.case.cell(*row).as_bytes());
        for (index, (column, words)) in typed.column.iter().zip(&words).enumerate() {
            let value = match column {
                Column::Number(values) => values[*row].map(|value| value.to_bits().to_le_bytes()),
                Column::Category(levels) => {
                    let word = |level| words.get(usize::from(level)).copied();
                    levels[*row].map(|level| word(level).unwrap_or_default())
                }
                Column::Withheld => {
                    let digest = files.get(at).and_then(|files| *files.get(index)?);
                    digest.map(|digest| fold(BASIS, digest.as_bytes()).to_le_bytes())
                }
            };
            let said = fold(
                fold(case, &[u8::from(value.is_some())]),
                &value.unwrap_or_default(),
            );
            // A sum does not depend on the order of a patient's cases.
            let place = &mut version[patient * fields + index];
            *place = place.wrapping_add(said);
        }
    }
    let name = |field: &Field| format!("{}: {:?}", field.name, field.kind);
    People {
        tag,
        version,
        field: study.field.iter().map(name).collect(),
    }
}

/// What stands for each declared level of a field.
fn words(field: &Field) -> Vec<[u8; 8]> {
    let levels = field.levels.iter();
    let hash = |level: &String| fold(BASIS, level.as_bytes()).to_le_bytes();
    levels.map(hash).collect()
}
