//! The structs of the interface, laid out for C.
//!
//! What C fills in holds no Rust enum and no `bool`, so that any bytes are a valid value; all bytes
//! zero are every default. What C reads may grow at its end only.
//!
//! Floor: `pointed`.

use std::ffi::{c_char, c_void};

pub use crate::pointed::*;
pub use crate::types_streams::*;

/// How a function or an operation ended: TELPHER_OK or the number of an error.
pub type telpher_status = u32;

/// A handle to a hub, as telpher_open makes it; never 0, never used again. Every function that
/// takes one may be called from any thread, and refuses a closed or foreign one.
pub type telpher_hub = u64;

/// Names a ticket, a consumer, a service, a subscriber or a reader of one handle; never 0, never
/// used again.
pub type telpher_id = u64;

/// Names a message that telpher_message_retain keeps; never 0.
pub type telpher_retained = u64;

/// Names a batch of telpher_batch_new; never 0, never used again.
pub type telpher_batch = u64;

/// Takes an outcome, on the thread that drives the handle, with no lock held. The event is valid
/// until the function returns. The function may start operations and close the handle; it must not
/// wait for operations (TELPHER_WOULD_DEADLOCK), throw, nor jump out.
pub type telpher_done_fn = Option<unsafe extern "C" fn(event: *const telpher_event, user: u64)>;

/// Takes back a body that was handed over. Runs exactly once, on any thread.
pub type telpher_release_fn = Option<unsafe extern "C" fn(release_arg: *mut c_void)>;

/// Where an outcome goes. Where a function takes one, NULL means TELPHER_DONE_WAIT if the function
/// gives an id, and TELPHER_DONE_NONE if `id_out` is NULL as well.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_done {
    /// sizeof(telpher_done)
    pub size: usize,
    /// TELPHER_DONE_WAIT, _EVENT, _CALLBACK or _NONE.
    pub kind: u32,
    /// The program's own number, given back with every event. With TELPHER_DONE_WAIT, unused.
    pub user: u64,
    /// With TELPHER_DONE_CALLBACK: what is called. Otherwise NULL.
    pub r#fn: telpher_done_fn,
}

/// A name and a value that travel with a message.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_header {
    /// 1 to 255 bytes, UTF-8.
    pub name: *const c_char,
    /// At most 65,536 bytes; all headers of a message together, too.
    pub value: *const c_void,
    /// Bytes of `value`.
    pub value_size: usize,
}

/// W3C trace context. All bytes zero: none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_trace {
    /// Which trace.
    pub trace_id: [u8; 16],
    /// Which span the message was sent from.
    pub span_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

/// A message to be sent: a body and its properties. TELPHER_BODY makes one of a body alone.
///
/// Without `release` everything is copied before the function returns. With it, the body is handed
/// over: it must stay as it is until `release(release_arg)` is called, which happens exactly once,
/// also when the function fails. (If `size` is refused, or is too small to hold `release`, there
/// was nothing to call.) Key, headers and trace are always copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_message {
    /// sizeof(telpher_message)
    pub size: usize,
    /// At most 8 MiB. Telpher never looks into it.
    pub body: *const c_void,
    /// Bytes of `body`; 0 allows NULL.
    pub body_size: usize,
    /// NULL, or what takes the body back.
    pub release: telpher_release_fn,
    /// Given to `release`.
    pub release_arg: *mut c_void,
    /// Which messages belong together: at most 1,024 bytes. NULL: none.
    pub key: *const c_void,
    /// Bytes of `key`.
    pub key_size: usize,
    /// NULL if there are none.
    pub headers: *const telpher_header,
    /// How many headers there are.
    pub headers_count: usize,
    /// sizeof(telpher_header)
    pub headers_stride: usize,
    /// When it was sent, in ms since 1970; 0 if not stated.
    pub timestamp_ms: u64,
    /// 0 to 255; higher is delivered first.
    pub priority: u32,
    /// Where the message was sent from.
    pub trace: telpher_trace,
}

