//! What the documents and the comments say of each other: every citation names a page and a heading
//! that exist, every link leads somewhere, every path and test that a page names is there.
//!
//! A citation is the path of a page, alone or followed by what is meant of it: `docs/names.md, D.5`,
//! `docs/names.md, decisions 2 and 5`, `docs/names.md, D.2 to D.4, N8`. What follows the first comma
//! is a list of headings, each by its first words, or of rows of tables, each by its first cell.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use super::pages::{Page, pages};
use super::report;
use super::source::sources;

/// No README is longer, in lines.
const LONGEST_README: usize = 150;

/// What other files than Rust ones may cite pages, by folder and the end of their names.
const OTHERS: &[(&str, &str)] = &[
    ("tests/cases", ".case"),
    ("deploy", ".yaml"),
    ("zones", ".toml"),
    (".ci", "run"),
    (".", "Cargo.toml"),
    (".", "justfile"),
];

/// Everything that may cite a page: its path and its text.
fn citing() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        let sources = sources(folder).into_iter();
        found.extend(sources.map(|source| (source.path, source.text)));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, end) in OTHERS {
        for entry in fs::read_dir(root.join(folder)).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(end) {
                let text = fs::read_to_string(&path).expect("a file is UTF-8");
                found.push((format!("{folder}/{name}"), text));
            }
        }
    }
    found
}

/// What a text says, comments of several lines as one: each with the number of its first line.
fn sentences(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let comment = ["//!", "///", "//", "#"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        match (comment, found.last_mut()) {
            (Some(comment), Some((_, last))) if goes_on => {
                last.push(' ');
                last.push_str(comment.trim());
            }
            (Some(comment), _) => found.push((number, comment.trim().to_owned())),
            (None, _) => found.push((number, line.to_owned())),
        }
        goes_on = comment.is_some_and(|comment| !comment.trim().is_empty());
    }
    found
}

/// The citations of a text: the name of a page in `docs`, and the keys that are meant.
fn citations(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for rest in text.split("docs/").skip(1) {
        let Some((name, rest)) = rest.split_once(".md") else {
            continue;
        };
        if name.is_empty() || name.contains(|c: char| !c.is_ascii_lowercase() && c != '-') {
            continue;
        }
        found.push((name.to_owned(), keys(rest)));
    }
    found
}

/// The keys of a citation, of which `rest` is what follows the page.
fn keys(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix(", ") else {
        return Vec::new();
    };
    let end = |c: char| matches!(c, ')' | '(' | ';' | ':' | '"' | '`' | '|');
    let list = list.split(end).next().unwrap_or_default();
    let list = list.split(". ").next().unwrap_or_default();
    let list = list.trim_end_matches('.').replace(" and ", ", ");
    let mut keys = Vec::new();
    let mut word = String::new();
    for key in list.replace(" to ", ", ").split(", ") {
        let key = key.trim();
        if key.starts_with(|c: char| c.is_ascii_digit()) {
            keys.push(format!("{word} {key}"));
            continue;
        }
        let key = key.replace("decisions ", "decision ");
        key.split(' ')
            .next()
            .unwrap_or_default()
            .clone_into(&mut word);
        keys.push(key);
    }
    keys
}

#[test]
fn citations_name_headings_that_exist() {
    let pages = pages();
    let mut findings = Vec::new();
    let mut count = 0;
    for (path, text) in citing() {
        for (line, sentence) in sentences(&text) {
            for (name, keys) in citations(&sentence) {
                count += 1;
                let name = format!("docs/{name}.md");
                let Some(page) = pages.iter().find(|page| page.path == name) else {
                    findings.push(format!("{path}:{line}: there is no {name}"));
                    continue;
                };
                for key in keys.iter().filter(|key| !page.has_key(key)) {
                    findings.push(format!("{path}:{line}: {name} has no heading {key:?}"));
                }
            }
        }
    }
    report("cite pages by headings that they have", &findings);
    assert!(count > 0, "nothing is cited");
}

#[test]
fn citations_have_one_form() {
    let mut findings = Vec::new();
    for (path, text) in citing() {
        for (line, sentence) in sentences(&text) {
            for rest in sentence.split("names: ").skip(1) {
                let is_key = ["D.", "E.", "decision"]
                    .iter()
                    .any(|key| rest.starts_with(key));
                if is_key || rest.starts_with(|c: char| c.is_ascii_digit()) {
                    findings.push(format!("{path}:{line}: names: {rest}"));
                }
            }
        }
    }
    report("cite docs/names.md and a heading", &findings);
}

#[test]
fn links_lead_to_files_and_headings() {
    let pages = pages();
    let mut findings = Vec::new();
    for page in &pages {
        for (line, target) in &page.links {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() {
                page.path.clone()
            } else {
                resolve(&page.path, file)
            };
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&to).exists();
            let has_anchor = anchor.is_empty()
                || (pages.iter()).any(|page| page.path == to && page.has_anchor(anchor));
            if !is_there || !has_anchor {
                findings.push(format!("{}:{line}: {target} leads nowhere", page.path));
            }
        }
    }
    report("relative links lead to files and headings", &findings);
}

