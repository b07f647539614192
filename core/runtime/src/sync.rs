//! Locks and parking places that survive a fork.
//!
//! The standard library's mutex is one futex word without any state shared between locks, so a
//! child process that makes fresh ones can never meet a lock left held by its parent. A thread that
//! waits parks on a word of its own; whoever has something for it sets the word and wakes it.
//!
//! Floor: clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex;
use telpher_proto::base::Time;

use crate::clock;

/// A mutex; what a panic left behind is judged by the handle's own fault mark, not by the lock.
#[derive(Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Why a parked thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Somebody woke it, perhaps for something that has passed: look again.
    Notified,
    TimedOut,
    /// A signal arrived.
    Interrupted,
}

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const PARKED: u32 = 2;

/// Where one thread waits.
#[derive(Debug, Default)]
pub(crate) struct Parker {
    state: AtomicU32,
}

thread_local! {
    static OWN: Arc<Parker> = Arc::default();
}

impl Parker {
    /// The calling thread's.
    pub(crate) fn current() -> Arc<Parker> {
        OWN.try_with(Arc::clone).unwrap_or_default()
    }

    /// Waits to be woken, until `deadline`.
    pub(crate) fn park(&self, deadline: Option<Time>) -> Woken {
        if self.state.compare_exchange(EMPTY, PARKED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.state.store(EMPTY, Ordering::SeqCst);
            return Woken::Notified;
        }
        let result = wait_while(&self.state, PARKED, deadline);
        match self.state.swap(EMPTY, Ordering::SeqCst) {
            NOTIFIED => Woken::Notified,
            _ => result,
        }
    }

    /// Wakes the thread, or lets its next wait end at once.
    pub(crate) fn unpark(&self) {
        if self.state.swap(NOTIFIED, Ordering::SeqCst) == PARKED {
            wake_all(&self.state);
        }
    }
}

/// Something that happens once and that threads may wait for.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    state: AtomicU32,
}

impl Latch {
    pub(crate) fn set(&self) {
        self.state.store(NOTIFIED, Ordering::SeqCst);
        wake_all(&self.state);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.state.load(Ordering::SeqCst) == NOTIFIED
    }

    /// Waits until it is set or `deadline` has come; tells whether it is set.
    pub(crate) fn wait(&self, deadline: Option<Time>) -> bool {
        while !self.is_set() {
            if wait_while(&self.state, EMPTY, deadline) == Woken::TimedOut {
                break;
            }
        }
        self.is_set()
    }
}

fn wait_while(word: &AtomicU32, value: u32, deadline: Option<Time>) -> Woken {
    let left = deadline.map(|deadline| deadline.since(clock::now()));
    if left == Some(Duration::ZERO) {
        return Woken::TimedOut;
    }
    let timeout = left.map(clock::timespec);
    match futex::wait(word, futex::Flags::PRIVATE, value, timeout.as_ref()) {
        Err(Errno::TIMEDOUT) => Woken::TimedOut,
        Err(Errno::INTR) => Woken::Interrupted,
        _ => Woken::Notified,
    }
}

fn wake_all(word: &AtomicU32) {
    // Waking a word in our own memory can't fail.
    let _ = futex::wake(word, futex::Flags::PRIVATE, i32::MAX as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let parker = Parker::default();
        parker.unpark();
        assert_eq!(parker.park(None), Woken::Notified);
        assert_eq!(parker.park(Some(clock::now())), Woken::TimedOut);
    }

    #[test]
    fn a_latch_wakes_everybody_who_waits_for_it() {
        let latch = Arc::new(Latch::default());
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let latch = Arc::clone(&latch);
                std::thread::spawn(move || latch.wait(None))
            })
            .collect();
        latch.set();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    }
}
