//! Streams, as the program's side sees them: records are gathered into batches, and batches
//! unpacked.
//!
//! ```text
//! append -> which partition? -> gathered -> with nothing on its way: sent, as one change
//!           (the hub is asked     ^         otherwise: waits for that, and goes with what follows
//!            how many, once)      +-- so batches grow with the load, without a timer
//! ```
//! A batch is a ticket of the client's own; its end is the end of every record in it.
//!
//! Floor: client.

use std::collections::VecDeque;

use bytes::Bytes;

use super::pending::Sealed;
use super::registrations::Role;
use super::{Client, Map};
use crate::base::batch::{BatchBuilder, BatchHeader, RECORD_COST_MAX, Records};
use crate::base::compression::Compression;
use crate::base::stream::{Start, partition_of};
use crate::base::{
    Appended, Command, Cursor, Error, Event, Id, Kind, Message, Name, Outcome, Reading, Time, What,
    limits,
};

/// What the client knows of a stream.
#[derive(Debug)]
enum Known {
    /// The hub is asked how many partitions it has; these records wait. So many of them did so when
    /// it was asked: what came later may know of a stream that was not there then.
    Asking(usize, Vec<Id>),
    /// It is like this.
    Partitions {
        count: u32,
        /// Records without a key go to this one at present.
        next: u32,
        /// Bytes of a batch, at most: one that a partition does not keep is refused.
        batch_max: usize,
        compression: Option<Compression>,
    },
}

/// Records of one partition that are on their way.
#[derive(Debug, Default)]
struct Appender {
    /// Batches without an answer.
    in_flight: u32,
    /// Records that go with the next one.
    gathered: VecDeque<Id>,
    /// Bytes of these, roughly.
    size: usize,
}

impl Appender {
    /// True if what was gathered is so many times worth a batch of its own.
    fn is_enough(&self, times: usize) -> bool {
        let (records, size) = limits::APPEND_WORTH;
        self.gathered.len() >= records * times || self.size >= size * times
    }

    /// Records of the next batch, at most: with nothing on its way half of what was gathered, so
    /// that the hub soon has something to do.
    fn share(&self) -> usize {
        match self.in_flight == 0 && self.is_enough(2) {
            true => self.gathered.len().div_ceil(2),
            false => self.gathered.len(),
        }
    }
}

/// Everything that is being appended.
#[derive(Debug, Default)]
pub(super) struct Appends {
    known: Map<Name, Known>,
    partitions: Map<(Name, u32), Appender>,
    /// Those that have gathered something since it was last looked.
    dirty: Vec<(Name, u32)>,
}

/// A reader of a stream.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub name: Name,
    pub reading: Reading,
    /// The stream that it reads; 0 until the hub has said so.
    pub stream: u64,
    /// Where it is.
    pub cursors: Vec<Cursor>,
    /// Batches that have arrived: records that the program has not taken, and their bytes.
    untaken: VecDeque<(u32, u64)>,
}

impl Reader {
    pub fn new(name: Name, reading: Reading) -> Reader {
        Reader { name, reading, stream: 0, cursors: Vec::new(), untaken: VecDeque::new() }
    }

    /// Bytes that have arrived and that the program has not taken.
    pub fn held(&self) -> u64 {
        self.untaken.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The program has taken so many records; the bytes that they had on their way.
    fn take(&mut self, mut count: u32) -> u64 {
        let mut taken = 0;
        while count > 0
            && let Some((records, bytes)) = self.untaken.front_mut()
        {
            if count < *records {
                let share = *bytes * u64::from(count) / u64::from(*records);
                (*records, *bytes) = (*records - count, *bytes - share);
                return taken + share;
            }
            count -= *records;
            taken += *bytes;
            self.untaken.pop_front();
        }
        taken
    }
}

impl Client {
    /// A record is to be appended; its ticket is open.
    pub(super) fn gather_record(&mut self, now: Time, id: Id, stream: &Name) {
        match self.appends.known.get_mut(stream) {
            Some(Known::Asking(_, waiting)) => waiting.push(id),
            Some(Known::Partitions { .. }) => self.gather_known(id),
            None => self.ask(now, stream, vec![id]),
        }
    }

