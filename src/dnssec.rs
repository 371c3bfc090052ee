//! DNSSEC (RFC 4034, 4035, 9824) without clock or I/O: keys are given to it, and `now` is an argument.
//!
//! ```text
//! PKCS#8 ─▶ SigningKey ─▶ DnsKey ─┬─▶ key tag, DS, CDS
//!               └─ KeyRoles ──────┴─▶ ZoneKeys ─▶ (snapshot) ─▶ (answer)
//! ```

mod algorithm;
mod dnskey;
mod key_roles;
mod signing_key;
mod zone_keys;

pub use algorithm::{Algorithm, DsDigest, UnknownAlgorithm};
pub use dnskey::DnsKey;
pub use key_roles::{KeyRole, KeyRoles};
pub use signing_key::{KeyError, SigningKey};
pub use zone_keys::{ZoneKey, ZoneKeys};
