//! `telpher read`.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, json};
use telpher::{Command, Done, Error, Event, Hub, Id, Kind, Reading, StreamRecord, Timeout, What};

use crate::arguments_streams::Read;
use crate::hub::{explain, live};
use crate::member::Member;
use crate::{Said, message, text};

/// Prints records, until there are no more or there were enough of them.
pub fn run(options: &Read) -> Said {
    let hub = live(&options.of.hub, "read")?;
    let printed = Printing::begin(&hub, options).and_then(|mut printing| printing.run());
    match printed {
        // Whoever reads no further has seen enough.
        Ok(()) | Err(Ended::Unread) => Ok((String::new(), true)),
        Err(Ended::Unwritten(error)) => Err(format!("cannot write: {error}")),
        Err(Ended::Wrong(why)) => Err(why),
        Err(Ended::Failed(error)) => Err(explain(&error, &options.of.hub)),
    }
}

/// Why printing has ended early.
enum Ended {
    Unread,
    Unwritten(std::io::Error),
    Wrong(String),
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Ended {
        match error.kind() {
            ErrorKind::BrokenPipe => Ended::Unread,
            _ => Ended::Unwritten(error),
        }
    }
}

/// Records on their way to stdout.
struct Printing<'a> {
    hub: &'a Hub,
    options: &'a Read,
    reader: Id,
    out: BufWriter<StdoutLock<'static>>,
    member: Option<Member<'a>>,
}

impl<'a> Printing<'a> {
    fn begin(hub: &'a Hub, options: &'a Read) -> Result<Printing<'a>, Ended> {
        let Read { partition, follow, .. } = *options;
        let (start, group) = (options.from.unwrap_or_default(), options.group.clone());
        let wanted = message::properties(options.key.as_deref(), &options.headers);
        let wanted = wanted.map_err(Ended::Wrong)?;
        let reading = Reading {
            partition,
            start,
            follow,
            group,
            key: options.key.as_ref().map(|_| wanted.key),
            headers: wanted.headers,
            max_processing_ms: options.max_processing.map_or(0, |time| time.as_millis() as u64),
            ..Reading::default()
        };
        let command =
            Command::Read { stream: options.of.stream.clone(), reading: Box::new(reading) };
        // First it is seen what there is, so that what comes later is known to be later.
        let member = Member::prepare(hub, options)?;
        let reader = hub.start(command, Timeout::Default, Done::Wait)?;
        let out = BufWriter::new(std::io::stdout().lock());
        Ok(Printing { hub, options, reader, out, member })
    }

    fn run(&mut self) -> Result<(), Ended> {
        let mut left = self.options.count;
        while left != Some(0)
            && let Some(event) = self.next()?
        {
            match event.what {
                What::Record(record) if self.is_wanted(&record) => {
                    self.print(&record)?;
                    left = left.map(|left| left - 1);
                }
                What::Skipped { partition, first, last } => {
                    eprintln!(
                        "telpher: partition {partition}: {first} to {last} were removed by the \
                         stream's limits before the group has read them"
                    );
                }
                What::Done(ended) => {
                    self.settle()?;
                    return Ok(ended.map(drop)?);
                }
                What::Started if self.options.follow => {
                    eprintln!("telpher: reading {}", self.options.of.stream);
                }
                _ => {}
            }
        }
        self.settle()
    }

    /// What comes next; before it is waited for, what is printed is seen. `None` if a member has
    /// come to its end.
    fn next(&mut self) -> Result<Option<Event>, Ended> {
        if self.member.as_ref().is_some_and(Member::is_at_end) {
            return Ok(None);
        }
        match self.hub.wait(self.reader, Timeout::After(Duration::ZERO)) {
            Err(error) if error.kind() == Kind::Pending => {}
            waited => return Ok(Some(waited?)),
        }
        self.settle()?;
        match &mut self.member {
            Some(member) => Ok(member.wait(self.reader)?),
            None => Ok(Some(self.hub.wait(self.reader, Timeout::Never)?)),
        }
    }

    fn is_wanted(&self, record: &StreamRecord) -> bool {
        self.member.as_ref().is_none_or(|member| member.wants(record))
    }

    fn print(&mut self, record: &StreamRecord) -> Result<(), Ended> {
        let line = if self.options.json { as_json(record) } else { shown(record) };
        writeln!(self.out, "{line}")?;
        match self.member.as_mut().is_some_and(|member| member.note(record)) {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// What is printed is written, and only then committed.
    fn settle(&mut self) -> Result<(), Ended> {
        self.out.flush()?;
        match &mut self.member {
            Some(member) => Ok(member.commit(self.reader)?),
            None => Ok(()),
        }
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
