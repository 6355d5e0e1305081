//! The release document, as a coordinator receives it. Its id follows
//! from its header. Other JSON of the right form is made canonical first, so that mutations get
//! past that check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::disclosure::document::ReceivedRelease;
use shared::identity::to_canonical;

fn read(bytes: &[u8]) {
    if let Ok(release) = ReceivedRelease::read(bytes) {
        assert_eq!(release.id, release.header.id());
    }
}

fuzz_target!(|input: &[u8]| {
    read(input);
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(input)
        && let Ok(bytes) = to_canonical(&value)
    {
        read(&bytes);
    }
});
