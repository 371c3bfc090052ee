//! Writes octets into a buffer of fixed length, one piece after the other.

/// The part of a buffer that is still free.
#[derive(Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a mut [u8]);

impl Cursor<'_> {
    /// Writes octets and goes past them; `None`, and nothing more fits, if they do not fit.
    #[inline]
    pub(super) fn put(&mut self, octets: &[u8]) -> Option<()> {
        let (written, rest) = std::mem::take(&mut self.0).split_at_mut_checked(octets.len())?;
        written.copy_from_slice(octets);
        self.0 = rest;
        Some(())
    }

    /// Writes a string of at most 255 octets behind its length.
    pub(super) fn put_string(&mut self, string: &[u8]) -> Option<()> {
        self.put(&[u8::try_from(string.len()).ok()?])?;
        self.put(string)
    }
}
