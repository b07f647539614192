//! Dead letters say where they come from, and why.

use telpher_proto::base::{HeadersBuilder, Message, Properties};

use super::body::Body;
use super::{Context, Verdict, ensure};
use crate::plan::QueuePlan;

/// The message as it was sent.
pub(super) fn without_headers(message: &Message) -> Message {
    let mut builder = HeadersBuilder::default();
    let mut message = message.clone();
    let properties = message.properties_mut();
    for (name, value) in properties.headers.iter() {
        if !name.starts_with("telpher.") {
            builder.push(name, value).expect("it was a header before");
        }
    }
    properties.headers = builder.build();
    if *properties == Properties::default() {
        message.properties = None;
    }
    message
}

fn header<'a>(message: &'a Message, name: &str) -> &'a str {
    let found = message.properties.as_ref().and_then(|found| found.headers.get(name));
    found.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or("")
}

/// What a dead letter says of itself can be. `limited`: some consumer has a time limit; `ends`:
/// local programs that have ended by now.
pub(super) fn check(
    context: &Context,
    message: &Message,
    (body, plan): (&Body, &QueuePlan),
    (limited, ends): (bool, u64),
) -> Verdict {
    let from = header(message, "telpher.queue");
    ensure(from == body.queue.as_str(), || format!("it was sent to {}", body.queue))?;
    let failures: u32 = header(message, "telpher.failures").parse().unwrap_or(0);
    let max_attempts = match plan.options.max_attempts {
        0 => 20,
        most => most,
    };
    let why = header(message, "telpher.reason");
    let side = &body.sides[0];
    let can_be = match why {
        "rejected" => body.rejections_started > 0,
        "requeued" => side.requeues_started > 0 && failures >= max_attempts,
        "late" => limited && failures >= max_attempts,
        "crashed" => ends > body.ends && failures >= max_attempts,
        "expired" if plan.options.ttl_ms > 0 => {
            // The hub counts whole milliseconds.
            let least = body.started.plus_ms(plan.options.ttl_ms - 1);
            context.at.now >= least || context.eras.clock_jumped
        }
        _ => false,
    };
    ensure(can_be, || format!("it can't be {why:?} after {failures} failures: {body:?}"))
}
