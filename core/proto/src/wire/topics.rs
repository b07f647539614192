//! Frames of topics, as bytes and back.
//!
//! Floor: imports `base`.

use bytes::{BufMut, Bytes, BytesMut};

use super::decode::{Decoded, Reader, u64_at};
use super::encode::{Writer, flag};
use super::frame::{Binding, Change, Frame, FrameKind, Published, Publishing, TargetKind};
use super::{Clock, Outbox};
use crate::base::{Message, Name, Pattern, Time, Untaken, limits};
use crate::base::{Subscribing, TopicInfo, TopicOptions, TopicOverflow};

const OVERFLOWS: [(u8, TopicOverflow); 2] = [(0, TopicOverflow::Drop), (1, TopicOverflow::Wait)];

impl Writer<'_> {
    pub(super) fn topics(&mut self, frame: &Frame) {
        match frame {
            Frame::Publish { ticket, change, publishing } => {
                let Publishing { topic, deadline, message, again } = publishing;
                self.publish((*ticket, change, topic), (*deadline, *again), message);
            }
            Frame::Bind { ticket, change, binding } => {
                self.binding(FrameKind::Bind, (*ticket, change), binding);
            }
            Frame::Unbind { ticket, change, binding } => {
                self.binding(FrameKind::Unbind, (*ticket, change), binding);
            }
            Frame::Subscribe { id, subscribing } => {
                self.frame(FrameKind::Subscribe, 0, *id, |w| w.subscribing(subscribing));
            }
            Frame::Taken { id, taken } => self.frame(FrameKind::Taken, 0, *id, |w| {
                w.out.put_u32_le(taken.count);
                w.out.put_u32_le(0);
                w.out.put_u64_le(taken.bytes);
            }),
            declared => self.declared_topics(declared),
        }
    }

    fn subscribing(&mut self, subscribing: &Subscribing) {
        let Subscribing { pattern, buffer, held, received, instance_name } = subscribing;
        self.out.put_u32_le(*buffer);
        self.out.put_u32_le(held.count);
        self.out.put_u64_le(held.bytes);
        self.out.put_u64_le(*received);
        self.short_name(instance_name.as_ref());
        self.out.put_slice(pattern.as_str().as_bytes());
    }

    fn declared_topics(&mut self, frame: &Frame) {
        match frame {
            Frame::DeclareTopic { ticket, change, pattern, options } => {
                self.changed(FrameKind::DeclareTopic, *ticket, change, |w| {
                    w.topic_options(*options);
                    w.out.put_slice(pattern.as_str().as_bytes());
                });
            }
            Frame::DeleteTopic { ticket, change, pattern } => {
                self.changed(FrameKind::DeleteTopic, *ticket, change, |w| {
                    w.out.put_slice(pattern.as_str().as_bytes());
                });
            }
            Frame::InspectTopic { ticket, pattern } => {
                self.frame(FrameKind::InspectTopic, 0, *ticket, |w| {
                    w.out.put_slice(pattern.as_str().as_bytes());
                });
            }
            Frame::ListTopics { ticket, after } => {
                self.frame(FrameKind::ListTopics, 0, *ticket, |w| {
                    w.short_text(after.as_ref().map_or("", Pattern::as_str));
                });
            }
            Frame::Topic { ticket, info } => {
                self.frame(FrameKind::Topic, 0, *ticket, |w| w.topic_info(info));
            }
            Frame::Topics { ticket, topics } => self.frame(FrameKind::Topics, 0, *ticket, |w| {
                w.out.put_u64_le(topics.len() as u64);
                for (pattern, info) in topics {
                    w.short_text(pattern.as_str());
                    w.topic_info(info);
                }
            }),
            other => unreachable!("{other:?} is not about topics"),
        }
    }

    fn topic_options(&mut self, options: TopicOptions) {
        self.out.put_u32_le(options.line_max);
        self.out.put_u8(options.overflow as u8);
        self.out.put_slice(&[0; 3]);
    }

    fn topic_info(&mut self, info: &TopicInfo) {
        let (overflow, line_max) = (info.overflow, info.line_max);
        self.topic_options(TopicOptions { overflow, line_max });
        self.out.put_u64_le(info.waiting);
    }

    pub(super) fn publish(
        &mut self,
        (ticket, change, topic): (u64, &Change, &Name),
        (deadline, again): (Option<Time>, bool),
        message: &Message,
    ) {
        self.flagged(FrameKind::Publish, again, (ticket, change), |w| {
            w.short_name(Some(topic));
            w.message(message, deadline);
        });
    }

    fn binding(&mut self, kind: FrameKind, change: (u64, &Change), binding: &Binding) {
        self.flagged(kind, false, change, |w| {
            w.out.put_u64_le(binding.kind as u64);
            w.name(binding.name);
            w.out.put_slice(binding.pattern.as_str().as_bytes());
        });
    }

    fn published(
        &mut self,
        (topic, message, deadline): (Option<&Name>, &Message, Option<Time>),
        to: impl ExactSizeIterator<Item = Recipient>,
        is_asked: bool,
    ) {
        let flags = if is_asked { flag::PUBLISHED_ASKED } else { 0 };
        self.frame(FrameKind::Published, flags, to.len() as u64, |w| {
            w.short_name(topic);
            w.message(message, deadline);
            for Recipient { id, number, token } in to {
                w.out.put_u64_le(id);
                w.out.put_u64_le(number);
                if is_asked {
                    w.out.put_u64_le(token.unwrap_or(0));
                }
            }
        });
    }
}

