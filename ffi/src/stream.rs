//! Streams.
//!
//! Floor: `start`.

use std::ffi::c_char;

use telpher::{Command, Error, Name, Reading, Start as Place, StreamOptions};

use crate::constants::*;
use crate::input::{self, durability_of, flag, invalid, one_of};
use crate::start::Start;
use crate::status::guard;
use crate::types::*;

/// Starts to make a stream, or to check that it is as stated. A stream is a log in partitions:
/// records are appended at one end, each reader has a place of its own, and what the stream's
/// limits do not keep is removed at the other end, read or not. Never blocks. `options` NULL: every
/// default. Any thread, also in a callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong. Nothing was sent.
///
/// The ticket may end with:
/// - TELPHER_MISMATCH: the stream exists with other options; `detail` names the difference.
/// - TELPHER_UNSUPPORTED: the hub has no such durability: a hub without a directory keeps streams
///   in memory only.
/// - TELPHER_FULL: the hub has 100,000 streams, or 100,000 partitions of streams; none was made.
/// - TELPHER_NO_SPACE: there is no room on disk for a stream; none was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_declare(
    hub: telpher_hub,
    stream: *const c_char,
    options: *const telpher_stream_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, stream, given) = unsafe {
            let start = Start::new(hub, done, id_out)?;
            (start, input::name(stream, "stream")?, input::options(options)?)
        };
        let options = StreamOptions {
            partitions: given.partitions,
            durability: durability_of(given.durability)?,
            age_max_ms: given.age_max_ms,
            bytes_max: given.bytes_max,
            records_max: given.records_max,
            compact: flag("compact", given.compact)?,
            tombstone_age_ms: given.tombstone_age_ms,
            keep_unread: flag("keep_unread", given.keep_unread)?,
            compression: input::compression_of(given.compression)?,
        };
        start.go(Command::DeclareStream { stream, options }, given.timeout_ms)
    })
}

/// Starts to remove a stream with everything in it. Whoever reads it gets DONE with
/// TELPHER_NOT_FOUND. Never blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_delete(
    hub: telpher_hub,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_stream(hub, stream, done, id_out, |stream| Command::DeleteStream { stream }) }
}

/// Starts to read a stream's figures; DONE carries them as `stream_info`, without a name. Never
/// blocks. Any thread, also in a callback.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_inspect(
    hub: telpher_hub,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    // SAFETY: the caller keeps the header's contract.
    unsafe { on_stream(hub, stream, done, id_out, |stream| Command::InspectStream { stream }) }
}

/// Starts what needs no more than a stream's name.
pub unsafe fn on_stream(
    hub: telpher_hub,
    stream: *const c_char,
    done: *const telpher_done,
    id_out: *mut telpher_id,
    command: fn(Name) -> Command,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, stream) =
            unsafe { (Start::new(hub, done, id_out)?, input::name(stream, "stream")?) };
        start.go(command(stream), 0)
    })
}

/// Starts to list streams with their figures, in the order of their names: those behind `after`, or
/// from the first if that is NULL. DONE carries `streams_count` of them, as many as fit into one
/// answer: at most 256, and none only if there are no more. Never blocks. Any thread, also in a
/// callback.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: `after` can be no name. Nothing was sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stream_list(
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
            false => Some(unsafe { input::name(after, "after") }?),
        };
        start.go(Command::ListStreams { after }, 0)
    })
}

/// Starts to append a record to a stream. Never blocks. The ticket ends with DONE when the record
/// is as safe as the stream's durability says: `partition`, `offset` and `durability` tell. Records
/// with the same key are in one partition, in the order in which they were started; those with
/// neither key nor a stated partition may be in any. What is started while other records of its
/// partition are on their way goes together with what follows. `options` NULL: every default. Any
/// thread, also in a callback.
///
/// Of these errors nothing was sent:
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
///
/// The ticket may end with:
/// - TELPHER_NOT_FOUND: no stream has this name; nothing was appended.
/// - TELPHER_CONFLICT: another offset is next than `expect`; nothing was appended.
/// - TELPHER_INVALID: the stream has no such partition, or an offset is expected of a stream with
///   several partitions without saying of which; nothing was appended.
/// - TELPHER_TOO_LARGE: it is larger than a partition of this stream may be; nothing was appended.
/// - TELPHER_MISMATCH: the stream was deleted and made anew with other partitions; nothing was
///   appended, and the next append will find that out by itself.
/// - TELPHER_FULL: all that the hub keeps in memory is at its limit, or the disk was behind until
///   the deadline; nothing was appended.
/// - TELPHER_EXPIRED: the time ran out before the hub could do it; nothing was appended.
/// - TELPHER_NO_SPACE: the stream is on a disk that is full; nothing was appended.
/// - TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE, TELPHER_CLOSED: it may
///   have been appended, as `maybe_executed` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_append(
    hub: telpher_hub,
    stream: *const c_char,
    message: *const telpher_message,
    options: *const telpher_append_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, message, stream, options) = unsafe {
            let start = Start::new(hub, done, id_out);
            let message = input::message(message);
            (start?, message?, input::name(stream, "stream")?, input::options(options)?)
        };
        let partition = stated("partition", options.partition, options.has_partition)?;
        let expect = stated("expect", options.expect, options.has_expect)?;
        start.go(Command::Append { stream, message, partition, expect }, options.timeout_ms)
    })
}

