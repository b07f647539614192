//! Batches: several sends, verdicts, publishes, appends and commits, all or none.
//!
//! ```text
//! checked as a whole -> one record -> applied; confirmed, visible and published when all of it is
//!                                     as safe as the safest of its queues says
//! ```
//!
//! Floor: broker.

use super::appends::{TakenIn, conflict};
use super::bindings::Targets;
use super::log::{Level, Staged};
use super::places::Committable;
use super::publishes::{Bound, check_bound_size};
use super::queues::Entry;
use super::sends::{ChangeRef, Line};
use super::sessions::{Confirmation, Done, Marked};
use super::topic_lines::{Brought, Spreading};
use super::waiting::Work;
use super::{Broker, NameId};
use crate::base::batch::{BatchBuilder, RECORD_COST_MAX};
use crate::base::pattern::check_topic;
use crate::base::record::{Copies, Receipts, Record, Room, Sent, Settled, StreamParts};
use crate::base::stream::Committing;
use crate::base::{Durability, Error, Kind, Message, Name, Time, Verdict, limits};

/// One part of a batch.
#[derive(Clone, Debug)]
pub enum Part {
    /// Puts a message into a queue.
    Send(NameId, Message),
    /// A verdict on a delivery, and why.
    Settle(u64, Verdict, String),
    /// Publishes a message.
    Publish(Name, Message),
    /// Appends a record to a stream: to which partition, and which offset is expected.
    Append(NameId, Message, (Option<u32>, Option<u64>)),
    /// Commits a place.
    Commit(Committing),
}

impl Part {
    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        match self {
            Part::Send(_, message) | Part::Publish(_, message) | Part::Append(_, message, _) => {
                message.size()
            }
            Part::Settle(_, _, reason) => reason.len(),
            Part::Commit(_) => 0,
        }
    }

    /// The name that it refers to.
    pub(super) fn name(&self) -> Option<NameId> {
        match self {
            Part::Send(name, _) | Part::Append(name, ..) => Some(*name),
            Part::Settle(..) | Part::Publish(..) | Part::Commit(_) => None,
        }
    }

    /// As it is kept while it waits: a copy of its own.
    fn to_stored(&self) -> Part {
        match self {
            Part::Send(name, message) => Part::Send(*name, message.to_stored()),
            Part::Publish(topic, message) => Part::Publish(topic.clone(), message.to_stored()),
            Part::Append(name, message, at) => Part::Append(*name, message.to_stored(), *at),
            other => other.clone(),
        }
    }
}

/// A batch in which all is found.
struct Batch<'a> {
    parts: &'a [Part],
    /// Of each publish, in order, where it is to be stored.
    bound: Vec<Bound>,
    level: Level,
    /// An earlier host may have done it, and given its publishes to subscribers.
    again: bool,
}

impl Batch<'_> {
    /// True if it is about subscribers only: the next host does not know whether it was done.
    fn is_live_only(&self) -> bool {
        let is_publish = |part: &Part| matches!(part, Part::Publish(..));
        self.parts.iter().all(is_publish) && self.bound.iter().all(|b| b.targets.is_empty())
    }
}

/// What a batch has brought about so far.
#[derive(Default)]
struct Applied {
    sent: Vec<Sent>,
    settled: Vec<Settled>,
    published: Vec<Copies>,
    entries: Vec<(usize, Entry)>,
    verdicts: Vec<(u64, Settled)>,
    streams: StreamParts,
    /// Records for partitions, as far as they go into one batch.
    packed: Vec<((usize, u32), BatchBuilder)>,
    taken: Vec<TakenIn>,
    /// Groups that have come further.
    committed: Vec<Committable>,
    /// What is to be given to subscribers.
    spread: Vec<Spreading>,
}

/// What a batch needs, as far as it was looked at.
struct Needs {
    /// What waits for room and came later lets it go first.
    arrival: u64,
    /// Messages and bytes for each queue.
    sums: super::Map<usize, (u64, u64)>,
    in_memory: u64,
    /// Of partitions that it appends to: the next offset, and the bytes that it brings.
    offsets: super::Map<(usize, u32), (u64, u64)>,
    /// Records for each stream.
    records: super::Map<usize, u64>,
    /// Bytes of what is appended because topics are bound.
    bound_size: u64,
    brought: Brought,
    tokens: super::Set<u64>,
    /// The least and the most safe of its queues.
    levels: (Level, Level),
}

impl Broker {
    /// Several sends, verdicts and publishes, all or none. `again`: an earlier host may have done
    /// it.
    pub fn batch(
        &mut self,
        now: Time,
        change: ChangeRef,
        parts: &[Part],
        (deadline, again): (Option<Time>, bool),
    ) {
        self.batch_in_turn(now, change, parts, (deadline, again, u64::MAX));
    }

