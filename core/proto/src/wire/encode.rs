//! Frames to bytes.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::MESSAGE_FIXED_SIZE;
use super::frame::{Batch, BatchPart, Change, Frame, FrameKind, NameRef, Published};
use super::{Clock, HEADER_SIZE, Outbox};
use crate::base::message::cut;
use crate::base::{Delivery, Error, Message, Name, Receipt, Reply, Time, limits};

/// Flags of single frames; every other bit is zero.
pub(super) mod flag {
    pub const HELD_LAST: u8 = 1;
    pub const HELD_KIND_SHIFT: u8 = 1;
    pub const WELCOME_RESUMED: u8 = 1;
    pub const WELCOME_CLOCK_SHARED: u8 = 2;
    pub const WELCOME_MEMORY_ONLY: u8 = 4;
    pub const WELCOME_MEMORY_LOST: u8 = 8;
    pub const FAILED_MAYBE_EXECUTED: u8 = 1;
    pub const FAILED_COUNTED: u8 = 2;
    pub const DELIVERY_REDELIVERED: u8 = 1;
    pub const GATHER_TOPIC: u8 = 1;
    pub const PUBLISHED_ASKED: u8 = 1;
    pub const MESSAGE_TRACE: u8 = 1;
    pub const CHANGE_AGAIN: u8 = 1;
}

impl Outbox {
    /// Appends a `Call` frame, without taking the message.
    pub fn push_call(
        &mut self,
        (ticket, name): (u64, NameRef),
        deadline: Option<Time>,
        message: &Message,
        clock: Clock,
    ) {
        let mut writer = Writer { out: &mut self.buffer, clock };
        writer.named(FrameKind::Call, ticket, name, |w| w.message(message, deadline));
    }

    /// Appends a `Send` frame, without taking the message.
    pub fn push_send(
        &mut self,
        (ticket, change, name): (u64, &Change, NameRef),
        deadline: Option<Time>,
        message: &Message,
        clock: Clock,
    ) {
        let mut writer = Writer { out: &mut self.buffer, clock };
        writer.changed(FrameKind::Send, ticket, change, |w| {
            w.name(name);
            w.message(message, deadline);
        });
    }

    /// Appends a `Publish` frame, without taking the message. An earlier host may have published
    /// it, `again`.
    pub fn push_publish(
        &mut self,
        (ticket, change, topic): (u64, &Change, &Name),
        (deadline, again): (Option<Time>, bool),
        message: &Message,
        clock: Clock,
    ) {
        let mut writer = Writer { out: &mut self.buffer, clock };
        writer.publish((ticket, change, topic), (deadline, again), message);
    }

    /// Appends an `Answer` frame, without taking the reply.
    pub fn push_answer(&mut self, ticket: u64, request: u64, reply: &Reply, clock: Clock) {
        let mut writer = Writer { out: &mut self.buffer, clock };
        writer.frame(FrameKind::Answer, 0, ticket, |w| {
            w.out.put_u64_le(request);
            w.answer(reply);
        });
    }

    /// Appends a frame.
    pub fn push(&mut self, frame: &Frame, clock: Clock) {
        match frame {
            Frame::Call { ticket, name, deadline, message } => {
                return self.push_call((*ticket, *name), *deadline, message, clock);
            }
            Frame::Send { ticket, change, name, deadline, message } => {
                return self.push_send((*ticket, change, *name), *deadline, message, clock);
            }
            Frame::Answer { ticket, request, reply } => {
                return self.push_answer(*ticket, *request, reply, clock);
            }
            Frame::Confirmed(confirmed) => return self.push_confirmed(*confirmed),
            Frame::Published(Published { topic, message, deadline, to }) => {
                let what = (topic.as_ref(), message, *deadline);
                let each = (0..to.len()).map(|at| to.get(at));
                return self.push_published(what, each, clock);
            }
            _ => {}
        }
        let mut writer = Writer { out: &mut self.buffer, clock };
        match frame {
            Frame::Hello(hello) => writer.hello(hello),
            Frame::Welcome(welcome) => writer.welcome(welcome),
            Frame::Open { name_ref, name } => writer.frame(FrameKind::Open, 0, 0, |w| {
                w.out.put_u32_le(name_ref.number);
                w.out.put_u32_le(u32::from(name_ref.generation));
                w.out.put_slice(name.as_str().as_bytes());
            }),
            Frame::Held { last, what, tokens } => {
                let flags = u8::from(*last) | (*what as u8) << flag::HELD_KIND_SHIFT;
                writer.frame(FrameKind::Held, flags, 0, |w| {
                    tokens.iter().for_each(|token| w.out.put_u64_le(*token));
                });
            }
            Frame::Goodbye => writer.bare(FrameKind::Goodbye, 0),
            Frame::Cancel { ticket } => writer.bare(FrameKind::Cancel, *ticket),
            Frame::Stop { id } => writer.bare(FrameKind::Stop, *id),
            Frame::Received { count } => writer.bare(FrameKind::Received, *count),
            Frame::Done { ticket } => writer.bare(FrameKind::Done, *ticket),
            Frame::Withdraw { request } => writer.bare(FrameKind::Withdraw, *request),
            Frame::Answered { count } => writer.bare(FrameKind::Answered, *count),
            Frame::Started { id } => writer.bare(FrameKind::Started, *id),
            other => writer.operation(other),
        }
    }
}

