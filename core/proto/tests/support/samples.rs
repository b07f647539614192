//! One frame of every kind, with every field set to something of its own.

use bytes::Bytes;
use telpher_proto::base::batch::BatchBuilder;
use telpher_proto::base::stream::{Committing, GroupInfo, GroupPlace};
use telpher_proto::base::{
    Answer, Appended, Compression, Cursor, Delivery, Durability, Error, GatherTo, Gathered,
    Gathering, Headers, HeadersBuilder, Kind, Message, Missing, Name, Overflow, PartitionInfo,
    Pattern, Peeked, Properties, QueueInfo, QueueOptions, Reading, Receipt, Request, Start,
    StreamInfo, StreamOptions, Subscribing, Time, Trace, Untaken, Verdict,
};
use telpher_proto::base::{TopicInfo, TopicOptions, TopicOverflow};
use telpher_proto::wire::{
    Append, Batch, BatchPart, Binding, Change, Confirmed, Frame, HeldKind, Hello, NameRef,
    Published, Publishing, Recipient, Recipients, Reset, TargetKind, Welcome,
};

const NAME: NameRef = NameRef { number: 17, generation: 3 };
const CHANGE: Change = Change { producer: 0x0102_0304_0506_0708, sequence: 99, oldest: 90 };

pub const DEADLINE: Time = Time::from_nanos(5_000_000_000);

fn one_header() -> Headers {
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", b"text/plain").unwrap();
    headers.build()
}

pub fn full_message() -> Message {
    let properties = Properties {
        key: "ATL".into(),
        headers: one_header(),
        priority: 7,
        trace: Some(Trace { trace_id: [0xaa; 16], span_id: [0xbb; 8], flags: 1 }),
        timestamp_ms: 1_000_000_000_000,
    };
    Message { body: "body".into(), properties: Some(Box::new(properties)) }
}

/// A name for each sample, and the frame.
pub fn samples() -> Vec<(&'static str, Frame)> {
    let mut samples = said_by_programs();
    samples.extend(changes());
    samples.extend(said_by_hubs());
    samples.extend(gathers());
    samples.extend(of_streams());
    samples.extend(of_groups());
    samples.extend(of_topics());
    samples
}

fn of_topics() -> Vec<(&'static str, Frame)> {
    vec![
        (
            "declare topics",
            Frame::DeclareTopic {
                ticket: 70,
                change: CHANGE,
                pattern: binding().pattern,
                options: TopicOptions { overflow: TopicOverflow::Wait, line_max: 71 },
            },
        ),
        (
            "delete topics",
            Frame::DeleteTopic { ticket: 72, change: CHANGE, pattern: binding().pattern },
        ),
        ("inspect topics", Frame::InspectTopic { ticket: 73, pattern: binding().pattern }),
        ("list topics", Frame::ListTopics { ticket: 74, after: None }),
        (
            "list topics behind a pattern",
            Frame::ListTopics { ticket: 75, after: Some(binding().pattern) },
        ),
        ("topic", Frame::Topic { ticket: 76, info: topic_info() }),
        ("topics", Frame::Topics { ticket: 77, topics: vec![(binding().pattern, topic_info())] }),
    ]
}

fn of_groups() -> Vec<(&'static str, Frame)> {
    let (ticket, change) = (14, CHANGE);
    let group = Name::parse("billing").unwrap();
    let committing = Committing { reader: 23, partition: 1, generation: 24, next: 25 };
    let parts = vec![
        BatchPart::Append { name: NAME, message: plain(), partition: None, expect: None },
        BatchPart::Append { name: NAME, message: plain(), partition: Some(29), expect: Some(30) },
        BatchPart::Commit(committing),
    ];
    let reset = Reset { group: group.clone(), partition: Some(1), start: Start::Offset(26) };
    let places = vec![GroupPlace { next: 27, lag: 28, is_read: true }; 2];
    vec![
        ("commit", Frame::Commit { ticket, change, committing }),
        (
            "batch for streams",
            Frame::Batch {
                ticket,
                change,
                batch: Batch { deadline: Some(DEADLINE), again: false, parts },
            },
        ),
        ("list groups", Frame::ListGroups { ticket, name: NAME }),
        ("reset group", Frame::ResetGroup { ticket, change, name: NAME, reset: Box::new(reset) }),
        ("delete group", Frame::DeleteGroup { ticket, change, name: NAME, group: group.clone() }),
        (
            "groups",
            Frame::Groups { ticket, groups: vec![GroupInfo { name: group, members: 22, places }] },
        ),
    ]
}

