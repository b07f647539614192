//! One hub handle, as JavaScript's wrapper sees it: batches in, batches out.
//!
//! Slots are numbers that JavaScript gives to what it waits for; slot 0 is the opening. An error
//! of a start becomes an event of its slot, so that every outcome takes the same way.
//!
//! Floor: every other file of the addon, telpher, napi.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use napi::bindgen_prelude::{Function, JsValue, Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, sys};
use napi_derive::napi;
use telpher::{
    Command, Done, Drive, Error, Event, HostRole, Hub, Id, Kind, Name, OpenOptions, Timeout, What,
};

use crate::fault::thrown;
use crate::incoming::Page;
use crate::layout::{self, NO_SLOT, WORDS};
use crate::outgoing::{self, Body, Operation};
use crate::teardown::{self, HookHandle};
use crate::thread::Thread;
use crate::uv::{self, Watch};

/// How a hub is opened; every default is already in its place.
#[napi(object)]
pub struct NativeOptions {
    /// `loop`, `inline` or `thread`.
    pub drive: String,
    /// `auto`, `never` or `always`.
    pub host: String,
    /// Time until opening fails; NaN is the default.
    pub timeout_ms: f64,
    /// 0 is the default.
    pub in_flight_max: u32,
    /// Further addresses to listen at.
    pub listen: Vec<String>,
    /// Also beyond loopback.
    pub insecure: bool,
    /// Negative is the default.
    pub session_grace_ms: f64,
}

/// Counters of one handle.
#[napi(object)]
pub struct StatsRow {
    /// Operations open now.
    pub in_flight: f64,
    /// Bytes of bodies open now.
    pub in_flight_bytes: f64,
    /// Operations started.
    pub started: f64,
    /// Operations that ended with an error.
    pub failed: f64,
    /// Of these, with nobody to look at them.
    pub failed_unseen: f64,
    /// Connections made.
    pub connects: f64,
}

enum Wake {
    Loop(Watch),
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
    hub: Hub,
    wake: Wake,
    state: RefCell<State>,
    closed: Cell<bool>,
    hook: Cell<HookHandle>,
}

/// One hub handle.
#[napi]
pub struct Native {
    shared: Rc<Shared>,
}

/// True if this program's libuv can drive a hub.
#[napi(catch_unwind)]
pub fn loop_available() -> bool {
    uv::available()
}

/// Starts to open a hub; `turn` is called when there are events to be polled.
#[napi(catch_unwind)]
pub fn open(
    env: Env,
    url: String,
    options: NativeOptions,
    turn: Function<'_, (), ()>,
) -> napi::Result<Native> {
    let shared = start_open(env.raw(), &url, &options, turn.raw()).map_err(|e| thrown(&e))?;
    let shared = Rc::new(shared);
    teardown::register(env.raw(), &shared);
    if let Some(watch) = shared.watch() {
        watch.start(&shared);
    }
    Ok(Native { shared })
}

fn start_open(
    env: sys::napi_env,
    url: &str,
    options: &NativeOptions,
    turn: sys::napi_value,
) -> Result<Shared, Error> {
    let wanted = open_options(options)?;
    let io = |text: String| Error::new(Kind::Io, text);
    let mut state = State::default();
    let (hub, id, wake) = if wanted.drive == Drive::Library {
        // SAFETY: both come from the call that is being served.
        let thread = unsafe { Thread::new(env, turn) }.map_err(io)?;
        let opened = Hub::open(url, wanted, thread.done(0), thread.done(NO_SLOT));
        let (hub, id) = opened.inspect_err(|_| thread.stop())?;
        (hub, id, Wake::Thread(thread))
    } else {
        let (hub, id) = Hub::open(url, wanted, Done::Event(0), Done::Event(NO_SLOT.into()))?;
        // SAFETY: as above; `Shared::close` stops the watch before it closes the hub.
        let watch = hub.fd().and_then(|fd| unsafe { Watch::new(env, turn, fd) }.map_err(io));
        let watch = watch.inspect_err(|_| {
            // The reason why there is no watch is what matters.
            let _ = hub.close(Duration::ZERO.into());
        })?;
        (hub, id, Wake::Loop(watch))
    };
    state.ids.push(id);
    let (closed, hook) = (Cell::new(false), Cell::new(ptr::null_mut()));
    Ok(Shared { hub, wake, state: RefCell::new(state), closed, hook })
}

