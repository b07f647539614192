//! What the peer does with streams and reader groups.

use std::collections::HashMap;

use telpher::{
    Command, Done, Hub, Id, Message, Name, Part, Reading, Stream, StreamOptions, StreamRecord,
    Timeout, What,
};

use crate::{Failure, TIMEOUT, input_closed, outcome, start, text};

/// Keys in turns: the same ones in every language.
const KEYS: usize = 16;

/// A stream, and one for what is made of its records.
pub fn declare(hub: &Hub, name: &Name) -> Result<(), Failure> {
    for name in [name.clone(), done(name)?] {
        let options = StreamOptions { partitions: 4, ..StreamOptions::default() };
        hub.stream(name.as_str()).map_err(text)?.declare(options).map_err(text)?;
    }
    Ok(())
}

fn done(name: &Name) -> Result<Name, Failure> {
    Name::parse(&format!("{name}.done")).map_err(text)
}

fn records(stream: &Stream) -> Result<usize, Failure> {
    let info = stream.inspect().map_err(text)?;
    Ok(info.partitions.iter().map(|partition| partition.next as usize).sum())
}

fn numbered(number: usize) -> Message {
    let mut message = Message::new(format!("message-{number}"));
    message.properties_mut().key = format!("key-{}", number % KEYS).into();
    message
}

/// Starts all before it waits for the first.
pub fn append(hub: &Hub, name: &Name, count: usize) -> Result<(), Failure> {
    let stream = hub.stream(name.as_str()).map_err(text)?;
    let first = records(&stream)?;
    let started = (first..first + count).map(|number| stream.start_append(numbered(number)));
    let started: Vec<_> = started.collect::<Result<_, _>>().map_err(text)?;
    started.into_iter().try_for_each(|pending| pending.wait().map(drop).map_err(text))
}

/// Binds the stream to topics and publishes to these; starts all before it waits for the first.
pub fn feed(hub: &Hub, name: &Name, count: usize) -> Result<(), Failure> {
    hub.stream(name.as_str()).map_err(text)?.bind(&format!("{name}.*")).map_err(text)?;
    let mut ids = Vec::new();
    for number in 0..count {
        let topic = Name::parse(&format!("{name}.{number}")).map_err(text)?;
        ids.push(start(hub, &Command::Publish { topic, message: numbered(number) })?);
    }
    ids.into_iter().try_for_each(|id| outcome(hub, id).map(drop))
}

/// Offsets have no hole, and each key is in one partition, in order. What was published says so.
pub fn read(hub: &Hub, name: &Name, count: usize, is_fed: bool) -> Result<(), Failure> {
    let stream = hub.stream(name.as_str()).map_err(text)?;
    let reader = stream.read(Reading { follow: true, ..Reading::default() }).map_err(text)?;
    println!("ready");
    let mut offsets: HashMap<u32, u64> = HashMap::new();
    let mut keys: HashMap<usize, (u32, usize)> = HashMap::new();
    for _ in 0..count {
        let record = reader.receive(TIMEOUT).map_err(text)?.ok_or("it has no end")?;
        let (partition, body) = (record.partition, String::from_utf8_lossy(&record.message.body));
        let number = body.strip_prefix("message-").and_then(|number| number.parse().ok());
        let number: usize = number.ok_or_else(|| format!("{body:?} came"))?;
        let offset = offsets.entry(partition).or_default();
        let of_key = keys.entry(number % KEYS).or_insert((partition, number % KEYS));
        let key = |message: &Message| message.properties.as_ref().map(|found| found.key.clone());
        if (record.offset, partition, number) != (*offset, of_key.0, of_key.1)
            || key(&record.message) != key(&numbered(number))
        {
            return Err(format!("expected offset {offset} and {of_key:?}, got {record:?}"));
        }
        let headers = record.message.properties.as_ref().map(|found| &found.headers);
        let topic = headers.and_then(|headers| headers.get("telpher.topic"));
        let wanted = is_fed.then(|| format!("{name}.{number}"));
        if topic != wanted.as_ref().map(String::as_bytes) {
            return Err(format!("expected topic {wanted:?}, got {record:?}"));
        }
        *offset += 1;
        of_key.1 += KEYS;
    }
    match records(&stream)? {
        found if found == count => Ok(()),
        found => Err(format!("the stream has {found} records, not {count}")),
    }
}

/// Appends a record for each that it gets, in one batch with its commit, until its standard input
/// closes.
pub fn member(hub: &Hub, name: Name) -> Result<(), Failure> {
    let done = done(&name)?;
    let group = Some(Name::parse("members").map_err(text)?);
    let reading = Reading { group, ..Reading::default() };
    let command = Command::Read { stream: name, reading: Box::new(reading) };
    let reader = hub.start(command, Timeout::Never, Done::Wait).map_err(text)?;
    let mut handled = 0;
    loop {
        match hub.wait(reader, Timeout::Never).map_err(text)?.what {
            What::Started => {
                println!("ready");
                let hub = hub.clone();
                std::thread::spawn(move || input_closed().map(|()| hub.detach(reader)));
            }
            What::Record(record) => {
                handle(hub, reader, record, &done)?;
                handled += 1;
            }
            What::Done(_) if handled > 0 => return Ok(()),
            other => return Err(format!("expected a record, got {other:?}")),
        }
    }
}

fn handle(hub: &Hub, reader: Id, record: StreamRecord, done: &Name) -> Result<(), Failure> {
    let StreamRecord { partition, offset, generation, message, .. } = record;
    let stream = done.clone();
    let parts = vec![
        Part::Append { stream, message, partition: None, expect: None },
        Part::Commit { reader, partition, generation, next: offset + 1 },
    ];
    let id = start(hub, &Command::Batch { parts })?;
    outcome(hub, id).map(drop)
}
