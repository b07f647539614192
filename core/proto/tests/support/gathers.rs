//! What gathers are given and what they end with.

use telpher_proto::base::{
    Answer, Command, GatherTo, Gathered, Id, Kind, Message, Outcome, Pattern, What,
};

use super::{World, name};

pub fn gather(service: &str, count: u32) -> Command {
    Command::Gather { to: GatherTo::Service(name(service)), message: Message::new("?"), count }
}

pub fn gather_topic(topic: &str) -> Command {
    Command::Gather { to: GatherTo::Topic(name(topic)), message: Message::new("?"), count: 0 }
}

pub fn subscribe(pattern: &str, buffer: u32) -> Command {
    let pattern = Pattern::parse(pattern).unwrap();
    Command::Subscribe { pattern, buffer, instance_name: None }
}

/// The answers that have come, and who gave each.
pub fn answers(world: &World, program: usize, id: Id) -> Vec<Answer> {
    let events = world.programs[program].events.iter().filter(|event| event.id == id);
    let answers = events.filter_map(|event| match &event.what {
        What::Answer(answer) => Some(answer.clone()),
        _ => None,
    });
    answers.collect()
}

pub fn replies(world: &World, program: usize, id: Id) -> Vec<String> {
    let said = |answer: Answer| match answer.reply {
        Ok(message) => String::from_utf8_lossy(&message.body).into_owned(),
        Err(error) => error.to_string(),
    };
    answers(world, program, id).into_iter().map(said).collect()
}

pub fn gathered(world: &World, program: usize, id: Id) -> Gathered {
    match world.outcome(program, id) {
        Ok(Outcome::Gathered(gathered)) => gathered,
        other => panic!("the gather ended as {other:?}"),
    }
}

/// Why each of those that did not answer did not, and whether it may have run.
pub fn reasons(world: &World, program: usize, id: Id) -> Vec<(Kind, bool)> {
    let missing = gathered(world, program, id).missing;
    missing.iter().map(|one| (one.error.kind(), one.error.maybe_executed())).collect()
}

/// Tokens of the gathered messages that a subscriber has got.
pub fn asked(world: &World, program: usize, subscriber: Id) -> Vec<u64> {
    let events = world.programs[program].events.iter().filter(|event| event.id == subscriber);
    let asked = events.filter_map(|event| match &event.what {
        What::Published(published) => published.asked.map(|asked| asked.token),
        _ => None,
    });
    asked.collect()
}
