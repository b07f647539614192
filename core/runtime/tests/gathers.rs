//! Gathers, however a handle is driven.

mod support;

use std::time::{Duration, Instant};

use support::*;
use telpher::*;

const DRIVES: [Drive; 3] = [Drive::Library, Drive::Caller, Drive::Inline];

fn body(answer: Result<Answer, Error>) -> String {
    String::from_utf8(answer.unwrap().reply.unwrap().body.to_vec()).unwrap()
}

#[test]
fn every_instance_answers_whoever_drives() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("gather")), drive);
        let services = [0, 1, 2].map(|_| hub.serve("prices", 1).unwrap());
        let mut gather = hub.gather("prices", "tea", PATIENCE).unwrap();
        for (at, service) in services.iter().enumerate() {
            let request = service.receive(PATIENCE).unwrap().unwrap();
            assert_eq!(&request.message().body[..], b"tea");
            assert!(request.remaining().is_some() && !request.is_cancelled());
            request.reply(format!("offer {at}")).unwrap();
        }
        let offers: Vec<String> = (&mut gather).map(body).collect();
        assert_eq!(offers, ["offer 0", "offer 1", "offer 2"], "{drive:?}");
        let end = gather.result().unwrap();
        assert_eq!((end.answered, end.missing.len()), (3, 0));
    }
}

#[test]
fn the_deadline_ends_a_gather_well_and_reaches_the_handler() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("gather")), drive);
        let (quick, slow) = (hub.serve("prices", 1).unwrap(), hub.serve("prices", 1).unwrap());
        let gather = hub.gather("prices", "tea", Duration::from_millis(100)).unwrap();
        quick.receive(PATIENCE).unwrap().unwrap().reply("offer").unwrap();
        let late = slow.receive(PATIENCE).unwrap().unwrap();
        let end = gather.result().unwrap();
        assert_eq!((end.answered, end.failed, end.asked()), (1, 0, 2), "{drive:?}");
        assert_eq!(end.missing[0].error.kind(), Kind::TimedOut);
        assert!(late.is_cancelled());
    }
}

#[test]
fn dropping_a_gather_or_its_count_takes_the_request_back() {
    let hub = telpher::open(&format!("mem://{}", unique("gather"))).unwrap();
    let services = [0, 1].map(|_| hub.serve("prices", 1).unwrap());
    let take = || services.each_ref().map(|one| one.receive(PATIENCE).unwrap().unwrap());
    let gone = |request: &ServiceRequest| {
        let since = Instant::now();
        while !request.is_cancelled() {
            assert!(since.elapsed() < Duration::from_secs(20), "the handler hears of it");
            std::thread::yield_now();
        }
    };
    let gather = hub.gather("prices", "tea", PATIENCE).unwrap();
    let requests = take();
    drop(gather);
    requests.iter().for_each(gone);
    drop(requests);

    let gather = hub.gather_some("prices", "tea", 1, PATIENCE).unwrap();
    let [first, second] = take();
    first.fail(3, "no tea").unwrap();
    second.reply("offer").unwrap();
    let end = gather.result().unwrap();
    assert_eq!((end.answered, end.failed), (1, 1));

    let mut gather = hub.gather_some("prices", "tea", 1, PATIENCE).unwrap();
    let [first, second] = take();
    first.reply("offer").unwrap();
    assert_eq!(body(gather.next().unwrap()), "offer");
    gone(&second);
    assert!(gather.next().is_none());
    assert_eq!(gather.result().unwrap().missing[0].error.kind(), Kind::Cancelled);
}

