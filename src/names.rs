//! The grammar of federated names (design: names D.2 to D.4): labels, keys, scopes, parse and print.

mod label;

pub use label::{Label, LabelError};
