//! A queue's figures, as a plain read-only object.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::Overflow;

use crate::types::{described, durability};

/// A queue's figures and options.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct QueueInfo {
    /// Messages waiting that could be handed out now.
    pub ready: u64,
    /// Messages held by consumers.
    pub held: u64,
    /// Messages that wait for their next attempt.
    pub delayed: u64,
    /// Messages whose body on disk was found damaged: never handed out, they count until a purge.
    pub damaged: u64,
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
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: u64,
    /// Bound on messages.
    pub length_max: u64,
    /// Bound on bytes.
    pub bytes_max: u64,
    /// What happens at a bound: "wait" or "reject".
    pub overflow: &'static str,
    /// How safe a confirmed message is: "memory", "os" or "disk".
    pub durability: &'static str,
    /// Failed attempts after which a message goes to the dead-letter queue.
    pub max_attempts: u32,
    /// Pause after the first failed attempt, in seconds.
    pub backoff_min: f64,
    /// Longest pause, in seconds.
    pub backoff_max: f64,
    /// Seconds after which an unsettled message is taken back; None: never.
    pub ack_deadline: Option<f64>,
    /// Seconds after which a waiting message goes to the dead-letter queue; None: never.
    pub ttl: Option<f64>,
    /// The queue where dead letters go; None: they are gone.
    pub dead_letter: Option<String>,
    /// Patterns of topics that are bound to it, in order.
    pub bindings: Vec<String>,
}
described!(QueueInfo {
    ready,
    held,
    delayed,
    damaged,
    bytes,
    sends_waiting,
    consumers,
    sent,
    acknowledged,
    rejected,
    requeued,
    dead_lettered,
    length_max,
    bytes_max,
    overflow,
    durability,
    max_attempts,
    backoff_min,
    backoff_max,
    ack_deadline,
    ttl,
    dead_letter,
    bindings
});

impl From<telpher::QueueInfo> for QueueInfo {
    fn from(info: telpher::QueueInfo) -> QueueInfo {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let unless_never = |ms: u64| (ms != 0).then(|| seconds(ms));
        QueueInfo {
            ready: info.ready,
            held: info.held,
            delayed: info.delayed,
            damaged: info.damaged,
            bytes: info.bytes,
            sends_waiting: info.sends_waiting,
            consumers: info.consumers,
            sent: info.sent,
            acknowledged: info.acknowledged,
            rejected: info.rejected,
            requeued: info.requeued,
            dead_lettered: info.dead_lettered,
            length_max: info.length_max,
            bytes_max: info.bytes_max,
            overflow: match info.overflow {
                Overflow::Wait => "wait",
                Overflow::Reject => "reject",
            },
            durability: durability(info.durability),
            max_attempts: info.max_attempts,
            backoff_min: seconds(info.backoff_min_ms),
            backoff_max: seconds(info.backoff_max_ms),
            ack_deadline: unless_never(info.ack_deadline_ms),
            ttl: unless_never(info.ttl_ms),
            dead_letter: info.dead_letter.map(|name| name.to_string()),
            bindings: info.bindings.iter().map(ToString::to_string).collect(),
        }
    }
}
