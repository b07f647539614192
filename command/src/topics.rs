//! `telpher publish`, `subscribe`, `bind` and `unbind`.

use std::io::{ErrorKind, Write};

use serde_json::{Map, json};
use telpher::{Command, Hub, SubscribeOptions, Target, Timeout, TopicMessage};

use crate::arguments::{Binding, Publish, Subscribe};
use crate::hub::{ask, live};
use crate::{Said, message, text};

/// Publishes one message.
pub fn publish(options: &Publish) -> Said {
    let Publish { body, key, headers, .. } = options;
    let message = message::of(body.as_deref(), key.as_deref(), headers)?;
    let hub = live(&options.hub, "publish")?;
    let command = Command::Publish { topic: options.topic.clone(), message };
    ask(&hub, command).map_err(|error| error.to_string())?;
    Ok((String::new(), true))
}

/// Binds a pattern to a queue or a stream.
pub fn bind(options: &Binding) -> Said {
    let hub = live(&options.hub, "bind")?;
    let (pattern, target) = (options.pattern.clone(), target(options));
    ask(&hub, Command::Bind { pattern, target }).map_err(|error| error.to_string())?;
    Ok((String::new(), true))
}

/// Ends a binding.
pub fn unbind(options: &Binding) -> Said {
    let hub = live(&options.hub, "unbind")?;
    let (pattern, target) = (options.pattern.clone(), target(options));
    ask(&hub, Command::Unbind { pattern, target }).map_err(|error| error.to_string())?;
    Ok((String::new(), true))
}

fn target(options: &Binding) -> Target {
    let name = options.name.clone();
    if options.stream { Target::Stream(name) } else { Target::Queue(name) }
}

/// Prints messages as they come, until there were enough of them.
pub fn subscribe(options: &Subscribe) -> Said {
    let hub = live(&options.hub, "subscribe")?;
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

fn print(hub: &Hub, options: &Subscribe) -> Result<(), Ended> {
    let because = |error: telpher::Error| Ended::Because(error.to_string());
    let pattern = options.pattern.as_str();
    let instance_name = options.instance_name.clone();
    let how = SubscribeOptions { instance_name, ..SubscribeOptions::default() };
    let subscriber = hub.subscribe_with(pattern, how).map_err(because)?;
    eprintln!("telpher: subscribed to {pattern}");
    let mut out = std::io::stdout().lock();
    let mut left = options.count;
    while left != Some(0) {
        let Some(message) = subscriber.receive(Timeout::Never).map_err(because)? else {
            return Err(Ended::Because("the hub has ended".to_owned()));
        };
        if message.lost > 0 {
            let lost = text::count(message.lost, "message");
            eprintln!("telpher: {lost} lost: this program was too slow, or its connection broke");
        }
        let line = if options.json { as_json(&message) } else { shown(&message) };
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Ended::Unread,
            _ => Ended::Because(format!("cannot write: {error}")),
        })?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

fn shown(message: &TopicMessage) -> String {
    format!("{}  {}", message.topic, text::line(&message.message.body))
}

fn as_json(of: &TopicMessage) -> String {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(of.topic.as_str()));
    object.insert("number".to_owned(), json!(of.number));
    object.insert("lost".to_owned(), json!(of.lost));
    message::describe(&of.message, &mut object);
    json!(object).to_string()
}
