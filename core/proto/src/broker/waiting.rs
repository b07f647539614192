//! Appends, batches, and publishes to streams, that wait for a disk that is behind, in their order,
//! until there is room or their time is over.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::appends::Appending;
use super::batches::Part;
use super::publishes::Publishing;
use super::sends::ChangeRef;
use super::sessions::{Marked, Ticket};
use super::{Broker, Due, NameId, Slots};
use crate::base::batch::BatchHeader;
use crate::base::record::Room;
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Time, limits};

/// What is to be done when the disk has caught up.
#[derive(Debug)]
pub(super) enum Work {
    /// An append to the stream with this key; whoever waits for one that is deleted goes with it.
    Append(usize, Appending),
    /// A batch; and whether an earlier host may have done it.
    Batch(Vec<Part>, bool),
    /// A publish that is to be stored in streams, and until when it may wait.
    Publish(Box<Publishing>, Option<Time>),
}

#[derive(Debug)]
struct Waiting {
    change: ChangeRef,
    work: Work,
    /// When it came, among all that waits.
    arrival: u64,
    size: u64,
    timer: Option<TimerKey>,
}

/// All that waits.
#[derive(Debug)]
pub(super) struct DiskLine {
    line: VecDeque<u64>,
    bytes: u64,
    waiting: Slots<Waiting>,
}

impl DiskLine {
    pub fn new(epoch: u64) -> DiskLine {
        DiskLine { line: VecDeque::new(), bytes: 0, waiting: Slots::new(epoch) }
    }

    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    fn insert(&mut self, token: u64, arrival: u64) {
        let came = |token: &u64| self.waiting.get(*token).map_or(0, |waiting| waiting.arrival);
        let later = self.line.iter().rev().take_while(|other| came(other) > arrival).count();
        self.line.insert(self.line.len() - later, token);
    }

    /// True if something waits that came before.
    pub fn has_before(&self, arrival: u64) -> bool {
        let first = self.line.front().and_then(|token| self.waiting.get(*token));
        first.is_some_and(|first| first.arrival < arrival)
    }
}

impl Work {
    /// Bytes that it holds.
    fn size(&self) -> u64 {
        match self {
            Work::Append(_, appending) => appending.batch.len() as u64,
            Work::Batch(parts, _) => parts.iter().map(|part| part.size() as u64).sum(),
            Work::Publish(publishing, _) => publishing.message.size() as u64,
        }
    }

    /// The names that it refers to: they stay while it waits.
    fn names(&self) -> Vec<NameId> {
        match self {
            Work::Append(..) | Work::Publish(..) => Vec::new(),
            Work::Batch(parts, _) => parts.iter().filter_map(Part::name).collect(),
        }
    }
}

impl Broker {
    /// It waits for room from now on, before what came later: it may have waited elsewhere, since
    /// its `arrival`.
    ///
    /// # Errors
    ///
    /// `FULL` if too much waits already.
    pub(super) fn wait_for_disk(
        &mut self,
        change: ChangeRef,
        work: Work,
        (deadline, arrival): (Option<Time>, Option<u64>),
    ) -> Result<(), Error> {
        let size = work.size();
        let (have, most) = (self.disk_line.bytes, limits::JOURNAL_PENDING_MAX as u64);
        if have + size > most {
            let detail = format!("{have} bytes wait for the disk; at most {most}");
            return Err(Error::new(Kind::Full, detail));
        }
        let names = work.names();
        let arrival = arrival.unwrap_or_else(|| self.next_arrival());
        let waiting = Waiting { change, work, arrival, size, timer: None };
        let Ok(token) = self.disk_line.waiting.insert(waiting) else {
            return Err(Error::new(Kind::Full, "too much waits for the disk"));
        };
        names.into_iter().for_each(|name| self.names.keep(name));
        if let Some(at) = deadline {
            let timer = self.timers.insert(at, Due::Disk(token));
            let waiting = self.disk_line.waiting.get_mut(token);
            waiting.into_iter().for_each(|waiting| waiting.timer = Some(timer));
        }
        self.mark(change, Marked::Pending);
        let session = &mut self.sessions[change.session.key];
        session.tickets.insert(change.ticket, Ticket::Disk(token));
        self.disk_line.insert(token, arrival);
        self.disk_line.bytes += size;
        Ok(())
    }

