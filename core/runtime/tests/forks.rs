//! What a fork does to handles, and what it must not do to the rest.

mod support;

use std::time::Duration;

use support::*;
use telpher::*;

/// Forks; the child runs `body` and ends at once, with success if that returned true.
fn in_child(body: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child runs only what is tested here, and leaves with `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(false);
        // SAFETY: ends this process without running anything of the parent's.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    child
}

fn ended_well(child: i32) -> bool {
    let mut status = 0;
    // SAFETY: `status` is a place for the result.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[test]
fn a_child_is_told_so_by_every_function_and_the_parent_goes_on() {
    for drive in [Drive::Library, Drive::Caller, Drive::Inline] {
        let hub = reach(&format!("mem://{}", unique("fork")), drive);
        let id = hub.start(call("nobody", ""), PATIENCE, Done::Wait).unwrap();
        let child = in_child(|| {
            let kinds = [
                kind(hub.start(call("nobody", ""), PATIENCE, Done::Wait)),
                kind(hub.wait(id, PATIENCE)),
                kind(hub.poll(&mut Vec::new(), 1, PATIENCE)),
                kind(hub.fd()),
                kind(hub.flush()),
                kind(hub.wake()),
                kind(hub.cancel(id)),
                kind(hub.detach(id)),
                kind(hub.request_cancelled(1)),
                kind(hub.request_remaining(1)),
                kind(hub.close(PATIENCE)),
            ];
            hub.forked() && kinds.iter().all(|kind| *kind == Kind::Forked)
        });
        assert!(ended_well(child), "{drive:?}");
        assert_eq!(kind(outcome(hub.wait(id, PATIENCE).unwrap())), Kind::NoService);
        assert!(!hub.forked());
    }
}

#[test]
fn a_child_opens_anew_while_the_parent_is_at_work() {
    let url = format!("mem://{}", unique("anew"));
    let hub = reach(&url, Drive::Library);
    hub.start(serve("echo", 64), Timeout::Default, echo(&hub)).unwrap();
    let busy = hub.clone();
    let thread = std::thread::spawn(move || {
        let mut calls = 0;
        while busy.call("echo", "x", PATIENCE).is_ok() {
            calls += 1;
        }
        calls
    });
    for _ in 0..20 {
        let child = in_child(|| {
            // The same name is a hub of the child's own: nobody serves there.
            let own = reach(&url, Drive::Library);
            let nobody = kind(own.call("echo", "x", PATIENCE)) == Kind::NoService;
            drop(hub.clone());
            own.close(PATIENCE).is_ok() && nobody
        });
        assert!(ended_well(child));
    }
    hub.close(PATIENCE).unwrap();
    assert!(thread.join().unwrap() > 0);
}

#[test]
fn a_child_shares_no_descriptor_with_its_parent() {
    let scratch = Scratch::new();
    let before = descriptors();
    let hubs = [reach(&scratch.url(), Drive::Library), reach(&scratch.url(), Drive::Caller)];
    hubs[1].fd().unwrap();
    assert!(descriptors() > before);
    // Other tests of this program run beside this one, so the child looks for what is ours.
    let child = in_child(|| {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let ours = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let ours = ours.filter(|target| {
            let target = target.to_string_lossy();
            target.contains("eventpoll") || target.contains("hub") || target.contains("socket:")
        });
        ours.count() == 0
    });
    assert!(ended_well(child));
}

#[test]
fn a_dead_parent_is_seen_to_be_dead_though_its_child_lives() {
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        hub.queue("jobs").unwrap().declare(memory()).unwrap();
        in_child(|| {
            tell("forked");
            wait_for_parent();
            true
        });
        wait_for_parent();
        return;
    }
    let scratch = Scratch::new();
    let test = "a_dead_parent_is_seen_to_be_dead_though_its_child_lives";
    let mut host = process(test, &scratch.url());
    hear(&mut host, "forked");
    let guest = reach(&scratch.url(), Drive::Library);
    guest.queue("jobs").unwrap().send("x").unwrap();
    // The pipe stays open, so the child goes on to live.
    let pipe = host.stdin.take();
    kill(host);
    let hub = reach(&scratch.url(), Drive::Library);
    let soon = hub.start(
        Command::Inspect { queue: name("jobs") },
        Timeout::After(Duration::from_secs(10)),
        Done::Wait,
    );
    let Outcome::Queue(info) = outcome(hub.wait(soon.unwrap(), PATIENCE).unwrap()).unwrap() else {
        panic!("an inspection ends with figures");
    };
    assert_eq!(info.ready, 0, "another host has taken over, and what was in memory is gone");
    drop(pipe);
}
