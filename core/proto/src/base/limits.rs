//! Every limit of Telpher, each with its unit and its reason.
//!
//! Floor: base.

/// Longest name of a service, queue or topic, in bytes. One length byte on the wire suffices.
pub const NAME_SIZE_MAX: usize = 255;

/// Largest body of a message, in bytes. What is larger belongs in a file that the message names.
pub const BODY_SIZE_MAX: usize = 8 * 1024 * 1024;

/// Largest sum of a message's headers as encoded, in bytes. Headers are read on hot paths.
pub const HEADERS_SIZE_MAX: usize = 64 * 1024;

/// Longest name of one header, in bytes: one length byte.
pub const HEADER_NAME_SIZE_MAX: usize = 255;

/// Largest key of a message, in bytes. Keys are hashed and compared.
pub const KEY_SIZE_MAX: usize = 1024;

/// Largest text of an error on the wire, in bytes; what is longer is cut.
pub const DETAIL_SIZE_MAX: usize = 4096;

/// Largest frame, in bytes: the largest batch, with a reason and fixed fields in each part.
pub const FRAME_SIZE_MAX: usize =
    BATCH_SIZE_MAX + BATCH_PARTS_MAX as usize * (REASON_SIZE_MAX + 160);

/// Largest frame before the handshake is complete, in bytes: a stranger can make us hold no more.
pub const HANDSHAKE_FRAME_SIZE_MAX: usize = 4096;

/// Time in which a connection must complete its handshake, in ms.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 5_000;

/// Time in which a begun frame must arrive whole, in ms. Longer than the largest frame takes on a
/// slow line; a peer that sends a byte a second is cut off after it.
pub const FRAME_TIMEOUT_MS: u64 = 30_000;

/// Names that one connection may have open; past it the oldest numbers are used again.
pub const NAMES_PER_CONNECTION_MAX: usize = 4_096;

/// Services and queues that one hub may have.
pub const NAMES_PER_HUB_MAX: usize = 100_000;

/// Sessions that one hub serves at once.
pub const SESSIONS_MAX: usize = 10_000;

/// Consumers, services and subscribers that one session may have.
pub const REGISTRATIONS_PER_SESSION_MAX: usize = 4_096;

/// Newest minus oldest unconfirmed sequence of a producer stays below this: what a hub remembers.
pub const PRODUCER_WINDOW: u64 = 1_024;

/// Operations in flight on one handle if its options name no other bound.
pub const IN_FLIGHT_DEFAULT: usize = 1_024;

/// Largest bound on operations in flight that options may name.
pub const IN_FLIGHT_MAX: usize = 65_536;

/// Bytes of bodies in flight on one handle: eight of the largest.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes waiting to be written to one connection before the hub stops reading from it and stops
/// delivering to it.
pub const OUTBOX_SIZE_MAX: usize = 4 * 1024 * 1024;

/// Replies that a hub keeps for a session until the session has said that they arrived.
pub const REPLIES_KEPT_MAX: usize = IN_FLIGHT_MAX;

/// Replies after which a client that has nothing else to say tells the hub that they arrived.
pub const REPLIES_UNACKNOWLEDGED_MAX: u64 = 256;

/// Bytes of replies after which it does so: the hub keeps them until then.
pub const REPLY_BYTES_UNACKNOWLEDGED_MAX: usize = 256 * 1024;

/// Answers after which a hub that has nothing else to say tells the service that they arrived.
pub const ANSWERS_UNTOLD_MAX: u64 = 64;

/// Time after which it does so in any case, in ms: usually the next request comes first, and saves
/// a frame of its own that would wake the service for nothing.
pub const ANSWERED_DELAY_MS: u64 = 2;

/// Requests one instance handles at once if it does not say.
pub const CONCURRENCY_DEFAULT: u32 = 1;

/// Most requests that one instance may handle at once.
pub const CONCURRENCY_MAX: u32 = 65_536;

/// Requests that may wait in a service's line if it does not say.
pub const LINE_DEFAULT: u32 = 1_024;

/// Longest line of a service, in requests, and of a declaration of topics, in publishes.
pub const LINE_MAX: u32 = 1_048_576;

