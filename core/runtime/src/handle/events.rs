//! Events that the program takes by polling.
//!
//! Two lines: what ends something, and what arrives. The first always goes before the second, and
//! always fits, since what may be in flight is bounded; the second is bounded by credit. Only the
//! end of a reader goes behind the records that came before it.
//!
//! Floor: sync, descriptors, handle/outcomes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use telpher_proto::base::{Event, Id, What};

use super::outcomes::Handover;
use crate::descriptors::Descriptor;
use crate::sync::Parker;

/// The events of one handle.
#[derive(Default)]
pub(crate) struct Events {
    completions: VecDeque<Handover>,
    deliveries: VecDeque<Handover>,
    waiters: Vec<Arc<Parker>>,
    /// Readable while events wait, if somebody asked for it.
    signal: Option<Descriptor>,
    is_signalled: bool,
    /// The next poll is to return at once.
    woken: bool,
}

impl Events {
    pub(crate) fn push(&mut self, handover: Handover, wake: &mut Vec<Arc<Parker>>) {
        match handover.event.what {
            What::Done(_) if self.is_behind_records(&handover) => {
                self.deliveries.push_back(handover);
            }
            What::Done(_) | What::Ready | What::Notice(_) => self.completions.push_back(handover),
            _ => self.deliveries.push_back(handover),
        }
        wake.append(&mut self.waiters);
        self.update_signal();
    }

    /// True for the end of a reader with records that were not polled yet.
    fn is_behind_records(&self, handover: &Handover) -> bool {
        let is_record = |other: &Handover| {
            other.event.id == handover.event.id && matches!(other.event.what, What::Record(_))
        };
        // What counts is an operation, and nothing arrives for that.
        handover.counted.is_none() && self.deliveries.iter().any(is_record)
    }

    /// Moves up to `capacity` events out; each frees what it had counted.
    pub(crate) fn take(
        &mut self,
        events: &mut Vec<Event>,
        capacity: usize,
        mut free: impl FnMut(usize),
    ) -> usize {
        let count = capacity.min(self.len());
        let lines = self.completions.len().min(count);
        let first = self.completions.drain(..lines);
        let second = self.deliveries.drain(..count - lines);
        for handover in first.chain(second) {
            handover.counted.into_iter().for_each(&mut free);
            events.push(handover.event);
        }
        self.update_signal();
        count
    }

    /// Takes out what has arrived for a consumer, service or subscriber, or for all, and was not
    /// polled yet.
    pub(crate) fn take_unseen(&mut self, id: Option<Id>, unseen: &mut Vec<Event>) {
        let waiting = std::mem::take(&mut self.deliveries);
        for handover in waiting {
            let is_end = matches!(handover.event.what, What::Done(_));
            if !is_end && id.is_none_or(|id| id == handover.event.id) {
                unseen.push(handover.event);
            } else {
                self.deliveries.push_back(handover);
            }
        }
        self.update_signal();
    }

    pub(crate) fn len(&self) -> usize {
        self.completions.len() + self.deliveries.len()
    }

    pub(crate) fn wait(&mut self, parker: &Arc<Parker>) {
        self.waiters.push(Arc::clone(parker));
    }

    pub(crate) fn leave(&mut self, parker: &Arc<Parker>) {
        self.waiters.retain(|waiter| !Arc::ptr_eq(waiter, parker));
    }

    pub(crate) fn set_woken(&mut self, wake: &mut Vec<Arc<Parker>>) {
        self.woken = true;
        wake.append(&mut self.waiters);
    }

    pub(crate) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    pub(crate) fn take_waiters(&mut self, wake: &mut Vec<Arc<Parker>>) {
        wake.append(&mut self.waiters);
    }

    /// A descriptor that is readable while events wait.
    pub(crate) fn signal(&mut self) -> io::Result<RawFd> {
        if self.signal.is_none() {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            self.signal = Some(Descriptor::make(|| Ok(eventfd(0, flags)?))?);
            self.update_signal();
        }
        Ok(self.signal.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }

    fn update_signal(&mut self) {
        let wanted = self.len() > 0;
        let Some(signal) = &self.signal else { return };
        if wanted && !self.is_signalled {
            // Its counter is 0, so this can't fail.
            let _ = rustix::io::write(signal, &1u64.to_ne_bytes());
        } else if !wanted && self.is_signalled {
            let _ = rustix::io::read(signal, &mut [0; 8]);
        }
        self.is_signalled = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use telpher_proto::base::{Outcome, StreamRecord};

    fn event(id: u64, what: What) -> Handover {
        Handover { event: Event { id, user: 0, what }, counted: Some(1) }
    }

    #[test]
    fn what_has_ended_goes_before_what_has_arrived() {
        let mut events = Events::default();
        events.push(event(1, What::Withdrawn { request: 9 }), &mut Vec::new());
        events.push(event(2, What::Done(Ok(Outcome::Empty))), &mut Vec::new());
        let (mut taken, mut freed) = (Vec::new(), 0);
        assert_eq!(events.take(&mut taken, 1, |size| freed += size), 1);
        assert_eq!((taken[0].id, freed), (2, 1));
        assert_eq!(events.take(&mut taken, 5, |_| {}), 1);
        assert_eq!(taken[1].id, 1);
    }

    #[test]
    fn the_end_of_a_reader_goes_behind_its_records_and_stays_when_they_are_taken_back() {
        let record = || {
            let message = telpher_proto::base::Message::new("x");
            What::Record(StreamRecord { partition: 0, offset: 0, time_ms: 0, message })
        };
        let end = || Handover { counted: None, ..event(1, What::Done(Ok(Outcome::Empty))) };
        let mut events = Events::default();
        let ids = |events: &mut Events| {
            let mut taken = Vec::new();
            events.take(&mut taken, 5, |_| {});
            taken.iter().map(|event| (event.id, matches!(event.what, What::Done(_)))).collect()
        };
        for detached in [false, true] {
            events.push(event(1, record()), &mut Vec::new());
            events.push(end(), &mut Vec::new());
            events.push(event(2, What::Done(Ok(Outcome::Empty))), &mut Vec::new());
            if detached {
                events.take_unseen(Some(1), &mut Vec::new());
            }
            let taken: Vec<(u64, bool)> = ids(&mut events);
            assert_eq!(taken[..2], [(2, true), (1, detached)]);
            assert_eq!(taken.last(), Some(&(1, true)));
        }
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_events_wait() {
        let mut events = Events::default();
        events.push(event(1, What::Ready), &mut Vec::new());
        events.signal().unwrap();
        let readable = |events: &Events| {
            let mut set = [PollFd::new(events.signal.as_ref().unwrap(), PollFlags::IN)];
            let now = crate::clock::timespec(std::time::Duration::ZERO);
            poll(&mut set, Some(&now)).unwrap() == 1
        };
        assert!(readable(&events));
        events.take(&mut Vec::new(), 5, |_| {});
        assert!(!readable(&events));
        events.push(event(1, What::Ready), &mut Vec::new());
        assert!(readable(&events));
    }
}
