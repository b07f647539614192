//! Bytes that have arrived, cut into frames.
//!
//! The reactor appends to the buffer; `take` splits off all frames that are whole, as one batch.
//!
//! Floor: imports `base`.

use bytes::{Bytes, BytesMut};

use super::{FrameKind, HEADER_SIZE, Malformed};

/// Bytes for which there is room at once, if a frame states as many. Until they arrive they are
/// addresses, and no memory.
const STEP_MIN: usize = 512 * 1024;

/// Bytes that have arrived and are not a whole frame yet.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: BytesMut,
}

impl Inbox {
    /// Where arriving bytes are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// True if part of a frame has arrived.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Splits off the frames that are whole, none of them larger than `size_max`.
    ///
    /// What is malformed is found with the first four or five bytes that show it; the frames before
    /// it are still handed out first.
    pub fn take(&mut self, size_max: usize) -> Result<Frames, Malformed> {
        let mut end = 0;
        while let Some(size) = self.frame_size(end, size_max)? {
            if self.buffer.len() - end < size {
                // Grow as bytes arrive, at most doubling: a stated length alone costs little, and a
                // batch of records is not copied again and again.
                let have = self.buffer.len() - end;
                self.buffer.reserve((size - have).min(have.max(STEP_MIN)));
                break;
            }
            end += size;
        }
        Ok(Frames { batch: self.buffer.split_to(end).freeze(), at: 0 })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buffer = BytesMut::new();
    }

    fn frame_size(&mut self, at: usize, size_max: usize) -> Result<Option<usize>, Malformed> {
        let rest = &self.buffer[at..];
        let Some(size) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        let size = u32::from_le_bytes(*size) as usize;
        let fault = if !(HEADER_SIZE..=size_max).contains(&size) {
            format!("a frame states {size} bytes; allowed are {HEADER_SIZE} to {size_max}")
        } else if let Some(kind) = rest.get(4).filter(|kind| FrameKind::from_byte(**kind).is_none())
        {
            format!("there is no frame of kind {kind}")
        } else {
            return Ok(Some(size));
        };
        // Frames before the fault are whole and good: they go first, the fault is found again.
        if at == 0 { Err(Malformed::new(fault)) } else { Ok(None) }
    }
}

/// A batch of whole frames.
#[derive(Debug)]
pub struct Frames {
    batch: Bytes,
    at: usize,
}

/// One whole frame of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    pub(super) batch: &'a Bytes,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'a> Whole<'a> {
    /// The frame that `bytes` are, all of them.
    pub fn of(bytes: &'a Bytes) -> Whole<'a> {
        Whole { batch: bytes, at: 0, end: bytes.len() }
    }

    /// Its kind's byte.
    pub fn kind(&self) -> u8 {
        self.batch[self.at + 4]
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.end - self.at
    }
}

impl Frames {
    /// True if no frame is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.batch.len()
    }

    /// The next frame.
    #[allow(clippy::should_implement_trait, reason = "a frame borrows its batch")]
    pub fn next(&mut self) -> Option<Whole<'_>> {
        let at = self.at;
        let size = self.batch[at..].first_chunk::<4>()?;
        self.at += u32::from_le_bytes(*size) as usize;
        Some(Whole { batch: &self.batch, at, end: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: u32) -> Vec<u8> {
        let mut bytes = vec![FrameKind::Goodbye as u8; size as usize];
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    #[test]
    fn frames_come_out_whole_wherever_the_bytes_were_cut() {
        let stream: Vec<u8> = [frame(16), frame(40), frame(17)].concat();
        for cut in 0..=stream.len() {
            let mut inbox = Inbox::default();
            let mut sizes = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                inbox.buffer().extend_from_slice(part);
                let mut frames = inbox.take(64).unwrap();
                while let Some(frame) = frames.next() {
                    sizes.push(frame.size());
                }
            }
            assert_eq!(sizes, [16, 40, 17], "cut at {cut}");
        }
    }

    #[test]
    fn a_length_of_4_gib_is_refused_before_anything_is_allocated() {
        let mut inbox = Inbox::default();
        inbox.buffer().extend_from_slice(&frame(20));
        inbox.buffer().extend_from_slice(&[0xff; 4]);
        let mut frames = inbox.take(1024).unwrap();
        assert!(frames.next().is_some() && frames.next().is_none());
        let fault = inbox.take(1024).unwrap_err();
        assert!(fault.text().contains("4294967295") && fault.text().contains("1024"), "{fault:?}");
        assert!(inbox.buffer().capacity() < 64 * 1024);
    }
}
