//! The wire protocol: frames as bytes, and bytes as frames. `docs/protocol.md` is its description.
//!
//! A frame is a 16-byte header and what its kind says; all numbers are little-endian:
//!
//! ```text
//!  0        4      5       6            8                16
//!  | size   | kind | flags | zero       | id             | ...
//! ```
//! Lengths are checked before anything is allocated. Decoding shares the read buffer: a body is a
//! slice of it and becomes a copy only where somebody stores it.
//!
//! Floor: imports `base`.

mod confirmed;
mod decode;
mod encode;
mod frame;
mod gathers;
mod greeting;
mod inbox;
mod outbox;
mod queues;
mod streams;
mod topics;

pub use confirmed::Confirmed;
pub use decode::decode;
pub use frame::{
    Append, Batch, BatchPart, Binding, Change, Frame, FrameKind, HeldKind, Hello, NameRef,
    Published, Publishing, Reset, TargetKind, Welcome,
};
pub use inbox::{Frames, Inbox, Whole};
pub use outbox::Outbox;
pub use topics::{Recipient, Recipients};

use crate::base::Time;

/// The version of the protocol that this library speaks.
pub const VERSION: u16 = 1;

/// First bytes of a greeting's body, so that a stranger is told apart at once.
pub const MAGIC: [u8; 4] = *b"TPLR";

/// Bytes of a frame's header.
pub const HEADER_SIZE: usize = 16;

/// How deadlines travel on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Both ends read the same monotonic clock: the deadline itself travels, in ns. Otherwise what
    /// remains of the time does, in µs.
    pub shared: bool,
    /// Now.
    pub now: Time,
}

impl Clock {
    fn encode(self, deadline: Option<Time>) -> u64 {
        match deadline {
            None => 0,
            Some(at) if self.shared => at.as_nanos().max(1),
            Some(at) => (at.since(self.now).as_micros() as u64).max(1),
        }
    }

    fn decode(self, value: u64) -> Option<Time> {
        match value {
            0 => None,
            at if self.shared => Some(Time::from_nanos(at)),
            micros => {
                let nanos = micros.saturating_mul(1_000);
                Some(Time::from_nanos(self.now.as_nanos().saturating_add(nanos)))
            }
        }
    }
}

/// What was wrong with the bytes that came; the connection ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::box_collection, reason = "one pointer: what is decoded comes back in registers")]
pub struct Malformed(Box<String>);

impl Malformed {
    /// `text` is for the other side to read.
    pub fn new(text: impl Into<String>) -> Malformed {
        Malformed(Box::new(text.into()))
    }

    /// What was wrong.
    pub fn text(&self) -> &str {
        &self.0
    }
}
