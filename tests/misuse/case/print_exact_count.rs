//! An exact count cannot reach a log.

use shared::statistic::ExactCount;

fn leak(count: &ExactCount) -> String {
    format!("{:?}", count)
}

fn main() {}
