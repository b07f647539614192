//! Commands in few words.
#![allow(dead_code, reason = "each test file uses its part")]

use telpher_proto::base::{Command, Durability, Message, Name, QueueOptions, Verdict};

pub fn name(text: &str) -> Name {
    Name::parse(text).expect("a good name")
}

pub fn call(service: &str, body: &str) -> Command {
    Command::Call { service: name(service), message: Message::new(body.as_bytes().to_vec()) }
}

pub fn serve(service: &str, concurrency: u32, line_max: u32) -> Command {
    Command::Serve { service: name(service), concurrency, line_max, instance_name: None }
}

pub fn reply(request: u64, body: &str) -> Command {
    Command::Reply { request, reply: Ok(Message::new(body.as_bytes().to_vec())) }
}

pub fn declare(queue: &str, options: QueueOptions) -> Command {
    let durability = Some(Durability::Memory);
    Command::Declare { queue: name(queue), options: QueueOptions { durability, ..options } }
}

/// Options of a queue with this durability.
pub fn on(durability: Durability) -> QueueOptions {
    QueueOptions { durability: Some(durability), ..QueueOptions::default() }
}

/// A send of `size` bytes, which begin with the number.
pub fn big(queue: &str, number: usize, size: usize) -> Command {
    let mut body = format!("{number}:").into_bytes();
    body.resize(size, b'x');
    Command::Send { queue: name(queue), message: Message::new(body) }
}

/// A queue that is as safe as the hub's default says.
pub fn declare_on_disk(queue: &str, options: QueueOptions) -> Command {
    Command::Declare { queue: name(queue), options }
}

pub fn send(queue: &str, body: &str) -> Command {
    Command::Send { queue: name(queue), message: Message::new(body.as_bytes().to_vec()) }
}

pub fn receive(queue: &str) -> Command {
    Command::Receive { queue: name(queue) }
}

pub fn consume(queue: &str, prefetch: u32) -> Command {
    Command::Consume { queue: name(queue), prefetch, ack_deadline_ms: 0 }
}

pub fn settle(delivery: u64, verdict: Verdict) -> Command {
    Command::Settle { delivery, verdict, reason: String::new() }
}
