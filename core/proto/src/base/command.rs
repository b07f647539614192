//! What a program may want of a hub: one closed enum.
//!
//! Floor: base.

use super::error::{Error, Kind};
use super::event::Id;
use super::limits;
use super::message::Message;
use super::name::Name;
use super::pattern::{Pattern, check_topic};
use super::queue::QueueOptions;
use super::stream::{Reading, Start, StreamOptions};
use super::topic::TopicOptions;

/// One operation. Starting it yields an [`Id`]; see each variant for how it ends.
#[derive(Clone, Debug)]
pub enum Command {
    /// Asks a service; ends with its reply.
    Call {
        /// Who is asked.
        service: Name,
        /// The request.
        message: Message,
    },
    /// Serves a name: `Started` once, then a `Request` event each, until detached.
    Serve {
        /// The name.
        service: Name,
        /// Requests handled at once, 1 to 65,536.
        concurrency: u32,
        /// Requests that may wait while all instances are busy, 0 to 1,048,576.
        line_max: u32,
        /// What the instance calls itself, to whoever gathers answers. Nothing keeps two from
        /// stating the same name: their numbers tell them apart.
        instance_name: Option<Name>,
    },
    /// Answers a request.
    Reply {
        /// The request's token.
        request: u64,
        /// The answer.
        reply: Reply,
    },
    /// Makes a queue, or checks that it is as stated.
    Declare {
        /// The queue.
        queue: Name,
        /// How it shall be.
        options: QueueOptions,
    },
    /// Removes a queue with everything in it; ends with the number of messages removed.
    Delete {
        /// The queue.
        queue: Name,
    },
    /// Removes the messages that nobody holds; ends with their number.
    Purge {
        /// The queue.
        queue: Name,
    },
    /// Ends with the queue's figures.
    Inspect {
        /// The queue.
        queue: Name,
    },
    /// Puts a message into a queue; ends with a receipt.
    Send {
        /// The queue.
        queue: Name,
        /// The message.
        message: Message,
    },
    /// Takes one message from a queue; ends with a delivery, to be settled.
    Receive {
        /// The queue.
        queue: Name,
    },
    /// Takes messages from a queue: `Started` once, then a `Delivery` event each, until detached.
    Consume {
        /// The queue.
        queue: Name,
        /// Messages held at once, 1 to 65,536.
        prefetch: u32,
        /// Time after which a message that was handed over and not settled is taken back, in ms;
        /// 0: the queue's.
        ack_deadline_ms: u32,
    },
    /// Says what became of a delivery.
    Settle {
        /// The delivery's token.
        delivery: u64,
        /// What became of it.
        verdict: Verdict,
        /// Why, for `Reject` and `Requeue`: kept with the message, at most 1,024 bytes.
        reason: String,
    },
    /// Moves the moment at which a delivery with an `ack_deadline` is taken back.
    Extend {
        /// The delivery's token.
        delivery: u64,
        /// Time from now, in ms; 0 is the full `ack_deadline` again.
        ms: u64,
    },
    /// Several sends, settlements and publishes, all or none; ends with the receipts of the sends.
    Batch {
        /// What is to be done, in order; 1 to 1,024 parts.
        parts: Vec<Part>,
    },
    /// Looks at messages that wait, without taking them; ends with copies.
    Peek {
        /// The queue.
        queue: Name,
        /// How many at most, 1 to 1,000.
        count: u32,
    },
    /// Ends with the names and figures of queues, in the order of their names.
    List {
        /// Only those behind this name.
        after: Option<Name>,
    },
    /// Gives a message to whoever is subscribed, and stores it wherever the topic is bound, there
    /// or nowhere; ends when that is as safe as the safest of these queues and streams says.
    Publish {
        /// The topic: its dotted segments are not empty.
        topic: Name,
        /// The message.
        message: Message,
    },
    /// Takes what is published to matching topics: `Started` once, then a `Published` event each,
    /// until detached.
    Subscribe {
        /// Which topics.
        pattern: Pattern,
        /// Messages that may be on their way to the program, and as many more may wait in the hub,
        /// 1 to 65,536: beyond that the oldest are lost.
        buffer: u32,
        /// What the subscriber calls itself, as an instance of a service does.
        instance_name: Option<Name>,
    },
    /// Says how the topics that match a pattern are, or checks that it is as stated.
    DeclareTopic {
        /// Which topics.
        pattern: Pattern,
        /// How they shall be.
        options: TopicOptions,
    },
    /// Removes a declaration of topics.
    DeleteTopic {
        /// The pattern, as it was declared.
        pattern: Pattern,
    },
    /// Ends with a declaration of topics, and what waits because of it.
    InspectTopic {
        /// The pattern, as it was declared.
        pattern: Pattern,
    },
    /// Ends with the declarations of topics, in the order of their patterns.
    ListTopics {
        /// Only those behind this pattern.
        after: Option<Pattern>,
    },
    /// Makes a stream, or checks that it is as stated.
    DeclareStream {
        /// The stream.
        stream: Name,
        /// How it shall be.
        options: StreamOptions,
    },
    /// Removes a stream with everything in it.
    DeleteStream {
        /// The stream.
        stream: Name,
    },
    /// Ends with the stream's figures.
    InspectStream {
        /// The stream.
        stream: Name,
    },
    /// Ends with the names and figures of streams, in the order of their names.
    ListStreams {
        /// Only those behind this name.
        after: Option<Name>,
    },
    /// Appends a record to a stream; ends with its partition and offset.
    Append {
        /// The stream.
        stream: Name,
        /// The record. Those with the same key are in one partition, in order.
        message: Message,
        /// The partition; `None`: the key's, or without a key any.
        partition: Option<u32>,
        /// Only if this is the offset that the partition's next record gets.
        expect: Option<u64>,
    },
    /// Reads a stream: `Started` once, then a `Record` event each, until its end or detached.
    Read {
        /// The stream.
        stream: Name,
        /// Which records.
        reading: Box<Reading>,
    },
    /// Says that a reader's group has done its work up to a place.
    Commit {
        /// The reader.
        reader: Id,
        /// The record's partition.
        partition: u32,
        /// The record's generation.
        generation: u64,
        /// The next offset to be read: one behind the record's.
        next: u64,
    },
    /// Ends with the reader groups of a stream, and how far each has come.
    Groups {
        /// The stream.
        stream: Name,
    },
    /// Puts a reader group to another place.
    ResetGroup {
        /// The stream.
        stream: Name,
        /// The group.
        group: Name,
        /// The partition; `None`: all of them.
        partition: Option<u32>,
        /// Where it goes on.
        start: Start,
    },
    /// Removes a reader group with its places.
    DeleteGroup {
        /// The stream.
        stream: Name,
        /// The group.
        group: Name,
    },
    /// Binds a pattern: from then on each message that is published to a matching topic is stored
    /// there, once. Binding what is bound changes nothing.
    Bind {
        /// Which topics.
        pattern: Pattern,
        /// Where their messages are stored.
        target: Target,
    },
    /// Ends a binding.
    Unbind {
        /// The pattern, as it was bound.
        pattern: Pattern,
        /// To what.
        target: Target,
    },
    /// Asks every instance of a service, or every subscriber of a topic: an `Answer` event each,
    /// then ends with who answered and who did not. Its time limit ends it as well as an answer of
    /// the last one does.
    Gather {
        /// Who is asked.
        to: GatherTo,
        /// The request.
        message: Message,
        /// Answers, failures not counted, after which it ends, at most 4,096; 0: all.
        count: u32,
    },
    /// Changes how many messages a consumer holds at once; 0 pauses it.
    Credit {
        /// The consumer.
        consumer: Id,
        /// Messages held at once, 0 to 65,536.
        prefetch: u32,
    },
}

