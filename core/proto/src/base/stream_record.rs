//! What records say of streams and their reader groups.
//!
//! Floor: base.

use bytes::Bytes;

use super::batch::BatchHeader;
use super::event::Durability;
use super::name::Name;
use super::record::{Place, Record};
use super::stream::StreamOptions;

/// A stream as it stands, without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Names it for ever.
    pub id: u64,
    /// What it is called.
    pub name: Name,
    /// How it was declared, with each default in its place.
    pub options: StreamOptions,
    /// Its partitions.
    pub partitions: Vec<PartitionState>,
}

/// A partition as it stands, without its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PartitionState {
    /// The first offset that is kept.
    pub first: u64,
    /// The offset that the next record gets.
    pub next: u64,
    /// When the last record was appended, by the hub's clock.
    pub time_ms: u64,
    /// Below, no key is there twice, of what a stream with compaction keeps.
    pub compacted: u64,
}

/// A reader group as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Names it for ever.
    pub id: u64,
    /// What it is called.
    pub name: Name,
    /// How far it has come in each partition.
    pub places: Vec<PlaceState>,
}

/// How far a reader group has come in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PlaceState {
    /// The next offset.
    pub next: u64,
    /// Rises with each assignment of the partition.
    pub generation: u64,
}

/// A reader group has come to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The stream.
    pub stream: u64,
    /// The group.
    pub group: u64,
    /// The partition.
    pub partition: u32,
    /// Where it is now.
    pub state: PlaceState,
}

/// A batch of a partition without its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBatch {
    /// Its first offset.
    pub base: u64,
    /// Offsets that it takes.
    pub span: u32,
    /// Its bytes.
    pub size: u32,
    /// When it was appended, by the hub's clock.
    pub time_ms: u64,
    /// Where it lies.
    pub place: Place,
}

impl KeptBatch {
    /// Whether these bytes are this batch, and not what it was before it was packed anew.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let header = BatchHeader::read(bytes).unwrap_or_default();
        (header.base, header.span, header.size) == (self.base, self.span, self.size)
    }
}

/// What a batch does to streams.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StreamParts {
    /// Records appended, in order.
    pub appended: Vec<AppendedPart>,
    /// Places committed, in order.
    pub placed: Vec<Placed>,
}

impl StreamParts {
    /// True if it does nothing to them.
    pub fn is_empty(&self) -> bool {
        self.appended.is_empty() && self.placed.is_empty()
    }
}

/// Records that a batch or a publish appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendedPart {
    /// The stream.
    pub stream: u64,
    /// Its partition.
    pub partition: u32,
    /// The records, stamped.
    pub batch: Bytes,
}

/// Where records went that were appended together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendedBatch {
    /// The partition.
    pub partition: u32,
    /// The first one's offset; the others follow.
    pub base: u64,
    /// How safe all of them are.
    pub durability: Durability,
}

impl Record {
    /// Batches that were appended by it: stream, partition, and the records, stamped.
    pub fn batches(&self) -> impl Iterator<Item = (u64, u32, &Bytes)> {
        let (one, several) = match self {
            Record::Appended { stream, partition, batch, .. } => {
                (Some((*stream, *partition, batch)), &[][..])
            }
            Record::Batch { streams, .. } => (None, &streams.appended[..]),
            Record::Published { appended, .. } => (None, &appended[..]),
            _ => (None, &[][..]),
        };
        let several = several.iter().map(|part| (part.stream, part.partition, &part.batch));
        one.into_iter().chain(several)
    }
}
