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

/// Removes the hook and gives up its reference, when nothing of the handle is left on the loop; the
/// second time nothing happens.
pub(crate) fn release(shared: &Rc<Shared>) {
    let Some(hook) = shared.take_hook() else { return };
    // SAFETY: the hook is registered, and may be removed inside itself and after. The count is the
    // one that `register` made; taking the hook out makes this happen once.
    unsafe {
        sys::napi_remove_async_cleanup_hook(hook);
        Rc::decrement_strong_count(Rc::as_ptr(shared));
    }
}

/// The handle behind the data of a hook or of a libuv handle, counted once more.
///
/// # Safety
///
/// `data` points to a handle that [`release`] has not given up yet.
pub(crate) unsafe fn shared(data: *mut c_void) -> Rc<Shared> {
    let shared = data.cast_const().cast::<Shared>();
    // SAFETY: the caller's promise: the count that `register` made is still there.
    unsafe {
        Rc::increment_strong_count(shared);
        Rc::from_raw(shared)
    }
}

unsafe extern "C" fn on_end(_handle: HookHandle, data: *mut c_void) {
    // SAFETY: the hook is registered, so its reference is still counted.
    let shared = unsafe { shared(data) };
    // A panic must not cross into the runtime, which is ending anyway.
    let _ = catch_unwind(AssertUnwindSafe(|| shared.close(GOODBYE.into())));
}