/// One subscriber that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The program's number for the subscriber.
    pub id: u64,
    /// The message's, among those of the subscriber.
    pub number: u64,
    /// Names the request, if answers are gathered.
    pub token: Option<u64>,
}

/// Those that a message is for. Answers of all are gathered, or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Only one, as most often.
    One(Recipient),
    /// Several, as they lie in the frame; each has a token, or none has.
    Several {
        /// Those that lie there.
        bytes: Bytes,
        /// Each has a token.
        is_asked: bool,
    },
}

impl Recipients {
    /// These.
    pub fn new(to: &[Recipient]) -> Recipients {
        if let [one] = to {
            return Recipients::One(*one);
        }
        let is_asked = to.first().is_some_and(|first| first.token.is_some());
        let mut bytes = BytesMut::new();
        for Recipient { id, number, token } in to {
            bytes.put_u64_le(*id);
            bytes.put_u64_le(*number);
            token.iter().for_each(|token| bytes.put_u64_le(*token));
        }
        Recipients::Several { bytes: bytes.freeze(), is_asked }
    }

    /// How many.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        match self {
            Recipients::One(_) => 1,
            Recipients::Several { bytes, is_asked } => bytes.len() / recipient_size(*is_asked),
        }
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Recipient {
        match self {
            Recipients::One(one) => *one,
            Recipients::Several { bytes, is_asked } => {
                let at = at * recipient_size(*is_asked);
                Recipient {
                    id: u64_at(bytes, at),
                    number: u64_at(bytes, at + 8),
                    token: is_asked.then(|| u64_at(bytes, at + 16)),
                }
            }
        }
    }
}

fn recipient_size(is_asked: bool) -> usize {
    if is_asked { 24 } else { 16 }
}

impl Outbox {
    /// Appends a `Published` frame, without taking the message. Answers of all are gathered, until
    /// the `deadline`, or of none.
    pub fn push_published(
        &mut self,
        (topic, message, deadline): (Option<&Name>, &Message, Option<Time>),
        to: impl ExactSizeIterator<Item = Recipient> + Clone,
        clock: Clock,
    ) {
        let is_asked = to.clone().next().is_some_and(|first| first.token.is_some());
        let mut writer = Writer { out: &mut self.buffer, clock };
        writer.published((topic, message, deadline), to, is_asked);
    }
}

