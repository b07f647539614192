//! What a program's frames want of the broker.
//!
//! Floor: hub.

use super::{Connection, Hub, Peer, PortId};
use crate::base::{Error, Kind, Time, limits};
use crate::broker::{
    BindTo, ChangeRef, Instance, NameId, Opening, Part, Publishing, SessionId, SessionKey,
};
use crate::wire::{self, Batch, BatchPart, Change, Frame, HeldKind, Hello, Malformed, NameRef};
use crate::wire::{TargetKind, Welcome};

impl Hub {
    pub(super) fn handle_frame(&mut self, now: Time, port: PortId, frame: Frame) {
        let done = match frame {
            Frame::Hello(hello) => {
                self.greet(now, port, &hello);
                Ok(())
            }
            Frame::Goodbye => {
                self.leave(now, port);
                Ok(())
            }
            frame => match self.connections[port.0].session {
                Some(session) => {
                    self.connections[port.0].used = true;
                    self.operate(now, port, session, frame)
                }
                None => Err(Malformed::new("an operation came without a session")),
            },
        };
        if let Err(malformed) = done {
            self.connections[port.0].port.break_off(malformed);
        }
    }

    fn greet(&mut self, now: Time, port: PortId, hello: &Hello) {
        let (oldest, newest) = hello.versions;
        if !(oldest..=newest).contains(&wire::VERSION) {
            let detail = format!(
                "the program speaks protocol versions {oldest} to {newest}, this hub {}",
                wire::VERSION
            );
            return self.close(now, port, Some(Error::new(Kind::Unsupported, detail)));
        }
        // A session goes on with another host of the same hub, never with an earlier one.
        let known = hello.hub_id == self.config.hub_id && hello.epoch <= self.config.epoch;
        let found = self.broker.find_session(SessionId(hello.session_id), &hello.token);
        let resumed = found.filter(|_| known);
        let session = match resumed {
            Some(session) => session,
            None => {
                let Connection { token, peer, .. } = self.connections[port.0];
                let (local, process) = match peer {
                    Peer::Local(process) => (true, process),
                    Peer::Remote => (false, None),
                };
                match self.broker.start_session(now, token, local, process) {
                    Ok(session) => session,
                    Err(error) => return self.close(now, port, Some(error)),
                }
            }
        };
        self.carry(now, session, port);
        self.connections[port.0].port.greeted();
        self.connections[port.0].clock = hello.clock;
        self.connections[port.0].epoch = hello.epoch;
        if resumed.is_some() {
            // The program knows the session, also if nothing more comes over this connection.
            self.connections[port.0].used = true;
            self.welcome(now, session, true);
            // Results are counted anew by each host.
            let received = if hello.epoch == self.config.epoch { hello.received } else { 0 };
            self.broker.resume(session, received);
        }
    }

    /// Answers the greeting of the program that carries a session.
    pub(super) fn welcome(&mut self, now: Time, session: SessionKey, resumed: bool) {
        let Some(port) = self.carrier(session) else { return };
        let welcome = self.greeting(port, session, resumed);
        let clock_shared = welcome.clock_shared;
        self.push(now, port, &Frame::Welcome(Box::new(welcome)));
        self.connections[port.0].port.open(clock_shared);
    }

    /// The session is carried by this connection from now on, and by no other.
    fn carry(&mut self, now: Time, session: SessionKey, port: PortId) {
        if let Some(before) = self.carrier(session) {
            self.connections[before.0].session = None;
            let detail = "the session goes on over another connection";
            self.close(now, before, Some(Error::new(Kind::Protocol, detail)));
        }
        if self.carriers.len() <= session.index() {
            self.carriers.resize(session.index() + 1, None);
        }
        self.carriers[session.index()] = Some(port);
        self.connections[port.0].session = Some(session);
        self.connections[port.0].answered_told = self.broker.answered(session);
        self.connections[port.0].answered_due = None;
    }

    fn greeting(&self, port: PortId, session: SessionKey, resumed: bool) -> Welcome {
        let connection = &self.connections[port.0];
        let local = matches!(connection.peer, Peer::Local(_));
        let clock = connection.clock;
        let grace_ms = u32::try_from(self.config.session_grace_ms).unwrap_or(u32::MAX - 1);
        Welcome {
            version: wire::VERSION,
            authentication: 0,
            resumed,
            clock_shared: local && clock == self.config.clock && clock != [0; 16],
            memory_only: self.journal.is_none(),
            memory_lost: self.broker.memory_lost_since(connection.epoch),
            features: 0,
            hub_id: self.config.hub_id,
            epoch: self.config.epoch,
            session_id: self.broker.session_id(session).0,
            token: self.broker.session_token(session),
            answered: connection.answered_told,
            frame_size_max: limits::FRAME_SIZE_MAX as u32,
            names_max: limits::NAMES_PER_CONNECTION_MAX as u32,
            window: limits::PRODUCER_WINDOW as u32,
            grace_ms: if local { u32::MAX } else { grace_ms },
        }
    }

