//! What streams keep: on disk, and of that in memory.
//!
//! Floor: broker.

use bytes::Bytes;

use super::bodies::Reader;
use super::compaction::ReadEnd;
use super::log::Level;
use super::streams::{BatchRef, Kept};
use super::{Broker, Due, Fetched};
use crate::base::record::{KeptBatch, Record};
use crate::base::{Error, Kind, Time, limits};

impl Broker {
    /// Removes what a partition's limits don't keep.
    pub(super) fn trim(&mut self, now: Time, key: usize, number: usize) {
        let now_ms = self.time_ms(now);
        let stream = &self.streams.all[key];
        let (options, partition) = (&stream.options, &stream.partitions[number]);
        let mut first = partition.first;
        let unread = stream.unread(number);
        let mut bytes = partition.bytes;
        for kept in &partition.batches {
            let end = kept.end();
            let is_old = options.age_max_ms > 0 && kept.at.time_ms + options.age_max_ms <= now_ms;
            let is_many = options.records_max > 0
                && partition.visible.saturating_sub(end) >= options.records_max;
            // What is on its way to be visible is nobody's to remove yet.
            let is_here = end > partition.visible.min(unread);
            if is_here || !(is_old || is_many || bytes > options.bytes_max) {
                break;
            }
            bytes -= u64::from(kept.at.size);
            first = end;
        }
        if first == partition.first {
            return;
        }
        if self.is_stream_journaled(key) {
            let (stream, partition) = (stream.id, number as u32);
            self.write(Level::Written, Record::Trimmed { stream, partition, first });
        }
        self.drop_batches(key, number, first);
    }

    /// Removes all batches that begin before an offset.
    pub(super) fn drop_batches(&mut self, key: usize, number: usize, first: u64) {
        let is_journaled = self.is_stream_journaled(key);
        let partition = &mut self.streams.all[key].partitions[number];
        partition.first = first;
        while partition.batches.front().is_some_and(|kept| kept.at.base < first)
            && let Some(kept) = partition.batches.pop_front()
        {
            let size = u64::from(kept.at.size);
            partition.bytes -= size;
            if kept.at.base >= partition.compacted {
                partition.new_bytes = partition.new_bytes.saturating_sub(size);
            }
            if is_journaled {
                self.usage.release(kept.at.place.segment, size);
                if kept.bytes.is_some() {
                    self.streams.cached_bytes -= size;
                }
            } else {
                self.bytes -= size;
            }
        }
    }

    /// Has a stream looked at when its oldest records are too old.
    pub(super) fn watch_age(&mut self, now: Time, key: usize) {
        let stream = &self.streams.all[key];
        if stream.ageing.is_some() || stream.options.age_max_ms == 0 {
            return;
        }
        let oldest = stream.partitions.iter().filter_map(|partition| partition.batches.front());
        let Some(oldest_ms) = oldest.map(|kept| kept.at.time_ms).min() else { return };
        let age_ms = self.time_ms(now).saturating_sub(oldest_ms);
        // What is too old, and unread, waits for its group.
        let least_ms = if stream.options.keep_unread { UNREAD_LOOK_MS } else { 1 };
        let left_ms = stream.options.age_max_ms.saturating_sub(age_ms).max(least_ms);
        let stream = self.stream_ref(key);
        let timer = self.timers.insert(now.plus_ms(left_ms), Due::Age(stream));
        self.streams.all[key].ageing = Some(timer);
    }

    /// Some of a stream's records may be too old.
    pub(super) fn age(&mut self, now: Time, stream: super::streams::StreamRef) {
        let Some(found) = self.streams.at(stream) else { return };
        found.ageing = None;
        for number in 0..found.partitions.len() {
            self.trim(now, stream.key, number);
        }
        self.watch_age(now, stream.key);
    }

    /// What is on disk leaves memory beyond the budget, oldest first, once it may be read.
    pub(super) fn shrink_cache(&mut self) {
        while self.streams.cached_bytes > self.config.resident_max
            && let Some(oldest) = self.streams.cached.front().copied()
        {
            let Some(partition) = self.streams.partition(oldest) else {
                self.streams.cached.pop_front();
                continue;
            };
            let is_visible = oldest.base < partition.visible;
            let kept = self.streams.batch(oldest);
            // What is not visible, or was packed anew, may have no place yet from which to be read.
            if !is_visible
                || kept.is_some_and(|kept| kept.bytes.is_some() && kept.at.place.segment == 0)
            {
                return;
            }
            self.streams.cached.pop_front();
            let kept = self.streams.batch(oldest);
            if let Some(bytes) = kept.and_then(|kept| kept.bytes.take()) {
                self.streams.cached_bytes -= bytes.len() as u64;
            }
        }
        // What left memory otherwise leaves its mark here; these marks stay few.
        if self.streams.cached.len() > self.streams.cached_max {
            let mut cached = std::mem::take(&mut self.streams.cached);
            let is_there = |kept: &mut Kept| kept.bytes.is_some();
            cached.retain(|batch| self.streams.batch(*batch).is_some_and(is_there));
            self.streams.cached_max = CACHED_MARKS.max(2 * cached.len());
            self.streams.cached = cached;
        }
    }

