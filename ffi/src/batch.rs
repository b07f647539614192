//! Batches: sends and settlements that happen together or not at all.
//!
//! A batch is gathered here and belongs to no handle. When it is submitted its parts leave it, all
//! at once, and become one command; if that cannot start they go back, so that the batch is as it
//! was.
//!
//! What never happens: a part dropped under the table's lock, as the last use of a body runs the
//! program's release function.
//!
//! Floor: `queue`, `table`.

use std::ffi::c_char;

use telpher::{Command, Error, Kind, Part, limits};

use crate::handle;
use crate::input::{self, Out, invalid};
use crate::queue;
use crate::start::Start;
use crate::status::guard;
use crate::stream::stated;
use crate::table::{Missing, Table};
use crate::types::*;

static BATCHES: Table<Batch> = Table::new();

/// What has been put into a batch.
#[derive(Default)]
struct Batch {
    parts: Parts,
    /// What is being submitted, and comes back if that can't start: so many parts and bytes.
    leaving: (usize, usize),
}

#[derive(Clone, Default)]
struct Parts {
    all: Vec<Part>,
    /// Bytes of their messages.
    size: usize,
}

impl Batch {
    fn leave(&mut self) -> Parts {
        let parts = std::mem::take(&mut self.parts);
        self.leaving.0 += parts.all.len();
        self.leaving.1 += parts.size;
        parts
    }

    fn has_left(&mut self, (count, size): (usize, usize)) {
        self.leaving.0 -= count;
        self.leaving.1 -= size;
    }
}

/// Makes an empty batch. Sends and settlements are put into it, and then happen together, all or
/// none, as one operation: telpher_batch_submit. It belongs to no handle, and may be filled and
/// submitted again and again until telpher_batch_free. Any thread.
///
/// - TELPHER_REFUSED: there are 268,435,455 batches, and no more can be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_new(batch_out: *mut telpher_batch) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let batch_out = unsafe { Out::required(batch_out, "batch_out") }?;
        handle::watch_for_forks();
        let id = BATCHES.insert(Batch::default()).ok_or_else(|| {
            Error::new(Kind::Refused, "there are 268,435,455 batches, and no more can be")
        })?;
        batch_out.store(id);
        Ok(())
    })
}

/// Puts a send at the end of a batch; nothing is sent yet. The message is copied, or its body
/// handed over, as by telpher_send. A batch has at most 1,024 parts, and at most 8 MiB (8,388,608
/// bytes) of bodies, keys and headers. Any thread; of several at once, each adds its part.
///
/// Of these errors the batch is as it was, and a body that was handed over is released:
/// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
/// - TELPHER_TOO_LARGE: the message, or the batch with it, is over a limit.
/// - TELPHER_STALE: the batch was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_send(
    batch: telpher_batch,
    queue: *const c_char,
    message: *const telpher_message,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (message, queue) = unsafe { (input::message(message)?, input::name(queue, "queue")?) };
        message.check()?;
        let size = message.size();
        add(batch, Part::Send { queue, message }, size)
    })
}

/// Puts a verdict on a delivery at the end of a batch, as telpher_settle says them; nothing is
/// settled yet. `options` NULL: without a reason. A batch has at most 1,024 parts. Any thread; of
/// several at once, each adds its part.
///
/// Of these errors the batch is as it was:
/// - TELPHER_INVALID: no such verdict, or the batch has 1,024 parts.
/// - TELPHER_TOO_LARGE: the reason is too long.
/// - TELPHER_STALE: the batch was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_settle(
    batch: telpher_batch,
    delivery: u64,
    verdict: u32,
    options: *const telpher_settle_options,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract.
        let (verdict, reason) = unsafe { queue::verdict(verdict, options) }?;
        add(batch, Part::Settle { delivery, verdict, reason }, 0)
    })
}