    fn ask(&mut self, now: Time, stream: &Name, waiting: Vec<Id>) {
        self.appends.known.insert(stream.clone(), Known::Asking(waiting.len(), waiting));
        self.own_ticket += 1;
        let command = Command::InspectStream { stream: stream.clone() };
        self.add_ticket(now, (self.own_ticket, 0), command, None);
    }

    /// Puts a record to the others of its partition.
    fn gather_known(&mut self, id: Id) {
        let Some(Command::Append { stream, message, partition, expect }) = self.command_of(id)
        else {
            return;
        };
        let Some(Known::Partitions { count, next, .. }) = self.appends.known.get(stream) else {
            return;
        };
        let key = key_of(message);
        let number = match (partition, key.is_empty()) {
            (Some(stated), _) => *stated,
            (None, false) => partition_of(key, *count),
            (None, true) => *next,
        };
        if expect.is_some() && partition.is_none() && key.is_empty() && *count > 1 {
            let detail = format!(
                "an offset is expected, but neither partition nor key is stated, and the stream \
                 {stream:?} has {count} partitions"
            );
            self.end_ticket(Time::default(), id, Err(Error::new(Kind::Invalid, detail)));
            return;
        }
        let (place, size) = ((stream.clone(), number), message.size());
        let appender = self.appends.partitions.entry(place.clone()).or_default();
        if appender.gathered.is_empty() {
            self.appends.dirty.push(place);
        }
        appender.gathered.push_back(id);
        appender.size += size;
    }

    /// The hub has said how many partitions a stream has, or that there is none.
    pub(super) fn described(&mut self, now: Time, stream: &Name, result: &Result<Outcome, Error>) {
        let Some(Known::Asking(asked, mut waiting)) = self.appends.known.remove(stream) else {
            return;
        };
        match result {
            Ok(Outcome::Stream(info)) => {
                let kept = usize::try_from(info.options.bytes_max).unwrap_or(usize::MAX);
                let batch_max = kept.min(limits::APPEND_BATCH_MAX);
                let count = info.options.partitions.max(1);
                let compression = info.options.compression;
                let known = Known::Partitions { count, next: 0, batch_max, compression };
                self.appends.known.insert(stream.clone(), known);
                waiting.into_iter().for_each(|id| self.gather_known(id));
                self.flush(now);
            }
            Ok(_) => {}
            Err(error) => {
                if error.kind() == Kind::NotFound && asked < waiting.len() {
                    self.ask(now, stream, waiting.split_off(asked));
                }
                for id in waiting {
                    self.end_ticket(now, id, Err(error.clone().executed(false)));
                }
            }
        }
    }

    /// Sends of each partition a batch of what was gathered, as far as it need not wait; called
    /// when nothing more is started for now. True if there is more to be sent: once that has been
    /// written the hub works on it, while the next is packed.
    pub fn flush(&mut self, now: Time) -> bool {
        if !self.is_open() {
            return false;
        }
        for place in std::mem::take(&mut self.appends.dirty) {
            if self.send_gathered(now, &place) {
                self.appends.dirty.push(place);
            }
        }
        !self.appends.dirty.is_empty()
    }

    /// Sends a batch of what was gathered for a partition. True if another one may follow.
    fn send_gathered(&mut self, now: Time, place: &(Name, u32)) -> bool {
        self.may_send(place) && self.seal(now, place) && self.may_send(place)
    }

    fn may_send(&self, place: &(Name, u32)) -> bool {
        let appender = self.appends.partitions.get(place);
        appender.is_some_and(|appender| {
            let most = if appender.is_enough(1) { limits::APPENDS_IN_FLIGHT } else { 1 };
            self.is_open() && !appender.gathered.is_empty() && appender.in_flight < most
        })
    }

