//! Filing: what streams keep in old segments of the journal is put into stream files, so that the
//! segments can go.
//!
//! ```text
//! segment:      [a0][b0][a1][c0][a2][b1] ...
//! stream file:  [a0 a1 a2][b0 b1][c0] ...        small batches that follow each other become one
//! ```
//! A few at a time: read if they are not in memory, handed over, durable; then a record says where
//! they lie, and what they were in the journal is needed no more. Until then nothing has changed.
//! What is left in a stream file that holds little else goes to another one in the same way.
//!
//! A segment of which mostly large batches are needed is put aside instead: only where they lie is
//! said anew.
//!
//! Floor: broker.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Broker;
use super::bodies::{Fetched, Reader};
use super::log::Level;
use super::streams::{BatchRef, Kept};
use crate::base::StreamOptions;
use crate::base::batch::{self, BatchHeader};
use crate::base::limits;
use crate::base::record::{ASIDE, KeptBatch, Place, Record};
use crate::base::repacked::{Repacked, packed_records};

/// What is being filed.
#[derive(Debug, Default)]
pub(super) struct Filing {
    /// The segment, or stream file, that is being emptied; 0: none.
    from: u32,
    /// What is left in it: the last is next.
    left: Vec<BatchRef>,
    /// Batches that are to become one, and are being read.
    group: Vec<Part>,
    /// Reads under way.
    reads: usize,
    /// One of them was in vain.
    is_broken: bool,
    /// What is to be handed over.
    ready: VecDeque<(Filed, Bytes)>,
    /// Bytes of that.
    ready_size: usize,
    /// What is on its way to the disk.
    filed: Vec<Filed>,
    /// What the disk does not give is left as it is.
    stuck: u32,
    /// The segment of which was last asked whether it may be put aside, and its batches if so.
    aside: (u32, Vec<BatchRef>),
}

#[derive(Debug)]
struct Part {
    batch: BatchRef,
    at: KeptBatch,
    bytes: Option<Bytes>,
}

/// A batch of a stream file, and those that it was.
#[derive(Debug)]
struct Filed {
    first: BatchRef,
    parts: Vec<KeptBatch>,
    at: KeptBatch,
}

/// Batches that become one: as they are, and unpacked.
#[derive(Debug, Default)]
struct Together {
    parts: Vec<(BatchRef, KeptBatch, Bytes, Option<Bytes>)>,
    /// Bytes of them, unpacked.
    size: usize,
}

impl Together {
    /// The records of several, to become one batch; `None` of a single one, or if one can't be
    /// unpacked.
    fn packed(&self) -> Option<Repacked> {
        let [(_, first, ..), _, ..] = &self.parts[..] else { return None };
        let mut packed = Repacked::new(first.base);
        for (.., plain) in &self.parts {
            let plain = plain.as_ref()?;
            packed_records(plain).for_each(|record| packed.push(&record));
            packed.end(BatchHeader::read(plain)?);
        }
        Some(packed)
    }
}

/// What a batch in a stream file may hold.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    size: u64,
    records: u64,
    ms: u64,
}

impl Bounds {
    /// Limits remove batches as a whole, so that one is to be a small part of what they keep.
    fn of(options: &StreamOptions) -> Bounds {
        let part = |limit: u64| if limit == 0 { u64::MAX } else { limit / limits::FILED_PARTS };
        let size = match options.compression {
            None => limits::FILED_BATCH,
            Some(_) => limits::COMPACT_BATCH,
        };
        Bounds {
            size: part(options.bytes_max).min(size as u64),
            // What compaction has put together is let alone, and the rest is its work.
            records: if options.compact { 0 } else { part(options.records_max) },
            ms: part(options.age_max_ms),
        }
    }

    fn allow(self, first: KeptBatch, last: KeptBatch, size: u64) -> bool {
        let records = last.base + u64::from(last.span) - first.base;
        size <= self.size
            && records <= self.records.min(u32::MAX.into())
            && last.time_ms.saturating_sub(first.time_ms) <= self.ms
    }
}

impl Filing {
    /// Bytes that are to be handed over are enough to be.
    fn is_enough(&self) -> bool {
        self.ready_size >= limits::FILED_TOGETHER
    }
}

impl Broker {
    /// Goes on with filing what streams keep in a segment, or in a stream file. False if there is
    /// nothing left of it. What `poll_filed` gives is to be handed over then.
    pub fn file_from(&mut self, segment: u32) -> bool {
        if self.filing.reads > 0 || !self.filing.filed.is_empty() {
            return true;
        }
        if self.filing.stuck == segment {
            return false;
        }
        if self.filing.from != segment {
            let here = self.kept_batches().filter(|(_, kept)| kept.at.place.segment == segment);
            let mut left: Vec<BatchRef> = here.map(|(batch, _)| batch).collect();
            left.reverse();
            let aside = std::mem::take(&mut self.filing.aside);
            self.filing = Filing { from: segment, left, aside, ..Filing::default() };
        }
        while !self.filing.is_enough() && self.take_up() {
            if self.filing.reads > 0 {
                return true;
            }
            self.put_together();
        }
        if self.filing.ready.is_empty() {
            self.filing.from = 0;
            return false;
        }
        true
    }

