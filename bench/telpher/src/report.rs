//! What a client of the bench says at its end, and how it looks at outcomes.

use std::io::Write;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use telpher::{Error, Event, Kind, Outcome, What};

/// How a ticket ended; any other event is an error here.
pub fn ended(event: Event) -> Result<Outcome, Error> {
    match event.what {
        What::Done(result) => result,
        other => Err(Error::new(Kind::Internal, format!("an end was expected, not {other:?}"))),
    }
}

/// Says that this server is up.
pub fn ready() {
    println!("ready");
    // A harness that has gone reads nothing, and will end this program too.
    let _ = std::io::stdout().flush();
}

/// The clock that all processes of a machine share: one's begin and another's end make a span.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Counts and times since a client began.
pub struct Report {
    start: Duration,
    /// Round trips or messages that have ended.
    pub count: u64,
    samples_ns: Vec<u32>,
}

impl Report {
    /// Begins now.
    pub fn begin() -> Report {
        let samples_ns = Vec::with_capacity(1 << 20);
        Report { start: now(), count: 0, samples_ns }
    }

    /// Time since the begin.
    pub fn elapsed(&self) -> Duration {
        now() - self.start
    }

    /// One more round trip, that took `span`.
    pub fn sample(&mut self, span: Duration) {
        self.count += 1;
        self.samples_ns.push(u32::try_from(span.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Ends now, and says so in one line.
    pub fn end(mut self) {
        let end = now();
        self.samples_ns.sort_unstable();
        let at = |part: f64| {
            let last = self.samples_ns.len().saturating_sub(1);
            let index = (last as f64 * part) as usize;
            self.samples_ns.get(index).map_or(0.0, |&ns| f64::from(ns) / 1000.0)
        };
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        println!(
            "{{\"build\": \"{build}\", \"count\": {}, \"start_ns\": {}, \"end_ns\": {}, \
             \"p50_us\": {:.3}, \"p99_us\": {:.3}, \"p999_us\": {:.3}}}",
            self.count,
            self.start.as_nanos(),
            end.as_nanos(),
            at(0.5),
            at(0.99),
            at(0.999),
        );
    }
}
