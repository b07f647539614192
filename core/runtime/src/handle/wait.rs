//! Waiting, polling and closing.
//!
//! On a handle with its own thread, whoever waits parks until that thread wakes it. On one without,
//! the thread that waits first turns the reactor itself; others park beside it, and when it leaves
//! one of them takes over, unless a thread polls: then that one alone drives, and the rest rely on
//! it.
//!
//! Floor: handle/{mod,drive}.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use telpher_proto::base::{Error, Event, Id, Kind, Time, What};

use super::drive::Turned;
use super::driver::{Driver, Sleep};
use super::inbox::Submission;
use super::outcomes::{Found, stale};
use super::{Shared, check_may_wait, closed, in_callback};
use crate::api::Drive;
use crate::clock;
use crate::sync::{Parker, Woken};

impl Shared {
    /// Blocks for the next event of `id`, or for room if that is 0.
    pub(crate) fn wait(&self, id: Id, deadline: Option<Time>) -> Result<Event, Error> {
        self.check_process()?;
        if let Some(event) = self.look(id)? {
            return Ok(event);
        }
        check_may_wait()?;
        let parker = Parker::current();
        let result = self.wait_parked_or_driving(id, deadline, &parker);
        self.outcomes.lock().leave(id, &parker);
        match result {
            // What arrived in the last moment is not left behind for nobody.
            Err(error) if error.kind() != Kind::Stale => self.look(id)?.ok_or(error),
            other => other,
        }
    }

    /// What has arrived for `id`, if anything has.
    pub(crate) fn take(&self, id: Id) -> Result<Option<Event>, Error> {
        self.check_process()?;
        self.look(id)
    }

    fn wait_parked_or_driving(
        &self,
        id: Id,
        deadline: Option<Time>,
        parker: &Arc<Parker>,
    ) -> Result<Event, Error> {
        loop {
            if let Some(lease) = self.lease_to_wait(parker) {
                return self.drive_for(id, deadline, lease);
            }
            self.note_waiter(id, parker);
            if let Some(event) = self.look(id)? {
                return Ok(event);
            }
            if let Some(lease) = self.lease_to_wait(parker) {
                return self.drive_for(id, deadline, lease);
            }
            match parker.park(deadline) {
                Woken::Notified => {}
                Woken::TimedOut => return Err(pending(id)),
                Woken::Interrupted if self.interruptible => return Err(interrupted()),
                Woken::Interrupted => {}
            }
            if let Some(event) = self.look(id)? {
                return Ok(event);
            }
        }
    }

    fn note_waiter(&self, id: Id, parker: &Arc<Parker>) {
        let may_follow = self.drive != Drive::Library && !self.is_polled_by_other(parker);
        let mut outcomes = self.outcomes.lock();
        outcomes.leave(id, parker);
        outcomes.wait(id, parker);
        if may_follow {
            outcomes.follow(parker);
        }
    }

    /// What there is for `id` now.
    fn look(&self, id: Id) -> Result<Option<Event>, Error> {
        if id == 0 {
            return match self.admission.has_room() {
                _ if self.finished.is_set() => Err(self.end_reason()),
                true => Ok(Some(Event { id: 0, user: 0, what: What::Ready })),
                false => Ok(None),
            };
        }
        let found = self.outcomes.lock().take(id);
        match found {
            Found::Event(handover) => {
                self.release(handover.counted);
                self.note_taken(std::slice::from_ref(&handover.event));
                Ok(Some(handover.event))
            }
            Found::Open if self.finished.is_set() => Err(self.end_reason()),
            Found::Open => Ok(None),
            Found::Stale => Err(stale(id)),
        }
    }

    fn end_reason(&self) -> Error {
        self.fault.get().cloned().unwrap_or_else(closed)
    }

