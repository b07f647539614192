//! What goes wrong: breaking connections, pauses, kills, another host, the disk, the power.

use telpher_proto::base::Time;

use crate::agenda::{Fault, Item, Who};
use crate::program::State;
use crate::storage::{Doom, End};
use crate::world::World;

impl World {
    /// Puts the next fault of a kind on the agenda.
    pub(crate) fn next_fault(&mut self, fault: Fault) {
        let every = self.plan.faults_ms[fault as usize];
        if every > 0 {
            self.later(2_000 * every, Item::Fault(fault));
        }
    }

    /// A fault strikes.
    pub(crate) fn strike(&mut self, fault: Fault) {
        if !self.working() {
            return;
        }
        match fault {
            Fault::Break => self.break_some(),
            Fault::Pause => self.pause_some(),
            Fault::PauseHub => self.pause_hub(),
            Fault::HostKill => self.end_soon(End::Kill),
            Fault::Kill => {
                if let Some(slot) = self.some_open() {
                    self.kill(slot);
                }
            }
            Fault::Power => self.end_soon(End::Power),
            Fault::HandOver => self.hand_over(),
            Fault::DiskError => self.end_soon(End::Error),
            Fault::DiskFull => {
                self.disk.is_tight = self.random.chance(50);
                self.disk.is_full = !self.disk.is_tight;
                // Verdicts take their time to use a segment up.
                let us = if self.disk.is_tight { 15_000_000 } else { 1_500_000 };
                self.later(us, Item::Room);
            }
        }
        self.next_fault(fault);
    }

    fn some_open(&mut self) -> Option<usize> {
        let open = |slot: &usize| self.programs[*slot].state == State::Open;
        let slots: Vec<usize> = (0..self.plan.programs).filter(open).collect();
        self.random.pick(&slots)
    }

    fn break_some(&mut self) {
        let Some(index) = self.some_open().and_then(|slot| self.programs[slot].connection) else {
            return;
        };
        self.connections[index].cut(&mut self.random);
        self.schedule(index);
    }

    fn pause_some(&mut self) {
        let Some(slot) = self.some_open() else { return };
        if self.programs[slot].paused_until.is_none() {
            let ms = self.pause_ms();
            let program = &mut self.programs[slot];
            let until: Time = self.now.plus_ms(ms);
            program.paused_until = Some(until);
            let item = Item::Continue(program.who);
            self.agenda.add(&mut self.random, until, item);
        }
    }

    fn pause_ms(&mut self) -> u64 {
        if self.random.chance(80) {
            self.random.between(1, 150)
        } else {
            self.random.between(500, 4_000)
        }
    }

    /// A paused program goes on: it reads all that has come, then looks at its timers.
    pub(crate) fn go_on(&mut self, who: Who) {
        let program = &mut self.programs[who.slot];
        if program.who != who || program.state == State::Dead {
            return;
        }
        program.paused_until = None;
        if let Some(index) = program.connection {
            let bytes = self.connections[index].down.take_all();
            self.receive_down(index, &bytes);
        }
        let now = self.programs[who.slot].clock.shows(self.now);
        self.programs[who.slot].timer = None;
        self.clients[who.slot].handle_timeout(now);
        self.drive(who.slot);
    }

    fn pause_hub(&mut self) {
        if self.host.hub.is_some() && !self.host.paused && self.host.closing.is_none() {
            self.host.paused = true;
            let ms = self.pause_ms();
            self.after(ms, Item::ContinueHub);
        }
    }

    /// The paused hub goes on: what has come arrives, and it looks at its timers.
    pub(crate) fn hub_goes_on(&mut self) {
        if !std::mem::take(&mut self.host.paused) {
            return;
        }
        for index in self.host.ports.values().copied().collect::<Vec<_>>() {
            self.schedule(index);
        }
        self.take_mail();
        self.hub_timeout();
    }

    /// The host ends early: now, or at one of the next operations of its disk.
    fn end_soon(&mut self, end: End) {
        let at_once = end != End::Error && self.random.chance(30);
        match self.host.hub {
            None if end == End::Power => self.power_goes(),
            None => {}
            Some(_) if at_once || !self.plan.directory => self.end_host(end),
            Some(_) => {
                let is_picky = self.random.chance(30);
                let operations = self.random.below(if is_picky { 5 } else { 10 });
                self.host.doom = Some(Doom { operations, end, is_picky });
            }
        }
    }

    /// A program is killed; another one takes its slot later.
    pub(crate) fn kill(&mut self, slot: usize) {
        let who = self.programs[slot].who;
        self.trace.note(self.now, format_args!("{who:?} is killed"));
        self.model.killed(who);
        let program = &mut self.programs[slot];
        let was_open = std::mem::replace(&mut program.state, State::Dead) == State::Open;
        if let Some(index) = program.connection.take() {
            let connection = &mut self.connections[index];
            connection.up.cut(&mut self.random);
            connection.down.discard();
            connection.client_open = false;
            self.schedule(index);
        }
        self.process_over(who);
        if was_open && slot < self.plan.programs {
            self.later(1_000_000, Item::Open(slot));
        }
    }
}
