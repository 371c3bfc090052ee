//! The language of the case files, as far as lines go.

use std::fs;
use std::path::Path;

use crate::expect::Expect;

/// One test.
pub(crate) struct Case {
    /// `<file>::<id>`.
    pub(crate) name: String,
    /// Folder below `worlds`.
    pub(crate) world: String,
    /// In order.
    pub(crate) steps: Vec<Step>,
}

/// One line, with what is indented below it.
pub(crate) struct Step {
    /// `file:line`
    pub(crate) place: String,
    /// What it does.
    pub(crate) kind: Kind,
}

/// What a line does.
pub(crate) enum Kind {
    /// Changes the world: the words after `EVENT`, and the lines below.
    Event(String, String),
    /// A change of the configuration that is refused: text of the problem, and as `Event`.
    Refuse(String, String, String),
    /// Asks: the words after `QUERY`, or the octets after `SEND` with a `0x` before them.
    Query(String, Vec<Expect>),
}

/// Reads every case file of a folder.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "case")
        })
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        parse(&stem, &text, &mut cases)?;
    }
    Ok(cases)
}

/// What the lines so far say of the case that is being read.
#[derive(Default, Clone)]
struct Context {
    world: String,
    names: Vec<(String, String)>,
}

impl Context {
    /// Replaces `$X`, the longest name first.
    fn expand(&self, line: &str) -> String {
        let mut names: Vec<_> = self.names.iter().rev().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names.iter().fold(line.to_owned(), |line, (name, text)| {
            line.replace(&format!("${name}"), text)
        })
    }
}

/// Reads one case file.
fn parse(stem: &str, text: &str, cases: &mut Vec<Case>) -> Result<(), String> {
    let first = cases.len();
    let (mut prelude, mut context) = (Context::default(), Context::default());
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, raw)) = lines.next() {
        let place = format!("tests/cases/{stem}.case:{}", index + 1);
        let fail = |why: &str| format!("{place}: {why}: {raw}");
        if raw.trim().is_empty() || raw.starts_with('#') {
            continue;
        }
        let (word, rest) = raw.split_once(' ').ok_or_else(|| fail("a word alone"))?;
        let mut block = Vec::new();
        while let Some((at, line)) = lines.next_if(|(_, line)| line.starts_with("  ")) {
            block.push((at + 1, context.expand(line.trim_start())));
        }
        match word {
            "CASE" => {
                let id = rest.split(' ').next().unwrap_or_default();
                if cases.len() == first {
                    prelude = context;
                }
                context = prelude.clone();
                cases.push(Case {
                    name: format!("{stem}::{id}"),
                    world: context.world.clone(),
                    steps: Vec::new(),
                });
                continue;
            }
            "WORLD" => {
                rest.clone_into(&mut context.world);
                if cases.len() > first
                    && let Some(case) = cases.last_mut()
                {
                    rest.clone_into(&mut case.world);
                }
                continue;
            }
            "LET" => {
                let (name, text) = rest.split_once(' ').ok_or_else(|| fail("LET name text"))?;
                let text = context.expand(text);
                context.names.push((name.to_owned(), text));
                continue;
            }
            _ => {}
        }
        let case = match cases.last_mut() {
            Some(case) if !case.name.is_empty() => case,
            _ => return Err(fail("before the first CASE")),
        };
        let rest = context.expand(rest);
        let text = || {
            let lines: Vec<_> = block.iter().map(|(_, line)| line.as_str()).collect();
            lines.join("\n")
        };
        let mut push = |kind| {
            case.steps.push(Step {
                place: place.clone(),
                kind,
            });
        };
        match word {
            "EVENT" => push(Kind::Event(rest, text())),
            "REPEAT" => {
                let (range, event) = rest
                    .split_once(" EVENT ")
                    .ok_or_else(|| fail("REPEAT first..last EVENT …"))?;
                let (from, to) = range.split_once("..").ok_or_else(|| fail("first..last"))?;
                let bound = |text: &str| text.parse::<u32>().map_err(|_| fail("a number"));
                for n in bound(from)?..=bound(to)? {
                    let fill = |text: &str| text.replace("{n}", &n.to_string());
                    push(Kind::Event(fill(event), fill(&text())));
                }
            }
            "REFUSE" => {
                let mut parts = rest.splitn(3, '"').skip(1);
                let problem = parts.next().unwrap_or_default().to_owned();
                let event = parts.next().ok_or_else(|| fail("REFUSE \"text\" …"))?;
                push(Kind::Refuse(problem, event.trim().to_owned(), text()));
            }
            "QUERY" => push(Kind::Query(rest, Vec::new())),
            "SEND" => push(Kind::Query(format!("0x {rest}"), Vec::new())),
            "EXPECT" => {
                let expect = Expect::parse(&place, &rest, &block).map_err(|why| fail(&why))?;
                match case.steps.last_mut().map(|step| &mut step.kind) {
                    Some(Kind::Query(_, expects)) => expects.push(expect),
                    _ => return Err(fail("EXPECT without QUERY")),
                }
            }
            _ => return Err(fail("an unknown word")),
        }
    }
    let silent = cases.iter().skip(first).find(|case| {
        case.steps
            .iter()
            .any(|step| matches!(&step.kind, Kind::Query(_, expects) if expects.is_empty()))
            || case.steps.is_empty()
    });
    silent.map_or(Ok(()), |case| {
        Err(format!("{}: a query expects nothing", case.name))
    })
}
