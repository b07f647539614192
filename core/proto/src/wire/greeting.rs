//! The greetings as bytes and back.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::MAGIC;
use super::decode::{Decoded, Reader};
use super::encode::{Writer, flag};
use super::frame::{FrameKind, Hello, Welcome};

impl Writer<'_> {
    pub(super) fn hello(&mut self, hello: &Hello) {
        self.frame(FrameKind::Hello, 0, 0, |w| {
            w.out.put_slice(&MAGIC);
            w.out.put_u16_le(hello.versions.0);
            w.out.put_u16_le(hello.versions.1);
            w.out.put_u64_le(hello.features);
            w.out.put_u64_le(hello.session_id);
            w.out.put_slice(&hello.token);
            w.out.put_slice(&hello.hub_id);
            w.out.put_u64_le(hello.epoch);
            w.out.put_slice(&hello.clock);
            w.out.put_u64_le(hello.received);
        });
    }

    pub(super) fn welcome(&mut self, welcome: &Welcome) {
        let flags = if welcome.resumed { flag::WELCOME_RESUMED } else { 0 }
            | if welcome.clock_shared { flag::WELCOME_CLOCK_SHARED } else { 0 }
            | if welcome.memory_only { flag::WELCOME_MEMORY_ONLY } else { 0 }
            | if welcome.memory_lost { flag::WELCOME_MEMORY_LOST } else { 0 };
        self.frame(FrameKind::Welcome, flags, 0, |w| {
            w.out.put_slice(&MAGIC);
            w.out.put_u16_le(welcome.version);
            w.out.put_u8(welcome.authentication);
            w.out.put_u8(0);
            w.out.put_u64_le(welcome.features);
            w.out.put_slice(&welcome.hub_id);
            w.out.put_u64_le(welcome.epoch);
            w.out.put_u64_le(welcome.session_id);
            w.out.put_slice(&welcome.token);
            w.out.put_u64_le(welcome.answered);
            w.out.put_u32_le(welcome.frame_size_max);
            w.out.put_u32_le(welcome.names_max);
            w.out.put_u32_le(welcome.window);
            w.out.put_u32_le(welcome.grace_ms);
        });
    }
}

impl Reader<'_> {
    fn magic(&mut self) -> Decoded<()> {
        if self.array()? == MAGIC { Ok(()) } else { self.fail("is not Telpher's") }
    }

    pub(super) fn hello(&mut self) -> Decoded<Hello> {
        self.magic()?;
        Ok(Hello {
            versions: (self.u16()?, self.u16()?),
            features: self.u64()?,
            session_id: self.u64()?,
            token: self.array()?,
            hub_id: self.array()?,
            epoch: self.u64()?,
            clock: self.array()?,
            received: self.u64()?,
        })
    }

    pub(super) fn welcome(&mut self, flags: u8) -> Decoded<Welcome> {
        self.magic()?;
        let version = self.u16()?;
        let authentication = self.u8()?;
        self.zero(1)?;
        Ok(Welcome {
            version,
            authentication,
            resumed: flags & flag::WELCOME_RESUMED != 0,
            clock_shared: flags & flag::WELCOME_CLOCK_SHARED != 0,
            memory_only: flags & flag::WELCOME_MEMORY_ONLY != 0,
            memory_lost: flags & flag::WELCOME_MEMORY_LOST != 0,
            features: self.u64()?,
            hub_id: self.array()?,
            epoch: self.u64()?,
            session_id: self.u64()?,
            token: self.array()?,
            answered: self.u64()?,
            frame_size_max: self.u32()?,
            names_max: self.u32()?,
            window: self.u32()?,
            grace_ms: self.u32()?,
        })
    }
}
