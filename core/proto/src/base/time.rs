//! Time, as an argument.
//!
//! Floor: base.

use std::time::Duration;

use super::error::{Error, Kind};
use super::limits;

/// A moment of a monotonic clock that all processes of one machine share, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The moment `nanos` after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `ms` later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Time {
        Time(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// The moment `span` later; no later than the clock can tell.
    #[must_use]
    pub fn plus(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` until now; zero if that lies ahead.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// How long an operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Timeout {
    /// The default of 30 s; for `poll`, not at all.
    #[default]
    Default,
    /// Without bound; only where waiting is the purpose.
    Never,
    /// As long as this.
    After(Duration),
}

impl Timeout {
    /// The C interface's form: 0 is the default, -1 none, more is milliseconds.
    ///
    /// # Errors
    ///
    /// `INVALID` for any other negative value or one over the limit.
    pub fn from_ms(ms: i64) -> Result<Timeout, Error> {
        match ms {
            0 => Ok(Timeout::Default),
            -1 => Ok(Timeout::Never),
            ms if ms > 0 && ms as u64 <= limits::TIMEOUT_MAX_MS => {
                Ok(Timeout::After(Duration::from_millis(ms as u64)))
            }
            ms => Err(Error::new(
                Kind::Invalid,
                format!(
                    "timeout_ms is {ms}; allowed are 0 (default), -1 (none) and 1 to {}",
                    limits::TIMEOUT_MAX_MS
                ),
            )),
        }
    }

    /// The moment when the time is over, if ever.
    pub fn deadline(self, now: Time) -> Option<Time> {
        match self {
            Timeout::Default => Some(now.plus_ms(limits::TIMEOUT_DEFAULT_MS)),
            Timeout::Never => None,
            Timeout::After(span) => Some(now.plus(span)),
        }
    }
}

impl From<Duration> for Timeout {
    fn from(span: Duration) -> Timeout {
        Timeout::After(span)
    }
}
