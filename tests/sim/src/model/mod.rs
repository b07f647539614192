//! What must be true, seen from the programs' side alone.
//!
//! The model hears what programs start, what they are told, and which faults struck. It shares no
//! code with the machines: it remembers what was said and complains about what cannot be.
//!
//! ```text
//! tickets   every ticket ends exactly once and in time; nothing comes for an unknown id
//! sessions  whom the hub may have given up, and which host each program has reached
//! eras      which hosts there were, and what each end of one leaves
//! queues    nothing confirmed is lost, stored twice, held twice or taken twice; order
//!           (body, holds, batches, letters, fate: one message, who holds it, what goes together,
//!           dead letters, and what becomes of all that when a host ends and in the end)
//! calls     a handler runs at most once, and the answer is its answer
//! streams   what is at an offset stays there and is the same for all; what was confirmed is there
//!           once; a reader gets each offset once, in order, or hears why not
//! gathers   each is asked at most once, every answer comes once and with its name, and the
//!           summary adds up
//! topics    what a subscriber hears was published, once, in order, with no hole untold
//! bindings  what is published is once wherever its topic is bound
//! ```

mod batches;
mod bindings;
mod body;
mod calls;
mod declared;
mod deliveries;
mod eras;
mod fate;
mod gathers;
mod groups;
mod holds;
mod letters;
mod members;
mod queues;
mod readers;
mod sessions;
mod streams;
mod tickets;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use telpher_proto::base::{Command, Error, Event, Id, Name, Notice, Outcome, QueueInfo, Time};
use telpher_proto::base::{Durability, Published, What};

use crate::agenda::Who;
use crate::plan::{Plan, is_bound_queue, is_bound_stream};
use bindings::Bindings;
use calls::Calls;
use eras::Eras;
use queues::Queues;
use sessions::Sessions;
use streams::Streams;
use tickets::Tickets;
use topics::Topics;

pub use body::number;
pub use eras::HostEnd;
pub use tickets::verdict_wait;

/// What is wrong, if anything is.
type Verdict = Result<(), String>;

/// Complains unless `good`.
fn ensure(good: bool, complaint: impl FnOnce() -> String) -> Verdict {
    if good { Ok(()) } else { Err(complaint()) }
}

/// An operation as its program starts it, in the world's time.
#[derive(Clone, Debug)]
pub struct Start {
    /// Who starts it.
    pub who: Who,
    /// Its ticket.
    pub id: Id,
    /// The program's own number.
    pub user: u64,
    /// When.
    pub now: Time,
    /// Its deadline.
    pub deadline: Option<Time>,
}

/// Something happens to a program.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Time,
    who: Who,
    /// The hub still has the connection over which it is told.
    linked: bool,
}

/// When and to whom something happens, and what is known of sessions.
#[derive(Clone, Copy, Debug)]
struct Context<'a> {
    at: Moment,
    sessions: &'a Sessions,
    eras: &'a Eras,
}

/// The model.
#[derive(Debug)]
pub struct Model {
    violation: Option<String>,
    directory: bool,
    removes: bool,
    /// When a program first heard that a queue in memory was declared.
    memory_declared: Option<Time>,
    eras: Eras,
    sessions: Sessions,
    tickets: Tickets,
    queues: Queues,
    calls: Calls,
    topics: Topics,
    bindings: Bindings,
    streams: Streams,
    counts: BTreeMap<String, u64>,
}

impl Model {
    /// Knows nothing yet but how the queues are to be.
    pub fn new(plan: &Plan) -> Model {
        Model {
            violation: None,
            directory: plan.directory,
            removes: plan.removes(),
            memory_declared: None,
            eras: Eras::default(),
            sessions: Sessions::default(),
            tickets: Tickets::default(),
            queues: Queues::new(plan),
            calls: Calls::default(),
            topics: Topics::new(plan.directory, plan.declares),
            bindings: Bindings::default(),
            streams: Streams::new(plan),
            counts: BTreeMap::new(),
        }
    }

    /// The first thing that was wrong.
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// How often each kind of thing has happened.
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Something was wrong.
    pub fn complain(&mut self, complaint: String) {
        self.violation.get_or_insert(complaint);
    }

    fn judge(&mut self, verdict: Verdict) {
        if let Err(complaint) = verdict {
            self.complain(complaint);
        }
    }

