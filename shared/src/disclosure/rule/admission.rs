//! D1: nothing is released about a data set that is too small as a whole.
//!
//! From: the analysis sets' sizes.
//! To: `review`, which then withholds the whole release.

use crate::disclosure::policy::Policy;

/// Whether an analysis set of this many patients, events and non-events is large enough.
pub fn admits(policy: &Policy, patients: u64, events: u64, non_events: u64) -> bool {
    !policy.protects()
        || (patients >= policy.min_patients()
            && events >= policy.min_class()
            && non_events >= policy.min_class())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::{OPEN_DATA, STANDARD};

    #[test]
    fn both_classes_must_be_large_enough() {
        let policy = Policy::parse(STANDARD).unwrap();
        assert!(admits(&policy, 50, 10, 40));
        assert!(!admits(&policy, 49, 10, 39));
        assert!(!admits(&policy, 123, 115, 8));
        assert!(!admits(&policy, 123, 9, 114));
        assert!(admits(&Policy::parse(OPEN_DATA).unwrap(), 3, 1, 2));
    }
}
