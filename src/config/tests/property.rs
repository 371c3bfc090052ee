//! Properties of all files.

use std::path::Path;

use proptest::prelude::*;

use super::facts::EVERY_KEY as FACTS;
use super::good::{EVERY_KEY, good};
use crate::config::{facts, parse};

/// A right file with some octets changed: cut, repeated, or replaced by something of another file.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "\"", "[[", "]]", "{", "}", " = ", "\n", "svc", "-1", "1e9", "\u{e9}", "#", ".", "true",
        "[]",
    ]);
    let edit = (any::<prop::sample::Index>(), 0usize..40, words);
    prop::collection::vec(edit, 1..6).prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, cut, word) in edits {
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, word.chars());
            chars.push('\n');
        }
        chars.into_iter().collect()
    })
}

/// Either a value, or problems that are in file order and inside the text.
fn assert_places<T>(text: &str, read: Result<T, Vec<crate::config::Problem>>) {
    let Err(problems) = read else { return };
    assert!(!problems.is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for pair in problems.windows(2) {
        assert!((pair[0].line, pair[0].column) <= (pair[1].line, pair[1].column));
    }
    for problem in problems {
        let width = lines[problem.line - 1].chars().count();
        assert!(problem.column <= width + 1, "{problem}");
        assert!(!problem.message.contains('\n'), "{problem}");
    }
}

/// The sections of the file with every key, each with its header; the first is the root.
fn sections() -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in EVERY_KEY.lines() {
        if line.starts_with('[') {
            sections.push(String::new());
        }
        let section = sections.last_mut().unwrap();
        section.push_str(line);
        section.push('\n');
    }
    sections
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        assert_places(&text, parse(&text, Path::new("f")));
        assert_places(&text, facts::parse(&text, Path::new("f")));
    }

    #[test]
    fn no_mutated_file_makes_reading_panic(
        config in mutated(EVERY_KEY),
        services in mutated(FACTS),
    ) {
        assert_places(&config, parse(&config, Path::new("f")));
        assert_places(&services, facts::parse(&services, Path::new("f")));
    }

    #[test]
    fn kinds_of_sections_may_stand_in_any_order(
        order in Just((1..sections().len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        // Sections of one kind keep their order, which breaks ties.
        let sections = sections();
        let kind = |index: usize| sections[index].lines().next().unwrap_or_default();
        let mut text = sections[0].clone();
        let mut used = vec![false; sections.len()];
        for index in order {
            let first = (1..sections.len()).find(|other| !used[*other] && kind(*other) == kind(index));
            let first = first.unwrap();
            used[first] = true;
            text.push_str(&sections[first]);
        }
        prop_assert_eq!(good(&text), good(EVERY_KEY));
    }
}
