//! What a key does at a moment.

/// One thing that a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// It is in the DNSKEY RRset.
    InDnskey = 1,
    /// It signs the DNSKEY, CDS and CDNSKEY RRsets.
    SignsDnskey = 2,
    /// It signs all other RRsets.
    SignsRest = 4,
    /// It is what the CDS and CDNSKEY RRsets ask the parent for (RFC 7344).
    InCds = 8,
    /// It is in the DS RRset of an apex around this one that is served here.
    InParentDs = 16,
}

/// All that a key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyRoles(u8);

impl KeyRoles {
    /// Nothing: a key that is not published yet, or no more.
    pub const NONE: Self = Self(0);

    /// All: the only key of a zone.
    pub const ALL: Self = Self(31);

    /// These.
    pub fn of(roles: &[KeyRole]) -> Self {
        Self(roles.iter().fold(0, |bits, role| bits | *role as u8))
    }

    /// Whether a role is among them.
    pub const fn has(self, role: KeyRole) -> bool {
        self.0 & role as u8 != 0
    }
}
