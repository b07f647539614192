//! `telpher queues`, `inspect` and `purge`.

use std::time::Duration;

use serde_json::{Value, json};
use telpher::{
    Command, Durability, Error, Hub, Name, Outcome, Overflow, Pattern, QueueInfo, offline,
};

use crate::Said;
use crate::arguments::{OneQueue, Queues};
use crate::hub::{Reached, ask, explain, live, not_found, reach, unexpected};
use crate::text::{self, number, size};

/// Lists queues.
pub fn list(options: &Queues) -> Said {
    let queues = reach(&options.hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => all(&hub),
            Reached::Directory(path) => offline::queues(&path),
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let text = match options.json {
        true => {
            let queues: Vec<Value> =
                queues.iter().map(|(name, info)| as_json(name, info)).collect();
            format!("{:#}\n", json!({ "queues": queues }))
        }
        false if queues.is_empty() => "There are no queues.\n".to_owned(),
        false => table(&queues),
    };
    Ok((text, true))
}

/// Every queue of a hub that is hosted.
fn all(hub: &Hub) -> Result<Vec<(Name, QueueInfo)>, Error> {
    let mut queues: Vec<(Name, QueueInfo)> = Vec::new();
    loop {
        let after = queues.last().map(|(name, _)| name.clone());
        match ask(hub, Command::List { after })? {
            Outcome::Queues(more) if more.is_empty() => return Ok(queues),
            Outcome::Queues(more) => queues.extend(more),
            other => return Err(unexpected(&format!("{other:?}"))),
        }
    }
}

fn table(queues: &[(Name, QueueInfo)]) -> String {
    let mut rows = vec![
        ["QUEUE", "READY", "HELD", "DELAYED", "SIZE", "SAFE", "CONSUMERS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let is_damaged = queues.iter().any(|(_, info)| info.damaged > 0);
    if is_damaged {
        rows[0].insert(4, "DAMAGED".to_owned());
    }
    for (name, info) in queues {
        let mut row = vec![
            name.as_str().to_owned(),
            number(info.ready),
            number(info.held),
            number(info.delayed),
            size(info.bytes),
            safe(info.durability).to_owned(),
            number(info.consumers),
        ];
        if is_damaged {
            row.insert(4, number(info.damaged));
        }
        rows.push(row);
    }
    text::table(&rows, text::width())
}

/// Shows one queue.
pub fn inspect(options: &OneQueue) -> Said {
    let OneQueue { hub, queue, json } = options;
    let info = reach(hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => match ask(&hub, Command::Inspect { queue: queue.clone() })? {
                Outcome::Queue(info) => Ok(*info),
                other => Err(unexpected(&format!("{other:?}"))),
            },
            Reached::Directory(path) => offline::queues(&path)?
                .into_iter()
                .find_map(|(name, info)| (name == *queue).then_some(info))
                .ok_or_else(|| not_found(queue)),
        })
        .map_err(|error| explain(&error, hub))?;
    let text = match json {
        true => format!("{:#}\n", as_json(queue, &info)),
        false => described(queue, &info),
    };
    Ok((text, true))
}

fn described(queue: &Name, info: &QueueInfo) -> String {
    let limit = match info.overflow {
        Overflow::Wait => "beyond that senders wait",
        Overflow::Reject => "beyond that sends are refused",
    };
    let messages = info.ready + info.held + info.delayed + info.damaged;
    let mut rows = vec![
        ("queue", queue.as_str().to_owned()),
        ("safe", durability(info.durability).to_owned()),
        ("messages", format!("{} of at most {}", number(messages), number(info.length_max))),
        ("  ready", number(info.ready)),
        ("  held", number(info.held)),
        ("  delayed", number(info.delayed)),
        ("size", format!("{} of at most {}; {limit}", size(info.bytes), size(info.bytes_max))),
        ("consumers", number(info.consumers)),
        ("sends waiting", number(info.sends_waiting)),
        ("so far", format!("{} sent", number(info.sent))),
        (
            "",
            format!(
                "{} acknowledged, {} rejected",
                number(info.acknowledged),
                number(info.rejected)
            ),
        ),
        ("", format!("{} attempts failed", number(info.requeued))),
        ("", format!("{} became dead letters", number(info.dead_lettered))),
        ("attempts", attempts(info)),
        ("deadline", format!("{} to acknowledge", or_none(info.ack_deadline_ms, "any time"))),
        ("time to live", or_none(info.ttl_ms, "without end")),
        ("dead letters", dead_letters(info)),
    ];
    if info.damaged > 0 {
        rows.insert(
            6,
            (
                "  damaged",
                format!("{}, never handed out; a purge removes them", number(info.damaged)),
            ),
        );
    }
    rows.extend(bound(&info.bindings));
    text::list(&rows)
}

/// What is bound, a line each.
pub fn bound(bindings: &[Pattern]) -> impl Iterator<Item = (&'static str, String)> {
    let named =
        |(at, pattern)| (if at == 0 { "bound" } else { "" }, format!("to topics {pattern}"));
    bindings.iter().enumerate().map(named)
}

fn attempts(info: &QueueInfo) -> String {
    let (min, max) = (span(info.backoff_min_ms), span(info.backoff_max_ms));
    format!("at most {}; pauses of {min} up to {max}", number(info.max_attempts.into()))
}

fn dead_letters(info: &QueueInfo) -> String {
    match &info.dead_letter {
        Some(queue) => format!("to {queue}"),
        None => "nowhere: what is rejected is gone".to_owned(),
    }
}

pub fn or_none(ms: u64, none: &str) -> String {
    if ms == 0 { none.to_owned() } else { span(ms) }
}

fn span(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

/// Where a confirmed message is.
pub fn safe(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    }
}

fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory: messages last as long as the host",
        Durability::Os => "os: messages survive the programs",
        Durability::Disk => "disk: messages survive the machine",
    }
}

