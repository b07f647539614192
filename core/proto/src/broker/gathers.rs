//! Gathers: one request to many, and what they answer.
//!
//! ```text
//! gather -> a part for each instance:   handed over, or in the instance's own line -> answered
//!        \> a part for each subscriber: sent, or among what waits for it    -> answered
//!                                         | dropped, gone, declined, or the gather has ended
//!                                         v
//!                                       missing
//! ```
//! A part is a call with a receiver of its own. Each ends once; with the last one, at the deadline,
//! or when enough have answered, the gather ends, and what is still open is withdrawn.
//!
//! Floor: broker.

use super::registrations::Registration;
use super::sessions::Ticket;
use super::{Broker, Due, NameId, SessionKey};
use crate::base::pattern::check_topic;
use crate::base::slots::Slots;
use crate::base::timers::TimerKey;
use crate::base::{
    Answer, Error, GatherTo, Gathered, Gathering, Kind, Message, Missing, Name, Outcome, Reply,
    Time, limits,
};

#[derive(Debug)]
struct Gather {
    caller: (SessionKey, u64),
    count: u32,
    deadline: Time,
    timer: Option<TimerKey>,
    /// What is to be asked once the hub knows whom.
    asking: Option<(GatherTo, Message)>,
    parts: Vec<Part>,
    /// Parts that have not ended.
    open: usize,
    answered: u32,
    failed: u32,
    /// Bytes of answers that were sent, and that the program has taken.
    sent: u64,
    taken: u64,
}

#[derive(Debug)]
struct Part {
    instance: u64,
    instance_name: Option<Name>,
    call: u64,
    state: PartState,
}

#[derive(Clone, Copy, Debug)]
enum PartState {
    Open,
    Answered,
    Missing(Kind, bool),
}

/// How one that was asked ends.
#[derive(Debug)]
pub(super) enum PartEnd {
    Answer(Reply),
    /// Why, and whether it may have run.
    Missing(Kind, bool),
}

/// Why a gather ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Deadline,
    /// All that were asked have ended, or as many as were wanted have answered.
    Enough,
}

/// Names one part of one gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartRef {
    gather: u64,
    part: usize,
}

/// Every gather.
#[derive(Debug)]
pub(super) struct Gathers {
    table: Slots<Gather>,
    /// Parts of all of them.
    parts: usize,
}

impl Gathers {
    pub fn new(series: u64) -> Gathers {
        Gathers { table: Slots::new(series), parts: 0 }
    }
}

impl Broker {
    /// Asks every instance of a service, or every subscriber of a topic; ends with exactly one
    /// counted result, behind the answers.
    pub fn gather(&mut self, now: Time, caller: (SessionKey, u64), gathering: Gathering) {
        let (session, ticket) = caller;
        if self.is_repeat(session, ticket) {
            if let Some(gather) = self.gather_of(session, ticket) {
                gather.taken = gathering.taken;
            }
            return;
        }
        let deadline = match self.admit_gather(now, session, &gathering) {
            Ok(deadline) => deadline,
            Err(error) => return self.call_result(session, ticket, Err(error)),
        };
        let Gathering { to, count, message, .. } = gathering;
        // After a change of host the instances are coming back: a part of the time is theirs.
        let waits = self.recovering && matches!(to, GatherTo::Service(_));
        let half_ms = deadline.since(now).as_millis() as u64 / 2;
        let due = if waits { now.plus_ms(half_ms) } else { deadline };
        let message = self.kept_request(&message);
        let gather = Gather {
            caller,
            count,
            deadline,
            timer: None,
            asking: Some((to, message)),
            parts: Vec::new(),
            open: 0,
            answered: 0,
            failed: 0,
            sent: 0,
            taken: 0,
        };
        let Ok(token) = self.gathers.table.insert(gather) else {
            let error = Error::new(Kind::Busy, "the hub has 16,777,216 gathers open, its limit");
            return self.call_result(session, ticket, Err(error));
        };
        self.set_gather_timer(token, due);
        self.sessions[session].gathers += 1;
        self.sessions[session].tickets.insert(ticket, Ticket::Gather(token));
        if !waits {
            self.ask(token);
        }
    }

