//! Bindings: patterns whose topics are stored in a queue, whether anybody is there or not.
//!
//! Floor: broker.

use slab::Slab;

use super::declare::no_space;
use super::log::Level;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::trie::Trie;
use super::{Broker, NameId};
use crate::base::limits::{BINDINGS_PER_HUB_MAX, BINDINGS_PER_QUEUE_MAX};
use crate::base::record::{Binding, BoundTo, Record, Room};
use crate::base::{Error, Kind, Name, Pattern, Time};

/// Every binding, by what it matches.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    trie: Trie,
    /// The key of the queue to which each is bound.
    queues: Slab<usize>,
    /// Reused room.
    found: Vec<usize>,
}

impl Bindings {
    /// True if nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The keys of the queues to which a topic is bound, each once.
    pub fn of(&mut self, topic: &Name) -> Vec<usize> {
        if self.is_empty() {
            return Vec::new();
        }
        self.found.clear();
        self.trie.matches(topic.as_str(), &mut self.found);
        let mut queues: Vec<usize> = self.found.iter().map(|slot| self.queues[*slot]).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}

impl Broker {
    /// Binds a pattern to a queue, unless it is bound already.
    pub fn bind(&mut self, now: Time, change: ChangeRef, name: NameId, pattern: &Pattern) {
        match self.try_bind(change, name, pattern) {
            Ok(level) => self.changed(now, change, level, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_bind(
        &mut self,
        change: ChangeRef,
        name: NameId,
        pattern: &Pattern,
    ) -> Result<Level, Error> {
        let key = self.find_queue(name)?;
        let queue = &self.queues[key];
        if queue.bindings.contains_key(pattern) {
            return Ok(self.level_of_declaring(key));
        }
        if queue.bindings.len() >= BINDINGS_PER_QUEUE_MAX {
            let detail = format!(
                "the queue {:?} has {BINDINGS_PER_QUEUE_MAX} patterns bound to it, its limit",
                queue.name
            );
            return Err(Error::new(Kind::Full, detail));
        }
        if self.bindings.queues.len() >= BINDINGS_PER_HUB_MAX {
            let detail = format!("the hub has {BINDINGS_PER_HUB_MAX} patterns bound, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        if self.log.is_on && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        let target = BoundTo::Queue(queue.id);
        self.add_binding(key, pattern);
        let level = self.level_of_declaring(key);
        if self.log.is_on {
            let binding = Binding { target, pattern: pattern.clone() };
            self.write(level, Record::Bound { change: Some(change.numbers), binding });
        }
        Ok(level)
    }

    pub(super) fn add_binding(&mut self, key: usize, pattern: &Pattern) {
        let slot = self.bindings.queues.insert(key);
        self.bindings.trie.insert(pattern, slot);
        self.queues[key].bindings.insert(pattern.clone(), slot);
    }

    /// Ends a binding.
    pub fn unbind(&mut self, now: Time, change: ChangeRef, name: NameId, pattern: &Pattern) {
        let key = match self.find_bound(name, pattern) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let level = self.level_of_declaring(key);
        if self.log.is_on {
            let target = BoundTo::Queue(self.queues[key].id);
            let binding = Binding { target, pattern: pattern.clone() };
            self.write(level, Record::Unbound { change: Some(change.numbers), binding });
        }
        self.remove_binding(key, pattern);
        self.changed(now, change, level, Done::Empty);
        self.publish_unbound(now, key);
    }

    fn find_bound(&self, name: NameId, pattern: &Pattern) -> Result<usize, Error> {
        let key = self.find_queue(name)?;
        let queue = &self.queues[key];
        if queue.bindings.contains_key(pattern) {
            return Ok(key);
        }
        let detail = format!("the pattern {pattern:?} is not bound to the queue {:?}", queue.name);
        Err(Error::new(Kind::NotFound, detail))
    }

    fn remove_binding(&mut self, key: usize, pattern: &Pattern) {
        if let Some(slot) = self.queues[key].bindings.remove(pattern) {
            self.bindings.trie.remove(pattern, slot);
            self.bindings.queues.remove(slot);
        }
    }

    /// The queue goes away: nothing is bound to it any more.
    pub(super) fn end_bindings(&mut self, key: usize) {
        let patterns: Vec<Pattern> = self.queues[key].bindings.keys().cloned().collect();
        patterns.iter().for_each(|pattern| self.remove_binding(key, pattern));
    }

    /// What is bound to a queue, as it is stated anew.
    pub(super) fn bound(&self, key: usize) -> impl Iterator<Item = Record> {
        let target = BoundTo::Queue(self.queues[key].id);
        self.queues[key].bindings.keys().map(move |pattern| {
            let binding = Binding { target, pattern: pattern.clone() };
            Record::Bound { change: None, binding }
        })
    }
}
