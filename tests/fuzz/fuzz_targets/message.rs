//! Message bodies behind a right header: the first byte chooses the kind, the rest is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::wire::codec::{decode, encode};
use shared::wire::frame::{Header, Kind};
use shared::wire::{JoinReply, JoinRequest, Message, NodeReply, NodeRequest};

fn round_trip<M: Message>(frame: &[u8]) {
    if let Ok(message) = decode::<M>(frame) {
        assert_eq!(encode(&message).expect("it was decoded"), frame);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    let version = 1 + u16::from(*first >> 7);
    let Ok(header) = Header::new(version, kind, body.len()) else {
        return;
    };
    let frame = [header.to_bytes().as_slice(), body].concat();
    match kind {
        Kind::JoinRequest => round_trip::<JoinRequest>(&frame),
        Kind::JoinReply => round_trip::<JoinReply>(&frame),
        Kind::NodeControl | Kind::NodeDocument => round_trip::<NodeRequest>(&frame),
        Kind::ReplyControl | Kind::ReplyDocument => round_trip::<NodeReply>(&frame),
    }
});
