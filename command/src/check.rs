//! `telpher check` and `telpher backup`.

use std::path::Path;

use serde_json::{Value, json};
use telpher::offline::{self, Damage, Report};

use crate::Said;
use crate::arguments::{Backup, Check};
use crate::text::{self, count, number, size};

/// Verifies a directory.
pub fn check(options: &Check) -> Said {
    let path = &options.directory;
    let report = offline::check(path).map_err(|error| error.to_string())?;
    let text = match options.json {
        true => format!("{:#}\n", as_json(&report)),
        false => {
            let verdict = if report.damage.is_some() { "DAMAGED" } else { "sound" };
            format!("{}: {verdict}\n\n{}", path.display(), described(&report, path))
        }
    };
    Ok((text, report.damage.is_none()))
}

/// Copies a hub.
pub fn backup(options: &Backup) -> Said {
    let (path, target) = (&options.directory, &options.target);
    let report = offline::backup(path, target)
        .map_err(|error| crate::hub::explain(&error, &path.display().to_string()))?;
    let text = match options.json {
        true => format!("{:#}\n", as_json(&report)),
        false => {
            let (from, to) = (path.display(), target.display());
            format!("{from} copied to {to}, and verified\n\n{}", described(&report, target))
        }
    };
    Ok((text, true))
}

fn described(report: &Report, path: &Path) -> String {
    let segments = &report.segments;
    let total: u64 = segments.iter().map(|segment| segment.size).sum();
    let mut rows = Vec::new();
    if let Some(damage) = &report.damage {
        rows.push(("damage", place(damage, path)));
    }
    rows.push(("hub", format!("{}, epoch {}", text::hex(&report.hub_id), report.epoch)));
    rows.push(("host", host(report)));
    rows.push(("journal", format!("{}, {}", count(segments.len() as u64, "segment"), size(total))));
    if report.damage.is_none() {
        let (last, durable) = (number(report.last), number(report.durable));
        let records = number(report.records);
        rows.push(("records", format!("{records}, the last is {last}, durable up to {durable}")));
        let messages = count(report.messages, "message");
        let queues = count(report.queues, "queue");
        rows.push(("content", format!("{queues} with {messages}, {}", size(report.bytes))));
        if report.streams > 0 {
            let streams = count(report.streams, "stream");
            let records = count(report.stream_records, "record");
            rows.push(("", format!("{streams} with {records}, {}", size(report.stream_bytes))));
        }
    }
    if let Some(torn) = report.torn.as_ref().filter(|_| report.host.is_none()) {
        rows.push(("torn tail", place(torn, path)));
        rows.push(("", "never confirmed; the next host passes it over".to_owned()));
    }
    let mut text = text::list(&rows);
    if !segments.is_empty() {
        text.push('\n');
        text.push_str(&table(report));
    }
    text
}

fn place(damage: &Damage, path: &Path) -> String {
    let Damage { file, offset, what } = damage;
    format!("{} at offset {offset}: {what}", path.join(file).display())
}

fn host(report: &Report) -> String {
    match report.host {
        Some(0) => "a process that has just begun".to_owned(),
        Some(process) => format!("process {process}"),
        None if report.damage.is_some() => "nobody".to_owned(),
        None if report.is_closed => "nobody; the last one ended by itself".to_owned(),
        None if report.epoch == 0 => "nobody, never yet".to_owned(),
        None => "nobody; the last one was killed, or this is a copy".to_owned(),
    }
}

fn table(report: &Report) -> String {
    let mut rows = vec![["SEGMENT", "SIZE", "USED"].map(str::to_owned).to_vec()];
    for segment in &report.segments {
        let used = match segment.used {
            _ if report.damage.is_some() => "?".to_owned(),
            0 => "not yet".to_owned(),
            used => size(used),
        };
        rows.push(vec![segment.file.clone(), size(segment.size), used]);
    }
    text::table(&rows, text::width())
}

fn place_as_json(damage: &Damage) -> Value {
    json!({ "file": damage.file, "offset": damage.offset, "what": damage.what })
}

fn as_json(report: &Report) -> Value {
    let is_sound = report.damage.is_none();
    let known = |value: u64| if is_sound { json!(value) } else { Value::Null };
    let segments = report.segments.iter().map(|segment| {
        json!({ "file": segment.file, "size": segment.size, "used": known(segment.used) })
    });
    json!({
        "sound": is_sound,
        "damage": report.damage.as_ref().map(place_as_json),
        "hub_id": text::hex(&report.hub_id),
        "epoch": report.epoch,
        "host": report.host,
        "closed": report.is_closed,
        "segments": segments.collect::<Vec<_>>(),
        "records": known(report.records),
        "last": known(report.last),
        "durable": known(report.durable),
        "torn": report.torn.as_ref().map(place_as_json),
        "queues": known(report.queues),
        "messages": known(report.messages),
        "bytes": known(report.bytes),
        "streams": known(report.streams),
        "stream_records": known(report.stream_records),
        "stream_bytes": known(report.stream_bytes),
    })
}
