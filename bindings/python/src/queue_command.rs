//! Commands about queues, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, Kind, Part, Verdict, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{choice, message_in, name_in, span_ms_in, whole};
use crate::error::refuse;
use crate::queue_options::Declaring;

#[pymethods]
impl PyCommand {
    /// Makes a queue, or checks that it is as stated.
    #[staticmethod]
    fn declare(py: Python<'_>, queue: &str, options: Declaring) -> PyResult<PyCommand> {
        let (queue, options) = (name_in(py, queue)?, options.checked(py)?);
        checked(py, Command::Declare { queue, options })
    }

    /// Removes a queue with everything in it.
    #[staticmethod]
    fn delete(py: Python<'_>, queue: &str) -> PyResult<PyCommand> {
        checked(py, Command::Delete { queue: name_in(py, queue)? })
    }

    /// Removes the messages that nobody holds.
    #[staticmethod]
    fn purge(py: Python<'_>, queue: &str) -> PyResult<PyCommand> {
        checked(py, Command::Purge { queue: name_in(py, queue)? })
    }

    /// Asks for a queue's figures.
    #[staticmethod]
    fn inspect(py: Python<'_>, queue: &str) -> PyResult<PyCommand> {
        checked(py, Command::Inspect { queue: name_in(py, queue)? })
    }

    /// Puts a message into a queue.
    #[staticmethod]
    #[pyo3(signature = (queue, body, key = None, headers = None, priority = 0))]
    fn send(
        py: Python<'_>,
        queue: &str,
        body: Object<'_, '_>,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
        priority: i128,
    ) -> PyResult<PyCommand> {
        let message = message_in(body, key, headers, priority)?;
        checked(py, Command::Send { queue: name_in(py, queue)?, message })
    }

    /// Takes one message from a queue.
    #[staticmethod]
    fn receive(py: Python<'_>, queue: &str) -> PyResult<PyCommand> {
        checked(py, Command::Receive { queue: name_in(py, queue)? })
    }

    /// Takes messages from a queue as they come.
    #[staticmethod]
    #[pyo3(signature = (queue, prefetch = None, ack_deadline = None))]
    fn consume(
        py: Python<'_>,
        queue: &str,
        prefetch: Option<i128>,
        ack_deadline: Option<f64>,
    ) -> PyResult<PyCommand> {
        let prefetch = prefetch.unwrap_or(limits::PREFETCH_DEFAULT.into());
        let prefetch = whole(py, "prefetch", prefetch, (1, limits::PREFETCH_MAX.into()))? as u32;
        let ack_deadline_ms = span_ms_in(py, "ack_deadline", ack_deadline, limits::DELAY_MAX_MS)?;
        let ack_deadline_ms = u32::try_from(ack_deadline_ms).expect("a day in ms fits 32 bits");
        checked(py, Command::Consume { queue: name_in(py, queue)?, prefetch, ack_deadline_ms })
    }

    /// Says what became of a delivery: "acknowledge", "reject", "requeue" or "release"; for a
    /// rejected or requeued one also why.
    #[staticmethod]
    #[pyo3(signature = (delivery, verdict, reason = ""))]
    fn settle(py: Python<'_>, delivery: u64, verdict: &str, reason: &str) -> PyResult<PyCommand> {
        let verdicts = [
            ("acknowledge", Verdict::Acknowledge),
            ("reject", Verdict::Reject),
            ("requeue", Verdict::Requeue),
            ("release", Verdict::Release),
        ];
        let verdict = choice(py, "verdict", verdict, &verdicts)?;
        checked(py, Command::Settle { delivery, verdict, reason: reason.to_owned() })
    }

    /// Moves the end of a delivery's time: this long from now, or its whole time again.
    #[staticmethod]
    #[pyo3(signature = (delivery, seconds = None))]
    fn extend(py: Python<'_>, delivery: u64, seconds: Option<f64>) -> PyResult<PyCommand> {
        let ms = span_ms_in(py, "the extension", seconds, limits::DELAY_MAX_MS)?;
        checked(py, Command::Extend { delivery, ms })
    }

    /// Sends, settlements, publishes, appends and commits, all or none of them.
    #[staticmethod]
    fn batch(py: Python<'_>, parts: Vec<PyRef<'_, PyCommand>>) -> PyResult<PyCommand> {
        let parts: Option<Vec<_>> = parts.iter().map(|part| part_of(&part.0)).collect();
        let no_part = || {
            let text = "only sends, settlements, publishes, appends and commits can be parts";
            refuse(py, Kind::Invalid, text.to_owned())
        };
        checked(py, Command::Batch { parts: parts.ok_or_else(no_part)? })
    }

    /// Changes how many messages a consumer holds at once; 0 pauses it.
    #[staticmethod]
    fn credit(py: Python<'_>, consumer: u64, prefetch: i128) -> PyResult<PyCommand> {
        let prefetch = whole(py, "prefetch", prefetch, (0, limits::PREFETCH_MAX.into()))? as u32;
        checked(py, Command::Credit { consumer, prefetch })
    }
}

/// The command as a part of a batch, if it can be one.
fn part_of(command: &Command) -> Option<Part> {
    match command.clone() {
        Command::Send { queue, message } => Some(Part::Send { queue, message }),
        Command::Settle { delivery, verdict, reason } => {
            Some(Part::Settle { delivery, verdict, reason })
        }
        Command::Publish { topic, message } => Some(Part::Publish { topic, message }),
        Command::Append { stream, message, partition, expect } => {
            Some(Part::Append { stream, message, partition, expect })
        }
        Command::Commit { reader, partition, generation, next } => {
            Some(Part::Commit { reader, partition, generation, next })
        }
        _ => None,
    }
}
