//! Streams: logs in partitions that are appended to at one end and lose what they need not keep at
//! the other.
//!
//! ```text
//! partition:  first ... [batch][batch][batch] ... visible ... next
//!             trimmed below            readers     written down, not safe enough yet
//! ```
//! Batches of streams on disk are records of the journal: kept in memory while there is room, read
//! from there otherwise. Offsets follow each other and are never given twice.
//!
//! Floor: broker.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use slab::Slab;

use super::bindings::{Target, stated};
use super::declare::{durability_name, no_space};
use super::groups::Group;
use super::log::Level;
use super::reader::Reader;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::{Broker, Map, NameId};
use crate::base::limits::{
    LIST_MAX, LIST_PATTERNS_SIZE_MAX, NAMES_PER_HUB_MAX, PARTITIONS_PER_HUB_MAX,
};
use crate::base::record::{
    BoundTo, KeptBatch, PartitionState, Place, Position, Record, Room, StreamState,
};
use crate::base::timers::TimerKey;
use crate::base::{
    Durability, Error, Kind, Name, Outcome, PartitionInfo, Pattern, StreamInfo, StreamOptions, Time,
};

/// A stream that may have been deleted since: the key alone could name its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamRef {
    pub key: usize,
    pub id: u64,
}

/// A batch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchRef {
    pub stream: StreamRef,
    pub partition: u32,
    pub base: u64,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub id: u64,
    pub name: Name,
    pub options: StreamOptions,
    pub partitions: Vec<Partition>,
    pub groups: Vec<Group>,
    /// Patterns that are bound to it, with their slots among all bindings.
    pub bindings: BTreeMap<Pattern, usize>,
    /// Whose turn it is to get a record without a key that comes in a batch.
    pub turn: u64,
    /// When its oldest records are too old.
    pub ageing: Option<TimerKey>,
    /// When its oldest tombstones are.
    pub burying: Option<TimerKey>,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    /// The first offset that is kept.
    pub first: u64,
    /// The offset that the next record gets.
    pub next: u64,
    /// What is below may be read.
    pub visible: u64,
    /// When the last record was appended, by the hub's clock.
    pub time_ms: u64,
    /// What is kept, in order.
    pub batches: VecDeque<Kept>,
    /// Bytes of that.
    pub bytes: u64,
    /// Readers that wait for more to be visible, or read from disk.
    pub waiting: Vec<usize>,
    /// Below, no key is there twice.
    pub compacted: u64,
    /// Bytes from there on.
    pub new_bytes: u64,
    /// What compaction has removed was replaced by a record below this offset.
    pub replaced_below: u64,
    /// When the first tombstone below is too old.
    pub tombstone_ms: Option<u64>,
    /// It is to be compacted, or is being.
    pub is_in_line: bool,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub at: KeptBatch,
    /// The batch, if it is in memory.
    pub bytes: Option<Bytes>,
    /// It is being read from disk.
    pub is_read: bool,
}

/// Every stream of a hub, and what they share.
#[derive(Debug)]
pub(super) struct Streams {
    pub all: Slab<Stream>,
    pub ids: Map<u64, usize>,
    pub readers: Slab<Reader>,
    /// The highest id so far. A host begins above all those of earlier ones, also of streams that
    /// are gone.
    count: u64,
    pub group_count: u64,
    pub partition_count: usize,
    /// Batches on disk that are in memory, too, oldest first; some may have left it since.
    pub cached: VecDeque<BatchRef>,
    pub cached_bytes: u64,
    /// From so many marks on, those of what has left memory are removed.
    pub cached_max: usize,
    /// Batches whose records have not got their place yet.
    pub placing: VecDeque<(Position, BatchRef)>,
}

impl Streams {
    pub fn new(epoch: u64) -> Streams {
        Streams {
            all: Slab::new(),
            ids: Map::default(),
            readers: Slab::new(),
            count: epoch << 32,
            group_count: epoch << 32,
            partition_count: 0,
            cached: VecDeque::new(),
            cached_bytes: 0,
            cached_max: super::retention::CACHED_MARKS,
            placing: VecDeque::new(),
        }
    }

