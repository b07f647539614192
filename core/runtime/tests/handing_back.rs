//! What a program was handed and never took goes to others.

mod support;

use support::*;
use telpher::*;

#[test]
fn messages_that_a_stopped_consumer_never_took_go_back_untouched() {
    let url = format!("mem://{}", unique("back"));
    for done in [|| Done::Wait, || Done::Event(1)] {
        let (hub, other) = (reach(&url, Drive::Library), reach(&url, Drive::Library));
        let queue = hub.queue("jobs").unwrap();
        queue.declare(QueueOptions::default()).unwrap();
        let name = Name::parse("jobs").unwrap();
        let consume = Command::Consume { queue: name, prefetch: 10, ack_deadline_ms: 0 };
        let consumer = hub.start(consume, Timeout::Never, done()).unwrap();
        for body in ["a", "b", "c"] {
            queue.send(body).unwrap();
        }
        hub.detach(consumer).unwrap();
        for body in ["a", "b", "c"] {
            let job = other.queue("jobs").unwrap().receive(PATIENCE).unwrap();
            assert_eq!((&job.message().body[..], job.delivery().failures), (body.as_bytes(), 0));
            job.acknowledge().unwrap();
        }
        queue.delete().unwrap();
    }
}

#[test]
fn requests_that_a_closed_program_never_took_go_to_another_instance() {
    let url = format!("mem://{}", unique("decline"));
    let (first, second) = (reach(&url, Drive::Library), reach(&url, Drive::Library));
    let caller = reach(&url, Drive::Library);
    let idle = first.start(serve("work", 1), Timeout::Never, Done::Wait).unwrap();
    assert!(matches!(first.wait(idle, PATIENCE).unwrap().what, What::Started));
    let ticket = caller.start(call("work", "x"), PATIENCE, Done::Wait).unwrap();
    // The call is with the first instance before the second is there.
    caller.call("nobody", "", PATIENCE).unwrap_err();
    let thread = serve_on_thread(&second, "work", 1);
    first.close(PATIENCE).unwrap();
    let event = caller.wait(ticket, PATIENCE).unwrap();
    assert!(matches!(event.what, What::Done(Ok(Outcome::Reply(_)))), "{event:?}");
    second.close(PATIENCE).unwrap();
    thread.join().unwrap();
}
