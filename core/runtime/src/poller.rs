//! One epoll set with its alarm and its timer.
//!
//! The set is edge triggered: whoever is told that something is readable remembers that until it
//! has read everything. The *alarm* wakes whoever sleeps in the set: it costs a system call only if
//! somebody sleeps. The *timer* is for an outer loop that watches the set's descriptor; our own
//! waits use the time limit of the wait itself.
//!
//! Floor: clock, descriptors.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use rustix::time::{timerfd_create, timerfd_settime};
use telpher_proto::base::Time;

use crate::clock;
use crate::descriptors::{Descriptor, Tracked};

const EVENTS_MAX: usize = 256;

/// What a token stands for; the lower bits are an index of its owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Alarm,
    Timer,
    /// A handle's connection.
    Link,
    Listener(usize),
    Peer(usize),
    /// The process of a session that lost its connection.
    Process(usize),
}

const KIND_SHIFT: u32 = 56;

impl Source {
    fn token(self) -> Token {
        let (kind, index) = match self {
            Source::Alarm => (0, 0),
            Source::Timer => (1, 0),
            Source::Link => (2, 0),
            Source::Listener(index) => (3, index),
            Source::Peer(index) => (4, index),
            Source::Process(index) => (5, index),
        };
        Token(kind << KIND_SHIFT | index)
    }

    fn of(token: Token) -> Source {
        let index = token.0 & ((1 << KIND_SHIFT) - 1);
        match token.0 >> KIND_SHIFT {
            1 => Source::Timer,
            2 => Source::Link,
            3 => Source::Listener(index),
            4 => Source::Peer(index),
            5 => Source::Process(index),
            _ => Source::Alarm,
        }
    }
}

/// A source has become ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) source: Source,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The other end is done: read until that shows.
    pub(crate) closed: bool,
}

/// Wakes whoever sleeps in an epoll set.
#[derive(Debug)]
pub(crate) struct Alarm {
    descriptor: Descriptor,
    sleeping: AtomicBool,
}

impl Alarm {
    /// Says that work was left for the set's owner.
    pub(crate) fn ring(&self) {
        if self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst) {
            self.force();
        }
    }

    /// Makes the set readable whether anybody sleeps or not.
    pub(crate) fn force(&self) {
        // It can only fail when the counter is full, and then the set is readable anyway.
        let _ = rustix::io::write(&self.descriptor, &1u64.to_ne_bytes());
    }

    /// To be called before the last look for work, if sleep may follow.
    pub(crate) fn arm(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn disarm(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.sleeping.load(Ordering::SeqCst)
    }
}

/// An epoll set.
pub(crate) struct Poller {
    poll: Tracked<Poll>,
    events: Events,
    alarm: Arc<Alarm>,
    timer: Option<Descriptor>,
    armed: Option<Time>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        let poll = Tracked::make(Poll::new)?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let descriptor = Descriptor::make(|| Ok(eventfd(0, flags)?))?;
        let alarm = Arc::new(Alarm { descriptor, sleeping: AtomicBool::new(false) });
        let events = Events::with_capacity(EVENTS_MAX);
        let poller = Poller { poll, events, alarm, timer: None, armed: None };
        poller.add(&poller.alarm.descriptor, Source::Alarm, Interest::READABLE)?;
        Ok(poller)
    }

    pub(crate) fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Watches a socket in both directions.
    pub(crate) fn add_socket(&self, socket: &impl AsRawFd, source: Source) -> io::Result<()> {
        self.add(socket, source, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches for something to read, or somebody to accept.
    pub(crate) fn add_reader(&self, reader: &impl AsRawFd, source: Source) -> io::Result<()> {
        self.add(reader, source, Interest::READABLE)
    }

    /// Watches a socket that is in the set in both directions, or for something to read only. What
    /// it is ready for then is told once more.
    pub(crate) fn watch_writing(
        &self,
        socket: &impl AsRawFd,
        source: Source,
        watched: bool,
    ) -> io::Result<()> {
        let writing = if watched { Some(Interest::WRITABLE) } else { None };
        let interest = writing.map_or(Interest::READABLE, |writing| Interest::READABLE | writing);
        let registry = self.poll.registry();
        registry.reregister(&mut SourceFd(&socket.as_raw_fd()), source.token(), interest)
    }

    fn add(&self, what: &impl AsRawFd, source: Source, interest: Interest) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&what.as_raw_fd()), source.token(), interest)
    }

    /// Waits for readiness, no longer than until `deadline`; without one, as long as it takes.
    ///
    /// # Errors
    ///
    /// `Interrupted` if a signal arrived.
    pub(crate) fn wait(
        &mut self,
        deadline: Option<Time>,
        now: Time,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let timeout = deadline.map(|deadline| deadline.since(now));
        let result = self.poll.poll(&mut self.events, timeout);
        self.alarm.disarm();
        result?;
        ready.extend(self.events.iter().map(|event| {
            let closed = event.is_read_closed() || event.is_error();
            Readiness {
                source: Source::of(event.token()),
                readable: event.is_readable() || closed,
                writable: event.is_writable() || event.is_error(),
                closed,
            }
        }));
        Ok(())
    }

    /// Makes the set readable at `deadline`, for an outer loop. The timer is only ever moved to an
    /// earlier moment; one that fires too early does no harm.
    pub(crate) fn arm_timer(&mut self, deadline: Option<Time>, now: Time) -> io::Result<()> {
        let Some(deadline) = deadline else { return Ok(()) };
        if self.armed.is_some_and(|armed| armed > now && armed <= deadline) {
            return Ok(());
        }
        if self.timer.is_none() {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = Descriptor::make(|| Ok(timerfd_create(TimerfdClockId::Monotonic, flags)?))?;
            self.add(&timer, Source::Timer, Interest::READABLE)?;
            self.timer = Some(timer);
        }
        if let Some(timer) = &self.timer {
            let at = Duration::from_nanos(deadline.as_nanos().max(1));
            let zero = clock::timespec(Duration::ZERO);
            let once = Itimerspec { it_interval: zero, it_value: clock::timespec(at) };
            timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &once)?;
            self.armed = Some(deadline);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    fn rung(alarm: &Alarm) -> bool {
        let mut set = [PollFd::new(&alarm.descriptor, PollFlags::IN)];
        poll(&mut set, Some(&clock::timespec(Duration::ZERO))).unwrap() == 1
    }

    #[test]
    fn an_alarm_wakes_a_sleeper_and_costs_nothing_otherwise() {
        let mut poller = Poller::new().unwrap();
        let alarm = Arc::clone(poller.alarm());
        alarm.ring();
        assert!(!rung(&alarm));
        alarm.arm();
        alarm.ring();
        assert!(!alarm.is_armed());
        let mut ready = Vec::new();
        poller.wait(None, clock::now(), &mut ready).unwrap();
        assert_eq!(ready[0].source, Source::Alarm);
    }

    #[test]
    fn the_timer_wakes_a_wait_without_a_limit_of_its_own() {
        let mut poller = Poller::new().unwrap();
        let now = clock::now();
        poller.arm_timer(Some(now.plus_ms(1)), now).unwrap();
        let mut ready = Vec::new();
        poller.wait(None, now, &mut ready).unwrap();
        assert_eq!(ready[0].source, Source::Timer);
        assert!(clock::now() >= now.plus_ms(1));
    }

    #[test]
    fn a_token_leads_back_to_its_source() {
        for source in [Source::Alarm, Source::Link, Source::Peer(77), Source::Process(3)] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
