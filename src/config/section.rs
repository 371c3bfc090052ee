//! One table of a TOML file, read key by key. The keys that were asked for are the known ones.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{PartProblems, Placed};
use crate::model::{UnixSeconds, kept};

/// How close a known key must be to an unknown one to be suggested (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.75;

/// One table.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// Where its problems go.
    pub(super) report: &'a PartProblems<'a>,
    /// Where it starts.
    pub(super) at: usize,
    /// Its keys and values.
    table: &'a DeTable<'a>,
    /// The keys that were asked for.
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// A table that starts at `at`.
    pub(super) fn new(report: &'a PartProblems<'a>, table: &'a DeTable<'a>, at: usize) -> Self {
        Self {
            report,
            at,
            table,
            asked: RefCell::default(),
        }
    }

    /// The value of a key, if the table has it.
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Whether the table has a key. Does not make it known.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports a key that must be there and is not.
    pub(super) fn require(&self, key: &'static str) {
        if !self.has(key) {
            self.report.add(self.at, format!("{key}: required"));
        }
    }

    /// A text that `read` takes; `subject` names it in problems.
    pub(super) fn text<T>(
        &self,
        key: &'static str,
        subject: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        let value = self.get(key)?;
        read_text(self.report, value, subject, read)
    }

    /// A list of texts; the ones that `read` refuses are reported and left out.
    pub(super) fn texts<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<Placed<T>>> {
        let elements = self.array(key)?;
        let read = |value| read_text(self.report, value, key, &read);
        Some(elements.iter().filter_map(read).collect())
    }

    /// A list of texts, each once: repetitions are reported.
    pub(super) fn distinct<T: Clone + Eq + Hash + Display>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let values = self.texts(key, read).unwrap_or_default();
        let values = values.into_iter();
        unique(self.report, values, |value| {
            format!("{key} \"{value}\": listed more than once")
        })
    }

    /// The elements of a list.
    pub(super) fn array(&self, key: &'static str) -> Option<&'a [Spanned<DeValue<'a>>]> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Array(elements) => Some(elements),
            other => {
                self.wrong(value, key, "a list", other);
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Placed<u64>> {
        let value = self.get(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong(value, key, "a whole number", value.get_ref());
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let Some(number) = number.filter(|number| range.contains(number)) else {
            let (low, high) = range.into_inner();
            let message = format!("{key} {integer}: must be between {low} and {high}");
            self.report.add(value.span().start, message);
            return None;
        };
        Some(Placed {
            value: number,
            at: value.span().start,
        })
    }

    /// A number within `range`, whole or not.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            other => {
                self.wrong(value, key, "a number", other);
                return None;
            }
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = range.into_inner();
            let message = format!("{key} {text}: must be between {low} and {high}");
            self.report.add(value.span().start, message);
        }
        number
    }

    /// A moment, with its offset from UTC (RFC 3339), as TOML has it or as a string. Fractions of a second
    /// do not count.
    pub(super) fn time(&self, key: &'static str) -> Option<Placed<UnixSeconds>> {
        let value = self.get(key)?;
        let at = value.span().start;
        let text = match value.get_ref() {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.to_string(),
            other => {
                self.wrong(value, key, "a time", other);
                return None;
            }
        };
        let time: Result<Timestamp, _> = text.parse();
        let time = time
            .ok()
            .and_then(|time| u64::try_from(time.as_second()).ok());
        if time.is_none() {
            let message = format!("{key} {text:?}: expected a time such as 2026-11-27T20:00:00Z");
            self.report.add(at, message);
        }
        time.map(|seconds| Placed {
            value: UnixSeconds(seconds),
            at,
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &'static str) -> Option<Placed<bool>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(boolean) => Some(Placed {
                value: *boolean,
                at: value.span().start,
            }),
            other => {
                self.wrong(value, key, "true or false", other);
                None
            }
        }
    }

    /// A table.
    pub(super) fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.get(key)?;
        as_table(self.report, value, key)
    }

    /// A list of tables.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let elements = self.array(key).unwrap_or_default();
        let table = |value| as_table(self.report, value, key);
        elements.iter().filter_map(table).collect()
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.take();
        #[cfg(test)]
        super::tests::schema::note_asked(self.at, &asked);
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            // Longer names are no slips of the keys here, and the comparison is not linear.
            let lower = kept(name).to_lowercase();
            let score = |known: &&str| strsim::jaro_winkler(known, &lower);
            let nearest = asked
                .iter()
                .copied()
                .max_by(|a, b| score(a).total_cmp(&score(b)))
                .filter(|known| score(known) >= NEAR);
            let message = match nearest {
                Some(known) => format!("unknown key {name:?}; did you mean {known:?}?"),
                None => format!("unknown key {name:?}"),
            };
            self.report.add(key.span().start, message);
        }
    }

    /// Reports a value of a wrong type.
    fn wrong(&self, at: &Spanned<DeValue<'_>>, subject: &str, wanted: &str, found: &DeValue<'_>) {
        wrong_type(self.report, at.span().start, subject, wanted, found);
    }
}

/// The values of a list; those that were there before are reported as `problem` says.
pub(super) fn unique<T: Clone + Eq + Hash>(
    report: &PartProblems<'_>,
    values: impl Iterator<Item = Placed<T>>,
    problem: impl Fn(&T) -> String,
) -> Vec<T> {
    let mut seen = HashSet::new();
    let mut all = Vec::with_capacity(values.size_hint().0);
    for Placed { value, at } in values {
        // Most lists have one element.
        if !all.is_empty() {
            seen.extend(all.first().filter(|_| seen.is_empty()).cloned());
            if !seen.insert(value.clone()) {
                report.add(at, problem(&value));
            }
        }
        all.push(value);
    }
    all
}

/// A text that `read` takes.
pub(super) fn read_text<T>(
    report: &PartProblems<'_>,
    value: &Spanned<DeValue<'_>>,
    subject: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<Placed<T>> {
    let at = value.span().start;
    let DeValue::String(text) = value.get_ref() else {
        wrong_type(report, at, subject, "a string", value.get_ref());
        return None;
    };
    match read(text) {
        Ok(value) => Some(Placed { value, at }),
        Err(reason) => {
            report.add(at, format!("{subject} {text:?}: {reason}"));
            None
        }
    }
}

/// A value that must be a table.
pub(super) fn as_table<'a>(
    report: &'a PartProblems<'a>,
    value: &'a Spanned<DeValue<'a>>,
    subject: &str,
) -> Option<Section<'a>> {
    let at = value.span().start;
    if let DeValue::Table(table) = value.get_ref() {
        return Some(Section::new(report, table, at));
    }
    wrong_type(report, at, subject, "a table", value.get_ref());
    None
}

/// Reports a value of a wrong type.
fn wrong_type(
    report: &PartProblems<'_>,
    at: usize,
    subject: &str,
    wanted: &str,
    found: &DeValue<'_>,
) {
    let found = type_name(found);
    report.add(at, format!("{subject}: expected {wanted}, found {found}"));
}

/// The type of a value in words.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
