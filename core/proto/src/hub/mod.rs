//! A hub: ports and broker joined (being written).
#![allow(missing_docs, unused_variables)]
use bytes::BytesMut;
use crate::base::Time;
use crate::wire::Outbox;
#[derive(Clone, Debug)]
pub struct Config {
    pub hub_id: [u8; 16],
    pub epoch: u64,
    /// The machine's boot id.
    pub clock: [u8; 16],
    /// For resume tokens and jitter.
    pub seed: u64,
    pub session_grace_ms: u64,
    /// True for the hub of a directory: the default durability is `disk`.
    pub directory: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortId(pub usize);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);
/// What becomes of a session whose connection broke without a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// Its process is gone: it ends now.
    Ended,
    /// It ends after the grace time unless it resumes.
    Grace,
    /// It lasts until `handle_process_ended`.
    Process,
}
/// What the reactor is to do with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its outbox has bytes to write.
    Transmit(PortId),
    /// Write what is in the outbox, as far as that goes within a second, then drop the connection;
    /// the port is to be removed by `handle_disconnected`.
    Close(PortId),
    /// Its outbox is too full: stop reading from it until `Resume`.
    Pause(PortId),
    /// Read from it again.
    Resume(PortId),
}
pub struct Hub;
impl Hub {
    pub fn new(config: Config, now: Time) -> Hub { todo!() }
    /// A connection has been made; `local` if its other end is on this machine.
    pub fn connect(&mut self, now: Time, local: bool) -> PortId { todo!() }
    pub fn inbox(&mut self, port: PortId) -> &mut BytesMut { todo!() }
    pub fn handle_received(&mut self, now: Time, port: PortId) { todo!() }
    /// The connection is gone, and with it the port. Returns the session that lingers on, if any.
    pub fn handle_disconnected(&mut self, now: Time, port: PortId, linger: Linger) -> Option<SessionId> { todo!() }
    pub fn handle_process_ended(&mut self, now: Time, session: SessionId) { todo!() }
    pub fn handle_timeout(&mut self, now: Time) { todo!() }
    /// Call `handle_written` after advancing it.
    pub fn outbox(&mut self, port: PortId) -> &mut Outbox { todo!() }
    pub fn handle_written(&mut self, now: Time, port: PortId) { todo!() }
    pub fn poll_effect(&mut self) -> Option<Effect> { todo!() }
    pub fn poll_timeout(&self) -> Option<Time> { todo!() }
}