    /// Packs a batch of what was gathered, and sends it. False if nobody wants it any more, or it
    /// has to wait.
    fn seal(&mut self, now: Time, place: &(Name, u32)) -> bool {
        let known = self.appends.known.get_mut(&place.0);
        let Some(Known::Partitions { count, next, batch_max, compression }) = known else {
            return false;
        };
        let (partitions, rotated, batch_max) = (*count, (*next + 1) % *count, *batch_max);
        let compression = *compression;
        // The next ones without a key go elsewhere.
        if place.1 == *next {
            *next = rotated;
        }
        let Some(appender) = self.appends.partitions.get_mut(place) else { return false };
        let share = appender.share();
        let (mut gathered, mut size) = (std::mem::take(&mut appender.gathered), appender.size);
        let own = self.own_ticket + 1;
        let records_size = size + RECORD_COST_MAX * gathered.len();
        let mut builder = BatchBuilder::with_room(records_size.min(batch_max));
        let (mut tickets, mut deadline) = (Vec::with_capacity(gathered.len()), None);
        let mut expected = None;
        while let Some(id) = gathered.front().copied() {
            let Some(pending) = self.pending.get_mut(id) else {
                gathered.pop_front();
                continue;
            };
            let Command::Append { message, expect, .. } = &pending.command else { break };
            let is_alone = expect.is_some() || expected.is_some();
            let is_full = builder.size() + message.size() + RECORD_COST_MAX > batch_max;
            if !tickets.is_empty() && (is_alone || is_full || tickets.len() == share) {
                break;
            }
            expected = *expect;
            deadline = match tickets.is_empty() {
                true => pending.deadline,
                false => deadline.zip(pending.deadline).map(|(one, other)| one.max(other)),
            };
            builder.push(message);
            size = size.saturating_sub(message.size());
            pending.part_of = own;
            tickets.push(id);
            gathered.pop_front();
        }
        appender.size = if gathered.is_empty() { 0 } else { size };
        appender.gathered = gathered;
        if tickets.is_empty() {
            return false;
        }
        appender.in_flight += 1;
        let sealed = Sealed { tickets, partitions, deadline, bytes: builder.build(compression) };
        let (stream, partition) = (place.0.clone(), Some(place.1));
        let message = Message::default();
        let command = Command::Append { stream, message, partition, expect: expected };
        self.own_ticket = own;
        self.add_sealed(now, own, command, sealed);
        true
    }

    /// The stream is not as it was known: what was gathered for it waits until that was asked
    /// again, in its order.
    fn ask_again(&mut self, now: Time, stream: &Name) {
        self.appends.known.remove(stream);
        let mut gathered = Vec::new();
        for ((of, _), appender) in &mut self.appends.partitions {
            if of == stream {
                appender.size = 0;
                gathered.extend(appender.gathered.drain(..));
            }
        }
        // Ids rise in the order in which the program appends.
        gathered.sort_unstable();
        if !gathered.is_empty() {
            self.ask(now, stream, gathered);
        }
    }

    /// A batch has ended, and every record in it.
    pub(super) fn sealed_ended(
        &mut self,
        now: Time,
        (command, sealed): (&Command, Sealed),
        result: &Result<Outcome, Error>,
    ) {
        let Command::Append { stream, partition, .. } = command else { return };
        for (at, id) in (0..).zip(sealed.tickets) {
            let end = match result {
                Ok(Outcome::Appended(first)) => {
                    Ok(Outcome::Appended(Appended { offset: first.offset + at, ..*first }))
                }
                Ok(_) => Err(Error::new(Kind::Internal, "the hub has confirmed something else")),
                Err(error) => Err(error.clone()),
            };
            self.end_ticket(now, id, end);
        }
        if let Err(error) = result
            && matches!(error.kind(), Kind::NotFound | Kind::Mismatch)
            && let Some(Known::Partitions { .. }) = self.appends.known.get(stream)
        {
            self.ask_again(now, stream);
        }
        let place = (stream.clone(), partition.unwrap_or(0));
        if let Some(appender) = self.appends.partitions.get_mut(&place) {
            appender.in_flight -= 1;
            match appender.gathered.is_empty() {
                true if appender.in_flight == 0 => drop(self.appends.partitions.remove(&place)),
                true => {}
                false if self.is_open() && !self.send_gathered(now, &place) => {}
                false => self.appends.dirty.push(place),
            }
        }
    }