/// A frame's header, without its size.
fn header(kind: FrameKind, flags: u8, id: u64) -> [u8; HEADER_SIZE] {
    let mut header = [0; HEADER_SIZE];
    header[4..6].copy_from_slice(&[kind as u8, flags]);
    header[8..].copy_from_slice(&id.to_le_bytes());
    header
}

pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) clock: Clock,
}

impl Writer<'_> {
    pub(super) fn frame(
        &mut self,
        kind: FrameKind,
        flags: u8,
        id: u64,
        body: impl FnOnce(&mut Self),
    ) {
        self.begun(&header(kind, flags, id), body);
    }

    /// A frame whose first bytes are these; its size is put in.
    fn begun(&mut self, first: &[u8], body: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        self.out.put_slice(first);
        body(self);
        let size = (self.out.len() - start) as u32;
        self.out[start..start + 4].copy_from_slice(&size.to_le_bytes());
    }

    fn bare(&mut self, kind: FrameKind, id: u64) {
        self.frame(kind, 0, id, |_| ());
    }

    pub(super) fn named(
        &mut self,
        kind: FrameKind,
        id: u64,
        name: NameRef,
        body: impl FnOnce(&mut Self),
    ) {
        self.frame(kind, 0, id, |w| {
            w.name(name);
            body(w);
        });
    }

    pub(super) fn changed(
        &mut self,
        kind: FrameKind,
        id: u64,
        change: &Change,
        body: impl FnOnce(&mut Self),
    ) {
        self.flagged(kind, false, (id, change), body);
    }

    /// A change that may have been made by another host before, `again`.
    pub(super) fn flagged(
        &mut self,
        kind: FrameKind,
        again: bool,
        (id, change): (u64, &Change),
        body: impl FnOnce(&mut Self),
    ) {
        let mut first = [0; HEADER_SIZE + 24];
        let flags = if again { flag::CHANGE_AGAIN } else { 0 };
        first[..HEADER_SIZE].copy_from_slice(&header(kind, flags, id));
        let fields = [change.producer, change.sequence, change.oldest];
        for (bytes, field) in first[HEADER_SIZE..].chunks_exact_mut(8).zip(fields) {
            bytes.copy_from_slice(&field.to_le_bytes());
        }
        self.begun(&first, body);
    }

    fn operation(&mut self, frame: &Frame) {
        match frame {
            Frame::Serve { id, name, concurrency, line_max, instance_name } => {
                self.named(FrameKind::Serve, *id, *name, |w| {
                    w.out.put_u32_le(*concurrency);
                    w.out.put_u32_le(*line_max);
                    w.short_name(instance_name.as_ref());
                });
            }
            Frame::Receive { ticket, name, deadline } => {
                let deadline = self.clock.encode(*deadline);
                self.named(FrameKind::Receive, *ticket, *name, |w| w.out.put_u64_le(deadline));
            }
            Frame::Consume { id, name, prefetch, ack_deadline_ms } => {
                self.named(FrameKind::Consume, *id, *name, |w| {
                    w.out.put_u32_le(*prefetch);
                    w.out.put_u32_le(*ack_deadline_ms);
                });
            }
            Frame::Credit { id, prefetch } => self.frame(FrameKind::Credit, 0, *id, |w| {
                w.out.put_u32_le(*prefetch);
                w.out.put_u32_le(0);
            }),
            Frame::Inspect { ticket, name } => {
                self.named(FrameKind::Inspect, *ticket, *name, |_| ());
            }
            Frame::Peek { ticket, name, count } => {
                self.named(FrameKind::Peek, *ticket, *name, |w| {
                    w.out.put_u32_le(*count);
                    w.out.put_u32_le(0);
                });
            }
            Frame::List { ticket, after } => {
                self.frame(FrameKind::List, 0, *ticket, |w| w.short_name(after.as_ref()));
            }
            Frame::Extend { ticket, delivery, ms } => {
                self.frame(FrameKind::Extend, 0, *ticket, |w| {
                    w.out.put_u64_le(*delivery);
                    w.out.put_u64_le(*ms);
                });
            }
            Frame::Publish { .. }
            | Frame::Subscribe { .. }
            | Frame::Taken { .. }
            | Frame::Bind { .. }
            | Frame::Unbind { .. }
            | Frame::DeclareTopic { .. }
            | Frame::DeleteTopic { .. }
            | Frame::InspectTopic { .. }
            | Frame::ListTopics { .. } => self.topics(frame),
            Frame::Gather { .. } => self.gathers(frame),
            other => self.change(other),
        }
    }

    fn change(&mut self, frame: &Frame) {
        match frame {
            Frame::Settle { ticket, change, delivery, verdict, reason } => {
                self.changed(FrameKind::Settle, *ticket, change, |w| {
                    w.out.put_u64_le(*delivery);
                    w.verdict(*verdict, reason);
                });
            }
            Frame::Batch { ticket, change, batch: Batch { deadline, again, parts } } => {
                let deadline = self.clock.encode(*deadline);
                self.flagged(FrameKind::Batch, *again, (*ticket, change), |w| {
                    w.out.put_u64_le(deadline);
                    w.out.put_u64_le(parts.len() as u64);
                    parts.iter().for_each(|part| w.part(part));
                });
            }
            Frame::Declare { ticket, change, name, options } => {
                self.changed(FrameKind::Declare, *ticket, change, |w| {
                    w.name(*name);
                    w.declared(options);
                });
            }
            Frame::Delete { ticket, change, name } => {
                self.changed(FrameKind::Delete, *ticket, change, |w| w.name(*name));
            }
            Frame::Purge { ticket, change, name } => {
                self.changed(FrameKind::Purge, *ticket, change, |w| w.name(*name));
            }
            other => self.outcome(other),
        }
    }

    fn outcome(&mut self, frame: &Frame) {
        match frame {
            Frame::Bye { error } => self.failed(FrameKind::Bye, 0, false, error),
            Frame::Failed { id, counted, error } => {
                self.failed(FrameKind::Failed, *id, *counted, error);
            }
            Frame::Reply { ticket, message } => {
                self.frame(FrameKind::Reply, 0, *ticket, |w| w.message(message, None));
            }
            Frame::Receipts { ticket, receipts } => {
                self.frame(FrameKind::Receipts, 0, *ticket, |w| {
                    w.out.put_u64_le(receipts.len() as u64);
                    receipts.iter().for_each(|receipt| w.receipt(receipt));
                });
            }
            Frame::Count { ticket, count } => {
                self.frame(FrameKind::Count, 0, *ticket, |w| w.out.put_u64_le(*count));
            }
            Frame::Queue { ticket, info } => {
                self.frame(FrameKind::Queue, 0, *ticket, |w| w.queue(info));
            }
            Frame::Queues { ticket, queues } => self.queues(*ticket, queues),
            Frame::Peeked { ticket, messages } => self.peeked(*ticket, messages),
            Frame::Request { id, request } => self.frame(FrameKind::Request, 0, *id, |w| {
                w.out.put_u64_le(request.token);
                w.message(&request.message, request.deadline);
            }),
            Frame::Delivery { id, delivery } => self.delivery(*id, delivery),
            Frame::Collected { .. } | Frame::Gathered { .. } => self.gathers(frame),
            Frame::Topic { .. } | Frame::Topics { .. } => self.topics(frame),
            of_stream => self.streams(of_stream),
        }
    }

    pub(super) fn name(&mut self, name: NameRef) {
        self.out.put_u32_le(name.number);
        self.out.put_u32_le(u32::from(name.generation));
    }

    pub(super) fn message(&mut self, message: &Message, deadline: Option<Time>) {
        let deadline = self.clock.encode(deadline);
        let Some(properties) = &message.properties else {
            let mut fixed = [0; MESSAGE_FIXED_SIZE];
            fixed[..8].copy_from_slice(&deadline.to_le_bytes());
            fixed[16..20].copy_from_slice(&(message.body.len() as u32).to_le_bytes());
            self.out.put_slice(&fixed);
            self.out.put_slice(&message.body);
            return;
        };
        self.out.put_u64_le(deadline);
        let headers = properties.headers.encoded();
        self.out.put_u64_le(properties.timestamp_ms);
        self.out.put_u32_le(message.body.len() as u32);
        self.out.put_u32_le(headers.len() as u32);
        self.out.put_u16_le(properties.key.len() as u16);
        self.out.put_u8(properties.priority);
        self.out.put_u8(if properties.trace.is_some() { flag::MESSAGE_TRACE } else { 0 });
        self.out.put_u32_le(0);
        if let Some(trace) = &properties.trace {
            self.out.put_slice(&trace.trace_id);
            self.out.put_slice(&trace.span_id);
            self.out.put_u64_le(u64::from(trace.flags));
        }
        self.out.put_slice(&properties.key);
        self.out.put_slice(headers);
        self.out.put_slice(&message.body);
    }

    pub(super) fn answer(&mut self, reply: &Reply) {
        match reply {
            Ok(message) => {
                self.out.put_u64_le(0);
                self.message(message, None);
            }
            Err(error) => {
                self.out.put_u32_le(error.kind() as u32);
                self.out.put_i32_le(error.code());
                self.text(error.detail());
            }
        }
    }

    fn failed(&mut self, kind: FrameKind, id: u64, counted: bool, error: &Error) {
        let flags = if error.maybe_executed() { flag::FAILED_MAYBE_EXECUTED } else { 0 }
            | if counted { flag::FAILED_COUNTED } else { 0 };
        self.frame(kind, flags, id, |w| {
            w.out.put_u32_le(error.kind() as u32);
            w.out.put_i32_le(error.code());
            w.text(error.detail());
        });
    }

    fn text(&mut self, text: &str) {
        self.out.put_slice(cut(text, limits::DETAIL_SIZE_MAX).as_bytes());
    }

    fn delivery(&mut self, id: u64, delivery: &Delivery) {
        let flags = if delivery.redelivered { flag::DELIVERY_REDELIVERED } else { 0 };
        self.frame(FrameKind::Delivery, flags, id, |w| {
            w.out.put_u64_le(delivery.token);
            w.out.put_u64_le(delivery.message_id);
            w.out.put_u32_le(delivery.failures);
            w.out.put_u32_le(0);
            w.message(&delivery.message, None);
        });
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.out.put_u64_le(receipt.message_id);
        self.out.put_u64_le(receipt.durability as u64);
    }

    fn verdict(&mut self, verdict: crate::base::Verdict, reason: &str) {
        self.out.put_slice(&[verdict as u8, 0]);
        self.out.put_u16_le(reason.len() as u16);
        self.out.put_u32_le(0);
        self.out.put_slice(reason.as_bytes());
    }

    fn part(&mut self, part: &BatchPart) {
        match part {
            BatchPart::Send { name, message } => {
                self.out.put_u64_le(1);
                self.name(*name);
                self.message(message, None);
            }
            BatchPart::Settle { delivery, verdict, reason } => {
                self.out.put_u64_le(2);
                self.out.put_u64_le(*delivery);
                self.verdict(*verdict, reason);
            }
            BatchPart::Append { name, message, partition, expect } => {
                self.out.put_u64_le(4);
                self.name(*name);
                self.partition(*partition);
                self.out.put_u64_le(expect.unwrap_or(0));
                self.out.put_u64_le(expect.is_some().into());
                self.message(message, None);
            }
            BatchPart::Commit(committing) => {
                self.out.put_u64_le(5);
                self.committing(committing);
            }
            BatchPart::Publish { topic, message } => {
                self.out.put_u64_le(3);
                self.short_name(Some(topic));
                self.message(message, None);
            }
        }
    }
}
