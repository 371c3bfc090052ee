//! Names to be written into a response, and where names already are.

/// Where a name is in the response: to be pointed to (RFC 1035 section 4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u16);

impl Owner {
    /// The name of the question, in the case asked for.
    pub const QUESTION: Self = Self(12);

    /// The name at an offset of the message. An offset that no pointer reaches overflows the
    /// section where it is used.
    #[inline]
    pub(super) fn at(offset: usize) -> Self {
        Self(u16::try_from(offset).unwrap_or(u16::MAX))
    }

    /// The name without its first labels, of `octets` in all with their length octets. Only for a
    /// name that was written without a pointer up to there.
    #[inline]
    #[must_use]
    pub fn skip(self, octets: usize) -> Self {
        Self::at(usize::from(self.0).saturating_add(octets))
    }

    /// Whether a pointer reaches it.
    #[inline]
    pub fn is_reached(self) -> bool {
        self.0 < 0x4000
    }

    /// The offset in the message.
    #[inline]
    pub(super) fn offset(self) -> usize {
        usize::from(self.0)
    }

    /// The two octets of a compression pointer; `None` beyond 16 KiB.
    #[inline]
    pub(super) fn pointer(self) -> Option<[u8; 2]> {
        self.is_reached().then(|| (self.0 | 0xc000).to_be_bytes())
    }
}

/// A name in rdata, or an owner: up to five runs of labels in wire form, then a name that is in
/// the message already, or the root.
#[derive(Debug, Clone, Copy)]
pub struct NameParts<'a> {
    /// Labels with their length octets, without the root; leftmost first.
    pub(super) parts: [&'a [u8]; 5],
    /// What follows; `None` is the root.
    pub(super) end: Option<Owner>,
}

impl<'a> NameParts<'a> {
    /// `parts`, each whole labels in wire form without the root, then `end`; `None` is the root.
    #[inline]
    pub fn new<const N: usize>(parts: [&'a [u8]; N], end: Option<Owner>) -> Self {
        const { assert!(N <= 5, "a target has at most five parts") };
        let mut target = Self {
            parts: [&[]; 5],
            end,
        };
        for (place, part) in target.parts.iter_mut().zip(parts) {
            *place = part;
        }
        target
    }

    /// A whole name in wire form, root included.
    #[inline]
    pub fn name(wire: &'a [u8]) -> Self {
        let labels = wire.split_last().map_or(wire, |(_, labels)| labels);
        Self::new([labels], None)
    }

    /// Labels, then a whole name in wire form, root included.
    #[inline]
    pub fn below(labels: &'a [u8], wire: &'a [u8]) -> Self {
        let name = wire.split_last().map_or(wire, |(_, name)| name);
        Self::new([labels, name], None)
    }

    /// Octets of the labels before the end.
    #[inline]
    pub(super) fn labels_length(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

impl From<Owner> for NameParts<'_> {
    /// A name that is in the message already.
    #[inline]
    fn from(owner: Owner) -> Self {
        Self::new([], Some(owner))
    }
}

/// The rdata of an SOA record (RFC 1035 section 3.3.13). Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Soa<'a> {
    /// The first name server.
    pub mname: NameParts<'a>,
    /// The mailbox of whoever is responsible, as a name.
    pub rname: NameParts<'a>,
    /// Serial (RFC 1982).
    pub serial: u32,
    /// When a secondary asks again.
    pub refresh: u32,
    /// When a secondary asks again after a failure.
    pub retry: u32,
    /// When a secondary gives up.
    pub expire: u32,
    /// The TTL of negative answers (RFC 2308).
    pub minimum: u32,
}
