//! One hub handle, as JavaScript's wrapper sees it: batches in, batches out.
//!
//! Slots are numbers that JavaScript gives to what it waits for; slot 0 is the opening. An error
//! of a start becomes an event of its slot, so that every outcome takes the same way.
//!
//! Floor: every other file of the addon, telpher, napi.

use std::rc::Rc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;
use telpher::{Hub, Name, Stats, Untaken};

use crate::fault::thrown;
use crate::incoming::Page;
use crate::layout;
use crate::opening::{self, NativeOptions, Turn};
use crate::outgoing;
use crate::shared::Shared;
use crate::teardown;
use crate::uv;

/// Counters of one handle.
#[napi(object)]
pub struct StatsRow {
    /// Operations open now.
    pub in_flight: f64,
    /// Bytes of bodies open now.
    pub in_flight_bytes: f64,
    /// Operations started.
    pub started: f64,
    /// Operations that ended with an error.
    pub failed: f64,
    /// Of these, with nobody to look at them.
    pub failed_unseen: f64,
    /// Connections made.
    pub connects: f64,
}

/// One hub handle.
#[napi]
pub struct Native {
    shared: Rc<Shared>,
}

/// True if this program's libuv can drive a hub.
#[napi(catch_unwind)]
pub fn loop_available() -> bool {
    uv::available()
}

/// Starts to open a hub; `turn` is called when there are events to be polled.
#[napi(catch_unwind)]
pub fn open(env: Env, url: String, options: NativeOptions, turn: Turn<'_>) -> napi::Result<Native> {
    let shared = opening::start(&env, &url, &options, &turn);
    let shared = shared.map_err(|error| thrown(&error))?;
    let shared = Rc::new(shared);
    teardown::register(env.raw(), &shared);
    if let Some(watch) = shared.watch() {
        watch.start(&shared);
    }
    Ok(Native { shared })
}

#[napi]
impl Native {
    /// The number of a checked name.
    #[napi(catch_unwind)]
    pub fn intern(&self, text: String) -> napi::Result<u32> {
        let name = Name::parse(&text).map_err(|error| thrown(&error))?;
        Ok(self.shared.intern(name))
    }

    /// Forgets every number of a name.
    #[napi(catch_unwind)]
    pub fn forget_names(&self) {
        self.shared.forget_names();
    }

    /// Starts the operations of a batch from record `from` on; see `layout.rs`.
    #[napi(catch_unwind)]
    pub fn submit(
        &self,
        mut words: Uint32ArraySlice<'_>,
        bytes: &[u8],
        from: u32,
        now_ms: f64,
        mode: u32,
    ) -> u32 {
        // SAFETY: JavaScript does not run during this call, and hands each array over once.
        let words = unsafe { words.as_mut() };
        self.shared.submit(words, bytes, from as usize, now_ms, mode)
    }

    /// Writes events to `words` and their bytes to `bytes` from `used` on; see `layout.rs`.
    #[napi(catch_unwind)]
    pub fn poll(&self, mut words: Uint32ArraySlice<'_>, mut bytes: Uint8ArraySlice<'_>, used: u32) {
        // SAFETY: as in `submit`.
        let (words, bytes) = unsafe { (words.as_mut(), bytes.as_mut()) };
        self.shared.poll(Page::new(words, bytes, used as usize));
    }

    /// Asks for the end of what a slot waits for.
    #[napi(catch_unwind)]
    pub fn cancel(&self, slot: u32) {
        self.shared.with_id(slot, Hub::cancel);
    }

    /// Stops the consumer, service or subscriber of a slot.
    #[napi(catch_unwind)]
    pub fn detach(&self, slot: u32) {
        self.shared.with_id(slot, Hub::detach);
    }

    /// The program has taken so many records or messages of a slot, with so many bytes.
    #[napi(catch_unwind)]
    pub fn taken(&self, slot: u32, count: u32, bytes: f64) {
        self.shared.taken(slot, Untaken { count, bytes: bytes as u64 });
    }

    /// Milliseconds left of a request's time: infinity without a deadline, 0 when it is over.
    #[napi(catch_unwind)]
    pub fn remaining_ms(&self, low: u32, high: u32) -> f64 {
        let token = layout::long(&[low, high], 0);
        let left = self.shared.hub().map(|hub| hub.request_remaining(token));
        match left.unwrap_or(Ok(Some(Duration::ZERO))) {
            Ok(None) => f64::INFINITY,
            Ok(Some(left)) => left.as_secs_f64() * 1000.0,
            Err(_) => 0.0,
        }
    }

    /// Keeps the program alive while something is open, or lets it end.
    #[napi(catch_unwind)]
    pub fn hold(&self, held: bool) {
        self.shared.hold(held);
    }

    /// Says goodbye within the time; events that are left can be polled after it.
    #[napi(catch_unwind)]
    pub fn close(&self, timeout_ms: f64) -> napi::Result<()> {
        let timeout = outgoing::timeout(timeout_ms).map_err(|error| thrown(&error))?;
        self.shared.close(timeout);
        Ok(())
    }

    /// Lets go of a closed hub, when everything was polled.
    #[napi(catch_unwind)]
    pub fn free(&self) {
        self.shared.free();
    }

    /// Counters.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> StatsRow {
        let stats = self.shared.hub().map_or_else(Stats::default, |hub| hub.stats());
        StatsRow {
            in_flight: stats.in_flight as f64,
            in_flight_bytes: stats.in_flight_bytes as f64,
            started: stats.started as f64,
            failed: stats.failed as f64,
            failed_unseen: stats.failed_unseen as f64,
            connects: stats.connects as f64,
        }
    }

    /// What the hub can do.
    #[napi(catch_unwind)]
    pub fn capabilities(&self) -> Vec<String> {
        let names = self.shared.hub().map_or(&[][..], |hub| hub.capabilities());
        names.iter().map(|&name| name.to_owned()).collect()
    }
}
