//! The hub's side of one connection; it dies with the socket.
//!
//! A port turns received bytes into frames in the order of the handshake, keeps the numbers that
//! the program has given to names, and turns frames into bytes to send. What a frame means is not
//! its business: the hub takes them with `poll_frame` and says what to answer with `push`.
//!
//! Order of calls: append to `inbox()`, `handle_received`, `poll_frame` until it is empty, `push`.
//!
//! Invariant: before the greeting is answered nothing but one greeting is taken, and no frame over
//! 4 KiB.
//!
//! Floor: imports `base` and `wire`.

use bytes::BytesMut;

use crate::base::limits;
use crate::base::{Error, Kind, Message, Name, Time};
use crate::wire::{Clock, Frame, Frames, Inbox, Malformed, NameRef, Outbox, Recipient, decode};

/// How far the handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but a greeting is taken.
    Greeting,
    /// It has come and is not answered yet: nothing is taken.
    Greeted,
    /// Everything else is.
    Open,
    /// Nothing is taken any more.
    Closed,
}

/// The hub's side of one connection, for a hub that names things by `N`.
#[derive(Debug)]
pub struct Port<N> {
    state: State,
    inbox: Inbox,
    frames: Option<Frames>,
    outbox: Outbox,
    clock_shared: bool,
    names: Vec<Option<(u16, N)>>,
    /// When the greeting, or the rest of a begun frame, must have come.
    due: Option<Time>,
    fault: Option<Error>,
}

impl<N: Copy> Port<N> {
    /// A connection has been made.
    pub fn new(now: Time) -> Port<N> {
        Port {
            state: State::Greeting,
            inbox: Inbox::default(),
            frames: None,
            outbox: Outbox::default(),
            clock_shared: false,
            names: Vec::new(),
            due: Some(now.plus_ms(limits::HANDSHAKE_TIMEOUT_MS)),
            fault: None,
        }
    }

    /// Where received bytes are appended.
    pub fn inbox(&mut self) -> &mut BytesMut {
        self.inbox.buffer()
    }

    /// Bytes have been appended to the inbox.
    pub fn handle_received(&mut self, now: Time) {
        if self.state == State::Closed {
            return self.inbox.clear();
        }
        match self.inbox.take(self.frame_size_max()) {
            Ok(frames) => self.frames = Some(frames),
            Err(malformed) => self.break_off(malformed),
        }
        if self.state == State::Open {
            self.due = match (self.inbox.is_partial(), self.due) {
                (false, _) => None,
                (true, None) => Some(now.plus_ms(limits::FRAME_TIMEOUT_MS)),
                (true, due) => due,
            };
        }
    }

