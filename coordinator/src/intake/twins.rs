//! Two sites with the same numbers: one table counted twice, or one result sent under two names,
//! perhaps rounded once more. Two hospitals never have the same patients, so numbers with several
//! digits that agree in one place after the other are no chance.
//!
//! From: two received releases of one exchange.
//! To: `store::inbox`, which sets both aside.

use std::collections::BTreeMap;

use shared::disclosure::document::ReceivedRelease;
use shared::identity::Digest;
use shared::statistic::listing::{AnyCell, cells};
use shared::study::SiteSlug;

use super::finding::Finding;
use super::keys::place;

/// A number with fewer significant digits is equal at two sites by chance too often.
const DIGITS_MIN: usize = 3;
/// From so many digits on, a number is nobody else's unless it follows from the protocol alone.
const DIGITS_LONG: usize = 7;
/// Fewer equal numbers say nothing.
const EQUAL_MIN: usize = 12;
/// Share of comparable numbers that must be equal, to as many digits as the coarser has.
const SHARE: f64 = 0.3;
/// The same for long numbers, which need not be most of a release.
const SHARE_LONG: f64 = 0.1;

/// The real numbers of a release that say enough, by the digest of their place: a few bytes beside
/// each release, so that a new one is compared with all others without reading them again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch(BTreeMap<u64, f64>);

impl Sketch {
    /// The sketch of a release.
    pub(super) fn of(release: &ReceivedRelease) -> Self {
        let mut found = BTreeMap::new();
        for statistic in &release.statistics {
            let at = place(statistic);
            for cell in cells(statistic) {
                let AnyCell::Real(name, cell) = cell else {
                    continue;
                };
                let telling = |number: &f64| digits(*number) >= DIGITS_MIN;
                if let Some(number) = cell.number().filter(telling) {
                    let digest = Digest::of_list(&[at.as_bytes(), name.as_bytes()]);
                    let key = digest.as_bytes().first_chunk().copied().unwrap_or_default();
                    found.insert(u64::from_be_bytes(key), number);
                }
            }
        }
        Self(found)
    }

    /// Place and number in turn, 16 bytes each pair.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(place, number)| [place.to_be_bytes(), number.to_be_bytes()])
            .flatten()
            .collect()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<16>();
        let pair = |pair: &[u8; 16]| {
            let (place, number) = (pair.first_chunk()?, pair.last_chunk()?);
            Some((u64::from_be_bytes(*place), f64::from_be_bytes(*number)))
        };
        let pairs: Option<BTreeMap<u64, f64>> = pairs.iter().map(pair).collect();
        pairs.filter(|_| rest.is_empty()).map(Self)
    }

    /// What the releases of two sites share that two hospitals cannot.
    pub(crate) fn shared_with(
        &self,
        other: &Self,
        [site, other_site]: [&SiteSlug; 2],
    ) -> Option<Finding> {
        let found = Alike::of(self, other);
        found.suspicious().then(|| {
            let what = format!(
                "{site} and {other_site} share {} of {} numbers that can be compared; two \
                 hospitals have no patients in common",
                found.equal, found.compared
            );
            Finding::new("numbers-unique", "statistics", what)
        })
    }
}

/// Significant digits of a number's shortest form.
fn digits(number: f64) -> usize {
    let text = format!("{:e}", number.abs());
    let mantissa = text.split('e').next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).count()
}

fn same(one: f64, other: f64, digits: usize) -> bool {
    let decimals = digits - 1;
    format!("{one:.decimals$e}") == format!("{other:.decimals$e}")
}

/// How many numbers of two releases can be compared, and are equal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Alike {
    pub(super) compared: usize,
    pub(super) equal: usize,
    pub(super) long: usize,
    pub(super) long_equal: usize,
}

impl Alike {
    pub(super) fn of(one: &Sketch, other: &Sketch) -> Self {
        let mut found = Self::default();
        for (place, mine) in &one.0 {
            let Some(theirs) = other.0.get(place) else {
                continue;
            };
            let digits = digits(*mine).min(digits(*theirs));
            let equal = usize::from(same(*mine, *theirs, digits));
            found.compared += 1;
            found.equal += equal;
            if digits >= DIGITS_LONG {
                found.long += 1;
                found.long_equal += equal;
            }
        }
        found
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of a release")]
    pub(super) fn suspicious(self) -> bool {
        let beyond = |equal: usize, all: usize, share: f64| {
            equal >= EQUAL_MIN && equal as f64 >= share * all as f64
        };
        beyond(self.equal, self.compared, SHARE) || beyond(self.long_equal, self.long, SHARE_LONG)
    }
}
