//! Services, queues, topics, sessions and what producers have done, as one pure state machine.
//!
//! A command's own verb applies it (`call`, `send`, ...); `handle_*` tells of what happened;
//! `poll_effect` and `poll_timeout` say what is to be done. Drain the effects after every input.
//!
//! ```text
//!   session --registrations--> registration --> service (line of calls, ready instances)
//!      |                                   |--> queue   (lanes of messages, takers, line of sends)
//!      |                                   |--> subscription (what waits for a slow subscriber)
//!      |                                   \--> stream  (a reader, at its place in each partition)
//!      |--tickets--> call, receive, gather (parts: calls with a receiver of their own)
//!      |--held-----> delivery                 a change: record -> applied -> told when safe
//! ```
//!
//! Of a hub with a directory, whatever is to outlive the host is written down as records in the
//! moment in which it changes: `poll_record` (then `handle_placed`) after every input, `handle_log`
//! when the journal is written or durable, `poll_fetch` for messages that have to be read.
//!
//! Invariants:
//! - A message is in exactly one place: on its way to be visible, in a lane, aside, or held by one
//!   session.
//! - What is durable of the state is what the records say, applied in order.
//! - A registration stands in its service's or queue's ready line exactly while it can take more.
//! - A change that was refused leaves no mark; one that was applied leaves its outcome.
//! - Nothing here waits: what can't be done now stands in a bounded line with a deadline.
//!
//! Floor: imports `base`.

mod appends;
mod batches;
mod bindings;
mod bodies;
mod calls;
mod compaction;
mod declare;
mod declared;
mod deliveries;
mod entries;
mod filing;
mod gathers;
mod groups;
mod kept;
mod log;
mod names;
mod parts;
mod past;
mod past_streams;
mod past_view;
mod places;
mod processing;
mod publishes;
mod queues;
mod reader;
mod readers;
mod registrations;
mod restate;
mod restore;
mod retention;
mod returns;
mod sends;
mod services;
mod sessions;
mod settles;
mod sifting;
mod spread;
mod streams;
mod suspects;
mod topic_lines;
mod topics;
mod trie;
mod waiting;

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use foldhash::fast::RandomState;
use slab::Slab;

use crate::base::random::Random;
use crate::base::record::{Place, Position, Room};
use crate::base::slots::Slots;
use crate::base::timers::Timers;
use crate::base::{Answer, Cursor, Delivery, Error, Message, Name, Outcome, Receipt};
use crate::base::{Request, Time};

pub use appends::Appending;
pub use batches::Part;
pub use bindings::BindTo;
pub use bodies::{Fetch, Fetched};
pub use log::{Logged, Used};
pub use names::NameId;
pub use past::Past;
pub use past_view::PastMessage;
pub use publishes::Publishing;
pub use readers::Opening;
pub use restore::Restored;
pub use sends::ChangeRef;
pub use services::Instance;
pub use sessions::{Linger, Resumed, SessionId, SessionKey};
pub use spread::Receiver;

type Map<K, V> = HashMap<K, V, RandomState>;
type Set<K> = std::collections::HashSet<K, RandomState>;

/// What a broker is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub, for ever.
    pub hub_id: [u8; 16],
    /// Rises with every host of the hub.
    pub epoch: u64,
    /// True for the hub of a directory: there is a journal, and the default durability is `disk`.
    pub directory: bool,
    /// How long a remote session outlives its connection, in ms.
    pub session_grace_ms: u64,
    /// The machine's boot id.
    pub boot: [u8; 16],
    /// The time, in ms since 1970.
    pub time_ms: u64,
    /// For jitter.
    pub seed: u64,
    /// Bytes of messages on disk that stay in memory, too.
    pub resident_max: u64,
    /// As [`crate::base::limits::COMPACT_MIN`].
    pub compact_min: u64,
    /// As [`crate::base::limits::ASIDE_BATCH`].
    pub aside_batch: u64,
}

