//! The program's side of a hub (being written).
#![allow(missing_docs, unused_variables)]
use bytes::BytesMut;
use crate::base::{Command, Event, Id, Time};
use crate::wire::Outbox;
#[derive(Clone, Debug)]
pub struct Config {
    /// For session ids, tokens and jitter.
    pub seed: u64,
    /// The machine's boot id; peers with the same one share a monotonic clock.
    pub clock: [u8; 16],
    /// First and longest pause between attempts to connect, in ms.
    pub backoff_ms: (u64, u64),
    /// How the hub is called in texts.
    pub url: String,
}
/// What the reactor is to do with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Make a connection; then `handle_connected`, or `handle_disconnected` with the reason.
    Connect,
    /// Write what is in the outbox, as far as that goes without waiting, and drop the connection.
    /// (No `handle_disconnected` follows.)
    Disconnect,
}
pub struct Client;
impl Client {
    pub fn new(config: Config, now: Time) -> Client { todo!() }
    /// The ticket `open` is to end when the hub is reached or `deadline` has passed.
    pub fn open(&mut self, now: Time, id: Id, user: u64, deadline: Option<Time>) { todo!() }
    pub fn start(&mut self, now: Time, id: Id, user: u64, command: Command, deadline: Option<Time>) { todo!() }
    pub fn cancel(&mut self, now: Time, id: Id) { todo!() }
    pub fn detach(&mut self, now: Time, id: Id) { todo!() }
    pub fn close(&mut self, now: Time) { todo!() }
    pub fn handle_connected(&mut self, now: Time) { todo!() }
    /// Where the reactor reads into; call `handle_received` after it.
    pub fn inbox(&mut self) -> &mut BytesMut { todo!() }
    pub fn handle_received(&mut self, now: Time) { todo!() }
    pub fn handle_disconnected(&mut self, now: Time, reason: &str) { todo!() }
    pub fn handle_timeout(&mut self, now: Time) { todo!() }
    pub fn outbox(&mut self) -> &mut Outbox { todo!() }
    pub fn poll_link(&mut self) -> Option<Link> { todo!() }
    pub fn poll_event(&mut self) -> Option<Event> { todo!() }
    pub fn poll_timeout(&self) -> Option<Time> { todo!() }
}
