//! Changes that wait for their place in the log: reserved, not yet visible, not yet confirmed.
//!
//! A queue kept in memory needs no log: its changes are committed as soon as they are reserved,
//! unless positions are delayed on purpose.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::deliveries::Settlement;
use super::sends::Reserved;
use super::sessions::{Confirmation, Marked};
use super::{Broker, SessionKey};
use crate::base::Time;

/// A change with everything reserved that its commit needs, so that it cannot fail any more.
#[derive(Debug)]
pub(super) enum Staged {
    Send(Reserved),
    Settle(Settlement),
    Confirm(Confirmation),
}

#[derive(Debug)]
pub(super) struct Log {
    delayed: bool,
    assigned: u64,
    reached: u64,
    staged: VecDeque<(u64, Staged)>,
}

impl Log {
    pub fn new(delayed: bool) -> Log {
        Log { delayed, assigned: 0, reached: 0, staged: VecDeque::new() }
    }
}

impl Broker {
    /// The last log position that a change waits for.
    pub fn log_wanted(&self) -> u64 {
        self.log.assigned
    }

    /// The log has been written up to `position`.
    pub fn handle_log(&mut self, now: Time, position: u64) {
        self.log.reached = self.log.reached.max(position.min(self.log.assigned));
        while self.log.staged.front().is_some_and(|(at, _)| *at <= self.log.reached) {
            if let Some((_, staged)) = self.log.staged.pop_front() {
                self.commit(now, staged);
            }
        }
    }

    /// Commits a reserved change once its log position is reached: now, if it needs none.
    pub(super) fn stage(&mut self, now: Time, staged: Staged) {
        if !self.log.delayed {
            return self.commit(now, staged);
        }
        self.log.assigned += 1;
        self.log.staged.push_back((self.log.assigned, staged));
    }

    fn commit(&mut self, now: Time, staged: Staged) {
        match staged {
            Staged::Send(reserved) => self.commit_send(now, reserved),
            Staged::Settle(settlement) => self.commit_settle(now, settlement),
            Staged::Confirm(confirmation) => self.confirm(confirmation),
        }
    }

    /// A change is done: its outcome is remembered, and told to its session if that is there.
    pub(super) fn confirm(&mut self, confirmation: Confirmation) {
        let Confirmation { change, outcome } = confirmation;
        let Some(session) = self.sessions.get_mut(change.session) else {
            return;
        };
        if let Ok(mark) = session.marks.entry(change.sequence) {
            *mark = Some(Marked::Done(outcome));
        }
        self.result(change.session.key, change.ticket, Ok(outcome.into()));
    }

    /// A change was refused after all: it leaves no mark.
    pub(super) fn refuse(&mut self, change: super::ChangeRef, error: crate::base::Error) {
        let Some(session) = self.sessions.get_mut(change.session) else {
            return;
        };
        if let Ok(mark) = session.marks.entry(change.sequence) {
            *mark = None;
        }
        self.result(change.session.key, change.ticket, Err(error));
    }
}

/// A session that may have ended since: the key alone could name its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRef {
    pub(super) key: SessionKey,
    pub(super) id: super::SessionId,
}
