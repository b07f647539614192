//! One event as C sees it.
//!
//! Floor: `types`, `constants`.

use std::ffi::{CString, c_void};
use std::ptr;

use telpher::{
    Answer, Delivery, Durability, Error, Event, Gathered, HubInfo, Message, Missing, Name, Notice,
    Outcome, Overflow,
};
use telpher::{Pattern, QueueInfo, Receipt, TopicInfo, TopicOverflow, What};

use crate::constants::*;
use crate::output_streams::Streams;
use crate::status;
use crate::types::*;

/// What events point to and do not themselves own. Each is boxed, so that it stays where it is.
#[derive(Default)]
pub struct Extra {
    texts: Vec<CString>,
    /// The last topic, and its text among them.
    topic: Option<(Name, *const std::ffi::c_char)>,
    #[expect(clippy::vec_box, reason = "C points to them while the vector grows")]
    queues: Vec<Box<telpher_queue_info>>,
    #[expect(clippy::vec_box, reason = "C points to them while the vector grows")]
    hubs: Vec<Box<telpher_hub_info>>,
    /// Those of a batch each; a list stays where it is while the vector grows.
    receipts: Vec<Vec<telpher_receipt>>,
    pub streams: Streams,
    /// Those of a gather each.
    missing: Vec<Vec<telpher_missing>>,
    topics: Vec<Vec<telpher_topic_info>>,
}

// SAFETY: the pointers in `queues`, `streams`, `missing`, `topics` and `topic` lead to what is
// beside them, which moves along.
unsafe impl Send for Extra {}

impl Extra {
    /// Drops everything, for other events.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.topic = None;
        self.queues.clear();
        self.hubs.clear();
        self.receipts.clear();
        self.streams.clear();
        self.missing.clear();
        self.topics.clear();
    }

    /// The text of a topic; of several events in a row with the same one there is one.
    fn topic(&mut self, topic: &Name) -> *const std::ffi::c_char {
        let same =
            |last: &&(Name, *const std::ffi::c_char)| last.0.is_same(topic) || last.0 == *topic;
        if let Some((_, text)) = self.topic.as_ref().filter(same) {
            return *text;
        }
        let text = self.text(topic.as_str());
        self.topic = Some((topic.clone(), text));
        text
    }

    /// Patterns with a space between two; NULL if there are none.
    pub fn bindings(&mut self, bindings: &[Pattern]) -> *const std::ffi::c_char {
        if bindings.is_empty() {
            return ptr::null();
        }
        let patterns: Vec<&str> = bindings.iter().map(Pattern::as_str).collect();
        self.text(&patterns.join(" "))
    }

    fn topics(&mut self, topics: Vec<telpher_topic_info>) -> *const telpher_topic_info {
        let first = topics.as_ptr();
        self.topics.push(topics);
        first
    }

    /// What an instance calls itself; NULL if it has stated no name.
    fn name(&mut self, name: Option<&Name>) -> *const std::ffi::c_char {
        name.map_or(ptr::null(), |name| self.text(name.as_str()))
    }

    pub fn text(&mut self, text: &str) -> *const std::ffi::c_char {
        self.texts.push(status::text(text));
        self.texts.last().map_or(ptr::null(), |text| text.as_ptr())
    }
}

/// The message that an event carries.
pub fn message_of(event: &mut Event) -> Option<&mut Message> {
    match &mut event.what {
        What::Done(Ok(Outcome::Reply(message))) => Some(message),
        What::Done(Ok(Outcome::Delivery(delivery))) | What::Delivery(delivery) => {
            Some(&mut delivery.message)
        }
        What::Request(request) => Some(&mut request.message),
        What::Published(published) => Some(&mut published.message),
        What::Record(record) => Some(&mut record.message),
        What::Answer(Answer { reply: Ok(message), .. }) => Some(message),
        _ => None,
    }
}

