//! What operations end with, as plain read-only objects.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::Durability;

/// Gives a class its `repr`: each field by its name, and as Python writes it.
macro_rules! described {
    ($class:ident { $($field:ident),+ }) => {
        #[pymethods]
        impl $class {
            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let mut fields = Vec::new();
                for name in [$(stringify!($field)),+] {
                    fields.push(format!("{name}={}", this.getattr(name)?.repr()?));
                }
                Ok(format!("{}({})", stringify!($class), fields.join(", ")))
            }
        }
    };
}
pub(crate) use described;

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
    /// True if the hub has no directory: its queues are kept in memory only.
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
    /// True if what queues with durability "memory" held is gone.
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

/// Each durability by its name.
pub const DURABILITIES: [(&str, Durability); 3] =
    [("memory", Durability::Memory), ("os", Durability::Os), ("disk", Durability::Disk)];

/// The name of a durability.
pub fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    }
}
