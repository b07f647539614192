//! A hub handle's reactor on libuv's own loop.
//!
//! A `uv_poll_t` watches the handle's descriptor; when that is readable, the one JavaScript
//! function of the handle runs, inside a callback scope, so that promises go on right after it.
//!
//! libuv's symbols are looked up when first needed and never linked: a runtime that lacks them
//! must still load the addon. The memory of a `uv_poll_t` lives until its close callback.
//!
//! Floor: shared (only as the data of a handle), teardown, napi, libc.

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

use napi::bindgen_prelude::JsValue;
use napi::{Env, sys};

use crate::opening::Turn;
use crate::shared::Shared;
use crate::teardown;

/// `UV_POLL` of `uv_handle_type`.
const HANDLE_KIND_POLL: c_int = 8;
/// `UV_READABLE` of `uv_poll_event`.
const READABLE: c_int = 1;

type OnReadable = unsafe extern "C" fn(*mut c_void, c_int, c_int);
type OnClosed = unsafe extern "C" fn(*mut c_void);

struct Symbols {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    poll_init: unsafe extern "C" fn(*mut sys::uv_loop_s, *mut c_void, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut c_void, c_int, OnReadable) -> c_int,
    poll_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
    close: unsafe extern "C" fn(*mut c_void, Option<OnClosed>),
    reference: unsafe extern "C" fn(*mut c_void),
    unreference: unsafe extern "C" fn(*mut c_void),
    set_data: unsafe extern "C" fn(*mut c_void, *mut c_void),
    get_data: unsafe extern "C" fn(*const c_void) -> *mut c_void,
}

/// The symbols, if the running program has them all.
fn symbols() -> Option<&'static Symbols> {
    static FOUND: OnceLock<Option<Symbols>> = OnceLock::new();
    // SAFETY: these are the signatures that libuv has documented since 1.19.
    FOUND.get_or_init(|| unsafe { find() }).as_ref()
}

#[allow(clippy::missing_transmute_annotations, reason = "each field states its type")]
unsafe fn find() -> Option<Symbols> {
    let look_up = |name: &CStr| {
        // SAFETY: the name ends with a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!found.is_null()).then_some(found)
    };
    macro_rules! symbol {
        ($name:literal) => {
            // SAFETY: the caller's promise; a function pointer has the size of a data pointer.
            unsafe { std::mem::transmute::<*mut c_void, _>(look_up($name)?) }
        };
    }
    Some(Symbols {
        handle_size: symbol!(c"uv_handle_size"),
        poll_init: symbol!(c"uv_poll_init"),
        poll_start: symbol!(c"uv_poll_start"),
        poll_stop: symbol!(c"uv_poll_stop"),
        close: symbol!(c"uv_close"),
        reference: symbol!(c"uv_ref"),
        unreference: symbol!(c"uv_unref"),
        set_data: symbol!(c"uv_handle_set_data"),
        get_data: symbol!(c"uv_handle_get_data"),
    })
}

/// True if the running program brings libuv.
pub(crate) fn available() -> bool {
    symbols().is_some()
}

/// A watched descriptor.
pub(crate) struct Watch {
    symbols: &'static Symbols,
    handle: *mut c_void,
    env: sys::napi_env,
    turn: sys::napi_ref,
}

impl Watch {
    /// A handle on the loop of `env`, unreferenced and not started yet.
    /// `fd` stays open until [`Watch::stop`].
    pub(crate) fn new(env: &Env, turn: &Turn<'_>, fd: RawFd) -> Result<Watch, String> {
        let (env, turn) = (env.raw(), turn.raw());
        let symbols = symbols().ok_or("this program does not bring libuv")?;
        let (mut uv_loop, mut reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: both are of the call being served; memory of the stated size becomes a handle of
        // that kind.
        unsafe {
            if sys::napi_get_uv_event_loop(env, &mut uv_loop) != sys::Status::napi_ok {
                return Err("this environment has no libuv loop".into());
            }
            let handle = libc::calloc(1, (symbols.handle_size)(HANDLE_KIND_POLL));
            let status = (symbols.poll_init)(uv_loop, handle, fd);
            if status != 0 {
                libc::free(handle);
                return Err(format!("libuv cannot watch the hub's descriptor (error {status})"));
            }
            (symbols.unreference)(handle);
            sys::napi_create_reference(env, turn, 1, &mut reference);
            Ok(Watch { symbols, handle, env, turn: reference })
        }
    }

    /// Starts to watch. `shared` owns this watch, and is kept until it has closed.
    pub(crate) fn start(&self, shared: &Rc<Shared>) {
        // SAFETY: the handle is initialised; its data is read in its callbacks only, before
        // `teardown::release` gives up the count that keeps `shared`.
        unsafe {
            (self.symbols.set_data)(self.handle, Rc::as_ptr(shared).cast_mut().cast());
            (self.symbols.poll_start)(self.handle, READABLE, on_readable);
        }
    }

    /// Lets the loop end, or not, while this is all that is left on it.
    pub(crate) fn hold(&self, held: bool) {
        let change = if held { self.symbols.reference } else { self.symbols.unreference };
        // SAFETY: the handle's memory lives until its close callback, which follows `close`.
        unsafe { change(self.handle) }
    }

    /// Stops watching; the descriptor may be closed after it.
    pub(crate) fn stop(&self) {
        // SAFETY: as above; called once, on the thread of `env`.
        unsafe {
            (self.symbols.poll_stop)(self.handle);
            sys::napi_delete_reference(self.env, self.turn);
        }
    }

    /// Gives the handle back; `teardown::release` follows from the loop.
    pub(crate) fn close(&self) {
        // SAFETY: as above; called once, after `stop`.
        unsafe { (self.symbols.close)(self.handle, Some(on_closed)) }
    }
}

unsafe extern "C" fn on_readable(handle: *mut c_void, _status: c_int, _events: c_int) {
    let turn = AssertUnwindSafe(|| {
        let Some(symbols) = symbols() else { return };
        // SAFETY: `start` stored a pointer that is kept until after the close callback.
        let shared = unsafe { teardown::shared((symbols.get_data)(handle)) };
        if let Some((env, turn)) = shared.watch().map(|watch| (watch.env, watch.turn)) {
            // SAFETY: the watch is not stopped yet, as a stopped one is not called back.
            unsafe { call(env, turn) }
        }
    });
    // A panic must not cross into libuv; what was pending is told by the next poll.
    let _ = catch_unwind(turn);
}

/// Calls the function behind `turn`; what it throws becomes an uncaught exception of the program.
unsafe fn call(env: sys::napi_env, turn: sys::napi_ref) {
    let mut scope = ptr::null_mut();
    let (mut function, mut global) = (ptr::null_mut(), ptr::null_mut());
    let (mut result, mut exception) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise; every out-pointer is a local.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_get_reference_value(env, turn, &mut function);
        sys::napi_get_global(env, &mut global);
        let none = ptr::null_mut();
        let status =
            sys::napi_make_callback(env, none, global, function, 0, ptr::null(), &mut result);
        if status == sys::Status::napi_pending_exception
            && sys::napi_get_and_clear_last_exception(env, &mut exception) == sys::Status::napi_ok
        {
            sys::napi_fatal_exception(env, exception);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}

unsafe extern "C" fn on_closed(handle: *mut c_void) {
    let Some(symbols) = symbols() else { return };
    // SAFETY: `start` stored the pointer; libuv does not touch the handle after this callback.
    unsafe {
        let shared = teardown::shared((symbols.get_data)(handle));
        libc::free(handle);
        teardown::release(&shared);
    }
}
