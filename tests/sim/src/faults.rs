//! What goes wrong: breaking connections, pauses, kills, another host.

use telpher_proto::base::Time;

use crate::agenda::{Fault, Item, Who};
use crate::mutant::Mutant;
use crate::program::State;
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
            Fault::HostChange => self.host_dies(),
            Fault::Kill => self.kill_some(),
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
        if self.host.hub.is_some() && !self.host.paused {
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
        self.hub_timeout();
    }

    /// The host dies: every connection breaks, and what was in memory is gone.
    fn host_dies(&mut self) {
        if self.host.hub.is_none() {
            return;
        }
        self.trace.note(self.now, format_args!("the host dies"));
        for index in std::mem::take(&mut self.host.ports).into_values() {
            let connection = &mut self.connections[index];
            connection.hub_open = false;
            connection.up.discard();
            connection.down.cut(&mut self.random);
            self.schedule(index);
        }
        self.host.clear();
        self.later(300_000, Item::Takeover);
    }

    /// Another host takes over.
    pub(crate) fn take_over(&mut self) {
        let forgetful = self.mischief.is(Mutant::ForgetfulHost);
        let epoch = if forgetful { self.host.epoch } else { self.host.epoch + 1 };
        self.trace.note(self.now, format_args!("a host takes over with epoch {epoch}"));
        self.begin_hosting(epoch);
    }

    fn kill_some(&mut self) {
        let Some(slot) = self.some_open() else { return };
        let who = self.programs[slot].who;
        self.trace.note(self.now, format_args!("{who:?} is killed"));
        self.model.killed(who);
        let program = &mut self.programs[slot];
        program.state = State::Dead;
        if let Some(index) = program.connection.take() {
            let connection = &mut self.connections[index];
            connection.up.cut(&mut self.random);
            connection.down.discard();
            connection.client_open = false;
            self.schedule(index);
        }
        self.process_over(who);
        self.later(1_000_000, Item::Open(slot));
    }
}
