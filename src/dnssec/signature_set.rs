//! What is signed: one RRset in canonical form (RFC 4034 section 6), and the hashes it is found by.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher13Of128};

use super::algorithm::Algorithm;

/// Octets of RRSIG rdata before the signer's name (RFC 4034 section 3.1).
const FIXED: usize = 18;

/// An RRset but for its rdata. Names are uncompressed, in lower case, with the root.
#[derive(Debug, Clone, Copy)]
pub struct SignatureSet<'a> {
    /// Its owner.
    pub owner: &'a [u8],
    /// How many labels the owner has, without the root and without that of a wildcard.
    pub labels: u8,
    /// The apex whose keys sign it.
    pub apex: &'a [u8],
    /// Its type.
    pub rrtype: u16,
    /// The original TTL, in seconds: what is served may be less.
    pub original_ttl: u32,
}

/// Which signature of an RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureBy {
    /// The algorithm of the key.
    pub algorithm: Algorithm,
    /// The key's tag.
    pub tag: u16,
    /// When it begins.
    pub inception: u32,
    /// When it ends.
    pub expiration: u32,
}

impl SignatureSet<'_> {
    /// RRSIG rdata up to the signer's name.
    pub fn rrsig(&self, by: &SignatureBy) -> [u8; FIXED] {
        let [type0, type1] = self.rrtype.to_be_bytes();
        let [ttl0, ttl1, ttl2, ttl3] = self.original_ttl.to_be_bytes();
        let [end0, end1, end2, end3] = by.expiration.to_be_bytes();
        let [begin0, begin1, begin2, begin3] = by.inception.to_be_bytes();
        let [tag0, tag1] = by.tag.to_be_bytes();
        let algorithm = by.algorithm.number();
        [
            type0,
            type1,
            algorithm,
            self.labels,
            ttl0,
            ttl1,
            ttl2,
            ttl3,
            end0,
            end1,
            end2,
            end3,
            begin0,
            begin1,
            begin2,
            begin3,
            tag0,
            tag1,
        ]
    }

    /// The octets that a key signs (RFC 4034 section 3.1.8.1). `rdata` is in canonical form, in any order,
    /// each once or more.
    pub fn signed_octets(&self, by: &SignatureBy, mut rdata: Vec<Vec<u8>>) -> Vec<u8> {
        rdata.sort_unstable();
        rdata.dedup();
        let [type0, type1] = self.rrtype.to_be_bytes();
        let [ttl0, ttl1, ttl2, ttl3] = self.original_ttl.to_be_bytes();
        let mut octets = [&self.rrsig(by)[..], self.apex].concat();
        for record in rdata {
            let Ok(length) = u16::try_from(record.len()) else {
                continue;
            };
            let [length0, length1] = length.to_be_bytes();
            octets.extend_from_slice(self.owner);
            octets
                .extend_from_slice(&[type0, type1, 0, 1, ttl0, ttl1, ttl2, ttl3, length0, length1]);
            octets.extend_from_slice(&record);
        }
        octets
    }

    /// When in the refresh interval its signatures are due: the same number on every replica.
    pub fn spread(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.owner);
        hasher.write(&self.rrtype.to_be_bytes());
        hasher.finish()
    }
}

/// Hashes RRsets under a key of the process, so that nobody can make two that have the same hash
/// (SipHash-1-3-128).
#[derive(Debug, Clone, Copy)]
pub struct Fingerprints {
    empty: SipHasher13Of128,
}

/// So many records at most are hashed where queries are answered; RRsets of more are left to those who
/// sign.
pub const MOST_RECORDS: usize = 64;

/// The hash of an RRset in the making.
#[derive(Debug)]
pub struct Fingerprinting {
    empty: SipHasher13Of128,
    hasher: SipHasher13Of128,
    records: [u128; MOST_RECORDS],
    count: usize,
}

impl Fingerprints {
    /// Hashes under a key, which is random.
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            empty: SipHasher13Of128::new_with_key(key),
        }
    }

    /// Begins to hash an RRset.
    #[inline]
    pub fn of(&self, set: &SignatureSet<'_>) -> Fingerprinting {
        let mut hasher = self.empty;
        // The apex is the end of the owner, or the owner the end of the apex: its length says which.
        let lengths = [set.owner.len(), set.apex.len()];
        let [owner, apex] = lengths.map(|length| u8::try_from(length).unwrap_or(u8::MAX));
        let [type0, type1] = set.rrtype.to_be_bytes();
        let [ttl0, ttl1, ttl2, ttl3] = set.original_ttl.to_be_bytes();
        hasher.write(&[owner, apex, type0, type1, ttl0, ttl1, ttl2, ttl3]);
        hasher.write(set.owner);
        Fingerprinting {
            empty: self.empty,
            hasher,
            records: [0; MOST_RECORDS],
            count: 0,
        }
    }
}

impl Fingerprinting {
    /// Takes a record in, by its rdata in canonical form.
    #[inline]
    pub fn add(&mut self, rdata: &[u8]) {
        let number = match (<[u8; 4]>::try_from(rdata), <[u8; 16]>::try_from(rdata)) {
            (Ok(address), _) => u128::from(u32::from_be_bytes(address)),
            (_, Ok(address)) => u128::from_be_bytes(address),
            _ => {
                let mut hasher = self.empty;
                hasher.write(rdata);
                hasher.finish128().as_u128()
            }
        };
        if let Some(place) = self.records.get_mut(self.count) {
            *place = number;
        }
        self.count += 1;
    }

    /// Hashes the records, whatever order they came in; `None` if there are more than [`MOST_RECORDS`].
    #[inline]
    pub fn end(mut self) -> Option<Fingerprint> {
        let records = self.records.get_mut(..self.count)?;
        records.sort_unstable();
        for record in records {
            self.hasher.write(&record.to_le_bytes());
        }
        Some(Fingerprint(self.hasher))
    }
}

/// The hash of an RRset, but for the key that signs it.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint(SipHasher13Of128);

impl Fingerprint {
    /// With the key.
    #[inline]
    pub fn by(mut self, algorithm: Algorithm, tag: u16) -> u128 {
        let [tag0, tag1] = tag.to_be_bytes();
        self.0.write(&[algorithm.number(), tag0, tag1]);
        self.0.finish128().as_u128()
    }
}
