//! Handles to hubs: a registry of ids, and a count of the calls inside each.
//!
//! Every function enters its handle for as long as it runs. `close` takes the id out of the
//! registry, so that no call enters any more, says goodbye, and waits until all have left. A panic
//! that passes through a call poisons its handle: later calls are refused.
//!
//! Floor: `table`.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use telpher::{Error, Hub, Kind, Timeout, limits};

use crate::table::{self, Missing, Table};
use crate::types::telpher_hub;

static HANDLES: Table<Arc<Handle>> = Table::new();

thread_local! {
    /// How many callbacks of the program are running on this thread, one inside the other.
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

struct Handle {
    hub: Hub,
    calls: AtomicUsize,
    closing: AtomicBool,
    poisoned: AtomicBool,
    left: Mutex<()>,
    all_left: Condvar,
}

/// A call inside a handle; dropping it leaves.
pub struct Call(Arc<Handle>);

impl Call {
    /// Enters the handle `id`.
    pub fn enter(id: telpher_hub) -> Result<Call, Error> {
        let entered = HANDLES.with(id, |handle| {
            handle.calls.fetch_add(1, Ordering::SeqCst);
            Call(Arc::clone(handle))
        });
        let call = entered.map_err(|missing| refused(id, missing))?;
        if call.0.poisoned.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Internal, "a fault was caught in this handle before"));
        }
        Ok(call)
    }

    /// The hub behind the handle.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Relaxed);
        }
        let last = self.0.calls.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.0.closing.load(Ordering::SeqCst) {
            let _left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.all_left.notify_all();
        }
    }
}

/// Gives `hub` an id.
pub fn register(hub: Hub) -> Result<telpher_hub, Error> {
    let handle = Handle {
        hub,
        calls: AtomicUsize::new(0),
        closing: AtomicBool::new(false),
        poisoned: AtomicBool::new(false),
        left: Mutex::new(()),
        all_left: Condvar::new(),
    };
    HANDLES.insert(Arc::new(handle)).ok_or_else(|| {
        Error::new(Kind::Refused, "268,435,455 handles are open, the most there are")
    })
}

/// Closes the handle `id`, and waits until the calls inside it have left; from a callback, which
/// may itself run inside such a call, it does not wait.
pub fn close(id: telpher_hub, timeout: Timeout) -> Result<(), Error> {
    let span = match timeout {
        Timeout::After(span) => span,
        Timeout::Default => Duration::from_millis(limits::TIMEOUT_DEFAULT_MS),
        Timeout::Never => {
            return Err(Error::new(Kind::Invalid, "timeout_ms is -1; closing is always bounded"));
        }
    };
    let deadline = Instant::now() + span;
    let handle = HANDLES.remove(id).map_err(|missing| refused(id, missing))?;
    handle.closing.store(true, Ordering::SeqCst);
    let closed = handle.hub.close(timeout);
    if CALLBACKS.get() == 0 {
        handle.wait_until_all_left(deadline);
    }
    closed
}

impl Handle {
    fn wait_until_all_left(&self, deadline: Instant) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while self.calls.load(Ordering::SeqCst) > 0 {
            let Some(span) = deadline.checked_duration_since(Instant::now()) else { return };
            let waited = self.all_left.wait_timeout(left, span);
            left = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Runs a callback of the program.
pub fn call_back(callback: impl FnOnce()) {
    CALLBACKS.set(CALLBACKS.get() + 1);
    callback();
    CALLBACKS.set(CALLBACKS.get() - 1);
}

/// Makes a fork's child start with empty tables. To be called before the first handle is made.
pub fn watch_for_forks() {
    extern "C" fn in_child() {
        table::count_fork();
        HANDLES.abandon();
        crate::batch::abandon();
        crate::hand_over::abandon();
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler does nothing but store to atomics.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

fn refused(id: telpher_hub, missing: Missing) -> Error {
    match missing {
        Missing::Foreign if id == 0 => Error::new(Kind::Invalid, "hub is 0; no handle has that id"),
        Missing::Foreign => {
            Error::new(Kind::Invalid, format!("hub is {id:#x}; no handle has had that id"))
        }
        Missing::Gone => Error::new(Kind::Closed, "the handle is closed"),
        Missing::Forked => Error::new(
            Kind::Forked,
            "the handle was opened before a fork, by the parent; open another one here",
        ),
    }
}