/// How a hub is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_open_options {
    /// sizeof(telpher_open_options)
    pub size: usize,
    /// Time until opening fails: 0 is the default of 30,000, TELPHER_FOREVER none.
    pub timeout_ms: i64,
    /// TELPHER_DRIVE_LIBRARY, _CALLER or _INLINE.
    pub drive: u32,
    /// TELPHER_HOST_AUTO, _NEVER or _ALWAYS.
    pub host: u32,
    /// Operations in flight, 1 to 65,536; 0 is the default of 1,024.
    pub in_flight_max: usize,
    /// Further addresses at which a hub hosted by this process listens (tcp, unix).
    pub listen: *const *const c_char,
    /// How many there are.
    pub listen_count: usize,
    /// How long a hub hosted here keeps a remote session whose connection broke; 0 is the default
    /// of 5,000.
    pub session_grace_ms: u64,
    /// 1: listen at addresses other than loopback, where anybody may connect.
    pub insecure: u32,
    /// 1: a signal ends a wait as TELPHER_INTERRUPTED.
    pub interruptible: u32,
    /// Where NOTICE and READY events go, any but TELPHER_DONE_WAIT; NULL: nowhere.
    pub notices: *const telpher_done,
}

/// How a call is made.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_call_options {
    /// sizeof(telpher_call_options)
    pub size: usize,
    /// Time for the reply, waiting in line included: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// The token of the request that is being handled, if any: the call gets no more time than the
    /// request has left.
    pub request: u64,
}

/// How a name is served.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_serve_options {
    /// sizeof(telpher_serve_options)
    pub size: usize,
    /// Time until the service must be live: 0 and TELPHER_FOREVER are without bound.
    pub timeout_ms: i64,
    /// Requests handled at once, 1 to 65,536; 0 is the default of 1.
    pub concurrency: u32,
    /// Requests that may wait while all instances are busy, up to 1,048,576; 0 is the default of
    /// 1,024, TELPHER_LINE_NONE none.
    pub line_max: u32,
    /// What this instance calls itself, as a service is named; NULL: nothing. Whoever gathers its
    /// answers sees it with each, or with its place among those that did not answer. Two may state
    /// the same name.
    pub instance_name: *const c_char,
}

/// A handler's failure, as its caller sees it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_failure {
    /// sizeof(telpher_failure)
    pub size: usize,
    /// The program's own code.
    pub code: i32,
    /// What went wrong, UTF-8; NULL: nothing to say.
    pub text: *const c_char,
}

/// How a queue is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_declare_options {
    /// sizeof(telpher_declare_options)
    pub size: usize,
    /// Time for the declaration: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// TELPHER_DURABILITY_DEFAULT, _MEMORY, _OS or _DISK.
    pub durability: u32,
    /// TELPHER_OVERFLOW_WAIT or _REJECT.
    pub overflow: u32,
    /// Messages, waiting and held; 0 is the default of 1,000,000.
    pub length_max: u64,
    /// Bytes of bodies, keys and headers; 0 is the default of 256 MiB. At most 1 GiB in memory, at
    /// most 1 TiB on disk.
    pub bytes_max: u64,
    /// Failed attempts after which a message goes to the dead-letter queue, 1 to 1,000; 0 is the
    /// default of 20.
    pub max_attempts: u32,
    /// Pause after the first failed attempt, in ms, at most a day (86,400,000); 0 is the default of
    /// 100. It doubles with each further one; each pause is drawn at random between half and all of
    /// its value.
    pub backoff_min_ms: u64,
    /// Longest pause, in ms, at least `backoff_min_ms` and at most a day; 0 is the default of
    /// 60,000.
    pub backoff_max_ms: u64,
    /// Time after which a message that was handed over and not settled is taken back as a failed
    /// attempt, in ms, at most a day; 0: never. telpher_extend moves it.
    pub ack_deadline_ms: u64,
    /// Time after which a message that nobody holds goes to the dead-letter queue, in ms, at most
    /// 1,000,000,000,000; 0: never.
    pub ttl_ms: u64,
    /// The queue that dead letters go to, made when it is first needed; another one than this. NULL
    /// is the queue's own name with `.dead` behind it, so the name may then have at most 250 bytes;
    /// a queue whose own name ends with `.dead` then has none: what is rejected there is gone, and
    /// attempts do not end. It has the same durability, or DISK where this one has OS. Its own
    /// `ttl_ms` counts from a message's death.
    pub dead_letter: *const c_char,
}

/// How a message is sent to a queue.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_send_options {
    /// sizeof(telpher_send_options)
    pub size: usize,
    /// Time until it is confirmed, waiting for room included: 0 is the default of 30,000.
    pub timeout_ms: i64,
}

/// How a message is taken from a queue.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_receive_options {
    /// sizeof(telpher_receive_options)
    pub size: usize,
    /// Time to wait for a message: 0 is the default of 30,000, TELPHER_FOREVER none.
    pub timeout_ms: i64,
}

