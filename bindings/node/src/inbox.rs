//! Events that a background driver has handed over, until JavaScript takes them.
//!
//! The bell is rung once per batch: when something is put in while it is not rung already.
//! Once the bell is gone (its environment ends), events are still kept for the last `take`.
//!
//! Floor: telpher, napi.

use std::collections::VecDeque;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use napi::sys;
use telpher::Event;

/// A thread-safe function; napi allows calling it from any thread until it is released.
pub(crate) struct Bell(pub(crate) sys::napi_threadsafe_function);

// SAFETY: what napi calls a thread-safe function may be called from any thread.
unsafe impl Send for Bell {}

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    bell: Option<Bell>,
    rung: bool,
}

/// The inbox of one handle.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Inner>);

impl Inbox {
    /// An inbox that rings `bell`.
    pub(crate) fn new(bell: Bell) -> Inbox {
        Inbox(Mutex::new(Inner { bell: Some(bell), ..Inner::default() }))
    }

    /// Puts an event in, and rings if that was not done yet.
    pub(crate) fn put(&self, event: Event) {
        let mut inner = self.lock();
        inner.events.push_back(event);
        if !std::mem::replace(&mut inner.rung, true)
            && let Some(Bell(function)) = inner.bell
        {
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            // SAFETY: the bell is there, so it was not released; the lock keeps it so.
            unsafe { sys::napi_call_threadsafe_function(function, ptr::null_mut(), mode) };
        }
    }

    /// Moves everything to `events`.
    pub(crate) fn take(&self, events: &mut VecDeque<Event>) {
        let mut inner = self.lock();
        inner.rung = false;
        events.append(&mut inner.events);
    }

    /// Takes the bell away, so that nobody rings it any more.
    pub(crate) fn silence(&self) -> Option<Bell> {
        self.lock().bell.take()
    }

    /// A panic cannot happen while this lock is held, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
