//! What a program's frames about streams want of the broker.
//!
//! Floor: hub.

use super::effects::result_frame;
use super::{Hub, PortId};
use crate::base::Time;
use crate::broker::{Appending, SessionKey};
use crate::wire::{Append, Frame, Malformed};

impl Hub {
    /// A frame that changes nothing.
    pub(super) fn look_at_streams(
        &mut self,
        now: Time,
        port: PortId,
        frame: Frame,
    ) -> Result<(), Malformed> {
        let (ticket, result) = match frame {
            Frame::InspectStream { ticket, name } => {
                (ticket, self.broker.inspect_stream(self.name(port, name)?))
            }
            Frame::ListGroups { ticket, name } => {
                (ticket, self.broker.groups(self.name(port, name)?))
            }
            Frame::ListStreams { ticket, after } => {
                (ticket, Ok(self.broker.list_streams(after.as_ref())))
            }
            _ => return Ok(()),
        };
        self.push(now, port, &result_frame(ticket, result, false));
        Ok(())
    }

    /// A frame that changes something.
    pub(super) fn change_streams(
        &mut self,
        now: Time,
        port: PortId,
        session: SessionKey,
        frame: Frame,
    ) -> Result<(), Malformed> {
        match frame {
            Frame::DeclareStream { ticket, change, name, options } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.declare_stream(now, change, name, &options);
                }
            }
            Frame::DeleteStream { ticket, change, name } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.delete_stream(now, change, name);
                }
            }
            Frame::Commit { ticket, change, committing } => {
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.commit_place(now, change, committing);
                }
            }
            Frame::ResetGroup { ticket, change, name, reset } => {
                let name = self.name(port, name)?;
                let reset = (&reset.group, reset.partition, reset.start);
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.reset_group(now, change, name, reset);
                }
            }
            Frame::DeleteGroup { ticket, change, name, group } => {
                let name = self.name(port, name)?;
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.delete_group(now, change, name, &group);
                }
            }
            Frame::Append { ticket, change, name, append } => {
                let name = self.name(port, name)?;
                let Append { deadline, partition, partitions, expect, batch } = *append;
                let append = Appending { partition, partitions, expect, deadline, batch };
                if let Some(change) = self.begin(now, port, session, (ticket, change))? {
                    self.broker.append(now, change, name, append);
                }
            }
            _ => return Err(Malformed::new("a frame that only a hub sends")),
        }
        Ok(())
    }
}
