//! The Rust peer of the polyglot matrix.
//!
//! Every language has one, with the same thirteen roles and the same command line, so that each can
//! be set against each: `call URL NAME COUNT`, `serve URL NAME`, `produce URL QUEUE COUNT`,
//! `consume URL QUEUE COUNT`, `publish URL TOPIC COUNT`, `subscribe URL TOPIC COUNT`,
//! `bind URL NAME COUNT`, `append URL STREAM COUNT`, `read URL STREAM COUNT`,
//! `feed URL STREAM COUNT`, `fed URL STREAM COUNT`, `member URL STREAM` and
//! `gather URL NAME COUNT`, which wants two instances to answer each time. A service answers
//! with the request's bytes reversed; a producer sends `message-0`, `message-1` and so on. A
//! publisher publishes the same to `TOPIC.0`, `TOPIC.1` and so on; a subscriber to `TOPIC.*` gets
//! them in this order, and `bind` binds `NAME.*` to the queue `NAME`.
//!
//! `append` goes on with the numbers behind those that the stream has: `message-16` has the key
//! `key-0`, as there are 16 keys in turns. `read` gets as many as it is told to, and wants offsets
//! without a hole, each key in one partition and in order, and nothing more in the stream. `feed`
//! binds `STREAM.*` to the stream and publishes the same messages to `STREAM.0`, `STREAM.1` and so
//! on; `fed` is as `read`, and wants each record to name its topic. `member` reads as one of the
//! group `members`; for each record it appends the same to `STREAM.done` and commits, both in one
//! batch. It wants at least one.
//!
//! `serve`, `consume`, `subscribe`, `read`, `fed` and `member` print `ready` when they are live;
//! `serve` and `member` run until their standard input closes. Exit code 0 means that everything
//! was as expected.
//!
//! This one has a fourteenth role for the sake of all: `keep URL NAME` declares a queue in memory,
//! and the streams `NAME` and `NAME.done` of four partitions, and keeps the hub open until its
//! standard input closes.
#![forbid(unsafe_code)]

mod streams;

use std::collections::HashSet;
use std::io::Read;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use telpher::{
    Bytes, Command, Delivery, Done, Durability, Error, Event, Hub, Id, Kind, Message, Name,
    OpenOptions, Outcome, Pattern, QueueOptions, Target, Timeout, Verdict, What,
};

const TIMEOUT: Timeout = Timeout::After(Duration::from_secs(20));

/// Why a peer failed, for a person.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("peer: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    let (role, url, name, count) = match arguments {
        [role @ ("serve" | "member" | "keep"), url, name] => (*role, url, name, 0),
        [role, url, name, count] => {
            (*role, url, name, count.parse().map_err(|_| format!("{count} is no count"))?)
        }
        _ => {
            let roles = "call|serve|produce|consume|publish|subscribe|bind|gather|append|read|\
                feed|fed|member|keep";
            return Err(format!("usage: {roles} URL NAME [COUNT]"));
        }
    };
    let hub = open(url)?;
    let name = Name::parse(name).map_err(text)?;
    match role {
        "call" => call(&hub, &name, count)?,
        "serve" => serve(&hub, name)?,
        "produce" => produce(&hub, &name, count)?,
        "consume" => consume(&hub, name, count)?,
        "publish" => publish(&hub, &name, count)?,
        "subscribe" => subscribe(&hub, &name, count)?,
        "bind" => bind(&hub, name)?,
        "gather" => gather(&hub, &name, count)?,
        "append" => streams::append(&hub, &name, count)?,
        "read" => streams::read(&hub, &name, count, false)?,
        "feed" => streams::feed(&hub, &name, count)?,
        "fed" => streams::read(&hub, &name, count, true)?,
        "member" => streams::member(&hub, name)?,
        "keep" => keep(&hub, name)?,
        _ => return Err(format!("{role} is no role")),
    }
    hub.close(TIMEOUT).map_err(text)
}

fn text(error: Error) -> Failure {
    error.to_string()
}

