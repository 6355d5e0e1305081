//! Every message has fixed bytes, and nothing but those bytes is a message.
//!
//! From: `golden.txt`, hostile input.
//! To: `codec`.

use super::*;
use crate::study::{SiteState, Timestamp};
use crate::wire::message::{JobOffer, LedgerHead, Refusal};

fn ledger() -> LedgerHead {
    LedgerHead {
        entries: 300,
        hash: Digest::of(b"ledger"),
    }
}

fn hello(software: &str) -> NodeRequest {
    NodeRequest::Hello {
        version_min: 1,
        version_max: 1,
        software: software.to_owned(),
        ledger: ledger(),
    }
}

fn join_requests() -> Vec<JoinRequest> {
    let site: crate::study::SiteSlug = "st-olav".parse().unwrap();
    vec![
        JoinRequest::Enrol {
            site: site.clone(),
            secret: vec![1; 16],
            csr: vec![0x30, 0x82],
        },
        JoinRequest::Collect {
            site,
            secret: vec![1; 16],
        },
    ]
}

fn join_replies() -> Vec<JoinReply> {
    vec![
        JoinReply::Pending,
        JoinReply::Issued {
            certificate: vec![0x30, 1],
            ca: vec![0x30, 2],
            signers: vec![b"{}".to_vec()],
        },
        JoinReply::Refused(Refusal::InvitationInvalid),
    ]
}

fn node_requests() -> Vec<NodeRequest> {
    vec![
        hello("fedval-node 0.1.0"),
        NodeRequest::Beat {
            state: SiteState::Idle,
        },
        NodeRequest::Poll {
            wait_ms: 25_000,
            known: vec![Digest::of(b"job")],
        },
        NodeRequest::FetchProtocol {
            protocol: Digest::of(b"protocol"),
        },
        NodeRequest::Progress {
            job: Digest::of(b"job"),
            state: SiteState::Idle,
        },
        NodeRequest::Deliver {
            job: Digest::of(b"job"),
            release: Digest::of(b"release"),
            document: b"{\"a\":1}".to_vec(),
            ledger: ledger(),
        },
        NodeRequest::Decline {
            job: Digest::of(b"job"),
            refusal: Refusal::NotReleased,
        },
        NodeRequest::Renew { csr: vec![0x30] },
        NodeRequest::NextStep {
            job: Digest::of(b"job"),
            exchange: "calibration".parse().unwrap(),
            step: 3,
            wait_ms: 20_000,
        },
        NodeRequest::DeclineStep {
            job: Digest::of(b"job"),
            exchange: "calibration".parse().unwrap(),
            step: 1,
            refusal: Refusal::NotReleased,
        },
        NodeRequest::FetchCheckpoint {
            held: b"{}".to_vec(),
        },
        NodeRequest::Checkpoint {
            document: b"{}".to_vec(),
            from: 300,
            proof: vec![Digest::of(b"hash")],
        },
    ]
}

fn node_replies() -> Vec<NodeReply> {
    vec![
        NodeReply::HelloAck {
            version: 1,
            now: Timestamp::from_unix(1_800_000_000).unwrap(),
            last_receipt: ledger(),
        },
        NodeReply::Ack,
        NodeReply::Jobs(vec![JobOffer {
            job: Digest::of(b"job"),
            document: b"{}".to_vec(),
        }]),
        NodeReply::Protocol(b"{}".to_vec()),
        NodeReply::Receipt {
            release: Digest::of(b"release"),
            receipt: b"{}".to_vec(),
        },
        NodeReply::Certificate(vec![0x30]),
        NodeReply::Refused(Refusal::LedgerBehind),
        NodeReply::Step(b"{}".to_vec()),
        NodeReply::NoStep { over: true },
        NodeReply::Checkpoint {
            document: b"{}".to_vec(),
            proof: vec![Digest::of(b"hash")],
        },
    ]
}

/// Every frame, in the order of the declarations.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    frames.extend(join_requests().iter().map(|m| encode(m).unwrap()));
    frames.extend(join_replies().iter().map(|m| encode(m).unwrap()));
    frames.extend(node_requests().iter().map(|m| encode(m).unwrap()));
    frames.extend(node_replies().iter().map(|m| encode(m).unwrap()));
    frames
}

/// True when `frame` decodes as any of the four types.
fn is_message(frame: &[u8]) -> bool {
    decode::<JoinRequest>(frame).is_ok()
        || decode::<JoinReply>(frame).is_ok()
        || decode::<NodeRequest>(frame).is_ok()
        || decode::<NodeReply>(frame).is_ok()
}

