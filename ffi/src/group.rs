//! Reader groups.
//!
//! Floor: `stream`.

use std::ffi::c_char;

use telpher::{Command, Name};

use crate::input;
use crate::start::Start;
use crate::status::guard;
use crate::stream::{on_stream, place, stated};
use crate::types::*;

/// Starts to say that the group of a reader has done its work in a partition up to `next`, the
/// offset behind that of the last record done. `reader` is the id of a telpher_read with `group`,
/// `partition` and `generation` are those of the RECORD. The ticket ends with DONE when the place
/// is as safe as the stream's durability says. A place never goes back: one that the group has
/// passed changes nothing. Never blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_LEASE_LOST: another member has the partition by now, or the group was put elsewhere;
///   nothing was committed.
/// - TELPHER_INVALID: the reader is in no group, or there is no such place; nothing was committed.
/// - TELPHER_STALE: `reader` has ended; nothing was committed.
/// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was committed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_commit(
    hub: telpher_hub,
    reader: telpher_id,
    partition: u32,
    generation: u64,
    next: u64,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract.
        let start = unsafe { Start::new(hub, done, id_out) }?;
        start.go(Command::Commit { reader, partition, generation, next }, 0)
    })
}

/// Starts to list the reader groups of a stream, in the order of their names; DONE carries
/// `groups_count` of them. Never blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_group_list(
    hub: telpher_hub,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_stream(hub, stream, done, id_out, |stream| Command::Groups { stream }) }
}

/// Starts to put a reader group to another place, in one partition or in all of them. Its members
/// go on there by themselves; what they have read before and commit later is refused with
/// TELPHER_LEASE_LOST. `options` NULL: all partitions, to the beginning. Never blocks. Any thread,
/// also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name, or it has no such group.
/// - TELPHER_OUT_OF_RANGE: the offset is not kept; nothing was changed.
/// - TELPHER_INVALID: the stream has no such partition; nothing was changed.
/// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_group_reset(
    hub: telpher_hub,
    stream: *const c_char,
    group: *const c_char,
    options: *const telpher_group_reset_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (begun, stream, group, options) = unsafe {
            let begun = Start::new(hub, done, id_out)?;
            let names = (input::name(stream, "stream")?, input::name(group, "group")?);
            (begun, names.0, names.1, input::options(options)?)
        };
        let partition = stated("partition", options.partition, options.has_partition)?;
        let start = place(options.start, options.start_at)?;
        begun.go(Command::ResetGroup { stream, group, partition, start }, options.timeout_ms)
    })
}

/// Starts to remove a reader group with its places. Its readers get DONE with TELPHER_NOT_FOUND.
/// Never blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name, or it has no such group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_group_delete(
    hub: telpher_hub,
    stream: *const c_char,
    group: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, stream, group): (_, Name, Name) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::name(stream, "stream")?, input::name(group, "group")?)
        };
        start.go(Command::DeleteGroup { stream, group }, 0)
    })
}
