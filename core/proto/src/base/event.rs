//! What a program hears from its hub.
//!
//! Floor: base.

use super::error::Error;
use super::gather::{Answer, Gathered};
use super::message::Message;
use super::name::Name;
use super::pattern::Pattern;
use super::queue::Overflow;
use super::stream::{Appended, GroupInfo, StreamInfo, StreamRecord};
use super::time::Time;
use super::topic::TopicInfo;

/// Names a ticket, a consumer or a service of one handle. Never 0, never used again.
pub type Id = u64;

/// Something has ended or arrived.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which ticket, consumer, service or subscriber; 0 for the handle itself.
    pub id: Id,
    /// What the program gave when it started that.
    pub user: u64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The ticket has ended; nothing more comes for this id.
    Done(Result<Outcome, Error>),
    /// The consumer, service or subscriber is live in the hub.
    Started,
    /// A message for a consumer.
    Delivery(Delivery),
    /// A request for a service.
    Request(Request),
    /// A message for a subscriber.
    Published(Published),
    /// A record for a reader.
    Record(StreamRecord),
    /// A reader's group was overtaken by what the stream keeps: these records never come.
    Skipped {
        /// The partition.
        partition: u32,
        /// The first offset.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A subscriber was too slow, or its connection broke: these messages never come.
    Gap {
        /// The number of the first of them.
        first: u64,
        /// The number of the last.
        last: u64,
    },
    /// The caller of this request no longer waits: it was cancelled, timed out or is gone. The
    /// handler may stop, and must still answer or let go.
    Withdrawn {
        /// The request's token.
        request: u64,
    },
    /// An answer to a gather.
    Answer(Answer),
    /// Something happened to the hub.
    Notice(Notice),
    /// After a `FULL`: half of what may be in flight is free again.
    Ready,
}

/// How an operation ended well.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Done, with nothing to tell.
    Empty,
    /// The hub is open.
    Opened(HubInfo),
    /// A call's reply.
    Reply(Message),
    /// A send's receipt.
    Receipt(Receipt),
    /// A received message.
    Delivery(Delivery),
    /// A number of messages.
    Count(u64),
    /// A queue's figures.
    Queue(Box<QueueInfo>),
    /// The receipts of a batch's sends, in order.
    Receipts(Vec<Receipt>),
    /// Messages that wait, looked at and not taken.
    Peeked(Vec<Peeked>),
    /// Queues by name; as many as fit into one answer, at least one if there is any.
    Queues(Vec<(Name, QueueInfo)>),
    /// Where a record was appended.
    Appended(Appended),
    /// A stream's figures.
    Stream(Box<StreamInfo>),
    /// Streams by name; as many as fit into one answer, at least one if there is any.
    Streams(Vec<(Name, StreamInfo)>),
    /// A declaration of topics.
    Topic(TopicInfo),
    /// Declarations of topics by pattern; as many as fit into one answer.
    Topics(Vec<(Pattern, TopicInfo)>),
    /// The reader groups of a stream.
    Groups(Vec<GroupInfo>),
    /// Who has answered a gather, and who has not.
    Gathered(Gathered),
}

/// Which hub a handle has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HubInfo {
    /// The hub, for ever.
    pub hub_id: [u8; 16],
    /// Rises with every host that the hub has had.
    pub epoch: u64,
    /// This handle's session.
    pub session_id: u64,
    /// True if the hub has no directory: queues are kept in memory only.
    pub memory_only: bool,
}

/// What a confirmed send has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id, unique in the hub.
    pub message_id: u64,
    /// How safe it is now.
    pub durability: Durability,
}

/// How safe a confirmed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Durability {
    /// Applied; lost with the process that hosts the hub.
    Memory = 1,
    /// Written; survives the processes.
    Os = 2,
    /// Synced; survives the machine.
    Disk = 3,
}

/// A message, held until it is settled.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Names this holding of the message; settle with it.
    pub token: u64,
    /// The message's id, unique in the hub.
    pub message_id: u64,
    /// How often it was tried before and requeued.
    pub failures: u32,
    /// True if somebody held it before.
    pub redelivered: bool,
    /// The message.
    pub message: Message,
}

