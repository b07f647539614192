//! A served directory, and what the commands for streams say of it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::{Server, output, telpher, text};

/// A directory for a hub, and a server of it.
pub struct World {
    _scratch: tempfile::TempDir,
    pub data: String,
    server: Option<Server>,
}

impl World {
    pub fn begin() -> World {
        let scratch = tempfile::tempdir().unwrap();
        let path: PathBuf = scratch.path().join("data");
        let data = path.display().to_string();
        let mut world = World { _scratch: scratch, data, server: None };
        world.serve();
        world
    }

    pub fn serve(&mut self) {
        let mut server = Server::start(&[&self.data]);
        server.says("ready: hub");
        self.server = Some(server);
    }

    pub fn end(&mut self, signal: Signal) {
        self.server.take().unwrap().signal(signal);
    }
}

pub fn said(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&said(&[arguments, &["--json"]].concat())).unwrap()
}

pub fn refusal(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_ne!(output.status.code(), Some(0), "{arguments:?}");
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

/// What it says when `input` comes from stdin.
pub fn fed(arguments: &[&str], input: &[u8]) -> (bool, String) {
    let mut command = telpher(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let ended = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (ended.status.success(), text(&ended.stdout) + &text(&ended.stderr))
}

/// The bodies that `read` prints: the last column.
pub fn bodies(arguments: &[&str]) -> Vec<String> {
    let said = said(&[&["read"], arguments].concat());
    said.lines().map(|line| line.rsplit("  ").next().unwrap().to_owned()).collect()
}

pub fn lines(of: ChildStdout) -> impl Iterator<Item = String> {
    BufReader::new(of).lines().map(Result::unwrap)
}
