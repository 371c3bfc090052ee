//! The labels of a name in wire form, one after the other: the place where such names are walked and shown.

use std::fmt::{self, Write};

/// The first label of a name in wire form, without its length octet, and what follows it. `None` where the name
/// ends, be it with a root or without one, and for what is no whole label.
#[inline]
pub fn split_label(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = name.split_first()?;
    if *length == 0 {
        return None;
    }
    rest.split_at_checked(usize::from(*length))
}

/// The name above a name in wire form: without its first label.
#[inline]
pub fn parent(name: &[u8]) -> Option<&[u8]> {
    split_label(name).map(|(_, rest)| rest)
}

/// A name in wire form and the names above it, the longest first. The last one is the root, or nothing where
/// the name has none.
#[inline]
pub fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name))
}

/// The labels of a name in wire form, without their length octets, leftmost first, without the root.
#[inline]
pub fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    suffixes(name).map_while(|name| Some(split_label(name)?.0))
}

/// Shows a name in wire form, or labels of one, with escapes (RFC 1035 section 5.1) and without the last dot;
/// the root is a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameText<'a>(pub &'a [u8]);

impl fmt::Display for NameText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        for label in labels(self.0) {
            if !std::mem::take(&mut is_first) {
                f.write_char('.')?;
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => f.write_char(char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        if is_first {
            f.write_char('.')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_walked_with_and_without_a_root() {
        let whole = b"\x01a\x02bc\0".as_slice();
        assert_eq!(split_label(whole), Some((&b"a"[..], &b"\x02bc\0"[..])));
        assert_eq!(parent(b"\x02bc\0"), Some(&b"\0"[..]));
        assert_eq!(parent(b"\x02bc"), Some(&b""[..]));
        for end in [&b"\0"[..], b"", b"\x03ab"] {
            assert_eq!(parent(end), None, "{end:?}");
        }
        let walked: Vec<_> = suffixes(whole).collect();
        assert_eq!(walked, [whole, b"\x02bc\0", b"\0"]);
        let walked: Vec<_> = suffixes(b"\x01a").collect();
        assert_eq!(walked, [&b"\x01a"[..], b""]);
        let walked: Vec<_> = labels(whole).collect();
        assert_eq!(walked, [&b"a"[..], b"bc"]);
    }

    #[test]
    fn names_are_shown_with_escapes() {
        let check = |wire: &[u8], text: &str| assert_eq!(NameText(wire).to_string(), text);
        check(b"\x01a\x02bc\0", "a.bc");
        check(b"\x01a\x02bc", "a.bc");
        check(b"\x03a.b\x02\\ \0", "a\\.b.\\\\\\032");
        check(b"\0", ".");
        check(b"", ".");
    }
}