    fn leave(&mut self, now: Time, port: PortId) {
        if let Some(session) = self.connections[port.0].session.take() {
            self.carriers[session.index()] = None;
            self.broker.end_session(now, session, false);
        }
        self.close(now, port, None);
    }

    pub(super) fn name(&self, port: PortId, name: NameRef) -> Result<NameId, Malformed> {
        self.connections[port.0].port.name(name)
    }

    fn operate(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        match frame {
            Frame::Call { ticket, name, deadline, message } => {
                let name = self.name(port, name)?;
                self.broker.call(now, (session, ticket), name, deadline, message);
            }
            Frame::Answer { ticket, request, reply } => {
                if let Err(error) = self.broker.answer(now, session, request, reply) {
                    self.push(now, port, &Frame::Failed { id: ticket, counted: false, error });
                }
            }
            Frame::Received { count } => self.broker.handle_received(session, count),
            Frame::Receive { ticket, name, deadline } => {
                let name = self.name(port, name)?;
                self.broker.receive(now, session, ticket, name, deadline);
            }
            Frame::Inspect { ticket, name } => {
                let result = self.broker.inspect(self.name(port, name)?);
                self.push(now, port, &super::effects::result_frame(ticket, result, false));
            }
            Frame::Peek { ticket, name, count } => {
                let name = self.name(port, name)?;
                self.broker.peek(session, ticket, name, count);
            }
            Frame::List { ticket, after } => {
                let queues = Ok(self.broker.list(after.as_ref()));
                self.push(now, port, &super::effects::result_frame(ticket, queues, false));
            }
            Frame::Extend { ticket, delivery, ms } => {
                let result = self.broker.extend(now, session, delivery, ms);
                self.push(now, port, &super::effects::result_frame(ticket, result, false));
            }
            Frame::Cancel { ticket } => self.broker.cancel(now, session, ticket),
            Frame::Stop { id } => self.broker.stop(session, id),
            Frame::Open { name_ref, name } => self.open_name(now, port, name_ref, &name)?,
            Frame::Held { last, what, tokens } => {
                return self.held(now, port, session, (last, what, tokens));
            }
            Frame::Gather { ticket, gathering } => {
                self.broker.gather(now, (session, ticket), gathering);
            }
            Frame::Taken { id, taken } => self.broker.taken(now, session, id, taken),
            Frame::InspectStream { .. } | Frame::ListStreams { .. } | Frame::ListGroups { .. } => {
                return self.look_at_streams(now, port, frame);
            }
            Frame::InspectTopic { .. } | Frame::ListTopics { .. } => {
                self.look_at_topics(now, port, frame);
            }
            frame => return self.register(now, port, session, frame),
        }
        Ok(())
    }

    fn register(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        let (id, done) = match frame {
            Frame::Serve { id, name, concurrency, line_max, instance_name } => {
                let name = self.name(port, name)?;
                let instance = Instance { id, concurrency, line_max, instance_name };
                (id, self.broker.serve(now, session, name, instance))
            }
            Frame::Consume { id, name, prefetch, ack_deadline_ms } => {
                let name = self.name(port, name)?;
                let numbers = (id, prefetch, ack_deadline_ms);
                (id, self.broker.consume(now, session, name, numbers))
            }
            Frame::Subscribe { id, subscribing } => {
                (id, self.broker.subscribe(now, session, id, subscribing))
            }
            Frame::Read { id, name, reading, stream, held, cursors } => {
                let name = self.name(port, name)?;
                let opening = Opening { id, reading, stream, cursors, held };
                (id, self.broker.read(now, session, name, opening))
            }
            Frame::Credit { id, prefetch } => (id, self.broker.credit(now, session, id, prefetch)),
            frame => return self.change(now, port, session, frame),
        };
        if let Err(error) = done {
            self.push(now, port, &Frame::Failed { id, counted: false, error });
        }
        Ok(())
    }