    /// A program opens its handle.
    pub fn opened(&mut self, start: &Start, local: bool) {
        self.sessions.open(start.who, local);
        self.tickets.start(start, None);
    }

    /// A program starts an operation.
    pub fn started(&mut self, start: &Start, command: &Command) {
        self.tickets.start(start, Some(command.clone()));
        let at = Moment { now: start.now, who: start.who, linked: false };
        let context = Context { at, sessions: &self.sessions, eras: &self.eras };
        self.queues.start(&context, start, command);
        self.calls.start(start, command);
        self.topics.start(start, command, self.sessions.epoch(start.who));
        self.bindings.start(start, command);
        self.streams.start(&context, start, command);
    }

    /// A program hears something; `linked` if the hub still has the connection that told it.
    pub fn event(&mut self, now: Time, who: Who, linked: bool, event: &Event) {
        let verdict = self.take(Moment { now, who, linked }, event);
        self.judge(verdict.map_err(|complaint| format!("{who:?} heard {event:?}: {complaint}")));
    }

    fn take(&mut self, at: Moment, event: &Event) -> Verdict {
        match &event.what {
            What::Notice(notice) => {
                ensure(event.id == 0, || "a notice is for the handle itself".into())?;
                return self.notice(at, notice);
            }
            What::Ready => return Err("nothing was full".into()),
            What::Done(result) => {
                let ticket = self.tickets.end(at, event, result)?;
                let what = ticket.command.as_ref().map_or("open", tickets::command_name);
                let how = result.as_ref().map_or_else(|e| e.kind().name(), |_| "ok");
                *self.counts.entry(format!("{what} {how}")).or_default() += 1;
                let ended = (ticket.command.clone(), ticket.started);
                return self.done(at, event.id, ended, result);
            }
            _ => {}
        }
        let command = self.tickets.live(at.who, event)?.clone();
        if let Command::Subscribe { .. } = command {
            return self.take_published(at, event);
        }
        if let Command::Read { stream, .. } = command {
            if is_bound_stream(&stream) {
                return self.read_bound(at, &stream, event);
            }
            let is_record = matches!(event.what, What::Record(_));
            *self.counts.entry("record".into()).or_default() += u64::from(is_record);
            let context = Context { at, sessions: &self.sessions, eras: &self.eras };
            return self.streams.take(&context, event);
        }
        match (&event.what, &command) {
            (What::Started, Command::Serve { .. } | Command::Consume { .. }) => {
                self.calls.live(at, event.id);
                Ok(())
            }
            (What::Delivery(delivery), Command::Consume { queue, .. }) => {
                *self.counts.entry("delivery".into()).or_default() += 1;
                let context = Context { at, sessions: &self.sessions, eras: &self.eras };
                self.queues.deliver(&context, Some(event.id), queue, delivery)
            }
            (What::Request(request), Command::Serve { service, .. }) => {
                *self.counts.entry("request".into()).or_default() += 1;
                let context = Context { at, sessions: &self.sessions, eras: &self.eras };
                self.calls.request(&context, event.id, service, request)
            }
            (What::Answer(answer), Command::Gather { message, .. }) => {
                let how = answer.reply.as_ref().map_or_else(|e| e.kind().name(), |_| "ok");
                *self.counts.entry(format!("answer {how}")).or_default() += 1;
                self.calls.collected(message, answer)
            }
            (What::Withdrawn { request }, Command::Serve { .. }) => {
                *self.counts.entry("withdrawn".into()).or_default() += 1;
                self.calls.withdrawn(at, *request)
            }
            _ => Err(format!("this does not come for {command:?}")),
        }
    }

    fn take_published(&mut self, at: Moment, event: &Event) -> Verdict {
        if let What::Withdrawn { request } = event.what {
            return self.calls.withdrawn(at, request);
        }
        if let What::Published(Published { asked: Some(asked), message, .. }) = &event.what {
            *self.counts.entry("asked subscriber".into()).or_default() += 1;
            self.calls.asked(at, event.id, asked.token, message)?;
        }
        if let What::Published(_) | What::Gap { .. } = event.what {
            let what = if let What::Gap { .. } = event.what { "gap" } else { "published" };
            *self.counts.entry(what.into()).or_default() += 1;
        }
        self.topics.take(at, event, self.sessions.epoch(at.who))
    }

