//! A connection between one client and the hub: two pipes of bytes, each with an end.
//!
//! A pipe loses nothing while the connection lasts. When that breaks, what is under way is cut at
//! any byte, and each side learns of it after what it still receives.

use std::io::IoSlice;

use bytes::BytesMut;
use telpher_proto::hub::PortId;
use telpher_proto::wire::Outbox;

use crate::agenda::Who;
use crate::plan::Chunks;
use crate::random::Random;

/// Bytes under way in one direction.
#[derive(Debug)]
pub struct Pipe {
    bytes: BytesMut,
    size_max: usize,
    /// Nothing more is put in: after the last byte comes the end.
    pub ended: bool,
    /// An arrival is on the agenda.
    pub scheduled: bool,
}

impl Pipe {
    fn new(size_max: usize) -> Pipe {
        Pipe { bytes: BytesMut::new(), size_max, ended: false, scheduled: false }
    }

    /// Takes what there is room for; returns how much that was.
    pub fn fill(&mut self, outbox: &mut Outbox) -> usize {
        let room = self.size_max.saturating_sub(self.bytes.len());
        self.put(outbox, room)
    }

    /// Takes everything, and makes something else of it.
    pub fn fill_mangled(&mut self, outbox: &mut Outbox, mangle: impl FnOnce(&mut [u8])) -> usize {
        let before = self.bytes.len();
        self.fill_whole(outbox);
        mangle(&mut self.bytes[before..]);
        self.bytes.len() - before
    }

    /// Takes everything, for a side that writes before it drops the connection.
    pub fn fill_whole(&mut self, outbox: &mut Outbox) {
        while self.put(outbox, usize::MAX) > 0 {}
    }

    fn put(&mut self, outbox: &mut Outbox, room: usize) -> usize {
        if self.ended {
            return 0;
        }
        let before = self.bytes.len();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = outbox.slices(&mut slices);
        for slice in &slices[..count] {
            let left = room - (self.bytes.len() - before);
            self.bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        let taken = self.bytes.len() - before;
        outbox.advance(taken);
        taken
    }

    /// What arrives next.
    pub fn take(&mut self, random: &mut Random, chunks: Chunks) -> BytesMut {
        let all = self.bytes.len() as u64;
        let size = match chunks {
            Chunks::Whole => all,
            Chunks::Some if random.chance(40) => all,
            Chunks::Some => random.between(1, all.max(1)),
            Chunks::Few => random.between(1, 40 + all / 4),
        };
        self.bytes.split_to(size.min(all) as usize)
    }

    /// Everything that waits.
    pub fn take_all(&mut self) -> BytesMut {
        self.bytes.split()
    }

    /// The connection broke: a part of what is under way still arrives, then the end.
    pub fn cut(&mut self, random: &mut Random) {
        let kept = random.below(self.bytes.len() as u64 + 1) as usize;
        self.bytes.truncate(kept);
        self.ended = true;
    }

    /// Nobody reads any more.
    pub fn discard(&mut self) {
        self.bytes.clear();
        self.ended = true;
    }

    /// True if something is to arrive: bytes or the end.
    pub fn pending(&self) -> bool {
        !self.bytes.is_empty() || self.ended
    }

    /// True if the end comes next.
    pub fn at_end(&self) -> bool {
        self.bytes.is_empty() && self.ended
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// Whose.
    pub who: Who,
    /// The hub's end.
    pub port: PortId,
    /// From the client to the hub.
    pub up: Pipe,
    /// From the hub to the client.
    pub down: Pipe,
    /// The client still uses it.
    pub client_open: bool,
    /// The hub still has the port.
    pub hub_open: bool,
    /// The hub does not want to read from it.
    pub paused: bool,
}

impl Connection {
    /// A fresh one.
    pub fn new(who: Who, port: PortId, size_max: usize) -> Connection {
        Connection {
            who,
            port,
            up: Pipe::new(size_max),
            down: Pipe::new(size_max),
            client_open: true,
            hub_open: true,
            paused: false,
        }
    }

    /// It breaks: both sides learn of it.
    pub fn cut(&mut self, random: &mut Random) {
        self.up.cut(random);
        self.down.cut(random);
    }
}
