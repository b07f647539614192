//! How handles end, and what is left of them.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::*;
use telpher::*;

#[test]
fn closing_wakes_every_waiter_and_ends_every_ticket() {
    for drive in [Drive::Library, Drive::Caller] {
        let hub = reach(&format!("mem://{}", unique("close")), drive);
        hub.queue("jobs").unwrap().declare(memory()).unwrap();
        let receive = || Command::Receive { queue: name("jobs") };
        hub.start(receive(), Timeout::Never, Done::Event(5)).unwrap();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let hub = hub.clone();
                let id = hub.start(receive(), Timeout::Never, Done::Wait).unwrap();
                std::thread::spawn(move || kind(outcome(hub.wait(id, PATIENCE).unwrap())))
            })
            .collect();
        hub.close(PATIENCE).unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Kind::Closed);
        }
        let mut events = Vec::new();
        assert_eq!(hub.poll(&mut events, 8, PATIENCE).unwrap(), 1);
        assert_eq!((events[0].user, kind(outcome(events.remove(0)))), (5, Kind::Closed));
        assert_eq!(kind(hub.poll(&mut events, 8, PATIENCE)), Kind::Closed);
        assert_eq!(kind(hub.start(receive(), PATIENCE, Done::Wait)), Kind::Closed);
        assert_eq!(kind(hub.wait(0, PATIENCE)), Kind::Closed);
        hub.close(PATIENCE).unwrap();
    }
}

#[test]
fn closing_wakes_a_thread_that_polls() {
    for drive in [Drive::Library, Drive::Caller] {
        let hub = reach(&format!("mem://{}", unique("polled")), drive);
        let polling = hub.clone();
        let thread =
            std::thread::spawn(move || kind(polling.poll(&mut Vec::new(), 1, Timeout::Never)));
        hub.close(PATIENCE).unwrap();
        assert_eq!(thread.join().unwrap(), Kind::Closed, "{drive:?}");
    }
}

#[test]
fn closing_in_a_callback_is_carried_out_after_it() {
    let hub = reach(&format!("mem://{}", unique("inside")), Drive::Library);
    let closing = hub.clone();
    let closed = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&closed);
    let callback = move |_: Event| {
        closing.close(PATIENCE).unwrap();
        noted.store(true, Ordering::SeqCst);
    };
    hub.start(call("nobody", ""), PATIENCE, Done::Callback(Box::new(callback))).unwrap();
    let event = hub.poll(&mut Vec::new(), 1, PATIENCE);
    assert_eq!(kind(event), Kind::Closed);
    assert!(closed.load(Ordering::SeqCst));
}

#[test]
fn a_hub_that_is_not_there_fails_the_opening_and_says_why() {
    let scratch = Scratch::new();
    let soon = Timeout::After(Duration::from_millis(50));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for drive in [Drive::Library, Drive::Caller] {
        for url in
            [format!("unix://{}/none", scratch.0.display()), format!("tcp://127.0.0.1:{port}")]
        {
            let options = OpenOptions { timeout: soon, ..options(drive) };
            let (hub, id) = Hub::open(&url, options, Done::Wait, Done::None).unwrap();
            let error = outcome(hub.wait(id, PATIENCE).unwrap()).unwrap_err();
            assert_eq!(error.kind(), Kind::NoHost);
            let detail = error.detail();
            assert!(detail.contains("refused") || detail.contains("No such file"), "{detail}");
            assert_eq!(kind(hub.start(call("x", ""), PATIENCE, Done::Wait)), Kind::NoHost);
            hub.close(PATIENCE).unwrap();
        }
    }
}

#[test]
fn a_panicking_callback_harms_nobody_else() {
    let hub = reach(&format!("mem://{}", unique("panic")), Drive::Library);
    let callback = |_: Event| panic!("the program's own fault");
    hub.start(call("nobody", ""), PATIENCE, Done::Callback(Box::new(callback))).unwrap();
    assert_eq!(kind(hub.call("nobody", "", PATIENCE)), Kind::NoService);
}

/// Fails when it is dropped, in the middle of the turn that ran its callback.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a fault that was planted");
    }
}

#[test]
fn a_fault_in_a_turn_ends_the_handle_and_says_so() {
    for drive in [Drive::Library, Drive::Caller] {
        let hub = reach(&format!("mem://{}", unique("fault")), drive);
        hub.queue("jobs").unwrap().declare(memory()).unwrap();
        let receive = || Command::Receive { queue: name("jobs") };
        let waited = hub.start(receive(), Timeout::Never, Done::Wait).unwrap();
        hub.start(receive(), Timeout::Never, Done::Event(9)).unwrap();
        let bomb = Bomb;
        let callback = move |_: Event| {
            let _ = &bomb;
        };
        hub.start(call("nobody", ""), PATIENCE, Done::Callback(Box::new(callback))).unwrap();
        assert_eq!(kind(outcome(hub.wait(waited, PATIENCE).unwrap())), Kind::Internal);
        let mut events = Vec::new();
        assert_eq!(hub.poll(&mut events, 8, PATIENCE).unwrap(), 1);
        assert_eq!((events[0].user, kind(outcome(events.remove(0)))), (9, Kind::Internal));
        assert_eq!(kind(hub.start(receive(), PATIENCE, Done::Wait)), Kind::Internal);
        assert_eq!(kind(hub.poll(&mut events, 8, PATIENCE)), Kind::Internal);
        hub.close(PATIENCE).unwrap();
    }
}

#[test]
fn a_thousand_handles_leave_no_descriptor_behind() {
    if role().is_none() {
        // Alone in a process of its own, so that nobody else's descriptors are counted.
        let mut child = process("a_thousand_handles_leave_no_descriptor_behind", "alone");
        assert!(child.wait().unwrap().success());
        return;
    }
    let scratch = Scratch::new();
    let unix = format!("unix://{}/s", scratch.0.display());
    let server = reach(&unix, Drive::Inline);
    let stopping = server.clone();
    let thread =
        std::thread::spawn(
            move || {
                while stopping.poll(&mut Vec::new(), 1, Timeout::Never).is_ok() {}
            },
        );
    let memory = format!("mem://{}", unique("cycle"));
    let urls = [(memory.as_str(), Drive::Library), (&unix, Drive::Caller), (&unix, Drive::Library)];
    let cycle = |rounds: usize| {
        for _ in 0..rounds {
            for (url, drive) in urls {
                let hub = reach(url, drive);
                hub.fd().unwrap();
                assert_eq!(kind(hub.call("nobody", "", PATIENCE)), Kind::NoService);
                hub.close(PATIENCE).unwrap();
            }
        }
        // An answer shows that the server has taken in what was closed before.
        let last = reach(&unix, Drive::Caller);
        assert_eq!(kind(last.call("nobody", "", PATIENCE)), Kind::NoService);
        descriptors()
    };
    let before = cycle(10);
    let after = cycle(334);
    assert!(after <= before + 2, "{before} descriptors became {after}");
    server.close(PATIENCE).unwrap();
    thread.join().unwrap();
}
