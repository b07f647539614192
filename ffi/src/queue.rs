//! Queues.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, Error, Name, Overflow, QueueOptions, Verdict, limits};

use crate::constants::*;
use crate::input::{self, one_of};
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts to make a queue, or to check that it is as stated. Never blocks. `options` NULL: every
/// default. Any thread, also in a callback.
///
/// A message that is rejected, or expires, or whose attempts are used up, goes to the dead-letter
/// queue with further headers: `telpher.queue` (where it was), `telpher.reason` (rejected,
/// requeued, late, crashed or expired), `telpher.error` (the last reason given with a verdict),
/// `telpher.failures` (how many attempts failed) and `telpher.history` (a line for each of the last
/// 32 of them: `ms-since-1970 why: reason`). They take what room its own headers leave in 65,536
/// bytes; the oldest lines go first. One batch sends it back: a send to where it was, and a verdict
/// of TELPHER_ACKNOWLEDGE on the dead letter.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_MISMATCH: the queue exists with other options; or it and a dead-letter queue differ in
///   durability. `detail` names the difference.
/// - TELPHER_UNSUPPORTED: the hub has no such durability: a hub without a directory keeps queues in
///   memory only.
/// - TELPHER_NO_SPACE: there is no room on disk for a queue; none was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_declare(
    hub: telpher_hub,
    queue: *const c_char,
    options: *const telpher_declare_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, queue, options) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::name(queue, "queue")?, input::options(options)?)
        };
        let timeout_ms = options.timeout_ms;
        // SAFETY: as above.
        let options = unsafe { queue_options(&options) }?;
        start.go(Command::Declare { queue, options }, timeout_ms)
    })
}

unsafe fn queue_options(given: &telpher_declare_options) -> Result<QueueOptions, Error> {
    let overflows =
        [(TELPHER_OVERFLOW_WAIT, Overflow::Wait), (TELPHER_OVERFLOW_REJECT, Overflow::Reject)];
    let dead_letter = match given.dead_letter.is_null() {
        true => None,
        // SAFETY: not NULL, so it is a C string by the caller's contract.
        false => Some(unsafe { input::name(given.dead_letter, "dead_letter") }?),
    };
    Ok(QueueOptions {
        durability: input::durability_of(given.durability)?,
        length_max: given.length_max,
        bytes_max: given.bytes_max,
        overflow: one_of("overflow", given.overflow, &overflows)?,
        max_attempts: given.max_attempts,
        backoff_min_ms: given.backoff_min_ms,
        backoff_max_ms: given.backoff_max_ms,
        ack_deadline_ms: given.ack_deadline_ms,
        ttl_ms: given.ttl_ms,
        dead_letter,
    })
}

/// Starts to remove a queue with everything in it; DONE carries the `count` of messages removed.
/// Never blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_delete(
    hub: telpher_hub,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_queue(hub, queue, done, id_out, |queue| Command::Delete { queue }) }
}

/// Starts to remove the messages of a queue that nobody holds; DONE carries their `count`. Never
/// blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_purge(
    hub: telpher_hub,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_queue(hub, queue, done, id_out, |queue| Command::Purge { queue }) }
}

/// Starts to read a queue's figures; DONE carries them as `queue_info`. Never blocks. Any thread,
/// also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_inspect(
    hub: telpher_hub,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_queue(hub, queue, done, id_out, |queue| Command::Inspect { queue }) }
}

unsafe fn on_queue(
    hub: telpher_hub,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
    command: fn(Name) -> Command,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, queue) =
            unsafe { (Start::new(hub, done, id_out)?, input::name(queue, "queue")?) };
        start.go(command(queue), 0)
    })
}

/// Starts to put a message into a queue. Never blocks. The ticket ends with DONE when the message
/// is as safe as the queue's durability says: `message_id` and `durability` tell. Any thread, also
/// in a callback.
///
/// Of these errors nothing was sent:
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name; nothing was stored.
/// - TELPHER_FULL: the queue is full, until the deadline if it makes senders wait; nothing was
///   stored.
/// - TELPHER_NO_SPACE: the queue is on a disk that is full; nothing was stored.
/// - TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may
///   have been stored, as `maybe_executed` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_send(
    hub: telpher_hub,
    queue: *const c_char,
    message: *const telpher_message,
    options: *const telpher_send_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, message, queue, options) = unsafe {
            let start = Start::new(hub, done, id_out);
            let message = input::message(message);
            (start?, message?, input::name(queue, "queue")?, input::options(options)?)
        };
        start.go(Command::Send { queue, message }, options.timeout_ms)
    })
}

