//! What a reader gets: each offset once and in order, from where it began, without a hole; or it
//! hears why not.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use telpher_proto::base::{
    Error, Id, Kind, Message, Name, Outcome, Reading, Start, StreamRecord, Time,
};

use super::eras::Eras;
use super::streams::{Confirmed, Log, Streams, keeps_enough, key_of};
use super::{Context, Verdict, ensure};
use crate::agenda::Who;
use telpher_proto::base::Durability;

/// How far it is in one partition.
#[derive(Clone, Copy, Debug)]
struct Progress {
    first: u64,
    next: u64,
    time_ms: u64,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub stream: Name,
    reading: Reading,
    started: Time,
    /// The era in which it began, as far as its program knew.
    era: u64,
    /// Since when it is live.
    pub since: Option<Time>,
    progress: BTreeMap<u32, Progress>,
    /// The last offset that it has got of each key.
    keys: BTreeMap<(u32, Vec<u8>), u64>,
}

impl Reader {
    pub fn new(stream: Name, reading: Reading, started: Time, era: u64) -> Reader {
        let (progress, keys) = Default::default();
        Reader { stream, reading, started, era, since: None, progress, keys }
    }

    /// It is live, and goes on with what is appended later.
    pub fn follows(&self) -> bool {
        self.reading.follow && self.reading.group.is_none() && self.since.is_some()
    }

    /// The group that it is a member of.
    pub fn group(&self) -> Option<Name> {
        self.reading.group.clone()
    }

    /// The key that it has stated.
    pub fn key(&self) -> Option<&Bytes> {
        self.reading.key.as_ref()
    }

    /// It has stated no key, or that of this record.
    pub fn wants(&self, message: &Message) -> bool {
        self.reading.key.as_ref().is_none_or(|key| *key == key_of(message))
    }

    fn reads(&self, partition: u32) -> bool {
        self.reading.partition.is_none_or(|one| one == partition)
    }
}

impl Streams {
    /// A record for a reader.
    pub(super) fn read(&mut self, context: &Context, id: Id, record: &StreamRecord) -> Verdict {
        let who = context.at.who;
        let reader = self.readers.get(&(who, id)).ok_or("nobody reads under this id")?;
        let StreamRecord { partition, offset, time_ms, ref message, .. } = *record;
        let stream = reader.stream.clone();
        let era = self.era(context, &stream);
        let number = self.got(&stream, message)?;
        ensure(reader.reads(partition), || "it reads another partition".into())?;
        ensure(reader.wants(message), || "it wants another key".into())?;
        match reader.progress.get(&partition) {
            Some(before) => {
                // Of what is compacted only the latest of each key has to come.
                let is_compact = self.plan(&stream).options.compact;
                let skips =
                    is_compact || self.wants_none(reader, era, partition, before.next..offset);
                let is_next = offset == before.next || (skips && offset > before.next);
                ensure(is_next, || format!("offset {} is the next", before.next))?;
                let later = time_ms >= before.time_ms;
                ensure(later, || format!("the one before it is of {}", before.time_ms))?;
            }
            None => self.may_begin(reader, era, record)?,
        }
        self.place(era, number, (partition, offset), Some(time_ms))?;
        let reader = self.readers.get_mut(&(who, id)).ok_or("it was there")?;
        let begin = Progress { first: offset, next: 0, time_ms };
        let progress = reader.progress.entry(partition).or_insert(begin);
        (progress.next, progress.time_ms) = (offset + 1, time_ms);
        reader.keys.insert((partition, key_of(message)), offset);
        Ok(())
    }

    /// It has stated a key, and none of the records that were confirmed there has that.
    fn wants_none(&self, reader: &Reader, era: u64, partition: u32, at: Range<u64>) -> bool {
        let log = self.logs.get(&(reader.stream.clone(), partition));
        let wanted = log.and_then(|log| {
            let wants =
                |one: &Confirmed| self.message_at(log, one).is_some_and(|m| reader.wants(m));
            log.last(era, |one| at.contains(&one.offset) && wants(one))
        });
        reader.reading.key.is_some() && wanted.is_none()
    }

    /// Its first record of a partition is where it was to begin.
    fn may_begin(&self, reader: &Reader, era: u64, record: &StreamRecord) -> Verdict {
        let plan = self.plan(&reader.stream);
        let StreamRecord { partition, offset, time_ms, .. } = *record;
        let log = self.logs.get(&(reader.stream.clone(), partition));
        let last = log.and_then(|log| log.last(era, |one| one.heard < reader.started));
        match reader.reading.start {
            Start::Beginning => {
                let is_memory = plan.durability() == Durability::Memory;
                let is_whole = !plan.is_limited() && !is_memory && !plan.options.compact;
                let is_oldest = offset == 0 || self.wants_none(reader, era, partition, 0..offset);
                ensure(!is_whole || is_oldest, || "it is not the oldest".into())
            }
            Start::Offset(from) => {
                let skips =
                    plan.options.compact || self.wants_none(reader, era, partition, from..offset);
                let is_there = offset == from || (skips && offset > from);
                ensure(is_there, || format!("it begins at {from}"))
            }
            // What was appended before and could not be read yet comes all the same.
            Start::Time(from) => {
                let is_new = last.is_none_or(|last| last < offset);
                ensure(time_ms >= from || is_new, || format!("it begins at {from} ms"))
            }
            Start::End => ensure(last.is_none_or(|last| last < offset), || {
                format!("offset {last:?} was confirmed before it began at the end")
            }),
        }
    }