/// A message that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// To what.
    pub topic: Name,
    /// Counts the messages of this subscription, from 1.
    pub number: u64,
    /// The message.
    pub message: Message,
    /// Somebody gathers answers to it.
    pub asked: Option<Asked>,
}

/// A message of a topic may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Names the request; reply with it, or don't.
    pub token: u64,
    /// When nobody waits for the answer any more.
    pub deadline: Option<Time>,
}

/// Messages for a subscriber that the program has not taken, or has just taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Untaken {
    /// How many.
    pub count: u32,
    /// Bytes of bodies, keys and headers.
    pub bytes: u64,
}

impl Untaken {
    /// More of them.
    pub fn add(&mut self, more: Untaken) {
        self.count = self.count.saturating_add(more.count);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    /// Fewer of them.
    pub fn remove(&mut self, fewer: Untaken) {
        self.count = self.count.saturating_sub(fewer.count);
        self.bytes = self.bytes.saturating_sub(fewer.bytes);
    }
}

impl Published {
    /// This one message.
    pub fn untaken(&self) -> Untaken {
        Untaken { count: 1, bytes: self.message.size() as u64 }
    }
}

/// A request, to be answered or let go.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the request; reply with it.
    pub token: u64,
    /// When the caller stops waiting, if ever.
    pub deadline: Option<Time>,
    /// The request.
    pub message: Message,
}

/// Something happened to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The connection broke; the handle tries to reach the hub again.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The connection is back, and the session with it.
    Resumed,
    /// Another host has taken over, or the host has forgotten this session: open tickets ended as
    /// `HOST_LOST`, deliveries are void, consumers, services and subscribers register again by
    /// themselves.
    HubChanged {
        /// The new host's epoch.
        epoch: u64,
        /// True if what queues held in memory is gone.
        memory_lost: bool,
    },
}

/// A message that was looked at and not taken.
#[derive(Clone, Debug)]
pub struct Peeked {
    /// The message's id, unique in the hub.
    pub message_id: u64,
    /// How often it was tried before.
    pub failures: u32,
    /// True if somebody held it before.
    pub redelivered: bool,
    /// The message.
    pub message: Message,
}

/// A queue's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueInfo {
    /// Messages waiting that could be handed out now.
    pub ready: u64,
    /// Messages held by consumers.
    pub held: u64,
    /// Messages that wait for their next attempt.
    pub delayed: u64,
    /// Messages whose body on disk was found damaged: never handed out, they count until a purge.
    pub damaged: u64,
    /// Bytes of bodies, keys and headers, waiting and held.
    pub bytes: u64,
    /// Sends waiting for room.
    pub sends_waiting: u64,
    /// Consumers, and receives that wait.
    pub consumers: u64,
    /// Messages stored since the queue was made, dead letters of other queues included.
    pub sent: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Messages rejected.
    pub rejected: u64,
    /// Times that an attempt failed and the message was to be tried again.
    pub requeued: u64,
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: u64,
    /// Bound on messages.
    pub length_max: u64,
    /// Bound on bytes.
    pub bytes_max: u64,
    /// What happens at a bound.
    pub overflow: Overflow,
    /// How safe a confirmed message is.
    pub durability: Durability,
    /// Failed attempts after which a message goes to the dead-letter queue.
    pub max_attempts: u32,
    /// Pause after the first failed attempt, in ms.
    pub backoff_min_ms: u64,
    /// Longest pause, in ms.
    pub backoff_max_ms: u64,
    /// Time after which an unsettled message is taken back, in ms; 0: never.
    pub ack_deadline_ms: u64,
    /// Time after which a waiting message goes to the dead-letter queue, in ms; 0: never.
    pub ttl_ms: u64,
    /// Where dead letters go, if anywhere.
    pub dead_letter: Option<Name>,
    /// Patterns of topics that are bound to it, in order.
    pub bindings: Vec<Pattern>,
}
