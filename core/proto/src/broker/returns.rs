//! Attempts that end without success: what goes back, what waits, and dead letters.
//!
//! ```text
//! failed attempt -> aside, for a pause that doubles -> back to its place
//!                \-> the last one, a rejection, or its time is over: dead-letter queue
//! a process died that held several -> each is suspect, and goes to a session that holds nothing
//!                \-> that held one -> the same, and the attempt has failed
//! ```
//!
//! Floor: broker.

use super::declare::takes_dead_letters;
use super::log::Level;
use super::queues::{Entry, Queue, QueueRef};
use super::sessions::sorted;
use super::{Broker, Due};
use crate::base::message::{TOPIC_HEADER, cut};
use crate::base::record::{DeadTo, Failure, History, Origin, Record, Returned, Why};
use crate::base::timers::TimerKey;
use crate::base::{Durability, HeadersBuilder, Message, Name, QueueOptions, Time, limits};

/// A message that waits for its next attempt.
#[derive(Debug)]
pub(super) struct Delayed {
    pub queue: QueueRef,
    pub entry: Entry,
    timer: TimerKey,
}

/// How an attempt ended, what was said, and where the message goes as a dead letter.
pub(super) type AttemptEnd = (Why, String, Option<DeadTo>);

impl Broker {
    /// True if one more failure of a message that has failed so often is the last.
    pub(super) fn is_last_attempt(&self, queue: usize, failures: u32) -> bool {
        failures + 1 >= self.queues[queue].options.max_attempts
    }

    /// A place in the dead-letter queue, which is made if need be. `None` if the queue has none, or
    /// none that is as safe: then the message stays.
    pub(super) fn dead_place(&mut self, key: usize) -> Option<DeadTo> {
        let queue = &self.queues[key];
        let name = queue.options.dead_letter_of(&queue.name)?;
        let durability = queue.durability();
        let dead = match self.names.find(&name).and_then(|id| self.names.queue(id)) {
            Some(dead) => dead,
            None => self.make_dead_queue(&name, durability)?,
        };
        let dead = &mut self.queues[dead];
        takes_dead_letters(dead.durability(), durability).then_some(())?;
        dead.sequence += 1;
        Some(DeadTo { queue: dead.id, sequence: dead.sequence })
    }

    fn make_dead_queue(&mut self, name: &Name, durability: Durability) -> Option<usize> {
        let options = QueueOptions { durability: Some(durability), ..QueueOptions::default() };
        let id = self.names.open(name).ok()?;
        let made = self.make_queue(id, options.resolved(durability));
        self.names.release(id);
        let key = made.ok()?;
        if self.log.is_on {
            let state = self.queues[key].state();
            self.write(self.queues[key].level(), Record::Queue { change: None, state });
        }
        Some(key)
    }

    /// A message has died in a queue. Without a dead-letter queue it is gone if the queue is meant
    /// to have none, and stays for another attempt otherwise.
    pub(super) fn bury(&mut self, now: Time, key: usize, mut entry: Entry, end: AttemptEnd) {
        let (why, reason, dead) = end;
        note_failure(&mut entry, Failure { time_ms: self.time_ms(now), why, reason });
        let Some(to) = dead else {
            let queue = &self.queues[key];
            if queue.options.dead_letter_of(&queue.name).is_none() {
                return self.drop_entry(key, &entry);
            }
            return self.delay(now, key, entry);
        };
        let queue = &mut self.queues[key];
        queue.dead_lettered += 1;
        become_dead_letter(&mut entry, &queue.name, why, to);
        self.leave(key, entry.size());
        let Some(dead) = self.queue_ids.get(&to.queue).copied() else {
            return self.usage.release(entry.place.segment, entry.size());
        };
        self.count_in(dead, entry.size());
        let target = &mut self.queues[dead];
        target.length += 1;
        target.bytes += entry.size();
        target.sent += 1;
        target.push(entry);
        self.watch_expiry(now, dead);
        self.woken.insert(dead);
    }

    /// An attempt has failed: there is another after a pause, unless it was the last.
    pub(super) fn fail_attempt(
        &mut self,
        now: Time,
        key: usize,
        mut entry: Entry,
        end: AttemptEnd,
    ) {
        entry.failures += 1;
        if end.2.is_some() {
            return self.bury(now, key, entry, end);
        }
        self.queues[key].requeued += 1;
        let (why, reason, _) = end;
        note_failure(&mut entry, Failure { time_ms: self.time_ms(now), why, reason });
        self.delay(now, key, entry);
    }

