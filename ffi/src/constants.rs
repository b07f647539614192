//! The numbers of the interface. A test holds them against the Rust API's own.
//!
//! Floor: nothing.

/// The version of this interface. A library serves every program whose header has the same number
/// or a lower one.
pub const TELPHER_ABI_VERSION: u32 = 1;

/// It went well. The statuses below say of each error whether the operation may have been executed
/// nevertheless: never, yes, or as `maybe_executed` in its event says.
pub const TELPHER_OK: u32 = 0;

/// An argument is wrong; the text says which, its limit and its value. Nothing was started.
/// May have been executed: never.
pub const TELPHER_INVALID: u32 = 1;

/// A body, key, header or name is over its limit. Nothing was started.
/// May have been executed: never.
pub const TELPHER_TOO_LARGE: u32 = 2;

/// As much is in flight as may be, or the queue is full. Nothing was stored; one READY event
/// follows when half of what may be in flight is free again.
/// May have been executed: never.
pub const TELPHER_FULL: u32 = 3;

/// The id names nothing any more: its ticket was redeemed, or its delivery settled, before.
/// May have been executed: never.
pub const TELPHER_STALE: u32 = 4;

/// The handle is closed, or was while the operation was open.
/// May have been executed: as its event says.
pub const TELPHER_CLOSED: u32 = 5;

/// The wait's own time passed first. The ticket is still open; nothing has changed.
/// May have been executed: never.
pub const TELPHER_PENDING: u32 = 6;

/// The handle was opened before a fork, by the parent. The child must open its own.
/// May have been executed: never.
pub const TELPHER_FORKED: u32 = 7;

/// Waiting here would wait for oneself: inside a callback or handler, or on a second driver.
/// May have been executed: never.
pub const TELPHER_WOULD_DEADLOCK: u32 = 8;

/// The hub cannot do this; the text names the feature. Nothing was done.
/// May have been executed: never.
pub const TELPHER_UNSUPPORTED: u32 = 9;

/// No queue or stream has this name.
/// May have been executed: never.
pub const TELPHER_NOT_FOUND: u32 = 10;

/// It exists with other options; the text names the difference. Nothing was changed.
/// May have been executed: never.
pub const TELPHER_MISMATCH: u32 = 11;

/// No instance serves this name. The request was not run.
/// May have been executed: never.
pub const TELPHER_NO_SERVICE: u32 = 12;

/// The service's line of waiting requests is full. The request was not run.
/// May have been executed: never.
pub const TELPHER_BUSY: u32 = 13;

/// The time ran out before the operation began. It was dropped unrun.
/// May have been executed: never.
pub const TELPHER_EXPIRED: u32 = 14;

/// The time ran out while the handler was running.
/// May have been executed: yes.
pub const TELPHER_TIMED_OUT: u32 = 15;

/// The handler failed; the error carries its code and text.
/// May have been executed: yes.
pub const TELPHER_REMOTE: u32 = 16;

/// The handler let go of the request, or ended, without an answer.
/// May have been executed: yes.
pub const TELPHER_ABANDONED: u32 = 17;

/// Cancelled at the program's own wish.
/// May have been executed: as its event says.
pub const TELPHER_CANCELLED: u32 = 18;

/// The host that held the operation is gone, or no longer knows this session.
/// May have been executed: as its event says.
pub const TELPHER_HOST_LOST: u32 = 19;

/// The deadline passed without a verdict of the hub.
/// May have been executed: yes.
pub const TELPHER_HOST_UNRESPONSIVE: u32 = 20;

/// Nobody hosts the hub and this handle may not, or the hub could not be reached in time.
/// May have been executed: never.
pub const TELPHER_NO_HOST: u32 = 21;

/// The delivery or request was taken back before this answer came. The answer had no effect.
/// May have been executed: never.
pub const TELPHER_LEASE_LOST: u32 = 22;

/// The hub does not know this producer any more, so it cannot tell a repeat from a new message.
/// May have been executed: yes.
pub const TELPHER_UNKNOWN_PRODUCER: u32 = 23;

/// Whether it was done cannot be found out.
/// May have been executed: yes.
pub const TELPHER_INDETERMINATE: u32 = 24;

