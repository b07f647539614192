//! `telpher append`.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use serde_json::json;
use telpher::limits::BODY_SIZE_MAX;
use telpher::{Appended, Command, Error, Kind, Outcome, Pending, Stream};

use crate::Said;
use crate::arguments_streams::{Append, OneStream};
use crate::hub::{ask, explain, live, unexpected};
use crate::queues::safe;
use crate::{message, text};

/// Appends that may be on their way: below what a handle allows, so that it is never full of them.
const IN_FLIGHT: usize = 512;

/// Appends one record, or lines.
pub fn run(options: &Append) -> Said {
    if options.lines {
        return lines(options);
    }
    let Append { to: OneStream { hub, stream }, body, key, headers, partition, expect, .. } =
        options;
    let message = message::of(body.as_deref(), key.as_deref(), headers)?;
    let live = live(hub, "append")?;
    let (partition, expect, stream) = (*partition, *expect, stream.clone());
    let command = Command::Append { stream, message, partition, expect };
    match ask(&live, command).map_err(|error| advise(&error, options))? {
        Outcome::Appended(appended) => Ok((described(&appended, options.json), true)),
        other => Err(unexpected(&format!("{other:?}")).to_string()),
    }
}

fn advise(error: &Error, options: &Append) -> String {
    let OneStream { hub, stream } = &options.to;
    match error.kind() {
        Kind::NotFound => format!("{error}; telpher declare-stream {hub} {stream} makes it"),
        _ => explain(error, hub),
    }
}

fn described(appended: &Appended, json: bool) -> String {
    let Appended { partition, offset, durability } = *appended;
    match json {
        true => {
            let safe = safe(durability);
            let said = json!({ "partition": partition, "offset": offset, "durability": safe });
            format!("{said}\n")
        }
        false => format!("partition {partition}, offset {offset}\n"),
    }
}

/// Lines on their way.
struct Lines<'a> {
    options: &'a Append,
    stream: Stream,
    on_their_way: VecDeque<Pending<Appended>>,
    appended: u64,
}

fn lines(options: &Append) -> Said {
    let OneStream { hub, stream } = &options.to;
    let properties = message::properties(options.key.as_deref(), &options.headers)?;
    let live = live(hub, "append")?;
    let stream = live.stream(stream.as_str()).map_err(|error| error.to_string())?;
    let mut lines = Lines { options, stream, on_their_way: VecDeque::new(), appended: 0 };
    let mut stdin = std::io::stdin().lock();
    while let Some(line) = next_line(&mut stdin).map_err(|error| lines.stopped(&error))? {
        let message = message::with(line, properties.clone());
        let started = lines.stream.start_append_at(message, options.partition, None);
        let started = started.map_err(|error| lines.stopped(&advise(&error, options)))?;
        lines.on_their_way.push_back(started);
        lines.settle(IN_FLIGHT)?;
    }
    lines.settle(0)?;
    let Lines { appended, options, .. } = lines;
    let text = match options.json {
        true => format!("{}\n", json!({ "appended": appended })),
        false => format!("{} appended to {}\n", text::count(appended, "record"), options.to.stream),
    };
    Ok((text, true))
}

impl Lines<'_> {
    /// Waits until so many are left on their way.
    fn settle(&mut self, left: usize) -> Result<(), String> {
        while self.on_their_way.len() > left
            && let Some(first) = self.on_their_way.pop_front()
        {
            match first.wait() {
                Ok(_) => self.appended += 1,
                Err(error) => return Err(self.stopped(&advise(&error, self.options))),
            }
        }
        Ok(())
    }

    /// Why no more lines are appended, and how many were: those on their way are waited for.
    fn stopped(&mut self, why: &str) -> String {
        for pending in self.on_their_way.drain(..) {
            self.appended += u64::from(pending.wait().is_ok());
        }
        format!("{why}; {} appended before", text::count(self.appended, "record"))
    }
}

/// The next line, without its end; no more of it is taken in than a record may have.
fn next_line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    // One byte for its end, and one to see that it is too long.
    let read = from.take(BODY_SIZE_MAX as u64 + 2).read_until(b'\n', &mut line);
    let size = read.map_err(|error| format!("cannot read from stdin: {error}"))?;
    line.pop_if(|byte| *byte == b'\n');
    if line.len() > BODY_SIZE_MAX {
        return Err(format!(
            "TOO_LARGE: a line has over {BODY_SIZE_MAX} bytes, the most a body has"
        ));
    }
    Ok((size > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_its_end_or_that_of_the_input_and_is_never_too_long() {
        let mut input: &[u8] = b"one\n\nlast";
        let mut next = || next_line(&mut input).unwrap();
        assert_eq!(next(), Some(b"one".to_vec()));
        assert_eq!(next(), Some(Vec::new()));
        assert_eq!(next(), Some(b"last".to_vec()));
        assert_eq!(next(), None);
        let mut largest = vec![b'x'; BODY_SIZE_MAX];
        assert_eq!(next_line(&mut &largest[..]).unwrap().unwrap().len(), BODY_SIZE_MAX);
        largest.push(b'\n');
        assert_eq!(next_line(&mut &largest[..]).unwrap().unwrap().len(), BODY_SIZE_MAX);
        largest.insert(0, b'x');
        let refused = next_line(&mut &largest[..]).map(|_| "taken").unwrap_err();
        assert!(refused.contains("8388608"));
    }
}
