//! What programs do of their own accord.

use telpher_proto::base::{
    Command, Durability, GatherTo, HeadersBuilder, Id, Message, Name, Part, Pattern, Target,
    TopicOptions, TopicOverflow, Verdict,
};

use crate::agenda::Item;
use crate::plan::{ACTIONS, Action, BOUND, BOUND_STREAMS, CHANGING, PATTERNS, TOPICS, WAITING};
use crate::plan::{TIGHT, WAITING_PATTERN};
use crate::plan::{bound_options, bound_stream_options};
use crate::program::State;
use crate::world::World;

/// Tickets that a program has open at most.
const OPEN_MAX: usize = 40;

/// Consumers and services that a program has at most, each.
pub(crate) const REGISTERED_MAX: usize = 4;

impl World {
    /// A program does something.
    pub(crate) fn act(&mut self, slot: usize) {
        let action = ACTIONS[self.random.weighted(&self.plan.weights)];
        if self.programs[slot].tickets.len() >= OPEN_MAX {
            return self.cancel_some(slot);
        }
        match action {
            Action::Call => drop(self.call(slot)),
            Action::Send => self.send(slot),
            Action::Burst => {
                for _ in 0..self.random.between(2, 12) {
                    if self.random.chance(30) {
                        self.call(slot);
                    } else {
                        self.send(slot);
                    }
                }
            }
            Action::Receive => {
                let queue = self.place();
                let deadline = if self.random.chance(20) { None } else { self.deadline() };
                self.start(slot, Command::Receive { queue }, deadline);
            }
            Action::Consume => self.consume(slot),
            Action::Serve => self.serve(slot),
            Action::Declare => self.declare(slot),
            Action::Inspect => self.about_queue(slot, |queue| Command::Inspect { queue }),
            Action::Purge => self.about_queue(slot, |queue| Command::Purge { queue }),
            Action::Delete => self.about_queue(slot, |queue| Command::Delete { queue }),
            Action::Cancel => self.cancel_some(slot),
            Action::Detach => self.detach_some(slot),
            Action::Credit => self.credit(slot),
            Action::SettleAgain => {
                if let Some(token) = self.programs[slot].settled {
                    self.settle(slot, token);
                }
            }
            Action::Batch => self.batch(slot),
            Action::Extend => self.extend(slot),
            Action::Peek => self.peek(slot),
            Action::Publish => self.publish(slot),
            Action::Subscribe => self.subscribe(slot),
            Action::Append => self.append(slot),
            Action::Read => self.read_stream(slot),
            Action::DeclareStream => self.declare_stream(slot),
            Action::InspectStream => self.inspect_stream(slot),
            Action::Gather => self.gather(slot),
            Action::Close => self.close(slot),
        }
    }

    /// How long an operation may take, in ms.
    pub(crate) fn deadline(&mut self) -> Option<u64> {
        Some(match self.random.below(10) {
            0 => self.random.between(1, 20),
            1..=5 => self.random.between(50, 800),
            _ => self.random.between(1_000, 5_000),
        })
    }

    fn queue(&mut self) -> Name {
        self.random.pick(&self.plan.queues).expect("there is a queue").name
    }

    /// A queue, now and then one of dead letters.
    fn place(&mut self) -> Name {
        let plan = self.random.pick(&self.plan.queues).expect("there is a queue");
        if self.random.chance(15) { plan.dead } else { plan.name }
    }

    fn service(&mut self) -> Name {
        self.random.pick(&self.plan.services).expect("there is a service")
    }

    /// A message that no other is like.
    pub(crate) fn message(&mut self) -> Message {
        self.numbers += 1;
        let mut body = format!("{}:", self.numbers).into_bytes();
        let size = match self.random.below(20) {
            // A slow link is not to be busy with one message for seconds.
            0 if self.plan.link_size < 1_000 => self.random.below(4_000),
            0 => self.random.below(30_000),
            1..=3 => self.random.below(2_000),
            _ => self.random.below(40),
        };
        body.extend((0..size).map(|at| b'a' + (at % 26) as u8));
        let mut message = Message::new(body);
        if self.plan.priorities && self.random.chance(50) {
            message.properties_mut().priority = self.random.between(1, 2) as u8;
        }
        if self.random.chance(10) {
            let mut headers = HeadersBuilder::default();
            headers.push("kind", b"sample").expect("a short header");
            let properties = message.properties_mut();
            properties.headers = headers.build();
            properties.key = "a key".into();
        }
        message
    }