    /// The same for one that came before some of what waits. `arrival`: when, among all of that.
    pub(super) fn batch_in_turn(
        &mut self,
        now: Time,
        change: ChangeRef,
        parts: &[Part],
        (deadline, again, arrival): (Option<Time>, bool, u64),
    ) {
        let checked = self.find_bound_parts(parts, again).and_then(|bound| {
            if self.room == Room::Behind && self.needs_disk(parts, &bound) {
                return Ok(None);
            }
            let level = self.check_batch(change, parts, (&bound, arrival))?;
            Ok(Some(Batch { parts, bound, level, again }))
        });
        match checked {
            Ok(None) => {
                let work = Work::Batch(parts.iter().map(Part::to_stored).collect(), again);
                if let Err(error) = self.wait_for_disk(change, work, (deadline, None)) {
                    self.refuse(change, error);
                }
            }
            Ok(Some(batch)) if again && batch.is_live_only() => {
                let detail =
                    "an earlier host may have published it; nothing is bound to its topics";
                self.refuse(change, Error::new(Kind::Indeterminate, detail));
            }
            Ok(Some(batch)) => self.apply_batch(now, change, batch),
            Err(error) => self.refuse(change, error),
        }
    }

    /// The queues to which a batch brings something.
    pub(super) fn queues_of(&mut self, parts: &[Part]) -> Vec<usize> {
        let named = |part: &Part| match part {
            Part::Send(name, _) => self.find_queue(*name).ok(),
            _ => None,
        };
        let mut queues: Vec<usize> = parts.iter().filter_map(named).collect();
        let bound = self.find_bound_parts(parts, true).unwrap_or_default();
        queues.extend(bound.into_iter().flat_map(|bound| bound.targets.queues));
        queues
    }

    /// Something of it is to be stored on disk. What only gives free always goes.
    fn needs_disk(&self, parts: &[Part], bound: &[Bound]) -> bool {
        let stores = |part: &Part| match part {
            Part::Send(name, _) => {
                self.find_queue(*name).is_ok_and(|queue| self.is_journaled(queue))
            }
            Part::Append(name, ..) => {
                self.find_stream(*name).is_ok_and(|stream| self.is_stream_journaled(stream))
            }
            Part::Settle(..) | Part::Publish(..) | Part::Commit(_) => false,
        };
        let copied = bound.iter().any(|bound| {
            let Targets { queues, streams } = &bound.targets;
            queues.iter().any(|queue| self.is_journaled(*queue))
                || streams.iter().any(|stream| self.is_stream_journaled(*stream))
        });
        parts.iter().any(stores) || copied
    }

    fn find_bound_parts(&mut self, parts: &[Part], again: bool) -> Result<Vec<Bound>, Error> {
        let (mut all, mut copies) = (Vec::new(), 0);
        for (at, part) in parts.iter().enumerate() {
            let Part::Publish(topic, message) = part else { continue };
            let bound = check_topic(topic);
            let bound = bound.and_then(|()| self.bound_message(topic, message, again));
            let bound = bound.map_err(|error| in_part(at, &error))?;
            copies += bound.targets.queues.len() + bound.targets.streams.len();
            let most = limits::BATCH_COPIES_MAX;
            if copies > most {
                let detail = format!("{copies} copies are to be stored by now; at most {most}");
                return Err(in_part(at, &Error::new(Kind::TooLarge, detail)));
            }
            all.push(bound);
        }
        Ok(all)
    }

    /// Reserves nothing: whatever is found here still holds when the batch is applied, at once.
    fn check_batch(
        &self,
        change: ChangeRef,
        parts: &[Part],
        (bound, arrival): (&[Bound], u64),
    ) -> Result<Level, Error> {
        let mut needs = Needs {
            arrival,
            sums: super::Map::default(),
            in_memory: 0,
            offsets: super::Map::default(),
            records: super::Map::default(),
            bound_size: 0,
            brought: Brought::default(),
            tokens: super::Set::default(),
            levels: (Level::Durable, Level::Now),
        };
        let mut bound = bound.iter();
        for (at, part) in parts.iter().enumerate() {
            self.check_part(change, part, &mut bound, &mut needs)
                .map_err(|error| in_part(at, &error))?;
        }
        Ok(needs.levels.1)
    }