/// What is to be sent to a session.
#[derive(Debug)]
pub enum Effect {
    /// A ticket has ended.
    Result {
        /// Whose.
        session: SessionKey,
        /// Which.
        ticket: u64,
        /// How.
        result: Result<Outcome, Error>,
        /// The session keeps it until the program says that it arrived.
        counted: bool,
    },
    /// A change has ended well, with nothing to tell but a receipt.
    Confirmed {
        /// Whose.
        session: SessionKey,
        /// Its sequence.
        sequence: u64,
        /// Of a send.
        receipt: Option<Receipt>,
    },
    /// An answer to a gather; the session keeps it until the program says that it arrived.
    Answer {
        /// Whose gather.
        session: SessionKey,
        /// Its ticket.
        ticket: u64,
        /// The answer.
        answer: Answer,
    },
    /// A request for a service.
    Request {
        /// Who serves.
        session: SessionKey,
        /// Its registration.
        id: u64,
        /// The request.
        request: Request,
    },
    /// A request is taken back.
    Withdraw {
        /// Who handles it.
        session: SessionKey,
        /// The request's token.
        request: u64,
    },
    /// A message for a consumer or a receive.
    Deliver {
        /// Who takes it.
        session: SessionKey,
        /// Its registration or ticket.
        id: u64,
        /// The message.
        delivery: Delivery,
    },
    /// A message for subscribers.
    Publish {
        /// To what it was published.
        topic: Name,
        /// The message.
        message: Message,
        /// Until when answers are gathered; of all of them, or of none.
        deadline: Option<Time>,
        /// Who gets it; those of a session that it reached together stand together.
        to: Vec<Receiver>,
    },
    /// A registration is live.
    Started {
        /// Whose.
        session: SessionKey,
        /// Which.
        id: u64,
    },
    /// A new session may be greeted: it is written down.
    Welcome {
        /// Which.
        session: SessionKey,
    },
    /// A reader is live, and where it is.
    Reading {
        /// Whose.
        session: SessionKey,
        /// Its registration.
        id: u64,
        /// What it reads.
        stream: u64,
        /// Where it is in each partition.
        cursors: Vec<Cursor>,
    },
    /// Records for a reader.
    Records {
        /// Whose.
        session: SessionKey,
        /// Its registration.
        id: u64,
        /// Their partition.
        partition: u32,
        /// Their batch.
        batch: Bytes,
    },
    /// A reader has come to its end.
    Finished {
        /// Whose.
        session: SessionKey,
        /// Its registration.
        id: u64,
    },
    /// A registration has ended.
    Ended {
        /// Whose.
        session: SessionKey,
        /// Which.
        id: u64,
        /// Why.
        error: Error,
    },
}

/// What a deadline is for.
#[derive(Debug)]
enum Due {
    Call(u64),
    Gather(u64),
    Receive(usize),
    Send(u64),
    Session(SessionKey),
    Lease(u64, Time),
    Retry(usize),
    Expiry(queues::QueueRef),
    Disk(u64),
    Age(streams::StreamRef),
    Tombstones(streams::StreamRef),
    Compact,
    Sift,
    Passed,
    Processing(usize),
    Recovered,
    Claimed,
}

/// Services, queues and sessions of one hub.
#[derive(Debug)]
pub struct Broker {
    config: Config,
    names: names::Names,
    sessions: sessions::Sessions,
    registrations: Slab<registrations::Registration>,
    services: Slab<services::Service>,
    calls: Slots<calls::Call>,
    gathers: gathers::Gathers,
    /// Registrations made so far.
    registration_count: u64,
    queues: Slab<queues::Queue>,
    queue_ids: Map<u64, usize>,
    delayed: Slab<returns::Delayed>,
    receives: Slab<deliveries::Receive>,
    held: Slots<deliveries::Held>,
    suspicion: suspects::Suspicion,
    /// Queues to be pumped when the input has been dealt with.
    woken: BTreeSet<usize>,
    sends: Slots<sends::Waiting>,
    topics: topics::Topics,
    /// Reused room.
    spare: spread::Spare,
    streams: streams::Streams,
    compaction: compaction::Compaction,
    /// So much has begun to wait for room or for the disk.
    arrivals: u64,
    /// What waits because the disk is behind.
    disk_line: waiting::DiskLine,
    sifting: sifting::Sifting,
    /// Members of groups that may have begun or ended something.
    processing: Vec<usize>,
    bindings: bindings::Bindings,
    declared: declared::Declarations,
    queue_count: u64,
    /// Bytes of messages in queues kept in memory, and of sends that wait for room.
    bytes: u64,
    /// Bytes of messages on disk that are in memory, too.
    resident: u64,
    message_count: u64,
    log: log::Log,
    /// What may be written down now.
    room: Room,
    usage: log::Usage,
    fetches: VecDeque<Fetch>,
    readers: Slab<bodies::Reader>,
    /// Reads of messages that lie nowhere any more.
    in_vain: Vec<u64>,
    moving: restate::Moving,
    filing: filing::Filing,
    moved: VecDeque<(Position, queues::QueueRef, u64)>,
    /// Where such messages lie, until that is written.
    unwritten: VecDeque<(Position, Place)>,
    /// The last host that began without what an earlier one had in memory.
    lost: u64,
    random: Random,
    begun: Time,
    timers: Timers<Due>,
    /// Until then names that nobody serves yet have a line, as their services may be coming back.
    recovering: bool,
    effects: VecDeque<Effect>,
}

