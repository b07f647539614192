//! What a program's frames about declarations of topics want of the broker.
//!
//! Floor: hub.

use super::effects::result_frame;
use super::{Hub, PortId};
use crate::base::Time;
use crate::broker::SessionKey;
use crate::wire::{Frame, Malformed};

impl Hub {
    /// A frame that changes nothing.
    pub(super) fn look_at_topics(&mut self, now: Time, port: PortId, frame: Frame) {
        let (ticket, result) = match frame {
            Frame::InspectTopic { ticket, pattern } => {
                (ticket, self.broker.inspect_topic(&pattern))
            }
            Frame::ListTopics { ticket, after } => {
                (ticket, Ok(self.broker.list_topics(after.as_ref())))
            }
            _ => return,
        };
        self.push(now, port, &result_frame(ticket, result, false));
    }

    /// A frame that changes something.
    pub(super) fn change_topics(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        match frame {
            Frame::DeclareTopic { ticket, change, pattern, options } => {
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.declare_topic(now, change, &pattern, options);
                }
            }
            Frame::DeleteTopic { ticket, change, pattern } => {
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.delete_topic(now, change, &pattern);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
