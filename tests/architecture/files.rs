//! The files of one room: which imports which, and which hold methods of one type.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// The module that a file is: `src/answer/level.rs` is `answer::level`.
type Module = Vec<String>;

/// Files of rooms, tests left out, each by its module.
pub(crate) struct Files {
    files: BTreeMap<Module, File>,
}

/// What is read of a file.
struct File {
    /// Where it is.
    path: String,
    /// Every path in its code.
    paths: Vec<String>,
    /// The names of the items that it defines.
    defined: BTreeSet<String>,
    /// The types for which it has methods.
    types: BTreeSet<String>,
}

impl Files {
    /// Those of these sources.
    pub(crate) fn new(sources: &[Source]) -> Self {
        let files = sources.iter().filter(|source| !source.is_test());
        Self {
            files: files
                .map(|source| (module(source), File::new(source)))
                .collect(),
        }
    }

    /// The circles among the files of a room: sets of files that import each other, one by way of
    /// another.
    pub(crate) fn circles(&self, room: &str) -> Vec<BTreeSet<&str>> {
        let here = |module: &&Module| module.first().is_some_and(|first| first == room);
        let modules = self.files.keys().filter(here);
        let imports: BTreeMap<_, _> = modules
            .map(|module| (module, self.imports(module)))
            .collect();
        let reached: BTreeMap<_, _> = imports
            .keys()
            .map(|module| (*module, reached(module, &imports)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            let back = all.iter().filter(|other| {
                let back = reached.get(other);
                back.is_some_and(|back| back.contains(*module))
            });
            let circle: BTreeSet<&str> = back
                .filter_map(|other| self.files.get(other))
                .map(|file| file.path.as_str())
                .collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// Every type of a room that has methods in more than `most` files, with these.
    pub(crate) fn scattered(&self, room: &str, most: usize) -> BTreeMap<&str, Vec<&str>> {
        let mut types: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (module, file) in &self.files {
            if module.first().is_some_and(|first| first == room) {
                for name in &file.types {
                    types.entry(name).or_default().push(&file.path);
                }
            }
        }
        types.retain(|_, files| files.len() > most);
        types
    }

    /// The modules of the same room that a module imports. A room's root only offers what others
    /// define.
    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let paths = self.files.get(module).map(|file| &file.paths);
        let paths = paths.filter(|_| module.len() > 1).into_iter().flatten();
        let found = paths.filter_map(|path| self.resolve(module, path, 0));
        found
            .filter(|other| other != module && other.first() == module.first())
            .collect()
    }

    /// The module where a path leads that stands in a module; `None` for one that begins with a name
    /// in scope, and for a name alone: a variable or a method may be called as a module. `depth` ends
    /// what goes around.
    fn resolve(&self, module: &Module, path: &str, depth: usize) -> Option<Module> {
        if !path.contains("::") {
            return None;
        }
        let mut segments = path
            .split("::")
            .filter(|segment| *segment != "self")
            .peekable();
        let mut at = module.clone();
        match *segments.peek()? {
            "crate" => {
                segments.next();
                at.clear();
            }
            "super" => {
                while segments.next_if_eq(&"super").is_some() {
                    at.pop();
                }
            }
            first => {
                at.push(first.to_owned());
                let is_child = self.files.contains_key(&at);
                at.pop();
                if !is_child {
                    return None;
                }
            }
        }
        let mut rest = segments.map(str::to_owned);
        let mut item = None;
        for segment in rest.by_ref() {
            at.push(segment);
            if !self.files.contains_key(&at) {
                item = at.pop();
                break;
            }
        }
        let file = self.files.get(&at)?;
        let Some(item) = item else { return Some(at) };
        if file.defined.contains(&item) || depth > 8 {
            return Some(at);
        }
        // It is offered here, and defined elsewhere.
        let end = format!("::{item}");
        let mut sources = file.paths.iter().filter(|path| path.ends_with(&end));
        let found = sources.find_map(|path| self.resolve(&at, path, depth + 1));
        Some(found.unwrap_or(at))
    }
}

/// The modules that a module imports, those that these import, and so on.
fn reached(module: &Module, imports: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![module];
    while let Some(module) = next.pop() {
        for other in imports.get(module).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    reached
}

impl File {
    fn new(source: &Source) -> Self {
        // What stands behind is a test's, and means its own surroundings.
        let code = source.text.split("\nmod tests {").next();
        let code = without_declarations(code.unwrap_or_default());
        let source = Source::new(&source.path, &code);
        let items = source.items();
        let words = |item: &str| -> Vec<String> {
            let words = item.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            let words = words.filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        let defined = items.iter().filter_map(|(_, item)| {
            let words = words(item);
            let kinds = ["struct", "enum", "trait", "type", "const", "static", "fn"];
            let of = words
                .iter()
                .position(|word| kinds.contains(&word.as_str()))?;
            // `const fn` is a function.
            let of = of + usize::from(words.get(of + 1).is_some_and(|word| word == "fn"));
            words.get(of + 1).cloned()
        });
        let types = items.iter().filter_map(|(_, item)| implemented(item));
        Self {
            path: source.path.clone(),
            paths: source.all_paths(),
            defined: defined.collect(),
            types: types.collect(),
        }
    }
}

/// Code without what names modules and imports nothing of them: `pub(in …)` and `mod …;`.
fn without_declarations(code: &str) -> String {
    let lines = code.lines().map(|line| {
        let line = match line
            .split_once("pub(")
            .map(|(_, rest)| rest.split_once(')'))
        {
            Some(Some((_, rest))) => rest.trim_start(),
            _ => line,
        };
        let is_declaration = line.starts_with("mod ") && line.ends_with(';');
        if is_declaration { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The type whose own methods an item has: `Level` for `impl<'s> Level<'s> {`.
fn implemented(item: &str) -> Option<String> {
    let mut head = item.strip_prefix("impl")?.split('{').next()?;
    if head.starts_with('<') {
        let mut depth = 0;
        let end = head.find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        })?;
        head = head.get(end + 1..)?;
    }
    if head.contains(" for ") {
        return None;
    }
    let path = head
        .trim()
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let name = path.into_iter().next()?.rsplit("::").next()?;
    Some(name.to_owned())
}

/// The module that a file is.
fn module(source: &Source) -> Module {
    let inside = source.path.strip_prefix("src/").unwrap_or(&source.path);
    let module = inside.trim_end_matches(".rs").split('/');
    module.map(str::to_owned).collect()
}

#[test]
fn circles_and_scattered_methods_are_found() {
    let sources = [
        ("src/a.rs", "mod b;\nmod c;\nmod d;\npub use c::C;\n"),
        (
            "src/a/b.rs",
            "use super::C;\nimpl B { fn f() {} }\nimpl<T: D<E>> B<T> {}\n",
        ),
        (
            "src/a/c.rs",
            "pub(super) mod e;\npub struct C;\nfn g() { e::h() }\nimpl super::b::B {}\n",
        ),
        (
            "src/a/c/e.rs",
            "pub const fn h() {}\nimpl From<B> for C {}\nmod tests {\nuse super::C; }\n",
        ),
        (
            "src/a/d.rs",
            "use super::b::{self, B};\nuse super::c::e::h;\nuse std::b::B;\n",
        ),
        ("src/a/tests.rs", "use super::d;\nimpl B {}\n"),
        ("src/f.rs", "mod g;\nmod h;\n"),
        ("src/f/g.rs", "use super::h;\n"),
        (
            "src/f/h.rs",
            "mod i;\nuse crate::a::C;\npub fn j(i: C) { i.i() }\n",
        ),
        ("src/f/h/i.rs", "use super::j;\n"),
    ];
    let sources = sources.map(|(path, text)| Source::new(path, text));
    let files = Files::new(&sources);
    assert_eq!(files.circles("a"), [["src/a/b.rs", "src/a/c.rs"].into()]);
    assert!(files.circles("f").is_empty());
    assert_eq!(
        files.scattered("a", 1),
        [("B", vec!["src/a/b.rs", "src/a/c.rs"])].into()
    );
}