    /// A deadline may have come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            let detail = match self.state {
                State::Open => {
                    format!("a frame did not arrive whole within {} ms", limits::FRAME_TIMEOUT_MS)
                }
                _ => format!("no greeting came within {} ms", limits::HANDSHAKE_TIMEOUT_MS),
            };
            self.break_off(Malformed::new(detail));
        }
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    /// The next frame; its deadlines are moments of the hub's own clock.
    pub fn poll_frame(&mut self, now: Time) -> Option<Frame> {
        loop {
            let clock = Clock { shared: self.clock_shared, now };
            if let Some(whole) = self.frames.as_mut().and_then(Frames::next) {
                let kind = whole.kind();
                match decode(whole, clock) {
                    Ok(frame) if self.in_order(&frame) => return Some(frame),
                    Ok(_) => {
                        let what = format!("a frame of kind {kind:#04x} is out of order");
                        self.break_off(Malformed::new(what));
                    }
                    Err(malformed) => self.break_off(malformed),
                }
                return None;
            }
            self.frames = None;
            if self.state == State::Closed || !self.inbox.is_partial() {
                return None;
            }
            // More may be whole by now: after the greeting frames may be larger, and a fault behind
            // good frames shows only when they are out of the way.
            match self.inbox.take(self.frame_size_max()) {
                Ok(frames) if frames.is_empty() => return None,
                Ok(frames) => self.frames = Some(frames),
                Err(malformed) => self.break_off(malformed),
            }
        }
    }

    /// Why the connection is to be ended, once.
    pub fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    /// The greeting has come: nothing more is taken until it is answered.
    pub fn greeted(&mut self) {
        self.state = State::Greeted;
    }

    /// The greeting was answered: operations may come.
    pub fn open(&mut self, clock_shared: bool) {
        self.state = State::Open;
        self.clock_shared = clock_shared;
        self.due = None;
    }

    /// Takes nothing more, and says why if there is something to say.
    pub fn close(&mut self, now: Time, reason: Option<Error>) {
        if let Some(error) = reason {
            self.push(now, &Frame::Bye { error });
        }
        self.state = State::Closed;
        self.due = None;
        self.frames = None;
        self.inbox.clear();
    }

    /// True once `close` was called.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Appends a frame to the outbox; after `close` it goes nowhere.
    pub fn push(&mut self, now: Time, frame: &Frame) {
        if self.state != State::Closed {
            self.outbox.push(frame, Clock { shared: self.clock_shared, now });
        }
    }

    /// The same for a message that was published, without taking it.
    pub fn push_published(
        &mut self,
        now: Time,
        what: (Option<&Name>, &Message, Option<Time>),
        to: impl ExactSizeIterator<Item = Recipient> + Clone,
    ) {
        if self.state != State::Closed {
            let clock = Clock { shared: self.clock_shared, now };
            self.outbox.push_published(what, to, clock);
        }
    }

    /// Bytes to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Gives a number to a name; returns the name that had it before.
    ///
    /// # Errors
    ///
    /// For a number over the limit.
    pub fn bind(&mut self, name_ref: NameRef, name: N) -> Result<Option<N>, Malformed> {
        let at = name_ref.number as usize;
        if at >= limits::NAMES_PER_CONNECTION_MAX {
            let limit = limits::NAMES_PER_CONNECTION_MAX;
            return Err(Malformed::new(format!(
                "a name's number is {at}; it must be below {limit}"
            )));
        }
        if self.names.len() <= at {
            self.names.resize_with(at + 1, || None);
        }
        Ok(self.names[at].replace((name_ref.generation, name)).map(|(_, before)| before))
    }

    /// The name that has this number now.
    ///
    /// # Errors
    ///
    /// If it never had one, or it is another name's by now.
    pub fn name(&self, name_ref: NameRef) -> Result<N, Malformed> {
        match self.names.get(name_ref.number as usize) {
            Some(Some((generation, name))) if *generation == name_ref.generation => Ok(*name),
            _ => Err(Malformed::new(format!(
                "name number {} of generation {} is not open",
                name_ref.number, name_ref.generation
            ))),
        }
    }

    /// Every name that has a number.
    pub fn names(&self) -> impl Iterator<Item = N> {
        self.names.iter().flatten().map(|(_, name)| *name)
    }

    /// Notes what is wrong; nothing more is taken.
    pub fn break_off(&mut self, malformed: Malformed) {
        if self.fault.is_none() {
            self.fault = Some(Error::new(Kind::Protocol, malformed.text()));
        }
        self.frames = None;
        self.inbox.clear();
        self.due = None;
    }

    fn frame_size_max(&self) -> usize {
        match self.state {
            State::Greeting | State::Greeted => limits::HANDSHAKE_FRAME_SIZE_MAX,
            _ => limits::FRAME_SIZE_MAX,
        }
    }

    fn in_order(&self, frame: &Frame) -> bool {
        match frame {
            Frame::Hello(_) => self.state == State::Greeting,
            Frame::Goodbye => self.state != State::Greeted,
            Frame::Welcome(_)
            | Frame::Bye { .. }
            | Frame::Reply { .. }
            | Frame::Failed { .. }
            | Frame::Done { .. }
            | Frame::Confirmed(_)
            | Frame::Count { .. }
            | Frame::Queue { .. }
            | Frame::Request { .. }
            | Frame::Withdraw { .. }
            | Frame::Delivery { .. }
            | Frame::Answered { .. }
            | Frame::Started { .. }
            | Frame::Receipts { .. }
            | Frame::Peeked { .. }
            | Frame::Queues { .. }
            | Frame::Published(_)
            | Frame::Collected { .. }
            | Frame::Gathered { .. } => false,
            _ => self.state == State::Open,
        }
    }
}
