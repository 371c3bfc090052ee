//! Numbers of the IANA registries that this server has to know.

/// Types of resource records (IANA "DNS Resource Record Types").
pub mod rrtype {
    /// An IPv4 address (RFC 1035).
    pub const A: u16 = 1;
    /// A name server (RFC 1035).
    pub const NS: u16 = 2;
    /// An alias (RFC 1035).
    pub const CNAME: u16 = 5;
    /// Start of a zone (RFC 1035).
    pub const SOA: u16 = 6;
    /// The name of an address (RFC 1035).
    pub const PTR: u16 = 12;
    /// Stands for ANY where a server gives no full answer (RFC 8482).
    pub const HINFO: u16 = 13;
    /// A mail exchange (RFC 1035).
    pub const MX: u16 = 15;
    /// Text (RFC 1035).
    pub const TXT: u16 = 16;
    /// An IPv6 address (RFC 3596).
    pub const AAAA: u16 = 28;
    /// A service's port and target (RFC 2782).
    pub const SRV: u16 = 33;
    /// Another name for everything below a name (RFC 6672).
    pub const DNAME: u16 = 39;
    /// The EDNS pseudo-record (RFC 6891).
    pub const OPT: u16 = 41;
    /// Delegation signer (RFC 4034).
    pub const DS: u16 = 43;
    /// A signature (RFC 4034).
    pub const RRSIG: u16 = 46;
    /// Which types a name has, and which name comes next (RFC 4034).
    pub const NSEC: u16 = 47;
    /// A public key of a zone (RFC 4034).
    pub const DNSKEY: u16 = 48;
    /// The DS record that a zone wants its parent to have (RFC 7344).
    pub const CDS: u16 = 59;
    /// The DNSKEY record of which it wants a DS record there (RFC 7344).
    pub const CDNSKEY: u16 = 60;
    /// A service binding (RFC 9460).
    pub const SVCB: u16 = 64;
    /// A service binding of HTTPS (RFC 9460).
    pub const HTTPS: u16 = 65;
    /// In the NSEC record of a name that does not exist (RFC 9824); never asked for.
    pub const NXNAME: u16 = 128;
    /// A transaction's signature (RFC 8945).
    pub const TSIG: u16 = 250;
    /// Incremental transfer of a zone (RFC 1995).
    pub const IXFR: u16 = 251;
    /// Transfer of a zone (RFC 5936).
    pub const AXFR: u16 = 252;
    /// Any type (RFC 8482).
    pub const ANY: u16 = 255;
}

/// Classes of resource records.
pub mod class {
    /// The Internet.
    pub const IN: u16 = 1;
    /// Chaos: server identification by some software.
    pub const CH: u16 = 3;
    /// Any class.
    pub const ANY: u16 = 255;
}

/// Operation codes of requests.
pub mod opcode {
    /// A question.
    pub const QUERY: u8 = 0;
    /// A primary tells that a zone has changed (RFC 1996).
    pub const NOTIFY: u8 = 4;
}

/// Response codes. `BADVERS` needs the extended part in the OPT record.
pub mod rcode {
    /// No error; the answer may still be empty.
    pub const NOERROR: u8 = 0;
    /// The request is malformed.
    pub const FORMERR: u8 = 1;
    /// The server can not tell at this time.
    pub const SERVFAIL: u8 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u8 = 3;
    /// The operation is not known here.
    pub const NOTIMP: u8 = 4;
    /// The server does not want to.
    pub const REFUSED: u8 = 5;
    /// A name exists that should not: that which a DNAME record leads to would be too long (RFC 6672 section
    /// 2.2).
    pub const YXDOMAIN: u8 = 6;
    /// The request is signed with a key that is not known here (RFC 8945 section 5.2.1).
    pub const NOTAUTH: u8 = 9;
    /// The EDNS version is not known here (RFC 6891 section 6.1.3). Over four bits.
    pub const BADVERS: u8 = 16;
    /// The client is to ask again with the cookie that comes with this (RFC 7873 section 8). Over four
    /// bits.
    pub const BADCOOKIE: u8 = 23;
}

/// Information codes of extended DNS errors (RFC 8914).
pub mod ede {
    /// None of the others: the text says what.
    pub const OTHER: u16 = 0;
    /// The answer holds facts of a source that can not be reached.
    pub const STALE_ANSWER: u16 = 3;
    /// A zone that is signed has no key to sign with.
    pub const DNSKEY_MISSING: u16 = 9;
    /// The server has not synced with its sources yet.
    pub const NOT_READY: u16 = 14;
    /// Whoever asks may not.
    pub const PROHIBITED: u16 = 18;
    /// The negative answer rests on facts of a source that can not be reached.
    pub const STALE_NXDOMAIN_ANSWER: u16 = 19;
    /// A type that cannot be asked for (RFC 9824 section 3.5).
    pub const INVALID_QUERY_TYPE: u16 = 30;
}