/// Fills the struct for `event`, which is all zeros. It points into `event` and `extra`, and is
/// valid as long as both.
pub fn fill(seen: &mut telpher_event, event: &Event, extra: &mut Extra) {
    seen.id = event.id;
    seen.user = event.user;
    seen.kind = match &event.what {
        What::Done(Ok(outcome)) => {
            fill_outcome(seen, outcome, extra);
            TELPHER_EVENT_DONE
        }
        What::Done(Err(error)) => {
            fill_error(seen, error, extra);
            TELPHER_EVENT_DONE
        }
        What::Started => TELPHER_EVENT_STARTED,
        What::Delivery(delivery) => {
            fill_delivery(seen, delivery);
            TELPHER_EVENT_DELIVERY
        }
        What::Request(request) => {
            seen.token = request.token;
            fill_message(seen, &request.message);
            TELPHER_EVENT_REQUEST
        }
        What::Withdrawn { request } => {
            seen.token = *request;
            TELPHER_EVENT_WITHDRAWN
        }
        What::Notice(notice) => {
            fill_notice(seen, notice, extra);
            TELPHER_EVENT_NOTICE
        }
        What::Ready => TELPHER_EVENT_READY,
        What::Published(published) => {
            seen.topic = extra.topic(&published.topic);
            seen.number = published.number;
            seen.token = published.asked.map_or(0, |asked| asked.token);
            fill_message(seen, &published.message);
            TELPHER_EVENT_PUBLISHED
        }
        arrival => fill_arrival(seen, arrival, extra),
    };
}

/// The same for what comes of topics, gathers and streams; returns the event's kind.
fn fill_arrival(seen: &mut telpher_event, what: &What, extra: &mut Extra) -> u32 {
    match what {
        What::Gap { first, last } => {
            seen.number = *first;
            seen.count = last - first + 1;
            TELPHER_EVENT_GAP
        }
        What::Record(record) => {
            (seen.partition, seen.offset) = (record.partition, record.offset);
            (seen.time_ms, seen.generation) = (record.time_ms, record.generation);
            fill_message(seen, &record.message);
            TELPHER_EVENT_RECORD
        }
        What::Skipped { partition, first, last } => {
            seen.partition = *partition;
            (seen.offset, seen.offset_last) = (*first, *last);
            TELPHER_EVENT_SKIPPED
        }
        What::Answer(answer) => {
            seen.instance = answer.instance;
            seen.instance_name = extra.name(answer.instance_name.as_ref());
            match &answer.reply {
                Ok(message) => fill_message(seen, message),
                Err(error) => fill_error(seen, error, extra),
            }
            TELPHER_EVENT_ANSWER
        }
        other => unreachable!("{other:?} has been filled in by its caller"),
    }
}

fn fill_outcome(seen: &mut telpher_event, outcome: &Outcome, extra: &mut Extra) {
    match outcome {
        Outcome::Empty => {}
        Outcome::Opened(info) => {
            extra.hubs.push(Box::new(hub_info(info)));
            seen.hub_info = extra.hubs.last().map_or(ptr::null(), |info| &raw const **info);
        }
        Outcome::Reply(message) => fill_message(seen, message),
        Outcome::Receipt(receipt) => {
            seen.message_id = receipt.message_id;
            seen.durability = durability(receipt.durability);
        }
        Outcome::Delivery(delivery) => fill_delivery(seen, delivery),
        Outcome::Count(count) => seen.count = *count,
        Outcome::Queue(info) => {
            let info = queue_info(info, extra);
            extra.queues.push(Box::new(info));
            seen.queue_info = extra.queues.last().map_or(ptr::null(), |info| &raw const **info);
        }
        Outcome::Receipts(receipts) if receipts.is_empty() => {}
        Outcome::Receipts(receipts) => {
            let receipts: Vec<telpher_receipt> = receipts.iter().map(receipt).collect();
            (seen.receipts, seen.receipts_count) = (receipts.as_ptr(), receipts.len());
            extra.receipts.push(receipts);
        }
        Outcome::Appended(appended) => {
            (seen.partition, seen.offset) = (appended.partition, appended.offset);
            seen.durability = durability(appended.durability);
        }
        Outcome::Stream(info) => seen.stream_info = extra.stream(None, info),
        Outcome::Streams(streams) => {
            (seen.streams, seen.streams_count) = (extra.stream_list(streams), streams.len());
        }
        Outcome::Gathered(gathered) => fill_gathered(seen, gathered, extra),
        Outcome::Topic(info) => seen.topic_info = extra.topics(vec![topic_info(ptr::null(), info)]),
        Outcome::Topics(topics) if topics.is_empty() => {}
        Outcome::Topics(topics) => {
            let info = |(of, info): &(Pattern, _)| topic_info(extra.text(of.as_str()), info);
            let topics: Vec<_> = topics.iter().map(info).collect();
            seen.topics_count = topics.len();
            seen.topics = extra.topics(topics);
        }
        Outcome::Groups(groups) => {
            (seen.groups, seen.groups_count) = (extra.group_list(groups), groups.len());
        }
        // No function of this interface asks for these.
        Outcome::Peeked(_) | Outcome::Queues(_) => {}
    }
}

