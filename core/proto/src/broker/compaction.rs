//! Compaction: in streams that keep the latest record of each key, those that a later one has
//! replaced go.
//!
//! ```text
//!  first ......... compacted .......... end
//!  each key once   | new: 1. the latest offset of each key in here
//!  2. from the first on: batches are packed anew without what these replace, small ones together
//! ```
//! One partition at a time, a little at a time. A batch that is packed anew takes the offsets of
//! those that it is made of, and the place of all of them at once, in one record of the journal.
//! What can't be read stays as it is.
//!
//! Floor: broker.

use std::collections::VecDeque;

use bytes::Bytes;

use super::log::Level;
use super::streams::{BatchRef, Kept, Partition, StreamRef};
use super::{Broker, Due, Map};
use crate::base::batch::{self, APPENDED_SIZE, BatchHeader};
use crate::base::record::{KeptBatch, Place, Record, Room};
use crate::base::repacked::{Packed, Repacked, packed_records};
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Name, Time, limits};

/// What is to be compacted, and what is being.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    line: VecDeque<(StreamRef, u32)>,
    pass: Option<Pass>,
    timer: Option<TimerKey>,
}

/// One pass over a partition.
#[derive(Debug)]
struct Pass {
    stream: StreamRef,
    partition: u32,
    /// The latest offset of each key among what is new.
    keys: Map<Bytes, u64>,
    keys_size: usize,
    /// All keys are known, and batches are being packed anew.
    is_packing: bool,
    /// Where it has come to, and where it ends.
    next: u64,
    end: u64,
    /// A batch is being read.
    is_reading: bool,
    group: Option<Group>,
    /// When the first tombstone that is left is too old.
    tombstone_ms: Option<u64>,
}

/// Batches that are to become one.
#[derive(Debug)]
struct Group {
    packed: Repacked,
    count: usize,
    /// Something of it is not kept.
    is_less: bool,
}

/// What reading a batch has come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadEnd {
    /// It was read, or is not there any more.
    Read,
    /// What lies there is no such batch.
    Damaged,
    /// The disk did not give it; it may another time.
    Nothing,
}

/// What a step has come to.
enum Step {
    /// So many bytes were looked at.
    Worked(u64),
    /// It goes on when a batch was read, or there is room.
    Waiting,
    /// The pass is over.
    Done,
}

impl Pass {
    fn place(&self, base: u64) -> BatchRef {
        BatchRef { stream: self.stream, partition: self.partition, base }
    }

    fn note_keys(&mut self, batch: &Bytes) {
        for record in packed_records(batch) {
            match self.keys.get_mut(record.key) {
                Some(latest) => *latest = record.offset,
                None => {
                    self.keys_size += record.key.len() + KEY_COST;
                    self.keys.insert(Bytes::copy_from_slice(record.key), record.offset);
                }
            }
        }
    }

    /// A later record has replaced it, or it is a tombstone from before `before_ms`.
    fn goes(&self, record: &Packed<'_>, before_ms: u64) -> bool {
        let is_replaced = self.keys.get(record.key).is_some_and(|latest| *latest > record.offset);
        is_replaced || (record.is_empty && record.time_ms <= before_ms)
    }
}

impl Broker {
    /// Records of a partition may be read, or others are gone: it may be time for a pass.
    pub(super) fn watch_compaction(&mut self, now: Time, key: usize, number: u32) {
        let now_ms = self.time_ms(now);
        let least = self.config.compact_min;
        let stream = &mut self.streams.all[key];
        if !stream.options.compact {
            return;
        }
        let reference = StreamRef { key, id: stream.id };
        let partition = &mut stream.partitions[number as usize];
        let old_bytes = partition.bytes.saturating_sub(partition.new_bytes);
        let has_new = partition.new_bytes >= least.max(old_bytes).max(1);
        let has_old = partition.tombstone_ms.is_some_and(|at| at <= now_ms);
        if (has_new || has_old) && !std::mem::replace(&mut partition.is_in_line, true) {
            self.compaction.line.push_back((reference, number));
            self.compact_soon(now, 1);
        }
    }

    /// Has the oldest tombstones of a stream looked at when they are too old.
    fn watch_tombstones(&mut self, now: Time, key: usize) {
        let stream = &self.streams.all[key];
        let oldest = stream.partitions.iter().filter_map(|partition| partition.tombstone_ms).min();
        let Some(oldest_ms) = oldest.filter(|_| stream.burying.is_none()) else { return };
        let left_ms = oldest_ms.saturating_sub(self.time_ms(now)).max(1);
        let stream = self.stream_ref(key);
        let timer = self.timers.insert(now.plus_ms(left_ms), Due::Tombstones(stream));
        self.streams.all[key].burying = Some(timer);
    }

