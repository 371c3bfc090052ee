//! The configuration and the facts files: parsing, validation with places, and conversion to `model`.
//!
//! A file is taken whole or refused whole, with every problem it has (design: config).

mod settings;

pub use settings::{Config, DnsListener, Listen, MemberSource, Source};