    fn admit_gather(
        &self,
        now: Time,
        session: SessionKey,
        gathering: &Gathering,
    ) -> Result<Time, Error> {
        if let GatherTo::Topic(topic) = &gathering.to {
            check_topic(topic)?;
        }
        let Some(deadline) = gathering.deadline else {
            return Err(Error::new(Kind::Invalid, "a gather has no deadline; it needs one"));
        };
        if deadline <= now {
            return Err(Error::new(Kind::Expired, "the time ran out on the way to the hub"));
        }
        let limit = limits::GATHERS_PER_SESSION_MAX;
        if self.sessions[session].gathers >= limit {
            let detail = format!("the session has {limit} gathers open, its limit");
            return Err(Error::new(Kind::Busy, detail));
        }
        if self.kept_full(session) {
            let detail = "the session has not said that its replies arrived";
            return Err(Error::new(Kind::Busy, detail));
        }
        if self.sessions.keeps_too_much() {
            let detail = "programs have not said that the ends of their gathers arrived";
            return Err(Error::new(Kind::Busy, detail));
        }
        Ok(deadline)
    }

    fn set_gather_timer(&mut self, token: u64, at: Time) {
        if let Some(gather) = self.gathers.table.get_mut(token) {
            if let Some(timer) = gather.timer.take() {
                self.timers.remove(timer);
            }
            gather.timer = Some(self.timers.insert(at, Due::Gather(token)));
        }
    }

    fn gather_of(&mut self, session: SessionKey, ticket: u64) -> Option<&mut Gather> {
        match self.sessions[session].tickets.get(&ticket) {
            Some(Ticket::Gather(token)) => self.gathers.table.get_mut(*token),
            _ => None,
        }
    }

    /// Asks whoever is there now.
    fn ask(&mut self, token: u64) {
        let Some(gather) = self.gathers.table.get_mut(token) else { return };
        let Some((to, message)) = gather.asking.take() else { return };
        let deadline = gather.deadline;
        self.set_gather_timer(token, deadline);
        let done = match &to {
            GatherTo::Service(name) => self.ask_service(token, name, &message),
            GatherTo::Topic(topic) => self.ask_topic(token, topic, &message),
        };
        if let Err(error) = done {
            self.close_gather(token, Err(error));
        }
    }

    fn ask_service(&mut self, token: u64, name: &Name, message: &Message) -> Result<(), Error> {
        let service = self.names.find(name).and_then(|id: NameId| self.names.service(id));
        let instances = service.map(|key| self.services[key].instances.clone());
        let Some(instances) = instances.filter(|instances| !instances.is_empty()) else {
            return Err(Error::new(Kind::NoService, format!("no instance serves {name:?}")));
        };
        self.admit_parts(instances.len())?;
        let parts: Vec<PartRef> = instances.iter().map(|key| self.add_part(token, *key)).collect();
        for (key, part) in instances.into_iter().zip(parts) {
            self.ask_instance(key, part, message);
        }
        Ok(())
    }

    fn ask_topic(&mut self, token: u64, topic: &Name, message: &Message) -> Result<(), Error> {
        let subscriptions = self.subscriptions_of(topic);
        self.admit_parts(subscriptions.len())?;
        let mut parts = Vec::with_capacity(subscriptions.len());
        for key in &subscriptions {
            parts.push(self.add_part(token, self.registration_of(*key)));
        }
        if parts.is_empty() {
            self.end_gather(token, Over::Enough);
        }
        // One copy for all that have to wait.
        let mut stored = None;
        for (key, part) in subscriptions.into_iter().zip(parts) {
            let asked = self.ask_subscriber(part);
            self.put_published(key, topic, message, (asked, false), &mut stored);
        }
        Ok(())
    }

    fn admit_parts(&self, count: usize) -> Result<(), Error> {
        let most = limits::GATHER_ASKED_MAX;
        if count > most {
            let detail = format!("{count} would have to be asked; a gather asks at most {most}");
            return Err(Error::new(Kind::TooLarge, detail));
        }
        if self.gathers.parts + count > limits::GATHER_PARTS_MAX {
            let (open, most) = (self.gathers.parts, limits::GATHER_PARTS_MAX);
            let detail = format!("the hub's gathers have asked {open}, {count} more are too many");
            return Err(Error::new(Kind::Busy, format!("{detail}; at most {most}")));
        }
        Ok(())
    }

    fn add_part(&mut self, token: u64, registration: usize) -> PartRef {
        let Registration { number: instance, instance_name, .. } =
            &self.registrations[registration];
        let (instance, instance_name) = (*instance, instance_name.clone());
        self.gathers.parts += 1;
        let gather = self.gathers.table.get_mut(token).expect("its parts are being made");
        gather.open += 1;
        gather.parts.push(Part { instance, instance_name, call: 0, state: PartState::Open });
        PartRef { gather: token, part: gather.parts.len() - 1 }
    }

    /// The call that stands for a part, and when it ends.
    pub(super) fn note_part_call(&mut self, at: PartRef, call: u64) {
        if let Some(gather) = self.gathers.table.get_mut(at.gather) {
            gather.parts[at.part].call = call;
        }
    }

