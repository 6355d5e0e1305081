//! Who the cases belong to, as the ledger knows them: a keyed hash of the patient's key, and one of
//! what the table says of them. Keys themselves go no further; without the site's salt a tag says
//! nothing, and the same patient has the same tag in every study of the site.
//!
//! From: the table's patient column, typed values, digests of files.
//! To: `spoken`.

use ring::hmac;
use shared::identity::Digest;
use shared::statistic::cases::Column;
use shared::study::StudyProtocol;

use super::identifier::essential;
use super::precheck::Typed;
use super::raw::TextColumn;

/// The patients of the eligible cases, as `Cases` numbers them.
#[derive(Default)]
pub struct People {
    /// Of each patient's key.
    pub(crate) tag: Vec<Tag>,
    /// Of everything the declared fields say of each patient.
    pub(crate) version: Vec<u64>,
    /// What the versions cover: only those of one shape can be compared.
    pub(crate) shape: Option<Digest>,
}

/// The first half of an HMAC-SHA256.
pub(crate) type Tag = [u8; 16];

/// The patients of `rows`; `patient` is each row's, `files` the digests of each row's files.
pub(super) fn people(
    salt: &[u8],
    study: &StudyProtocol,
    key: &TextColumn,
    typed: &Typed,
    (rows, patient, patients): (&[usize], &[u32], u32),
    files: &[Vec<Option<Digest>>],
) -> People {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, salt);
    let mut tag = vec![Tag::default(); patients as usize];
    let mut known: Vec<Vec<[u8; 32]>> = vec![Vec::new(); patients as usize];
    for (at, (row, patient)) in rows.iter().zip(patient).enumerate() {
        let patient = *patient as usize;
        let text: String = essential(key.cell(*row)).collect();
        let mut sign = hmac::Context::with_key(&secret);
        sign.update(b"patient\0");
        sign.update(text.as_bytes());
        tag[patient].copy_from_slice(&sign.sign().as_ref()[..16]);
        let mut sign = hmac::Context::with_key(&secret);
        sign.update(b"case\0");
        for column in &typed.column {
            match column {
                Column::Number(values) => {
                    let bits = values[*row].map(f64::to_bits);
                    sign.update(&[u8::from(bits.is_some())]);
                    sign.update(&bits.unwrap_or_default().to_le_bytes());
                }
                Column::Category(levels) => {
                    let level = levels[*row].map_or(u64::MAX, |level| level as u64);
                    sign.update(&level.to_le_bytes());
                }
                Column::Withheld => sign.update(b"-"),
            }
        }
        for digest in files.get(at).into_iter().flatten() {
            sign.update(digest.as_ref().map_or(&[], |digest| digest.as_bytes()));
            sign.update(b"/");
        }
        let mut case = [0; 32];
        case.copy_from_slice(sign.sign().as_ref());
        known[patient].push(case);
    }
    let version = known.into_iter().map(|mut cases| {
        // The order of rows is the export's, not the patient's.
        cases.sort_unstable();
        let mut first = [0; 8];
        first.copy_from_slice(&Digest::of(&cases.concat()).as_bytes()[..8]);
        u64::from_le_bytes(first)
    });
    People {
        tag,
        version: version.collect(),
        shape: shape(study),
    }
}

/// The declared fields: with other ones, other values are hashed.
fn shape(study: &StudyProtocol) -> Option<Digest> {
    serde_json::to_vec(&study.field)
        .ok()
        .map(|bytes| Digest::of(&bytes))
}
