//! Tickets: operations that end exactly once.
//!
//! Floor: client.

use super::pending::{OWN_TICKET_FIRST, Pending, Sealed};
use super::{Client, Due};
use crate::base::rising::Rising;
use crate::base::{
    Command, Error, Gathering, Id, Kind, Name, Outcome, Part, Time, Verdict, limits,
};
use crate::wire::{Append, Change, Confirmed, Frame, NameRef};

impl Client {
    pub(super) fn add_ticket(
        &mut self,
        now: Time,
        (id, user): (Id, u64),
        command: Command,
        deadline: Option<Time>,
    ) {
        let mut pending = self.pending.fresh(user, command, (now, deadline));
        if let Command::Append { stream, .. } = &pending.command {
            let stream = stream.clone();
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
        let mut pending = self.pending.fresh(0, command, (now, None));
        pending.sealed = Some(Box::new(sealed));
        let written =
            self.is_open() && self.unwritten.is_empty() && self.write(now, own, &mut pending);
        if !written {
            self.unwritten.insert(own);
        }
        self.pending.insert(own, pending);
    }

    pub(super) fn command_of(&self, id: Id) -> Option<&Command> {
        self.pending.get(id).map(|pending| &pending.command)
    }

    /// Writes what is waiting to be written, as far as the window allows.
    pub(super) fn write_waiting(&mut self, now: Time) {
        while self.is_open()
            && let Some(id) = self.unwritten.first().copied()
        {
            let Some(mut pending) = self.pending.remove(id) else {
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
        if pending.sequence == 0 && pending.is_change() {
            let Some(sequence) = self.next_sequence() else {
                return false;
            };
            pending.sequence = sequence;
            self.changes.insert(sequence, id);
        }
        self.tell_received(now);
        let epoch = self.hub.map_or(0, |hub| hub.epoch);
        let again = pending.note_written(epoch);
        let change = Change {
            producer: self.hub.map_or(0, |hub| hub.session_id),
            sequence: pending.sequence,
            oldest: self.changes.first().unwrap_or(0),
        };
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
        let next = self.sequence + 1;
        let oldest = self.changes.first().unwrap_or(next);
        if next - oldest >= limits::PRODUCER_WINDOW {
            return None;
        }
        self.sequence = next;
        Some(next)
    }

    /// Ends a ticket without the hub's verdict: what was written may have taken effect.
    fn give_up(&mut self, now: Time, id: Id, error: &Error) {
        if let Some(pending) = self.pending.get(id) {
            let batch = self.pending.get(pending.part_of);
            let written = pending.written || batch.is_some_and(|batch| batch.written);
            let error = error.clone().executed(written);
            self.end_ticket(now, id, Err(error));
        }
    }

    /// Ends a ticket. False if there is none with this id.
    pub(super) fn end_ticket(&mut self, now: Time, id: Id, result: Result<Outcome, Error>) -> bool {
        let Some(mut pending) = self.pending.remove(id) else {
            return false;
        };
        if let Some(timer) = pending.timer {
            self.timers.remove(timer);
        }
        if matches!(pending.command, Command::Settle { .. } | Command::Batch { .. }) {
            self.settling_ended(now, &pending, &result);
        }
        if !pending.written {
            self.unwritten.remove(&id);
        }
        if let Some(sealed) = pending.sealed.take() {
            self.sealed_ended(now, (&pending.command, *sealed), &result);
        } else if id >= OWN_TICKET_FIRST
            && let Command::InspectStream { stream } = &pending.command
        {
            self.described(now, stream, &result);
        }
        if !pending.ended {
            self.done(id, pending.user, result);
        }
        let is_change = self.changes.remove(pending.sequence).is_some();
        self.pending.recycle(pending);
        if is_change && !self.unwritten.is_empty() {
            self.write_waiting(now);
        }
        true
    }

    /// What settles deliveries has ended: they are settled, or still held.
    fn settling_ended(&mut self, now: Time, pending: &Pending, result: &Result<Outcome, Error>) {
        let is_refused = !pending.written || is_refused(&pending.command, result);
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
    }

    /// Changes have ended well. One that has ended here before, or is not known, is passed over.
    pub(super) fn handle_confirmed(&mut self, now: Time, confirmed: Confirmed) {
        for (sequence, receipt) in confirmed.each() {
            if let Some(id) = self.changes.get(sequence).copied() {
                self.end_ticket(now, id, Ok(receipt.map_or(Outcome::Empty, Outcome::Receipt)));
            }
        }
    }

    /// Ends a ticket whose answer may still come. That of a settlement is waited for: if it is
    /// refused, the deliveries are still held.
    fn abandon(&mut self, now: Time, id: Id, error: &Error) {
        let Some(pending) = self.pending.get_mut(id) else { return };
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
        let Some(pending) = self.pending.get(id) else {
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
            self.add_ticket(now, (self.own_ticket, 0), command, None);
        }
    }

    /// A ticket's time is over.
    pub(super) fn ticket_due(&mut self, now: Time, id: Id) {
        let Some(pending) = self.pending.get_mut(id) else {
            return;
        };
        pending.timer = None;
        let is_written = pending.written || pending.part_of != 0;
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
            written.map(|(id, pending)| (pending.sequence, id)).collect();
        written.sort_unstable();
        written.into_iter().map(|(_, id)| id).collect()
    }

    /// The session goes on over a new connection: what has no verdict yet is written again.
    pub(super) fn write_again(&mut self, now: Time) {
        for id in self.written_tickets() {
            let Some(mut pending) = self.pending.remove(id) else {
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
        self.changes = Rising::default();
        self.sequence = 0;
    }

    /// Another host goes on with the session: calls and gathers that were written have an unknown
    /// end.
    pub(super) fn end_calls(&mut self, now: Time, error: &Error) {
        for id in self.written_tickets() {
            let command = self.pending.get(id).map(|pending| &pending.command);
            if matches!(command, Some(Command::Call { .. } | Command::Gather { .. })) {
                self.give_up(now, id, error);
            }
        }
    }

    /// Every ticket ends.
    pub(super) fn end_all(&mut self, error: &Error) {
        let all: Vec<Id> = self.pending.iter().map(|(id, _)| id).collect();
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
