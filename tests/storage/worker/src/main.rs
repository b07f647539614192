//! A program that does what it is told, a line at a time, and answers each line with one.
//!
//! ```text
//! open URL MS               ok; each operation has so much time
//! declare QUEUE ATTEMPTS    ok; as safe as `disk`
//! declare QUEUE ATTEMPTS os ok; as safe as `os`
//! send QUEUE ID SIZE        ok
//! many QUEUE FIRST COUNT SIZE   ok, and the ids that were confirmed; sent without waiting between
//! take QUEUE MS             ok and the id of what was received; it is held until it is settled
//! ack|reject|requeue|release ID   ok
//! batch ID QUEUE NEW        ok: acknowledges one and sends another, both or none
//! purge|delete QUEUE        ok
//! inspect QUEUE             ok ready held delayed damaged bytes
//! drain QUEUE MS            ok, and the ids of all that there was
//! close                     ok
//! ```
//! Whatever fails is answered with `error KIND DETAIL`.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use telpher::{
    Command, Delivery, Done, Durability, Error, Hub, Kind, Message, Name, OpenOptions, Outcome,
    Part, QueueOptions, Timeout, Verdict, What,
};

/// What is known between two lines.
#[derive(Default)]
struct Worker {
    hub: Option<Hub>,
    /// Milliseconds for each operation.
    patience_ms: u64,
    /// What is held, by its id.
    held: HashMap<String, Delivery>,
}

fn after(ms: u64) -> Timeout {
    Timeout::After(Duration::from_millis(ms))
}

fn invalid(line: &str) -> Error {
    Error::new(Kind::Invalid, format!("no such order: {line:?}"))
}

fn message(id: &str, size: usize) -> Message {
    Message::new(format!("{id} {}", "x".repeat(size.saturating_sub(id.len() + 1))))
}

/// The id in a body; the whole of it is checked, so that a changed byte is noticed.
fn id_of(delivery: &Delivery) -> String {
    let body = String::from_utf8_lossy(&delivery.message.body);
    match body.split_once(' ') {
        Some((id, rest)) if rest.bytes().all(|byte| byte == b'x') => id.to_owned(),
        _ => format!("DAMAGED:{body:.40}"),
    }
}

impl Worker {
    fn hub(&self) -> Result<&Hub, Error> {
        self.hub.as_ref().ok_or_else(|| Error::new(Kind::Closed, "nothing is open"))
    }

    fn start(&self, command: Command, ms: u64) -> Result<u64, Error> {
        self.hub()?.start(command, after(ms), Done::Wait)
    }

    fn finish(&self, id: u64) -> Result<Outcome, Error> {
        match self.hub()?.wait(id, after(10 * self.patience_ms))?.what {
            What::Done(ended) => ended,
            other => Err(Error::new(Kind::Protocol, format!("not an end: {other:?}"))),
        }
    }

    fn run(&self, command: Command, ms: u64) -> Result<Outcome, Error> {
        self.finish(self.start(command, ms)?)
    }

