//! Frames of topics, as bytes and back.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::{Decoded, Reader};
use super::encode::{Writer, flag};
use super::frame::{Binding, Change, Frame, FrameKind, Publishing, TargetKind};
use crate::base::{Asked, Message, Name, Pattern, Time, Untaken, limits};

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
            Frame::Subscribe { id, pattern, buffer, held, received } => {
                self.frame(FrameKind::Subscribe, 0, *id, |w| {
                    w.out.put_u32_le(*buffer);
                    w.out.put_u32_le(held.count);
                    w.out.put_u64_le(held.bytes);
                    w.out.put_u64_le(*received);
                    w.out.put_slice(pattern.as_str().as_bytes());
                });
            }
            Frame::Taken { id, taken } => self.frame(FrameKind::Taken, 0, *id, |w| {
                w.out.put_u32_le(taken.count);
                w.out.put_u32_le(0);
                w.out.put_u64_le(taken.bytes);
            }),
            other => unreachable!("{other:?} is not about topics"),
        }
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

    pub(super) fn published(&mut self, frame: &Frame) {
        let Frame::Published { id, number, topic, asked, message } = frame else { return };
        let flags = if asked.is_some() { flag::PUBLISHED_ASKED } else { 0 };
        self.frame(FrameKind::Published, flags, *id, |w| {
            w.out.put_u64_le(*number);
            w.short_name(topic.as_ref());
            if let Some(asked) = asked {
                w.out.put_u64_le(asked.token);
            }
            w.message(message, asked.and_then(|asked| asked.deadline));
        });
    }
}

impl Reader<'_> {
    pub(super) fn topics(&mut self, id: u64) -> Decoded<Frame> {
        Ok(match self.kind {
            FrameKind::Subscribe => {
                let (buffer, count, bytes) = (self.u32()?, self.u32()?, self.u64()?);
                let (held, received) = (Untaken { count, bytes }, self.u64()?);
                Frame::Subscribe { id, pattern: self.pattern()?, buffer, held, received }
            }
            _ => {
                let (count, bytes) = (self.padded_u32()?, self.u64()?);
                Frame::Taken { id, taken: Untaken { count, bytes } }
            }
        })
    }

    pub(super) fn publishing(&mut self, again: bool) -> Decoded<Publishing> {
        let topic = self.topic()?;
        let (message, deadline) = self.message()?;
        Ok(Publishing { topic, deadline, message, again })
    }

    pub(super) fn binding(&mut self) -> Decoded<Binding> {
        let kind = match self.u64()? {
            1 => TargetKind::Queue,
            2 => TargetKind::Stream,
            kind => return self.fail(&format!("binds to kind {kind}, which does not exist")),
        };
        Ok(Binding { kind, name: self.name_ref()?, pattern: self.pattern()? })
    }

    pub(super) fn published(&mut self, flags: u8, id: u64) -> Decoded<Frame> {
        let (number, topic) = (self.u64()?, self.short_name()?);
        let token = match flags & flag::PUBLISHED_ASKED {
            0 => None,
            _ => Some(self.u64()?),
        };
        let (message, deadline) = self.message()?;
        let asked = token.map(|token| Asked { token, deadline });
        Ok(Frame::Published { id, number, topic, asked, message })
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
