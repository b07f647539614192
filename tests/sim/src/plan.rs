//! What one seed stands for: how many programs, which queues, how bad the weather is.
//!
//! Each seed switches some things off altogether, so that rare mixtures are met too: a run with
//! nothing but breaking connections finds other faults than one with everything at once.

use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{Compression, Durability, Name, Overflow, QueueOptions, StreamOptions};
use telpher_proto::base::{TopicOptions, TopicOverflow};

use crate::random::Random;

/// How bytes are cut on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// All that waits arrives at once.
    Whole,
    /// A part of it, cut anywhere.
    Some,
    /// A few bytes at a time.
    Few,
}

/// What a program may do of its own accord, in the order of [`Plan::weights`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks a service.
    Call,
    /// Puts a message into a queue.
    Send,
    /// Several sends and calls back to back.
    Burst,
    /// Takes one message.
    Receive,
    /// Takes messages.
    Consume,
    /// Serves a name.
    Serve,
    /// Declares a queue, now and then with options that do not fit.
    Declare,
    /// Asks for a queue's figures.
    Inspect,
    /// Empties a queue.
    Purge,
    /// Removes a queue.
    Delete,
    /// Cancels an open ticket.
    Cancel,
    /// Lets go of a ticket, a consumer or a service.
    Detach,
    /// Changes a consumer's credit.
    Credit,
    /// Settles a delivery a second time.
    SettleAgain,
    /// Several sends and settlements, all or none.
    Batch,
    /// Moves the end of a lease.
    Extend,
    /// Looks at what waits in a queue.
    Peek,
    /// Publishes a message.
    Publish,
    /// Subscribes to topics.
    Subscribe,
    /// Appends records to a stream.
    Append,
    /// Reads a stream.
    Read,
    /// Declares a stream, now and then with options that do not fit.
    DeclareStream,
    /// Asks for a stream's figures.
    InspectStream,
    /// Asks all instances of a service, or all subscribers of a topic.
    Gather,
    /// Closes its handle, and opens another one later.
    Close,
}

/// Every action.
pub const ACTIONS: [Action; 25] = [
    Action::Call,
    Action::Send,
    Action::Burst,
    Action::Receive,
    Action::Consume,
    Action::Serve,
    Action::Declare,
    Action::Inspect,
    Action::Purge,
    Action::Delete,
    Action::Cancel,
    Action::Detach,
    Action::Credit,
    Action::SettleAgain,
    Action::Batch,
    Action::Extend,
    Action::Peek,
    Action::Publish,
    Action::Subscribe,
    Action::Append,
    Action::Read,
    Action::DeclareStream,
    Action::InspectStream,
    Action::Gather,
    Action::Close,
];

/// Topics to which messages are published.
pub const TOPICS: [&str; 5] = ["t", "t.a.x", "t.a.y", "t.b.x", TIGHT];

/// The topic for which there is little room where it is bound.
pub const TIGHT: &str = "tight.one";

/// Topics whose publishers wait, bound nowhere.
pub const WAITING: [&str; 2] = ["w.a", "w.b"];

/// What they are declared by, once for all.
pub const WAITING_PATTERN: &str = "w.*";

/// True if a topic is one of these, or a pattern matches nothing else.
pub fn waits(topic: &str) -> bool {
    topic.starts_with("w.")
}

/// Queues that nobody uses but by bindings, and the patterns that are bound to each at first. Each
/// is as safe as can be; the last one holds few messages.
pub const BOUND: [(&str, &[&str]); 3] =
    [("bound.one", &["t.**", "t.a.*"]), ("bound.two", &["t.*.x"]), ("bound.tight", &["tight.*"])];

/// Streams that nobody appends to but by bindings, and the patterns that are bound to each at
/// first. Each is as safe as can be and keeps everything.
pub const BOUND_STREAMS: [(&str, &[&str]); 2] =
    [("bound.log", &["t.**", "t.a.*"]), ("bound.tight.log", &["tight.*"])];

