//! An exact statistic cannot be serialised around the gate.

use shared::statistic::{Exact, Statistic};

fn leak(statistic: Statistic<Exact>) {
    let _ = serde_json::to_vec(&statistic);
}

fn main() {}
