//! Opening, closing and turning a handle.
//!
//! Floor: `handle`, `start`.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use telpher::{Drive, Error, HostRole, Hub, OpenOptions, Timeout};

use crate::constants::*;
use crate::handle::{self, Call};
use crate::input::{self, Out, check_size, one_of};
use crate::start;
use crate::status::{guard, text};
use crate::types::*;

/// Opens a hub. Never blocks: `*hub_out` is a handle at once, and its ticket ends with DONE when
/// the hub is reached (`hub_info`) or cannot be. What is started before waits for that. `url` is
/// `./data`, `file:///path`, `mem://name`, `unix:///path` or `tcp://host:port`. `options` NULL:
/// every default.
///
/// A callback may run before this function returns. On any error nothing was opened.
///
/// - TELPHER_INVALID: `url` or an option is wrong.
/// - TELPHER_UNSUPPORTED: this version has no such hub or directory, or it can't be driven so.
/// - TELPHER_REFUSED: the directory is somebody else's, open to others or not a hub's; or listening
///   there needs a stated permission (`insecure`).
/// - TELPHER_IO: the system refused the directory, or has no descriptors or threads left.
///
/// The ticket may end with one of these, and everything that was started on the handle with it:
/// - TELPHER_NO_HOST: nobody hosts the hub and this process may not, or it was not reached in time.
/// - TELPHER_HOST_UNRESPONSIVE: its host was reached, and did not answer in time.
/// - TELPHER_CORRUPT: the directory is damaged; `detail` names the file and the offset.
/// - TELPHER_NO_SPACE: this process would host, and the disk has no room to begin.
/// - TELPHER_IO, TELPHER_UNSUPPORTED: as above, found out later.
///
/// Once the hub was reached, a directory that fails the next host is logged and tried again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_open(
    url: *const c_char,
    options: *const telpher_open_options,
    done: *const telpher_done,
    hub_out: *mut telpher_hub,
    id_out: *mut telpher_id,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; each helper refuses NULL itself.
        let (hub_out, (id_out, done), url, options) = unsafe {
            let hub_out = Out::required(hub_out, "hub_out");
            let destination = start::destination(done, id_out);
            (hub_out?, destination, input::text(url, "url")?, input::options(options)?)
        };
        // SAFETY: as above.
        let notices = unsafe { start::notices(options.notices) }?;
        // SAFETY: as above.
        let options = unsafe { open_options(&options) }?;
        handle::watch_for_forks();
        let (hub, id) = Hub::open(url, options, done?, notices)?;
        hub_out.store(handle::register(hub)?);
        id_out.store(id);
        Ok(())
    })
}

unsafe fn open_options(given: &telpher_open_options) -> Result<OpenOptions, Error> {
    let drives = [
        (TELPHER_DRIVE_LIBRARY, Drive::Library),
        (TELPHER_DRIVE_CALLER, Drive::Caller),
        (TELPHER_DRIVE_INLINE, Drive::Inline),
    ];
    let hosts = [
        (TELPHER_HOST_AUTO, HostRole::Auto),
        (TELPHER_HOST_NEVER, HostRole::Never),
        (TELPHER_HOST_ALWAYS, HostRole::Always),
    ];
    let grace = (given.session_grace_ms != 0).then_some(given.session_grace_ms);
    Ok(OpenOptions {
        drive: one_of("drive", given.drive, &drives)?,
        host: one_of("host", given.host, &hosts)?,
        timeout: Timeout::from_ms(given.timeout_ms)?,
        in_flight_max: given.in_flight_max,
        // SAFETY: the caller's contract.
        listen: unsafe { input::texts(given.listen, given.listen_count, "listen") }?,
        insecure: input::flag("insecure", given.insecure)?,
        session_grace: grace.map(Duration::from_millis),
        interruptible: input::flag("interruptible", given.interruptible)?,
    })
}

/// Closes a handle. Every open ticket ends as TELPHER_CLOSED, every waiter wakes with
/// TELPHER_CLOSED, deliveries that were not settled go back to their queues, and what had been
/// started and not yet sent is sent if the time allows. Blocks up to `timeout_ms` (0: 30,000;
/// TELPHER_FOREVER is refused) until the goodbye is said and all calls of other threads have left.
/// In a callback it returns at once, and is carried out when the callback has returned.
///
/// Events that were handed over stay valid until they are released; those that were not are gone.
///
/// - TELPHER_CLOSED: it is closed, or being closed, already.
/// - TELPHER_INVALID: no such handle, or a wrong time; nothing was closed.
/// - TELPHER_FORKED: it is the parent's; nothing was closed.
///
/// After any other status the handle is closed.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_close(hub: telpher_hub, timeout_ms: i64) -> telpher_status {
    guard(|| handle::close(hub, Timeout::from_ms(timeout_ms)?))
}

