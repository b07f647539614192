//! A received body that Python reads in place.
//!
//! Floor: `telpher`.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use telpher::Bytes;

/// A received body, lent to a read-only memoryview.
#[pyclass(frozen, module = "telpher._telpher")]
pub struct Payload(pub Bytes);

#[pymethods]
impl Payload {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// # Safety
    ///
    /// `view` is the interpreter's, valid for this call.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let body = &slf.get().0;
        let (start, size) = (body.as_ptr().cast_mut().cast(), body.len().cast_signed());
        // SAFETY: `start` and `size` name memory that lives as long as `slf`, of which the view
        // takes a reference; it never changes, and the view is read-only.
        let status = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, size, 1, flags) };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