    pub fn at(&mut self, stream: StreamRef) -> Option<&mut Stream> {
        self.all.get_mut(stream.key).filter(|found| found.id == stream.id)
    }

    pub fn partition(&mut self, batch: BatchRef) -> Option<&mut Partition> {
        self.at(batch.stream)?.partitions.get_mut(batch.partition as usize)
    }

    pub fn batch(&mut self, batch: BatchRef) -> Option<&mut Kept> {
        self.partition(batch)?.find(batch.base)
    }
}

impl Kept {
    /// The offset behind its last.
    pub fn end(&self) -> u64 {
        self.at.base + u64::from(self.at.span)
    }
}

impl Partition {
    /// The batch that begins with this offset.
    fn find(&mut self, base: u64) -> Option<&mut Kept> {
        let at = self.batches.binary_search_by_key(&base, |kept| kept.at.base).ok()?;
        self.batches.get_mut(at)
    }

    /// Where the batch is that has this offset, or the next one behind it.
    pub fn position(&self, offset: u64) -> usize {
        self.batches.partition_point(|kept| kept.end() <= offset)
    }

    pub fn state(&self) -> PartitionState {
        let Partition { first, next, time_ms, compacted, .. } = *self;
        PartitionState { first, next, time_ms, compacted }
    }
}

impl Stream {
    pub fn durability(&self) -> Durability {
        self.options.durability.unwrap_or(Durability::Disk)
    }

    pub fn group(&mut self, id: u64) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    pub fn level(&self) -> Level {
        self.durability().into()
    }

    /// What must not be removed begins at this offset, since some group has not read it.
    pub fn unread(&self, partition: usize) -> u64 {
        if !self.options.keep_unread {
            return u64::MAX;
        }
        let places = self.groups.iter().filter_map(|group| group.places.get(partition));
        places.map(|place| place.state.next).min().unwrap_or(u64::MAX)
    }

    /// Checks that so much more fits without removing what some group has not read.
    pub fn has_room(&self, number: u32, records: u64, size: u64) -> Result<(), Error> {
        let unread = self.unread(number as usize);
        let (Some(partition), true) = (self.partitions.get(number as usize), unread < u64::MAX)
        else {
            return Ok(());
        };
        let StreamOptions { records_max, bytes_max, .. } = self.options;
        let waiting = partition.next.saturating_sub(unread);
        let mut excess = (partition.bytes + size).saturating_sub(bytes_max);
        for kept in partition.batches.iter().take_while(|kept| kept.end() <= unread) {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(kept.at.size.into());
        }
        if excess == 0 && (records_max == 0 || waiting + records <= records_max) {
            return Ok(());
        }
        let detail = format!(
            "a reader group of the stream {:?} has not read {waiting} records of partition \
             {number}, and the stream keeps what is unread: of {} bytes and {records_max} records \
             (0: any number) there is no room for {size} bytes in {records} records more",
            self.name, bytes_max
        );
        Err(Error::new(Kind::Full, detail))
    }

    pub fn state(&self) -> Box<StreamState> {
        Box::new(StreamState {
            id: self.id,
            name: self.name.clone(),
            options: self.options.clone(),
            partitions: self.partitions.iter().map(Partition::state).collect(),
        })
    }

    /// The stream, its groups and what is bound to it, as they stand.
    pub fn statement(&self) -> Vec<Record> {
        let mut records = vec![Record::Stream { change: None, state: self.state() }];
        records.extend(self.groups.iter().map(|group| Record::Group {
            change: None,
            stream: self.id,
            state: Box::new(group.state()),
        }));
        records.extend(stated(BoundTo::Stream(self.id), self.bindings.keys()));
        records
    }

    fn info(&self) -> StreamInfo {
        let figures = self.partitions.iter().map(|partition| PartitionInfo {
            first: partition.first,
            next: partition.visible,
            bytes: partition.bytes,
        });
        StreamInfo {
            options: self.options.clone(),
            partitions: figures.collect(),
            bindings: self.bindings.keys().cloned().collect(),
        }
    }
}