/// How messages are consumed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_consume_options {
    /// sizeof(telpher_consume_options)
    pub size: usize,
    /// Time until the consumer must be live: 0 and TELPHER_FOREVER are without bound.
    pub timeout_ms: i64,
    /// Messages held at once, 1 to 65,536; 0 is the default of 64.
    pub prefetch: u32,
    /// Time after which a message that was handed over and not settled is taken back as a failed
    /// attempt, in ms, at most a day (86,400,000); 0: the queue's. telpher_extend moves it.
    pub ack_deadline_ms: u32,
}

/// What is said with a verdict on a delivery.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_settle_options {
    /// sizeof(telpher_settle_options)
    pub size: usize,
    /// With TELPHER_REJECT and _REQUEUE: why, at most 1,024 bytes, UTF-8. It is kept with the
    /// message, and a dead letter carries it as a header. NULL: nothing to say.
    pub reason: *const c_char,
}

/// How a batch is submitted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_batch_options {
    /// sizeof(telpher_batch_options)
    pub size: usize,
    /// Time until it is confirmed: 0 is the default of 30,000.
    pub timeout_ms: i64,
}

/// How a message is published.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_publish_options {
    /// sizeof(telpher_publish_options)
    pub size: usize,
    /// Time until the hub has done it: 0 is the default of 30,000.
    pub timeout_ms: i64,
}

/// How answers are gathered.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_gather_options {
    /// sizeof(telpher_gather_options)
    pub size: usize,
    /// Time after which it ends with what has come: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// TELPHER_GATHER_SERVICE or _TOPIC: what the name is.
    pub kind: u32,
    /// Answers after which it ends, failures not counted, at most 4,096; 0: all.
    pub count: u32,
}

/// How messages are subscribed to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_subscribe_options {
    /// sizeof(telpher_subscribe_options)
    pub size: usize,
    /// Time until the subscription must be live: 0 and TELPHER_FOREVER are without bound.
    pub timeout_ms: i64,
    /// Messages on their way to the program, 1 to 65,536; as many more wait in the hub. 0 is the
    /// default of 1,024.
    pub buffer: u32,
    /// What this subscriber calls itself, as in telpher_serve_options; NULL: nothing.
    pub instance_name: *const c_char,
}

/// How topics are.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_topic_options {
    /// sizeof(telpher_topic_options)
    pub size: usize,
    /// Time for the declaration: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// TELPHER_TOPIC_OVERFLOW_DROP or _WAIT.
    pub overflow: u32,
    /// With TELPHER_TOPIC_OVERFLOW_WAIT: publishes that may wait in line, 1 to 1,048,576; 0 is the
    /// default of 1,024. Beyond these a publish is TELPHER_FULL.
    pub line_max: u32,
}

/// A message's headers; see telpher_header_get.
pub struct telpher_headers {
    _private: [u8; 0],
}

