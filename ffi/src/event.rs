//! Taking outcomes, and what may be done with an id.
//!
//! Floor: `handle`, `hand_over`.

use std::ffi::{c_char, c_void};

use telpher::{Error, Headers, Kind, Timeout};

use crate::hand_over::{self, Room};
use crate::handle::Call;
use crate::input::{self, Out, check_event_size, invalid};
use crate::status::guard;
use crate::types::*;

/// Takes up to `capacity` events that were started with TELPHER_DONE_EVENT, `stride` bytes apart
/// (sizeof(telpher_event)), and runs callbacks that are due if this thread drives the handle.
/// Blocks for the first event up to `timeout_ms`: 0 not at all, TELPHER_FOREVER without bound.
/// `*count_out` is 0 if none came in time, or telpher_wake ended it.
///
/// If `*count_out` is not 0, release the batch with telpher_events_release and any one of them.
///
/// - TELPHER_WOULD_DEADLOCK: in a callback, or another thread drives this handle.
/// - TELPHER_INTERRUPTED: a signal arrived, and the handle is `interruptible`.
/// - TELPHER_CLOSED: the handle is closed, or was during the wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_poll(
    hub: telpher_hub,
    events: *mut telpher_event,
    stride: usize,
    capacity: usize,
    count_out: *mut usize,
    timeout_ms: i64,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let count_out = unsafe { Out::required(count_out, "count_out") }?;
        if events.is_null() || capacity == 0 {
            return Err(invalid("events is NULL or capacity is 0; there must be room for one"));
        }
        check_event_size("stride", stride)?;
        let call = Call::enter(hub)?;
        let room = Room { first: events, stride, capacity };
        // SAFETY: there is room for `capacity` events by the header's contract.
        count_out
            .store(unsafe { hand_over::poll(call.hub(), &room, Timeout::from_ms(timeout_ms)?) }?);
        Ok(())
    })
}

/// Blocks for the outcome of a ticket, or the next event of a consumer, service, subscriber or
/// reader, up to `timeout_ms` (0: 30,000). `event->size` is set by the caller. An id of 0 waits for
/// readiness after a TELPHER_FULL. The id must have been started with TELPHER_DONE_WAIT.
///
/// TELPHER_OK says that an event came: how the operation ended is `event->status`. Release the
/// event with telpher_events_release.
///
/// - TELPHER_PENDING: nothing came in time; the ticket is still open.
/// - TELPHER_STALE: the ticket was redeemed before, or has another destination.
/// - TELPHER_WOULD_DEADLOCK: in a callback, where it would wait for itself.
/// - TELPHER_INTERRUPTED: a signal arrived, and the handle is `interruptible`.
/// - TELPHER_CLOSED: the handle is closed, or was during the wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_wait(
    hub: telpher_hub,
    id: telpher_id,
    timeout_ms: i64,
    event: *mut telpher_event,
) -> telpher_status {
    guard(|| {
        if event.is_null() {
            return Err(invalid("event is NULL"));
        }
        // SAFETY: not NULL, and valid by the header's contract.
        let size = unsafe { (&raw const (*event).size).read() };
        check_event_size("the size in a telpher_event", size)?;
        let bytes = event.cast::<u8>();
        // SAFETY: the event has as many bytes as it states; all but the size are cleared.
        unsafe { bytes.add(size_of::<usize>()).write_bytes(0, size - size_of::<usize>()) };
        let call = Call::enter(hub)?;
        let room = Room { first: event, stride: size, capacity: 1 };
        // SAFETY: as above.
        let waited =
            unsafe { hand_over::wait(call.hub(), id, Timeout::from_ms(timeout_ms)?, &room) };
        // SAFETY: as above. The caller's size is kept, so that the event serves for the next wait.
        unsafe { (&raw mut (*event).size).write(size) };
        waited
    })
}