    /// Some tombstones of a stream may be too old.
    pub(super) fn bury_tombstones(&mut self, now: Time, stream: StreamRef) {
        let Some(found) = self.streams.at(stream) else { return };
        found.burying = None;
        let count = found.partitions.len() as u32;
        (0..count).for_each(|number| self.watch_compaction(now, stream.key, number));
        let is_waiting = |partition: &Partition| partition.is_in_line;
        if !self.streams.all[stream.key].partitions.iter().any(is_waiting) {
            self.watch_tombstones(now, stream.key);
        }
    }

    fn compact_soon(&mut self, now: Time, ms: u64) {
        if self.compaction.timer.is_none() {
            self.compaction.timer = Some(self.timers.insert(now.plus_ms(ms), Due::Compact));
        }
    }

    /// It is compaction's turn.
    pub(super) fn compact_due(&mut self, now: Time) {
        self.compaction.timer = None;
        self.compact(now);
    }

    /// A batch has been read, or could not be: compaction may have waited for it.
    pub(super) fn compaction_has_read(&mut self, now: Time, batch: BatchRef, ended: ReadEnd) {
        let Some(pass) = &mut self.compaction.pass else { return };
        let is_its = (pass.stream, pass.partition) == (batch.stream, batch.partition);
        if !is_its || !std::mem::take(&mut pass.is_reading) {
            return;
        }
        let next = pass.next;
        let partition = self.streams.partition(batch);
        let kept = partition.and_then(|partition| partition.batches.get(partition.position(next)));
        let wanted = kept.filter(|kept| kept.at.base == batch.base).map(Kept::end);
        match (wanted, ended) {
            (Some(end), ReadEnd::Damaged) => {
                self.flush_group();
                if let Some(pass) = &mut self.compaction.pass {
                    pass.next = end;
                }
            }
            (Some(_), ReadEnd::Nothing) => {
                // It may be there another time, with an earlier record of a key whose tombstone
                // must not be gone then.
                self.compaction.pass = None;
                if let Some(partition) = self.streams.partition(batch) {
                    partition.is_in_line = false;
                }
            }
            _ => {}
        }
        self.compact(now);
    }

    fn compact(&mut self, now: Time) {
        let mut left = limits::COMPACT_STEP;
        while left > 0 {
            if self.compaction.pass.is_none() && !self.begin_pass() {
                return;
            }
            match self.compact_step(now) {
                Step::Worked(size) => left = left.saturating_sub(size.max(1)),
                Step::Waiting => return,
                Step::Done => self.end_pass(now),
            }
        }
        self.compact_soon(now, 1);
    }

    /// Begins with the next partition in line; false if there is none.
    fn begin_pass(&mut self) -> bool {
        while let Some((stream, number)) = self.compaction.line.pop_front() {
            let found = self.streams.at(stream);
            let partition = found.and_then(|found| found.partitions.get(number as usize));
            let Some(partition) = partition else { continue };
            self.compaction.pass = Some(Pass {
                stream,
                partition: number,
                keys: Map::default(),
                keys_size: 0,
                is_packing: false,
                next: partition.compacted,
                end: partition.visible,
                is_reading: false,
                group: None,
                tombstone_ms: None,
            });
            return true;
        }
        false
    }

