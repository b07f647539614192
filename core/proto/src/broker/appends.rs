//! Appends: a batch gets its offsets, is written down, and may be read when it is safe enough.
//!
//! ```text
//! append -> written down -> as safe as its stream says: confirmed, visible
//!        -> the disk is behind: waits in line -> written down, or FULL at its deadline
//! ```
//!
//! Floor: broker.

use bytes::Bytes;

use super::compaction::{check_compactable, needs_key};
use super::declare::no_space;
use super::log::{Level, Staged};
use super::sends::ChangeRef;
use super::sessions::{Confirmation, Done, Marked};
use super::streams::{BatchRef, Kept, Stream, no_partition};
use super::waiting::Work;
use super::{Broker, NameId};
use crate::base::batch::{self, BatchBuilder, BatchHeader, check_packed};
use crate::base::record::{AppendedBatch, AppendedPart, KeptBatch, Place, Record, Room};
use crate::base::stream::{ALONE_COST_MAX, partition_of};
use crate::base::{Error, Kind, Message, Time, limits};

/// What a program wants appended.
#[derive(Clone, Debug)]
pub struct Appending {
    /// The partition.
    pub partition: u32,
    /// How many partitions the program knows the stream to have.
    pub partitions: u32,
    /// Only if this is the partition's next offset.
    pub expect: Option<u64>,
    /// Until when it may wait for the disk.
    pub deadline: Option<Time>,
    /// The records, as packed.
    pub batch: Bytes,
}

/// Records that have got their place.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub reference: BatchRef,
    /// The offset behind them.
    pub end: u64,
    /// As it is to be written down.
    pub batch: Bytes,
}

impl TakenIn {
    /// What is to be written down of it, with all else that one record says.
    pub fn part(&self) -> AppendedPart {
        let BatchRef { stream, partition, .. } = self.reference;
        AppendedPart { stream: stream.id, partition, batch: self.batch.clone() }
    }
}

impl Broker {
    /// Appends a batch to a stream.
    pub fn append(&mut self, now: Time, change: ChangeRef, name: NameId, appending: Appending) {
        let admitted = self.admit_append(now, name, &appending);
        let stored = admitted.and_then(|(stream, header, has_room)| match has_room {
            true => self.store_batch(now, stream, change, (&appending, header)),
            false => {
                let batch = Bytes::copy_from_slice(&appending.batch);
                let deadline = appending.deadline;
                let appending = Appending { batch, ..appending };
                self.wait_for_disk(change, Work::Append(stream, appending), (deadline, None))
            }
        });
        if let Err(error) = stored {
            self.refuse(change, error);
        }
    }

    fn admit_append(
        &self,
        now: Time,
        name: NameId,
        appending: &Appending,
    ) -> Result<(usize, BatchHeader, bool), Error> {
        let key = self.find_stream(name)?;
        let stream = &self.streams.all[key];
        let Some(header) = check_packed(&appending.batch) else {
            let detail = "the records are damaged, or no batch as a program packs it";
            return Err(Error::new(Kind::Invalid, detail));
        };
        let count = stream.options.partitions;
        if appending.partitions != count {
            let detail = format!(
                "the stream {:?} was made anew: it has {count} partitions, not {}",
                stream.name, appending.partitions
            );
            return Err(Error::new(Kind::Mismatch, detail));
        }
        if appending.partition >= count {
            return Err(no_partition(&stream.name, appending.partition, count));
        }
        if appending.deadline.is_some_and(|at| at <= now) {
            return Err(Error::new(Kind::Expired, "the time ran out on the way to the hub"));
        }
        let (size, most) = (u64::from(header.size), stream.options.bytes_max);
        if size > most {
            return Err(too_large(size, stream));
        }
        if stream.options.compact {
            check_compactable(&stream.name, &appending.batch)?;
        }
        stream.has_room(appending.partition, header.span.into(), size)?;
        let has_room = self.room_for_batch(key, size)? && self.disk_line.is_empty();
        Ok((key, header, has_room))
    }

    /// What one record takes in a batch of its own.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE` and `INVALID` if the stream never takes it.
    pub(super) fn size_alone(&self, key: usize, message: &Message) -> Result<u64, Error> {
        let stream = &self.streams.all[key];
        let size = (message.size() + ALONE_COST_MAX) as u64;
        if size > stream.options.bytes_max {
            return Err(too_large(size, stream));
        }
        if stream.options.compact && message.key().is_empty() {
            return Err(needs_key(&stream.name));
        }
        Ok(size)
    }

    /// Whether it may be stored now; otherwise it may wait.
    pub(super) fn room_for_batch(&self, key: usize, size: u64) -> Result<bool, Error> {
        if self.is_stream_journaled(key) {
            return match self.room {
                Room::Open => Ok(true),
                Room::Behind => Ok(false),
                _ => Err(no_space()),
            };
        }
        if self.bytes + size > limits::HUB_BYTES_MAX {
            let detail = format!(
                "the hub's queues and streams in memory hold {} bytes; at most {}",
                self.bytes,
                limits::HUB_BYTES_MAX
            );
            return Err(Error::new(Kind::Full, detail));
        }
        Ok(true)
    }

