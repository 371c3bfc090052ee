//! The header of a message (RFC 1035 section 4.1.1).

/// Octets of a message's header.
pub(super) const HEADER: usize = 12;

/// Header flags, in the octets where they are.
pub(super) mod flag {
    /// Third octet: this is a response.
    pub(crate) const RESPONSE: u8 = 0x80;
    /// Third octet: operation code, shifted left by three.
    pub(crate) const OPCODE: u8 = 0x78;
    /// Third octet: authoritative answer.
    pub(crate) const AUTHORITATIVE: u8 = 0x04;
    /// Third octet: truncated.
    pub(crate) const TRUNCATED: u8 = 0x02;
    /// Third octet: recursion desired.
    pub(crate) const RECURSION_DESIRED: u8 = 0x01;
    /// Fourth octet: checking disabled.
    pub(crate) const CHECKING_DISABLED: u8 = 0x10;
}

/// Flags of an OPT record, in the first of their two octets.
pub(super) mod edns_flag {
    /// DNSSEC records are wanted (RFC 3225).
    pub(crate) const DNSSEC_OK: u8 = 0x80;
    /// Compact denial with NXDOMAIN is understood (RFC 9824 section 5.1).
    pub(crate) const COMPACT_OK: u8 = 0x40;
}

/// The least UDP size that counts (RFC 6891 section 6.2.3).
pub(super) const MIN_UDP_SIZE: u16 = 512;
