//! Events for JavaScript: one record each, and their bytes one after the other.
//!
//! Floor: layout, telpher.

use telpher::{
    Answer, Appended, Delivery, Error, Event, Gathered, HubInfo, Message, Missing, Name, Notice,
    Outcome, Overflow, Pattern, Published, QueueInfo, Receipt, Request, What,
};

use crate::layout::{self, WORDS, set_double, set_long};
use crate::{groups, streams};

/// Where one batch of events is written.
pub(crate) struct Page<'a> {
    words: &'a mut [u32],
    bytes: &'a mut [u8],
    used: usize,
    count: usize,
}

impl<'a> Page<'a> {
    /// A page that writes its bytes from `used` on.
    pub(crate) fn new(words: &'a mut [u32], bytes: &'a mut [u8], used: usize) -> Page<'a> {
        Page { words, bytes, used, count: 0 }
    }

    /// Records that still fit.
    pub(crate) fn room(&self) -> usize {
        (self.words.len() / WORDS).saturating_sub(self.count + 1)
    }

    /// Writes `event`, or returns how many bytes it needs.
    pub(crate) fn push(&mut self, event: &Event) -> Result<(), usize> {
        let mut record = [0; WORDS];
        record[1] = event.user as u32;
        let made = made(event);
        let parts = parts(event, &made);
        let need = parts.iter().map(|part| part.len()).sum::<usize>();
        if need > self.bytes.len().saturating_sub(self.used) {
            return Err(need);
        }
        describe(event, &mut record);
        record[2] = self.used as u32;
        for (index, part) in parts.iter().enumerate() {
            if index < SIZED_PARTS {
                record[3 + index] = part.len() as u32;
            }
            self.bytes[self.used..self.used + part.len()].copy_from_slice(part);
            self.used += part.len();
        }
        self.count += 1;
        self.words[self.count * WORDS..][..WORDS].copy_from_slice(&record);
        Ok(())
    }

    /// Writes the head record.
    pub(crate) fn finish(self, need: usize, more: bool) {
        let head = [self.count as u32, self.used as u32, need as u32, u32::from(more)];
        self.words[..4].copy_from_slice(&head);
    }
}

/// Parts whose size each record has in the same place.
const SIZED_PARTS: usize = 3;

/// The bytes of body, key, headers and topic, or what stands in for these; `made` is what no event
/// holds as bytes.
fn parts<'a>(event: &'a Event, made: &'a [u8]) -> [&'a [u8]; SIZED_PARTS + 1] {
    match &event.what {
        What::Done(Ok(Outcome::Reply(message))) => message_parts(message),
        What::Done(Ok(Outcome::Delivery(delivery))) => message_parts(&delivery.message),
        What::Done(Ok(Outcome::Opened(info))) => [&info.hub_id, &[], &[], &[]],
        What::Done(Ok(Outcome::Queue(info))) => {
            let dead_letter = info.dead_letter.as_ref().map_or("", Name::as_str);
            let (figures, bindings) = made.split_at(FIGURES_SIZE.min(made.len()));
            [figures, dead_letter.as_bytes(), bindings, &[]]
        }
        What::Done(Err(error)) => [error.detail().as_bytes(), &[], &[], &[]],
        What::Delivery(delivery) => message_parts(&delivery.message),
        What::Request(request) => message_parts(&request.message),
        What::Record(record) => message_parts(&record.message),
        What::Answer(Answer { reply, instance_name, .. }) => {
            let [body, key, headers, _] = match reply {
                Ok(message) => message_parts(message),
                Err(error) => [error.detail().as_bytes(), &[], &[], &[]],
            };
            [body, key, headers, name_bytes(instance_name)]
        }
        What::Published(Published { topic, message, .. }) => {
            let [body, key, headers, _] = message_parts(message);
            [body, key, headers, topic.as_str().as_bytes()]
        }
        What::Notice(Notice::Disconnected { reason }) => [reason.as_bytes(), &[], &[], &[]],
        _ => [made, &[], &[], &[]],
    }
}