    /// The disk has caught up.
    pub(super) fn admit_waiting(&mut self, now: Time) {
        while self.room == Room::Open
            && let Some(token) = self.disk_line.line.pop_front()
        {
            let Some(waiting) = self.disk_line.waiting.get_mut(token) else { continue };
            let (change, arrival) = (waiting.change, waiting.arrival);
            let work = std::mem::replace(&mut waiting.work, Work::Batch(Vec::new(), false));
            let names = work.names();
            self.end_waiting(token);
            let done = match work {
                Work::Append(stream, appending) => match BatchHeader::read(&appending.batch) {
                    Some(header) => self.store_batch(now, stream, change, (&appending, header)),
                    None => Ok(()),
                },
                Work::Batch(parts, again) => {
                    // What was sent before it waits in the lines of its queues.
                    for queue in self.queues_of(&parts) {
                        self.admit_sends_before(now, queue, arrival);
                    }
                    self.batch_in_turn(now, change, &parts, (None, again, arrival));
                    Ok(())
                }
                Work::Publish(publishing, deadline) => {
                    for queue in self.bindings.of(&publishing.topic).queues {
                        self.admit_sends_before(now, queue, arrival);
                    }
                    self.publish_anew(now, change, &publishing, (deadline, arrival));
                    Ok(())
                }
            };
            if let Err(error) = done {
                self.refuse(change, error);
            }
            names.into_iter().for_each(|name| self.names.release(name));
        }
    }

    /// It has waited for the disk until its deadline.
    pub(super) fn disk_wait_expired(&mut self, token: u64) {
        let Some(waiting) = self.disk_line.waiting.get_mut(token) else { return };
        waiting.timer = None;
        let (what, again) = match &waiting.work {
            Work::Append(..) => ("appended", false),
            Work::Batch(..) => ("done", false),
            Work::Publish(publishing, _) => ("published", publishing.again),
        };
        if let Some(waiting) = self.stop_waiting(token) {
            let detail = format!("the disk was behind until the deadline: nothing was {what}");
            self.refuse_publish(waiting.change, again, Error::new(Kind::Full, detail));
        }
    }

    /// Nobody wants it any more; it leaves no mark.
    pub(super) fn drop_disk_wait(&mut self, token: u64) {
        if let Some(waiting) = self.stop_waiting(token)
            && let Some(session) = self.sessions.get_mut(waiting.change.session)
            && let Ok(mark) = session.marks.entry(waiting.change.numbers.sequence)
        {
            *mark = None;
        }
    }

    /// A stream is gone, and with it what waits to be appended to it.
    pub(super) fn end_waiting_appends(&mut self, stream: usize, error: &Error) {
        let line: Vec<u64> = self.disk_line.line.iter().copied().collect();
        for token in line {
            let waiting = self.disk_line.waiting.get(token);
            let is_its =
                |waiting: &Waiting| matches!(waiting.work, Work::Append(of, _) if of == stream);
            if waiting.is_some_and(is_its)
                && let Some(waiting) = self.stop_waiting(token)
            {
                self.refuse(waiting.change, error.clone());
            }
        }
    }

    /// A binding to a stream has ended: publishes that wait for the disk and are bound to none any
    /// more go on.
    pub(super) fn publish_unbound_streams(&mut self, now: Time) {
        let line: Vec<u64> = self.disk_line.line.iter().copied().collect();
        for token in line {
            let waiting = self.disk_line.waiting.get(token).map(|waiting| &waiting.work);
            let Some(Work::Publish(publishing, _)) = waiting else { continue };
            let topic = publishing.topic.clone();
            if self.bindings.of(&topic).streams.is_empty()
                && let Some(waiting) = self.stop_waiting(token)
                && let Work::Publish(publishing, deadline) = waiting.work
            {
                let turn = (deadline, waiting.arrival);
                self.publish_anew(now, waiting.change, &publishing, turn);
            }
        }
    }

    fn stop_waiting(&mut self, token: u64) -> Option<Waiting> {
        let waiting = self.end_waiting(token)?;
        self.disk_line.line.retain(|other| *other != token);
        waiting.work.names().into_iter().for_each(|name| self.names.release(name));
        Some(waiting)
    }

    fn end_waiting(&mut self, token: u64) -> Option<Waiting> {
        let mut waiting = self.disk_line.waiting.remove(token)?;
        if let Some(timer) = waiting.timer.take() {
            self.timers.remove(timer);
        }
        self.disk_line.bytes -= waiting.size;
        if let Some(session) = self.sessions.get_mut(waiting.change.session) {
            session.tickets.remove(&waiting.change.ticket);
        }
        Some(waiting)
    }
}
