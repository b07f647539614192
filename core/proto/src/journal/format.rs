//! Segments and frames as bytes. `docs/storage.md` is the description.
//!
//! ```text
//! segment:  | header, 72 | frame | frame | ... | commit | frame | ... | commit | zeros ...
//! frame:    | header, 32 | body | zeros to a multiple of 8 |
//! ```
//! Every checksum (CRC-32C) begins with the journal's id, the segment's number and the frame's
//! offset: bytes that belong elsewhere are as wrong as damaged ones.
//!
//! Floor: imports `base`.

use bytes::{BufMut, BytesMut};

use crate::base::record::{Place, Position};

/// The format that this library writes and reads.
pub const VERSION: u32 = 1;

/// First bytes of every segment.
pub const MAGIC: [u8; 8] = *b"TPLRJRNL";

/// Bytes of a segment's header.
pub const SEGMENT_HEADER_SIZE: usize = 72;

/// Bytes of a frame's header.
pub const FRAME_HEADER_SIZE: usize = 32;

/// Bytes of a commit's body.
pub const COMMIT_SIZE: usize = 24;

/// The kind of frame that ends a group.
pub const COMMIT: u8 = 0;

/// The kind of frame, of no record and without a body, that ends a segment: the next one has been
/// made, and takes what follows.
pub const END: u8 = 255;

const FRAME_MAGIC: u16 = 0x4c54;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its number, from 1.
    pub segment: u32,
    /// The epoch of the host that began it.
    pub epoch: u64,
    /// The position of its first record.
    pub first: Position,
    /// What was durable when it was begun; what earlier segments hold from `first` on counts for
    /// nothing.
    pub durable: Position,
    /// The oldest segment that was still needed.
    pub oldest: u32,
    /// Bytes that its file had when it was begun, in units of 4,096: it is never shorter.
    pub pages: u32,
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What it is.
    pub kind: u8,
    /// Bytes of its body.
    pub size: u32,
    /// The record's position; of a commit, that of the last record before it.
    pub position: Position,
    /// The lower half of the epoch of the host that wrote it.
    pub epoch: u32,
    /// The checksum of its body.
    pub body_crc: u32,
    /// The checksum of the header.
    pub crc: u32,
}

/// What ends a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Records in the group.
    pub count: u32,
    /// The checksum of their headers' checksums.
    pub crc: u32,
    /// The last position known to be written when this was.
    pub written: Position,
    /// The last position known to be durable then.
    pub durable: Position,
}

/// Bytes that a frame takes with a body of `size` bytes.
pub fn frame_size(size: usize) -> usize {
    FRAME_HEADER_SIZE + size.next_multiple_of(8)
}

/// The byte behind the frame of the record at a place.
pub fn end_of(place: Place) -> u64 {
    u64::from(place.offset) * 8 + frame_size(place.size as usize) as u64
}

/// What the checksums of one segment begin with.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u32);

impl Seed {
    /// For this segment of this journal.
    pub fn new(journal_id: &[u8; 16], segment: u32) -> Seed {
        let crc = crc32c::crc32c(journal_id);
        Seed(crc32c::crc32c_append(crc, &segment.to_le_bytes()))
    }

    /// For what begins at this offset.
    fn at(self, offset: u64) -> u32 {
        crc32c::crc32c_append(self.0, &offset.to_le_bytes())
    }
}