impl Reader<'_> {
    pub(super) fn topics(&mut self, id: u64) -> Decoded<Frame> {
        Ok(match self.kind {
            FrameKind::Subscribe => {
                let (buffer, count, bytes) = (self.u32()?, self.u32()?, self.u64()?);
                let (held, received) = (Untaken { count, bytes }, self.u64()?);
                let (instance_name, pattern) = (self.short_name()?, self.pattern()?);
                let subscribing = Subscribing { pattern, buffer, held, received, instance_name };
                Frame::Subscribe { id, subscribing }
            }
            FrameKind::InspectTopic => Frame::InspectTopic { ticket: id, pattern: self.pattern()? },
            FrameKind::ListTopics => Frame::ListTopics { ticket: id, after: self.short_pattern()? },
            FrameKind::Topic => Frame::Topic { ticket: id, info: self.topic_info()? },
            FrameKind::Topics => {
                let count = self.count(limits::LIST_MAX as u64)?;
                let entry = |reader: &mut Self| match reader.short_pattern()? {
                    Some(pattern) => Ok((pattern, reader.topic_info()?)),
                    None => reader.fail("lists topics without a pattern"),
                };
                let topics = (0..count).map(|_| entry(self)).collect::<Decoded<_>>()?;
                Frame::Topics { ticket: id, topics }
            }
            _ => {
                let (count, bytes) = (self.padded_u32()?, self.u64()?);
                Frame::Taken { id, taken: Untaken { count, bytes } }
            }
        })
    }

    pub(super) fn topic_change(&mut self, ticket: u64, change: Change) -> Decoded<Frame> {
        Ok(match self.kind {
            FrameKind::Bind => Frame::Bind { ticket, change, binding: self.binding()? },
            FrameKind::Unbind => Frame::Unbind { ticket, change, binding: self.binding()? },
            FrameKind::DeclareTopic => {
                let options = self.topic_options()?;
                Frame::DeclareTopic { ticket, change, pattern: self.pattern()?, options }
            }
            _ => Frame::DeleteTopic { ticket, change, pattern: self.pattern()? },
        })
    }

    fn topic_options(&mut self) -> Decoded<TopicOptions> {
        let line_max = self.u32()?;
        let overflow = self.choice(&OVERFLOWS, "overflow")?;
        self.zero(3)?;
        Ok(TopicOptions { overflow, line_max })
    }

    fn topic_info(&mut self) -> Decoded<TopicInfo> {
        let TopicOptions { overflow, line_max } = self.topic_options()?;
        Ok(TopicInfo { overflow, line_max, waiting: self.u64()? })
    }

    /// A pattern behind its size; a size of 0 is none.
    fn short_pattern(&mut self) -> Decoded<Option<Pattern>> {
        let size = usize::from(self.u8()?);
        if size == 0 {
            return Ok(None);
        }
        let text = self.sized_text(size, limits::NAME_SIZE_MAX)?;
        let pattern = Pattern::parse(&text).map(Some);
        pattern.map_err(|error| super::Malformed::new(error.detail().to_owned()))
    }

    pub(super) fn publishing(&mut self, again: bool) -> Decoded<Publishing> {
        let topic = self.topic()?;
        let (message, deadline) = self.message()?;
        Ok(Publishing { topic, deadline, message, again })
    }

    fn binding(&mut self) -> Decoded<Binding> {
        let kind = match self.u64()? {
            1 => TargetKind::Queue,
            2 => TargetKind::Stream,
            kind => return self.fail(&format!("binds to kind {kind}, which does not exist")),
        };
        Ok(Binding { kind, name: self.name_ref()?, pattern: self.pattern()? })
    }

    pub(super) fn published(&mut self, flags: u8, count: u64) -> Decoded<Frame> {
        let topic = self.short_name()?;
        let (message, deadline) = self.message()?;
        let is_asked = flags & flag::PUBLISHED_ASKED != 0;
        let (most, size) = (limits::REGISTRATIONS_PER_SESSION_MAX, recipient_size(is_asked));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if !(1..=most).contains(&count) {
            return self.fail(&format!("is for {count} subscribers; 1 to {most} may be"));
        }
        let to = match count {
            1 => {
                let (id, number) = (self.u64()?, self.u64()?);
                let token = if is_asked { Some(self.u64()?) } else { None };
                Recipients::One(Recipient { id, number, token })
            }
            _ => Recipients::Several { bytes: self.shared(count * size)?, is_asked },
        };
        Ok(Frame::Published(Published { topic, message, deadline, to }))
    }

    pub(super) fn topic(&mut self) -> Decoded<Name> {
        match self.short_name()? {
            Some(topic) => Ok(topic),
            None => self.fail("names no topic"),
        }
    }

    fn pattern(&mut self) -> Decoded<Pattern> {
        let text = self.text(limits::NAME_SIZE_MAX)?;
        Pattern::parse(&text).map_err(|error| super::Malformed::new(error.detail().to_owned()))
    }
}
