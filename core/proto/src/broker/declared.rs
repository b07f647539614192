//! Declarations of topics: which of them make publishers wait for slow subscribers.
//!
//! ```text
//! publish -> no declaration that matches says wait: nobody waits, slow subscribers lose messages
//!         -> one does: `topic_lines`
//! ```
//! Floor: broker.

use std::collections::BTreeMap;
use std::ops::Bound;

use slab::Slab;

use super::Broker;
use super::declare::no_space;
use super::log::Level;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::trie::Trie;
use crate::base::limits::{LIST_MAX, TOPICS_PER_HUB_MAX};
use crate::base::record::{Record, Room};
use crate::base::{Error, Kind, Name, Outcome, Pattern, Time};
use crate::base::{TopicInfo, TopicOptions, TopicOverflow};

/// One declaration.
#[derive(Debug)]
struct Declared {
    options: TopicOptions,
    /// No other of this host has the number.
    number: u64,
    /// Publishes that wait in line.
    waiting: u64,
}

/// Names a declaration, also when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeclaredRef {
    key: usize,
    number: u64,
}

/// Every declaration, by its pattern and by what it matches.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    all: Slab<Declared>,
    by_pattern: BTreeMap<Pattern, usize>,
    /// Those that make publishers wait.
    trie: Trie,
    waiting: usize,
    /// Made so far.
    count: u64,
    /// Reused room.
    found: Vec<usize>,
}

impl Declarations {
    /// True if no topic makes publishers wait.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// True if publishers of a topic wait.
    pub fn waits(&mut self, topic: &Name) -> bool {
        !self.of(topic).is_empty()
    }

    /// The declarations by which publishers of a topic wait.
    pub fn of(&mut self, topic: &Name) -> Vec<DeclaredRef> {
        if self.is_empty() {
            return Vec::new();
        }
        self.found.clear();
        self.trie.matches(topic.as_str(), &mut self.found);
        let number = |key: usize| self.all[key].number;
        self.found.iter().map(|key| DeclaredRef { key: *key, number: number(*key) }).collect()
    }

    /// Whether one more publish may wait in line.
    ///
    /// # Errors
    ///
    /// `FULL`, naming the limit.
    pub fn check_line(&self, declared: &[DeclaredRef]) -> Result<(), Error> {
        for of in declared {
            let Some(found) = self.all.get(of.key).filter(|d| d.number == of.number) else {
                continue;
            };
            let (waiting, most) = (found.waiting, found.options.line_max);
            if waiting >= u64::from(most) {
                let mut patterns = self.by_pattern.iter();
                let pattern = patterns.find(|(_, key)| **key == of.key).map(|(pattern, _)| pattern);
                let pattern = pattern.map_or("", Pattern::as_str);
                let detail = format!(
                    "{waiting} publishes wait for subscribers of the topics {pattern:?}; line_max \
                     is {most}"
                );
                return Err(Error::new(Kind::Full, detail));
            }
        }
        Ok(())
    }

    /// A publish begins to wait in line, or does no longer.
    pub fn count_waiting(&mut self, declared: &[DeclaredRef], begins: bool) {
        for of in declared {
            let found = self.all.get_mut(of.key).filter(|found| found.number == of.number);
            let Some(found) = found else { continue };
            found.waiting = match begins {
                true => found.waiting + 1,
                false => found.waiting.saturating_sub(1),
            };
        }
    }

    /// Takes a declaration in, one by an earlier host as well.
    pub fn insert(&mut self, pattern: &Pattern, options: TopicOptions) {
        self.count += 1;
        let declared = Declared { options, number: self.count, waiting: 0 };
        let key = self.all.insert(declared);
        self.by_pattern.insert(pattern.clone(), key);
        if options.overflow == TopicOverflow::Wait {
            self.trie.insert(pattern, key);
            self.waiting += 1;
        }
    }

    fn remove(&mut self, pattern: &Pattern) {
        let Some(key) = self.by_pattern.remove(pattern) else { return };
        if self.all.remove(key).options.overflow == TopicOverflow::Wait {
            self.trie.remove(pattern, key);
            self.waiting -= 1;
        }
    }

