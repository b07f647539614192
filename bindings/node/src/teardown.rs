//! The end of an environment (a worker that is terminated, a program that leaves) with hubs open.
//!
//! Each open handle has an asynchronous cleanup hook: the environment waits until the handle is
//! closed and libuv has given back its memory. The hook's data is a counted reference that keeps
//! the handle; it is given up in `release`, exactly once.
//!
//! Floor: shared, napi.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use napi::sys;

use crate::shared::Shared;

/// Time that an ending environment gives a hub to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

pub(crate) type HookHandle = sys::napi_async_cleanup_hook_handle;

/// Keeps `shared` until [`release`], and closes it when the environment ends.
pub(crate) fn register(env: sys::napi_env, shared: &Rc<Shared>) {
    let mut handle = ptr::null_mut();
    let data = Rc::into_raw(Rc::clone(shared)).cast_mut().cast::<c_void>();
    // SAFETY: `data` is a counted reference of its own, given up in `release`.
    unsafe { sys::napi_add_async_cleanup_hook(env, Some(on_end), data, &mut handle) };
    shared.set_hook(handle);
}

/// Removes the hook and gives up its reference.
///
/// # Safety
///
/// Called once for each [`register`], when nothing of the handle is left on the loop.
pub(crate) unsafe fn release(shared: *const Shared) {
    // SAFETY: the caller's promise: this is the reference that `register` made.
    let shared = unsafe { Rc::from_raw(shared) };
    // SAFETY: the hook is registered; it may be removed inside itself and after.
    unsafe { sys::napi_remove_async_cleanup_hook(shared.hook()) };
}

unsafe extern "C" fn on_end(_handle: HookHandle, data: *mut c_void) {
    // SAFETY: the hook is registered, so its reference is still counted.
    let shared = unsafe { &*data.cast::<Shared>() };
    // A panic must not cross into the runtime, which is ending anyway.
    let _ = catch_unwind(AssertUnwindSafe(|| shared.close(GOODBYE.into())));
}
