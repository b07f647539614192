//! Hubs in directories: who may use one, who hosts it, and what happens when the host dies.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use support::*;
use telpher::*;

fn refused(path: &Path) -> Error {
    let url = format!("file://{}", path.display());
    Hub::open(&url, OpenOptions::default(), Done::Wait, Done::None).unwrap_err()
}

#[test]
fn a_directory_is_made_for_its_owner_alone() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    assert_eq!(mode(&scratch.hub()), 0o700);
    for file in ["VERSION", "LOCK", "HUB", "hub.sock", "journal.00000001"] {
        assert_eq!(mode(&scratch.hub().join(file)), 0o600, "{file}");
    }
    hub.queue("jobs").unwrap().declare(QueueOptions::default()).unwrap();
    assert_eq!(hub.queue("jobs").unwrap().send("safe").unwrap().durability, Durability::Disk);
    hub.close(PATIENCE).unwrap();
    assert!(!scratch.hub().join("hub.sock").exists());
}

#[test]
fn an_empty_directory_is_tightened_and_one_with_other_things_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.hub()).unwrap();
    fs::set_permissions(scratch.hub(), fs::Permissions::from_mode(0o755)).unwrap();
    reach(&scratch.url(), Drive::Library).close(PATIENCE).unwrap();
    assert_eq!(mode(&scratch.hub()), 0o700);

    fs::set_permissions(scratch.hub(), fs::Permissions::from_mode(0o750)).unwrap();
    let error = refused(&scratch.hub());
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.detail().contains("0750"), "{error}");

    let other = scratch.0.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.tex"), "x").unwrap();
    let error = refused(&other);
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.detail().contains("thesis.tex"), "{error}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

#[test]
fn an_unknown_version_is_refused_and_nothing_is_touched() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.hub()).unwrap();
    fs::set_permissions(scratch.hub(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(scratch.hub().join("VERSION"), "telpher directory 9\n").unwrap();
    let error = refused(&scratch.hub());
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.detail().contains("telpher directory 9"), "{error}");
    assert_eq!(fs::read_dir(scratch.hub()).unwrap().count(), 1);
}

#[test]
fn what_is_no_directory_or_lies_in_none_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let file = scratch.0.join("file");
    fs::write(&file, "x").unwrap();
    for path in [file, scratch.0.join("missing/hub")] {
        let error = refused(&path);
        assert_eq!(error.kind(), Kind::Io);
        assert!(error.detail().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_symlink_leads_to_the_same_hub() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    hub.queue("jobs").unwrap().declare(memory()).unwrap();
    let link = scratch.0.join("link");
    symlink(scratch.hub(), &link).unwrap();
    let other = reach(&format!("file://{}", link.display()), Drive::Library);
    assert_eq!(other.queue("jobs").unwrap().inspect().unwrap().ready, 0);
}

#[test]
fn a_path_longer_than_a_socket_address_works() {
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        tell(&format!("{}", hub.queue("jobs").unwrap().inspect().unwrap().ready));
        return;
    }
    let scratch = Scratch::new();
    let deep = scratch.0.join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let url = format!("file://{}/hub", deep.display());
    let hub = reach(&url, Drive::Library);
    let queue = hub.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    queue.send("x").unwrap();
    let mut other = process("a_path_longer_than_a_socket_address_works", &url);
    assert_eq!(hear(&mut other, ""), "1");
    assert!(other.wait().unwrap().success());
}

#[test]
fn who_may_not_host_finds_nobody_and_makes_nothing() {
    let scratch = Scratch::new();
    let never = OpenOptions { host: HostRole::Never, ..OpenOptions::default() };
    let error = telpher::sugar::open_with(&scratch.url(), never.clone()).unwrap_err();
    assert_eq!(error.kind(), Kind::NoHost);
    assert!(!scratch.hub().exists());
    let host = reach(&scratch.url(), Drive::Library);
    let guest = telpher::sugar::open_with(&scratch.url(), never).unwrap();
    guest.queue("jobs").unwrap().declare(memory()).unwrap();
    assert_eq!(host.queue("jobs").unwrap().inspect().unwrap().ready, 0);
}