    fn get(&self, pattern: &Pattern) -> Result<&Declared, Error> {
        let unknown = || {
            let detail = format!("the topics {pattern:?} are not declared");
            Error::new(Kind::NotFound, detail)
        };
        self.by_pattern.get(pattern).map(|key| &self.all[*key]).ok_or_else(unknown)
    }

    /// Every declaration as it is stated anew.
    pub fn statement(&self) -> impl Iterator<Item = Record> {
        let all = self.by_pattern.iter();
        all.map(|(pattern, key)| statement(pattern, self.all[*key].options))
    }
}

impl Declared {
    fn info(&self) -> TopicInfo {
        let TopicOptions { overflow, line_max } = self.options;
        TopicInfo { overflow, line_max, waiting: self.waiting }
    }
}

impl Broker {
    /// Says how the topics that match a pattern are, or checks that it is as stated.
    pub fn declare_topic(
        &mut self,
        now: Time,
        change: ChangeRef,
        pattern: &Pattern,
        options: TopicOptions,
    ) {
        match self.try_declare_topic(change, pattern, options) {
            Ok(()) => self.changed(now, change, Level::Durable, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_declare_topic(
        &mut self,
        change: ChangeRef,
        pattern: &Pattern,
        options: TopicOptions,
    ) -> Result<(), Error> {
        options.check()?;
        let options = options.resolved();
        if let Ok(found) = self.declared.get(pattern) {
            return match difference(found.options, options) {
                None => Ok(()),
                Some(difference) => {
                    let detail = format!("the topics {pattern:?} have {difference}");
                    Err(Error::new(Kind::Mismatch, detail))
                }
            };
        }
        if self.declared.all.len() >= TOPICS_PER_HUB_MAX {
            let detail =
                format!("the hub has {TOPICS_PER_HUB_MAX} declarations of topics, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        if self.log.is_on && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        self.declared.insert(pattern, options);
        if self.log.is_on {
            let (change, pattern) = (Some(change.numbers), pattern.clone());
            self.write(Level::Durable, Record::Topic { change, pattern, options });
        }
        Ok(())
    }

    /// Removes a declaration. What waits in line because of it is published.
    pub fn delete_topic(&mut self, now: Time, change: ChangeRef, pattern: &Pattern) {
        if let Err(error) = self.declared.get(pattern) {
            return self.refuse(change, error);
        }
        self.declared.remove(pattern);
        if self.log.is_on {
            let (change, pattern) = (Some(change.numbers), pattern.clone());
            self.write(Level::Durable, Record::TopicGone { change, pattern });
        }
        self.changed(now, change, Level::Durable, Done::Empty);
        self.end_undeclared_waits();
    }

    /// A declaration of topics.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a declaration.
    pub fn inspect_topic(&self, pattern: &Pattern) -> Result<Outcome, Error> {
        self.declared.get(pattern).map(|declared| Outcome::Topic(declared.info()))
    }

    /// Declarations by pattern, behind `after`: as many as one answer may list.
    pub fn list_topics(&self, after: Option<&Pattern>) -> Outcome {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.declared.by_pattern.range::<Pattern, _>((behind, Bound::Unbounded));
        let info = |key: usize| self.declared.all[key].info();
        let listed = all.take(LIST_MAX).map(|(pattern, key)| (pattern.clone(), info(*key)));
        Outcome::Topics(listed.collect())
    }
}

fn statement(pattern: &Pattern, options: TopicOptions) -> Record {
    Record::Topic { change: None, pattern: pattern.clone(), options }
}

/// Declarations of an earlier host, as they are stated anew.
pub(super) fn stated(
    declared: &BTreeMap<Pattern, TopicOptions>,
) -> impl Iterator<Item = Record> + '_ {
    declared.iter().map(|(pattern, options)| statement(pattern, *options))
}

fn difference(has: TopicOptions, wanted: TopicOptions) -> Option<String> {
    let mut differences = Vec::new();
    if has.overflow != wanted.overflow {
        let (has, wanted) = (has.overflow.name(), wanted.overflow.name());
        differences.push(format!("overflow {has}, not {wanted}"));
    }
    if has.line_max != wanted.line_max {
        differences.push(format!("line_max {}, not {}", has.line_max, wanted.line_max));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}
