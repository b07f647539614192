//! A handle: what all its clones share.
//!
//! ```text
//! any thread --submissions--> inbox --> driver --> client machine --> link --> hub
//! any thread <--outcomes, events, callbacks-- driver
//! ```
//! One driver at a time turns the reactor: the handle's own thread, or whichever thread polls or
//! waits. Starting something never waits for the driver. A panic inside a turn is caught and ends
//! the handle: whatever is open ends as `INTERNAL`, and so does everything later.
//!
//! Floor: host, link, directory, poller.

pub(crate) mod admission;
pub(crate) mod dispatch;
pub(crate) mod drive;
pub(crate) mod driver;
pub(crate) mod events;
pub(crate) mod hand_over;
pub(crate) mod inbox;
pub(crate) mod open;
pub(crate) mod outcomes;
pub(crate) mod requests;
pub(crate) mod taken;
pub(crate) mod wait;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use telpher_proto::base::{Error, Event, Id, Kind, Untaken, What};

use self::admission::Admission;
use self::driver::Driver;
use self::events::Events;
use self::inbox::{Destination, Inbox, Submission};
use self::outcomes::{Handover, Outcomes};
use self::requests::Requests;
use crate::api::Drive;
use crate::descriptors;
use crate::sync::{Latch, Mutex, Parker};

/// Where notices go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notices {
    Event(u64),
    Callback,
    None,
}

/// What all clones of a handle share with its driver.
pub(crate) struct Shared {
    generation: u32,
    pub(crate) drive: Drive,
    pub(crate) interruptible: bool,
    pub(crate) notices: Notices,
    pub(crate) admission: Admission,
    pub(crate) inbox: Inbox,
    pub(crate) outcomes: Mutex<Outcomes>,
    pub(crate) events: Mutex<Events>,
    pub(crate) requests: Mutex<Requests>,
    pub(crate) taken: taken::Taken,
    /// The reactor of a handle without a thread of its own, until it has ended.
    pub(crate) driver: Mutex<Option<Driver>>,
    pub(crate) thread: Mutex<Option<JoinHandle<()>>>,
    /// The thread that drives, or drove last; see [`thread_mark`].
    pub(crate) driving: AtomicUsize,
    /// The thread that polls, which alone drives from then on, while it lives.
    pub(crate) poller: Mutex<Option<std::sync::Weak<Parker>>>,
    /// An outer loop watches the epoll set.
    pub(crate) is_watched: AtomicBool,
    pub(crate) epoll: std::os::fd::RawFd,
    pub(crate) is_closing: AtomicBool,
    /// The hub has a directory, where queues outlive their host.
    pub(crate) keeps_queues: AtomicBool,
    /// Set when the driver has ended.
    pub(crate) finished: Latch,
    /// Why the handle can do no more, if not for being closed.
    pub(crate) fault: OnceLock<Error>,
}

impl Shared {
    /// Refuses a child process, which must open its own handle.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.is_forked() {
            let detail = "this handle was opened by the parent process; open another";
            return Err(Error::new(Kind::Forked, detail));
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.generation != descriptors::generation()
    }

    /// Refuses new work on a handle that has none left to do.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        self.check_process()?;
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        if self.is_closing.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(())
    }

    /// Gives the driver something to do. It is woken if it sleeps; the thread that drives is not,
    /// as it turns the reactor itself when it polls, waits or flushes.
    #[inline]
    pub(crate) fn submit(&self, submission: Submission) {
        self.inbox.push(submission);
        let alarm = self.inbox.alarm();
        if alarm.is_armed() && self.driving.load(Ordering::SeqCst) != thread_mark() {
            alarm.ring();
        }
    }

    /// An outcome has been handed over.
    pub(crate) fn release(&self, counted: Option<usize>) {
        if let Some(size) = counted {
            self.admission.release(size);
            self.announce_room();
        }
    }

    /// The program takes events: the hub may send more of what is published.
    pub(crate) fn note_taken(&self, events: &[Event]) {
        let mut is_told = false;
        self.taken.note(events, |id, taken| {
            self.inbox.push(Submission::Taken(id, taken));
            is_told = true;
        });
        if is_told {
            self.wake_driver();
        }
    }

    /// The program has taken records that it was handed before.
    pub(crate) fn note_paced(&self, id: Id, taken: Untaken) {
        if let Some(told) = self.taken.note_paced(id, taken) {
            self.inbox.push(Submission::Taken(id, told));
            self.wake_driver();
        }
    }

    /// Whoever drives may sleep in the epoll set, or in a loop that watches it.
    fn wake_driver(&self) {
        if self.is_watched.load(Ordering::SeqCst) {
            self.inbox.alarm().force();
        } else {
            self.inbox.alarm().ring();
        }
    }

    /// Says, once after a `FULL`, that half is free again.
    pub(crate) fn announce_room(&self) {
        if !self.admission.take_ready() {
            return;
        }
        let mut wake = Vec::new();
        self.outcomes.lock().take_room_waiters(&mut wake);
        match self.notices {
            Notices::None => {}
            Notices::Callback => self.submit(Submission::Ready),
            Notices::Event(user) => {
                let event = Event { id: 0, user, what: What::Ready };
                self.events.lock().push(Handover { event, counted: None }, &mut wake);
                self.wake_driver();
            }
        }
        wake.iter().for_each(|parker| parker.unpark());
    }

    /// Forgets a ticket whose outcome nobody wants any more.
    pub(crate) fn detach(&self, id: Id) -> Result<(), Error> {
        if !self.inbox.knows(id) {
            return Err(outcomes::stale(id));
        }
        if Destination::of(id) == Destination::Wait {
            let mut wake = Vec::new();
            let end = self.outcomes.lock().detach(id, &mut wake)?;
            wake.iter().for_each(|parker| parker.unpark());
            if let Some(handover) = end {
                self.release(handover.counted);
                return Ok(());
            }
        }
        self.submit(Submission::Detach(id));
        Ok(())
    }

    /// Stops a consumer, service or subscriber whose end nobody will ask for.
    pub(crate) fn forget(&self, id: Id) {
        self.outcomes.lock().forget(id);
        self.submit(Submission::Detach(id));
    }

    /// The driver has ended, well or not.
    pub(crate) fn finish(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.requests.lock().clear();
        let mut wake = Vec::new();
        self.outcomes.lock().take_all_waiters(&mut wake);
        self.events.lock().take_waiters(&mut wake);
        self.finished.set();
        wake.iter().for_each(|parker| parker.unpark());
    }
}

/// What a closed handle says.
pub(crate) fn closed() -> Error {
    Error::new(Kind::Closed, "the handle is closed")
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static MARK: Arc<Parker> = Parker::current();
}

/// A number that no other living thread has; never 0.
pub(crate) fn thread_mark() -> usize {
    MARK.try_with(|parker| Arc::as_ptr(parker) as usize).unwrap_or(usize::MAX)
}

/// True inside a callback.
pub(crate) fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs a callback.
pub(crate) fn as_callback(body: impl FnOnce()) {
    let before = IN_CALLBACK.replace(true);
    body();
    IN_CALLBACK.set(before);
}

/// Refuses to wait where that would be for oneself.
pub(crate) fn check_may_wait() -> Result<(), Error> {
    if in_callback() {
        let detail = "a callback runs on the driver, and must not wait for it";
        return Err(Error::new(Kind::WouldDeadlock, detail));
    }
    Ok(())
}
