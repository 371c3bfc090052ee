//! How a string that somebody else wrote is shown: in text, tables, JSON, logs and EDE alike.

use std::error::Error;
use std::fmt::{self, Write};

use super::limits::MEMBER_STRING;

/// Shows a string of a stranger: control characters and those that change the direction of text
/// are escaped, and what is beyond [`MEMBER_STRING`] octets is cut, which `…` says.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, is_cut) = cut(self.0);
        for character in kept.chars() {
            if is_misleading(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        if is_cut { f.write_char('…') } else { Ok(()) }
    }
}

/// The beginning of a stranger's string that is kept in memory, cut at [`MEMBER_STRING`] octets
/// with a `…` behind it. Not escaped: [`Shown`] does that where it is shown.
pub fn kept(text: &str) -> String {
    match cut(text) {
        (whole, false) => whole.to_owned(),
        (start, true) => format!("{start}…"),
    }
}

/// An error with its causes, each said once, as [`kept`]: the outer ones of HTTP clients say little.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    kept(&text)
}

/// The beginning that fits, whole characters only, and whether something is missing. Text that
/// [`kept`] has cut stays as it is.
fn cut(text: &str) -> (&str, bool) {
    let most = MEMBER_STRING.length();
    let body = text.strip_suffix('…').unwrap_or(text);
    if text.len() <= most || body.len() <= most {
        return (text, false);
    }
    let fits = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=most).rev().find(fits).unwrap_or_default();
    (text.get(..end).unwrap_or_default(), true)
}

/// Whether a character could make a terminal, a table or a reader see something else than is
/// there: controls, line and paragraph separators, and the marks, embeddings, overrides and
/// isolates of bidirectional text (Unicode Standard Annex #9, 2).
fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_mislead_is_escaped() {
        let shown = Shown("v1\u{1b}[31mRED\nFAKE\u{202e}é").to_string();
        assert_eq!(shown, "v1\\u{1b}[31mRED\\nFAKE\\u{202e}é");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_once() {
        let long = "é".repeat(MEMBER_STRING.length());
        let once = kept(&long);
        assert_eq!(once, format!("{}…", "é".repeat(MEMBER_STRING.length() / 2)));
        assert_eq!(kept(&once), once);
        assert_eq!(Shown(&long).to_string(), once);
        assert_eq!(kept("short"), "short");
    }
}