/// True if this is one of them.
pub fn is_bound_stream(name: &Name) -> bool {
    BOUND_STREAMS.iter().any(|(stream, _)| *stream == name.as_str())
}

/// How one of them is declared.
pub fn bound_stream_options(directory: bool) -> StreamOptions {
    let durability = Some(if directory { Durability::Disk } else { Durability::Memory });
    StreamOptions { durability, partitions: 2, ..StreamOptions::default() }
}

/// Messages that the last queue of them holds.
const TIGHT_MAX: u64 = 3;

/// True if this is one of them.
pub fn is_bound_queue(name: &Name) -> bool {
    BOUND.iter().any(|(queue, _)| *queue == name.as_str())
}

/// How one of them is declared.
pub fn bound_options(queue: &str, directory: bool) -> QueueOptions {
    let durability = Some(if directory { Durability::Disk } else { Durability::Memory });
    let length_max = if queue == BOUND[2].0 { TIGHT_MAX } else { 0 };
    QueueOptions { durability, length_max, ..QueueOptions::default() }
}

/// What is subscribed to.
pub const PATTERNS: [&str; 7] = ["**", "t.**", "t.*.x", "t.a.y", "*.b.*", WAITING_PATTERN, "w.a"];

/// What is bound and declared now and then.
pub const CHANGING: [&str; 4] = ["t.**", "t.*.x", "t.a.y", "*.b.*"];

/// A queue that the programs use.
#[derive(Clone, Debug)]
pub struct QueuePlan {
    /// Its name.
    pub name: Name,
    /// How it is declared.
    pub options: QueueOptions,
    /// Where its dead letters go.
    pub dead: Name,
}

impl QueuePlan {
    /// How safe its messages are.
    pub fn durability(&self) -> Durability {
        self.options.durability.unwrap_or(Durability::Disk)
    }
}

/// A stream that the programs use.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// Its name.
    pub name: Name,
    /// How it is declared.
    pub options: StreamOptions,
}

impl StreamPlan {
    /// How safe its records are.
    pub fn durability(&self) -> Durability {
        self.options.durability.unwrap_or(Durability::Disk)
    }

    /// True if some of its records may be removed.
    pub fn is_limited(&self) -> bool {
        let StreamOptions { age_max_ms, bytes_max, records_max, .. } = self.options;
        age_max_ms > 0 || bytes_max > 0 || records_max > 0
    }
}

/// How the disk of the hub's machine is.
#[derive(Clone, Debug)]
pub struct DiskPlan {
    /// Least and most time that a write takes, in µs.
    pub write_us: (u64, u64),
    /// Least and most time that a sync takes, in µs.
    pub sync_us: (u64, u64),
    /// Of a hundred syncs, how many take seconds.
    pub stalls: u64,
    /// Of a hundred recoveries, how many are broken off.
    pub broken_recoveries: u64,
    /// When segments change.
    pub sizes: Sizes,
}

/// What one seed stands for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Programs, 2 to 6.
    pub programs: usize,
    /// The queues.
    pub queues: Vec<QueuePlan>,
    /// The streams.
    pub streams: Vec<StreamPlan>,
    /// The services' names.
    pub services: Vec<Name>,
    /// How long programs work, in ms.
    pub work_ms: u64,
    /// Mean time between two actions of a program, in µs.
    pub act_us: u64,
    /// Least and most time that bytes take, in µs.
    pub latency_us: (u64, u64),
    /// How bytes are cut.
    pub chunks: Chunks,
    /// Bytes that a link holds in each direction.
    pub link_size: usize,
    /// Mean time between two faults of a kind, in ms; 0 is never. In the order of
    /// [`crate::agenda::Fault`].
    pub faults_ms: [u64; 9],
    /// The disk of a directory.
    pub disk: DiskPlan,
    /// Time for which a remote session survives, in ms.
    pub grace_ms: u64,
    /// The hub is one of a directory.
    pub directory: bool,
    /// How topics are whose publishers wait.
    pub waiting: TopicOptions,
    /// True if others are declared so, too, now and then.
    pub declares: bool,
    /// True if messages have priorities.
    pub priorities: bool,
    /// How likely each of [`ACTIONS`] is.
    pub weights: [u64; 25],
}