    fn check_part<'a>(
        &self,
        change: ChangeRef,
        part: &Part,
        bound: &mut impl Iterator<Item = &'a Bound>,
        needs: &mut Needs,
    ) -> Result<(), Error> {
        match part {
            Part::Send(name, message) => {
                let queue = self.find_queue(*name)?;
                self.need_room(queue, message.size() as u64, needs)?;
                self.need_level(queue, needs)
            }
            Part::Append(name, message, place) => {
                self.need_append(self.find_stream(*name)?, message, *place, needs)
            }
            Part::Commit(committing) => {
                let place = self.check_commit(change.session.key, *committing)?;
                self.need_stream_level(place.stream.key, needs)
            }
            Part::Settle(token, ..) if !needs.tokens.insert(*token) => {
                Err(Error::new(Kind::Stale, "the delivery is settled twice"))
            }
            Part::Settle(token, ..) => {
                self.need_level(self.may_settle(change.session.key, *token)?, needs)
            }
            Part::Publish(topic, given) => {
                let Some(bound) = bound.next() else { return Ok(()) };
                let Bound { targets, message, awaited } = bound;
                let size = (given.size() as u64, needs.arrival);
                self.need_subscribers(topic, awaited.as_ref(), size, &mut needs.brought)?;
                targets.queues.iter().try_for_each(|queue| {
                    self.need_room(*queue, message.size() as u64, needs)?;
                    self.need_level(*queue, needs)
                })?;
                targets.streams.iter().try_for_each(|stream| {
                    needs.bound_size += self.size_alone(*stream, message)?;
                    check_bound_size(needs.bound_size)?;
                    self.need_append(*stream, message, (None, None), needs)
                })
            }
        }
    }

    fn need_append(
        &self,
        key: usize,
        message: &Message,
        (partition, expect): (Option<u32>, Option<u64>),
        needs: &mut Needs,
    ) -> Result<(), Error> {
        let ahead = needs.records.entry(key).or_default();
        let number = self.partition_for(key, message, (partition, *ahead))?;
        *ahead += 1;
        if expect.is_some() && partition.is_none() && message.key().is_empty() {
            let detail = "an offset is expected, but neither partition nor key is stated";
            return Err(Error::new(Kind::Invalid, detail));
        }
        let size = self.size_alone(key, message)?;
        let stream = &self.streams.all[key];
        if !self.is_stream_journaled(key) {
            needs.in_memory += size;
            self.has_memory_for(needs.in_memory)?;
        }
        self.room_for_batch(key, size)?;
        let first = stream.partitions[number as usize].next;
        let (next, bytes) = needs.offsets.entry((key, number)).or_insert((first, 0));
        if let Some(expect) = expect.filter(|expect| expect != next) {
            return Err(conflict(expect, *next));
        }
        (*next, *bytes) = (*next + 1, *bytes + size);
        stream.has_room(number, *next - first, *bytes)?;
        self.need_stream_level(key, needs)
    }

    fn need_stream_level(&self, key: usize, needs: &mut Needs) -> Result<(), Error> {
        need(self.stream_level(key), &self.streams.all[key].name, needs)
    }

    fn need_level(&self, queue: usize, needs: &mut Needs) -> Result<(), Error> {
        need(self.level_of(queue), &self.queues[queue].name, needs)
    }

    /// Room for one more message, after others that the same batch brings.
    fn need_room(&self, key: usize, size: u64, needs: &mut Needs) -> Result<(), Error> {
        let room = self.room_for(key, size)?;
        if !self.is_journaled(key) {
            needs.in_memory += size;
            self.has_memory_for(needs.in_memory)?;
        }
        let (count, bytes) = needs.sums.entry(key).or_default();
        let queue = &self.queues[key];
        let fits = queue.length + *count < queue.options.length_max
            && queue.bytes + *bytes + size <= queue.options.bytes_max;
        (*count, *bytes) = (*count + 1, *bytes + size);
        let is_next = !self.has_send_before(Line::Queue(key), needs.arrival);
        if fits && is_next && room == Room::Open {
            return Ok(());
        }
        Err(queue.full())
    }

    fn apply_batch(&mut self, now: Time, change: ChangeRef, batch: Batch<'_>) {
        let Batch { parts, bound, level, again } = batch;
        let sends = parts.iter().filter(|part| matches!(part, Part::Send(..))).count();
        let first = self.next_message_id();
        let applied = self.apply_parts(now, change, (parts, bound), (first, sends));
        let Applied { sent, settled, published, entries, verdicts, .. } = applied;
        let Applied { streams, taken, committed, spread, .. } = applied;
        if level > Level::Now {
            let (change, streams) = (Some(change.numbers), Box::new(streams));
            let record = Record::Batch { change, sent, settled, published, streams };
            let position = self.write(level, record);
            let placing = taken.iter().map(|taken| (position, taken.reference));
            self.streams.placing.extend(placing);
        }
        let durability = match level {
            Level::Now => Durability::Memory,
            Level::Written => Durability::Os,
            Level::Durable => Durability::Disk,
        };
        let outcome = Done::Receipts(Receipts { first, count: sends as u32, durability });
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        for (queue, entry) in entries {
            let queue = self.queue_ref(queue);
            self.stage(now, level, Staged::Arrive(queue, entry));
        }
        for TakenIn { reference, end, .. } in taken {
            self.stage(now, level, Staged::Visible(reference, end));
        }
        self.shrink_cache();
        for place in committed {
            self.spread_group(place.stream, place.group);
        }
        for published in spread {
            match again {
                true => self.pass_over(&published.topic),
                false => self.stage(now, level, Staged::Spread(Box::new(published))),
            }
        }
        for (token, verdict) in verdicts {
            self.apply_verdict(now, token, verdict);
        }
    }

    /// Takes in everything in the order of its parts. The ids of what is sent follow each other,
    /// and those of copies come behind them.
    fn apply_parts(
        &mut self,
        now: Time,
        change: ChangeRef,
        (parts, bound): (&[Part], Vec<Bound>),
        (first, sends): (u64, usize),
    ) -> Applied {
        let mut applied = Applied::default();
        let (mut next_sent, mut next_copy) = (first, first + sends as u64);
        let mut bound = bound.into_iter();
        for part in parts {
            match part {
                Part::Send(name, message) => {
                    let Ok(queue) = self.find_queue(*name) else { continue };
                    let entry = self.take_in(now, queue, message.to_stored(), next_sent);
                    next_sent += 1;
                    applied.sent.extend(self.sent(now, queue, &entry));
                    applied.entries.push((queue, entry));
                }
                Part::Append(name, message, (partition, _)) => {
                    let Ok(key) = self.find_stream(*name) else { continue };
                    self.pack_part(&mut applied, key, message, *partition);
                }
                Part::Commit(committing) => {
                    let Ok(place) = self.check_commit(change.session.key, *committing) else {
                        continue;
                    };
                    applied.streams.placed.extend(self.move_place(place));
                    applied.committed.push(place);
                }
                Part::Settle(token, verdict, reason) => {
                    let verdict = self.settled(now, *token, *verdict, reason.clone());
                    applied.verdicts.push((*token, verdict.clone()));
                    applied.settled.push(verdict);
                }
                Part::Publish(topic, message) => {
                    let Some(mut bound) = bound.next() else { continue };
                    let reserved = self.reserve(bound.awaited.take(), message.size() as u64);
                    let (topic, message) = (topic.clone(), message.to_stored());
                    applied.spread.push(Spreading { topic, message, reserved });
                    for stream in &bound.targets.streams {
                        self.pack_part(&mut applied, *stream, &bound.message, None);
                    }
                    let (copies, entries) = self.take_in_copies(now, bound, Some(next_copy));
                    next_copy += entries.len() as u64;
                    applied.published.extend(Some(copies).filter(|c| !c.places.is_empty()));
                    applied.entries.extend(entries);
                }
            }
        }
        for (at, builder) in std::mem::take(&mut applied.packed) {
            let taken = self.take_in_packed(now, at, builder);
            applied.append(taken);
        }
        applied
    }
}