    fn notice(&mut self, at: Moment, notice: &Notice) -> Verdict {
        let name = match notice {
            Notice::Disconnected { .. } => "disconnected",
            Notice::Resumed => "resumed",
            Notice::HubChanged { memory_lost: true, .. } => "hub changed",
            Notice::HubChanged { epoch, .. } if *epoch > self.sessions.epoch(at.who) => {
                "hub goes on"
            }
            Notice::HubChanged { .. } => "session forgotten",
        };
        *self.counts.entry(name.into()).or_default() += 1;
        let before = self.sessions.epoch(at.who);
        let doubtful = self.sessions.doubtful(at.now, at.who);
        self.sessions.notice(at, notice)?;
        self.calls.notice(at, notice);
        self.topics.notice(at, notice);
        match notice {
            Notice::HubChanged { epoch, memory_lost } => {
                let context = Context { at, sessions: &self.sessions, eras: &self.eras };
                self.queues.host_changed(&context, before, doubtful);
                self.memory_lost(before, *epoch, *memory_lost)?;
            }
            Notice::Resumed => self.queues.resumed(at)?,
            Notice::Disconnected { .. } => {}
        }
        Ok(())
    }

    fn done(
        &mut self,
        at: Moment,
        id: Id,
        (command, started): (Option<Command>, Time),
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let Some(command) = command else {
            if let Ok(Outcome::Opened(info)) = result {
                self.sessions.opened(at, info, self.directory)?;
            }
            return Ok(());
        };
        if let (Command::Declare { options, .. }, Ok(_)) = (&command, result)
            && options.durability == Some(Durability::Memory)
        {
            self.memory_declared.get_or_insert(at.now);
        }
        let epoch = self.sessions.epoch(at.who);
        let context = Context { at, sessions: &self.sessions, eras: &self.eras };
        match &command {
            Command::Receive { queue } if is_bound_queue(queue) => self.received(at, queue, result),
            Command::Settle { delivery, .. } if self.bindings.knows(at.who, *delivery) => Ok(()),
            Command::Bind { .. } | Command::Unbind { .. } => {
                self.bindings.end(at, id, result);
                Ok(())
            }
            Command::Batch { .. } => {
                self.queues.end(&context, id, (&command, started), result)?;
                self.topics.end(at, id, result, epoch)
            }
            Command::Call { .. } | Command::Serve { .. } | Command::Reply { .. } => {
                self.calls.end(&context, id, &command, result)
            }
            Command::Append { .. }
            | Command::Read { .. }
            | Command::Commit { .. }
            | Command::DeclareStream { .. }
            | Command::InspectStream { .. } => {
                self.streams.end(&context, id, (&command, started), result)
            }
            Command::Gather { .. } => {
                gathers::count_missing(&mut self.counts, result);
                self.calls.end(&context, id, &command, result)?;
                self.topics.end(at, id, result, epoch)
            }
            Command::Publish { .. }
            | Command::Subscribe { .. }
            | Command::DeclareTopic { .. }
            | Command::DeleteTopic { .. }
            | Command::InspectTopic { .. } => self.topics.end(at, id, result, epoch),
            _ => self.queues.end(&context, id, (&command, started), result),
        }
    }

    /// A program has asked for a ticket's end, and has been driven since.
    pub fn cancelled(&mut self, who: Who, id: Id) {
        let verdict = self.tickets.cancelled(who, id);
        self.judge(verdict);
    }

    /// A program lets go of an id.
    pub fn detached(&mut self, who: Who, id: Id) {
        self.tickets.detach(who, id);
        self.queues.void(who, Some(id));
        self.calls.detach(who, id);
        self.topics.detach(who, Some(id));
        self.streams.detach(who, Some(id));
    }

    /// A program closes its handle: what it holds goes back.
    pub fn closing(&mut self, who: Who) {
        self.queues.void(who, None);
        self.calls.gone(who);
        self.topics.detach(who, None);
        self.streams.detach(who, None);
        if self.sessions.local(who) {
            self.queues.local_ended();
        }
    }

    /// It has closed, and was driven.
    pub fn closed(&mut self, who: Who) {
        let verdict = self.tickets.closed(who);
        self.judge(verdict);
    }

    /// A program is killed: nothing is heard of it any more.
    pub fn killed(&mut self, who: Who) {
        self.closing(who);
        self.tickets.forget(who);
    }

    /// True if `who` runs on the hub's machine.
    pub fn is_local(&self, who: Who) -> bool {
        self.sessions.local(who)
    }

