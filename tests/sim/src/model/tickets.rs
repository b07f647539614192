//! Every ticket ends exactly once and in time, with an outcome that fits; nothing comes for an id
//! that is unknown or has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use telpher_proto::base::limits;
use telpher_proto::base::{Command, Error, Event, Executed, Id, Kind, Outcome, Time};

use super::{Moment, Start, Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug)]
pub struct Ticket {
    /// What was asked; `None` for opening.
    pub command: Option<Command>,
    pub started: Time,
    user: u64,
    deadline: Option<Time>,
    last: Option<Time>,
    detached: bool,
    ended: bool,
}

#[derive(Debug, Default)]
pub struct Tickets(BTreeMap<(Who, Id), Ticket>);

/// How long a ticket may stay open past its deadline for the hub's verdict.
pub fn verdict_wait(timeout: Duration) -> Duration {
    let (least, most) = limits::VERDICT_WAIT_MS;
    (timeout / 50).clamp(Duration::from_millis(least), Duration::from_millis(most))
}

/// For counting.
pub fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Call { .. } => "call",
        Command::Serve { .. } => "serve",
        Command::Reply { .. } => "reply",
        Command::Declare { .. } => "declare",
        Command::Delete { .. } => "delete",
        Command::Purge { .. } => "purge",
        Command::Inspect { .. } => "inspect",
        Command::Send { .. } => "send",
        Command::Receive { .. } => "receive",
        Command::Consume { .. } => "consume",
        Command::Settle { .. } => "settle",
        Command::Credit { .. } => "credit",
        Command::Batch { .. } => "batch",
        Command::Extend { .. } => "extend",
        Command::Peek { .. } => "peek",
        Command::List { .. } => "list",
        Command::Publish { .. } => "publish",
        Command::Subscribe { .. } => "subscribe",
        Command::DeclareStream { .. } => "declare stream",
        Command::DeleteStream { .. } => "delete stream",
        Command::InspectStream { .. } => "inspect stream",
        Command::ListStreams { .. } => "list streams",
        Command::Append { .. } => "append",
        Command::Read { .. } => "read",
        Command::Commit { .. } => "commit",
        Command::Groups { .. } => "groups",
        Command::ResetGroup { .. } => "reset group",
        Command::DeleteGroup { .. } => "delete group",
        Command::Bind { .. } => "bind",
        Command::Unbind { .. } => "unbind",
        Command::Gather { .. } => "gather",
        Command::DeclareTopic { .. } => "declare topic",
        Command::DeleteTopic { .. } => "delete topic",
        Command::InspectTopic { .. } => "inspect topic",
        Command::ListTopics { .. } => "list topics",
    }
}

impl Tickets {
    pub(super) fn start(&mut self, start: &Start, command: Option<Command>) {
        let last = start.deadline.map(|at| at.plus(verdict_wait(at.since(start.now))));
        let ticket = Ticket {
            command,
            started: start.now,
            user: start.user,
            deadline: start.deadline,
            last,
            detached: false,
            ended: false,
        };
        self.0.insert((start.who, start.id), ticket);
    }

    /// The command of the consumer or service for which something has arrived.
    pub(super) fn live(&self, who: Who, event: &Event) -> Result<&Command, String> {
        let ticket = self.0.get(&(who, event.id)).ok_or("nobody started this id")?;
        ensure(!ticket.ended, || "this id has ended".into())?;
        ensure(ticket.user == event.user, || "this is not the program's number".into())?;
        ticket.command.as_ref().ok_or_else(|| "this id opened the handle".into())
    }

    pub(super) fn end(
        &mut self,
        at: Moment,
        event: &Event,
        result: &Result<Outcome, Error>,
    ) -> Result<&Ticket, String> {
        let ticket = self.0.get_mut(&(at.who, event.id)).ok_or("nobody started this ticket")?;
        ensure(!ticket.ended, || "this ticket has ended before".into())?;
        ensure(ticket.user == event.user, || "this is not the program's number".into())?;
        ticket.ended = true;
        match result {
            Ok(outcome) => {
                ensure(fits(ticket, outcome), || format!("it does not fit {:?}", ticket.command))?;
            }
            Err(error) => {
                known(ticket, error)?;
                late_enough(ticket, error.kind(), at.now)?;
            }
        }
        Ok(ticket)
    }

    /// Cancelling ends a ticket at once.
    pub(super) fn cancelled(&mut self, who: Who, id: Id) -> Verdict {
        self.must_have_ended(who, id, "was cancelled, and has not ended")
    }

    /// Called just after the last moment of a ticket, when its program was driven.
    pub(super) fn overdue(&mut self, now: Time, who: Who, id: Id) -> Verdict {
        let late = |ticket: &Ticket| ticket.last.is_some_and(|last| last < now);
        if self.0.get(&(who, id)).is_some_and(late) {
            return self.must_have_ended(who, id, "is open past its deadline and the verdict wait");
        }
        Ok(())
    }

    fn must_have_ended(&self, who: Who, id: Id, complaint: &str) -> Verdict {
        let Some(ticket) = self.0.get(&(who, id)) else { return Ok(()) };
        let registration = matches!(
            ticket.command,
            Some(
                Command::Serve { .. }
                    | Command::Consume { .. }
                    | Command::Subscribe { .. }
                    | Command::Read { .. }
            )
        );
        ensure(ticket.ended || (ticket.detached && !registration), || {
            format!("ticket {id} of {who:?} {complaint}: {ticket:?}")
        })
    }

    pub(super) fn detach(&mut self, who: Who, id: Id) {
        if let Some(ticket) = self.0.get_mut(&(who, id)) {
            ticket.detached = true;
        }
    }

