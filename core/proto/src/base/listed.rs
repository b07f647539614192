//! Messages without their bodies, as records list them.
//!
//! Floor: base.

use super::record::{History, Holder, Place};

/// A message without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its place in the order.
    pub sequence: u64,
    /// Its id, unique in the hub.
    pub message_id: u64,
    /// Where it lies; nowhere if it is lost.
    pub place: Place,
    /// Bytes of body, key and headers.
    pub bytes: u32,
    /// Its priority.
    pub priority: u8,
    /// Failed attempts.
    pub failures: u32,
    /// Somebody held it before.
    pub redelivered: bool,
    /// A process died that held it.
    pub suspect: bool,
    /// What only few messages have.
    pub more: Option<Box<ListedMore>>,
}

/// What only few of them have.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListedMore {
    /// When it was stored, by the hub's clock; 0 if that does not matter.
    pub time_ms: u64,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// Its attempts.
    pub history: History,
}
