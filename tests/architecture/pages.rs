//! Reads Markdown just well enough for the rules: headings and their anchors, first cells of tables,
//! links, and words in code spans.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// One Markdown file of the package.
pub(crate) struct Page {
    /// Its path from the root of the package, with `/`.
    pub(crate) path: String,
    /// How many lines it has.
    pub(crate) length: usize,
    /// Its headings, without the marks.
    headings: Vec<String>,
    /// The cells of each row of its tables, and the heading above.
    rows: Vec<(Vec<String>, String)>,
    /// The targets of its links, with their lines.
    pub(crate) links: Vec<(usize, String)>,
    /// What its code spans hold, with their lines.
    pub(crate) spans: Vec<(usize, String)>,
}

/// Every Markdown file of the package, sorted by path.
pub(crate) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("a page is UTF-8");
                let path = path.strip_prefix(root).expect("it lies in the package");
                found.push(Page::new(&path.to_string_lossy().replace('\\', "/"), &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Page {
    /// The page at `path` with this `text`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            length: text.lines().count(),
            headings: Vec::new(),
            rows: Vec::new(),
            links: Vec::new(),
            spans: Vec::new(),
        };
        let mut is_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
            } else if !is_code {
                page.read(number, line);
            }
        }
        page
    }

    /// Reads one line outside of code blocks.
    fn read(&mut self, number: usize, line: &str) {
        if let Some(heading) = line.strip_prefix('#') {
            self.headings
                .push(heading.trim_start_matches('#').trim().to_owned());
        }
        if let Some(row) = line.strip_prefix('|') {
            let cells = row.trim_end().trim_end_matches('|').split('|');
            let cells = cells.map(|cell| cell.trim().to_owned()).collect();
            let above = self.headings.last().cloned().unwrap_or_default();
            self.rows.push((cells, above));
        }
        let mut prose = String::new();
        for (index, part) in line.split('`').enumerate() {
            if index % 2 == 0 {
                prose.push_str(part);
            } else {
                self.spans.push((number, part.to_owned()));
            }
        }
        for rest in prose.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            self.links.push((number, target.to_owned()));
        }
    }

    /// The anchors of its headings, made as code forges make them.
    fn anchors(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let anchors = self.headings.iter().map(|heading| {
            let kept = heading.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
            });
            let anchor: String = kept.collect();
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            match *count {
                1 => anchor,
                count => format!("{anchor}-{}", count - 1),
            }
        });
        anchors.collect()
    }

    /// Whether a link may lead to `anchor`.
    pub(crate) fn has_anchor(&self, anchor: &str) -> bool {
        self.anchors().iter().any(|known| known == anchor)
    }

    /// Whether a heading begins with `key` in either case, or a row of a table is called so.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        let is_of = |heading: &String| {
            let rest = heading.to_lowercase();
            rest.strip_prefix(&key).is_some_and(|rest| {
                let mut rest = rest.chars();
                let ends = |c: char| !c.is_alphanumeric() && c != '.';
                rest.next().is_none_or(ends)
            })
        };
        let is_row = |(cells, _): &(Vec<String>, String)| {
            let first = cells.first().map(|cell| cell.trim_matches('*'));
            first.is_some_and(|first| first.to_lowercase() == key)
        };
        self.headings.iter().any(is_of) || self.rows.iter().any(is_row)
    }

    /// The rows of the tables below headings that begin with `start`: their cells.
    pub(crate) fn rows_below(&self, start: &str) -> impl Iterator<Item = &[String]> {
        let rows = self.rows.iter();
        let below = rows.filter(move |(_, heading)| heading.starts_with(start));
        below.map(|(cells, _)| cells.as_slice())
    }
}