#[test]
fn when_the_host_is_killed_another_process_takes_over() {
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        hub.queue("jobs").unwrap().declare(memory()).unwrap();
        let _service = hub.serve("stuck", 1).unwrap();
        tell("hosting");
        return wait_for_parent();
    }
    let scratch = Scratch::new();
    let mut host = process("when_the_host_is_killed_another_process_takes_over", &scratch.url());
    hear(&mut host, "hosting");
    let hub = reach_noticed(&scratch.url(), Drive::Library, 7);
    let echo = hub.serve("echo", 1).unwrap();
    hub.queue("jobs").unwrap().send("lost").unwrap();
    let open = hub.start(call("stuck", "x"), PATIENCE, Done::Wait).unwrap();
    // An answer to a later call shows that the first was written.
    assert_eq!(kind(hub.call("nobody", "x", PATIENCE)), Kind::NoService);
    kill(host);

    let lost = outcome(hub.wait(open, PATIENCE).unwrap()).unwrap_err();
    assert_eq!(lost.kind(), Kind::HostLost);
    assert!(lost.maybe_executed());
    let changed = poll_until(&hub, |event| match &event.what {
        What::Notice(Notice::HubChanged { epoch, memory_lost }) => Some((*epoch, *memory_lost)),
        _ => None,
    });
    assert_eq!(changed, (2, true));
    assert_eq!(hub.queue("jobs").unwrap().inspect().unwrap().ready, 0, "it was kept in memory");
    let calling = hub.clone();
    let caller = std::thread::spawn(move || calling.call("echo", "again", PATIENCE));
    let request = echo.receive(PATIENCE).unwrap().unwrap();
    request.reply("here").unwrap();
    assert_eq!(&caller.join().unwrap().unwrap().body[..], b"here");
}

#[test]
fn a_message_held_by_a_process_that_was_killed_comes_back() {
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        let job = hub.queue("jobs").unwrap().receive(PATIENCE).unwrap();
        tell("holding");
        wait_for_parent();
        return drop(job);
    }
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    let queue = hub.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    queue.send("precious").unwrap();
    let test = "a_message_held_by_a_process_that_was_killed_comes_back";
    let mut worker = process(test, &scratch.url());
    hear(&mut worker, "holding");
    assert_eq!(queue.inspect().unwrap().held, 1);
    kill(worker);
    let job = queue.receive(PATIENCE).unwrap();
    assert_eq!(&job.message().body[..], b"precious");
    assert!(job.delivery().redelivered);
    job.acknowledge().unwrap();
}

#[test]
fn a_host_that_closes_hands_over_to_another_process() {
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        tell("hosting");
        wait_for_parent();
        return hub.close(PATIENCE).unwrap();
    }
    let scratch = Scratch::new();
    let mut host = process("a_host_that_closes_hands_over_to_another_process", &scratch.url());
    hear(&mut host, "hosting");
    let hub = reach_noticed(&scratch.url(), Drive::Caller, 1);
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
    poll_until(&hub, |event| {
        matches!(event.what, What::Notice(Notice::HubChanged { epoch: 2, .. })).then_some(())
    });
    assert_eq!(kind(hub.queue("jobs").unwrap().inspect()), Kind::NotFound);
}

#[test]
fn one_who_must_host_waits_until_it_can() {
    let scratch = Scratch::new();
    let first = reach(&scratch.url(), Drive::Library);
    let always = OpenOptions { host: HostRole::Always, ..OpenOptions::default() };
    let second = telpher::sugar::open_with(&scratch.url(), always).unwrap();
    first.close(PATIENCE).unwrap();
    second.queue("jobs").unwrap().declare(memory()).unwrap();
    second.close(PATIENCE).unwrap();
    let record = fs::read_to_string(scratch.hub().join("HUB")).unwrap();
    assert!(record.contains("\nepoch 1\n"), "{record}");
}

/// Why the hub can't be had, found out without waiting for the time of opening to pass.
fn unusable(scratch: &Scratch) -> Error {
    telpher::sugar::open_with(&scratch.url(), OpenOptions::default()).unwrap_err()
}

#[test]
fn a_damaged_record_is_reported_and_left_alone() {
    let scratch = Scratch::new();
    reach(&scratch.url(), Drive::Library).close(PATIENCE).unwrap();
    fs::write(scratch.hub().join("HUB"), "hub zzz\n").unwrap();
    let error = unusable(&scratch);
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.detail().contains("HUB is damaged at offset 0"), "{error}");
    assert_eq!(fs::read_to_string(scratch.hub().join("HUB")).unwrap(), "hub zzz\n");
}

