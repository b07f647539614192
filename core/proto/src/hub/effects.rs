//! What the broker wants sent, as frames for the port that carries the session.
//!
//! Floor: hub.

use super::Hub;
use crate::base::{Error, Outcome, Published, Time};
use crate::broker::Effect;
use crate::wire::Frame;

impl Hub {
    /// Carries out the broker's effects. What has no connection is dropped: the broker repeats what
    /// matters when the session resumes.
    pub(super) fn carry_out(&mut self, now: Time) {
        while let Some(effect) = self.broker.poll_effect() {
            let (session, frame) = match effect {
                Effect::Welcome { session } => {
                    self.welcome(now, session, false);
                    continue;
                }
                Effect::Result { session, ticket, result, counted } => {
                    (session, result_frame(ticket, result, counted))
                }
                Effect::Request { session, id, request } => {
                    (session, Frame::Request { id, request })
                }
                Effect::Withdraw { session, request } => (session, Frame::Withdraw { request }),
                Effect::Deliver { session, id, delivery } => {
                    (session, Frame::Delivery { id, delivery })
                }
                Effect::Publish { session, id, published, is_exact } => {
                    self.broker.handle_given(session, published.message.size() as u64);
                    let Published { topic, number, message, asked } = published;
                    let topic = Some(topic).filter(|_| !is_exact);
                    (session, Frame::Published { id, number, topic, asked, message })
                }
                Effect::Answer { session, ticket, answer } => {
                    (session, Frame::Collected { ticket, answer })
                }
                Effect::Reading { session, id, stream, cursors } => {
                    (session, Frame::Reading { id, stream, cursors })
                }
                Effect::Records { session, id, partition, batch } => {
                    self.broker.handle_given(session, batch.len() as u64);
                    (session, Frame::Records { id, partition, batch })
                }
                Effect::Finished { session, id } => (session, Frame::Done { ticket: id }),
                Effect::Started { session, id } => (session, Frame::Started { id }),
                Effect::Ended { session, id, error } => {
                    (session, Frame::Failed { id, counted: false, error })
                }
            };
            if let Some(port) = self.carrier(session) {
                self.push(now, port, &frame);
            }
        }
    }
}

pub(super) fn result_frame(ticket: u64, result: Result<Outcome, Error>, counted: bool) -> Frame {
    match result {
        Err(error) => Frame::Failed { id: ticket, counted, error },
        Ok(Outcome::Reply(message)) => Frame::Reply { ticket, message },
        Ok(Outcome::Receipt(receipt)) => Frame::Receipt { ticket, receipt },
        Ok(Outcome::Count(count)) => Frame::Count { ticket, count },
        Ok(Outcome::Queue(info)) => Frame::Queue { ticket, info },
        Ok(Outcome::Receipts(receipts)) => Frame::Receipts { ticket, receipts },
        Ok(Outcome::Peeked(messages)) => Frame::Peeked { ticket, messages },
        Ok(Outcome::Appended(appended)) => Frame::Appended { ticket, appended },
        Ok(Outcome::Stream(info)) => Frame::Stream { ticket, info },
        Ok(Outcome::Streams(streams)) => Frame::Streams { ticket, streams },
        Ok(Outcome::Groups(groups)) => Frame::Groups { ticket, groups },
        Ok(Outcome::Topic(info)) => Frame::Topic { ticket, info },
        Ok(Outcome::Topics(topics)) => Frame::Topics { ticket, topics },
        Ok(Outcome::Queues(queues)) => Frame::Queues { ticket, queues },
        Ok(Outcome::Gathered(gathered)) => Frame::Gathered { ticket, gathered },
        Ok(Outcome::Empty | Outcome::Opened(_) | Outcome::Delivery(_)) => Frame::Done { ticket },
    }
}
