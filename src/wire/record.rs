//! Walking over the records of a request without reading them.

/// One record as it lies in a request.
pub(super) struct Record<'a> {
    /// Whether its owner is the root, written as such.
    pub(super) has_root_owner: bool,
    /// Its type.
    pub(super) rrtype: u16,
    /// Its class; the UDP size in an OPT record.
    pub(super) class: u16,
    /// Its TTL; extended response code, version and flags in an OPT record.
    pub(super) ttl: [u8; 4],
    /// Its rdata.
    pub(super) rdata: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes the record at the start of `octets`; returns it and what follows.
    #[inline]
    pub(super) fn split(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (has_root_owner, octets) = match octets {
            [0, tail @ ..] => (true, tail),
            _ => (false, skip_name(octets)?),
        };
        let (&head, tail) = octets.split_first_chunk::<10>()?;
        let [type0, type1, class0, class1, ttl @ .., length0, length1] = head;
        let length = usize::from(u16::from_be_bytes([length0, length1]));
        let (rdata, tail) = tail.split_at_checked(length)?;
        let record = Self {
            has_root_owner,
            rrtype: u16::from_be_bytes([type0, type1]),
            class: u16::from_be_bytes([class0, class1]),
            ttl,
            rdata,
        };
        Some((record, tail))
    }
}

/// Goes past a name that may end in a compression pointer, without following it.
fn skip_name(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    loop {
        rest = match rest {
            [0, tail @ ..] | [0xc0..=0xff, _, tail @ ..] => return Some(tail),
            [length @ 1..=63, tail @ ..] => tail.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}