fn open(url: &str) -> Result<Hub, Failure> {
    let options = OpenOptions { timeout: TIMEOUT, ..OpenOptions::default() };
    let (hub, id) = Hub::open(url, options, Done::Wait, Done::None).map_err(text)?;
    outcome(&hub, id)?;
    Ok(hub)
}

/// Starts an operation; at the bound of what may be in flight it waits for room.
fn start(hub: &Hub, command: &Command) -> Result<Id, Failure> {
    loop {
        match hub.start(command.clone(), TIMEOUT, Done::Wait) {
            Err(error) if error.kind() == Kind::Full => {
                hub.wait(0, TIMEOUT).map_err(text)?;
            }
            started => return started.map_err(text),
        }
    }
}

fn outcome(hub: &Hub, id: Id) -> Result<Outcome, Failure> {
    match hub.wait(id, TIMEOUT).map_err(text)?.what {
        What::Done(result) => result.map_err(text),
        other => Err(format!("expected an end, got {other:?}")),
    }
}

/// Starts all calls before it waits for the first.
fn call(hub: &Hub, service: &Name, count: usize) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for index in 0..count {
        let message = Message::new(format!("call-{index}"));
        ids.push(start(hub, &Command::Call { service: service.clone(), message })?);
    }
    for (index, id) in ids.into_iter().enumerate() {
        let Outcome::Reply(reply) = outcome(hub, id)? else {
            return Err("a call ended without a reply".into());
        };
        let expected: Vec<u8> = format!("call-{index}").bytes().rev().collect();
        if reply.body[..] != expected[..] {
            return Err(format!("call {index} was answered with {:?}", reply.body));
        }
    }
    Ok(())
}

/// Each of two instances answers once, under its name, and nobody is missing.
fn gather(hub: &Hub, service: &Name, count: usize) -> Result<(), Failure> {
    let (mut instances, mut names) = (HashSet::new(), HashSet::new());
    for index in 0..count {
        let body = format!("gather-{index}");
        let expected: Vec<u8> = body.bytes().rev().collect();
        let mut gathering = hub.gather(service.as_str(), body, TIMEOUT).map_err(text)?;
        for answer in &mut gathering {
            let answer = answer.map_err(text)?;
            let reply = answer.reply.map_err(text)?;
            if reply.body[..] != expected[..] {
                return Err(format!("gather {index} was answered with {:?}", reply.body));
            }
            instances.insert(answer.instance);
            names.extend(answer.instance_name.filter(|name| name.as_str().starts_with("peer-")));
        }
        let end = gathering.result().map_err(text)?;
        if end.answered != 2 || !end.missing.is_empty() {
            return Err(format!("gather {index} ended with {end:?}"));
        }
    }
    match (instances.len(), names.len()) {
        (2, 2) => Ok(()),
        other => Err(format!("{other:?} instances and names answered")),
    }
}

fn serve(hub: &Hub, service: Name) -> Result<(), Failure> {
    let (sender, started) = sync_channel(1);
    let replier = hub.clone();
    let handler = move |event: Event| match event.what {
        What::Started => drop(sender.try_send(Ok(()))),
        What::Done(Err(error)) => drop(sender.try_send(Err(text(error)))),
        What::Request(request) => {
            let body: Bytes = request.message.body.iter().rev().copied().collect();
            let reply = Command::Reply { request: request.token, reply: Ok(Message::new(body)) };
            if let Err(error) = replier.start(reply, TIMEOUT, Done::None) {
                eprintln!("peer: a reply was not sent: {error}");
            }
        }
        _ => {}
    };
    let own = format!("peer-{}", std::process::id());
    let instance_name = Some(Name::parse_instance(&own).map_err(text)?);
    let command = Command::Serve { service, concurrency: 64, line_max: 1_024, instance_name };
    let id = hub.start(command, Timeout::Never, Done::Callback(Box::new(handler))).map_err(text)?;
    started.recv().map_err(|_| "the service ended before it was live")??;
    println!("ready");
    input_closed()?;
    hub.detach(id).map_err(text)
}