impl Broker {
    /// A broker with nothing in it.
    pub fn new(config: Config, now: Time) -> Broker {
        let mut timers = Timers::default();
        let recovering = config.directory && config.epoch > 1;
        if recovering {
            timers.insert(now.plus_ms(config.session_grace_ms), Due::Recovered);
        }
        Broker {
            names: names::Names::default(),
            sessions: sessions::Sessions::new(config.epoch),
            registrations: Slab::new(),
            services: Slab::new(),
            calls: Slots::new(config.epoch),
            gathers: gathers::Gathers::new(config.epoch),
            registration_count: 0,
            queues: Slab::new(),
            queue_ids: Map::default(),
            delayed: Slab::new(),
            receives: Slab::new(),
            held: Slots::new(config.epoch),
            suspicion: suspects::Suspicion::default(),
            woken: BTreeSet::new(),
            sends: Slots::new(config.epoch),
            topics: topics::Topics::default(),
            spare: spread::Spare::default(),
            streams: streams::Streams::new(config.epoch),
            compaction: compaction::Compaction::default(),
            arrivals: 0,
            disk_line: waiting::DiskLine::new(config.epoch),
            sifting: sifting::Sifting::default(),
            processing: Vec::new(),
            bindings: bindings::Bindings::default(),
            declared: declared::Declarations::default(),
            queue_count: 0,
            bytes: 0,
            resident: 0,
            message_count: 0,
            log: log::Log::new(config.directory),
            room: Room::Open,
            usage: log::Usage::default(),
            fetches: VecDeque::new(),
            readers: Slab::new(),
            in_vain: Vec::new(),
            moving: restate::Moving::default(),
            filing: filing::Filing::default(),
            moved: VecDeque::new(),
            unwritten: VecDeque::new(),
            lost: 0,
            random: Random::new(config.seed),
            begun: now,
            timers,
            recovering,
            effects: VecDeque::new(),
            config,
        }
    }

    /// The next thing to be sent to a session.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Deadlines may have come.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Call(token) => self.call_expired(token),
                Due::Gather(token) => self.gather_due(token),
                Due::Receive(key) => self.receive_expired(key),
                Due::Send(token) => self.send_expired(now, token),
                Due::Session(key) => self.session_expired(now, key),
                Due::Lease(token, end) => self.lease_ended(now, token, end),
                Due::Retry(slot) => self.retry(now, slot),
                Due::Expiry(queue) => self.expire_due(now, queue),
                Due::Disk(token) => self.disk_wait_expired(token),
                Due::Age(stream) => self.age(now, stream),
                Due::Tombstones(stream) => self.bury_tombstones(now, stream),
                Due::Compact => self.compact_due(now),
                Due::Sift => self.sift_due(now),
                Due::Passed => self.passed_due(),
                Due::Processing(key) => self.processing_due(now, key),
                Due::Recovered => self.recovered(),
                Due::Claimed => self.spread_all(),
            }
        }
    }

    /// After every input: what it has brought about elsewhere.
    pub fn after_input(&mut self, now: Time) {
        self.admit_publishes(now);
        self.pump_woken(now);
        while let Some(id) = self.in_vain.pop() {
            self.handle_read(now, id, Fetched::Damaged);
            self.pump_woken(now);
        }
        self.watch_readers(now);
    }

    fn watch_readers(&mut self, now: Time) {
        self.watch_sifting(now);
        self.watch_processing(now);
    }

    /// What may be written down from now on.
    pub fn handle_room(&mut self, now: Time, room: Room) {
        if std::mem::replace(&mut self.room, room) == room {
            return;
        }
        self.admit_waiting(now);
        let queues: Vec<usize> = self.queues.iter().map(|(key, _)| key).collect();
        for queue in queues {
            if room == Room::Open {
                self.admit_sends(now, queue);
            }
            self.pump(now, queue);
        }
        self.watch_readers(now);
    }

    fn result(&mut self, session: SessionKey, ticket: u64, result: Result<Outcome, Error>) {
        // A session that has just resumed repeats what it has open, and hears then.
        if self.sessions[session].present() {
            self.effects.push_back(Effect::Result { session, ticket, result, counted: false });
        }
    }
}
