//! Records of one partition that were appended together: as a program packs them, a hub keeps them
//! and a reader unpacks them.
//!
//! ```text
//! | header, 48 | record | record | ... |
//! record: | header, 16 | appended, 8 | time, 8 | trace, 32 | key | headers | body |
//!                        if packed anew  if stated  if stated
//! ```
//! A batch that was packed anew by the hub takes the offsets of all those that it was made of, and
//! has some of their records, or none; each says when it was appended.
//! The records of a batch may be compressed, all together, as its header says.
//! The program states the checksum of the records as they lie there; the hub checks it, and adds
//! what it knows: the first offset, the time, and a checksum of the header that is bound to stream
//! and partition. All
//! numbers are little-endian.
//!
//! Floor: base.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::compression::Compression;
use super::limits;
use super::message::{Headers, Message, Properties, Trace};
use super::stream::StreamRecord;

/// Bytes of a batch before its records.
pub const BATCH_HEADER_SIZE: usize = 48;

/// Bytes of a record before its key, headers and body, and before what only some have.
pub(super) const RECORD_HEADER_SIZE: usize = 16;

/// Bytes that a record takes in a batch beside body, key and headers, at most.
pub const RECORD_COST_MAX: usize = RECORD_HEADER_SIZE + APPENDED_SIZE + 8 + 32;

/// Bytes that a record takes more when it is packed anew: when it was appended.
pub const APPENDED_SIZE: usize = 8;

const HAS_TRACE: u8 = 1;
const HAS_TIME: u8 = 2;
const HAS_PRIORITY: u8 = 4;
pub(super) const HAS_APPENDED: u8 = 8;

/// Where the flags lie in the header of a record.
pub(super) const FLAGS_AT: usize = 14;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BatchHeader {
    /// Bytes of the whole batch.
    pub size: u32,
    /// The offset of its first record.
    pub base: u64,
    /// When the last of it was appended, by the hub's clock, in ms since 1970.
    pub time_ms: u64,
    /// Offsets that it takes.
    pub span: u32,
    /// Records in it.
    pub count: u32,
    /// Checksum of the records.
    pub records_crc: u32,
    /// How the records are compressed, and the bytes that they unpack to.
    pub compressed: Option<(Compression, u32)>,
}

impl BatchHeader {
    /// The header of the batch that `bytes` begin with, whatever its checksums; `None` if they are
    /// too few, or of another version.
    pub fn read(bytes: &[u8]) -> Option<BatchHeader> {
        let mut rest = bytes.get(..BATCH_HEADER_SIZE)?;
        let size = rest.get_u32_le();
        rest.advance(4);
        let (base, time_ms) = (rest.get_u64_le(), rest.get_u64_le());
        let (span, count, records_crc) = (rest.get_u32_le(), rest.get_u32_le(), rest.get_u32_le());
        let version = rest.get_u32_le();
        let (compression, unpacked) = (rest.get_u32_le(), rest.get_u32_le());
        let compressed = match (Compression::from_number(compression), compression, unpacked) {
            (None, 0, 0) => None,
            (Some(compression), _, 1..) => Some((compression, unpacked)),
            _ => return None,
        };
        let is_known = version == VERSION && unpacked as usize <= limits::BATCH_UNPACKED_MAX;
        let is_sound = size as usize >= BATCH_HEADER_SIZE && span >= count.max(1);
        let header = BatchHeader { size, base, time_ms, span, count, records_crc, compressed };
        (is_known && is_sound && base.checked_add(span.into()).is_some()).then_some(header)
    }

    /// The offset behind its last.
    pub fn end(&self) -> u64 {
        self.base + u64::from(self.span)
    }

    /// Bytes that it takes unpacked, or as it is: what a reader's buffer holds.
    pub fn cost(&self) -> u64 {
        let unpacked = self.compressed.map_or(0, |(_, size)| size as usize + BATCH_HEADER_SIZE);
        unpacked.max(self.size as usize) as u64
    }

