//! The last program: it takes what is left in each queue, one message after the other, and reads
//! what is kept of each stream.

use telpher_proto::base::{Command, Error, Event, Kind, Name, Outcome, QueueInfo, Verdict, What};
use telpher_proto::base::{Id, Reading};

use crate::agenda::{Item, Phase};
use crate::plan::is_bound_stream;
use crate::world::World;

/// How far it has got.
#[derive(Clone, Debug)]
pub struct Drain {
    queues: Vec<Name>,
    queue: Option<Name>,
    streams: Vec<Name>,
    /// The stream that is read, and under which id.
    stream: Option<(Name, Id)>,
    /// The hub has said that it is empty.
    emptied: bool,
    /// The hub did not say in time whether it is empty.
    unheard: bool,
}

const PATIENCE_MS: u64 = 5_000;

impl Drain {
    /// Everything is still to be done.
    pub fn new(queues: Vec<Name>, streams: Vec<Name>) -> Drain {
        let (queue, stream) = (None, None);
        Drain { queues, queue, streams, stream, emptied: false, unheard: false }
    }
}

impl World {
    /// It hears something, and does the next thing.
    pub(crate) fn drain_event(&mut self, slot: usize, event: Event) {
        let What::Done(result) = event.what else { return };
        let Some(drain) = self.programs[slot].drain.clone() else { return };
        if let Some((stream, id)) = drain.stream {
            if id == event.id {
                self.drain_read(slot, &stream, id, result.err().as_ref());
            }
            return;
        }
        let Some(queue) = drain.queue.clone() else { return self.drain_next(slot) };
        match result {
            Ok(Outcome::Queue(info)) => self.drain_looked(slot, &drain, queue, &info),
            Ok(Outcome::Delivery(delivery)) => {
                let verdict = Verdict::Acknowledge;
                let reason = String::new();
                let settle = Command::Settle { delivery: delivery.token, verdict, reason };
                self.start(slot, settle, Some(PATIENCE_MS));
            }
            Ok(Outcome::Empty) => {
                self.start(slot, Command::Receive { queue }, Some(PATIENCE_MS));
            }
            Ok(other) => self.model.complain(format!("the last program was told {other:?}")),
            Err(error) => self.drain_error(slot, queue, &error),
        }
    }

    fn drain_looked(&mut self, slot: usize, drain: &Drain, queue: Name, info: &QueueInfo) {
        if drain.unheard && info.consumers + info.held > 0 {
            // The hub has yet to hear that the last receive was given up.
            self.start(slot, Command::Inspect { queue }, Some(PATIENCE_MS));
            return;
        }
        // What waits for its next attempt comes later.
        let empty = (drain.emptied || (drain.unheard && info.ready == 0)) && info.delayed == 0;
        self.model.drained(&queue, info, empty);
        if empty {
            return self.drain_next(slot);
        }
        self.start(slot, Command::Receive { queue }, Some(PATIENCE_MS));
    }

    fn drain_error(&mut self, slot: usize, queue: Name, error: &Error) {
        match error.kind() {
            // On a slow link the verdict may come too late: what it was, the queue tells.
            Kind::Expired | Kind::HostUnresponsive => {
                if let Some(drain) = &mut self.programs[slot].drain {
                    drain.emptied = error.kind() == Kind::Expired;
                    drain.unheard = !drain.emptied;
                }
                self.start(slot, Command::Inspect { queue }, Some(PATIENCE_MS));
            }
            Kind::NotFound => self.drain_next(slot),
            // It was taken back: its queue has a time limit.
            Kind::LeaseLost => {
                self.start(slot, Command::Receive { queue }, Some(PATIENCE_MS));
            }
            Kind::Closed => {}
            _ => self.model.complain(format!("the last program was told {error:?}")),
        }
    }

    /// It has read a stream to its end.
    fn drain_read(&mut self, slot: usize, stream: &Name, id: Id, error: Option<&Error>) {
        let is_old = self.plan.stream(stream).is_some_and(|plan| plan.options.age_max_ms > 0);
        match error.map(Error::kind) {
            None if is_bound_stream(stream) => {}
            None => self.model.read_out(self.programs[slot].who, id),
            Some(Kind::NotFound) => {}
            Some(Kind::OutOfRange) if is_old => {}
            Some(Kind::Closed) => return,
            _ => self.model.complain(format!("the last program was told {error:?}")),
        }
        self.drain_next(slot);
    }

    fn drain_next(&mut self, slot: usize) {
        let Some(drain) = &mut self.programs[slot].drain else { return };
        drain.emptied = false;
        drain.unheard = false;
        drain.queue = drain.queues.pop();
        match drain.queue.clone() {
            Some(queue) => {
                self.start(slot, Command::Inspect { queue }, Some(PATIENCE_MS));
            }
            None => self.drain_stream(slot),
        }
    }

    fn drain_stream(&mut self, slot: usize) {
        let Some(drain) = &mut self.programs[slot].drain else { return };
        match drain.streams.pop() {
            Some(stream) => {
                let reading = Reading { buffer: 5_000, ..Reading::default() };
                let read = Command::Read { stream: stream.clone(), reading: Box::new(reading) };
                let id = self.start(slot, read, None);
                if let Some(drain) = &mut self.programs[slot].drain {
                    drain.stream = Some((stream, id));
                }
            }
            None => {
                self.programs[slot].drain = None;
                self.close(slot);
                self.later(1_000, Item::Next(Phase::End));
            }
        }
    }
}
