//! Streams: how they are, what is read of them, what is told of them.
//!
//! Floor: base.

use bytes::Bytes;

use super::batch::{BATCH_HEADER_SIZE, RECORD_COST_MAX};
use super::command::within;
use super::compression::Compression;
use super::error::{Error, Kind};
use super::event::{Durability, Untaken};
use super::limits;
use super::message::{Headers, Message};
use super::name::Name;
use super::pattern::Pattern;

/// How a stream is. What was appended in one batch is removed at once, and so is what a hub has put
/// together on its disk, which is at most a sixteenth of each limit: what is kept differs from the
/// limits by as much, and of records it is never less.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StreamOptions {
    /// Parts that keep an order each, 1 to 1,024; 0 is the default of 1.
    pub partitions: u32,
    /// How safe a confirmed record is; `None` is the hub's default (`memory` for `mem://` and for a
    /// hub without a directory, `disk` for one with).
    pub durability: Option<Durability>,
    /// Age from which records are removed, in ms; 0: never for their age.
    pub age_max_ms: u64,
    /// Bytes of one partition from which on its oldest records are removed; 0 is the default of
    /// 64 MiB in memory and 1 GiB on disk. At most 1 GiB in memory, at most 1 TiB on disk.
    pub bytes_max: u64,
    /// Records of one partition from which on its oldest are removed; 0: any number.
    pub records_max: u64,
    /// Keeps of each key the latest record at least: those that a later one of their partition has
    /// replaced are removed in the background. Each record needs a key; one with an empty body, a
    /// tombstone, says that its key is gone. Offsets stay as they are. The limits hold as well.
    pub compact: bool,
    /// Age from which tombstones are removed, in ms; 0 is the default of one day. A reader that is
    /// further behind may miss that a key is gone.
    pub tombstone_age_ms: u64,
    /// What a reader group has not committed stays: an append that `bytes_max` or `records_max`
    /// would make room for by removing it is refused with `FULL`, and `age_max_ms` waits.
    /// Otherwise the limits win, and the group's reader is told what it has missed.
    pub keep_unread: bool,
    /// How programs pack their records on the way to the hub, as they stay until they are read;
    /// `None`: not at all.
    pub compression: Option<Compression>,
}

impl StreamOptions {
    /// The same options, with each default in its place.
    #[must_use]
    pub fn resolved(&self, default: Durability) -> StreamOptions {
        let durability = self.durability.unwrap_or(default);
        let bytes = match durability {
            Durability::Memory => limits::STREAM_BYTES_MEMORY_DEFAULT,
            Durability::Os | Durability::Disk => limits::STREAM_BYTES_DISK_DEFAULT,
        };
        StreamOptions {
            partitions: self.partitions.max(1),
            durability: Some(durability),
            age_max_ms: self.age_max_ms,
            bytes_max: if self.bytes_max == 0 { bytes } else { self.bytes_max },
            records_max: self.records_max,
            compact: self.compact,
            tombstone_age_ms: match (self.compact, self.tombstone_age_ms) {
                (true, 0) => limits::TOMBSTONE_AGE_DEFAULT_MS,
                (_, stated) => stated,
            },
            keep_unread: self.keep_unread,
            compression: self.compression,
        }
    }

    /// Checks every value that has a limit. The bound on bytes depends on where they are kept: it
    /// is checked as far as that is stated here, so once more when the default of the hub has taken
    /// its place.
    ///
    /// # Errors
    ///
    /// `INVALID`, naming the value and its limit.
    pub fn check(&self) -> Result<(), Error> {
        within("partitions", self.partitions.into(), 0, limits::PARTITIONS_MAX.into())?;
        within("age_max_ms", self.age_max_ms, 0, limits::TIMEOUT_MAX_MS)?;
        within("tombstone_age_ms", self.tombstone_age_ms, 0, limits::TIMEOUT_MAX_MS)?;
        if self.tombstone_age_ms > 0 && !self.compact {
            let detail = format!(
                "tombstone_age_ms is {}, and compact is not stated: without it there are no \
                 tombstones",
                self.tombstone_age_ms
            );
            return Err(Error::new(Kind::Invalid, detail));
        }
        let most = match self.durability {
            Some(Durability::Memory) => limits::HUB_BYTES_MAX,
            _ => limits::DISK_BYTES_MAX,
        };
        within("bytes_max", self.bytes_max, 0, most)
    }
}

/// Where reading begins, in each partition that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// At the oldest record that is kept.
    #[default]
    Beginning,
    /// Behind the newest record.
    End,
    /// At this record, or at the next to be appended.
    Offset(u64),
    /// At the oldest record that was appended at this time or later, by the hub's clock, in ms
    /// since 1970; a reader group with the batch in which that lies, so perhaps a little earlier.
    Time(u64),
}

