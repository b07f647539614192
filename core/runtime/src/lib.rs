//! Telpher: messaging as a library.
//!
//! A program opens a *hub* and has calls and queues there, with nothing to install or start first:
//! the hub is hosted by the program itself, by another on this machine, or served elsewhere. Every
//! operation starts without blocking and yields an id; [`Done`] says where its outcome goes. On top
//! of that, [`open`] and what it returns are the short way for blocking code.
//!
//! Floors (`<-` points at what may be imported): `disk, reactor <- api`. Here the disk is
//! `directory`; the reactor is `poller`, `link`, `host` and `handle`. Only `sugar` is
//! above `api`; `offline` looks at directories, beside all that.
#![deny(unsafe_code)]

mod address;
mod clock;
#[allow(unsafe_code)]
mod descriptors;
mod directory;
mod handle;
mod host;
mod link;
pub mod offline;
mod poller;
pub mod sugar;
mod sync;
#[allow(unsafe_code)]
mod system;

pub mod api;

pub use api::*;
pub use bytes::Bytes;
pub use sugar::{
    Consumer, Gather, Job, Pending, Queue, Reader, Records, ServeOptions, Service, ServiceRequest,
    Stream, SubscribeOptions, Subscriber, Topic, TopicMessage, Topics, open,
};
pub use telpher_proto::base::limits;
pub use telpher_proto::base::*;
