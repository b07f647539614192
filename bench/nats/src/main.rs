//! NATS's side of a call, with the client that NATS offers.
//!
//!     nats-bench serve URL
//!     nats-bench call URL SECONDS WINDOW
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::task::LocalSet;

type Failure = Box<dyn Error>;

async fn serve(url: &str) -> Result<(), Failure> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.queue_subscribe("bench.echo", "bench".into()).await?;
    client.flush().await?;
    println!("ready");
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

async fn call(url: &str, seconds: f64, window: usize) -> Result<(), Failure> {
    let client = async_nats::connect(url).await?;
    let spans = Rc::new(RefCell::new(Vec::with_capacity(1 << 20)));
    let callers = LocalSet::new();
    let start = Instant::now();
    for _ in 0..window {
        let (client, spans) = (client.clone(), spans.clone());
        callers.spawn_local(async move {
            let mut before = Instant::now();
            while start.elapsed() < Duration::from_secs_f64(seconds) {
                if client.request("bench.echo", vec![0; 64].into()).await.is_err() {
                    return;
                }
                let now = Instant::now();
                spans.borrow_mut().push(now - before);
                before = now;
            }
        });
    }
    callers.await;
    let whole = start.elapsed();
    let mut spans = spans.take();
    if whole.as_secs_f64() < seconds || spans.is_empty() {
        return Err("a request failed".into());
    }
    spans.sort_unstable();
    let (count, end) = (spans.len(), whole.as_nanos());
    let p50 = spans[count / 2].as_secs_f64() * 1e6;
    println!(
        "{{\"build\": \"release\", \"count\": {count}, \
         \"start_ns\": 0, \"end_ns\": {end}, \"p50_us\": {p50:.3}}}"
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", url] => serve(url).await,
        ["call", url, seconds, window] => call(url, seconds.parse()?, window.parse()?).await,
        _ => Err("serve URL | call URL SECONDS WINDOW".into()),
    }
}
