//! The structs that events point to, laid out for C.
//!
//! Floor: `types`, for a name.

use std::ffi::c_char;

use crate::types::telpher_status;

/// Which hub a handle has reached.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_hub_info {
    /// The hub, for ever.
    pub hub_id: [u8; 16],
    /// Rises with every host that the hub has had.
    pub epoch: u64,
    /// This handle's session.
    pub session_id: u64,
    /// True if the hub has no directory: queues are kept in memory only.
    pub memory_only: bool,
}

/// A queue's figures, and how it is: each default in its place.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_queue_info {
    /// Messages waiting that could be handed out now.
    pub ready: u64,
    /// Messages held by consumers.
    pub held: u64,
    /// Bytes of bodies, keys and headers, waiting and held.
    pub bytes: u64,
    /// Sends waiting for room.
    pub sends_waiting: u64,
    /// Consumers, and receives that wait.
    pub consumers: u64,
    /// Messages stored since the queue was made, dead letters of other queues included.
    pub sent: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Messages rejected.
    pub rejected: u64,
    /// Times that an attempt failed and the message was to be tried again.
    pub requeued: u64,
    /// Bound on messages.
    pub length_max: u64,
    /// Bound on bytes.
    pub bytes_max: u64,
    /// TELPHER_OVERFLOW_WAIT or _REJECT.
    pub overflow: u32,
    /// TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    pub durability: u32,
    /// Messages that wait for their next attempt.
    pub delayed: u64,
    /// Messages whose body on disk was found damaged: never handed out, they count until a purge.
    pub damaged: u64,
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: u64,
    /// Pause after the first failed attempt, in ms.
    pub backoff_min_ms: u64,
    /// Longest pause, in ms.
    pub backoff_max_ms: u64,
    /// Time after which an unsettled message is taken back, in ms; 0: never.
    pub ack_deadline_ms: u64,
    /// Time after which a waiting message goes to the dead-letter queue, in ms; 0: never.
    pub ttl_ms: u64,
    /// Where dead letters go; NULL: nowhere. Valid as long as this struct.
    pub dead_letter: *const c_char,
    /// Failed attempts after which a message goes to the dead-letter queue.
    pub max_attempts: u32,
    /// Patterns of topics that are bound to it, in order, with a space between two; NULL: none.
    /// Valid as long as this struct.
    pub bindings: *const c_char,
}

/// A declaration of topics. Programs walk over arrays of it, so it stays as it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_topic_info {
    /// Its pattern, in a list; NULL in the DONE of telpher_topic_inspect. Valid as long as the
    /// event.
    pub pattern: *const c_char,
    /// Publishes that wait in line now.
    pub waiting: u64,
    /// TELPHER_TOPIC_OVERFLOW_DROP or _WAIT.
    pub overflow: u32,
    /// Publishes that may wait in line; 0 if none ever does.
    pub line_max: u32,
}

/// What a confirmed send of a batch has reached. Programs walk over arrays of it, so it stays as it
/// is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_receipt {
    /// The message's id, unique in the hub.
    pub message_id: u64,
    /// How safe it is: TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    pub durability: u32,
}

/// One that did not answer a gather. Programs walk over arrays of it, so it stays as it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_missing {
    /// Who, as in the ANSWERs of other gathers.
    pub instance: u64,
    /// What it calls itself; NULL if it has stated no name. Valid as long as the event.
    pub instance_name: *const c_char,
    /// Why, in words. Valid as long as the event.
    pub detail: *const c_char,
    /// Why: TELPHER_TIMED_OUT, _EXPIRED (it was busy all the time), _CANCELLED (enough others have
    /// answered), _BUSY, _NO_SERVICE (it stopped before it was asked), _ABANDONED (its session
    /// ended) or _LOST.
    pub status: telpher_status,
    /// True if it may have handled the request.
    pub maybe_executed: bool,
}
