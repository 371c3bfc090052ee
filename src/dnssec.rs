//! DNSSEC (RFC 4034, 4035, 9824) without clock or I/O: keys are given to it, and `now` is an argument.
//!
//! ```text
//! PKCS#8 ─▶ SigningKey ─▶ DnsKey ─┬─▶ key tag, DS, CDS
//!               └─ KeyRoles ──────┴─▶ ZoneKeys ─▶ (snapshot) ─▶ (answer)
//!
//! SignatureSet, an RRset in canonical form ─┬─▶ fingerprint ─▶ SignatureTable, without a lock
//!                                           └─▶ octets to sign, in the slot of SignatureTimes
//!
//! TypeSet, NextName: what an NSEC record says
//! ```

mod algorithm;
mod dnskey;
mod key_roles;
mod made_signatures;
mod making;
mod next_name;
mod signature_set;
mod signature_table;
mod signature_times;
mod signing_key;
mod type_set;
mod zone_keys;

pub use algorithm::{Algorithm, DsDigest, SIGNATURE, UnknownAlgorithm};
pub use dnskey::DnsKey;
pub use key_roles::{KeyRole, KeyRoles};
pub use made_signatures::{MadeSignatures, SigningLimits};
pub use making::FailingKey;
pub use next_name::NextName;
pub use signature_set::{
    Fingerprint, Fingerprinting, Fingerprints, MOST_RECORDS, SignatureBy, SignatureSet,
};
pub use signature_table::{FoundSignature, Lane, ROW, SignatureTable};
pub use signature_times::{SignatureSlot, SignatureTimes};
pub use signing_key::{KeyError, SigningKey};
pub use type_set::TypeSet;
pub use zone_keys::{ZoneKey, ZoneKeys};
