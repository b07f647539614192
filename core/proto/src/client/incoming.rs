//! What comes from the hub.
//!
//! Floor: client.

use super::held::Handling;
use super::{Client, link};
use crate::base::{Delivery, Error, Event, Id, Kind, Outcome, Request, Time, What, limits};
use crate::wire::{Frame, decode};

impl Client {
    /// Bytes have been appended to the inbox.
    pub fn handle_received(&mut self, now: Time) {
        loop {
            let mut frames = match self.inbox.take(limits::FRAME_SIZE_MAX) {
                Ok(frames) => frames,
                Err(malformed) => return self.drop_link(now, malformed.text()),
            };
            let any = !frames.is_empty();
            while let Some(whole) = frames.next() {
                if !matches!(self.link, link::State::Greeting(_) | link::State::Open) {
                    return;
                }
                match decode(whole, self.clock(now)) {
                    Ok(frame) => self.handle_frame(now, frame),
                    Err(malformed) => return self.drop_link(now, malformed.text()),
                }
            }
            // A fault behind good frames shows only when they are out of the way.
            if !any || !self.inbox.is_partial() {
                break;
            }
        }
        let many = self.received - self.received_told >= limits::REPLIES_UNACKNOWLEDGED_MAX
            || self.received_bytes >= limits::REPLY_BYTES_UNACKNOWLEDGED_MAX;
        if many && self.is_open() {
            self.tell_received(now);
        }
    }

    /// Tells the hub how many counted frames have arrived, so that it need not keep them.
    pub(super) fn tell_received(&mut self, now: Time) {
        if self.received != self.received_told {
            self.received_told = self.received;
            self.received_bytes = 0;
            self.outbox.push(&Frame::Received { count: self.received }, self.clock(now));
        }
    }

    fn handle_frame(&mut self, now: Time, frame: Frame) {
        if !self.is_open() && !matches!(frame, Frame::Welcome(_) | Frame::Bye { .. }) {
            return self.drop_link(now, "the hub sent something before its greeting");
        }
        match frame {
            Frame::Welcome(welcome) => self.handle_welcome(now, &welcome),
            Frame::Bye { error } => self.handle_bye(now, &error),
            Frame::Reply { ticket, message } => {
                self.received += 1;
                self.received_bytes += message.size();
                self.end_ticket(now, ticket, Ok(Outcome::Reply(message)));
            }
            Frame::Failed { id, counted, error } => {
                self.received += u64::from(counted);
                self.handle_failed(now, id, &error);
            }
            Frame::Done { ticket } => {
                if !self.end_ticket(now, ticket, Ok(Outcome::Empty)) {
                    self.registration_finished(ticket);
                }
            }
            Frame::Request { id, request } => self.handle_request(now, id, request),
            Frame::Withdraw { request } => self.handle_withdraw(request),
            Frame::Delivery { id, delivery } => self.handle_delivery(now, id, delivery),
            Frame::Published { id, number, topic, asked, message } => {
                let is_taken = self.handle_published(now, id, (number, topic, message), asked);
                if let (false, Some(asked)) = (is_taken, asked) {
                    self.decline_published(now, id, asked.token);
                }
            }
            Frame::Collected { ticket, answer } => {
                self.received += 1;
                self.received_bytes += answer.size() as usize;
                self.answer_collected(ticket, answer);
            }
            Frame::Gathered { ticket, gathered } => {
                self.received += 1;
                self.end_ticket(now, ticket, Ok(Outcome::Gathered(gathered)));
            }
            Frame::Answered { count } => self.answers_arrived(count),
            Frame::Started { id } => self.registration_started(id),
            outcome => self.handle_outcome(now, outcome),
        }
    }

