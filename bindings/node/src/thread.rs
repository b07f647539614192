//! A hub handle with a background thread of its own, for runtimes without libuv's loop and for
//! programs that keep their loop busy for long.
//!
//! Its driver puts events into an inbox, and a thread-safe function calls JavaScript once a batch.
//!
//! Floor: inbox, telpher, napi.

use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;

use napi::bindgen_prelude::JsValue;
use napi::{Env, sys};
use telpher::{Done, Event};

use crate::inbox::{Bell, Inbox};
use crate::opening::Turn;

/// The way from the driver's thread to JavaScript.
pub(crate) struct Thread {
    env: sys::napi_env,
    bell: sys::napi_threadsafe_function,
    inbox: Arc<Inbox>,
}

impl Thread {
    /// A thread-safe function that calls `turn`, unreferenced.
    pub(crate) fn new(env: &Env, turn: &Turn<'_>) -> Result<Thread, String> {
        let (env, turn) = (env.raw(), turn.raw());
        let (mut name, mut bell) = (ptr::null_mut(), ptr::null_mut());
        let text = "telpher";
        let none = ptr::null_mut();
        // SAFETY: both are of the call being served; without a function of our own, napi calls
        // `turn` itself.
        let status = unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut name);
            sys::napi_create_threadsafe_function(
                env,
                turn,
                none,
                name,
                0,
                1,
                none.cast(),
                None,
                none.cast(),
                None,
                &mut bell,
            )
        };
        if status != sys::Status::napi_ok {
            return Err(format!("napi refused a thread-safe function (status {status})"));
        }
        let thread = Thread { env, bell, inbox: Arc::new(Inbox::new(Bell(bell))) };
        thread.hold(false);
        Ok(thread)
    }

    /// Where the outcome of a slot goes.
    pub(crate) fn done(&self, slot: u32) -> Done {
        let inbox = Arc::clone(&self.inbox);
        Done::Callback(Box::new(move |event| inbox.put(Event { user: slot.into(), ..event })))
    }

    /// Moves what has arrived to `events`.
    pub(crate) fn take(&self, events: &mut VecDeque<Event>) {
        self.inbox.take(events);
    }

    /// Lets the loop end, or not, while this is all that is left on it.
    pub(crate) fn hold(&self, held: bool) {
        // SAFETY: called before `stop` only, on the thread of `env`.
        unsafe {
            if held {
                sys::napi_ref_threadsafe_function(self.env, self.bell);
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.bell);
            }
        }
    }

    /// Ends the calls of JavaScript. Events that still arrive are kept for the last poll.
    pub(crate) fn stop(&self) {
        if let Some(Bell(bell)) = self.inbox.silence() {
            let mode = sys::ThreadsafeFunctionReleaseMode::abort;
            // SAFETY: nobody can call the function any more, as the inbox has lost it.
            unsafe { sys::napi_release_threadsafe_function(bell, mode) };
        }
    }
}
