//! What becomes of each record: what is at an offset stays there and is the same for everybody,
//! what was confirmed is there once, at the offset that was told, and each producer's records are
//! in its order. What a reader gets is in `readers`, and what a member of a group in `members`.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{Appended, Command, Durability, Error, Id, Kind, Message, Name, Outcome};
use telpher_proto::base::{Event, StreamInfo, Time, What};

use super::eras::Eras;
use super::groups::Groups;
use super::readers::Reader;
use super::{Context, Start, Verdict, ensure, number};
use crate::agenda::Who;
use crate::plan::{Plan, StreamPlan, is_bound_stream};

/// What is known of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Confirmed,
    Refused,
    Unknown,
}

/// Where a record was seen last, or confirmed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    era: u64,
    partition: u32,
    offset: u64,
}

#[derive(Debug)]
pub(super) struct Append {
    by: Who,
    pub stream: Name,
    pub message: Message,
    pub partition: Option<u32>,
    expect: Option<u64>,
    pub state: State,
    at: Option<At>,
}

/// What is at an offset.
#[derive(Debug)]
pub(super) struct Slot {
    pub era: u64,
    pub number: u64,
    by: Who,
    time_ms: Option<u64>,
}

/// A confirmed record: when it was appended, when its program heard so, and in which era.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmed {
    pub started: Time,
    pub heard: Time,
    pub era: u64,
    pub offset: u64,
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub slots: BTreeMap<u64, Slot>,
    pub confirmed: Vec<Confirmed>,
}

impl Log {
    /// The last offset that was confirmed in `era`, of those that `which` wants.
    pub fn last(&self, era: u64, which: impl Fn(&Confirmed) -> bool) -> Option<u64> {
        let wanted = self.confirmed.iter().filter(|one| one.era == era && which(one));
        wanted.map(|one| one.offset).max()
    }
}

#[derive(Debug)]
pub struct Streams {
    pub(super) plans: Vec<StreamPlan>,
    directory: bool,
    pub(super) appends: BTreeMap<u64, Append>,
    tickets: BTreeMap<(Who, Id), u64>,
    pub(super) logs: BTreeMap<(Name, u32), Log>,
    /// In which partition the records with a key are.
    keys: BTreeMap<(Name, Vec<u8>), u32>,
    /// When, and in which era, a stream was said to be there.
    declared: BTreeMap<Name, Vec<(Time, u64)>>,
    pub(super) groups: Groups,
    pub(super) readers: BTreeMap<(Who, Id), Reader>,
    /// Who has heard of an append that the stream is not there: what has no key and was not sent
    /// yet then goes to another partition, behind what is there already.
    missed: BTreeSet<(Who, Name)>,
    /// The last reader that has ended.
    pub(super) ended: Option<((Who, Id), Reader)>,
}

impl Streams {
    pub(super) fn new(plan: &Plan) -> Streams {
        Streams {
            plans: plan.streams.clone(),
            directory: plan.directory,
            appends: BTreeMap::new(),
            tickets: BTreeMap::new(),
            logs: BTreeMap::new(),
            keys: BTreeMap::new(),
            declared: BTreeMap::new(),
            groups: Groups::default(),
            readers: BTreeMap::new(),
            missed: BTreeSet::new(),
            ended: None,
        }
    }

    pub(super) fn plan(&self, stream: &Name) -> &StreamPlan {
        let found = self.plans.iter().find(|plan| plan.name == *stream);
        found.expect("only planned streams are used")
    }

    /// What the host that tells this has not survived of the stream's records.
    pub(super) fn era(&self, context: &Context, stream: &Name) -> u64 {
        let epoch = context.sessions.epoch(context.at.who);
        context.eras.era(self.plan(stream).durability(), epoch)
    }

