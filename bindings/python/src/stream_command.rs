//! Commands about streams, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{message_in, name_in, whole};
use crate::stream_options::{Declaring, Reads};

#[pymethods]
impl PyCommand {
    /// Makes a stream, or checks that it is as stated.
    #[staticmethod]
    fn declare_stream(py: Python<'_>, stream: &str, options: Declaring) -> PyResult<PyCommand> {
        let (stream, options) = (name_in(py, stream)?, options.checked(py)?);
        checked(py, Command::DeclareStream { stream, options })
    }

    /// Removes a stream with everything in it.
    #[staticmethod]
    fn delete_stream(py: Python<'_>, stream: &str) -> PyResult<PyCommand> {
        checked(py, Command::DeleteStream { stream: name_in(py, stream)? })
    }

    /// Asks for a stream's figures.
    #[staticmethod]
    fn inspect_stream(py: Python<'_>, stream: &str) -> PyResult<PyCommand> {
        checked(py, Command::InspectStream { stream: name_in(py, stream)? })
    }

    /// Appends a record to a stream: `place` is the partition, if it is stated, and the offset that
    /// is expected there.
    #[staticmethod]
    fn append(
        py: Python<'_>,
        stream: &str,
        body: Object<'_, '_>,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
        place: (Option<i128>, Option<i128>),
    ) -> PyResult<PyCommand> {
        let (partition, expect) = place;
        let message = message_in(body, key, headers, 0)?;
        let expect = expect.map(|expect| whole(py, "expect", expect, (0, u64::MAX))).transpose()?;
        let (stream, partition) = (name_in(py, stream)?, partition_in(py, partition)?);
        checked(py, Command::Append { stream, message, partition, expect })
    }

    /// Reads records of a stream.
    #[staticmethod]
    fn read(py: Python<'_>, stream: &str, options: Reads<'_>) -> PyResult<PyCommand> {
        checked(
            py,
            Command::Read { stream: name_in(py, stream)?, reading: Box::new(options.checked(py)?) },
        )
    }
}

/// A partition that is stated.
pub fn partition_in(py: Python<'_>, partition: Option<i128>) -> PyResult<Option<u32>> {
    let range = (0, u64::from(limits::PARTITIONS_MAX) - 1);
    let partition = partition.map(|stated| whole(py, "partition", stated, range));
    Ok(partition.transpose()?.map(|stated| stated as u32))
}
