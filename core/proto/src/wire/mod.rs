//! The wire protocol (being written).
/// Bytes waiting to be written to a link.
#[derive(Debug, Default)]
pub struct Outbox { buffer: bytes::BytesMut }
impl Outbox {
    /// Bytes waiting.
    pub fn len(&self) -> usize { self.buffer.len() }
    /// True if none wait.
    pub fn is_empty(&self) -> bool { self.buffer.is_empty() }
    /// Fills `slices` with what is to be written next; returns how many.
    pub fn slices<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        if self.buffer.is_empty() || slices.is_empty() { return 0; }
        slices[0] = std::io::IoSlice::new(&self.buffer);
        1
    }
    /// `n` bytes have been written.
    pub fn advance(&mut self, n: usize) { bytes::Buf::advance(&mut self.buffer, n) }
}
