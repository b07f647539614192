//! The real program, started, listened to and ended.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod streams;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use telpher::{Done, Event, Hub, OpenOptions, Outcome, Timeout, What};

/// Longest that anything here may take; usually it is milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn telpher(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telpher"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub fn output(arguments: &[&str]) -> Output {
    telpher(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `telpher serve`, or another command that goes on; killed at the end of the test,
/// however that ends.
pub struct Server {
    pub child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Server {
        Server::run(&[&["serve"], arguments].concat())
    }

    pub fn run(arguments: &[&str]) -> Server {
        let mut child = telpher(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Server { child, lines, log: Vec::new() }
    }

    /// Reads the log up to a line that contains `part`, and returns that line.
    pub fn says(&mut self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(_) => panic!("never said {part:?}, but:\n{}", self.log.join("\n")),
            }
        }
    }

    pub fn signal(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

pub fn ended(hub: &Hub, id: u64) -> Event {
    hub.wait(id, Timeout::After(PATIENCE)).unwrap()
}

pub fn open(url: &str) -> Hub {
    let (hub, id) = Hub::open(url, OpenOptions::default(), Done::Wait, Done::None).unwrap();
    let what = ended(&hub, id).what;
    assert!(matches!(what, What::Done(Ok(Outcome::Opened(_)))), "{url}: {what:?}");
    hub
}
