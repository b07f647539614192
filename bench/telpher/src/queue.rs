//! Both ends of a queue: sends that are confirmed, deliveries that are acknowledged.

use std::time::Duration;

use telpher::{
    Bytes, Command, Done, Error, Event, Hub, Kind, Message, Name, Outcome, QueueOptions, Timeout,
    Verdict, What,
};

use crate::report::{self, Report};

const QUEUE: &str = "bench.work";
const BODY: [u8; 64] = [0; 64];
const BATCH: usize = 1024;
const PATIENCE: Timeout = Timeout::After(Duration::from_secs(10));

fn declare(hub: &Hub) -> Result<Name, Error> {
    let queue = Name::parse(QUEUE)?;
    let command = Command::Declare { queue: queue.clone(), options: QueueOptions::default() };
    let declared = hub.start(command, Timeout::Default, Done::Wait)?;
    report::ended(hub.wait(declared, Timeout::Default)?)?;
    Ok(queue)
}

fn polled(hub: &Hub, events: &mut Vec<Event>) -> Result<(), Error> {
    if hub.poll(events, BATCH, PATIENCE)? > 0 {
        return Ok(());
    }
    Err(Error::new(Kind::Pending, "nothing came for 10 s"))
}

/// Sends `count` messages, `window` of them unconfirmed.
pub fn produce(hub: &Hub, count: u64, window: u64) -> Result<(), Error> {
    let queue = declare(hub)?;
    let mut events = Vec::with_capacity(BATCH);
    let mut started = 0;
    let mut report = Report::begin();
    while report.count < count {
        while started < count && started - report.count < window {
            let message = Message::new(Bytes::copy_from_slice(&BODY));
            let command = Command::Send { queue: queue.clone(), message };
            hub.start(command, Timeout::Default, Done::Event(started))?;
            started += 1;
        }
        polled(hub, &mut events)?;
        for event in events.drain(..) {
            match report::ended(event)? {
                Outcome::Receipt(_) => report.count += 1,
                other => return Err(unexpected(&other)),
            }
        }
    }
    report.end();
    Ok(())
}

/// Takes `count` messages and acknowledges each, holding up to `window`. It ends when the hub has
/// confirmed the last acknowledgement.
pub fn consume(hub: &Hub, count: u64, window: u32) -> Result<(), Error> {
    let queue = declare(hub)?;
    let command = Command::Consume { queue, prefetch: window };
    hub.start(command, Timeout::Never, Done::Event(0))?;
    let mut events = Vec::with_capacity(BATCH);
    let mut report = Report::begin();
    let mut settled = false;
    while !settled {
        polled(hub, &mut events)?;
        for event in events.drain(..) {
            match event.what {
                What::Started => report::ready(),
                What::Delivery(delivery) => {
                    report.count += 1;
                    acknowledge(hub, delivery.token, report.count == count)?;
                }
                What::Done(Err(error)) => return Err(error),
                What::Done(Ok(_)) => settled = true,
                other => return Err(unexpected(&other)),
            }
        }
    }
    let failed = hub.stats().failed;
    if failed > 0 {
        return Err(Error::new(Kind::Internal, format!("{failed} acknowledgements failed")));
    }
    report.end();
    Ok(())
}

fn acknowledge(hub: &Hub, delivery: u64, last: bool) -> Result<(), Error> {
    let done = if last { Done::Event(1) } else { Done::None };
    let command = Command::Settle { delivery, verdict: Verdict::Acknowledge };
    hub.start(command, Timeout::Default, done).map(drop)
}

fn unexpected(what: &impl std::fmt::Debug) -> Error {
    Error::new(Kind::Internal, format!("unexpected: {what:?}"))
}