    /// True if a segment is to be put aside: the batches in it are large, and have so many bytes at
    /// least. That is decided once, and before anything of it is filed.
    pub fn may_put_aside(&mut self, segment: u32, least: u64) -> bool {
        if self.filing.from == segment || self.moving_is_stuck(segment) {
            return false;
        }
        if self.filing.aside.0 != segment {
            let (mut batches, mut size) = (Vec::new(), 0);
            for (batch, kept) in self.kept_batches() {
                if kept.at.place.segment == segment {
                    batches.push(batch);
                    size += u64::from(kept.at.size);
                }
            }
            let large = (batches.len() as u64).saturating_mul(self.config.aside_batch);
            let fits = !batches.is_empty() && size >= large && size >= least;
            self.filing.aside = (segment, if fits { batches } else { Vec::new() });
        }
        !self.filing.aside.1.is_empty()
    }

    /// The batches of a segment that may be put aside lie outside the journal from now on, where
    /// they were. False if more than they, so much in all, is needed of it.
    pub fn put_aside(&mut self, segment: u32, count: u64) -> bool {
        if (self.filing.aside.1.len() as u64) < count {
            return false;
        }
        let mut batches = std::mem::take(&mut self.filing.aside.1);
        batches.retain(|batch| {
            self.streams.batch(*batch).is_some_and(|kept| kept.at.place.segment == segment)
        });
        if batches.len() as u64 != count {
            self.filing.aside.1 = batches;
            return false;
        }
        for batch in batches {
            let Some(kept) = self.streams.batch(batch) else { continue };
            kept.at.place.segment = ASIDE + segment;
            let size = kept.at.size.into();
            self.usage.release(segment, size);
            self.usage.keep(ASIDE + segment, size);
        }
        for record in self.list_batches(|at| at.place.segment == ASIDE + segment) {
            self.write(Level::Written, record);
        }
        true
    }

    /// Takes up batches that are to become one; false if nothing is left.
    fn take_up(&mut self) -> bool {
        let mut size = 0;
        while let Some(batch) = self.filing.left.last().copied() {
            let from = self.filing.from;
            let Some(stream) = self.streams.at(batch.stream) else {
                self.filing.left.pop();
                continue;
            };
            let bounds = Bounds::of(&stream.options);
            let kept = self.streams.batch(batch).filter(|kept| kept.at.place.segment == from);
            let Some(Kept { at, bytes, .. }) = kept else {
                self.filing.left.pop();
                continue;
            };
            let (at, bytes) = (*at, bytes.clone());
            debug_assert!(self.is_visible(batch), "what is filed may be read");
            size += u64::from(at.size);
            if let (Some(first), Some(last)) = (self.filing.group.first(), self.filing.group.last())
            {
                let is_next = first.batch.stream == batch.stream
                    && first.batch.partition == batch.partition
                    && last.at.base + u64::from(last.at.span) == at.base;
                if !is_next || !bounds.allow(first.at, at, size) {
                    break;
                }
            }
            self.filing.left.pop();
            if bytes.is_none() {
                self.filing.reads += 1;
                self.fetch(at.place, Reader::Filing(batch));
            }
            self.filing.group.push(Part { batch, at, bytes });
        }
        !self.filing.group.is_empty()
    }

    fn is_visible(&mut self, batch: BatchRef) -> bool {
        let partition = self.streams.partition(batch);
        partition.is_some_and(|partition| batch.base < partition.visible)
    }

    /// A batch that is to be filed has been read, or could not be.
    pub(super) fn filing_read(&mut self, batch: BatchRef, read: Fetched<'_>) {
        let Filing { reads, group, is_broken, .. } = &mut self.filing;
        *reads -= 1;
        let part = group.iter_mut().find(|part| part.batch == batch);
        let bytes = read.batch(batch);
        *is_broken |= bytes.is_none();
        part.into_iter().for_each(|part| part.bytes = bytes.clone());
        match (bytes, read) {
            (Some(_), _) => {}
            (None, Fetched::Nothing) => self.filing.stuck = self.filing.from,
            (None, _) => self.write_off_batch(batch),
        }
        if self.filing.reads == 0 && !std::mem::take(&mut self.filing.is_broken) {
            return self.put_together();
        }
        if self.filing.reads == 0 {
            // Without what can't be read.
            let group = std::mem::take(&mut self.filing.group).into_iter().rev();
            let rest = group.filter(|part| part.bytes.is_some()).map(|part| part.batch);
            self.filing.left.extend(rest);
        }
    }

