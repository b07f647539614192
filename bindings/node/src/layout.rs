//! The layout of the records that cross the boundary; JavaScript reads these numbers from here.
//!
//! Both kinds of record are `RECORD_WORDS` 32-bit words; bodies, keys and headers lie beside them
//! in a byte array, one after the other. Two words make an unsigned 64-bit number or a double, the
//! low half first.
//!
//! ```text
//! word  operation                         event
//! 0     kind, 0 when it was started       what
//! 1     slot                              slot
//! 2     number of the interned name       offset into the bytes
//! 3     offset into the bytes             bytes of the body
//! 4     bytes of the body                 bytes of the key
//! 5     bytes of the key                  bytes of the headers
//! 6     bytes of the headers              small number
//! 7     small number                      second small number
//! 8-9   second small number               token
//! 10-11 token                             message id
//! 12-13 time in ms (double)               number (double)
//! 14-15 waiting since, in ms (double)     flag
//! ```
//!
//! The first record of a batch of events is its head: count, bytes used, bytes that the next event
//! needs, 1 if more are left.
//!
//! What some operations and events carry in a way of their own:
//!
//! ```text
//! SETTLE      small number: the verdict; body: the reason
//! EXTEND      small number: ms
//! CONSUME     small numbers: prefetch, ms of the ack_deadline
//! SERVE       small numbers: concurrency, requests that may wait; the word behind them: 1 with a
//!             name of its own, which is the body
//! SUBSCRIBE   small numbers: buffer, 1 with a name of its own; body: the pattern; key: that name
//! DECLARE     small numbers: durability (0: the default), overflow; body: seven doubles, in the
//!             order of `lib/queue.cjs`; key: the name of the dead-letter queue
//! BIND        body: the pattern; second small number: 1 for a stream; UNBIND has the same
//! BATCH       body: the records of its parts; key: their bytes, where their offsets count from
//! QUEUE_INFO  small numbers: durability, overflow; body: doubles, in the order of `lib/pages.cjs`;
//!             key: the name of the dead-letter queue; headers: bound patterns, with a space
//!             between two
//! DECLARE_TOPIC  small numbers: publishes that may wait (0: the default), 1 to wait; body: the
//!             pattern; DELETE_TOPIC and INSPECT_TOPIC have only that
//! TOPIC_INFO  small numbers: publishes that may wait, 1 to wait; number: those that wait
//! APPEND      second small number: partition + 1 (0: anyone); the word behind it: 1 if an offset
//!             is expected, which is the token
//! DECLARE_STREAM  small numbers: durability, partitions (0: the default); body: three doubles, in
//!             the order of `lib/stream.cjs`
//! READ        small numbers: buffer, partition + 1 (0: all); the word behind them: where it
//!             begins, `FOLLOW` more to follow, twice that for a member of a group; token: the
//!             offset or time of where it begins; body: a double, the ms that it is at work at
//!             most (0: any), then the group; key and headers: what a record must have
//! COMMIT      word 4: partition; words 5-6: generation; words 8-9: reader; token: the next offset
//! RESET_GROUP body: the group; second small number, the word behind it and token as in READ
//! DELETE_GROUP  body: the group
//! APPENDED    small numbers: durability, partition; token: offset
//! STREAM_INFO small numbers: durability, partitions; body: doubles as in DECLARE_STREAM, then
//!             three unsigned numbers of 64 bits for each partition: first, next, bytes; then
//!             bound patterns, with a space between two
//! GROUPS      body: see `groups.rs`
//! RECORD      small numbers: partition, bytes that count as taken with it; token: offset; message
//!             id: generation; number: time in ms; flag, with the word behind it: reader
//! SKIPPED     small number: partition; token: the first offset; message id: the last one
//! RECEIPTS    body: three words for each receipt: message id and durability
//! GATHER      second small numbers: answers that are enough, 1 for a topic
//! PUBLISHED   number: the message's; second small number: bytes of the topic, which lie behind the
//!             headers; token: 0 if no answer is gathered; message id: bytes that count as taken
//! ANSWER      token: who gives it; message id: bytes of its name, which lies behind the headers;
//!             flag: it is a failure, and the body its text, the small numbers as of an error
//! GATHERED    body: answers and failures, then each that is missing: two words of its number, one
//!             of its kind, 1 if it may have run, bytes of its text and of its name, and these
//! ```
//!
//! A part of a batch is a record of kind `SEND`, `PUBLISH`, `APPEND`, `SETTLE` or `COMMIT`. Its
//! word 2 is the size of the queue's, topic's or stream's name, whose bytes lie before the body:
//! numbers of names may change before a batch is submitted.

use napi_derive::napi;
use telpher::Verdict;

/// Words of one record.
#[napi]
pub const RECORD_WORDS: u32 = 16;
/// The slot of an operation whose outcome nobody looks at, and of notices.
#[napi]
pub const NO_SLOT: u32 = u32::MAX;