    /// Closing ends every ticket at once.
    pub(super) fn closed(&self, who: Who) -> Verdict {
        for (of, id) in self.0.range((who, 0)..=(who, Id::MAX)).map(|(key, _)| *key) {
            self.must_have_ended(of, id, "is open though its handle has closed")?;
        }
        Ok(())
    }

    /// Its program was killed.
    pub(super) fn forget(&mut self, who: Who) {
        self.0.retain(|(of, _), _| *of != who);
    }

    pub(super) fn finish(&self) -> Verdict {
        for (who, id) in self.0.keys() {
            self.must_have_ended(*who, *id, "has never ended")?;
        }
        Ok(())
    }
}

fn fits(ticket: &Ticket, outcome: &Outcome) -> bool {
    let Some(command) = &ticket.command else { return matches!(outcome, Outcome::Opened(_)) };
    match command {
        Command::Call { .. } => matches!(outcome, Outcome::Reply(_)),
        Command::Gather { .. } => matches!(outcome, Outcome::Gathered(_)),
        Command::Send { .. } => matches!(outcome, Outcome::Receipt(_)),
        Command::Receive { .. } => matches!(outcome, Outcome::Delivery(_)),
        Command::Delete { .. } | Command::Purge { .. } => matches!(outcome, Outcome::Count(_)),
        Command::Inspect { .. } => matches!(outcome, Outcome::Queue(_)),
        Command::Batch { .. } => matches!(outcome, Outcome::Receipts(_)),
        Command::Peek { .. } => matches!(outcome, Outcome::Peeked(_)),
        Command::List { .. } => matches!(outcome, Outcome::Queues(_)),
        Command::Append { .. } => matches!(outcome, Outcome::Appended(_)),
        Command::InspectStream { .. } => matches!(outcome, Outcome::Stream(_)),
        Command::InspectTopic { .. } => matches!(outcome, Outcome::Topic(_)),
        _ => matches!(outcome, Outcome::Empty),
    }
}

/// An error belongs to its operation, and says of its effect what the table of kinds says.
fn known(ticket: &Ticket, error: &Error) -> Verdict {
    let fitting = ticket.command.as_ref().is_none_or(|command| belongs(command, error.kind()));
    ensure(fitting, || format!("this error does not belong to {:?}", ticket.command))?;
    let table = match error.kind().executed() {
        Executed::Never => !error.maybe_executed(),
        Executed::Maybe => error.maybe_executed(),
        Executed::Depends => true,
    };
    ensure(table, || "the table of kinds says otherwise of maybe_executed".into())
}

fn belongs(command: &Command, kind: Kind) -> bool {
    use Command::{Append, Commit, DeclareStream, InspectStream, Read};
    use Command::{Batch, Bind, Call, Consume, Credit, Declare, Delete, Extend, Gather, Inspect};
    use Command::{DeclareTopic, DeleteTopic, InspectTopic};
    use Command::{Peek, Publish, Purge, Receive, Reply, Send, Settle, Unbind};
    match kind {
        Kind::Closed | Kind::Cancelled | Kind::HostLost | Kind::HostUnresponsive => true,
        Kind::NoHost | Kind::Expired => true,
        Kind::Indeterminate => matches!(command, Publish { .. } | Batch { .. }),
        Kind::NoService | Kind::Busy => matches!(command, Call { .. } | Gather { .. }),
        Kind::TimedOut | Kind::Remote | Kind::Abandoned => matches!(command, Call { .. }),
        Kind::LeaseLost if matches!(command, Read { .. }) => {
            matches!(command, Read { reading, .. } if reading.max_processing_ms > 0)
        }
        Kind::LeaseLost => {
            matches!(command, Settle { .. } | Reply { .. } | Batch { .. } | Extend { .. })
                || matches!(command, Commit { .. })
        }
        Kind::Stale => {
            matches!(command, Settle { .. } | Reply { .. } | Credit { .. } | Batch { .. })
                || matches!(command, Extend { .. } | Commit { .. })
        }
        Kind::Full => {
            matches!(command, Send { .. } | Batch { .. } | Publish { .. } | Append { .. })
        }
        Kind::Mismatch => {
            matches!(command, Declare { .. } | DeclareStream { .. } | DeclareTopic { .. })
        }
        Kind::Conflict => matches!(command, Append { expect: Some(_), .. }),
        Kind::OutOfRange => matches!(command, Read { .. }),
        Kind::Unsupported => matches!(command, Batch { .. }),
        Kind::NoSpace => {
            matches!(command, Send { .. } | Settle { .. } | Batch { .. } | Declare { .. })
                || matches!(command, Publish { .. } | Bind { .. } | DeclareTopic { .. })
                || matches!(command, Append { .. } | DeclareStream { .. })
                || matches!(command, Commit { .. } | Read { .. })
        }
        Kind::NotFound => matches!(
            command,
            DeleteTopic { .. }
                | InspectTopic { .. }
                | Send { .. }
                | Receive { .. }
                | Consume { .. }
                | Credit { .. }
                | Inspect { .. }
                | Purge { .. }
                | Delete { .. }
                | Batch { .. }
                | Peek { .. }
                | Bind { .. }
                | Unbind { .. }
                | Append { .. }
                | Read { .. }
                | InspectStream { .. }
        ),
        _ => false,
    }
}

/// No verdict about time comes before that time.
fn late_enough(ticket: &Ticket, kind: Kind, now: Time) -> Verdict {
    let timed = match kind {
        Kind::Expired | Kind::TimedOut | Kind::HostUnresponsive => true,
        Kind::NoHost => ticket.command.is_none(),
        _ => false,
    };
    let early = ticket.deadline.is_none_or(|deadline| now < deadline);
    ensure(!(timed && early), || format!("its deadline was {:?}, it is {now:?}", ticket.deadline))
}
