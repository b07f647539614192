//! What is known of a message's attempts.
//!
//! Floor: base.

use super::name::Name;

/// Why an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The consumer asked for another attempt: a failure.
    Requeued = 1,
    /// The consumer rejected it.
    Rejected = 2,
    /// It was not settled by its `ack_deadline`: a failure.
    Late = 3,
    /// The process that held it, and nothing else, died: a failure, and it is suspect.
    Crashed = 4,
    /// The process that held it, among others, died: no failure, but it is suspect.
    Suspect = 5,
    /// The session that held it ended: no failure.
    Ended = 6,
    /// Its time to live was over.
    Expired = 7,
}

impl Why {
    /// Every reason.
    pub const ALL: [Why; 7] = [
        Why::Requeued,
        Why::Rejected,
        Why::Late,
        Why::Crashed,
        Why::Suspect,
        Why::Ended,
        Why::Expired,
    ];

    /// As it is called in the history of a dead letter.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Requeued => "requeued",
            Why::Rejected => "rejected",
            Why::Late => "late",
            Why::Crashed => "crashed",
            Why::Suspect => "suspect",
            Why::Ended => "ended",
            Why::Expired => "expired",
        }
    }

    /// Whether the message is suspect from then on; `None`: that is as before.
    pub const fn is_suspicious(self) -> Option<bool> {
        match self {
            Why::Crashed | Why::Suspect => Some(true),
            Why::Ended => None,
            Why::Requeued | Why::Rejected | Why::Late | Why::Expired => Some(false),
        }
    }

    /// True if it counts as a failed attempt.
    pub const fn is_failure(self) -> bool {
        matches!(self, Why::Requeued | Why::Late | Why::Crashed)
    }
}

/// What is known of a message's attempts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct History {
    /// If it is a dead letter: the queue that it comes from, and how it died.
    pub origin: Option<Origin>,
    /// Attempts that ended badly, oldest first; the newest 32.
    pub failures: Vec<Failure>,
}

/// Where a dead letter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The queue in which it died.
    pub queue: Name,
    /// Why.
    pub why: Why,
    /// Failed attempts there.
    pub failures: u32,
}

/// One attempt that ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, by the hub's clock.
    pub time_ms: u64,
    /// How.
    pub why: Why,
    /// What the consumer said.
    pub reason: String,
}
