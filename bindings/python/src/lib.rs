//! The native half of the Python package `telpher`.
//!
//! It carries commands, outcomes and events across the language boundary, many at a time, and
//! decides nothing: the package in front of it gives them their Python form. An interpreter is
//! never held during a wait, and no lock is held while Python code runs.
//!
//! Floor: imports the crate `telpher` only.

mod command;
mod control;
mod convert;
mod core;
mod error;
mod event;
mod gather_command;
mod group_command;
mod group_info;
mod open;
mod payload;
mod queue_command;
mod queue_info;
mod queue_options;
mod registration;
mod stream_command;
mod stream_info;
mod stream_options;
mod taking;
mod topic_command;
mod topic_info;
mod types;
mod until;
mod waiting;

/// The native half of Telpher; the package `telpher` is its public face.
#[pyo3::pymodule]
mod _telpher {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::command::PyCommand;
    #[pymodule_export]
    use crate::core::Core;
    #[pymodule_export]
    use crate::group_info::{GroupInfo, GroupPlace};
    #[pymodule_export]
    use crate::payload::Payload;
    #[pymodule_export]
    use crate::queue_info::QueueInfo;
    #[pymodule_export]
    use crate::registration::Registration;
    #[pymodule_export]
    use crate::stream_info::{Appended, PartitionInfo, StreamInfo};
    #[pymodule_export]
    use crate::topic_info::TopicInfo;
    #[pymodule_export]
    use crate::types::{HubInfo, Notice, Receipt, Stats};

    /// The seconds, or Invalid if they are not a time limit.
    #[pyfunction]
    fn check_timeout(py: Python<'_>, seconds: f64) -> PyResult<f64> {
        crate::convert::timeout_in(py, Some(seconds)).map(|_| seconds)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("BUILD", if cfg!(debug_assertions) { "debug" } else { "release" })?;
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        let timeout = telpher::limits::TIMEOUT_DEFAULT_MS as f64 / 1000.0;
        module.add("TIMEOUT_DEFAULT", timeout)?;
        module.add("REASON_SIZE_MAX", telpher::limits::REASON_SIZE_MAX)?;
        module.add("SUBSCRIPTION_BYTES_MAX", telpher::limits::SUBSCRIPTION_BYTES_MAX)?;
        module.add("READ_BUFFER_DEFAULT", telpher::limits::READ_BUFFER_DEFAULT)?;
        module.add("GATHER_BYTES_MAX", telpher::limits::GATHER_BYTES_MAX)?;
        module.add("KINDS", crate::error::table())
    }
}
