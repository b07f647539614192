//! Clients and a hub joined by pipes that a test can cut, under a clock that a test turns.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

#[path = "bindings.rs"]
pub mod bindings;
#[path = "commands.rs"]
mod commands;
#[path = "config.rs"]
mod config;
#[path = "disk.rs"]
mod disk;
#[path = "gathers.rs"]
pub mod gathers;
#[path = "groups.rs"]
pub mod groups;
mod queues;
#[path = "streams.rs"]
pub mod streams;
#[path = "topics.rs"]
pub mod topics;

use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{
    Command, Error, Event, Id, Kind, Message, Name, Notice, Outcome, QueueOptions, Time, Verdict,
    What,
};
use telpher_proto::client::{self, Client, Link};
use telpher_proto::hub::{self, Beginning, Effect, Hub, Linger, Peer, PortId};

use telpher_proto::journal::Source;

pub use commands::*;
pub use config::*;
pub use disk::{Disk, Faults};
pub use queues::*;

pub struct World {
    pub now: Time,
    pub hub: Hub,
    pub programs: Vec<Program>,
    pub epoch: u64,
    pub disk: Disk,
    /// Nobody hosts.
    pub is_down: bool,
    pub hub_id: [u8; 16],
    pub sizes: Sizes,
    /// The epoch of the last host that got so far as to serve.
    served: u64,
    tokens: u8,
}

pub struct Program {
    pub client: Client,
    pub events: Vec<Event>,
    port: Option<PortId>,
    next_id: Id,
    /// No connection is made while this is set.
    pub cut: bool,
    /// What the hub sends is lost while this is set.
    pub deaf: bool,
    /// Messages of its subscriber that it has taken.
    pub taken: usize,
    /// Bytes that it has got from the hub.
    pub heard: usize,
}

/// The hub takes in what it has received.
pub fn take_in(hub: &mut Hub, now: Time, port: PortId) {
    let mut is_more = hub.handle_received(now, port);
    while is_more {
        hub.flush(now);
        is_more = hub.go_on(now, port);
    }
}

impl World {
    /// The hub of a directory, with its disk.
    pub fn new() -> World {
        let mut world = World::on(Disk::default(), HUB_ID);
        world.take_over().expect("an empty disk");
        world
    }

    /// A disk, and nobody who hosts yet.
    pub fn on(disk: Disk, hub_id: [u8; 16]) -> World {
        let now = Time::from_nanos(1_000_000_000);
        let hub = Hub::new(config(hub_id, (0, 0)), now);
        let programs = Vec::new();
        let sizes = Sizes::default();
        let (epoch, served, tokens) = (0, 0, 0);
        World { now, hub, programs, epoch, disk, is_down: true, hub_id, sizes, served, tokens }
    }

    /// The hub of a directory whose segments have other sizes than usual.
    pub fn with_sizes(sizes: Sizes) -> World {
        let mut world = World::on(Disk::default(), HUB_ID);
        world.sizes = sizes;
        world.take_over().expect("an empty disk");
        world
    }

    /// A hub without a directory.
    pub fn in_memory() -> World {
        let mut world = World::new();
        world.hub = Hub::new(config(HUB_ID, (1, 0)), world.now);
        world
    }

    /// The host is killed, and another takes over.
    pub fn change_host(&mut self) {
        self.disk.forget_work();
        self.take_over().expect("an undamaged disk");
    }

    /// The machine loses its power. The same programs, as if on another machine, go on.
    pub fn cut_power(&mut self) {
        self.disk.cut_power();
        self.take_over().expect("an undamaged disk");
    }

    /// The host ends by itself, and another takes over.
    pub fn hand_over(&mut self) {
        self.try_to_hand_over().expect("an undamaged disk");
    }

    /// The same on a disk that may fail.
    pub fn try_to_hand_over(&mut self) -> Result<(), Error> {
        let ended = self.end_host();
        self.lose_host();
        ended?;
        self.take_over()
    }

