//! The grammar of federated names (docs/names.md, D.2 to D.4): labels, and what each label of a
//! name means.

mod grammar;
mod label;

pub use grammar::{Below, Form, Prefix, split, split_clusterset, split_local};
pub use label::{Label, LabelError};
