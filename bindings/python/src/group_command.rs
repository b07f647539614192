//! Commands about reader groups, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, limits};

use crate::command::{PyCommand, checked};
use crate::convert::{name_in, whole};
use crate::stream_command::partition_in;
use crate::stream_options::{Place, start_in};

#[pymethods]
impl PyCommand {
    /// Says that a reader's group has done its work up to a record: `place` is the record's
    /// partition, generation and offset.
    #[staticmethod]
    fn commit(py: Python<'_>, reader: u64, place: (i128, i128, i128)) -> PyResult<PyCommand> {
        let (partition, generation, offset) = place;
        let partition_range = (0, u64::from(limits::PARTITIONS_MAX) - 1);
        let partition = whole(py, "partition", partition, partition_range)? as u32;
        let generation = whole(py, "generation", generation, (0, u64::MAX))?;
        let next = whole(py, "offset", offset, (0, u64::MAX - 1))? + 1;
        checked(py, Command::Commit { reader, partition, generation, next })
    }

    /// Asks for a stream's reader groups.
    #[staticmethod]
    fn groups(py: Python<'_>, stream: &str) -> PyResult<PyCommand> {
        checked(py, Command::Groups { stream: name_in(py, stream)? })
    }

    /// Puts a reader group to another place: `place` is a start, an offset or a time.
    #[staticmethod]
    fn reset_group(
        py: Python<'_>,
        stream: &str,
        group: &str,
        partition: Option<i128>,
        place: Place,
    ) -> PyResult<PyCommand> {
        let (stream, group) = (name_in(py, stream)?, name_in(py, group)?);
        let (partition, start) = (partition_in(py, partition)?, start_in(py, place)?);
        checked(py, Command::ResetGroup { stream, group, partition, start })
    }

    /// Removes a reader group with its places.
    #[staticmethod]
    fn delete_group(py: Python<'_>, stream: &str, group: &str) -> PyResult<PyCommand> {
        let (stream, group) = (name_in(py, stream)?, name_in(py, group)?);
        checked(py, Command::DeleteGroup { stream, group })
    }
}
