//! Answers to gathers.
//!
//! Floor: client.

use super::Client;
use crate::base::{Answer, Command, Event, Id, What};

impl Client {
    pub(super) fn is_gather(&self, id: Id) -> bool {
        let pending = self.pending.get(id);
        pending.is_some_and(|pending| matches!(pending.command, Command::Gather { .. }))
    }

    /// An answer has come. One to a gather that has ended here is wanted by nobody.
    pub(super) fn answer_collected(&mut self, id: Id, answer: Answer) {
        if let Some(pending) = self.pending.get(id).filter(|pending| !pending.ended) {
            let user = pending.user;
            self.events.push_back(Event { id, user, what: What::Answer(answer) });
        }
    }

    /// The program has taken answers. False if that is no gather, or one that has ended.
    pub(super) fn answers_taken(&mut self, id: Id, bytes: u64) -> bool {
        if !self.is_gather(id) {
            return false;
        }
        if let Some(pending) = self.pending.get_mut(id) {
            pending.taken = pending.taken.saturating_add(bytes);
        }
        true
    }
}