    /// The host ends by itself, and nobody follows.
    pub fn end_host(&mut self) -> Result<(), Error> {
        let Some(last) = self.hub.close_down(self.now) else { return Ok(()) };
        let mut synced = 0;
        for is_sealed in [false, true] {
            while let Some(effect) = self.hub.poll_disk() {
                self.disk.waiting.push_back(effect);
            }
            loop {
                let all = self.disk.next()?;
                if all.is_empty() {
                    break;
                }
                for done in all {
                    if let hub::DiskDone::Synced(position) = done {
                        synced = position;
                    }
                    self.hub.handle_disk(self.now, done);
                }
            }
            assert!(last <= synced, "what was handed over is durable");
            if !is_sealed {
                self.hub.seal_end();
            }
            self.hub.flush(self.now);
        }
        Ok(())
    }

    /// Another host takes over from what is on the disk.
    pub fn take_over(&mut self) -> Result<(), Error> {
        self.epoch += 1;
        self.lose_host();
        self.hub = self.next_host()?;
        self.served = self.epoch;
        self.is_down = false;
        self.settle();
        Ok(())
    }

    fn next_host(&mut self) -> Result<Hub, Error> {
        let config = config(self.hub_id, (self.epoch, self.served));
        host(hub::Config { sizes: self.sizes, ..config }, self.now, &mut self.disk)
    }

    fn lose_host(&mut self) {
        self.is_down = true;
        self.disk.forget_work();
        for program in &mut self.programs {
            program.port = None;
            program.client.handle_disconnected(self.now, "the host was killed");
        }
    }

    /// Another host is about to take over, and is killed before it serves.
    pub fn break_take_over_off(&mut self) {
        self.disk.forget_work();
        self.epoch += 1;
        self.next_host().expect("an undamaged disk");
    }

    /// A program that has opened the hub.
    pub fn program(&mut self) -> usize {
        let config = client::Config {
            seed: self.programs.len() as u64,
            clock: CLOCK,
            backoff_ms: (1, 10),
            url: String::from("mem://test"),
        };
        let mut client = Client::new(config, self.now);
        client.open(self.now, 1, 0, Some(self.now.plus_ms(1_000)));
        let program = Program {
            client,
            events: Vec::new(),
            port: None,
            next_id: 2,
            cut: false,
            deaf: false,
            taken: 0,
            heard: 0,
        };
        self.programs.push(program);
        self.settle();
        self.programs.len() - 1
    }

    /// Starts an operation with a time limit of 1 s.
    pub fn start(&mut self, program: usize, command: Command) -> Id {
        self.start_within(program, command, Some(1_000))
    }

    pub fn start_within(&mut self, program: usize, command: Command, ms: Option<u64>) -> Id {
        command.check().expect("a good command");
        let deadline = ms.map(|ms| self.now.plus_ms(ms));
        let program = &mut self.programs[program];
        let id = program.next_id;
        program.next_id += 1;
        program.client.start(self.now, id, id * 10, command, deadline);
        id
    }

    /// Starts an operation and lets everybody do what can be done at once.
    pub fn run(&mut self, program: usize, command: Command) -> Id {
        let id = self.start(program, command);
        self.settle();
        id
    }