fn name_bytes(name: &Option<Name>) -> &[u8] {
    name.as_ref().map_or(&[], |name| name.as_str().as_bytes())
}

fn message_parts(message: &Message) -> [&[u8]; SIZED_PARTS + 1] {
    let (key, headers) = match &message.properties {
        Some(properties) => (&properties.key[..], &properties.headers.encoded()[..]),
        None => (&[][..], &[][..]),
    };
    [&message.body, key, headers, &[]]
}

/// Bytes for what an event holds as numbers: figures of a queue, with its bindings, or of a stream,
/// and receipts.
fn made(event: &Event) -> Vec<u8> {
    match &event.what {
        What::Done(Ok(Outcome::Queue(info))) => figures(info),
        What::Done(Ok(Outcome::Stream(info))) => streams::figures(info),
        What::Done(Ok(Outcome::Groups(groups))) => groups::figures(groups),
        What::Done(Ok(Outcome::Receipts(receipts))) => {
            let words = receipts.iter().flat_map(|Receipt { message_id, durability }| {
                [*message_id as u32, (message_id >> 32) as u32, *durability as u32]
            });
            words.flat_map(u32::to_le_bytes).collect()
        }
        What::Done(Ok(Outcome::Gathered(gathered))) => gathered_bytes(gathered),
        _ => Vec::new(),
    }
}

fn gathered_bytes(gathered: &Gathered) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |word: u32| bytes.extend(word.to_le_bytes());
    put(gathered.answered);
    put(gathered.failed);
    for Missing { instance, instance_name, error } in &gathered.missing {
        let (text, name) = (error.detail(), name_bytes(instance_name));
        let words = [*instance as u32, (instance >> 32) as u32, error.kind() as u32];
        bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(u32::from(error.maybe_executed()).to_le_bytes());
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(name);
    }
    bytes
}

/// Bytes of a queue's figures.
const FIGURES_SIZE: usize = 19 * 8;

/// A queue's figures as doubles, and behind them the patterns bound to it.
fn figures(info: &QueueInfo) -> Vec<u8> {
    let figures: [u64; FIGURES_SIZE / 8] = [
        info.ready,
        info.held,
        info.delayed,
        info.damaged,
        info.bytes,
        info.sends_waiting,
        info.consumers,
        info.sent,
        info.acknowledged,
        info.rejected,
        info.requeued,
        info.dead_lettered,
        info.length_max,
        info.bytes_max,
        info.max_attempts.into(),
        info.backoff_min_ms,
        info.backoff_max_ms,
        info.ack_deadline_ms,
        info.ttl_ms,
    ];
    let bindings = joined(&info.bindings);
    figures.iter().flat_map(|figure| (*figure as f64).to_le_bytes()).chain(bindings).collect()
}

/// Patterns with a space between two.
pub(crate) fn joined(bindings: &[Pattern]) -> Vec<u8> {
    let patterns: Vec<&str> = bindings.iter().map(Pattern::as_str).collect();
    patterns.join(" ").into_bytes()
}

fn describe(event: &Event, record: &mut [u32; WORDS]) {
    record[0] = match &event.what {
        What::Done(Ok(outcome)) => outcome_of(outcome, record),
        What::Done(Err(error)) => error_of(error, record),
        // A gap is never handed over: the numbers that are missing say the same.
        What::Started | What::Gap { .. } => layout::STARTED,
        What::Skipped { partition, first, last } => {
            groups::skipped(*partition, (*first, *last), record)
        }
        What::Delivery(delivery) => delivery_of(layout::DELIVERY, delivery, record),
        What::Request(request) => request_of(request, record),
        What::Published(published) => published_of(published, record),
        What::Record(read) => streams::describe(event.id, read, record),
        What::Withdrawn { request } => {
            set_long(record, 8, *request);
            layout::WITHDRAWN
        }
        What::Notice(notice) => notice_of(notice, record),
        What::Ready => layout::READY,
        What::Answer(answer) => answer_of(answer, record),
    };
}