    /// Where a reader is, as the hub sees it: again whenever a group's partitions are spread anew.
    pub(super) fn handle_reading(&mut self, id: Id, stream: u64, cursors: Vec<Cursor>) {
        if let Some(Role::Reader(reader)) = self.role_mut(id)
            && (reader.stream == 0 || reader.reading.group.is_some())
        {
            reader.stream = stream;
            let before = std::mem::replace(&mut reader.cursors, cursors);
            for cursor in &mut reader.cursors {
                let is_same = |known: &&Cursor| {
                    (known.partition, known.generation) == (cursor.partition, cursor.generation)
                };
                // What is on its way has been sent before this, and has come.
                if let Some(known) = before.iter().find(is_same) {
                    (cursor.next, cursor.seen) = (known.next, known.seen);
                }
            }
        }
        self.registration_started(id);
    }

    /// Records for a reader. Those that have come before are passed over.
    pub(super) fn handle_records(&mut self, now: Time, id: Id, partition: u32, batch: &Bytes) {
        let cost = BatchHeader::read(batch).map_or(batch.len() as u64, |header| header.cost());
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let user = registration.user;
        let Role::Reader(reader) = &mut registration.role else { return };
        let cursor = reader.cursors.iter_mut().find(|cursor| cursor.partition == partition);
        let Some(cursor) = cursor else { return self.tell_taken(now, id, cost) };
        let Some(mut records) = Records::new(batch, partition) else {
            return self.end_damaged(now, id, partition);
        };
        let (base, wanted) = (records.header().base, cursor.next..cursor.end);
        let is_gap = base > wanted.start;
        if is_gap && reader.reading.group.is_none() {
            return self.drop_link(now, "the hub passed over records");
        }
        if is_gap {
            let what = What::Skipped { partition, first: wanted.start, last: base - 1 };
            self.events.push_back(Event { id, user, what });
        }
        // What was packed anew may begin before the time that was asked for.
        let since_ms = match (reader.reading.start, &reader.reading.group) {
            (Start::Time(since), None) if since <= records.header().time_ms => since,
            _ => 0,
        };
        let mut count = 0;
        while let Some(record) = records.next_record() {
            let Some(mut record) = record else { return self.end_damaged(now, id, partition) };
            if wanted.contains(&record.offset) && record.time_ms >= since_ms {
                count += 1;
                record.generation = cursor.generation;
                cursor.seen = record.offset + 1;
                self.events.push_back(Event { id, user, what: What::Record(record) });
            }
        }
        cursor.next = cursor.next.max(records.header().end());
        match count {
            0 => self.tell_taken(now, id, cost),
            count => reader.untaken.push_back((count, cost)),
        }
    }

    fn end_damaged(&mut self, now: Time, id: Id, partition: u32) {
        let detail = format!("records of partition {partition} were damaged on their way");
        let error = Error::new(Kind::Corrupt, detail);
        self.push(now, &crate::wire::Frame::Stop { id });
        self.registration_failed(id, &error);
    }

    /// The program has taken records.
    pub(super) fn taken_records(&mut self, now: Time, id: Id, count: u32) {
        if let Some(Role::Reader(reader)) = self.role_mut(id) {
            let bytes = reader.take(count);
            self.tell_taken(now, id, bytes);
        }
    }

    fn tell_taken(&mut self, now: Time, id: Id, bytes: u64) {
        let taken = crate::base::Untaken { count: 0, bytes };
        self.push(now, &crate::wire::Frame::Taken { id, taken });
    }
}

fn key_of(message: &Message) -> &[u8] {
    message.properties.as_ref().map_or(&[], |properties| &properties.key)
}