#[test]
fn a_hub_says_what_it_can_do_with_queues_however_it_is_reached() {
    let rest = ["batches", "dead_letters", "topics", "bindings", "gather", "streams"];
    let in_memory = [&["calls", "queues.memory"][..], &rest].concat();
    let (first, rest) = in_memory.split_at(2);
    let kept = [first, &["queues.os", "queues.disk"], rest].concat();
    let scratch = Scratch::new();
    let socket = format!("unix://{}", scratch.0.join("door").display());
    let listening = OpenOptions { listen: vec![socket.clone()], ..OpenOptions::default() };
    let host = telpher::sugar::open_with(&scratch.url(), listening).unwrap();
    assert_eq!(host.capabilities(), kept);
    assert_eq!(reach(&socket, Drive::Caller).capabilities(), kept);
    let memory = format!("mem://{}", unique("able"));
    assert_eq!(reach(&memory, Drive::Caller).capabilities(), in_memory);

    // Before it is reached, what any hub there can.
    for (url, able) in [(scratch.url(), &kept[..]), (socket, &in_memory), (memory, &in_memory)] {
        let options = options(Drive::Caller);
        let (unreached, _) = Hub::open(&url, options, Done::Wait, Done::None).unwrap();
        assert_eq!(unreached.capabilities(), able, "{url}");
    }
}

#[test]
fn a_journal_that_is_damaged_or_missing_ends_opening_as_corrupt_with_file_and_offset() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    let queue = hub.queue("jobs").unwrap();
    queue.declare(QueueOptions::default()).unwrap();
    queue.send("safe").unwrap();
    hub.close(PATIENCE).unwrap();
    let segment = scratch.hub().join("journal.00000001");
    let good = fs::read(&segment).unwrap();
    let at = good.windows(4).position(|bytes| bytes == b"safe").unwrap();
    let mut bad = good.clone();
    bad[at] ^= 1;
    fs::write(&segment, &bad).unwrap();
    let error = unusable(&scratch);
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.detail().contains("journal.00000001"), "{error}");
    assert!(error.detail().contains("offset"), "{error}");
    assert_eq!(fs::read(&segment).unwrap(), bad);

    fs::remove_file(&segment).unwrap();
    let error = unusable(&scratch);
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.detail().contains("journal.00000001 is missing"), "{error}");

    fs::write(&segment, &good).unwrap();
    fs::set_permissions(&segment, fs::Permissions::from_mode(0o600)).unwrap();
    let hub = reach(&scratch.url(), Drive::Library);
    assert_eq!(hub.queue("jobs").unwrap().inspect().unwrap().ready, 1);
}

#[test]
fn a_handle_that_was_open_outlasts_a_directory_that_is_damaged_for_a_while() {
    if let Some(url) = role() {
        let _hub = reach(&url, Drive::Library);
        tell("hosting");
        return wait_for_parent();
    }
    let scratch = Scratch::new();
    let test = "a_handle_that_was_open_outlasts_a_directory_that_is_damaged_for_a_while";
    let mut host = process(test, &scratch.url());
    hear(&mut host, "hosting");
    let hub = reach(&scratch.url(), Drive::Library);
    let record = fs::read(scratch.hub().join("HUB")).unwrap();
    fs::write(scratch.hub().join("HUB"), "hub zzz\n").unwrap();
    kill(host);
    assert_eq!(unusable(&scratch).kind(), Kind::Corrupt);
    fs::write(scratch.hub().join("HUB"), record).unwrap();
    hub.queue("jobs").unwrap().declare(QueueOptions::default()).unwrap();
}

#[test]
fn a_host_whose_lock_was_replaced_leaves_the_files_of_the_next_one_alone() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    hub.queue("jobs").unwrap().declare(QueueOptions::default()).unwrap();

    // As another host would, that has the lock and is about to begin a segment of its own.
    let next = scratch.hub().join("journal.00000002.tmp");
    fs::write(&next, "half made").unwrap();
    let lock = fs::File::create(scratch.hub().join("LOCK.new")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::rename(scratch.hub().join("LOCK.new"), scratch.hub().join("LOCK")).unwrap();

    // After more than half of a segment a host makes the next one.
    let send = Command::Send { queue: name("jobs"), message: Message::new(vec![0; 700_000]) };
    let soon = Timeout::After(Duration::from_millis(100));
    let sent = hub.start(send, soon, Done::Wait).unwrap();
    let lost = outcome(hub.wait(sent, PATIENCE).unwrap()).unwrap_err();
    assert!(matches!(lost.kind(), Kind::HostUnresponsive | Kind::Expired), "{lost}");
    hub.close(PATIENCE).unwrap();
    assert_eq!(fs::read(&next).unwrap(), b"half made");
    assert!(!next.with_extension("").exists(), "it has made a segment");
}
