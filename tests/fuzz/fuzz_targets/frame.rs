//! Whole frames: header, limits and body of any bytes. Whatever decodes must encode to the same
//! bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::wire::codec::{decode, encode};
use shared::wire::frame::{HEADER_BYTES, Header, split};
use shared::wire::{JoinReply, JoinRequest, Message, NodeReply, NodeRequest};

fn round_trip<M: Message>(frame: &[u8]) {
    if let Ok(message) = decode::<M>(frame) {
        assert_eq!(encode(&message).expect("it was decoded"), frame);
    }
}

fuzz_target!(|frame: &[u8]| {
    if let Ok(header) = Header::parse(frame) {
        assert_eq!(header.to_bytes(), frame[..HEADER_BYTES]);
        assert!(header.frame_bytes() <= header.kind.frame_max());
    }
    if let Ok((header, body)) = split(frame) {
        assert_eq!(header.frame_bytes(), HEADER_BYTES + body.len());
    }
    round_trip::<JoinRequest>(frame);
    round_trip::<JoinReply>(frame);
    round_trip::<NodeRequest>(frame);
    round_trip::<NodeReply>(frame);
});