/// Gives a descriptor that is readable whenever telpher_poll has something to do, timers and events
/// left over included, to be used in poll(2), epoll or any event loop. It belongs to the handle:
/// never read, write nor close it, and take it out of the loop before telpher_close. With
/// TELPHER_DRIVE_LIBRARY it is readable when events are waiting. Any thread.
///
/// - TELPHER_UNSUPPORTED: the handle has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_fd(hub: telpher_hub, fd_out: *mut c_int) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let fd_out = unsafe { Out::required(fd_out, "fd_out") }?;
        // A descriptor of 0 would be standard input.
        fd_out.store(-1);
        fd_out.store(Call::enter(hub)?.hub().fd()?);
        Ok(())
    })
}

/// Sends what has been started and takes in what has arrived, without waiting. telpher_poll and
/// telpher_wait do so by themselves; a program that drives the handle from its own loop calls this
/// after it has started operations. Any thread.
///
/// - TELPHER_WOULD_DEADLOCK: another thread drives the handle; that one will do it.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_flush(hub: telpher_hub) -> telpher_status {
    guard(|| Call::enter(hub)?.hub().flush())
}

/// Ends the telpher_poll that another thread is in, or the next one if there is none. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_wake(hub: telpher_hub) -> telpher_status {
    guard(|| Call::enter(hub)?.hub().wake())
}

/// What the hub can do, as names with a space between: of a directory `"calls queues.memory
/// queues.os queues.disk batches dead_letters topics bindings gather streams"`; where queues are
/// kept in memory only, without `queues.os` and `queues.disk`. Until the hub is reached, it is what
/// every hub at such a URL can. The text is never freed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_capabilities(
    hub: telpher_hub,
    names_out: *mut *const c_char,
) -> telpher_status {
    guard(|| {
        if names_out.is_null() {
            return Err(input::invalid("names_out is NULL"));
        }
        // SAFETY: not NULL, and valid by the header's contract.
        unsafe { names_out.write(std::ptr::null()) };
        let names = Call::enter(hub)?.hub().capabilities().join(" ");
        // SAFETY: as above.
        unsafe { names_out.write(lasting(&names).as_ptr()) };
        Ok(())
    })
}

/// The same text for ever; there are only as many as there are kinds of hubs.
fn lasting(names: &str) -> &'static CStr {
    static ALL: Mutex<Vec<&'static CStr>> = Mutex::new(Vec::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().find(|known| known.to_bytes() == names.as_bytes());
    known.copied().unwrap_or_else(|| {
        let fresh: &'static CStr = Box::leak(text(names).into_boxed_c_str());
        all.push(fresh);
        fresh
    })
}

/// Reads a handle's counters into `*counters`, whose `size` the caller has set. Any thread.
///
/// - TELPHER_INVALID: `counters` is NULL or its size is wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_stats(
    hub: telpher_hub,
    counters: *mut telpher_counters,
) -> telpher_status {
    guard(|| {
        if counters.is_null() {
            return Err(input::invalid("counters is NULL"));
        }
        // SAFETY: not NULL, and valid by the header's contract.
        let given = unsafe { (&raw const (*counters).size).read() };
        check_size("telpher_counters", given)?;
        let stats = Call::enter(hub)?.hub().stats();
        let size = given.min(size_of::<telpher_counters>());
        let seen = telpher_counters {
            size,
            in_flight: stats.in_flight,
            in_flight_bytes: stats.in_flight_bytes,
            started: stats.started,
            failed: stats.failed,
            failed_unseen: stats.failed_unseen,
            connects: stats.connects,
        };
        // SAFETY: the struct has as many bytes as it states; what is newer than this library is 0.
        unsafe {
            let bytes = counters.cast::<u8>();
            std::ptr::copy_nonoverlapping((&raw const seen).cast(), bytes, size);
            bytes.add(size).write_bytes(0, given - size);
        }
        Ok(())
    })
}
