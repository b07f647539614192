//! What tests of declared topics share.
#![allow(dead_code, reason = "each test file uses its part")]

use telpher_proto::base::{
    Command, Id, Message, Outcome, Pattern, TopicInfo, TopicOptions, TopicOverflow, Untaken, What,
};

use super::bindings::{pattern, publish, run};
use super::{World, name};

/// Publishers of matching topics wait, so many of them.
pub fn declare_waiting(of: &str, line_max: u32) -> Command {
    let options = TopicOptions { overflow: TopicOverflow::Wait, line_max };
    Command::DeclareTopic { pattern: pattern(of), options }
}

pub fn delete_topic(of: &str) -> Command {
    Command::DeleteTopic { pattern: pattern(of) }
}

pub fn inspect_topic(world: &mut World, program: usize, of: &str) -> TopicInfo {
    let id = world.run(program, Command::InspectTopic { pattern: pattern(of) });
    let Ok(Outcome::Topic(info)) = world.outcome(program, id) else { panic!("not declared") };
    info
}

/// Patterns of the declarations that there are.
pub fn declared(world: &mut World, program: usize, after: Option<&str>) -> Vec<String> {
    let after = after.map(pattern);
    let id = world.run(program, Command::ListTopics { after });
    let Ok(Outcome::Topics(all)) = world.outcome(program, id) else { panic!("no list") };
    all.iter().map(|(of, _): &(Pattern, _)| of.as_str().to_owned()).collect()
}

/// A subscriber, with so many messages on their way and as many in the hub.
pub fn subscriber(world: &mut World, program: usize, of: &str, buffer: u32) -> Id {
    let pattern = pattern(of);
    world.run(program, Command::Subscribe { pattern, buffer, instance_name: None })
}

/// The program takes the next messages that have come for a subscriber, `count` at most.
pub fn take(world: &mut World, program: usize, subscriber: Id, count: usize) -> usize {
    let events = world.programs[program].events.iter().filter(|event| event.id == subscriber);
    let published = events.filter_map(|event| match &event.what {
        What::Published(published) => Some(published.untaken()),
        _ => None,
    });
    let (before, mut taken) = (world.programs[program].taken, Untaken::default());
    published.skip(before).take(count).for_each(|one| taken.add(one));
    world.programs[program].taken += taken.count as usize;
    world.programs[program].client.taken(world.now, subscriber, taken);
    world.settle();
    taken.count as usize
}

/// The program takes all that comes.
pub fn take_all(world: &mut World, program: usize, subscriber: Id) {
    while take(world, program, subscriber, usize::MAX) > 0 {}
}

pub fn batch_of(topics: &[(&str, &str)]) -> Command {
    let part = |(topic, body): &(&str, &str)| {
        let message = Message::new(body.as_bytes().to_vec());
        telpher_proto::base::Part::Publish { topic: name(topic), message }
    };
    Command::Batch { parts: topics.iter().map(part).collect() }
}

/// A publisher, and a slow subscriber of `a` with room for one message on its way and one in the
/// hub, which are there.
pub fn full(world: &mut World) -> (usize, usize, Id) {
    let (publisher, slow) = (world.program(), world.program());
    run(world, publisher, declare_waiting("a", 0));
    let id = subscriber(world, slow, "a", 1);
    run(world, publisher, publish("a", "1"));
    run(world, publisher, publish("a", "2"));
    (publisher, slow, id)
}
