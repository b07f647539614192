//! Who hosts a directory, as logic.
//!
//! ```text
//!                +-- taken ----------------> host --------------+
//!   begin -> try lock                                           +--> connected
//!                +-- held by another ------> connect -----------+
//!                                               | refused
//!                     pause with jitter  <------+   the host is just starting, or just ending
//! ```
//! The lock is the kernel's: it is free as soon as its holder is gone, and never before. A stopped
//! host keeps it, and the others wait.
//!
//! Floor: imports `base`.

use std::time::Duration;

use crate::base::random::Backoff;
use crate::base::{Error, Kind, Time, limits};

/// May this handle's process host?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// If nobody else does.
    Auto,
    /// Never: it connects, or fails with `NO_HOST`.
    Never,
    /// It waits until it is the host.
    Always,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Try to take the directory's lock, without blocking; then `handle_lock`.
    TryLock,
    /// Give the lock back, which was just taken.
    Unlock,
    /// Connect to the socket in the directory; then `handle_connected` or `handle_refused`.
    Connect,
    /// This process holds the lock: start the hub and connect to it; then `handle_connected`, or
    /// `handle_refused` if it could not be started.
    Host,
    /// It can't be had, for good.
    Fail(Error),
}

/// How an attempt to take the lock ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// This process holds it now.
    Taken,
    /// Another one does.
    HeldByOther,
    /// The directory cannot be used.
    Failed(Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Locking,
    Connecting,
    Hosting,
    Pausing(Time),
}

/// One handle's part in the question who hosts.
#[derive(Debug)]
pub struct Election {
    role: Role,
    state: State,
    backoff: Backoff,
    /// The handle has been connected before.
    joined: bool,
    /// The lock was free when this handle, which may not host, looked.
    nobody: bool,
    effect: Option<Effect>,
}

impl Election {
    /// A handle that has not asked yet.
    pub fn new(role: Role, seed: u64) -> Election {
        let backoff = Backoff::new(limits::DIRECTORY_BACKOFF_MS, seed);
        Election { role, state: State::Idle, backoff, joined: false, nobody: false, effect: None }
    }

    /// The handle wants a connection (again).
    pub fn begin(&mut self) {
        self.state = State::Locking;
        self.effect = Some(Effect::TryLock);
    }

    /// How the attempt to take the lock ended.
    pub fn handle_lock(&mut self, now: Time, lock: Lock) {
        if self.state != State::Locking {
            return;
        }
        match (lock, self.role) {
            (Lock::Failed(error), _) => self.end(Effect::Fail(error)),
            (Lock::Taken, Role::Auto | Role::Always) => {
                self.state = State::Hosting;
                self.effect = Some(Effect::Host);
            }
            (Lock::Taken, Role::Never) => {
                self.effect = Some(Effect::Unlock);
                self.nobody = true;
                self.pause(now);
            }
            (Lock::HeldByOther, Role::Always) => self.pause(now),
            (Lock::HeldByOther, _) => {
                self.state = State::Connecting;
                self.effect = Some(Effect::Connect);
            }
        }
    }

    /// The handle is connected.
    pub fn handle_connected(&mut self) {
        self.joined = true;
        self.state = State::Idle;
        self.backoff.reset();
    }

    /// There was nobody to connect to, or hosting did not begin.
    pub fn handle_refused(&mut self, now: Time) {
        if matches!(self.state, State::Connecting | State::Hosting) {
            self.pause(now);
        }
    }

    /// A pause may be over.
    pub fn handle_timeout(&mut self, now: Time) {
        if matches!(self.state, State::Pausing(until) if until <= now) {
            // Without a host, only who has been connected before waits for the next one.
            if std::mem::take(&mut self.nobody) && !self.joined {
                let detail = "nobody hosts the directory, and this handle may not (host = never)";
                return self.end(Effect::Fail(Error::new(Kind::NoHost, detail)));
            }
            self.begin();
        }
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effect.take()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Pausing(until) => Some(until),
            _ => None,
        }
    }

    fn pause(&mut self, now: Time) {
        self.state = State::Pausing(now.plus(Duration::from_micros(self.backoff.next_us())));
    }

    fn end(&mut self, effect: Effect) {
        self.state = State::Idle;
        self.effect = Some(effect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_nanos(1_000_000_000);

    #[test]
    fn who_finds_the_lock_free_hosts_and_who_does_not_connects() {
        let mut election = Election::new(Role::Auto, 1);
        election.begin();
        assert_eq!(election.poll_effect(), Some(Effect::TryLock));
        election.handle_lock(NOW, Lock::Taken);
        assert_eq!(election.poll_effect(), Some(Effect::Host));

        let mut election = Election::new(Role::Auto, 1);
        election.begin();
        election.poll_effect();
        election.handle_lock(NOW, Lock::HeldByOther);
        assert_eq!(election.poll_effect(), Some(Effect::Connect));
    }

    #[test]
    fn who_meets_a_host_that_is_just_ending_asks_again_after_a_pause() {
        let mut election = Election::new(Role::Auto, 1);
        election.begin();
        election.poll_effect();
        election.handle_lock(NOW, Lock::HeldByOther);
        election.poll_effect();
        election.handle_refused(NOW);
        assert_eq!(election.poll_effect(), None);
        let at = election.poll_timeout().expect("a pause");
        election.handle_timeout(at);
        assert_eq!(election.poll_effect(), Some(Effect::TryLock));
    }

    #[test]
    fn who_may_not_host_gives_the_lock_back_and_fails_at_once_without_a_host() {
        let mut election = Election::new(Role::Never, 1);
        election.begin();
        election.poll_effect();
        election.handle_lock(NOW, Lock::Taken);
        assert_eq!(election.poll_effect(), Some(Effect::Unlock));
        let at = election.poll_timeout().expect("a pause");
        election.handle_timeout(at);
        let Some(Effect::Fail(error)) = election.poll_effect() else { panic!("no failure") };
        assert_eq!(error.kind(), Kind::NoHost);
    }

    #[test]
    fn who_must_host_waits_for_the_lock_and_never_connects() {
        let mut election = Election::new(Role::Always, 1);
        election.begin();
        for _ in 0..5 {
            assert_eq!(election.poll_effect(), Some(Effect::TryLock));
            election.handle_lock(NOW, Lock::HeldByOther);
            assert_eq!(election.poll_effect(), None);
            election.handle_timeout(election.poll_timeout().expect("a pause"));
        }
        assert_eq!(election.poll_effect(), Some(Effect::TryLock));
        election.handle_lock(NOW, Lock::Taken);
        assert_eq!(election.poll_effect(), Some(Effect::Host));
    }
}
