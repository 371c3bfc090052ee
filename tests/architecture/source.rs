//! Reads Rust source just well enough for the rules: comments and literals blanked, paths expanded.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

/// One Rust file of the package.
pub(crate) struct Source {
    /// Its path from the root of the package, with `/`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// The same, comments and literals replaced by blanks, lines kept.
    pub(crate) code: String,
    /// Every path in the code, once somebody has asked: many rules do.
    paths: OnceCell<Vec<(usize, String)>>,
}

/// Every Rust file below a folder of the package, sorted by path; none if there is no such folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                let name = path.strip_prefix(root).expect("it lies in the package");
                found.push(Source::new(
                    &name.to_string_lossy().replace('\\', "/"),
                    &text,
                ));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    /// The file at `path` with this `text`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: blank(text),
            paths: OnceCell::new(),
        }
    }

    /// The room it belongs to; `lib.rs` and `main.rs` belong to none.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?.trim_end_matches(".rs");
        (room != "lib" && room != "main").then_some(room)
    }

    /// Whether it is `src/<room>.rs`.
    pub(crate) fn is_room_root(&self) -> bool {
        self.room().is_some() && self.path.matches('/').count() == 1
    }

    /// Whether it holds tests alone.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The types that other files may name, each with its line.
    pub(crate) fn visible_types(&self) -> Vec<(usize, String)> {
        let items = self.items().into_iter();
        let types = items.filter_map(|(line, item)| {
            let rest = item.strip_prefix("pub")?;
            let rest = match rest.strip_prefix('(') {
                Some(within) => within.split_once(')')?.1,
                None => rest,
            };
            let mut words = rest
                .split(|c: char| !is_word(c))
                .filter(|word| !word.is_empty());
            let kind = words.next()?;
            let is_type = ["struct", "enum", "union", "trait", "type"].contains(&kind);
            let name = words.next().filter(|_| is_type)?;
            Some((line, name.to_owned()))
        });
        types.collect()
    }

    /// The first segment after every `crate::`, with its line.
    pub(crate) fn crate_paths(&self) -> Vec<(usize, String)> {
        self.paths()
            .iter()
            .filter_map(|(line, path)| {
                let mut segments = path.split("::");
                (segments.next() == Some("crate"))
                    .then(|| segments.next().map(|room| (*line, room.to_owned())))?
            })
            .collect()
    }

    /// The lines where a path begins with `prefix`, whole segments only.
    pub(crate) fn mentions(&self, prefix: &str) -> Vec<usize> {
        self.paths()
            .iter()
            .filter(|(_, path)| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                    && (path.contains("::") || self.imports(path))
            })
            .map(|(line, _)| *line)
            .collect()
    }

    /// Whether a lone identifier is imported whole (`use x;`), and so is a crate.
    fn imports(&self, name: &str) -> bool {
        self.code.contains(&format!("use {name};")) || self.code.contains(&format!("use {name} as"))
    }

    /// The lines where `word` stands alone.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        let mut lines = Vec::new();
        for (index, line) in self.code.lines().enumerate() {
            if line.split(|c: char| !is_word(c)).any(|found| found == word) {
                lines.push(index + 1);
            }
        }
        lines
    }

    /// Every path in the code, groups expanded, with the line of its last segment.
    fn paths(&self) -> &[(usize, String)] {
        self.paths.get_or_init(|| {
            let tokens = self.tokens();
            let mut paths = Vec::new();
            let mut at = 0;
            while at < tokens.len() {
                at = read_path(&tokens, at, "", &mut paths);
            }
            paths
        })
    }

    /// Every path in the code, groups expanded.
    pub(crate) fn all_paths(&self) -> Vec<String> {
        self.paths().iter().map(|(_, path)| path.clone()).collect()
    }

    /// Identifiers, `::`, and single other characters, each with its line.
    fn tokens(&self) -> Vec<(usize, &str)> {
        let mut tokens = Vec::new();
        for (index, mut rest) in self.code.lines().enumerate() {
            while let Some(first) = rest.chars().next() {
                let length = if is_word(first) {
                    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
                } else if rest.starts_with("::") {
                    2
                } else {
                    first.len_utf8()
                };
                let (token, tail) = rest.split_at(length);
                if !token.trim().is_empty() {
                    tokens.push((index + 1, token));
                }
                rest = tail;
            }
        }
        tokens
    }

    /// The items at the top level, attributes left out, each on one line with the line it begins on.
    pub(crate) fn items(&self) -> Vec<(usize, String)> {
        let (mut items, mut item) = (Vec::new(), String::new());
        let (mut depth, mut begin, mut attribute) = (0usize, 0, false);
        let mut line = 1;
        for c in self.code.chars() {
            match c {
                '#' if item.trim().is_empty() => attribute = true,
                '{' | '[' | '(' => depth += 1,
                '}' | ']' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if c == '\n' {
                line += 1;
            }
            if attribute {
                attribute = !(c == ']' && depth == 0);
                continue;
            }
            if item.is_empty() && c.is_whitespace() {
                continue;
            }
            if item.is_empty() {
                begin = line;
            }
            item.push(c);
            if depth == 0 && (c == ';' || (c == '}' && !item.contains("use "))) {
                let words: Vec<_> = item.split_whitespace().collect();
                items.push((begin, words.join(" ")));
                item.clear();
            }
        }
        items
    }
}

