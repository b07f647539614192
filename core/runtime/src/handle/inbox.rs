//! What the program wants of a driver.
//!
//! Starting something never waits for whoever drives: it is put here, and the driver is woken if it
//! sleeps. The destination is part of the id, so that whoever waits needs no look-up to know.
//!
//! Floor: poller, sync.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use telpher_proto::base::{Command, Event, Id, Time, Untaken};

use crate::poller::Alarm;
use crate::sync::Mutex;

/// A function of the program's that takes events.
pub(crate) type Callback = Box<dyn FnMut(Event) + Send>;

/// Where events of an id go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Wait,
    Event,
    Callback,
    None,
}

impl Destination {
    pub(crate) fn of(id: Id) -> Destination {
        match id & 3 {
            0 => Destination::Wait,
            1 => Destination::Event,
            2 => Destination::Callback,
            _ => Destination::None,
        }
    }
}

/// What an id stands for.
pub(crate) struct Ticket {
    pub(crate) id: Id,
    pub(crate) user: u64,
    /// Bytes counted as in flight; `None` if it is not counted.
    pub(crate) counted: Option<usize>,
    pub(crate) callback: Option<Callback>,
    /// A consumer, service, subscriber or gather: more than one event comes.
    pub(crate) is_stream: bool,
    /// That of the handle's own opening.
    pub(crate) is_opening: bool,
}

impl Ticket {
    /// A consumer, service or subscriber: it lasts until it is stopped.
    pub(crate) fn is_registration(&self) -> bool {
        self.is_stream && self.counted.is_none()
    }

    /// The size of an operation whose end, the only thing that comes of it, nobody looks at.
    pub(crate) fn unseen(&self) -> Option<usize> {
        let is_unseen = Destination::of(self.id) == Destination::None && !self.is_stream;
        self.counted.filter(|_| is_unseen)
    }
}

/// One wish.
pub(crate) enum Submission {
    Open {
        ticket: Ticket,
        deadline: Option<Time>,
    },
    Start {
        ticket: Ticket,
        command: Command,
        deadline: Option<Time>,
    },
    Cancel(Id),
    Detach(Id),
    /// The program has taken messages of a subscriber.
    Taken(Id, Untaken),
    /// Half of what may be in flight is free: tell the callback for notices.
    Ready,
    Close,
}

/// What waits for the driver.
pub(crate) struct Inbox {
    waiting: Mutex<Vec<Submission>>,
    has_some: AtomicBool,
    next_id: AtomicU64,
    alarm: Arc<Alarm>,
}

impl Inbox {
    pub(crate) fn new(alarm: Arc<Alarm>) -> Inbox {
        Inbox {
            waiting: Mutex::new(Vec::new()),
            has_some: AtomicBool::new(false),
            next_id: AtomicU64::new(1),
            alarm,
        }
    }

    /// A fresh id.
    pub(crate) fn id(&self, destination: Destination) -> Id {
        self.next_id.fetch_add(1, Ordering::Relaxed) << 2 | destination as u64
    }

    /// True if `id` was once given out.
    pub(crate) fn knows(&self, id: Id) -> bool {
        id >> 2 > 0 && id >> 2 < self.next_id.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn push(&self, submission: Submission) {
        let mut waiting = self.waiting.lock();
        waiting.push(submission);
        // Under the lock it stays true until what waits is taken.
        if !self.has_some.load(Ordering::SeqCst) {
            self.has_some.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::SeqCst)
    }

    /// Swaps what waits into `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<Submission>) {
        if self.has_some() {
            let mut waiting = self.waiting.lock();
            std::mem::swap(&mut *waiting, into);
            self.has_some.store(false, Ordering::SeqCst);
        }
    }

    pub(crate) fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }
}
