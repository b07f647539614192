//! The part of a handle that outlives its wrapper until the loop has let go of it.
//!
//! `submit` starts what a batch holds, `poll` writes what has ended or arrived. What was taken from
//! the hub and did not fit stays here, in its order, for the next poll.
//!
//! Invariant: no borrow of the state is held while JavaScript runs, as neither ever calls it.
//!
//! Floor: every other file of the addon but `native` and `opening`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use telpher::{
    Command, Done, Error, Event, Hub, Id, Kind, Name, Published, Timeout, Untaken, Verdict, What,
};

use crate::body::Body;
use crate::incoming::Page;
use crate::layout::{self, NO_SLOT, WORDS};
use crate::outgoing::{self, Operation};
use crate::teardown::{self, HookHandle};
use crate::thread::Thread;
use crate::uv::Watch;

/// How events of a handle make JavaScript run.
pub(crate) enum Wake {
    /// libuv watches the handle's descriptor.
    Loop(Watch),
    /// A thread of the handle rings.
    Thread(Thread),
}

#[derive(Default)]
struct State {
    names: Vec<Name>,
    ids: Vec<Id>,
    /// Taken from the hub, and not written to a page yet.
    ready: VecDeque<Event>,
    scratch: Vec<Event>,
    broken: bool,
}

/// What outlives the wrapper until the loop has let go of it.
pub(crate) struct Shared {
    /// Gone when the handle was closed and read out: its descriptors do not wait for a collector.
    hub: RefCell<Option<Hub>>,
    wake: Wake,
    state: RefCell<State>,
    closed: Cell<bool>,
    hook: Cell<Option<HookHandle>>,
}

impl Shared {
    /// A handle whose opening, `id`, is the outcome of slot 0.
    pub(crate) fn new(hub: Hub, id: Id, wake: Wake) -> Shared {
        let state = RefCell::new(State { ids: vec![id], ..State::default() });
        let hub = RefCell::new(Some(hub));
        Shared { hub, wake, state, closed: Cell::new(false), hook: Cell::new(None) }
    }

    pub(crate) fn hub(&self) -> Option<Hub> {
        self.hub.borrow().clone()
    }

    /// Lets go of a closed hub.
    pub(crate) fn free(&self) {
        self.hub.take();
    }

    pub(crate) fn watch(&self) -> Option<&Watch> {
        match &self.wake {
            Wake::Loop(watch) => Some(watch),
            Wake::Thread(_) => None,
        }
    }

    pub(crate) fn set_hook(&self, hook: HookHandle) {
        self.hook.set(Some(hook));
    }

    pub(crate) fn take_hook(&self) -> Option<HookHandle> {
        self.hook.take()
    }

    /// Keeps a name and returns its number.
    pub(crate) fn intern(&self, name: Name) -> u32 {
        let mut state = self.state.borrow_mut();
        state.names.push(name);
        state.names.len() as u32 - 1
    }

    /// Forgets every number of a name.
    pub(crate) fn forget_names(&self) {
        self.state.borrow_mut().names.clear();
    }

    /// Keeps the program alive, or lets it end.
    pub(crate) fn hold(&self, held: bool) {
        if self.closed.get() {
            return;
        }
        match &self.wake {
            Wake::Loop(watch) => watch.hold(held),
            Wake::Thread(thread) => thread.hold(held),
        }
    }

    /// Starts the operations of a batch; see [`crate::native::Native::submit`].
    pub(crate) fn submit(
        &self,
        words: &mut [u32],
        bytes: &[u8],
        from: usize,
        now_ms: f64,
        mode: u32,
    ) -> u32 {
        let Some(hub) = self.hub() else { return 0 };
        let mut state = self.state.borrow_mut();
        let mut body = Body::new(bytes);
        let mut blocked = mode & layout::SUBMIT_BLOCKED != 0;
        let mut full = false;
        for record in words.chunks_exact_mut(WORDS).skip(from) {
            if record[0] == 0 {
                continue;
            }
            if !blocked || outgoing::makes_room(record[0]) {
                let operation = outgoing::read(record, &mut body, &state.names, now_ms);
                if self.start(&hub, record[1], operation, &mut state) {
                    record[0] = 0;
                    continue;
                }
                (blocked, full) = (true, true);
            }
            if layout::double(record, 14) == 0.0 {
                layout::set_double(record, 14, now_ms);
            }
        }
        if mode & layout::SUBMIT_FLUSH != 0 {
            // What is wrong with the handle is told by the next poll.
            let _ = hub.flush();
        }
        let done = words.chunks_exact(WORDS).take_while(|record| record[0] == 0).count() as u32;
        let full = if full { layout::SUBMITTED_FULL } else { 0 };
        let events = if state.ready.is_empty() { 0 } else { layout::SUBMITTED_EVENTS };
        done | full | events
    }

    /// False if there is no room in flight now.
    fn start(
        &self,
        hub: &Hub,
        slot: u32,
        operation: Result<Operation, Error>,
        state: &mut State,
    ) -> bool {
        let slot = (slot != NO_SLOT).then_some(slot);
        let started = operation
            .map_err(|error| (error, false))
            .and_then(|operation| self.start_operation(hub, operation).map_err(|e| (e, true)));
        match (started, slot) {
            (Ok(id), Some(slot)) => {
                let slot = slot as usize;
                if state.ids.len() <= slot {
                    state.ids.resize(slot + 1, 0);
                }
                state.ids[slot] = id;
            }
            (Err((error, true)), _) if error.kind() == Kind::Full => return false,
            (Err((error, _)), Some(slot)) => {
                forget_id(&mut state.ids, slot);
                let what = What::Done(Err(error));
                state.ready.push_back(Event { id: 0, user: slot.into(), what });
            }
            _ => {}
        }
        true
    }

