//! What can be said on the command line of declarations of topics.

use clap::{Args, ValueEnum};
use telpher::limits::LINE_MAX;
use telpher::{Pattern, TopicOverflow};

use crate::arguments::pattern;

pub const TOPICS_EXAMPLES: &str = "\
Examples:
  telpher topics ./data
      Of the process that hosts the directory; with none, what its journal says.
      Looking never makes this process the host, and changes nothing.

  telpher topics tcp://127.0.0.1:7420 'orders.**' --json
      One of a hub that is served there, for a program to read.
";

pub const DECLARE_EXAMPLES: &str = "\
Examples:
  telpher declare-topic ./data 'orders.**' --overflow wait
      From now on whoever publishes to a topic below orders waits until every
      program that is subscribed to it has room, so that none of them loses
      messages for being slow. The hub must be hosted by a program, or by
      telpher serve.

  telpher declare-topic ./data 'orders.**' --overflow wait --line-max 100
      The same; while 100 messages wait, the next one fails at once.
";

pub const DELETE_EXAMPLES: &str = "\
Examples:
  telpher delete-topic ./data 'orders.**'
      Nobody waits any more because of it: slow programs lose messages again.
";

/// Which hub, and which of its declarations.
#[derive(Args)]
pub struct Topics {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// Only the declaration of this pattern
    #[arg(value_parser = pattern)]
    pub pattern: Option<Pattern>,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which declaration of which hub.
#[derive(Args)]
pub struct OneTopic {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// Which topics: * is one segment of a name, ** any number of them
    #[arg(value_parser = pattern)]
    pub pattern: Pattern,
}

/// How topics are.
#[derive(Args)]
#[command(next_line_help = true)]
pub struct DeclareTopic {
    /// Which.
    #[command(flatten)]
    pub of: OneTopic,
    /// What happens while a subscriber is too slow
    #[arg(long, value_name = "WHAT", default_value = "drop", hide_possible_values = true)]
    #[arg(help = "drop: it loses its oldest messages; wait: publishers wait for it")]
    pub overflow: Overflow,
    /// With wait: how many messages may wait; 1,024 if not stated
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LINE_MAX)))]
    pub line_max: Option<u32>,
}

/// What happens while the buffer of a subscriber is full.
#[derive(Clone, Copy, ValueEnum)]
pub enum Overflow {
    /// The subscriber loses its oldest messages
    Drop,
    /// A publish waits until every subscriber has room
    Wait,
}

impl From<Overflow> for TopicOverflow {
    fn from(overflow: Overflow) -> TopicOverflow {
        match overflow {
            Overflow::Drop => TopicOverflow::Drop,
            Overflow::Wait => TopicOverflow::Wait,
        }
    }
}
