//! Counts that wait for noise can neither be printed nor written out.

use shared::disclosure::noise::Counted;

fn show(counted: &Counted) -> String {
    let text = format!("{counted:?}");
    let json = serde_json::to_string(counted);
    text + &json.unwrap_or_default()
}

fn main() {
    let _ = show;
}
