//! Readers of streams: each at its own place in the partitions that it reads.
//!
//! ```text
//! reader: a cursor per partition; in turns: the batch there is in memory -> sent
//!                                           on disk            -> read, then sent
//!                                           not there yet      -> waits, or is at its end
//! ```
//! As much as fits into the program's buffer is on its way; the program tells what it has taken.
//! Over a new connection it states where it is.
//!
//! Floor: broker.

use bytes::Bytes;

use super::log::{Level, SessionRef, Staged};
use super::processing::Processing;
use super::reader::{Place, Reader};
use super::registrations::Role;
use super::streams::{BatchRef, Kept, Partition, Stream, no_partition};
use super::{Broker, Effect, NameId, SessionKey};
use crate::base::batch::{self, BatchHeader};
use crate::base::filter::Filter;
use crate::base::repacked::packed_records;
use crate::base::stream::Start;
use crate::base::{Cursor, Error, Kind, Reading, Time, limits};

/// What a program states of a reader.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its number for it.
    pub id: u64,
    /// Which records.
    pub reading: Reading,
    /// The stream that it has been reading; 0: it begins.
    pub stream: u64,
    /// Where it has got to in that.
    pub cursors: Vec<Cursor>,
    /// Bytes of records that have arrived and that the program has not taken yet.
    pub held: u64,
}

/// What can be done for a cursor.
enum Step {
    Send(Bytes, u64),
    /// Some of the batch may be wanted.
    Sift(Bytes, u64),
    Read(BatchRef),
    Wait,
    Lost(Error),
    Done,
}

impl Broker {
    /// Registers a reader. Repeating it says where it is, after a connection was made anew.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a stream, `OUT_OF_RANGE` for an offset that is not kept, `INVALID`
    /// for a value outside of its limits, `FULL` for too many registrations.
    pub fn read(
        &mut self,
        now: Time,
        session: SessionKey,
        name: NameId,
        opening: Opening,
    ) -> Result<(), Error> {
        opening.reading.check()?;
        let id = opening.id;
        let is_known = self.is_registered(session, id)?;
        let member = self.member_of(session, id);
        // Where it is, is what the program says: of what was sent, some may be lost.
        match member {
            Some(key) => self.place_member(key, &opening.cursors),
            None if is_known => self.forget_registered(session, id),
            // It has ended, and was said to have, after the program had set out to repeat it.
            None if self.sessions[session].repeated.contains(&id) => return Ok(()),
            None => {}
        }
        if member.is_none() {
            self.begin_reading(session, name, &opening)?;
        }
        let Some(registration) = self.sessions[session].registrations.get(&id).copied() else {
            return Ok(());
        };
        if let Role::Reader(key) = self.registrations[registration].role {
            let reader = &mut self.streams.readers[key];
            reader.sent = opening.held;
            reader.await_live(true);
            reader.processing.begin_anew();
            // The next host must know of the group from which it is to go on.
            let of_group = reader.group.is_some().then_some(reader.stream.key);
            let level = of_group.map_or(Level::Now, |stream| self.stream_level(stream));
            let reference = self.sessions.reference(session);
            self.stage(now, level, Staged::Live(reference, id));
        }
        Ok(())
    }

    /// A reader hears where it is, and gets records from now on; unless its program has got another
    /// connection meanwhile, and has yet to say there what has arrived.
    pub(super) fn go_live(&mut self, session: SessionRef, id: u64) {
        if self.sessions.get_mut(session).is_none() {
            return;
        }
        if let Some(key) = self.reader_of(session.key, id)
            && let reader = &mut self.streams.readers[key]
            && reader.has_said
            && !reader.is_live
        {
            reader.is_live = true;
            self.tell_reading(key);
            self.pump_reader(key);
        }
    }

    /// The reader with this number, if it is a member of a group: its partitions stay its own.
    fn member_of(&self, session: SessionKey, id: u64) -> Option<usize> {
        let key = self.reader_of(session, id)?;
        self.streams.readers[key].group.is_some().then_some(key)
    }