/// Puts a publish at the end of a batch; nothing is published yet. It happens only if the batch
/// does; then a subscriber may lose it like any other, and it is stored in the queues to which the
/// topic is bound as a part of the batch. `message` as for telpher_publish. A batch has at most
/// 1,024 parts, and 8 MiB of bodies, keys and headers. Any thread; of several at once, each adds
/// its part.
///
/// Of these errors the batch is as it was, and a body that was handed over is released:
/// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
/// - TELPHER_TOO_LARGE: a part of the message is over its limit, or the batch would be.
/// - TELPHER_STALE: the batch was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_publish(
    batch: telpher_batch,
    topic: *const c_char,
    message: *const telpher_message,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (message, topic) = unsafe { (input::message(message)?, input::name(topic, "topic")?) };
        message.check()?;
        telpher::pattern::check_topic(&topic)?;
        let size = message.size();
        add(batch, Part::Publish { topic, message }, size)
    })
}

/// Puts an append at the end of a batch; nothing is appended yet. `message` and `options` as for
/// telpher_append, but that a part has no `timeout_ms` of its own, and `expect` goes with a stated
/// partition or a key. Nothing is told of where the record is. A batch has at most 1,024 parts, and
/// 8 MiB of bodies, keys and headers. Any thread; of several at once, each adds its part.
///
/// Of these errors the batch is as it was, and a body that was handed over is released:
/// - TELPHER_INVALID: an argument is wrong, or the batch has 1,024 parts.
/// - TELPHER_TOO_LARGE: a part of the message is over its limit, or the batch would be.
/// - TELPHER_STALE: the batch was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_append(
    batch: telpher_batch,
    stream: *const c_char,
    message: *const telpher_message,
    options: *const telpher_append_options,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (message, stream, options) = unsafe {
            let message = input::message(message)?;
            (message, input::name(stream, "stream")?, input::options(options)?)
        };
        message.check()?;
        let ms = options.timeout_ms;
        if ms != 0 {
            return Err(invalid(format!("timeout_ms is {ms}; a part of a batch has none, so 0")));
        }
        let partition = stated("partition", options.partition, options.has_partition)?;
        let most = limits::PARTITIONS_MAX - 1;
        if options.partition > most {
            let detail = format!("partition is {}; allowed are 0 to {most}", options.partition);
            return Err(invalid(detail));
        }
        let expect = stated("expect", options.expect, options.has_expect)?;
        let size = message.size();
        add(batch, Part::Append { stream, message, partition, expect }, size)
    })
}

/// Puts a commit at the end of a batch, as telpher_commit says it; nothing is committed yet. A
/// batch has at most 1,024 parts. Any thread; of several at once, each adds its part.
///
/// Of these errors the batch is as it was:
/// - TELPHER_INVALID: the batch has 1,024 parts.
/// - TELPHER_STALE: the batch was freed.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_batch_commit(
    batch: telpher_batch,
    reader: telpher_id,
    partition: u32,
    generation: u64,
    next: u64,
) -> telpher_status {
    guard(|| add(batch, Part::Commit { reader, partition, generation, next }, 0))
}

fn add(id: telpher_batch, part: Part, size: usize) -> Result<(), Error> {
    // What is not taken out of here is dropped when the lock is free.
    let mut part = Some(part);
    let added = BATCHES.with(id, |Batch { parts, leaving }| {
        let count = (leaving.0 + parts.all.len()) as u64 + 1;
        let new_size = parts.size + size;
        let size = leaving.1 + new_size;
        if count > limits::BATCH_PARTS_MAX {
            let most = limits::BATCH_PARTS_MAX;
            return Err(invalid(format!(
                "the number of parts of a batch is {count}; allowed are 1 to {most}"
            )));
        }
        if size > limits::BATCH_SIZE_MAX {
            let most = limits::BATCH_SIZE_MAX;
            let detail =
                format!("the batch has {size} bytes of messages; at most {most} are allowed");
            return Err(Error::new(Kind::TooLarge, detail));
        }
        parts.all.extend(part.take());
        parts.size = new_size;
        Ok(())
    });
    added.map_err(|missing| refused(id, missing))?
}