    pub(super) fn start(&mut self, context: &Context, start: &Start, command: &Command) {
        match command {
            of_topics if is_of_topics(of_topics) => {}
            Command::Append { stream, message, partition, expect } => {
                let number = number(&message.body).expect("programs number what they say");
                self.tickets.insert((start.who, start.id), number);
                let append = Append {
                    by: start.who,
                    stream: stream.clone(),
                    message: message.clone(),
                    partition: *partition,
                    expect: *expect,
                    state: State::Open,
                    at: None,
                };
                self.appends.insert(number, append);
            }
            Command::Read { stream, reading } => {
                let era = self.era(context, stream);
                if let Some(group) = reading.group.clone() {
                    self.groups.join(stream.clone(), group, reading.key.clone());
                }
                let reader = Reader::new(stream.clone(), (**reading).clone(), start.now, era);
                self.readers.insert((start.who, start.id), reader);
            }
            Command::Commit { reader, partition, generation, next } => {
                let of = self.readers.get(&(start.who, *reader));
                let group = of.and_then(|of| Some((of.stream.clone(), of.group()?)));
                if let Some(group) = group {
                    let place = (*partition, *generation, *next);
                    self.groups.begin_commit((start.who, start.id), group, place, start.now);
                }
            }
            _ => {}
        }
    }

    pub(super) fn end(
        &mut self,
        context: &Context,
        id: Id,
        (command, started): (&Command, Time),
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        if is_of_topics(command) {
            return Ok(());
        }
        if let Command::Append { stream, .. }
        | Command::Read { stream, .. }
        | Command::InspectStream { stream } = command
            && let Err(error) = result
            && error.kind() == Kind::NotFound
        {
            self.may_be_missing(context, stream, started)?;
        }
        match (command, result) {
            (Command::DeclareStream { stream, .. }, Ok(_)) => {
                let era = self.declared_era(context, stream);
                self.declared.entry(stream.clone()).or_default().push((context.at.now, era));
                Ok(())
            }
            (Command::InspectStream { stream }, Ok(Outcome::Stream(info))) => {
                self.inspected(context, stream, started, info)
            }
            (Command::Append { .. }, _) => self.append_ended(context, (id, started), result),
            (Command::Read { .. }, _) => self.reader_ended(context, id, result),
            (Command::Commit { .. }, _) => self.commit_ended(context, id, result),
            _ => Ok(()),
        }
    }

    /// A declaration survives whoever is killed, and of a stream on disk a power cut as well.
    fn declared_era(&self, context: &Context, stream: &Name) -> u64 {
        let durability = match self.plan(stream).durability() {
            _ if !self.directory => Durability::Memory,
            Durability::Disk => Durability::Disk,
            _ => Durability::Os,
        };
        context.eras.era(durability, context.sessions.epoch(context.at.who))
    }

    fn may_be_missing(&self, context: &Context, stream: &Name, started: Time) -> Verdict {
        let era = self.declared_era(context, stream);
        let mut declared = self.declared.get(stream).into_iter().flatten();
        ensure(!declared.any(|(heard, of)| *heard < started && *of == era), || {
            format!("{stream} was declared before")
        })
    }

    fn append_ended(
        &mut self,
        context: &Context,
        (id, started): (Id, Time),
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let number = self.tickets.remove(&(context.at.who, id)).ok_or("nobody appended this")?;
        let stream = self.appends[&number].stream.clone();
        let era = self.era(context, &stream);
        match result {
            Ok(Outcome::Appended(appended)) => {
                self.fits(&stream, number, appended)?;
                let Appended { partition, offset, .. } = *appended;
                self.place(era, number, (partition, offset), None)?;
                self.append(number).state = State::Confirmed;
                let heard = context.at.now;
                let log = self.logs.entry((stream, partition)).or_default();
                log.confirmed.push(Confirmed { started, heard, era, offset });
                Ok(())
            }
            Err(error) if !error.maybe_executed() => {
                if error.kind() == Kind::NotFound {
                    self.missed.insert((context.at.who, stream));
                }
                let append = self.append(number);
                append.state = State::Refused;
                // What was seen may have been lost since, and its repetition refused.
                ensure(append.at.is_none_or(|at| at.era < era), || {
                    format!("it was read, and is said not to be appended: {append:?}")
                })
            }
            _ => {
                self.append(number).state = State::Unknown;
                Ok(())
            }
        }
    }