    /// A member goes on where it says it is; in what it has not heard of yet, from the group's
    /// place.
    fn place_member(&mut self, key: usize, stated: &[Cursor]) {
        let super::streams::Streams { readers, all, .. } = &mut self.streams;
        let reader = &mut readers[key];
        let group = all.get(reader.stream.key).and_then(|stream| {
            stream.groups.iter().find(|group| Some(&group.name) == reader.group.as_ref())
        });
        for own in &mut reader.places {
            let cursor = own.cursor;
            let is_it = |by: &&Cursor| {
                (by.partition, by.generation) == (cursor.partition, cursor.generation)
            };
            let place = group.and_then(|group| group.places.get(cursor.partition as usize));
            let begun = place.map_or(cursor.next, |place| place.state.next);
            match stated.iter().find(is_it) {
                Some(stated) => own.put(stated.next, stated.seen),
                None => own.put(begun, begun),
            }
        }
    }

    fn forget_registered(&mut self, session: SessionKey, id: u64) {
        if let Some(registration) = self.sessions[session].registrations.remove(&id) {
            self.remove_registration(registration);
        }
    }

    fn begin_reading(
        &mut self,
        session: SessionKey,
        name: NameId,
        opening: &Opening,
    ) -> Result<(), Error> {
        let stream = self.find_stream(name)?;
        let stream = self.stream_ref(stream);
        let found = &self.streams.all[stream.key];
        if opening.stream != 0 && opening.stream != stream.id {
            let detail = format!("the stream {:?} was deleted", found.name);
            return Err(Error::new(Kind::NotFound, detail));
        }
        let cursors = first_cursors(found, opening)?;
        let is_whole = opening.reading.group.is_none() && !opening.reading.follow;
        let may_end_later = found.options.compact && is_whole;
        let group = opening.reading.group.clone();
        let of_group = match &group {
            Some(name) => Some(self.group_of(stream, name, &opening.reading)?),
            None => None,
        };
        let buffer = match opening.reading.buffer {
            0 => limits::READ_BUFFER_DEFAULT,
            stated => stated,
        };
        let reader = Reader {
            registration: self.registrations.vacant_key(),
            stream,
            group,
            filter: Filter::of(&opening.reading),
            places: cursors.into_iter().map(Place::new).collect(),
            turn: 0,
            buffer: buffer.into(),
            sent: 0,
            has_said: false,
            is_live: false,
            may_end_later,
            is_in_line: false,
            is_passing: false,
            processing: Processing::new(opening.reading.max_processing_ms),
        };
        let key = self.streams.readers.insert(reader);
        self.register_quietly(session, opening.id, Role::Reader(key), 0);
        if let Some(group) = of_group {
            self.join_group(stream, group, key);
        }
        Ok(())
    }

    /// Sends a reader what it can take.
    pub(super) fn pump_reader(&mut self, key: usize) {
        if self.streams.readers[key].places.iter().any(Place::is_untold) {
            self.note_passing(key);
        }
        let mut idle = 0;
        while self.takes_records(key) {
            let reader = &mut self.streams.readers[key];
            let count = reader.places.len();
            if count == 0 {
                return;
            }
            let at = reader.turn % count;
            reader.turn = (at + 1) % count;
            match self.step(key, at) {
                Step::Send(bytes, end) => {
                    idle = 0;
                    self.send_records(key, at, (bytes, end));
                }
                Step::Sift(bytes, end) => {
                    idle = 0;
                    if !self.sift(key, at, (bytes, end)) {
                        return;
                    }
                }
                Step::Read(batch) => {
                    self.read_batches(batch);
                    idle += 1;
                }
                Step::Wait => idle += 1,
                Step::Lost(error) => return self.end_reader(key, Err(error)),
                Step::Done => {
                    let reader = &mut self.streams.readers[key];
                    reader.places.swap_remove(at);
                    if reader.places.is_empty() {
                        return self.end_reader(key, Ok(()));
                    }
                }
            }
            if idle >= self.streams.readers[key].places.len() {
                break;
            }
        }
    }

    pub(super) fn takes_records(&self, key: usize) -> bool {
        let reader = &self.streams.readers[key];
        let session = &self.sessions[self.registrations[reader.registration].session];
        reader.is_live
            && reader.sent < reader.buffer
            && session.present()
            && !session.congested()
            && session.outgoing <= limits::OUTBOX_SIZE_MAX as u64
    }

