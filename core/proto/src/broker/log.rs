//! What is written down, and what waits for it.
//!
//! ```text
//! change -> record, position N -> applied at once, in memory
//!                              -> told, and a new message visible, when N is as safe as its queue
//!                                 says: now (memory), written (os) or durable (disk)
//! ```
//! What one record brings about may rest on all records before it, since none survives without
//! them. So only what leaves the hub has to wait.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::groups::Assigned;
use super::queues::{Entry, QueueRef};
use super::sessions::{Confirmation, Marked};
use super::streams::BatchRef;
use super::topic_lines::Spreading;
use super::{Broker, Effect, SessionKey};
use crate::base::record::{Place, Position, Record};
use crate::base::{Durability, Time};

/// How safe something must be before it leaves the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Now,
    Written,
    Durable,
}

impl From<Durability> for Level {
    fn from(durability: Durability) -> Level {
        match durability {
            Durability::Memory => Level::Now,
            Durability::Os => Level::Written,
            Durability::Disk => Level::Durable,
        }
    }
}

/// What waits for its position.
#[derive(Debug)]
pub(super) enum Staged {
    /// A change is to be told of.
    Confirm(Confirmation),
    /// A new message is to become visible.
    Arrive(QueueRef, Entry),
    /// Records, up to this offset, are to become visible.
    Visible(BatchRef, u64),
    /// A message that is held is to be handed over.
    Deliver(u64),
    /// A session may be greeted.
    Welcome(SessionRef),
    /// A member of a group is to hear that it reads.
    Live(SessionRef, u64),
    /// What a batch has published is to be given to whoever is subscribed.
    Spread(Box<Spreading>),
    /// A member of a group is to read a partition.
    Assign(Assigned),
}

/// A record on its way to the journal.
#[derive(Debug)]
pub struct Logged {
    /// Its position.
    pub position: Position,
    /// What it says.
    pub record: Record,
    /// Somebody waits for it to be durable.
    pub sync: bool,
}

#[derive(Debug)]
pub(super) struct Log {
    /// A journal takes the records.
    pub is_on: bool,
    position: Position,
    written: Position,
    durable: Position,
    records: VecDeque<Logged>,
    /// What is to be durable: the last position for which that was asked, and whether the journal
    /// is still to be told, since the record had been taken before.
    asked: (Position, bool),
    waiting: [VecDeque<(Position, Staged)>; 2],
}

impl Log {
    pub fn new(is_on: bool) -> Log {
        Log {
            is_on,
            position: 0,
            written: 0,
            durable: 0,
            records: VecDeque::new(),
            asked: (0, false),
            waiting: Default::default(),
        }
    }

    /// Goes on behind what another host has written, all of which is durable by now.
    pub fn begin(&mut self, position: Position) {
        (self.position, self.written, self.durable) = (position, position, position);
    }

    /// Messages on their way to be visible.
    pub fn arriving(&self) -> impl Iterator<Item = (&QueueRef, &Entry)> {
        self.waiting.iter().flatten().filter_map(|(_, staged)| match staged {
            Staged::Arrive(queue, entry) => Some((queue, entry)),
            _ => None,
        })
    }

    fn has_reached(&self, level: Level, position: Position) -> bool {
        match level {
            Level::Now => true,
            Level::Written => position <= self.written,
            Level::Durable => position <= self.durable,
        }
    }

    /// Somebody waits for the last record to be durable, who may not have written it.
    fn ask_for_sync(&mut self) {
        if self.asked.0 < self.position {
            self.asked.0 = self.position;
            match self.records.back_mut() {
                Some(last) => last.sync = true,
                None => self.asked.1 = true,
            }
        }
    }

    fn queue(&mut self, level: Level) -> &mut VecDeque<(Position, Staged)> {
        &mut self.waiting[usize::from(level == Level::Durable)]
    }

    fn next_reached(&mut self, level: Level) -> Option<Staged> {
        let (position, _) = self.queue(level).front()?;
        let position = *position;
        if !self.has_reached(level, position) {
            return None;
        }
        self.queue(level).pop_front().map(|(_, staged)| staged)
    }
}

impl Broker {
    /// The next record for the journal. Tell where it lies by `handle_placed`, before the next.
    pub fn poll_record(&mut self) -> Option<Logged> {
        self.log.records.pop_front()
    }

    /// The record at `position` lies here: so do the messages in it.
    pub fn handle_placed(&mut self, position: Position, place: Place) {
        self.place_moved(position, place);
        self.place_batches(position, place);
        let Broker { log, usage, .. } = self;
        for waiting in &mut log.waiting {
            for (at, staged) in waiting.iter_mut().rev() {
                if *at < position {
                    break;
                }
                if let Staged::Arrive(_, entry) = staged
                    && *at == position
                {
                    entry.place = place;
                    usage.keep(place.segment, entry.size());
                }
            }
        }
    }

    /// True once if the records that were taken are to be made durable as well.
    pub fn poll_sync(&mut self) -> bool {
        std::mem::take(&mut self.log.asked.1)
    }

