//! Who hosts a directory, as logic (being written).
#![allow(missing_docs, unused_variables)]
use crate::base::{Error, Time};
/// May this handle's process host?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role { Auto, Never, Always }
#[derive(Clone, Debug)]
pub enum Effect {
    /// Try to take the directory's lock, without blocking; then `handle_lock`.
    TryLock,
    /// Connect to the socket in the directory; then `handle_connected` or `handle_refused`.
    Connect,
    /// This process holds the lock: start the hub and connect to it; then `handle_connected`.
    Host,
    /// It can't be had.
    Fail(Error),
}
pub enum Lock { Taken, HeldByOther, Failed(Error) }
pub struct Election;
impl Election {
    pub fn new(role: Role, seed: u64) -> Election { todo!() }
    /// The handle wants a connection (again).
    pub fn begin(&mut self, now: Time) { todo!() }
    pub fn handle_lock(&mut self, now: Time, lock: Lock) { todo!() }
    pub fn handle_connected(&mut self, now: Time) { todo!() }
    pub fn handle_refused(&mut self, now: Time) { todo!() }
    pub fn handle_timeout(&mut self, now: Time) { todo!() }
    pub fn poll_effect(&mut self) -> Option<Effect> { todo!() }
    pub fn poll_timeout(&self) -> Option<Time> { todo!() }
}
