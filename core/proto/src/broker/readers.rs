//! Readers of streams: each at its own place in the partitions that it reads.
//!
//! ```text
//! reader: a cursor per partition; in turns: the batch there is in memory -> sent
//!                                           on disk                      -> read, then sent
//!                                           not there yet                -> waits, or is at its end
//! ```
//! As much as fits into the program's buffer is on its way; the program tells what it has taken. Over
//! a new connection it states where it is.
//!
//! Floor: broker.

use bytes::Bytes;

use super::registrations::Role;
use super::streams::{BatchRef, Kept, Partition, StreamRef};
use super::{Broker, Effect, NameId, SessionKey};
use crate::base::stream::Start;
use crate::base::{Cursor, Error, Kind, Reading, limits};

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

/// A cursor, and whether it stands among those that wait for its partition.
#[derive(Debug)]
struct Place {
    cursor: Cursor,
    is_waiting: bool,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub registration: usize,
    stream: StreamRef,
    places: Vec<Place>,
    /// Whose turn it is.
    turn: usize,
    buffer: u64,
    /// Bytes on their way to the program, which it has not taken.
    sent: u64,
    /// The program has said where it is, after its connection was made.
    pub is_live: bool,
}

/// What can be done for a cursor.
enum Step {
    Send(Bytes, u64),
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
        session: SessionKey,
        name: NameId,
        opening: Opening,
    ) -> Result<(), Error> {
        opening.reading.check()?;
        let id = opening.id;
        if self.is_registered(session, id)? {
            // Where it is, is what the program says: of what was sent, some may be lost.
            self.forget_registered(session, id);
        } else if self.sessions[session].repeated.contains(&id) {
            // It has ended, and was said to have, after the program had set out to repeat it.
            return Ok(());
        }
        self.begin_reading(session, name, &opening)?;
        let Some(registration) = self.sessions[session].registrations.get(&id).copied() else {
            return Ok(());
        };
        if let Role::Reader(key) = self.registrations[registration].role {
            let reader = &mut self.streams.readers[key];
            (reader.sent, reader.is_live) = (opening.held, true);
            let stream = reader.stream.id;
            let cursors = reader.places.iter().map(|place| place.cursor).collect();
            self.effects.push_back(Effect::Reading { session, id, stream, cursors });
            self.pump_reader(key);
        }
        Ok(())
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
        let count = found.options.partitions;
        let numbers = match opening.reading.partition {
            Some(one) if one >= count => {
                let detail =
                    format!("partition is {one}; the stream {:?} has {count}, from 0", found.name);
                return Err(Error::new(Kind::Invalid, detail));
            }
            Some(one) => one..one + 1,
            None => 0..count,
        };
        let cursor = |number: u32| {
            let stated = opening.cursors.iter().find(|cursor| cursor.partition == number);
            let partition = &found.partitions[number as usize];
            stated.map_or_else(|| begin(number, partition, &opening.reading), |c| Ok(*c))
        };
        let place = |number| Ok(Place { cursor: cursor(number)?, is_waiting: false });
        let places = numbers.map(place).collect::<Result<Vec<_>, Error>>()?;
        let buffer = match opening.reading.buffer {
            0 => limits::READ_BUFFER_DEFAULT,
            stated => stated,
        };
        let registration = self.registrations.vacant_key();
        let (turn, sent, is_live) = (0, 0, false);
        let buffer = buffer.into();
        let reader = Reader { registration, stream, places, turn, buffer, sent, is_live };
        let key = self.streams.readers.insert(reader);
        self.register_quietly(session, opening.id, Role::Reader(key), 0);
        Ok(())
    }

    /// Sends a reader what it can take.
    pub(super) fn pump_reader(&mut self, key: usize) {
        let mut idle = 0;
        while self.takes_records(key) {
            let reader = &mut self.streams.readers[key];
            let count = reader.places.len();
            let at = reader.turn % count;
            reader.turn = (at + 1) % count;
            match self.step(key, at) {
                Step::Send(bytes, end) => {
                    idle = 0;
                    self.send_records(key, at, (bytes, end));
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

    fn takes_records(&self, key: usize) -> bool {
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
        let Cursor { partition: number, next, end } = place.cursor;
        let Some(found) = all.get_mut(stream.key) else { return Step::Wait };
        let partition = &mut found.partitions[number as usize];
        if next >= end {
            return Step::Done;
        }
        if next < partition.first || next > partition.next {
            return Step::Lost(out_of_range(next, number, partition));
        }
        let kept = partition.batches.get(partition.position(next));
        let kept = kept.filter(|_| next < partition.visible);
        if let Some(bytes) = kept.and_then(|kept| kept.bytes.as_ref()) {
            let end = kept.map_or(next, Kept::end);
            return Step::Send(bytes.clone(), end);
        }
        let base = kept.map(|kept| kept.at.base);
        if !std::mem::replace(&mut place.is_waiting, true) {
            partition.waiting.push(key);
        }
        base.map_or(Step::Wait, |base| Step::Read(BatchRef { stream, partition: number, base }))
    }

    fn send_records(&mut self, key: usize, at: usize, (batch, end): (Bytes, u64)) {
        let size = batch.len() as u64;
        let reader = &mut self.streams.readers[key];
        let partition = reader.places[at].cursor.partition;
        reader.places[at].cursor.next = end;
        reader.sent += size;
        let registration = &self.registrations[reader.registration];
        let (session, id) = (registration.session, registration.id);
        self.sessions[session].outgoing += size;
        self.effects.push_back(Effect::Records { session, id, partition, batch });
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
        if let Some(stream) = self.streams.at(reader.stream) {
            for partition in &mut stream.partitions {
                partition.waiting.retain(|waiting| *waiting != key);
            }
        }
    }

    fn end_reader(&mut self, key: usize, ended: Result<(), Error>) {
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

fn begin(number: u32, partition: &Partition, reading: &Reading) -> Result<Cursor, Error> {
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
    let end = if reading.follow { u64::MAX } else { partition.visible };
    Ok(Cursor { partition: number, next, end })
}

fn out_of_range(offset: u64, number: u32, partition: &Partition) -> Error {
    let detail = format!(
        "offset {offset} is not kept: partition {number} has {} up to {}, where the next record goes",
        partition.first, partition.visible
    );
    Error::new(Kind::OutOfRange, detail)
}