fn with_body(kind: Kind, body: &[u8]) -> Vec<u8> {
    let header = Header::new(1, kind, body.len()).unwrap();
    [header.to_bytes().as_slice(), body].concat()
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(messages: &[M]) {
    for message in messages {
        assert_eq!(&decode::<M>(&encode(message).unwrap()).unwrap(), message);
    }
}

#[test]
fn every_message_returns_as_it_was() {
    round_trip(&join_requests());
    round_trip(&join_replies());
    round_trip(&node_requests());
    round_trip(&node_replies());
}

#[test]
fn the_bytes_of_every_message_are_fixed() {
    let text: String = frames()
        .iter()
        .map(|frame| data_encoding::HEXLOWER.encode(frame) + "\n")
        .collect();
    assert_eq!(
        text,
        include_str!("golden.txt"),
        "a landed message never changes: a changed one is a new variant at the end"
    );
}

/// Rule 2 of `docs/wire.md`: the frame names the version that its message needs, so that a peer
/// of version 1 reads everything it knows.
#[test]
fn a_frame_names_the_first_version_with_its_message() {
    let version = |frame: &[u8]| Header::parse(frame).unwrap().version;
    let of = |number| {
        frames()
            .iter()
            .filter(|frame| version(frame) == number)
            .count()
    };
    assert_eq!((of(2), of(3)), (4, 3));
    assert!(
        frames()
            .iter()
            .all(|frame| (1..=3).contains(&version(frame)))
    );
    for frame in frames() {
        for number in (1..=3).filter(|number| *number != frame[5]) {
            let mut other = frame.clone();
            other[5] = number;
            assert!(!is_message(&other), "one message in two versions");
        }
    }
}

#[test]
fn a_frame_cut_anywhere_or_followed_by_anything_is_no_message() {
    for frame in frames() {
        assert!(is_message(&frame));
        for end in 0..frame.len() {
            assert!(!is_message(&frame[..end]), "cut at {end}");
        }
        assert!(!is_message(&[frame.as_slice(), &[0]].concat()));
    }
}

#[test]
fn bytes_left_inside_the_body_are_refused() {
    for frame in frames() {
        let (header, body) = split(&frame).unwrap();
        assert!(!is_message(&with_body(header.kind, &[body, &[0]].concat())));
    }
}

#[test]
fn a_message_of_another_kind_is_refused() {
    let frame = encode(&hello("x")).unwrap();
    assert_eq!(
        decode::<JoinRequest>(&frame),
        Err(CodecFault::Unexpected {
            got: Kind::NodeControl
        })
    );
    let (_, body) = split(&frame).unwrap();
    assert_eq!(
        decode::<NodeRequest>(&with_body(Kind::NodeDocument, body)),
        Err(CodecFault::Unexpected {
            got: Kind::NodeDocument
        })
    );
}

#[test]
fn unknown_tags_and_bad_text_are_refused() {
    let body = |bytes: &[u8]| decode::<NodeRequest>(&with_body(Kind::NodeControl, bytes));
    assert_eq!(body(&[]), Err(CodecFault::Body));
    assert_eq!(body(&[8]), Err(CodecFault::Body));
    assert_eq!(body(&[250]), Err(CodecFault::Body));
    // Progress with a digest in capitals, then with a name that is no UTF-8
    let frame = encode(&node_requests()[3]).unwrap();
    let (_, good) = split(&frame).unwrap();
    let mut capitals = good.to_vec();
    capitals[2..].make_ascii_uppercase();
    assert_eq!(body(&capitals), Err(CodecFault::Body));
    let mut invalid = good.to_vec();
    invalid[10] = 0xff;
    assert_eq!(body(&invalid), Err(CodecFault::Body));
}

#[test]
fn lengths_that_the_input_cannot_hold_cost_nothing() {
    // FetchProtocol and Renew, each with a length of 2^62, 2^40, 2^32 and 2^64 - 1.
    for length in [1_u64 << 62, 1 << 40, 1 << 32, u64::MAX] {
        for variant in [3_u8, 7] {
            let mut body = vec![variant, 253];
            body.extend(length.to_le_bytes());
            let frame = with_body(Kind::NodeControl, &body);
            assert_eq!(decode::<NodeRequest>(&frame), Err(CodecFault::Body));
        }
    }
    // Issued with 2^31 signers of length 0, in a body that holds a thousand of them.
    let mut body = vec![1, 0, 0, 252];
    body.extend((1_u32 << 31).to_le_bytes());
    body.extend([0; 1000]);
    let frame = with_body(Kind::JoinReply, &body);
    assert_eq!(decode::<JoinReply>(&frame), Err(CodecFault::Body));
}

#[test]
fn a_longer_spelling_of_a_number_is_refused() {
    // Poll { wait_ms: 5, known: [] }: 5 as one byte, as three, as five.
    let frame = |body: &[u8]| with_body(Kind::NodeControl, body);
    assert!(decode::<NodeRequest>(&frame(&[2, 5, 0])).is_ok());
    assert_eq!(
        decode::<NodeRequest>(&frame(&[2, 251, 5, 0, 0])),
        Err(CodecFault::NotCanonical)
    );
    assert_eq!(
        decode::<NodeRequest>(&frame(&[2, 252, 5, 0, 0, 0, 0])),
        Err(CodecFault::NotCanonical)
    );
}

#[test]
fn other_spellings_of_one_moment_are_refused() {
    let frame = encode(&node_replies()[0]).unwrap();
    let (_, body) = split(&frame).unwrap();
    let moment = b"2027-01-15T08:00:00Z";
    let at = body
        .windows(moment.len())
        .position(|window| window == moment)
        .unwrap();
    let mut other = body.to_vec();
    other[at + 10] = b't';
    let refused = decode::<NodeReply>(&with_body(Kind::ReplyControl, &other));
    assert!(refused.is_err());
}

#[test]
fn bounds_hold_in_both_directions() {
    let refused = |message: NodeRequest, field| {
        assert_eq!(encode(&message), Err(CodecFault::Bound { field }));
        let body = body_of(&message).unwrap();
        let frame = with_body(message.kind(), &body);
        assert_eq!(
            decode::<NodeRequest>(&frame),
            Err(CodecFault::Bound { field })
        );
    };
    refused(hello(&"x".repeat(SOFTWARE_MAX + 1)), "software");
    for text in ["a\0", "a\u{202e}", "\u{430}", "a\n"] {
        refused(hello(text), "software");
    }
    let poll = |wait_ms, count| NodeRequest::Poll {
        wait_ms,
        known: vec![Digest::of(b""); count],
    };
    assert!(encode(&poll(WAIT_MAX_MS, KNOWN_MAX)).is_ok());
    refused(poll(WAIT_MAX_MS + 1, 0), "wait_ms");
    refused(poll(0, KNOWN_MAX + 1), "known");
    let renew = |bytes| NodeRequest::Renew {
        csr: vec![0x30; bytes],
    };
    assert!(encode(&renew(CERTIFICATE_MAX)).is_ok());
    refused(renew(CERTIFICATE_MAX + 1), "csr");
    let checkpoint = |bytes, hashes| NodeRequest::Checkpoint {
        document: vec![b' '; bytes],
        from: 0,
        proof: vec![Digest::of(b""); hashes],
    };
    assert!(encode(&checkpoint(CHECKPOINT_MAX, PROOF_MAX)).is_ok());
    refused(checkpoint(CHECKPOINT_MAX + 1, 0), "checkpoint");
    refused(checkpoint(0, PROOF_MAX + 1), "proof");
    let held = vec![b' '; CHECKPOINT_MAX + 1];
    refused(NodeRequest::FetchCheckpoint { held }, "checkpoint");
}

#[test]
fn the_largest_document_fits_and_one_byte_more_does_not() {
    let deliver = |bytes| NodeRequest::Deliver {
        job: Digest::of(b"job"),
        release: Digest::of(b"release"),
        document: vec![b' '; bytes],
        ledger: ledger(),
    };
    let largest = deliver(DOCUMENT_MAX);
    assert_eq!(decode(&encode(&largest).unwrap()), Ok(largest));
    assert_eq!(
        encode(&deliver(DOCUMENT_MAX + 1)),
        Err(CodecFault::Bound { field: "document" })
    );
    let offer = |bytes| JobOffer {
        job: Digest::of(b"job"),
        document: vec![b' '; bytes],
    };
    let full = NodeReply::Jobs(vec![offer(DOCUMENT_MAX / JOBS_MAX); JOBS_MAX]);
    assert!(encode(&full).is_ok());
    for beyond in [
        NodeReply::Jobs(vec![offer(0); JOBS_MAX + 1]),
        NodeReply::Jobs(vec![offer(DOCUMENT_MAX / 2 + 1); 2]),
    ] {
        assert_eq!(encode(&beyond), Err(CodecFault::Bound { field: "jobs" }));
    }
    let issued = |count, bytes| JoinReply::Issued {
        certificate: vec![0; CERTIFICATE_MAX],
        ca: vec![0; CERTIFICATE_MAX],
        signers: vec![vec![0; bytes]; count],
    };
    assert!(encode(&issued(SIGNERS_MAX, SIGNER_MAX)).is_ok());
    assert!(encode(&issued(SIGNERS_MAX + 1, 0)).is_err());
    assert!(encode(&issued(1, SIGNER_MAX + 1)).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_decode_to_themselves_or_to_nothing(
        kind in 0..Kind::ALL.len(),
        body in proptest::collection::vec(0_u8..=255, 0..256),
    ) {
        let frame = with_body(Kind::ALL[kind], &body);
        if let Ok(message) = decode::<NodeRequest>(&frame) {
            proptest::prop_assert_eq!(encode(&message).unwrap(), frame.clone());
        }
        if let Ok(message) = decode::<NodeReply>(&frame) {
            proptest::prop_assert_eq!(encode(&message).unwrap(), frame);
        }
    }
}
