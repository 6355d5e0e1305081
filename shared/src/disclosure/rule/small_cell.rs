//! D2 and D3: a count of fewer than k distinct patients is hidden, zero included, and hidden
//! zeros and hidden small counts look the same. Patients are counted, not images or rows.
//!
//! From: exact counts.
//! To: `review`.

use crate::disclosure::policy::Policy;

/// Whether a count of this many distinct patients may be shown.
pub fn shows(policy: &Policy, patients: u64) -> bool {
    !policy.protects() || patients >= policy.min_cell()
}
