//! Divides the text of a facts file at its headers, without parsing what is between them.
//!
//! A piece is TOML by itself: a `[[service]]` with the tables inside it, another table, or what
//! stands before the first header. Whatever the text is, the pieces are all of it, in order.

use toml_parser::Source;
use toml_parser::lexer::{Lexer, TokenKind};

/// What a piece of a facts file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// What stands before the first header.
    Root,
    /// One `[[service]]`.
    Service,
    /// `[end]`.
    End,
    /// Any other table.
    Other,
}

/// A piece of a facts file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// What it is.
    pub(super) kind: PieceKind,
    /// Where it starts in the file, in octets.
    pub(super) at: usize,
    /// Its text.
    pub(super) text: &'a str,
}

/// What a line that starts with `[` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// A piece of its own.
    Piece(PieceKind),
    /// A table inside the service before it.
    Inside,
}

/// The pieces of a text.
pub(super) struct Pieces<'a> {
    /// The text.
    text: &'a str,
    /// Its tokens from the next on.
    tokens: Lexer<'a>,
    /// The piece that the next token belongs to, and where it starts; `None` after the end.
    next: Option<(PieceKind, usize)>,
    /// Brackets and braces that are open.
    depth: usize,
    /// Nothing but white space has come since the last end of a line.
    is_line_start: bool,
}

/// Divides a text.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces {
        text,
        tokens: Source::new(text).lex(),
        next: Some((PieceKind::Root, 0)),
        depth: 0,
        is_line_start: true,
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let (kind, at) = self.next.take()?;
        let mut end = self.text.len();
        while let Some(token) = self.tokens.next() {
            let starts_line = self.is_line_start;
            self.is_line_start = match token.kind() {
                TokenKind::Newline => true,
                TokenKind::Whitespace => starts_line,
                _ => false,
            };
            match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                    let start = token.span().start();
                    let found = starts_line.then(|| self.header(start)).flatten();
                    if let Some(Header::Piece(next)) = found {
                        self.depth = 1;
                        self.next = Some((next, start));
                        end = start;
                        break;
                    }
                    self.depth += 1;
                }
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    self.depth = self.depth.saturating_sub(1);
                }
                _ => {}
            }
        }
        let text = self.text.get(at..end).unwrap_or_default();
        Some(Piece { kind, at, text })
    }
}

impl Pieces<'_> {
    /// The header that starts here, if this is one. A bracket inside a value is none; but a line
    /// that is `[[service]]` can be nothing else, so a list that was left open ends there.
    fn header(&self, at: usize) -> Option<Header> {
        // A brace begins no header.
        let inner = self.text.get(at..)?.strip_prefix('[')?;
        let (is_array, inner) = match inner.strip_prefix('[') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        let inner = after_blanks(inner);
        let bare = inner.strip_prefix("service");
        if self.depth > 0 {
            let rest = bare.filter(|_| is_array)?.strip_prefix("]]")?;
            return ends_line(rest).then_some(Header::Piece(PieceKind::Service));
        }
        let quoted = || {
            let double = inner.strip_prefix("\"service\"");
            double.or_else(|| inner.strip_prefix("'service'"))
        };
        let end = || inner.strip_prefix("end").map(after_blanks);
        Some(match bare.or_else(quoted).map(after_blanks) {
            Some(rest) if is_array && rest.starts_with(']') => Header::Piece(PieceKind::Service),
            Some(rest) if rest.starts_with('.') => Header::Inside,
            _ if !is_array && end().is_some_and(|rest| rest.starts_with(']')) => {
                Header::Piece(PieceKind::End)
            }
            _ => Header::Piece(PieceKind::Other),
        })
    }
}

/// What follows blanks.
fn after_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Whether nothing but blanks and a comment comes before the end of the line.
fn ends_line(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    rest.is_empty() || rest.starts_with(['\n', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds and texts of the pieces; they are all of the text.
    fn divided(text: &str) -> Vec<(PieceKind, &str)> {
        let all: Vec<_> = pieces(text).collect();
        let whole: String = all.iter().map(|piece| piece.text).collect();
        assert_eq!(whole, text);
        let mut at = 0;
        for piece in &all {
            assert_eq!(piece.at, at);
            at += piece.text.len();
        }
        let parts = all.iter().map(|piece| (piece.kind, piece.text));
        parts.filter(|(_, text)| !text.is_empty()).collect()
    }

    #[test]
    fn headers_divide_and_what_looks_like_one_in_a_value_does_not() {
        use PieceKind::{End, Other, Root, Service};
        assert_eq!(divided(""), []);
        assert_eq!(
            divided(
                "# c\n[[service]]\na=1\n [[service.ports]]\n[service.probe]\n\
                 [[ \"service\" ]] # x\n[end]\nb=1"
            ),
            [
                (Root, "# c\n"),
                (
                    Service,
                    "[[service]]\na=1\n [[service.ports]]\n[service.probe]\n"
                ),
                (Service, "[[ \"service\" ]] # x\n"),
                (End, "[end]\nb=1"),
            ]
        );
        let values = r#"[[service]]
a = [
[1],
[["service"]],
]
b = '''
[[service]]
'''
c = """
[end]\""""
"""
"#;
        let first = "[[service]]\na = [\n[1],\n[[\"service\"]],\n]\nb = '''\n[[service]]\n'''\n";
        assert!(divided(values).first().unwrap().1.starts_with(first));
        assert_eq!(
            divided("[ends]\n[service]\n[[servicex]]\n"),
            [
                (Other, "[ends]\n"),
                (Other, "[service]\n"),
                (Other, "[[servicex]]\n"),
            ]
        );
    }

    #[test]
    fn a_list_that_was_left_open_ends_at_the_next_service() {
        use PieceKind::Service;
        assert_eq!(
            divided("[[service]]\na = [\n[[service]]\r\nb = {\n[[service]]\n"),
            [
                (Service, "[[service]]\na = [\n"),
                (Service, "[[service]]\r\nb = {\n"),
                (Service, "[[service]]\n"),
            ]
        );
    }
}
