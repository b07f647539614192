//! Whether the process at the other end of a broken connection still lives.
//!
//! Floor: link, poller, system.

use std::os::fd::{AsRawFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use telpher_proto::hub::{Linger, SessionId};

use crate::clock;
use crate::descriptors::Descriptor;
use crate::link::Link;
use crate::system;

/// A process that is watched because a session waits for its end.
pub(super) struct Watched {
    pub(super) session: SessionId,
    process: Descriptor,
}

impl Watched {
    pub(super) fn new(session: SessionId, process: Descriptor) -> Watched {
        Watched { session, process }
    }
}

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.process.as_raw_fd()
    }
}

/// What becomes of the session behind a link that broke; with the process to watch, if any.
pub(super) fn judge(link: &Link, is_unix: bool) -> (Linger, Option<Descriptor>) {
    let socket = match link {
        Link::Ring(_) => return (Linger::Ended, None),
        Link::Socket(_) if !is_unix => return (Linger::Grace, None),
        Link::Socket(socket) => socket,
    };
    match system::peer_process(socket.descriptor()) {
        Ok(None) => (Linger::Ended, None),
        Ok(Some(process)) if has_ended(&process) => (Linger::Ended, None),
        Ok(Some(process)) => (Linger::Process, Some(process)),
        Err(error) => {
            tracing::warn!(%error, "can't watch a local process; its session gets the grace time");
            (Linger::Grace, None)
        }
    }
}

fn has_ended(process: &Descriptor) -> bool {
    let mut set = [PollFd::new(process, PollFlags::IN)];
    let now = clock::timespec(std::time::Duration::ZERO);
    matches!(poll(&mut set, Some(&now)), Ok(1))
}
