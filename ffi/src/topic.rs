//! Topics, and what is bound to them.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, Name, Pattern, Target, limits};

use crate::input;
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts to bind a pattern of topics to a queue, as telpher_subscribe takes patterns. Never
/// blocks. From DONE on each message that is published to a topic that matches is stored in the
/// queue, once however many of its patterns match, whether anybody is there or not. It carries a
/// header `telpher.topic` with the topic's name. A binding lives as long as its queue. Binding what
/// is bound changes nothing. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with one of these; nothing was bound:
/// - TELPHER_NOT_FOUND: no queue has this name.
/// - TELPHER_FULL: the queue has 256 patterns, or the hub 10,000; `detail` tells.
/// - TELPHER_NO_SPACE: there is no room on disk for a binding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_bind(
    hub: telpher_hub,
    pattern: *const c_char,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe {
        on_binding(hub, (pattern, queue, QUEUE), done, id_out, |pattern, target| Command::Bind {
            pattern,
            target,
        })
    }
}

/// Starts to end a binding; what was stored because of it stays. Never blocks. Any thread, also in
/// a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no queue has this name, or the pattern is not bound to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_unbind(
    hub: telpher_hub,
    pattern: *const c_char,
    queue: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe {
        on_binding(hub, (pattern, queue, QUEUE), done, id_out, |pattern, target| Command::Unbind {
            pattern,
            target,
        })
    }
}

/// Starts to bind a pattern of topics to a stream, as telpher_bind does to a queue. Never blocks.
/// From DONE on each message that is published to a topic that matches is appended to the stream,
/// once: to the partition of its key, or without a key to any. It carries a header `telpher.topic`
/// with the topic's name. A binding lives as long as its stream. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with one of these; nothing was bound:
/// - TELPHER_NOT_FOUND: no stream has this name.
/// - TELPHER_FULL: the stream has 256 patterns, or the hub 10,000; `detail` tells.
/// - TELPHER_NO_SPACE: there is no room on disk for a binding.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_bind(
    hub: telpher_hub,
    pattern: *const c_char,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe {
        on_binding(hub, (pattern, stream, STREAM), done, id_out, |pattern, target| Command::Bind {
            pattern,
            target,
        })
    }
}

/// Starts to end a binding to a stream; what was appended because of it stays. Never blocks. Any
/// thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name, or the pattern is not bound to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_unbind(
    hub: telpher_hub,
    pattern: *const c_char,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe {
        on_binding(hub, (pattern, stream, STREAM), done, id_out, |pattern, target| {
            Command::Unbind { pattern, target }
        })
    }
}

/// What a name is, and what is bound to it.
type Kind = (&'static str, fn(Name) -> Target);

const QUEUE: Kind = ("queue", Target::Queue);
const STREAM: Kind = ("stream", Target::Stream);

unsafe fn on_binding(
    hub: telpher_hub,
    (pattern, name, (what, target)): (*const c_char, *const c_char, Kind),
    done: *const telpher_done,
    id_out: *mut telpher_id,
    command: fn(Pattern, Target) -> Command,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, pattern, name) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::pattern(pattern, "pattern")?, input::name(name, what)?)
        };
        start.go(command(pattern, target(name)), 0)
    })
}

/// Starts to give a message to whoever is subscribed to a topic that matches, at most once to each,
/// and to store it in every queue and stream to which the topic is bound, in all or in none; see
/// telpher_bind and telpher_stream_bind. Never blocks. The ticket ends with DONE when the hub has
/// done so, and it is as safe as the safest of these queues and streams says. A topic is a name
/// whose segments, between dots, are not empty; it need not be made. Any thread, also in a
/// callback.
///
/// Of these errors nothing was sent:
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// The ticket may end with:
/// - TELPHER_EXPIRED: the time ran out before the hub could do it: on the way, or as it waited for
///   a slow subscriber (see telpher_topic_declare). Nobody got it, and it was stored nowhere.
/// - TELPHER_FULL: as many wait for slow subscribers of the topic as may; or a queue to which it is
///   bound is full, until the deadline if it makes senders wait; or such a stream keeps what is
///   unread, and has no room beside it; or the disk was behind until the deadline. Nothing was
///   stored anywhere, and nobody got it.
/// - TELPHER_NO_SPACE: such a queue or stream is on a disk that is full; the same holds.
/// - TELPHER_TOO_LARGE: it is more than such a queue or stream may hold, or than 32 MiB in all such
///   streams together, or its headers have no room for the topic's name; the same holds.
/// - TELPHER_INVALID: it has no key, and such a stream keeps the latest record of each key; the
///   same holds.
/// - TELPHER_INDETERMINATE: the hub has changed its host, which does not know whether the last one
///   had published it, and has not done it.
/// - TELPHER_HOST_LOST: the session is gone; it may have been published.
/// - TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may have been published, as `maybe_executed`
///   says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_publish(
    hub: telpher_hub,
    topic: *const c_char,
    message: *const telpher_message,
    options: *const telpher_publish_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, message, topic, options) = unsafe {
            let start = Start::new(hub, done, id_out);
            let message = input::message(message);
            (start?, message?, input::name(topic, "topic")?, input::options(options)?)
        };
        start.go(Command::Publish { topic, message }, options.timeout_ms)
    })
}

/// Starts to take what is published to topics that match `pattern`: a topic's name in which `*`
/// stands for one segment and `**` for any number of them, none included. Never blocks. At the
/// destination come STARTED once, then a PUBLISHED for each message, until telpher_detach and its
/// DONE. What is published after STARTED arrives. There is nothing to settle. Any thread, also in a
/// callback.
///
/// At most `buffer` messages, until they are 16 MiB, are on their way to the program that it has
/// not taken by telpher_poll, telpher_wait or a callback. As many more wait in the hub. Whoever is
/// slower than that loses the oldest, and gets a GAP before the next message; nobody else is slowed
/// by it. Of topics that are declared so (telpher_topic_declare) it loses nothing, and publishers
/// wait for it. What is on its way when the connection breaks is lost, too. Under another host the
/// subscription goes on with the next number; what is published in between is not counted.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the messages.
///
/// It may end with:
/// - TELPHER_FULL: the session has as many consumers, services, subscribers and readers as it may:
///   4,096.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_subscribe(
    hub: telpher_hub,
    pattern: *const c_char,
    options: *const telpher_subscribe_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, pattern, options, instance_name) = unsafe {
            let start = Start::watched(hub, done, id_out)?;
            let options = input::options(options)?;
            let instance_name = input::instance_name(options.instance_name)?;
            (start, input::pattern(pattern, "pattern")?, options, instance_name)
        };
        let buffer = match options.buffer {
            0 => limits::SUBSCRIPTION_BUFFER_DEFAULT,
            stated => stated,
        };
        start.go(Command::Subscribe { pattern, buffer, instance_name }, options.timeout_ms)
    })
}
