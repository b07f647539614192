//! What operations end with, as plain read-only objects.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Durability, Overflow};

macro_rules! described {
    ($class:ident { $($field:ident),+ }) => {
        #[pymethods]
        impl $class {
            fn __repr__(&self) -> String {
                let fields = [$(format!("{}={:?}", stringify!($field), self.$field)),+];
                format!("{}({})", stringify!($class), fields.join(", "))
            }
        }
    };
}

/// What a confirmed send has reached.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct Receipt {
    /// The message's id, unique in the hub.
    pub message_id: u64,
    /// How safe it is now: "memory", "os" or "disk".
    pub durability: &'static str,
}
described!(Receipt { message_id, durability });

/// A queue's figures.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct QueueInfo {
    /// Messages waiting.
    pub ready: u64,
    /// Messages held by consumers.
    pub held: u64,
    /// Bytes of bodies, keys and headers, waiting and held.
    pub bytes: u64,
    /// Sends waiting for room.
    pub sends_waiting: u64,
    /// Consumers, and receives that wait.
    pub consumers: u64,
    /// Messages stored since the queue was made.
    pub sent: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Messages rejected.
    pub rejected: u64,
    /// Times that a message was requeued as failed.
    pub requeued: u64,
    /// Bound on messages.
    pub length_max: u64,
    /// Bound on bytes.
    pub bytes_max: u64,
    /// What happens at a bound: "wait" or "reject".
    pub overflow: &'static str,
    /// How safe a confirmed message is: "memory", "os" or "disk".
    pub durability: &'static str,
}
described!(QueueInfo {
    ready,
    held,
    bytes,
    sends_waiting,
    consumers,
    sent,
    acknowledged,
    rejected,
    requeued,
    length_max,
    bytes_max,
    overflow,
    durability
});

impl From<telpher::QueueInfo> for QueueInfo {
    fn from(info: telpher::QueueInfo) -> QueueInfo {
        QueueInfo {
            ready: info.ready,
            held: info.held,
            bytes: info.bytes,
            sends_waiting: info.sends_waiting,
            consumers: info.consumers,
            sent: info.sent,
            acknowledged: info.acknowledged,
            rejected: info.rejected,
            requeued: info.requeued,
            length_max: info.length_max,
            bytes_max: info.bytes_max,
            overflow: match info.overflow {
                Overflow::Wait => "wait",
                Overflow::Reject => "reject",
            },
            durability: durability(info.durability),
        }
    }
}

/// Which hub a handle has reached.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct HubInfo {
    /// The hub, for ever: 32 hexadecimal digits.
    pub hub_id: String,
    /// Rises with every host that the hub has had.
    pub epoch: u64,
    /// This handle's session.
    pub session_id: u64,
    /// True if queues are kept in memory only.
    pub memory_only: bool,
}
described!(HubInfo { hub_id, epoch, session_id, memory_only });

/// Something happened to the hub.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct Notice {
    /// "DISCONNECTED", "RESUMED" or "HUB_CHANGED".
    pub kind: &'static str,
    /// Why the connection broke; empty otherwise.
    pub reason: String,
    /// The new host's epoch; 0 if the hub has not changed.
    pub epoch: u64,
    /// True if what queues held in memory is gone.
    pub memory_lost: bool,
}
described!(Notice { kind, reason, epoch, memory_lost });

/// Counters of one handle, since it was opened.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct Stats {
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
described!(Stats { in_flight, in_flight_bytes, started, failed, failed_unseen, connects });

impl From<telpher::Stats> for Stats {
    fn from(stats: telpher::Stats) -> Stats {
        Stats {
            in_flight: stats.in_flight,
            in_flight_bytes: stats.in_flight_bytes,
            started: stats.started,
            failed: stats.failed,
            failed_unseen: stats.failed_unseen,
            connects: stats.connects,
        }
    }
}

/// The name of a durability.
pub fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    }
}