    /// The journal is written up to one position and durable up to another.
    pub fn handle_log(&mut self, now: Time, written: Position, durable: Position) {
        self.log.written = self.log.written.max(written).min(self.log.position);
        self.log.durable = self.log.durable.max(durable).min(self.log.position);
        while self.unwritten.front().is_some_and(|(position, _)| *position <= self.log.written) {
            self.unwritten.pop_front();
        }
        for level in [Level::Written, Level::Durable] {
            while let Some(staged) = self.log.next_reached(level) {
                self.commit(now, staged);
            }
        }
    }

    /// Writes something down; its position.
    pub(super) fn write(&mut self, level: Level, record: Record) -> Position {
        self.log.position += 1;
        let sync = level == Level::Durable;
        let position = self.log.position;
        self.log.records.push_back(Logged { position, record, sync });
        if sync {
            self.log.asked.0 = position;
        }
        position
    }

    /// Lets something leave the hub as soon as all that was written so far is safe enough.
    pub(super) fn stage(&mut self, now: Time, level: Level, staged: Staged) {
        let position = self.log.position;
        if self.log.has_reached(level, position) {
            return self.commit(now, staged);
        }
        if level == Level::Durable {
            self.log.ask_for_sync();
        }
        self.log.queue(level).push_back((position, staged));
    }

    /// Tells a member what it has got, as soon as that is written: the next host would give the
    /// same generation to it or to another one. False if it waits for that.
    pub(super) fn stage_assigned(&mut self, assigned: Assigned) -> bool {
        let position = self.log.position;
        if self.log.has_reached(Level::Written, position) {
            return self.assign(assigned);
        }
        self.log.queue(Level::Written).push_back((position, Staged::Assign(assigned)));
        false
    }

    fn commit(&mut self, now: Time, staged: Staged) {
        match staged {
            Staged::Confirm(confirmation) => self.confirm(confirmation),
            Staged::Arrive(queue, entry) => self.arrive(now, queue, entry),
            Staged::Visible(batch, end) => self.become_visible(now, batch, end),
            Staged::Deliver(token) => self.send_delivery(now, token),
            Staged::Assign(assigned) => {
                let key = assigned.member;
                if self.assign(assigned) {
                    self.tell_reading(key);
                    self.pump_reader(key);
                }
            }
            Staged::Spread(published) => self.spread_reserved(&published),
            Staged::Live(session, id) => self.go_live(session, id),
            Staged::Welcome(session) => {
                let key = session.key;
                if self.sessions.get_mut(session).is_some_and(|session| session.linked()) {
                    self.effects.push_back(Effect::Welcome { session: key });
                }
            }
        }
    }

    /// A change is done: its outcome is remembered, and told to its session if that is there.
    pub(super) fn confirm(&mut self, confirmation: Confirmation) {
        let Confirmation { change, outcome } = confirmation;
        let Some(session) = self.sessions.get_mut(change.session) else {
            return;
        };
        if let Ok(mark) = session.marks.entry(change.numbers.sequence) {
            *mark = Some(Marked::Done(outcome.clone()));
        }
        self.result(change.session.key, change.ticket, Ok(outcome.into()));
    }

    /// A change was refused after all: it leaves no mark.
    pub(super) fn refuse(&mut self, change: super::ChangeRef, error: crate::base::Error) {
        let Some(session) = self.sessions.get_mut(change.session) else {
            return;
        };
        if let Ok(mark) = session.marks.entry(change.numbers.sequence) {
            *mark = None;
        }
        self.result(change.session.key, change.ticket, Err(error));
    }
}

/// A session that may have ended since: the key alone could name its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRef {
    pub(super) key: SessionKey,
    pub(super) id: super::SessionId,
}

/// Messages that lie in the journal's segments, as it changes.
#[derive(Debug, Default)]
pub(super) struct Usage(VecDeque<Used>);

/// More messages, or fewer, lie in a segment and are needed.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// The segment.
    pub segment: u32,
    /// How many messages.
    pub count: u64,
    /// Their bytes.
    pub size: u64,
    /// So many more, or so many less.
    pub more: bool,
}

impl Usage {
    pub fn keep(&mut self, segment: u32, size: u64) {
        self.note(Used { segment, count: 1, size, more: true });
    }

    pub fn release(&mut self, segment: u32, size: u64) {
        self.note(Used { segment, count: 1, size, more: false });
    }

    fn note(&mut self, used: Used) {
        if used.segment == 0 {
            return;
        }
        match self.0.back_mut() {
            Some(last) if (last.segment, last.more) == (used.segment, used.more) => {
                last.count += used.count;
                last.size += used.size;
            }
            _ => self.0.push_back(used),
        }
    }
}

impl Broker {
    /// How what is needed of the journal's segments has changed, in order.
    pub fn poll_usage(&mut self) -> Option<Used> {
        self.usage.0.pop_front()
    }
}
