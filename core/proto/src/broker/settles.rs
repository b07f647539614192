//! Verdicts on messages that are held, and their leases.
//!
//! Floor: broker.

use super::log::Level;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::{Broker, Due, SessionKey};
use crate::base::record::{Record, Room, Settled, Why};
use crate::base::{Error, Kind, Outcome, Time, Verdict, limits};

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
    pub(super) fn may_settle(&self, session: SessionKey, token: u64) -> Result<usize, Error> {
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
    pub(super) fn settled(
        &mut self,
        now: Time,
        token: u64,
        verdict: Verdict,
        reason: String,
    ) -> Settled {
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
    pub(super) fn apply_verdict(&mut self, now: Time, token: u64, settled: Settled) {
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
}