/// The other side broke the wire protocol; the connection was ended with this reason.
/// May have been executed: as its event says.
pub const TELPHER_PROTOCOL: u32 = 25;

/// Refused by policy: not without a stated permission. Nothing was done.
/// May have been executed: never.
pub const TELPHER_REFUSED: u32 = 26;

/// The operating system refused; the text carries its words.
/// May have been executed: as its event says.
pub const TELPHER_IO: u32 = 27;

/// A signal arrived during the wait. Nothing has changed: call again.
/// May have been executed: never.
pub const TELPHER_INTERRUPTED: u32 = 28;

/// A fault in Telpher itself was caught; the handle refuses further work.
/// May have been executed: yes.
pub const TELPHER_INTERNAL: u32 = 29;

/// The disk is full. Nothing was stored; settling what is held frees room.
/// May have been executed: never.
pub const TELPHER_NO_SPACE: u32 = 30;

/// Damage was found on disk; the text names the file and the offset. Nothing of it is used.
/// May have been executed: never.
pub const TELPHER_CORRUPT: u32 = 31;

/// Of a gather: the request or its answer was dropped on the way, as a buffer was full or a
/// connection broke.
/// May have been executed: as its event says.
pub const TELPHER_LOST: u32 = 32;

/// What was to be read is not kept any more, or not there yet; the text tells the range.
/// May have been executed: never.
pub const TELPHER_OUT_OF_RANGE: u32 = 33;

/// The partition's next offset is another than was expected. Nothing was appended.
/// May have been executed: never.
pub const TELPHER_CONFLICT: u32 = 34;

/// telpher_done: the outcome is fetched by telpher_wait with the id.
pub const TELPHER_DONE_WAIT: u32 = 0;

/// telpher_done: the outcome comes out of telpher_poll, with `user`.
pub const TELPHER_DONE_EVENT: u32 = 1;

/// telpher_done: the outcome is given to `fn`, with `user`.
pub const TELPHER_DONE_CALLBACK: u32 = 2;

/// telpher_done: nobody looks; failures are counted (telpher_counters) and logged.
pub const TELPHER_DONE_NONE: u32 = 3;

/// telpher_event: a ticket has ended, with `status`; nothing more comes for its id.
pub const TELPHER_EVENT_DONE: u32 = 1;

/// telpher_event: the consumer, service, subscriber or reader is live in the hub.
pub const TELPHER_EVENT_STARTED: u32 = 2;

/// telpher_event: a message for a consumer; settle `token`.
pub const TELPHER_EVENT_DELIVERY: u32 = 3;

/// telpher_event: a request for a service; answer `token`.
pub const TELPHER_EVENT_REQUEST: u32 = 4;

/// telpher_event: the caller of request `token` no longer waits. The handler may stop, and must
/// still answer or let go; a subscriber need not, and can't any more. A program that waits asks
/// telpher_request_cancelled instead.
pub const TELPHER_EVENT_WITHDRAWN: u32 = 5;

/// telpher_event: something happened to the hub; `notice` says what.
pub const TELPHER_EVENT_NOTICE: u32 = 6;

/// telpher_event: after a TELPHER_FULL, half of what may be in flight is free again.
pub const TELPHER_EVENT_READY: u32 = 7;

/// telpher_event: a message for a subscriber; `token` is not 0 if an answer is gathered.
pub const TELPHER_EVENT_PUBLISHED: u32 = 8;

/// telpher_event: a subscriber was too slow, or its connection broke: `count` messages from
/// `number` on never come.
pub const TELPHER_EVENT_GAP: u32 = 9;

/// telpher_event: an answer to a gather, with the `instance` that gave it; if its handler failed,
/// with `status`, `code` and `detail`.
pub const TELPHER_EVENT_ANSWER: u32 = 10;

/// telpher_gather_options: every instance of a service is asked.
pub const TELPHER_GATHER_SERVICE: u32 = 0;

/// telpher_gather_options: every subscriber of a topic is asked.
pub const TELPHER_GATHER_TOPIC: u32 = 1;

/// telpher_event: a record for a reader.
pub const TELPHER_EVENT_RECORD: u32 = 11;

