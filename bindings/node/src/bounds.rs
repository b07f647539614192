//! The limits and defaults that JavaScript has to know before it hands something over.
//!
//! Floor: telpher.

use napi_derive::napi;
use telpher::limits;

/// Longest time that may be stated, in ms.
#[napi]
pub const TIMEOUT_MAX_MS: f64 = limits::TIMEOUT_MAX_MS as f64;
/// Time an operation has if it does not say, in ms.
#[napi]
pub const TIMEOUT_DEFAULT_MS: f64 = limits::TIMEOUT_DEFAULT_MS as f64;
/// Largest body, in bytes.
#[napi]
pub const BODY_SIZE_MAX: u32 = limits::BODY_SIZE_MAX as u32;
/// Largest bound on operations in flight.
#[napi]
pub const IN_FLIGHT_MAX: u32 = limits::IN_FLIGHT_MAX as u32;
/// Requests one instance handles at once if it does not say.
#[napi]
pub const CONCURRENCY_DEFAULT: u32 = limits::CONCURRENCY_DEFAULT;
/// Requests that may wait in a service's line if it does not say.
#[napi]
pub const LINE_DEFAULT: u32 = limits::LINE_DEFAULT;
/// Messages that a consumer may hold if it does not say.
#[napi]
pub const PREFETCH_DEFAULT: u32 = limits::PREFETCH_DEFAULT;
/// Messages on their way to a subscriber if it does not say.
#[napi]
pub const SUBSCRIPTION_BUFFER_DEFAULT: u32 = limits::SUBSCRIPTION_BUFFER_DEFAULT;
/// Bytes on their way to one subscriber.
#[napi]
pub const SUBSCRIPTION_BYTES_MAX: u32 = limits::SUBSCRIPTION_BYTES_MAX as u32;
/// Publishes that may wait because of one declaration of topics.
#[napi]
pub const LINE_MAX: u32 = limits::LINE_MAX;
/// Most that one gather asks.
#[napi]
pub const GATHER_ASKED_MAX: u32 = limits::GATHER_ASKED_MAX as u32;
/// Bytes of answers that wait for one gather.
#[napi]
pub const GATHER_BYTES_MAX: u32 = limits::GATHER_BYTES_MAX as u32;
/// Longest name or pattern, in bytes.
#[napi]
pub const NAME_SIZE_MAX: u32 = limits::NAME_SIZE_MAX as u32;
/// Largest key, in bytes.
#[napi]
pub const KEY_SIZE_MAX: u32 = limits::KEY_SIZE_MAX as u32;
/// Most failed attempts that a queue may allow.
#[napi]
pub const ATTEMPTS_MAX: u32 = limits::ATTEMPTS_MAX;
/// Longest pause, and longest `ack_deadline`, in ms.
#[napi]
pub const DELAY_MAX_MS: u32 = limits::DELAY_MAX_MS as u32;
/// Longest reason given with a verdict, in bytes.
#[napi]
pub const REASON_SIZE_MAX: u32 = limits::REASON_SIZE_MAX as u32;
/// Parts of one batch.
#[napi]
pub const BATCH_PARTS_MAX: u32 = limits::BATCH_PARTS_MAX as u32;
/// Bytes of bodies, keys and headers in one batch.
#[napi]
pub const BATCH_SIZE_MAX: u32 = limits::BATCH_SIZE_MAX as u32;
/// Partitions of a stream.
#[napi]
pub const PARTITIONS_MAX: u32 = limits::PARTITIONS_MAX;
/// Bytes of records on their way to a reader if it does not say.
#[napi]
pub const READ_BUFFER_DEFAULT: u32 = limits::READ_BUFFER_DEFAULT;
/// Most bytes of records that may be on their way to a reader.
#[napi]
pub const READ_BUFFER_MAX: u32 = limits::READ_BUFFER_MAX;