fn as_json(queue: &Name, info: &QueueInfo) -> Value {
    json!({
        "queue": queue.as_str(),
        "ready": info.ready,
        "held": info.held,
        "delayed": info.delayed,
        "damaged": info.damaged,
        "bytes": info.bytes,
        "sends_waiting": info.sends_waiting,
        "consumers": info.consumers,
        "sent": info.sent,
        "acknowledged": info.acknowledged,
        "rejected": info.rejected,
        "requeued": info.requeued,
        "dead_lettered": info.dead_lettered,
        "length_max": info.length_max,
        "bytes_max": info.bytes_max,
        "overflow": match info.overflow {
            Overflow::Wait => "wait",
            Overflow::Reject => "reject",
        },
        "durability": safe(info.durability),
        "max_attempts": info.max_attempts,
        "backoff_min_ms": info.backoff_min_ms,
        "backoff_max_ms": info.backoff_max_ms,
        "ack_deadline_ms": info.ack_deadline_ms,
        "ttl_ms": info.ttl_ms,
        "dead_letter": info.dead_letter.as_ref().map(Name::as_str),
        "bindings": info.bindings.iter().map(Pattern::as_str).collect::<Vec<_>>(),
    })
}

/// Removes messages.
pub fn purge(options: &OneQueue) -> Said {
    let OneQueue { hub, queue, json } = options;
    let hub = live(hub, "purge")?;
    let purged = ask(&hub, Command::Purge { queue: queue.clone() });
    match purged.map_err(|error| explain(&error, &options.hub))? {
        Outcome::Count(count) if *json => {
            Ok((format!("{:#}\n", json!({ "queue": queue.as_str(), "removed": count })), true))
        }
        Outcome::Count(count) => {
            Ok((format!("{} removed from {queue}\n", text::count(count, "message")), true))
        }
        other => Err(unexpected(&format!("{other:?}")).to_string()),
    }
}