    /// Puts a message aside for the pause that its failures call for.
    pub(super) fn delay(&mut self, now: Time, key: usize, mut entry: Entry) {
        entry.redelivered = true;
        let options = &self.queues[key].options;
        let doublings = entry.failures.saturating_sub(1).min(30);
        let pause_ms = options.backoff_min_ms.saturating_mul(1 << doublings);
        let pause_us = pause_ms.min(options.backoff_max_ms) * 1_000;
        let drawn_us = pause_us / 2 + self.random.below(pause_us / 2 + 1);
        let at = now.plus(std::time::Duration::from_micros(drawn_us));
        let slot = self.delayed.vacant_key();
        let timer = self.timers.insert(at, Due::Retry(slot));
        let queue = self.queue_ref(key);
        self.delayed.insert(Delayed { queue, entry, timer });
        self.queues[key].delayed += 1;
    }

    /// The pause of a message is over.
    pub(super) fn retry(&mut self, now: Time, slot: usize) {
        let Delayed { queue, entry, .. } = self.delayed.remove(slot);
        let Some(found) = self.queue_at(queue) else { return };
        found.delayed -= 1;
        found.push(entry);
        self.watch_expiry(now, queue.key);
        self.pump(now, queue.key);
    }

    /// Takes out the messages of a queue that wait for their next attempt.
    pub(super) fn take_delayed(&mut self, key: usize) -> Vec<Entry> {
        let queue = self.queue_ref(key);
        let slots = self.delayed.iter().filter(|(_, delayed)| delayed.queue == queue);
        let slots: Vec<usize> = slots.map(|(slot, _)| slot).collect();
        self.queues[key].delayed = 0;
        let take = |slot| {
            let delayed = self.delayed.remove(slot);
            self.timers.remove(delayed.timer);
            delayed.entry
        };
        slots.into_iter().map(take).collect()
    }

    /// A session has ended, or its process has died: what it held goes back, and only then is any
    /// of it handed out again.
    pub(super) fn put_back(&mut self, now: Time, tokens: &[u64], died: bool) {
        let why = match (died, tokens.len()) {
            (false, _) => Why::Ended,
            (true, 1) => Why::Crashed,
            (true, _) => Why::Suspect,
        };
        let queues = tokens.iter().filter_map(|token| self.give_back(now, *token, why));
        for queue in sorted(queues.collect::<Vec<_>>()) {
            self.pump(now, queue);
        }
    }

    /// A message is taken from the session that holds it.
    pub(super) fn take_back(&mut self, now: Time, token: u64, why: Why) {
        let Some(held) = self.held.get(token) else { return };
        let (session, registration) = (held.session, held.registration);
        let was_alone = held.entry.suspect;
        if let Some(queue) = self.give_back(now, token, why) {
            self.pump(now, queue);
        }
        self.release_use(now, registration);
        self.look_for_suspects(now, session, was_alone);
    }

    /// What was held goes back to its queue, which is returned.
    fn give_back(&mut self, now: Time, token: u64, why: Why) -> Option<usize> {
        let held = self.held.get(token)?;
        let (key, sequence, failures) = (held.queue.key, held.entry.sequence, held.entry.failures);
        let is_last = why.is_failure() && self.is_last_attempt(key, failures);
        let dead = if is_last { self.dead_place(key) } else { None };
        self.write_return(now, key, (sequence, why, dead));
        let mut entry = self.take_held(token)?.entry;
        entry.suspect = why.is_suspicious().unwrap_or(entry.suspect);
        if why.is_failure() {
            self.fail_attempt(now, key, entry, (why, String::new(), dead));
        } else {
            entry.redelivered = true;
            self.queues[key].push(entry);
        }
        Some(key)
    }

    fn write_return(
        &mut self,
        now: Time,
        key: usize,
        (sequence, why, dead): (u64, Why, Option<DeadTo>),
    ) {
        if self.is_journaled(key) {
            let (queue, time_ms) = (self.queues[key].id, self.time_ms(now));
            let returned = Returned { queue, sequence, why, time_ms, dead };
            self.write(Level::Written, Record::Returned(returned));
        }
    }

    /// Takes the next message out if its time is over; true if it was.
    pub(super) fn expire_front(&mut self, now: Time, key: usize) -> bool {
        let ttl_ms = self.queues[key].options.ttl_ms;
        let now_ms = self.time_ms(now);
        let front = self.queues[key].front();
        if ttl_ms == 0 || front.is_none_or(|entry| entry.time_ms() + ttl_ms > now_ms) {
            return false;
        }
        if let Some(sequence) = self.queues[key].front().map(|entry| entry.sequence) {
            self.expire(now, key, sequence);
        }
        true
    }

    fn expire(&mut self, now: Time, key: usize, sequence: u64) {
        let dead = self.dead_place(key);
        self.write_return(now, key, (sequence, Why::Expired, dead));
        if let Some(entry) = self.queues[key].take(sequence) {
            self.bury(now, key, entry, (Why::Expired, String::new(), dead));
        }
    }