    /// Has batches read from disk, from this one on, as many as are read together.
    pub(super) fn read_batches(&mut self, batch: BatchRef) {
        let Some(partition) = self.streams.partition(batch) else { return };
        let begin = partition.position(batch.base);
        let (mut size, visible) = (0, partition.visible);
        let mut wanted = Vec::new();
        for kept in partition.batches.range_mut(begin..) {
            size += u64::from(kept.at.size);
            let is_enough = !wanted.is_empty() && size > limits::READ_AHEAD.1;
            if kept.bytes.is_some() || kept.at.base >= visible || is_enough {
                break;
            }
            if !std::mem::replace(&mut kept.is_read, true) {
                wanted.push((kept.at.base, kept.at.place));
            }
        }
        for (base, place) in wanted {
            self.fetch(place, Reader::Batch(BatchRef { base, ..batch }));
        }
    }

    /// A batch has been read, or could not be.
    pub(super) fn batch_read(&mut self, now: Time, batch: BatchRef, read: Fetched<'_>) {
        let bytes = read.batch(batch);
        let Some(kept) = self.streams.batch(batch) else {
            // It was removed meanwhile, and who waits for it is to hear so.
            self.wake_readers(batch);
            return self.compaction_has_read(now, batch, ReadEnd::Read);
        };
        kept.is_read = false;
        let is_it = |bytes: &Bytes| kept.at.is_of(bytes);
        match bytes {
            Some(bytes) if !is_it(&bytes) => self.wake_readers(batch),
            Some(bytes) if kept.bytes.is_none() => {
                self.streams.cached_bytes += bytes.len() as u64;
                if let Some(kept) = self.streams.batch(batch) {
                    kept.bytes = Some(bytes);
                }
                self.streams.cached.push_back(batch);
                self.wake_readers(batch);
                self.compaction_has_read(now, batch, ReadEnd::Read);
                return self.shrink_cache();
            }
            Some(_) => self.wake_readers(batch),
            None => {
                self.end_unreadable(batch);
                let is_for_now = matches!(read, Fetched::Nothing);
                let ended = if is_for_now { ReadEnd::Nothing } else { ReadEnd::Damaged };
                return self.compaction_has_read(now, batch, ended);
            }
        }
        self.compaction_has_read(now, batch, ReadEnd::Read);
    }

    /// Every batch of streams on disk, as a checkpoint lists them.
    pub(super) fn kept_batches(&self) -> impl Iterator<Item = (BatchRef, &Kept)> {
        let journaled = self.streams.all.iter().filter(|(key, _)| self.is_stream_journaled(*key));
        journaled.flat_map(|(key, stream)| {
            let stream_ref = self.stream_ref(key);
            stream.partitions.iter().zip(0..).flat_map(move |(partition, number)| {
                partition.batches.iter().map(move |kept| {
                    let base = kept.at.base;
                    (BatchRef { stream: stream_ref, partition: number, base }, kept)
                })
            })
        })
    }

    /// A batch that an earlier host has kept; `bytes` only of a stream in memory.
    ///
    /// # Errors
    ///
    /// `CORRUPT` if it does not fit to the others.
    pub(super) fn restore_batch(
        &mut self,
        key: usize,
        number: u32,
        at: KeptBatch,
        bytes: Option<Bytes>,
    ) -> Result<(), Error> {
        let size = u64::from(at.size);
        let is_journaled = self.is_stream_journaled(key);
        let stream = &mut self.streams.all[key];
        let before = stream.partitions.get(number as usize);
        let expected = before
            .map(|partition| partition.batches.back().map_or(partition.first, |kept| kept.end()));
        if expected != Some(at.base) || (bytes.is_none() && !is_journaled) {
            let detail = format!(
                "the journal has records from offset {} of partition {number} of the stream {:?}; \
                 the next one to be there is {}",
                at.base,
                stream.name,
                expected.map_or_else(|| "in no such partition".to_owned(), |at| at.to_string())
            );
            return Err(Error::new(Kind::Corrupt, detail));
        }
        let partition = &mut stream.partitions[number as usize];
        partition.bytes += size;
        partition.batches.push_back(Kept { at, bytes, is_read: false });
        match is_journaled {
            true => self.usage.keep(at.place.segment, size),
            false => self.bytes += size,
        }
        Ok(())
    }
}

/// How often it is looked whether what is too old has been read meanwhile, in ms.
const UNREAD_LOOK_MS: u64 = 1_000;

/// Marks of what is in memory, from which on those that are none any more are removed.
pub(super) const CACHED_MARKS: usize = 65_536;