    /// Asks a service.
    pub(crate) fn call(&mut self, slot: usize) -> Id {
        let command = Command::Call { service: self.service(), message: self.message() };
        let deadline = self.deadline();
        self.start(slot, command, deadline)
    }

    fn send(&mut self, slot: usize) {
        let command = Command::Send { queue: self.queue(), message: self.message() };
        let deadline = self.deadline();
        self.start(slot, command, deadline);
    }

    /// Several sends, and verdicts on what is in hand. Usually all of queues that may be together.
    fn batch(&mut self, slot: usize) {
        let of_memory = self.random.pick(&self.plan.queues).expect("there is a queue");
        let of_memory = of_memory.durability() == Durability::Memory;
        let mixed = self.random.chance(10);
        let mut parts = Vec::new();
        for _ in 0..self.random.below(4) {
            let plan = self.random.pick(&self.plan.queues).expect("there is a queue");
            if mixed || (plan.durability() == Durability::Memory) == of_memory {
                let message = self.message();
                parts.push(Part::Send { queue: plan.name, message });
            }
        }
        if self.random.chance(30) {
            parts.push(Part::Publish { topic: self.topic(), message: self.message() });
        }
        let who = self.programs[slot].who;
        let fits = |token: &u64| mixed || self.model.is_of_memory(who, *token) == of_memory;
        let in_hand = self.programs[slot].deliveries.iter().copied().filter(fits);
        let in_hand: Vec<u64> = in_hand.take(self.random.below(4) as usize).collect();
        for delivery in in_hand {
            let place = self.random.weighted(&[70, 10, 10, 10]);
            let verdict =
                [Verdict::Acknowledge, Verdict::Reject, Verdict::Requeue, Verdict::Release][place];
            self.programs[slot].deliveries.retain(|other| *other != delivery);
            let reason = self.reason();
            parts.push(Part::Settle { delivery, verdict, reason });
        }
        if !parts.is_empty() {
            let deadline = self.deadline();
            self.start(slot, Command::Batch { parts }, deadline);
        }
    }

    fn extend(&mut self, slot: usize) {
        if let Some(delivery) = self.random.pick(&self.programs[slot].deliveries) {
            let ms = self.random.pick(&[0, 1, 100, 1_000]).expect("four");
            let deadline = self.deadline();
            self.start(slot, Command::Extend { delivery, ms }, deadline);
        }
    }

    fn peek(&mut self, slot: usize) {
        let (queue, count) = (self.place(), self.random.between(1, 20) as u32);
        let deadline = self.deadline();
        self.start(slot, Command::Peek { queue, count }, deadline);
    }

    /// Some messages, back to back.
    fn publish(&mut self, slot: usize) {
        if self.random.chance(15) {
            return self.rebind(slot);
        }
        if self.plan.declares && self.random.chance(15) {
            return self.redeclare(slot);
        }
        for _ in 0..self.random.between(1, 4) {
            let topic = self.topic();
            let command = Command::Publish { topic, message: self.message() };
            let deadline = self.deadline();
            self.start(slot, command, deadline);
        }
    }

    fn topic(&mut self) -> Name {
        let topics = if self.random.chance(30) { &WAITING[..] } else { &TOPICS[..] };
        let topic = self.random.pick(topics).expect("there is a topic");
        Name::parse(topic).expect("a good name")
    }

    fn subscribe(&mut self, slot: usize) {
        if self.programs[slot].subscribers.len() < REGISTERED_MAX {
            let pattern = self.random.pick(&PATTERNS).expect("there is a pattern");
            let pattern = Pattern::parse(pattern).expect("a good pattern");
            let buffer = self.random.pick(&[1, 2, 5, 100]).expect("four");
            let instance_name = self.instance_name();
            let command = Command::Subscribe { pattern, buffer, instance_name };
            let id = self.start(slot, command, None);
            self.programs[slot].tickets.retain(|other| *other != id);
            self.programs[slot].subscribers.push(id);
        }
    }

