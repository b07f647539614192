//! Whether the process at the other end of a broken connection still lives.
//!
//! Floor: link, poller, system.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, pidfd_open};
use telpher_proto::base::record::Process;
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
        Ok(None) => (Linger::Died, None),
        Ok(Some(process)) if has_ended(&process) => (Linger::Died, None),
        Ok(Some(process)) => (Linger::Process, Some(process)),
        Err(error) => {
            tracing::warn!(%error, "can't watch a local process; its session gets the grace time");
            (Linger::Grace, None)
        }
    }
}

/// This process, as it can be found again by another host.
pub(super) fn own() -> Option<Process> {
    identify(std::process::id())
}

/// The process at the other end of a Unix socket.
pub(super) fn of_peer(link: &Link) -> Option<Process> {
    let Link::Socket(socket) = link else { return None };
    let peer = rustix::net::sockopt::socket_peercred(socket.descriptor()).ok()?;
    identify(u32::try_from(peer.pid.as_raw_nonzero().get()).ok()?)
}

/// A process by its number, with the time at which it began.
fn identify(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(Process { pid, started: started(&stat)? })
}

/// The 22nd field; the second, a name in brackets, may hold anything.
fn started(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// A process that a session waits for, to be watched; `None` if it is gone.
///
/// # Errors
///
/// It lives, and the system does not let it be watched.
pub(super) fn find(session: SessionId, process: Process) -> io::Result<Option<Watched>> {
    let pid = i32::try_from(process.pid).ok().and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else { return Ok(None) };
    let found = Descriptor::make(|| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    // It may be another process by now; and as long as this one is open, it can't become one.
    if identify(process.pid) != Some(process) {
        return Ok(None);
    }
    let found = found?;
    Ok((!has_ended(&found)).then(|| Watched::new(session, found)))
}

fn has_ended(process: &Descriptor) -> bool {
    let mut set = [PollFd::new(process, PollFlags::IN)];
    let now = clock::timespec(std::time::Duration::ZERO);
    matches!(poll(&mut set, Some(&now)), Ok(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_process_began_is_read_past_any_name() {
        let numbers: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        let stat = format!("77 (a) b (c) {}", numbers.join(" "));
        assert_eq!(started(&stat), Some(22));
        assert_eq!(
            identify(std::process::id()).map(|process| process.pid),
            Some(std::process::id())
        );
    }
}
