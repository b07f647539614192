//! Records: what a broker writes down, so that another host can go on from it.
//!
//! The broker's durable state is exactly what its records say, applied in order: it writes a record
//! in the moment in which it changes. Positions count records, from 1, over all hosts of a hub.
//!
//! Floor: base.

use bytes::Bytes;

use super::command::Verdict;
use super::event::{Durability, Receipt};
use super::message::Message;
use super::name::Name;
use super::pattern::Pattern;
use super::queue::QueueOptions;
use super::topic::TopicOptions;

pub use super::attempt::{Failure, History, Origin, Why};
pub use super::bound::{Binding, BoundTo, Copies, CopyPlace};
pub use super::listed::{Listed, ListedMore};
pub use super::stream_record::{
    AppendedBatch, AppendedPart, GroupState, KeptBatch, PartitionState, PlaceState, Placed,
    StreamParts, StreamState,
};

/// Counts records; 0 is before the first.
pub type Position = u64;

/// Who changes something, and which of its changes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Change {
    /// The producer; a session is one.
    pub producer: u64,
    /// Rises by at least one with each change; never used twice.
    pub sequence: u64,
    /// The oldest sequence that may still be repeated; less than 1,024 below `sequence`.
    pub oldest: u64,
}

/// A process of the hub's machine, told apart from later ones with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since the machine did.
    pub started: u64,
}

/// Numbers from here on are of files outside the journal, lower ones of its segments: up to
/// [`STREAM_FILES`] of segments that were put aside as they were, this more than they had.
pub const ASIDE: u32 = 1 << 30;

/// Numbers from here on are of stream files.
pub const STREAM_FILES: u32 = 1 << 31;

/// Where in the journal, or in a stream file, a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Place {
    /// The segment, put aside or not, or stream file; 0: nowhere, as for a message that is kept in
    /// memory only.
    pub segment: u32,
    /// The record's first byte, in units of 8 bytes.
    pub offset: u32,
    /// Bytes of the record's body.
    pub size: u32,
}

impl Place {
    /// True if it is in a stream file, or in a segment that was put aside.
    pub fn is_filed(self) -> bool {
        self.segment >= ASIDE
    }

    /// The number with which the checksums of its file begin: a segment keeps its own.
    pub fn seed_number(self) -> u32 {
        match self.segment {
            ASIDE..STREAM_FILES => self.segment - ASIDE,
            own => own,
        }
    }
}

/// One change of durable state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A host begins.
    Opened {
        /// Its hub: another than before if this is a copy, and then nobody of before comes back.
        hub: [u8; 16],
        /// Its epoch.
        epoch: u64,
        /// The machine's boot: processes of an earlier one are gone.
        boot: [u8; 16],
        /// The hub's clock, in ms since 1970; never goes back.
        time_ms: u64,
        /// The last host that began without what an earlier one had in memory; 0: none has.
        lost: u64,
    },
    /// A host ends by itself: from here on it writes down what it kept in memory, which replaces
    /// whatever an earlier host had handed over.
    Closing,
    /// A host has ended by itself: what it kept in memory is all there.
    Closed,
    /// A queue is made, or stated anew.
    Queue {
        /// Who made it.
        change: Option<Change>,
        /// How it is.
        state: Box<QueueState>,
    },
    /// A queue was deleted with everything in it.
    QueueGone {
        /// By whom.
        change: Option<Change>,
        /// Which.
        queue: u64,
        /// Messages in it.
        count: u64,
    },
    /// The messages of a queue that nobody holds were removed, those on their way to it included.
    Purged {
        /// By whom.
        change: Option<Change>,
        /// Which.
        queue: u64,
        /// Messages removed.
        count: u64,
    },
    /// A message was stored.
    Sent {
        /// By whom.
        change: Option<Change>,
        /// What.
        sent: Sent,
    },
    /// A message was handed out.
    Delivered(Delivered),
    /// A verdict on a message that was held.
    Settled {
        /// By whom.
        change: Option<Change>,
        /// What.
        settled: Settled,
    },
    /// A message went back to its queue, or died, without a verdict.
    Returned(Returned),
    /// Sends, settlements and publishes, all or none.
    Batch {
        /// By whom.
        change: Option<Change>,
        /// Messages stored, in order.
        sent: Vec<Sent>,
        /// Verdicts, in order.
        settled: Vec<Settled>,
        /// What was stored of messages that were published, in order.
        published: Vec<Copies>,
        /// What it does to streams.
        streams: Box<StreamParts>,
    },
    /// A message as it stands, with all that is known of it: written forward from an old segment,
    /// or handed over from memory.
    Moved(Box<Stored>),
    /// A session has begun, or is stated anew.
    Session(Box<SessionState>),
    /// A session has ended.
    SessionGone {
        /// Which.
        session: u64,
    },
    /// Segments up to this one hold nothing that is still needed.
    Freed {
        /// The last of them.
        through: u32,
    },
    /// A stream is made, or stated anew.
    Stream {
        /// Who made it.
        change: Option<Change>,
        /// How it is.
        state: Box<StreamState>,
    },
    /// A stream was deleted with everything in it.
    StreamGone {
        /// By whom.
        change: Option<Change>,
        /// Which.
        stream: u64,
    },
    /// Records were appended to a stream; or were packed anew, under the offsets that they have, in
    /// the place of every batch that had some of these.
    Appended {
        /// By whom; nobody if they were packed anew.
        change: Option<Change>,
        /// The stream.
        stream: u64,
        /// Its partition.
        partition: u32,
        /// The records, stamped.
        batch: Bytes,
    },
    /// A partition begins later than before: what its limits don't keep is gone.
    Trimmed {
        /// The stream.
        stream: u64,
        /// Its partition.
        partition: u32,
        /// The first offset that is kept.
        first: u64,
    },
    /// Below an offset of a partition no key is there twice any more.
    Compacted {
        /// The stream.
        stream: u64,
        /// Its partition.
        partition: u32,
        /// The offset.
        through: u64,
    },
    /// A reader group is made, put elsewhere, or stated anew.
    Group {
        /// By whom.
        change: Option<Change>,
        /// Its stream.
        stream: u64,
        /// How it is.
        state: Box<GroupState>,
    },
    /// A reader group was deleted.
    GroupGone {
        /// By whom.
        change: Option<Change>,
        /// Its stream.
        stream: u64,
        /// Which.
        group: u64,
    },
    /// A reader group has come further, or a partition goes to another of its members.
    Placed {
        /// By whom.
        change: Option<Change>,
        /// What.
        placed: Placed,
    },
    /// Batches of a partition, without their records, in the place of every batch that had some of
    /// these: in checkpoints, and of those that lie in stream files, or can't be read any more.
    Kept {
        /// The stream.
        stream: u64,
        /// Its partition.
        partition: u32,
        /// Its batches.
        batches: Vec<KeptBatch>,
    },
    /// Messages of a queue, without their bodies: in checkpoints, and of those whose body can't be
    /// read any more.
    Listed {
        /// The queue.
        queue: u64,
        /// Its messages.
        messages: Vec<Listed>,
    },
    /// A pattern is bound, or stated anew.
    Bound {
        /// By whom.
        change: Option<Change>,
        /// What to what.
        binding: Binding,
    },
    /// A binding has ended.
    Unbound {
        /// By whom.
        change: Option<Change>,
        /// Which.
        binding: Binding,
    },
    /// Topics are declared, or stated anew.
    Topic {
        /// By whom.
        change: Option<Change>,
        /// Which.
        pattern: Pattern,
        /// How they are.
        options: TopicOptions,
    },
    /// A declaration of topics was removed.
    TopicGone {
        /// By whom.
        change: Option<Change>,
        /// Which.
        pattern: Pattern,
    },
    /// A message was published, and stored where its topic is bound.
    Published {
        /// By whom.
        change: Option<Change>,
        /// What was stored in queues.
        copies: Copies,
        /// What was appended to streams.
        appended: Vec<AppendedPart>,
    },
}

