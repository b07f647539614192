//! Calls and services.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, Error, Kind, Timeout, limits};

use crate::constants::{TELPHER_FOREVER, TELPHER_LINE_NONE};
use crate::handle::Call;
use crate::input::{self, Out};
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts a call to a service. Never blocks. The ticket ends with DONE: TELPHER_OK with the reply
/// as `body`, or an error. `options` and `done` may be NULL, and `id_out` if nobody waits. Any
/// thread, also in a callback.
///
/// Of these errors nothing was sent:
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// The ticket may end with:
/// - TELPHER_NO_SERVICE, TELPHER_BUSY, TELPHER_EXPIRED: the handler did not run.
/// - TELPHER_REMOTE: the handler failed, with `code` and `detail`.
/// - TELPHER_ABANDONED: the handler let go of it.
/// - TELPHER_TIMED_OUT: the time ran out while the handler was running.
/// - TELPHER_HOST_UNRESPONSIVE, TELPHER_HOST_LOST, TELPHER_CANCELLED, TELPHER_CLOSED: as
///   `maybe_executed` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_call(
    hub: telpher_hub,
    service: *const c_char,
    message: *const telpher_message,
    options: *const telpher_call_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, message, service, options) = unsafe {
            let start = Start::new(hub, done, id_out);
            let message = input::message(message);
            (start?, message?, input::name(service, "service")?, input::options(options)?)
        };
        let timeout_ms = remaining(&start, &options)?;
        start.go(Command::Call { service, message }, timeout_ms)
    })
}

/// The call's time, or what the request that is being handled has left if that is less.
fn remaining(start: &Start, options: &telpher_call_options) -> Result<i64, Error> {
    let own = options.timeout_ms;
    if options.request == 0 {
        return Ok(own);
    }
    let Some(left) = start.call.hub().request_remaining(options.request)? else { return Ok(own) };
    let left = left.as_millis() as i64;
    if left == 0 {
        return Err(Error::new(
            Kind::Expired,
            "the request that is being handled has no time left",
        ));
    }
    Ok(match Timeout::from_ms(own)? {
        Timeout::Never => left,
        Timeout::Default => left.min(limits::TIMEOUT_DEFAULT_MS as i64),
        Timeout::After(_) => left.min(own),
    })
}

/// Starts to serve a name. Never blocks. At the destination come STARTED once, then a REQUEST for
/// each request, at most `concurrency` of them open at once, until telpher_detach and its DONE.
/// Each request's `token` is to be answered by telpher_reply, at once or later, from any thread.
/// Any thread.
///
/// - TELPHER_INVALID: an argument is wrong, or nobody would see the requests.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_serve(
    hub: telpher_hub,
    service: *const c_char,
    options: *const telpher_serve_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, service, options, instance_name) = unsafe {
            let start = Start::watched(hub, done, id_out)?;
            let options = input::options(options)?;
            let instance_name = input::instance_name(options.instance_name)?;
            (start, input::name(service, "service")?, options, instance_name)
        };
        let concurrency = match options.concurrency {
            0 => limits::CONCURRENCY_DEFAULT,
            stated => stated,
        };
        let line_max = match options.line_max {
            0 => limits::LINE_DEFAULT,
            TELPHER_LINE_NONE => 0,
            stated => stated,
        };
        let command = Command::Serve { service, concurrency, line_max, instance_name };
        start.go(command, options.timeout_ms)
    })
}

/// Answers a request: with `message`; or, if `failure` is not NULL, as failed, which its caller
/// sees as TELPHER_REMOTE with this code and text; or, with neither, by letting go of it, which its
/// caller sees as TELPHER_ABANDONED. The ticket ends when the hub has the answer; mostly nobody
/// cares, and `done` and `id_out` are NULL. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: the answer is wrong; the request is still open.
///
/// The ticket may end with:
/// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
///   for any more.
/// - TELPHER_LEASE_LOST: the request was taken back, or this hub gave none of that token. The
///   answer had no effect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_reply(
    hub: telpher_hub,
    request: u64,
    message: *const telpher_message,
    failure: *const telpher_failure,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL means as the header says.
        let (start, message, failure) = unsafe {
            let start = Start::new(hub, done, id_out);
            let message = (!message.is_null()).then(|| input::message(message)).transpose();
            let failure = (!failure.is_null()).then(|| failed(failure)).transpose();
            (start?, message?, failure?)
        };
        let reply = match (message, failure) {
            (Some(message), None) => Ok(message),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(Error::new(Kind::Abandoned, "the handler let go of the request")),
            (Some(_), Some(_)) => {
                return Err(input::invalid("message and failure are both given; a reply is one"));
            }
        };
        start.go(Command::Reply { request, reply }, 0)
    })
}

unsafe fn failed(failure: *const telpher_failure) -> Result<Error, Error> {
    // SAFETY: the caller's contract.
    let failure = unsafe { input::options(failure) }?;
    if failure.text.is_null() {
        return Ok(Error::remote(failure.code, ""));
    }
    // SAFETY: as above.
    Ok(Error::remote(failure.code, unsafe { input::text(failure.text, "text") }?))
}

/// Tells whether the caller of a request no longer waits. Any thread, also in a callback.
///
/// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
///   for any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_request_cancelled(
    hub: telpher_hub,
    request: u64,
    cancelled_out: *mut bool,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let cancelled_out = unsafe { Out::required(cancelled_out, "cancelled_out") }?;
        cancelled_out.store(Call::enter(hub)?.hub().request_cancelled(request)?);
        Ok(())
    })
}

/// What is left of a request's time, in ms; TELPHER_FOREVER if it has no deadline. Any thread, also
/// in a callback.
///
/// - TELPHER_STALE: the request was answered before, or is a PUBLISHED whose answer nobody waits
///   for any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_request_remaining_ms(
    hub: telpher_hub,
    request: u64,
    remaining_ms_out: *mut i64,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let out = unsafe { Out::required(remaining_ms_out, "remaining_ms_out") }?;
        let remaining = Call::enter(hub)?.hub().request_remaining(request)?;
        out.store(remaining.map_or(TELPHER_FOREVER, |left| left.as_millis() as i64));
        Ok(())
    })
}
