//! One message: what its producer was told, and what became of it.

use telpher_proto::base::{Delivery, Durability, Message, Name, Time};

use super::{Start, Verdict, ensure};
use crate::agenda::Who;
use crate::plan::QueuePlan;

/// What is known of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    Open,
    Confirmed,
    Refused,
    Unknown,
}

/// Something that was confirmed: when its program heard so, and how safe it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    pub heard: Time,
    pub level: Durability,
}

impl Fact {
    /// It survives a power cut, if all that was heard until `durable` is durable.
    fn is_firm(self, durable: Time) -> bool {
        match self.level {
            Durability::Disk => true,
            Durability::Os => self.heard < durable,
            Durability::Memory => false,
        }
    }
}

/// A message in its own queue, or as a dead letter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    pub handed: bool,
    /// The failures with which it was last handed over.
    pub seen: u32,
    pub requeues_started: u32,
    pub requeues_done: u32,
}

#[derive(Debug)]
pub(super) struct Body {
    pub queue: Name,
    pub dead: Name,
    pub durability: Durability,
    pub message: Message,
    pub producer: Who,
    pub started: Time,
    pub send: Send,
    /// That it is stored.
    pub confirmed: Option<Fact>,
    /// The era in which it was stored, and its id.
    pub stored: Option<(u64, u64)>,
    pub holds: Vec<(Who, u64)>,
    /// Its send was open when its producer's session resumed. If it had been refused before, which
    /// leaves no mark, it may have been stored only now, behind later ones.
    pub repeated: bool,
    /// A batch makes it wait for more safety than its queue asks for: later ones may overtake it.
    pub is_delayed: bool,
    /// What was stored with less safety than it needed.
    pub lost: bool,
    /// Something that it may not have survived has happened since its send was started.
    pub shaken: bool,
    /// Acknowledgements, and rejections of a dead letter, that may have taken effect.
    pub removals: u32,
    pub removed: Option<Fact>,
    pub rejections_started: u32,
    /// It was rejected: it is a dead letter.
    pub rejected: Option<Fact>,
    /// It was seen as a dead letter.
    pub buried: bool,
    /// In its queue, and as a dead letter.
    pub sides: [Side; 2],
    /// Local programs that had ended when it was sent: each later one may count as a failure.
    pub ends: u64,
    /// The last program has taken it.
    pub drained: bool,
}

/// Who takes, whose message, from which queue, of which priority, and which power cut before.
pub(super) type Lane = (Who, Who, Name, u8, u64);

impl Body {
    /// A message whose send has just been started.
    pub fn new(start: &Start, plan: &QueuePlan, message: &Message, ends: u64) -> Body {
        Body {
            queue: plan.name.clone(),
            dead: plan.dead.clone(),
            durability: plan.durability(),
            message: message.clone(),
            producer: start.who,
            started: start.now,
            send: Send::Open,
            confirmed: None,
            stored: None,
            holds: Vec::new(),
            repeated: false,
            is_delayed: false,
            lost: false,
            shaken: false,
            removals: 0,
            removed: None,
            rejections_started: 0,
            rejected: None,
            buried: false,
            sides: [Side::default(); 2],
            ends,
            drained: false,
        }
    }

    /// It is stored under one id, and so once; where it was lost before that was confirmed, it may
    /// be stored anew.
    pub fn stored_once(&mut self, era: u64, id: u64) -> Verdict {
        let Some((before, known)) = self.stored else {
            self.stored = Some((era, id));
            return Ok(());
        };
        if era < before {
            return Ok(());
        }
        let anew = era > before && self.send != Send::Confirmed;
        ensure(id == known || anew, || {
            format!("it is stored twice, as {known:#x} in era {before} and as {id:#x} in era {era}")
        })?;
        self.stored = Some((era, id));
        Ok(())
    }

    /// It is still where it is said to be, and its past is told as it was. `more`: failures that
    /// nobody asked for.
    pub fn may_be_held(&self, delivery: &Delivery, is_dead: bool, more: u64) -> Verdict {
        ensure(self.removed.is_none(), || "it was acknowledged or rejected before".into())?;
        ensure(is_dead || self.rejected.is_none(), || "it was rejected before".into())?;
        ensure(is_dead || !self.buried, || "it was a dead letter before".into())?;
        let side = &self.sides[usize::from(is_dead)];
        ensure(!side.handed || delivery.redelivered, || "it was delivered before".into())?;
        let least = side.requeues_done.max(side.seen);
        let most = u64::from(side.requeues_started) + more;
        let failures = delivery.failures;
        ensure(least <= failures && u64::from(failures) <= most, || {
            format!("it has failed {least} to {most} times")
        })
    }

    /// What is delivered in order to `who`.
    pub fn lane(&self, who: Who, queue: Name, power: u64) -> Lane {
        (who, self.producer, queue, self.message.priority(), power)
    }

    /// What was in memory is gone.
    pub fn memory_is_lost(&mut self) {
        if self.durability == Durability::Memory {
            self.shaken = true;
            self.lost |= self.send != Send::Open;
            // If its send is repeated, it begins anew.
            (self.removed, self.rejected, self.buried) = (None, None, false);
            self.holds.clear();
            for side in &mut self.sides {
                let requeues_started = side.requeues_started;
                *side = Side { requeues_started, ..Side::default() };
            }
        }
    }

    /// What was not synced may be gone; everything heard until `durable` is not.
    pub fn power_is_cut(&mut self, durable: Time) {
        self.holds.clear();
        let firm = |fact: &Fact| fact.is_firm(durable);
        self.removed = self.removed.filter(firm);
        self.rejected = self.rejected.filter(firm);
        self.buried = self.rejected.is_some();
        for side in &mut self.sides {
            side.handed = false;
            if self.durability != Durability::Disk {
                side.requeues_done = 0;
            }
            side.seen = side.requeues_done;
        }
        if !self.confirmed.as_ref().is_some_and(firm) && self.durability != Durability::Disk {
            self.shaken = true;
            self.lost |= self.send != Send::Open;
        }
    }
}

/// The number with which a body begins: each message and request has its own.
pub fn number(body: &[u8]) -> Option<u64> {
    let digits = body.split(|byte| *byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