fn open_options(options: &NativeOptions) -> Result<OpenOptions, Error> {
    let unknown = |what: &str, value: &str, allowed: &str| {
        Error::new(Kind::Invalid, format!("{what} is {value:?}; allowed are {allowed}"))
    };
    let drive = match options.drive.as_str() {
        "loop" => Drive::Caller,
        "inline" => Drive::Inline,
        "thread" => Drive::Library,
        other => return Err(unknown("drive", other, "loop, inline and thread")),
    };
    let host = match options.host.as_str() {
        "auto" => HostRole::Auto,
        "never" => HostRole::Never,
        "always" => HostRole::Always,
        other => return Err(unknown("host", other, "auto, never and always")),
    };
    let grace_ms = options.session_grace_ms;
    Ok(OpenOptions {
        drive,
        host,
        timeout: outgoing::timeout(options.timeout_ms)?,
        in_flight_max: options.in_flight_max as usize,
        listen: options.listen.clone(),
        insecure: options.insecure,
        session_grace: (grace_ms >= 0.0).then(|| Duration::from_secs_f64(grace_ms / 1000.0)),
        ..OpenOptions::default()
    })
}

#[napi]
impl Native {
    /// The number of a checked name.
    #[napi(catch_unwind)]
    pub fn intern(&self, text: String) -> napi::Result<u32> {
        let name = Name::parse(&text).map_err(|error| thrown(&error))?;
        let mut state = self.shared.state.borrow_mut();
        state.names.push(name);
        Ok(state.names.len() as u32 - 1)
    }

    /// Forgets every number of a name.
    #[napi(catch_unwind)]
    pub fn forget_names(&self) {
        self.shared.state.borrow_mut().names.clear();
    }

    /// Starts the operations of a batch from record `from` on; see `layout.rs`.
    #[napi(catch_unwind)]
    pub fn submit(
        &self,
        mut words: Uint32ArraySlice<'_>,
        bytes: &[u8],
        from: u32,
        now_ms: f64,
        mode: u32,
    ) -> u32 {
        // SAFETY: JavaScript does not run during this call, and hands each array over once.
        let words = unsafe { words.as_mut() };
        self.shared.submit(words, bytes, from as usize, now_ms, mode)
    }

    /// Writes events to `words` and their bytes to `bytes` from `used` on; see `layout.rs`.
    #[napi(catch_unwind)]
    pub fn poll(&self, mut words: Uint32ArraySlice<'_>, mut bytes: Uint8ArraySlice<'_>, used: u32) {
        // SAFETY: as in `submit`.
        let (words, bytes) = unsafe { (words.as_mut(), bytes.as_mut()) };
        self.shared.poll(Page::new(words, bytes, used as usize));
    }

    /// Asks for the end of what a slot waits for.
    #[napi(catch_unwind)]
    pub fn cancel(&self, slot: u32) {
        self.shared.with_id(slot, Hub::cancel);
    }

    /// Stops the consumer or service of a slot.
    #[napi(catch_unwind)]
    pub fn detach(&self, slot: u32) {
        self.shared.with_id(slot, Hub::detach);
    }

    /// Milliseconds left of a request's time: infinity without a deadline, 0 when it is over.
    #[napi(catch_unwind)]
    pub fn remaining_ms(&self, low: u32, high: u32) -> f64 {
        let token = layout::long(&[low, high], 0);
        match self.shared.hub.request_remaining(token) {
            Ok(None) => f64::INFINITY,
            Ok(Some(left)) => left.as_secs_f64() * 1000.0,
            Err(_) => 0.0,
        }
    }

    /// Keeps the program alive while something is open, or lets it end.
    #[napi(catch_unwind)]
    pub fn hold(&self, held: bool) {
        if self.shared.closed.get() {
            return;
        }
        match &self.shared.wake {
            Wake::Loop(watch) => watch.hold(held),
            Wake::Thread(thread) => thread.hold(held),
        }
    }

    /// Says goodbye within the time; events that are left can be polled after it.
    #[napi(catch_unwind)]
    pub fn close(&self, timeout_ms: f64) -> napi::Result<()> {
        let timeout = outgoing::timeout(timeout_ms).map_err(|error| thrown(&error))?;
        self.shared.close(timeout);
        Ok(())
    }

    /// Counters.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> StatsRow {
        let stats = self.shared.hub.stats();
        StatsRow {
            in_flight: stats.in_flight as f64,
            in_flight_bytes: stats.in_flight_bytes as f64,
            started: stats.started as f64,
            failed: stats.failed as f64,
            failed_unseen: stats.failed_unseen as f64,
            connects: stats.connects as f64,
        }
    }

    /// What the hub can do.
    #[napi(catch_unwind)]
    pub fn capabilities(&self) -> Vec<String> {
        self.shared.hub.capabilities().iter().map(|&name| name.to_owned()).collect()
    }
}

impl Shared {
    pub(crate) fn watch(&self) -> Option<&Watch> {
        match &self.wake {
            Wake::Loop(watch) => Some(watch),
            Wake::Thread(_) => None,
        }
    }

