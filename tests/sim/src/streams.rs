//! What programs do with streams.

use telpher_proto::base::{Command, Id, Name, Reading, Start, StreamRecord};

use crate::agenda::Item;
use crate::plan::BOUND_STREAMS;
use crate::workload::REGISTERED_MAX;
use crate::world::World;

/// Within how long a slow program takes what has arrived for a reader, in us.
const TAKE_US: u64 = 100_000;

/// The keys that records have, and that readers want.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];

impl World {
    /// Some records, back to back: with a key, for a partition, for an offset, or none of these.
    pub(crate) fn append(&mut self, slot: usize) {
        let plan = self.random.pick(&self.plan.streams).expect("there is a stream");
        let count = if self.random.chance(15) { self.random.between(5, 20) } else { 1 };
        for _ in 0..count {
            let mut message = self.message();
            // A record has no priority, and its key is one of few.
            let headers = message.properties.take().map(|properties| properties.headers);
            if let Some(headers) = headers.filter(|headers| !headers.encoded().is_empty()) {
                message.properties_mut().headers = headers;
            }
            let (mut partition, mut expect) = (None, None);
            let drawn = self.random.below(10);
            if drawn <= 3 || plan.options.compact {
                let key = self.random.pick(&KEYS).expect("four");
                message.properties_mut().key = key.into();
            }
            match drawn {
                4 | 5 => partition = Some(self.partition(plan.options.partitions)),
                6 => {
                    let number = self.partition(plan.options.partitions);
                    partition = Some(number);
                    expect = self.model.likely_next(&plan.name, number);
                }
                _ => {}
            }
            let deadline = self.deadline();
            let stream = plan.name.clone();
            let command = Command::Append { stream, message, partition, expect };
            self.start(slot, command, deadline);
        }
    }

    fn partition(&mut self, count: u32) -> u32 {
        self.random.below(count.into()) as u32
    }

    pub(crate) fn read_stream(&mut self, slot: usize) {
        if self.programs[slot].readers.len() >= REGISTERED_MAX {
            return;
        }
        if self.random.chance(15) {
            return self.read_bound(slot);
        }
        let plan = self.random.pick(&self.plan.streams).expect("there is a stream");
        let one = self.random.chance(40).then(|| self.partition(plan.options.partitions));
        let start = match self.random.below(8) {
            0..=2 => Start::Beginning,
            3 | 4 => Start::End,
            5 => Start::Time(self.hub_time_ms().saturating_sub(self.random.below(2_000))),
            _ => {
                let next = self.model.likely_next(&plan.name, one.unwrap_or(0)).unwrap_or(0);
                Start::Offset((next + 1).saturating_sub(self.random.below(10)))
            }
        };
        let buffer = self.random.pick(&[0, 1, 200, 2_000]).expect("four");
        let follow = self.random.chance(60);
        let key = self.random.chance(30).then(|| self.random.pick(&KEYS).expect("four").into());
        let mut reading =
            Reading { partition: one, start, follow, buffer, key, ..Reading::default() };
        if self.random.chance(35) {
            // From where the group begins. Members of one want everything, those of the other
            // mostly the same.
            let group = self.random.pick(&["all", "all", "some"]).expect("three");
            let key = match group {
                "all" => None,
                _ if self.random.chance(80) => Some(KEYS[0].into()),
                _ => reading.key,
            };
            let group = Some(Name::parse(group).expect("a good name"));
            let max_processing_ms = self.random.pick(&[0, 0, 300, 3_000]).expect("four");
            reading = Reading { group, buffer, key, max_processing_ms, ..Reading::default() };
        }
        self.open_reader(slot, plan.name, reading);
    }

    /// Reads what is published from the beginning on.
    fn read_bound(&mut self, slot: usize) {
        let (stream, _) = self.random.pick(&BOUND_STREAMS).expect("two");
        let buffer = self.random.pick(&[1, 200, 2_000]).expect("three");
        let reading = Reading { follow: self.random.chance(60), buffer, ..Reading::default() };
        self.open_reader(slot, Name::parse(stream).expect("a good name"), reading);
    }

    fn open_reader(&mut self, slot: usize, stream: Name, reading: Reading) {
        let id = self.start(slot, Command::Read { stream, reading: Box::new(reading) }, None);
        self.programs[slot].tickets.retain(|other| *other != id);
        self.programs[slot].readers.push(id);
    }

    /// The hub's wall clock.
    fn hub_time_ms(&self) -> u64 {
        self.host.wall_ms.saturating_add_unsigned(self.now.as_nanos() / 1_000_000).max(0) as u64
    }

    pub(crate) fn declare_stream(&mut self, slot: usize) {
        let plan = self.random.pick(&self.plan.streams).expect("there is a stream");
        let mut options = plan.options;
        if self.random.chance(30) {
            options.bytes_max = 50_000_000;
        }
        let deadline = self.deadline();
        self.start(slot, Command::DeclareStream { stream: plan.name, options }, deadline);
    }

    pub(crate) fn inspect_stream(&mut self, slot: usize) {
        let plan = self.random.pick(&self.plan.streams).expect("there is a stream");
        let deadline = self.deadline();
        self.start(slot, Command::InspectStream { stream: plan.name }, deadline);
    }

    /// A record has come: it is taken at once, or after a while.
    pub(crate) fn record(&mut self, slot: usize, id: Id, record: &StreamRecord) {
        let who = self.programs[slot].who;
        self.programs[slot].unread.push((id, record.untaken()));
        if record.generation > 0 && self.random.chance(60) {
            let StreamRecord { partition, generation, offset, .. } = *record;
            let command = Command::Commit { reader: id, partition, generation, next: offset + 1 };
            let deadline = self.deadline();
            self.start(slot, command, deadline);
        }
        if !self.working() || self.random.chance(50) {
            self.take(slot, id);
        } else {
            self.later(TAKE_US, Item::Take(who, id));
        }
    }

    /// Takes what has arrived for a reader or for subscribers.
    pub(crate) fn take(&mut self, slot: usize, id: Id) {
        if self.programs[slot].subscribers.contains(&id) {
            return self.take_published(slot);
        }
        let program = &mut self.programs[slot];
        let now = program.clock.shows(self.now);
        let (taken, left) =
            std::mem::take(&mut program.unread).into_iter().partition(|(of, _)| *of == id);
        program.unread = left;
        let taken: Vec<_> = taken;
        for (id, untaken) in taken {
            self.clients[slot].taken(now, id, untaken);
        }
    }
}