/// Messages that a consumer may hold if it does not say.
pub const PREFETCH_DEFAULT: u32 = 64;

/// Most messages that a consumer may hold.
pub const PREFETCH_MAX: u32 = 65_536;

/// Messages on their way to a subscriber if it does not say; as many more wait in the hub.
pub const SUBSCRIPTION_BUFFER_DEFAULT: u32 = 1_024;

/// Most messages on their way to a subscriber.
pub const SUBSCRIPTION_BUFFER_MAX: u32 = 65_536;

/// Bytes of bodies, keys and headers on their way to one subscriber from which on nothing more is
/// sent, and that wait for it in the hub at most.
pub const SUBSCRIPTION_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of bodies, keys and headers that wait in the hub for all subscribers.
pub const TOPIC_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Declarations of topics in one hub: each is stated anew in each segment of the journal.
pub const TOPICS_PER_HUB_MAX: usize = 10_000;

/// Publishes that may wait for subscribers of topics that are declared so, if the declaration does
/// not say; as many as a service's line takes, and as one producer has under way.
pub const TOPIC_LINE_DEFAULT: u32 = 1_024;

/// Partitions of a stream.
pub const PARTITIONS_MAX: u32 = 1_024;

/// Partitions of all streams of one hub: each is stated anew in each segment of the journal.
pub const PARTITIONS_PER_HUB_MAX: usize = 100_000;

/// Reader groups of one stream.
pub const GROUPS_MAX: usize = 1_024;

/// Bytes of one partition of a stream in memory if it does not say.
pub const STREAM_BYTES_MEMORY_DEFAULT: u64 = 64 * 1024 * 1024;

/// Bytes of one partition of a stream on disk if it does not say.
pub const STREAM_BYTES_DISK_DEFAULT: u64 = 1024 * 1024 * 1024;

/// Age from which tombstones of a stream with compaction are removed if it does not say, in ms.
pub const TOMBSTONE_AGE_DEFAULT_MS: u64 = 24 * 60 * 60 * 1000;

/// Bytes of a partition that are new since its last compaction, from which on it is compacted
/// again, if they are as many as what was kept of the others.
pub const COMPACT_MIN: u64 = 256 * 1024;

/// Bytes of a partition that are compacted at a time; then others have their turn.
pub const COMPACT_STEP: u64 = 256 * 1024;

/// Bytes of keys and their places that one pass of compaction holds in memory; what is new beyond
/// these is left to the next pass.
pub const COMPACT_KEYS_MAX: usize = 32 * 1024 * 1024;

/// Bytes of batches up to which compaction puts what it has left of several into one.
pub const COMPACT_BATCH: usize = 64 * 1024;

/// Bytes of the records of a compressed batch, unpacked: as much as the largest record takes, or
/// what is gathered.
pub const BATCH_UNPACKED_MAX: usize = BODY_SIZE_MAX + HEADERS_SIZE_MAX + 64 * 1024;

/// Bytes of records below which they are not compressed.
pub const COMPRESSED_MIN: usize = 128;

/// Bytes of records on their way to a reader if it does not say.
pub const READ_BUFFER_DEFAULT: u32 = 1024 * 1024;

/// Most bytes of records that may be on their way to a reader.
pub const READ_BUFFER_MAX: u32 = 64 * 1024 * 1024;

/// Headers that a reader may state for what it reads: each record is compared with all of them.
pub const READ_HEADERS_MAX: u64 = 8;

/// Bytes of records that a hub compares with what readers have stated, in a ms; then others have
/// their turn.
pub const FILTER_STEP: u64 = 512 * 1024;

/// Time after which a reader is told at the latest that records were passed over, in ms: it needs
/// that only when its connection is made anew.
pub const PASSED_DELAY_MS: u64 = 100;

/// Bytes of records that are put into one batch, at most, if one record is not larger: enough that
/// the work per batch no longer shows.
pub const APPEND_BATCH_MAX: usize = 512 * 1024;

/// Records, or bytes of them, from which on a program sends a second batch of a partition while one
/// is on its way: enough that the work per batch is small beside that for its records.
pub const APPEND_WORTH: (usize, usize) = (100, 100 * 1024);