fn of_streams() -> Vec<(&'static str, Frame)> {
    let mut builder = BatchBuilder::default();
    builder.push(&full_message());
    builder.push(&plain());
    let batch = builder.build(None);
    let options = StreamOptions {
        partitions: 2,
        durability: Some(Durability::Os),
        age_max_ms: 3,
        bytes_max: 4,
        records_max: 5,
        compact: true,
        tombstone_age_ms: 7_000,
        keep_unread: true,
        compression: Some(Compression::Zstd),
    };
    let partitions = vec![PartitionInfo { first: 6, next: 7, bytes: 8 }; 2];
    let bindings = vec![Pattern::parse("orders.*").unwrap()];
    let info = StreamInfo { options: options.clone(), partitions, bindings };
    let cursors = vec![Cursor { partition: 1, next: 9, seen: 8, end: 10, generation: 21 }];
    let (deadline, expect) = (Some(DEADLINE), Some(11));
    let append = Append { deadline, partition: 1, partitions: 2, expect, batch: batch.clone() };
    let group = None;
    let (partition, start) = (Some(1), Start::Time(12));
    let (key, headers) = (Some(Bytes::from_static(b"k")), one_header());
    let reading = Reading { key, headers, ..Reading::default() };
    let reading = Reading { partition, start, follow: true, group, buffer: 13, ..reading };
    let name = Name::parse("log").unwrap();
    let (ticket, id, change) = (14, 15, CHANGE);
    let (append, options) = (Box::new(append), Box::new(options));
    let appended = Appended { partition: 1, offset: 16, durability: Durability::Disk };
    let read_again = Frame::Read {
        id,
        name: NAME,
        reading: reading.clone(),
        stream: 17,
        held: 18,
        cursors: cursors.clone(),
    };
    let group = Some(Name::parse("billing").unwrap());
    let (key, headers) = (None, Headers::default());
    let reading = Reading { partition: None, follow: false, key, headers, ..reading };
    let reading = Reading { group: group.clone(), max_processing_ms: 14_000, ..reading };
    let read = Frame::Read { id, name: NAME, reading, stream: 0, held: 0, cursors: Vec::new() };
    vec![
        ("declare stream", Frame::DeclareStream { ticket, change, name: NAME, options }),
        ("delete stream", Frame::DeleteStream { ticket, change, name: NAME }),
        ("inspect stream", Frame::InspectStream { ticket, name: NAME }),
        ("list streams", Frame::ListStreams { ticket, after: Some(name.clone()) }),
        ("append", Frame::Append { ticket, change, name: NAME, append }),
        ("read", read),
        ("read again", read_again),
        ("appended", Frame::Appended { ticket, appended }),
        ("stream", Frame::Stream { ticket, info: Box::new(info.clone()) }),
        ("streams", Frame::Streams { ticket, streams: vec![(name, info)] }),
        ("reading", Frame::Reading { id, stream: 17, cursors }),
        ("records", Frame::Records { id, partition: 1, batch }),
    ]
}

fn plain() -> Message {
    Message::new("plain")
}

fn options() -> QueueOptions {
    QueueOptions {
        durability: Some(Durability::Memory),
        length_max: 1_000,
        bytes_max: 65_536,
        overflow: Overflow::Reject,
        max_attempts: 3,
        backoff_min_ms: 4,
        backoff_max_ms: 5,
        ack_deadline_ms: 6,
        ttl_ms: 7,
        dead_letter: Some(Name::parse("dead").unwrap()),
    }
}

fn said_by_programs() -> Vec<(&'static str, Frame)> {
    let name = Name::parse("orders.eu").unwrap();
    vec![
        ("hello", Frame::Hello(Box::new(hello()))),
        ("open", Frame::Open { name_ref: NAME, name }),
        ("held deliveries", held(HeldKind::Deliveries, false)),
        ("held requests", held(HeldKind::Requests, false)),
        ("held open, last", held(HeldKind::Open, true)),
        ("call", Frame::Call { ticket: 4, name: NAME, deadline: Some(DEADLINE), message: plain() }),
        (
            "call with properties",
            Frame::Call { ticket: 5, name: NAME, deadline: None, message: full_message() },
        ),
        ("cancel", Frame::Cancel { ticket: 6 }),
        ("serve", serve(None)),
        ("serve_named", serve(Name::parse("berlin-1").ok())),
        ("stop", Frame::Stop { id: 10 }),
        ("answer", Frame::Answer { ticket: 11, request: 12, reply: Ok(plain()) }),
        (
            "answer with a failure",
            Frame::Answer { ticket: 13, request: 14, reply: Err(Error::remote(-5, "no")) },
        ),
        ("receive", Frame::Receive { ticket: 15, name: NAME, deadline: Some(DEADLINE) }),
        ("consume", Frame::Consume { id: 16, name: NAME, prefetch: 64, ack_deadline_ms: 250 }),
        ("credit", Frame::Credit { id: 16, prefetch: 0 }),
        ("inspect", Frame::Inspect { ticket: 18, name: NAME }),
        ("subscribe", subscribe(None)),
        ("subscribe_named", subscribe(Name::parse("berlin-2").ok())),
        ("taken", Frame::Taken { id: 49, taken: Untaken { count: 53, bytes: 56 } }),
    ]
}

