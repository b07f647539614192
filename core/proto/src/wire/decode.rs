//! Bytes to frames. Every length is checked against what is there; nothing may be left over.
//!
//! Floor: imports `base`.

use bytes::Bytes;

use super::encode::flag;
use super::frame::{Batch, BatchPart, Change, Frame, FrameKind, HeldKind, NameRef};
use super::{Clock, HEADER_SIZE, Malformed, Whole};
use crate::base::limits;
use crate::base::{
    Delivery, Durability, Error, Headers, Kind, Message, Name, Properties, Receipt, Request, Time,
    Trace, Verdict,
};

/// Bytes of a message before its key, headers and body.
pub(super) const MESSAGE_FIXED_SIZE: usize = 32;

pub(super) type Decoded<T> = Result<T, Malformed>;

/// Decodes one whole frame, as [`super::Inbox`] hands it out.
///
/// # Errors
///
/// What is wrong with it, for the other side to read.
pub fn decode(frame: Whole<'_>, clock: Clock) -> Decoded<Frame> {
    let Whole { batch, at, end } = frame;
    let Some(header) = batch[at..end].first_chunk::<HEADER_SIZE>() else {
        return Err(Malformed::new(format!("a frame of {} bytes", end - at)));
    };
    if header[4..8] == [FrameKind::Done as u8, 0, 0, 0] && end - at == HEADER_SIZE {
        // Nothing but a header, and what there is most of.
        return Ok(Frame::Done { ticket: u64_at(header, 8) });
    }
    let kind = FrameKind::from_byte(header[4]);
    let kind = kind.ok_or_else(|| Malformed::new("a frame of no known kind"))?;
    let mut reader = Reader { batch, at: at + HEADER_SIZE, end, clock, kind };
    let (flags, id) = (header[5], u64_at(header, 8));
    if header[6..8] != [0, 0] {
        return reader.fail("has a reserved byte that is not zero");
    }
    reader.flags(flags)?;
    let decoded = reader.body(flags, id)?;
    match reader.rest() {
        0 => Ok(decoded),
        more => reader.fail(&format!("has {more} bytes too many")),
    }
}

#[inline(always)]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

#[inline(always)]
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

pub(super) struct Reader<'a> {
    batch: &'a Bytes,
    at: usize,
    end: usize,
    clock: Clock,
    pub(super) kind: FrameKind,
}