fn fill_gathered(seen: &mut telpher_event, gathered: &Gathered, extra: &mut Extra) {
    (seen.answered, seen.failed) = (gathered.answered, gathered.failed);
    let one = |one: &Missing| telpher_missing {
        instance: one.instance,
        instance_name: extra.name(one.instance_name.as_ref()),
        detail: extra.text(one.error.detail()),
        status: one.error.kind() as telpher_status,
        maybe_executed: one.error.maybe_executed(),
    };
    let missing: Vec<telpher_missing> = gathered.missing.iter().map(one).collect();
    if !missing.is_empty() {
        (seen.missing, seen.missing_count) = (missing.as_ptr(), missing.len());
        extra.missing.push(missing);
    }
}

fn fill_error(seen: &mut telpher_event, error: &Error, extra: &mut Extra) {
    seen.status = error.kind() as telpher_status;
    seen.code = error.code();
    seen.maybe_executed = error.maybe_executed();
    seen.detail = extra.text(error.detail());
}

fn fill_delivery(seen: &mut telpher_event, delivery: &Delivery) {
    seen.token = delivery.token;
    seen.message_id = delivery.message_id;
    seen.failures = delivery.failures;
    seen.redelivered = delivery.redelivered;
    fill_message(seen, &delivery.message);
}

fn fill_message(seen: &mut telpher_event, message: &Message) {
    seen.body = pointer(&message.body);
    seen.body_size = message.body.len();
    let Some(properties) = &message.properties else { return };
    seen.key = pointer(&properties.key);
    seen.key_size = properties.key.len();
    if !properties.headers.is_empty() {
        seen.headers = (&raw const properties.headers).cast();
    }
    seen.timestamp_ms = properties.timestamp_ms;
    seen.priority = properties.priority.into();
    if let Some(trace) = properties.trace {
        let (trace_id, span_id, flags) = (trace.trace_id, trace.span_id, trace.flags);
        seen.trace = telpher_trace { trace_id, span_id, flags };
    }
}

fn fill_notice(seen: &mut telpher_event, notice: &Notice, extra: &mut Extra) {
    seen.notice = match notice {
        Notice::Disconnected { reason } => {
            seen.detail = extra.text(reason);
            TELPHER_NOTICE_DISCONNECTED
        }
        Notice::Resumed => TELPHER_NOTICE_RESUMED,
        Notice::HubChanged { epoch, memory_lost } => {
            seen.epoch = *epoch;
            seen.memory_lost = *memory_lost;
            TELPHER_NOTICE_HUB_CHANGED
        }
    };
}

/// Bytes as C sees them: NULL if there are none.
fn pointer(bytes: &[u8]) -> *const c_void {
    if bytes.is_empty() { ptr::null() } else { bytes.as_ptr().cast() }
}

pub fn durability(durability: Durability) -> u32 {
    match durability {
        Durability::Memory => TELPHER_DURABILITY_MEMORY,
        Durability::Os => TELPHER_DURABILITY_OS,
        Durability::Disk => TELPHER_DURABILITY_DISK,
    }
}

fn receipt(receipt: &Receipt) -> telpher_receipt {
    let message_id = receipt.message_id;
    telpher_receipt { message_id, durability: durability(receipt.durability) }
}

fn hub_info(info: &HubInfo) -> telpher_hub_info {
    telpher_hub_info {
        hub_id: info.hub_id,
        epoch: info.epoch,
        session_id: info.session_id,
        memory_only: info.memory_only,
    }
}