    /// True if what `who` holds with this token is of a queue in memory.
    pub fn is_of_memory(&self, who: Who, token: u64) -> bool {
        self.queues.is_of_memory(who, token)
    }

    /// The hub learns that a local program has ended: until now it may have handed it something.
    pub fn local_end_learned(&mut self) {
        self.queues.local_ended();
    }

    /// A host begins.
    pub fn host_begins(&mut self, epoch: u64) {
        let verdict = self.eras.begin(epoch);
        self.judge(verdict);
    }

    /// The host is gone; so is the connection on which it knew a program.
    pub fn host_lost(&mut self, now: Time, who: Who, grace_ms: u64) {
        let grace = (!self.is_local(who)).then_some(Duration::from_millis(grace_ms));
        self.sessions.hub_lost(now, who, true, grace);
    }

    /// The host has ended.
    pub fn host_ended(&mut self, now: Time, end: HostEnd) {
        self.eras.ended(now, end);
        if end != HostEnd::Clean {
            self.queues.memory_is_lost();
        }
    }

    /// The machine has lost its power.
    pub fn power_cut(&mut self) {
        self.eras.power_cut();
        self.queues.memory_is_lost();
        self.queues.power_is_cut();
    }

    /// A host's disk has failed.
    pub fn disk_failed(&mut self, now: Time, epoch: u64) {
        self.eras.failed(now, epoch);
    }

    /// The wall clock was set.
    pub fn clock_jumped(&mut self) {
        self.eras.clock_jumped = true;
    }

    /// What a program is told of the hub's memory is so.
    fn memory_lost(&self, before: u64, after: u64, lost: bool) -> Verdict {
        if !self.directory {
            return ensure(lost == (after > before), || {
                format!("a host forgets its memory with a new epoch only; it was {before}")
            });
        }
        let was = self.eras.memory_between(before, after);
        ensure(was || !lost, || "no host was killed".into())?;
        // A power cut takes the declaration, too, and what was removed was not lost.
        let certain = !self.removes && !self.eras.power_between(before, after);
        let gone = |since| self.eras.memory_lost_since(before, after, since);
        let missed = certain && !lost && self.memory_declared.is_some_and(gone);
        ensure(!missed, || "a host was killed that had queues in memory".into())
    }

    /// The hub has learned that the connection on which it knew a program is gone.
    pub fn hub_lost(&mut self, now: Time, who: Who, current: bool, grace: Option<Duration>) {
        self.sessions.hub_lost(now, who, current, grace);
    }

    /// A ticket's last moment has passed, and its program was driven.
    pub fn overdue(&mut self, now: Time, who: Who, id: Id) {
        let verdict = self.tickets.overdue(now, who, id);
        self.judge(verdict);
    }

    /// Nothing has gone wrong for a long while: whoever follows a stream is at its end.
    pub fn rested(&mut self) {
        let verdict = self.streams.rested(&self.eras);
        self.judge(verdict);
    }

    /// The offset that a record may get, as far as is known.
    pub fn likely_next(&self, stream: &Name, partition: u32) -> Option<u64> {
        self.streams.likely_next(stream, partition)
    }

    /// The last program has read a stream from its beginning to its end.
    pub fn read_out(&mut self, who: Who, id: Id) {
        let verdict = self.streams.read_out(&self.eras, who, id);
        self.judge(verdict);
    }

    /// The figures of a queue before and after the last program took what was left.
    pub fn drained(&mut self, queue: &Name, info: &QueueInfo, empty: bool) {
        if is_bound_queue(queue) {
            let left = info.ready + info.held + info.delayed + info.bytes;
            let verdict = ensure(!empty || left == 0, || "all was taken".into());
            return self.judge(verdict);
        }
        let verdict = self.queues.drained(queue, info, empty);
        self.judge(verdict.map_err(|complaint| format!("{queue} is {info:?}: {complaint}")));
    }

    /// The run is over.
    pub fn finish(&mut self) {
        let era = |durability| self.eras.era_now(durability);
        let verdict = self.tickets.finish().and_then(|()| self.queues.finish(era));
        // A hub without a directory takes everything along with it.
        let keeps = self.directory || self.eras.count() == 1;
        let bound = |()| if keeps { self.bindings.finish(&self.topics) } else { Ok(()) };
        let verdict = verdict.and_then(bound);
        self.judge(verdict);
    }
}
