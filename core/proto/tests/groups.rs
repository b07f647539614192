//! Reader groups: who reads what, up to where the work is done, and what becomes of that when
//! members, connections and hosts come and go.

mod support;

use support::groups::*;
use support::*;
use telpher_proto::base::{
    Command, Durability, Id, Kind, Message, Outcome, Part, Reading, Start, StreamOptions,
    StreamRecord, What,
};

#[test]
fn the_only_member_reads_everything_and_its_commits_are_the_groups_place() {
    let (mut world, program) = world();
    fill(&mut world, program, 3);
    let reader = join(&mut world, program);
    let all = records(&world, program, reader);
    assert_eq!(all.len(), 12);
    for record in all.iter().filter(|record| record.partition == 1) {
        let id = commit(&mut world, program, reader, record);
        assert!(world.outcome(program, id).is_ok());
    }
    assert_eq!(places(&mut world, program), [(0, 3), (3, 0), (0, 3), (0, 3)]);
}

#[test]
fn partitions_are_spread_evenly_and_only_what_moves_pauses() {
    let (mut world, one) = world();
    let first = join(&mut world, one);
    fill(&mut world, one, 1);
    assert_eq!(partitions(&world, one, first), [0, 1, 2, 3]);
    let other = world.program();
    let second = join(&mut world, other);
    // Nothing of what the first is at is given away before it has said that it is done.
    assert!(records(&world, other, second).is_empty());
    fill(&mut world, one, 1);
    let after: Vec<u32> =
        records(&world, one, first)[4..].iter().map(|record| record.partition).collect();
    assert_eq!(after.len(), 2, "it goes on with the two that stay: {after:?}");
    commit_all(&mut world, one, first);
    let moved = partitions(&world, other, second);
    assert_eq!(moved.len(), 2);
    assert!(after.iter().all(|partition| !moved.contains(partition)));
    assert_eq!(records(&world, other, second).len(), 2, "from the group's place, nothing twice");
    let members = group(&mut world, one);
    assert_eq!((members.members, members.places.iter().all(|place| place.is_read)), (2, true));
}

#[test]
fn when_a_member_leaves_or_dies_the_others_go_on_from_the_groups_place() {
    for is_death in [false, true] {
        let (mut world, one) = world();
        let other = world.program();
        let (first, second) = (join(&mut world, one), join(&mut world, other));
        fill(&mut world, one, 2);
        assert_eq!(partitions(&world, other, second).len(), 2);
        let done = records(&world, other, second)[0].clone();
        commit(&mut world, other, second, &done);
        match is_death {
            true => world.kill(other),
            false => {
                world.programs[other].client.detach(world.now, second);
                world.settle();
            }
        }
        let all = records(&world, one, first);
        assert_eq!(partitions(&world, one, first), [0, 1, 2, 3]);
        let again = all.iter().filter(|record| record.partition == done.partition);
        let again: Vec<u64> = again.map(|record| record.offset).collect();
        assert_eq!(again, [1], "what was committed does not come again");
        assert_eq!(all.len(), 4 + 3);
    }
}

#[test]
fn whoever_has_lost_a_partition_can_not_commit_it_any_more() {
    let (mut world, one) = world();
    let other = world.program();
    let (first, second) = (join(&mut world, one), join(&mut world, other));
    fill(&mut world, one, 1);
    let held = records(&world, other, second)[0].clone();
    let reset = Command::ResetGroup {
        stream: name("log"),
        group: name("billing"),
        partition: Some(held.partition),
        start: Start::Beginning,
    };
    let id = world.run(one, reset);
    assert!(world.outcome(one, id).is_ok());
    let late = commit(&mut world, other, second, &held);
    assert_eq!(world.kind(other, late), Kind::LeaseLost);
    assert_eq!(records(&world, other, second).len(), 3, "it comes again");
    let again = records(&world, other, second)[2].clone();
    assert_eq!((again.partition, again.offset), (held.partition, held.offset));
    let good = commit(&mut world, other, second, &again);
    assert!(world.outcome(other, good).is_ok());
    let alien = commit(&mut world, one, first, &again);
    assert_eq!(world.kind(one, alien), Kind::LeaseLost);
}