impl Reader<'_> {
    fn body(&mut self, flags: u8, id: u64) -> Decoded<Frame> {
        let ticket = id;
        Ok(match self.kind {
            FrameKind::Hello => Frame::Hello(Box::new(self.hello()?)),
            FrameKind::Open => Frame::Open { name_ref: self.name_ref()?, name: self.name()? },
            FrameKind::Held => Frame::Held {
                last: flags & flag::HELD_LAST != 0,
                what: match flags >> flag::HELD_KIND_SHIFT {
                    0 => HeldKind::Deliveries,
                    1 => HeldKind::Requests,
                    2 => HeldKind::Open,
                    kind => return self.fail(&format!("lists things of kind {kind}")),
                },
                tokens: self.tokens()?,
            },
            FrameKind::Call => {
                let name = self.name_ref()?;
                let (message, deadline) = self.message()?;
                Frame::Call { ticket, name, deadline, message }
            }
            FrameKind::Cancel => Frame::Cancel { ticket },
            FrameKind::Serve => self.serve(id)?,
            FrameKind::Stop => Frame::Stop { id },
            FrameKind::Answer => {
                Frame::Answer { ticket, request: self.u64()?, reply: self.answer()? }
            }
            FrameKind::Receive => {
                Frame::Receive { ticket, name: self.name_ref()?, deadline: self.deadline()? }
            }
            FrameKind::Consume => {
                let name = self.name_ref()?;
                let (prefetch, ack_deadline_ms) = (self.u32()?, self.u32()?);
                Frame::Consume { id, name, prefetch, ack_deadline_ms }
            }
            FrameKind::Credit => Frame::Credit { id, prefetch: self.padded_u32()? },
            FrameKind::Inspect => Frame::Inspect { ticket, name: self.name_ref()? },
            FrameKind::Received => Frame::Received { count: id },
            FrameKind::Goodbye => Frame::Goodbye,
            FrameKind::Extend => Frame::Extend { ticket, delivery: self.u64()?, ms: self.u64()? },
            FrameKind::Peek => {
                Frame::Peek { ticket, name: self.name_ref()?, count: self.padded_u32()? }
            }
            FrameKind::List => Frame::List { ticket, after: self.short_name()? },
            kind if kind.is_about_topics() => self.topics(id)?,
            kind if kind.is_about_streams() => self.streams(id)?,
            FrameKind::Gather => self.gather(flags, id)?,
            kind if kind.is_change() => self.change(flags, ticket)?,
            _ => self.hub_frame(flags, id)?,
        })
    }

    fn change(&mut self, flags: u8, ticket: u64) -> Decoded<Frame> {
        let change = Change { producer: self.u64()?, sequence: self.u64()?, oldest: self.u64()? };
        if change.oldest > change.sequence
            || change.sequence == u64::MAX
            || change.sequence - change.oldest >= limits::PRODUCER_WINDOW
        {
            return self.fail(&format!(
                "has sequence {} with {} as the oldest; less than {} may lie between",
                change.sequence,
                change.oldest,
                limits::PRODUCER_WINDOW
            ));
        }
        let again = flags & flag::CHANGE_AGAIN != 0;
        Ok(match self.kind {
            FrameKind::Send => {
                let name = self.name_ref()?;
                let (message, deadline) = self.message()?;
                Frame::Send { ticket, change, name, deadline, message }
            }
            FrameKind::Settle => {
                let delivery = self.u64()?;
                let (verdict, reason) = self.verdict()?;
                Frame::Settle { ticket, change, delivery, verdict, reason }
            }
            FrameKind::Publish => {
                let publishing = self.publishing(again)?;
                Frame::Publish { ticket, change, publishing }
            }
            FrameKind::Bind
            | FrameKind::Unbind
            | FrameKind::DeclareTopic
            | FrameKind::DeleteTopic => self.topic_change(ticket, change)?,
            FrameKind::Batch => {
                let (deadline, parts) = (self.deadline()?, self.parts()?);
                Frame::Batch { ticket, change, batch: Batch { deadline, again, parts } }
            }
            FrameKind::Declare => {
                let name = self.name_ref()?;
                Frame::Declare { ticket, change, name, options: Box::new(self.declared()?) }
            }
            FrameKind::Delete => Frame::Delete { ticket, change, name: self.name_ref()? },
            FrameKind::DeclareStream
            | FrameKind::DeleteStream
            | FrameKind::Append
            | FrameKind::Commit
            | FrameKind::ResetGroup
            | FrameKind::DeleteGroup => self.stream_change(ticket, change)?,
            _ => Frame::Purge { ticket, change, name: self.name_ref()? },
        })
    }

    fn hub_frame(&mut self, flags: u8, id: u64) -> Decoded<Frame> {
        let ticket = id;
        Ok(match self.kind {
            FrameKind::Welcome => Frame::Welcome(Box::new(self.welcome(flags)?)),
            FrameKind::Bye => Frame::Bye { error: self.error(flags)? },
            FrameKind::Failed => Frame::Failed {
                id,
                counted: flags & flag::FAILED_COUNTED != 0,
                error: self.error(flags)?,
            },
            FrameKind::Reply => Frame::Reply { ticket, message: self.message()?.0 },
            FrameKind::Done => Frame::Done { ticket },
            FrameKind::Confirmed => Frame::Confirmed(self.confirmed(id)?),
            FrameKind::Receipts => {
                let count = self.count(limits::BATCH_PARTS_MAX)?;
                let receipts = (0..count).map(|_| self.receipt()).collect::<Decoded<_>>()?;
                Frame::Receipts { ticket, receipts }
            }
            FrameKind::Peeked => Frame::Peeked { ticket, messages: self.peeked()? },
            FrameKind::Queues => Frame::Queues { ticket, queues: self.queues()? },
            FrameKind::Count => Frame::Count { ticket, count: self.u64()? },
            FrameKind::Queue => Frame::Queue { ticket, info: Box::new(self.queue()?) },
            FrameKind::Request => {
                let token = self.u64()?;
                let (message, deadline) = self.message()?;
                Frame::Request { id, request: Request { token, deadline, message } }
            }
            FrameKind::Withdraw => Frame::Withdraw { request: id },
            FrameKind::Delivery => {
                let redelivered = flags & flag::DELIVERY_REDELIVERED != 0;
                Frame::Delivery { id, delivery: self.delivery(redelivered)? }
            }
            FrameKind::Answered => Frame::Answered { count: id },
            FrameKind::Published => self.published(flags, id)?,
            FrameKind::Collected => self.collected(id)?,
            FrameKind::Gathered => self.gathered(id)?,
            _ => Frame::Started { id },
        })
    }

    #[cold]
    pub(super) fn fail<T>(&self, what: &str) -> Decoded<T> {
        Err(Malformed::new(format!("a {:?} frame {what}", self.kind)))
    }

    fn flags(&self, flags: u8) -> Decoded<()> {
        let known = match self.kind {
            FrameKind::Failed | FrameKind::Bye => 3,
            FrameKind::Held => 7,
            FrameKind::Welcome => 15,
            FrameKind::Delivery | FrameKind::Published => 1,
            FrameKind::Publish | FrameKind::Batch | FrameKind::Gather => 1,
            _ => 0,
        };
        if flags & !known == 0 { Ok(()) } else { self.fail(&format!("has flags {flags:#x}")) }
    }

    #[inline]
    pub(super) fn bytes(&mut self, size: usize) -> Decoded<&[u8]> {
        if size > self.rest() {
            return self.fail("ends too early");
        }
        let start = self.at;
        self.at += size;
        Ok(&self.batch[start..self.at])
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        Ok(*self.bytes(N)?.first_chunk().expect("as many bytes as were asked for"))
    }

    #[inline]
    pub(super) fn shared(&mut self, size: usize) -> Decoded<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        if size > self.rest() {
            return self.fail("ends too early");
        }
        let start = self.at;
        self.at += size;
        Ok(self.batch.slice(start..self.at))
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Decoded<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Decoded<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Decoded<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Decoded<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn padded_u32(&mut self) -> Decoded<u32> {
        let value = self.u32()?;
        self.zero(4)?;
        Ok(value)
    }

    pub(super) fn zero(&mut self, size: usize) -> Decoded<()> {
        if self.bytes(size)?.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        self.fail("has a reserved byte that is not zero")
    }

    pub(super) fn rest(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn choice<T: Copy>(&mut self, among: &[(u8, T)], what: &str) -> Decoded<T> {
        let byte = self.u8()?;
        match among.iter().find(|(value, _)| *value == byte) {
            Some((_, choice)) => Ok(*choice),
            None => self.fail(&format!("has {what} {byte}, which does not exist")),
        }
    }

    pub(super) fn durability(&mut self) -> Decoded<Durability> {
        match self.choice(&DURABILITIES, "durability")? {
            Some(durability) => Ok(durability),
            None => self.fail("states no durability"),
        }
    }

    pub(super) fn deadline(&mut self) -> Decoded<Option<Time>> {
        Ok(self.clock.decode(self.u64()?))
    }

    pub(super) fn name_ref(&mut self) -> Decoded<NameRef> {
        let number = self.u32()?;
        let generation = self.u32()?;
        match u16::try_from(generation) {
            Ok(generation) => Ok(NameRef { number, generation }),
            Err(_) => self.fail(&format!("has generation {generation}; at most 65535")),
        }
    }

    pub(super) fn text(&mut self, size_max: usize) -> Decoded<String> {
        self.sized_text(self.rest(), size_max)
    }

    fn name(&mut self) -> Decoded<Name> {
        let text = self.text(limits::NAME_SIZE_MAX)?;
        Name::parse(&text).map_err(|error| Malformed::new(error.detail().to_owned()))
    }

    fn tokens(&mut self) -> Decoded<Vec<u64>> {
        let size = self.rest();
        if !size.is_multiple_of(8) {
            return self.fail("holds part of a token");
        }
        (0..size / 8).map(|_| self.u64()).collect()
    }

    /// A plain message is decoded in place: what carries one is what there is most of.
    #[inline(always)]
    pub(super) fn message(&mut self) -> Decoded<(Message, Option<Time>)> {
        let rest = &self.batch[self.at..self.end];
        let Some(fixed) = rest.first_chunk::<MESSAGE_FIXED_SIZE>() else {
            return self.fail("ends too early");
        };
        let body_size = u32_at(fixed, 16) as usize;
        // Everything behind the body's size is zero in a plain message, and so is the timestamp.
        let is_plain = u64_at(fixed, 8) == 0 && u32_at(fixed, 20) == 0 && u64_at(fixed, 24) == 0;
        if !is_plain || body_size > limits::BODY_SIZE_MAX {
            return self.full_message();
        }
        let deadline = self.clock.decode(u64_at(fixed, 0));
        self.at += MESSAGE_FIXED_SIZE;
        Ok((Message { body: self.shared(body_size)?, properties: None }, deadline))
    }

    #[inline(never)]
    fn full_message(&mut self) -> Decoded<(Message, Option<Time>)> {
        let fixed: [u8; MESSAGE_FIXED_SIZE] = self.array()?;
        let deadline = self.clock.decode(u64_at(&fixed, 0));
        let timestamp_ms = u64_at(&fixed, 8);
        let body_size = u32_at(&fixed, 16) as usize;
        let headers_size = u32_at(&fixed, 20) as usize;
        let key_size = usize::from(u16::from_le_bytes([fixed[24], fixed[25]]));
        let (priority, flags) = (fixed[26], fixed[27]);
        for (what, size, limit) in [
            ("body", body_size, limits::BODY_SIZE_MAX),
            ("headers", headers_size, limits::HEADERS_SIZE_MAX),
            ("key", key_size, limits::KEY_SIZE_MAX),
        ] {
            if size > limit {
                return self.fail(&format!("states {size} bytes for its {what}; at most {limit}"));
            }
        }
        let trace = match (flags, u32_at(&fixed, 28)) {
            (0, 0) => None,
            (flag::MESSAGE_TRACE, 0) => Some(self.trace()?),
            _ => return self.fail(&format!("has message flags {flags:#x} or a byte not zero")),
        };
        let key = self.shared(key_size)?;
        let Some(headers) = Headers::from_encoded(self.shared(headers_size)?) else {
            return self.fail("has malformed headers");
        };
        let properties = Properties { key, headers, priority, trace, timestamp_ms };
        let body = self.shared(body_size)?;
        Ok((Message { body, properties: Some(Box::new(properties)) }, deadline))
    }

    fn trace(&mut self) -> Decoded<Trace> {
        let trace = Trace { trace_id: self.array()?, span_id: self.array()?, flags: self.u8()? };
        self.zero(7)?;
        Ok(trace)
    }

    pub(super) fn answer(&mut self) -> Decoded<Result<Message, Error>> {
        let number = self.u32()?;
        let code = i32::from_le_bytes(self.array()?);
        if number == 0 {
            return Ok(Ok(self.message()?.0));
        }
        let text = self.text(limits::DETAIL_SIZE_MAX)?;
        match Kind::from_number(number) {
            Some(Kind::Remote) => Ok(Err(Error::remote(code, text))),
            Some(kind @ (Kind::Abandoned | Kind::Busy)) => Ok(Err(Error::new(kind, text))),
            _ => self.fail(&format!("answers with status {number}")),
        }
    }

    fn error(&mut self, flags: u8) -> Decoded<Error> {
        let number = self.u32()?;
        let code = i32::from_le_bytes(self.array()?);
        let text = self.text(limits::DETAIL_SIZE_MAX)?;
        let maybe = flags & flag::FAILED_MAYBE_EXECUTED != 0;
        match Kind::from_number(number) {
            Some(Kind::Remote) => Ok(Error::remote(code, text)),
            Some(kind) => Ok(Error::new(kind, text).executed(maybe)),
            None => self.fail(&format!("has status {number}, which does not exist")),
        }
    }

    fn delivery(&mut self, redelivered: bool) -> Decoded<Delivery> {
        let token = self.u64()?;
        let message_id = self.u64()?;
        let failures = self.padded_u32()?;
        let message = self.message()?.0;
        Ok(Delivery { token, message_id, failures, redelivered, message })
    }

    fn receipt(&mut self) -> Decoded<Receipt> {
        let message_id = self.u64()?;
        let durability = self.durability()?;
        self.zero(7)?;
        Ok(Receipt { message_id, durability })
    }

    fn verdict(&mut self) -> Decoded<(Verdict, String)> {
        let verdict = self.choice(&VERDICTS, "verdict")?;
        self.zero(1)?;
        let size = usize::from(self.u16()?);
        self.zero(4)?;
        Ok((verdict, self.sized_text(size, limits::REASON_SIZE_MAX)?))
    }

    fn parts(&mut self) -> Decoded<Vec<BatchPart>> {
        let count = self.count(limits::BATCH_PARTS_MAX)?;
        (0..count).map(|_| self.part()).collect()
    }

    fn part(&mut self) -> Decoded<BatchPart> {
        match self.u64()? {
            1 => {
                let name = self.name_ref()?;
                Ok(BatchPart::Send { name, message: self.message()?.0 })
            }
            2 => {
                let delivery = self.u64()?;
                let (verdict, reason) = self.verdict()?;
                Ok(BatchPart::Settle { delivery, verdict, reason })
            }
            3 => {
                let topic = self.topic()?;
                Ok(BatchPart::Publish { topic, message: self.message()?.0 })
            }
            4 => self.append_part(),
            5 => Ok(BatchPart::Commit(self.committing()?)),
            kind => self.fail(&format!("has a part of kind {kind}, which does not exist")),
        }
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, most: u64) -> Decoded<u64> {
        let count = self.u64()?;
        if count > most {
            return self.fail(&format!("states {count} of something; at most {most}"));
        }
        Ok(count)
    }

    pub(super) fn sized_text(&mut self, size: usize, size_max: usize) -> Decoded<String> {
        if size > size_max {
            return self.fail(&format!("has a text of {size} bytes; at most {size_max}"));
        }
        match std::str::from_utf8(self.bytes(size)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.fail("has a text that is not UTF-8"),
        }
    }
}

const VERDICTS: [(u8, Verdict); 4] =
    [(1, Verdict::Acknowledge), (2, Verdict::Reject), (3, Verdict::Requeue), (4, Verdict::Release)];

pub(super) const DURABILITIES: [(u8, Option<Durability>); 4] = [
    (0, None),
    (1, Some(Durability::Memory)),
    (2, Some(Durability::Os)),
    (3, Some(Durability::Disk)),
];