impl Plan {
    /// What `random` says.
    pub fn new(random: &mut Random) -> Plan {
        let storms = random.below(4);
        let directory = random.chance(75);
        let mut faults_ms = [400, 900, 2_500, 1_200, 3_000, 2_500, 2_000, 3_000, 3_000];
        for (place, every) in faults_ms.iter_mut().enumerate() {
            let off = random.chance(if storms == 0 { 80 } else { 45 });
            let possible = directory || place < 5;
            *every = if off || !possible { 0 } else { *every * random.between(1, 4) };
        }
        let latency_us = latency(random);
        let chunks = random.pick(&[Chunks::Whole, Chunks::Some, Chunks::Few]).expect("three");
        Plan {
            programs: random.between(2, 6) as usize,
            queues: queues(random, directory, (latency_us.1, chunks)),
            streams: streams(random, directory),
            services: names("service", random.between(1, 2)),
            work_ms: random.between(2_000, 8_000),
            act_us: random.between(3_000, 40_000),
            latency_us,
            chunks,
            link_size: link_size(random, latency_us.1),
            faults_ms,
            disk: disk(random),
            grace_ms: random.pick(&[50, 400, 5_000]).expect("three"),
            directory,
            waiting: TopicOptions {
                overflow: TopicOverflow::Wait,
                line_max: random.pick(&[0, 1, 3, 20]).expect("four"),
            },
            declares: random.chance(50),
            priorities: random.chance(30),
            weights: weights(random),
        }
    }

    /// The plan of the queue with this name, or of the one whose dead letters go there.
    pub fn queue(&self, name: &Name) -> Option<&QueuePlan> {
        self.queues.iter().find(|plan| plan.name == *name || plan.dead == *name)
    }

    /// The plan of the stream with this name.
    pub fn stream(&self, name: &Name) -> Option<&StreamPlan> {
        self.streams.iter().find(|plan| plan.name == *name)
    }

    /// Has every stream keep all, this safely.
    pub fn keep_all(&mut self, durability: Durability) {
        for stream in &mut self.streams {
            let durability = Some(durability);
            stream.options = StreamOptions { durability, ..StreamOptions::default() };
        }
    }

    /// True if a message may take seconds on its way.
    pub fn is_slow(&self) -> bool {
        self.latency_us.1 >= 2_000 && self.chunks == Chunks::Few
    }

    /// True if queues are purged or deleted in this run.
    pub fn removes(&self) -> bool {
        ACTIONS
            .iter()
            .zip(self.weights)
            .any(|(action, weight)| weight > 0 && matches!(action, Action::Purge | Action::Delete))
    }
}

fn names(of: &str, count: u64) -> Vec<Name> {
    let name = |number| Name::parse(&format!("{of}.{number}")).expect("a good name");
    (0..count).map(name).collect()
}

fn queues(random: &mut Random, directory: bool, link: (u64, Chunks)) -> Vec<QueuePlan> {
    // Whoever is quick can be in time.
    let deadlines = match link {
        (2_000.., Chunks::Few) => [0, 0, 0, 20_000, 60_000],
        (101.., _) => [0, 0, 0, 800, 3_000],
        _ => [0, 0, 0, 60, 400],
    };
    let mut queues = Vec::new();
    for name in names("queue", random.between(1, 3)) {
        let options = QueueOptions {
            length_max: random.pick(&[1, 4, 20, 200]).expect("four"),
            bytes_max: random.pick(&[0, 0, 100_000]).expect("three"),
            overflow: if random.chance(60) { Overflow::Wait } else { Overflow::Reject },
            durability: Some(durability(random, directory)),
            max_attempts: random.pick(&[0, 2, 4, 1_000]).expect("four"),
            backoff_min_ms: random.between(1, 40),
            backoff_max_ms: random.between(40, 200),
            ack_deadline_ms: random.pick(&deadlines).expect("five"),
            ttl_ms: random.pick(&[0, 0, 0, 0, 300, 2_000]).expect("six"),
            dead_letter: None,
        };
        let dead = options.dead_letter_of(&name).expect("a short name");
        queues.push(QueuePlan { name, options, dead });
    }
    queues
}

