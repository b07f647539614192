//! Records that are appended are gathered into batches.

mod support;

use support::World;
use support::streams::*;
use telpher_proto::base::{Id, Kind, StreamOptions};

#[test]
fn what_is_appended_while_a_batch_is_on_its_way_goes_together_and_is_confirmed_one_by_one() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    world.run(program, append("log", "first"));
    let before = world.disk.written;
    let ids: Vec<Id> =
        (0..100).map(|number| world.start(program, append("log", &number.to_string()))).collect();
    world.settle();
    for (id, offset) in ids.into_iter().zip(1..) {
        assert_eq!(place(&world, program, id), (0, offset));
    }
    assert!(world.disk.written - before <= 2, "not one record for each");
}

#[test]
fn of_many_records_half_go_first_so_that_the_hub_works_while_the_rest_is_packed() {
    for (count, batches) in [(150, 1), (300, 2), (20_000, 2)] {
        let mut world = World::new();
        let program = world.program();
        world.run(program, declare("log", StreamOptions::default()));
        world.run(program, append("log", "first"));
        let before = world.disk.written;
        let ids: Vec<Id> = (0..count).map(|_| world.start(program, append("log", "x"))).collect();
        world.settle();
        for (id, offset) in ids.into_iter().zip(1..) {
            assert_eq!(place(&world, program, id), (0, offset));
        }
        assert_eq!(world.disk.written - before, batches, "{count} records");
    }
}

#[test]
fn a_second_batch_follows_one_that_has_no_answer_once_it_is_worth_it() {
    for (count, is_sent) in [(50, false), (99, false), (100, true)] {
        let mut world = World::new();
        let program = world.program();
        world.run(program, declare("log", StreamOptions::default()));
        world.run(program, append("log", "first"));
        world.disk.is_paused = true;
        world.start(program, append("log", "on its way"));
        world.settle();
        let ids: Vec<Id> = (0..count).map(|_| world.start(program, append("log", "x"))).collect();
        world.settle();
        let now = world.now;
        world.programs[program].client.cancel(now, ids[0]);
        world.settle();
        let error = world.ended(program, ids[0]).unwrap().as_ref().unwrap_err().clone();
        assert_eq!((error.kind(), error.maybe_executed()), (Kind::Cancelled, is_sent), "{count}");
        world.disk.is_paused = false;
        world.settle();
        assert!(world.outcome(program, ids[count - 1]).is_ok());
    }
}