    /// None, one that others have, too, or most probably one of its own.
    fn instance_name(&mut self) -> Option<Name> {
        let number = self.random.below(1_000);
        let text = self.random.pick(&[None, Some("shared".into()), Some(format!("own-{number}"))]);
        text.expect("three").map(|text: String| Name::parse(&text).expect("a good name"))
    }

    /// Asks many.
    fn gather(&mut self, slot: usize) {
        let to = if self.random.chance(50) {
            GatherTo::Service(self.service())
        } else {
            let topic = self.random.pick(&TOPICS).expect("there is a topic");
            GatherTo::Topic(Name::parse(topic).expect("a good name"))
        };
        let count = self.random.pick(&[0, 0, 1, 2]).expect("four");
        let command = Command::Gather { to, message: self.message(), count };
        let deadline = self.deadline();
        self.start(slot, command, deadline);
    }

    fn about_queue(&mut self, slot: usize, command: impl FnOnce(Name) -> Command) {
        let command = command(self.queue());
        let deadline = self.deadline();
        self.start(slot, command, deadline);
    }

    /// Takes messages from a queue.
    pub(crate) fn consume(&mut self, slot: usize) {
        if self.programs[slot].consumers.len() < REGISTERED_MAX {
            let prefetch = self.random.between(1, 8) as u32;
            let limit = self.random.chance(8);
            let mut ack_deadline_ms = if limit { self.random.between(50, 500) as u32 } else { 0 };
            if self.plan.is_slow() {
                // In less time nothing gets there and back, and all that is handed out again is on
                // the way, too.
                ack_deadline_ms *= 100;
            }
            let command = Command::Consume { queue: self.place(), prefetch, ack_deadline_ms };
            let id = self.start(slot, command, None);
            self.register(slot, id, true);
        }
    }

    /// Serves a name.
    pub(crate) fn serve(&mut self, slot: usize) {
        if self.programs[slot].services.len() < REGISTERED_MAX {
            let command = Command::Serve {
                service: self.service(),
                concurrency: self.random.between(1, 4) as u32,
                line_max: self.random.below(6) as u32,
                instance_name: self.instance_name(),
            };
            let id = self.start(slot, command, None);
            self.register(slot, id, false);
        }
    }

    /// A consumer or service is no ticket that may be cancelled at will.
    fn register(&mut self, slot: usize, id: Id, consumer: bool) {
        let program = &mut self.programs[slot];
        program.tickets.retain(|other| *other != id);
        let ids = if consumer { &mut program.consumers } else { &mut program.services };
        ids.push(id);
    }

    /// Declares every queue as planned.
    pub(crate) fn declare_all(&mut self, slot: usize) {
        for plan in self.plan.queues.clone() {
            self.start(
                slot,
                Command::Declare { queue: plan.name, options: plan.options },
                Some(5_000),
            );
        }
        self.declare_waiting(slot);
        for (queue, patterns) in BOUND {
            let options = bound_options(queue, self.plan.directory);
            let queue = Name::parse(queue).expect("a good name");
            self.start(slot, Command::Declare { queue: queue.clone(), options }, Some(5_000));
            for pattern in patterns {
                let target = Target::Queue(queue.clone());
                let pattern = Pattern::parse(pattern).expect("a good pattern");
                self.start(slot, Command::Bind { pattern, target }, Some(5_000));
            }
        }
        for (stream, patterns) in BOUND_STREAMS {
            let options = bound_stream_options(self.plan.directory);
            let stream = Name::parse(stream).expect("a good name");
            let declare = Command::DeclareStream { stream: stream.clone(), options };
            self.start(slot, declare, Some(5_000));
            for pattern in patterns {
                let target = Target::Stream(stream.clone());
                let pattern = Pattern::parse(pattern).expect("a good pattern");
                self.start(slot, Command::Bind { pattern, target }, Some(5_000));
            }
        }
        for plan in self.plan.streams.clone() {
            let declare = Command::DeclareStream { stream: plan.name, options: plan.options };
            self.start(slot, declare, Some(5_000));
        }
    }

    /// Declares the topics whose publishers wait for good; on disk that lasts.
    fn declare_waiting(&mut self, slot: usize) {
        let epoch = self.host.epoch;
        if self.plan.directory && epoch > 1 && self.random.chance(90) {
            return;
        }
        let pattern = Pattern::parse(WAITING_PATTERN).expect("a good pattern");
        let options = self.plan.waiting;
        self.start(slot, Command::DeclareTopic { pattern, options }, Some(5_000));
    }