/// Batches of one partition that a program has on their way before it gathers more: one that is
/// being written down, one that follows.
pub const APPENDS_IN_FLIGHT: u32 = 2;

/// Patterns bound in one hub: each publish may have to be stored for as many.
pub const BINDINGS_PER_HUB_MAX: usize = 10_000;

/// Patterns bound to one queue: looking at it tells all of them.
pub const BINDINGS_PER_QUEUE_MAX: usize = 256;

/// Patterns bound to one stream, likewise.
pub const BINDINGS_PER_STREAM_MAX: usize = 256;

/// Bytes of records that one publish may append to streams, or all publishes of one batch: they go
/// in one record, each with a body of its own.
pub const BOUND_RECORDS_SIZE_MAX: u64 = 4 * BODY_SIZE_MAX as u64;

/// Copies that the publishes of one batch may store: they go in one record.
pub const BATCH_COPIES_MAX: usize = BINDINGS_PER_HUB_MAX;

/// Instances or subscribers that one gather asks. Who did not answer fits into one frame.
pub const GATHER_ASKED_MAX: usize = 4_096;

/// Gathers that one session may have open.
pub const GATHERS_PER_SESSION_MAX: usize = 1_024;

/// Instances and subscribers that all open gathers of one hub have asked.
pub const GATHER_PARTS_MAX: usize = 1_048_576;

/// Bytes of answers to one gather that its program has not taken; what comes beyond them is lost.
pub const GATHER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of answers to all gathers, and of names of those that did not answer, that a hub keeps
/// until their programs have said that they arrived. Answers beyond them are lost; while the names
/// take more, nobody is asked.
pub const GATHER_KEPT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Messages in a queue if it does not say.
pub const QUEUE_LENGTH_DEFAULT: u64 = 1_000_000;

/// Bytes of bodies, keys and headers in a queue if it does not say.
pub const QUEUE_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

/// Most bytes of bodies, keys and headers that a queue on disk may be declared to hold.
pub const DISK_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

/// Bytes of bodies, keys and headers that all queues in memory of one hub hold together.
pub const HUB_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Sends and publishes of one producer that may wait for room in a queue or for a subscriber.
pub const SEND_LINE_MAX: usize = PRODUCER_WINDOW as usize;

/// Time an operation has if it does not say, in ms.
pub const TIMEOUT_DEFAULT_MS: u64 = 30_000;

/// Longest time that may be stated, in ms: about 31 years, so that sums never overflow.
pub const TIMEOUT_MAX_MS: u64 = 1_000_000_000_000;

/// Time for which the session of a remote program survives its broken connection, in ms.
pub const SESSION_GRACE_MS: u64 = 5_000;

/// Least and most time that a caller waits past its deadline for the hub's verdict, in ms.
pub const VERDICT_WAIT_MS: (u64, u64) = (10, 100);

/// First and longest pause between two attempts to reach a hub, in ms; each is drawn at random
/// between half and all of its value, so that many clients do not come back at once.
pub const RECONNECT_BACKOFF_MS: (u64, u64) = (2, 1_000);

/// First and longest pause between two attempts to reach the hub of a local directory, in ms.
pub const DIRECTORY_BACKOFF_MS: (u64, u64) = (1, 50);

/// Bytes read from one socket in one go, so that one connection cannot starve the others.
pub const READ_SIZE: usize = 64 * 1024;

/// A body that is stored is copied out of its read buffer if it is smaller than this, in bytes, so
/// that it does not keep the whole buffer in memory.
pub const COPY_SIZE_MAX: usize = 4 * 1024;

/// Calls of one hub that may keep the read buffers they came in, of 64 KiB each, instead of a copy.
pub const CALLS_SHARING_MAX: usize = 256;

/// Replies kept by one hub that may keep the read buffers they came in instead of a copy.
pub const REPLIES_SHARING_MAX: usize = 512;

/// Connections that the kernel keeps until they are accepted.
pub const ACCEPT_BACKLOG: i32 = 1_024;

