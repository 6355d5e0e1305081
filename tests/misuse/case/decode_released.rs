//! Bytes from elsewhere never become a release that could be sent.

use shared::disclosure::Released;

fn forge(bytes: &[u8]) {
    let _ = serde_json::from_slice::<Released>(bytes);
}

fn main() {}
