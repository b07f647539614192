//! What tests of bindings share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write;

use telpher_proto::base::message::TOPIC_HEADER;
use telpher_proto::base::{
    Command, Id, Message, Outcome, Pattern, QueueOptions, StreamOptions, Target, Verdict, What,
};

use super::{World, declare_on_disk, name, receive, settle};

pub fn publish(topic: &str, body: &str) -> Command {
    Command::Publish { topic: name(topic), message: Message::new(body.as_bytes().to_vec()) }
}

pub fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

pub fn bind(of: &str, queue: &str) -> Command {
    Command::Bind { pattern: pattern(of), target: Target::Queue(name(queue)) }
}

pub fn unbind(of: &str, queue: &str) -> Command {
    Command::Unbind { pattern: pattern(of), target: Target::Queue(name(queue)) }
}

pub fn bind_stream(of: &str, stream: &str) -> Command {
    Command::Bind { pattern: pattern(of), target: Target::Stream(name(stream)) }
}

pub fn unbind_stream(of: &str, stream: &str) -> Command {
    Command::Unbind { pattern: pattern(of), target: Target::Stream(name(stream)) }
}

pub fn done(world: &World, program: usize, id: Id) {
    assert!(matches!(world.outcome(program, id), Ok(Outcome::Empty)));
}

pub fn run(world: &mut World, program: usize, command: Command) {
    let id = world.run(program, command);
    done(world, program, id);
}

/// A queue with `pattern` bound to it.
pub fn bound(world: &mut World, program: usize, of: &str, queue: &str, options: QueueOptions) {
    run(world, program, declare_on_disk(queue, options));
    run(world, program, bind(of, queue));
}

/// A stream with `pattern` bound to it.
pub fn bound_stream(
    world: &mut World,
    program: usize,
    of: &str,
    stream: &str,
    options: StreamOptions,
) {
    let stream_name = name(stream);
    run(world, program, Command::DeclareStream { stream: stream_name, options });
    run(world, program, bind_stream(of, stream));
}

/// Takes and acknowledges everything that waits in a queue: topic and body of each.
pub fn drain(world: &mut World, program: usize, queue: &str) -> Vec<String> {
    let mut taken = Vec::new();
    while world.figures(program, queue).0 > 0 {
        let id = world.run(program, receive(queue));
        let Ok(Outcome::Delivery(delivery)) = world.outcome(program, id) else { panic!("none") };
        run(world, program, settle(delivery.token, Verdict::Acknowledge));
        let properties = delivery.message.properties.expect("the topic is among them");
        let topic = properties.headers.get(TOPIC_HEADER).expect("it names its topic");
        let (topic, body) = (String::from_utf8_lossy(topic), &delivery.message.body);
        taken.push(format!("{topic} {}", String::from_utf8_lossy(body)));
    }
    taken
}

pub fn bindings(world: &mut World, program: usize, queue: &str) -> Vec<String> {
    let id = world.run(program, Command::Inspect { queue: name(queue) });
    let Ok(Outcome::Queue(info)) = world.outcome(program, id) else { panic!("no figures") };
    info.bindings.iter().map(|pattern| pattern.as_str().to_owned()).collect()
}

/// Bodies that a subscriber has heard.
pub fn heard(world: &World, program: usize, subscriber: Id) -> Vec<String> {
    let events = world.programs[program].events.iter().filter(|event| event.id == subscriber);
    let heard = events.filter_map(|event| match &event.what {
        What::Published(published) => {
            Some(String::from_utf8_lossy(&published.message.body).into_owned())
        }
        What::Gap { first, last } => Some(format!("gap {first} {last}")),
        _ => None,
    });
    heard.collect()
}

pub fn subscribe(world: &mut World, program: usize, of: &str) -> Id {
    let pattern = pattern(of);
    world.run(program, Command::Subscribe { pattern, buffer: 100, instance_name: None })
}

/// A segment, or a stream file, has the bytes that `tests/golden` has in this file.
pub fn is_golden(world: &World, number: u32, file: &str) {
    let segment = &world.disk.files[&number];
    let used = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut text = String::new();
    for (at, line) in segment[..used].chunks(32).enumerate() {
        write!(text, "{:05x} ", at * 32).unwrap();
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    let file = format!("{}/../../tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TELPHER_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept == text, "the format has changed; TELPHER_BLESS=1 takes it over");
}