    fn append(&mut self, number: u64) -> &mut Append {
        self.appends.get_mut(&number).expect("it was looked up before")
    }

    /// It is where its program wanted it, and as safe.
    fn fits(&mut self, stream: &Name, number: u64, appended: &Appended) -> Verdict {
        let plan = self.plan(stream);
        let (count, durability) = (plan.options.partitions.max(1), plan.durability());
        ensure(appended.durability == durability, || format!("{stream} has {durability:?}"))?;
        let Append { partition, expect, message, .. } = &self.appends[&number];
        let is_there = partition.is_none_or(|stated| stated == appended.partition);
        ensure(is_there && appended.partition < count, || "it is in another partition".into())?;
        let is_expected = expect.is_none_or(|expect| expect == appended.offset);
        ensure(is_expected, || format!("offset {expect:?} was expected"))?;
        let key = key_of(message);
        if key.is_empty() || partition.is_some() {
            return Ok(());
        }
        let known = *self.keys.entry((stream.clone(), key)).or_insert(appended.partition);
        ensure(known == appended.partition, || format!("its key belongs to partition {known}"))
    }

    /// A record that somebody got: whose it is.
    pub(super) fn got(&self, stream: &Name, message: &Message) -> Result<u64, String> {
        let number = number(&message.body).ok_or("nobody has appended this")?;
        let append = self.appends.get(&number).ok_or("nobody has appended this")?;
        let is_same = append.stream == *stream && append.message == *message;
        ensure(is_same, || format!("this is not what was appended: {append:?}"))?;
        let is_wanted = append.state != State::Refused;
        ensure(is_wanted, || format!("it is said not to be appended: {append:?}"))?;
        Ok(number)
    }

    /// What was confirmed to be at an offset.
    pub(super) fn message_at(&self, log: &Log, one: &Confirmed) -> Option<&Message> {
        let slot = log.slots.get(&one.offset).filter(|slot| slot.era == one.era)?;
        Some(&self.appends.get(&slot.number)?.message)
    }

    /// A record is at an offset, says a host of `era`.
    pub(super) fn place(
        &mut self,
        era: u64,
        number: u64,
        (partition, offset): (u32, u64),
        time_ms: Option<u64>,
    ) -> Verdict {
        let append = self.append(number);
        let here = At { era, partition, offset };
        if let Some(at) = append.at {
            let is_same = (at.partition, at.offset) == (partition, offset);
            // What was lost before it was confirmed is appended anew.
            let anew = era > at.era && append.state != State::Confirmed;
            ensure(is_same || anew || era < at.era, || {
                format!("it is at {here:?}, and was before: {append:?}")
            })?;
        }
        if append.at.is_none_or(|at| at.era <= era) {
            append.at = Some(here);
        }
        let (by, stream) = (append.by, append.stream.clone());
        let is_spread = self.missed.contains(&(by, stream.clone()));
        let log = self.logs.entry((stream, partition)).or_default();
        if let Some(slot) = log.slots.get_mut(&offset) {
            if slot.era > era {
                return Ok(());
            }
            ensure(slot.number == number || slot.era < era, || {
                format!("message {} was at this offset: {slot:?}", slot.number)
            })?;
            if slot.number == number && slot.era == era {
                let same_time = slot.time_ms.is_none_or(|at| time_ms.is_none_or(|now| at == now));
                ensure(same_time, || format!("its time was {:?}", slot.time_ms))?;
                slot.time_ms = slot.time_ms.or(time_ms);
                return Ok(());
            }
        }
        log.slots.insert(offset, Slot { era, number, by, time_ms });
        if is_spread { Ok(()) } else { in_order(log, era, by, (number, offset)) }
    }