    /// Sees to it that the queue is looked at when its next message expires.
    pub(super) fn watch_expiry(&mut self, now: Time, key: usize) {
        let queue = &self.queues[key];
        if queue.options.ttl_ms == 0 || queue.expiry.is_some() {
            return;
        }
        let fronts = queue.lanes.iter().filter_map(|(_, lane)| lane.front());
        let next = fronts.chain(queue.suspects.front()).map(Entry::time_ms).min();
        if let Some(time_ms) = next {
            let left_ms = (time_ms + queue.options.ttl_ms).saturating_sub(self.time_ms(now));
            let reference = self.queue_ref(key);
            let timer = self.timers.insert(now.plus_ms(left_ms.max(1)), Due::Expiry(reference));
            self.queues[key].expiry = Some(timer);
        }
    }

    /// Messages of the queue may have expired.
    pub(super) fn expire_due(&mut self, now: Time, queue: QueueRef) {
        let now_ms = self.time_ms(now);
        let Some(found) = self.queue_at(queue) else { return };
        found.expiry = None;
        for sequence in expired(found, now_ms) {
            self.expire(now, queue.key, sequence);
        }
        self.admit_sends(now, queue.key);
        self.watch_expiry(now, queue.key);
    }

    /// The hub's clock, in ms since 1970; never goes back.
    pub(super) fn time_ms(&self, now: Time) -> u64 {
        self.config.time_ms + now.since(self.begun).as_millis() as u64
    }
}

/// Sequences at the fronts of a queue whose time is over.
fn expired(queue: &Queue, now_ms: u64) -> Vec<u64> {
    let ttl_ms = queue.options.ttl_ms;
    let is_over = |entry: &&Entry| entry.time_ms() + ttl_ms <= now_ms;
    let lanes = queue.lanes.iter().map(|(_, lane)| lane).chain([&queue.suspects]);
    lanes.flat_map(|lane| lane.iter().take_while(is_over)).map(|entry| entry.sequence).collect()
}

pub(super) fn note_failure(entry: &mut Entry, failure: Failure) {
    let failures = &mut entry.more_mut().history.failures;
    if failures.len() >= limits::HISTORY_MAX {
        failures.remove(0);
    }
    failures.push(failure);
}

/// The message is a dead letter from now on, and begins anew in its queue.
pub(super) fn become_dead_letter(entry: &mut Entry, queue: &Name, why: Why, to: DeadTo) {
    let failures = entry.failures;
    let origin = Origin { queue: queue.clone(), why, failures };
    let more = entry.more_mut();
    // Its time in this queue begins with its death.
    more.time_ms = more.history.failures.last().map_or(0, |failure| failure.time_ms);
    more.history.origin = Some(origin);
    entry.sequence = to.sequence;
    entry.failures = 0;
    entry.redelivered = false;
    entry.suspect = false;
}

/// The message as it is handed out; a dead letter says where it comes from. `None`: it has to be
/// read from disk.
pub(super) fn as_delivered(entry: &Entry) -> Option<Message> {
    let mut message = entry.message.clone()?;
    if let Some(more) = &entry.more
        && let Some(origin) = &more.history.origin
    {
        add_headers(&mut message, origin, &more.history);
    }
    Some(message)
}

fn add_headers(message: &mut Message, origin: &Origin, history: &History) {
    let mut builder = HeadersBuilder::default();
    let properties = message.properties_mut();
    for (name, value) in properties.headers.iter() {
        if !name.starts_with(DEAD_HEADERS) || name == TOPIC_HEADER {
            // It was a header before, and is one again.
            let _ = builder.push(name, value);
        }
    }
    let error = history.failures.last().map_or("", |failure| failure.reason.as_str());
    for (name, value) in [
        ("telpher.queue", origin.queue.as_str()),
        ("telpher.reason", origin.why.name()),
        ("telpher.failures", &origin.failures.to_string()),
        ("telpher.error", error),
    ] {
        if let Some(room) = builder.room_for(name) {
            let _ = builder.push(name, cut(value, room).as_bytes());
        }
    }
    if let Some(room) = builder.room_for("telpher.history") {
        let _ = builder.push("telpher.history", last_lines(history, room).as_bytes());
    }
    properties.headers = builder.build();
}

/// A line for each failure, without the oldest if there are more bytes than this.
fn last_lines(history: &History, room: usize) -> String {
    let mut size = 0;
    let mut lines = Vec::new();
    for Failure { time_ms, why, reason } in history.failures.iter().rev() {
        let line = format!("{time_ms} {}: {}", why.name(), reason.replace('\n', " "));
        size += line.len() + 1;
        if size > room + 1 {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

/// What the names of a dead letter's own headers begin with.
const DEAD_HEADERS: &str = "telpher.";