fn streams(random: &mut Random, directory: bool) -> Vec<StreamPlan> {
    let mut streams = Vec::new();
    for name in names("stream", random.between(1, 2)) {
        let options = StreamOptions {
            partitions: random.pick(&[1, 1, 2, 3]).expect("four"),
            durability: Some(durability(random, directory)),
            age_max_ms: random.pick(&[0, 0, 0, 300, 3_000]).expect("five"),
            bytes_max: random.pick(&[0, 0, 100_000]).expect("three"),
            records_max: random.pick(&[0, 0, 1, 5, 40]).expect("five"),
            compact: random.chance(50),
            compression: random
                .pick(&[None, Some(Compression::Lz4), Some(Compression::Zstd)])
                .expect("three"),
            ..StreamOptions::default()
        };
        streams.push(StreamPlan { name, options });
    }
    streams
}

fn durability(random: &mut Random, directory: bool) -> Durability {
    if !directory {
        return Durability::Memory;
    }
    [Durability::Memory, Durability::Os, Durability::Disk][random.weighted(&[20, 25, 55])]
}

fn disk(random: &mut Random) -> DiskPlan {
    let sync_us = random.pick(&[(50, 300), (50, 300), (500, 8_000), (20_000, 90_000)]);
    let size = random.pick(&[16 * 1024, 32 * 1024, 64 * 1024]).expect("three");
    let sizes = Sizes {
        segment: (size, 4 * size),
        group_max: random.pick(&[2_000, 20_000, 1 << 20]).expect("three"),
        group_worth: random.pick(&[500, 8_000, 128 << 10]).expect("three"),
        unsynced_max: random.pick(&[10_000, 8 << 20]).expect("two"),
        pending_max: random.pick(&[30_000, 64 << 20]).expect("two"),
        garbage_min: random.pick(&[20_000, 60_000]).expect("two"),
        journal_max: random.pick(&[0, 0, 40_000, 1 << 40]).expect("four"),
        aside_batch: random.pick(&[0, 0, 300, 64 << 10]).expect("four"),
        aside_share: random.pick(&[0, 0, 50]).expect("three"),
        resident_max: random.pick(&[0, 10_000, 64 << 20]).expect("three"),
        compact_min: random.pick(&[1, 1_000]).expect("two"),
    };
    DiskPlan {
        write_us: random.pick(&[(5, 60), (50, 2_000)]).expect("two"),
        sync_us: sync_us.expect("four"),
        stalls: random.pick(&[0, 0, 1, 5]).expect("four"),
        broken_recoveries: random.pick(&[0, 30, 60]).expect("three"),
        sizes,
    }
}

fn latency(random: &mut Random) -> (u64, u64) {
    random.pick(&[(1, 50), (100, 2_000), (100, 30_000), (20_000, 60_000)]).expect("four")
}

/// A short link is a fast one, so that no message takes seconds.
fn link_size(random: &mut Random, latency_us: u64) -> usize {
    let sizes = if latency_us > 2_000 { [20_000, 200_000] } else { [300, 5_000] };
    random.pick(&sizes).expect("two")
}

fn weights(random: &mut Random) -> [u64; 25] {
    let mut weights =
        [25, 40, 6, 14, 5, 4, 2, 3, 1, 1, 6, 4, 3, 3, 10, 2, 2, 12, 3, 10, 3, 1, 1, 8, 1];
    let removes = random.chance(25);
    for (action, weight) in ACTIONS.iter().zip(&mut weights) {
        let rare = matches!(action, Action::Purge | Action::Delete);
        if random.chance(15) || (rare && !removes) {
            *weight = 0;
        }
    }
    weights
}
