//! What a stream tells of its reader groups, as plain read-only objects.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::types::described;

/// How far a reader group has come in one partition.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(Clone, PartialEq)]
pub struct GroupPlace {
    /// The next offset: what is below is committed, or not kept any more.
    pub next: u64,
    /// Offsets from there to the partition's end. As many records come at most: fewer where
    /// compaction has removed some, or where members read only some.
    pub lag: u64,
    /// True if a member reads it now.
    pub is_read: bool,
}
described!(GroupPlace { next, lag, is_read });

/// A reader group's figures.
#[pyclass(frozen, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct GroupInfo {
    /// What it is called.
    #[pyo3(get)]
    pub name: String,
    /// Readers that are members now.
    #[pyo3(get)]
    pub members: u32,
    places: Vec<GroupPlace>,
}
described!(GroupInfo { name, members, places });

#[pymethods]
impl GroupInfo {
    /// How far it has come in each partition.
    #[getter]
    fn places<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.places.iter().cloned())
    }
}

impl From<telpher::GroupInfo> for GroupInfo {
    fn from(info: telpher::GroupInfo) -> GroupInfo {
        let telpher::GroupInfo { name, members, places } = info;
        let places = places.into_iter().map(|place| {
            let telpher::GroupPlace { next, lag, is_read } = place;
            GroupPlace { next, lag, is_read }
        });
        GroupInfo { name: name.as_str().to_owned(), members, places: places.collect() }
    }
}
