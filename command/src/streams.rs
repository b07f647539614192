//! `telpher streams`, `declare-stream` and `delete-stream`.

use serde_json::{Value, json};
use std::time::Duration;

use telpher::{
    Command, Compression, Durability, Error, Hub, Kind, Name, Outcome, PartitionInfo, Pattern,
    StreamInfo, StreamOptions, offline,
};

use crate::Said;
use crate::arguments_streams::{DeclareStream, OneStream, Streams};
use crate::hub::{Reached, ask, explain, live, reach, unexpected};
use crate::queues::{bound, or_none, safe};
use crate::text::{self, count, number, size};

/// Lists streams, or shows one of them.
pub fn list(options: &Streams) -> Said {
    match &options.stream {
        Some(stream) => one(options, stream),
        None => all(options),
    }
}

fn all(options: &Streams) -> Said {
    let streams = reach(&options.hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => every(&hub),
            Reached::Directory(path) => offline::streams(&path),
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let text = match options.json {
        true => {
            let streams: Vec<Value> =
                streams.iter().map(|(name, info)| as_json(name, info)).collect();
            format!("{:#}\n", json!({ "streams": streams }))
        }
        false if streams.is_empty() => "There are no streams.\n".to_owned(),
        false => table(&streams),
    };
    Ok((text, true))
}

/// Every stream of a hub that is hosted.
pub fn every(hub: &Hub) -> Result<Vec<(Name, StreamInfo)>, Error> {
    let mut streams: Vec<(Name, StreamInfo)> = Vec::new();
    loop {
        let after = streams.last().map(|(name, _)| name.clone());
        match ask(hub, Command::ListStreams { after })? {
            Outcome::Streams(more) if more.is_empty() => return Ok(streams),
            Outcome::Streams(more) => streams.extend(more),
            other => return Err(unexpected(&format!("{other:?}"))),
        }
    }
}

fn one(options: &Streams, stream: &Name) -> Said {
    let info = reach(&options.hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => {
                match ask(&hub, Command::InspectStream { stream: stream.clone() })? {
                    Outcome::Stream(info) => Ok(*info),
                    other => Err(unexpected(&format!("{other:?}"))),
                }
            }
            Reached::Directory(path) => offline::streams(&path)?
                .into_iter()
                .find_map(|(name, info)| (name == *stream).then_some(info))
                .ok_or_else(|| not_found(stream)),
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let text = match options.json {
        true => format!("{:#}\n", as_json(stream, &info)),
        false => described(stream, &info),
    };
    Ok((text, true))
}

pub fn not_found(stream: &Name) -> Error {
    Error::new(Kind::NotFound, format!("no stream is named {stream:?}"))
}

/// Offsets that a partition keeps.
fn kept(partition: &PartitionInfo) -> u64 {
    partition.next - partition.first
}

fn records(info: &StreamInfo) -> u64 {
    info.partitions.iter().map(kept).sum()
}

fn bytes(info: &StreamInfo) -> u64 {
    info.partitions.iter().map(|partition| partition.bytes).sum()
}

fn durability(info: &StreamInfo) -> Durability {
    info.options.durability.unwrap_or(Durability::Disk)
}

fn table(streams: &[(Name, StreamInfo)]) -> String {
    let mut rows =
        vec![["STREAM", "PARTITIONS", "RECORDS", "SIZE", "SAFE"].map(str::to_owned).to_vec()];
    rows.extend(streams.iter().map(|(name, info)| {
        vec![
            name.as_str().to_owned(),
            number(info.partitions.len() as u64),
            number(records(info)),
            size(bytes(info)),
            safe(durability(info)).to_owned(),
        ]
    }));
    text::table(&rows, text::width())
}

fn described(stream: &Name, info: &StreamInfo) -> String {
    let options = &info.options;
    let most = match options.records_max {
        0 => "any number".to_owned(),
        most => format!("at most {}", number(most)),
    };
    let safety = match durability(info) {
        Durability::Memory => "memory: records last as long as the host",
        Durability::Os => "os: records survive the programs",
        Durability::Disk => "disk: records survive the machine",
    };
    let held = format!("{}, {}", count(records(info), "record"), size(bytes(info)));
    let mut rows = vec![
        ("stream", stream.as_str().to_owned()),
        ("safe", safety.to_owned()),
        ("content", held),
        ("each partition", format!("at most {}", size(options.bytes_max))),
        ("", format!("{most} of records")),
        ("", format!("records kept {}", or_none(options.age_max_ms, "at any age"))),
    ];
    if options.compact {
        let tombstones = or_none(options.tombstone_age_ms, "for ever");
        rows.push(("keys", format!("the latest record of each; empty ones go after {tombstones}")));
    }
    if let Some(compression) = options.compression {
        rows.push(("packed", compression.name().to_owned()));
    }
    if options.keep_unread {
        rows.push(("unread", "stays until every reader group has read it".to_owned()));
    }
    rows.extend(bound(&info.bindings));
    let mut text = text::list(&rows);
    let mut rows =
        vec![["PARTITION", "FIRST", "NEXT", "RECORDS", "SIZE"].map(str::to_owned).to_vec()];
    rows.extend(info.partitions.iter().zip(0..).map(|(partition, at): (_, u64)| {
        vec![
            number(at),
            partition.first.to_string(),
            partition.next.to_string(),
            number(kept(partition)),
            size(partition.bytes),
        ]
    }));
    text.push('\n');
    text.push_str(&text::table(&rows, text::width()));
    text
}

fn as_json(stream: &Name, info: &StreamInfo) -> Value {
    let options = &info.options;
    let partitions = info.partitions.iter().map(|partition| {
        json!({ "first": partition.first, "next": partition.next, "bytes": partition.bytes })
    });
    json!({
        "stream": stream.as_str(),
        "partitions": partitions.collect::<Vec<_>>(),
        "bytes": bytes(info),
        "durability": safe(durability(info)),
        "age_max_ms": options.age_max_ms,
        "bytes_max": options.bytes_max,
        "records_max": options.records_max,
        "compact": options.compact,
        "tombstone_age_ms": options.tombstone_age_ms,
        "keep_unread": options.keep_unread,
        "compression": options.compression.map(Compression::name),
        "bindings": info.bindings.iter().map(Pattern::as_str).collect::<Vec<_>>(),
    })
}

/// Makes a stream.
pub fn declare(options: &DeclareStream) -> Said {
    let OneStream { hub, stream } = &options.of;
    let ms = |time: Option<Duration>| {
        time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let stated = StreamOptions {
        partitions: options.partitions,
        durability: options.durability.map(Durability::from),
        age_max_ms: ms(options.age_max),
        bytes_max: options.bytes_max.unwrap_or(0),
        records_max: options.records_max.unwrap_or(0),
        compact: options.compact,
        tombstone_age_ms: ms(options.tombstone_age),
        keep_unread: options.keep_unread,
        compression: options.compression.map(Compression::from),
    };
    let live = live(hub, "declare-stream")?;
    let command = Command::DeclareStream { stream: stream.clone(), options: stated };
    ask(&live, command).map_err(|error| error.to_string())?;
    Ok((String::new(), true))
}

/// Removes a stream.
pub fn delete(options: &OneStream) -> Said {
    let OneStream { hub, stream } = options;
    let live = live(hub, "delete-stream")?;
    let command = Command::DeleteStream { stream: stream.clone() };
    ask(&live, command).map_err(|error| explain(&error, hub))?;
    Ok((String::new(), true))
}