impl SegmentHeader {
    /// Appends the header.
    pub fn encode(&self, journal_id: &[u8; 16], out: &mut BytesMut) {
        let start = out.len();
        out.put_slice(&MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(self.segment);
        out.put_slice(journal_id);
        out.put_u64_le(self.epoch);
        out.put_u64_le(self.first);
        out.put_u64_le(self.durable);
        out.put_u32_le(self.oldest);
        out.put_u32_le(self.pages);
        out.put_u32_le(0);
        let seed = Seed::new(journal_id, self.segment).at(0);
        let crc = crc32c::crc32c_append(seed, &out[start..]);
        out.put_u32_le(crc);
    }

    /// Reads a header; `None` if it is not a whole one of this journal and segment.
    pub fn decode(journal_id: &[u8; 16], segment: u32, bytes: &[u8]) -> Option<SegmentHeader> {
        let bytes = bytes.get(..SEGMENT_HEADER_SIZE)?;
        let seed = Seed::new(journal_id, segment).at(0);
        let crc = crc32c::crc32c_append(seed, &bytes[..68]);
        let header = SegmentHeader {
            segment: u32_at(bytes, 12),
            epoch: u64_at(bytes, 32),
            first: u64_at(bytes, 40),
            durable: u64_at(bytes, 48),
            oldest: u32_at(bytes, 56),
            pages: u32_at(bytes, 60),
        };
        let good = bytes[..8] == MAGIC
            && u32_at(bytes, 8) == VERSION
            && header.segment == segment
            && u32_at(bytes, 68) == crc;
        good.then_some(header)
    }
}

impl FrameHeader {
    /// Completes a frame at `offset` whose body stands in `out` behind room for the header, which
    /// begins at `start`; returns the header's checksum.
    pub fn complete(mut self, seed: Seed, offset: u64, out: &mut BytesMut, start: usize) -> u32 {
        let seed = seed.at(offset);
        let body = start + FRAME_HEADER_SIZE;
        let size = out.len() - body;
        self.size = size as u32;
        self.body_crc = crc32c::crc32c_append(seed, &out[body..]);
        out.put_bytes(0, size.next_multiple_of(8) - size);
        let header = &mut out[start..body];
        header[..2].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
        header[2] = self.kind;
        header[4..8].copy_from_slice(&self.size.to_le_bytes());
        header[8..16].copy_from_slice(&self.position.to_le_bytes());
        header[16..20].copy_from_slice(&self.epoch.to_le_bytes());
        header[20..24].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &header[..28]);
        header[28..].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads the header at `offset`; `None` if it is not a whole one that belongs there.
    pub fn decode(seed: Seed, offset: u64, bytes: &[u8]) -> Option<FrameHeader> {
        let bytes = bytes.get(..FRAME_HEADER_SIZE)?;
        if bytes[..2] != FRAME_MAGIC.to_le_bytes() || bytes[3] != 0 || bytes[24..28] != [0; 4] {
            return None;
        }
        let crc = u32_at(bytes, 28);
        let good = crc32c::crc32c_append(seed.at(offset), &bytes[..28]) == crc;
        good.then(|| FrameHeader {
            kind: bytes[2],
            size: u32_at(bytes, 4),
            position: u64_at(bytes, 8),
            epoch: u32_at(bytes, 16),
            body_crc: u32_at(bytes, 20),
            crc,
        })
    }

    /// True if the body behind the header in `bytes` is whole and its checksum is right.
    pub fn check_body(&self, seed: Seed, offset: u64, bytes: &[u8]) -> bool {
        let size = self.size as usize;
        let Some(rest) = bytes.get(FRAME_HEADER_SIZE..frame_size(size)) else {
            return false;
        };
        let (body, padding) = rest.split_at(size);
        crc32c::crc32c_append(seed.at(offset), body) == self.body_crc
            && padding.iter().all(|byte| *byte == 0)
    }
}

impl Commit {
    /// The commit as a frame's body.
    pub fn encode(&self) -> [u8; COMMIT_SIZE] {
        let mut body = [0; COMMIT_SIZE];
        body[..4].copy_from_slice(&self.count.to_le_bytes());
        body[4..8].copy_from_slice(&self.crc.to_le_bytes());
        body[8..16].copy_from_slice(&self.written.to_le_bytes());
        body[16..].copy_from_slice(&self.durable.to_le_bytes());
        body
    }

    /// Reads a commit's body.
    pub fn decode(body: &[u8]) -> Option<Commit> {
        (body.len() == COMMIT_SIZE).then(|| Commit {
            count: u32_at(body, 0),
            crc: u32_at(body, 4),
            written: u64_at(body, 8),
            durable: u64_at(body, 16),
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