    /// Declares topics, or deletes a declaration, or looks at it.
    fn redeclare(&mut self, slot: usize) {
        let pattern = match self.random.chance(20) {
            true => TIGHT,
            false => self.random.pick(&CHANGING).expect("there is a pattern"),
        };
        let pattern = Pattern::parse(pattern).expect("a good pattern");
        let line_max = self.random.pick(&[0, 2]).expect("two");
        let command = match self.random.below(10) {
            0..=4 => Command::DeclareTopic {
                pattern,
                options: TopicOptions { overflow: TopicOverflow::Wait, line_max },
            },
            5 => Command::DeclareTopic { pattern, options: TopicOptions::default() },
            6..=8 => Command::DeleteTopic { pattern },
            _ => Command::InspectTopic { pattern },
        };
        let deadline = self.deadline();
        self.start(slot, command, deadline);
    }

    /// Begins or ends a binding.
    fn rebind(&mut self, slot: usize) {
        let name = |name| Name::parse(name).expect("a good name");
        let target = match self.random.below(3) {
            0 => Target::Stream(name(BOUND_STREAMS[0].0)),
            place => Target::Queue(name(BOUND[place as usize - 1].0)),
        };
        let pattern = self.random.pick(&CHANGING).expect("there is a pattern");
        let pattern = Pattern::parse(pattern).expect("a good pattern");
        let command = match self.random.chance(50) {
            true => Command::Bind { pattern, target },
            false => Command::Unbind { pattern, target },
        };
        let deadline = self.deadline();
        self.start(slot, command, deadline);
    }

    fn declare(&mut self, slot: usize) {
        let plan = self.random.pick(&self.plan.queues).expect("there is a queue");
        let mut options = plan.options;
        if self.random.chance(30) {
            options.bytes_max = 1_000_000;
        }
        let deadline = self.deadline();
        self.start(slot, Command::Declare { queue: plan.name, options }, deadline);
    }

    fn cancel_some(&mut self, slot: usize) {
        if let Some(id) = self.random.pick(&self.programs[slot].tickets) {
            self.cancel(slot, id);
        }
    }

    /// Asks for a ticket's end.
    pub(crate) fn cancel(&mut self, slot: usize, id: Id) {
        let who = self.programs[slot].who;
        self.trace.note(self.now, format_args!("{who:?} cancels {id}"));
        let now = self.programs[slot].clock.shows(self.now);
        self.clients[slot].cancel(now, id);
        self.cancelled.push((who, id));
    }

    fn detach_some(&mut self, slot: usize) {
        let program = &self.programs[slot];
        let ids = match self.random.below(5) {
            0 => &program.tickets,
            1 => &program.consumers,
            2 => &program.subscribers,
            3 => &program.readers,
            _ => &program.services,
        };
        let Some(id) = self.random.pick(ids) else { return };
        let who = program.who;
        self.trace.note(self.now, format_args!("{who:?} lets go of {id}"));
        self.model.detached(who, id);
        let program = &mut self.programs[slot];
        program.forget(id);
        let now = program.clock.shows(self.now);
        self.clients[slot].detach(now, id);
    }

    fn credit(&mut self, slot: usize) {
        if let Some(consumer) = self.random.pick(&self.programs[slot].consumers) {
            let prefetch = self.random.below(8) as u32;
            let deadline = self.deadline();
            self.start(slot, Command::Credit { consumer, prefetch }, deadline);
        }
    }

    /// A program closes its handle; while others work, another one opens later.
    pub(crate) fn close(&mut self, slot: usize) {
        let who = self.programs[slot].who;
        self.trace.note(self.now, format_args!("{who:?} closes"));
        self.model.closing(who);
        self.programs[slot].state = State::Closed;
        let now = self.programs[slot].clock.shows(self.now);
        self.clients[slot].close(now);
        self.closed.push(who);
        self.process_over(who);
        if self.working() {
            self.later(2_000_000, Item::Open(slot));
        }
    }

    /// Opening failed: nothing is left but to close.
    pub(crate) fn give_up(&mut self, slot: usize) {
        if self.programs[slot].state == State::Open {
            self.close(slot);
        }
    }
}
