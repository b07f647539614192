//! Segments as a faulty library might write them: the checksums are right, and what they say can't
//! be. That is damage as any other, and never a panic.

mod support;

use bytes::BytesMut;
use support::bindings::{bound, bound_stream, publish, run};
use support::streams::plain;
use support::*;
use telpher_proto::base::{Durability, Kind};
use telpher_proto::journal::format::{COMMIT, FRAME_HEADER_SIZE, FrameHeader, Seed, SegmentHeader};

/// The segment with other numbers in it.
fn forged(
    file: &[u8],
    change_segment: impl Fn(&mut SegmentHeader),
    change_frame: impl Fn(&mut FrameHeader),
) -> Vec<u8> {
    let mut segment = SegmentHeader::decode(&HUB_ID, 1, file).unwrap();
    change_segment(&mut segment);
    let mut out = BytesMut::new();
    segment.encode(&HUB_ID, &mut out);
    let (seed, mut crc) = (Seed::new(&HUB_ID, 1), 0);
    while let at = out.len()
        && let Some(mut frame) = FrameHeader::decode(seed, at as u64, &file[at..])
    {
        let body = at + FRAME_HEADER_SIZE;
        out.extend_from_slice(&file[at..body + frame.size as usize]);
        if frame.kind == COMMIT {
            // The checksum of the group.
            out[body + 4..body + 8].copy_from_slice(&u32::to_le_bytes(crc));
        }
        change_frame(&mut frame);
        let own = frame.complete(seed, at as u64, &mut out, at);
        let goes_on = frame.kind != COMMIT;
        crc = if goes_on { crc32c::crc32c_append(crc, &own.to_le_bytes()) } else { 0 };
    }
    out.resize(file.len(), 0);
    out.to_vec()
}

#[test]
fn positions_that_no_hub_reaches_are_refused() {
    let mut world = World::with_sizes(SMALL);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Disk)));
    world.run(program, send("jobs", "kept"));
    world.end_host().unwrap();
    let good = world.disk.files[&1].clone();

    let mut refuse = |what: &str, file: Vec<u8>| {
        world.disk.files = [(1, file)].into();
        let error = world.take_over().expect_err(what);
        assert_eq!(error.kind(), Kind::Corrupt, "{what}: {error}");
        assert!(error.detail().contains("journal.00000001"), "{what}: {error}");
    };
    refuse("begins at 0", forged(&good, |segment| segment.first = 0, |_| {}));
    refuse("records at 0", forged(&good, |_| {}, |frame| frame.position = 0));
    refuse("needs none of its own", forged(&good, |segment| segment.oldest = 2, |_| {}));
    refuse(
        "durable beyond its beginning",
        forged(&good, |segment| segment.durable = u64::MAX, |_| {}),
    );
    for first in [u64::MAX - 3, u64::MAX] {
        let begin = |segment: &mut SegmentHeader| segment.first = first;
        let go_on = |frame: &mut FrameHeader| {
            frame.position = first.saturating_add(frame.position - 1);
        };
        refuse("no position is left", forged(&good, begin, go_on));
    }

    world.disk.files = [(1, forged(&good, |_| {}, |_| {}))].into();
    assert_eq!(world.disk.files[&1], good);
    world.take_over().unwrap();
    world.pass(100);
    assert_eq!(world.figures(program, "jobs"), (1, 0));
}

#[test]
fn a_publish_whose_appends_are_not_there_or_not_announced_is_refused() {
    const STORED: u8 = 22;
    const APPENDED: u8 = 42;
    for is_stream in [true, false] {
        let mut world = World::with_sizes(SMALL);
        let program = world.program();
        if is_stream {
            bound_stream(&mut world, program, "a", "log", plain(Durability::Disk));
        } else {
            bound(&mut world, program, "a", "jobs", on(Durability::Disk));
        }
        run(&mut world, program, publish("a", "kept"));
        world.end_host().unwrap();
        let exchange = |frame: &mut FrameHeader| match frame.kind {
            STORED => frame.kind = APPENDED,
            APPENDED => frame.kind = STORED,
            _ => {}
        };
        let file = forged(&world.disk.files[&1], |_| {}, exchange);
        assert_ne!(file, world.disk.files[&1]);
        world.disk.files = [(1, file)].into();
        let error = world.take_over().expect_err("it can't be read");
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    }
}
