//! How queues are, and what is in them, as bytes and back.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::{DURABILITIES, Decoded, Reader};
use super::encode::Writer;
use super::frame::FrameKind;
use crate::base::{Name, Overflow, Pattern, Peeked, QueueInfo, QueueOptions, limits};

const OVERFLOWS: [(u8, Overflow); 2] = [(0, Overflow::Wait), (1, Overflow::Reject)];

impl Writer<'_> {
    pub(super) fn declared(&mut self, options: &QueueOptions) {
        self.out.put_u64_le(options.length_max);
        self.out.put_u64_le(options.bytes_max);
        self.out.put_u8(options.durability.map_or(0, |durability| durability as u8));
        self.out.put_u8(options.overflow as u8);
        self.out.put_u16_le(0);
        self.out.put_u32_le(options.max_attempts);
        self.out.put_u64_le(options.backoff_min_ms);
        self.out.put_u64_le(options.backoff_max_ms);
        self.out.put_u64_le(options.ack_deadline_ms);
        self.out.put_u64_le(options.ttl_ms);
        self.short_name(options.dead_letter.as_ref());
    }

    /// A name behind its size; a size of 0 is none.
    pub(super) fn short_name(&mut self, name: Option<&Name>) {
        self.short_text(name.map_or("", Name::as_str));
    }

    pub(super) fn short_text(&mut self, text: &str) {
        self.out.put_u8(text.len() as u8);
        self.out.put_slice(text.as_bytes());
    }

    pub(super) fn queue(&mut self, info: &QueueInfo) {
        for figure in [
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
        ] {
            self.out.put_u64_le(figure);
        }
        self.declared(&QueueOptions {
            durability: Some(info.durability),
            length_max: info.length_max,
            bytes_max: info.bytes_max,
            overflow: info.overflow,
            max_attempts: info.max_attempts,
            backoff_min_ms: info.backoff_min_ms,
            backoff_max_ms: info.backoff_max_ms,
            ack_deadline_ms: info.ack_deadline_ms,
            ttl_ms: info.ttl_ms,
            dead_letter: info.dead_letter.clone(),
        });
        self.bindings(&info.bindings);
    }

    pub(super) fn bindings(&mut self, bindings: &[Pattern]) {
        self.out.put_u64_le(bindings.len() as u64);
        for pattern in bindings {
            self.short_text(pattern.as_str());
        }
    }

    pub(super) fn queues(&mut self, ticket: u64, queues: &[(Name, QueueInfo)]) {
        self.frame(FrameKind::Queues, 0, ticket, |w| {
            w.out.put_u64_le(queues.len() as u64);
            for (name, info) in queues {
                w.short_name(Some(name));
                w.queue(info);
            }
        });
    }

    pub(super) fn peeked(&mut self, ticket: u64, messages: &[Peeked]) {
        self.frame(FrameKind::Peeked, 0, ticket, |w| {
            w.out.put_u64_le(messages.len() as u64);
            for peeked in messages {
                w.out.put_u64_le(peeked.message_id);
                w.out.put_u32_le(peeked.failures);
                w.out.put_u32_le(peeked.redelivered.into());
                w.message(&peeked.message, None);
            }
        });
    }
}

impl Reader<'_> {
    pub(super) fn declared(&mut self) -> Decoded<QueueOptions> {
        let (length_max, bytes_max) = (self.u64()?, self.u64()?);
        let durability = self.choice(&DURABILITIES, "durability")?;
        let overflow = self.choice(&OVERFLOWS, "overflow")?;
        self.zero(2)?;
        Ok(QueueOptions {
            durability,
            length_max,
            bytes_max,
            overflow,
            max_attempts: self.u32()?,
            backoff_min_ms: self.u64()?,
            backoff_max_ms: self.u64()?,
            ack_deadline_ms: self.u64()?,
            ttl_ms: self.u64()?,
            dead_letter: self.short_name()?,
        })
    }

    pub(super) fn short_name(&mut self) -> Decoded<Option<Name>> {
        let size = usize::from(self.u8()?);
        if size == 0 {
            return Ok(None);
        }
        let malformed = |error: crate::base::Error| super::Malformed::new(error.detail());
        match std::str::from_utf8(self.bytes(size)?) {
            Ok(text) => Name::parse(text).map(Some).map_err(malformed),
            Err(_) => self.fail("has a name that is not UTF-8"),
        }
    }

    pub(super) fn queue(&mut self) -> Decoded<QueueInfo> {
        let mut figures = [0; 12];
        for figure in &mut figures {
            *figure = self.u64()?;
        }
        let options = self.declared()?;
        let Some(durability) = options.durability else {
            return self.fail("states no durability");
        };
        Ok(QueueInfo {
            ready: figures[0],
            held: figures[1],
            delayed: figures[2],
            damaged: figures[3],
            bytes: figures[4],
            sends_waiting: figures[5],
            consumers: figures[6],
            sent: figures[7],
            acknowledged: figures[8],
            rejected: figures[9],
            requeued: figures[10],
            dead_lettered: figures[11],
            length_max: options.length_max,
            bytes_max: options.bytes_max,
            overflow: options.overflow,
            durability,
            max_attempts: options.max_attempts,
            backoff_min_ms: options.backoff_min_ms,
            backoff_max_ms: options.backoff_max_ms,
            ack_deadline_ms: options.ack_deadline_ms,
            ttl_ms: options.ttl_ms,
            dead_letter: options.dead_letter,
            bindings: self.bindings(limits::BINDINGS_PER_QUEUE_MAX)?,
        })
    }

    pub(super) fn bindings(&mut self, most: usize) -> Decoded<Vec<Pattern>> {
        let count = self.count(most as u64)?;
        let pattern = |reader: &mut Self| {
            let size = usize::from(reader.u8()?);
            let text = reader.sized_text(size, limits::NAME_SIZE_MAX)?;
            Pattern::parse(&text).map_err(|error| super::Malformed::new(error.detail()))
        };
        (0..count).map(|_| pattern(self)).collect()
    }

    pub(super) fn queues(&mut self) -> Decoded<Vec<(Name, QueueInfo)>> {
        let count = self.count(limits::LIST_MAX as u64)?;
        let entry = |reader: &mut Self| match reader.short_name()? {
            Some(name) => Ok((name, reader.queue()?)),
            None => reader.fail("lists a queue without a name"),
        };
        (0..count).map(|_| entry(self)).collect()
    }

    pub(super) fn peeked(&mut self) -> Decoded<Vec<Peeked>> {
        let count = self.count(limits::PEEK_MAX.into())?;
        (0..count).map(|_| self.one_peeked()).collect()
    }

    fn one_peeked(&mut self) -> Decoded<Peeked> {
        let message_id = self.u64()?;
        let failures = self.u32()?;
        let redelivered = self.choice(&[(0, false), (1, true)], "mark of redelivery")?;
        self.zero(3)?;
        Ok(Peeked { message_id, failures, redelivered, message: self.message()?.0 })
    }
}