    /// When a part's time is over.
    pub(super) fn part_deadline(&self, at: PartRef) -> Option<Time> {
        self.gathers.table.get(at.gather).map(|gather| gather.deadline)
    }

    /// One that was asked has answered, or never will.
    pub(super) fn part_ended(&mut self, at: PartRef, end: PartEnd) {
        let Some(gather) = self.gathers.table.get_mut(at.gather) else { return };
        let part = &mut gather.parts[at.part];
        gather.open -= 1;
        match end {
            PartEnd::Missing(kind, maybe) => part.state = PartState::Missing(kind, maybe),
            PartEnd::Answer(reply) => {
                let (instance, instance_name) = (part.instance, part.instance_name.clone());
                let answer = Answer { instance, instance_name, reply };
                let (session, ticket) = gather.caller;
                let untaken = gather.sent.saturating_sub(gather.taken) + answer.size();
                let fits = untaken <= limits::GATHER_BYTES_MAX
                    && self.sessions.keeps_answer(session, answer.size());
                if fits {
                    part.state = PartState::Answered;
                    gather.sent += answer.size();
                    let counts = match answer.reply.is_ok() {
                        true => &mut gather.answered,
                        false => &mut gather.failed,
                    };
                    *counts += 1;
                    self.send_answer(session, ticket, answer);
                } else {
                    part.state = PartState::Missing(Kind::Lost, true);
                }
            }
        }
        let Some(gather) = self.gathers.table.get(at.gather) else { return };
        if gather.open == 0 || (gather.count > 0 && gather.answered >= gather.count) {
            self.end_gather(at.gather, Over::Enough);
        }
    }

    /// A moment has come that a gather waited for.
    pub(super) fn gather_due(&mut self, token: u64) {
        let Some(gather) = self.gathers.table.get_mut(token) else { return };
        gather.timer = None;
        match gather.asking {
            Some(_) => self.ask(token),
            None => self.end_gather(token, Over::Deadline),
        }
    }

    /// Whoever was to come back after a change of host has, or never will.
    pub(super) fn ask_those_that_wait(&mut self) {
        let waiting = self.gathers.table.iter().filter(|(_, gather)| gather.asking.is_some());
        let mut waiting: Vec<u64> = waiting.map(|(token, _)| token).collect();
        waiting.sort_unstable();
        waiting.into_iter().for_each(|token| self.ask(token));
    }

    fn end_gather(&mut self, token: u64, over: Over) {
        let Some(gather) = self.gathers.table.get_mut(token) else { return };
        let (answered, failed) = (gather.answered, gather.failed);
        let mut parts = std::mem::take(&mut gather.parts);
        self.gathers.parts -= parts.len();
        for part in &mut parts {
            if matches!(part.state, PartState::Open) {
                let may_run = self.drop_part(part.call);
                part.state = match over {
                    Over::Enough => PartState::Missing(Kind::Cancelled, may_run),
                    Over::Deadline if may_run => PartState::Missing(Kind::TimedOut, true),
                    Over::Deadline => PartState::Missing(Kind::Expired, false),
                };
            }
        }
        let missing = parts.into_iter().filter_map(|part| match part.state {
            PartState::Missing(kind, maybe) => {
                Some(Missing::new((part.instance, part.instance_name), kind, maybe))
            }
            PartState::Open | PartState::Answered => None,
        });
        let gathered = Gathered { answered, failed, missing: missing.collect() };
        self.close_gather(token, Ok(Outcome::Gathered(gathered)));
    }

    fn close_gather(&mut self, token: u64, result: Result<Outcome, Error>) {
        let Some(gather) = self.gathers.table.remove(token) else { return };
        if let Some(timer) = gather.timer {
            self.timers.remove(timer);
        }
        let (session, ticket) = gather.caller;
        self.sessions[session].gathers -= 1;
        self.call_result(session, ticket, result);
    }

    /// Nobody waits for the gather any more.
    pub(super) fn drop_gather(&mut self, token: u64) {
        let Some(gather) = self.gathers.table.remove(token) else { return };
        if let Some(timer) = gather.timer {
            self.timers.remove(timer);
        }
        self.gathers.parts -= gather.parts.len();
        self.sessions[gather.caller.0].gathers -= 1;
        for part in &gather.parts {
            if matches!(part.state, PartState::Open) {
                self.drop_part(part.call);
            }
        }
    }

    /// The program has taken answers. False if that is no gather of the session's.
    pub(super) fn answers_taken(&mut self, session: SessionKey, ticket: u64, bytes: u64) -> bool {
        let Some(gather) = self.gather_of(session, ticket) else { return false };
        gather.taken = gather.taken.saturating_add(bytes);
        true
    }
}