    /// The right to turn the reactor while waiting, if it is free and nobody else's.
    fn lease_to_wait(&self, parker: &Arc<Parker>) -> Option<MutexGuard<'_, Option<Driver>>> {
        if self.drive == Drive::Library || self.finished.is_set() {
            return None;
        }
        if self.is_polled_by_other(parker) { None } else { self.driver.try_lock() }
    }

    fn is_polled_by_other(&self, parker: &Arc<Parker>) -> bool {
        self.poller.lock().as_ref().is_some_and(|poller| {
            poller.strong_count() > 0 && !std::ptr::eq(poller.as_ptr(), Arc::as_ptr(parker))
        })
    }

    fn drive_for(
        &self,
        id: Id,
        deadline: Option<Time>,
        mut lease: MutexGuard<'_, Option<Driver>>,
    ) -> Result<Event, Error> {
        let result = self.turn_until(&mut lease, id, deadline);
        self.leave(&mut lease);
        drop(lease);
        self.pass_lease();
        result
    }

    fn turn_until(
        &self,
        lease: &mut Option<Driver>,
        id: Id,
        deadline: Option<Time>,
    ) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.look(id)? {
                return Ok(event);
            }
            match self.turn(lease, Sleep::Until(deadline)) {
                Turned::Interrupted if self.interruptible => return Err(interrupted()),
                _ => {}
            }
            if let Some(event) = self.look(id)? {
                return Ok(event);
            }
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return Err(pending(id));
            }
        }
    }

    /// Takes events; blocks for the first until `deadline`.
    pub(crate) fn poll(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        deadline: Option<Time>,
    ) -> Result<usize, Error> {
        self.check_process()?;
        check_may_wait()?;
        if capacity == 0 {
            return Err(Error::new(Kind::Invalid, "capacity is 0; it is at least 1"));
        }
        match self.drive {
            Drive::Library => self.poll_parked(events, capacity, deadline),
            Drive::Caller | Drive::Inline => self.poll_driving(events, capacity, deadline),
        }
    }

    fn poll_parked(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        deadline: Option<Time>,
    ) -> Result<usize, Error> {
        let parker = Parker::current();
        loop {
            let (count, woken) = self.take_events(events, capacity, Some(&parker));
            if count > 0 || woken {
                return Ok(count);
            }
            if self.finished.is_set() {
                return Err(self.end_reason());
            }
            let woken = parker.park(deadline);
            if woken != Woken::Notified {
                self.events.lock().leave(&parker);
            }
            match woken {
                Woken::TimedOut => return Ok(self.take_events(events, capacity, None).0),
                Woken::Interrupted if self.interruptible => return Err(interrupted()),
                _ => {}
            }
        }
    }

    /// Takes what there is; if that is nothing, `parker` will be woken for the next.
    fn take_events(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        parker: Option<&Arc<Parker>>,
    ) -> (usize, bool) {
        let mut queue = self.events.lock();
        let (mut ended, mut bytes) = (0, 0);
        let count = queue.take(events, capacity, |size| (ended, bytes) = (ended + 1, bytes + size));
        let woken = queue.take_woken();
        if let (0, false, Some(parker)) = (count, woken, parker) {
            queue.leave(parker);
            queue.wait(parker);
        }
        drop(queue);
        if count > 0 {
            self.admission.release_all(ended, bytes);
            self.announce_room();
            self.note_taken(&events[events.len() - count..]);
        }
        (count, woken)
    }

    fn poll_driving(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        deadline: Option<Time>,
    ) -> Result<usize, Error> {
        let Some(mut lease) = self.driver.try_lock() else {
            if self.is_closing.load(Ordering::SeqCst) {
                // Whoever closes the handle drives it to its end.
                self.finished.wait(deadline);
                return match self.take_events(events, capacity, None).0 {
                    0 => Err(self.end_reason()),
                    count => Ok(count),
                };
            }
            let detail = "another thread drives this handle; only one may poll it";
            return Err(Error::new(Kind::WouldDeadlock, detail));
        };
        self.claim();
        let set_polled = |lease: &mut Option<Driver>, polled| {
            lease.iter_mut().for_each(|driver| driver.is_polled = polled);
        };
        set_polled(&mut lease, true);
        let result = self.poll_turns(&mut lease, events, capacity, deadline);
        set_polled(&mut lease, false);
        self.leave(&mut lease);
        drop(lease);
        self.pass_lease();
        result
    }

    /// This thread is the one that polls.
    fn claim(&self) {
        let mut poller = self.poller.lock();
        let own = Parker::current();
        let is_own =
            |known: &std::sync::Weak<Parker>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(&own));
        if !poller.as_ref().is_some_and(is_own) {
            *poller = Some(Arc::downgrade(&own));
        }
    }

    fn poll_turns(
        &self,
        lease: &mut Option<Driver>,
        events: &mut Vec<Event>,
        capacity: usize,
        deadline: Option<Time>,
    ) -> Result<usize, Error> {
        loop {
            let is_full = self.events.lock().len() > 0;
            let sleep = if is_full { Sleep::No } else { Sleep::Until(deadline) };
            let turned = self.turn(lease, sleep);
            let (count, woken) = self.take_events(events, capacity, None);
            if count > 0 || woken {
                return Ok(count);
            }
            match turned {
                Turned::Ended => return Err(self.end_reason()),
                Turned::Interrupted if self.interruptible => return Err(interrupted()),
                _ => {}
            }
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return Ok(0);
            }
        }
    }

    /// Sends what was started and takes in what has arrived, without waiting.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.check_open()?;
        // Whoever drives now does it anyway.
        if self.drive != Drive::Library
            && let Some(mut lease) = self.driver.try_lock()
        {
            self.turn(&mut lease, Sleep::No);
            self.leave(&mut lease);
            drop(lease);
            self.pass_lease();
        } else {
            self.inbox.alarm().ring();
        }
        Ok(())
    }

    /// Ends the current or next poll early.
    pub(crate) fn wake(&self) -> Result<(), Error> {
        self.check_open()?;
        let mut wake = Vec::new();
        self.events.lock().set_woken(&mut wake);
        wake.iter().for_each(|parker| parker.unpark());
        self.inbox.alarm().force();
        Ok(())
    }

    /// Ends the handle, within the time until `deadline`.
    pub(crate) fn close(&self, deadline: Option<Time>) -> Result<(), Error> {
        self.check_process()?;
        if !self.is_closing.swap(true, Ordering::SeqCst) {
            self.submit(Submission::Close);
        }
        if in_callback() {
            return Ok(());
        }
        while !self.finished.is_set() {
            let lease = if self.drive == Drive::Library { None } else { self.driver.try_lock() };
            match lease {
                Some(mut lease) => {
                    self.turn(&mut lease, Sleep::No);
                }
                None => {
                    self.inbox.alarm().force();
                    break;
                }
            }
        }
        if self.finished.wait(deadline) && !self.is_driver_thread() {
            let thread = self.thread.lock().take();
            // It is past its last line, so this takes no time; its panic was caught inside.
            thread.into_iter().for_each(|thread| drop(thread.join()));
        }
        Ok(())
    }

    fn is_driver_thread(&self) -> bool {
        let thread = self.thread.lock();
        thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }
}

fn pending(id: Id) -> Error {
    let what = if id == 0 { "room in flight".to_owned() } else { format!("the id {id}") };
    Error::new(Kind::Pending, format!("nothing came for {what} in the time given"))
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "a signal arrived during the wait")
}
