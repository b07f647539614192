//! Declarations of topics.
//!
//! Floor: sugar.

use telpher_proto::base::{Command, Error, Pattern, Timeout, TopicInfo, TopicOptions};

use crate::api::Hub;

/// Topics of a hub, by a pattern that they match: how they are declared. Those that are not are as
/// by default.
#[derive(Clone, Debug)]
pub struct Topics {
    hub: Hub,
    pattern: Pattern,
}

impl Topics {
    fn run<T: super::Ended>(&self, command: Command) -> Result<T, Error> {
        self.hub.pending(command, Timeout::Default)?.wait()
    }

    /// Says how these topics are, or checks that it is as stated. With
    /// [`TopicOverflow::Wait`](telpher_proto::base::TopicOverflow) in any declaration that matches
    /// a topic, a publish to it waits in line until every subscriber that matches has room in its
    /// buffer in the hub; so none of them loses it for being slow. At its deadline it is `EXPIRED`;
    /// beyond `line_max` that wait it is `FULL`. A batch does not wait: it is `FULL`. Neither does
    /// a gather, whose request a slow subscriber may lose. A declaration outlives the hosts of a
    /// hub with a directory.
    ///
    /// # Errors
    ///
    /// `MISMATCH` naming the difference; `INVALID` for a value; `FULL` at the limit of 10,000 for a
    /// hub; `NO_SPACE` on a full disk. Nothing was declared then.
    pub fn declare(&self, options: TopicOptions) -> Result<(), Error> {
        self.run(Command::DeclareTopic { pattern: self.pattern.clone(), options })
    }

    /// How they are declared, and how many publishes wait in line.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without a declaration of the same pattern.
    pub fn inspect(&self) -> Result<TopicInfo, Error> {
        self.run(Command::InspectTopic { pattern: self.pattern.clone() })
    }

    /// Removes the declaration. What waits in line because of it alone is published.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without a declaration of the same pattern.
    pub fn delete(&self) -> Result<(), Error> {
        self.run(Command::DeleteTopic { pattern: self.pattern.clone() })
    }
}

impl Hub {
    /// The topics of this hub that match `pattern`: `*` stands for one segment, `**` for any
    /// number.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the pattern.
    pub fn topics(&self, pattern: &str) -> Result<Topics, Error> {
        Ok(Topics { hub: self.clone(), pattern: Pattern::parse(pattern)? })
    }
}
