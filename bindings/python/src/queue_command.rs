//! Commands about queues, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, Durability, Overflow, QueueOptions, Verdict, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{choice, message_in, name_in, whole};

#[pymethods]
impl PyCommand {
    /// Makes a queue, or checks that it is as stated.
    #[staticmethod]
    fn declare(
        py: Python<'_>,
        queue: &str,
        durability: Option<&str>,
        length_max: i128,
        bytes_max: i128,
        overflow: &str,
    ) -> PyResult<PyCommand> {
        let levels =
            [("memory", Durability::Memory), ("os", Durability::Os), ("disk", Durability::Disk)];
        let overflows = [("wait", Overflow::Wait), ("reject", Overflow::Reject)];
        let options = QueueOptions {
            durability: durability
                .map(|text| choice(py, "durability", text, &levels))
                .transpose()?,
            length_max: whole(py, "length_max", length_max, (0, u64::MAX))?,
            bytes_max: whole(py, "bytes_max", bytes_max, (0, limits::HUB_BYTES_MAX))?,
            overflow: choice(py, "overflow", overflow, &overflows)?,
            ..QueueOptions::default()
        };
        checked(py, Command::Declare { queue: name_in(py, queue)?, options })
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
    #[pyo3(signature = (queue, prefetch = None))]
    fn consume(py: Python<'_>, queue: &str, prefetch: Option<i128>) -> PyResult<PyCommand> {
        let prefetch = prefetch.unwrap_or(limits::PREFETCH_DEFAULT.into());
        let prefetch = whole(py, "prefetch", prefetch, (1, limits::PREFETCH_MAX.into()))? as u32;
        checked(py, Command::Consume { queue: name_in(py, queue)?, prefetch, ack_deadline_ms: 0 })
    }

    /// Says what became of a delivery: "acknowledge", "reject", "requeue" or "release".
    #[staticmethod]
    fn settle(py: Python<'_>, delivery: u64, verdict: &str) -> PyResult<PyCommand> {
        let verdicts = [
            ("acknowledge", Verdict::Acknowledge),
            ("reject", Verdict::Reject),
            ("requeue", Verdict::Requeue),
            ("release", Verdict::Release),
        ];
        let verdict = choice(py, "verdict", verdict, &verdicts)?;
        checked(py, Command::Settle { delivery, verdict, reason: String::new() })
    }

    /// Changes how many messages a consumer holds at once; 0 pauses it.
    #[staticmethod]
    fn credit(py: Python<'_>, consumer: u64, prefetch: i128) -> PyResult<PyCommand> {
        let prefetch = whole(py, "prefetch", prefetch, (0, limits::PREFETCH_MAX.into()))? as u32;
        checked(py, Command::Credit { consumer, prefetch })
    }
}
