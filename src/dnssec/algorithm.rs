//! The algorithms that zones are signed with, and the digests of their keys.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, SHA256, SHA384};

/// Octets of a signature: both algorithms have the same (RFC 6605 section 4, RFC 8080 section 4).
pub const SIGNATURE: usize = 64;

/// The first octet of an uncompressed point (SEC 1 section 2.3.3), which a DNSKEY record leaves out.
pub(super) const UNCOMPRESSED: u8 = 4;

/// An algorithm that a zone is signed with: the two that RFC 8624 section 3.1 recommends for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256, number 13 (RFC 6605).
    #[default]
    EcdsaP256Sha256,
    /// Ed25519, number 15 (RFC 8080).
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::EcdsaP256Sha256, Self::Ed25519];

    /// Its number (IANA "DNS Security Algorithm Numbers").
    pub const fn number(self) -> u8 {
        match self {
            Self::EcdsaP256Sha256 => 13,
            Self::Ed25519 => 15,
        }
    }

    /// The algorithm of a number; `None` for one that no zone is signed with here.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// Its mnemonic (IANA "DNS Security Algorithm Numbers").
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Self::Ed25519 => "ED25519",
        }
    }

    /// Octets of a public key in a DNSKEY record (RFC 6605 section 4, RFC 8080 section 3).
    pub const fn public_length(self) -> usize {
        match self {
            Self::EcdsaP256Sha256 => 64,
            Self::Ed25519 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

/// A text that is not the mnemonic of an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is ECDSAP256SHA256 or ED25519")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a mnemonic, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let found = Self::ALL
            .into_iter()
            .find(|one| one.mnemonic().eq_ignore_ascii_case(text));
        found.ok_or(UnknownAlgorithm)
    }
}

/// A digest of a key in a DS or CDS record (IANA "DS RR Type Digest Algorithms").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsDigest {
    /// SHA-256, number 2 (RFC 4509): the one that every validator knows.
    Sha256,
    /// SHA-384, number 4 (RFC 6605).
    Sha384,
}

impl DsDigest {
    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }

    /// The digest of octets.
    pub(super) fn of(self, octets: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
        };
        digest::digest(algorithm, octets)
    }
}