#[test]
fn subscribers_answer_once_and_only_what_is_gathered() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("gather")), drive);
        let topic = hub.topic("who.is.there").unwrap();
        assert_eq!(topic.gather("?", PATIENCE).unwrap().result().unwrap(), Gathered::default());
        let [one, other] = ["who.**", "who.is.*"].map(|pattern| hub.subscribe(pattern).unwrap());
        topic.publish("just so").unwrap();
        for subscriber in [&one, &other] {
            let message = subscriber.receive(PATIENCE).unwrap().unwrap();
            assert!(!message.wants_reply() && message.is_cancelled());
            assert_eq!(kind(message.reply("me")), Kind::Invalid);
        }
        let mut gather = topic.gather("?", PATIENCE).unwrap();
        let message = one.receive(PATIENCE).unwrap().unwrap();
        assert!(message.wants_reply() && !message.is_cancelled());
        message.reply("me").unwrap();
        assert_eq!(body(gather.next().unwrap()), "me");
        assert_eq!(kind(message.reply("again")), Kind::Stale);
        other.receive(PATIENCE).unwrap().unwrap().fail(4, "shy").unwrap();
        let end = gather.result().unwrap();
        assert_eq!((end.answered, end.failed, end.missing.len()), (1, 1, 0), "{drive:?}");
    }
}

#[test]
fn a_subscriber_that_leaves_without_a_look_is_missing_at_once() {
    let hub = telpher::open(&format!("mem://{}", unique("gather"))).unwrap();
    let subscriber = hub.subscribe("news").unwrap();
    let gather = hub.topic("news").unwrap().gather("?", PATIENCE).unwrap();
    drop(subscriber);
    let missing = gather.result().unwrap().missing;
    assert_eq!(missing.len(), 1);
    assert!(!missing[0].error.maybe_executed(), "{:?}", missing[0]);
}

#[test]
fn a_gather_ends_as_closed_with_its_handle_and_as_refused_without_an_instance() {
    let name = format!("mem://{}", unique("gather"));
    let (hub, other) = (telpher::open(&name).unwrap(), telpher::open(&name).unwrap());
    let error = hub.gather("prices", "tea", PATIENCE).unwrap().result().unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (Kind::NoService, false));
    let mut refused = hub.gather("prices", "tea", PATIENCE).unwrap();
    assert_eq!(kind(refused.next().unwrap()), Kind::NoService);
    assert!(refused.next().is_none());
    assert_eq!(kind(hub.gather("prices", "tea", Timeout::Never)), Kind::Invalid);

    let service = other.serve("prices", 1).unwrap();
    let gather = hub.gather("prices", "tea", PATIENCE).unwrap();
    let request = service.receive(PATIENCE).unwrap().unwrap();
    hub.close(PATIENCE).unwrap();
    let error = gather.result().unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (Kind::Closed, true));
    let since = Instant::now();
    while !request.is_cancelled() {
        assert!(since.elapsed() < Duration::from_secs(20), "the handler hears of it");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_takes_answers_slowly_gets_more_than_may_wait_for_it() {
    let hub = telpher::open(&format!("mem://{}", unique("gather"))).unwrap();
    let size = limits::BODY_SIZE_MAX;
    let count = 3 * limits::GATHER_BYTES_MAX as usize / size;
    let services: Vec<Service> = (0..count).map(|_| hub.serve("big", 1).unwrap()).collect();
    let mut gather = hub.gather("big", "?", PATIENCE).unwrap();
    for service in &services {
        service.receive(PATIENCE).unwrap().unwrap().reply(vec![b'x'; size]).unwrap();
        let answer = gather.next().unwrap().unwrap();
        assert_eq!(answer.size(), size as u64);
    }
    assert_eq!(gather.result().unwrap().answered as usize, count);
}

#[test]
fn a_callback_gets_every_answer_before_the_end_also_if_all_arrive_together() {
    let hub = reach(&format!("mem://{}", unique("gather")), Drive::Caller);
    let services = [0, 1, 2].map(|_| hub.serve("prices", 1).unwrap());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let note = move |event: Event| {
        noted.lock().unwrap().push(match event.what {
            What::Answer(_) => "answer",
            What::Done(Ok(Outcome::Gathered(_))) => "end",
            _ => "other",
        });
    };
    let command = Command::Gather {
        to: GatherTo::Service(name("prices")),
        message: Message::new("tea"),
        count: 0,
    };
    hub.start(command, PATIENCE, Done::Callback(Box::new(note))).unwrap();
    let requests = services.each_ref().map(|one| one.receive(PATIENCE).unwrap().unwrap());
    // None of the answers is sent before the next turn, and what comes of them is one batch.
    requests.into_iter().for_each(|request| request.reply("offer").unwrap());
    while seen.lock().unwrap().last() != Some(&"end") {
        hub.poll(&mut Vec::new(), 1, Duration::from_millis(10).into()).unwrap();
    }
    assert_eq!(seen.lock().unwrap()[..], ["answer", "answer", "answer", "end"]);
}

fn named(text: &str) -> Option<Name> {
    Some(Name::parse_instance(text).unwrap())
}

#[test]
fn instances_and_subscribers_are_told_by_the_names_that_they_state() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("gather")), drive);
        let serve = |instance_name| {
            let options = ServeOptions { instance_name, ..ServeOptions::default() };
            hub.serve_with("prices", options).unwrap()
        };
        let services = [named("berlin"), None, named("oslo")].map(serve);
        let mut gather = hub.gather_some("prices", "tea", 2, PATIENCE).unwrap();
        for service in &services[..2] {
            service.receive(PATIENCE).unwrap().unwrap().reply("offer").unwrap();
        }
        let names: Vec<_> = (&mut gather).map(|answer| answer.unwrap().instance_name).collect();
        assert_eq!(names, [named("berlin"), None], "{drive:?}");
        let missing = gather.result().unwrap().missing;
        assert_eq!((missing.len(), &missing[0].instance_name), (1, &named("oslo")));

        let options = SubscribeOptions { buffer: 4, instance_name: named("lisbon") };
        let subscriber = hub.subscribe_with("prices", options).unwrap();
        let mut gather = hub.topic("prices").unwrap().gather("tea", PATIENCE).unwrap();
        subscriber.receive(PATIENCE).unwrap().unwrap().reply("offer").unwrap();
        let names: Vec<_> = (&mut gather).map(|answer| answer.unwrap().instance_name).collect();
        assert_eq!(names, [named("lisbon")], "{drive:?}");
    }
}

