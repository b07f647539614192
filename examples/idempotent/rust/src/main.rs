//! Applies each payment of the queue `payments` to SQLite exactly once.
//!
//!     idempotent URL DATABASE          e.g.  idempotent ./data bank.db
//!
//! A queue delivers at least once. The message's id goes into SQLite in the transaction that
//! changes the balance, and only then is the message acknowledged; README.md says why that is
//! enough.
//! A payment is text: an account, a space, a whole number. Stop it however you like, kill -9
//! included.

use std::error::Error;

use rusqlite::{Connection, TransactionBehavior, params};
use telpher::{Done, Hub, OpenOptions, Outcome, QueueOptions, Timeout, What};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (hub TEXT, message INTEGER, PRIMARY KEY (hub, message));
";
const APPLY: &str = "
INSERT INTO accounts VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance
";
const SEE: &str = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING";
const FORGET: &str = "DELETE FROM seen WHERE hub = ? AND message = ?";

fn parse(body: &[u8]) -> Option<(&str, i64)> {
    let (account, amount) = std::str::from_utf8(body).ok()?.split_once(' ')?;
    let is_name =
        (1..=32).contains(&account.len()) && account.bytes().all(|byte| byte.is_ascii_lowercase());
    let digits = amount.strip_prefix('-').unwrap_or(amount);
    let is_number =
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_name && is_number).then_some((account, amount.parse().ok()?))
}

/// Changes the balance, unless this message has done so before; tells whether it was new.
fn apply(
    database: &mut Connection,
    hub: &str,
    message: i64,
    (account, amount): (&str, i64),
    done: Option<i64>,
) -> rusqlite::Result<bool> {
    let all = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_new = all.execute(SEE, params![hub, message])? == 1;
    if is_new {
        all.execute(APPLY, params![account, amount])?;
    }
    // The hub has confirmed that this one left the queue, so its id is needed no more.
    all.execute(FORGET, params![hub, done])?;
    all.commit()?;
    Ok(is_new)
}

/// Opens the hub; with its id, as in the other languages.
fn open(url: &str) -> Result<(Hub, String), Box<dyn Error>> {
    let (hub, opened) = Hub::open(url, OpenOptions::default(), Done::Wait, Done::None)?;
    let info = match hub.wait(opened, Timeout::Never)?.what {
        What::Done(Ok(Outcome::Opened(info))) => info,
        What::Done(Err(error)) => return Err(error.into()),
        other => return Err(format!("opening brought {other:?}").into()),
    };
    let id = info.hub_id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hub, id))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else { return Err("usage: idempotent URL DATABASE".into()) };
    let mut database = Connection::open(path)?; // waits up to 5 s for other consumers' locks
    database.execute_batch(SCHEMA)?;
    let (hub, hub_id) = open(url)?;
    let payments = hub.queue("payments")?;
    payments.declare(QueueOptions::default())?;
    let mut done = None;
    println!("ready");
    for job in &payments.consume_all()? {
        let job = job?;
        let Some(payment) = parse(&job.message().body) else {
            job.reject("not a payment")?;
            continue;
        };
        let message = i64::try_from(job.delivery().message_id)?;
        let is_new = apply(&mut database, &hub_id, message, payment, done)?;
        println!("{} {message}", if is_new { "applied" } else { "seen" });
        job.acknowledge()?; // after the commit; returns when the hub has written it down
        done = Some(message);
    }
    Ok(())
}
