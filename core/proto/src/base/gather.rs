//! One request to many, and their answers.
//!
//! Floor: base.

use super::command::{GatherTo, Reply};
use super::error::{Error, Kind};
use super::message::Message;
use super::name::Name;
use super::time::Time;

/// What a program wants gathered.
#[derive(Clone, Debug)]
pub struct Gathering {
    /// Who is asked.
    pub to: GatherTo,
    /// Answers after which it ends; 0: all.
    pub count: u32,
    /// Bytes of answers that the program has taken so far.
    pub taken: u64,
    /// When it ends.
    pub deadline: Option<Time>,
    /// The request.
    pub message: Message,
}

/// An answer to a gather.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who answers: a number that an instance or subscriber keeps while it is registered with one
    /// host, and that no other has.
    pub instance: u64,
    /// What it calls itself, if anything. Nothing keeps two from stating the same name.
    pub instance_name: Option<Name>,
    /// The answer, or how the handler failed.
    pub reply: Reply,
}

impl Answer {
    /// Bytes of body, key and headers, and of the name.
    pub fn size(&self) -> u64 {
        let reply = self.reply.as_ref().map_or(0, |message| message.size() as u64);
        reply + name_size(&self.instance_name)
    }
}

/// How a gather ended: `answered`, `failed` and the missing ones are all that were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Answers.
    pub answered: u32,
    /// Answers that say that the handler failed, or let go.
    pub failed: u32,
    /// Who did not answer, in the order in which they were asked.
    pub missing: Vec<Missing>,
}

impl Gathered {
    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.answered as usize + self.failed as usize + self.missing.len()
    }

    /// Bytes of the names of those that did not answer.
    pub fn size(&self) -> u64 {
        self.missing.iter().map(|missing| name_size(&missing.instance_name)).sum()
    }
}

/// One that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Who: a number as in [`Answer`].
    pub instance: u64,
    /// What it calls itself, if anything.
    pub instance_name: Option<Name>,
    /// Why, and whether it may have run.
    pub error: Error,
}

impl Missing {
    /// One that is missing for a reason of this kind; the text follows from it.
    pub fn new(
        (instance, instance_name): (u64, Option<Name>),
        kind: Kind,
        maybe_executed: bool,
    ) -> Missing {
        let error = Error::new(kind, why(kind)).executed(maybe_executed);
        Missing { instance, instance_name, error }
    }
}

fn name_size(name: &Option<Name>) -> u64 {
    name.as_ref().map_or(0, |name| name.as_str().len() as u64)
}

/// What each kind means here.
fn why(kind: Kind) -> &'static str {
    match kind {
        Kind::TimedOut => "it had not answered when the time ran out",
        Kind::Expired => "it was busy until the time ran out",
        Kind::Cancelled => "enough others had answered",
        Kind::Busy => "its line of waiting requests was full, or it declined untouched",
        Kind::NoService => "it stopped before it was given the request",
        Kind::Abandoned => "its session ended before it had answered",
        Kind::Lost => "the request or its answer was dropped on the way",
        _ => "it did not answer",
    }
}
