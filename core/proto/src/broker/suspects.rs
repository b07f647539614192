//! Suspects: messages that were held by a process that died, and go only to a session that holds
//! nothing else, so that it is known which of them was to blame.
//!
//! ```text
//! suspects wait, nobody is empty -> the session that holds least gets nothing more, of any queue
//!                                -> it has settled all it had: a suspect, alone, then the next
//! ```
//! Otherwise a suspect would wait for ever in a program that is kept busy by other queues.
//!
//! Floor: broker.

use super::{Broker, SessionKey};
use crate::base::Time;

/// Queues that suspects have to do with.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Those in which some may wait.
    waiting: super::Set<usize>,
    /// Those whose messages wait only because somebody was left to run empty.
    passed_over: std::collections::BTreeSet<usize>,
}

impl Broker {
    /// Suspects wait in the queue, or no longer.
    pub(super) fn note_suspects(&mut self, queue: usize) {
        let waiting = &mut self.suspicion.waiting;
        if !self.queues[queue].suspects.is_empty() {
            waiting.insert(queue);
        } else if !waiting.is_empty() {
            waiting.remove(&queue);
        }
    }

    /// Suspects go to sessions that hold nothing else.
    pub(super) fn pump_suspects(&mut self, now: Time, queue: usize) {
        while !self.queues[queue].suspects.is_empty() {
            let takers = self.queues[queue].takers.iter();
            let mut free = takers.enumerate().filter(|(_, taker)| {
                let session = &self.sessions[self.session_of(**taker)];
                session.held.is_empty() && session.takes_more() && self.has_credit(**taker)
            });
            let Some((at, _)) = free.next() else { return };
            if self.queues[queue].suspects[0].message.is_none() {
                return self.read_ahead(queue);
            }
            let Some(entry) = self.queues[queue].suspects.pop_front() else { return };
            self.queues[queue].ready -= 1;
            if let Err(entry) = self.deliver(now, queue, entry, at) {
                return self.queues[queue].push(entry);
            }
        }
    }

    /// Sessions that are left to run empty: of each queue where suspects wait, the one that holds
    /// least.
    pub(super) fn spared_for_suspects(&self) -> Vec<SessionKey> {
        let queues = self.suspicion.waiting.iter().filter_map(|key| self.queues.get(*key));
        let spared = queues.filter(|queue| !queue.suspects.is_empty()).filter_map(|queue| {
            let sessions = queue.takers.iter().map(|taker| self.session_of(*taker));
            sessions.min_by_key(|session| self.sessions[*session].held.len())
        });
        spared.collect()
    }

    /// So many in the queue's line could have taken what waits there, and were left to run empty.
    pub(super) fn passed_over(&mut self, queue: usize, count: usize) {
        if count > 0 {
            self.suspicion.passed_over.insert(queue);
        }
    }

    /// After an input: there are new dead letters, and who was left to run empty may not be any
    /// more.
    pub(super) fn pump_woken(&mut self, now: Time) {
        let mut queues = std::mem::take(&mut self.suspicion.passed_over);
        queues.append(&mut self.woken);
        while let Some(queue) = queues.pop_first() {
            if self.queues.contains(queue) {
                self.pump(now, queue);
            }
            queues.append(&mut self.woken);
        }
    }

    /// A session may have nothing in hand any more, for which suspects wait. `was_alone`: it held
    /// one, and was given nothing else meanwhile.
    pub(super) fn look_for_suspects(&mut self, now: Time, session: SessionKey, was_alone: bool) {
        if !self.sessions[session].held.is_empty() {
            return;
        }
        let registrations = self.sessions[session].registrations.values();
        let queues = registrations.filter_map(|key| self.registrations[*key].queue());
        let receives = self.waiting_receives(session);
        let queues = queues.chain(receives.iter().map(|(_, key)| self.queue_of_receive(*key)));
        let suspects = queues.filter(|queue| !self.queues[*queue].suspects.is_empty());
        // In a fixed order, so that the same history always goes on in the same way.
        let suspects = super::sessions::sorted(suspects);
        if !suspects.is_empty() || was_alone {
            self.offer_all(now, session);
        }
        suspects.into_iter().for_each(|queue| self.pump(now, queue));
    }
}
