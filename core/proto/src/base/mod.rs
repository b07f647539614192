//! The vocabulary that every machine shares: errors, limits, time, names, messages, commands and
//! events.
//!
//! Floor: imports nothing of Telpher.

mod attempt;
pub mod batch;
mod bound;
pub mod command;
pub mod compression;
pub mod error;
pub mod event;
pub mod filter;
pub mod gather;
pub mod limits;
mod listed;
pub mod message;
pub mod name;
pub mod pattern;
pub mod queue;
pub mod random;
pub mod record;
pub mod repacked;
pub mod rising;
pub mod sequence;
pub mod slots;
pub mod stream;
mod stream_record;
pub mod time;
pub mod timers;
pub mod topic;

pub use command::{Command, GatherTo, Part, Reply, Target, Verdict};
pub use compression::Compression;
pub use error::{Error, Executed, Kind};
pub use event::{
    Asked, Delivery, Durability, Event, HubInfo, Notice, Outcome, Peeked, Published, QueueInfo,
    Receipt, Request,
};
pub use event::{Id, Untaken, What};
pub use gather::{Answer, Gathered, Gathering, Missing};
pub use message::{Headers, HeadersBuilder, Message, Properties, Trace};
pub use name::Name;
pub use pattern::Pattern;
pub use queue::{Overflow, QueueOptions};
pub use stream::{
    Appended, Cursor, GroupInfo, GroupPlace, PartitionInfo, Reading, Start, StreamInfo,
    StreamOptions, StreamRecord,
};
pub use time::{Time, Timeout};
pub use topic::{Subscribing, TopicInfo, TopicOptions, TopicOverflow};