    fn obey(&mut self, line: &str) -> Result<String, Error> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<usize>().map_err(|_| invalid(line));
        match words[..] {
            ["open", url, ms] => self.open(url, number(ms)? as u64)?,
            ["declare", queue, attempts, ref safety @ ..] => {
                let is_os = safety == ["os"];
                let durability = Some(if is_os { Durability::Os } else { Durability::Disk });
                let max_attempts = number(attempts)? as u32;
                let backoff_min_ms = 1;
                let plain = QueueOptions::default();
                let options = QueueOptions { durability, max_attempts, backoff_min_ms, ..plain };
                self.run(
                    Command::Declare { queue: Name::parse(queue)?, options },
                    self.patience_ms,
                )?;
            }
            ["send", queue, id, size] => {
                let (queue, message) = (Name::parse(queue)?, message(id, number(size)?));
                self.run(Command::Send { queue, message }, self.patience_ms)?;
            }
            ["many", queue, first, count, size] => {
                return self.many(queue, (number(first)?, number(count)?), number(size)?);
            }
            ["take", queue, ms] => return self.take(queue, number(ms)? as u64),
            [verdict @ ("ack" | "reject" | "requeue" | "release"), id] => {
                self.settle(id, verdict)?
            }
            ["batch", id, queue, new] => self.batch(id, queue, new)?,
            ["purge", queue] => {
                self.run(Command::Purge { queue: Name::parse(queue)? }, self.patience_ms)?;
            }
            ["delete", queue] => {
                self.run(Command::Delete { queue: Name::parse(queue)? }, self.patience_ms)?;
            }
            ["inspect", queue] => return self.inspect(queue),
            ["drain", queue, ms] => return self.drain(queue, number(ms)? as u64),
            ["close"] => {
                if let Some(hub) = self.hub.take() {
                    hub.close(after(self.patience_ms))?;
                }
            }
            _ => return Err(invalid(line)),
        }
        Ok(String::new())
    }

    fn open(&mut self, url: &str, ms: u64) -> Result<(), Error> {
        self.patience_ms = ms;
        let options = OpenOptions { timeout: after(ms), ..OpenOptions::default() };
        self.hub = Some(telpher::sugar::open_with(url, options)?);
        Ok(())
    }

    fn many(
        &self,
        queue: &str,
        (first, count): (usize, usize),
        size: usize,
    ) -> Result<String, Error> {
        let mut started = Vec::new();
        for number in first..first + count {
            let (queue, message) = (Name::parse(queue)?, message(&format!("m{number}"), size));
            started.push((number, self.start(Command::Send { queue, message }, self.patience_ms)?));
        }
        let ended = started.into_iter().map(|(number, id)| (number, self.finish(id)));
        let confirmed = ended.filter(|(_, ended)| ended.is_ok());
        Ok(confirmed.map(|(number, _)| format!(" m{number}")).collect())
    }

    fn receive(&self, queue: &str, ms: u64) -> Result<Delivery, Error> {
        match self.run(Command::Receive { queue: Name::parse(queue)? }, ms)? {
            Outcome::Delivery(delivery) => Ok(delivery),
            other => Err(Error::new(Kind::Protocol, format!("no delivery: {other:?}"))),
        }
    }

    fn take(&mut self, queue: &str, ms: u64) -> Result<String, Error> {
        let delivery = self.receive(queue, ms)?;
        let id = id_of(&delivery);
        self.held.insert(id.clone(), delivery);
        Ok(format!(" {id}"))
    }

    fn held(&mut self, id: &str) -> Result<Delivery, Error> {
        self.held.remove(id).ok_or_else(|| invalid(id))
    }

    fn settle(&mut self, id: &str, verdict: &str) -> Result<(), Error> {
        let delivery = self.held.get(id).ok_or_else(|| invalid(id))?.token;
        let (verdict, reason) = match verdict {
            "ack" => (Verdict::Acknowledge, String::new()),
            "reject" => (Verdict::Reject, String::from("told to")),
            "release" => (Verdict::Release, String::new()),
            _ => (Verdict::Requeue, String::from("told to")),
        };
        self.run(Command::Settle { delivery, verdict, reason }, self.patience_ms)?;
        self.held.remove(id);
        Ok(())
    }

    fn batch(&mut self, id: &str, queue: &str, new: &str) -> Result<(), Error> {
        let delivery = self.held(id)?.token;
        let (verdict, reason) = (Verdict::Acknowledge, String::new());
        let send = Part::Send { queue: Name::parse(queue)?, message: message(new, 50) };
        let parts = vec![send, Part::Settle { delivery, verdict, reason }];
        self.run(Command::Batch { parts }, self.patience_ms).map(drop)
    }

    fn inspect(&self, queue: &str) -> Result<String, Error> {
        match self.run(Command::Inspect { queue: Name::parse(queue)? }, self.patience_ms)? {
            Outcome::Queue(info) => Ok(format!(
                " {} {} {} {} {}",
                info.ready, info.held, info.delayed, info.damaged, info.bytes
            )),
            other => Err(Error::new(Kind::Protocol, format!("no figures: {other:?}"))),
        }
    }

    /// Until nothing is left that will ever come.
    fn drain(&mut self, queue: &str, ms: u64) -> Result<String, Error> {
        let mut found = String::new();
        loop {
            match self.receive(queue, ms) {
                Ok(delivery) => {
                    let id = id_of(&delivery);
                    self.held.insert(id.clone(), delivery);
                    self.settle(&id, "ack")?;
                    found.push_str(&format!(" {id}"));
                }
                Err(error) if error.kind() == Kind::Expired => {
                    let left = self.inspect(queue)?;
                    if left.starts_with(" 0 0 0 ") {
                        return Ok(found);
                    }
                }
                // A busy machine: nobody has said that there is nothing.
                Err(error) if error.kind() == Kind::HostUnresponsive => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn main() {
    let mut worker = Worker::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let answer = match worker.obey(&line) {
            Ok(result) => format!("ok{result}"),
            Err(error) => {
                let detail = error.detail().replace('\n', " ");
                format!("error {} {detail}", error.kind().name())
            }
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
