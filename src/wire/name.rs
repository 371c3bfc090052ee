//! Domain names in uncompressed wire form, lower case.

use std::fmt;
use std::str::FromStr;

use super::labels::{NameText, labels, suffixes};

/// The longest name in wire form, root label included (RFC 1035 section 2.3.4).
pub const MAX_NAME: usize = 255;

/// The longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// Why a text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or a dot at the start: correct the text.
    #[error("empty label")]
    EmptyLabel,
    /// A label is over 63 octets: shorten it.
    #[error("label longer than 63 octets")]
    LongLabel,
    /// The name is over 255 octets: shorten it.
    #[error("name longer than 255 octets")]
    LongName,
    /// An octet that no name here may have: letters, digits, `-`, `_` and `*` are allowed.
    #[error("character {0:?} is not allowed in a name")]
    Character(char),
}

/// An owned domain name: lower case, uncompressed wire form, root label included.
///
/// Equality and hash are those of the octets, so they ignore the case of the text it came from
/// (RFC 4343).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameBuf(Box<[u8]>);

impl NameBuf {
    /// The root.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// The name made of `labels`, leftmost first. Labels are lower-cased.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Result<Self, NameError> {
        let mut octets = Vec::with_capacity(64);
        for label in labels {
            push_label(&mut octets, label)?;
        }
        octets.push(0);
        if octets.len() > MAX_NAME {
            return Err(NameError::LongName);
        }
        Ok(Self(octets.into()))
    }

    /// The octets, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The octets without the root label: what stands at the end of a longer name.
    pub fn without_root(&self) -> &[u8] {
        self.0.split_last().map_or(&[], |(_, labels)| labels)
    }

    /// The labels as text, leftmost first, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        labels(&self.0).map_while(|label| std::str::from_utf8(label).ok())
    }

    /// Whether this name is `apex` or lies below it.
    pub fn is_within(&self, apex: &NameBuf) -> bool {
        let mut above = suffixes(&self.0);
        above.find(|name| name.len() <= apex.0.len()) == Some(&apex.0)
    }
}

fn push_label(octets: &mut Vec<u8>, label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if let Some(bad) = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-_*".contains(*c))
    {
        return Err(NameError::Character(bad));
    }
    let length = u8::try_from(label.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX_LABEL);
    octets.push(length.ok_or(NameError::LongLabel)?);
    octets.extend(label.bytes().map(|octet| octet.to_ascii_lowercase()));
    Ok(())
}

impl FromStr for NameBuf {
    type Err = NameError;

    /// Reads `a.b.c` or `a.b.c.`; `.` is the root. There are no escapes.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::root());
        }
        Self::from_labels(text.split('.'))
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        write!(f, "{}.", NameText(&self.0))
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_lower_case_wire_form() {
        let name: NameBuf = "Example.COM".parse().unwrap();
        assert_eq!(name.as_wire(), b"\x07example\x03com\0");
        assert_eq!(name.to_string(), "example.com.");
        assert_eq!(name, "example.com.".parse().unwrap());
    }

    #[test]
    fn bad_names_say_why() {
        let check = |text: &str, error| assert_eq!(text.parse::<NameBuf>(), Err(error), "{text}");
        check("a..b", NameError::EmptyLabel);
        check(&"a".repeat(64), NameError::LongLabel);
        check(&["a".repeat(63).as_str(); 4].join("."), NameError::LongName);
        check("a b.c", NameError::Character(' '));
    }

    #[test]
    fn within_compares_whole_labels() {
        let within = |name: &str, apex: &str| {
            name.parse::<NameBuf>()
                .unwrap()
                .is_within(&apex.parse().unwrap())
        };
        assert!(within("a.example.com", "example.com"));
        assert!(within("example.com", "example.com"));
        assert!(within("example.com", "."));
        assert!(!within("badexample.com", "example.com"));
        assert!(!within("com", "example.com"));
    }
}
