//! `telpher serve`: hosts a hub until it is told to end.
//!
//! The handle has its own thread, on which the callbacks below run; the main thread sleeps on a
//! socket pair to which a signal, or the end of opening, writes one byte. So neither can be missed,
//! and an idle server does nothing at all. While another process hosts the directory the library
//! says which, and waits.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use telpher::{
    Done, Error, Event, HostRole, Hub, HubInfo, Kind, Notice, OpenOptions, Outcome, Timeout, What,
};
use tracing::{info, warn};

use crate::arguments::Serve;
use crate::hub::url_of;

/// Time for a clean end: well below the ten seconds after which supervisors usually kill.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT; an error is one line for a person.
pub fn run(options: &Serve) -> Result<(), String> {
    let (mut bell, ringer) = UnixStream::pair().map_err(cannot("make a socket pair"))?;
    let told = watch_for_signals(&ringer).map_err(cannot("watch for signals"))?;
    let url = url(options.directory.as_deref())?;
    let (hub, opened) = open(&url, options, ringer).map_err(|error| explain(&error))?;
    let ended = serve(&mut bell, &told, &opened, options);
    let closed = hub.close(Timeout::After(CLOSE_TIMEOUT));
    ended?;
    closed.map_err(|error| format!("the end was not clean: {error}"))?;
    info!("ended");
    Ok(())
}

fn cannot(what: &str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("cannot {what}: {error}")
}

/// The flag is raised, and then the bell rung, when a signal says to end.
fn watch_for_signals(ringer: &UnixStream) -> std::io::Result<Arc<AtomicBool>> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, told.clone())?;
        signal_hook::low_level::pipe::register(signal, ringer.try_clone()?)?;
    }
    Ok(told)
}

/// The hub's URL: that of the directory, or one in memory that only this process knows.
fn url(directory: Option<&Path>) -> Result<String, String> {
    let Some(directory) = directory else { return Ok("mem://serve".into()) };
    let text = directory.to_str().ok_or("the directory's name is not UTF-8")?;
    match text {
        text if text.starts_with("file://") => Ok(text.into()),
        text if text.contains("://") => {
            Err(format!("{text} is no directory; addresses are given with --listen"))
        }
        text => Ok(url_of(text)),
    }
}

type Opened = Result<HubInfo, Error>;

/// Starts to open the hub; what comes of it is put into the channel, and the bell rung.
fn open(
    url: &str,
    options: &Serve,
    mut ringer: UnixStream,
) -> Result<(Hub, Receiver<Opened>), Error> {
    let (sender, opened) = sync_channel(1);
    let done = move |event: Event| {
        let result = match event.what {
            What::Done(Ok(Outcome::Opened(info))) => Ok(info),
            What::Done(Err(error)) => Err(error),
            _ => return,
        };
        // Neither can fail before the main thread has ended, and then nobody listens.
        let _ = sender.try_send(result);
        let _ = ringer.write_all(b"o");
    };
    let open_options = OpenOptions {
        host: HostRole::Always,
        timeout: Timeout::Never,
        listen: options.listen.clone(),
        insecure: options.insecure,
        session_grace: Some(options.session_grace),
        ..OpenOptions::default()
    };
    let done = Done::Callback(Box::new(done));
    let (hub, _) = Hub::open(url, open_options, done, Done::Callback(Box::new(log_notice)))?;
    Ok((hub, opened))
}

/// Waits until it is told to end, or opening fails.
fn serve(
    bell: &mut UnixStream,
    told: &AtomicBool,
    opened: &Receiver<Opened>,
    options: &Serve,
) -> Result<(), String> {
    loop {
        wait(bell)?;
        if told.load(Ordering::SeqCst) {
            info!("told to end");
            return Ok(());
        }
        if let Ok(result) = opened.try_recv() {
            log_opened(&result.map_err(|error| explain(&error))?, options);
        }
    }
}

/// Sleeps until the bell is rung.
fn wait(bell: &mut UnixStream) -> Result<(), String> {
    match bell.read(&mut [0; 16]) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(cannot("wait")(error)),
        _ => Ok(()),
    }
}

fn log_opened(info: &HubInfo, options: &Serve) {
    let hub_id: String = info.hub_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let place = match &options.directory {
        Some(directory) => format!("in {}", directory.display()),
        None => "in memory".into(),
    };
    info!("ready: hub {hub_id} {place}, epoch {}", info.epoch);
    if options.insecure {
        warn!("insecure: whoever can connect may do everything");
    }
    for address in &options.listen {
        info!("listening on {address}");
    }
}

fn log_notice(event: Event) {
    match event.what {
        What::Notice(Notice::Disconnected { reason }) => warn!("disconnected: {reason}"),
        What::Notice(Notice::Resumed) => info!("connected again"),
        What::Notice(Notice::HubChanged { epoch, memory_lost }) => {
            let lost = if memory_lost { "; what queues held in memory is lost" } else { "" };
            warn!("the hub has a new host, epoch {epoch}{lost}");
        }
        _ => {}
    }
}

/// The error, with what the command line can do about it.
fn explain(error: &Error) -> String {
    match error.kind() {
        Kind::Refused if error.detail().contains("(insecure)") => {
            format!("{error}; --insecure allows it")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_becomes_the_url_of_its_hub() {
        let of = |text: &str| url(Some(Path::new(text)));
        assert_eq!(url(None).as_deref(), Ok("mem://serve"));
        assert_eq!(of("data").as_deref(), Ok("./data"));
        assert_eq!(of(".data").as_deref(), Ok("./.data"));
        assert_eq!(of("../data").as_deref(), Ok("../data"));
        assert_eq!(of("/var/lib/app").as_deref(), Ok("file:///var/lib/app"));
        assert_eq!(of("file:///var/lib/app").as_deref(), Ok("file:///var/lib/app"));
        assert!(of("tcp://127.0.0.1:1").unwrap_err().contains("--listen"));
    }

    #[test]
    fn what_insecure_would_allow_is_said_of_listening_alone() {
        let listening = Error::new(Kind::Refused, "refused unless wanted (insecure)");
        assert!(explain(&listening).ends_with("--insecure allows it"));
        let directory = Error::new(Kind::Refused, "it is not a hub's directory");
        assert!(!explain(&directory).contains("--insecure"));
    }
}
