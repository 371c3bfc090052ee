//! The question's name, lower-cased, with its labels found.

use std::fmt;

use super::labels::NameText;
use super::name::{MAX_NAME, NameBuf};

/// The longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: u8 = 63;

/// How many octets are lower-cased at a time: one vector register.
const BLOCK: usize = 16;

/// A reusable buffer for the name of a question: lower-cased wire form and label positions.
///
/// Label 0 is the leftmost one. Indices that are out of range give empty slices.
#[derive(Clone)]
pub struct Qname {
    /// The name and, behind it, octets of earlier names. Never holds an upper-case octet.
    octets: [u8; MAX_NAME.next_multiple_of(BLOCK)],
    /// Where each label's length octet is; one more for the root.
    starts: [u8; 128],
    /// How many labels there are, without the root. At most 127.
    labels: usize,
    /// Whether the name that was read had no upper-case octet.
    is_lower_case: bool,
}

impl Qname {
    /// The root.
    pub const fn new() -> Self {
        Self {
            octets: [0; MAX_NAME.next_multiple_of(BLOCK)],
            starts: [0; 128],
            labels: 0,
            is_lower_case: true,
        }
    }

    /// A name that did not come by a request.
    pub fn from_name(name: &NameBuf) -> Self {
        let mut qname = Self::new();
        qname.read(name.as_wire());
        qname
    }

    /// Reads the uncompressed name at the start of `octets` and returns its length, root included.
    ///
    /// `None` for a compression pointer, a label over 63 octets, a name over 255 octets or one cut
    /// short; the buffer then holds the root.
    #[inline]
    pub fn read(&mut self, octets: &[u8]) -> Option<usize> {
        let length = self.try_read(octets);
        if length.is_none() {
            *self = Self::new();
        }
        length
    }

    /// [`Self::read`], leaving a mess behind when it fails.
    #[inline]
    fn try_read(&mut self, octets: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        let mut labels = 0_usize;
        loop {
            let length = *octets.get(at)?;
            // Enough for a name that is not too long, which is found out once, at the end.
            [*self.starts.get_mut(labels)?, ..] = at.to_le_bytes();
            if length == 0 {
                break;
            }
            if length > MAX_LABEL {
                return None;
            }
            at += 1 + usize::from(length);
            labels += 1;
        }
        let length = at + 1;
        if length > MAX_NAME {
            return None;
        }
        self.labels = labels;
        self.octets
            .get_mut(..length)?
            .copy_from_slice(octets.get(..length)?);
        self.lower_case(length);
        Some(length)
    }

    /// Lower-cases the first `length` octets, in whole blocks.
    ///
    /// Length octets are at most 63, below `A`, so no octet needs to be told apart.
    #[inline]
    fn lower_case(&mut self, length: usize) {
        let mut any_upper = 0_u8;
        let (blocks, _) = self.octets.as_chunks_mut::<BLOCK>();
        for block in blocks.iter_mut().take(length.div_ceil(BLOCK)) {
            for octet in block {
                let upper = u8::from(octet.is_ascii_uppercase());
                *octet |= upper << 5;
                any_upper |= upper;
            }
        }
        self.is_lower_case = any_upper == 0;
    }

    /// Where label `index` starts; the root is at [`Self::label_count`].
    #[inline]
    fn start(&self, index: usize) -> Option<usize> {
        if index > self.labels {
            return None;
        }
        self.starts.get(index).map(|start| usize::from(*start))
    }

    /// The name in lower case, root included.
    #[inline]
    pub fn as_wire(&self) -> &[u8] {
        self.suffix(0)
    }

    /// How many labels there are, without the root.
    #[inline]
    pub fn label_count(&self) -> usize {
        self.labels
    }

    /// The content of a label, without its length octet.
    #[inline]
    pub fn label(&self, index: usize) -> &[u8] {
        match self.between(index, index.saturating_add(1)) {
            [_, content @ ..] => content,
            [] => &[],
        }
    }

    /// From label `index` to the end, root included; the root alone at [`Self::label_count`].
    #[inline]
    pub fn suffix(&self, index: usize) -> &[u8] {
        let (Some(from), Some(root)) = (self.start(index), self.start(self.labels)) else {
            return &[];
        };
        self.octets.get(from..=root).unwrap_or_default()
    }

    /// Labels `from` (inclusive) to `to` (exclusive) with their length octets, without the root.
    #[inline]
    pub fn between(&self, from: usize, to: usize) -> &[u8] {
        let (Some(from), Some(to)) = (self.start(from), self.start(to)) else {
            return &[];
        };
        self.octets.get(from..to).unwrap_or_default()
    }

    /// Octets before label `index`; the root is at [`Self::label_count`].
    #[inline]
    pub fn offset(&self, index: usize) -> Option<usize> {
        self.start(index)
    }

    /// Whether the name that was read had no upper-case octet.
    #[inline]
    pub fn is_lower_case(&self) -> bool {
        self.is_lower_case
    }
}

impl Default for Qname {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Qname {
    /// Presentation form with escapes (RFC 1035 section 5.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels == 0 {
            return f.write_str(".");
        }
        write!(f, "{}.", NameText(self.as_wire()))
    }
}

impl fmt::Debug for Qname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
