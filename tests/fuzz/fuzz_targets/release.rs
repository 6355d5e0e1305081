//! The release document, as a coordinator receives it. What is read is canonical: written again
//! it is the same bytes. Other JSON of the right form is made canonical first, so that mutations
//! get past that check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::disclosure::document::ReceivedRelease;
use shared::identity::to_canonical;

fn read(bytes: &[u8]) {
    if let Ok(release) = ReceivedRelease::read(bytes) {
        assert_eq!(to_canonical(&release).expect("it was read"), bytes);
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