/// A queue as it stands, without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Names it for ever.
    pub id: u64,
    /// What it is called.
    pub name: Name,
    /// How it was declared, with each default in its place.
    pub options: QueueOptions,
    /// The last sequence that was given out.
    pub sequence: u64,
    /// Messages stored.
    pub sent: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Messages rejected.
    pub rejected: u64,
    /// Attempts that failed and were to be repeated.
    pub requeued: u64,
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: u64,
}

/// A message that is stored for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its queue.
    pub queue: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// Its id, unique in the hub.
    pub message_id: u64,
    /// When, by the hub's clock.
    pub time_ms: u64,
    /// The message.
    pub message: Message,
}

/// A message that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its queue.
    pub queue: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// To whom.
    pub holder: Holder,
}

/// Who holds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The session.
    pub session: u64,
    /// Names this holding of the message.
    pub token: u64,
    /// The receive's ticket, or the consumer's number.
    pub id: u64,
    /// It was a receive that took it.
    pub is_receive: bool,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The message's queue.
    pub queue: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// When, by the hub's clock.
    pub time_ms: u64,
    /// Where it goes as a dead letter, if it does.
    pub dead: Option<DeadTo>,
}

/// A message that goes back, or dies, without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Its queue.
    pub queue: u64,
    /// Its place in the order.
    pub sequence: u64,
    /// Why.
    pub why: Why,
    /// When, by the hub's clock.
    pub time_ms: u64,
    /// Where it goes as a dead letter, if it does.
    pub dead: Option<DeadTo>,
}

/// Where a dead letter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadTo {
    /// The dead-letter queue.
    pub queue: u64,
    /// Its place in the order there.
    pub sequence: u64,
}

/// A message as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What was stored.
    pub sent: Sent,
    /// Failed attempts.
    pub failures: u32,
    /// Somebody held it before.
    pub redelivered: bool,
    /// A process died that held it.
    pub suspect: bool,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// Its attempts.
    pub history: History,
}

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// Its id, and that of its producer.
    pub id: u64,
    /// For resuming.
    pub token: [u8; 16],
    /// Its program is on the hub's machine.
    pub local: bool,
    /// The program's process, if it is known.
    pub process: Option<Process>,
    /// The first sequence of its producer that is still remembered.
    pub oldest: u64,
    /// What became of changes, by sequence.
    pub marks: Vec<(u64, Mark)>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Done, with nothing to tell.
    Empty,
    /// A message was stored, under this id and with this durability.
    Receipt(Receipt),
    /// So many messages.
    Count(u64),
    /// Several messages were stored.
    Receipts(Receipts),
    /// A message was published, and stored with this durability.
    Stored(Durability),
    /// Records were appended.
    Appended(AppendedBatch),
}

/// Receipts of the sends of one batch, whose ids follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// The first message's id.
    pub first: u64,
    /// Messages stored.
    pub count: u32,
    /// How safe all of them are.
    pub durability: Durability,
}

impl Receipts {
    /// Each of them, in order.
    pub fn each(self) -> Vec<Receipt> {
        let Receipts { first, durability, .. } = self;
        let receipt = |at| Receipt { message_id: first.wrapping_add(u64::from(at)), durability };
        (0..self.count).map(receipt).collect()
    }
}

/// What may be written down now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Everything.
    Open,
    /// New messages wait: the disk is behind.
    Behind,
    /// The disk is full: no new messages.
    Settlements,
    /// Nothing is handed out either.
    Verdicts,
    /// The disk is full to the last reserve.
    Nothing,
}
