//! The one guard that every function runs in, and the errors it leaves behind.
//!
//! Floor: `types`, `constants`.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};

use telpher::{Error, Kind};

use crate::constants::{TELPHER_ABI_VERSION, TELPHER_OK};
use crate::types::telpher_status;

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The version of the interface that the library implements: at least the TELPHER_ABI_VERSION of
/// any header it can serve. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_abi_version() -> u32 {
    TELPHER_ABI_VERSION
}

/// The name of a status without its prefix, `"NO_SERVICE"`; `"UNKNOWN"` for a number that is none.
/// The text is never freed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_status_name(status: telpher_status) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    if status == TELPHER_OK {
        return c"OK".as_ptr();
    }
    let names = NAMES.get_or_init(|| Kind::ALL.iter().map(|kind| text(kind.name())).collect());
    let at = Kind::ALL.iter().position(|kind| *kind as telpher_status == status);
    at.map_or(c"UNKNOWN".as_ptr(), |at| names[at].as_ptr())
}

/// What was wrong with the last function of this library that did not return TELPHER_OK in this
/// thread, for a person: `"INVALID: a name is empty; it has 1 to 255 bytes"`. Never NULL; empty if
/// none has failed. Valid until the thread's next failure. How an operation ended that had been
/// started is not here, but in its event.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Runs the body of a function: an error becomes its status and the thread's last error, and a
/// panic goes no further.
pub fn guard(body: impl FnOnce() -> Result<(), Error>) -> telpher_status {
    silence_panics();
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return TELPHER_OK,
        Ok(Err(error)) => error,
        Err(payload) => {
            // Dropping it could panic once more.
            std::mem::forget(payload);
            let at = PANIC.try_with(|at| at.take()).unwrap_or_default();
            Error::new(Kind::Internal, format!("a fault was caught: {at}"))
        }
    };
    let kind = error.kind();
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text(&error.to_string()));
    kind as telpher_status
}

/// Text as C has it. A zero byte inside would end it early, so it is shown as a replacement.
pub fn text(text: &str) -> CString {
    let shown = CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{fffd}")));
    shown.unwrap_or_else(|_| CStr::to_owned(c""))
}

/// A library prints nothing: a panic's words go to the guard instead of standard error. The hook is
/// that of this library alone, which carries its own copy of Rust's runtime.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if cfg!(not(test)) {
            std::panic::set_hook(Box::new(|info| {
                let _ = PANIC.try_with(|at| *at.borrow_mut() = info.to_string());
            }));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::{TELPHER_INTERNAL, TELPHER_INVALID};

    fn last_error() -> String {
        // SAFETY: the text is valid until this thread's next failure.
        unsafe { CStr::from_ptr(telpher_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn an_error_becomes_its_number_and_the_threads_last_error() {
        let status = guard(|| Err(Error::new(Kind::Invalid, "x is 3; allowed\0are 1 to 2")));
        assert_eq!(status, TELPHER_INVALID);
        assert_eq!(last_error(), "INVALID: x is 3; allowed\u{fffd}are 1 to 2");
        std::thread::spawn(|| assert_eq!(last_error(), "")).join().unwrap();
    }

    #[test]
    fn a_panic_ends_in_the_guard() {
        assert_eq!(guard(|| panic!("planted")), TELPHER_INTERNAL);
        assert!(last_error().starts_with("INTERNAL: a fault was caught"));
    }
}
