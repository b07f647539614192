//! Tickets: operations that end exactly once.
//!
//! Floor: client.

use super::{Client, Due};
use bytes::Bytes;

use crate::base::timers::TimerKey;
use crate::base::{Command, Error, Id, Kind, Name, Outcome, Part, Time};
use crate::base::{Gathering, Verdict, limits};
use crate::wire::{Append, Change, Frame, NameRef};

/// Tickets from here on are the client's own.
pub(super) const OWN_TICKET_FIRST: Id = 1 << 63;

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) user: u64,
    pub(super) command: Command,
    started: Time,
    pub deadline: Option<Time>,
    timer: Option<TimerKey>,
    /// Its frame has been written to a connection of this session.
    written: bool,
    /// The host to which it was first written.
    first_epoch: Option<u64>,
    sequence: Option<u64>,
    /// A record goes with this batch; 0 until it is packed.
    pub part_of: Option<Id>,
    /// The records of a batch.
    sealed: Option<Box<Sealed>>,
    /// The program has been told its end. The hub's answer tells what has become of deliveries.
    pub(super) ended: bool,
    /// Bytes of answers to a gather that the program has taken.
    pub(super) taken: u64,
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
            first_epoch: None,
            sequence: None,
            taken: 0,
            part_of: None,
            sealed: None,
            ended: false,
        }
    }

    /// When the hub's verdict must have come: a little after the deadline.
    fn verdict_due(&self) -> Option<Time> {
        let deadline = self.deadline?;
        let (least, most) = limits::VERDICT_WAIT_MS;
        let span_ms = deadline.since(self.started).as_millis() as u64;
        Some(deadline.plus_ms((span_ms / 50).clamp(least, most)))
    }

    fn is_change(&self) -> bool {
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

impl Client {
    pub(super) fn add_ticket(
        &mut self,
        now: Time,
        id: Id,
        user: u64,
        (command, deadline): (Command, Option<Time>),
    ) {
        let mut pending = Pending::new(user, command, (now, deadline));
        if let Command::Append { stream, .. } = &pending.command {
            let stream = stream.clone();
            pending.part_of = Some(0);
            pending.timer = deadline.map(|at| self.timers.insert(at, Due::Ticket(id)));
            self.pending.insert(id, pending);
            return self.gather_record(now, id, &stream);
        }
        let written =
            self.is_open() && self.unwritten.is_empty() && self.write(now, id, &mut pending);
        if !written {
            self.unwritten.insert(id);
        }
        // What is not written yet ends at its deadline; what is, when the verdict is overdue.
        let due = if written { pending.verdict_due() } else { deadline };
        pending.timer = due.map(|at| self.timers.insert(at, Due::Ticket(id)));
        self.pending.insert(id, pending);
    }

    /// A batch has been packed.
    pub(super) fn add_sealed(&mut self, now: Time, own: Id, command: Command, sealed: Sealed) {
        let mut pending = Pending::new(0, command, (now, None));
        pending.sealed = Some(Box::new(sealed));
        let written =
            self.is_open() && self.unwritten.is_empty() && self.write(now, own, &mut pending);
        if !written {
            self.unwritten.insert(own);
        }
        self.pending.insert(own, pending);
    }

    pub(super) fn command_of(&self, id: Id) -> Option<&Command> {
        self.pending.get(&id).map(|pending| &pending.command)
    }

    /// Writes what is waiting to be written, as far as the window allows.
    pub(super) fn write_waiting(&mut self, now: Time) {
        while self.is_open()
            && let Some(id) = self.unwritten.first().copied()
        {
            let Some(mut pending) = self.pending.remove(&id) else {
                self.unwritten.remove(&id);
                continue;
            };
            let written = self.write(now, id, &mut pending);
            self.pending.insert(id, pending);
            if !written {
                return;
            }
            self.unwritten.remove(&id);
        }
    }

    /// Writes one operation; false if the window has no room for it.
    fn write(&mut self, now: Time, id: Id, pending: &mut Pending) -> bool {
        if pending.is_change() && pending.sequence.is_none() {
            let Some(sequence) = self.next_sequence() else {
                return false;
            };
            pending.sequence = Some(sequence);
            self.changes.push_back((sequence, id));
        }
        self.tell_received(now);
        pending.written = true;
        let change = Change {
            producer: self.hub.map_or(0, |hub| hub.session_id),
            sequence: pending.sequence.unwrap_or(0),
            oldest: self.changes.front().map_or(0, |(oldest, _)| *oldest),
        };
        let epoch = self.hub.map_or(0, |hub| hub.epoch);
        let again = *pending.first_epoch.get_or_insert(epoch) != epoch;
        let clock = self.clock(now);
        match &pending.command {
            Command::Call { service, message } => {
                let name = self.name_ref(now, service);
                self.outbox.push_call((id, name), pending.deadline, message, clock);
            }
            Command::Send { queue, message } => {
                let name = self.name_ref(now, queue);
                let deadline = pending.deadline;
                self.outbox.push_send((id, &change, name), deadline, message, clock);
            }
            Command::Append { stream, partition, expect, .. } => {
                let Some(sealed) = pending.sealed.as_deref() else { return true };
                let name = self.name_ref(now, stream);
                let append = Append {
                    deadline: sealed.deadline,
                    partition: partition.unwrap_or(0),
                    partitions: sealed.partitions,
                    expect: *expect,
                    batch: sealed.bytes.clone(),
                };
                let append = Box::new(append);
                self.outbox.push(&Frame::Append { ticket: id, change, name, append }, clock);
            }
            Command::Publish { topic, message } => {
                let deadline = pending.deadline;
                self.outbox.push_publish((id, &change, topic), (deadline, again), message, clock);
            }
            Command::Gather { to, message, count } => {
                let (to, message) = (to.clone(), message.clone());
                let (count, taken, deadline) = (*count, pending.taken, pending.deadline);
                let gathering = Gathering { to, count, taken, deadline, message };
                self.outbox.push(&Frame::Gather { ticket: id, gathering }, clock);
            }
            command => {
                let frame = self.frame(now, id, command, (change, pending.deadline, again));
                self.outbox.push(&frame, clock);
            }
        }
        true
    }

    /// The name's number on this connection; tells the hub of it first if need be.
    pub(super) fn name_ref(&mut self, now: Time, name: &Name) -> NameRef {
        let (name_ref, new) = self.names.number(name);
        if new {
            self.outbox.push(&Frame::Open { name_ref, name: name.clone() }, self.clock(now));
        }
        name_ref
    }

    /// The next sequence, if the window has room for it.
    fn next_sequence(&mut self) -> Option<u64> {
        self.forget_ended_changes();
        let next = self.sequence + 1;
        let oldest = self.changes.front().map_or(next, |(oldest, _)| *oldest);
        if next - oldest >= limits::PRODUCER_WINDOW {
            return None;
        }
        self.sequence = next;
        Some(next)
    }

    fn forget_ended_changes(&mut self) {
        while let Some((sequence, id)) = self.changes.front()
            && self.pending.get(id).is_none_or(|pending| pending.sequence != Some(*sequence))
        {
            self.changes.pop_front();
        }
    }

    /// Ends a ticket without the hub's verdict: what was written may have taken effect.
    fn give_up(&mut self, now: Time, id: Id, error: &Error) {
        if let Some(pending) = self.pending.get(&id) {
            let batch = pending.part_of.and_then(|batch| self.pending.get(&batch));
            let written = pending.written || batch.is_some_and(|batch| batch.written);
            let error = error.clone().executed(written);
            self.end_ticket(now, id, Err(error));
        }
    }

    /// Ends a ticket. False if there is none with this id.
    pub(super) fn end_ticket(&mut self, now: Time, id: Id, result: Result<Outcome, Error>) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        if let Some(timer) = pending.timer {
            self.timers.remove(timer);
        }
        let is_refused = !pending.written || is_refused(&pending.command, &result);
        for delivery in settled_by(&pending.command) {
            match is_refused {
                true => self.held.undo_settle(delivery),
                false => self.held.remove(delivery),
            }
            if is_refused && pending.ended {
                // The program was told that it may be settled, and does no more about it.
                self.release_own(now, delivery);
            }
        }
        if !pending.written {
            self.unwritten.remove(&id);
        }
        if let Some(sealed) = pending.sealed {
            self.sealed_ended(now, (&pending.command, *sealed), &result);
        } else if id >= OWN_TICKET_FIRST
            && let Command::InspectStream { stream } = &pending.command
        {
            self.described(now, stream, &result);
        }
        if !pending.ended {
            self.done(id, pending.user, result);
        }
        if pending.sequence.is_some() && !self.unwritten.is_empty() {
            self.write_waiting(now);
        }
        true
    }

    /// Ends a ticket whose answer may still come. That of a settlement is waited for: if it is
    /// refused, the deliveries are still held.
    fn abandon(&mut self, now: Time, id: Id, error: &Error) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        if !pending.written || settled_by(&pending.command).next().is_none() {
            return self.give_up(now, id, error);
        }
        if let Some(timer) = pending.timer.take() {
            self.timers.remove(timer);
        }
        if !std::mem::replace(&mut pending.ended, true) {
            let user = pending.user;
            self.done(id, user, Err(error.clone().executed(true)));
        }
    }

    /// The program wants the ticket to end.
    pub fn cancel(&mut self, now: Time, id: Id) {
        let Some(pending) = self.pending.get(&id) else {
            return self.cancel_answer(id);
        };
        if pending.written {
            self.push(now, &Frame::Cancel { ticket: id });
        }
        self.abandon(now, id, &Error::new(Kind::Cancelled, "cancelled by the program"));
    }

    /// Settles a delivery that the program is never to see.
    pub(super) fn release_own(&mut self, now: Time, delivery: u64) {
        self.own_ticket += 1;
        let (verdict, reason) = (Verdict::Release, String::new());
        let command = Command::Settle { delivery, verdict, reason };
        if self.held.begin_settle(delivery, self.hub).is_ok() {
            self.add_ticket(now, self.own_ticket, 0, (command, None));
        }
    }

    /// A ticket's time is over.
    pub(super) fn ticket_due(&mut self, now: Time, id: Id) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        pending.timer = None;
        let batch = pending.part_of.filter(|batch| *batch != 0);
        let is_written = pending.written || batch.is_some();
        if !is_written {
            let detail = "the time ran out before the operation could be sent to the hub";
            return self.give_up(now, id, &Error::new(Kind::Expired, detail));
        }
        if let Some(due) = pending.verdict_due().filter(|due| *due > now) {
            pending.timer = Some(self.timers.insert(due, Due::Ticket(id)));
            return;
        }
        let error = if self.is_open() {
            "the hub gave no verdict by the deadline"
        } else {
            "the connection to the hub was not back by the deadline"
        };
        self.abandon(now, id, &Error::new(Kind::HostUnresponsive, error));
    }

    /// Ids of tickets that have been written, in the order to be written again.
    pub(super) fn written_tickets(&self) -> Vec<Id> {
        let written = self.pending.iter().filter(|(_, pending)| pending.written);
        let mut written: Vec<(u64, Id)> =
            written.map(|(id, pending)| (pending.sequence.unwrap_or(0), *id)).collect();
        written.sort_unstable();
        written.into_iter().map(|(_, id)| id).collect()
    }

    /// The session goes on over a new connection: what has no verdict yet is written again.
    pub(super) fn write_again(&mut self, now: Time) {
        for id in self.written_tickets() {
            let Some(mut pending) = self.pending.remove(&id) else {
                continue;
            };
            self.write(now, id, &mut pending);
            self.pending.insert(id, pending);
        }
    }

    /// The session is gone: what was written has an unknown end.
    pub(super) fn end_written(&mut self, now: Time, error: &Error) {
        for id in self.written_tickets() {
            self.give_up(now, id, error);
        }
        self.changes.clear();
        self.sequence = 0;
    }

    /// Another host goes on with the session: calls and gathers that were written have an unknown
    /// end.
    pub(super) fn end_calls(&mut self, now: Time, error: &Error) {
        for id in self.written_tickets() {
            let command = self.pending.get(&id).map(|pending| &pending.command);
            if matches!(command, Some(Command::Call { .. } | Command::Gather { .. })) {
                self.give_up(now, id, error);
            }
        }
    }

    /// Every ticket ends.
    pub(super) fn end_all(&mut self, error: &Error) {
        let mut all: Vec<Id> = self.pending.keys().copied().collect();
        all.sort_unstable();
        for id in all {
            self.give_up(Time::default(), id, error);
        }
    }
}

