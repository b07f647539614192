//! The course of a run: work, rest, a probe, closing, and taking what is left.

use telpher_proto::base::{Command, Name};

use crate::agenda::{FAULTS, Item, Phase, Who};
use crate::drain::Drain;
use crate::plan::{BOUND, BOUND_STREAMS};
use crate::program::{Clock, Program, State, client};
use crate::world::World;

impl World {
    /// The first programs start.
    pub(crate) fn begin(&mut self) {
        self.trace.note(self.now, format_args!("{:?}", self.plan));
        self.take_over();
        for slot in 0..self.plan.programs {
            self.open(slot);
        }
        for fault in FAULTS {
            self.next_fault(fault);
        }
        let end = self.now.plus_ms(self.plan.work_ms);
        self.agenda.add(&mut self.random, end, Item::Next(Phase::Rest));
    }

    /// A new program starts in a slot.
    pub(crate) fn open(&mut self, slot: usize) {
        let life = self.programs.get(slot).map_or(0, |program| program.who.life + 1);
        let who = Who { slot, life };
        let local = self.random.chance(50);
        let ahead_ns = if local { 0 } else { self.random.below(1 << 50) };
        let program = Program::new(who, local, Clock::ahead(ahead_ns));
        let now = program.clock.shows(self.now);
        let clock = if local { self.host.boot() } else { [2; 16] };
        let client = client(self.random.next(), clock, now);
        if slot == self.programs.len() {
            self.programs.push(program);
            self.clients.push(client);
        } else {
            self.programs[slot] = program;
            self.clients[slot] = client;
        }
        let patient = slot == self.plan.programs || self.random.chance(90);
        let patience_ms = if patient { 10_000 } else { 30 };
        self.start_open(slot, patience_ms);
        if slot < self.plan.programs {
            self.declare_all(slot);
            for _ in 0..self.random.below(3) {
                self.consume(slot);
            }
            for _ in 0..self.random.below(3) {
                self.serve(slot);
            }
            self.later(2 * self.plan.act_us, Item::Act(who));
        }
        self.drive(slot);
    }

    fn start_open(&mut self, slot: usize, patience_ms: u64) {
        let start = self.ticket(slot, Some(patience_ms));
        self.trace.note(self.now, format_args!("{:?} opens", start.who));
        let program = &self.programs[slot];
        self.model.opened(&start, program.local);
        let shows = |at| program.clock.shows(at);
        self.clients[slot].open(shows(self.now), start.id, start.user, start.deadline.map(shows));
    }

    /// The next part begins.
    pub(crate) fn next_phase(&mut self, phase: Phase) {
        self.phase = phase;
        match phase {
            Phase::Work => {}
            Phase::Rest => {
                self.host.doom = None;
                self.after(9_000, Item::Next(Phase::Probe));
            }
            Phase::Probe => {
                self.each_open(|world, slot| {
                    let queue = world.plan.queues[0].name.clone();
                    let id = world.start(slot, Command::Inspect { queue }, Some(8_000));
                    world.programs[slot].probe = Some(id);
                });
                self.after(9_000, Item::Next(Phase::Close));
            }
            Phase::Close => {
                self.model.rested();
                self.each_open(|world, slot| {
                    if world.programs[slot].probe.is_some() {
                        let complaint = "the hub does not answer though nothing is wrong";
                        world.model.complain(format!("program {slot}: {complaint}"));
                    }
                    world.close(slot);
                });
                self.after(self.plan.grace_ms + 2_000, Item::Next(Phase::Drain));
            }
            Phase::Drain => {
                let slot = self.programs.len();
                self.open(slot);
                let own = self.plan.queues.iter().map(|plan| plan.name.clone());
                let dead = self.plan.queues.iter().map(|plan| plan.dead.clone());
                let bound = BOUND.iter().map(|(queue, _)| Name::parse(queue).expect("a good name"));
                let queues = dead.chain(own).chain(bound).collect();
                let of_topics = BOUND_STREAMS.iter();
                let of_topics = of_topics.map(|(name, _)| Name::parse(name).expect("a good name"));
                let own = self.plan.streams.iter().map(|plan| plan.name.clone());
                let streams = own.chain(of_topics).collect();
                self.programs[slot].drain = Some(Drain::new(queues, streams));
                self.after(10_000_000, Item::Next(Phase::End));
            }
            Phase::End => {
                if self.programs.last().is_some_and(|program| program.drain.is_some()) {
                    self.model.complain("what is left cannot be taken".into());
                }
            }
        }
    }

    fn each_open(&mut self, mut what: impl FnMut(&mut World, usize)) {
        for slot in 0..self.programs.len() {
            if self.programs[slot].state == State::Open {
                what(self, slot);
                self.drive(slot);
            }
        }
    }
}
