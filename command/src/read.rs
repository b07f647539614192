//! `telpher read`.

use std::io::{ErrorKind, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, json};
use telpher::{Command, Done, Error, Hub, Kind, Reading, StreamRecord, Timeout, What};

use crate::arguments_streams::{OneStream, Read};
use crate::hub::{explain, live};
use crate::{Said, message, text};

/// Prints records, until there are no more or there were enough of them.
pub fn run(options: &Read) -> Said {
    let hub = live(&options.of.hub, "read")?;
    match print(&hub, options) {
        Ok(()) => Ok((String::new(), true)),
        // Whoever reads no further has seen enough.
        Err(Ended::Unread) => Ok((String::new(), true)),
        Err(Ended::Because(text)) => Err(text),
    }
}

enum Ended {
    Unread,
    Because(String),
}

fn print(hub: &Hub, options: &Read) -> Result<(), Ended> {
    let OneStream { hub: place, stream } = &options.of;
    let because = |error: Error| Ended::Because(explain(&error, place));
    let Read { partition, from: start, follow, .. } = *options;
    let wanted = message::properties(options.key.as_deref(), &options.headers);
    let wanted = wanted.map_err(Ended::Because)?;
    let key = options.key.as_ref().map(|_| wanted.key);
    let headers = wanted.headers;
    let reading = Reading { partition, start, follow, key, headers, ..Reading::default() };
    let command = Command::Read { stream: stream.clone(), reading };
    let reader = hub.start(command, Timeout::Default, Done::Wait).map_err(because)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut left = options.count;
    while left != Some(0) {
        // What is printed is seen at once, unless more of it is there already.
        let event = match hub.wait(reader, Timeout::After(Duration::ZERO)) {
            Err(error) if error.kind() == Kind::Pending => {
                out.flush().map_err(unwritten)?;
                hub.wait(reader, Timeout::Never)
            }
            waited => waited,
        };
        match event.map_err(because)?.what {
            What::Record(record) => {
                let line = if options.json { as_json(&record) } else { shown(&record) };
                writeln!(out, "{line}").map_err(unwritten)?;
                left = left.map(|left| left - 1);
            }
            What::Done(ended) => {
                out.flush().map_err(unwritten)?;
                return ended.map(drop).map_err(because);
            }
            _ if options.follow => eprintln!("telpher: reading {stream}"),
            _ => {}
        }
    }
    out.flush().map_err(unwritten)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn unwritten(error: std::io::Error) -> Ended {
    match error.kind() {
        ErrorKind::BrokenPipe => Ended::Unread,
        _ => Ended::Because(format!("cannot write: {error}")),
    }
}

/// The last moment that can be written as a time, in ms since 1970.
const TIME_MAX_MS: u64 = 253_402_300_799_999;

/// `partition:offset  time  [key]  body`.
fn shown(record: &StreamRecord) -> String {
    // A hub whose clock is beyond the year 9999 is not believed.
    let at = UNIX_EPOCH + Duration::from_millis(record.time_ms.min(TIME_MAX_MS));
    let time = humantime::format_rfc3339_millis(at);
    let mut line = format!("{}:{}  {time}  ", record.partition, record.offset);
    let properties = record.message.properties.as_ref();
    if let Some(key) = properties.map(|properties| &properties.key).filter(|key| !key.is_empty()) {
        line.push_str(&format!("[{}]  ", text::line(key)));
    }
    line.push_str(&text::line(&record.message.body));
    line
}

fn as_json(record: &StreamRecord) -> String {
    let mut object = Map::new();
    object.insert("partition".to_owned(), json!(record.partition));
    object.insert("offset".to_owned(), json!(record.offset));
    object.insert("time_ms".to_owned(), json!(record.time_ms));
    message::describe(&record.message, &mut object);
    json!(object).to_string()
}
