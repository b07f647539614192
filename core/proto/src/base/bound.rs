//! What records say of bindings, and of what is stored because of them.
//!
//! Floor: base.

use super::message::Message;
use super::pattern::Pattern;
use super::record::Sent;

/// A pattern and what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where messages of matching topics are stored.
    pub target: BoundTo,
    /// Which topics.
    pub pattern: Pattern,
}

/// What a pattern is bound to, by what names it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundTo {
    /// A queue.
    Queue(u64),
    /// A stream.
    Stream(u64),
}

/// One message that is stored in several queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// When, by the hub's clock.
    pub time_ms: u64,
    /// Where.
    pub places: Vec<CopyPlace>,
    /// The message.
    pub message: Message,
}

impl Copies {
    /// Each of them as if it had been sent.
    pub fn each(&self) -> impl Iterator<Item = Sent> {
        self.places.iter().map(|place| Sent {
            queue: place.queue,
            sequence: place.sequence,
            message_id: place.message_id,
            time_ms: self.time_ms,
            message: self.message.clone(),
        })
    }
}

/// Where one copy is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyPlace {
    /// Its queue.
    pub queue: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// Its id, unique in the hub.
    pub message_id: u64,
}