#[test]
fn who_is_killed_is_missing_by_name_and_others_keep_theirs_under_the_next_host() {
    let test = "who_is_killed_is_missing_by_name_and_others_keep_theirs_under_the_next_host";
    let options = |text| ServeOptions { instance_name: named(text), ..ServeOptions::default() };
    if let Some(url) = role() {
        let hub = reach(&url, Drive::Library);
        let service = hub.serve_with("prices", options("berlin")).unwrap();
        tell("serving");
        let _held = service.receive(PATIENCE).unwrap().unwrap();
        tell("asked");
        return wait_for_parent();
    }
    let scratch = Scratch::new();
    // The process hosts the hub, too.
    let mut host = process(test, &scratch.url());
    hear(&mut host, "serving");
    let hub = reach(&scratch.url(), Drive::Library);
    let oslo = hub.serve_with("prices", options("oslo")).unwrap();
    let asker = reach(&scratch.url(), Drive::Library);
    let lost = asker.gather("prices", "tea", PATIENCE).unwrap();
    drop(oslo.receive(PATIENCE).unwrap().unwrap());
    hear(&mut host, "asked");
    kill(host);
    assert_eq!(kind(lost.result()), Kind::HostLost);

    let mut second = process(test, &scratch.url());
    hear(&mut second, "serving");
    let mut gather = asker.gather("prices", "tea", PATIENCE).unwrap();
    hear(&mut second, "asked");
    oslo.receive(PATIENCE).unwrap().unwrap().reply("offer").unwrap();
    let answer = gather.next().unwrap().unwrap();
    assert_eq!(answer.instance_name, named("oslo"));
    kill(second);
    let missing = gather.result().unwrap().missing;
    assert_eq!((missing.len(), missing[0].error.kind()), (1, Kind::Abandoned));
    assert_eq!(missing[0].instance_name, named("berlin"));
}