    fn step(&mut self, key: usize, at: usize) -> Step {
        let super::streams::Streams { readers, all, .. } = &mut self.streams;
        let reader = &mut readers[key];
        let (stream, place) = (reader.stream, &mut reader.places[at]);
        let Cursor { partition: number, next, end, .. } = place.cursor;
        let Some(found) = all.get_mut(stream.key) else { return Step::Wait };
        let Some(partition) = found.partitions.get_mut(number as usize) else { return Step::Wait };
        if next >= end && next >= partition.replaced_below {
            return Step::Done;
        }
        if place.is_leaving {
            return Step::Wait;
        }
        // A group goes on with what is kept; its reader sees what it has missed.
        let is_member = reader.group.is_some();
        let next = if is_member { next.max(partition.first) } else { next };
        if next != place.cursor.next {
            (place.cursor.next, place.told) = (next, next);
        }
        if next < partition.first || next > partition.next {
            return Step::Lost(out_of_range(next, number, partition));
        }
        let kept = partition.batches.get(partition.position(next));
        let kept = kept.filter(|_| next < partition.visible);
        if let Some(bytes) = kept.and_then(|kept| kept.bytes.as_ref()) {
            let end = kept.map_or(next, Kept::end);
            return match reader.filter {
                Some(_) => Step::Sift(bytes.clone(), end),
                None => Step::Send(bytes.clone(), end),
            };
        }
        let base = kept.map(|kept| kept.at.base);
        if !std::mem::replace(&mut place.is_waiting, true) {
            partition.waiting.push(key);
        }
        base.map_or(Step::Wait, |base| Step::Read(BatchRef { stream, partition: number, base }))
    }

    /// Sends a batch that takes the offsets up to `end`.
    pub(super) fn send_records(&mut self, key: usize, at: usize, (batch, end): (Bytes, u64)) {
        let size = batch.len() as u64;
        let cost = BatchHeader::read(&batch).map_or(size, |header| header.cost());
        let reader = &mut self.streams.readers[key];
        let place = &mut reader.places[at];
        let partition = place.cursor.partition;
        let seen = place.cursor.seen.max(behind_last(&batch));
        place.put(end, seen);
        reader.sent += cost;
        let is_passing = seen < end && reader.group.is_some();
        let registration = &self.registrations[reader.registration];
        let (session, id) = (registration.session, registration.id);
        self.sessions[session].outgoing += size;
        self.effects.push_back(Effect::Records { session, id, partition, batch });
        if is_passing {
            self.note_passing(key);
        }
        self.note_processing(key);
    }

    /// Readers that wait for a partition look again.
    pub(super) fn wake_readers(&mut self, batch: BatchRef) {
        let Some(partition) = self.streams.partition(batch) else { return };
        let mut waiting = std::mem::take(&mut partition.waiting);
        for key in waiting.drain(..) {
            let Some(reader) = self.streams.readers.get_mut(key) else { continue };
            let here = |place: &&mut Place| place.cursor.partition == batch.partition;
            reader.places.iter_mut().filter(here).for_each(|place| place.is_waiting = false);
            self.pump_reader(key);
        }
        // Its room is used again, unless somebody waits already.
        if let Some(partition) = self.streams.partition(batch)
            && partition.waiting.is_empty()
        {
            partition.waiting = waiting;
        }
    }

    /// The program has taken some of what had arrived of a reader.
    pub(super) fn taken_records(&mut self, key: usize, bytes: u64) {
        let reader = &mut self.streams.readers[key];
        reader.sent = reader.sent.saturating_sub(bytes);
        self.pump_reader(key);
    }

    pub(super) fn forget_reader(&mut self, key: usize) {
        let reader = self.streams.readers.remove(key);
        self.sifting.forget(key);
        self.forget_processing(key, reader.processing);
        if let Some(group) = &reader.group {
            self.leave_group(reader.stream, group, key);
        }
        if let Some(stream) = self.streams.at(reader.stream) {
            for partition in &mut stream.partitions {
                partition.waiting.retain(|waiting| *waiting != key);
            }
        }
    }

    pub(super) fn end_reader(&mut self, key: usize, ended: Result<(), Error>) {
        let registration = self.streams.readers[key].registration;
        let (session, id) =
            (self.registrations[registration].session, self.registrations[registration].id);
        self.remove_registration(registration);
        self.sessions[session].registrations.remove(&id);
        if self.sessions[session].present() {
            self.effects.push_back(match ended {
                Ok(()) => Effect::Finished { session, id },
                Err(error) => Effect::Ended { session, id, error },
            });
        }
    }

