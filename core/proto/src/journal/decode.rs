//! Bytes to records. A body whose checksum was right and that can't be read all the same was
//! written by a faulty or newer library: that is damage, too, and never a panic.
//!
//! Floor: imports `base`.

use bytes::{Buf, Bytes};

use crate::base::batch::check_stamped;
use crate::base::record::{
    AppendedBatch, AppendedPart, Change, Copies, CopyPlace, DeadTo, Delivered, Failure, GroupState,
    History, Holder, KeptBatch, Listed, ListedMore, Mark, Origin, PartitionState, Place,
    PlaceState, Placed, Process, QueueState, Receipts, Record, Returned, Sent, SessionState,
    Settled, Stored, StreamParts, StreamState, Why,
};
use crate::base::{
    Compression, Durability, Headers, Message, Name, Overflow, Properties, QueueOptions, Receipt,
    StreamOptions,
};
use crate::base::{Trace, Verdict};

/// Reads the body of a frame of `kind`; `None` if it is not one.
pub fn decode(kind: u8, body: Bytes) -> Option<Record> {
    let mut reader = Reader { rest: body };
    let record = reader.record(kind)?;
    reader.rest.is_empty().then_some(record)
}

/// Bytes of a listed message before what only few have.
const LISTED_SIZE: usize = 38;

pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    fn record(&mut self, kind: u8) -> Option<Record> {
        Some(match kind {
            1 => Record::Opened {
                hub: self.array()?,
                epoch: self.u64()?,
                boot: self.array()?,
                time_ms: self.u64()?,
                lost: self.u64()?,
            },
            2 => Record::Closing,
            3 => Record::Closed,
            4 => Record::Queue { change: self.change()?, state: Box::new(self.queue()?) },
            5 => {
                Record::QueueGone { change: self.change()?, queue: self.u64()?, count: self.u64()? }
            }
            6 => Record::Purged { change: self.change()?, queue: self.u64()?, count: self.u64()? },
            7 => Record::Sent { change: self.change()?, sent: self.sent()? },
            8 => Record::Delivered(Delivered {
                queue: self.u64()?,
                sequence: self.u64()?,
                holder: self.holder()?,
            }),
            9 => Record::Settled { change: self.change()?, settled: self.settled()? },
            10 => Record::Returned(self.returned()?),
            11 => self.batch(kind)?,
            12 => Record::Moved(Box::new(self.stored()?)),
            13 => Record::Session(Box::new(self.session()?)),
            14 => Record::SessionGone { session: self.u64()? },
            15 => Record::Freed { through: self.u32()? },
            16 => {
                let (queue, count) = (self.u64()?, self.u32()?);
                let messages = (0..count).map(|_| self.listed()).collect::<Option<_>>()?;
                Record::Listed { queue, messages }
            }
            20 => Record::Bound { change: self.change()?, binding: self.binding()? },
            21 => Record::Unbound { change: self.change()?, binding: self.binding()? },
            24 => self.topic()?,
            25 => Record::TopicGone { change: self.change()?, pattern: self.pattern()? },
            22 | 42 => self.published(kind)?,
            23 | 40 => self.batch(kind)?,
            kind => return self.of_stream(kind),
        })
    }

    /// A record about streams.
    fn of_stream(&mut self, kind: u8) -> Option<Record> {
        Some(match kind {
            32 => Record::Stream { change: self.change()?, state: Box::new(self.stream()?) },
            33 => Record::StreamGone { change: self.change()?, stream: self.u64()? },
            34 => {
                let (change, stream, partition) = (self.change()?, self.u64()?, self.u32()?);
                let batch = std::mem::take(&mut self.rest);
                let header = check_stamped(&batch, (stream, partition))?;
                (header.size as usize == batch.len()).then_some(())?;
                Record::Appended { change, stream, partition, batch }
            }
            35 => {
                Record::Trimmed { stream: self.u64()?, partition: self.u32()?, first: self.u64()? }
            }
            41 => {
                let (stream, partition) = (self.u64()?, self.u32()?);
                Record::Compacted { stream, partition, through: self.u64()? }
            }
            36 => {
                let (stream, partition, count) = (self.u64()?, self.u32()?, self.u32()?);
                let batches = (0..count).map(|_| self.kept()).collect::<Option<_>>()?;
                Record::Kept { stream, partition, batches }
            }
            37 => {
                let (change, stream) = (self.change()?, self.u64()?);
                Record::Group { change, stream, state: Box::new(self.group()?) }
            }
            38 => Record::GroupGone {
                change: self.change()?,
                stream: self.u64()?,
                group: self.u64()?,
            },
            39 => Record::Placed { change: self.change()?, placed: self.placed()? },
            _ => return None,
        })
    }

    fn group(&mut self) -> Option<GroupState> {
        let (id, name, count) = (self.u64()?, self.name()?, self.u32()?);
        let places = (0..count).map(|_| self.place_state()).collect::<Option<_>>()?;
        Some(GroupState { id, name, places })
    }

    fn placed(&mut self) -> Option<Placed> {
        let (stream, group, partition) = (self.u64()?, self.u64()?, self.u32()?);
        Some(Placed { stream, group, partition, state: self.place_state()? })
    }

    fn place_state(&mut self) -> Option<PlaceState> {
        Some(PlaceState { next: self.u64()?, generation: self.u64()? })
    }

    fn stream(&mut self) -> Option<StreamState> {
        let (id, name) = (self.u64()?, self.name()?);
        let durability = Some(self.durability()?);
        let (age_max_ms, bytes_max) = (self.u64()?, self.u64()?);
        let (records_max, tombstone_age_ms, flags) = (self.u64()?, self.u64()?, self.u8()?);
        let (compact, keep_unread) = (flags & 1 != 0, flags & 2 != 0);
        (flags & !3 == 0).then_some(())?;
        let compression = match self.u8()? {
            0 => None,
            number => Some(Compression::from_number(number.into())?),
        };
        let partitions = self.u32()?;
        let options = StreamOptions {
            partitions,
            durability,
            age_max_ms,
            bytes_max,
            records_max,
            compact,
            tombstone_age_ms,
            keep_unread,
            compression,
        };
        let partition = |reader: &mut Self| {
            let (first, next, time_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
            let state = PartitionState { first, next, time_ms, compacted: reader.u64()? };
            (first <= next && state.compacted <= next).then_some(state)
        };
        let partitions = (0..partitions).map(|_| partition(self)).collect::<Option<_>>()?;
        Some(StreamState { id, name, options, partitions })
    }

    fn kept(&mut self) -> Option<KeptBatch> {
        let (base, span, size, time_ms) = (self.u64()?, self.u32()?, self.u32()?, self.u64()?);
        base.checked_add(span.into())?;
        Some(KeptBatch { base, span, size, time_ms, place: self.place()? })
    }

    fn stream_parts(&mut self) -> Option<StreamParts> {
        let (appended, placed) = (self.u32()?, self.u32()?);
        let appended = (0..appended).map(|_| self.appended_part()).collect::<Option<_>>()?;
        let placed = (0..placed).map(|_| self.placed()).collect::<Option<_>>()?;
        Some(StreamParts { appended, placed })
    }

    fn appended_part(&mut self) -> Option<AppendedPart> {
        let (stream, partition, batch) = (self.u64()?, self.u32()?, self.sized()?);
        let header = check_stamped(&batch, (stream, partition))?;
        (header.size as usize == batch.len()).then_some(())?;
        Some(AppendedPart { stream, partition, batch })
    }

    fn published(&mut self, kind: u8) -> Option<Record> {
        let (change, copies) = (self.change()?, self.copies()?);
        let appended = if kind == 42 { self.u32()? } else { 0 };
        let appended = (0..appended).map(|_| self.appended_part()).collect::<Option<_>>()?;
        Some(Record::Published { change, copies, appended })
    }

    fn batch(&mut self, kind: u8) -> Option<Record> {
        let change = self.change()?;
        let (sent, settled) = (self.u32()?, self.u32()?);
        let sent = (0..sent).map(|_| self.sent()).collect::<Option<_>>()?;
        let settled = (0..settled).map(|_| self.settled()).collect::<Option<_>>()?;
        let published = if kind == 11 { 0 } else { self.u32()? };
        let published = (0..published).map(|_| self.copies()).collect::<Option<_>>()?;
        let streams = if kind == 40 { self.stream_parts()? } else { StreamParts::default() };
        Some(Record::Batch { change, sent, settled, published, streams: Box::new(streams) })
    }

    fn copies(&mut self) -> Option<Copies> {
        let (time_ms, count) = (self.u64()?, self.u32()?);
        let place = |reader: &mut Self| {
            let (queue, sequence, message_id) = (reader.u64()?, reader.u64()?, reader.u64()?);
            Some(CopyPlace { queue, sequence, message_id })
        };
        let places = (0..count).map(|_| place(self)).collect::<Option<_>>()?;
        Some(Copies { time_ms, places, message: self.message()? })
    }

    fn take(&mut self, size: usize) -> Option<Bytes> {
        (size <= self.rest.len()).then(|| self.rest.split_to(size))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = *self.rest.first_chunk()?;
        self.rest.advance(N);
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn sized(&mut self) -> Option<Bytes> {
        let size = self.u32()? as usize;
        self.take(size)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.sized()?.to_vec()).ok()
    }

    fn name(&mut self) -> Option<Name> {
        Name::parse(&self.text()?).ok()
    }

    pub(super) fn change(&mut self) -> Option<Option<Change>> {
        let producer = self.u64()?;
        if producer == 0 {
            return Some(None);
        }
        let sequence = self.u64()?;
        let oldest = sequence.checked_sub(self.u16()?.into())?;
        Some(Some(Change { producer, sequence, oldest }))
    }

    fn queue(&mut self) -> Option<QueueState> {
        Some(QueueState {
            id: self.u64()?,
            name: self.name()?,
            options: self.options()?,
            sequence: self.u64()?,
            sent: self.u64()?,
            acknowledged: self.u64()?,
            rejected: self.u64()?,
            requeued: self.u64()?,
            dead_lettered: self.u64()?,
        })
    }

    fn durability(&mut self) -> Option<Durability> {
        match self.u8()? {
            1 => Some(Durability::Memory),
            2 => Some(Durability::Os),
            3 => Some(Durability::Disk),
            _ => None,
        }
    }

    fn options(&mut self) -> Option<QueueOptions> {
        let durability = Some(self.durability()?);
        let overflow = match self.u8()? {
            0 => Overflow::Wait,
            1 => Overflow::Reject,
            _ => return None,
        };
        Some(QueueOptions {
            durability,
            overflow,
            max_attempts: self.u32()?,
            length_max: self.u64()?,
            bytes_max: self.u64()?,
            backoff_min_ms: self.u64()?,
            backoff_max_ms: self.u64()?,
            ack_deadline_ms: self.u64()?,
            ttl_ms: self.u64()?,
            dead_letter: match self.text()? {
                none if none.is_empty() => None,
                name => Some(Name::parse(&name).ok()?),
            },
        })
    }

    fn sent(&mut self) -> Option<Sent> {
        Some(Sent {
            queue: self.u64()?,
            sequence: self.u64()?,
            message_id: self.u64()?,
            time_ms: self.u64()?,
            message: self.message()?,
        })
    }

    fn message(&mut self) -> Option<Message> {
        let size = self.u32()? as usize;
        let flags = self.u8()?;
        let properties = match flags {
            0 => None,
            1 | 3 => Some(Box::new(self.properties(flags == 3)?)),
            _ => return None,
        };
        Some(Message { body: self.take(size)?, properties })
    }

    fn properties(&mut self, traced: bool) -> Option<Properties> {
        let priority = self.u8()?;
        let timestamp_ms = self.u64()?;
        let trace = match traced {
            true => {
                Some(Trace { trace_id: self.array()?, span_id: self.array()?, flags: self.u8()? })
            }
            false => None,
        };
        let key = self.sized()?;
        let headers = Headers::from_encoded(self.sized()?)?;
        Some(Properties { key, headers, priority, trace, timestamp_ms })
    }

    fn holder(&mut self) -> Option<Holder> {
        Some(Holder {
            session: self.u64()?,
            token: self.u64()?,
            id: self.u64()?,
            is_receive: self.flag()?,
        })
    }

    fn settled(&mut self) -> Option<Settled> {
        let (queue, sequence) = (self.u64()?, self.u64()?);
        let verdict = match self.u8()? {
            1 => Verdict::Acknowledge,
            2 => Verdict::Reject,
            3 => Verdict::Requeue,
            4 => Verdict::Release,
            _ => return None,
        };
        let (time_ms, dead) = (self.u64()?, self.dead()?);
        Some(Settled { queue, sequence, verdict, reason: self.text()?, time_ms, dead })
    }

    fn returned(&mut self) -> Option<Returned> {
        Some(Returned {
            queue: self.u64()?,
            sequence: self.u64()?,
            why: self.why()?,
            time_ms: self.u64()?,
            dead: self.dead()?,
        })
    }

    fn why(&mut self) -> Option<Why> {
        let byte = self.u8()?;
        Why::ALL.into_iter().find(|why| *why as u8 == byte)
    }

    fn dead(&mut self) -> Option<Option<DeadTo>> {
        Some(match self.flag()? {
            false => None,
            true => Some(DeadTo { queue: self.u64()?, sequence: self.u64()? }),
        })
    }

    fn stored(&mut self) -> Option<Stored> {
        let sent = self.sent()?;
        let failures = self.u32()?;
        let flags = self.u8().filter(|flags| *flags < 4)?;
        let holder = if self.flag()? { Some(self.holder()?) } else { None };
        let (redelivered, suspect) = (flags & 1 != 0, flags & 2 != 0);
        Some(Stored { sent, failures, redelivered, suspect, holder, history: self.history()? })
    }

    fn listed(&mut self) -> Option<Listed> {
        let fixed = self.array::<LISTED_SIZE>()?;
        let u64_at = |at: usize| fixed[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let u32_at = |at: usize| fixed[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let flags = fixed[37];
        if flags >= 8 {
            return None;
        }
        let more = if flags & 4 != 0 { Some(Box::new(self.listed_more()?)) } else { None };
        Some(Listed {
            sequence: u64_at(0),
            message_id: u64_at(8),
            place: Place { segment: u32_at(16), offset: u32_at(20), size: u32_at(24) },
            bytes: u32_at(28),
            failures: u32_at(32),
            priority: fixed[36],
            redelivered: flags & 1 != 0,
            suspect: flags & 2 != 0,
            more,
        })
    }

    fn listed_more(&mut self) -> Option<ListedMore> {
        let time_ms = self.u64()?;
        let holder = if self.flag()? { Some(self.holder()?) } else { None };
        Some(ListedMore { time_ms, holder, history: self.history()? })
    }

    fn history(&mut self) -> Option<History> {
        let origin = match self.flag()? {
            false => None,
            true => Some(Origin { queue: self.name()?, why: self.why()?, failures: self.u32()? }),
        };
        let count = self.u32()?;
        let failure = |reader: &mut Self| {
            let (time_ms, why) = (reader.u64()?, reader.why()?);
            Some(Failure { time_ms, why, reason: reader.text()? })
        };
        let failures = (0..count).map(|_| failure(self)).collect::<Option<_>>()?;
        Some(History { origin, failures })
    }

    fn session(&mut self) -> Option<SessionState> {
        let (id, token) = (self.u64()?, self.array()?);
        let flags = self.u8().filter(|flags| *flags < 4)?;
        let process = match flags & 2 != 0 {
            true => Some(Process { pid: self.u32()?, started: self.u64()? }),
            false => None,
        };
        let oldest = self.u64()?;
        let count = self.u32()?;
        let mark = |reader: &mut Self| Some((reader.u64()?, reader.mark()?));
        let marks = (0..count).map(|_| mark(self)).collect::<Option<_>>()?;
        Some(SessionState { id, token, local: flags & 1 != 0, process, oldest, marks })
    }

    fn mark(&mut self) -> Option<Mark> {
        Some(match self.u8()? {
            0 => Mark::Empty,
            1 => Mark::Receipt(self.receipt()?),
            2 => Mark::Count(self.u64()?),
            3 => {
                let (first, count) = (self.u64()?, self.u32()?);
                Mark::Receipts(Receipts { first, count, durability: self.durability()? })
            }
            4 => Mark::Stored(self.durability()?),
            5 => {
                let (partition, base) = (self.u32()?, self.u64()?);
                Mark::Appended(AppendedBatch { partition, base, durability: self.durability()? })
            }
            _ => return None,
        })
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place { segment: self.u32()?, offset: self.u32()?, size: self.u32()? })
    }

    fn receipt(&mut self) -> Option<Receipt> {
        Some(Receipt { message_id: self.u64()?, durability: self.durability()? })
    }
}
