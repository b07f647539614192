//! Sessions that last as long as their process.
//!
//! Floor: host/core.

use std::io;

use telpher_proto::base::record::Process;
use telpher_proto::hub::SessionId;

use super::Core;
use crate::clock;
use crate::host::process::{self, Watched};
use crate::poller::{Poller, Source};

impl Core {
    /// Sessions that an earlier host has left, each to be ended with its process.
    pub(crate) fn watch(&mut self, poller: &Poller, sessions: Vec<(SessionId, Process)>) {
        for (session, process) in sessions {
            match process::find(session, process) {
                Ok(Some(watched)) => self.watch_process(poller, watched),
                Ok(None) => self.hub.handle_process_ended(clock::now(), session),
                Err(error) => self.leave_unwatched(session, &error),
            }
        }
    }

    pub(super) fn watch_process(&mut self, poller: &Poller, watched: Watched) {
        let session = watched.session;
        let entry = self.watched.vacant_entry();
        match poller.add_reader(&watched, Source::Process(entry.key())) {
            Ok(()) => drop(entry.insert(watched)),
            Err(error) => self.leave_unwatched(session, &error),
        }
    }

    fn leave_unwatched(&mut self, session: SessionId, error: &io::Error) {
        tracing::warn!(%error, "can't watch a local process; its session gets the grace time");
        self.hub.handle_unwatched(clock::now(), session);
    }
}
