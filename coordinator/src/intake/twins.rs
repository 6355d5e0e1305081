//! Two sites with the same numbers: one table counted twice, or one result sent under two names,
//! perhaps rounded once more. Two hospitals never have the same patients, so numbers with several
//! digits that agree in one place after the other are no chance.
//!
//! From: two received releases of one exchange.
//! To: `store::inbox`, which sets both aside.

use std::collections::BTreeMap;

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::listing::{AnyCell, cells};

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

/// Real numbers of a release by their place, with their significant digits.
pub(crate) struct Sketch {
    site: String,
    numbers: BTreeMap<String, (f64, usize)>,
}

fn numbers(release: &ReceivedRelease) -> BTreeMap<String, (f64, usize)> {
    let mut found = BTreeMap::new();
    for statistic in &release.statistics {
        let at = place(statistic);
        for cell in cells(statistic) {
            let AnyCell::Real(name, cell) = cell else {
                continue;
            };
            if let Some(number) = cell.number() {
                let digits = digits(number);
                if digits >= DIGITS_MIN {
                    found.insert(format!("{at}: {name}"), (number, digits));
                }
            }
        }
    }
    found
}

/// Significant digits of a number's shortest form.
fn digits(number: f64) -> usize {
    let text = format!("{:e}", number.abs());
    let mantissa = text.split('e').next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).count()
}

fn same(one: (f64, usize), other: (f64, usize)) -> bool {
    let decimals = one.1.min(other.1) - 1;
    format!("{:.decimals$e}", one.0) == format!("{:.decimals$e}", other.0)
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
        for (place, mine) in &one.numbers {
            let Some(theirs) = other.numbers.get(place) else {
                continue;
            };
            let equal = usize::from(same(*mine, *theirs));
            found.compared += 1;
            found.equal += equal;
            if mine.1.min(theirs.1) >= DIGITS_LONG {
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

impl Sketch {
    /// The sketch of a release's bytes; `None` when they are none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        ReceivedRelease::read(bytes).ok().as_ref().map(Self::of)
    }

    pub(super) fn of(release: &ReceivedRelease) -> Self {
        Self {
            site: release.header.site.to_string(),
            numbers: numbers(release),
        }
    }

    /// What two releases share that two hospitals cannot.
    pub(crate) fn shared_with(&self, other: &Self) -> Option<Finding> {
        let found = Alike::of(self, other);
        found.suspicious().then(|| {
            let what = format!(
                "{} and {} share {} of {} numbers that can be compared; two hospitals have no \
                 patients in common",
                self.site, other.site, found.equal, found.compared
            );
            Finding::new("numbers-unique", "statistics", what)
        })
    }
}