impl Broker {
    fn pack_part(&mut self, applied: &mut Applied, key: usize, message: &Message, to: Option<u32>) {
        let Ok(number) = self.partition_for(key, message, (to, 0)) else { return };
        self.streams.all[key].turn += 1;
        applied.pack((key, number), message, self.packed_max(key));
    }
}

impl Applied {
    /// Puts a record to the others that go to the same partition.
    fn pack(&mut self, at: (usize, u32), message: &Message, most: usize) {
        let size = message.size() + RECORD_COST_MAX;
        let last = self.packed.iter_mut().rev().find(|(other, _)| *other == at);
        match last {
            Some((_, builder)) if builder.size() + size <= most => builder.push(message),
            _ => {
                let mut builder = BatchBuilder::default();
                builder.push(message);
                self.packed.push((at, builder));
            }
        }
    }

    fn append(&mut self, taken: Option<TakenIn>) {
        let Some(taken) = taken else { return };
        self.streams.appended.push(taken.part());
        self.taken.push(taken);
    }
}

/// All of a batch is kept in memory, or nothing of it.
fn need(level: Level, name: &Name, needs: &mut Needs) -> Result<(), Error> {
    let levels = &mut needs.levels;
    *levels = (levels.0.min(level), levels.1.max(level));
    if levels.0 > Level::Now || levels.1 == Level::Now {
        return Ok(());
    }
    let detail = format!(
        "what is kept in memory and what is on disk can't be in one batch; {name:?} is one of them"
    );
    Err(Error::new(Kind::Unsupported, detail))
}

fn in_part(at: usize, error: &Error) -> Error {
    Error::new(error.kind(), format!("part {at} of the batch: {}", error.detail()))
}