    /// The group has been read: its batches become one, or more if that would be too long unpacked.
    fn put_together(&mut self) {
        let group = std::mem::take(&mut self.filing.group);
        let mut together = Together::default();
        for Part { batch, at, bytes } in group {
            let Some(bytes) = bytes else { continue };
            let plain = batch::plain(&bytes);
            let size = plain.as_ref().map_or(usize::MAX, Bytes::len);
            if together.size.saturating_add(size) > limits::FILED_BATCH {
                self.make_one(std::mem::take(&mut together));
            }
            together.size = together.size.saturating_add(size);
            together.parts.push((batch, at, bytes, plain));
        }
        self.make_one(together);
    }

    fn make_one(&mut self, together: Together) {
        let Some((first, ..)) = together.parts.first() else { return };
        let (first, place) = (*first, (first.stream.id, first.partition));
        let stream = self.streams.at(first.stream);
        let compression = stream.and_then(|stream| stream.options.compression);
        let parts = together.parts.iter().map(|(_, at, ..)| *at).collect();
        if let Some(whole) = together.packed().and_then(|packed| packed.build(place, compression)) {
            return self.make_ready(first, parts, whole);
        }
        for (batch, at, bytes, _) in together.parts {
            self.make_ready(batch, vec![at], bytes);
        }
    }

    fn make_ready(&mut self, first: BatchRef, parts: Vec<KeptBatch>, bytes: Bytes) {
        let Some(header) = BatchHeader::read(&bytes) else { return };
        let BatchHeader { base, span, size, time_ms, .. } = header;
        let at = KeptBatch { base, span, size, time_ms, place: Place::default() };
        self.filing.ready_size += bytes.len();
        self.filing.ready.push_back((Filed { first, parts, at }, bytes));
    }

    /// What is to be put into a stream file next, once there is enough; tell where it lies by
    /// `handle_filed_at`, before the next.
    pub fn poll_filed(&mut self) -> Option<Record> {
        if self.filing.reads > 0 {
            return None;
        }
        let (filed, batch) = self.filing.ready.pop_front()?;
        self.filing.ready_size -= batch.len();
        let BatchRef { stream, partition, .. } = filed.first;
        self.filing.filed.push(filed);
        Some(Record::Appended { change: None, stream: stream.id, partition, batch })
    }

    /// The last one lies here.
    pub fn handle_filed_at(&mut self, place: Place) {
        if let Some(last) = self.filing.filed.last_mut() {
            last.at.place = place;
        }
    }

    /// What was handed over is durable in its stream file, or did not get there.
    pub fn handle_filed(&mut self, is_durable: bool) {
        let all = std::mem::take(&mut self.filing.filed);
        if !is_durable {
            // All of it is looked for anew, another time.
            self.filing.from = 0;
            return;
        }
        for filed in all {
            self.take_place(&filed);
        }
    }

    /// A batch of a stream file takes the place of those that it was, if these are all there.
    fn take_place(&mut self, Filed { first, parts, at }: &Filed) {
        let Some(partition) = self.streams.partition(*first) else { return };
        let from = partition.position(first.base);
        let to = from + parts.len();
        let here = partition.batches.range(from..to.min(partition.batches.len()));
        if !here.map(|kept| &kept.at).eq(parts) {
            return;
        }
        let old: Vec<Kept> = partition.batches.drain(from..to).collect();
        partition.batches.insert(from, Kept { at: *at, bytes: None, is_read: false });
        let old_size: u64 = old.iter().map(|kept| u64::from(kept.at.size)).sum();
        let size = u64::from(at.size);
        partition.bytes = partition.bytes - old_size + size;
        if at.base >= partition.compacted {
            partition.new_bytes = (partition.new_bytes + size).saturating_sub(old_size);
        }
        for kept in old {
            let size = u64::from(kept.at.size);
            self.usage.release(kept.at.place.segment, size);
            if kept.bytes.is_some() {
                self.streams.cached_bytes -= size;
            }
        }
        self.usage.keep(at.place.segment, size);
        let (stream, partition) = (first.stream.id, first.partition);
        let batches = vec![*at];
        self.write(Level::Written, Record::Kept { stream, partition, batches });
    }

    /// A batch that can't be read any more is written down without its records: its segment can go,
    /// and the next host still knows of it.
    fn write_off_batch(&mut self, batch: BatchRef) {
        let from = self.filing.from;
        let kept = self.streams.batch(batch).filter(|kept| kept.at.place.segment == from);
        let Some(kept) = kept else { return };
        kept.at.place = Place::default();
        let (at, size) = (kept.at, u64::from(kept.at.size));
        let (stream, partition) = (batch.stream.id, batch.partition);
        self.write(Level::Written, Record::Kept { stream, partition, batches: vec![at] });
        self.usage.release(from, size);
    }

    /// What a new segment states of batches: where those lie that are not in the journal, or that
    /// they can't be read any more.
    pub(super) fn restate_filed(&mut self) {
        let elsewhere = |at: &KeptBatch| at.place.segment == 0 || at.place.is_filed();
        for record in self.list_batches(elsewhere) {
            self.write(Level::Written, record);
        }
    }
}