/// Starts to read a stream. Never blocks. At the destination come STARTED once, then a RECORD for
/// each record with `partition`, `offset`, `time_ms` and the message: each partition in its order,
/// several of them in turns. Without `follow` the reader ends with DONE and TELPHER_OK behind what
/// was there when it began; with it, what is appended later comes too, until telpher_detach and its
/// DONE. There is nothing to settle, and no reader takes anything from another. `options` NULL: all
/// that is there, from the beginning. Any thread, also in a callback.
///
/// About `buffer` bytes of records are on their way to the program that it has not taken by
/// telpher_poll, telpher_wait or a callback; a reader that is slower slows nobody, but the stream's
/// limits may take what it has not read. It goes on by itself when the connection breaks or another
/// host takes over; no record comes twice, and none is left out.
///
/// With `group` the reader is a member of that reader group, which is made if it is new and then
/// begins at `start`. The partitions are spread over the members; each goes on where the group has
/// committed (telpher_commit), and follows. Records that were read and not committed come again, to
/// whoever has the partition next. If the stream's limits take records that the group has not read,
/// a TELPHER_EVENT_SKIPPED tells which, and it goes on behind them.
///
/// With `key` or `headers` only records come that have these; the hub passes over the others. All
/// members of a group should state the same: what one passes over counts as done for the group when
/// every record that it got before is committed.
///
/// - TELPHER_INVALID, TELPHER_TOO_LARGE: an argument is wrong, or nobody would see the records.
///
/// It may end with:
/// - TELPHER_NOT_FOUND: no stream has this name, or it was deleted, or its group was.
/// - TELPHER_INVALID: the stream has no such partition.
/// - TELPHER_OUT_OF_RANGE: the offset where it was to begin is not kept, or the stream's limits
///   have taken what was to be read next; `detail` tells which offsets the partition has.
/// - TELPHER_CORRUPT: the hub's disk does not give what was appended; `detail` tells which offsets.
/// - TELPHER_LEASE_LOST: nothing was committed for `max_processing_ms`; it may be read anew.
/// - TELPHER_FULL: the session has as many consumers, services, subscribers and readers as it may:
///   4,096; or the stream has 1,024 groups, and this would be another one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_read(
    hub: telpher_hub,
    stream: *const c_char,
    options: *const telpher_read_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, stream, options) = unsafe {
            let start = Start::watched(hub, done, id_out)?;
            (start, input::name(stream, "stream")?, input::options(options)?)
        };
        let group = match options.group.is_null() {
            true => None,
            // SAFETY: not NULL, so it is a C string by the caller's contract.
            false => Some(unsafe { input::name(options.group, "group") }?),
        };
        let (count, stride) = (options.headers_count, options.headers_stride);
        // SAFETY: the caller keeps the header's contract.
        let (key, headers) = unsafe {
            let key = input::key(options.key, options.key_size)?;
            (key, input::headers(options.headers, count, stride)?.build())
        };
        let reading = Reading {
            partition: stated("partition", options.partition, options.has_partition)?,
            start: place(options.start, options.start_at)?,
            follow: flag("follow", options.follow)? || group.is_some(),
            group,
            buffer: options.buffer,
            key: Some(key).filter(|key| !key.is_empty()),
            headers,
            max_processing_ms: options.max_processing_ms,
        };
        start.go(Command::Read { stream, reading: Box::new(reading) }, options.timeout_ms)
    })
}

/// What was stated, if it was; a value that would be ignored is refused.
pub fn stated<T: Copy + Default + PartialEq + std::fmt::Display>(
    what: &str,
    value: T,
    has: u32,
) -> Result<Option<T>, Error> {
    match has {
        0 if value == T::default() => Ok(None),
        0 => Err(invalid(format!("{what} is {value}, but has_{what} is 0"))),
        1 => Ok(Some(value)),
        // A name is made only for what is refused.
        _ => flag(&format!("has_{what}"), has).map(|_| None),
    }
}

/// Where reading begins.
pub fn place(start: u32, at: u64) -> Result<Place, Error> {
    let starts = [
        (TELPHER_START_BEGINNING, Place::Beginning),
        (TELPHER_START_END, Place::End),
        (TELPHER_START_OFFSET, Place::Offset(at)),
        (TELPHER_START_TIME, Place::Time(at)),
    ];
    match one_of("start", start, &starts)? {
        Place::Beginning | Place::End if at != 0 => {
            Err(invalid(format!("start_at is {at}, but start is {start}")))
        }
        place => Ok(place),
    }
}
