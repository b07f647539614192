//! What each delivery may be: of a message that was sent, held by nobody else, in order.

use telpher_proto::base::{Delivery, Durability, Id, Message, Name};

use super::body::{Body, Fact, Send};
use super::holds::Hold;
use super::letters;
use super::queues::Queues;
use super::{Context, Moment, Verdict, ensure, number};
use crate::agenda::Who;

/// A delivery that was on its way for so long is not expected any more, in ms.
const LATE_MS: u64 = 12_000;

impl Queues {
    /// Failures of a message of the queue that nobody asked for, at most.
    pub(super) fn more_failures(&self, body: &Body) -> u64 {
        if self.limited.contains(&body.queue) || self.limited.contains(&body.dead) {
            return u64::from(u32::MAX);
        }
        self.ends - body.ends
    }

    /// A message as the hub tells of it: somebody has sent it, and it is stored once.
    pub(super) fn known(
        &mut self,
        context: &Context,
        queue: &Name,
        id: u64,
        message: &Message,
    ) -> Result<u64, String> {
        let number = number(&message.body).ok_or("nobody sent this")?;
        let ends = self.ends;
        let body = self.bodies.get_mut(&number).ok_or("nobody sent this")?;
        let is_dead = body.dead == *queue;
        let told = if is_dead { letters::without_headers(message) } else { message.clone() };
        ensure(body.message == told, || format!("what was sent is {body:?}"))?;
        ensure(body.queue == *queue || is_dead, || format!("it was sent to {}", body.queue))?;
        let refused = body.send == Send::Refused && !body.shaken;
        ensure(!refused, || "its send was refused".into())?;
        let owner = *self.ids.entry(id).or_insert(number);
        ensure(owner == number, || format!("the id {id:#x} is that of message {owner}"))?;
        let era = context.eras.era(body.durability, context.sessions.epoch(context.at.who));
        body.stored_once(era, id)?;
        if is_dead {
            let limited = self.limited.contains(&body.queue);
            let plan = self.plan.queue(&body.queue).expect("only planned queues are used");
            letters::check(context, message, (body, plan), (limited, ends))?;
        }
        Ok(number)
    }

    pub(super) fn deliver(
        &mut self,
        context: &Context,
        consumer: Option<Id>,
        queue: &Name,
        delivery: &Delivery,
    ) -> Verdict {
        let Moment { now, who, .. } = context.at;
        let number = self.known(context, queue, delivery.message_id, &delivery.message)?;
        let body = &self.bodies[&number];
        let (is_dead, durability) = (body.dead == *queue, body.durability);
        let limited = self.limited.contains(queue) || self.limited.contains(&body.queue);
        let long_ago = |fact: &Fact| fact.heard.plus_ms(LATE_MS) < now;
        // With a time limit it may have been taken back before it was heard of.
        let may_be_late = limited && !body.removed.as_ref().is_some_and(long_ago);
        let stale = context.eras.is_stale(durability, context.sessions.epoch(who));
        let doubtful = stale || context.sessions.doubtful(now, who);
        if !doubtful && !may_be_late {
            body.may_be_held(delivery, is_dead, self.more_failures(body))?;
            self.held_by_no_other(context, number, delivery.token)?;
        }
        if limited && !stale {
            self.taken_back_from(number, is_dead, delivery.failures);
        }
        self.attempts_end(number, is_dead, delivery)?;
        let body = self.bodies.get_mut(&number).expect("looked up before");
        let first = !delivery.redelivered && !doubtful && !body.repeated && !limited;
        let first = first && !body.is_delayed;
        let side = &mut body.sides[usize::from(is_dead)];
        if !stale {
            side.handed = true;
            side.seen = if limited { 0 } else { side.seen.max(delivery.failures) };
            body.buried |= is_dead && !limited;
            body.holds.push((who, delivery.token));
        }
        body.drained |= who.slot == self.plan.programs;
        let lane = body.lane(who, queue.clone(), context.eras.era_now(Durability::Os));
        let hold = Hold {
            body: number,
            durability,
            is_dead,
            consumer,
            failures: delivery.failures,
            live: !stale && !limited,
            settling: false,
            void: false,
            unsure: false,
            passed_on: false,
            accepted: false,
        };
        self.holds.insert(who, delivery.token, hold)?;
        if first && !is_dead {
            let last = self.order.insert(lane, number).unwrap_or(0);
            ensure(last < number, || format!("{last}, sent later, was delivered before"))?;
        }
        consumer.map_or(Ok(()), |id| self.within_credit(who, id))
    }

    /// Nobody else holds it for certain; whoever held it does not any more.
    fn held_by_no_other(&mut self, context: &Context, number: u64, token: u64) -> Verdict {
        let Moment { now, who, .. } = context.at;
        let own = (who, token);
        let body = self.bodies.get_mut(&number).expect("looked up before");
        for other in std::mem::take(&mut body.holds) {
            let Some(hold) = self.holds.get_mut(other.0, other.1).filter(|_| other != own) else {
                continue;
            };
            let over = context.sessions.doubtful(now, other.0);
            ensure(!hold.live || over, || format!("{other:?} holds it"))?;
            hold.passed_on |= hold.live || !hold.settling;
        }
        Ok(())
    }

    /// Whoever holds it with fewer failures held it before: it was taken back from there.
    fn taken_back_from(&mut self, number: u64, is_dead: bool, failures: u32) {
        for (who, token) in self.bodies[&number].holds.clone() {
            if let Some(hold) = self.holds.get_mut(who, token) {
                let earlier = hold.is_dead == is_dead && hold.failures < failures;
                hold.passed_on |= earlier && !hold.settling;
            }
        }
    }

    /// After its last attempt it is a dead letter.
    fn attempts_end(&self, number: u64, is_dead: bool, delivery: &Delivery) -> Verdict {
        let plan = self.plan.queue(&self.bodies[&number].queue).expect("only planned queues");
        let most = match plan.options.max_attempts {
            0 => 20,
            most => most,
        };
        ensure(is_dead || delivery.failures < most, || format!("it may be tried {most} times"))
    }

    pub(super) fn within_credit(&self, who: Who, id: Id) -> Verdict {
        let held = self.holds.of(who).filter(|(_, hold)| hold.live && hold.consumer == Some(id));
        let held: Vec<u64> = held.map(|(token, _)| token).collect();
        // What was held of a queue that is deleted since no longer counts.
        let most = self.credit.get(&(who, id)).copied().filter(|_| !self.plan.removes());
        let most = most.unwrap_or(u32::MAX);
        ensure(held.len() <= most as usize, || {
            format!("it has credit for {most} and holds {held:?}")
        })
    }
}
