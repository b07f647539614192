//! What becomes of each message: nothing confirmed is lost, stored twice, held twice or taken
//! twice, what was refused is never seen, and first deliveries keep their producer's order.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{Command, Durability, Error, Id, Message, Name, Outcome};
use telpher_proto::base::{Part, QueueInfo, Receipt, Time, Verdict as Choice};

use super::batches::{Batch, Batches};
use super::body::{Body, Fact, Lane, Send};
use super::holds::Holds;
use super::{Context, Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;
use crate::plan::Plan;

/// A purge or a deletion.
#[derive(Debug)]
pub(super) struct Removal {
    pub queue: Name,
    pub ended: Option<Time>,
    pub count: Option<u64>,
}

#[derive(Debug)]
pub struct Queues {
    pub(super) plan: Plan,
    pub(super) bodies: BTreeMap<u64, Body>,
    pub(super) holds: Holds,
    pub(super) batches: Batches,
    /// Whose each message id is, for ever.
    pub(super) ids: BTreeMap<u64, u64>,
    /// The most that each consumer ever had credit for: nobody says when less takes effect.
    pub(super) credit: BTreeMap<(Who, Id), u32>,
    pub(super) order: BTreeMap<Lane, u64>,
    pub(super) removals: BTreeMap<(Who, Id), Removal>,
    /// Queues of which some consumer has a time limit.
    pub(super) limited: BTreeSet<Name>,
    /// Local programs that have ended.
    pub(super) ends: u64,
    /// Everything heard before this moment is durable.
    pub(super) durable: Time,
}

impl Queues {
    pub(super) fn new(plan: &Plan) -> Queues {
        let limited = plan.queues.iter().filter(|queue| queue.options.ack_deadline_ms > 0);
        Queues {
            limited: limited.map(|queue| queue.name.clone()).collect(),
            plan: plan.clone(),
            bodies: BTreeMap::new(),
            holds: Holds::default(),
            batches: Batches::default(),
            ids: BTreeMap::new(),
            credit: BTreeMap::new(),
            order: BTreeMap::new(),
            removals: BTreeMap::new(),
            ends: 0,
            durable: Time::default(),
        }
    }

    pub(super) fn start(&mut self, context: &Context, start: &Start, command: &Command) {
        match command {
            Command::Send { queue, message } => drop(self.send(start, queue, message)),
            Command::Settle { delivery, verdict, .. } => {
                self.settle(start.who, *delivery, *verdict);
            }
            Command::Batch { parts } => self.batch(context, start, parts),
            Command::Consume { prefetch, queue, ack_deadline_ms } => {
                self.credit.insert((start.who, start.id), *prefetch);
                if *ack_deadline_ms > 0 {
                    self.limited.insert(queue.clone());
                }
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

    fn send(&mut self, start: &Start, queue: &Name, message: &Message) -> (u64, Durability) {
        let plan = self.plan.queue(queue).expect("only planned queues are used");
        let body = Body::new(start, plan, message, self.ends);
        let number = number(&message.body).expect("programs number what they say");
        let durability = body.durability;
        self.bodies.insert(number, body);
        (number, durability)
    }

    /// The message of a delivery, its durability, and whether it was held for certain.
    fn settle(&mut self, who: Who, token: u64, choice: Choice) -> Option<(u64, Durability, bool)> {
        let hold = self.holds.get_mut(who, token)?;
        let was_live = std::mem::replace(&mut hold.live, false);
        hold.settling = true;
        let body = self.bodies.get_mut(&hold.body).expect("a hold has a body");
        match choice {
            Choice::Reject if !hold.is_dead => body.rejections_started += 1,
            Choice::Acknowledge | Choice::Reject => body.removals += 1,
            Choice::Requeue => body.sides[usize::from(hold.is_dead)].requeues_started += 1,
            Choice::Release => {}
        }
        Some((hold.body, hold.durability, was_live))
    }

    fn batch(&mut self, context: &Context, start: &Start, parts: &[Part]) {
        let (mut sends, mut acknowledged, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        let (mut level, mut publishes) = (Durability::Memory, false);
        for part in parts {
            match part {
                Part::Send { queue, message } => {
                    let (number, durability) = self.send(start, queue, message);
                    sends.push(number);
                    level = level.max(durability);
                }
                Part::Settle { delivery, verdict, .. } => {
                    let found = self.settle(start.who, *delivery, *verdict);
                    let Some((body, durability, was_live)) = found else { continue };
                    level = level.max(durability);
                    settled.push((*delivery, was_live));
                    if *verdict == Choice::Acknowledge {
                        acknowledged.push(body);
                    }
                }
                Part::Publish { .. } => publishes = true,
                // No program of the simulation does so yet.
                Part::Append { .. } | Part::Commit { .. } => {}
            }
        }
        for number in &sends {
            let body = self.bodies.get_mut(number).expect("it was made just now");
            // What is bound may be safer than everything else in it.
            body.is_delayed = publishes || body.durability < level;
        }
        let era = context.eras.era_now(level);
        let is_known = false;
        let batch = Batch { sends, acknowledged, settled, level, era, is_known };
        self.batches.0.insert((start.who, start.id), batch);
    }

    /// An operation on queues has ended.
    pub(super) fn end(
        &mut self,
        context: &Context,
        id: Id,
        (command, started): (&Command, Time),
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let who = context.at.who;
        match (command, result) {
            (Command::Send { message, .. }, _) => {
                let number = number(&message.body).expect("programs number what they say");
                let receipt = match result {
                    Ok(Outcome::Receipt(receipt)) => Ok(receipt),
                    Ok(_) => return Ok(()),
                    Err(error) => Err(error),
                };
                self.end_send(context, number, receipt)?;
                let level = self.bodies[&number].durability;
                self.done(context, level, started, result.is_ok())
            }
            (Command::Receive { queue }, Ok(Outcome::Delivery(delivery))) => {
                self.deliver(context, None, queue, delivery)
            }
            (Command::Settle { delivery, verdict, .. }, _) => {
                let level = self.holds.get(who, *delivery).map(|hold| hold.durability);
                let level = level.unwrap_or(Durability::Memory);
                let error = result.as_ref().err();
                self.end_settle(context, *delivery, (*verdict, level), error)?;
                self.done(context, level, started, error.is_none())
            }
            (Command::Batch { parts }, _) => self.end_batch(context, id, (parts, started), result),
            (Command::Purge { .. } | Command::Delete { .. }, _) => {
                self.end_removal(context.at, id, result);
                Ok(())
            }
            (Command::Peek { queue, .. }, Ok(Outcome::Peeked(peeked))) => {
                for peeked in peeked {
                    self.known(context, queue, peeked.message_id, &peeked.message)?;
                }
                Ok(())
            }
            (Command::Inspect { queue }, Ok(Outcome::Queue(info))) => self.inspected(queue, info),
            (Command::Consume { .. }, _) => {
                self.holds.void(who, Some(id));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Something is done, and as safe as `level` says.
    fn done(
        &mut self,
        context: &Context,
        level: Durability,
        started: Time,
        is_done: bool,
    ) -> Verdict {
        if is_done && level == Durability::Disk {
            self.durable = self.durable.max(started);
            let epoch = context.sessions.epoch(context.at.who);
            let failed = context.eras.failed_before(epoch, started);
            ensure(!failed, || "the disk of this host had failed before".into())?;
        }
        Ok(())
    }

    fn end_send(
        &mut self,
        context: &Context,
        number: u64,
        result: Result<&Receipt, &Error>,
    ) -> Verdict {
        let body = self.bodies.get_mut(&number).expect("a send has a body");
        match result {
            Ok(Receipt { message_id, durability }) => {
                let owner = *self.ids.entry(*message_id).or_insert(number);
                ensure(owner == number, || format!("this id is that of message {owner}"))?;
                ensure(*durability >= body.durability, || "it is less safe than its queue".into())?;
                let epoch = context.sessions.epoch(context.at.who);
                let era = context.eras.era(body.durability, epoch);
                body.stored_once(era, *message_id)?;
                body.send = Send::Confirmed;
                body.confirmed = Some(Fact { heard: context.at.now, level: *durability });
                let is_over = context.eras.era_now(body.durability) != era;
                body.lost |= is_over && context.eras.era_now(*durability) != era;
                self.within_length(number)
            }
            Err(error) if !error.maybe_executed() => {
                body.send = Send::Refused;
                ensure(body.stored.is_none() || body.shaken, || {
                    format!("it was delivered before: {body:?}")
                })
            }
            _ => {
                body.send = Send::Unknown;
                Ok(())
            }
        }
    }

    fn end_batch(
        &mut self,
        context: &Context,
        id: Id,
        (parts, started): (&[Part], Time),
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let who = context.at.who;
        let Some(batch) = self.batches.0.get_mut(&(who, id)) else { return Ok(()) };
        let (sends, level) = (batch.sends.clone(), batch.level);
        batch.is_known = result.as_ref().err().is_none_or(|error| !error.maybe_executed());
        let refused = result.is_err() && batch.is_known;
        for (token, was_live) in batch.settled.clone() {
            if let Some(hold) = self.holds.get_mut(who, token).filter(|_| refused) {
                hold.live = was_live && !hold.unsure && !hold.passed_on;
                hold.settling = false;
            }
        }
        let receipts = match result {
            Ok(Outcome::Receipts(receipts)) => Ok(receipts),
            Ok(_) => return Err("a batch ends with receipts".into()),
            Err(error) => Err(error),
        };
        let count = receipts.map_or(sends.len(), Vec::len);
        ensure(count == sends.len(), || format!("it has {} sends", sends.len()))?;
        for (place, number) in sends.into_iter().enumerate() {
            let receipt = receipts.map(|receipts| &receipts[place]);
            let safe = receipt.as_ref().ok().is_none_or(|receipt| receipt.durability >= level);
            ensure(safe, || format!("it is as safe as {level:?}"))?;
            self.end_send(context, number, receipt)?;
        }
        for part in parts {
            if let Part::Settle { delivery, verdict, .. } = part {
                let error = result.as_ref().err();
                self.end_settle(context, *delivery, (*verdict, level), error)?;
            }
        }
        self.done(context, level, started, result.is_ok())
    }

    /// What is stored for certain fits into the queue.
    fn within_length(&self, number: u64) -> Verdict {
        let queue = &self.bodies[&number].queue;
        let plan = self.plan.queue(queue).expect("only planned queues are used");
        if self.plan.removes() || plan.options.ttl_ms > 0 {
            return Ok(());
        }
        let certain = |body: &&Body| {
            body.queue == *queue
                && body.send == Send::Confirmed
                && !body.lost
                && body.sides[0].seen == 0
                && body.removals + body.rejections_started + body.sides[0].requeues_started == 0
                && self.more_failures(body) == 0
        };
        let count = self.bodies.values().filter(certain).count() as u64;
        let length_max = plan.options.length_max;
        ensure(count <= length_max, || format!("{count} are stored; at most {length_max} may be"))
    }

    fn end_settle(
        &mut self,
        context: &Context,
        token: u64,
        (choice, level): (Choice, Durability),
        error: Option<&Error>,
    ) -> Verdict {
        let Moment { now, who, .. } = context.at;
        let Some(hold) = self.holds.get_mut(who, token) else {
            return ensure(error.is_some(), || "there is no such delivery".into());
        };
        let stale = context.eras.is_stale(hold.durability, context.sessions.epoch(who));
        let body = self.bodies.get_mut(&hold.body).expect("a hold has a body");
        let buries = choice == Choice::Reject && !hold.is_dead;
        let removes = matches!(choice, Choice::Acknowledge | Choice::Reject) && !buries;
        if let Some(error) = error {
            if removes && !error.maybe_executed() {
                body.removals -= 1;
            }
            return Ok(());
        }
        if stale && level != Durability::Disk {
            return Ok(());
        }
        hold.accept()?;
        let fact = Some(Fact { heard: now, level });
        let is_dead = usize::from(hold.is_dead);
        match choice {
            _ if removes => {
                ensure(body.removed.is_none(), || "the message was taken before".into())?;
                body.removed = fact;
            }
            Choice::Reject => body.rejected = body.rejected.or(fact),
            Choice::Requeue => body.sides[is_dead].requeues_done += 1,
            _ => {}
        }
        if removes || buries {
            let holder = body.holds.iter().find(|(other, of)| {
                let hold = self.holds.get(*other, *of);
                hold.is_some_and(|hold| hold.live && hold.is_dead == (is_dead == 1))
                    && !context.sessions.doubtful(now, *other)
            });
            ensure(holder.is_none(), || format!("{holder:?} holds it"))?;
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
        ensure(info.damaged == 0, || "nothing was damaged".into())?;
        let Some(plan) = self.plan.queues.iter().find(|plan| plan.name == *queue) else {
            return Ok(());
        };
        let length_max = plan.options.length_max;
        ensure(info.ready + info.held + info.delayed <= length_max, || {
            format!("at most {length_max} may be stored")
        })?;
        ensure(info.bytes <= info.bytes_max, || "it has more bytes than it may".into())
    }
}
