//! The entries of a master file, and their tokens (RFC 1035 section 5.1).

use crate::model::limits::{Limit, ZONE_ENTRY};

/// One token of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Where it starts in the text.
    pub(super) at: usize,
    /// As it is written, escapes included; of a quoted one what is between the quotes.
    pub(super) text: &'a str,
    /// Whether it is quoted.
    pub(super) is_quoted: bool,
    /// Whether nothing stands between it and the token before.
    pub(super) is_joined: bool,
}

/// One entry: what stands on a line, or on several between parentheses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ZoneEntry<'a> {
    /// Where it starts in the text.
    pub(super) at: usize,
    /// Whether it begins with a blank: its owner is that of the record before.
    pub(super) begins_blank: bool,
    /// Its tokens, at least one.
    pub(super) tokens: Vec<Token<'a>>,
}

/// Why a text has no more entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LexError {
    /// Where.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) message: String,
    /// The limit that is exceeded, if that is why.
    pub(super) limit: Option<&'static Limit>,
}

/// Takes a text apart, entry by entry.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// What is taken so far.
    at: usize,
}

/// What comes next in a text.
enum Piece<'a> {
    Blank,
    LineEnd,
    Open,
    Close,
    Token { text: &'a str, is_quoted: bool },
    End,
}

impl<'a> Lexer<'a> {
    /// A text from its start. A byte order mark is passed over.
    pub(super) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { text, at }
    }

    /// The next entry; `None` at the end of the text. Lines without a token are passed over.
    pub(super) fn next_entry(&mut self) -> Result<Option<ZoneEntry<'a>>, LexError> {
        let mut start = self.at;
        let mut begins_blank = false;
        let mut tokens: Vec<Token<'a>> = Vec::new();
        let mut opened: Option<usize> = None;
        let mut was_token = false;
        loop {
            let at = self.at;
            let piece = self.piece()?;
            let is_token = matches!(piece, Piece::Token { .. });
            match piece {
                Piece::Blank => begins_blank |= at == start && tokens.is_empty(),
                Piece::LineEnd if opened.is_some() => {}
                Piece::LineEnd if tokens.is_empty() => {
                    start = self.at;
                    begins_blank = false;
                }
                Piece::End if opened.is_some() => {
                    let at = opened.unwrap_or(at);
                    return Err(error(at, "a parenthesis that is not closed"));
                }
                Piece::End if tokens.is_empty() => return Ok(None),
                Piece::LineEnd | Piece::End => {
                    return Ok(Some(ZoneEntry {
                        at: start,
                        begins_blank,
                        tokens,
                    }));
                }
                Piece::Open if opened.is_some() => {
                    return Err(error(at, "a parenthesis inside parentheses"));
                }
                Piece::Open => opened = Some(at),
                Piece::Close if opened.is_none() => {
                    return Err(error(at, "a parenthesis that was not opened"));
                }
                Piece::Close => opened = None,
                Piece::Token { text, is_quoted } => tokens.push(Token {
                    at,
                    text,
                    is_quoted,
                    is_joined: was_token,
                }),
            }
            if ZONE_ENTRY.is_exceeded_by((self.at - start) as u64) {
                let message = format!("an entry of over {} octets", ZONE_ENTRY.most);
                return Err(LexError {
                    at: start,
                    message,
                    limit: Some(&ZONE_ENTRY),
                });
            }
            was_token = is_token;
        }
    }

    /// Takes what comes next.
    fn piece(&mut self) -> Result<Piece<'a>, LexError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(first) = rest.bytes().next() else {
            return Ok(Piece::End);
        };
        let piece = match first {
            b'\n' => (Piece::LineEnd, 1),
            b'\r' if rest.as_bytes().get(1) == Some(&b'\n') => (Piece::LineEnd, 2),
            b' ' | b'\t' | b'\r' => {
                let blanks = rest.bytes().take_while(|octet| b" \t".contains(octet));
                (Piece::Blank, blanks.count().max(1))
            }
            b';' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                (Piece::Blank, end)
            }
            b'(' => (Piece::Open, 1),
            b')' => (Piece::Close, 1),
            b'"' => {
                let inside = rest.get(1..).unwrap_or_default();
                let Some(end) = end_of(inside, b"\"") else {
                    return Err(error(self.at, "a quote that is not closed"));
                };
                let text = inside.get(..end).unwrap_or_default();
                let is_quoted = true;
                (Piece::Token { text, is_quoted }, end + 2)
            }
            _ => {
                let end = end_of(rest, b" \t\r\n;()\"").unwrap_or(rest.len());
                let text = rest.get(..end).unwrap_or_default();
                let is_quoted = false;
                (Piece::Token { text, is_quoted }, end)
            }
        };
        self.at += piece.1;
        Ok(piece.0)
    }
}

/// Where the first of these octets is that no backslash stands before.
fn end_of(text: &str, ends: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|octet| {
        let is_end = !is_escaped && ends.contains(&octet);
        is_escaped = !is_escaped && octet == b'\\';
        is_end
    })
}

fn error(at: usize, message: &str) -> LexError {
    LexError {
        at,
        message: message.to_owned(),
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of each entry; of one that begins with a blank an empty one first.
    fn entries(text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut lexer = Lexer::new(text);
        let mut entries = Vec::new();
        loop {
            match lexer.next_entry() {
                Ok(Some(entry)) => {
                    let blank = entry.begins_blank.then(String::new);
                    let tokens = entry.tokens.iter().map(|token| match token {
                        Token {
                            is_joined: true,
                            text,
                            ..
                        } => format!("+{text}"),
                        Token {
                            is_quoted: true,
                            text,
                            ..
                        } => format!("'{text}'"),
                        Token { text, .. } => (*text).to_owned(),
                    });
                    entries.push(blank.into_iter().chain(tokens).collect());
                }
                Ok(None) => return Ok(entries),
                Err(error) => return Err(format!("{}: {}", error.at, error.message)),
            }
        }
    }

    #[test]
    fn entries_have_tokens_blanks_quotes_and_parentheses() {
        let text =
            "a IN A 192.0.2.1 ; comment \"(\n\n ; only\n\tTXT \"b \\\" ; c\" d\\;e\r\n(\n x\n) y";
        let expected = vec![
            vec!["a", "IN", "A", "192.0.2.1"],
            vec!["", "TXT", "'b \\\" ; c'", "d\\;e"],
            vec!["x", "y"],
        ];
        assert_eq!(entries(text).unwrap(), expected);
    }

    #[test]
    fn a_value_in_quotes_joins_its_key() {
        let expected = vec![vec!["alpn=", "+h2,h3", "port=1"]];
        assert_eq!(entries("alpn=\"h2,h3\" port=1").unwrap(), expected);
    }

    #[test]
    fn what_is_not_closed_is_told_at_its_place() {
        assert_eq!(
            entries("a (\nb").unwrap_err(),
            "2: a parenthesis that is not closed"
        );
        assert_eq!(
            entries("a )").unwrap_err(),
            "2: a parenthesis that was not opened"
        );
        assert_eq!(
            entries("((").unwrap_err(),
            "1: a parenthesis inside parentheses"
        );
        assert_eq!(
            entries("a \"b").unwrap_err(),
            "2: a quote that is not closed"
        );
    }

    #[test]
    fn an_entry_is_bounded() {
        let text = format!("(\n{}", " a\n".repeat(ZONE_ENTRY.length()));
        let mut lexer = Lexer::new(&text);
        assert_eq!(lexer.next_entry().unwrap_err().limit, Some(&ZONE_ENTRY));
    }
}