#[test]
fn a_place_never_goes_back_nor_beyond_what_was_read() {
    let (mut world, program) = world();
    let reader = join(&mut world, program);
    fill(&mut world, program, 3);
    let of_one = records(&world, program, reader);
    let of_one: Vec<_> = of_one.into_iter().filter(|record| record.partition == 2).collect();
    commit(&mut world, program, reader, &of_one[2]);
    let older = commit(&mut world, program, reader, &of_one[0]);
    assert!(world.outcome(program, older).is_ok(), "it is done already");
    assert_eq!(places(&mut world, program)[2], (3, 0));
    let beyond = StreamRecord { offset: 7, ..of_one[0].clone() };
    let beyond = commit(&mut world, program, reader, &beyond);
    assert_eq!(world.kind(program, beyond), Kind::Invalid);
    assert_eq!(places(&mut world, program)[2], (3, 0));
}

#[test]
fn places_outlive_host_and_machine_and_members_keep_what_they_have() {
    for is_power_cut in [false, true] {
        let (mut world, one) = world();
        let other = world.program();
        let (first, second) = (join(&mut world, one), join(&mut world, other));
        fill(&mut world, one, 2);
        let had = (partitions(&world, one, first), partitions(&world, other, second));
        for (program, reader) in [(one, first), (other, second)] {
            let done = records(&world, program, reader)[0].clone();
            commit(&mut world, program, reader, &done);
        }
        let before = places(&mut world, one);
        if is_power_cut {
            world.cut_power();
        } else {
            world.change_host();
        }
        world.pass(100);
        assert_eq!(places(&mut world, one), before);
        fill(&mut world, one, 1);
        world.pass(6_000);
        for (program, reader, had) in [(one, first, had.0), (other, second, had.1)] {
            let all = records(&world, program, reader);
            assert_eq!(all.len(), 6, "nothing twice, nothing left out");
            assert_eq!(partitions(&world, program, reader), had);
            let last = all.last().unwrap().clone();
            let id = commit(&mut world, program, reader, &last);
            assert!(world.outcome(program, id).is_ok());
        }
    }
}

#[test]
fn a_broken_connection_moves_nothing_and_repeats_nothing() {
    let (mut world, one) = world();
    let other = world.program();
    let (first, second) = (join(&mut world, one), join(&mut world, other));
    fill(&mut world, one, 1);
    world.break_connection(other);
    fill(&mut world, one, 1);
    world.pass(100);
    assert_eq!(records(&world, one, first).len(), 4);
    assert_eq!(records(&world, other, second).len(), 4);
    commit_all(&mut world, one, first);
    commit_all(&mut world, other, second);
    assert_eq!(places(&mut world, one), [(2, 0); 4]);
}

#[test]
fn a_group_begins_where_its_first_member_says_and_is_removed_with_its_readers() {
    let (mut world, program) = world();
    fill(&mut world, program, 2);
    let reading = Reading { group: Some(name("late")), start: Start::End, ..Reading::default() };
    let reader =
        world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    fill(&mut world, program, 1);
    assert!(records(&world, program, reader).iter().all(|record| record.offset == 2));
    let delete = Command::DeleteGroup { stream: name("log"), group: name("late") };
    let id = world.run(program, delete.clone());
    assert!(world.outcome(program, id).is_ok());
    assert_eq!(world.kind(program, reader), Kind::NotFound);
    let again = world.run(program, delete);
    assert_eq!(world.kind(program, again), Kind::NotFound);
    world.change_host();
    world.pass(100);
    let id = world.run(program, Command::Groups { stream: name("log") });
    assert!(matches!(world.outcome(program, id), Ok(Outcome::Groups(none)) if none.is_empty()));
}

