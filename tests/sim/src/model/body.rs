//! One message: what its producer was told, and what became of it.

use telpher_proto::base::{Delivery, Message, Name, Time};

use super::{Start, Verdict, ensure};
use crate::agenda::Who;

/// What is known of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    Open,
    Confirmed,
    Refused,
    Unknown,
}

#[derive(Debug)]
pub(super) struct Body {
    pub queue: Name,
    pub message: Message,
    pub producer: Who,
    pub started: Time,
    pub send: Send,
    /// The epoch in which it was stored, and its id there.
    pub stored: Option<(u64, u64)>,
    pub holder: Option<(Who, u64)>,
    /// Its send was open when its producer's session resumed. If it had been refused before, which
    /// leaves no mark, it may have been stored only now, behind later ones.
    pub repeated: bool,
    pub handed: bool,
    /// Acknowledgements and rejections that may have taken effect.
    pub removals: u32,
    pub removed: bool,
    pub requeues_started: u32,
    pub requeues_done: u32,
}

/// Who takes, whose message, from which queue, of which priority and epoch.
pub(super) type Lane = (Who, Who, Name, u8, u64);

impl Body {
    /// A message whose send has just been started.
    pub fn new(start: &Start, queue: &Name, message: &Message) -> Body {
        Body {
            queue: queue.clone(),
            message: message.clone(),
            producer: start.who,
            started: start.now,
            send: Send::Open,
            stored: None,
            holder: None,
            repeated: false,
            handed: false,
            removals: 0,
            removed: false,
            requeues_started: 0,
            requeues_done: 0,
        }
    }

    /// It is stored under one id in one epoch, and so once.
    pub fn stored_once(&mut self, as_what: (u64, u64)) -> Verdict {
        let before = *self.stored.get_or_insert(as_what);
        ensure(before == as_what, || {
            format!("it is stored twice, as (epoch, message id) {before:?} and {as_what:?}")
        })
    }

    /// It is still in its queue, and its past is told as it was.
    pub fn may_be_held(&self, delivery: &Delivery) -> Verdict {
        ensure(!self.removed, || "it was acknowledged or rejected before".into())?;
        ensure(!self.handed || delivery.redelivered, || "it was delivered before".into())?;
        let (least, most) = (self.requeues_done, self.requeues_started);
        ensure((least..=most).contains(&delivery.failures), || {
            format!("it was requeued {least} to {most} times")
        })
    }

    /// What is delivered in order to `who`.
    pub fn lane(&self, who: Who, queue: Name) -> Lane {
        let epoch = self.stored.map_or(0, |(epoch, _)| epoch);
        (who, self.producer, queue, self.message.priority(), epoch)
    }
}
