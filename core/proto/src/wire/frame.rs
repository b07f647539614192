//! Every frame there is.
//!
//! Floor: imports `base`.

use bytes::Bytes;

use super::confirmed::Confirmed;
use super::topics::Recipients;
use crate::base::stream::Committing;
use crate::base::{
    Answer, Appended, Cursor, Delivery, Error, Gathered, Gathering, GroupInfo, Message, Name,
    Pattern, Peeked, QueueInfo, QueueOptions, Reading, Receipt, Request, Start, StreamInfo,
    StreamOptions, Subscribing, Time, TopicInfo, TopicOptions, Untaken, Verdict,
};

pub use crate::base::record::Change;

macro_rules! frame_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $byte:literal;)+) => {
        /// The byte that says what a frame is. Below 0x80: program to hub.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum FrameKind { $($(#[doc = $doc])+ $kind = $byte,)+ }

        impl FrameKind {
            /// Every kind.
            pub const ALL: &'static [FrameKind] = &[$(FrameKind::$kind,)+];

            /// The kind with this byte, if there is one.
            pub const fn from_byte(byte: u8) -> Option<FrameKind> {
                match byte { $($byte => Some(FrameKind::$kind),)+ _ => None }
            }
        }
    };
}

frame_kinds! {
    /// The program's greeting.
    Hello = 0x01;
    /// Gives a name a number.
    Open = 0x02;
    /// What a resuming program still holds.
    Held = 0x03;
    /// A request to a service.
    Call = 0x04;
    /// Takes a call or receive back.
    Cancel = 0x05;
    /// Registers a service.
    Serve = 0x06;
    /// Ends a consumer, service or subscriber.
    Stop = 0x07;
    /// A handler's answer.
    Answer = 0x08;
    /// Takes one message.
    Receive = 0x09;
    /// Registers a consumer.
    Consume = 0x0a;
    /// Changes a consumer's credit.
    Credit = 0x0b;
    /// Asks for a queue's figures.
    Inspect = 0x0c;
    /// Puts a message into a queue.
    Send = 0x0d;
    /// Settles a delivery.
    Settle = 0x0e;
    /// Makes a queue.
    Declare = 0x0f;
    /// Removes a queue.
    Delete = 0x10;
    /// Empties a queue.
    Purge = 0x11;
    /// How many counted frames have arrived.
    Received = 0x12;
    /// The session ends.
    Goodbye = 0x13;
    /// Moves the end of a lease.
    Extend = 0x14;
    /// Sends and settlements, all or none.
    Batch = 0x15;
    /// Looks at messages.
    Peek = 0x16;
    /// Asks for the queues there are.
    List = 0x17;
    /// Gives a message to whoever is subscribed.
    Publish = 0x18;
    /// Registers a subscriber.
    Subscribe = 0x19;
    /// The program has taken what had arrived for a subscriber.
    Taken = 0x1a;
    /// Makes a stream.
    DeclareStream = 0x30;
    /// Removes a stream.
    DeleteStream = 0x31;
    /// Asks for a stream's figures.
    InspectStream = 0x32;
    /// Asks for the streams there are.
    ListStreams = 0x33;
    /// Appends records to a stream.
    Append = 0x34;
    /// Registers a reader.
    Read = 0x35;
    /// Commits the place of a group.
    Commit = 0x36;
    /// Asks for the groups of a stream.
    ListGroups = 0x37;
    /// Puts a group to another place.
    ResetGroup = 0x38;
    /// Removes a group.
    DeleteGroup = 0x39;
    /// Binds a pattern.
    Bind = 0x20;
    /// Ends a binding.
    Unbind = 0x21;
    /// Asks every instance of a service, or every subscriber of a topic.
    Gather = 0x22;
    /// Declares topics.
    DeclareTopic = 0x23;
    /// Removes a declaration of topics.
    DeleteTopic = 0x24;
    /// Asks for a declaration of topics.
    InspectTopic = 0x25;
    /// Asks for the declarations of topics there are.
    ListTopics = 0x26;
    /// The hub's greeting.
    Welcome = 0x81;
    /// The connection ends, and why.
    Bye = 0x82;
    /// A call's reply.
    Reply = 0x83;
    /// An operation failed, or a consumer, service or subscriber ended.
    Failed = 0x84;
    /// An operation is done.
    Done = 0x85;
    /// Changes are done, one after the other.
    Confirmed = 0x86;
    /// An operation is done, with a number.
    Count = 0x87;
    /// A queue's figures.
    Queue = 0x88;
    /// A request for a service.
    Request = 0x89;
    /// A request is taken back.
    Withdraw = 0x8a;
    /// A message for a consumer or a receive.
    Delivery = 0x8b;
    /// How many answers have arrived.
    Answered = 0x8c;
    /// A consumer, service or subscriber is live.
    Started = 0x8d;
    /// A batch is done.
    Receipts = 0x8e;
    /// Messages that were looked at.
    Peeked = 0x8f;
    /// The queues there are.
    Queues = 0x90;
    /// A message for a subscriber.
    Published = 0x91;
    /// An answer to a gather.
    Collected = 0xa0;
    /// A gather is done.
    Gathered = 0xa1;
    /// A declaration of topics.
    Topic = 0xa2;
    /// The declarations of topics there are.
    Topics = 0xa3;
    /// Records were appended.
    Appended = 0xb0;
    /// A stream's figures.
    Stream = 0xb1;
    /// The streams there are.
    Streams = 0xb2;
    /// A reader is live.
    Reading = 0xb3;
    /// Records for a reader.
    Records = 0xb4;
    /// The groups of a stream.
    Groups = 0xb5;
}