    /// A ticket has ended well, or there is something for a reader.
    fn handle_outcome(&mut self, now: Time, frame: Frame) {
        match frame {
            Frame::Appended { ticket, appended } => {
                self.end_ticket(now, ticket, Ok(Outcome::Appended(appended)));
            }
            Frame::Stream { ticket, info } => {
                self.end_ticket(now, ticket, Ok(Outcome::Stream(info)));
            }
            Frame::Groups { ticket, groups } => {
                self.end_ticket(now, ticket, Ok(Outcome::Groups(groups)));
            }
            Frame::Streams { ticket, streams } => {
                self.end_ticket(now, ticket, Ok(Outcome::Streams(streams)));
            }
            Frame::Topic { ticket, info } => {
                self.end_ticket(now, ticket, Ok(Outcome::Topic(info)));
            }
            Frame::Topics { ticket, topics } => {
                self.end_ticket(now, ticket, Ok(Outcome::Topics(topics)));
            }
            Frame::Reading { id, stream, cursors } => self.handle_reading(id, stream, cursors),
            Frame::Records { id, partition, batch } => {
                self.handle_records(now, id, partition, &batch);
            }
            Frame::Receipt { ticket, receipt } => {
                self.end_ticket(now, ticket, Ok(Outcome::Receipt(receipt)));
            }
            Frame::Count { ticket, count } => {
                self.end_ticket(now, ticket, Ok(Outcome::Count(count)));
            }
            Frame::Queue { ticket, info } => {
                self.end_ticket(now, ticket, Ok(Outcome::Queue(info)));
            }
            Frame::Receipts { ticket, receipts } => {
                self.end_ticket(now, ticket, Ok(Outcome::Receipts(receipts)));
            }
            Frame::Peeked { ticket, messages } => {
                self.end_ticket(now, ticket, Ok(Outcome::Peeked(messages)));
            }
            Frame::Queues { ticket, queues } => {
                self.end_ticket(now, ticket, Ok(Outcome::Queues(queues)));
            }
            _ => self.drop_link(now, "the hub sent a frame that only programs send"),
        }
    }

    fn handle_bye(&mut self, now: Time, error: &Error) {
        let never_opened = self.hub.is_none();
        if never_opened && matches!(error.kind(), Kind::Unsupported | Kind::Refused) {
            self.fail(error);
            return self.links.push_back(link::Link::Disconnect);
        }
        self.drop_link(now, &error.to_string());
    }

    fn handle_failed(&mut self, now: Time, id: Id, error: &Error) {
        if self.end_ticket(now, id, Err(error.clone()))
            || self.registration_failed(id, error)
            || self.answers.is_empty()
        {
            return;
        }
        self.answer_failed(id, error);
    }

    fn handle_request(&mut self, now: Time, id: Id, request: Request) {
        if self.requests.contains_key(&request.token) {
            return;
        }
        self.requests
            .insert(request.token, Handling { service: id, withdrawn: false, is_published: false });
        let expired = request.deadline.is_some_and(|deadline| deadline <= now);
        match self.registrations.get(&id).map(|registration| registration.user) {
            Some(user) if !expired => {
                self.events.push_back(Event { id, user, what: What::Request(request) });
            }
            _ => {
                let error = Error::new(Kind::Busy, "not run: the instance has stopped");
                self.answer_own(now, request.token, error);
            }
        }
    }

    fn handle_withdraw(&mut self, request: u64) {
        let Some(handling) = self.requests.get_mut(&request) else {
            return;
        };
        // A hub says so again to a session that resumes.
        if std::mem::replace(&mut handling.withdrawn, true) {
            return;
        }
        let (id, is_published) = (handling.service, handling.is_published);
        if is_published {
            self.requests.remove(&request);
        }
        if let Some(registration) = self.registrations.get(&id) {
            let user = registration.user;
            self.events.push_back(Event { id, user, what: What::Withdrawn { request } });
        }
    }

    fn handle_delivery(&mut self, now: Time, id: Id, delivery: Delivery) {
        if !self.held.insert(delivery.token) {
            return;
        }
        if let Some(registration) = self.registrations.get(&id) {
            let user = registration.user;
            return self.events.push_back(Event { id, user, what: What::Delivery(delivery) });
        }
        let token = delivery.token;
        if !self.end_ticket(now, id, Ok(Outcome::Delivery(delivery))) {
            self.release_own(now, token);
        }
    }
}
