//! Whether masked sums can be opened as declared: enough hospitals, a wait that ends, and no more
//! numbers than one document may carry.
//!
//! From: `validate`.
//! To: its list of problems.

use super::{Found, StudyProtocol, expand};
use crate::study::SiteRole;
use crate::study::masked::{HOSPITALS_MAX, HOSPITALS_MIN, LENGTH_MAX, Layout};

/// Longest wait of one phase: a week.
const PHASE_SECONDS_MAX: u32 = 604_800;

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    let Some(plan) = protocol.masked_sums else {
        return;
    };
    let external = protocol.site.iter();
    let external = external
        .filter(|site| site.role == SiteRole::External)
        .count();
    found.unless(
        external >= HOSPITALS_MIN,
        "masked_sums",
        &format!(
            "a sum over {external} external hospitals says too much of each: of two, each learns \
             the other's part by taking off its own; of three, two together learn the third's"
        ),
        "invite at least 4 external hospitals, or remove [masked_sums]",
    );
    found.unless(
        external <= HOSPITALS_MAX,
        "masked_sums",
        "more than 100 external hospitals cannot share one mask",
        "remove [masked_sums], or split the study",
    );
    let length = Layout::of(&expand(protocol)).length();
    found.unless(
        length <= LENGTH_MAX,
        "masked_sums",
        &format!("{length} numbers would have to travel masked; a document holds {LENGTH_MAX}"),
        "use fewer bins, subgroup axes or models",
    );
    found.unless(
        (3..=PHASE_SECONDS_MAX).contains(&plan.phase_seconds),
        "masked_sums.phase_seconds",
        "it must lie between 3 and 604800",
        "write for example phase_seconds = 3600",
    );
}