fn serve(instance_name: Option<Name>) -> Frame {
    Frame::Serve { id: 7, name: NAME, concurrency: 8, line_max: 9, instance_name }
}

fn subscribe(instance_name: Option<Name>) -> Frame {
    let pattern = Pattern::parse("orders.*.**").unwrap();
    let held = Untaken { count: 51, bytes: 55 };
    let subscribing = Subscribing { pattern, buffer: 50, held, received: 52, instance_name };
    Frame::Subscribe { id: 49, subscribing }
}

fn changes() -> Vec<(&'static str, Frame)> {
    vec![
        (
            "send",
            Frame::Send {
                ticket: 19,
                change: CHANGE,
                name: NAME,
                deadline: Some(DEADLINE),
                message: plain(),
            },
        ),
        (
            "settle",
            Frame::Settle {
                ticket: 20,
                change: CHANGE,
                delivery: 0x77,
                verdict: Verdict::Requeue,
                reason: "why".into(),
            },
        ),
        (
            "declare",
            Frame::Declare { ticket: 21, change: CHANGE, name: NAME, options: Box::new(options()) },
        ),
        ("delete", Frame::Delete { ticket: 22, change: CHANGE, name: NAME }),
        ("purge", Frame::Purge { ticket: 23, change: CHANGE, name: NAME }),
        ("received", Frame::Received { count: 24 }),
        ("goodbye", Frame::Goodbye),
        ("extend", Frame::Extend { ticket: 40, delivery: 0x77, ms: 41 }),
        (
            "batch",
            Frame::Batch {
                ticket: 42,
                change: CHANGE,
                batch: Batch { deadline: None, again: false, parts: parts() },
            },
        ),
        ("publish", Frame::Publish { ticket: 48, change: CHANGE, publishing: publishing() }),
        ("bind", Frame::Bind { ticket: 57, change: CHANGE, binding: binding() }),
        ("unbind", Frame::Unbind { ticket: 58, change: CHANGE, binding: binding() }),
        (
            "bind to a stream",
            Frame::Bind {
                ticket: 62,
                change: CHANGE,
                binding: Binding { kind: TargetKind::Stream, ..binding() },
            },
        ),
        ("peek", Frame::Peek { ticket: 43, name: NAME, count: 44 }),
        ("list", Frame::List { ticket: 45, after: None }),
        ("list behind a name", Frame::List { ticket: 46, after: Name::parse("orders").ok() }),
    ]
}

fn publishing() -> Publishing {
    let topic = Name::parse("orders.eu").unwrap();
    Publishing { topic, deadline: Some(DEADLINE), message: plain(), again: true }
}

fn topic_info() -> TopicInfo {
    TopicInfo { overflow: TopicOverflow::Wait, line_max: 78, waiting: 79 }
}

fn binding() -> Binding {
    let pattern = Pattern::parse("orders.*.**").unwrap();
    Binding { kind: TargetKind::Queue, name: NAME, pattern }
}

fn parts() -> Vec<BatchPart> {
    let (verdict, reason) = (Verdict::Reject, String::from("no"));
    vec![
        BatchPart::Send { name: NAME, message: full_message() },
        BatchPart::Settle { delivery: 0x77, verdict, reason },
        BatchPart::Publish { topic: Name::parse("orders.eu").unwrap(), message: plain() },
    ]
}

