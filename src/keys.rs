//! The DNSSEC keys of zones: files, and what each key is by them and the clock.
//!
//! Nothing is agreed on between servers: those that have the same files do the same at the same time.
//! Nothing that needs the parent happens by time alone.
//!
//! ```text
//! key files ──▶ KeyFolder ──▶ KeyLife ──(clock)──▶ ZonePlaces ──▶ ZoneKeys
//!                  ▲                └─(parent)──▶ KeyEdit ─┐
//!                  └───────────────────────────────────────┘
//! ```

mod error;
mod folder;
mod formats;
mod plan;
mod state;
mod store;
mod zone;

pub use error::KeysError;
pub use folder::{StoredKey, StoredKeys, fingerprint};
pub use formats::{bind_pair, import, only_one, pem_file};
pub use plan::{DsEvidence, KeyEdit, NotNow, TendedZone, plan, succession};
pub use state::{KeyDelays, KeyLife, KeyPlace, KeyState, LARGEST_TTL, ZonePlaces, next_change};
pub use store::{KeysLock, is_writable, write_private};
pub use zone::{KeysByZone, PlacedKeys};

#[cfg(test)]
mod tests {
    mod caches;
    mod files;
    mod states;
}
