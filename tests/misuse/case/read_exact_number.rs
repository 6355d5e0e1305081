//! Outside the crate an exact number has no reader.

use shared::statistic::{ExactCount, ExactReal};

fn leak_count(count: &ExactCount) -> u64 {
    count.rows
}

fn leak_real(real: &ExactReal) -> bool {
    real.value.is_ok()
}

fn main() {}
