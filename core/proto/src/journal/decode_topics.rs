//! Bytes to records of bindings and of declarations of topics.
//!
//! Floor: imports `base`.

use super::decode::Reader;
use super::encode::{BOUND_TO_QUEUE, BOUND_TO_STREAM};
use crate::base::record::{Binding, BoundTo, Record};
use crate::base::{Pattern, TopicOptions, TopicOverflow};

impl Reader {
    pub(super) fn binding(&mut self) -> Option<Binding> {
        let target = match self.u8()? {
            BOUND_TO_QUEUE => BoundTo::Queue(self.u64()?),
            BOUND_TO_STREAM => BoundTo::Stream(self.u64()?),
            _ => return None,
        };
        Some(Binding { target, pattern: self.pattern()? })
    }

    pub(super) fn pattern(&mut self) -> Option<Pattern> {
        Pattern::parse(&self.text()?).ok()
    }

    pub(super) fn topic(&mut self) -> Option<Record> {
        let change = self.change()?;
        let overflow = match self.u8()? {
            0 => TopicOverflow::Drop,
            1 => TopicOverflow::Wait,
            _ => return None,
        };
        let options = TopicOptions { overflow, line_max: self.u32()? };
        options.check().ok()?;
        Some(Record::Topic { change, pattern: self.pattern()?, options })
    }
}
