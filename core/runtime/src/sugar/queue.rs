//! Queues, consumers and jobs.
//!
//! Floor: sugar.

use telpher_proto::base::{
    Command, Delivery, Error, Id, Message, Name, Pattern, QueueInfo, QueueOptions, Receipt, Target,
    Timeout, Verdict, What, limits,
};

use super::{Pending, next, start_stream};
use crate::api::{Done, Hub};

/// A queue of a hub, by its name.
#[derive(Clone, Debug)]
pub struct Queue {
    hub: Hub,
    name: Name,
}

impl Queue {
    pub(super) fn new(hub: Hub, name: Name) -> Queue {
        Queue { hub, name }
    }

    fn run<T: super::Ended>(&self, command: Command) -> Result<T, Error> {
        self.hub.pending(command, Timeout::Default)?.wait()
    }

    /// Makes the queue, or checks that it is as stated.
    ///
    /// # Errors
    ///
    /// `MISMATCH` naming the difference; `UNSUPPORTED` for a durability that the hub lacks.
    pub fn declare(&self, options: QueueOptions) -> Result<(), Error> {
        self.run(Command::Declare { queue: self.name.clone(), options })
    }

    /// Puts a message into the queue, and waits until it is safe there.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `FULL` if there was no room in time: it was not stored.
    pub fn send(&self, message: impl Into<Message>) -> Result<Receipt, Error> {
        self.start_send(message)?.wait()
    }

    /// Puts a message into the queue; the receipt is waited for later.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`].
    pub fn start_send(&self, message: impl Into<Message>) -> Result<Pending<Receipt>, Error> {
        let command = Command::Send { queue: self.name.clone(), message: message.into() };
        self.hub.pending(command, Timeout::Default)
    }

    /// Takes one message; waits for one up to `timeout`.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `EXPIRED` if none came in time.
    pub fn receive(&self, timeout: impl Into<Timeout>) -> Result<Job, Error> {
        self.hub.pending(Command::Receive { queue: self.name.clone() }, timeout.into())?.wait()
    }

    /// Takes messages as they come, holding up to `prefetch` at once.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `INVALID` for the prefetch.
    pub fn consume(&self, prefetch: u32) -> Result<Consumer, Error> {
        Consumer::start(&self.hub, self.name.clone(), prefetch)
    }

    /// The same with a prefetch of 64.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn consume_all(&self) -> Result<Consumer, Error> {
        self.consume(limits::PREFETCH_DEFAULT)
    }

    /// Binds a pattern of topics: from then on each message that is published to one that matches
    /// is stored in this queue, once, with its topic in the header `telpher.topic`. Binding what is
    /// bound changes nothing.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the pattern; `NOT_FOUND`; `FULL` at the limit of 256 for a
    /// queue, and of 10,000 for a hub.
    pub fn bind(&self, pattern: &str) -> Result<(), Error> {
        let (pattern, target) = (Pattern::parse(pattern)?, Target::Queue(self.name.clone()));
        self.run(Command::Bind { pattern, target })
    }

    /// Ends a binding; what was stored because of it stays.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such queue, or the pattern is not bound to it.
    pub fn unbind(&self, pattern: &str) -> Result<(), Error> {
        let (pattern, target) = (Pattern::parse(pattern)?, Target::Queue(self.name.clone()));
        self.run(Command::Unbind { pattern, target })
    }

    /// The queue's figures.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn inspect(&self) -> Result<QueueInfo, Error> {
        self.run(Command::Inspect { queue: self.name.clone() })
    }

    /// Removes the messages that nobody holds; returns their number.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn purge(&self) -> Result<u64, Error> {
        self.run(Command::Purge { queue: self.name.clone() })
    }

    /// Removes the queue with everything in it; returns the number of messages removed.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn delete(&self) -> Result<u64, Error> {
        self.run(Command::Delete { queue: self.name.clone() })
    }
}

/// Messages of a queue, as they come. Iterating waits for the next; several threads may do so on
/// the same consumer. Dropping it gives back what it was sent and nobody has taken.
#[derive(Debug)]
pub struct Consumer {
    hub: Hub,
    id: Id,
}

impl Consumer {
    fn start(hub: &Hub, queue: Name, prefetch: u32) -> Result<Consumer, Error> {
        let id = start_stream(hub, Command::Consume { queue, prefetch, ack_deadline_ms: 0 })?;
        Ok(Consumer { hub: hub.clone(), id })
    }

    /// The next message; `None` if none came in time, or the consumer or its handle was closed.
    ///
    /// # Errors
    ///
    /// Why the consumer ended.
    pub fn receive(&self, timeout: impl Into<Timeout>) -> Result<Option<Job>, Error> {
        let what = next(&self.hub, self.id, timeout.into(), |what| match what {
            What::Delivery(delivery) => Some(delivery),
            _ => None,
        })?;
        Ok(what.map(|delivery| Job::new(self.hub.clone(), delivery)))
    }
}

impl Iterator for &Consumer {
    type Item = Result<Job, Error>;

    fn next(&mut self) -> Option<Result<Job, Error>> {
        self.receive(Timeout::Never).transpose()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.hub.forget(self.id);
    }
}

/// A message that is held. Dropping it gives it back untouched.
#[derive(Debug)]
pub struct Job {
    hub: Hub,
    delivery: Delivery,
    is_settled: bool,
}

impl Job {
    pub(super) fn new(hub: Hub, delivery: Delivery) -> Job {
        Job { hub, delivery, is_settled: false }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.delivery.message
    }

    /// The message with what the hub says of it.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Done: the message leaves the queue.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if it was taken back before; it had no effect then.
    pub fn acknowledge(self) -> Result<(), Error> {
        self.settle(Verdict::Acknowledge, "")
    }

    /// It can never be done: the message goes to the dead-letter queue, with `reason`.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if it was taken back before; it had no effect then. `TOO_LARGE` for a reason
    /// over 1,024 bytes; the message is given back untouched then.
    pub fn reject(self, reason: &str) -> Result<(), Error> {
        self.settle(Verdict::Reject, reason)
    }

    /// To be tried again after a pause, with one more failure, and `reason` in its history.
    ///
    /// # Errors
    ///
    /// As [`Job::reject`].
    pub fn requeue(self, reason: &str) -> Result<(), Error> {
        self.settle(Verdict::Requeue, reason)
    }

    /// Asks for more time, if the queue or consumer sets an `ack_deadline`: `more` from now; zero
    /// is the whole `ack_deadline` again.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if it was taken back before; `INVALID` for more than a day.
    pub fn extend(&self, more: std::time::Duration) -> Result<(), Error> {
        let ms = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
        let command = Command::Extend { delivery: self.delivery.token, ms };
        self.hub.pending(command, Timeout::Default)?.wait()
    }

    fn settle(mut self, verdict: Verdict, reason: &str) -> Result<(), Error> {
        let reason = reason.to_owned();
        let command = Command::Settle { delivery: self.delivery.token, verdict, reason };
        let pending = self.hub.pending(command, Timeout::Default)?;
        self.is_settled = true;
        pending.wait()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.is_settled {
            let (delivery, verdict) = (self.delivery.token, Verdict::Release);
            let command = Command::Settle { delivery, verdict, reason: String::new() };
            // It can only fail if the handle is closed, and then the hub takes it back anyway.
            let _ = self.hub.start(command, Timeout::Default, Done::None);
        }
    }
}