/// Kinds of operation.
#[napi]
pub const CALL: u32 = 1;
#[napi]
pub const SEND: u32 = 2;
#[napi]
pub const RECEIVE: u32 = 3;
#[napi]
pub const DECLARE: u32 = 4;
#[napi]
pub const DELETE: u32 = 5;
#[napi]
pub const PURGE: u32 = 6;
#[napi]
pub const INSPECT: u32 = 7;
#[napi]
pub const EXTEND: u32 = 8;
#[napi]
pub const BATCH: u32 = 9;
#[napi]
pub const PUBLISH: u32 = 10;
#[napi]
pub const BIND: u32 = 11;
#[napi]
pub const UNBIND: u32 = 12;
#[napi]
pub const GATHER: u32 = 13;
#[napi]
pub const APPEND: u32 = 14;
#[napi]
pub const DECLARE_STREAM: u32 = 15;
#[napi]
pub const DELETE_STREAM: u32 = 16;
#[napi]
pub const INSPECT_STREAM: u32 = 17;
#[napi]
pub const LIST_GROUPS: u32 = 18;
#[napi]
pub const RESET_GROUP: u32 = 19;
#[napi]
pub const DELETE_GROUP: u32 = 20;
#[napi]
pub const COMMIT: u32 = 21;
#[napi]
pub const DECLARE_TOPIC: u32 = 22;
#[napi]
pub const DELETE_TOPIC: u32 = 23;
#[napi]
pub const INSPECT_TOPIC: u32 = 24;
/// From here on: what the hub never refuses for want of room, because it makes room. These
/// overtake operations that wait for room.
#[napi]
pub const SERVE: u32 = 25;
#[napi]
pub const CONSUME: u32 = 26;
#[napi]
pub const SUBSCRIBE: u32 = 27;
#[napi]
pub const READ: u32 = 28;
#[napi]
pub const SETTLE: u32 = 29;
#[napi]
pub const REPLY: u32 = 30;
#[napi]
pub const REPLY_ERROR: u32 = 31;

/// Where reading begins.
#[napi]
pub const START_BEGINNING: u32 = 0;
#[napi]
pub const START_END: u32 = 1;
#[napi]
pub const START_OFFSET: u32 = 2;
#[napi]
pub const START_TIME: u32 = 3;
/// What is added to where reading begins if it follows; twice that for a member of a group.
#[napi]
pub const FOLLOW: u32 = 4;

/// What becomes of a delivery.
#[napi]
pub const ACKNOWLEDGE: u32 = Verdict::Acknowledge as u32;
#[napi]
pub const REJECT: u32 = Verdict::Reject as u32;
#[napi]
pub const REQUEUE: u32 = Verdict::Requeue as u32;
#[napi]
pub const RELEASE: u32 = Verdict::Release as u32;

/// What an event is; up to `ERROR` it ends its slot.
#[napi]
pub const EMPTY: u32 = 1;
#[napi]
pub const OPENED: u32 = 2;
#[napi]
pub const REPLIED: u32 = 3;
#[napi]
pub const RECEIPT: u32 = 4;
#[napi]
pub const RECEIVED: u32 = 5;
#[napi]
pub const COUNT: u32 = 6;
#[napi]
pub const QUEUE_INFO: u32 = 7;
#[napi]
pub const RECEIPTS: u32 = 8;
#[napi]
pub const GATHERED: u32 = 9;
#[napi]
pub const APPENDED: u32 = 10;
#[napi]
pub const STREAM_INFO: u32 = 11;
#[napi]
pub const GROUPS: u32 = 12;
#[napi]
pub const TOPIC_INFO: u32 = 13;
#[napi]
pub const ERROR: u32 = 14;
#[napi]
pub const STARTED: u32 = 15;
#[napi]
pub const DELIVERY: u32 = 16;
#[napi]
pub const REQUEST: u32 = 17;
#[napi]
pub const PUBLISHED: u32 = 18;
#[napi]
pub const RECORD: u32 = 19;
#[napi]
pub const WITHDRAWN: u32 = 20;
#[napi]
pub const NOTICE: u32 = 21;
#[napi]
pub const READY: u32 = 22;
#[napi]
pub const ANSWER: u32 = 23;
#[napi]
pub const SKIPPED: u32 = 24;

/// How to submit: bit set of these.
#[napi]
pub const SUBMIT_BLOCKED: u32 = 1;
#[napi]
pub const SUBMIT_FLUSH: u32 = 2;

/// What `submit` returns above the index of the first record that was not started.
#[napi]
pub const SUBMITTED_FULL: u32 = 1 << 30;
#[napi]
pub const SUBMITTED_EVENTS: u32 = 1 << 29;

pub(crate) const WORDS: usize = RECORD_WORDS as usize;

/// Two words as a double.
pub(crate) fn double(words: &[u32], at: usize) -> f64 {
    f64::from_bits(long(words, at))
}

/// Two words as an unsigned number.
pub(crate) fn long(words: &[u32], at: usize) -> u64 {
    u64::from(words[at]) | u64::from(words[at + 1]) << 32
}

/// Writes an unsigned number into two words.
pub(crate) fn set_long(words: &mut [u32], at: usize, value: u64) {
    words[at] = value as u32;
    words[at + 1] = (value >> 32) as u32;
}

/// Writes a double into two words.
pub(crate) fn set_double(words: &mut [u32], at: usize, value: f64) {
    set_long(words, at, value.to_bits());
}
