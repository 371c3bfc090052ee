//! The one table of signatures of the process, and how many are made for it.

use std::sync::OnceLock;

use super::signature_table::SignatureTable;

/// How signatures are made and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningLimits {
    /// Signatures kept for names that exist, 96 octets each; a quarter as many are kept for others.
    pub cache: usize,
    /// Threads that sign; at least 1.
    pub signers: usize,
    /// Queries for names that do not exist that each of them answers in a second.
    pub absent_signatures: u32,
}

impl SigningLimits {
    /// The defaults of a machine with so many cores.
    pub fn of_cores(cores: usize) -> Self {
        Self {
            cache: 65_536,
            signers: (cores / 4).max(1),
            absent_signatures: 10_000,
        }
    }
}

/// The signatures that were made. There is no table until an apex is signed.
#[derive(Debug)]
pub struct MadeSignatures {
    table: OnceLock<SignatureTable>,
    limits: SigningLimits,
    key: [u8; 16],
}

impl MadeSignatures {
    /// None yet. `key` is random.
    pub fn new(limits: SigningLimits, key: [u8; 16]) -> Self {
        Self {
            table: OnceLock::new(),
            limits,
            key,
        }
    }

    /// How they are made and kept.
    pub fn limits(&self) -> &SigningLimits {
        &self.limits
    }

    /// The table; made at the first call.
    #[inline]
    pub fn table(&self) -> &SignatureTable {
        self.table
            .get_or_init(|| SignatureTable::new(self.limits.cache, &self.key))
    }

    /// The table, if it was needed yet.
    pub fn if_made(&self) -> Option<&SignatureTable> {
        self.table.get()
    }
}