/// Bytes that one direction of a ring between a handle and a hub in the same process holds.
pub const RING_SIZE_MAX: usize = 1024 * 1024;

/// Seconds of silence after which a TCP peer is asked whether it is there, seconds between two such
/// questions, and how many go unanswered until it is given up.
pub const KEEPALIVE_S: (u64, u64, u32) = (15, 5, 3);

/// Time that a driver waits for the host of its hub to end, if it was the last to hold it, in ms.
pub const HOST_END_MS: u64 = 1_000;

/// Time that an attempt to connect may take, in ms: a machine that is gone answers nothing.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;

/// Connections taken in from one listener in one turn.
pub const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Time for which a connection that is being closed may still take what was written to it, in ms.
pub const CLOSE_WRITE_MS: u64 = 1_000;

/// Pause after accepting failed, for want of descriptors for example, in ms.
pub const ACCEPT_PAUSE_MS: u64 = 100;

/// Time that dropping the last clone of a handle may take, in ms.
pub const DROP_MS: u64 = 100;

/// Descriptors with a larger number than this are refused; Linux allows no more by default.
pub const DESCRIPTORS_MAX: usize = 1 << 20;

/// Open ids that a resuming program may list: many more than it can have.
pub const OPEN_LISTED_MAX: usize = 16 * IN_FLIGHT_MAX;

/// Failed attempts after which a message is a dead letter, if its queue does not say.
pub const ATTEMPTS_DEFAULT: u32 = 20;

/// Most failed attempts that a queue may allow.
pub const ATTEMPTS_MAX: u32 = 1_000;

/// First and longest pause before a message is tried again if its queue does not say, in ms.
pub const BACKOFF_DEFAULT_MS: (u64, u64) = (100, 60_000);

/// Longest pause, and longest `ack_deadline`, in ms: a day.
pub const DELAY_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

/// Longest reason given with a verdict, in bytes: it is kept with the message.
pub const REASON_SIZE_MAX: usize = 1_024;

/// Failed attempts of a message whose reasons are kept: the newest ones.
pub const HISTORY_MAX: usize = 32;

/// Parts of one batch.
pub const BATCH_PARTS_MAX: u64 = 1_024;

/// Bytes of bodies, keys and headers in one batch: it goes in one frame, and in one record.
pub const BATCH_SIZE_MAX: usize = BODY_SIZE_MAX;

/// Messages that one look into a queue shows.
pub const PEEK_MAX: u32 = 1_000;

/// Bytes of messages that one look into a queue shows, beyond the first message.
pub const PEEK_SIZE_MAX: usize = 1024 * 1024;

/// Queues that one answer lists.
pub const LIST_MAX: usize = 256;

/// Bytes of bound patterns that one answer lists, beyond those of its first queue or stream.
pub const LIST_PATTERNS_SIZE_MAX: usize = 1024 * 1024;

/// Lateness of a lease's end from which the hub itself was paused, in ms: the lease is prolonged by
/// as much.
pub const LEASE_LATE_MS: u64 = 100;

/// Least and largest size of a segment of the journal, in bytes. A host begins with a small one, so
/// that it is ready soon; each next one is four times as large.
pub const SEGMENT_SIZE: (u64, u64) = (1024 * 1024, 64 * 1024 * 1024);

/// Bytes of a group of records that is written and synced together; what comes behind it makes the
/// next group.
pub const GROUP_SIZE_MAX: usize = 1024 * 1024;

/// Bytes of a group that an idle disk is given while more is still coming in. They take about as
/// long to sync as to append; a sync of less takes no shorter, so that it is better shared.
pub const GROUP_WORTH: usize = 128 * 1024;

/// Bytes of a group of records that the hub's thread writes itself, if nobody waits for it to be
/// durable: they take less time than waking another thread and being woken by it.
pub const WRITE_AT_ONCE_MAX: usize = 512 * 1024;

/// Time from which on such a write counts as held back, in ms: the hub serves nobody meanwhile. On
/// a busy machine a thread may have to wait for a processor almost as long.
pub const WRITE_SLOW_MS: u64 = 20;

