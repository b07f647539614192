//! What happens with the machine's events: each goes where its id says.
//!
//! A batch takes each lock once. Callbacks run last, with no lock held; what they start is taken in
//! by the same turn.
//!
//! Floor: handle.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use telpher_proto::base::{Error, Event, Id, Outcome, Published, What};

use super::driver::{Driver, UNSEEN};
use super::inbox::{Callback, Destination, Ticket};
use super::outcomes::Handover;
use super::{Notices, Shared, as_callback, closed};
use crate::sync::Parker;

/// Reused room for a batch, and the callback for notices.
#[derive(Default)]
pub(crate) struct Outgoing {
    batch: Vec<Handover>,
    calls: VecDeque<Call>,
    wake: Vec<Arc<Parker>>,
    /// What has ended with nobody to look at it.
    unseen: Freed,
    notices: Option<Callback>,
    /// Something among these is about a request.
    has_requests: bool,
}

/// Operations that are no longer in flight.
#[derive(Clone, Copy, Default)]
struct Freed {
    count: u64,
    bytes: usize,
}

impl Freed {
    fn add(&mut self, counted: Option<usize>) {
        if let Some(size) = counted {
            self.count += 1;
            self.bytes += size;
        }
    }
}

struct Call {
    handover: Handover,
    /// The ticket's callback if this is its last event; otherwise it is found by this key.
    callback: Option<Callback>,
    key: usize,
}

impl Outgoing {
    pub(super) fn new(notices: Option<Callback>) -> Outgoing {
        Outgoing { notices, ..Outgoing::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.calls.is_empty() && self.unseen.count == 0
    }

    /// Takes out what has arrived for a consumer, service or subscriber, or for all.
    pub(super) fn take_unseen(&mut self, id: Option<Id>, unseen: &mut Vec<Event>) {
        let mut arrived = |handover: &Handover| {
            let event = &handover.event;
            let is_arrival = matches!(
                event.what,
                What::Delivery(_)
                    | What::Request(_)
                    | What::Published(_)
                    | What::Record(_)
                    | What::Gap { .. }
            );
            let is_meant = is_arrival && id.is_none_or(|id| id == event.id);
            if is_meant {
                unseen.push(event.clone());
            }
            is_meant
        };
        self.batch.retain(|handover| !arrived(handover));
        self.calls.retain(|call| !arrived(&call.handover));
    }

    /// What has ended, among everything else here.
    pub(super) fn ends(&mut self) -> impl Iterator<Item = &mut Event> {
        let called = self.calls.iter_mut().map(|call| &mut call.handover);
        self.batch.iter_mut().chain(called).map(|handover| &mut handover.event)
    }

    pub(super) fn push_ready(&mut self) {
        let event = Event { id: 0, user: 0, what: What::Ready };
        self.push_notice(Handover { event, counted: None });
    }

    fn push_notice(&mut self, handover: Handover) {
        self.calls.push_back(Call { handover, callback: None, key: usize::MAX });
    }

    /// Adds what goes where its id says; with its last event a ticket's callback.
    fn push(&mut self, handover: Handover, callback: Option<Callback>, key: usize) {
        if Destination::of(handover.event.id) == Destination::Callback {
            self.calls.push_back(Call { handover, callback, key });
        } else {
            self.batch.push(handover);
        }
    }
}

impl Driver {
    /// Hands over everything that the machine has; returns whether there was anything.
    pub(super) fn hand_over(&mut self) -> bool {
        self.route_all();
        if self.outgoing.is_empty() {
            return false;
        }
        self.note_requests();
        self.hand_over_batch();
        self.run_callbacks();
        true
    }

    /// Sorts everything that the machine has.
    pub(super) fn route_all(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.route(event);
        }
    }

    fn route(&mut self, event: Event) {
        let Event { id, user, what } = event;
        if id == 0 {
            return self.route_notice(what);
        }
        if user & UNSEEN != 0 {
            return self.route_unseen(id, (user ^ UNSEEN) as usize, &what);
        }
        let key = user as usize;
        let Some(ticket) = self.tickets.get_mut(key).filter(|ticket| ticket.id == id) else {
            return;
        };
        if let What::Done(result) = what {
            return self.route_end(key, result);
        }
        let event = Event { id, user: ticket.user, what };
        self.outgoing.has_requests |= is_about_request(&event.what);
        self.outgoing.push(Handover { event, counted: None }, None, key);
    }

    /// It has ended, and is no longer in flight; nobody hears of it.
    fn route_unseen(&mut self, id: Id, size: usize, what: &What) {
        let What::Done(result) = what else { return };
        if let Err(error) = result {
            note_failure(&self.shared, id, error);
        }
        self.outgoing.unseen.add(Some(size));
    }

    fn route_end(&mut self, key: usize, mut result: Result<Outcome, Error>) {
        let ticket = self.tickets.remove(key);
        if ticket.is_stream {
            self.shared.taken.remove(ticket.id);
        }
        if self.is_closing && ticket.is_registration() && result.is_ok() {
            // It was stopped for the handle's end, not for its own.
            result = Err(closed());
        }
        if let Err(error) = &result {
            note_failure(&self.shared, ticket.id, error);
            if ticket.is_opening {
                // What was never opened refuses everything with the reason.
                let _ = self.shared.fault.set(error.clone());
            }
        }
        let Ticket { id, user, counted, callback, .. } = ticket;
        let event = Event { id, user, what: What::Done(result) };
        self.outgoing.push(Handover { event, counted }, callback, key);
    }

