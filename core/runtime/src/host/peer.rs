//! One connection of a hosted hub.
//!
//! Floor: link.

use telpher_proto::base::Time;
use telpher_proto::hub::PortId;

use crate::link::Link;

/// A connection and its port.
pub(super) struct Peer {
    pub(super) port: PortId,
    pub(super) link: Link,
    pub(super) is_unix: bool,
    /// Listed as having something to read.
    pub(super) is_ready: bool,
    /// Listed as having something to write.
    pub(super) is_dirty: bool,
    /// The hub wants nothing read from it now.
    pub(super) is_paused: bool,
    /// To be dropped when its outbox is empty, or at this moment.
    pub(super) closing: Option<Time>,
}

impl Peer {
    pub(super) fn new(port: PortId, link: Link, is_unix: bool) -> Peer {
        Peer {
            port,
            link,
            is_unix,
            is_ready: false,
            is_dirty: false,
            is_paused: false,
            closing: None,
        }
    }
}
