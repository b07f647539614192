//! How much of a time limit is left.
//!
//! Floor: `telpher`.

use std::time::{Duration, Instant};

use telpher::{Timeout, limits};

/// Long enough to cost nothing, short enough for somebody who has pressed Ctrl-C.
const SLICE: Duration = Duration::from_millis(250);

/// A time limit that counts from when it was made.
#[derive(Clone, Copy)]
pub struct Until(Option<Instant>);

impl Until {
    /// The limit that `timeout` sets from now on.
    pub fn new(timeout: Timeout) -> Until {
        let span = match timeout {
            Timeout::Never => return Until(None),
            Timeout::Default => Duration::from_millis(limits::TIMEOUT_DEFAULT_MS),
            Timeout::After(span) => span,
        };
        Until(Instant::now().checked_add(span))
    }

    /// What is left; zero when it is over.
    pub fn left(&self) -> Timeout {
        match self.0 {
            None => Timeout::Never,
            Some(end) => Timeout::After(end.saturating_duration_since(Instant::now())),
        }
    }

    /// What is left, and no more than a thread waits before it looks whether a signal has come that
    /// did not end its wait: one that came just before, or that another thread has caught.
    pub fn slice(&self) -> Timeout {
        match self.left() {
            Timeout::After(left) => Timeout::After(left.min(SLICE)),
            _ => Timeout::After(SLICE),
        }
    }

    /// True when nothing is left.
    pub fn is_over(&self) -> bool {
        self.left() == Timeout::After(Duration::ZERO)
    }
}
