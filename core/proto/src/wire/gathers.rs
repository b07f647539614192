//! Gathers as bytes and back, and who is asked by name.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::{Decoded, Reader};
use super::encode::{Writer, flag};
use super::frame::{Frame, FrameKind};
use crate::base::{Answer, GatherTo, Gathered, Gathering, Kind, Missing, limits};

impl Writer<'_> {
    pub(super) fn gathers(&mut self, frame: &Frame) {
        match frame {
            Frame::Gather { ticket, gathering } => {
                let Gathering { to, count, taken, deadline, message } = gathering;
                let (flags, name) = match to {
                    GatherTo::Service(name) => (0, name),
                    GatherTo::Topic(name) => (flag::GATHER_TOPIC, name),
                };
                self.frame(FrameKind::Gather, flags, *ticket, |w| {
                    w.short_name(Some(name));
                    w.out.put_u32_le(*count);
                    w.out.put_u32_le(0);
                    w.out.put_u64_le(*taken);
                    w.message(message, *deadline);
                });
            }
            Frame::Collected { ticket, answer } => {
                self.frame(FrameKind::Collected, 0, *ticket, |w| {
                    w.out.put_u64_le(answer.instance);
                    w.short_name(answer.instance_name.as_ref());
                    w.answer(&answer.reply);
                });
            }
            Frame::Gathered { ticket, gathered } => {
                self.frame(FrameKind::Gathered, 0, *ticket, |w| w.gathered(gathered));
            }
            other => unreachable!("{other:?} is not about gathers"),
        }
    }

    fn gathered(&mut self, gathered: &Gathered) {
        self.out.put_u32_le(gathered.answered);
        self.out.put_u32_le(gathered.failed);
        self.out.put_u64_le(gathered.missing.len() as u64);
        for Missing { instance, instance_name, error } in &gathered.missing {
            self.out.put_u64_le(*instance);
            self.out.put_u32_le(error.kind() as u32);
            self.out.put_u32_le(error.maybe_executed().into());
            self.short_name(instance_name.as_ref());
        }
    }
}

impl Reader<'_> {
    pub(super) fn serve(&mut self, id: u64) -> Decoded<Frame> {
        let name = self.name_ref()?;
        let (concurrency, line_max) = (self.u32()?, self.u32()?);
        Ok(Frame::Serve { id, name, concurrency, line_max, instance_name: self.short_name()? })
    }

    pub(super) fn gather(&mut self, flags: u8, ticket: u64) -> Decoded<Frame> {
        let Some(name) = self.short_name()? else { return self.fail("names nobody to ask") };
        let to = match flags & flag::GATHER_TOPIC {
            0 => GatherTo::Service(name),
            _ => GatherTo::Topic(name),
        };
        let (count, taken) = (self.padded_u32()?, self.u64()?);
        let (message, deadline) = self.message()?;
        let gathering = Gathering { to, count, taken, deadline, message };
        Ok(Frame::Gather { ticket, gathering })
    }

    pub(super) fn collected(&mut self, ticket: u64) -> Decoded<Frame> {
        let (instance, instance_name) = (self.u64()?, self.short_name()?);
        let answer = Answer { instance, instance_name, reply: self.answer()? };
        Ok(Frame::Collected { ticket, answer })
    }

    pub(super) fn gathered(&mut self, ticket: u64) -> Decoded<Frame> {
        let (answered, failed) = (self.u32()?, self.u32()?);
        let count = self.count(limits::GATHER_ASKED_MAX as u64)?;
        let missing = (0..count).map(|_| self.missing()).collect::<Decoded<_>>()?;
        Ok(Frame::Gathered { ticket, gathered: Gathered { answered, failed, missing } })
    }

    fn missing(&mut self) -> Decoded<Missing> {
        let (instance, number) = (self.u64()?, self.u32()?);
        let maybe = self.choice(&[(0, false), (1, true)], "mark of execution")?;
        self.zero(3)?;
        let instance_name = self.short_name()?;
        match Kind::from_number(number) {
            Some(kind) => Ok(Missing::new((instance, instance_name), kind, maybe)),
            None => self.fail(&format!("has status {number}, which does not exist")),
        }
    }
}