fn said_by_hubs() -> Vec<(&'static str, Frame)> {
    let delivery = Delivery {
        token: 0x77,
        message_id: 0x88,
        failures: 2,
        redelivered: true,
        message: full_message(),
    };
    let request = Request { token: 0x99, deadline: Some(DEADLINE), message: plain() };
    vec![
        ("welcome", Frame::Welcome(Box::new(welcome()))),
        ("bye", Frame::Bye { error: Error::new(Kind::Protocol, "why") }),
        ("reply", Frame::Reply { ticket: 25, message: plain() }),
        ("failed", failed(26, false)),
        ("failed, counted", failed(27, true)),
        ("done", Frame::Done { ticket: 28 }),
        (
            "confirmed",
            Frame::Confirmed(Confirmed {
                first: 29,
                count: 3,
                receipt: Some(Receipt { message_id: 30, durability: Durability::Memory }),
            }),
        ),
        ("count", Frame::Count { ticket: 31, count: 32 }),
        ("queue", Frame::Queue { ticket: 33, info: Box::new(queue_info()) }),
        ("request", Frame::Request { id: 34, request }),
        ("withdraw", Frame::Withdraw { request: 35 }),
        ("delivery", Frame::Delivery { id: 36, delivery }),
        ("answered", Frame::Answered { count: 37 }),
        ("started", Frame::Started { id: 38 }),
        ("receipts", Frame::Receipts { ticket: 47, receipts: receipts() }),
        ("peeked", Frame::Peeked { ticket: 48, messages: vec![peeked()] }),
        (
            "queues",
            Frame::Queues {
                ticket: 49,
                queues: vec![(Name::parse("orders").unwrap(), queue_info())],
            },
        ),
        (
            "published",
            Frame::Published(Published {
                topic: Name::parse("orders.eu").ok(),
                message: full_message(),
                deadline: None,
                to: Recipients::new(&[
                    Recipient { id: 49, number: 54, token: None },
                    Recipient { id: 50, number: 7, token: None },
                ]),
            }),
        ),
    ]
}

/// Frames of gathers.
fn gathers() -> Vec<(&'static str, Frame)> {
    let deadline = Some(Time::from_nanos(2_000_000_000));
    let gather = |ticket, to| {
        let gathering = Gathering { to, count: 3, taken: 57, deadline, message: plain() };
        Frame::Gather { ticket, gathering }
    };
    let collected = |name, reply| Frame::Collected {
        ticket: 55,
        answer: Answer { instance: 58, instance_name: name, reply },
    };
    let named = |text| Name::parse(text).ok();
    let missing = vec![
        Missing::new((59, named("berlin-1")), Kind::TimedOut, true),
        Missing::new((60, None), Kind::Lost, false),
    ];
    vec![
        ("gather", gather(55, GatherTo::Service(Name::parse("prices").unwrap()))),
        ("gather_topic", gather(56, GatherTo::Topic(Name::parse("orders.eu").unwrap()))),
        (
            "published_asked",
            Frame::Published(Published {
                topic: Name::parse("orders.eu").ok(),
                message: plain(),
                deadline,
                to: Recipients::new(&[Recipient { id: 49, number: 55, token: Some(61) }]),
            }),
        ),
        ("collected", collected(named("berlin-2"), Ok(full_message()))),
        ("collected_failure", collected(None, Err(Error::remote(7, "no stock")))),
        (
            "gathered",
            Frame::Gathered { ticket: 55, gathered: Gathered { answered: 1, failed: 1, missing } },
        ),
    ]
}

fn receipts() -> Vec<Receipt> {
    vec![
        Receipt { message_id: 50, durability: Durability::Disk },
        Receipt { message_id: 51, durability: Durability::Disk },
    ]
}

fn peeked() -> Peeked {
    Peeked { message_id: 52, failures: 1, redelivered: true, message: plain() }
}

fn queue_info() -> QueueInfo {
    QueueInfo {
        ready: 1,
        held: 2,
        delayed: 12,
        damaged: 13,
        bytes: 3,
        sends_waiting: 4,
        consumers: 5,
        sent: 6,
        acknowledged: 7,
        rejected: 8,
        requeued: 9,
        dead_lettered: 14,
        length_max: 10,
        bytes_max: 11,
        overflow: Overflow::Reject,
        durability: Durability::Memory,
        max_attempts: 15,
        backoff_min_ms: 16,
        backoff_max_ms: 17,
        ack_deadline_ms: 18,
        ttl_ms: 19,
        dead_letter: Some(Name::parse("dead").unwrap()),
        bindings: vec![Pattern::parse("orders.*").unwrap()],
    }
}

fn held(what: HeldKind, last: bool) -> Frame {
    Frame::Held { last, what, tokens: vec![1, u64::MAX] }
}

fn failed(id: u64, counted: bool) -> Frame {
    Frame::Failed { id, counted, error: Error::new(Kind::HostLost, "gone").executed(true) }
}

pub fn hello() -> Hello {
    Hello {
        versions: (1, 1),
        features: 0,
        session_id: 0x0000_0001_0000_0002,
        token: [0xcc; 16],
        hub_id: [0xdd; 16],
        epoch: 1,
        clock: [0xee; 16],
        received: 3,
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        authentication: 0,
        resumed: true,
        clock_shared: true,
        memory_only: true,
        memory_lost: false,
        features: 0,
        hub_id: [0xdd; 16],
        epoch: 1,
        session_id: 0x0000_0001_0000_0002,
        token: [0xcc; 16],
        answered: 2,
        frame_size_max: 8_462_336,
        names_max: 4_096,
        window: 1_024,
        grace_ms: 5_000,
    }
}