    fn route_notice(&mut self, what: What) {
        let (user, is_called) = match self.shared.notices {
            Notices::None => return,
            Notices::Callback => (0, true),
            Notices::Event(user) => (user, false),
        };
        let handover = Handover { event: Event { id: 0, user, what }, counted: None };
        match is_called {
            true => self.outgoing.push_notice(handover),
            false => self.outgoing.batch.push(handover),
        }
    }

    fn note_requests(&mut self) {
        if !std::mem::take(&mut self.outgoing.has_requests) {
            return;
        }
        let of_calls = self.outgoing.calls.iter().map(|call| &call.handover);
        let concerned = self
            .outgoing
            .batch
            .iter()
            .chain(of_calls)
            .filter(|handover| is_about_request(&handover.event.what));
        let mut requests = self.shared.requests.lock();
        for handover in concerned {
            match &handover.event.what {
                What::Request(request) => requests.insert(request.token, request.deadline, false),
                What::Published(Published { asked: Some(asked), .. }) => {
                    requests.insert(asked.token, asked.deadline, true);
                }
                What::Withdrawn { request } => requests.withdraw(*request),
                _ => {}
            }
        }
    }

    fn hand_over_batch(&mut self) {
        let Outgoing { batch, wake, unseen, .. } = &mut self.outgoing;
        let shared = &self.shared;
        let mut outcomes = None;
        let mut events = None;
        for handover in batch.drain(..) {
            match Destination::of(handover.event.id) {
                Destination::Wait if handover.event.id != 0 => {
                    // A thread that waits asks for withdrawals instead.
                    if matches!(handover.event.what, What::Withdrawn { .. }) {
                        continue;
                    }
                    let outcomes = outcomes.get_or_insert_with(|| shared.outcomes.lock());
                    unseen.add(outcomes.put(handover, wake).and_then(|unseen| unseen.counted));
                }
                Destination::None => unseen.add(handover.counted),
                _ => {
                    let events = events.get_or_insert_with(|| shared.events.lock());
                    events.add(handover);
                }
            }
        }
        if let Some(events) = &mut events {
            events.announce(wake);
        }
        drop((outcomes, events));
        let Freed { count, bytes } = std::mem::take(unseen);
        if count > 0 {
            shared.admission.release_all(count, bytes);
            shared.announce_room();
        }
        for parker in wake.drain(..) {
            parker.unpark();
        }
    }

    fn run_callbacks(&mut self) {
        for _ in 0..self.outgoing.calls.len() {
            let Some(Call { handover, mut callback, key }) = self.outgoing.calls.pop_front() else {
                return;
            };
            let Handover { event, counted } = handover;
            let (id, is_last) = (event.id, callback.is_some());
            if callback.is_none() {
                callback = self.borrow_callback(id, key);
            }
            self.shared.release(counted);
            self.shared.note_taken(std::slice::from_ref(&event));
            let Some(mut function) = callback else { continue };
            as_callback(|| {
                if catch_unwind(AssertUnwindSafe(|| function(event))).is_err() {
                    tracing::error!(id, "a callback of the program's panicked");
                }
            });
            if !is_last {
                self.return_callback(id, key, function);
            }
        }
    }

    fn borrow_callback(&mut self, id: Id, key: usize) -> Option<Callback> {
        if id == 0 {
            return self.outgoing.notices.take();
        }
        let ticket = self.tickets.get_mut(key).filter(|ticket| ticket.id == id);
        if let Some(ticket) = ticket {
            return ticket.callback.take();
        }
        // Its end is in this batch, too, and has the callback.
        let mut later = self.outgoing.calls.iter_mut();
        let end = later.rfind(|call| call.handover.event.id == id);
        end.and_then(|call| call.callback.take())
    }

    fn return_callback(&mut self, id: Id, key: usize, function: Callback) {
        if id == 0 {
            self.outgoing.notices = Some(function);
            return;
        }
        if let Some(ticket) = self.tickets.get_mut(key).filter(|ticket| ticket.id == id) {
            ticket.callback = Some(function);
            return;
        }
        let mut later = self.outgoing.calls.iter_mut();
        let last = later.rfind(|call| call.handover.event.id == id);
        if let Some(call) = last {
            call.callback = Some(function);
        }
    }

    /// Ends everything that is open with `error`, after a fault.
    pub(super) fn fail_all(&mut self, error: &Error) {
        let mut wake = Vec::new();
        self.shared.outcomes.lock().fail_all(error, &mut wake);
        for ticket in self.tickets.drain() {
            let what = What::Done(Err(error.clone()));
            let event = Event { id: ticket.id, user: ticket.user, what };
            self.shared.admission.count_failure(true);
            match (Destination::of(ticket.id), ticket.callback) {
                (Destination::Event, _) => {
                    let handover = Handover { event, counted: ticket.counted };
                    self.shared.events.lock().push(handover, &mut wake);
                }
                (Destination::Callback, Some(mut function)) => {
                    self.shared.release(ticket.counted);
                    as_callback(|| drop(catch_unwind(AssertUnwindSafe(|| function(event)))));
                }
                _ => self.shared.release(ticket.counted),
            }
        }
        wake.iter().for_each(|parker| parker.unpark());
    }
}

fn is_about_request(what: &What) -> bool {
    match what {
        What::Request(_) | What::Withdrawn { .. } => true,
        What::Published(published) => published.asked.is_some(),
        _ => false,
    }
}

fn note_failure(shared: &Shared, id: Id, error: &Error) {
    let seen = Destination::of(id) != Destination::None;
    shared.admission.count_failure(seen);
    if !seen && !shared.is_closing.load(Ordering::Relaxed) {
        tracing::warn!(id, %error, "an operation failed that nobody looks at");
    }
}