/// Deliveries on which a command gives a verdict.
pub(super) fn settled_by(command: &Command) -> impl Iterator<Item = u64> {
    let (one, several) = match command {
        Command::Settle { delivery, .. } => (Some(*delivery), &[][..]),
        Command::Batch { parts } => (None, &parts[..]),
        _ => (None, &[][..]),
    };
    let several = several.iter().filter_map(|part| match part {
        Part::Settle { delivery, .. } => Some(*delivery),
        Part::Send { .. } | Part::Publish { .. } | Part::Append { .. } | Part::Commit { .. } => {
            None
        }
    });
    one.into_iter().chain(several)
}

/// Why a command can't settle a delivery; of a batch, with the part that was to do it.
pub(super) fn of_part(command: &Command, delivery: u64, error: Error) -> Error {
    let Command::Batch { parts } = command else { return error };
    let is_it = |part: &Part| matches!(part, Part::Settle { delivery: of, .. } if *of == delivery);
    // Of one that is settled twice, it is the second that is wrong.
    let at = parts.iter().rposition(is_it).unwrap_or(0);
    Error::new(error.kind(), format!("part {at} of the batch: {}", error.detail()))
}

/// True if nothing took effect, and what was to be settled is still held.
fn is_refused(command: &Command, result: &Result<Outcome, Error>) -> bool {
    let Err(error) = result else { return false };
    let is_void = matches!(error.kind(), Kind::Stale | Kind::LeaseLost);
    !error.maybe_executed() && (!is_void || matches!(command, Command::Batch { .. }))
}
