//! Outcomes that somebody waits for by id.
//!
//! A ticket has an entry from its start until it is redeemed; a consumer, service or subscriber
//! until its end is. Several threads may wait for one id: each event goes to one of them.
//!
//! Floor: sync.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;
use telpher_proto::base::{Error, Event, Id, Kind, What};

use crate::sync::Parker;

/// An event on its way to the program, and what it frees when it gets there.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) event: Event,
    /// Bytes in flight that end with it; `None` if nothing was counted.
    pub(crate) counted: Option<usize>,
}

#[derive(Default)]
struct Entry {
    /// A consumer, service or subscriber.
    is_stream: bool,
    /// Nobody will ask for its end.
    is_forgotten: bool,
    events: VecDeque<Handover>,
    end: Option<Handover>,
    waiter: Option<Arc<Parker>>,
    more_waiters: Vec<Arc<Parker>>,
}

impl Entry {
    fn wake_one(&mut self, wake: &mut Vec<Arc<Parker>>) {
        wake.extend(self.more_waiters.pop().or_else(|| self.waiter.take()));
    }

    fn wake_all(&mut self, wake: &mut Vec<Arc<Parker>>) {
        wake.append(&mut self.more_waiters);
        wake.extend(self.waiter.take());
    }
}

/// What a wait finds.
pub(crate) enum Found {
    Event(Handover),
    /// Nothing yet.
    Open,
    /// Nothing by this id.
    Stale,
}

/// The entries of one handle.
#[derive(Default)]
pub(crate) struct Outcomes {
    entries: HashMap<Id, Entry>,
    /// Threads that wait for room in flight.
    room_waiters: Vec<Arc<Parker>>,
    /// Threads that wait for something while another one drives.
    followers: Vec<Arc<Parker>>,
}

impl Outcomes {
    pub(crate) fn insert(&mut self, id: Id, is_stream: bool) {
        self.entries.insert(id, Entry { is_stream, ..Entry::default() });
    }

