//! What tests of queues share.

use telpher_proto::base::{Command, Outcome, QueueInfo, QueueOptions};

use super::{World, declare_on_disk, name};

/// A hub with the queue `jobs`, a producer and a consumer.
pub fn world_with(options: QueueOptions) -> (World, usize, usize) {
    let mut world = World::new();
    let (producer, consumer) = (world.program(), world.program());
    let declared = world.run(producer, declare_on_disk("jobs", options));
    assert!(world.outcome(producer, declared).is_ok());
    (world, producer, consumer)
}

pub fn info(world: &mut World, program: usize, queue: &str) -> QueueInfo {
    let id = world.run(program, Command::Inspect { queue: name(queue) });
    match world.outcome(program, id) {
        Ok(Outcome::Queue(info)) => *info,
        other => panic!("no figures but {other:?}"),
    }
}

/// Bodies that a consumer has heard of.
pub fn bodies(world: &World, program: usize, id: u64) -> Vec<String> {
    let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
    world.deliveries(program, id).into_iter().map(|(_, body, _)| text(body)).collect()
}
