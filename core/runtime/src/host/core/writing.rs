//! What a hub has gathered on its way to the disk, and what comes of it.
//!
//! Floor: host/core, host/disk.

use telpher_proto::base::{Error, Time};
use telpher_proto::hub::DiskDone;

use super::Core;
use crate::clock;
use crate::host::Mail;
use crate::poller::Poller;

/// Groups that are written one after another, each for what came of the one before: a message that
/// is stored, that it is handed out, and more than that.
const WRITES_MAX: usize = 4;

impl Core {
    /// What has gathered in this round goes to the disk together; so does what comes of that, as
    /// far as it is done at once.
    pub(super) fn flush(&mut self, now: Time) {
        self.has_gathered = false;
        for _ in 0..WRITES_MAX {
            let Some(done) = self.write_down(now) else { return };
            self.hub.handle_disk(now, done);
        }
        // Others have their turn: one that keeps house could go on for long.
        self.has_gathered = true;
    }

    /// Hands what has gathered to the disk; what is done by then.
    fn write_down(&mut self, now: Time) -> Option<DiskDone> {
        let disk = self.disk.as_mut().filter(|_| self.disk_failure.is_none())?;
        self.hub.flush(now);
        let mut last = None;
        while let Some(effect) = self.hub.poll_disk() {
            match disk.carry_out(effect) {
                Ok(done) => last = done.or(last),
                Err(error) => {
                    self.fail(error);
                    return None;
                }
            }
        }
        last
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.is_stopped = true;
        self.disk_failure.get_or_insert(error);
    }

    /// Why the hub can't go on: nothing more can be written down.
    pub(crate) fn take_disk_failure(&mut self) -> Option<Error> {
        self.disk_failure.take()
    }

    /// The host ends by itself: writes down what was in memory only, and waits for that until
    /// `deadline`. Whatever goes wrong is no worse than ending without it.
    pub(crate) fn close_down(&mut self, poller: &mut Poller, deadline: Time) {
        let mut now = clock::now();
        let Some(last) = self.hub.close_down(now) else { return };
        self.flush(now);
        if let Some(error) = self.take_disk_failure() {
            return tracing::error!(%error, "the hub was not handed over");
        }
        let (mut mail, mut ready) = (Vec::new(), Vec::new());
        while now < deadline {
            poller.alarm().arm();
            let until = if self.mailbox.has_mail() { now } else { deadline };
            if poller.wait(Some(until), now, &mut ready).is_err() {
                return;
            }
            ready.clear();
            now = clock::now();
            self.mailbox.take(&mut mail);
            for message in mail.drain(..) {
                match message {
                    Mail::Disk(done) => {
                        let is_last =
                            matches!(done, DiskDone::Synced(position) if position >= last);
                        self.hub.handle_disk(now, done);
                        if is_last {
                            self.hub.seal_end();
                            return self.flush(now);
                        }
                    }
                    Mail::DiskFailed(error) => {
                        return tracing::error!(%error, "the hub was not handed over");
                    }
                    _ => {}
                }
            }
        }
    }
}