    /// Its records, unpacked; `None` if they are not what the header says.
    fn unpacked<'a>(&self, records: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self.compressed {
            None => Some(Cow::Borrowed(records)),
            Some((compression, size)) => {
                Some(Cow::Owned(compression.unpack(records, size as usize)?))
            }
        }
    }

    /// Writes it with a checksum that binds it to its place.
    pub(super) fn stamp(&self, place: (u64, u32), out: &mut [u8]) {
        self.write(out);
        let crc = crc32c::crc32c_append(place_crc(place.0, place.1), &out[8..BATCH_HEADER_SIZE]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    fn write(&self, out: &mut [u8]) {
        let mut out = &mut out[..BATCH_HEADER_SIZE];
        out.put_u32_le(self.size);
        out.put_u32_le(0);
        out.put_u64_le(self.base);
        out.put_u64_le(self.time_ms);
        out.put_u32_le(self.span);
        out.put_u32_le(self.count);
        out.put_u32_le(self.records_crc);
        out.put_u32_le(VERSION);
        let (compression, unpacked) =
            self.compressed.map_or((0, 0), |(by, size)| (by as u32, size));
        out.put_u32_le(compression);
        out.put_u32_le(unpacked);
    }
}

const VERSION: u32 = 1;

/// Packs records.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    bytes: BytesMut,
    count: u32,
}

impl BatchBuilder {
    /// With room for records of so many bytes.
    pub fn with_room(size: usize) -> BatchBuilder {
        BatchBuilder { bytes: BytesMut::with_capacity(BATCH_HEADER_SIZE + size), count: 0 }
    }

    /// Appends a record.
    pub fn push(&mut self, message: &Message) {
        if self.bytes.is_empty() {
            self.bytes.put_bytes(0, BATCH_HEADER_SIZE);
        }
        put_record(self.count, message, &mut self.bytes);
        self.count += 1;
    }

    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of it.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The batch, compressed if that makes it smaller.
    pub fn build(mut self, compression: Option<Compression>) -> Bytes {
        let (count, compressed) = (self.count, compress(&mut self.bytes, compression));
        let header = BatchHeader {
            size: self.bytes.len() as u32,
            base: 0,
            time_ms: 0,
            span: count,
            count,
            records_crc: crc32c::crc32c(&self.bytes[BATCH_HEADER_SIZE..]),
            compressed,
        };
        header.write(&mut self.bytes);
        self.bytes.freeze()
    }
}

/// Compresses the records behind a header's room, if that makes them fewer bytes; says how.
pub(super) fn compress(
    batch: &mut BytesMut,
    compression: Option<Compression>,
) -> Option<(Compression, u32)> {
    let records = &batch[BATCH_HEADER_SIZE..];
    let compression = compression.filter(|_| records.len() >= limits::COMPRESSED_MIN)?;
    let (packed, size) = (compression.pack(records)?, records.len() as u32);
    batch.truncate(BATCH_HEADER_SIZE);
    batch.put_slice(&packed);
    Some((compression, size))
}

fn put_record(delta: u32, message: &Message, out: &mut BytesMut) {
    out.put_u32_le(message.body.len() as u32);
    out.put_u32_le(delta);
    let Some(properties) = &message.properties else {
        out.put_u64_le(0);
        out.put_slice(&message.body);
        return;
    };
    let Properties { key, headers, priority, trace, timestamp_ms } = &**properties;
    let headers = headers.encoded();
    out.put_u32_le(headers.len() as u32);
    out.put_u16_le(key.len() as u16);
    let has = |is: bool, flag: u8| if is { flag } else { 0 };
    let (trace_flag, time_flag) =
        (has(trace.is_some(), HAS_TRACE), has(*timestamp_ms != 0, HAS_TIME));
    out.put_u8(trace_flag | time_flag | has(*priority != 0, HAS_PRIORITY));
    out.put_u8(*priority);
    if *timestamp_ms != 0 {
        out.put_u64_le(*timestamp_ms);
    }
    if let Some(trace) = trace {
        out.put_slice(&trace.trace_id);
        out.put_slice(&trace.span_id);
        out.put_u64_le(trace.flags.into());
    }
    out.put_slice(key);
    out.put_slice(headers);
    out.put_slice(&message.body);
}

