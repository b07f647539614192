//! Events that a background driver has handed over, until JavaScript takes them.
//!
//! It has the bounds of what may be on its way: requests and jobs are held, messages of topics and
//! records count as taken when JavaScript says so, and answers for which there is no room are lost.
//!
//! The bell is rung once per batch: when something is put in while it is not rung already.
//! Once the bell is gone (its environment ends), events are still kept for the last `take`.
//!
//! Floor: telpher, napi.

use std::collections::VecDeque;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use napi::sys;
use telpher::{Error, Event, Kind, What, limits};

/// A thread-safe function; napi allows calling it from any thread until it is released.
pub(crate) struct Bell(pub(crate) sys::napi_threadsafe_function);

// SAFETY: what napi calls a thread-safe function may be called from any thread.
unsafe impl Send for Bell {}

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    /// Bytes of answers among the events.
    answer_bytes: u64,
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

    /// Puts an event in, and rings if that was not done yet. Answers for which there is no room are
    /// lost, and say so.
    pub(crate) fn put(&self, mut event: Event) {
        let mut inner = self.lock();
        if let What::Answer(answer) = &mut event.what {
            let bytes = inner.answer_bytes + answer.size();
            if bytes > limits::GATHER_BYTES_MAX {
                let error = Error::new(Kind::Lost, "the program took the answers too slowly");
                answer.reply = Err(error.executed(true));
            } else {
                inner.answer_bytes = bytes;
            }
        }
        inner.events.push_back(event);
        ring(&mut inner);
    }

    /// Moves everything to `events`.
    pub(crate) fn take(&self, events: &mut VecDeque<Event>) {
        let mut inner = self.lock();
        inner.rung = false;
        inner.answer_bytes = 0;
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

/// Rings if that was not done since the last `take`.
fn ring(inner: &mut Inner) {
    if !std::mem::replace(&mut inner.rung, true)
        && let Some(Bell(function)) = inner.bell
    {
        let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
        // SAFETY: the bell is there, so it was not released; the lock keeps it so.
        unsafe { sys::napi_call_threadsafe_function(function, ptr::null_mut(), mode) };
    }
}
