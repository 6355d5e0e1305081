//! D5, D8, D9: a number may leave when every group it speaks about is large enough, complement
//! included, and no patient carries more than the allowed share of what it sums. A difference
//! between two scores needs enough patients whose placement changes (decision P3): their number
//! is the size of the smallest group.
//!
//! From: exact numbers with the people behind them.
//! To: `review`.

use crate::disclosure::policy::Policy;
use crate::statistic::stage::Basis;

/// Why a number may not leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Objection {
    /// A group it speaks about is too small.
    SmallGroup,
    /// One patient dominates.
    Dominance,
}

/// Whether a number with this basis may leave.
///
/// # Errors
/// The [`Objection`] that holds it back.
pub fn supports(policy: &Policy, basis: Basis) -> Result<(), Objection> {
    if !policy.protects() {
        Ok(())
    } else if basis.smallest < policy.min_cell() {
        Err(Objection::SmallGroup)
    } else if basis.dominance > policy.max_share() {
        Err(Objection::Dominance)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::{OPEN_DATA, STANDARD};

    #[test]
    fn small_groups_and_dominant_patients_hold_a_number_back() {
        let policy = Policy::parse(STANDARD).unwrap();
        assert_eq!(supports(&policy, Basis::of(10).dominated(0.5)), Ok(()));
        assert_eq!(supports(&policy, Basis::of(9)), Err(Objection::SmallGroup));
        assert_eq!(
            supports(&policy, Basis::of(99).dominated(0.51)),
            Err(Objection::Dominance)
        );
        let open = Policy::parse(OPEN_DATA).unwrap();
        assert_eq!(supports(&open, Basis::of(0).dominated(1.0)), Ok(()));
    }
}
