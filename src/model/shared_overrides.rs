//! What is heard of the overrides that all replicas share: a `ConfigMap` in the host cluster.

use super::{Overrides, UnixSeconds};
use crate::names::Label;

/// The key of a `ConfigMap` under which overrides are, in the form of the file in `state-dir`.
pub const OVERRIDES_KEY: &str = "overrides.json";

/// What is heard of the `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverridesNews {
    /// Which one: `NAMESPACE/NAME`.
    pub object: String,
    /// What.
    pub said: OverridesSaid,
}

/// What is heard of the `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverridesSaid {
    /// It is so now. `None`: there is none, which takes nothing back.
    Seen(Option<SharedText>),
    /// The host cannot be asked any more, and why: what was last seen stays.
    Lost(String),
}

/// What a `ConfigMap` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedText {
    /// Its `metadata.resourceVersion`.
    pub version: String,
    /// What is under [`OVERRIDES_KEY`], if there is such a key.
    pub text: Option<String>,
}

/// What a `ConfigMap` with overrides means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedOverrides {
    /// Drains, cordons and the freeze.
    pub overrides: Overrides,
    /// What was confirmed of late.
    pub confirmations: Vec<ConfirmedRemoval>,
}

/// An operator's word that removals are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfirmedRemoval {
    /// Of which member; `None`: that members are gone.
    pub member: Option<Label>,
    /// When it was given.
    pub at: UnixSeconds,
}