fn outcome_of(outcome: &Outcome, record: &mut [u32; WORDS]) -> u32 {
    match outcome {
        Outcome::Empty => layout::EMPTY,
        Outcome::Opened(info) => opened_of(info, record),
        Outcome::Reply(message) => {
            record[6] = message.priority().into();
            layout::REPLIED
        }
        Outcome::Receipt(Receipt { message_id, durability }) => {
            set_long(record, 10, *message_id);
            record[6] = *durability as u32;
            layout::RECEIPT
        }
        Outcome::Delivery(delivery) => delivery_of(layout::RECEIVED, delivery, record),
        Outcome::Count(count) => {
            set_double(record, 12, *count as f64);
            layout::COUNT
        }
        Outcome::Queue(info) => {
            record[6] = info.durability as u32;
            record[7] = u32::from(info.overflow == Overflow::Reject);
            layout::QUEUE_INFO
        }
        Outcome::Receipts(_) => layout::RECEIPTS,
        Outcome::Gathered(_) => layout::GATHERED,
        Outcome::Appended(Appended { partition, offset, durability }) => {
            (record[6], record[7]) = (*durability as u32, *partition);
            set_long(record, 8, *offset);
            layout::APPENDED
        }
        Outcome::Stream(info) => {
            record[6] = info.options.durability.map_or(0, |durability| durability as u32);
            record[7] = info.partitions.len() as u32;
            layout::STREAM_INFO
        }
        Outcome::Topic(info) => {
            (record[6], record[7]) = (info.line_max, info.overflow as u32);
            set_double(record, 12, info.waiting as f64);
            layout::TOPIC_INFO
        }
        // What this package asks for ends with none of these.
        Outcome::Peeked(_) | Outcome::Queues(_) => layout::EMPTY,
        Outcome::Streams(_) | Outcome::Topics(_) => layout::EMPTY,
        Outcome::Groups(_) => layout::GROUPS,
    }
}

fn opened_of(info: &HubInfo, record: &mut [u32; WORDS]) -> u32 {
    record[6] = info.memory_only.into();
    set_long(record, 8, info.session_id);
    set_double(record, 12, info.epoch as f64);
    layout::OPENED
}

fn error_of(error: &Error, record: &mut [u32; WORDS]) -> u32 {
    record[6] = error.kind() as u32;
    record[7] = error.code().cast_unsigned();
    record[14] = error.maybe_executed().into();
    layout::ERROR
}

fn delivery_of(what: u32, delivery: &Delivery, record: &mut [u32; WORDS]) -> u32 {
    record[6] = delivery.message.priority().into();
    record[7] = delivery.failures;
    set_long(record, 8, delivery.token);
    set_long(record, 10, delivery.message_id);
    record[14] = delivery.redelivered.into();
    what
}

fn request_of(request: &Request, record: &mut [u32; WORDS]) -> u32 {
    record[6] = request.message.priority().into();
    set_long(record, 8, request.token);
    record[14] = request.deadline.is_some().into();
    layout::REQUEST
}

fn published_of(published: &Published, record: &mut [u32; WORDS]) -> u32 {
    record[6] = published.message.priority().into();
    record[7] = published.topic.as_str().len() as u32;
    set_long(record, 8, published.asked.map_or(0, |asked| asked.token));
    record[10] = published.untaken().bytes as u32;
    set_double(record, 12, published.number as f64);
    layout::PUBLISHED
}