/// Reads one path or one other token from `at`; returns where the next begins.
fn read_path(
    tokens: &[(usize, &str)],
    mut at: usize,
    prefix: &str,
    paths: &mut Vec<(usize, String)>,
) -> usize {
    let Some(&(mut line, first)) = tokens.get(at) else {
        return at;
    };
    at += 1;
    if !first.starts_with(is_word) {
        return at;
    }
    let mut path = format!("{prefix}{first}");
    while tokens.get(at).is_some_and(|(_, token)| *token == "::") {
        let Some(&(next_line, next)) = tokens.get(at + 1) else {
            break;
        };
        at += 2;
        if next == "{" {
            let inner = format!("{path}::");
            while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                at = read_path(tokens, at, &inner, paths);
            }
            return at + 1;
        }
        if !next.starts_with(is_word) {
            break;
        }
        line = next_line;
        path = format!("{path}::{next}");
    }
    paths.push((line, path));
    at
}

/// Whether a character belongs to an identifier.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with comments, strings and character literals replaced by blanks.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_word = out.ends_with(is_word);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_length(rest)
        } else if !after_word && let Some(length) = raw_length(rest) {
            length
        } else if c == '\'' {
            char_length(rest)
        } else {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (gone, tail) = rest.split_at(length);
        out.extend(gone.chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = tail;
    }
    out
}

/// The length of the string literal that `rest` begins with, quotes included.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the raw string literal that `rest` begins with, if it begins with one.
fn raw_length(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = inside.len() - inside.trim_start_matches('#').len();
    let body = inside.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(
        body.find(&end)
            .map_or(rest.len(), |at| start + at + end.len()),
    )
}

/// The length of the character literal that `rest` begins with; 1 for a lifetime.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => rest
            .char_indices()
            .skip(3)
            .find(|(_, c)| *c == '\'')
            .map_or(rest.len(), |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn the_source_reader_sees_what_the_rules_need() {
    let source = Source::new(
        "src/decide/x.rs",
        "//! crate::doc\nuse crate::{\n    names::{Label, Key},\n    model,\n};\n\
         const A: &str = \"crate::text\"; // crate::comment\nfn f() { crate::wire::g('\"') }\n\
         /* crate::block */ fn h() { crate::answer::i(r#\"crate::raw \"# ) }\n",
    );
    assert_eq!(source.room(), Some("decide"));
    assert_eq!(
        source.crate_paths(),
        [
            (3, "names".to_owned()),
            (3, "names".to_owned()),
            (4, "model".to_owned()),
            (7, "wire".to_owned()),
            (8, "answer".to_owned())
        ]
    );
    let root = Source::new(
        "src/decide.rs",
        "//! Doc.\n#[cfg(test)]\nmod tests;\npub use a::{B, C};\npub struct D { e: u8 }\n",
    );
    assert!(root.is_room_root());
    let items = root.items();
    assert_eq!(items.len(), 3);
    assert_eq!(
        items.last(),
        Some(&(5, "pub struct D { e: u8 }".to_owned()))
    );
    let types = Source::new(
        "src/a/b.rs",
        "#[derive(Debug)]\npub(in crate::a) struct B<'x>(&'x u8);\npub type C = u8;\n\
         pub(super) trait D: E {}\nenum F { G }\npub fn h() {}\npub const I: J = 1;\n",
    );
    assert_eq!(
        types.visible_types(),
        [(2, "B"), (3, "C"), (4, "D")].map(|(line, name)| (line, name.to_owned()))
    );
    let grouped = Source::new("src/a/b.rs", "use std::{net::{IpAddr, UdpSocket}, fmt};\n");
    assert_eq!(grouped.mentions("std::net::UdpSocket"), [1]);
    assert!(grouped.mentions("std::net::TcpStream").is_empty());
    assert!(grouped.mentions("td::net").is_empty());
}