/// Releases the batch that `event` came in: all events of one telpher_poll, or the one of a
/// telpher_wait. To be called once, with any of its events or a copy; their pointers are invalid
/// from here on. Also after telpher_close. An event all of zeros belongs to no batch, which is
/// fine. Any thread.
///
/// - TELPHER_STALE: it was released before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_events_release(event: *const telpher_event) -> telpher_status {
    guard(|| {
        // SAFETY: the header's contract; NULL is refused.
        match unsafe { place(event) }? {
            (0, _) => Ok(()),
            (batch, _) => hand_over::release(batch),
        }
    })
}

/// Asks for a ticket's end. It still ends exactly once: as TELPHER_CANCELLED, or as it would have
/// if that comes first. Any thread, also in a callback.
///
/// - TELPHER_STALE: it has ended.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_cancel(hub: telpher_hub, id: telpher_id) -> telpher_status {
    guard(|| Call::enter(hub)?.hub().cancel(id))
}

/// Lets go of an id. A ticket goes on, and its outcome goes nowhere. A gather is cancelled, and its
/// id ends with DONE. A consumer, service, subscriber or reader stops: what was still on its way
/// to it goes back, what it was handed is still to be settled or answered, and its id ends with
/// DONE at its destination. Published messages that a subscriber has not taken are dropped, and so
/// are records of a reader, which stay in the stream. Any thread, also in a callback.
///
/// - TELPHER_STALE: it has ended.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_detach(hub: telpher_hub, id: telpher_id) -> telpher_status {
    guard(|| Call::enter(hub)?.hub().detach(id))
}

/// Keeps the message of `event` (body, key, headers) beyond its batch: these pointers stay valid
/// until telpher_message_release. Once per event, before its batch is released. Any thread.
///
/// - TELPHER_STALE: the batch was released, the event has no message, or it was retained before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_message_retain(
    event: *const telpher_event,
    retained_out: *mut telpher_retained,
) -> telpher_status {
    guard(|| {
        // SAFETY: the caller keeps the header's contract; NULL is refused.
        let retained_out = unsafe { Out::required(retained_out, "retained_out") }?;
        // SAFETY: as above.
        let (batch, index) = unsafe { place(event) }?;
        retained_out.store(hand_over::retain(batch, index)?);
        Ok(())
    })
}

/// Releases a message that telpher_message_retain has kept; its pointers are invalid from here on.
/// 0 is fine. Any thread.
///
/// - TELPHER_STALE: it was released before.
#[unsafe(no_mangle)]
pub extern "C" fn telpher_message_release(retained: telpher_retained) -> telpher_status {
    guard(|| if retained == 0 { Ok(()) } else { hand_over::release_message(retained) })
}

/// The first value of header `name` in the message of `event`, which must be valid (not released,
/// or retained). `*value_out` is valid as long as the message, and NULL if the value is empty. Any
/// thread.
///
/// - TELPHER_NOT_FOUND: the message has no such header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn telpher_header_get(
    event: *const telpher_event,
    name: *const c_char,
    value_out: *mut *const c_void,
    value_size_out: *mut usize,
) -> telpher_status {
    guard(|| {
        if event.is_null() || value_out.is_null() {
            return Err(invalid("event or value_out is NULL"));
        }
        // SAFETY: not NULL, and valid by the header's contract.
        unsafe { value_out.write(std::ptr::null()) };
        // SAFETY: as above; NULL is refused.
        let size_out = unsafe { Out::required(value_size_out, "value_size_out") }?;
        // SAFETY: as above.
        let name = unsafe { input::text(name, "name") }?;
        // SAFETY: the event is one of ours and not released, so its headers are where it says.
        let headers = unsafe { (*event).headers.cast::<Headers>().as_ref() };
        let value = headers.and_then(|headers| headers.get(name)).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the message has no header {name:?}"))
        })?;
        if !value.is_empty() {
            // SAFETY: as above.
            unsafe { value_out.write(value.as_ptr().cast()) };
        }
        size_out.store(value.len());
        Ok(())
    })
}

/// Which batch an event came in, and its place there.
unsafe fn place(event: *const telpher_event) -> Result<(u64, u32), Error> {
    if event.is_null() {
        return Err(invalid("event is NULL"));
    }
    // SAFETY: not NULL, and valid by the header's contract.
    Ok(unsafe { ((*event).batch, (*event).batch_index) })
}
