//! Each driver mode, from the program's side.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use support::*;
use telpher::*;

#[test]
fn a_call_is_answered_in_every_mode() {
    for drive in [Drive::Library, Drive::Caller, Drive::Inline] {
        let hub = reach(&format!("mem://{}", unique("call")), drive);
        hub.start(serve("echo", 4), Timeout::Default, echo(&hub)).unwrap();
        let reply = hub.call("echo", "hello", PATIENCE).unwrap();
        assert_eq!(&reply.body[..], b"hello", "{drive:?}");
        hub.close(PATIENCE).unwrap();
    }
}

#[test]
fn a_call_goes_over_a_socket_to_an_inline_hub() {
    let scratch = Scratch::new();
    let port = free_port();
    let unix = format!("unix://{}/s", scratch.0.display());
    for url in [format!("tcp://127.0.0.1:{port}"), unix] {
        let server = reach(&url, Drive::Inline);
        server.start(serve("echo", 64), Timeout::Never, echo(&server)).unwrap();
        server.flush().unwrap();
        let stopping = server.clone();
        let thread = std::thread::spawn(move || {
            let mut events = Vec::new();
            while stopping.poll(&mut events, 64, Timeout::Never).is_ok() {}
        });
        for drive in [Drive::Library, Drive::Caller] {
            let client = reach(&url, drive);
            for round in 0..100 {
                let body = format!("hello {round}");
                let reply = client.call("echo", body.clone(), PATIENCE).unwrap();
                assert_eq!(&reply.body[..], body.as_bytes());
            }
            client.close(PATIENCE).unwrap();
        }
        server.close(PATIENCE).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn a_batch_of_calls_is_handed_over_as_events_with_the_programs_numbers() {
    let hub = reach(&format!("mem://{}", unique("batch")), Drive::Caller);
    hub.start(serve("echo", 64), Timeout::Default, echo(&hub)).unwrap();
    for user in 0..64 {
        hub.start(call("echo", "x"), PATIENCE, Done::Event(user)).unwrap();
    }
    let mut seen = [false; 64];
    let mut events = Vec::new();
    let mut count = 0;
    while count < 64 {
        count += hub.poll(&mut events, 10, PATIENCE).unwrap();
        for event in events.drain(..) {
            assert!(!std::mem::replace(&mut seen[event.user as usize], true));
            assert!(matches!(event.what, What::Done(Ok(Outcome::Reply(_)))), "{event:?}");
        }
    }
    assert_eq!(hub.stats().in_flight, 0);
}

#[test]
fn threads_that_wait_beside_the_driver_are_served_by_it() {
    for drive in [Drive::Library, Drive::Caller] {
        let hub = reach(&format!("mem://{}", unique("threads")), drive);
        hub.start(serve("echo", 64), Timeout::Default, echo(&hub)).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let hub = hub.clone();
                std::thread::spawn(move || {
                    for _ in 0..200 {
                        assert_eq!(&hub.call("echo", "x", PATIENCE).unwrap().body[..], b"x");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn only_one_thread_polls_and_nobody_waits_in_a_callback() {
    let hub = reach(&format!("mem://{}", unique("deadlock")), Drive::Caller);
    let polling = hub.clone();
    let thread = std::thread::spawn(move || {
        let mut events = Vec::new();
        loop {
            // The other thread may just be at it.
            match polling.poll(&mut events, 1, Timeout::Never) {
                Err(error) if error.kind() == Kind::WouldDeadlock => std::thread::yield_now(),
                other => return other,
            }
        }
    });
    // The second thread is refused as soon as the first is at it.
    let refused = loop {
        match hub.poll(&mut Vec::new(), 1, Timeout::Default) {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), Kind::WouldDeadlock);
    hub.wake().unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), 0);

    let found = Arc::new(AtomicU32::new(0));
    let (noted, inner) = (Arc::clone(&found), hub.clone());
    let callback = move |event: Event| {
        let kinds = [
            kind(inner.wait(event.id, PATIENCE)),
            kind(inner.wait(0, PATIENCE).and_then(|_| inner.poll(&mut Vec::new(), 1, PATIENCE))),
        ];
        if kinds == [Kind::Stale, Kind::WouldDeadlock] || kinds == [Kind::WouldDeadlock; 2] {
            noted.fetch_add(1, Ordering::SeqCst);
        }
    };
    hub.start(call("nobody", ""), PATIENCE, Done::Callback(Box::new(callback))).unwrap();
    while found.load(Ordering::SeqCst) == 0 {
        hub.poll(&mut Vec::new(), 1, Timeout::After(Duration::from_millis(1))).unwrap();
    }
}

#[test]
fn a_ticket_is_redeemed_once_and_an_unknown_one_never() {
    for drive in [Drive::Library, Drive::Caller, Drive::Inline] {
        let hub = reach(&format!("mem://{}", unique("stale")), drive);
        let id = hub.start(call("nobody", ""), PATIENCE, Done::Wait).unwrap();
        assert_eq!(kind(outcome(hub.wait(id, PATIENCE).unwrap())), Kind::NoService);
        assert_eq!(kind(hub.wait(id, PATIENCE)), Kind::Stale);
        assert_eq!(kind(hub.wait(123_456, PATIENCE)), Kind::Stale);
        assert_eq!(kind(hub.cancel(id)), Kind::Stale);
        assert_eq!(kind(hub.detach(id)), Kind::Stale);
        let pending = hub.start(Command::Receive { queue: name("q") }, PATIENCE, Done::None);
        assert!(pending.is_ok());
    }
}

#[test]
fn a_wait_whose_own_time_passes_leaves_the_ticket_open() {
    for drive in [Drive::Library, Drive::Caller] {
        let hub = reach(&format!("mem://{}", unique("pending")), drive);
        let queue = hub.queue("jobs").unwrap();
        queue.declare(memory()).unwrap();
        let id = hub
            .start(Command::Receive { queue: name("jobs") }, Timeout::Never, Done::Wait)
            .unwrap();
        assert_eq!(kind(hub.wait(id, Timeout::After(Duration::from_millis(5)))), Kind::Pending);
        queue.send("late").unwrap();
        let got = outcome(hub.wait(id, PATIENCE).unwrap()).unwrap();
        assert!(matches!(got, Outcome::Delivery(d) if &d.message.body[..] == b"late"));
    }
}

#[test]
fn readiness_comes_after_full_and_starting_works_again() {
    for drive in [Drive::Library, Drive::Caller] {
        let options = OpenOptions { in_flight_max: 8, ..options(drive) };
        let url = format!("mem://{}", unique("full"));
        let (hub, id) = Hub::open(&url, options, Done::Wait, Done::Event(77)).unwrap();
        outcome(hub.wait(id, PATIENCE).unwrap()).unwrap();
        for user in 0..8 {
            hub.start(call("nobody", "x"), PATIENCE, Done::Event(user)).unwrap();
        }
        let full = hub.start(call("nobody", "x"), PATIENCE, Done::Event(8)).unwrap_err();
        assert_eq!(full.kind(), Kind::Full);
        assert!(full.detail().contains('8'), "{full}");
        let mut done = 0;
        poll_until(&hub, |event| {
            done += u32::from(matches!(event.what, What::Done(_)));
            matches!(event.what, What::Ready).then_some(event.user)
        });
        assert!(done >= 4, "ready after only {done}");
        hub.start(call("nobody", "x"), PATIENCE, Done::Event(9)).unwrap();
        assert!(matches!(hub.wait(0, PATIENCE).unwrap().what, What::Ready));
    }
}

#[test]
fn wrong_values_are_refused_before_anything_starts() {
    let hub = reach(&format!("mem://{}", unique("wrong")), Drive::Library);
    let big = Message::new(vec![0; limits::BODY_SIZE_MAX + 1]);
    let oversized = Command::Call { service: name("x"), message: big };
    assert_eq!(kind(hub.start(oversized, PATIENCE, Done::Wait)), Kind::TooLarge);
    assert_eq!(kind(hub.start(call("x", ""), Timeout::Never, Done::Wait)), Kind::Invalid);
    let long = Timeout::After(Duration::from_secs(u64::MAX / 4));
    assert_eq!(kind(hub.start(call("x", ""), long, Done::Wait)), Kind::Invalid);
    assert_eq!(kind(hub.poll(&mut Vec::new(), 0, Timeout::Default)), Kind::Invalid);
    assert_eq!(kind(hub.request_cancelled(42)), Kind::Stale);
    let options = OpenOptions { in_flight_max: 65_537, ..OpenOptions::default() };
    assert_eq!(kind(Hub::open("mem://x", options, Done::Wait, Done::None)), Kind::Invalid);
    let waited = Hub::open("mem://x", OpenOptions::default(), Done::Wait, Done::Wait);
    assert_eq!(kind(waited), Kind::Invalid);
    assert_eq!(hub.stats().started, 0);
}

#[test]
fn listening_where_anybody_may_connect_needs_permission() {
    let inline = options(Drive::Inline);
    let open = |options| Hub::open("tcp://0.0.0.0:0", options, Done::Wait, Done::None);
    assert_eq!(kind(open(inline.clone())), Kind::Refused);
    assert!(open(OpenOptions { insecure: true, ..inline.clone() }).is_ok());
    let listen = OpenOptions { listen: vec!["tcp://[::]:0".into()], ..OpenOptions::default() };
    assert_eq!(kind(Hub::open("mem://l", listen, Done::Wait, Done::None)), Kind::Refused);
    assert_eq!(kind(Hub::open("./d", inline, Done::Wait, Done::None)), Kind::Unsupported);
}

#[test]
fn a_hub_in_memory_is_shared_by_name_and_ends_with_its_last_handle() {
    let url = format!("mem://{}", unique("shared"));
    let first = reach(&url, Drive::Library);
    let second = reach(&url, Drive::Caller);
    first.queue("jobs").unwrap().declare(memory()).unwrap();
    second.queue("jobs").unwrap().send("x").unwrap();
    first.close(PATIENCE).unwrap();
    assert_eq!(second.queue("jobs").unwrap().inspect().unwrap().ready, 1);
    second.close(PATIENCE).unwrap();
    let third = reach(&url, Drive::Library);
    assert_eq!(kind(third.queue("jobs").unwrap().inspect()), Kind::NotFound);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_verdict_that_came_while_the_program_was_busy_wins_over_its_deadline() {
    let scratch = Scratch::new();
    let host = reach(&scratch.url(), Drive::Library);
    for (url, drive) in [
        (scratch.url(), Drive::Caller),
        (format!("mem://{}", unique("busy")), Drive::Caller),
        (format!("mem://{}", unique("busy")), Drive::Inline),
    ] {
        let hub = reach(&url, drive);
        let queue = name("empty");
        let declare = Command::Declare { queue: queue.clone(), options: memory() };
        let id = hub.start(declare, PATIENCE, Done::Wait).unwrap();
        outcome(hub.wait(id, PATIENCE).unwrap()).unwrap();
        let time = Timeout::After(Duration::from_millis(20));
        let id = hub.start(Command::Receive { queue }, time, Done::Wait).unwrap();
        hub.flush().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(200) {
            std::hint::spin_loop();
        }
        let ended = outcome(hub.wait(id, PATIENCE).unwrap());
        assert_eq!(kind(ended), Kind::Expired, "{url} {drive:?}");
        hub.close(PATIENCE).unwrap();
    }
    host.close(PATIENCE).unwrap();
}