impl FrameKind {
    /// True if it is about streams, and changes nothing.
    pub const fn is_about_streams(self) -> bool {
        use FrameKind::{Appended, Groups, InspectStream, ListGroups, ListStreams, Read, Reading};
        use FrameKind::{Records, Stream, Streams};
        let is_answer = matches!(self, Appended | Stream | Streams | Groups | Reading | Records);
        is_answer || matches!(self, InspectStream | ListStreams | ListGroups | Read)
    }

    /// True if it is about subscribers or declarations of topics, and changes nothing.
    pub const fn is_about_topics(self) -> bool {
        use FrameKind::{InspectTopic, ListTopics, Subscribe, Taken, Topic, Topics};
        matches!(self, Subscribe | Taken | InspectTopic | ListTopics | Topic | Topics)
    }

    /// True if it carries a producer's sequence.
    pub const fn is_change(self) -> bool {
        use FrameKind::{Append, Batch, Bind, Commit, Declare, DeclareStream, Delete, DeleteGroup};
        use FrameKind::{
            DeclareTopic, DeleteStream, DeleteTopic, Publish, Purge, ResetGroup, Send, Settle,
            Unbind,
        };
        let is_sent = matches!(self, Batch | Send | Settle | Publish | Append | Commit);
        let is_of_stream = matches!(self, DeclareStream | DeleteStream | ResetGroup | DeleteGroup);
        let is_of_topic = matches!(self, Bind | Unbind | DeclareTopic | DeleteTopic);
        is_sent || is_of_stream || is_of_topic || matches!(self, Declare | Delete | Purge)
    }
}

/// A name by the number that an `Open` gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRef {
    /// Chosen by the program, below 4,096.
    pub number: u32,
    /// Tells apart the names that have had this number.
    pub generation: u16,
}

/// What a `Batch` says.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Until when it may wait for the disk.
    pub deadline: Option<Time>,
    /// An earlier host may have done it.
    pub again: bool,
    /// Its parts, in order.
    pub parts: Vec<BatchPart>,
}

/// One part of a `Batch`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub enum BatchPart {
    Send { name: NameRef, message: Message },
    Settle { delivery: u64, verdict: Verdict, reason: String },
    Publish { topic: Name, message: Message },
    Append { name: NameRef, message: Message, partition: Option<u32>, expect: Option<u64> },
    Commit(Committing),
}