impl Command {
    /// Checks every value that has a limit.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE`, naming the value and its limit.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Command::Call { message, .. } | Command::Send { message, .. } => message.check(),
            Command::Append { message, partition, .. } => {
                let most = u64::from(limits::PARTITIONS_MAX) - 1;
                within("partition", partition.unwrap_or(0).into(), 0, most)?;
                message.check()
            }
            Command::ResetGroup { partition, .. } => {
                let most = u64::from(limits::PARTITIONS_MAX) - 1;
                within("partition", partition.unwrap_or(0).into(), 0, most)
            }
            Command::DeclareStream { options, .. } => options.check(),
            Command::DeclareTopic { options, .. } => options.check(),
            Command::Read { reading, .. } => reading.check(),
            Command::Serve { concurrency, line_max, .. } => {
                within("concurrency", u64::from(*concurrency), 1, limits::CONCURRENCY_MAX.into())?;
                within("line_max", u64::from(*line_max), 0, limits::LINE_MAX.into())
            }
            Command::Reply { reply: Ok(message), .. } => message.check(),
            Command::Consume { prefetch, ack_deadline_ms, .. } => {
                within("prefetch", u64::from(*prefetch), 1, limits::PREFETCH_MAX.into())?;
                within("ack_deadline_ms", (*ack_deadline_ms).into(), 0, limits::DELAY_MAX_MS)
            }
            Command::Credit { prefetch, .. } => {
                within("prefetch", u64::from(*prefetch), 0, limits::PREFETCH_MAX.into())
            }
            Command::Publish { topic, message } => {
                check_topic(topic)?;
                message.check()
            }
            Command::Gather { to, message, count } => {
                if let GatherTo::Topic(topic) = to {
                    check_topic(topic)?;
                }
                within("count", (*count).into(), 0, limits::GATHER_ASKED_MAX as u64)?;
                message.check()
            }
            Command::Subscribe { buffer, .. } => {
                within("buffer", (*buffer).into(), 1, limits::SUBSCRIPTION_BUFFER_MAX.into())
            }
            Command::Declare { queue, options } => options.check(queue),
            Command::Settle { reason, .. } => check_reason(reason),
            Command::Extend { ms, .. } => within("ms", *ms, 0, limits::DELAY_MAX_MS),
            Command::Peek { count, .. } => {
                within("count", u64::from(*count), 1, limits::PEEK_MAX.into())
            }
            Command::Batch { parts } => check_batch(parts),
            _ => Ok(()),
        }
    }

    /// Bytes of bodies that the command keeps in flight.
    pub fn size(&self) -> usize {
        match self {
            Command::Call { message, .. }
            | Command::Send { message, .. }
            | Command::Append { message, .. }
            | Command::Publish { message, .. }
            | Command::Gather { message, .. } => message.size(),
            Command::Reply { reply: Ok(message), .. } => message.size(),
            Command::Batch { parts } => parts.iter().map(Part::size).sum(),
            _ => 0,
        }
    }
}

