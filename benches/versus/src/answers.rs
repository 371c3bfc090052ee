//! What an answer says, as far as it is compared: RCODE, and the answer section as a count and a
//! sum that does not depend on order.

/// Record types that are compared by content.
pub mod rrtype {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Alias.
    pub const CNAME: u16 = 5;
    /// Mail exchange: absent from every world.
    pub const MX: u16 = 15;
    /// Text: absent from every world.
    pub const TXT: u16 = 16;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// Service.
    pub const SRV: u16 = 33;
    /// Signature: not compared.
    pub const RRSIG: u16 = 46;
}

/// The answer section of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Section {
    /// How many records.
    pub count: u8,
    /// The sum of [`record`] over them.
    pub sum: u64,
}

impl Section {
    /// With one record more.
    pub fn add(&mut self, rtype: u16, rdata: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(record(rtype, rdata));
    }
}

/// A number for a record. Of an SRV record the target is left out, of a CNAME everything but the
/// type: a server may compress a CNAME, and the records at the end of the chain are compared.
#[inline]
pub fn record(rtype: u16, rdata: &[u8]) -> u64 {
    let compared = match rtype {
        rrtype::CNAME => &[],
        rrtype::SRV => rdata.get(..6).unwrap_or_default(),
        _ => rdata,
    };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(rtype);
    for octet in compared {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// Reads the header and the answer section of a response to `question`, which is what follows the
/// header of the query. `None` when it is not a whole response to it.
#[inline]
pub fn read(response: &[u8], question: &[u8]) -> Option<(u8, Section)> {
    let header = response.get(..12)?;
    let is_response = header[2] & 0x80 != 0 && header[2] & 0x02 == 0;
    if !is_response || header[4..6] != [0, 1] {
        return None;
    }
    let mut rest = response.get(12..)?;
    let (asked, after) = rest.split_at_checked(question.len())?;
    if !asked.eq_ignore_ascii_case(question) {
        return None;
    }
    rest = after;
    let mut section = Section::default();
    for _ in 0..u16::from_be_bytes([header[6], header[7]]) {
        rest = skip_name(rest)?;
        let (fixed, after) = rest.split_at_checked(10)?;
        let rtype = u16::from_be_bytes([fixed[0], fixed[1]]);
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (rdata, after) = after.split_at_checked(length)?;
        if rtype != rrtype::RRSIG {
            section.add(rtype, rdata);
        }
        rest = after;
    }
    Some((header[3] & 15, section))
}

/// What follows a name.
#[inline]
pub fn skip_name(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        match *octets.first()? {
            0 => return octets.get(1..),
            length if length >= 0xc0 => return octets.get(2..),
            length => octets = octets.get(1 + usize::from(length)..)?,
        }
    }
}