    pub(super) fn reader_ended(
        &mut self,
        context: &Context,
        id: Id,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        // What was let go of may end in any way.
        let key = (context.at.who, id);
        let Some(reader) = self.readers.remove(&key) else { return Ok(()) };
        let era = self.era(context, &reader.stream);
        let verdict = match result {
            Ok(_) if reader.reading.follow || reader.group().is_some() => {
                Err("a reader that follows has ended".into())
            }
            Ok(_) => self.is_at_end(&reader, era, reader.started),
            Err(error) if error.kind() == Kind::OutOfRange => self.may_be_out(&reader, era),
            Err(_) => Ok(()),
        };
        self.ended = Some((key, reader));
        verdict
    }

    /// What was to be read is not kept: because of the stream's limits, because it was lost, or
    /// because it was not there yet.
    fn may_be_out(&self, reader: &Reader, era: u64) -> Verdict {
        let plan = self.plan(&reader.stream);
        if plan.is_limited() || era != reader.era {
            return Ok(());
        }
        let is_beyond = |from: u64| {
            let mut numbers = (0..plan.options.partitions.max(1)).filter(|one| reader.reads(*one));
            numbers.any(|number| {
                let log = self.logs.get(&(reader.stream.clone(), number));
                let last = log.and_then(|log| log.last(era, |one| one.heard < reader.started));
                last.is_none_or(|last| last + 1 < from)
            })
        };
        let may = match reader.reading.start {
            Start::Offset(from) => reader.progress.is_empty() && is_beyond(from),
            _ => false,
        };
        // What was in memory begins behind what was there before.
        let is_memory = plan.durability() == Durability::Memory;
        ensure(may || is_memory, || format!("nothing of {} is removed", reader.stream))
    }

    /// It has got what was confirmed before `until` in `era`.
    pub(super) fn is_at_end(&self, reader: &Reader, era: u64, until: Time) -> Verdict {
        let plan = self.plan(&reader.stream);
        for partition in (0..plan.options.partitions.max(1)).filter(|one| reader.reads(*one)) {
            let Some(log) = self.logs.get(&(reader.stream.clone(), partition)) else { continue };
            // What was appended before it was live may be before its beginning.
            let since = match reader.reading.start {
                Start::End => reader.since,
                _ => Some(Time::default()),
            };
            let is_later = |started: Time| since.is_some_and(|since| since < started);
            let wants = |one: &Confirmed| {
                let key = &reader.reading.key;
                key.is_none() || self.message_at(log, one).is_some_and(|m| reader.wants(m))
            };
            let is_due = |one: &Confirmed| one.heard < until && is_later(one.started);
            let Some(last) = log.last(era, |one| is_due(one) && wants(one)) else { continue };
            let is_behind = match (reader.progress.get(&partition), reader.reading.start) {
                (Some(progress), _) => progress.next > last,
                (None, Start::Offset(from)) => from > last,
                (None, Start::Time(_)) => true,
                // Its end was behind what has been lost since.
                (None, Start::End) if era != reader.era => true,
                // What is too old is not there any more, or what was wanted.
                (None, _) if reader.reading.key.is_some() => plan.is_limited(),
                (None, _) => plan.options.age_max_ms > 0,
            };
            ensure(is_behind, || {
                format!("offset {last} of partition {partition} has not come: {reader:?}")
            })?;
            if plan.options.compact && !plan.is_limited() && era == reader.era {
                let wanted =
                    |one: &Confirmed| one.era == era && one.heard < until && is_later(one.started);
                self.has_every_key(reader, partition, log, wanted)?;
            }
        }
        Ok(())
    }

    /// Of each key that was confirmed it has got that record or a later one.
    fn has_every_key(
        &self,
        reader: &Reader,
        partition: u32,
        log: &Log,
        wanted: impl Fn(&Confirmed) -> bool,
    ) -> Verdict {
        let from = match reader.reading.start {
            Start::Offset(from) => from,
            Start::Beginning | Start::End => 0,
            Start::Time(_) => return Ok(()),
        };
        for one in log.confirmed.iter().filter(|one| one.offset >= from && wanted(one)) {
            let message = self.message_at(log, one).filter(|message| reader.wants(message));
            let Some(message) = message else { continue };
            let got = reader.keys.get(&(partition, key_of(message)));
            ensure(got.is_some_and(|got| *got >= one.offset), || {
                format!("the key at offset {} of partition {partition} has not come", one.offset)
            })?;
        }
        Ok(())
    }

    /// The last program has read a stream: everything that was confirmed and is kept is there.
    pub(super) fn read_out(&self, eras: &Eras, who: Who, id: Id) -> Verdict {
        let Some((key, reader)) = &self.ended else { return Err("nobody has read".into()) };
        ensure(*key == (who, id), || "another reader has ended".into())?;
        let plan = self.plan(&reader.stream);
        let era = eras.era_now(plan.durability());
        self.is_at_end(reader, era, Time::from_nanos(u64::MAX))?;
        for progress in reader.progress.values().filter(|_| !plan.options.compact) {
            keeps_enough(plan, progress.first, progress.next)?;
        }
        Ok(())
    }
}
