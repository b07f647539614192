//! Queues are made, emptied, removed and looked at.
//!
//! Floor: broker.

use super::bindings::Target;
use super::log::{Level, Staged};
use super::queues::{Entry, Queue};
use super::registrations::Role;
use super::sends::ChangeRef;
use super::sessions::{Confirmation, Done, Marked};
use super::{Broker, Effect, NameId};
use crate::base::limits::{self, NAMES_PER_HUB_MAX};
use crate::base::queue::DEAD_SUFFIX;
use crate::base::record::{Record, Room};
use crate::base::{Durability, Error, Kind, Name, Outcome, Overflow, QueueInfo};
use crate::base::{QueueOptions, Time};

impl Broker {
    /// Makes a queue, or checks that it is as stated.
    pub fn declare(&mut self, now: Time, change: ChangeRef, name: NameId, options: &QueueOptions) {
        match self.try_declare(change, name, options) {
            Ok(level) => self.changed(now, change, level, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_declare(
        &mut self,
        change: ChangeRef,
        name: NameId,
        options: &QueueOptions,
    ) -> Result<Level, Error> {
        let default = if self.log.is_on { Durability::Disk } else { Durability::Memory };
        let options = options.resolved(default);
        if options.durability != Some(Durability::Memory) && !self.log.is_on {
            return Err(Error::new(Kind::Unsupported, unsupported_durability(&options)));
        }
        options.check(self.names.name(name))?;
        if let Some(key) = self.names.queue(name) {
            let name = &self.queues[key].name;
            return match difference(name, &self.queues[key].options, &options) {
                None => Ok(self.level_of_declaring(key)),
                Some(difference) => {
                    let detail = format!("the queue {name:?} has {difference}");
                    Err(Error::new(Kind::Mismatch, detail))
                }
            };
        }
        self.check_dead_letter(name, &options)?;
        if self.log.is_on && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        let key = self.make_queue(name, options)?;
        if self.log.is_on {
            let state = self.queues[key].state();
            let level = self.queues[key].level();
            self.write(level, Record::Queue { change: Some(change.numbers), state });
        }
        Ok(self.level_of_declaring(key))
    }

    /// That there is a queue in memory is written down: the next host can tell what was lost.
    pub(super) fn level_of_declaring(&self, key: usize) -> Level {
        self.queues[key].level().max(Level::Written)
    }

    /// Dead letters must be as safe as the queue they come from, and they keep their place: a queue
    /// in memory and one that is not share none.
    fn check_dead_letter(&self, name: NameId, options: &QueueOptions) -> Result<(), Error> {
        let own = self.names.name(name);
        let named = |name: &Name| self.names.find(name).and_then(|id| self.names.queue(id));
        let durability = options.durability.unwrap_or(Durability::Memory);
        if let Some(dead) = options.dead_letter_of(own)
            && let Some(key) = named(&dead)
        {
            check_safe(&dead, self.queues[key].durability(), own, durability)?;
        }
        let states_it = |queue: &Queue| queue.options.dead_letter.as_ref() == Some(own);
        let stated = self.queues.iter().filter(|(_, queue)| states_it(queue)).map(|(key, _)| key);
        let default =
            own.as_str().strip_suffix(DEAD_SUFFIX).and_then(|text| Name::parse(text).ok());
        let by_default = default.as_ref().and_then(named);
        let has_default = |key: &usize| self.queues[*key].options.dead_letter.is_none();
        let from = by_default.filter(has_default).into_iter();
        for key in from.chain(stated) {
            let queue = &self.queues[key];
            check_safe(own, durability, &queue.name, queue.durability())?;
        }
        Ok(())
    }

    pub(super) fn make_queue(
        &mut self,
        name: NameId,
        options: QueueOptions,
    ) -> Result<usize, Error> {
        if self.queues.len() >= NAMES_PER_HUB_MAX {
            let detail = format!("the hub has {NAMES_PER_HUB_MAX} queues, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        self.queue_count += 1;
        let text = self.names.name(name).clone();
        let key = self.queues.insert(Queue::new(self.queue_count, text, name, options));
        self.queue_ids.insert(self.queue_count, key);
        self.names.set_queue(name, Some(key));
        Ok(key)
    }

    /// A queue that was made by an earlier host keeps its number.
    pub(super) fn rename_queue(&mut self, key: usize, id: u64) {
        self.queue_ids.remove(&self.queues[key].id);
        self.queue_ids.insert(id, key);
        self.queues[key].id = id;
        self.queue_count = self.queue_count.max(id);
    }

    /// Removes a queue with everything in it; whoever waits at it hears so.
    pub fn delete(&mut self, now: Time, change: ChangeRef, name: NameId) {
        let key = match self.find_queue(name) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let queue = &self.queues[key];
        let (level, count, id) = (queue.level(), queue.length, queue.id);
        if self.log.is_on {
            let by = Some(change.numbers);
            self.write(level, Record::QueueGone { change: by, queue: id, count });
        }
        let detail = format!("the queue {:?} was deleted", queue_name(&self.queues[key]));
        let error = Error::new(Kind::NotFound, detail);
        self.end_consumers(key, &error);
        for (_, receive) in self.receives_of(key) {
            let (session, ticket) = self.remove_receive(receive);
            self.sessions[session].tickets.remove(&ticket);
            self.result(session, ticket, Err(error.clone()));
        }
        self.end_bindings(Target::Queue(key));
        let mut publishes = Vec::new();
        for token in std::mem::take(&mut self.queues[key].sends) {
            let waiting = self.sends.get(token);
            let is_publish = waiting.is_some_and(|waiting| waiting.publishing.is_some());
            let error = Some(error.clone()).filter(|_| !is_publish);
            publishes.extend(self.end_waiting_send(token, error).filter(|_| is_publish));
        }
        self.end_peeks(key, &error);
        self.drop_held(key);
        self.drop_contents(key);
        let queue = self.queues.remove(key);
        self.queue_ids.remove(&queue.id);
        if let Some(timer) = queue.expiry {
            self.timers.remove(timer);
        }
        self.names.set_queue(queue.name_id, None);
        self.changed(now, change, level, Done::Count(count));
        for waiting in publishes {
            self.publish_waiting(now, waiting, None);
        }
    }

    fn drop_contents(&mut self, key: usize) {
        let mut entries = self.queues[key].take_ready();
        entries.append(&mut self.queues[key].damaged);
        entries.append(&mut self.take_delayed(key));
        entries.iter().for_each(|entry| self.drop_entry(key, entry));
    }

    fn end_consumers(&mut self, queue: usize, error: &Error) {
        let consumers = self.registrations.iter().filter(|(_, r)| r.role == Role::Consumer(queue));
        let consumers: Vec<usize> = consumers.map(|(key, _)| key).collect();
        for key in consumers {
            let (session, id) = (self.registrations[key].session, self.registrations[key].id);
            self.detach_uses(session, key);
            self.remove_registration(key);
            self.sessions[session].registrations.remove(&id);
            if self.sessions[session].present() {
                self.effects.push_back(Effect::Ended { session, id, error: error.clone() });
            }
        }
    }

    /// Removes the messages that nobody holds, those on their way to be visible included.
    pub fn purge(&mut self, now: Time, change: ChangeRef, name: NameId) {
        let key = match self.find_queue(name) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let queue = &self.queues[key];
        let (level, count, id) = (queue.level(), queue.length - queue.held, queue.id);
        if self.is_journaled(key) {
            let by = Some(change.numbers);
            self.write(level, Record::Purged { change: by, queue: id, count });
        }
        self.queues[key].purged = self.queues[key].sequence;
        self.drop_contents(key);
        self.changed(now, change, level, Done::Count(count));
        self.admit_sends(now, key);
    }

    /// A queue's figures.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a queue.
    pub fn inspect(&self, name: NameId) -> Result<Outcome, Error> {
        let key = self.find_queue(name)?;
        Ok(Outcome::Queue(Box::new(self.queues[key].info())))
    }

    /// Queues and their figures, by name, behind `after`: as many as one answer may list.
    pub fn list(&self, after: Option<&Name>) -> Outcome {
        let behind = |queue: &&Queue| after.is_none_or(|after| queue.name > *after);
        let queues = self.queues.iter().filter(|(_, queue)| behind(queue));
        let mut queues: Vec<(&Name, usize)> = queues.map(|(key, q)| (&q.name, key)).collect();
        queues.sort_unstable();
        queues.truncate(limits::LIST_MAX);
        let mut size = 0;
        let mut listed: Vec<(Name, QueueInfo)> = Vec::with_capacity(queues.len());
        for (name, key) in queues {
            let info = self.queues[key].info();
            size += info.bindings.iter().map(|pattern| pattern.as_str().len()).sum::<usize>();
            if size > limits::LIST_PATTERNS_SIZE_MAX && !listed.is_empty() {
                break;
            }
            listed.push((name.clone(), info));
        }
        Outcome::Queues(listed)
    }

    /// A change has been applied, and waits only until it is safe enough to be told of.
    pub(super) fn changed(&mut self, now: Time, change: ChangeRef, level: Level, outcome: Done) {
        let level = if self.log.is_on { level } else { Level::Now };
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
    }

    /// A message that has become visible, or a purge has removed on its way.
    pub(super) fn arrive(&mut self, now: Time, queue: super::queues::QueueRef, mut entry: Entry) {
        let Some(found) = self.queue_at(queue) else {
            // It was deleted, and its messages with it.
            return self.usage.release(entry.place.segment, entry.size());
        };
        if entry.sequence <= found.purged {
            // Nobody has counted its body as being in memory.
            self.leave(queue.key, entry.size());
            return self.usage.release(entry.place.segment, entry.size());
        }
        self.settle_body(queue.key, &mut entry);
        self.queues[queue.key].push(entry);
        self.watch_expiry(now, queue.key);
        self.pump(now, queue.key);
    }
}

fn queue_name(queue: &Queue) -> &Name {
    &queue.name
}

/// Why nothing new is stored.
pub(super) fn no_space() -> Error {
    let detail = "the disk is full: nothing was stored; what is settled makes room";
    Error::new(Kind::NoSpace, detail)
}

pub(super) fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    }
}

fn unsupported_durability(options: &QueueOptions) -> String {
    let durability = options.durability.map_or("disk", durability_name);
    format!(
        "durability {durability} is not supported: this hub keeps queues in memory only; \
         declare the queue with durability memory"
    )
}

fn difference(name: &Name, has: &QueueOptions, wanted: &QueueOptions) -> Option<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, has: u64, wanted: u64| {
        if has != wanted {
            differences.push(format!("{what} {has}, not {wanted}"));
        }
    };
    compare("length_max", has.length_max, wanted.length_max);
    compare("bytes_max", has.bytes_max, wanted.bytes_max);
    compare("max_attempts", has.max_attempts.into(), wanted.max_attempts.into());
    compare("backoff_min_ms", has.backoff_min_ms, wanted.backoff_min_ms);
    compare("backoff_max_ms", has.backoff_max_ms, wanted.backoff_max_ms);
    compare("ack_deadline_ms", has.ack_deadline_ms, wanted.ack_deadline_ms);
    compare("ttl_ms", has.ttl_ms, wanted.ttl_ms);
    let mut differ = |what: &str, has: &str, wanted: &str| {
        if has != wanted {
            differences.push(format!("{what} {has}, not {wanted}"));
        }
    };
    let overflow = |options: &QueueOptions| match options.overflow {
        Overflow::Wait => "wait",
        Overflow::Reject => "reject",
    };
    differ("overflow", overflow(has), overflow(wanted));
    let durability = |options: &QueueOptions| options.durability.map_or("", durability_name);
    differ("durability", durability(has), durability(wanted));
    // Stating the name that it has anyway is no difference.
    let dead = |options: &QueueOptions| match options.dead_letter_of(name) {
        None => String::from("none"),
        Some(name) => format!("{name:?}"),
    };
    differ("dead_letter", &dead(has), &dead(wanted));
    (!differences.is_empty()).then(|| differences.join("; "))
}

fn check_safe(
    dead: &Name,
    its: Durability,
    name: &Name,
    durability: Durability,
) -> Result<(), Error> {
    if takes_dead_letters(its, durability) {
        return Ok(());
    }
    let detail = format!(
        "the dead-letter queue {dead:?} has durability {}, and {name:?} has {}: dead letters are \
         kept as safely as before, and those of a queue in memory in memory",
        durability_name(its),
        durability_name(durability)
    );
    Err(Error::new(Kind::Mismatch, detail))
}

/// True if a queue of dead letters is as safe as the queue they come from.
pub(super) fn takes_dead_letters(its: Durability, durability: Durability) -> bool {
    let is_memory = |durability| durability == Durability::Memory;
    its >= durability && is_memory(its) == is_memory(durability)
}