fn keep(hub: &Hub, queue: Name) -> Result<(), Failure> {
    streams::declare(hub, &queue)?;
    let options = QueueOptions { durability: Some(Durability::Memory), ..QueueOptions::default() };
    let id = start(hub, &Command::Declare { queue, options })?;
    outcome(hub, id)?;
    println!("ready");
    input_closed()
}

fn input_closed() -> Result<(), Failure> {
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).map_err(|error| error.to_string())
}

/// Starts all sends before it waits for the first confirmation.
fn produce(hub: &Hub, queue: &Name, count: usize) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for index in 0..count {
        let message = Message::new(format!("message-{index}"));
        ids.push(start(hub, &Command::Send { queue: queue.clone(), message })?);
    }
    for id in ids {
        let Outcome::Receipt(_) = outcome(hub, id)? else {
            return Err("a send ended without a receipt".into());
        };
    }
    Ok(())
}

fn consume(hub: &Hub, queue: Name, count: usize) -> Result<(), Failure> {
    let command = Command::Consume { queue, prefetch: 16, ack_deadline_ms: 0 };
    let id = hub.start(command, Timeout::Never, Done::Wait).map_err(text)?;
    let mut seen = HashSet::new();
    while seen.len() < count {
        match hub.wait(id, TIMEOUT).map_err(text)?.what {
            What::Started => println!("ready"),
            What::Delivery(delivery) => {
                acknowledge(hub, &delivery)?;
                seen.insert(delivery.message.body);
            }
            other => return Err(format!("expected a delivery, got {other:?}")),
        }
    }
    let expected = (0..count).map(|index| Bytes::from(format!("message-{index}")));
    match expected.into_iter().find(|body| !seen.contains(body)) {
        Some(missing) => Err(format!("{missing:?} never came")),
        None => Ok(()),
    }
}

fn acknowledge(hub: &Hub, delivery: &Delivery) -> Result<(), Failure> {
    let verdict = Verdict::Acknowledge;
    let (delivery, reason) = (delivery.token, String::new());
    let id = start(hub, &Command::Settle { delivery, verdict, reason })?;
    outcome(hub, id).map(drop)
}

/// Starts all before it waits for the first.
fn publish(hub: &Hub, topic: &Name, count: usize) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for index in 0..count {
        let topic = Name::parse(&format!("{topic}.{index}")).map_err(text)?;
        let message = Message::new(format!("message-{index}"));
        ids.push(start(hub, &Command::Publish { topic, message })?);
    }
    ids.into_iter().try_for_each(|id| outcome(hub, id).map(drop))
}

/// Binds what will be published to the queue of the same name.
fn bind(hub: &Hub, name: Name) -> Result<(), Failure> {
    let options = QueueOptions { durability: Some(Durability::Memory), ..QueueOptions::default() };
    let declare = start(hub, &Command::Declare { queue: name.clone(), options })?;
    outcome(hub, declare)?;
    let pattern = Pattern::parse(&format!("{name}.*")).map_err(text)?;
    let bind = start(hub, &Command::Bind { pattern, target: Target::Queue(name) })?;
    outcome(hub, bind).map(drop)
}

fn subscribe(hub: &Hub, topic: &Name, count: usize) -> Result<(), Failure> {
    let pattern = Pattern::parse(&format!("{topic}.*")).map_err(text)?;
    let command = Command::Subscribe { pattern, buffer: 1_024, instance_name: None };
    let id = hub.start(command, Timeout::Never, Done::Wait).map_err(text)?;
    let mut next = 0;
    while next < count {
        match hub.wait(id, TIMEOUT).map_err(text)?.what {
            What::Started => println!("ready"),
            What::Published(published) => {
                let found =
                    (published.topic.as_str(), published.number, &published.message.body[..]);
                let (topic, body) = (format!("{topic}.{next}"), format!("message-{next}"));
                if found != (&topic, next as u64 + 1, body.as_bytes()) {
                    return Err(format!("expected {body}, got {published:?}"));
                }
                next += 1;
            }
            other => return Err(format!("expected a message, got {other:?}")),
        }
    }
    Ok(())
}