/// What binds a batch to its place: the checksum of its header begins with it.
fn place_crc(stream: u64, partition: u32) -> u32 {
    let crc = crc32c::crc32c(&stream.to_le_bytes());
    crc32c::crc32c_append(crc, &partition.to_le_bytes())
}

/// A hub's own copy of what a program has packed, with its place in the stream. `None` if that is
/// no batch as a program packs it.
pub fn stamp(packed: &[u8], place: (u64, u32), base: u64, time_ms: u64) -> Option<Bytes> {
    let header = BatchHeader { base, time_ms, ..BatchHeader::read(packed)? };
    base.checked_add(header.span.into())?;
    let mut stamped = BytesMut::from(packed);
    header.stamp(place, &mut stamped);
    Some(stamped.freeze())
}

/// Checks a batch that a program has packed: its header, its checksum, and each record's sizes.
pub fn check_packed(bytes: &[u8]) -> Option<BatchHeader> {
    let header = BatchHeader::read(bytes)?;
    let is_fresh = header.base == 0 && header.time_ms == 0 && header.span == header.count;
    let is_whole = header.size as usize == bytes.len() && header.count > 0;
    let records = &bytes[BATCH_HEADER_SIZE..];
    if !is_fresh || !is_whole || crc32c::crc32c(records) != header.records_crc {
        return None;
    }
    let records = header.unpacked(records)?;
    let (mut rest, mut next) = (&*records, 0);
    for _ in 0..header.count {
        let fixed = Fixed::read(rest)?;
        // As a program packs them, there is no gap.
        (fixed.delta == next && fixed.flags & HAS_APPENDED == 0).then_some(())?;
        next += 1;
        let headers = fixed.headers_at()..fixed.headers_at() + fixed.headers;
        let headers = Bytes::copy_from_slice(rest.get(headers)?);
        Headers::from_encoded(headers)?;
        rest = rest.get(fixed.size()..)?;
    }
    rest.is_empty().then_some(header)
}

/// A batch with its records unpacked, to look at; `None` if they are not what its header says. Its
/// checksums are those of what it was.
pub fn plain(batch: &Bytes) -> Option<Bytes> {
    let header = BatchHeader::read(batch)?;
    let records = batch.get(BATCH_HEADER_SIZE..)?;
    match header.unpacked(records)? {
        Cow::Borrowed(_) => Some(batch.clone()),
        Cow::Owned(records) => {
            let size = (BATCH_HEADER_SIZE + records.len()) as u32;
            let mut plain = BytesMut::zeroed(BATCH_HEADER_SIZE);
            BatchHeader { size, compressed: None, ..header }.write(&mut plain);
            plain.put_slice(&records);
            Some(plain.freeze())
        }
    }
}

/// Checks the batch that `bytes` begin with, of this partition.
pub fn check_stamped(bytes: &[u8], place: (u64, u32)) -> Option<BatchHeader> {
    let header = BatchHeader::read(bytes)?;
    let records = bytes.get(BATCH_HEADER_SIZE..header.size as usize)?;
    let crc = crc32c::crc32c_append(place_crc(place.0, place.1), &bytes[8..BATCH_HEADER_SIZE]);
    let stated = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    (crc == stated && crc32c::crc32c(records) == header.records_crc).then_some(header)
}

/// The fixed part of a record.
#[derive(Debug)]
pub(super) struct Fixed {
    pub body: usize,
    pub delta: u32,
    pub headers: usize,
    key: usize,
    flags: u8,
    priority: u8,
}

