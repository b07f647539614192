//! Gathers.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, GatherTo};

use crate::constants::*;
use crate::input::{self, invalid};
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts to ask every instance of a service that is there now, or every subscriber of a topic, at
/// most 4,096. Never blocks. At the destination comes an ANSWER for each that answers, with its
/// `instance`, `instance_name` and `status`, then DONE: as TELPHER_OK when all have answered or
/// can't any more, when `count` have answered, or at the end of its time. It says how many
/// `answered` and `failed`, and in `missing` who did not answer, and why. What is still open then
/// is taken back: the handler hears of it. An instance that is busy is asked when it has room.
/// Without a subscriber it is empty. Any thread, also in a callback.
///
/// Handlers answer as they answer a call. A subscriber answers the `token` of a PUBLISHED by
/// telpher_reply, or does not.
///
/// At most 64 MiB of answers wait to be taken by telpher_poll, telpher_wait or a callback; those
/// beyond are lost, and their instances missing as TELPHER_LOST. telpher_detach cancels it.
///
/// Of these errors nothing was sent:
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the answers.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// It may end with:
/// - TELPHER_NO_SERVICE, TELPHER_BUSY, TELPHER_TOO_LARGE, TELPHER_EXPIRED: nobody was asked.
/// - TELPHER_HOST_UNRESPONSIVE, TELPHER_HOST_LOST, TELPHER_CANCELLED, TELPHER_CLOSED: as
///   `maybe_executed` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_gather(
    hub: telpher_hub,
    to: *const c_char,
    message: *const telpher_message,
    options: *const telpher_gather_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, message, name, options) = unsafe {
            let start = Start::watched(hub, done, id_out);
            let message = input::message(message);
            (start?, message?, input::name(to, "to")?, input::options(options)?)
        };
        let to = match options.kind {
            TELPHER_GATHER_SERVICE => GatherTo::Service(name),
            TELPHER_GATHER_TOPIC => GatherTo::Topic(name),
            kind => {
                let detail = format!("kind is {kind}; it is TELPHER_GATHER_SERVICE or _TOPIC");
                return Err(invalid(detail));
            }
        };
        let count = options.count;
        start.go(Command::Gather { to, message, count }, options.timeout_ms)
    })
}