/// The path from the root of what `link` means on the page at `path`.
fn resolve(path: &str, link: &str) -> String {
    let mut parts: Vec<_> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn paths_and_tests_that_pages_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut functions = HashSet::new();
    for folder in ["src", "tests", "benches"] {
        for source in sources(folder) {
            let after = source.code.split("fn ").skip(1);
            functions.extend(after.filter_map(|rest| {
                let name = rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()?;
                Some(name.to_owned())
            }));
        }
    }
    let mut findings = Vec::new();
    for page in pages() {
        for (line, span) in &page.spans {
            let span = span.trim_end_matches('/');
            if is_path(span)
                && ![root.join(span), root.join("src").join(span)]
                    .iter()
                    .any(|p| p.exists())
            {
                findings.push(format!("{}:{line}: there is no {span}", page.path));
            }
            if is_test(span) && !functions.contains(span) {
                findings.push(format!("{}:{line}: there is no test {span}", page.path));
            }
        }
    }
    report("pages name files and tests that exist", &findings);
}

/// Whether a code span is the path of a Rust file, or of anything in a folder of the package.
fn is_path(span: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let top = span.split('/').next().unwrap_or_default();
    let is_inside = ["src", "tests", "benches", "docs", "deploy", "zones"].contains(&top);
    let is_rust = Path::new(span)
        .extension()
        .is_some_and(|extension| extension == "rs");
    span.contains('/') && span.chars().all(is_plain) && (is_inside || is_rust)
}

/// Whether a code span is the name of a test: a sentence of at least four words.
fn is_test(span: &str) -> bool {
    span.matches('_').count() >= 3
        && span.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        && !span.starts_with("gazetteer_")
}

#[test]
fn the_readme_is_short() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.path == "README.md");
    let length = readme.expect("there is a README.md").length;
    assert!(length <= LONGEST_README, "README.md has {length} lines");
}

#[test]
fn acceptance_cases_of_the_specification_are_cases() {
    let mut ids = HashSet::new();
    for (path, text) in citing() {
        if path.starts_with("tests/cases/") {
            let cases = text.lines().filter_map(|line| line.strip_prefix("CASE "));
            let id = |case: &str| case.split([' ', '-']).next().unwrap_or_default().to_owned();
            ids.extend(cases.map(id));
        }
    }
    let pages = pages();
    let page = pages.iter().find(|page| page.path == "docs/names.md");
    let page = page.expect("there is a docs/names.md");
    let is_id = |cell: &&str| cell.len() == 3 && cell.chars().skip(1).all(|c| c.is_ascii_digit());
    let firsts = page.rows_below("E.").filter_map(|cells| cells.first());
    let rows: Vec<_> = firsts.map(String::as_str).filter(is_id).collect();
    let missing = rows.iter().filter(|id| !ids.contains(**id));
    let findings: Vec<_> = missing.map(|id| format!("no case {id}")).collect();
    report("the specification's cases are in tests/cases", &findings);
    assert!(rows.len() > 80, "{} rows", rows.len());
}

#[test]
fn the_page_of_metrics_has_all_of_them() {
    let mut declared = BTreeSet::new();
    for source in sources("src/telemetry") {
        for literal in source.text.split('"') {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            if literal.starts_with("gazetteer_") && literal.chars().all(is_name) {
                declared.insert(literal.to_owned());
            }
        }
    }
    let pages = pages();
    let page = pages.iter().find(|page| page.path == "docs/metrics.md");
    let rows = page.expect("there is a docs/metrics.md").rows_below("");
    let firsts = rows.filter_map(|cells| cells.first());
    let firsts = firsts.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
    let told: BTreeSet<_> = firsts.map(str::to_owned).collect();
    assert_eq!(told, declared);
}

#[test]
fn the_reader_of_pages_sees_what_the_rules_need() {
    let page = Page::new(
        "pages/a.md",
        "# A\n\n## `[b]`\n\n### D.1 One, two\n\n```sh\n# no heading\n```\n\n## `[b]`\n\n\
         | id | x |\n|---|---|\n| V13 | see [`c`](d.md#e) and `f(g)` |\n",
    );
    for anchor in ["a", "b", "b-1", "d1-one-two"] {
        assert!(page.has_anchor(anchor), "{anchor}");
    }
    assert!(!page.has_anchor("no-heading"));
    for (key, is_there) in [("D.1", true), ("D", false), ("v13", true), ("V1", false)] {
        assert_eq!(page.has_key(key), is_there, "{key}");
    }
    assert_eq!(page.links, [(15, "d.md#e".to_owned())]);
    let rows: Vec<_> = page.rows_below("`[b]`").map(<[String]>::len).collect();
    assert_eq!(rows, [2, 2, 2]);
    assert_eq!(resolve("pages/a.md", "../src/b.rs"), "src/b.rs");

    let page = "docs/names.md";
    let text = format!("/// Says (`{page}, decisions 2, 5 and\n/// 13; D.2`) so.\nlet a = 1;\n");
    let read = sentences(&text);
    assert_eq!(read.len(), 2);
    let cited = citations(&read.first().expect("a comment").1);
    let expected = ["decision 2", "decision 5", "decision 13"].map(str::to_owned);
    assert_eq!(cited, [("names".to_owned(), expected.to_vec())]);
    assert_eq!(keys(", D.2 to D.4. More."), ["D.2", "D.4"]);
    assert!(keys(" says so").is_empty());
}