/// telpher_event: the stream's limits have taken records before the reader's group read them: those
/// of `partition` from `offset` to `offset_last` never come.
pub const TELPHER_EVENT_SKIPPED: u32 = 12;

/// A notice: the connection broke, `detail` says why; the handle tries to reach the hub again.
pub const TELPHER_NOTICE_DISCONNECTED: u32 = 1;

/// A notice: the connection is back, and the session with it.
pub const TELPHER_NOTICE_RESUMED: u32 = 2;

/// A notice: another host has taken over with `epoch`, or the host has forgotten this session. Open
/// calls ended as TELPHER_HOST_LOST; consumers, services, subscribers and readers register again by
/// themselves. After a takeover the session mostly goes on: deliveries of queues on disk stay held,
/// and what was not confirmed of sends, appends, verdicts, declarations and batches is repeated by
/// itself. If the session is forgotten, that ended as TELPHER_HOST_LOST, too, and deliveries are
/// void.
/// `memory_lost` tells whether what queues and streams held in memory is gone.
pub const TELPHER_NOTICE_HUB_CHANGED: u32 = 3;

/// A background thread turns the handle; callbacks run there.
pub const TELPHER_DRIVE_LIBRARY: u32 = 0;

/// The thread that first polls or waits turns the handle; it has no thread of its own.
pub const TELPHER_DRIVE_CALLER: u32 = 1;

/// As TELPHER_DRIVE_CALLER, and the hub itself is hosted on that thread: mem, tcp and unix only.
/// With tcp and unix the handle listens at that address.
pub const TELPHER_DRIVE_INLINE: u32 = 2;

/// This process hosts a directory's hub if nobody else does.
pub const TELPHER_HOST_AUTO: u32 = 0;

/// This process never hosts; without a host, opening ends as TELPHER_NO_HOST.
pub const TELPHER_HOST_NEVER: u32 = 1;

/// Opening waits until this process is the host.
pub const TELPHER_HOST_ALWAYS: u32 = 2;

/// The hub's own default: memory, or disk for a hub in a directory.
pub const TELPHER_DURABILITY_DEFAULT: u32 = 0;

/// Applied; lost with the process that hosts the hub.
pub const TELPHER_DURABILITY_MEMORY: u32 = 1;

/// Written; survives the processes.
pub const TELPHER_DURABILITY_OS: u32 = 2;

/// Synced; survives the machine.
pub const TELPHER_DURABILITY_DISK: u32 = 3;

/// Records are not packed.
pub const TELPHER_COMPRESSION_NONE: u32 = 0;

/// Records are packed fast: LZ4.
pub const TELPHER_COMPRESSION_LZ4: u32 = 1;

/// Records are packed small: Zstandard.
pub const TELPHER_COMPRESSION_ZSTD: u32 = 2;

/// A send to a full queue waits in line for room, and is TELPHER_FULL at its deadline.
pub const TELPHER_OVERFLOW_WAIT: u32 = 0;

/// A send to a full queue is TELPHER_FULL at once.
pub const TELPHER_OVERFLOW_REJECT: u32 = 1;

/// telpher_topic_options: a subscriber that is slow loses its oldest messages.
pub const TELPHER_TOPIC_OVERFLOW_DROP: u32 = 0;

/// telpher_topic_options: a publish waits in line until every subscriber has room, and is
/// TELPHER_EXPIRED at its deadline.
pub const TELPHER_TOPIC_OVERFLOW_WAIT: u32 = 1;

/// Done: the message leaves the queue.
pub const TELPHER_ACKNOWLEDGE: u32 = 1;

/// It can never be done: the message goes to the dead-letter queue.
pub const TELPHER_REJECT: u32 = 2;

/// To be tried again: after a pause back to its place, with one more failure; at the last attempt
/// to the dead-letter queue.
pub const TELPHER_REQUEUE: u32 = 3;

/// Not touched: back to its place at once, with no failure.
pub const TELPHER_RELEASE: u32 = 4;

/// Reading begins at the oldest record that is kept.
pub const TELPHER_START_BEGINNING: u32 = 0;

