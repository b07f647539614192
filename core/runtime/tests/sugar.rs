//! The short way for blocking Rust code.

mod support;

use std::time::Duration;

use support::*;
use telpher::*;

#[test]
fn a_service_answers_fails_and_lets_go() {
    let hub = telpher::open(&format!("mem://{}", unique("service"))).unwrap();
    let service = hub.serve("work", 4).unwrap();
    let thread = std::thread::spawn(move || {
        for request in &service {
            let request = request.unwrap();
            let body = request.message().body.clone();
            assert!(request.remaining().unwrap() <= Duration::from_secs(20));
            assert!(!request.is_cancelled());
            match &body[..] {
                b"answer" => request.reply("fine").unwrap(),
                b"fail" => request.fail(42, "it broke").unwrap(),
                b"drop" => drop(request),
                _ => return,
            }
        }
    });
    assert_eq!(&hub.call("work", "answer", PATIENCE).unwrap().body[..], b"fine");
    let failed = hub.call("work", "fail", PATIENCE).unwrap_err();
    assert_eq!((failed.kind(), failed.code(), failed.detail()), (Kind::Remote, 42, "it broke"));
    assert_eq!(kind(hub.call("work", "drop", PATIENCE)), Kind::Abandoned);
    let ending = hub.start_call("work", "end", PATIENCE).unwrap();
    thread.join().unwrap();
    assert_eq!(kind(ending.wait()), Kind::Abandoned);
    assert_eq!(kind(hub.call("work", "answer", PATIENCE)), Kind::NoService);
}

#[test]
fn a_queue_takes_gives_and_takes_back() {
    let hub = telpher::open(&format!("mem://{}", unique("queue"))).unwrap();
    let queue = hub.queue("jobs").unwrap();
    assert_eq!(kind(queue.inspect()), Kind::NotFound);
    queue.declare(memory()).unwrap();
    let first = queue.send("a").unwrap();
    assert_eq!(first.durability, Durability::Memory);
    queue.send("b").unwrap();

    let job = queue.receive(PATIENCE).unwrap();
    assert_eq!(job.delivery().message_id, first.message_id);
    job.requeue("not now").unwrap();
    let other = queue.receive(PATIENCE).unwrap();
    assert_eq!(&other.message().body[..], b"b", "the first waits for its next attempt");
    let job = queue.receive(PATIENCE).unwrap();
    assert_eq!(job.delivery().failures, 1);
    drop((job, other));
    let consumer = queue.consume(1).unwrap();
    let job = consumer.receive(PATIENCE).unwrap().unwrap();
    assert_eq!((&job.message().body[..], job.delivery().failures), (&b"a"[..], 1));
    job.acknowledge().unwrap();
    consumer.receive(PATIENCE).unwrap().unwrap().reject("no good").unwrap();
    let dead = hub.queue("jobs.dead").unwrap().receive(PATIENCE).unwrap();
    let headers = &dead.message().properties.as_ref().unwrap().headers;
    assert_eq!(headers.get("telpher.error"), Some(&b"no good"[..]));
    assert_eq!(headers.get("telpher.queue"), Some(&b"jobs"[..]));
    assert!(consumer.receive(Duration::from_millis(5)).unwrap().is_none());
    let soon = Duration::from_millis(200);
    assert_eq!(kind(queue.receive(soon)), Kind::Expired);
    let info = queue.inspect().unwrap();
    assert_eq!((info.sent, info.acknowledged, info.rejected, info.ready), (2, 1, 1, 0));
    assert_eq!(queue.purge().unwrap(), 0);
    assert_eq!(queue.delete().unwrap(), 0);
}

#[test]
fn a_dropped_consumer_gives_back_what_nobody_has_taken() {
    let hub = telpher::open(&format!("mem://{}", unique("dropped"))).unwrap();
    let queue = hub.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    let consumer = queue.consume(8).unwrap();
    for number in 0..8 {
        queue.send(format!("{number}")).unwrap();
    }
    let first = consumer.receive(PATIENCE).unwrap().unwrap();
    drop(consumer);
    let again = queue.receive(PATIENCE).unwrap();
    assert_eq!((&first.message().body[..], &again.message().body[..]), (&b"0"[..], &b"1"[..]));
    assert_eq!(hub.stats().failed, 0);
}

#[test]
fn a_producer_is_slowed_by_what_may_be_in_flight() {
    let options = OpenOptions { in_flight_max: 4, ..OpenOptions::default() };
    let hub = telpher::sugar::open_with(&format!("mem://{}", unique("slow")), options).unwrap();
    let queue = hub.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    let redeeming = hub.clone();
    let (sender, receiver) = std::sync::mpsc::channel::<Pending<Receipt>>();
    let thread = std::thread::spawn(move || {
        receiver.into_iter().fold(0, |count, pending| {
            pending.wait().unwrap();
            count + 1
        })
    });
    for _ in 0..200 {
        sender.send(queue.start_send("x").unwrap()).unwrap();
        assert!(redeeming.stats().in_flight <= 4);
    }
    drop(sender);
    assert_eq!(thread.join().unwrap(), 200);
}