    /// Everybody who reads a stream hears that it is gone.
    pub(super) fn end_readers(&mut self, stream: usize, error: &Error) {
        let readers = self.streams.readers.iter().filter(|(_, r)| r.stream.key == stream);
        let readers: Vec<usize> = readers.map(|(key, _)| key).collect();
        readers.into_iter().for_each(|key| self.end_reader(key, Err(error.clone())));
    }

    /// Readers of a batch that the disk does not give hear so.
    pub(super) fn end_unreadable(&mut self, batch: BatchRef) {
        let Some(partition) = self.streams.partition(batch) else { return };
        let waiting = std::mem::take(&mut partition.waiting);
        let end = self.streams.batch(batch).map_or(batch.base, |kept| kept.end());
        let mut others = Vec::new();
        for key in waiting {
            let Some(reader) = self.streams.readers.get(key) else { continue };
            let is_there = |Place { cursor, .. }: &Place| {
                cursor.partition == batch.partition && (batch.base..end).contains(&cursor.next)
            };
            if reader.places.iter().any(is_there) {
                let detail = format!(
                    "the records from offset {} to {} of partition {} can't be read from the \
                     hub's disk",
                    batch.base,
                    end - 1,
                    batch.partition
                );
                self.end_reader(key, Err(Error::new(Kind::Corrupt, detail)));
            } else {
                others.push(key);
            }
        }
        if let Some(partition) = self.streams.partition(batch) {
            partition.waiting.append(&mut others);
        }
    }
}

/// Where a reader goes on, or begins.
fn first_cursors(stream: &Stream, opening: &Opening) -> Result<Vec<Cursor>, Error> {
    let Opening { reading, cursors, .. } = opening;
    let count = stream.options.partitions;
    let numbers = match reading.partition {
        _ if reading.group.is_some() => return Ok(cursors.clone()),
        Some(one) if one >= count => return Err(no_partition(&stream.name, one, count)),
        Some(one) => one..one + 1,
        None => 0..count,
    };
    let stated = |number| cursors.iter().find(|cursor| cursor.partition == number);
    let cursor = |number: u32| {
        let partition = &stream.partitions[number as usize];
        match stated(number) {
            // It was told no end, which was to be found out on the way.
            Some(stated) if stream.options.compact && !reading.follow => {
                Ok(Cursor { end: partition.visible, ..*stated })
            }
            Some(stated) => Ok(*stated),
            None => begin(number, partition, reading),
        }
    };
    numbers.map(cursor).collect()
}

/// One behind the last record of a batch; 0 if it has none.
fn behind_last(batch: &Bytes) -> u64 {
    let Some(header) = BatchHeader::read(batch) else { return 0 };
    match header.count {
        0 => 0,
        count if count == header.span => header.end(),
        _ => batch::plain(batch)
            .map_or(0, |plain| packed_records(&plain).last().map_or(0, |record| record.offset + 1)),
    }
}

pub(super) fn begin(
    number: u32,
    partition: &Partition,
    reading: &Reading,
) -> Result<Cursor, Error> {
    let next = match reading.start {
        Start::Beginning => partition.first,
        Start::End => partition.visible,
        Start::Offset(offset) if (partition.first..=partition.visible).contains(&offset) => offset,
        Start::Offset(offset) => return Err(out_of_range(offset, number, partition)),
        Start::Time(time_ms) => {
            let at = partition.batches.partition_point(|kept| kept.at.time_ms < time_ms);
            let found = partition.batches.get(at).map_or(partition.visible, |kept| kept.at.base);
            found.min(partition.visible)
        }
    };
    let end = if reading.follow || reading.group.is_some() { u64::MAX } else { partition.visible };
    Ok(Cursor { partition: number, next, seen: next, end, generation: 0 })
}

fn out_of_range(offset: u64, number: u32, partition: &Partition) -> Error {
    let detail = format!(
        "offset {offset} is not kept: partition {number} has {} up to {}, where the next record \
         goes",
        partition.first, partition.visible
    );
    Error::new(Kind::OutOfRange, detail)
}
