//! Both sides of a call: an echo service, and a client.

use std::time::Duration;

use telpher::{Bytes, Command, Done, Error, Event, Hub, Message, Name, Timeout, What};

use crate::report::{self, Report};

const SERVICE: &str = "bench.echo";
const BODY: [u8; 64] = [0; 64];
const BATCH: usize = 1024;

fn serve(hub: &Hub, done: Done) -> Result<(), Error> {
    let command =
        Command::Serve { service: Name::parse(SERVICE)?, concurrency: 1024, line_max: 1024 };
    hub.start(command, Timeout::Never, done).map(drop)
}

/// Answers requests on this thread, a batch at a time, until killed.
pub fn serve_by_polling(hub: &Hub) -> Result<(), Error> {
    serve(hub, Done::Event(0))?;
    let mut events = Vec::with_capacity(BATCH);
    loop {
        hub.poll(&mut events, BATCH, Timeout::Never)?;
        for event in events.drain(..) {
            answer(hub, event)?;
        }
    }
}

/// Answers requests on the handle's own thread, until killed.
pub fn serve_in_callbacks(hub: &Hub) -> Result<(), Error> {
    let answering = hub.clone();
    let callback = move |event| {
        if let Err(error) = answer(&answering, event) {
            eprintln!("telpher-bench: {error}");
        }
    };
    serve(hub, Done::Callback(Box::new(callback)))?;
    loop {
        std::thread::park();
    }
}

fn answer(hub: &Hub, event: Event) -> Result<(), Error> {
    match event.what {
        What::Request(request) => {
            let command = Command::Reply { request: request.token, reply: Ok(request.message) };
            hub.start(command, Timeout::Default, Done::None).map(drop)
        }
        What::Started => {
            report::ready();
            Ok(())
        }
        What::Done(Err(error)) => Err(error),
        _ => Ok(()),
    }
}

fn start_call(hub: &Hub, service: &Name, done: Done) -> Result<u64, Error> {
    let message = Message::new(Bytes::copy_from_slice(&BODY));
    hub.start(Command::Call { service: service.clone(), message }, Timeout::Default, done)
}

/// One blocking call after the other, each of them timed.
pub fn call_one_by_one(hub: &Hub, seconds: f64) -> Result<(), Error> {
    let service = Name::parse(SERVICE)?;
    let until = Duration::from_secs_f64(seconds);
    let mut report = Report::begin();
    let mut before = report.elapsed();
    while before < until {
        let id = start_call(hub, &service, Done::Wait)?;
        report::ended(hub.wait(id, Timeout::Default)?)?;
        let now = report.elapsed();
        report.sample(now - before);
        before = now;
    }
    report.end();
    Ok(())
}

/// Keeps `window` calls in flight, and starts as many as a batch has ended.
pub fn call_many(hub: &Hub, seconds: f64, window: u64) -> Result<(), Error> {
    let service = Name::parse(SERVICE)?;
    let until = Duration::from_secs_f64(seconds);
    let mut events = Vec::with_capacity(BATCH);
    let mut started = 0;
    let mut report = Report::begin();
    while report.elapsed() < until {
        while started - report.count < window {
            start_call(hub, &service, Done::Event(started))?;
            started += 1;
        }
        hub.poll(&mut events, BATCH, Timeout::After(Duration::from_secs(10)))?;
        for event in events.drain(..) {
            report::ended(event)?;
            report.count += 1;
        }
    }
    report.end();
    Ok(())
}
