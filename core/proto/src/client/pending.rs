//! What has been started and has not ended.
//!
//! Floor: client.

use bytes::Bytes;

use crate::base::rising::Rising;
use crate::base::timers::TimerKey;
use crate::base::{Command, Id, Time, limits};

/// Tickets from here on are the client's own.
pub(super) const OWN_TICKET_FIRST: Id = 1 << 63;

#[derive(Debug)]
pub(super) struct Pending {
    pub user: u64,
    pub command: Command,
    pub started: Time,
    pub deadline: Option<Time>,
    pub timer: Option<TimerKey>,
    /// Its frame has been written to a connection of this session.
    pub written: bool,
    /// The host to which it was first written.
    first_epoch: u64,
    /// Of a change, once it was written; 0 for none.
    pub sequence: u64,
    /// The batch that a record goes with, once it is packed; 0 for none.
    pub part_of: Id,
    /// The records of a batch.
    pub sealed: Option<Box<Sealed>>,
    /// The program has been told its end. The hub's answer tells what has become of deliveries.
    pub ended: bool,
    /// Bytes of answers to a gather that the program has taken.
    pub taken: u64,
}

/// A batch of records that were appended together.
#[derive(Debug)]
pub(super) struct Sealed {
    /// The records' tickets, in order.
    pub tickets: Vec<Id>,
    /// How many partitions the stream is known to have.
    pub partitions: u32,
    /// Until when it may wait in the hub.
    pub deadline: Option<Time>,
    /// The records, packed.
    pub bytes: Bytes,
}

impl Pending {
    fn new(user: u64, command: Command, (started, deadline): (Time, Option<Time>)) -> Pending {
        Pending {
            user,
            command,
            started,
            deadline,
            timer: None,
            written: false,
            first_epoch: 0,
            sequence: 0,
            taken: 0,
            part_of: 0,
            sealed: None,
            ended: false,
        }
    }

    /// When the hub's verdict must have come: a little after the deadline.
    pub fn verdict_due(&self) -> Option<Time> {
        let deadline = self.deadline?;
        let (least, most) = limits::VERDICT_WAIT_MS;
        let span_ms = deadline.since(self.started).as_millis() as u64;
        Some(deadline.plus_ms((span_ms / 50).clamp(least, most)))
    }

    /// It is written to a host of this epoch; returns whether another may have done it before.
    pub fn note_written(&mut self, epoch: u64) -> bool {
        if !std::mem::replace(&mut self.written, true) {
            self.first_epoch = epoch;
        }
        self.first_epoch != epoch
    }

    pub fn is_change(&self) -> bool {
        !matches!(
            self.command,
            Command::Call { .. }
                | Command::Receive { .. }
                | Command::Inspect { .. }
                | Command::Extend { .. }
                | Command::Peek { .. }
                | Command::List { .. }
                | Command::InspectStream { .. }
                | Command::ListStreams { .. }
                | Command::Groups { .. }
                | Command::InspectTopic { .. }
                | Command::ListTopics { .. }
                | Command::Gather { .. }
        )
    }
}

/// Every open ticket by its id. Ids rise, those of the program and the client's own each by
/// themselves. A ticket is large, so each stays in its box, and boxes are used again.
#[derive(Debug, Default)]
pub(super) struct PendingMap {
    programs: Rising<Box<Pending>>,
    own: Rising<Box<Pending>>,
    #[allow(clippy::vec_box, reason = "it is the boxes that are used again")]
    spare: Vec<Box<Pending>>,
}

/// Boxes that are kept to be used again.
const SPARE_MAX: usize = 1_024;

impl PendingMap {
    /// A ticket that is to be inserted.
    pub fn fresh(
        &mut self,
        user: u64,
        command: Command,
        (started, deadline): (Time, Option<Time>),
    ) -> Box<Pending> {
        let pending = Pending::new(user, command, (started, deadline));
        match self.spare.pop() {
            Some(mut spare) => {
                *spare = pending;
                spare
            }
            None => Box::new(pending),
        }
    }

    /// A ticket that was removed is of no more use.
    pub fn recycle(&mut self, mut pending: Box<Pending>) {
        if self.spare.len() < SPARE_MAX {
            pending.command = Command::Credit { consumer: 0, prefetch: 0 };
            pending.sealed = None;
            self.spare.push(pending);
        }
    }

    pub fn insert(&mut self, id: Id, pending: Box<Pending>) {
        self.line_mut(id).insert(id, pending);
    }

    pub fn get(&self, id: Id) -> Option<&Pending> {
        let line = if id < OWN_TICKET_FIRST { &self.programs } else { &self.own };
        line.get(id).map(|pending| &**pending)
    }

    pub fn get_mut(&mut self, id: Id) -> Option<&mut Pending> {
        self.line_mut(id).get_mut(id).map(|pending| &mut **pending)
    }

    pub fn remove(&mut self, id: Id) -> Option<Box<Pending>> {
        self.line_mut(id).remove(id)
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Pending)> {
        let all = self.programs.iter().chain(self.own.iter());
        all.map(|(id, pending)| (id, &**pending))
    }

    fn line_mut(&mut self, id: Id) -> &mut Rising<Box<Pending>> {
        if id < OWN_TICKET_FIRST { &mut self.programs } else { &mut self.own }
    }
}