/// What a `Bind` or `Unbind` binds to, by what its name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TargetKind {
    /// A queue.
    Queue = 1,
    /// A stream.
    Stream = 2,
}

/// A message that is published.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub struct Publishing {
    pub topic: Name,
    pub deadline: Option<Time>,
    pub message: Message,
    /// An earlier host may have published it.
    pub again: bool,
}

/// A message for subscribers of one session.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub struct Published {
    /// None if it is the pattern of each of them.
    pub topic: Option<Name>,
    pub message: Message,
    /// Until when answers are gathered, if they are.
    pub deadline: Option<Time>,
    pub to: Recipients,
}

/// A pattern, and what it is bound to.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub struct Binding {
    pub kind: TargetKind,
    pub name: NameRef,
    pub pattern: Pattern,
}

/// What a `ResetGroup` is about, beside the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub struct Reset {
    pub group: Name,
    pub partition: Option<u32>,
    pub start: Start,
}

/// What an `Append` is about, beside the stream.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described in docs/protocol.md")]
pub struct Append {
    pub deadline: Option<Time>,
    pub partition: u32,
    pub partitions: u32,
    pub expect: Option<u64>,
    pub batch: Bytes,
}

/// The program's greeting.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hello {
    /// Oldest and newest version spoken.
    pub versions: (u16, u16),
    /// Feature bits; none are defined yet.
    pub features: u64,
    /// The session to resume; 0 for a new one.
    pub session_id: u64,
    /// Proves that the session is the program's.
    pub token: [u8; 16],
    /// The hub and epoch that the session belongs to.
    pub hub_id: [u8; 16],
    /// See `hub_id`.
    pub epoch: u64,
    /// The machine's boot id, if the monotonic clock may be shared.
    pub clock: [u8; 16],
    /// Counted frames that have arrived in this session.
    pub received: u64,
}

/// The hub's greeting.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Welcome {
    /// The version to be spoken.
    pub version: u16,
    /// What must follow before anything else: 0, nothing.
    pub authentication: u8,
    /// The session was resumed; otherwise it is new.
    pub resumed: bool,
    /// Both ends share a monotonic clock.
    pub clock_shared: bool,
    /// The hub has no directory: queues are kept in memory only.
    pub memory_only: bool,
    /// What queues held in memory was lost with the host before this one.
    pub memory_lost: bool,
    /// Feature bits; none are defined yet.
    pub features: u64,
    /// The hub.
    pub hub_id: [u8; 16],
    /// Rises with every host.
    pub epoch: u64,
    /// The session; also its producer.
    pub session_id: u64,
    /// For resuming.
    pub token: [u8; 16],
    /// Answers that have arrived in this session.
    pub answered: u64,
    /// Largest frame taken, in bytes.
    pub frame_size_max: u32,
    /// Names that may be open.
    pub names_max: u32,
    /// Newest minus oldest unconfirmed sequence stays below.
    pub window: u32,
    /// How long a session outlives its connection, in ms; `u32::MAX`: as long as its process.
    pub grace_ms: u32,
}

/// What a list of a resuming program is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HeldKind {
    /// Deliveries that it holds.
    Deliveries = 0,
    /// Requests that it handles, or whose answers are on their way.
    Requests = 1,
    /// Tickets, consumers, services and subscribers that are open; others were cancelled or
    /// stopped.
    Open = 2,
}

