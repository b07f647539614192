//! What the tests share: opening, waiting, names, directories, and processes made of this program.
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use telpher::*;

/// Far longer than anything here takes.
pub const PATIENCE: Timeout = Timeout::After(Duration::from_secs(20));

/// A name that no other test uses.
pub fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{stem}-{}-{number}", std::process::id())
}

/// An empty directory, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        let path = std::env::temp_dir().join(unique("telpher-test"));
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    /// A place for a hub in it.
    pub fn hub(&self) -> PathBuf {
        self.0.join("hub")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.hub().display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn options(drive: Drive) -> OpenOptions {
    OpenOptions { drive, ..OpenOptions::default() }
}

/// Opens a hub and waits until it is reached.
pub fn reach(url: &str, drive: Drive) -> Hub {
    telpher::sugar::open_with(url, options(drive)).unwrap()
}

/// Opens a hub whose notices go to the events.
pub fn reach_noticed(url: &str, drive: Drive, user: u64) -> Hub {
    let (hub, id) = Hub::open(url, options(drive), Done::Wait, Done::Event(user)).unwrap();
    outcome(hub.wait(id, PATIENCE).unwrap()).unwrap();
    hub
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn outcome(event: Event) -> Result<Outcome, Error> {
    match event.what {
        What::Done(result) => result,
        other => panic!("a ticket brought {other:?}"),
    }
}

pub fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Kind {
    result.unwrap_err().kind()
}

pub fn memory() -> QueueOptions {
    QueueOptions { durability: Some(Durability::Memory), ..QueueOptions::default() }
}

pub fn call(service: &str, body: &str) -> Command {
    Command::Call { service: name(service), message: Message::new(body.to_owned()) }
}

pub fn serve(service: &str, concurrency: u32) -> Command {
    Command::Serve { service: name(service), concurrency, line_max: 1_024, instance_name: None }
}

/// A callback that answers every request with its own body.
pub fn echo(hub: &Hub) -> Done {
    let hub = hub.clone();
    Done::Callback(Box::new(move |event| {
        if let What::Request(request) = event.what {
            let reply = Command::Reply { request: request.token, reply: Ok(request.message) };
            hub.start(reply, Timeout::Default, Done::None).unwrap();
        }
    }))
}

/// Serves `service` on a thread of its own until the handle is closed.
pub fn serve_on_thread(hub: &Hub, service: &str, concurrency: u32) -> std::thread::JoinHandle<()> {
    let service = hub.serve(service, concurrency).unwrap();
    std::thread::spawn(move || {
        for request in &service {
            let Ok(request) = request else { return };
            let body = request.message().clone();
            if request.reply(body).is_err() {
                return;
            }
        }
    })
}

/// Polls until `wanted` finds what it looks for.
pub fn poll_until<T>(hub: &Hub, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    let mut events = Vec::new();
    loop {
        hub.poll(&mut events, 64, Timeout::After(Duration::from_secs(1))).unwrap();
        if let Some(found) = events.drain(..).find_map(|event| wanted(&event)) {
            return found;
        }
        assert!(Instant::now() < end, "what was waited for did not come");
    }
}

/// Descriptors that this process has open.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The test of this program called `test`, run as a process of its own; it learns what to do from
/// the variable `TELPHER_TEST_ROLE`.
pub fn process(test: &str, role: &str) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("TELPHER_TEST_ROLE", role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What this process was told to do, if it is one of those.
pub fn role() -> Option<String> {
    std::env::var("TELPHER_TEST_ROLE").ok()
}

/// Tells the process that made this one a line.
pub fn tell(line: &str) {
    println!("\n@{line}");
}

/// Reads lines of a process until the one that begins with `start`; returns the rest of it.
pub fn hear(child: &mut Child, start: &str) -> String {
    use std::io::{BufRead, BufReader};
    let output = child.stdout.as_mut().unwrap();
    // One byte at a time, so that nothing is taken away from a later reader.
    let mut lines = BufReader::with_capacity(1, output).lines();
    loop {
        let line = lines.next().expect("the process has ended").unwrap();
        if let Some(rest) = line.strip_prefix('@').and_then(|line| line.strip_prefix(start)) {
            return rest.to_owned();
        }
    }
}

/// Waits until the process that made this one lets it go on.
pub fn wait_for_parent() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Kills a process without warning, and waits until it is gone.
pub fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
