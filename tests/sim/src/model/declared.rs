//! Of topics whose publishers wait, a subscriber loses nothing but what was on its way when its
//! connection broke.

use std::collections::BTreeSet;

use telpher_proto::base::{Command, Error, Id, Outcome, Time, TopicOverflow};

use super::{Moment, Start, Verdict, ensure};
use crate::agenda::Who;
use crate::plan::{WAITING_PATTERN, waits};

/// When it was certain that publishers wait, and under which host.
#[derive(Debug, Default)]
pub struct Declared {
    open: BTreeSet<(Who, Id)>,
    since: Option<(Time, u64)>,
    /// The hub has a directory.
    is_durable: bool,
}

/// What a subscriber has been through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub started: Time,
    /// Its connection broke, and nothing has come since.
    pub is_broken: bool,
    /// When it heard of another host.
    pub changed: Option<Time>,
}

impl Declared {
    pub(super) fn new(is_durable: bool) -> Declared {
        Declared { is_durable, ..Declared::default() }
    }

    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        if let Command::DeclareTopic { pattern, options } = command
            && pattern.as_str() == WAITING_PATTERN
            && options.overflow == TopicOverflow::Wait
        {
            self.open.insert((start.who, start.id));
        }
    }

    pub(super) fn end(&mut self, at: Moment, id: Id, result: &Result<Outcome, Error>, epoch: u64) {
        // On disk the first is for ever, as nobody deletes it; in memory each host hears it anew.
        let is_new = self.since.is_none_or(|(_, known)| known < epoch && !self.is_durable);
        if self.open.remove(&(at.who, id)) && result.is_ok() && is_new {
            self.since = Some((at.now, epoch));
        }
    }

    /// Messages have been lost of what a pattern matches.
    pub(super) fn gap(&self, pattern: &str, past: Past, epoch: u64) -> Verdict {
        let Some((since, known)) = self.since else { return Ok(()) };
        let is_certain = since < past.started && (self.is_durable || known == epoch);
        let is_excused = past.is_broken || (!self.is_durable && past.changed.is_some());
        ensure(!is_certain || is_excused || !waits(pattern), || {
            "its publishers wait for it, and its connection is whole".into()
        })
    }
}