#[test]
fn a_group_that_the_limits_have_overtaken_goes_on_and_sees_what_it_has_missed() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { records_max: 3, ..StreamOptions::default() };
    world.run(program, Command::DeclareStream { stream: name("log"), options });
    let reading = Reading { group: Some(name("slow")), buffer: 1, ..Reading::default() };
    let reader =
        world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    for number in 0..10 {
        append(&mut world, program, 0, &number.to_string());
    }
    for _ in 0..4 {
        take_all(&mut world, program, reader);
    }
    let offsets: Vec<u64> =
        records(&world, program, reader).iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 7, 8, 9]);
    let skipped = world.programs[program].events.iter().find_map(|event| match event.what {
        What::Skipped { partition, first, last } => Some((partition, first, last)),
        _ => None,
    });
    assert_eq!(skipped, Some((0, 1, 6)));
}

#[test]
fn what_a_group_has_not_read_is_kept_if_the_stream_says_so_and_appends_are_refused() {
    let cases = [
        ("records", StreamOptions { records_max: 3, ..StreamOptions::default() }),
        ("bytes", StreamOptions { bytes_max: 300, ..StreamOptions::default() }),
        ("age", StreamOptions { age_max_ms: 5_000, records_max: 3, ..StreamOptions::default() }),
    ];
    for (what, options) in cases {
        let mut world = World::new();
        let program = world.program();
        let options = StreamOptions { keep_unread: true, ..options };
        world.run(program, Command::DeclareStream { stream: name("log"), options });
        // Without a group nothing is unread, and the limits hold.
        for number in 0..5 {
            append(&mut world, program, 0, &number.to_string());
        }
        let reading = Reading {
            group: Some(name("slow")),
            start: Start::End,
            buffer: 1,
            ..Reading::default()
        };
        let reader =
            world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
        let body = "x".repeat(20);
        for _ in 0..3 {
            append(&mut world, program, 0, &body);
        }
        world.pass(20_000);
        let (stream, message) = (name("log"), Message::new(body.clone().into_bytes()));
        let one_more = Command::Append { stream, message, partition: Some(0), expect: None };
        let id = world.run(program, one_more.clone());
        assert_eq!(world.kind(program, id), Kind::Full, "{what}");
        let said = world.outcome(program, id).unwrap_err().detail().to_owned();
        assert!(said.contains("has not read 3 records"), "{what}: {said}");
        let batched = Command::Batch {
            parts: vec![Part::Append {
                stream: name("log"),
                message: Message::new(body.clone().into_bytes()),
                partition: Some(0),
                expect: None,
            }],
        };
        let id = world.run(program, batched);
        assert_eq!(world.kind(program, id), Kind::Full, "{what}");
        let first = records(&world, program, reader)[0].clone();
        assert_eq!(first.offset, 5, "{what}");
        commit(&mut world, program, reader, &first);
        let id = world.run(program, one_more);
        assert!(world.outcome(program, id).is_ok(), "{what}: there is room again");
        for _ in 0..4 {
            take_all(&mut world, program, reader);
        }
        let offsets: Vec<u64> =
            records(&world, program, reader).iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [5, 6, 7, 8], "{what}: nothing was lost");
    }
}

#[test]
fn more_members_than_partitions_wait_for_their_turn() {
    let (mut world, program) = world();
    let readers: Vec<Id> = (0..6).map(|_| join(&mut world, program)).collect();
    fill(&mut world, program, 1);
    let busy = readers.iter().filter(|reader| !records(&world, program, **reader).is_empty());
    assert_eq!(busy.count(), 4);
    let first = readers[0];
    world.programs[program].client.detach(world.now, first);
    world.settle();
    fill(&mut world, program, 1);
    let all: usize = readers.iter().map(|reader| records(&world, program, *reader).len()).sum();
    // What the first had was not committed, so it comes once more.
    assert_eq!(all, 4 + 4 + 1);
}

#[test]
fn a_member_hears_of_its_partitions_only_when_the_next_host_would_know_of_them() {
    let (mut world, program) = world();
    fill(&mut world, program, 1);
    world.disk.is_paused = true;
    let reader = join(&mut world, program);
    assert!(records(&world, program, reader).is_empty(), "what it got is not written yet");
    world.change_host();
    world.disk.is_paused = false;
    world.pass(6_000);
    let all = records(&world, program, reader);
    assert_eq!(all.len(), 4);
    world.change_host();
    for record in &all {
        let id = commit(&mut world, program, reader, record);
        world.pass(100);
        assert!(world.outcome(program, id).is_ok(), "it has what it had");
    }
    assert_eq!(places(&mut world, program), [(1, 0); 4]);
}

