//! Labels that were decoded before and repeat, and what may be wrong with a payload.

use std::collections::HashMap;

use crate::names::{Label, LabelError};
use crate::wire::NameError;

/// Why a payload is no fact: the file is damaged, or of a version that lied about itself.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum PayloadError {
    /// It cannot be decoded.
    #[error(transparent)]
    Postcard(#[from] postcard::Error),
    /// It names something that is no label.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// It names something that is no domain name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Namespaces, members, regions and names of ports that were decoded before.
#[derive(Debug, Default)]
pub(super) struct Labels(HashMap<Box<str>, Label, foldhash::fast::RandomState>);

impl Labels {
    /// A label, shared with the same one decoded before.
    pub(super) fn label(&mut self, text: &str) -> Result<Label, LabelError> {
        if let Some(label) = self.0.get(text) {
            return Ok(label.clone());
        }
        let label: Label = text.parse()?;
        self.0.insert(text.into(), label.clone());
        Ok(label)
    }

    /// Labels, shared.
    pub(super) fn labels<T: FromIterator<Label>>(
        &mut self,
        texts: &[&str],
    ) -> Result<T, LabelError> {
        texts.iter().map(|text| self.label(text)).collect()
    }
}

/// The texts of labels.
pub(super) fn texts<'a>(labels: impl IntoIterator<Item = &'a Label>) -> Vec<&'a str> {
    labels.into_iter().map(Label::as_str).collect()
}
