//! Events on their way out: batches, and messages kept longer than theirs.
//!
//! A batch owns the events that one poll, wait or callback hands over. The structs that C sees
//! point into it: bodies are read in place, and only texts and figures, which are rare, are made
//! anew. A released batch is used again, so that handing over costs no allocation per event.
//!
//! What never happens: a batch dropped under a lock, as the last use of a body runs the program's
//! release function.
//!
//! Floor: `table`, `output`.

use std::sync::{Mutex, TryLockError};

use telpher::{Error, Event, Hub, Kind, Message, Timeout};

use crate::handle;
use crate::input::EVENT_SIZE_MIN;
use crate::output::{Extra, fill, message_of};
use crate::table::{Missing, Table};
use crate::types::*;

static BATCHES: Table<Batch> = Table::new();
static RETAINED: Table<Message> = Table::new();

/// Batches that wait to be used again, and how many of them there may be.
static SPARE: Mutex<Vec<Batch>> = Mutex::new(Vec::new());
const SPARE_MAX: usize = 64;

/// Events that a spare batch may have room for; a larger one is freed.
const SPARE_CAPACITY_MAX: usize = 4_096;

/// Events, and what the structs for C point to beside them.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    extra: Extra,
    /// Places of the events whose message is kept elsewhere.
    retained: Vec<u32>,
}

/// Room for events in C's memory.
pub struct Room {
    /// Where the first event goes.
    pub first: *mut telpher_event,
    /// Bytes from one event to the next.
    pub stride: usize,
    /// How many there is room for.
    pub capacity: usize,
}

/// Polls into `room`; the number of events.
///
/// # Safety
///
/// `room` is as large as it says.
pub unsafe fn poll(hub: &Hub, room: &Room, timeout: Timeout) -> Result<usize, Error> {
    let mut batch = Batch::take();
    let polled = hub.poll(&mut batch.events, room.capacity, timeout);
    if batch.events.is_empty() {
        batch.put_back();
        return polled;
    }
    // SAFETY: the caller's contract, and no more than `capacity` were appended.
    unsafe { hand_over(batch, room) }
}

/// Waits for one event.
///
/// # Safety
///
/// `room` is as large as it says.
pub unsafe fn wait(hub: &Hub, id: u64, timeout: Timeout, room: &Room) -> Result<(), Error> {
    let event = hub.wait(id, timeout)?;
    let mut batch = Batch::take();
    batch.events.push(event);
    // SAFETY: the caller's contract.
    unsafe { hand_over(batch, room) }.map(|_| ())
}

/// Gives one event to a callback, and releases it afterwards.
pub fn call_back(
    event: Event,
    function: unsafe extern "C" fn(*const telpher_event, u64),
    user: u64,
) {
    let mut batch = Batch::take();
    batch.events.push(Event { user, ..event });
    let mut seen = std::mem::MaybeUninit::<telpher_event>::zeroed();
    let size = size_of::<telpher_event>();
    let room = Room { first: seen.as_mut_ptr(), stride: size, capacity: 1 };
    // SAFETY: the room is that one event.
    if unsafe { hand_over(batch, &room) }.is_err() {
        return;
    }
    // SAFETY: `hand_over` has filled it.
    let id = unsafe { (*seen.as_ptr()).batch };
    // SAFETY: the program's own function, with an event that is valid until it returns.
    handle::call_back(|| unsafe { function(seen.as_ptr(), user) });
    // The callback may have released it already.
    let _ = release(id);
}

/// Ends a batch.
pub fn release(id: u64) -> Result<(), Error> {
    let batch = BATCHES.remove(id).map_err(|missing| gone("batch of events", missing))?;
    batch.put_back();
    Ok(())
}

/// Keeps an event's message beyond its batch. All its pointers stay as they are: moving a message
/// moves none of its bytes.
pub fn retain(id: u64, index: u32) -> Result<telpher_retained, Error> {
    let taken = BATCHES.with(id, |batch| {
        let message = message_of(batch.events.get_mut(index as usize)?)?;
        let first = !batch.retained.contains(&index);
        batch.retained.push(index);
        first.then(|| std::mem::take(message))
    });
    let message = taken.map_err(|missing| gone("batch of events", missing))?;
    let message = message.ok_or_else(|| {
        Error::new(Kind::Stale, "the event has no message, or it was retained before")
    })?;
    RETAINED.insert(message).ok_or_else(|| full("messages"))
}

/// Lets go of a retained message.
pub fn release_message(id: telpher_retained) -> Result<(), Error> {
    RETAINED.remove(id).map(drop).map_err(|missing| gone("message", missing))
}

/// Leaves everything behind: for the child of a fork.
pub fn abandon() {
    BATCHES.abandon();
    RETAINED.abandon();
}

unsafe fn hand_over(mut batch: Batch, room: &Room) -> Result<usize, Error> {
    let count = batch.events.len();
    let size = size_of::<telpher_event>().min(room.stride);
    debug_assert!(size >= EVENT_SIZE_MIN);
    let is_whole = size == size_of::<telpher_event>();
    // SAFETY: made of integers, pointers and false.
    let mut short: telpher_event = unsafe { std::mem::zeroed() };
    for (index, event) in batch.events.iter().enumerate() {
        // SAFETY: there is room for `capacity` events of `stride` bytes; what lies past our own
        // size is zeroed, too, as it is of a later version.
        let row = unsafe { room.first.byte_add(index * room.stride) };
        // SAFETY: as above.
        unsafe { row.cast::<u8>().write_bytes(0, room.stride) };
        // SAFETY: as above: a row of our size or more is an event of zeros. Only an older program's
        // is shorter, and gets as much as it has room for.
        let seen = if is_whole { unsafe { &mut *row } } else { &mut short };
        fill(seen, event, &mut batch.extra);
        seen.size = size;
        seen.batch_index = index as u32;
        if !is_whole {
            // SAFETY: as above.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    (&raw const short).cast::<u8>(),
                    row.cast::<u8>(),
                    size,
                )
            };
            // SAFETY: made of integers, pointers and false.
            short = unsafe { std::mem::zeroed::<telpher_event>() };
        }
    }
    let id = BATCHES.insert(batch).ok_or_else(|| full("batches of events"))?;
    for index in 0..count {
        // SAFETY: as above; every row holds the start of an event.
        unsafe { (*room.first.byte_add(index * room.stride)).batch = id };
    }
    Ok(count)
}

impl Batch {
    /// An empty one. A lock that is taken is not waited for: in the child of a fork it might never
    /// be free.
    fn take() -> Batch {
        SPARE.try_lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default()
    }

    fn put_back(mut self) {
        self.events.clear();
        self.extra.clear();
        self.retained.clear();
        if self.events.capacity() > SPARE_CAPACITY_MAX {
            return;
        }
        match SPARE.try_lock() {
            Ok(mut spare) if spare.len() < SPARE_MAX => spare.push(self),
            Ok(_) | Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => {}
        }
    }
}

fn full(what: &str) -> Error {
    Error::new(Kind::Refused, format!("268,435,455 {what} wait to be released, the most there are"))
}

fn gone(what: &str, missing: Missing) -> Error {
    match missing {
        Missing::Foreign => Error::new(Kind::Invalid, format!("no {what} has had this id")),
        Missing::Gone => Error::new(Kind::Stale, format!("the {what} was released before")),
        Missing::Forked => Error::new(
            Kind::Forked,
            format!("the {what} was handed to the parent, before a fork; it is the parent's"),
        ),
    }
}