    /// Lets `ms` pass, in steps of the next deadline.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        loop {
            let next = self.programs.iter().filter_map(|program| program.client.poll_timeout());
            let hub = self.hub.poll_timeout().filter(|_| !self.is_down);
            let next = next.chain(hub).min().unwrap_or(end);
            self.now = next.clamp(self.now, end);
            if !self.is_down {
                self.hub.handle_timeout(self.now);
            }
            for program in &mut self.programs {
                program.client.handle_timeout(self.now);
            }
            self.settle();
            if self.now == end {
                return;
            }
        }
    }

    /// Everybody does what can be done without time passing.
    pub fn settle(&mut self) {
        while self.turn_hub()
            | self.turn_disk()
            | (0..self.programs.len()).any(|program| self.turn(program))
        {}
    }

    /// The connection breaks; the session lingers.
    pub fn break_connection(&mut self, program: usize) {
        self.drop_port(program, Linger::Grace);
        self.programs[program].client.handle_disconnected(self.now, "broken");
    }

    /// The connection breaks and is not made again; the session waits for its process to end.
    pub fn leave(&mut self, program: usize) -> hub::SessionId {
        self.programs[program].cut = true;
        let port = self.programs[program].port.take().expect("a connection");
        self.hub.handle_disconnected(self.now, port, Linger::Process).expect("a session")
    }

    /// The connection breaks; the session lingers as long as its process.
    pub fn break_local_connection(&mut self, program: usize) {
        self.drop_port(program, Linger::Process);
        self.programs[program].client.handle_disconnected(self.now, "broken");
    }

    /// The process is killed.
    pub fn kill(&mut self, program: usize) {
        self.drop_port(program, Linger::Died);
        self.programs[program].cut = true;
        self.settle();
    }

    fn drop_port(&mut self, program: usize, linger: Linger) {
        if let Some(port) = self.programs[program].port.take() {
            self.hub.handle_disconnected(self.now, port, linger);
        }
    }

    fn turn(&mut self, at: usize) -> bool {
        let mut moved = false;
        let now = self.now;
        let program = &mut self.programs[at];
        if program.cut {
            return false;
        }
        if let Some(port) = program.port {
            program.client.flush(now);
            let bytes = take(program.client.outbox());
            if !bytes.is_empty() {
                self.hub.inbox(port).extend_from_slice(&bytes);
                take_in(&mut self.hub, now, port);
                moved = true;
            }
        }
        while let Some(link) = program.client.poll_link() {
            moved = true;
            match link {
                Link::Connect if self.is_down => {
                    program.client.handle_disconnected(now, "nobody hosts");
                }
                Link::Connect => {
                    self.tokens = self.tokens.wrapping_add(1);
                    program.port =
                        Some(self.hub.connect(now, Peer::Local(None), [self.tokens; 16]));
                    program.client.handle_connected(now);
                }
                Link::Disconnect => {
                    if let Some(port) = program.port.take() {
                        self.hub.handle_disconnected(now, port, Linger::Grace);
                    }
                }
            }
        }
        while let Some(event) = program.client.poll_event() {
            program.events.push(event);
            moved = true;
        }
        moved
    }

    fn turn_disk(&mut self) -> bool {
        if self.is_down {
            return false;
        }
        self.hub.flush(self.now);
        while let Some(effect) = self.hub.poll_disk() {
            self.disk.waiting.push_back(effect);
        }
        let Ok(done) = self.disk.next() else {
            self.lose_host();
            return true;
        };
        let moved = !done.is_empty();
        for done in done {
            self.hub.handle_disk(self.now, done);
        }
        moved
    }

    fn turn_hub(&mut self) -> bool {
        let mut moved = false;
        if self.is_down {
            return false;
        }
        while let Some(effect) = self.hub.poll_effect() {
            moved = true;
            match effect {
                Effect::Transmit(port) => {
                    let bytes = take(self.hub.outbox(port));
                    self.hub.handle_written(self.now, port);
                    let carried = self.programs.iter_mut().find(|p| p.port == Some(port));
                    if let Some(program) = carried.filter(|program| !program.deaf) {
                        program.heard += bytes.len();
                        program.client.inbox().extend_from_slice(&bytes);
                        program.client.handle_received(self.now);
                    }
                }
                Effect::Close(port) => {
                    let _ = take(self.hub.outbox(port));
                    self.hub.handle_disconnected(self.now, port, Linger::Grace);
                    if let Some(program) = self.programs.iter_mut().find(|p| p.port == Some(port)) {
                        program.port = None;
                        program.client.handle_disconnected(self.now, "closed by the hub");
                    }
                }
                Effect::Pause(_) | Effect::Resume(_) => {}
            }
        }
        moved
    }

    /// How a ticket ended; exactly once.
    pub fn outcome(&self, program: usize, id: Id) -> Result<Outcome, Error> {
        self.ended(program, id).unwrap_or_else(|| panic!("ticket {id} is still open"))
    }

    pub fn ended(&self, program: usize, id: Id) -> Option<Result<Outcome, Error>> {
        let ends = self.programs[program].events.iter().filter(|event| event.id == id);
        let mut ends = ends.filter_map(|event| match &event.what {
            What::Done(result) => Some(result.clone()),
            _ => None,
        });
        let first = ends.next();
        assert!(ends.next().is_none(), "ticket {id} ended twice");
        first
    }

    pub fn kind(&self, program: usize, id: Id) -> Kind {
        self.outcome(program, id).expect_err("an error").kind()
    }

    pub fn reply(&self, program: usize, id: Id) -> Vec<u8> {
        match self.outcome(program, id) {
            Ok(Outcome::Reply(message)) => message.body.to_vec(),
            other => panic!("no reply but {other:?}"),
        }
    }

    /// Requests that a service has heard of: token and body.
    pub fn requests(&self, program: usize, service: Id) -> Vec<(u64, Vec<u8>)> {
        let events = self.programs[program].events.iter().filter(|event| event.id == service);
        let requests = events.filter_map(|event| match &event.what {
            What::Request(request) => Some((request.token, request.message.body.to_vec())),
            _ => None,
        });
        requests.collect()
    }

    pub fn withdrawn(&self, program: usize) -> Vec<u64> {
        let events = self.programs[program].events.iter();
        let withdrawn = events.filter_map(|event| match event.what {
            What::Withdrawn { request } => Some(request),
            _ => None,
        });
        withdrawn.collect()
    }

    /// Messages that a consumer has heard of: token, body, failures.
    pub fn deliveries(&self, program: usize, consumer: Id) -> Vec<(u64, Vec<u8>, u32)> {
        let events = self.programs[program].events.iter().filter(|event| event.id == consumer);
        let deliveries = events.filter_map(|event| match &event.what {
            What::Delivery(delivery) | What::Done(Ok(Outcome::Delivery(delivery))) => {
                Some((delivery.token, delivery.message.body.to_vec(), delivery.failures))
            }
            _ => None,
        });
        deliveries.collect()
    }

    pub fn notices(&self, program: usize) -> Vec<Notice> {
        let events = self.programs[program].events.iter();
        let notices = events.filter_map(|event| match &event.what {
            What::Notice(notice) => Some(notice.clone()),
            _ => None,
        });
        notices.collect()
    }

    /// The ready and held messages of a queue.
    pub fn figures(&mut self, program: usize, queue: &str) -> (u64, u64) {
        let id = self.run(program, Command::Inspect { queue: name(queue) });
        match self.outcome(program, id) {
            Ok(Outcome::Queue(info)) => (info.ready, info.held),
            other => panic!("no figures but {other:?}"),
        }
    }
}

fn host(config: hub::Config, now: Time, disk: &mut Disk) -> Result<Hub, Error> {
    let (files, stream_files) = disk.files()?;
    let checkpoint = disk.checkpoint.clone();
    let mut read = |number| disk.read(number);
    let source = Source { files: &files, checkpoint, read: &mut read };
    let begun = Hub::recover(config, now, (source, &stream_files), &disk::name)?;
    let Beginning { hub, segment: (number, size, content), obsolete, .. } = begun;
    disk.make((number, size, &content))?;
    obsolete.into_iter().try_for_each(|number| disk.remove(number))?;
    Ok(hub)
}

fn take(outbox: &mut telpher_proto::wire::Outbox) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[])];
        outbox.slices(&mut slices);
        let part = slices[0].to_vec();
        outbox.advance(part.len());
        bytes.extend(part);
    }
    bytes
}