impl Fixed {
    pub fn read(bytes: &[u8]) -> Option<Fixed> {
        let mut rest = bytes.get(..RECORD_HEADER_SIZE)?;
        let (body, delta) = (rest.get_u32_le() as usize, rest.get_u32_le());
        let (headers, key) = (rest.get_u32_le() as usize, rest.get_u16_le() as usize);
        let (flags, priority) = (rest.get_u8(), rest.get_u8());
        let is_within = body <= limits::BODY_SIZE_MAX
            && headers <= limits::HEADERS_SIZE_MAX
            && key <= limits::KEY_SIZE_MAX
            && flags & !(HAS_TRACE | HAS_TIME | HAS_PRIORITY | HAS_APPENDED) == 0
            && (flags & HAS_PRIORITY != 0) == (priority != 0);
        let fixed = Fixed { body, delta, headers, key, flags, priority };
        (is_within && fixed.size() <= bytes.len()).then_some(fixed)
    }

    pub fn appended(&self) -> usize {
        if self.flags & HAS_APPENDED != 0 { APPENDED_SIZE } else { 0 }
    }

    pub fn key_at(&self) -> usize {
        let time = if self.flags & HAS_TIME != 0 { 8 } else { 0 };
        let trace = if self.flags & HAS_TRACE != 0 { 32 } else { 0 };
        RECORD_HEADER_SIZE + self.appended() + time + trace
    }

    pub fn headers_at(&self) -> usize {
        self.key_at() + self.key
    }

    pub fn size(&self) -> usize {
        self.headers_at() + self.headers + self.body
    }
}

/// The records of a batch, one after the other; their bodies share its bytes.
#[derive(Debug)]
pub struct Records {
    header: BatchHeader,
    partition: u32,
    rest: Bytes,
}

impl Records {
    /// The records of a batch of this partition; `None` if its records don't have their checksum.
    pub fn new(batch: &Bytes, partition: u32) -> Option<Records> {
        let header = BatchHeader::read(batch)?;
        let records = batch.slice(BATCH_HEADER_SIZE..);
        let is_sound = header.size as usize == batch.len();
        (is_sound && crc32c::crc32c(&records) == header.records_crc).then_some(())?;
        let rest = match header.unpacked(&records)? {
            Cow::Borrowed(_) => records,
            Cow::Owned(unpacked) => unpacked.into(),
        };
        Some(Records { header, partition, rest })
    }

    /// What the batch's header says.
    pub fn header(&self) -> BatchHeader {
        self.header
    }

    /// The next record; `Some(None)` for bytes that are none.
    pub fn next_record(&mut self) -> Option<Option<StreamRecord>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.take())
    }

    fn take(&mut self) -> Option<StreamRecord> {
        let fixed = Fixed::read(&self.rest)?;
        (fixed.delta < self.header.span).then_some(())?;
        let record = self.rest.split_to(fixed.size());
        let time_ms = appended_ms(&fixed, &record).unwrap_or(self.header.time_ms);
        Some(StreamRecord {
            partition: self.partition,
            offset: self.header.base + u64::from(fixed.delta),
            time_ms,
            generation: 0,
            message: message(&fixed, &record)?,
        })
    }
}

/// When a record was appended, if it says so itself.
pub(super) fn appended_ms(fixed: &Fixed, record: &[u8]) -> Option<u64> {
    let stated = record.get(RECORD_HEADER_SIZE..RECORD_HEADER_SIZE + fixed.appended())?;
    Some(u64::from_le_bytes(*stated.first_chunk()?))
}

