//! Checkpoints: everything that stands at a position, so that what was written before need not be
//! read again.
//!
//! ```text
//! | segment header | frame | frame | ... | commit |     as in a segment, seeded as segment 0
//! ```
//! The header names the segment that begins behind the checkpoint. A checkpoint is a cache: one
//! that is damaged, or fits no segment, is as good as none.
//!
//! Floor: imports `base`.

use bytes::{BufMut, Bytes, BytesMut};

use super::format::{
    COMMIT, Commit, FRAME_HEADER_SIZE, FrameHeader, SEGMENT_HEADER_SIZE, Seed, SegmentHeader,
    frame_size,
};
use super::{decode, encode};
use crate::base::record::{Position, Record};

/// The number whose seed a checkpoint's checksums begin with; no segment has it.
const NUMBER: u32 = 0;

/// Everything that stands at a position.
#[derive(Debug)]
pub struct Checkpoint {
    /// The segment that begins behind it.
    pub segment: u32,
    /// The position.
    pub position: Position,
    /// What stands, as records.
    pub records: Vec<Record>,
}

impl Checkpoint {
    /// As bytes of a file.
    pub fn encode(&self, journal_id: &[u8; 16]) -> Bytes {
        let mut out = BytesMut::new();
        let header = SegmentHeader {
            segment: NUMBER,
            epoch: 0,
            first: self.position + 1,
            durable: self.position,
            oldest: self.segment,
            pages: 0,
        };
        header.encode(journal_id, &mut out);
        let seed = Seed::new(journal_id, NUMBER);
        let mut crc = 0;
        for record in &self.records {
            let kind = encode::kind(record);
            let frame = self.frame(seed, kind, &mut out, |out| encode::encode(record, out));
            crc = crc32c::crc32c_append(crc, &frame.to_le_bytes());
        }
        let count = self.records.len() as u32;
        let commit = Commit { count, crc, written: self.position, durable: self.position };
        self.frame(seed, COMMIT, &mut out, |out| out.put_slice(&commit.encode()));
        out.freeze()
    }

    fn frame(
        &self,
        seed: Seed,
        kind: u8,
        out: &mut BytesMut,
        body: impl FnOnce(&mut BytesMut),
    ) -> u32 {
        let start = out.len();
        out.put_bytes(0, FRAME_HEADER_SIZE);
        body(out);
        let position = self.position;
        let header = FrameHeader { kind, size: 0, position, epoch: 0, body_crc: 0, crc: 0 };
        header.complete(seed, start as u64, out, start)
    }

    /// From the bytes of a file; `None` if they are not a whole checkpoint of this journal.
    pub fn decode(journal_id: &[u8; 16], content: &Bytes) -> Option<Checkpoint> {
        let header = SegmentHeader::decode(journal_id, NUMBER, content)?;
        let seed = Seed::new(journal_id, NUMBER);
        let (mut at, mut crc, mut records) = (SEGMENT_HEADER_SIZE, 0, Vec::new());
        loop {
            let rest = content.get(at..)?;
            let frame = FrameHeader::decode(seed, at as u64, rest)?;
            if !frame.check_body(seed, at as u64, rest) {
                return None;
            }
            let body = at + FRAME_HEADER_SIZE;
            let body = content.slice(body..body + frame.size as usize);
            if frame.kind == COMMIT {
                let commit = Commit::decode(&body)?;
                let is_whole = commit.count as usize == records.len() && commit.crc == crc;
                let (segment, position) = (header.oldest, header.durable);
                return is_whole.then_some(Checkpoint { segment, position, records });
            }
            records.push(decode::decode(frame.kind, body)?);
            crc = crc32c::crc32c_append(crc, &frame.crc.to_le_bytes());
            at += frame_size(frame.size as usize);
        }
    }
}
