//! Batches as they lie there, and what is left of several as one.
//!
//! Floor: base.

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::{
    BATCH_HEADER_SIZE, BatchHeader, FLAGS_AT, Fixed, HAS_APPENDED, RECORD_HEADER_SIZE, appended_ms,
    compress,
};
use super::compression::Compression;

/// A record as it lies in a batch.
#[derive(Debug)]
pub struct Packed<'a> {
    /// Its offset.
    pub offset: u64,
    /// When it was appended.
    pub time_ms: u64,
    /// Its key.
    pub key: &'a [u8],
    /// Its headers, as encoded.
    pub headers: &'a [u8],
    /// It has no body.
    pub is_empty: bool,
    fixed: Fixed,
    bytes: &'a [u8],
}

impl Packed<'_> {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// The records of a batch that is not compressed, and whose checksums have been looked at, as they
/// lie there. Ends early at
/// bytes that are none.
pub fn packed_records(batch: &[u8]) -> impl Iterator<Item = Packed<'_>> {
    let header = BatchHeader::read(batch).unwrap_or_default();
    let mut rest = batch.get(BATCH_HEADER_SIZE..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let fixed = Fixed::read(rest)?;
        let bytes;
        (bytes, rest) = rest.split_at_checked(fixed.size())?;
        Some(Packed {
            offset: header.base + u64::from(fixed.delta),
            time_ms: appended_ms(&fixed, bytes).unwrap_or(header.time_ms),
            key: &bytes[fixed.key_at()..fixed.headers_at()],
            headers: &bytes[fixed.headers_at()..fixed.headers_at() + fixed.headers],
            is_empty: fixed.body == 0,
            fixed,
            bytes,
        })
    })
}

/// Packs what is left of batches that follow each other into one.
#[derive(Debug)]
pub struct Repacked {
    bytes: BytesMut,
    base: u64,
    end: u64,
    time_ms: u64,
    count: u32,
}

impl Repacked {
    /// Begins with the offset of the first batch.
    pub fn new(base: u64) -> Repacked {
        let bytes = BytesMut::zeroed(BATCH_HEADER_SIZE);
        Repacked { bytes, base, end: base, time_ms: 0, count: 0 }
    }

    /// The offset of the first batch, and the one behind the last.
    pub fn offsets(&self) -> std::ops::Range<u64> {
        self.base..self.end
    }

    /// Bytes of it.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a record of the batch that follows.
    pub fn push(&mut self, record: &Packed<'_>) {
        let Packed { offset, time_ms, ref fixed, bytes, .. } = *record;
        let (head, tail) = bytes.split_at(RECORD_HEADER_SIZE);
        let start = self.bytes.len();
        self.bytes.put_slice(head);
        self.bytes[start + 4..start + 8]
            .copy_from_slice(&((offset - self.base) as u32).to_le_bytes());
        if fixed.appended() == 0 {
            self.bytes[start + FLAGS_AT] |= HAS_APPENDED;
            self.bytes.put_u64_le(time_ms);
        }
        self.bytes.put_slice(tail);
        self.count += 1;
    }

    /// That was all of the batch with this header.
    pub fn end(&mut self, header: BatchHeader) {
        self.end = header.end();
        self.time_ms = self.time_ms.max(header.time_ms);
    }

    /// The offsets below this one have no more records that are wanted.
    pub fn pass_to(&mut self, end: u64) {
        self.end = end;
    }

    /// The batch, with its place in the stream, compressed if that makes it smaller; `None` if it
    /// would be too long.
    pub fn build(mut self, place: (u64, u32), compression: Option<Compression>) -> Option<Bytes> {
        let compressed = compress(&mut self.bytes, compression);
        let header = BatchHeader {
            size: u32::try_from(self.bytes.len()).ok()?,
            base: self.base,
            time_ms: self.time_ms,
            span: u32::try_from(self.end - self.base).ok()?,
            count: self.count,
            records_crc: crc32c::crc32c(&self.bytes[BATCH_HEADER_SIZE..]),
            compressed,
        };
        header.stamp(place, &mut self.bytes);
        Some(self.bytes.freeze())
    }
}