fn message(fixed: &Fixed, record: &Bytes) -> Option<Message> {
    let (key_at, headers_at) = (fixed.key_at(), fixed.headers_at());
    let body = record.slice(headers_at + fixed.headers..);
    if fixed.flags & !HAS_APPENDED == 0 && fixed.key == 0 && fixed.headers == 0 {
        return Some(Message { body, properties: None });
    }
    let mut optional = &record[RECORD_HEADER_SIZE + fixed.appended()..key_at];
    let timestamp_ms = if fixed.flags & HAS_TIME != 0 { optional.get_u64_le() } else { 0 };
    let trace = (fixed.flags & HAS_TRACE != 0).then(|| Trace {
        trace_id: *optional[..16].first_chunk().unwrap_or(&[0; 16]),
        span_id: *optional[16..24].first_chunk().unwrap_or(&[0; 8]),
        flags: optional[24],
    });
    let properties = Properties {
        key: record.slice(key_at..headers_at),
        headers: Headers::from_encoded(record.slice(headers_at..headers_at + fixed.headers))?,
        priority: fixed.priority,
        trace,
        timestamp_ms,
    };
    Some(Message { body, properties: Some(Box::new(properties)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::message::HeadersBuilder;

    fn messages() -> Vec<Message> {
        let mut headers = HeadersBuilder::default();
        headers.push("kind", b"late").unwrap();
        let mut full = Message::new(&b"full"[..]);
        *full.properties_mut() = Properties {
            key: Bytes::from_static(b"key"),
            headers: headers.build(),
            priority: 7,
            trace: Some(Trace { trace_id: [1; 16], span_id: [2; 8], flags: 1 }),
            timestamp_ms: 99,
        };
        let mut keyed = Message::new(&b""[..]);
        keyed.properties_mut().key = Bytes::from_static(b"k");
        vec![Message::new(&b"plain"[..]), full, keyed]
    }

    fn packed() -> Bytes {
        let mut builder = BatchBuilder::default();
        messages().iter().for_each(|message| builder.push(message));
        builder.build(None)
    }

    #[test]
    fn records_come_back_with_everything_they_had_and_with_their_offsets() {
        let stamped = stamp(&packed(), (5, 2), 100, 1_234).unwrap();
        assert_eq!(check_stamped(&stamped, (5, 2)).unwrap().end(), 103);
        let mut records = Records::new(&stamped, 2).unwrap();
        for (at, message) in messages().into_iter().enumerate() {
            let record = records.next_record().unwrap().unwrap();
            assert_eq!((record.partition, record.offset), (2, 100 + at as u64));
            assert_eq!((record.time_ms, record.message), (1_234, message));
        }
        assert!(records.next_record().is_none());
    }

    #[test]
    fn a_batch_of_another_stream_partition_or_offset_is_not_taken_for_this_one() {
        let stamped = stamp(&packed(), (5, 2), 100, 1_234).unwrap();
        for place in [(5, 1), (4, 2)] {
            assert!(check_stamped(&stamped, place).is_none(), "{place:?}");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_batch_is_noticed() {
        let stamped = stamp(&packed(), (5, 2), 100, 1_234).unwrap();
        for bit in 0..stamped.len() * 8 {
            let mut damaged = stamped.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(check_stamped(&damaged, (5, 2)).is_none(), "bit {bit}");
        }
        for cut in 0..stamped.len() {
            assert!(check_stamped(&stamped[..cut], (5, 2)).is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn what_no_program_packs_is_refused() {
        assert!(check_packed(&packed()).is_some());
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = packed().to_vec();
            change(&mut bytes);
            let crc = crc32c::crc32c(&bytes[BATCH_HEADER_SIZE.min(bytes.len())..]);
            if let Some(at) = bytes.get_mut(32..36) {
                at.copy_from_slice(&crc.to_le_bytes());
            }
            check_packed(&bytes).is_none()
        };
        assert!(refused(&|bytes| bytes[8] = 1), "an offset");
        assert!(refused(&|bytes| bytes[16] = 1), "a time");
        assert!(refused(&|bytes| bytes[24] = 9), "more offsets than records");
        assert!(refused(&|bytes| bytes[28] = 2), "fewer records than there are");
        assert!(refused(&|bytes| bytes[48] = 200), "a body that is longer than the batch");
        assert!(refused(&|bytes| bytes[52] = 1), "a record that is not the next one");
        assert!(refused(&|bytes| bytes.push(0)), "something behind the last record");
        assert!(refused(&|bytes| bytes.truncate(20)), "half a header");
    }
}
