//! The options of `open`.
//!
//! Floor: `telpher`.

use std::time::Duration;

use pyo3::prelude::*;
use telpher::{Drive, HostRole, Kind, OpenOptions, limits};

use crate::convert::{choice, timeout_in, whole};
use crate::error::refuse;

/// The options as Python gives them: a dictionary.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Opening {
    host: String,
    timeout: Option<f64>,
    in_flight_max: i128,
    listen: Vec<String>,
    insecure: bool,
    session_grace: Option<f64>,
    /// Larger bodies come as memoryviews.
    pub zero_copy: bool,
}

impl Opening {
    /// The options as the core takes them; `by_loop` if an event loop turns the handle.
    pub fn checked(self, py: Python<'_>, by_loop: bool) -> PyResult<OpenOptions> {
        let roles =
            [("auto", HostRole::Auto), ("never", HostRole::Never), ("always", HostRole::Always)];
        let in_flight_range = (1, limits::IN_FLIGHT_MAX as u64);
        Ok(OpenOptions {
            drive: if by_loop { Drive::Caller } else { Drive::Library },
            host: choice(py, "host", &self.host, &roles)?,
            timeout: timeout_in(py, self.timeout)?,
            in_flight_max: whole(py, "in_flight_max", self.in_flight_max, in_flight_range)?
                as usize,
            listen: self.listen,
            insecure: self.insecure,
            session_grace: self.session_grace.map(|seconds| grace(py, seconds)).transpose()?,
            interruptible: !by_loop,
        })
    }
}

fn grace(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    let most = limits::TIMEOUT_MAX_MS as f64 / 1000.0;
    if (0.0..=most).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let text = format!("session_grace is {seconds} s; allowed are 0 to {most}");
    Err(refuse(py, Kind::Invalid, text))
}