    fn compact_step(&mut self, now: Time) -> Step {
        let Some(pass) = &mut self.compaction.pass else { return Step::Done };
        let Some(found) = self.streams.at(pass.stream) else {
            self.compaction.pass = None;
            return Step::Worked(1);
        };
        let is_journaled = self.log.is_on && found.level() > Level::Now;
        if is_journaled && self.room != Room::Open {
            self.compact_soon(now, WAIT_FOR_ROOM_MS);
            return Step::Waiting;
        }
        let tombstone_age_ms = found.options.tombstone_age_ms;
        let partition = &mut found.partitions[pass.partition as usize];
        let kept = partition.batches.get(partition.position(pass.next.max(partition.first)));
        let Some(kept) = kept.filter(|kept| kept.at.base < pass.end) else {
            if !pass.is_packing {
                (pass.is_packing, pass.next) = (true, partition.first);
                partition.replaced_below = pass.end;
                return Step::Worked(1);
            }
            self.flush_group();
            return Step::Done;
        };
        let (at, end) = (kept.at, kept.end());
        let is_gone = kept.bytes.is_none() && at.place.segment == 0;
        let plain = kept.bytes.as_ref().map(batch::plain);
        let is_gone = is_gone || matches!(plain, Some(None));
        let Some(bytes) = plain.flatten() else {
            if is_gone {
                // It can't be read any more, and stays.
                pass.next = end;
                self.flush_group();
                return Step::Worked(1);
            }
            pass.is_reading = true;
            let batch = pass.place(at.base);
            self.read_batches(batch);
            return Step::Waiting;
        };
        pass.next = end;
        if !pass.is_packing {
            pass.note_keys(&bytes);
            if pass.keys_size > limits::COMPACT_KEYS_MAX {
                pass.end = end;
            }
            return Step::Worked(bytes.len() as u64);
        }
        let before_ms = self.time_ms(now).saturating_sub(tombstone_age_ms);
        self.pack(at, &bytes, before_ms, tombstone_age_ms);
        Step::Worked(bytes.len() as u64)
    }

    /// Puts what is left of a batch to the group; tombstones from before `before_ms` are not.
    fn pack(&mut self, at: KeptBatch, bytes: &Bytes, before_ms: u64, tombstone_age_ms: u64) {
        let Some(pass) = &mut self.compaction.pass else { return };
        let is_less = packed_records(bytes).any(|record| pass.goes(&record, before_ms));
        let is_large = bytes.len() >= limits::COMPACT_BATCH / 2;
        let end = at.base + u64::from(at.span);
        let is_full = |group: &Group| {
            let span = end - group.packed.offsets().start;
            let size = group.packed.size() + bytes.len();
            size > limits::COMPACT_BATCH || u32::try_from(span).is_err()
        };
        if pass.group.as_ref().is_some_and(is_full) || (is_large && !is_less) {
            self.flush_group();
        }
        let Some(pass) = &mut self.compaction.pass else { return };
        let mut group = pass.group.take().unwrap_or_else(|| Group {
            packed: Repacked::new(at.base),
            count: 0,
            is_less: false,
        });
        for record in packed_records(bytes) {
            if pass.goes(&record, before_ms) {
                continue;
            }
            if record.is_empty {
                let until_ms = record.time_ms + tombstone_age_ms;
                pass.tombstone_ms =
                    Some(pass.tombstone_ms.map_or(until_ms, |other| other.min(until_ms)));
            }
            group.packed.push(&record);
        }
        if let Some(header) = BatchHeader::read(bytes) {
            group.packed.end(header);
        }
        (group.count, group.is_less) = (group.count + 1, group.is_less || is_less);
        pass.group = Some(group);
        if is_large && !is_less {
            self.flush_group();
        }
    }

    /// What is left of several batches takes their place, unless it is one, and all of it.
    fn flush_group(&mut self) {
        let Some(pass) = &mut self.compaction.pass else { return };
        let Some(group) = pass.group.take().filter(|group| group.is_less || group.count > 1) else {
            return;
        };
        let offsets = group.packed.offsets();
        let reference = pass.place(offsets.start);
        let place = (reference.stream.id, reference.partition);
        let compression = self.streams.all[reference.stream.key].options.compression;
        let Some(bytes) = group.packed.build(place, compression) else { return };
        let Some(header) = BatchHeader::read(&bytes) else { return };
        let key = reference.stream.key;
        let is_journaled = self.is_stream_journaled(key);
        let partition = &mut self.streams.all[key].partitions[reference.partition as usize];
        let from = partition.batches.partition_point(|kept| kept.at.base < offsets.start);
        let to = partition.batches.partition_point(|kept| kept.at.base < offsets.end);
        // Some of it may have been removed for the stream's limits meanwhile.
        if partition.batches.get(from).is_none_or(|kept| kept.at.base != offsets.start) {
            return;
        }
        let (size, base, span) = (header.size, header.base, header.span);
        let at = KeptBatch { base, span, size, time_ms: header.time_ms, place: Place::default() };
        let kept = Kept { at, bytes: Some(bytes.clone()), is_read: false };
        let replaced: Vec<Kept> = partition.batches.drain(from..to).collect();
        partition.batches.insert(from, kept);
        partition.bytes += u64::from(size);
        for kept in replaced {
            let size = u64::from(kept.at.size);
            partition.bytes -= size;
            match is_journaled {
                false => self.bytes -= size,
                true => {
                    self.usage.release(kept.at.place.segment, size);
                    if kept.bytes.is_some() {
                        self.streams.cached_bytes -= size;
                    }
                }
            }
        }
        if is_journaled {
            self.streams.cached.push_back(reference);
            self.streams.cached_bytes += u64::from(size);
            self.write_batch(Level::Written, None, reference, bytes);
        } else {
            self.bytes += u64::from(size);
        }
    }

