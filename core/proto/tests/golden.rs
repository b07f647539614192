//! The bytes of every frame, as they are on the wire for ever.
//!
//! `tests/golden/frames.txt` holds them. After a deliberate change of the protocol, write it anew
//! with `TELPHER_GOLDEN=write cargo test -p telpher-proto --test golden`.

#[path = "support/samples.rs"]
mod samples;

use std::fmt::Write;

use bytes::Bytes;
use telpher_proto::base::{Answer, Time};
use telpher_proto::wire::{Clock, Frame, FrameKind, Outbox, Whole, decode};

const CLOCK: Clock = Clock { shared: true, now: Time::from_nanos(1_000_000_000) };

fn encode(frame: &Frame, clock: Clock) -> Bytes {
    let mut outbox = Outbox::default();
    outbox.push(frame, clock);
    let mut slices = [std::io::IoSlice::new(&[])];
    outbox.slices(&mut slices);
    Bytes::copy_from_slice(&slices[0])
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let gap = if at > 0 && at.is_multiple_of(4) { " " } else { "" };
        write!(text, "{gap}{byte:02x}").unwrap();
    }
    text
}

#[test]
fn every_frame_has_the_bytes_it_always_had() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/frames.txt");
    let mut text = String::new();
    for (name, frame) in samples::samples() {
        writeln!(text, "{name}: {}", hex(&encode(&frame, CLOCK))).unwrap();
    }
    if std::env::var_os("TELPHER_GOLDEN").is_some_and(|what| what == "write") {
        std::fs::write(path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    for (ours, theirs) in text.lines().zip(golden.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

#[test]
fn every_kind_of_frame_is_among_the_samples() {
    let samples = samples::samples();
    let kinds: Vec<u8> = samples.iter().map(|(_, frame)| encode(frame, CLOCK)[4]).collect();
    for kind in FrameKind::ALL {
        assert!(kinds.contains(&(*kind as u8)), "{kind:?} has no sample");
    }
}

#[test]
fn what_is_decoded_and_encoded_again_is_the_same() {
    for clock in [CLOCK, Clock { shared: false, ..CLOCK }] {
        for (name, frame) in samples::samples() {
            let bytes = encode(&frame, clock);
            let decoded = decode(Whole::of(&bytes), clock)
                .unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            assert_eq!(encode(&decoded, clock), bytes, "{name}");
        }
    }
}

#[test]
fn a_frame_that_is_cut_or_too_long_is_malformed() {
    for (name, frame) in samples::samples() {
        let bytes = encode(&frame, CLOCK);
        // Behind these fields anything up to the limit is a text or a list.
        let open_ended = matches!(
            frame,
            Frame::Open { .. }
                | Frame::Subscribe { .. }
                | Frame::Append { .. }
                | Frame::Records { .. }
                | Frame::Bind { .. }
                | Frame::Unbind { .. }
                | Frame::DeclareTopic { .. }
                | Frame::DeleteTopic { .. }
                | Frame::InspectTopic { .. }
                | Frame::Bye { .. }
                | Frame::Failed { .. }
                | Frame::Held { .. }
                | Frame::Answer { reply: Err(_), .. }
                | Frame::Collected { answer: Answer { reply: Err(_), .. }, .. }
        );
        for size in 5..bytes.len() {
            let cut = bytes.slice(..size);
            assert!(decode(Whole::of(&cut), CLOCK).is_err() || open_ended, "{name} cut at {size}");
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        assert!(
            decode(Whole::of(&longer), CLOCK).is_err() || open_ended,
            "{name} with a byte too many"
        );
    }
}

#[test]
fn no_changed_byte_makes_decoding_panic_and_reserved_ones_are_noticed() {
    for (name, frame) in samples::samples() {
        let bytes = encode(&frame, CLOCK);
        for at in 4..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << bit;
                let flipped = Bytes::from(flipped);
                let decoded = decode(Whole::of(&flipped), CLOCK);
                let reserved = (6..8).contains(&at);
                assert!(!reserved || decoded.is_err(), "{name}: byte {at} is reserved");
            }
        }
    }
}
