//! Who holds what: at most one session each message, as far as that can be told from outside.

use std::collections::BTreeMap;

use telpher_proto::base::{Durability, Id};

use super::{Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug)]
pub(super) struct Hold {
    pub body: u64,
    pub durability: Durability,
    /// Of a dead letter.
    pub is_dead: bool,
    pub consumer: Option<Id>,
    /// The failures that the message had.
    pub failures: u32,
    /// The program holds it for certain, and has given no verdict.
    pub live: bool,
    /// A verdict was given; nobody knows yet whether it was taken.
    pub settling: bool,
    /// Its session forgot it.
    pub void: bool,
    /// Nobody knows for certain whether it is held, whatever becomes of a verdict.
    pub unsure: bool,
    /// It was given to another because this session, or the time for it, seemed to be over.
    pub passed_on: bool,
    pub accepted: bool,
}

impl Hold {
    /// A verdict on it is taken.
    pub fn accept(&mut self) -> Verdict {
        ensure(!self.accepted, || "this delivery was settled before".into())?;
        ensure(!self.void && !self.passed_on, || format!("it was taken back: {self:?}"))?;
        self.accepted = true;
        self.settling = false;
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Holds(BTreeMap<(Who, u64), Hold>);

impl Holds {
    pub fn get(&self, who: Who, token: u64) -> Option<&Hold> {
        self.0.get(&(who, token))
    }

    pub fn get_mut(&mut self, who: Who, token: u64) -> Option<&mut Hold> {
        self.0.get_mut(&(who, token))
    }

    /// A delivery has come. The same token comes again only if the last verdict may not have
    /// reached the hub.
    pub fn insert(&mut self, who: Who, token: u64, hold: Hold) -> Verdict {
        let before = self.0.insert((who, token), hold);
        let again = |hold: &Hold| !hold.live && !hold.void && !hold.accepted;
        ensure(before.as_ref().is_none_or(again), || {
            format!("this token was used before: {before:?}")
        })
    }

    pub fn of(&self, who: Who) -> impl Iterator<Item = (u64, &Hold)> {
        self.0.range((who, 0)..=(who, u64::MAX)).map(|((_, token), hold)| (*token, hold))
    }

    pub fn of_mut(&mut self, who: Who) -> impl Iterator<Item = &mut Hold> {
        self.0.range_mut((who, 0)..=(who, u64::MAX)).map(|(_, hold)| hold)
    }

    /// What `who` holds, of one consumer or at all, is no longer held.
    pub fn void(&mut self, who: Who, consumer: Option<Id>) {
        for hold in self.of_mut(who) {
            if consumer.is_some() && hold.consumer != consumer {
                continue;
            }
            // A settlement that is under way may still be accepted.
            hold.void |= hold.live && consumer.is_none();
            hold.live = false;
            hold.unsure = true;
        }
    }

    /// Another host goes on with the session, or with a new one. `sure`: with the old one, for
    /// certain. `memory`: what was in memory is gone, for certain or perhaps.
    pub fn host_changed(&mut self, who: Who, sure: bool, memory: Option<bool>) {
        for hold in self.of_mut(who) {
            if let Some(certain) = memory.filter(|_| hold.durability == Durability::Memory) {
                hold.void |= hold.live && certain;
                hold.live = false;
                // Also if a verdict that is under way is refused.
                hold.unsure = true;
            }
            hold.live &= sure;
            hold.unsure |= !sure;
        }
    }

    /// After a power cut nobody knows who holds what: what was taken back or settled since it was
    /// last written may be held again.
    pub fn power_is_cut(&mut self) {
        for hold in self.0.values_mut() {
            hold.live = false;
            hold.unsure = true;
            hold.passed_on = false;
            hold.accepted &= hold.durability == Durability::Disk;
        }
    }
}