#[test]
fn a_reader_of_a_new_group_is_live_only_when_the_next_host_would_know_of_the_group() {
    let (mut world, program) = world();
    let other = world.program();
    world.disk.is_paused = true;
    let (group, start) = (Some(name("billing")), Start::End);
    let reading = Reading { group, start, ..Reading::default() };
    let reader =
        world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    let is_live = |world: &World| {
        let mut events = world.programs[program].events.iter();
        events.any(|event| event.id == reader && matches!(event.what, What::Started))
    };
    assert!(!is_live(&world), "the group is not written yet");
    world.disk.is_paused = false;
    world.settle();
    assert!(is_live(&world));
    // Somebody appends before the member is back.
    world.programs[program].cut = true;
    world.change_host();
    world.pass(100);
    append(&mut world, other, 0, "new");
    world.programs[program].cut = false;
    world.pass(10_000);
    assert_eq!(records(&world, program, reader).len(), 1);
}

#[test]
fn after_a_change_of_host_a_group_goes_on_as_soon_as_everybody_is_back_or_gone() {
    let (mut world, dead) = world();
    let (idle, next) = (world.program(), world.program());
    fill(&mut world, idle, 1);
    join(&mut world, dead);
    // The host and one member die together; the others come back, one of them a little later.
    world.kill(dead);
    world.programs[idle].cut = true;
    world.change_host();
    let reader = join(&mut world, next);
    world.pass(20);
    assert!(records(&world, next, reader).is_empty(), "who is not back yet may have claims");
    world.programs[idle].cut = false;
    world.settle();
    world.pass(500);
    assert_eq!(records(&world, next, reader).len(), 4);
}

#[test]
fn a_deleted_group_of_a_stream_in_memory_does_not_come_back() {
    let mut world = World::new();
    let program = world.program();
    let durability = Some(Durability::Memory);
    let options = StreamOptions { durability, ..StreamOptions::default() };
    world.run(program, Command::DeclareStream { stream: name("log"), options });
    join(&mut world, program);
    world.hand_over();
    world.pass(100);
    let gone = Command::DeleteGroup { stream: name("log"), group: name("billing") };
    let id = world.run(program, gone);
    assert!(world.outcome(program, id).is_ok());
    world.hand_over();
    world.pass(100);
    let id = world.run(program, Command::Groups { stream: name("log") });
    assert!(matches!(world.outcome(program, id), Ok(Outcome::Groups(none)) if none.is_empty()));
}

#[test]
fn a_group_of_a_stream_in_memory_goes_on_with_what_is_new_when_the_rest_is_lost() {
    let mut world = World::new();
    let program = world.program();
    let durability = Some(Durability::Memory);
    let options = StreamOptions { durability, ..StreamOptions::default() };
    world.run(program, Command::DeclareStream { stream: name("log"), options });
    append(&mut world, program, 0, "lost");
    let reader = join(&mut world, program);
    let [lost] = &records(&world, program, reader)[..] else { panic!("one record") };
    let lost = lost.clone();
    world.change_host();
    world.pass(10_000);
    append(&mut world, program, 0, "new");
    let late = commit(&mut world, program, reader, &lost);
    assert_eq!(world.outcome(program, late).unwrap_err().kind(), Kind::LeaseLost);
    let all = records(&world, program, reader);
    let bodies: Vec<&[u8]> = all.iter().map(|record| &record.message.body[..]).collect();
    assert_eq!(bodies, [b"lost".as_slice(), b"new"]);
    let id = commit(&mut world, program, reader, &all[1]);
    assert!(world.outcome(program, id).is_ok());
    assert_eq!(places(&mut world, program), [(all[1].offset + 1, 0)]);
    let is_skip = |what: &What| matches!(what, What::Skipped { .. });
    assert!(!world.programs[program].events.iter().any(|event| is_skip(&event.what)));
}
