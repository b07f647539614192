//! Moves bytes between clients and the hub, and makes and drops connections.

use std::time::Duration;

use telpher_proto::client::Link;
use telpher_proto::hub::{Effect, Linger, PortId};

use crate::agenda::Item;
use crate::link::Connection;
use crate::mangled;
use crate::mutant::Mutant;
use crate::program::State;
use crate::world::World;

impl World {
    /// What a client wants of its link.
    pub(crate) fn link(&mut self, slot: usize, link: Link) {
        let who = self.programs[slot].who;
        self.trace.note(self.now, format_args!("{who:?} wants {link:?}"));
        match link {
            Link::Connect => {
                if self.programs[slot].connecting || self.programs[slot].connection.is_some() {
                    self.model.complain(format!("{who:?} connects twice"));
                }
                self.programs[slot].connecting = true;
                self.later(5_000, Item::Connect(who));
            }
            Link::Disconnect => {
                self.programs[slot].connecting = false;
                let Some(index) = self.programs[slot].connection.take() else { return };
                let connection = &mut self.connections[index];
                connection.client_open = false;
                connection.up.ended = true;
                connection.down.discard();
                self.schedule(index);
            }
        }
    }

    /// An attempt to connect comes to its end.
    pub(crate) fn connect(&mut self, slot: usize) {
        if !self.programs[slot].connecting {
            return;
        }
        let who = self.programs[slot].who;
        if self.host.paused || self.host.closing.is_some() {
            return self.later(20_000, Item::Connect(who));
        }
        self.programs[slot].connecting = false;
        let refused = self.working() && self.random.chance(5);
        let token = self.token();
        let (peer, clock) = (self.peer(slot), self.programs[slot].clock);
        match self.host.hub.as_mut().filter(|_| !refused) {
            None => self.clients[slot].handle_disconnected(clock.shows(self.now), "refused"),
            Some(hub) => {
                let port = hub.connect(self.now, peer, token);
                let index = self.connections.len();
                self.connections.push(Connection::new(who, port, self.plan.link_size));
                self.host.ports.insert(port.0, index);
                self.programs[slot].connection = Some(index);
                self.clients[slot].handle_connected(clock.shows(self.now));
                self.drain_hub();
            }
        }
        self.drive(slot);
    }

    /// Puts what a client has to say on its way; true if there was anything.
    pub(crate) fn flush_client(&mut self, slot: usize) -> bool {
        let Some(index) = self.programs[slot].connection else { return false };
        let moved = self.connections[index].up.fill(self.clients[slot].outbox());
        self.schedule(index);
        moved > 0
    }

    /// Puts what the hub has to say on its way; true if there was anything.
    fn flush_port(&mut self, index: usize) -> bool {
        let connection = &mut self.connections[index];
        let Some(hub) = self.host.hub.as_mut().filter(|_| connection.hub_open) else {
            return false;
        };
        let outbox = hub.outbox(connection.port);
        let moved = match self.mischief.is(Mutant::ConfirmedTooMany) {
            true => connection.down.fill_mangled(outbox, mangled::confirm_one_more),
            false => connection.down.fill(outbox),
        };
        if moved > 0 {
            hub.handle_written(self.now, connection.port);
            self.schedule(index);
        }
        moved > 0
    }

    /// What is under way, or the end of it, is going to arrive.
    pub(crate) fn schedule(&mut self, index: usize) {
        let (least, most) = self.plan.latency_us;
        let connection = &mut self.connections[index];
        if connection.up.pending() && connection.hub_open && !connection.up.scheduled {
            connection.up.scheduled = true;
            let span = Duration::from_micros(self.random.between(least, most));
            self.agenda.add(&mut self.random, self.now.plus(span), Item::Up(index));
        }
        if connection.down.pending() && connection.client_open && !connection.down.scheduled {
            connection.down.scheduled = true;
            let span = Duration::from_micros(self.random.between(least, most));
            self.agenda.add(&mut self.random, self.now.plus(span), Item::Down(index));
        }
    }

    /// Bytes, or their end, reach the hub.
    pub(crate) fn arrive_up(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.up.scheduled = false;
        let hung_up = connection.up.ended && connection.down.ended;
        if connection.paused && hung_up {
            connection.up.discard();
        }
        let unread = connection.paused && !hung_up;
        if !connection.hub_open || unread || self.host.paused || self.host.closing.is_some() {
            return;
        }
        if connection.up.at_end() {
            return self.port_gone(index);
        }
        let bytes = connection.up.take(&mut self.random, self.plan.chunks);
        let (port, who) = (connection.port, connection.who);
        let Some(hub) = &mut self.host.hub else { return };
        self.trace.note(self.now, format_args!("{} bytes up from {who:?}", bytes.len()));
        self.trace.bytes(&bytes);
        hub.inbox(port).extend_from_slice(&bytes);
        let mut is_more = hub.handle_received(self.now, port);
        while is_more {
            self.flush();
            is_more = self.host.hub.as_mut().is_some_and(|hub| hub.go_on(self.now, port));
        }
        self.drain_hub();
        let program = &self.programs[who.slot];
        if self.connections[index].client_open && program.paused_until.is_none() {
            self.flush_client(who.slot);
        }
        self.schedule(index);
    }