/// Time for which the journal's thread then writes everything, in ms.
pub const WRITE_PAUSE_MS: u64 = 1_000;

/// Bytes of records that wait for the disk; past it, sends to queues on disk are refused.
pub const JOURNAL_PENDING_MAX: usize = 64 * 1024 * 1024;

/// Bytes written and not synced after which a sync is asked for even if nobody waits for it, so
/// that the next host has little to make safe.
pub const UNSYNCED_MAX: u64 = 8 * 1024 * 1024;

/// Time without work after which a journal writes an empty commit, in ms: it closes the last group.
pub const IDLE_COMMIT_MS: u64 = 20;

/// Size of the file that keeps room on a full disk for the next host, in bytes.
pub const RESERVE_SIZE: u64 = 1024 * 1024;

/// Pause before a next segment is asked for again on a full disk, in ms.
pub const SPACE_RETRY_MS: u64 = 200;

/// Bytes of bodies of queues on disk that stay in memory; others are read when their turn comes.
pub const RESIDENT_MAX: u64 = 64 * 1024 * 1024;

/// Messages at the head of a queue that are read from disk together, and their bytes.
pub const READ_AHEAD: (usize, u64) = (64, 1024 * 1024);

/// Dead bytes in the journal, at least, before live messages of its oldest segment are written
/// anew.
pub const GARBAGE_MIN: u64 = 16 * 1024 * 1024;

/// Bytes of the journal's segments, together, beyond which what streams keep in the oldest of them
/// is put into stream files.
pub const JOURNAL_SIZE_MAX: u64 = 128 * 1024 * 1024;

/// Bytes of batches on average from which an old segment of which mostly these are needed is put
/// aside as it is: few places are to be kept in memory.
pub const ASIDE_BATCH: u64 = 64 * 1024;

/// Per cent of such a segment that is needed, at least.
pub const ASIDE_SHARE: u64 = 50;

/// Bytes of batches up to which several that follow each other become one in a stream file, as far
/// as they are not compressed; compressed ones as [`COMPACT_BATCH`].
pub const FILED_BATCH: usize = 256 * 1024;

/// Bytes that are written to a stream file together, at least, if there are as many.
pub const FILED_TOGETHER: usize = 1024 * 1024;

/// A stream's limits on bytes, records or age are so many times what a batch in a stream file holds
/// at most: such a batch goes as a whole.
pub const FILED_PARTS: u64 = 16;

/// Time that a host which ends by itself takes at most to write down what it has in memory, in ms.
pub const CLOSE_DOWN_MS: u64 = 5_000;

/// Sizes that decide when segments change, what is moved forward and what stays in memory. They are
/// stated to a hub, so that a simulator meets all of that with little data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// As [`SEGMENT_SIZE`].
    pub segment: (u64, u64),
    /// As [`GROUP_SIZE_MAX`].
    pub group_max: usize,
    /// As [`GROUP_WORTH`].
    pub group_worth: usize,
    /// As [`UNSYNCED_MAX`].
    pub unsynced_max: u64,
    /// As [`JOURNAL_PENDING_MAX`].
    pub pending_max: usize,
    /// As [`GARBAGE_MIN`].
    pub garbage_min: u64,
    /// As [`JOURNAL_SIZE_MAX`].
    pub journal_max: u64,
    /// As [`ASIDE_BATCH`].
    pub aside_batch: u64,
    /// As [`ASIDE_SHARE`].
    pub aside_share: u64,
    /// As [`RESIDENT_MAX`].
    pub resident_max: u64,
    /// As [`COMPACT_MIN`].
    pub compact_min: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            segment: SEGMENT_SIZE,
            group_max: GROUP_SIZE_MAX,
            group_worth: GROUP_WORTH,
            unsynced_max: UNSYNCED_MAX,
            pending_max: JOURNAL_PENDING_MAX,
            garbage_min: GARBAGE_MIN,
            journal_max: JOURNAL_SIZE_MAX,
            aside_batch: ASIDE_BATCH,
            aside_share: ASIDE_SHARE,
            resident_max: RESIDENT_MAX,
            compact_min: COMPACT_MIN,
        }
    }
}
