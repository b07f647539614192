//! What hosts and programs that end make of messages, and what must be true at the end of a run.

use std::collections::BTreeMap;

use telpher_proto::base::{Durability, Id, Name, QueueInfo};

use super::body::Send;
use super::queues::Queues;
use super::{Context, Moment, Verdict, ensure};
use crate::agenda::Who;

impl Queues {
    /// What was in memory is gone.
    pub(super) fn memory_is_lost(&mut self) {
        self.bodies.values_mut().for_each(|body| body.memory_is_lost());
    }

    /// What was not synced may be gone.
    pub(super) fn power_is_cut(&mut self) {
        let durable = self.durable;
        self.bodies.values_mut().for_each(|body| body.power_is_cut(durable));
        self.holds.power_is_cut();
    }

    /// True if what `who` holds with this token is of a queue in memory.
    pub(super) fn is_of_memory(&self, who: Who, token: u64) -> bool {
        let hold = self.holds.get(who, token);
        hold.is_some_and(|hold| hold.durability == Durability::Memory)
    }

    /// A local program is over, in one way or another.
    pub(super) fn local_ended(&mut self) {
        self.ends += 1;
    }

    /// What `who` holds, of one consumer or at all, is no longer held.
    pub(super) fn void(&mut self, who: Who, consumer: Option<Id>) {
        self.holds.void(who, consumer);
    }

    /// A program has reached another host, or its session has been forgotten.
    pub(super) fn host_changed(&mut self, context: &Context, before: u64, doubtful: bool) {
        let Moment { who, .. } = context.at;
        self.repeat_sends(who);
        let after = context.sessions.epoch(who);
        if before == after || !self.plan.directory {
            return self.holds.void(who, None);
        }
        let power = context.eras.power_between(before, after);
        let sure = !power && !doubtful;
        let memory = match context.eras.memory_lost_between(before, after) {
            true => Some(true),
            false => context.eras.memory_between(before, after).then_some(false),
        };
        self.holds.host_changed(who, sure, memory);
    }

    fn repeat_sends(&mut self, who: Who) {
        let bodies = self.bodies.values_mut();
        let open = bodies.filter(|body| body.producer == who && body.send == Send::Open);
        open.for_each(|body| body.repeated = true);
    }

    /// A session goes on, and with it all that it holds.
    pub(super) fn resumed(&mut self, at: Moment) -> Verdict {
        self.repeat_sends(at.who);
        let mut holds = self.holds.of(at.who);
        let passed_on = holds.find(|(_, hold)| at.linked && hold.live && hold.passed_on);
        ensure(passed_on.is_none(), || format!("this was given to another: {passed_on:?}"))
    }

    /// The last program looks before it takes what is left, and when nothing is.
    pub(super) fn drained(&self, queue: &Name, info: &QueueInfo, empty: bool) -> Verdict {
        let idle = info.held == 0 && info.sends_waiting == 0 && info.consumers == 0;
        ensure(idle, || "nobody is left who could hold or wait".into())?;
        let left = info.ready + info.delayed + info.bytes + info.damaged;
        ensure(!empty || left == 0, || "all was taken".into())?;
        let plan = self.plan.queue(queue).expect("only planned queues are used");
        let forgets = self.plan.directory && plan.durability() == Durability::Memory;
        let is_dead = plan.dead == *queue;
        let gone = info.acknowledged + if is_dead { info.rejected } else { info.dead_lettered };
        let known = empty && !self.plan.removes() && !forgets;
        ensure(!known || info.sent == gone, || "the figures do not add up".into())
    }

    /// Everything confirmed has had exactly one fate.
    pub(super) fn finish(&self, context: impl Fn(Durability) -> u64) -> Verdict {
        let mut vanished = BTreeMap::<&Name, u64>::new();
        for (number, body) in &self.bodies {
            if body.send != Send::Confirmed || body.lost || body.removals > 0 {
                continue;
            }
            let removable = |removal: &&super::queues::Removal| {
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
        if self.plan.removes() {
            return Ok(());
        }
        self.batches.finish(&self.bodies, context)
    }
}
