//! How every operation starts: into which handle, and where its outcome goes.
//!
//! Floor: `handle`, `input`, `hand_over`.

use telpher::{Command, Done, Error, Timeout};

use crate::constants::*;
use crate::hand_over;
use crate::handle::Call;
use crate::input::{self, Out, invalid};
use crate::types::*;

/// An operation that is about to start.
pub struct Start {
    pub call: Call,
    done: Done,
    id_out: Out<telpher_id>,
}

impl Start {
    /// Enters `hub`; `id_out` is nulled whatever happens.
    pub unsafe fn new(
        hub: telpher_hub,
        done: *const telpher_done,
        id_out: *mut telpher_id,
    ) -> Result<Start, Error> {
        // SAFETY: the caller's contract.
        let (id_out, done) = unsafe { destination(done, id_out) };
        Ok(Start { call: Call::enter(hub)?, done: done?, id_out })
    }

    /// The same, for what has more than one outcome, so that somebody must look.
    pub unsafe fn watched(
        hub: telpher_hub,
        done: *const telpher_done,
        id_out: *mut telpher_id,
    ) -> Result<Start, Error> {
        // SAFETY: the caller's contract.
        let start = unsafe { Start::new(hub, done, id_out) }?;
        match start.done {
            Done::None => Err(invalid("done is TELPHER_DONE_NONE, but events will arrive")),
            _ => Ok(start),
        }
    }

    /// Starts `command`.
    pub fn go(self, command: Command, timeout_ms: i64) -> Result<(), Error> {
        let timeout = Timeout::from_ms(timeout_ms)?;
        self.id_out.store(self.call.hub().start(command, timeout, self.done)?);
        Ok(())
    }
}

/// Where an outcome goes, by `done` and whether the id can be stored.
pub unsafe fn destination(
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> (Out<telpher_id>, Result<Done, Error>) {
    // SAFETY: the caller's contract.
    let id_out = unsafe { Out::optional(id_out) };
    let done = if done.is_null() {
        Ok(if id_out.is_null() { Done::None } else { Done::Wait })
    } else {
        // SAFETY: the caller's contract.
        unsafe { explicit(done) }
    };
    let done = match done {
        Ok(Done::Wait) if id_out.is_null() => {
            Err(invalid("id_out is NULL, so nobody could wait; give TELPHER_DONE_NONE if so meant"))
        }
        other => other,
    };
    (id_out, done)
}

/// Where notices go; NULL is nowhere.
pub unsafe fn notices(done: *const telpher_done) -> Result<Done, Error> {
    if done.is_null() {
        return Ok(Done::None);
    }
    // SAFETY: the caller's contract.
    match unsafe { explicit(done) }? {
        Done::Wait => Err(invalid("notices is TELPHER_DONE_WAIT, but there is no id to wait for")),
        done => Ok(done),
    }
}

unsafe fn explicit(done: *const telpher_done) -> Result<Done, Error> {
    // SAFETY: the caller's contract.
    let done = unsafe { input::options(done) }?;
    match (done.kind, done.r#fn) {
        (TELPHER_DONE_CALLBACK, Some(function)) => Ok(Done::Callback(Box::new(move |event| {
            hand_over::call_back(event, function, done.user)
        }))),
        (TELPHER_DONE_CALLBACK, None) => Err(invalid("fn is NULL with TELPHER_DONE_CALLBACK")),
        (kind, Some(_)) => {
            Err(invalid(format!("fn is set, but kind is {kind} and not TELPHER_DONE_CALLBACK")))
        }
        (TELPHER_DONE_WAIT, None) => Ok(Done::Wait),
        (TELPHER_DONE_EVENT, None) => Ok(Done::Event(done.user)),
        (TELPHER_DONE_NONE, None) => Ok(Done::None),
        (kind, None) => Err(invalid(format!("kind in telpher_done is {kind}; allowed are 0 to 3"))),
    }
}