    /// True if something by this id has not ended yet.
    pub(crate) fn is_open(&self, id: Id) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.end.is_none())
    }

    /// Adds an event; returns it if nobody will ever ask for it. `wake` gets who waits for it.
    pub(crate) fn put(
        &mut self,
        handover: Handover,
        wake: &mut Vec<Arc<Parker>>,
    ) -> Option<Handover> {
        let Some(entry) = self.entries.get_mut(&handover.event.id) else { return Some(handover) };
        if matches!(handover.event.what, What::Done(_)) {
            if entry.is_forgotten {
                self.entries.remove(&handover.event.id);
                return Some(handover);
            }
            entry.end = Some(handover);
            entry.wake_all(wake);
        } else {
            entry.events.push_back(handover);
            entry.wake_one(wake);
        }
        None
    }

    /// Takes out the next event of `id`, and with the last one the entry.
    pub(crate) fn take(&mut self, id: Id) -> Found {
        let Some(entry) = self.entries.get_mut(&id) else { return Found::Stale };
        if let Some(handover) = entry.events.pop_front() {
            return Found::Event(handover);
        }
        match entry.end.take() {
            Some(handover) => {
                self.entries.remove(&id);
                Found::Event(handover)
            }
            None => Found::Open,
        }
    }

    /// Notes that `parker` waits for `id`, or for room if that is 0.
    pub(crate) fn wait(&mut self, id: Id, parker: &Arc<Parker>) {
        if id == 0 {
            self.room_waiters.push(Arc::clone(parker));
        } else if let Some(entry) = self.entries.get_mut(&id) {
            match &entry.waiter {
                None => entry.waiter = Some(Arc::clone(parker)),
                Some(_) => entry.more_waiters.push(Arc::clone(parker)),
            }
        }
    }

    /// Takes back what `wait` noted.
    pub(crate) fn leave(&mut self, id: Id, parker: &Arc<Parker>) {
        let other = |waiter: &Arc<Parker>| !Arc::ptr_eq(waiter, parker);
        self.followers.retain(other);
        if id == 0 {
            self.room_waiters.retain(other);
        } else if let Some(entry) = self.entries.get_mut(&id) {
            entry.more_waiters.retain(other);
            entry.waiter = entry.waiter.take().filter(other);
        }
    }

    /// Notes that `parker` would drive if nobody else did.
    pub(crate) fn follow(&mut self, parker: &Arc<Parker>) {
        self.followers.push(Arc::clone(parker));
    }

    /// One who would drive.
    pub(crate) fn take_follower(&mut self) -> Option<Arc<Parker>> {
        self.followers.pop()
    }

    pub(crate) fn take_room_waiters(&mut self, wake: &mut Vec<Arc<Parker>>) {
        wake.append(&mut self.room_waiters);
    }

    /// Everybody who waits for anything.
    pub(crate) fn take_all_waiters(&mut self, wake: &mut Vec<Arc<Parker>>) {
        wake.append(&mut self.room_waiters);
        wake.append(&mut self.followers);
        self.entries.values_mut().for_each(|entry| entry.wake_all(wake));
    }

    /// Forgets a ticket; a consumer, service or subscriber stays until its end is redeemed. Returns
    /// what had arrived for it.
    pub(crate) fn detach(
        &mut self,
        id: Id,
        wake: &mut Vec<Arc<Parker>>,
    ) -> Result<Option<Handover>, Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Err(stale(id)) };
        if entry.is_stream {
            return Ok(None);
        }
        entry.wake_all(wake);
        let end = entry.end.take();
        self.entries.remove(&id);
        Ok(end)
    }

    /// Takes out what has arrived for a consumer, service or subscriber, or for all, and was not
    /// asked for yet.
    pub(crate) fn take_unseen(&mut self, id: Option<Id>, unseen: &mut Vec<Event>) {
        for (key, entry) in &mut self.entries {
            if entry.is_stream && id.is_none_or(|id| id == *key) {
                unseen.extend(entry.events.drain(..).map(|handover| handover.event));
            }
        }
    }

    /// What has ended and was not asked for yet.
    pub(crate) fn ends(&mut self) -> impl Iterator<Item = &mut Event> {
        let ended = self.entries.values_mut().filter_map(|entry| entry.end.as_mut());
        ended.map(|handover| &mut handover.event)
    }

    /// Nobody will ask for anything more of this consumer, service or subscriber.
    pub(crate) fn forget(&mut self, id: Id) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.is_forgotten = true;
            if entry.end.is_some() {
                self.entries.remove(&id);
            }
        }
    }

    /// Ends everything that is open, as a fault demands.
    pub(crate) fn fail_all(&mut self, error: &Error, wake: &mut Vec<Arc<Parker>>) {
        for (id, entry) in &mut self.entries {
            if entry.end.is_none() {
                let event = Event { id: *id, user: 0, what: What::Done(Err(error.clone())) };
                entry.end = Some(Handover { event, counted: None });
            }
        }
        self.take_all_waiters(wake);
    }
}

/// What is said of an id that names nothing.
pub(crate) fn stale(id: Id) -> Error {
    Error::new(Kind::Stale, format!("the id {id} names nothing that is open"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use telpher_proto::base::Outcome;

    fn done(id: Id) -> Handover {
        let event = Event { id, user: 0, what: What::Done(Ok(Outcome::Empty)) };
        Handover { event, counted: Some(3) }
    }

    #[test]
    fn a_ticket_is_redeemed_once() {
        let mut outcomes = Outcomes::default();
        outcomes.insert(4, false);
        assert!(matches!(outcomes.take(4), Found::Open));
        assert!(outcomes.put(done(4), &mut Vec::new()).is_none());
        assert!(matches!(outcomes.take(4), Found::Event(_)));
        assert!(matches!(outcomes.take(4), Found::Stale));
    }

    #[test]
    fn the_outcome_of_a_detached_ticket_is_wanted_by_nobody() {
        let mut outcomes = Outcomes::default();
        outcomes.insert(4, false);
        assert!(outcomes.detach(4, &mut Vec::new()).unwrap().is_none());
        assert!(outcomes.put(done(4), &mut Vec::new()).is_some());
        assert_eq!(outcomes.detach(4, &mut Vec::new()).unwrap_err().kind(), Kind::Stale);
    }

    #[test]
    fn what_a_consumer_has_comes_before_its_end() {
        let mut outcomes = Outcomes::default();
        outcomes.insert(4, true);
        let started = Event { id: 4, user: 0, what: What::Started };
        outcomes.put(Handover { event: started, counted: None }, &mut Vec::new());
        outcomes.put(done(4), &mut Vec::new());
        let Found::Event(first) = outcomes.take(4) else { panic!("nothing there") };
        assert!(matches!(first.event.what, What::Started));
        assert!(matches!(outcomes.take(4), Found::Event(_)));
        assert!(matches!(outcomes.take(4), Found::Stale));
    }
}