    fn change(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        match frame {
            Frame::Send { ticket, change, name, deadline, message } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.send(now, change, name, deadline, &message);
                }
            }
            Frame::Settle { ticket, change, delivery, verdict, reason } => {
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.settle(now, change, delivery, (verdict, reason));
                }
            }
            Frame::Publish { ticket, change, publishing } => {
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    let wire::Publishing { topic, deadline, message, again } = publishing;
                    let publishing = Publishing { topic, message, again };
                    self.broker.publish(now, change, &publishing, deadline);
                }
            }
            Frame::Batch { ticket, change, batch: Batch { deadline, again, parts } } => {
                let parts = self.batch_parts(port, parts)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.batch(now, change, &parts, (deadline, again));
                }
            }
            Frame::Declare { ticket, change, name, options } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.declare(now, change, name, &options);
                }
            }
            Frame::Delete { ticket, change, name } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.delete(now, change, name);
                }
            }
            Frame::Purge { ticket, change, name } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.purge(now, change, name);
                }
            }
            frame @ (Frame::DeclareTopic { .. } | Frame::DeleteTopic { .. }) => {
                return self.change_topics(now, port, session, frame);
            }
            frame => return self.change_bindings(now, port, session, frame),
        }
        Ok(())
    }

    fn change_bindings(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        let (is_bound, ticket, change, binding) = match frame {
            Frame::Bind { ticket, change, binding } => (true, ticket, change, binding),
            Frame::Unbind { ticket, change, binding } => (false, ticket, change, binding),
            frame => return self.change_streams(now, port, session, frame),
        };
        let wire::Binding { kind, name, pattern } = binding;
        let name = self.name(port, name)?;
        let name = match kind {
            TargetKind::Queue => BindTo::Queue(name),
            TargetKind::Stream => BindTo::Stream(name),
        };
        match self.begin(now, port, session, (ticket, change))? {
            Some(change) if is_bound => self.broker.bind(now, change, name, &pattern),
            Some(change) => self.broker.unbind(now, change, name, &pattern),
            None => {}
        }
        Ok(())
    }

    fn batch_parts(&self, port: PortId, parts: Vec<BatchPart>) -> Result<Vec<Part>, Malformed> {
        let part = |part| {
            Ok(match part {
                BatchPart::Send { name, message } => Part::Send(self.name(port, name)?, message),
                BatchPart::Settle { delivery, verdict, reason } => {
                    Part::Settle(delivery, verdict, reason)
                }
                BatchPart::Append { name, message, partition, expect } => {
                    Part::Append(self.name(port, name)?, message, (partition, expect))
                }
                BatchPart::Commit(committing) => Part::Commit(committing),
                BatchPart::Publish { topic, message } => Part::Publish(topic, message),
            })
        };
        parts.into_iter().map(part).collect()
    }

    /// `None` for a repeat, and for a change that was refused here.
    pub(super) fn begin(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        (ticket, change): (u64, Change),
    ) -> Result<Option<ChangeRef>, Malformed> {
        match self.broker.begin_change(session, ticket, change) {
            Ok(change) => Ok(change),
            Err(error) if error.kind() == Kind::Protocol => {
                Err(Malformed::new(error.detail().to_owned()))
            }
            Err(error) => {
                self.push(now, port, &Frame::Failed { id: ticket, counted: false, error });
                Ok(None)
            }
        }
    }

    fn open_name(
        &mut self,
        now: Time,
        port: PortId,
        name_ref: NameRef,
        name: &crate::base::Name,
    ) -> Result<(), Malformed> {
        match self.broker.open_name(name) {
            Err(error) => self.close(now, port, Some(error)),
            Ok(id) => match self.connections[port.0].port.bind(name_ref, id) {
                Ok(None) => {}
                Ok(Some(before)) => self.broker.release_name(before),
                Err(malformed) => {
                    self.broker.release_name(id);
                    return Err(malformed);
                }
            },
        }
        Ok(())
    }

    fn held(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        (last, what, tokens): (bool, HeldKind, Vec<u64>),
    ) -> Result<(), Malformed> {
        let (broker, resumed) = (&mut self.broker, &mut self.connections[port.0].resumed);
        // A program may hold what the hub knows to be over, in any number: nothing is kept of that.
        let tokens = tokens.into_iter();
        let mut void = Vec::new();
        match what {
            HeldKind::Deliveries => {
                resumed.deliveries.extend(tokens.filter(|token| broker.holds(session, *token)));
            }
            HeldKind::Requests => {
                for token in tokens {
                    match broker.handles(session, token) {
                        true => drop(resumed.requests.insert(token)),
                        // Nobody waits for it: that was said while the connection was broken.
                        false => void.push(token),
                    }
                }
            }
            HeldKind::Open => {
                resumed.open.extend(tokens);
                let (count, limit) = (resumed.open.len(), limits::OPEN_LISTED_MAX);
                if count > limit {
                    let detail = format!("{count} open ids are listed; at most {limit}");
                    return Err(Malformed::new(detail));
                }
            }
        }
        if last {
            let resumed = std::mem::take(resumed);
            broker.handle_resumed(now, session, resumed);
        }
        for request in void {
            self.push(now, port, &Frame::Withdraw { request });
        }
        Ok(())
    }
}