/// What a pattern is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue.
    Queue(Name),
    /// A stream: in the partition of a message's key, or without a key in any.
    Stream(Name),
}

/// Who is asked by a gather.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatherTo {
    /// Every instance of a service.
    Service(Name),
    /// Every subscriber that matches a topic.
    Topic(Name),
}

/// One part of a batch.
#[derive(Clone, Debug)]
pub enum Part {
    /// Puts a message into a queue.
    Send {
        /// The queue.
        queue: Name,
        /// The message.
        message: Message,
    },
    /// Says what became of a delivery.
    Settle {
        /// The delivery's token.
        delivery: u64,
        /// What became of it.
        verdict: Verdict,
        /// Why, for `Reject` and `Requeue`; at most 1,024 bytes.
        reason: String,
    },
    /// Publishes a message, if the batch is done: it may then be lost to a subscriber like any
    /// other, and is stored wherever the topic is bound as a part of the batch.
    Publish {
        /// The topic: its dotted segments are not empty.
        topic: Name,
        /// The message.
        message: Message,
    },
    /// Appends a record to a stream.
    Append {
        /// The stream.
        stream: Name,
        /// The record.
        message: Message,
        /// The partition; `None`: the key's, or without a key any.
        partition: Option<u32>,
        /// Only if this is the offset that the partition's next record gets.
        expect: Option<u64>,
    },
    /// Says that a reader's group has done its work up to a place.
    Commit {
        /// The reader.
        reader: Id,
        /// The record's partition.
        partition: u32,
        /// The record's generation.
        generation: u64,
        /// The next offset to be read: one behind the record's.
        next: u64,
    },
}

impl Part {
    fn size(&self) -> usize {
        match self {
            Part::Send { message, .. }
            | Part::Publish { message, .. }
            | Part::Append { message, .. } => message.size(),
            Part::Settle { .. } | Part::Commit { .. } => 0,
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Part::Send { message, .. } => message.check(),
            Part::Append { message, partition, .. } => {
                let most = u64::from(limits::PARTITIONS_MAX) - 1;
                within("partition", partition.unwrap_or(0).into(), 0, most)?;
                message.check()
            }
            Part::Commit { .. } => Ok(()),
            Part::Settle { reason, .. } => check_reason(reason),
            Part::Publish { topic, message } => {
                check_topic(topic)?;
                message.check()
            }
        }
    }
}

fn check_batch(parts: &[Part]) -> Result<(), Error> {
    within("the number of parts of a batch", parts.len() as u64, 1, limits::BATCH_PARTS_MAX)?;
    let size: usize = parts.iter().map(Part::size).sum();
    if size > limits::BATCH_SIZE_MAX {
        let most = limits::BATCH_SIZE_MAX;
        let detail = format!("the batch has {size} bytes of messages; at most {most} are allowed");
        return Err(Error::new(Kind::TooLarge, detail));
    }
    for (at, part) in parts.iter().enumerate() {
        part.check().map_err(|error| {
            Error::new(error.kind(), format!("part {at} of the batch: {}", error.detail()))
        })?;
    }
    Ok(())
}

fn check_reason(reason: &str) -> Result<(), Error> {
    let (size, most) = (reason.len(), limits::REASON_SIZE_MAX);
    if size <= most {
        return Ok(());
    }
    let detail = format!("the reason has {size} bytes; at most {most} are allowed");
    Err(Error::new(Kind::TooLarge, detail))
}

pub(crate) fn within(what: &str, value: u64, least: u64, most: u64) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("{what} is {value}; allowed are {least} to {most}")))
}

/// A handler's answer: a message, or its failure ([`Error::remote`]), or `ABANDONED` to let go of
/// the request, or `BUSY` if it has not been touched and another instance may have it.
pub type Reply = Result<Message, Error>;

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Done: the message leaves the queue.
    Acknowledge = 1,
    /// It can never be done: the message goes to the dead-letter queue.
    Reject = 2,
    /// To be tried again: after a pause back to its place, with one more failure; at the last
    /// attempt to the dead-letter queue.
    Requeue = 3,
    /// Not touched: back to its place, with no failure.
    Release = 4,
}