    pub(super) fn store_batch(
        &mut self,
        now: Time,
        key: usize,
        change: ChangeRef,
        (appending, header): (&Appending, BatchHeader),
    ) -> Result<(), Error> {
        let number = appending.partition;
        let next = self.streams.all[key].partitions[number as usize].next;
        if let Some(expect) = appending.expect.filter(|expect| *expect != next) {
            return Err(conflict(expect, next));
        }
        let taken = self.take_in_records(now, (key, number), &appending.batch, header)?;
        let TakenIn { reference, end, batch } = taken;
        let level = self.stream_level(key);
        if self.is_stream_journaled(key) {
            self.write_batch(level, Some(change), reference, batch);
        }
        let (durability, base) = (self.streams.all[key].durability(), reference.base);
        let outcome = Done::Appended(AppendedBatch { partition: number, base, durability });
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        self.stage(now, level, Staged::Visible(reference, end));
        self.shrink_cache();
        Ok(())
    }

    pub(super) fn stream_level(&self, key: usize) -> Level {
        if self.is_stream_journaled(key) { self.streams.all[key].level() } else { Level::Now }
    }

    /// The partition that a record of a batch goes to, behind so many others for the stream.
    pub(super) fn partition_for(
        &self,
        key: usize,
        message: &Message,
        (partition, ahead): (Option<u32>, u64),
    ) -> Result<u32, Error> {
        let stream = &self.streams.all[key];
        let count = stream.options.partitions;
        match partition {
            Some(stated) if stated >= count => Err(no_partition(&stream.name, stated, count)),
            Some(stated) => Ok(stated),
            None if message.key().is_empty() => {
                Ok((stream.turn.wrapping_add(ahead) % u64::from(count)) as u32)
            }
            None => Ok(partition_of(message.key(), count)),
        }
    }

    /// Gives records that the hub has packed itself their place.
    pub(super) fn take_in_packed(
        &mut self,
        now: Time,
        at: (usize, u32),
        builder: BatchBuilder,
    ) -> Option<TakenIn> {
        let packed = builder.build(self.streams.all[at.0].options.compression);
        let header = BatchHeader::read(&packed)?;
        self.take_in_records(now, at, &packed, header).ok()
    }

    /// Bytes of a batch of this stream, at most: one that a partition does not keep is no use.
    pub(super) fn packed_max(&self, key: usize) -> usize {
        let kept = usize::try_from(self.streams.all[key].options.bytes_max).unwrap_or(usize::MAX);
        kept.min(limits::APPEND_BATCH_MAX)
    }

    /// Gives records their place.
    pub(super) fn take_in_records(
        &mut self,
        now: Time,
        (key, number): (usize, u32),
        packed: &Bytes,
        header: BatchHeader,
    ) -> Result<TakenIn, Error> {
        let stream = self.stream_ref(key);
        let now_ms = self.time_ms(now);
        let partition = &mut self.streams.all[key].partitions[number as usize];
        let base = partition.next;
        let time_ms = now_ms.max(partition.time_ms);
        let Some(batch) = batch::stamp(packed, (stream.id, number), base, time_ms) else {
            return Err(Error::new(Kind::Full, "the partition's offsets are used up"));
        };
        let (span, size) = (header.span, header.size);
        let at = KeptBatch { base, span, size, time_ms, place: Place::default() };
        partition.next += u64::from(span);
        partition.time_ms = time_ms;
        partition.bytes += u64::from(size);
        partition.new_bytes += u64::from(size);
        partition.batches.push_back(Kept { at, bytes: Some(batch.clone()), is_read: false });
        let reference = BatchRef { stream, partition: number, base };
        if self.is_stream_journaled(key) {
            self.streams.cached.push_back(reference);
            self.streams.cached_bytes += u64::from(size);
        } else {
            self.bytes += u64::from(size);
        }
        Ok(TakenIn { reference, end: base + u64::from(span), batch })
    }

    pub(super) fn write_batch(
        &mut self,
        level: Level,
        change: Option<ChangeRef>,
        reference: BatchRef,
        batch: Bytes,
    ) {
        let BatchRef { stream, partition, .. } = reference;
        let change = change.map(|change| change.numbers);
        let record = Record::Appended { change, stream: stream.id, partition, batch };
        let position = self.write(level, record);
        self.streams.placing.push_back((position, reference));
    }

    /// Records may be read from now on.
    pub(super) fn become_visible(&mut self, now: Time, batch: BatchRef, end: u64) {
        let Some(partition) = self.streams.partition(batch) else { return };
        partition.visible = partition.visible.max(end);
        self.wake_readers(batch);
        self.trim(now, batch.stream.key, batch.partition as usize);
        self.watch_age(now, batch.stream.key);
        self.watch_compaction(now, batch.stream.key, batch.partition);
    }
}

/// Another offset was expected.
pub(super) fn conflict(expect: u64, next: u64) -> Error {
    let detail = format!("offset {expect} is expected; the next one is {next}");
    Error::new(Kind::Conflict, detail)
}

/// Records that a partition never keeps.
pub(super) fn too_large(size: u64, stream: &Stream) -> Error {
    let detail = format!(
        "the records take {size} bytes; a partition of the stream {:?} keeps at most {}",
        stream.name, stream.options.bytes_max
    );
    Error::new(Kind::TooLarge, detail)
}
