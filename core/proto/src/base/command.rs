//! What a program may want of a hub: one closed enum.
//!
//! Floor: base.

use super::error::{Error, Kind};
use super::event::{Durability, Id};
use super::limits;
use super::message::Message;
use super::name::Name;

/// One operation. Starting it yields an [`Id`]; see each variant for how it ends.
#[derive(Clone, Debug)]
pub enum Command {
    /// Asks a service; ends with its reply.
    Call {
        /// Who is asked.
        service: Name,
        /// The request.
        message: Message,
    },
    /// Serves a name: `Started` once, then a `Request` event each, until detached.
    Serve {
        /// The name.
        service: Name,
        /// Requests handled at once, 1 to 65,536.
        concurrency: u32,
        /// Requests that may wait while all instances are busy, 0 to 1,048,576.
        line_max: u32,
    },
    /// Answers a request.
    Reply {
        /// The request's token.
        request: u64,
        /// The answer.
        reply: Reply,
    },
    /// Makes a queue, or checks that it is as stated.
    Declare {
        /// The queue.
        queue: Name,
        /// How it shall be.
        options: QueueOptions,
    },
    /// Removes a queue with everything in it; ends with the number of messages removed.
    Delete {
        /// The queue.
        queue: Name,
    },
    /// Removes the messages that nobody holds; ends with their number.
    Purge {
        /// The queue.
        queue: Name,
    },
    /// Ends with the queue's figures.
    Inspect {
        /// The queue.
        queue: Name,
    },
    /// Puts a message into a queue; ends with a receipt.
    Send {
        /// The queue.
        queue: Name,
        /// The message.
        message: Message,
    },
    /// Takes one message from a queue; ends with a delivery, to be settled.
    Receive {
        /// The queue.
        queue: Name,
    },
    /// Takes messages from a queue: `Started` once, then a `Delivery` event each, until detached.
    Consume {
        /// The queue.
        queue: Name,
        /// Messages held at once, 1 to 65,536.
        prefetch: u32,
    },
    /// Says what became of a delivery.
    Settle {
        /// The delivery's token.
        delivery: u64,
        /// What became of it.
        verdict: Verdict,
    },
    /// Changes how many messages a consumer holds at once; 0 pauses it.
    Credit {
        /// The consumer.
        consumer: Id,
        /// Messages held at once, 0 to 65,536.
        prefetch: u32,
    },
}

impl Command {
    /// Checks every value that has a limit.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE`, naming the value and its limit.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Command::Call { message, .. } | Command::Send { message, .. } => message.check(),
            Command::Serve { concurrency, line_max, .. } => {
                within("concurrency", u64::from(*concurrency), 1, limits::CONCURRENCY_MAX.into())?;
                within("line_max", u64::from(*line_max), 0, limits::LINE_MAX.into())
            }
            Command::Reply { reply: Ok(message), .. } => message.check(),
            Command::Consume { prefetch, .. } => {
                within("prefetch", u64::from(*prefetch), 1, limits::PREFETCH_MAX.into())
            }
            Command::Credit { prefetch, .. } => {
                within("prefetch", u64::from(*prefetch), 0, limits::PREFETCH_MAX.into())
            }
            Command::Declare { options, .. } => options.check(),
            _ => Ok(()),
        }
    }

    /// Bytes of bodies that the command keeps in flight.
    pub fn size(&self) -> usize {
        match self {
            Command::Call { message, .. } | Command::Send { message, .. } => message.size(),
            Command::Reply { reply: Ok(message), .. } => message.size(),
            _ => 0,
        }
    }
}

fn within(what: &str, value: u64, least: u64, most: u64) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("{what} is {value}; allowed are {least} to {most}")))
}

/// A handler's answer: a message, or its failure ([`Error::remote`]), or `ABANDONED` to let go of
/// the request, or `BUSY` if it has not been touched and another instance may have it.
pub type Reply = Result<Message, Error>;

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Done: the message leaves the queue.
    Acknowledge = 1,
    /// It can never be done: the message leaves the queue, counted as rejected.
    Reject = 2,
    /// To be tried again: back to its place, with one more failure.
    Requeue = 3,
    /// Not touched: back to its place, with no failure.
    Release = 4,
}

/// What happens to a send when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Overflow {
    /// It waits in line for room, and is `FULL` at its deadline.
    #[default]
    Wait = 0,
    /// It is `FULL` at once.
    Reject = 1,
}

/// How a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// How safe a confirmed message is; `None` is the hub's default (`memory` for `mem://` and for
    /// a hub without a directory, `disk` for one with).
    pub durability: Option<Durability>,
    /// Messages, waiting and held; 0 is the default of 1,000,000.
    pub length_max: u64,
    /// Bytes of bodies, keys and headers; 0 is the default of 256 MiB.
    pub bytes_max: u64,
    /// What happens at either limit.
    pub overflow: Overflow,
}

impl Default for QueueOptions {
    fn default() -> QueueOptions {
        QueueOptions { durability: None, length_max: 0, bytes_max: 0, overflow: Overflow::Wait }
    }
}

impl QueueOptions {
    /// The same options, with each default in its place.
    #[must_use]
    pub fn resolved(self, durability: Durability) -> QueueOptions {
        let or = |value: u64, default: u64| if value == 0 { default } else { value };
        QueueOptions {
            durability: Some(self.durability.unwrap_or(durability)),
            length_max: or(self.length_max, limits::QUEUE_LENGTH_DEFAULT),
            bytes_max: or(self.bytes_max, limits::QUEUE_BYTES_DEFAULT),
            overflow: self.overflow,
        }
    }

    fn check(&self) -> Result<(), Error> {
        within("bytes_max", self.bytes_max, 0, limits::HUB_BYTES_MAX)
    }
}
