//! `telpher check` and `telpher backup`.

use std::path::Path;

use serde_json::{Value, json};
use telpher::offline::{self, Damage, Report, Segment};

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
    let total = |files: &[Segment]| size(files.iter().map(|file| file.size).sum());
    let (segments, stream_files) = (&report.segments, &report.stream_files);
    let mut rows = Vec::new();
    if let Some(damage) = &report.damage {
        rows.push(("damage", place(damage, path)));
    }
    rows.push(("hub", format!("{}, epoch {}", text::hex(&report.hub_id), report.epoch)));
    rows.push(("host", host(report)));
    let journal = count(segments.len() as u64, "segment");
    rows.push(("journal", format!("{journal}, {}", total(segments))));
    if !stream_files.is_empty() {
        let files = count(stream_files.len() as u64, "stream file");
        rows.push(("", format!("{files}, {}", total(stream_files))));
    }
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
    let mut rows = vec![["FILE", "SIZE", "USED"].map(str::to_owned).to_vec()];
    for file in report.segments.iter().chain(&report.stream_files) {
        let used = match file.used {
            _ if report.damage.is_some() => "?".to_owned(),
            0 => "not yet".to_owned(),
            used => size(used),
        };
        rows.push(vec![file.file.clone(), size(file.size), used]);
    }
    text::table(&rows, text::width())
}

fn place_as_json(damage: &Damage) -> Value {
    json!({ "file": damage.file, "offset": damage.offset, "what": damage.what })
}

fn as_json(report: &Report) -> Value {
    let is_sound = report.damage.is_none();
    let known = |value: u64| if is_sound { json!(value) } else { Value::Null };
    let file = |file: &Segment| {
        let (file, size, used) = (&file.file, file.size, known(file.used));
        json!({ "file": file, "size": size, "used": used })
    };
    let files = |files: &[Segment]| files.iter().map(file).collect::<Vec<_>>();
    json!({
        "sound": is_sound,
        "damage": report.damage.as_ref().map(place_as_json),
        "hub_id": text::hex(&report.hub_id),
        "epoch": report.epoch,
        "host": report.host,
        "closed": report.is_closed,
        "segments": files(&report.segments),
        "stream_files": files(&report.stream_files),
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