/// Which records are read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reading {
    /// The partition, if it is to be one only.
    pub partition: Option<u32>,
    /// Where reading begins.
    pub start: Start,
    /// Goes on with what is appended later; otherwise reading ends where the stream ended when it
    /// began.
    pub follow: bool,
    /// The group that the reader is a member of: it is made if it is new, and begins at `start`.
    /// Its partitions are spread over its members, each goes on where the group has committed, and
    /// it follows.
    pub group: Option<Name>,
    /// Bytes of records that may be on their way to the program, 1 to 64 MiB; 0 is the default of
    /// 1 MiB.
    pub buffer: u32,
    /// Only records with exactly this key, of 1 to 1,024 bytes; `None`: with any, or without one.
    /// The hub passes over the others. The members of a group should all state the same: what is
    /// passed over for one counts as done for the group.
    pub key: Option<Bytes>,
    /// Only records that have each of these headers, with exactly this value; at most 8, of 65,536
    /// bytes as encoded. The same holds of a group.
    pub headers: Headers,
    /// Of a member of a group, in ms, at most a day; 0: any time. A member that was handed records
    /// and commits nothing for that long ends with `LEASE_LOST`, and its partitions go to others.
    /// Each commit begins it anew, as does a new connection or host.
    pub max_processing_ms: u64,
}

impl Reading {
    /// Checks every value that has a limit.
    ///
    /// # Errors
    ///
    /// `INVALID`, naming the value and its limit.
    pub fn check(&self) -> Result<(), Error> {
        within("buffer", self.buffer.into(), 0, limits::READ_BUFFER_MAX.into())?;
        if self.group.is_some() && self.partition.is_some() {
            let detail = "both a group and a partition are stated; a group reads all of them";
            return Err(Error::new(Kind::Invalid, detail));
        }
        if let Some(partition) = self.partition {
            within("partition", partition.into(), 0, u64::from(limits::PARTITIONS_MAX) - 1)?;
        }
        if let Some(key) = &self.key {
            within("the size of key", key.len() as u64, 1, limits::KEY_SIZE_MAX as u64)?;
        }
        let count = self.headers.iter().count() as u64;
        within("the number of headers", count, 0, limits::READ_HEADERS_MAX)?;
        let size = self.headers.encoded().len() as u64;
        within("the size of headers", size, 0, limits::HEADERS_SIZE_MAX as u64)?;
        within("max_processing_ms", self.max_processing_ms, 0, limits::DELAY_MAX_MS)?;
        if self.max_processing_ms > 0 && self.group.is_none() {
            let detail = format!(
                "max_processing_ms is {}, and no group is stated: only its members commit",
                self.max_processing_ms
            );
            return Err(Error::new(Kind::Invalid, detail));
        }
        Ok(())
    }
}

/// Where a reader is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The partition.
    pub partition: u32,
    /// The next offset to be read.
    pub next: u64,
    /// One behind the last record that was handed over; up to `next` there was none.
    pub seen: u64,
    /// Where it ends; `u64::MAX` if it goes on with what is appended later.
    pub end: u64,
    /// Of a member of a group, under which assignment it reads the partition; 0 otherwise.
    pub generation: u64,
}

/// A record of a stream.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// The part of the stream that it is in.
    pub partition: u32,
    /// Counts what was appended to the partition, from 0, without a gap.
    pub offset: u64,
    /// When it was appended, by the hub's clock, in ms since 1970; never less than of the record
    /// before it.
    pub time_ms: u64,
    /// For a member of a group, under which assignment it was read: it is committed with that. 0
    /// otherwise.
    pub generation: u64,
    /// What was appended.
    pub message: Message,
}

impl StreamRecord {
    /// This one record, with no less than it took on its way.
    pub fn untaken(&self) -> Untaken {
        Untaken { count: 1, bytes: (self.message.size() + ALONE_COST_MAX) as u64 }
    }
}

/// Bytes that a record takes on its way beside body, key and headers, at most: with what only some
/// have, and the header of a batch in which it is alone.
pub const ALONE_COST_MAX: usize = BATCH_HEADER_SIZE + RECORD_COST_MAX;

/// Where a confirmed record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The part of the stream that it is in.
    pub partition: u32,
    /// Counts the records of the partition, from 0, without a gap.
    pub offset: u64,
    /// How safe it is now.
    pub durability: Durability,
}

/// A stream's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// How it was declared, with each default in its place.
    pub options: StreamOptions,
    /// Each partition's.
    pub partitions: Vec<PartitionInfo>,
    /// Patterns that are bound to it, in order.
    pub bindings: Vec<Pattern>,
}

/// A partition's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PartitionInfo {
    /// The offset of the oldest record that is kept; that of the next one if none is.
    pub first: u64,
    /// The offset that the next record gets.
    pub next: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
}

/// What a program commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committing {
    /// The reader.
    pub reader: u64,
    /// The partition.
    pub partition: u32,
    /// The assignment under which it was read.
    pub generation: u64,
    /// The next offset to be read.
    pub next: u64,
}

/// A reader group's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// What it is called.
    pub name: Name,
    /// Readers that are members now.
    pub members: u32,
    /// Each partition's.
    pub places: Vec<GroupPlace>,
}

/// How far a group has come in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GroupPlace {
    /// The next offset: what is below is committed.
    pub next: u64,
    /// Records that it has still before it.
    pub lag: u64,
    /// A member reads it now.
    pub is_read: bool,
}

/// The partition in which records with this key are: CRC-32C of the key, modulo their number.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    crc32c::crc32c(key) % partitions.max(1)
}
