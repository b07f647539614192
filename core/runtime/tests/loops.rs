//! Handles in a loop of the program's own: the descriptor, timers, wake-ups, signals.

mod support;

use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use support::*;
use telpher::*;

/// Waits until the descriptor is readable; false if that took too long.
fn readable(fd: RawFd, timeout: Duration) -> bool {
    // SAFETY: the handle that owns it outlives the call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let timeout = rustix::time::Timespec {
        tv_sec: timeout.as_secs() as i64,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

const LONG: Duration = Duration::from_secs(20);

fn poll_now(hub: &Hub, capacity: usize) -> Vec<Event> {
    let mut events = Vec::new();
    hub.poll(&mut events, capacity, Timeout::Default).unwrap();
    events
}

#[test]
fn the_descriptor_stays_readable_while_events_are_left() {
    for drive in [Drive::Caller, Drive::Inline, Drive::Library] {
        let hub = reach(&format!("mem://{}", unique("left")), drive);
        let fd = hub.fd().unwrap();
        for user in 0..5 {
            hub.start(call("nobody", ""), PATIENCE, Done::Event(user)).unwrap();
        }
        hub.flush().unwrap();
        let mut taken = 0;
        while taken < 5 {
            assert!(readable(fd, LONG), "{drive:?}: not readable with {taken} taken");
            taken += poll_now(&hub, 1).len();
        }
    }
}

#[test]
fn an_idle_handle_is_not_readable_for_ever() {
    let hub = reach(&format!("mem://{}", unique("idle")), Drive::Caller);
    let fd = hub.fd().unwrap();
    let mut turns = 0;
    while readable(fd, Duration::from_millis(20)) {
        poll_now(&hub, 8);
        turns += 1;
        assert!(turns < 100, "it is readable again and again with nothing to do");
    }
}

#[test]
fn the_descriptor_becomes_readable_when_time_has_come() {
    let hub = reach(&format!("mem://{}", unique("time")), Drive::Caller);
    hub.queue("jobs").unwrap().declare(memory()).unwrap();
    let fd = hub.fd().unwrap();
    let soon = Timeout::After(Duration::from_millis(20));
    hub.start(Command::Receive { queue: name("jobs") }, soon, Done::Event(1)).unwrap();
    hub.flush().unwrap();
    loop {
        assert!(readable(fd, LONG));
        if let Some(event) = poll_now(&hub, 1).pop() {
            assert_eq!(kind(outcome(event)), Kind::Expired);
            break;
        }
    }
}

#[test]
fn what_another_thread_starts_makes_the_descriptor_readable() {
    let hub = reach(&format!("mem://{}", unique("other")), Drive::Caller);
    let fd = hub.fd().unwrap();
    while readable(fd, Duration::from_millis(5)) {
        poll_now(&hub, 8);
    }
    let other = hub.clone();
    let thread = std::thread::spawn(move || {
        other.start(call("nobody", ""), PATIENCE, Done::Event(3)).unwrap();
    });
    loop {
        assert!(readable(fd, LONG));
        if let Some(event) = poll_now(&hub, 1).pop() {
            assert_eq!(event.user, 3);
            break;
        }
    }
    thread.join().unwrap();
}

#[test]
fn a_thread_that_waits_relies_on_the_one_that_polls() {
    let hub = reach(&format!("mem://{}", unique("rely")), Drive::Caller);
    poll_now(&hub, 1);
    let other = hub.clone();
    let done = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&done);
    let thread = std::thread::spawn(move || {
        let result = other.call("nobody", "", PATIENCE);
        noted.store(true, Ordering::SeqCst);
        other.wake().unwrap();
        kind(result)
    });
    let mut events = Vec::new();
    while !done.load(Ordering::SeqCst) {
        hub.poll(&mut events, 8, Timeout::After(LONG)).unwrap();
    }
    assert_eq!(thread.join().unwrap(), Kind::NoService);
    assert!(events.is_empty());
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Sends SIGUSR1 to `thread` again and again until `done`.
fn pester(thread: libc::pthread_t, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        // SAFETY: the thread lives until `done` is set and it has been joined.
        unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        std::thread::yield_now();
    }
}

fn catch_signal() {
    // SAFETY: the handler does nothing; no SA_RESTART, so that waits are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
}

#[test]
fn a_signal_ends_a_wait_only_where_that_was_asked_for() {
    catch_signal();
    for (drive, interruptible) in [
        (Drive::Library, true),
        (Drive::Caller, true),
        (Drive::Library, false),
        (Drive::Caller, false),
    ] {
        let options = OpenOptions { interruptible, ..options(drive) };
        let (hub, opened) =
            Hub::open(&format!("mem://{}", unique("signal")), options, Done::Wait, Done::None)
                .unwrap();
        hub.wait(opened, PATIENCE).unwrap();
        let queue = hub.queue("jobs").unwrap();
        queue.declare(memory()).unwrap();
        let receive = Command::Receive { queue: name("jobs") };
        let id = hub.start(receive, Timeout::Never, Done::Wait).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let done = Arc::new(AtomicBool::new(false));
        let (noted, waiting) = (Arc::clone(&done), hub.clone());
        let thread = std::thread::spawn(move || {
            // SAFETY: asks for this thread's own name.
            sender.send(unsafe { libc::pthread_self() }).unwrap();
            let limit = if interruptible { LONG } else { Duration::from_millis(30) };
            let result = waiting.wait(id, Timeout::After(limit));
            noted.store(true, Ordering::SeqCst);
            kind(result)
        });
        pester(receiver.recv().unwrap(), &done);
        let expected = if interruptible { Kind::Interrupted } else { Kind::Pending };
        assert_eq!(thread.join().unwrap(), expected, "{drive:?}");
    }
}

#[test]
fn an_outer_loop_gets_all_that_is_published() {
    let name = unique("loop");
    let publisher = reach(&format!("mem://{name}"), Drive::Library);
    let hub = reach(&format!("mem://{name}"), Drive::Caller);
    let fd = hub.fd().unwrap();
    let pattern = Pattern::parse("numbers").unwrap();
    let command = Command::Subscribe { pattern, buffer: 2, instance_name: None };
    hub.start(command, Timeout::Default, Done::Event(7)).unwrap();
    hub.flush().unwrap();
    let mut events = Vec::new();
    let mut next = |count: usize| {
        let mut taken: Vec<Event> = Vec::new();
        while taken.len() < count {
            assert!(readable(fd, LONG), "nothing more comes after {taken:?}");
            hub.poll(&mut events, 1, Timeout::Default).unwrap();
            taken.append(&mut events);
        }
        taken
    };
    assert!(matches!(next(1)[0].what, What::Started));
    let topic = publisher.topic("numbers").unwrap();
    for number in 1..=4 {
        topic.publish(number.to_string()).unwrap();
    }
    // Two are on their way and two wait in the hub, which is told what was taken.
    for number in 1..=4 {
        let event = next(1).remove(0);
        let What::Published(published) = event.what else { panic!("{event:?}") };
        assert_eq!((event.user, published.number), (7, number));
    }
}