    fn inspected(
        &self,
        context: &Context,
        stream: &Name,
        started: Time,
        info: &StreamInfo,
    ) -> Verdict {
        let (plan, era) = (self.plan(stream), self.era(context, stream));
        let count = plan.options.partitions.max(1) as usize;
        ensure(info.partitions.len() == count, || format!("it has {count} partitions"))?;
        for (partition, figures) in (0..).zip(&info.partitions) {
            let (first, next) = (figures.first, figures.next);
            ensure(first <= next, || "what is kept ends before it begins".into())?;
            keeps_enough(plan, first, next)?;
            let Some(log) = self.logs.get(&(stream.clone(), partition)) else { continue };
            let last = log.last(era, |one| one.heard < started);
            ensure(last.is_none_or(|last| last < next), || {
                format!("offset {last:?} of partition {partition} was confirmed before")
            })?;
        }
        Ok(())
    }

    /// The offset that a record may get, as far as is known.
    pub(super) fn likely_next(&self, stream: &Name, partition: u32) -> Option<u64> {
        let log = self.logs.get(&(stream.clone(), partition));
        let last = log.and_then(|log| log.slots.last_key_value());
        Some(last.map_or(0, |(offset, _)| offset + 1))
    }

    pub(super) fn take(&mut self, context: &Context, event: &Event) -> Verdict {
        match &event.what {
            What::Started => {
                let reader = self.readers.get_mut(&(context.at.who, event.id));
                reader.ok_or("nobody reads under this id")?.since.get_or_insert(context.at.now);
                Ok(())
            }
            What::Record(record) if record.generation > 0 => {
                self.read_as_member(context, event.id, record)
            }
            What::Record(record) => self.read(context, event.id, record),
            // What a member has missed for the stream's limits is seen from the offsets.
            What::Skipped { .. } => Ok(()),
            _ => Err("this does not come for a reader".into()),
        }
    }

    /// A program is gone, or lets go of one of its ids.
    pub(super) fn detach(&mut self, who: Who, id: Option<Id>) {
        self.readers.retain(|(of, own), _| *of != who || id.is_some_and(|id| id != *own));
    }

    /// Every reader that follows is at the end of what was confirmed.
    pub(super) fn rested(&self, eras: &Eras) -> Verdict {
        for ((who, id), reader) in self.readers.iter().filter(|(_, reader)| reader.follows()) {
            let era = eras.era_now(self.plan(&reader.stream).durability());
            self.is_at_end(reader, era, Time::from_nanos(u64::MAX))
                .map_err(|complaint| format!("reader {id} of {who:?} is silent: {complaint}"))?;
        }
        Ok(())
    }
}

/// True if it is about a stream that only bindings append to.
fn is_of_topics(command: &Command) -> bool {
    matches!(command, Command::Read { stream, .. } | Command::DeclareStream { stream, .. }
        if is_bound_stream(stream))
}

pub(super) fn key_of(message: &Message) -> Vec<u8> {
    message.properties.as_ref().map_or(Vec::new(), |all| all.key.to_vec())
}

/// What one program appends to a partition is there in the order in which it did.
fn in_order(log: &Log, era: u64, by: Who, (number, offset): (u64, u64)) -> Verdict {
    let is_own = |slot: &&Slot| slot.by == by && slot.era == era;
    let mut before = log.slots.range(..offset).rev().map(|(_, slot)| slot);
    let mut after = log.slots.range(offset + 1..).map(|(_, slot)| slot);
    let earlier = before.find(is_own).is_none_or(|slot| slot.number < number);
    let later = after.find(is_own).is_none_or(|slot| slot.number > number);
    ensure(earlier && later, || format!("message {number} is out of its producer's order"))
}

/// Retention leaves what the limits keep.
pub(super) fn keeps_enough(plan: &StreamPlan, first: u64, next: u64) -> Verdict {
    // What was in memory may begin anew, behind everything before.
    if plan.durability() == Durability::Memory {
        return Ok(());
    }
    let options = &plan.options;
    let least = match (options.age_max_ms, options.bytes_max, options.records_max) {
        (0, 0, 0) => next,
        (0, 0, records) => records.min(next),
        _ => 0,
    };
    ensure(next - first >= least, || {
        format!("offsets from {first} up to {next} are kept; it must be {least} of them")
    })
}