fn answer_of(answer: &Answer, record: &mut [u32; WORDS]) -> u32 {
    match &answer.reply {
        Ok(message) => record[6] = message.priority().into(),
        Err(error) => {
            record[6] = error.kind() as u32;
            record[7] = error.code().cast_unsigned();
            record[14] = 1;
        }
    }
    set_long(record, 8, answer.instance);
    record[10] = name_bytes(&answer.instance_name).len() as u32;
    layout::ANSWER
}

fn notice_of(notice: &Notice, record: &mut [u32; WORDS]) -> u32 {
    match notice {
        Notice::Disconnected { .. } => record[6] = 1,
        Notice::Resumed => record[6] = 2,
        Notice::HubChanged { epoch, memory_lost } => {
            record[6] = 3;
            set_double(record, 12, *epoch as f64);
            record[14] = (*memory_lost).into();
        }
    }
    layout::NOTICE
}

#[cfg(test)]
mod tests {
    use super::*;
    use telpher::{Durability, Kind};

    fn replied(body: &'static str) -> Event {
        let message = Message::new(body);
        Event { id: 1, user: 5, what: What::Done(Ok(Outcome::Reply(message))) }
    }

    #[test]
    fn what_does_not_fit_says_what_it_needs_and_writes_nothing() {
        let (mut words, mut bytes) = ([0; WORDS * 3], [0; 8]);
        let mut page = Page::new(&mut words, &mut bytes, 0);
        page.push(&replied("hello")).unwrap();
        assert_eq!(page.push(&replied("world")), Err(5));
        assert_eq!(page.room(), 1);
        page.finish(5, true);
        assert_eq!(words[..4], [1, 5, 5, 1]);
        assert_eq!(words[WORDS..][..4], [layout::REPLIED, 5, 0, 5]);
        assert_eq!(&bytes, b"hello\0\0\0");
    }

    #[test]
    fn an_error_carries_its_kind_code_and_effect() {
        let (mut words, mut bytes) = ([0; WORDS * 2], [0; 8]);
        let mut page = Page::new(&mut words, &mut bytes, 0);
        let what = What::Done(Err(Error::remote(-7, "no")));
        page.push(&Event { id: 1, user: 0, what }).unwrap();
        page.finish(0, false);
        let record = &words[WORDS..];
        assert_eq!(record[0], layout::ERROR);
        assert_eq!((record[6], record[7], record[14]), (Kind::Remote as u32, -7_i32 as u32, 1));
    }

    #[test]
    fn a_published_message_has_its_topic_behind_the_rest() {
        let (mut words, mut bytes) = ([0; WORDS * 2], [0; 9]);
        let mut page = Page::new(&mut words, &mut bytes, 0);
        let mut message = Message::new("body");
        message.properties_mut().key = "k".into();
        let topic = Name::parse("a.b").unwrap();
        let what = What::Published(Published { topic, number: 1 << 33, message, asked: None });
        page.push(&Event { id: 1, user: 7, what }).unwrap();
        page.finish(0, false);
        let record = &words[WORDS..];
        assert_eq!(record[..8], [layout::PUBLISHED, 7, 0, 4, 1, 0, 0, 3]);
        assert_eq!((record[10], layout::double(record, 12)), (5, (1_u64 << 33) as f64));
        assert_eq!(&bytes, b"bodyka.b\0");
    }

    #[test]
    fn receipts_are_three_words_each() {
        let (mut words, mut bytes) = ([0; WORDS * 2], [0; 24]);
        let mut page = Page::new(&mut words, &mut bytes, 0);
        let receipt = |message_id| Receipt { message_id, durability: Durability::Disk };
        let what = What::Done(Ok(Outcome::Receipts(vec![receipt(7), receipt(1 << 32)])));
        page.push(&Event { id: 1, user: 0, what }).unwrap();
        page.finish(0, false);
        assert_eq!(words[WORDS..][..4], [layout::RECEIPTS, 0, 0, 24]);
        let read: Vec<u32> = bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        assert_eq!(read, [7, 0, 3, 0, 1, 3]);
    }
}