impl Broker {
    /// Makes a stream, or checks that it is as stated.
    pub fn declare_stream(
        &mut self,
        now: Time,
        change: ChangeRef,
        name: NameId,
        options: &StreamOptions,
    ) {
        match self.try_declare_stream(change, name, options) {
            Ok(level) => self.changed(now, change, level, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_declare_stream(
        &mut self,
        change: ChangeRef,
        name: NameId,
        options: &StreamOptions,
    ) -> Result<Level, Error> {
        let default = if self.log.is_on { Durability::Disk } else { Durability::Memory };
        let options = options.resolved(default);
        let durability = options.durability.unwrap_or(default);
        if durability != Durability::Memory && !self.log.is_on {
            let detail = format!(
                "durability {} is not supported: this hub keeps streams in memory only; declare \
                 the stream with durability memory",
                durability_name(durability)
            );
            return Err(Error::new(Kind::Unsupported, detail));
        }
        options.check()?;
        let level = Level::from(durability).max(Level::Written);
        if let Some(key) = self.names.stream(name) {
            let stream = &self.streams.all[key];
            return match difference(&stream.options, &options) {
                None => Ok(level),
                Some(difference) => {
                    let detail = format!("the stream {:?} has {difference}", stream.name);
                    Err(Error::new(Kind::Mismatch, detail))
                }
            };
        }
        if self.log.is_on && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        let id = self.streams.count + 1;
        let key = self.make_stream(id, name, options)?;
        if self.log.is_on {
            let state = self.streams.all[key].state();
            self.write(level, Record::Stream { change: Some(change.numbers), state });
        }
        Ok(level)
    }

    pub(super) fn make_stream(
        &mut self,
        id: u64,
        name: NameId,
        options: StreamOptions,
    ) -> Result<usize, Error> {
        let full = |what: String| Err(Error::new(Kind::Full, format!("{what}, its limit")));
        if self.streams.all.len() >= NAMES_PER_HUB_MAX {
            return full(format!("the hub has {NAMES_PER_HUB_MAX} streams"));
        }
        let (count, most) = (options.partitions as usize, PARTITIONS_PER_HUB_MAX);
        if self.streams.partition_count + count > most {
            let have = self.streams.partition_count;
            let detail = format!("the hub has {have} partitions of streams; at most {most}");
            return Err(Error::new(Kind::Full, detail));
        }
        let partitions = (0..count).map(|_| Partition::default()).collect();
        let text = self.names.name(name).clone();
        let stream = Stream {
            id,
            name: text,
            options,
            partitions,
            groups: Vec::new(),
            bindings: BTreeMap::new(),
            turn: 0,
            ageing: None,
            burying: None,
        };
        let key = self.streams.all.insert(stream);
        self.streams.count = self.streams.count.max(id);
        self.streams.partition_count += count;
        self.streams.ids.insert(id, key);
        self.names.set_stream(name, Some(key));
        Ok(key)
    }

    /// Removes a stream with everything in it; whoever reads it hears so.
    pub fn delete_stream(&mut self, now: Time, change: ChangeRef, name: NameId) {
        let key = match self.find_stream(name) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let stream = &self.streams.all[key];
        let level = stream.level().max(Level::Written);
        let detail = format!("the stream {:?} was deleted", stream.name);
        if self.log.is_on {
            let stream = stream.id;
            self.write(level, Record::StreamGone { change: Some(change.numbers), stream });
        }
        let error = Error::new(Kind::NotFound, detail);
        self.end_readers(key, &error);
        self.end_bindings(Target::Stream(key));
        self.end_waiting_appends(key, &error);
        for partition in 0..self.streams.all[key].partitions.len() {
            let next = self.streams.all[key].partitions[partition].next;
            self.drop_batches(key, partition, next);
        }
        let stream = self.streams.all.remove(key);
        for timer in [stream.ageing, stream.burying].into_iter().flatten() {
            self.timers.remove(timer);
        }
        self.streams.ids.remove(&stream.id);
        self.streams.partition_count -= stream.partitions.len();
        self.names.set_stream(name, None);
        self.changed(now, change, level, Done::Empty);
        self.publish_unbound_streams(now);
    }

    pub(super) fn find_stream(&self, name: NameId) -> Result<usize, Error> {
        self.names.stream(name).ok_or_else(|| {
            let detail = format!("no stream is named {:?}", self.names.name(name));
            Error::new(Kind::NotFound, detail)
        })
    }

    pub(super) fn stream_ref(&self, key: usize) -> StreamRef {
        StreamRef { key, id: self.streams.all[key].id }
    }

    pub(super) fn is_stream_journaled(&self, key: usize) -> bool {
        self.log.is_on && self.streams.all[key].level() > Level::Now
    }

    /// A stream's figures.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a stream.
    pub fn inspect_stream(&self, name: NameId) -> Result<Outcome, Error> {
        let key = self.find_stream(name)?;
        Ok(Outcome::Stream(Box::new(self.streams.all[key].info())))
    }

    /// Streams and their figures, by name, behind `after`: as many as one answer may list.
    pub fn list_streams(&self, after: Option<&Name>) -> Outcome {
        let behind = |stream: &&Stream| after.is_none_or(|after| stream.name > *after);
        let streams = self.streams.all.iter().filter(|(_, stream)| behind(stream));
        let mut streams: Vec<(&Name, usize)> = streams.map(|(key, s)| (&s.name, key)).collect();
        streams.sort_unstable();
        let (mut listed, mut partitions, mut size) = (Vec::new(), 0, 0);
        for (name, key) in streams.into_iter().take(LIST_MAX) {
            let info = self.streams.all[key].info();
            partitions += info.partitions.len();
            size += info.bindings.iter().map(|pattern| pattern.as_str().len()).sum::<usize>();
            // One answer stays far below the largest frame.
            let is_long = partitions > LISTED_PARTITIONS_MAX || size > LIST_PATTERNS_SIZE_MAX;
            if is_long && !listed.is_empty() {
                break;
            }
            listed.push((name.clone(), info));
        }
        Outcome::Streams(listed)
    }

    /// The records of a stream have got their place.
    pub(super) fn place_batches(&mut self, position: Position, place: Place) {
        while let Some((at, batch)) = self.streams.placing.front().copied()
            && at <= position
        {
            self.streams.placing.pop_front();
            let Some(kept) = self.streams.batch(batch) else { continue };
            let before = std::mem::replace(&mut kept.at.place, place);
            let size = u64::from(kept.at.size);
            self.unwritten.push_back((position, place));
            self.usage.keep(place.segment, size);
            self.usage.release(before.segment, size);
        }
    }
}

/// What is said of a partition that does not exist.
pub(super) fn no_partition(stream: &Name, number: u32, count: u32) -> Error {
    let detail = format!("partition is {number}; the stream {stream:?} has {count}, from 0");
    Error::new(Kind::Invalid, detail)
}

/// Partitions that one answer lists, beyond the first stream's.
const LISTED_PARTITIONS_MAX: usize = 16_384;

fn difference(has: &StreamOptions, wanted: &StreamOptions) -> Option<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, has: u64, wanted: u64| {
        if has != wanted {
            differences.push(format!("{what} {has}, not {wanted}"));
        }
    };
    compare("partitions", has.partitions.into(), wanted.partitions.into());
    compare("age_max_ms", has.age_max_ms, wanted.age_max_ms);
    compare("bytes_max", has.bytes_max, wanted.bytes_max);
    compare("records_max", has.records_max, wanted.records_max);
    compare("tombstone_age_ms", has.tombstone_age_ms, wanted.tombstone_age_ms);
    let mut compare = |what: &str, has: bool, wanted: bool| {
        if has != wanted {
            differences.push(format!("{what} {has}, not {wanted}"));
        }
    };
    compare("compact", has.compact, wanted.compact);
    compare("keep_unread", has.keep_unread, wanted.keep_unread);
    let compression = |options: &StreamOptions| options.compression.map_or("none", |by| by.name());
    if has.compression != wanted.compression {
        let (has, wanted) = (compression(has), compression(wanted));
        differences.push(format!("compression {has}, not {wanted}"));
    }
    let durability = |options: &StreamOptions| options.durability.map_or("", durability_name);
    if durability(has) != durability(wanted) {
        differences.push(format!("durability {}, not {}", durability(has), durability(wanted)));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}
