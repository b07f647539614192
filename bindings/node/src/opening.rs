//! How a handle comes to be: options, the hub, and the way in which it calls JavaScript.
//!
//! Floor: shared, thread, uv, telpher, napi.

use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;
use telpher::{Done, Drive, Error, HostRole, Hub, Kind, OpenOptions};

use crate::layout::NO_SLOT;
use crate::outgoing;
use crate::shared::{Shared, Wake};
use crate::thread::Thread;
use crate::uv::Watch;

/// The one JavaScript function of a handle: there are events to be polled.
pub(crate) type Turn<'env> = Function<'env, (), ()>;

/// How a hub is opened; every default is already in its place.
#[napi(object)]
pub struct NativeOptions {
    /// `loop`, `inline` or `thread`.
    pub drive: String,
    /// `auto`, `never` or `always`.
    pub host: String,
    /// Time until opening fails; NaN is the default.
    pub timeout_ms: f64,
    /// 0 is the default.
    pub in_flight_max: u32,
    /// Further addresses to listen at.
    pub listen: Vec<String>,
    /// Also beyond loopback.
    pub insecure: bool,
    /// Negative is the default.
    pub session_grace_ms: f64,
}

/// Starts to open; slot 0 is told how that ends.
pub(crate) fn start(
    env: &Env,
    url: &str,
    options: &NativeOptions,
    turn: &Turn<'_>,
) -> Result<Shared, Error> {
    let wanted = open_options(options)?;
    let io = |text: String| Error::new(Kind::Io, text);
    let (hub, id, wake) = if wanted.drive == Drive::Library {
        let thread = Thread::new(env, turn).map_err(io)?;
        let opened = Hub::open(url, wanted, thread.done(0), thread.done(NO_SLOT));
        let (hub, id) = opened.inspect_err(|_| thread.stop())?;
        (hub, id, Wake::Thread(thread))
    } else {
        let (hub, id) = Hub::open(url, wanted, Done::Event(0), Done::Event(NO_SLOT.into()))?;
        // `Shared::close` stops the watch before it closes the hub.
        let watch = hub.fd().and_then(|fd| Watch::new(env, turn, fd).map_err(io));
        let watch = watch.inspect_err(|_| {
            // The reason why there is no watch is what matters.
            let _ = hub.close(Duration::ZERO.into());
        })?;
        (hub, id, Wake::Loop(watch))
    };
    Ok(Shared::new(hub, id, wake))
}

fn open_options(options: &NativeOptions) -> Result<OpenOptions, Error> {
    let unknown = |what: &str, value: &str, allowed: &str| {
        Error::new(Kind::Invalid, format!("{what} is {value:?}; allowed are {allowed}"))
    };
    let drive = match options.drive.as_str() {
        "loop" => Drive::Caller,
        "inline" => Drive::Inline,
        "thread" => Drive::Library,
        other => return Err(unknown("drive", other, "loop, inline and thread")),
    };
    let host = match options.host.as_str() {
        "auto" => HostRole::Auto,
        "never" => HostRole::Never,
        "always" => HostRole::Always,
        other => return Err(unknown("host", other, "auto, never and always")),
    };
    let grace_ms = options.session_grace_ms;
    Ok(OpenOptions {
        drive,
        host,
        timeout: outgoing::timeout(options.timeout_ms)?,
        in_flight_max: options.in_flight_max as usize,
        listen: options.listen.clone(),
        insecure: options.insecure,
        session_grace: (grace_ms >= 0.0).then(|| Duration::from_secs_f64(grace_ms / 1000.0)),
        ..OpenOptions::default()
    })
}