/// Starts to take one message from a queue. Never blocks; the ticket waits. It ends with DONE and a
/// message, whose `token` is to be settled. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_FULL: nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name.
/// - TELPHER_EXPIRED: no message came in time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_receive(
    hub: telpher_hub,
    queue: *const c_char,
    options: *const telpher_receive_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, queue, options) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::name(queue, "queue")?, input::options(options)?)
        };
        start.go(Command::Receive { queue }, options.timeout_ms)
    })
}

/// Starts to take messages from a queue. Never blocks. At the destination come STARTED once, then a
/// DELIVERY for each message, at most `prefetch` of them unsettled at once, until telpher_detach
/// and its DONE. Each `token` is to be settled. Any thread, also in a callback.
///
/// - TELPHER_INVALID: an argument is wrong, or nobody would see the messages.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// It may end with:
/// - TELPHER_NOT_FOUND: no queue has this name, or it was deleted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_consume(
    hub: telpher_hub,
    queue: *const c_char,
    options: *const telpher_consume_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, queue, options) = unsafe {
            let start = Start::watched(hub, done, id_out)?;
            (start, input::name(queue, "queue")?, input::options(options)?)
        };
        let prefetch = match options.prefetch {
            0 => limits::PREFETCH_DEFAULT,
            stated => stated,
        };
        let ack_deadline_ms = options.ack_deadline_ms;
        start.go(Command::Consume { queue, prefetch, ack_deadline_ms }, options.timeout_ms)
    })
}

/// Says what became of a delivery: TELPHER_ACKNOWLEDGE, _REJECT, _REQUEUE or _RELEASE. `options`
/// NULL: without a reason. The ticket ends when the hub has it; mostly nobody cares, and `done` and
/// `id_out` are NULL. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: no such verdict, or the reason is too long; the delivery
///   is still held.
///
/// The ticket may end with:
/// - TELPHER_STALE: the delivery was settled before.
/// - TELPHER_LEASE_LOST: the delivery was taken back, or this hub gave none of that token. The
///   message may be delivered again.
/// - TELPHER_NO_SPACE: the disk is full to the last; the delivery is still held, and may be settled
///   later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_settle(
    hub: telpher_hub,
    delivery: u64,
    verdict: u32,
    options: *const telpher_settle_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, (verdict, reason)) =
            unsafe { (Start::new(hub, done, id_out)?, self::verdict(verdict, options)?) };
        start.go(Command::Settle { delivery, verdict, reason }, 0)
    })
}

/// A verdict, and what is said with it.
pub unsafe fn verdict(
    number: u32,
    options: *const telpher_settle_options,
) -> Result<(Verdict, String), Error> {
    let verdicts = [
        (TELPHER_ACKNOWLEDGE, Verdict::Acknowledge),
        (TELPHER_REJECT, Verdict::Reject),
        (TELPHER_REQUEUE, Verdict::Requeue),
        (TELPHER_RELEASE, Verdict::Release),
    ];
    let verdict = one_of("verdict", number, &verdicts)?;
    // SAFETY: the caller's contract.
    let options = unsafe { input::options(options) }?;
    // SAFETY: as above.
    let reason =
        unsafe { input::optional_text(options.reason, "reason", limits::REASON_SIZE_MAX) }?;
    Ok((verdict, reason))
}

/// Moves the moment at which a delivery with an `ack_deadline_ms` is taken back: to `ms` from now,
/// at most a day (86,400,000); 0 is the full `ack_deadline_ms` again. A delivery without one is not
/// touched, and the ticket ends well. Never blocks. Any thread, also in a callback.
///
/// - TELPHER_INVALID: over the limit; nothing was moved.
///
/// The ticket may end with:
/// - TELPHER_STALE: the delivery was settled before.
/// - TELPHER_LEASE_LOST: the delivery was taken back. The message may be delivered again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_extend(
    hub: telpher_hub,
    delivery: u64,
    ms: u64,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract.
        let start = unsafe { Start::new(hub, done, id_out) }?;
        start.go(Command::Extend { delivery, ms }, 0)
    })
}

/// Changes how many messages a consumer holds at once, 0 to 65,536; 0 pauses it. Never blocks. Any
/// thread, also in a callback.
///
/// - TELPHER_INVALID: over the limit; nothing was changed.
///
/// The ticket may end with:
/// - TELPHER_STALE: the consumer has ended, or there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_credit(
    hub: telpher_hub,
    consumer: telpher_id,
    prefetch: u32,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract.
        let start = unsafe { Start::new(hub, done, id_out) }?;
        start.go(Command::Credit { consumer, prefetch }, 0)
    })
}
