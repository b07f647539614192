//! What becomes of each message: nothing confirmed is lost, stored twice, held twice or taken
//! twice, what was refused is never seen, and first deliveries keep their producer's order.

use std::collections::BTreeMap;

use telpher_proto::base::{Command, Delivery, Error, Id, Message, Name, Outcome, QueueInfo};
use telpher_proto::base::{Receipt, Time, Verdict as Choice};

use super::body::{Body, Lane, Send};
use super::{Context, Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;
use crate::plan::Plan;

#[derive(Debug)]
struct Hold {
    body: u64,
    consumer: Option<Id>,
    live: bool,
    /// Its session forgot it.
    void: bool,
    /// It was given to another because this session seemed to be over.
    passed_on: bool,
    accepted: bool,
}

/// A purge or a deletion.
#[derive(Debug)]
struct Removal {
    queue: Name,
    ended: Option<Time>,
    count: Option<u64>,
}

#[derive(Debug)]
pub struct Queues {
    length_max: BTreeMap<Name, u64>,
    removes: bool,
    bodies: BTreeMap<u64, Body>,
    holds: BTreeMap<(Who, u64), Hold>,
    /// The most that each consumer ever had credit for: nobody says when less takes effect.
    credit: BTreeMap<(Who, Id), u32>,
    order: BTreeMap<Lane, u64>,
    removals: BTreeMap<(Who, Id), Removal>,
}

impl Queues {
    pub(super) fn new(plan: &Plan) -> Queues {
        let limit = |queue: &crate::plan::QueuePlan| (queue.name.clone(), queue.options.length_max);
        Queues {
            length_max: plan.queues.iter().map(limit).collect(),
            removes: plan.removes(),
            bodies: BTreeMap::new(),
            holds: BTreeMap::new(),
            credit: BTreeMap::new(),
            order: BTreeMap::new(),
            removals: BTreeMap::new(),
        }
    }

    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        match command {
            Command::Send { queue, message } => self.send(start, queue, message),
            Command::Settle { delivery, verdict } => self.settle(start.who, *delivery, *verdict),
            Command::Consume { prefetch, .. } => {
                self.credit.insert((start.who, start.id), *prefetch);
            }
            Command::Credit { consumer, prefetch } => {
                if let Some(most) = self.credit.get_mut(&(start.who, *consumer)) {
                    *most = (*most).max(*prefetch);
                }
            }
            Command::Purge { queue } | Command::Delete { queue } => {
                let removal = Removal { queue: queue.clone(), ended: None, count: None };
                self.removals.insert((start.who, start.id), removal);
            }
            _ => {}
        }
    }

    fn send(&mut self, start: &Start, queue: &Name, message: &Message) {
        let body = Body::new(start, queue, message);
        self.bodies.insert(number(&message.body).expect("programs number what they say"), body);
    }

    fn settle(&mut self, who: Who, token: u64, choice: Choice) {
        let Some(hold) = self.holds.get_mut(&(who, token)) else { return };
        hold.live = false;
        let body = self.bodies.get_mut(&hold.body).expect("a hold has a body");
        if body.holder == Some((who, token)) {
            body.holder = None;
        }
        match choice {
            Choice::Acknowledge | Choice::Reject => body.removals += 1,
            Choice::Requeue => body.requeues_started += 1,
            Choice::Release => {}
        }
    }

    pub(super) fn deliver(
        &mut self,
        context: &Context,
        consumer: Option<Id>,
        queue: &Name,
        delivery: &Delivery,
    ) -> Verdict {
        let Moment { now, who, .. } = context.at;
        let doubtful = context.sessions.doubtful(now, who);
        let number = number(&delivery.message.body).ok_or("nobody sent this")?;
        let body = self.bodies.get_mut(&number).ok_or("nobody sent this")?;
        ensure(body.message == delivery.message, || format!("what was sent is {body:?}"))?;
        ensure(body.queue == *queue, || format!("it was sent to {}", body.queue))?;
        ensure(body.send != Send::Refused, || "its send was refused".into())?;
        body.stored_once((context.sessions.epoch(who), delivery.message_id))?;
        if !doubtful {
            body.may_be_held(delivery)?;
            let other = body.holder;
            if let Some(other) = other.filter(|other| *other != (who, delivery.token)) {
                let over = context.sessions.doubtful(now, other.0);
                ensure(over, || format!("{other:?} holds it"))?;
                self.holds.get_mut(&other).expect("a holder has a hold").passed_on = true;
            }
            body.holder = Some((who, delivery.token));
        }
        body.handed = true;
        let first = !delivery.redelivered && !doubtful && !body.repeated;
        let lane = body.lane(who, queue.clone());
        let hold = Hold {
            body: number,
            consumer,
            live: true,
            void: false,
            passed_on: false,
            accepted: false,
        };
        let before = self.holds.insert((who, delivery.token), hold);
        // A verdict whose end nobody knows may not have reached the hub: then it comes again.
        let again = before.as_ref().is_none_or(|hold| !hold.live && !hold.void && !hold.accepted);
        ensure(again, || format!("this token was used before: {before:?}"))?;
        if first {
            let last = self.order.insert(lane, number).unwrap_or(0);
            ensure(last < number, || format!("{last}, sent later, was delivered before"))?;
        }
        self.within_credit(who, consumer)
    }

    fn within_credit(&self, who: Who, consumer: Option<Id>) -> Verdict {
        // A deleted queue takes what is held of it out of the count.
        let Some(id) = consumer.filter(|_| !self.removes) else { return Ok(()) };
        let holds = self.holds.range((who, 0)..=(who, u64::MAX));
        let of_this = holds.filter(|(_, hold)| hold.live && hold.consumer == consumer);
        let held: Vec<u64> = of_this.map(|((_, token), _)| *token).collect();
        let most = self.credit.get(&(who, id)).copied().unwrap_or(u32::MAX);
        ensure(held.len() <= most as usize, || {
            format!("it has credit for {most} and holds {held:?}")
        })
    }

    /// An operation on queues has ended.
    pub(super) fn end(
        &mut self,
        context: &Context,
        id: Id,
        command: &Command,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let who = context.at.who;
        match (command, result) {
            (Command::Send { message, .. }, _) => self.end_send(context, message, result),
            (Command::Receive { queue }, Ok(Outcome::Delivery(delivery))) => {
                self.deliver(context, None, queue, delivery)
            }
            (Command::Settle { delivery, verdict }, _) => {
                self.end_settle(context, *delivery, *verdict, result.as_ref().err())
            }
            (Command::Purge { .. } | Command::Delete { .. }, _) => {
                self.end_removal(context.at, id, result);
                Ok(())
            }
            (Command::Inspect { queue }, Ok(Outcome::Queue(info))) => self.inspected(queue, info),
            (Command::Consume { .. }, _) => {
                self.void(who, Some(id));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end_send(
        &mut self,
        context: &Context,
        message: &Message,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let number = number(&message.body).expect("programs number what they say");
        let body = self.bodies.get_mut(&number).expect("a send has a body");
        match result {
            Ok(Outcome::Receipt(Receipt { message_id, .. })) => {
                body.send = Send::Confirmed;
                let epoch = context.sessions.epoch(context.at.who);
                body.stored_once((epoch, *message_id))?;
                let queue = body.queue.clone();
                self.within_length(&queue, epoch)
            }
            Err(error) if !error.maybe_executed() => {
                body.send = Send::Refused;
                ensure(body.stored.is_none(), || format!("it was delivered before: {body:?}"))
            }
            _ => {
                body.send = Send::Unknown;
                Ok(())
            }
        }
    }

    /// What is stored for certain fits into the queue.
    fn within_length(&self, queue: &Name, epoch: u64) -> Verdict {
        if self.removes {
            return Ok(());
        }
        let certain = |body: &&Body| {
            body.queue == *queue
                && body.send == Send::Confirmed
                && body.stored.is_some_and(|(stored, _)| stored == epoch)
                && body.removals == 0
        };
        let count = self.bodies.values().filter(certain).count() as u64;
        let length_max = self.length_max[queue];
        ensure(count <= length_max, || format!("{count} are stored; at most {length_max} may be"))
    }

    fn end_settle(
        &mut self,
        context: &Context,
        token: u64,
        choice: Choice,
        error: Option<&Error>,
    ) -> Verdict {
        let Moment { now, who, .. } = context.at;
        let Some(hold) = self.holds.get_mut(&(who, token)) else {
            return ensure(error.is_some(), || "there is no such delivery".into());
        };
        let body = self.bodies.get_mut(&hold.body).expect("a hold has a body");
        let removes = matches!(choice, Choice::Acknowledge | Choice::Reject);
        if let Some(error) = error {
            if removes && !error.maybe_executed() {
                body.removals -= 1;
            }
            return Ok(());
        }
        ensure(!hold.accepted, || "this delivery was settled before".into())?;
        ensure(!hold.void && !hold.passed_on, || format!("it was taken back: {hold:?}"))?;
        hold.accepted = true;
        if removes {
            ensure(!body.removed, || "the message was taken before".into())?;
            body.removed = true;
            let holder = body.holder.filter(|(who, _)| !context.sessions.doubtful(now, *who));
            ensure(holder.is_none(), || format!("{holder:?} holds it"))?;
        } else if choice == Choice::Requeue {
            body.requeues_done += 1;
        }
        Ok(())
    }

    fn end_removal(&mut self, at: Moment, id: Id, result: &Result<Outcome, Error>) {
        let Some(removal) = self.removals.get_mut(&(at.who, id)) else { return };
        match result {
            Ok(Outcome::Count(count)) => {
                removal.ended = Some(at.now);
                removal.count = Some(*count);
            }
            Err(error) if !error.maybe_executed() => {
                self.removals.remove(&(at.who, id));
            }
            _ => {}
        }
    }

    fn inspected(&self, queue: &Name, info: &QueueInfo) -> Verdict {
        let length_max = self.length_max[queue];
        ensure(info.ready + info.held <= length_max, || {
            format!("at most {length_max} may be stored")
        })?;
        ensure(info.bytes <= info.bytes_max, || "it has more bytes than it may".into())
    }

    /// What `who` holds, of one consumer or at all, is no longer held.
    pub(super) fn void(&mut self, who: Who, consumer: Option<Id>) {
        for ((of, token), hold) in self.holds.range_mut((who, 0)..=(who, u64::MAX)) {
            if consumer.is_some() && hold.consumer != consumer {
                continue;
            }
            let body = self.bodies.get_mut(&hold.body).expect("a hold has a body");
            if body.holder == Some((*of, *token)) {
                body.holder = None;
            }
            // A settlement that is under way may still be accepted.
            hold.void |= hold.live && consumer.is_none();
            hold.live = false;
        }
    }

    /// A session goes on, and with it all that it holds.
    pub(super) fn resumed(&mut self, at: Moment) -> Verdict {
        let who = at.who;
        let open = |body: &&mut Body| body.producer == who && body.send == Send::Open;
        self.bodies.values_mut().filter(open).for_each(|body| body.repeated = true);
        let mut holds = self.holds.range((who, 0)..=(who, u64::MAX));
        let passed_on = holds.find(|(_, hold)| at.linked && hold.live && hold.passed_on);
        ensure(passed_on.is_none(), || format!("this was given to another: {passed_on:?}"))
    }

    /// The last program looks before it takes what is left, and when nothing is.
    pub(super) fn drained(&self, info: &QueueInfo, empty: bool) -> Verdict {
        let idle = info.held == 0 && info.sends_waiting == 0 && info.consumers == 0;
        ensure(idle, || "nobody is left who could hold or wait".into())?;
        ensure(!empty || (info.ready == 0 && info.bytes == 0), || "all was taken".into())?;
        let gone = info.acknowledged + info.rejected;
        ensure(!empty || self.removes || info.sent == gone, || "the figures do not add up".into())
    }

    /// Everything confirmed has had exactly one fate.
    pub(super) fn finish(&self, epoch: u64) -> Verdict {
        let mut vanished = BTreeMap::<&Name, u64>::new();
        for (number, body) in &self.bodies {
            let stored = body.stored.is_some_and(|(stored, _)| stored == epoch);
            if body.send != Send::Confirmed || !stored || body.removals > 0 {
                continue;
            }
            let removable = |removal: &&Removal| {
                removal.queue == body.queue && removal.ended.is_none_or(|at| body.started <= at)
            };
            ensure(self.removals.values().any(|removal| removable(&removal)), || {
                format!("message {number} was confirmed and is lost: {body:?}")
            })?;
            *vanished.entry(&body.queue).or_default() += 1;
        }
        for (queue, count) in vanished {
            let of_this = || self.removals.values().filter(|removal| removal.queue == *queue);
            let told: u64 = of_this().filter_map(|removal| removal.count).sum();
            let certain = of_this().all(|removal| removal.count.is_some());
            ensure(!certain || count <= told, || {
                format!("{count} messages of {queue} are gone; only {told} were removed")
            })?;
        }
        Ok(())
    }
}
