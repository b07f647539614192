//! Verdicts on messages that are held, their leases, and batches.
//!
//! Floor: broker.

use super::log::{Level, Staged};
use super::queues::Entry;
use super::sends::ChangeRef;
use super::sessions::{Confirmation, Done, Marked};
use super::{Broker, Due, NameId, SessionKey};
use crate::base::record::{Receipts, Record, Room, Sent, Settled, Why};
use crate::base::{Durability, Error, Kind, Message, Outcome, Time, Verdict, limits};

/// One part of a batch.
#[derive(Clone, Debug)]
pub enum Part {
    /// Puts a message into a queue.
    Send(NameId, Message),
    /// A verdict on a delivery, and why.
    Settle(u64, Verdict, String),
}

impl Broker {
    /// A verdict on a held message.
    pub fn settle(
        &mut self,
        now: Time,
        change: ChangeRef,
        token: u64,
        (verdict, reason): (Verdict, String),
    ) {
        let queue = match self.may_settle(change.session.key, token) {
            Ok(queue) => queue,
            Err(error) => return self.refuse(change, error),
        };
        let level = self.level_of(queue);
        let settled = self.settled(now, token, verdict, reason);
        if self.is_journaled(queue) {
            let by = Some(change.numbers);
            let record = Record::Settled { change: by, settled: settled.clone() };
            self.write(level, record);
        }
        self.changed(now, change, level, Done::Empty);
        self.apply_verdict(now, token, settled);
    }

    pub(super) fn level_of(&self, queue: usize) -> Level {
        if self.is_journaled(queue) { self.queues[queue].level() } else { Level::Now }
    }

    /// The queue of a message on which the session may give a verdict.
    fn may_settle(&self, session: SessionKey, token: u64) -> Result<usize, Error> {
        let held = self.held.get(token).filter(|held| held.session == session);
        let Some(held) = held else {
            let detail = "the session does not hold this delivery (any more)";
            return Err(Error::new(Kind::LeaseLost, detail));
        };
        let queue = held.queue.key;
        if self.is_journaled(queue) && self.room == Room::Nothing {
            return Err(super::declare::no_space());
        }
        Ok(queue)
    }

    /// What is to be written down of a verdict. Makes the dead-letter queue if it is needed.
    fn settled(&mut self, now: Time, token: u64, verdict: Verdict, reason: String) -> Settled {
        let held = self.held.get(token).expect("looked up before");
        let (key, sequence, failures) = (held.queue.key, held.entry.sequence, held.entry.failures);
        let is_dead = match verdict {
            Verdict::Reject => true,
            Verdict::Requeue => self.is_last_attempt(key, failures),
            Verdict::Acknowledge | Verdict::Release => false,
        };
        let dead = if is_dead { self.dead_place(key) } else { None };
        let (queue, time_ms) = (self.queues[key].id, self.time_ms(now));
        Settled { queue, sequence, verdict, reason, time_ms, dead }
    }

    /// A verdict takes effect.
    fn apply_verdict(&mut self, now: Time, token: u64, settled: Settled) {
        let Some(held) = self.take_held(token) else { return };
        let (key, mut entry) = (held.queue.key, held.entry);
        let was_alone = std::mem::replace(&mut entry.suspect, false);
        match settled.verdict {
            Verdict::Acknowledge => {
                self.queues[key].acknowledged += 1;
                self.drop_entry(key, &entry);
                self.admit_sends(now, key);
            }
            Verdict::Reject => {
                self.queues[key].rejected += 1;
                entry.failures += 1;
                self.bury(now, key, entry, (Why::Rejected, settled.reason, settled.dead));
                self.admit_sends(now, key);
            }
            Verdict::Requeue => {
                let ended = (Why::Requeued, settled.reason, settled.dead);
                self.fail_attempt(now, key, entry, ended);
            }
            Verdict::Release => {
                entry.redelivered = true;
                self.queues[key].push(entry);
                self.pump(now, key);
            }
        }
        self.release_use(now, held.registration);
        self.look_for_suspects(now, held.session, was_alone);
    }

    /// Moves the end of a lease: `ms` from now, 0 for the whole time again. Without a lease there
    /// is nothing to do.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if the session does not hold the message.
    pub fn extend(
        &mut self,
        now: Time,
        session: SessionKey,
        token: u64,
        ms: u64,
    ) -> Result<Outcome, Error> {
        let held = self.held.get(token).filter(|held| held.session == session);
        let Some(held) = held else {
            let detail = "the session does not hold this delivery (any more)";
            return Err(Error::new(Kind::LeaseLost, detail));
        };
        if held.lease.is_some() {
            let whole = self.lease_ms(held.queue.key, held.registration);
            self.set_lease(now.plus_ms(if ms == 0 { whole } else { ms }), token);
        }
        Ok(Outcome::Empty)
    }

    /// How long a message of the queue may be held; 0 is for ever.
    fn lease_ms(&self, queue: usize, registration: Option<usize>) -> u64 {
        let own = registration.map_or(0, |key| self.registrations[key].ack_deadline_ms);
        if own > 0 { own.into() } else { self.queues[queue].options.ack_deadline_ms }
    }

