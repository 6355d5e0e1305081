//! D5, D8, D9: a number may leave when every group it speaks about is large enough, complement
//! included, and neither one patient nor two carry more than the allowed share of what it sums.
//! With half for one and two thirds for two, what is left is at least two thirds of the largest
//! contribution, so that nobody learns it to within a tenth by taking off their own (the p % rule
//! of Hundepool et al. 2012, Statistical Disclosure Control, doi:10.1002/9781118348239). A difference
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
    /// One patient dominates, or two.
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
    } else if basis.dominance.largest > policy.max_share()
        || basis.dominance.two > policy.max_share_of_two()
    {
        Err(Objection::Dominance)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::{OPEN_DATA, STANDARD};
    use crate::numeric::dominance::Dominance;

    #[test]
    fn small_groups_and_dominant_patients_hold_a_number_back() {
        let policy = Policy::parse(STANDARD).unwrap();
        let carried = |largest, two| Basis::of(99).dominated(Dominance { largest, two });
        assert_eq!(supports(&policy, carried(0.5, 0.67)), Ok(()));
        assert_eq!(supports(&policy, Basis::of(9)), Err(Objection::SmallGroup));
        for (largest, two) in [(0.51, 0.52), (0.4, 0.68)] {
            let objection = supports(&policy, carried(largest, two));
            assert_eq!(objection, Err(Objection::Dominance));
        }
        let open = Policy::parse(OPEN_DATA).unwrap();
        assert_eq!(
            supports(&open, Basis::of(0).dominated(Dominance::WHOLE)),
            Ok(())
        );
    }
}
