//! An exact number cannot reach a log.

use shared::statistic::ExactReal;

fn leak(real: &ExactReal) -> String {
    format!("{:?}", real)
}

fn main() {}
