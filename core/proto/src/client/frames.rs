//! Operations as frames.
//!
//! Floor: client.

use super::Client;
use crate::base::stream::Committing;
use crate::base::{Command, Id, Part, Pattern, Target, Time};
use crate::wire::{Batch, BatchPart, Binding, Change, Frame, Reset, TargetKind};

impl Client {
    pub(super) fn frame(
        &mut self,
        now: Time,
        ticket: Id,
        command: &Command,
        (change, deadline, again): (Change, Option<Time>, bool),
    ) -> Frame {
        match command {
            Command::Receive { queue } => {
                Frame::Receive { ticket, name: self.name_ref(now, queue), deadline }
            }
            Command::Inspect { queue } => {
                Frame::Inspect { ticket, name: self.name_ref(now, queue) }
            }
            Command::Declare { queue, options } => Frame::Declare {
                ticket,
                change,
                name: self.name_ref(now, queue),
                options: Box::new(options.clone()),
            },
            Command::Delete { queue } => {
                Frame::Delete { ticket, change, name: self.name_ref(now, queue) }
            }
            Command::Purge { queue } => {
                Frame::Purge { ticket, change, name: self.name_ref(now, queue) }
            }
            Command::Settle { delivery, verdict, reason } => {
                let reason = reason.clone();
                Frame::Settle { ticket, change, delivery: *delivery, verdict: *verdict, reason }
            }
            Command::Batch { parts } => {
                let parts = parts.iter().map(|part| self.batch_part(now, part)).collect();
                Frame::Batch { ticket, change, batch: Batch { deadline, again, parts } }
            }
            Command::Extend { delivery, ms } => {
                Frame::Extend { ticket, delivery: *delivery, ms: *ms }
            }
            Command::Peek { queue, count } => {
                Frame::Peek { ticket, name: self.name_ref(now, queue), count: *count }
            }
            Command::List { after } => Frame::List { ticket, after: after.clone() },
            Command::Bind { pattern, target } => {
                Frame::Bind { ticket, change, binding: self.binding(now, pattern, target) }
            }
            Command::Unbind { pattern, target } => {
                Frame::Unbind { ticket, change, binding: self.binding(now, pattern, target) }
            }
            of_topic => self.topic_frame(now, ticket, of_topic, change),
        }
    }

    fn topic_frame(&mut self, now: Time, ticket: Id, command: &Command, change: Change) -> Frame {
        match command {
            Command::DeclareTopic { pattern, options } => {
                let (pattern, options) = (pattern.clone(), *options);
                Frame::DeclareTopic { ticket, change, pattern, options }
            }
            Command::DeleteTopic { pattern } => {
                Frame::DeleteTopic { ticket, change, pattern: pattern.clone() }
            }
            Command::InspectTopic { pattern } => {
                Frame::InspectTopic { ticket, pattern: pattern.clone() }
            }
            Command::ListTopics { after } => Frame::ListTopics { ticket, after: after.clone() },
            of_stream => self.stream_frame(now, ticket, of_stream, change),
        }
    }

    fn stream_frame(&mut self, now: Time, ticket: Id, command: &Command, change: Change) -> Frame {
        match command {
            Command::DeclareStream { stream, options } => Frame::DeclareStream {
                ticket,
                change,
                name: self.name_ref(now, stream),
                options: Box::new(options.clone()),
            },
            Command::DeleteStream { stream } => {
                Frame::DeleteStream { ticket, change, name: self.name_ref(now, stream) }
            }
            Command::InspectStream { stream } => {
                Frame::InspectStream { ticket, name: self.name_ref(now, stream) }
            }
            Command::Commit { reader, partition, generation, next } => {
                let (reader, partition) = (*reader, *partition);
                let (generation, next) = (*generation, *next);
                let committing = Committing { reader, partition, generation, next };
                Frame::Commit { ticket, change, committing }
            }
            Command::Groups { stream } => {
                Frame::ListGroups { ticket, name: self.name_ref(now, stream) }
            }
            Command::ResetGroup { stream, group, partition, start } => {
                let name = self.name_ref(now, stream);
                let (group, partition, start) = (group.clone(), *partition, *start);
                let reset = Box::new(Reset { group, partition, start });
                Frame::ResetGroup { ticket, change, name, reset }
            }
            Command::DeleteGroup { stream, group } => {
                let (name, group) = (self.name_ref(now, stream), group.clone());
                Frame::DeleteGroup { ticket, change, name, group }
            }
            Command::ListStreams { after } => Frame::ListStreams { ticket, after: after.clone() },
            other => unreachable!("{other:?} is written elsewhere"),
        }
    }

    fn binding(&mut self, now: Time, pattern: &Pattern, target: &Target) -> Binding {
        let (kind, name) = match target {
            Target::Queue(name) => (TargetKind::Queue, name),
            Target::Stream(name) => (TargetKind::Stream, name),
        };
        Binding { kind, name: self.name_ref(now, name), pattern: pattern.clone() }
    }

    fn batch_part(&mut self, now: Time, part: &Part) -> BatchPart {
        match part {
            Part::Send { queue, message } => {
                BatchPart::Send { name: self.name_ref(now, queue), message: message.clone() }
            }
            Part::Settle { delivery, verdict, reason } => {
                BatchPart::Settle { delivery: *delivery, verdict: *verdict, reason: reason.clone() }
            }
            Part::Append { stream, message, partition, expect } => BatchPart::Append {
                name: self.name_ref(now, stream),
                message: message.clone(),
                partition: *partition,
                expect: *expect,
            },
            Part::Commit { reader, partition, generation, next } => {
                let (reader, partition) = (*reader, *partition);
                let (generation, next) = (*generation, *next);
                BatchPart::Commit(Committing { reader, partition, generation, next })
            }
            Part::Publish { topic, message } => {
                BatchPart::Publish { topic: topic.clone(), message: message.clone() }
            }
        }
    }
}