/// Starts all that is in a batch as one operation: everything in it happens, or nothing. Never
/// blocks. `options` NULL: every default. Any thread, also in a callback.
///
/// On TELPHER_OK the batch is empty, to be filled again or freed. The ticket ends with DONE when
/// everything is as safe as the strongest durability among its queues and streams says: `receipts`
/// has one receipt for each send, in the order in which they were put in.
///
/// Of these errors nothing was started and the batch is as it was, so it may be submitted again:
/// - TELPHER_INVALID: an argument is wrong, or the batch is empty.
/// - TELPHER_FULL: as much is in flight as may be; see TELPHER_EVENT_READY.
/// - TELPHER_STALE: the batch was freed.
///
/// The ticket may end with one of these: nothing in it happened, and what it was to settle is still
/// held. A part at fault is named in `detail`, counted from 0: `"part 3 of the batch: ..."`.
/// - TELPHER_NOT_FOUND: no queue or stream has this name.
/// - TELPHER_FULL: a queue or stream, also one to which a topic is bound, has no room: that
///   refuses at once, also with TELPHER_OVERFLOW_WAIT. Likewise a subscriber of a topic with
///   TELPHER_TOPIC_OVERFLOW_WAIT. Or the disk was behind until the deadline.
/// - TELPHER_STALE: a delivery was settled before, or twice in this batch.
/// - TELPHER_LEASE_LOST: a delivery was taken back, or a partition that is committed has gone to
///   another member.
/// - TELPHER_CONFLICT: another offset is next than an append expects.
/// - TELPHER_UNSUPPORTED: a queue in memory and one that is not; they have no common commit.
/// - TELPHER_NO_SPACE: a queue is on a disk that is full.
/// - TELPHER_EXPIRED: it could not be sent in time.
///
/// Or with one of these: all or nothing of it may have happened, as `maybe_executed` says:
/// - TELPHER_CANCELLED, TELPHER_UNKNOWN_PRODUCER, TELPHER_HOST_LOST, TELPHER_HOST_UNRESPONSIVE,
///   TELPHER_CLOSED; TELPHER_INDETERMINATE if it only publishes, and nothing is bound.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_batch_submit(
    hub: telpher_hub,
    batch: telpher_batch,
    options: *const telpher_batch_options,
    done: *const telpher_done,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (start, options) =
            unsafe { (Start::new(hub, done, id_out)?, input::options(options)?) };
        let taken = BATCHES.with(batch, Batch::leave);
        let taken = taken.map_err(|missing| refused(batch, missing))?;
        // The bodies are shared, not copied.
        let kept = taken.clone();
        let left = (taken.all.len(), taken.size);
        let started = start.go(Command::Batch { parts: taken.all }, options.timeout_ms);
        // If the batch was freed in the meantime, there is nothing to tell.
        let _ = match &started {
            Ok(()) => BATCHES.with(batch, |batch| batch.has_left(left)),
            Err(_) => put_back(batch, kept),
        };
        started
    })
}

/// What could not be started goes in front of what came in the meantime; if the batch was freed in
/// the meantime, it is dropped.
fn put_back(id: telpher_batch, kept: Parts) -> Result<(), Missing> {
    let mut kept = Some(kept);
    BATCHES.with(id, |batch| {
        let kept = kept.take().unwrap_or_default();
        batch.has_left((kept.all.len(), kept.size));
        let later = std::mem::replace(&mut batch.parts, kept);
        batch.parts.size += later.size;
        batch.parts.all.extend(later.all);
    })
}

/// Frees a batch. What is in it does not happen: nothing is sent, deliveries stay held, and bodies
/// that were handed over are released. What was submitted goes on. 0 is fine. Any thread.
///
/// - TELPHER_STALE: it was freed before.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_batch_free(batch: telpher_batch) -> telpher_status {
    guard(|| {
        if batch == 0 {
            return Ok(());
        }
        BATCHES.remove(batch).map(drop).map_err(|missing| refused(batch, missing))
    })
}

/// Leaves everything behind: for the child of a fork.
pub fn abandon() {
    BATCHES.abandon();
}

fn refused(id: telpher_batch, missing: Missing) -> Error {
    match missing {
        Missing::Foreign if id == 0 => invalid("batch is 0; no batch has that id"),
        Missing::Foreign => invalid(format!("batch is {id:#x}; no batch has had that id")),
        Missing::Gone => Error::new(Kind::Stale, "the batch was freed before"),
        Missing::Forked => Error::new(
            Kind::Forked,
            "the batch was made before a fork, by the parent; make another one here",
        ),
    }
}
