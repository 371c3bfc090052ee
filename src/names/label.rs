//! One label of a federated name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing is left: give a value.
    #[error("must not be empty")]
    Empty,
    /// Over 63 octets (RFC 1035 section 2.3.4): shorten it.
    #[error("longer than 63 octets")]
    Long,
    /// Something else than letters, digits and inner hyphens (RFC 1123): correct it.
    #[error("invalid DNS label (letters, digits, and hyphens inside)")]
    Characters,
    /// `svc` marks the place of a service in a name (docs/names.md, D.2): choose another.
    #[error("\"svc\" is reserved")]
    Reserved,
}

/// An RFC 1123 label in lower case, at most 63 octets. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Arc<str>);

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A region or zone value as it is published: lower case, every other octet a hyphen
    /// (docs/names.md, D.4); `svc`, empty and overlong values are errors.
    pub fn from_topology(value: &str) -> Result<Self, LabelError> {
        let normal: String = value
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let label: Self = normal.trim_matches('-').parse()?;
        if label.as_str() == "svc" {
            Err(LabelError::Reserved)
        } else {
            Ok(label)
        }
    }
}

impl FromStr for Label {
    type Err = LabelError;

    /// Reads a label in either case.
    fn from_str(text: &str) -> Result<Self, LabelError> {
        if text.is_empty() {
            return Err(LabelError::Empty);
        }
        if text.len() > 63 {
            return Err(LabelError::Long);
        }
        let plain = text
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        if !plain || text.starts_with('-') || text.ends_with('-') {
            return Err(LabelError::Characters);
        }
        Ok(Self(
            if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
                text.to_ascii_lowercase().into()
            } else {
                text.into()
            },
        ))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_checked_and_lower_cased() {
        assert_eq!(
            "My-Service".parse::<Label>().unwrap().as_str(),
            "my-service"
        );
        let check = |text: &str, error| assert_eq!(text.parse::<Label>(), Err(error), "{text}");
        check("", LabelError::Empty);
        check("-a", LabelError::Characters);
        check("a_b", LabelError::Characters);
        check(&"a".repeat(64), LabelError::Long);
    }

    #[test]
    fn topology_values_are_normalised() {
        let check = |value: &str, label: Result<&str, LabelError>| {
            let got = Label::from_topology(value);
            assert_eq!(
                got.as_ref().map(Label::as_str).map_err(|e| *e),
                label,
                "{value}"
            );
        };
        check("DC1.Room_2", Ok("dc1-room-2"));
        check("svc", Err(LabelError::Reserved));
        check("__", Err(LabelError::Empty));
    }
}
