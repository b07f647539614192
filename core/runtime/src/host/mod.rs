//! A hub that is hosted in this process.
//!
//! ```text
//! handle --ring--> +--------+        mailbox: attach a ring, a ring has something, listen, stop
//! handle --ring--> |  core  | <----- peers: sockets and rings, each a port of the hub machine
//! socket --------> +--------+        processes: watched for sessions that lost their connection
//! ```
//! A hub belongs to the process, not to a handle: all handles that open the same name or directory
//! share it, and it ends when the last of them has let go. It is turned by a thread of its own, or
//! (inline) by the driver of one handle, in that handle's epoll set.
//!
//! Floor: link, directory, poller.

mod core;
mod disk;
mod peer;
mod process;
mod registry;
mod thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use telpher_proto::base::{Error, Time};
use telpher_proto::hub::DiskDone;

pub(crate) use self::core::Core;
pub(crate) use registry::{Key, find, find_or_start, insert};
pub(crate) use thread::{Plan, start};

use crate::link::Farewell;
use crate::link::listen::Listener;
use crate::link::ring::{Bell, RingEnd, ring};
use crate::poller::Alarm;
use crate::sync::{Latch, Mutex};

/// A message to a host.
pub(crate) enum Mail {
    /// A handle wants to be connected.
    Attach(RingEnd),
    /// The ring with this key has something to read or room to write.
    Ring(usize),
    /// Accept connections here, too.
    Listen(Listener),
    /// The disk has done something.
    Disk(DiskDone),
    /// The disk has failed, for good.
    DiskFailed(Error),
    /// The last handle has let go.
    Stop,
}

impl Mail {
    /// Tells whoever sent it why nothing comes of it. Not to be called with a lock held: dropping a
    /// ring's end rings a bell.
    fn refuse(self, why: &Farewell) {
        if let Mail::Attach(ring) = self {
            ring.say(why.clone());
        }
    }
}

/// Where messages to a host are left.
pub(crate) struct Mailbox {
    /// Once the host has ended, why.
    mail: Mutex<Result<Vec<Mail>, Farewell>>,
    waiting: AtomicBool,
    alarm: Arc<Alarm>,
}

impl Mailbox {
    pub(crate) fn new(alarm: Arc<Alarm>) -> Mailbox {
        Mailbox { mail: Mutex::new(Ok(Vec::new())), waiting: AtomicBool::new(false), alarm }
    }

    /// Leaves a message; dropped if the host has ended.
    fn post(&self, mail: Mail) {
        let mut guard = self.mail.lock();
        match guard.as_mut() {
            Ok(waiting) => {
                waiting.push(mail);
                self.waiting.store(true, Ordering::SeqCst);
                drop(guard);
                self.alarm.ring();
            }
            Err(why) => {
                let why = why.clone();
                drop(guard);
                mail.refuse(&why);
            }
        }
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.waiting.load(Ordering::SeqCst)
    }

    fn take(&self, into: &mut Vec<Mail>) {
        if self.has_mail()
            && let Ok(mail) = self.mail.lock().as_mut()
        {
            self.waiting.store(false, Ordering::SeqCst);
            std::mem::swap(mail, into);
        }
    }

    /// Takes in nothing more, and tells those not yet connected why.
    fn close(&self, why: Farewell) {
        let mut guard = self.mail.lock();
        if guard.is_err() {
            return;
        }
        let mail = std::mem::replace(&mut *guard, Err(why.clone()));
        drop(guard);
        mail.into_iter().flatten().for_each(|mail| mail.refuse(&why));
    }
}

impl Bell for Mailbox {
    fn ring(&self, key: usize) {
        if key != usize::MAX {
            self.post(Mail::Ring(key));
        }
    }
}

/// What the handles of a process share of a host. The last one dropped stops it.
pub(crate) struct Host {
    mailbox: Arc<Mailbox>,
    ended: Arc<Latch>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Host {
    pub(crate) fn new(mailbox: Arc<Mailbox>, thread: Option<JoinHandle<()>>) -> Host {
        Host { mailbox, ended: Arc::default(), thread: Mutex::new(thread) }
    }

    /// A link to the hub; `bell` rings when there is something to read or room to write.
    pub(crate) fn attach(&self, bell: Arc<dyn Bell>) -> RingEnd {
        let (own, hubs) = ring(bell, Arc::clone(&self.mailbox) as Arc<dyn Bell>);
        self.mailbox.post(Mail::Attach(hubs));
        own
    }

    pub(crate) fn listen(&self, listener: Listener) {
        self.mailbox.post(Mail::Listen(listener));
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_set()
    }

    /// Ends the host if `host` was the last to hold it, and waits for that until `deadline`.
    pub(crate) fn release(host: Arc<Host>, deadline: Option<Time>) {
        let Some(host) = Arc::into_inner(host) else { return };
        host.mailbox.post(Mail::Stop);
        let thread = host.thread.lock().take();
        if let Some(thread) = thread
            && host.ended.wait(deadline)
        {
            // It is past its last line, so this takes no time; its panic was caught inside.
            let _ = thread.join();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.mailbox.post(Mail::Stop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Panics at its first ring.
    struct Bomb(AtomicBool);

    impl Bell for Bomb {
        fn ring(&self, _key: usize) {
            assert!(self.0.swap(true, Ordering::SeqCst), "a fault that was planted");
        }
    }

    #[test]
    fn a_panic_on_the_hubs_thread_ends_the_hub_and_nothing_else() {
        let plan = Plan {
            url: "mem://bomb".to_owned(),
            directory: None,
            listeners: Vec::new(),
            session_grace_ms: 0,
        };
        let host = start(plan).unwrap();
        let mut link = host.attach(Arc::new(Bomb(AtomicBool::new(false))));
        link.write_garbage_for_test();
        assert!(host.ended.wait(Some(clock::now().plus_ms(20_000))));
        assert!(host.has_ended());
        assert!(host.attach(Arc::new(Bomb(AtomicBool::new(true)))).is_readable());
    }
}
