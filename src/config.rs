//! The configuration and the facts files: parsing, validation with places, and conversion to `model`.
//!
//! A file is taken whole or refused whole, with every problem it has (docs/configuration.md).
//! Nothing here contacts anything: the files that a configuration names are read by those who need
//! them.
//!
//! ```text
//! text ──toml──▶ Section (spans) ──▶ drafts with places ──cross-checks──▶ Config | Vec<Problem>
//! ```

mod alias;
mod apex_lines;
mod apexes;
mod check;
mod countries;
mod dnssec;
pub mod facts;
mod federation;
mod file;
mod fragments;
mod geography;
mod key_file;
mod listen;
mod load;
mod member;
mod member_object;
mod membership;
mod objects;
mod parse;
mod probe;
mod problem;
mod rate_limit;
pub mod read;
mod section;
mod settings;
mod state_dir;
mod topology;
mod trees;
mod unheld;
mod url;
mod values;
pub mod whole_file;
mod zone_file;
mod zone_records;

pub use apex_lines::problem_of_zone;
pub use file::{Composition, compose, parse};
pub use fragments::{
    Fragment, FragmentListing, RefusedFragment, fragment_files, fragment_name, list, read_fragment,
};
pub use key_file::{DsSeen, KeyFile, KeyTimes, parse_key, pem, pkcs8_of_pem, rfc_3339};
pub use load::{Loaded, load, load_all};
pub use member_object::{MemberObject, ObjectMember};
pub use probe::probe_text;
pub use problem::Problem;
pub use settings::{
    AccessProvider, Account, ClientRules, Config, DnsListener, DnssecSettings, HostCluster, Listen,
    MemberSource, Membership, ProfileOrigin, Rollover, SecretOrigin, Source, ZoneSettings,
    ZoneSigning, file_origin,
};
pub use state_dir::default_state_dir;
pub use unheld::Unheld;
pub use url::UrlSource;
pub use values::{percent, policy, srv, ttl, when_all_down};
pub use zone_file::{read_zone, zone_text};
pub use zone_records::{ServedApexes, read_statics, with_statics, zone_records};

#[cfg(test)]
mod tests {
    mod bad;
    mod bad_places;
    mod clients;
    mod dnssec;
    mod facts;
    mod good;
    mod membership;
    mod property;
    pub(super) mod schema;
}
