//! Declarations of topics.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, Pattern, TopicOptions, TopicOverflow};

use crate::constants::*;
use crate::input::{self, one_of};
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts to say how the topics that match a pattern are, or to check that it is as stated;
/// patterns as telpher_subscribe takes them. Never blocks. `options` NULL: every default, which is
/// how topics are that nobody declares. Any thread, also in a callback.
///
/// With TELPHER_TOPIC_OVERFLOW_WAIT in any declaration that matches a topic, a publish to it waits
/// in line until every subscriber that matches has room in the hub for one more message (see
/// telpher_subscribe); so none of them loses it for being slow. Meanwhile nobody has got it, and it
/// is stored nowhere. Publishes to one topic go on in the order in which they came. A publish of a
/// batch does not wait: without room in the hub the batch is TELPHER_FULL. Nor does a gather, whose
/// request a slow subscriber may lose. A declaration outlives the hosts of a hub with a directory.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with one of these; nothing was declared:
/// - TELPHER_MISMATCH: the pattern is declared otherwise; `detail` names the difference.
/// - TELPHER_FULL: the hub has 10,000 declarations.
/// - TELPHER_NO_SPACE: there is no room on disk for a declaration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_topic_declare(
    hub: telpher_hub,
    pattern: *const c_char,
    options: *const telpher_topic_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, pattern, options) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::pattern(pattern, "pattern")?, input::options(options)?)
        };
        let overflows = [
            (TELPHER_TOPIC_OVERFLOW_DROP, TopicOverflow::Drop),
            (TELPHER_TOPIC_OVERFLOW_WAIT, TopicOverflow::Wait),
        ];
        let overflow = one_of("overflow", options.overflow, &overflows)?;
        let stated = TopicOptions { overflow, line_max: options.line_max };
        start.go(Command::DeclareTopic { pattern, options: stated }, options.timeout_ms)
    })
}

/// Starts to remove the declaration of a pattern. What waits in line because of it alone is
/// published. Never blocks. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: the pattern is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: the same pattern is not declared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_topic_delete(
    hub: telpher_hub,
    pattern: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_topics(hub, pattern, done, id_out, |pattern| Command::DeleteTopic { pattern }) }
}

/// Starts to look at the declaration of a pattern; DONE carries it as `topic_info`. Never blocks.
/// Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: the pattern is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: the same pattern is not declared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_topic_inspect(
    hub: telpher_hub,
    pattern: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_topics(hub, pattern, done, id_out, |pattern| Command::InspectTopic { pattern }) }
}

/// Starts to list declarations of topics, in the order of their patterns: those behind `after`, or
/// from the first if that is NULL. DONE carries `topics_count` of them: at most 256, and none only
/// if there are no more. Never blocks. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: `after` can be no pattern. Nothing was sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_topic_list(
    hub: telpher_hub,
    after: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let start = unsafe { Start::new(hub, done, id_out)? };
        let after = match after.is_null() {
            true => None,
            // SAFETY: not NULL, so it is a C string by the caller's contract.
            false => Some(unsafe { input::pattern(after, "after") }?),
        };
        start.go(Command::ListTopics { after }, 0)
    })
}

unsafe fn on_topics(
    hub: telpher_hub,
    pattern: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
    command: fn(Pattern) -> Command,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, pattern) =
            unsafe { (Start::new(hub, done, id_out)?, input::pattern(pattern, "pattern")?) };
        start.go(command(pattern), 0)
    })
}
