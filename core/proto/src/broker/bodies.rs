//! Which messages of queues on disk are in memory, and reading those that are not.
//!
//! ```text
//! waiting:  [ in memory ][ in memory ][ on disk ][ on disk ] ...
//!            what is next is read ahead      beyond the budget only its place is kept
//! ```
//! What is damaged is put aside and never handed out; what the disk just does not give, only for as
//! long as this host lasts.
//!
//! Floor: broker.

use bytes::Bytes;

use super::queues::{Entry, QueueRef};
use super::streams::BatchRef;
use super::{Broker, SessionKey};
use crate::base::batch::BatchHeader;
use crate::base::record::{Copies, Place, Record};
use crate::base::{Error, Kind, Message, Outcome, Peeked, Time, limits};

/// A record that is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// For the answer.
    pub id: u64,
    /// Where it lies.
    pub place: Place,
}

/// What a read has come to.
#[derive(Clone, Copy, Debug)]
pub enum Fetched<'a> {
    /// The record.
    Record(&'a Record),
    /// What lies there is no record.
    Damaged,
    /// The disk did not give it; it may another time.
    Nothing,
}

impl Fetched<'_> {
    /// The message with this id, as a copy of its own.
    fn message(self, message_id: u64) -> Option<Message> {
        match self {
            Fetched::Record(record) => message_in(record, message_id),
            Fetched::Damaged | Fetched::Nothing => None,
        }
    }
}

impl Fetched<'_> {
    /// The batch, as a copy of its own.
    pub(super) fn batch(self, of: BatchRef) -> Option<Bytes> {
        let Fetched::Record(record) = self else { return None };
        let mut batches = record.batches().filter(|(stream, partition, batch)| {
            let base = BatchHeader::read(batch).map(|header| header.base);
            (*stream, *partition, base) == (of.stream.id, of.partition, Some(of.base))
        });
        batches.next().map(|(.., batch)| Bytes::copy_from_slice(batch))
    }
}

/// What is read for.
#[derive(Debug)]
pub(super) enum Reader {
    /// A message that waits.
    Waiting(QueueRef, u64),
    /// One that is held, and is to be handed over again.
    Held(u64),
    /// One that is to be written anew.
    Moving(QueueRef, u64, u64),
    /// A batch of a stream that somebody wants to read.
    Batch(BatchRef),
    /// One that is to be filed.
    Filing(BatchRef),
}

/// A look into a queue that waits for messages to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peek {
    session: SessionKey,
    ticket: u64,
    count: usize,
}

impl Broker {
    /// The next record to be read; then `handle_read`. One that is not written yet has to wait.
    pub fn poll_fetch(&mut self) -> Option<Fetch> {
        let Broker { fetches, unwritten, .. } = self;
        let is_written = |fetch: &Fetch| unwritten.iter().all(|(_, place)| *place != fetch.place);
        let next = fetches.iter().position(is_written)?;
        fetches.remove(next)
    }

    pub(super) fn fetch(&mut self, place: Place, reader: Reader) {
        let id = self.readers.insert(reader) as u64;
        match place.segment {
            0 => self.in_vain.push(id),
            _ => self.fetches.push_back(Fetch { id, place }),
        }
    }

    /// A new message has become visible: beyond the budget its body stays on disk.
    pub(super) fn settle_body(&mut self, key: usize, entry: &mut Entry) {
        if entry.place.segment == 0 {
            return;
        }
        let is_next = self.queues[key].ready == 0;
        if is_next || self.resident + entry.size() <= self.config.resident_max {
            self.resident += entry.size();
        } else {
            entry.message = None;
        }
    }

    /// A message leaves memory with its body.
    pub(super) fn forget_body(&mut self, entry: &Entry) {
        if entry.place.segment != 0 && entry.message.is_some() {
            debug_assert!(self.resident >= entry.size(), "what leaves memory was counted in");
            self.resident = self.resident.saturating_sub(entry.size());
        }
    }

    /// Reads the next messages of a queue, unless that is under way.
    pub(super) fn read_ahead(&mut self, key: usize) {
        if self.queues[key].reads > 0 {
            return;
        }
        let (count, size) = limits::READ_AHEAD;
        self.read_some(key, count, size);
    }

    fn read_some(&mut self, key: usize, count: usize, size_max: u64) {
        let mut size = 0;
        let queue = &self.queues[key];
        let next = queue.waiting().take(count).filter(|entry| entry.message.is_none());
        let next = next.take_while(|entry| {
            size += entry.size();
            size == entry.size() || size <= size_max
        });
        let next: Vec<(u64, Place)> = next.map(|entry| (entry.sequence, entry.place)).collect();
        let reference = self.queue_ref(key);
        self.queues[key].reads += next.len();
        for (sequence, place) in next {
            self.fetch(place, Reader::Waiting(reference, sequence));
        }
    }

    /// Reads a message that is held.
    pub(super) fn read_held(&mut self, token: u64) {
        if let Some(place) = self.held.get(token).map(|held| held.entry.place) {
            self.fetch(place, Reader::Held(token));
        }
    }