    /// The hub learns that a connection is gone.
    fn port_gone(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let (port, who) = (connection.port, connection.who);
        connection.hub_open = false;
        self.host.ports.remove(&port.0);
        let program = &self.programs[who.slot];
        let alive = program.who == who && program.state == State::Open;
        let current = program.connection.is_none_or(|newest| newest == index);
        let ended = !alive && self.random.chance(50);
        let linger = match (self.model.is_local(who), ended) {
            (true, true) => Linger::Died,
            (true, false) => Linger::Process,
            _ => Linger::Grace,
        };
        self.trace.note(self.now, format_args!("the hub misses {who:?}: {linger:?}"));
        let grace = Duration::from_millis(self.plan.grace_ms);
        let grace = (linger == Linger::Grace).then_some(grace);
        self.model.hub_lost(self.now, who, current, grace);
        if linger == Linger::Died {
            self.model.local_end_learned();
        }
        let Some(hub) = &mut self.host.hub else { return };
        let session = hub.handle_disconnected(self.now, port, linger);
        if let Some(session) = session.filter(|_| linger == Linger::Process) {
            self.linger(session, who);
        }
        self.drain_hub();
    }

    /// Bytes, or their end, reach a client.
    pub(crate) fn arrive_down(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.down.scheduled = false;
        let who = connection.who;
        let program = &self.programs[who.slot];
        if !connection.client_open || program.who != who || program.paused_until.is_some() {
            return;
        }
        let bytes = connection.down.take(&mut self.random, self.plan.chunks);
        self.receive_down(index, &bytes);
    }

    /// A client reads `bytes`, or learns that its connection is gone.
    pub(crate) fn receive_down(&mut self, index: usize, bytes: &[u8]) {
        let who = self.connections[index].who;
        let clock = self.programs[who.slot].clock;
        let client = &mut self.clients[who.slot];
        if !bytes.is_empty() {
            self.trace.note(self.now, format_args!("{} bytes down to {who:?}", bytes.len()));
            self.trace.bytes(bytes);
            client.inbox().extend_from_slice(bytes);
            client.handle_received(clock.shows(self.now));
        } else if self.connections[index].down.at_end() {
            self.trace.note(self.now, format_args!("{who:?} misses the hub"));
            self.connections[index].client_open = false;
            self.programs[who.slot].connection = None;
            client.handle_disconnected(clock.shows(self.now), "the connection broke");
        }
        self.drive(who.slot);
        if !self.host.paused && self.host.closing.is_none() {
            self.flush_port(index);
            self.drain_hub();
        }
        self.schedule(index);
    }

    /// Does what the hub wants done, until nothing comes of it any more.
    pub(crate) fn drain_hub(&mut self) {
        let mut rounds = 0;
        while let Some(effect) = self.host.hub.as_mut().and_then(|hub| hub.poll_effect()) {
            match effect {
                Effect::Transmit(port) => {
                    if let Some(index) = self.connection_of(port) {
                        self.flush_port(index);
                    }
                }
                Effect::Close(port) => self.hub_closes(port),
                Effect::Pause(port) | Effect::Resume(port) => {
                    if let Some(index) = self.connection_of(port) {
                        self.connections[index].paused = effect == Effect::Pause(port);
                        self.schedule(index);
                    }
                }
            }
            rounds += 1;
            if rounds > 100_000 {
                return self.model.complain("the hub never comes to rest".into());
            }
        }
        self.after_hub();
    }

    fn connection_of(&mut self, port: PortId) -> Option<usize> {
        let index = self.host.ports.get(&port.0).copied();
        if index.is_none() {
            self.model.complain(format!("the hub wants something of {port:?}, which is gone"));
        }
        index
    }

    fn hub_closes(&mut self, port: PortId) {
        let Some(index) = self.connection_of(port) else { return };
        let connection = &mut self.connections[index];
        let who = connection.who;
        self.trace.note(self.now, format_args!("the hub closes its port of {who:?}"));
        if let Some(hub) = &mut self.host.hub {
            connection.down.fill_whole(hub.outbox(port));
        }
        connection.down.ended = true;
        connection.up.discard();
        connection.paused = false;
        self.schedule(index);
    }
}
