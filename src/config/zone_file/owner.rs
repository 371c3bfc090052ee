//! Domain names as master files write them: relative to an origin, with escapes (RFC 1035 section 5.1).

use domain::base::name::{Name, UncertainName};

use super::lexer::Token;

/// A name in wire form, root included.
pub(super) type WireName = Name<Vec<u8>>;

/// Reads a name, in lower case: relative ones end in `origin`, `@` is `origin`. `None` for what is no name.
pub(super) fn read(token: &Token<'_>, origin: &WireName) -> Option<WireName> {
    if token.text == "@" && !token.is_quoted {
        return Some(origin.clone());
    }
    if token.text.is_empty() {
        return None;
    }
    let name = UncertainName::<Vec<u8>>::from_chars(token.text.chars()).ok()?;
    let mut octets = match name {
        UncertainName::Absolute(name) => name.into_octets(),
        UncertainName::Relative(name) => {
            let mut octets = name.into_octets();
            octets.extend_from_slice(origin.as_octets());
            octets
        }
    };
    // Length octets are below `A`.
    octets.make_ascii_lowercase();
    Name::from_octets(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str, origin: &str) -> Option<String> {
        let origin: WireName = origin.parse().unwrap();
        let token = Token {
            at: 0,
            text,
            is_quoted: false,
            is_joined: false,
        };
        read(&token, &origin).map(|name| name.to_string())
    }

    #[test]
    fn names_are_relative_to_the_origin_unless_they_end_in_a_dot() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(name(text, "example.com.").as_deref(), expected, "{text}");
        };
        check("WWW", Some("www.example.com"));
        check("www.example.com.", Some("www.example.com"));
        check("@", Some("example.com"));
        check("*", Some("*.example.com"));
        check("a\\.b", Some("a\\.b.example.com"));
        check("\\065", Some("a.example.com"));
        check("a..b", None);
        check("", None);
        check(&"a".repeat(64), None);
        check(&["a".repeat(60).as_str(); 5].join("."), None);
    }
}