/// A frame, decoded.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described with its kind in docs/protocol.md")]
pub enum Frame {
    Hello(Box<Hello>),
    Open { name_ref: NameRef, name: Name },
    Held { last: bool, what: HeldKind, tokens: Vec<u64> },
    Call { ticket: u64, name: NameRef, deadline: Option<Time>, message: Message },
    Cancel { ticket: u64 },
    Serve { id: u64, name: NameRef, concurrency: u32, line_max: u32, instance_name: Option<Name> },
    Stop { id: u64 },
    Answer { ticket: u64, request: u64, reply: Result<Message, Error> },
    Receive { ticket: u64, name: NameRef, deadline: Option<Time> },
    Consume { id: u64, name: NameRef, prefetch: u32, ack_deadline_ms: u32 },
    Credit { id: u64, prefetch: u32 },
    Inspect { ticket: u64, name: NameRef },
    Send { ticket: u64, change: Change, name: NameRef, deadline: Option<Time>, message: Message },
    Settle { ticket: u64, change: Change, delivery: u64, verdict: Verdict, reason: String },
    Declare { ticket: u64, change: Change, name: NameRef, options: Box<QueueOptions> },
    Delete { ticket: u64, change: Change, name: NameRef },
    Purge { ticket: u64, change: Change, name: NameRef },
    Received { count: u64 },
    Extend { ticket: u64, delivery: u64, ms: u64 },
    Batch { ticket: u64, change: Change, batch: Batch },
    Peek { ticket: u64, name: NameRef, count: u32 },
    List { ticket: u64, after: Option<Name> },
    Publish { ticket: u64, change: Change, publishing: Publishing },
    Subscribe { id: u64, subscribing: Subscribing },
    Taken { id: u64, taken: Untaken },
    DeclareStream { ticket: u64, change: Change, name: NameRef, options: Box<StreamOptions> },
    DeleteStream { ticket: u64, change: Change, name: NameRef },
    InspectStream { ticket: u64, name: NameRef },
    ListStreams { ticket: u64, after: Option<Name> },
    Append { ticket: u64, change: Change, name: NameRef, append: Box<Append> },
    Commit { ticket: u64, change: Change, committing: Committing },
    ListGroups { ticket: u64, name: NameRef },
    ResetGroup { ticket: u64, change: Change, name: NameRef, reset: Box<Reset> },
    DeleteGroup { ticket: u64, change: Change, name: NameRef, group: Name },
    Read { id: u64, name: NameRef, reading: Reading, stream: u64, held: u64, cursors: Vec<Cursor> },
    Bind { ticket: u64, change: Change, binding: Binding },
    Unbind { ticket: u64, change: Change, binding: Binding },
    Gather { ticket: u64, gathering: Gathering },
    DeclareTopic { ticket: u64, change: Change, pattern: Pattern, options: TopicOptions },
    DeleteTopic { ticket: u64, change: Change, pattern: Pattern },
    InspectTopic { ticket: u64, pattern: Pattern },
    ListTopics { ticket: u64, after: Option<Pattern> },
    Goodbye,
    Welcome(Box<Welcome>),
    Bye { error: Error },
    Reply { ticket: u64, message: Message },
    Failed { id: u64, counted: bool, error: Error },
    Done { ticket: u64 },
    Confirmed(Confirmed),
    Count { ticket: u64, count: u64 },
    Queue { ticket: u64, info: Box<QueueInfo> },
    Request { id: u64, request: Request },
    Withdraw { request: u64 },
    Delivery { id: u64, delivery: Delivery },
    Answered { count: u64 },
    Started { id: u64 },
    Receipts { ticket: u64, receipts: Vec<Receipt> },
    Peeked { ticket: u64, messages: Vec<Peeked> },
    Queues { ticket: u64, queues: Vec<(Name, QueueInfo)> },
    Published(Published),
    Collected { ticket: u64, answer: Answer },
    Gathered { ticket: u64, gathered: Gathered },
    Topic { ticket: u64, info: TopicInfo },
    Topics { ticket: u64, topics: Vec<(Pattern, TopicInfo)> },
    Appended { ticket: u64, appended: Appended },
    Stream { ticket: u64, info: Box<StreamInfo> },
    Streams { ticket: u64, streams: Vec<(Name, StreamInfo)> },
    Groups { ticket: u64, groups: Vec<GroupInfo> },
    Reading { id: u64, stream: u64, cursors: Vec<Cursor> },
    Records { id: u64, partition: u32, batch: Bytes },
}
