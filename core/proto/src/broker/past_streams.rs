//! What earlier hosts have written down of a stream.
//!
//! Floor: broker.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Past;
use super::bindings::stated;
use crate::base::batch::BatchHeader;
use crate::base::record::{
    AppendedBatch, AppendedPart, BoundTo, GroupState, KeptBatch, Mark, PartitionState, Place,
    PlaceState, Placed, Record, StreamParts, StreamState,
};
use crate::base::{Durability, GroupInfo, GroupPlace, Name, PartitionInfo, Pattern, StreamInfo};

/// A stream as it was.
#[derive(Debug, Default)]
pub(super) struct PastStream {
    /// Unknown while only records of a freed segment have said it; a later one states it anew.
    pub state: Option<StreamState>,
    /// Its reader groups.
    pub groups: BTreeMap<u64, GroupState>,
    /// Patterns that are bound to it.
    pub bindings: BTreeSet<Pattern>,
    /// Its batches, by partition and offset, and their records if it is kept in memory.
    pub batches: BTreeMap<(u32, u64), (KeptBatch, Option<Bytes>)>,
}

impl Past {
    /// Every stream and its figures, by name.
    pub fn streams(&self) -> Vec<(Name, StreamInfo)> {
        let figures = |stream: &PastStream| stream.figures(self.is_closed);
        let mut all: Vec<_> = self.streams.values().filter_map(figures).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The reader groups of every stream, by its name.
    pub fn groups(&self) -> Vec<(Name, Vec<GroupInfo>)> {
        let groups = |stream: &PastStream| {
            let (name, info) = stream.figures(self.is_closed)?;
            let is_lost = stream.is_memory() && !self.is_closed;
            let group = |group| group_figures(group, &info.partitions, is_lost);
            Some((name, stream.groups.values().map(group).collect()))
        };
        let mut all: Vec<_> = self.streams.values().filter_map(groups).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

/// As a next host would begin with it: without members.
fn group_figures(group: &GroupState, partitions: &[PartitionInfo], is_lost: bool) -> GroupInfo {
    let place = |(place, partition): (&PlaceState, &PartitionInfo)| {
        let next = match is_lost {
            true => partition.next,
            false => place.next.max(partition.first).min(partition.next),
        };
        GroupPlace { next, lag: partition.next - next, is_read: false }
    };
    let places = group.places.iter().zip(partitions).map(place).collect();
    GroupInfo { name: group.name.clone(), members: 0, places }
}

impl PastStream {
    /// As a next host would begin with it; `None` while nothing has said how it is.
    fn figures(&self, is_closed: bool) -> Option<(Name, StreamInfo)> {
        let state = self.state.as_ref()?;
        let is_lost = self.is_memory() && !is_closed;
        let partition = |(number, state): (u32, &PartitionState)| {
            let kept = self.batches.range((number, 0)..=(number, u64::MAX));
            let bytes = kept.map(|(_, (batch, _))| u64::from(batch.size)).sum();
            let PartitionState { first, next, .. } = *state;
            match is_lost {
                true => PartitionInfo { first: next, next, bytes: 0 },
                false => PartitionInfo { first, next, bytes },
            }
        };
        let partitions = (0..).zip(&state.partitions).map(partition).collect();
        let options = state.options.clone();
        let bindings = self.bindings.iter().cloned().collect();
        Some((state.name.clone(), StreamInfo { options, partitions, bindings }))
    }

    pub fn durability(&self) -> Durability {
        let options = self.state.as_ref().map(|state| &state.options);
        options.and_then(|options| options.durability).unwrap_or(Durability::Disk)
    }

    pub fn is_memory(&self) -> bool {
        self.durability() == Durability::Memory
    }

    /// The stream, its groups and what is bound to it, as they stand.
    pub fn statement(&self) -> Vec<Record> {
        let Some(state) = &self.state else { return Vec::new() };
        let (stream, state) = (state.id, Box::new(state.clone()));
        let mut records = vec![Record::Stream { change: None, state }];
        records.extend(self.groups.values().map(|group| Record::Group {
            change: None,
            stream,
            state: Box::new(group.clone()),
        }));
        records.extend(stated(BoundTo::Stream(stream), self.bindings.iter()));
        records
    }

    fn partition(&mut self, number: u32) -> Option<&mut PartitionState> {
        self.state.as_mut()?.partitions.get_mut(number as usize)
    }

    pub fn restate(&mut self, state: StreamState) {
        for (number, partition) in (0..).zip(&state.partitions) {
            self.forget_before(number, partition.first);
        }
        self.state = Some(state);
    }

    /// Where it was appended, and when; `None` for what is no batch.
    pub fn append(
        &mut self,
        number: u32,
        batch: Bytes,
        place: Place,
    ) -> Option<(AppendedBatch, u64)> {
        let header = BatchHeader::read(&batch)?;
        let BatchHeader { base, size, time_ms, span, .. } = header;
        if let Some(partition) = self.partition(number) {
            partition.next = partition.next.max(header.end());
            partition.time_ms = partition.time_ms.max(time_ms);
        }
        let is_memory = self.is_memory();
        let place = if is_memory { Place::default() } else { place };
        let kept = KeptBatch { base, span, size, time_ms, place };
        // Packed anew, it takes the place of several.
        self.forget_between(number, base, header.end());
        self.batches.insert((number, base), (kept, is_memory.then_some(batch)));
        let durability = self.durability();
        Some((AppendedBatch { partition: number, base, durability }, time_ms))
    }

    pub fn trim(&mut self, number: u32, first: u64) {
        if let Some(partition) = self.partition(number) {
            partition.first = partition.first.max(first);
            partition.next = partition.next.max(first);
        }
        self.forget_before(number, first);
    }

    pub fn compacted(&mut self, number: u32, through: u64) {
        if let Some(partition) = self.partition(number) {
            partition.compacted = partition.compacted.max(through);
            partition.next = partition.next.max(through);
        }
    }

    fn forget_before(&mut self, number: u32, first: u64) {
        self.forget_between(number, 0, first);
    }

    fn forget_between(&mut self, number: u32, from: u64, to: u64) {
        while let Some(oldest) = self.batches.range((number, from)..(number, to)).next() {
            let oldest = *oldest.0;
            self.batches.remove(&oldest);
        }
    }

    /// A group has come to a place.
    pub fn place(&mut self, placed: Placed) {
        let group = self.groups.get_mut(&placed.group);
        let place = group.and_then(|group| group.places.get_mut(placed.partition as usize));
        place.into_iter().for_each(|place| *place = placed.state);
    }

    /// Batches lie elsewhere from now on, or are as a checkpoint lists them.
    pub fn keep(&mut self, number: u32, batches: Vec<KeptBatch>) {
        for batch in batches {
            self.forget_between(number, batch.base, batch.base + u64::from(batch.span));
            self.batches.insert((number, batch.base), (batch, None));
        }
    }
}

impl Past {
    /// Every batch that lies outside the journal, with its stream and partition.
    pub fn filed(&self) -> impl Iterator<Item = (u64, u32, KeptBatch)> {
        let batches = self.streams.iter().flat_map(|(stream, past)| {
            past.batches.iter().map(|((partition, _), (at, _))| (*stream, *partition, *at))
        });
        batches.filter(|(.., at)| at.place.is_filed())
    }

    /// What a batch has done to streams; how safe the safest of them is.
    pub(super) fn apply_stream_parts(
        &mut self,
        parts: StreamParts,
        place: Place,
    ) -> Option<Durability> {
        let mut safest = self.apply_appended(parts.appended, place);
        for placed in parts.placed {
            let stream = self.streams.entry(placed.stream).or_default();
            safest = safest.max(Some(stream.durability()));
            stream.place(placed);
        }
        safest
    }

    /// What was appended to streams; how safe the safest of them is.
    pub(super) fn apply_appended(
        &mut self,
        appended: Vec<AppendedPart>,
        place: Place,
    ) -> Option<Durability> {
        let mut safest = None;
        for AppendedPart { stream, partition, batch } in appended {
            let stream = self.streams.entry(stream).or_default();
            safest = safest.max(Some(stream.durability()));
            if let Some((_, time_ms)) = stream.append(partition, batch, place) {
                self.note_time(time_ms);
            }
        }
        safest
    }

    /// What is bound to a queue or a stream.
    pub(super) fn bound_to(&mut self, target: BoundTo) -> &mut BTreeSet<Pattern> {
        match target {
            BoundTo::Queue(queue) => &mut self.queues.entry(queue).or_default().bindings,
            BoundTo::Stream(stream) => &mut self.streams.entry(stream).or_default().bindings,
        }
    }

    /// A record about streams.
    pub(super) fn apply_to_stream(&mut self, record: Record, place: Place) {
        match record {
            Record::Stream { change, state } => {
                self.mark(change, Mark::Empty);
                self.streams.entry(state.id).or_default().restate(*state);
            }
            Record::StreamGone { change, stream } => {
                self.mark(change, Mark::Empty);
                self.streams.remove(&stream);
            }
            Record::Appended { change, stream, partition, batch } => {
                let stream = self.streams.entry(stream).or_default();
                if let Some((appended, time_ms)) = stream.append(partition, batch, place) {
                    self.note_time(time_ms);
                    self.mark(change, Mark::Appended(appended));
                }
            }
            Record::Trimmed { stream, partition, first } => {
                self.streams.entry(stream).or_default().trim(partition, first);
            }
            Record::Compacted { stream, partition, through } => {
                self.streams.entry(stream).or_default().compacted(partition, through);
            }
            Record::Group { change, stream, state } => {
                self.mark(change, Mark::Empty);
                let stream = self.streams.entry(stream).or_default();
                stream.groups.insert(state.id, *state);
            }
            Record::GroupGone { change, stream, group } => {
                self.mark(change, Mark::Empty);
                self.streams.entry(stream).or_default().groups.remove(&group);
            }
            Record::Placed { change, placed } => {
                self.mark(change, Mark::Empty);
                self.streams.entry(placed.stream).or_default().place(placed);
            }
            Record::Kept { stream, partition, batches } => {
                self.streams.entry(stream).or_default().keep(partition, batches);
            }
            other => unreachable!("{other:?} has been applied by its caller"),
        }
    }
}
