//! Bindings: patterns whose topics are stored in a queue or a stream, whether anybody is there or
//! not.
//!
//! Floor: broker.

use std::collections::BTreeMap;

use slab::Slab;

use super::declare::no_space;
use super::log::Level;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::trie::Trie;
use super::{Broker, NameId};
use crate::base::limits::{BINDINGS_PER_HUB_MAX, BINDINGS_PER_QUEUE_MAX, BINDINGS_PER_STREAM_MAX};
use crate::base::record::{Binding, BoundTo, Record, Room};
use crate::base::{Error, Kind, Name, Pattern, Time};

/// To what a program binds.
#[derive(Clone, Copy, Debug)]
pub enum BindTo {
    /// A queue.
    Queue(NameId),
    /// A stream.
    Stream(NameId),
}

/// What a pattern is bound to, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Queue(usize),
    Stream(usize),
}

/// Where a topic is bound, by their keys, each once.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub queues: Vec<usize>,
    pub streams: Vec<usize>,
}

impl Targets {
    /// True if it is bound nowhere.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.streams.is_empty()
    }
}

/// Every binding, by what it matches.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    trie: Trie,
    targets: Slab<Target>,
    /// Reused room.
    found: Vec<usize>,
}

impl Bindings {
    /// True if nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Where a topic is bound.
    pub fn of(&mut self, topic: &Name) -> Targets {
        let mut targets = Targets::default();
        if self.is_empty() {
            return targets;
        }
        self.found.clear();
        self.trie.matches(topic.as_str(), &mut self.found);
        for slot in &self.found {
            match self.targets[*slot] {
                Target::Queue(key) => targets.queues.push(key),
                Target::Stream(key) => targets.streams.push(key),
            }
        }
        for keys in [&mut targets.queues, &mut targets.streams] {
            keys.sort_unstable();
            keys.dedup();
        }
        targets
    }
}

impl Broker {
    /// Binds a pattern to a queue or a stream, unless it is bound already.
    pub fn bind(&mut self, now: Time, change: ChangeRef, to: BindTo, pattern: &Pattern) {
        match self.try_bind(change, to, pattern) {
            Ok(level) => self.changed(now, change, level, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_bind(
        &mut self,
        change: ChangeRef,
        to: BindTo,
        pattern: &Pattern,
    ) -> Result<Level, Error> {
        let target = self.find_target(to)?;
        let (level, bound) = (self.level_of_binding(target), self.patterns(target));
        if bound.contains_key(pattern) {
            return Ok(level);
        }
        let most = match target {
            Target::Queue(_) => BINDINGS_PER_QUEUE_MAX,
            Target::Stream(_) => BINDINGS_PER_STREAM_MAX,
        };
        if bound.len() >= most {
            let named = self.named(target);
            let detail = format!("{named} has {most} patterns bound to it, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        if self.bindings.targets.len() >= BINDINGS_PER_HUB_MAX {
            let detail = format!("the hub has {BINDINGS_PER_HUB_MAX} patterns bound, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        if self.log.is_on && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        self.add_binding(target, pattern);
        if self.log.is_on {
            let binding = Binding { target: self.bound_to(target), pattern: pattern.clone() };
            self.write(level, Record::Bound { change: Some(change.numbers), binding });
        }
        Ok(level)
    }

    pub(super) fn add_binding(&mut self, target: Target, pattern: &Pattern) {
        let slot = self.bindings.targets.insert(target);
        self.bindings.trie.insert(pattern, slot);
        self.patterns_mut(target).insert(pattern.clone(), slot);
    }

    /// Ends a binding.
    pub fn unbind(&mut self, now: Time, change: ChangeRef, to: BindTo, pattern: &Pattern) {
        let target = match self.find_bound(to, pattern) {
            Ok(target) => target,
            Err(error) => return self.refuse(change, error),
        };
        let level = self.level_of_binding(target);
        if self.log.is_on {
            let binding = Binding { target: self.bound_to(target), pattern: pattern.clone() };
            self.write(level, Record::Unbound { change: Some(change.numbers), binding });
        }
        self.remove_binding(target, pattern);
        self.changed(now, change, level, Done::Empty);
        match target {
            Target::Queue(key) => self.publish_unbound(now, key),
            Target::Stream(_) => self.publish_unbound_streams(now),
        }
    }

    fn find_bound(&self, to: BindTo, pattern: &Pattern) -> Result<Target, Error> {
        let target = self.find_target(to)?;
        if self.patterns(target).contains_key(pattern) {
            return Ok(target);
        }
        let detail = format!("the pattern {pattern:?} is not bound to {}", self.named(target));
        Err(Error::new(Kind::NotFound, detail))
    }

    fn find_target(&self, to: BindTo) -> Result<Target, Error> {
        match to {
            BindTo::Queue(name) => self.find_queue(name).map(Target::Queue),
            BindTo::Stream(name) => self.find_stream(name).map(Target::Stream),
        }
    }

    fn level_of_binding(&self, target: Target) -> Level {
        match target {
            Target::Queue(key) => self.level_of_declaring(key),
            Target::Stream(key) => self.streams.all[key].level().max(Level::Written),
        }
    }

    fn patterns(&self, target: Target) -> &BTreeMap<Pattern, usize> {
        match target {
            Target::Queue(key) => &self.queues[key].bindings,
            Target::Stream(key) => &self.streams.all[key].bindings,
        }
    }

    fn patterns_mut(&mut self, target: Target) -> &mut BTreeMap<Pattern, usize> {
        match target {
            Target::Queue(key) => &mut self.queues[key].bindings,
            Target::Stream(key) => &mut self.streams.all[key].bindings,
        }
    }

    fn named(&self, target: Target) -> String {
        match target {
            Target::Queue(key) => format!("the queue {:?}", self.queues[key].name),
            Target::Stream(key) => format!("the stream {:?}", self.streams.all[key].name),
        }
    }

    fn bound_to(&self, target: Target) -> BoundTo {
        match target {
            Target::Queue(key) => BoundTo::Queue(self.queues[key].id),
            Target::Stream(key) => BoundTo::Stream(self.streams.all[key].id),
        }
    }

    fn remove_binding(&mut self, target: Target, pattern: &Pattern) {
        if let Some(slot) = self.patterns_mut(target).remove(pattern) {
            self.bindings.trie.remove(pattern, slot);
            self.bindings.targets.remove(slot);
        }
    }

    /// The queue or stream goes away: nothing is bound to it any more.
    pub(super) fn end_bindings(&mut self, target: Target) {
        let patterns: Vec<Pattern> = self.patterns(target).keys().cloned().collect();
        patterns.iter().for_each(|pattern| self.remove_binding(target, pattern));
    }
}

/// What is bound to a queue or a stream, as it is stated anew.
pub(super) fn stated<'a>(
    target: BoundTo,
    patterns: impl Iterator<Item = &'a Pattern>,
) -> impl Iterator<Item = Record> {
    patterns.map(move |pattern| {
        let binding = Binding { target, pattern: pattern.clone() };
        Record::Bound { change: None, binding }
    })
}
