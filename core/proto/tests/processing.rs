//! Members of reader groups that have stated for how long they are at work at most.

mod support;

use support::groups::*;
use support::*;
use telpher_proto::base::{Command, Id, Kind, Reading, Start};

/// A member that is at work for so long at most.
fn join_for(world: &mut World, program: usize, max_processing_ms: u64) -> Id {
    let group = Some(name("billing"));
    let reading = Reading { group, max_processing_ms, ..Reading::default() };
    world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) })
}

#[test]
fn a_member_that_commits_in_time_is_never_expelled_however_long_all_of_it_takes() {
    let (mut world, program) = world();
    let reader = join_for(&mut world, program, 5_000);
    world.pass(60_000);
    fill(&mut world, program, 3);
    for record in records(&world, program, reader) {
        world.pass(4_900);
        let id = commit(&mut world, program, reader, &record);
        assert!(world.outcome(program, id).is_ok());
    }
    // It has nothing that it could commit; then time runs from what it is given.
    for idle_ms in [4_000, 60_000] {
        world.pass(idle_ms);
        fill(&mut world, program, 1);
        world.pass(4_900);
        assert!(world.ended(program, reader).is_none());
        commit_all(&mut world, program, reader);
    }
    fill(&mut world, program, 1);
    world.pass(4_900);
    assert!(world.ended(program, reader).is_none());
}

#[test]
fn a_member_that_has_stated_no_time_may_be_busy_for_ever() {
    let (mut world, program) = world();
    let reader = join(&mut world, program);
    fill(&mut world, program, 1);
    world.pass(10 * 24 * 3_600_000);
    assert!(world.ended(program, reader).is_none());
    commit_all(&mut world, program, reader);
    assert_eq!(places(&mut world, program), [(1, 0); 4]);
}

#[test]
fn a_member_that_goes_silent_ends_and_its_partitions_go_to_the_others() {
    let (mut world, one) = world();
    let other = world.program();
    let (first, second) = (join_for(&mut world, one, 5_000), join(&mut world, other));
    fill(&mut world, one, 2);
    world.pass(3_000);
    let held = records(&world, one, first);
    commit(&mut world, one, first, &held[0]);
    world.pass(4_999);
    assert!(world.ended(one, first).is_none(), "the commit has moved it on");
    world.pass(2);
    assert_eq!(world.kind(one, first), Kind::LeaseLost);
    let said = world.outcome(one, first).unwrap_err().detail().to_owned();
    assert!(said.contains("max_processing is 5000 ms"), "{said}");
    assert_eq!(partitions(&world, other, second), [0, 1, 2, 3]);
    assert_eq!(records(&world, other, second).len(), 4 + 3, "what was committed does not come");
    let late = commit(&mut world, one, first, &held[1]);
    assert_eq!(world.kind(one, late), Kind::LeaseLost);
    // It may read anew.
    let again = join_for(&mut world, one, 5_000);
    commit_all(&mut world, other, second);
    fill(&mut world, one, 1);
    assert_eq!(partitions(&world, one, again).len(), 2);
}

#[test]
fn its_time_begins_anew_with_a_connection_or_host_and_when_the_hub_was_paused() {
    type Change = fn(&mut World);
    let cases: [(&str, Change); 4] = [
        ("connection", |world| world.break_connection(0)),
        ("host", World::change_host),
        ("power", World::cut_power),
        ("reset", |world| {
            let (partition, start) = (None, Start::Beginning);
            let (stream, group) = (name("log"), name("billing"));
            world.run(1, Command::ResetGroup { stream, group, partition, start });
        }),
    ];
    for (what, change) in cases {
        let (mut world, program) = world();
        world.program();
        let reader = join_for(&mut world, program, 5_000);
        fill(&mut world, program, 1);
        world.pass(4_000);
        change(&mut world);
        world.pass(4_900);
        assert!(world.ended(program, reader).is_none(), "{what}");
        world.pass(200);
        assert_eq!(world.kind(program, reader), Kind::LeaseLost, "{what}");
    }
    let (mut world, program) = world();
    let reader = join_for(&mut world, program, 5_000);
    fill(&mut world, program, 1);
    world.now = world.now.plus_ms(8_000);
    world.pass(2_900);
    assert!(world.ended(program, reader).is_none(), "3 s more, as it was late by 3 s");
    world.pass(200);
    assert_eq!(world.kind(program, reader), Kind::LeaseLost);
}

#[test]
fn a_time_out_of_its_limits_or_without_a_group_is_refused_and_named() {
    let day = 24 * 3_600_000;
    for (group, max_processing_ms, named) in [
        (Some(name("g")), day + 1, "max_processing_ms is 86400001; allowed are 0 to 86400000"),
        (None, 5, "max_processing_ms is 5, and no group is stated"),
    ] {
        let reading = Reading { group, max_processing_ms, ..Reading::default() };
        let error = Command::Read { stream: name("log"), reading: Box::new(reading) }
            .check()
            .expect_err(named);
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.detail().contains(named), "{error}");
    }
}