    /// A record has been read, or could not be.
    pub fn handle_read(&mut self, now: Time, id: u64, read: Fetched<'_>) {
        let Some(reader) = self.readers.try_remove(id as usize) else { return };
        match reader {
            Reader::Waiting(queue, sequence) => self.waiting_read(now, queue, sequence, read),
            Reader::Held(token) => {
                let Some(held) = self.held.get_mut(token) else { return };
                let message = read.message(held.entry.message_id);
                if message.is_none() {
                    return self.put_held_aside(now, token);
                }
                if held.entry.message.is_none() {
                    self.resident += held.entry.size();
                }
                held.entry.message = message;
                self.send_delivery(now, token);
            }
            Reader::Batch(batch) => self.batch_read(now, batch, read),
            Reader::Filing(batch) => self.filing_read(batch, read),
            Reader::Moving(queue, sequence, message_id) => {
                let message = read.message(message_id);
                let is_lost = message.is_none() && !matches!(read, Fetched::Nothing);
                self.moving_read(queue, sequence, message, is_lost);
            }
        }
    }

    /// A message that was to be handed over again is damaged: nobody holds it any more.
    fn put_held_aside(&mut self, now: Time, token: u64) {
        let Some(held) = self.take_held(token) else { return };
        let (session, registration) = (held.session, held.registration);
        if held.is_receive {
            let error = Error::new(Kind::Corrupt, "the message can't be read from the hub's disk");
            self.result(session, held.id, Err(error));
        }
        if let Some(queue) = self.queue_at(held.queue) {
            queue.damaged.push(held.entry);
        }
        self.release_use(now, registration);
        self.offer_all(now, session);
    }

    fn waiting_read(&mut self, now: Time, queue: QueueRef, sequence: u64, read: Fetched<'_>) {
        let Some(found) = self.queue_at(queue) else { return };
        found.reads -= 1;
        if let Some(entry) = found.find(sequence)
            && entry.message.is_none()
        {
            match read.message(entry.message_id) {
                Some(message) => {
                    entry.message = Some(message);
                    self.resident += self.queues[queue.key].find(sequence).map_or(0, |e| e.size());
                }
                None => {
                    let damaged = found.take(sequence);
                    found.damaged.extend(damaged);
                }
            }
        }
        if self.queues[queue.key].reads == 0 {
            self.peek_again(queue.key);
            self.pump(now, queue.key);
        }
    }

    /// Looks at messages that wait: their copies, or an error.
    pub fn peek(&mut self, session: SessionKey, ticket: u64, name: super::NameId, count: u32) {
        let key = match self.find_queue(name) {
            Ok(key) => key,
            Err(error) => return self.result(session, ticket, Err(error)),
        };
        let count = count.min(limits::PEEK_MAX) as usize;
        self.look(key, Peek { session, ticket, count });
    }

    fn look(&mut self, key: usize, peek: Peek) {
        if let Some(shown) = shown(self.queues[key].waiting().take(peek.count)) {
            return self.result(peek.session, peek.ticket, Ok(Outcome::Peeked(shown)));
        }
        self.queues[key].peeks.push(peek);
        if self.queues[key].reads == 0 {
            self.read_some(key, peek.count, limits::PEEK_SIZE_MAX as u64);
        }
    }

    fn peek_again(&mut self, key: usize) {
        for peek in std::mem::take(&mut self.queues[key].peeks) {
            self.look(key, peek);
        }
    }

    /// The queue goes away: whoever looks at it hears so.
    pub(super) fn end_peeks(&mut self, key: usize, error: &Error) {
        for peek in std::mem::take(&mut self.queues[key].peeks) {
            self.result(peek.session, peek.ticket, Err(error.clone()));
        }
    }

    /// A session ends: it looks at nothing any more.
    pub(super) fn forget_peeks(&mut self, session: SessionKey) {
        for (_, queue) in &mut self.queues {
            queue.peeks.retain(|peek| peek.session != session);
        }
    }
}

/// As many of them as one answer takes, at least one. `None` if one has to be read first.
fn shown<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Vec<Peeked>> {
    let (mut shown, mut size) = (Vec::new(), 0);
    for entry in entries {
        let next = peeked(entry)?;
        size += next.message.size() + PEEKED_SIZE;
        if size > limits::PEEK_SIZE_MAX && !shown.is_empty() {
            break;
        }
        shown.push(next);
    }
    Some(shown)
}

/// Bytes that a message takes in an answer beside what it consists of.
const PEEKED_SIZE: usize = 128;

/// `None` if the message has to be read first.
pub(super) fn peeked(entry: &Entry) -> Option<Peeked> {
    Some(Peeked {
        message_id: entry.message_id,
        failures: entry.failures,
        redelivered: entry.redelivered,
        message: super::returns::as_delivered(entry)?,
    })
}

/// The message with this id in a record, as a copy of its own.
pub(super) fn message_in(record: &Record, message_id: u64) -> Option<Message> {
    let sent = match record {
        Record::Sent { sent, .. } => Some(sent),
        Record::Batch { sent, published, .. } => {
            let copied = published.iter().find_map(|copies| copy_in(copies, message_id));
            if copied.is_some() {
                return copied;
            }
            sent.iter().find(|sent| sent.message_id == message_id)
        }
        Record::Published { copies, .. } => return copy_in(copies, message_id),
        Record::Moved(stored) => Some(&stored.sent),
        _ => None,
    };
    sent.filter(|sent| sent.message_id == message_id).map(|sent| sent.message.to_stored())
}

fn copy_in(copies: &Copies, message_id: u64) -> Option<Message> {
    let is_it = copies.places.iter().any(|place| place.message_id == message_id);
    is_it.then(|| copies.message.to_stored())
}