    pub(crate) fn set_hook(&self, hook: HookHandle) {
        self.hook.set(hook);
    }

    pub(crate) fn hook(&self) -> HookHandle {
        self.hook.get()
    }

    fn submit(&self, words: &mut [u32], bytes: &[u8], from: usize, now_ms: f64, mode: u32) -> u32 {
        let mut state = self.state.borrow_mut();
        let mut body = Body::new(bytes);
        let mut blocked = mode & layout::SUBMIT_BLOCKED != 0;
        let mut full = false;
        for record in words.chunks_exact_mut(WORDS).skip(from) {
            if record[0] == 0 || (blocked && !outgoing::makes_room(record[0])) {
                continue;
            }
            if self.start(record, &mut body, &mut state, now_ms) {
                record[0] = 0;
                continue;
            }
            if layout::double(record, 14) == 0.0 {
                layout::set_double(record, 14, now_ms);
            }
            (blocked, full) = (true, true);
        }
        if mode & layout::SUBMIT_FLUSH != 0 {
            // What is wrong with the handle is told by the next poll.
            let _ = self.hub.flush();
        }
        let done = words.chunks_exact(WORDS).take_while(|record| record[0] == 0).count() as u32;
        let full = if full { layout::SUBMITTED_FULL } else { 0 };
        let events = if state.ready.is_empty() { 0 } else { layout::SUBMITTED_EVENTS };
        done | full | events
    }

    /// False if there is no room in flight now.
    fn start(&self, record: &[u32], body: &mut Body<'_>, state: &mut State, now_ms: f64) -> bool {
        let slot = (record[1] != NO_SLOT).then_some(record[1]);
        let started = outgoing::read(record, body, &state.names, now_ms)
            .map_err(|error| (error, false))
            .and_then(|operation| self.start_operation(operation).map_err(|e| (e, true)));
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
                let what = What::Done(Err(error));
                state.ready.push_back(Event { id: 0, user: slot.into(), what });
            }
            _ => {}
        }
        true
    }

    fn start_operation(&self, operation: Operation) -> Result<Id, Error> {
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
        match (self.hub.start(command, timeout, done), request) {
            // A reply that cannot be sent must not leave its caller waiting.
            (Err(error), Some(request)) if error.kind() == Kind::TooLarge => {
                let failure = Error::remote(1, format!("the reply was refused: {error}"));
                let reply = Command::Reply { request, reply: Err(failure) };
                self.hub.start(reply, timeout, Done::None)
            }
            (started, _) => started,
        }
    }

    fn poll(&self, mut page: Page<'_>) {
        let mut state = self.state.borrow_mut();
        if state.ready.is_empty() {
            self.take(&mut state, page.room());
        }
        let mut need = 0;
        while need == 0
            && page.room() > 0
            && let Some(event) = state.ready.front()
        {
            match page.push(event) {
                Ok(()) => drop(state.ready.pop_front()),
                Err(bytes) => need = bytes,
            }
        }
        page.finish(need, !state.ready.is_empty());
    }

    fn take(&self, state: &mut State, capacity: usize) {
        let State { ready, scratch, broken, .. } = state;
        if let Wake::Thread(thread) = &self.wake {
            thread.take(ready);
            return;
        }
        let polled = self.hub.poll(scratch, capacity, Timeout::Default);
        ready.extend(scratch.drain(..));
        if let Err(error) = polled
            && !self.closed.get()
            && !std::mem::replace(broken, true)
        {
            let what = What::Done(Err(error));
            ready.push_back(Event { id: 0, user: NO_SLOT.into(), what });
        }
    }

    fn with_id(&self, slot: u32, act: impl Fn(&Hub, Id) -> Result<(), Error>) {
        if let Some(id) = self.state.borrow().ids.get(slot as usize) {
            // An id that has ended already has its outcome on the way.
            let _ = act(&self.hub, *id);
            let _ = self.hub.flush();
        }
    }

    /// Stops the calls of JavaScript, then closes the hub; the second time nothing happens.
    pub(crate) fn close(&self, timeout: Timeout) {
        if self.closed.replace(true) {
            return;
        }
        match &self.wake {
            Wake::Loop(watch) => watch.stop(),
            Wake::Thread(thread) => thread.stop(),
        }
        // There is nobody left to be told that a goodbye took too long.
        let _ = self.hub.close(timeout);
        match &self.wake {
            Wake::Loop(watch) => watch.close(),
            // SAFETY: `open` registered it, and nothing of a thread is left on the loop.
            Wake::Thread(_) => unsafe { teardown::release(self) },
        }
    }
}
