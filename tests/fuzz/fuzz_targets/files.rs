//! Any text is a configuration, a facts file, or neither, with problems inside the text.
#![no_main]

use std::path::Path;

use gazetteer::config::{Problem, facts, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    check(text, parse(text, Path::new("f")).err());
    check(text, facts::parse(text, Path::new("f")).err());
});

/// Problems are there, in order, and at places that the text has.
fn check(text: &str, problems: Option<Vec<Problem>>) {
    let Some(problems) = problems else { return };
    assert!(!problems.is_empty(), "refused without a problem");
    let lines: Vec<_> = text.split('\n').collect();
    assert!(problems.is_sorted_by_key(|problem| (problem.line, problem.column)));
    for problem in problems {
        let width = lines[problem.line - 1].chars().count();
        assert!((1..=width + 1).contains(&problem.column), "{problem}");
    }
}
