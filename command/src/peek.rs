//! `telpher peek`: messages that wait, as a person or a program can read them.

use serde_json::{Map, Value, json};
use telpher::{Command, Outcome, Peeked, offline};

use crate::Said;
use crate::arguments::{OneQueue, Peek};
use crate::hub::{Reached, ask, explain, reach, unexpected};
use crate::{message, text};

/// Shows messages.
pub fn run(options: &Peek) -> Said {
    let (OneQueue { hub, queue, json }, count) = (&options.of, options.count);
    let peeked = reach(hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => match ask(&hub, Command::Peek { queue: queue.clone(), count })? {
                Outcome::Peeked(peeked) => Ok(peeked),
                other => Err(unexpected(&format!("{other:?}"))),
            },
            Reached::Directory(path) => offline::peek(&path, queue, count),
        })
        .map_err(|error| explain(&error, hub))?;
    let text = match json {
        true => {
            let messages: Vec<Value> = peeked.iter().map(as_json).collect();
            format!("{:#}\n", json!({ "queue": queue.as_str(), "messages": messages }))
        }
        false if peeked.is_empty() => format!("No message waits in {queue}.\n"),
        false => {
            let width = text::width();
            peeked.iter().map(|message| described(message, width)).collect::<Vec<_>>().join("\n")
        }
    };
    Ok((text, true))
}

fn described(peeked: &Peeked, width: usize) -> String {
    let mut first = vec![format!("message {}", peeked.message_id)];
    if peeked.failures > 0 {
        first.push(text::count(peeked.failures.into(), "failure"));
    }
    if peeked.redelivered {
        first.push("redelivered".to_owned());
    }
    let mut lines = Vec::new();
    if let Some(properties) = &peeked.message.properties {
        if properties.priority > 0 {
            first.push(format!("priority {}", properties.priority));
        }
        if !properties.key.is_empty() {
            lines.push(format!("  key: {}", text::line(&properties.key)));
        }
        for (name, value) in properties.headers.iter() {
            lines.extend(header(name, value));
        }
    }
    lines.insert(0, first.join(", "));
    let body = &peeked.message.body;
    lines.push(match body.len() {
        0 => "  no body".to_owned(),
        size => format!("  body, {}: {}", text::size(size as u64), text::line(body)),
    });
    lines.iter().map(|line| text::cut(line, width) + "\n").collect()
}

/// A header; one of several lines, as the history of a dead letter is, has each on its own.
fn header(name: &str, value: &[u8]) -> Vec<String> {
    let shown = text::line(name.as_bytes());
    let is_history = name == "telpher.history" && !value.is_empty();
    match std::str::from_utf8(value) {
        Ok(value) if is_history => {
            let lines = value.lines().map(|line| format!("    {}", text::line(line.as_bytes())));
            std::iter::once(format!("  {shown}:")).chain(lines).collect()
        }
        _ => vec![format!("  {shown}: {}", text::line(value))],
    }
}

fn as_json(peeked: &Peeked) -> Value {
    let mut object = Map::new();
    // A number of 64 bits would lose its end in many programs that read JSON.
    object.insert("message_id".to_owned(), json!(peeked.message_id.to_string()));
    object.insert("failures".to_owned(), json!(peeked.failures));
    object.insert("redelivered".to_owned(), json!(peeked.redelivered));
    message::describe(&peeked.message, &mut object);
    Value::Object(object)
}