/// Reading begins behind the newest record.
pub const TELPHER_START_END: u32 = 1;

/// Reading begins at the offset `start_at`: that of a record, or the one that the next gets.
pub const TELPHER_START_OFFSET: u32 = 2;

/// Reading begins at the oldest record that was appended at `start_at` or later, in ms since 1970
/// by the hub's clock. Records that were appended together have one time, and are read together. A
/// reader group begins with the batch in which that record lies, so it may begin a little earlier.
pub const TELPHER_START_TIME: u32 = 3;

/// A timeout_ms: without bound.
pub const TELPHER_FOREVER: i64 = -1;

/// A line_max: no request waits in line.
pub const TELPHER_LINE_NONE: u32 = 0xFFFF_FFFF;

#[cfg(test)]
mod tests {
    use telpher::TopicOverflow;
    use telpher::{Compression, Drive, Durability, Executed, HostRole, Kind, Overflow, Verdict};

    use super::*;

    const HEADER: &str = include_str!("../../include/telpher.h");

    /// The comment above `#define name number`, as one line.
    fn comment_above(name: &str, number: u32) -> Option<String> {
        let lines: Vec<&str> = HEADER.lines().collect();
        let defined = format!("#define {name} {number}");
        let at = lines.iter().position(|line| *line == defined)?;
        let comment = lines[..at].iter().rev().map_while(|line| line.strip_prefix("//"));
        let mut words: Vec<&str> = comment.map(str::trim).collect();
        words.reverse();
        Some(words.join(" "))
    }

    #[test]
    fn the_header_has_every_kind_with_its_number_its_meaning_and_whether_it_may_have_executed() {
        for kind in Kind::ALL {
            let name = format!("TELPHER_{}", kind.name());
            let comment = comment_above(&name, *kind as u32);
            let comment = comment.unwrap_or_else(|| panic!("no {name} {}", *kind as u32));
            let meaning = kind.meaning().split_whitespace().collect::<Vec<_>>().join(" ");
            let executed = match kind.executed() {
                Executed::Never => "never",
                Executed::Maybe => "yes",
                Executed::Depends => "as its event says",
            };
            let expected = format!("{meaning} May have been executed: {executed}.");
            assert_eq!(comment, expected, "{name}");
        }
    }

    #[test]
    fn every_number_is_that_of_the_rust_api() {
        assert_eq!(TELPHER_DRIVE_LIBRARY, Drive::Library as u32);
        assert_eq!(TELPHER_DRIVE_CALLER, Drive::Caller as u32);
        assert_eq!(TELPHER_DRIVE_INLINE, Drive::Inline as u32);
        assert_eq!(TELPHER_HOST_AUTO, HostRole::Auto as u32);
        assert_eq!(TELPHER_HOST_NEVER, HostRole::Never as u32);
        assert_eq!(TELPHER_HOST_ALWAYS, HostRole::Always as u32);
        assert_eq!(TELPHER_DURABILITY_MEMORY, Durability::Memory as u32);
        assert_eq!(TELPHER_DURABILITY_OS, Durability::Os as u32);
        assert_eq!(TELPHER_DURABILITY_DISK, Durability::Disk as u32);
        assert_eq!(TELPHER_COMPRESSION_LZ4, Compression::Lz4 as u32);
        assert_eq!(TELPHER_COMPRESSION_ZSTD, Compression::Zstd as u32);
        assert_eq!(TELPHER_OVERFLOW_WAIT, Overflow::Wait as u32);
        assert_eq!(TELPHER_OVERFLOW_REJECT, Overflow::Reject as u32);
        assert_eq!(TELPHER_TOPIC_OVERFLOW_DROP, TopicOverflow::Drop as u32);
        assert_eq!(TELPHER_TOPIC_OVERFLOW_WAIT, TopicOverflow::Wait as u32);
        assert_eq!(TELPHER_ACKNOWLEDGE, Verdict::Acknowledge as u32);
        assert_eq!(TELPHER_REJECT, Verdict::Reject as u32);
        assert_eq!(TELPHER_REQUEUE, Verdict::Requeue as u32);
        assert_eq!(TELPHER_RELEASE, Verdict::Release as u32);
    }
}
