//! A handler runs at most once for a call, never for one that was refused, and the answer is its
//! answer; no instance is given more than it said.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{
    Answer, Command, Error, GatherTo, Id, Kind, Message, Name, Notice, Outcome, Reply,
};
use telpher_proto::base::{Request, Time};

use super::gathers::{Gathering, Names};
use super::{Context, Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;

#[derive(Debug)]
struct Call {
    caller: Who,
    service: Name,
    message: Message,
    started: Time,
    deadline: Option<Time>,
    runs: u32,
    refused: Option<Kind>,
    reply: Option<Reply>,
    /// It is a gather.
    gather: Option<Gathering>,
}

#[derive(Debug)]
struct Running {
    call: u64,
    service: Id,
    answered: Option<Time>,
    accepted: bool,
    withdrawn: bool,
}

#[derive(Debug)]
struct Instance {
    service: Name,
    concurrency: u32,
    running: BTreeSet<u64>,
    /// It has been live in the hub.
    started: bool,
    /// Since when it has been live without a break, as far as its program knows.
    since: Option<Time>,
}

#[derive(Debug, Default)]
pub struct Calls {
    calls: BTreeMap<u64, Call>,
    requests: BTreeMap<(Who, u64), Running>,
    instances: BTreeMap<(Who, Id), Instance>,
    names: Names,
}

impl Calls {
    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        self.names.start(start, command);
        match command {
            Command::Call { service, message } => self.call(start, service, message, None),
            Command::Gather { to, message, .. } => {
                let (GatherTo::Service(name) | GatherTo::Topic(name)) = to;
                self.call(start, name, message, Some(Gathering::new(to.clone())));
            }
            Command::Serve { service, concurrency, .. } => {
                let instance = Instance {
                    service: service.clone(),
                    concurrency: *concurrency,
                    running: BTreeSet::new(),
                    started: false,
                    since: None,
                };
                self.instances.insert((start.who, start.id), instance);
            }
            Command::Reply { request, reply } => self.reply(start, *request, reply),
            _ => {}
        }
    }

    fn call(
        &mut self,
        start: &Start,
        service: &Name,
        message: &Message,
        gather: Option<Gathering>,
    ) {
        let call = Call {
            caller: start.who,
            service: service.clone(),
            message: message.clone(),
            started: start.now,
            deadline: start.deadline,
            runs: 0,
            refused: None,
            reply: None,
            gather,
        };
        self.calls.insert(number(&message.body).expect("programs number what they say"), call);
    }

    fn reply(&mut self, start: &Start, token: u64, reply: &Reply) {
        let who = start.who;
        let Some(running) = self.requests.get_mut(&(who, token)) else { return };
        if running.answered.replace(start.now).is_none()
            && let Some(call) = self.calls.get_mut(&running.call)
        {
            call.reply = Some(reply.clone());
            let name = self.names.of(who, running.service);
            call.gather.iter_mut().for_each(|gather| gather.reply(reply, name.clone()));
        }
        if let Some(instance) = self.instances.get_mut(&(who, running.service)) {
            instance.running.remove(&token);
        }
    }

    /// An instance is live in the hub.
    pub(super) fn live(&mut self, at: Moment, id: Id) {
        if let Some(instance) = self.instances.get_mut(&(at.who, id)) {
            instance.started = true;
            instance.since = Some(at.now);
        }
    }

    pub(super) fn request(
        &mut self,
        context: &Context,
        id: Id,
        service: &Name,
        request: &Request,
    ) -> Verdict {
        let Context { at, sessions, .. } = context;
        let number = number(&request.message.body).ok_or("nobody asked this")?;
        let call = self.calls.get_mut(&number).ok_or("nobody asked this")?;
        ensure(call.message == request.message, || format!("what was asked is {call:?}"))?;
        ensure(call.service == *service, || format!("{} was asked", call.service))?;
        call.runs += 1;
        match &mut call.gather {
            Some(gather) => gather.ask(at.who, id)?,
            None => ensure(call.runs == 1, || "a handler has run for it before".into())?,
        }
        ensure(call.refused.is_none(), || format!("its caller was told {:?}", call.refused))?;
        let near = sessions.local(call.caller) && sessions.local(at.who);
        in_time(at.now, call.deadline, request.deadline, near)?;
        let running = Running {
            call: number,
            service: id,
            answered: None,
            accepted: false,
            withdrawn: false,
        };
        let before = self.requests.insert((at.who, request.token), running);
        ensure(before.is_none(), || "this token was used before".into())?;
        let instance = self.instances.get_mut(&(at.who, id));
        let Some(instance) = instance else { return Ok(()) };
        instance.running.insert(request.token);
        let count = instance.running.len();
        ensure(count <= instance.concurrency as usize, || {
            format!("it handles {count} at once and said {}", instance.concurrency)
        })
    }

    /// A subscriber may answer what was published.
    pub(super) fn asked(&mut self, at: Moment, id: Id, token: u64, message: &Message) -> Verdict {
        let number = number(&message.body).ok_or("nobody asked this")?;
        let call = self.calls.get_mut(&number).ok_or("nobody asked this")?;
        let gather = call.gather.as_mut().ok_or("nobody gathers answers to this")?;
        gather.ask(at.who, id)?;
        call.runs += 1;
        let running = Running {
            call: number,
            service: id,
            answered: None,
            accepted: false,
            withdrawn: false,
        };
        let before = self.requests.insert((at.who, token), running);
        ensure(before.is_none(), || "this token was used before".into())
    }

    /// An answer to a gather.
    pub(super) fn collected(&mut self, message: &Message, answer: &Answer) -> Verdict {
        let number = number(&message.body).expect("programs number what they say");
        let gather = self.calls.get_mut(&number).and_then(|call| call.gather.as_mut());
        gather.ok_or("nobody gathers this")?.answer(answer, &mut self.names)
    }

    /// The request of a handler was taken back.
    pub(super) fn withdrawn(&mut self, at: Moment, token: u64) -> Verdict {
        let running = self.requests.get_mut(&(at.who, token)).ok_or("it was never handed over")?;
        // It may have been on its way to the program when that answered.
        let answered = running.answered.is_some_and(|answered| answered < at.now);
        ensure(!answered, || "it was answered before".into())?;
        ensure(!running.withdrawn, || "it was withdrawn before".into())?;
        running.withdrawn = true;
        Ok(())
    }

    /// A call, a reply or an instance has ended.
    pub(super) fn end(
        &mut self,
        context: &Context,
        id: Id,
        command: &Command,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let who = context.at.who;
        match command {
            Command::Call { message, .. } => self.end_call(context, message, result),
            Command::Gather { message, count, .. } => {
                self.end_call(context, message, result)?;
                let number = number(&message.body).expect("programs number what they say");
                let gather = self.calls.get_mut(&number).and_then(|call| call.gather.as_mut());
                match (gather, result) {
                    (Some(gather), Ok(Outcome::Gathered(end))) => {
                        gather.end(end, *count, &mut self.names)
                    }
                    _ => Ok(()),
                }
            }
            Command::Reply { request, .. } => self.end_reply(who, *request, result.is_ok()),
            _ => {
                self.instances.remove(&(who, id));
                Ok(())
            }
        }
    }

    fn end_reply(&mut self, who: Who, token: u64, accepted: bool) -> Verdict {
        let Some(running) = self.requests.get_mut(&(who, token)) else {
            return ensure(!accepted, || "there is no such request".into());
        };
        let twice = accepted && running.accepted;
        running.accepted |= accepted;
        ensure(!twice, || "this request has been answered before".into())
    }

    fn end_call(
        &mut self,
        context: &Context,
        message: &Message,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let number = number(&message.body).expect("programs number what they say");
        let call = self.calls.get_mut(&number).ok_or("nobody asked this")?;
        let error = match result {
            Ok(Outcome::Reply(reply)) => {
                return ensure(call.reply.as_ref() == Some(&Ok(reply.clone())), || {
                    format!("the handler said {:?}", call.reply)
                });
            }
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if !error.maybe_executed() {
            call.refused = Some(error.kind());
            ensure(call.runs == 0, || "a handler has run for it".into())?;
        }
        match error.kind() {
            Kind::Remote => ensure(call.reply.as_ref() == Some(&Err(error.clone())), || {
                format!("the handler said {:?}", call.reply)
            }),
            Kind::NoService => self.nobody_serves(context, number),
            _ => Ok(()),
        }
    }

    /// No instance was live during the whole call.
    fn nobody_serves(&self, context: &Context, number: u64) -> Verdict {
        let Context { at, sessions, .. } = context;
        let call = &self.calls[&number];
        let epoch = sessions.epoch(at.who);
        let live = self.instances.iter().find(|((who, _), instance)| {
            instance.service == call.service
                && instance.since.is_some_and(|since| since <= call.started)
                && sessions.steady(*who)
                && sessions.epoch(*who) == epoch
        });
        ensure(live.is_none(), || {
            format!("{:?} has served it all the time: {live:?}", live.map(|((who, _), _)| who))
        })
    }

    pub(super) fn notice(&mut self, at: Moment, notice: &Notice) {
        for ((who, _), instance) in &mut self.instances {
            if *who != at.who {
                continue;
            }
            match notice {
                Notice::Disconnected { .. } => instance.since = None,
                Notice::Resumed => instance.since = instance.started.then_some(at.now),
                Notice::HubChanged { .. } => {
                    instance.started = false;
                    instance.since = None;
                    instance.running.clear();
                }
            }
        }
    }

    pub(super) fn detach(&mut self, who: Who, id: Id) {
        self.instances.remove(&(who, id));
    }

    pub(super) fn gone(&mut self, who: Who) {
        self.instances.retain(|(of, _), _| *of != who);
    }
}

/// The time that is left travels with a request, exactly between programs of one machine; a request
/// whose time has run out is not handed over.
fn in_time(now: Time, asked: Option<Time>, handed: Option<Time>, near: bool) -> Verdict {
    let complaint = || format!("its deadline was {asked:?}, and is {handed:?} at {now:?}");
    let (Some(asked), Some(handed)) = (asked, handed) else {
        return ensure(asked == handed, complaint);
    };
    let shorter = handed.plus_ms(2) < asked;
    let longer = near && asked.plus_ms(2) < handed;
    ensure(now < handed && !shorter && !longer, complaint)
}
