//! Answers to requests, kept until the hub has said that they arrived.
//!
//! Floor: client.

use std::collections::VecDeque;

use super::held::not_held;
use super::{Client, Due, pending};
use crate::base::timers::TimerKey;
use crate::base::{Error, Id, Kind, Outcome, Reply, Time};

#[derive(Debug)]
struct Answer {
    id: Id,
    user: u64,
    request: u64,
    reply: Reply,
    timer: Option<TimerKey>,
    /// Its ticket has ended. The answer itself goes on: the hub waits for it.
    ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    queue: VecDeque<Answer>,
    /// Answers of this session that have arrived.
    arrived: u64,
}

impl Answers {
    /// Requests whose answers have not arrived.
    pub fn requests(&self) -> impl Iterator<Item = u64> {
        self.queue.iter().map(|answer| answer.request)
    }

    /// Answers on their way.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Client {
    /// Answers a request.
    pub(super) fn answer(
        &mut self,
        now: Time,
        (id, user): (Id, u64),
        (request, reply): (u64, Reply),
        deadline: Option<Time>,
    ) {
        if self.requests.remove(&request).is_none() {
            return self.done(id, user, Err(not_held(request, self.hub, "request")));
        }
        if self.is_open() {
            self.tell_received(now);
            let clock = self.clock(now);
            self.outbox.push_answer(id, request, &reply, clock);
        }
        let timer = deadline.map(|at| self.timers.insert(at, Due::Answer(id)));
        self.answers.queue.push_back(Answer { id, user, request, reply, timer, ended: false });
    }

    /// Answers a request that the program is never to see.
    pub(super) fn answer_own(&mut self, now: Time, request: u64, error: Error) {
        self.own_ticket += 1;
        let id = self.own_ticket;
        debug_assert!(id >= pending::OWN_TICKET_FIRST);
        self.answer(now, (id, 0), (request, Err(error)), None);
    }

    /// So many answers of this session have arrived.
    pub(super) fn answers_arrived(&mut self, count: u64) {
        while self.answers.arrived < count {
            let Some(answer) = self.answers.queue.pop_front() else {
                return;
            };
            self.answers.arrived += 1;
            self.end_answer(&answer, Ok(Outcome::Empty));
        }
    }

    /// The hub refused an answer. False if there is none with this id.
    pub(super) fn answer_failed(&mut self, id: Id, error: &Error) -> bool {
        let mut queue = std::mem::take(&mut self.answers.queue);
        let found = queue.iter_mut().find(|answer| answer.id == id);
        let is_answer = found.is_some();
        if let Some(answer) = found {
            self.end_answer(answer, Err(error.clone()));
            answer.timer = None;
            answer.ended = true;
        }
        self.answers.queue = queue;
        is_answer
    }

    fn end_answer(&mut self, answer: &Answer, result: Result<Outcome, Error>) {
        if let Some(timer) = answer.timer {
            self.timers.remove(timer);
        }
        if !answer.ended {
            self.done(answer.id, answer.user, result);
        }
    }

    /// The program wants an answer's ticket to end.
    pub(super) fn cancel_answer(&mut self, id: Id) {
        let error = Error::new(Kind::Cancelled, "cancelled by the program").executed(true);
        self.answer_failed(id, &error);
    }

    /// The time of an answer's ticket is over.
    pub(super) fn answer_due(&mut self, id: Id) {
        if let Some(answer) = self.answers.queue.iter_mut().find(|answer| answer.id == id) {
            answer.timer = None;
        }
        let detail = "the hub did not say by the deadline that the answer has arrived";
        self.answer_failed(id, &Error::new(Kind::HostUnresponsive, detail));
    }

    /// Writes the answers that have not arrived again.
    pub(super) fn answer_again(&mut self, now: Time) {
        let clock = self.clock(now);
        for answer in &self.answers.queue {
            self.outbox.push_answer(answer.id, answer.request, &answer.reply, clock);
        }
    }

    /// The session is gone, and with it whoever waited for these answers.
    pub(super) fn drop_answers(&mut self, error: &Error) {
        for answer in std::mem::take(&mut self.answers).queue {
            self.end_answer(&answer, Err(error.clone().executed(true)));
        }
    }
}