/// Something has ended or arrived. What does not belong to its kind is 0.
///
/// Events are handed over in batches (which have nothing to do with telpher_batch_new). Every
/// pointer is valid until telpher_events_release of the batch that the event came in, and
/// telpher_message_retain keeps the message's own (body, key, headers) longer. The program may copy
/// an event.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_event {
    /// Bytes of this struct. The program sets it before telpher_wait; telpher_poll goes by
    /// `stride`.
    pub size: usize,
    /// TELPHER_EVENT_DONE, _STARTED, _DELIVERY, _REQUEST, _WITHDRAWN, _NOTICE, _READY, _PUBLISHED,
    /// _GAP, _ANSWER, _RECORD or _SKIPPED.
    pub kind: u32,
    /// DONE: how the ticket ended. ANSWER: how the handler did.
    pub status: telpher_status,
    /// Which ticket, consumer, service, subscriber or reader; 0 for the handle itself.
    pub id: telpher_id,
    /// What telpher_done carried; 0 with TELPHER_DONE_WAIT.
    pub user: u64,
    /// The batch, for telpher_events_release and telpher_message_retain.
    pub batch: u64,
    /// The event's place in its batch.
    pub batch_index: u32,
    /// DONE of a call, ANSWER: the code that the failing handler gave.
    pub code: i32,
    /// A delivery's or request's token, to be settled or answered; also in the DONE of a receive.
    /// Of a PUBLISHED: 0, or to be answered.
    pub token: u64,
    /// The body of a reply, answer, delivery, request, published message or record. NULL if it is
    /// empty.
    pub body: *const c_void,
    /// Bytes of `body`.
    pub body_size: usize,
    /// The message's key; NULL: none.
    pub key: *const c_void,
    /// Bytes of `key`.
    pub key_size: usize,
    /// The message's headers; NULL: none.
    pub headers: *const telpher_headers,
    /// When the message was sent, in ms since 1970 by its sender's clock; 0 if not stated.
    pub timestamp_ms: u64,
    /// The message's id, unique in the hub: of a delivery, or in the DONE of a send.
    pub message_id: u64,
    /// DONE of a delete or purge: messages removed. GAP: messages lost.
    pub count: u64,
    /// A failed DONE or ANSWER: what was wrong; DISCONNECTED: why. Otherwise NULL.
    pub detail: *const c_char,
    /// DONE of an inspect: the figures.
    pub queue_info: *const telpher_queue_info,
    /// DONE of an open: the hub.
    pub hub_info: *const telpher_hub_info,
    /// HUB_CHANGED: the new host's epoch.
    pub epoch: u64,
    /// NOTICE: TELPHER_NOTICE_DISCONNECTED, _RESUMED or _HUB_CHANGED.
    pub notice: u32,
    /// Attempts of the message that failed before.
    pub failures: u32,
    /// DONE of a send or append: how safe the message is, TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    pub durability: u32,
    /// The message's priority, 0 to 255.
    pub priority: u32,
    /// True if somebody held the message before.
    pub redelivered: bool,
    /// A failed DONE or ANSWER: true if the operation may have taken effect.
    pub maybe_executed: bool,
    /// HUB_CHANGED: true if what queues and streams held in memory is gone.
    pub memory_lost: bool,
    /// Where the message was sent from; all zero: not stated.
    pub trace: telpher_trace,
    /// DONE of a batch: what its sends have reached, in their order. NULL if it had none.
    pub receipts: *const telpher_receipt,
    /// How many receipts there are.
    pub receipts_count: usize,
    /// PUBLISHED: the topic. Otherwise NULL.
    pub topic: *const c_char,
    /// PUBLISHED: counts the messages of this subscriber, from 1. GAP: the first that was lost.
    pub number: u64,
    /// ANSWER: who gives it, a number that an instance or subscriber keeps while it is registered
    /// with one host.
    pub instance: u64,
    /// DONE of a gather: who did not answer, in the order in which they were asked. NULL if nobody.
    pub missing: *const telpher_missing,
    /// How many these are.
    pub missing_count: usize,
    /// DONE of a gather: answers.
    pub answered: u32,
    /// DONE of a gather: answers that say that the handler failed.
    pub failed: u32,
    /// RECORD, or DONE of an append: counts the records of the partition, from 0.
    /// SKIPPED: the first that never comes.
    pub offset: u64,
    /// RECORD: when it was appended, in ms since 1970 by the hub's clock; never less than of the
    /// record before it.
    pub time_ms: u64,
    /// RECORD, SKIPPED, or DONE of an append: the part of the stream that it is in.
    pub partition: u32,
    /// DONE of telpher_stream_inspect: the figures.
    pub stream_info: *const telpher_stream_info,
    /// DONE of telpher_stream_list: pointers to the figures of each stream. NULL if there are none.
    pub streams: *const *const telpher_stream_info,
    /// How many streams there are.
    pub streams_count: usize,
    /// RECORD of a member of a group: what it is committed with (telpher_commit).
    pub generation: u64,
    /// SKIPPED: the last offset that never comes.
    pub offset_last: u64,
    /// DONE of telpher_group_list: pointers to the figures of each group. NULL if there are none.
    pub groups: *const *const telpher_group_info,
    /// How many groups there are.
    pub groups_count: usize,
    /// DONE of telpher_topic_inspect: the declaration.
    pub topic_info: *const telpher_topic_info,
    /// DONE of telpher_topic_list: the declarations. NULL if there are none.
    pub topics: *const telpher_topic_info,
    /// How many declarations these are.
    pub topics_count: usize,
    /// ANSWER: what who gives it calls itself. NULL if it has stated no name. Several may have
    /// stated the same; `instance` tells them apart.
    pub instance_name: *const c_char,
}

/// Counters of one handle, since it was opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_counters {
    /// sizeof(telpher_counters), set before telpher_stats.
    pub size: usize,
    /// Operations open now, handed-over outcomes not counted.
    pub in_flight: u64,
    /// Bytes of bodies open now.
    pub in_flight_bytes: u64,
    /// Operations started.
    pub started: u64,
    /// Operations that ended with an error.
    pub failed: u64,
    /// Of these, with nobody to look at them.
    pub failed_unseen: u64,
    /// Connections made.
    pub connects: u64,
}