    fn end_pass(&mut self, now: Time) {
        let Some(pass) = self.compaction.pass.take() else { return };
        let (key, number) = (pass.stream.key, pass.partition);
        let is_journaled = self.is_stream_journaled(key);
        let partition = &mut self.streams.all[key].partitions[number as usize];
        partition.note_compacted(pass.end, pass.tombstone_ms);
        if is_journaled {
            let (stream, partition, through) = (pass.stream.id, number, pass.end);
            self.write(Level::Written, Record::Compacted { stream, partition, through });
        }
        self.shrink_cache();
        self.watch_compaction(now, key, number);
        self.watch_tombstones(now, key);
    }

    /// What an earlier host has kept may have tombstones that nobody knows of: they are looked at
    /// when the youngest of them is too old.
    pub(super) fn restore_compaction(&mut self, now: Time, key: usize) {
        let now_ms = self.time_ms(now);
        let stream = &mut self.streams.all[key];
        if !stream.options.compact {
            return;
        }
        let until_ms = now_ms.saturating_add(stream.options.tombstone_age_ms);
        for partition in &mut stream.partitions {
            let compacted = partition.compacted;
            partition.note_compacted(compacted, None);
            // An earlier host may have been in the middle of a pass.
            partition.replaced_below = partition.next;
            if compacted > partition.first {
                partition.tombstone_ms = Some(until_ms);
            }
        }
        for number in 0..self.streams.all[key].partitions.len() {
            self.watch_compaction(now, key, number as u32);
        }
        self.watch_tombstones(now, key);
    }
}

impl Partition {
    fn note_compacted(&mut self, through: u64, tombstone_ms: Option<u64>) {
        self.compacted = through;
        self.tombstone_ms = tombstone_ms;
        self.is_in_line = false;
        let new = self.batches.range(self.position(through)..);
        self.new_bytes = new.map(|kept| u64::from(kept.at.size)).sum();
    }
}

/// Checks that a batch may be compacted: each record has a key, and packed anew, when each takes a
/// little more, they still fit into a frame.
///
/// # Errors
///
/// `INVALID`, `TOO_LARGE`.
pub(super) fn check_compactable(stream: &Name, packed: &Bytes) -> Result<(), Error> {
    let plain = batch::plain(packed).unwrap_or_default();
    let (mut size, most) = (plain.len(), limits::BATCH_UNPACKED_MAX);
    for record in packed_records(&plain) {
        if record.key.is_empty() {
            return Err(needs_key(stream));
        }
        size += APPENDED_SIZE;
    }
    if size > most {
        let detail = format!(
            "the records take {size} bytes packed anew; in a stream with compaction such as \
             {stream:?} at most {most}"
        );
        return Err(Error::new(Kind::TooLarge, detail));
    }
    Ok(())
}

/// A record of a stream with compaction has no key.
pub(super) fn needs_key(stream: &Name) -> Error {
    let detail = format!(
        "a record has no key; the stream {stream:?} keeps the latest record of each key, so each \
         needs one"
    );
    Error::new(Kind::Invalid, detail)
}

/// Bytes that a key takes in memory beside itself, about.
const KEY_COST: usize = 64;

/// How long compaction waits if the disk is behind or full, in ms.
const WAIT_FOR_ROOM_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Message;
    use crate::base::batch::BatchBuilder;

    #[test]
    fn what_would_outgrow_a_frame_when_it_is_packed_anew_is_refused() {
        let stream = Name::parse("log").unwrap();
        let mut message = Message::new("");
        message.properties_mut().key = Bytes::from_static(b"k");
        let check = |count: usize| {
            let mut builder = BatchBuilder::default();
            (0..count).for_each(|_| builder.push(&message));
            check_compactable(&stream, &builder.build(None))
        };
        assert!(check(330_000).is_ok());
        let error = check(350_000).unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.detail().contains("at most 8519680"), "{}", error.detail());
    }
}