fn topic_info(pattern: *const std::ffi::c_char, info: &TopicInfo) -> telpher_topic_info {
    let overflow = match info.overflow {
        TopicOverflow::Drop => TELPHER_TOPIC_OVERFLOW_DROP,
        TopicOverflow::Wait => TELPHER_TOPIC_OVERFLOW_WAIT,
    };
    telpher_topic_info { pattern, waiting: info.waiting, overflow, line_max: info.line_max }
}

fn queue_info(info: &QueueInfo, extra: &mut Extra) -> telpher_queue_info {
    let dead_letter = info.dead_letter.as_ref().map(|name| extra.text(name.as_str()));
    let bindings = extra.bindings(&info.bindings);
    telpher_queue_info {
        ready: info.ready,
        held: info.held,
        bytes: info.bytes,
        sends_waiting: info.sends_waiting,
        consumers: info.consumers,
        sent: info.sent,
        acknowledged: info.acknowledged,
        rejected: info.rejected,
        requeued: info.requeued,
        length_max: info.length_max,
        bytes_max: info.bytes_max,
        overflow: match info.overflow {
            Overflow::Wait => TELPHER_OVERFLOW_WAIT,
            Overflow::Reject => TELPHER_OVERFLOW_REJECT,
        },
        durability: durability(info.durability),
        delayed: info.delayed,
        damaged: info.damaged,
        dead_lettered: info.dead_lettered,
        backoff_min_ms: info.backoff_min_ms,
        backoff_max_ms: info.backoff_max_ms,
        ack_deadline_ms: info.ack_deadline_ms,
        ttl_ms: info.ttl_ms,
        dead_letter: dead_letter.unwrap_or(ptr::null()),
        max_attempts: info.max_attempts,
        bindings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telpher::Published;

    fn filled(event: &Event, extra: &mut Extra) -> telpher_event {
        // SAFETY: made of integers, pointers and false.
        let mut seen = unsafe { std::mem::zeroed() };
        fill(&mut seen, event, extra);
        seen
    }

    fn done(outcome: Outcome) -> Event {
        Event { id: 1, user: 0, what: What::Done(Ok(outcome)) }
    }

    #[test]
    fn receipts_come_in_their_order_and_stay_where_they_are_while_other_events_are_filled() {
        let mut extra = Extra::default();
        let receipt = |message_id| Receipt { message_id, durability: Durability::Disk };
        let batches: Vec<Event> = (0..20)
            .map(|at| done(Outcome::Receipts(vec![receipt(at), receipt(at + 100)])))
            .collect();
        let seen: Vec<_> = batches.iter().map(|event| filled(event, &mut extra)).collect();
        for (at, event) in seen.iter().enumerate() {
            assert_eq!(event.receipts_count, 2);
            // SAFETY: `extra` holds them, and there are two.
            let receipts = unsafe { std::slice::from_raw_parts(event.receipts, 2) };
            assert_eq!(receipts[0].message_id, at as u64);
            assert_eq!(receipts[1].message_id, at as u64 + 100);
            assert_eq!(receipts[1].durability, TELPHER_DURABILITY_DISK);
        }
        let none = filled(&done(Outcome::Receipts(Vec::new())), &mut extra);
        assert!(none.receipts.is_null() && none.receipts_count == 0);
    }

    #[test]
    fn each_published_message_has_its_topic() {
        let mut extra = Extra::default();
        let (news, other) = (Name::parse("news").unwrap(), Name::parse("news").unwrap());
        let events = [news.clone(), news, Name::parse("more").unwrap(), other].map(|topic| {
            let published = Published { topic, number: 1, message: Message::new(""), asked: None };
            Event { id: 1, user: 0, what: What::Published(published) }
        });
        let seen: Vec<_> = events.iter().map(|event| filled(event, &mut extra)).collect();
        // SAFETY: `extra` holds them.
        let topic = |at: usize| unsafe { std::ffi::CStr::from_ptr(seen[at].topic) };
        assert_eq!([0, 1, 2, 3].map(topic), [c"news", c"news", c"more", c"news"]);
        assert_eq!(seen[0].topic, seen[1].topic);
    }
}