    fn start_operation(&self, hub: &Hub, operation: Operation) -> Result<Id, Error> {
        let Operation { slot, command, timeout } = operation;
        let done = match (slot, &self.wake) {
            (None, _) => Done::None,
            (Some(slot), Wake::Loop(_)) => Done::Event(slot.into()),
            (Some(slot), Wake::Thread(thread)) => thread.done(slot),
        };
        let request = match &command {
            Command::Reply { request, reply: Ok(_) } => Some(*request),
            _ => None,
        };
        // JavaScript keeps what has come until its program asks for it, and tells when.
        let started = match command {
            Command::Read { .. } | Command::Subscribe { .. } => {
                hub.start_paced(command, timeout, done)
            }
            _ => hub.start(command, timeout, done),
        };
        match (started, request) {
            // A reply that cannot be sent must not leave its caller waiting.
            (Err(error), Some(request)) if error.kind() == Kind::TooLarge => {
                let failure = Error::remote(1, format!("the reply was refused: {error}"));
                let reply = Command::Reply { request, reply: Err(failure) };
                hub.start(reply, timeout, Done::None)
            }
            (started, _) => started,
        }
    }

    /// Writes events to `page`.
    pub(crate) fn poll(&self, mut page: Page<'_>) {
        let Some(hub) = self.hub() else { return page.finish(0, false) };
        let state = &mut *self.state.borrow_mut();
        if state.ready.is_empty() {
            self.take(&hub, state, page.room());
        }
        let mut need = 0;
        while need == 0
            && page.room() > 0
            && let Some(event) = state.ready.front()
        {
            if is_orphan(event, &state.ids) || matches!(event.what, What::Gap { .. }) {
                give_back(&hub, &event.what);
                state.ready.pop_front();
                continue;
            }
            match page.push(event) {
                Ok(()) => {
                    if matches!(event.what, What::Done(_)) {
                        forget_id(&mut state.ids, event.user as u32);
                    }
                    state.ready.pop_front();
                }
                Err(bytes) => need = bytes,
            }
        }
        page.finish(need, !state.ready.is_empty());
    }

    fn take(&self, hub: &Hub, state: &mut State, capacity: usize) {
        let State { ready, scratch, broken, .. } = state;
        if let Wake::Thread(thread) = &self.wake {
            thread.take(ready);
            return;
        }
        let polled = hub.poll(scratch, capacity, Timeout::Default);
        ready.extend(scratch.drain(..));
        if let Err(error) = polled
            && !self.closed.get()
            && !std::mem::replace(broken, true)
        {
            let what = What::Done(Err(error));
            ready.push_back(Event { id: 0, user: NO_SLOT.into(), what });
        }
    }

    /// The program has taken what came for the reader or subscriber of a slot.
    pub(crate) fn taken(&self, slot: u32, taken: Untaken) {
        let Some(hub) = self.hub() else { return };
        if let Some(id) = self.state.borrow().ids.get(slot as usize).filter(|id| **id != 0) {
            hub.taken(*id, taken);
        }
    }

    /// Does something to the id of a slot.
    pub(crate) fn with_id(&self, slot: u32, act: impl Fn(&Hub, Id) -> Result<(), Error>) {
        let Some(hub) = self.hub() else { return };
        if let Some(id) = self.state.borrow().ids.get(slot as usize).filter(|id| **id != 0) {
            // An id that has ended already has its outcome on the way.
            let _ = act(&hub, *id);
            let _ = hub.flush();
        }
    }

    /// Stops the calls of JavaScript, then closes the hub; the second time nothing happens.
    pub(crate) fn close(self: &Rc<Self>, timeout: Timeout) {
        if self.closed.replace(true) {
            return;
        }
        match &self.wake {
            Wake::Loop(watch) => watch.stop(),
            Wake::Thread(thread) => thread.stop(),
        }
        // There is nobody left to be told that a goodbye took too long.
        let _ = self.hub().map(|hub| hub.close(timeout));
        match &self.wake {
            Wake::Loop(watch) => watch.close(),
            // Nothing of a thread is left on the loop.
            Wake::Thread(_) => teardown::release(self),
        }
    }
}

/// True for what arrived for a consumer, subscriber or service that has ended before: an end
/// overtakes it, and its slot may be another's by now.
fn is_orphan(event: &Event, ids: &[Id]) -> bool {
    let concerns_stream = matches!(
        event.what,
        What::Delivery(_)
            | What::Request(_)
            | What::Published(_)
            | What::Record(_)
            | What::Skipped { .. }
            | What::Answer(_)
            | What::Started
            | What::Withdrawn { .. }
    );
    concerns_stream && ids.get(event.user as usize) != Some(&event.id)
}

/// Lets go of what nobody will look at. Nobody is there to be told of a failure either.
fn give_back(hub: &Hub, what: &What) {
    let command = match what {
        What::Delivery(delivery) => Command::Settle {
            delivery: delivery.token,
            verdict: Verdict::Release,
            reason: String::new(),
        },
        What::Request(request) => {
            let error = Error::new(Kind::Abandoned, "the service has ended");
            Command::Reply { request: request.token, reply: Err(error) }
        }
        What::Published(Published { asked: Some(asked), .. }) => {
            let error = Error::new(Kind::Busy, "not run: the subscriber has stopped");
            Command::Reply { request: asked.token, reply: Err(error) }
        }
        _ => return,
    };
    let _ = hub.start(command, Timeout::Default, Done::None);
}

/// Ids are never 0, so that nothing that comes later is taken for the slot's.
fn forget_id(ids: &mut [Id], slot: u32) {
    if let Some(id) = ids.get_mut(slot as usize) {
        *id = 0;
    }
}