    /// The message is handed over: from now on its time counts, if it has any.
    pub(super) fn begin_lease(&mut self, now: Time, token: u64) {
        let Some(held) = self.held.get(token).filter(|held| held.lease.is_none()) else { return };
        let ms = self.lease_ms(held.queue.key, held.registration);
        if ms > 0 {
            self.set_lease(now.plus_ms(ms), token);
        }
    }

    fn set_lease(&mut self, end: Time, token: u64) {
        let timer = self.timers.insert(end, Due::Lease(token, end));
        let Some(held) = self.held.get_mut(token) else { return };
        if let Some(before) = held.lease.replace(timer) {
            self.timers.remove(before);
        }
    }

    /// A lease has ended. If the hub itself was paused, its holder could not have been heard: it
    /// gets as much time again.
    pub(super) fn lease_ended(&mut self, now: Time, token: u64, end: Time) {
        let Some(held) = self.held.get_mut(token) else { return };
        held.lease = None;
        let late = now.since(end);
        if late.as_millis() as u64 >= limits::LEASE_LATE_MS {
            return self.set_lease(now.plus(late), token);
        }
        self.take_back(now, token, Why::Late);
    }

    /// Several sends and verdicts, all or none.
    pub fn batch(&mut self, now: Time, change: ChangeRef, parts: &[Part]) {
        match self.check_batch(change, parts) {
            Ok(level) => self.apply_batch(now, change, parts, level),
            Err(error) => self.refuse(change, error),
        }
    }

    /// Reserves nothing: whatever is found here still holds when the batch is applied, at once.
    fn check_batch(&self, change: ChangeRef, parts: &[Part]) -> Result<Level, Error> {
        let mut sums = super::Map::<usize, (u64, u64)>::default();
        let mut tokens = super::Set::<u64>::default();
        let mut levels = (Level::Durable, Level::Now);
        for (at, part) in parts.iter().enumerate() {
            let named = |error: Error| {
                let detail = format!("part {at} of the batch: {}", error.detail());
                Error::new(error.kind(), detail)
            };
            let queue = match part {
                Part::Send(name, message) => {
                    let queue = self.find_queue(*name).map_err(named)?;
                    let sum = sums.entry(queue).or_default();
                    self.has_room_for(queue, *sum, message.size() as u64).map_err(named)?;
                    (sum.0, sum.1) = (sum.0 + 1, sum.1 + message.size() as u64);
                    queue
                }
                Part::Settle(token, ..) if !tokens.insert(*token) => {
                    let error = Error::new(Kind::Stale, "the delivery is settled twice");
                    return Err(named(error));
                }
                Part::Settle(token, ..) => {
                    self.may_settle(change.session.key, *token).map_err(named)?
                }
            };
            let level = self.level_of(queue);
            levels = (levels.0.min(level), levels.1.max(level));
            if levels.0 == Level::Now && levels.1 > Level::Now {
                let detail = "a queue in memory and one on disk can't be in one batch";
                return Err(named(Error::new(Kind::Unsupported, detail)));
            }
        }
        Ok(levels.1)
    }

    /// Room for one more message, after others that the same batch brings.
    fn has_room_for(&self, key: usize, before: (u64, u64), size: u64) -> Result<(), Error> {
        let room = self.room_for(key, size)?;
        let queue = &self.queues[key];
        let fits = queue.length + before.0 < queue.options.length_max
            && queue.bytes + before.1 + size <= queue.options.bytes_max;
        if fits && queue.sends_waiting == 0 && room == Room::Open {
            return Ok(());
        }
        Err(queue.full())
    }

    fn apply_batch(&mut self, now: Time, change: ChangeRef, parts: &[Part], level: Level) {
        let (mut sent, mut settled) = (Vec::<Sent>::new(), Vec::<Settled>::new());
        let (mut entries, mut verdicts) = (Vec::<(usize, Entry)>::new(), Vec::new());
        let durability = match level {
            Level::Now => Durability::Memory,
            Level::Written => Durability::Os,
            Level::Durable => Durability::Disk,
        };
        let first = self.next_message_id();
        for part in parts {
            match part {
                Part::Send(name, message) => {
                    let Ok(queue) = self.find_queue(*name) else { continue };
                    let (written, entry) = self.take_in(now, queue, message.to_stored());
                    sent.extend(written);
                    entries.push((queue, entry));
                }
                Part::Settle(token, verdict, reason) => {
                    let verdict = self.settled(now, *token, *verdict, reason.clone());
                    verdicts.push((*token, verdict.clone()));
                    settled.push(verdict);
                }
            }
        }
        if level > Level::Now {
            let by = Some(change.numbers);
            self.write(level, Record::Batch { change: by, sent, settled });
        }
        let count = entries.len() as u32;
        let outcome = Done::Receipts(Receipts { first, count, durability });
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        for (queue, entry) in entries {
            let queue = self.queue_ref(queue);
            self.stage(now, level, Staged::Arrive(queue, entry));
        }
        for (token, verdict) in verdicts {
            self.apply_verdict(now, token, verdict);
        }
    }
}
