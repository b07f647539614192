//! The options of `declare`.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Overflow, QueueOptions, limits};

use crate::convert::{choice, name_in, span_ms_in, whole};
use crate::types::DURABILITIES;

/// The options as Python gives them: a dictionary.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Declaring {
    durability: Option<String>,
    length_max: i128,
    bytes_max: i128,
    overflow: String,
    max_attempts: i128,
    backoff_min: Option<f64>,
    backoff_max: Option<f64>,
    ack_deadline: Option<f64>,
    ttl: Option<f64>,
    dead_letter: Option<String>,
}

impl Declaring {
    /// The options as the core takes them.
    pub fn checked(self, py: Python<'_>) -> PyResult<QueueOptions> {
        let overflows = [("wait", Overflow::Wait), ("reject", Overflow::Reject)];
        let durability = self.durability.as_deref();
        let dead_letter = self.dead_letter.as_deref();
        let attempts_range = (0, limits::ATTEMPTS_MAX.into());
        let pause = |what, seconds| span_ms_in(py, what, seconds, limits::DELAY_MAX_MS);
        Ok(QueueOptions {
            durability: durability
                .map(|text| choice(py, "durability", text, &DURABILITIES))
                .transpose()?,
            length_max: whole(py, "length_max", self.length_max, (0, u64::MAX))?,
            bytes_max: whole(py, "bytes_max", self.bytes_max, (0, limits::DISK_BYTES_MAX))?,
            overflow: choice(py, "overflow", &self.overflow, &overflows)?,
            max_attempts: whole(py, "max_attempts", self.max_attempts, attempts_range)? as u32,
            backoff_min_ms: pause("backoff_min", self.backoff_min)?,
            backoff_max_ms: pause("backoff_max", self.backoff_max)?,
            ack_deadline_ms: pause("ack_deadline", self.ack_deadline)?,
            ttl_ms: span_ms_in(py, "ttl", self.ttl, limits::TIMEOUT_MAX_MS)?,
            dead_letter: dead_letter.map(|name| name_in(py, name)).transpose()?,
        })
    }
}
