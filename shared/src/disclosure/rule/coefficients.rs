//! D14: a coefficient may leave when it is fitted to enough patients: at least ten per parameter,
//! and ten beyond the parameters (ACRO's threshold of residual degrees of freedom,
//! <https://github.com/AI-SDC/ACRO>). With fewer, coefficients and their standard errors come
//! close to naming the patients they were fitted to. Residuals, leverages and single influences
//! have no form in which they could leave at all.
//!
//! From: exact estimates.
//! To: `review`.

use crate::disclosure::policy::Policy;
use crate::statistic::Metric;

/// Fewest patients per parameter.
const PER_PARAMETER: u64 = 10;

/// Fewest patients beyond the parameters.
const DEGREES_OF_FREEDOM: u64 = 10;

/// Parameters of the line that an estimate is, or is made from; `None` for one that fits none.
pub fn parameters(metric: Metric) -> Option<u64> {
    let both = matches!(
        metric,
        Metric::CalibrationSlope
            | Metric::JointIntercept
            | Metric::CalibrationTest
            | Metric::CalibrationTestP
            | Metric::Ici
            | Metric::E50
            | Metric::E90
    );
    if both {
        Some(2)
    } else {
        (metric == Metric::Citl).then_some(1)
    }
}

/// Whether an estimate of this metric over `patients` distinct patients may leave.
pub fn determined(policy: &Policy, metric: Metric, patients: u64) -> bool {
    let enough = |parameters: u64| {
        patients >= PER_PARAMETER * parameters && patients >= parameters + DEGREES_OF_FREEDOM
    };
    !policy.protects() || parameters(metric).is_none_or(enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::{NETWORK, OPEN_DATA};

    #[test]
    fn lines_need_ten_patients_per_parameter_and_ten_more_than_parameters() {
        let policy = Policy::parse(NETWORK).unwrap();
        for (metric, fewest) in [
            (Metric::CalibrationSlope, 20),
            (Metric::JointIntercept, 20),
            (Metric::Ici, 20),
            (Metric::Citl, 11),
        ] {
            assert!(determined(&policy, metric, fewest));
            assert!(!determined(&policy, metric, fewest - 1));
        }
        assert!(determined(&policy, Metric::Brier, 10));
        let open = Policy::parse(OPEN_DATA).unwrap();
        assert!(determined(&open, Metric::CalibrationSlope, 3));
    }
}
