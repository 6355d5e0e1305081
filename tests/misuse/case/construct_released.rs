//! Only the review makes a release: its field is private and it has no constructor.

use shared::disclosure::Released;

fn forge(document: String) -> Released {
    Released { document }
}

fn main() {}
