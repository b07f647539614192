//! How topics are declared, and what a subscriber states.
//!
//! Floor: base.

use super::command::within;
use super::error::{Error, Kind};
use super::event::Untaken;
use super::limits;
use super::name::Name;
use super::pattern::Pattern;

/// What happens to a publish while the buffer that a subscriber has in the hub is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum TopicOverflow {
    /// It does not wait: the subscriber loses its oldest messages, and is told how many.
    #[default]
    Drop = 0,
    /// It waits in line until every subscriber that matches has room, and is `EXPIRED` at its
    /// deadline.
    Wait = 1,
}

impl TopicOverflow {
    /// Its name in every language.
    pub const fn name(self) -> &'static str {
        match self {
            TopicOverflow::Drop => "drop",
            TopicOverflow::Wait => "wait",
        }
    }
}

/// What a program states of a subscriber, and states again over each new connection.
#[derive(Clone, Debug)]
pub struct Subscribing {
    /// Which topics.
    pub pattern: Pattern,
    /// Messages that may be on their way to the program, and as many more may wait in the hub.
    pub buffer: u32,
    /// Messages that have arrived and that the program has not taken yet.
    pub held: Untaken,
    /// The number of the last one that has arrived; 0: none.
    pub received: u64,
    /// What it calls itself, to whoever gathers answers.
    pub instance_name: Option<Name>,
}

/// How the topics that match a pattern are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TopicOptions {
    /// What happens while the buffer of a subscriber is full.
    pub overflow: TopicOverflow,
    /// Publishes that may wait in line, 1 to 1,048,576; 0 is the default of 1,024. Beyond these
    /// one is `FULL`. Only for [`TopicOverflow::Wait`].
    pub line_max: u32,
}

impl TopicOptions {
    /// The same options, with each default in its place.
    #[must_use]
    pub fn resolved(self) -> TopicOptions {
        let line_max = match self.overflow {
            TopicOverflow::Wait if self.line_max == 0 => limits::TOPIC_LINE_DEFAULT,
            _ => self.line_max,
        };
        TopicOptions { line_max, ..self }
    }

    /// Checks every value that has a limit.
    ///
    /// # Errors
    ///
    /// `INVALID`, naming the value and its limit.
    pub fn check(self) -> Result<(), Error> {
        if self.overflow == TopicOverflow::Drop && self.line_max != 0 {
            let detail = format!(
                "line_max is {}; nothing waits in line for topics with overflow drop",
                self.line_max
            );
            return Err(Error::new(Kind::Invalid, detail));
        }
        within("line_max", self.line_max.into(), 0, limits::LINE_MAX.into())
    }
}

/// A declaration of topics, and what waits because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// What happens while the buffer of a subscriber is full.
    pub overflow: TopicOverflow,
    /// Publishes that may wait in line; 0 if none ever does.
    pub line_max: u32,
    /// Publishes that wait in line now.
    pub waiting: u64,
}
