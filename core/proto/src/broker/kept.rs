//! Counted results: each is kept until its program has said that it arrived.
//!
//! Floor: broker.

use super::sessions::Sessions;
use super::{Broker, Effect, SessionKey};
use crate::base::{Answer, Error, Outcome, limits};

type CallResult = Result<Outcome, Error>;

/// What a session keeps until its program says that it arrived.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Result(CallResult),
    Answer(Answer),
}

impl Kept {
    pub fn effect(self, session: SessionKey, ticket: u64) -> Effect {
        match self {
            Kept::Result(result) => Effect::Result { session, ticket, result, counted: true },
            Kept::Answer(answer) => Effect::Answer { session, ticket, answer },
        }
    }

    /// What it takes of the room for answers to gathers, in bytes.
    pub fn answer_size(&self) -> u64 {
        match self {
            Kept::Result(Ok(Outcome::Gathered(gathered))) => gathered.size(),
            Kept::Result(_) => 0,
            Kept::Answer(answer) => answer.size(),
        }
    }
}

impl Sessions {
    /// There is room for an answer that the session would keep.
    pub fn keeps_answer(&self, key: SessionKey, size: u64) -> bool {
        self[key].kept.len() < limits::REPLIES_KEPT_MAX
            && self.kept_bytes + size <= limits::GATHER_KEPT_BYTES_MAX
    }

    /// Names of those that did not answer have taken more than the room for answers.
    pub fn keeps_too_much(&self) -> bool {
        self.kept_bytes > limits::GATHER_KEPT_BYTES_MAX
    }
}

impl Broker {
    /// Counted results that have arrived.
    pub fn handle_received(&mut self, key: SessionKey, count: u64) {
        let session = &mut self.sessions[key];
        let (mut arrived, mut bytes) = (0, 0);
        while session.kept_first < count
            && let Some((_, kept)) = session.kept.pop_front()
        {
            session.kept_first += 1;
            arrived += 1;
            bytes += kept.answer_size();
        }
        self.sessions.kept -= arrived;
        self.sessions.kept_bytes -= bytes;
    }

    /// Ends a call's ticket; the result is kept until the program says that it arrived.
    pub(super) fn call_result(&mut self, key: SessionKey, ticket: u64, result: CallResult) {
        let may_share = self.sessions.kept < limits::REPLIES_SHARING_MAX;
        self.sessions.kept += 1;
        let session = &mut self.sessions[key];
        session.tickets.remove(&ticket);
        let kept = match &result {
            Ok(Outcome::Reply(message)) if !may_share => Ok(Outcome::Reply(message.to_stored())),
            other => other.clone(),
        };
        let kept = Kept::Result(kept);
        let bytes = kept.answer_size();
        session.kept.push_back((ticket, kept));
        if session.linked() {
            self.effects.push_back(Effect::Result { session: key, ticket, result, counted: true });
        }
        self.sessions.kept_bytes += bytes;
    }

    /// An answer to a gather, before its end; it is kept until the program says that it arrived.
    pub(super) fn send_answer(&mut self, key: SessionKey, ticket: u64, mut answer: Answer) {
        let may_share = self.sessions.kept < limits::REPLIES_SHARING_MAX;
        self.sessions.kept += 1;
        self.sessions.kept_bytes += answer.size();
        if let (Ok(message), false) = (&mut answer.reply, may_share) {
            *message = message.to_stored();
        }
        let session = &mut self.sessions[key];
        session.kept.push_back((ticket, Kept::Answer(answer.clone())));
        if session.linked() {
            self.effects.push_back(Effect::Answer { session: key, ticket, answer });
        }
    }

    /// Results kept for the session.
    pub(super) fn kept_full(&self, key: SessionKey) -> bool {
        self.sessions[key].kept.len() >= limits::REPLIES_KEPT_MAX
    }
}
