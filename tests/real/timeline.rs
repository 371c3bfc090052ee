//! What is served from one moment to the next: every change of every answer, beside what the test did
//! and what the daemon says of its members, on one clock.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clusters::{Shown, clusters};
use crate::dns::Client;
use crate::gazetteer::Gazetteer;
use crate::report_line;

/// Between two looks at all names.
const INTERVAL: Duration = Duration::from_millis(50);

/// Between two looks at the members, which each take a process.
const MEMBERS: Duration = Duration::from_millis(500);

/// How a name is answered while nobody answers.
pub(crate) const SILENT: &str = "no answer";

/// One line of a timeline.
#[derive(Debug, Clone)]
struct Line {
    /// When, since the start.
    at: Duration,
    /// The place of the name that is answered otherwise from here on; none is something that was done
    /// or shown.
    name: Option<usize>,
    /// The answer, or what was done.
    text: String,
}

/// What both threads of a timeline share.
struct Shared {
    /// When it began.
    start: Instant,
    /// In order of time.
    lines: Mutex<Vec<Line>>,
    /// Ends the questions.
    stop: AtomicBool,
}

impl Shared {
    /// One more line; returns its time.
    fn add(&self, name: Option<usize>, text: String) -> Duration {
        let mut lines = self.lines.lock();
        let at = self.start.elapsed();
        lines.push(Line { at, name, text });
        at
    }
}

/// A running timeline; its questions end when it is dropped.
pub(crate) struct Timeline {
    /// What is shared with the thread that asks.
    shared: Arc<Shared>,
    /// The names that are asked, by what the report calls them.
    names: Vec<(String, String)>,
    /// The threads that ask.
    threads: Vec<JoinHandle<()>>,
}

impl Timeline {
    /// Asks for the A records of `names`, each with what the report calls it, and what is shown of the
    /// members, again and again; also while the daemon is away, and after it has started again.
    pub(crate) fn start(gazetteer: &Gazetteer, names: &[(&str, String)]) -> Self {
        let (server, folder) = (gazetteer.dns, gazetteer.folder.clone());
        let names: Vec<(String, String)> = names
            .iter()
            .map(|(title, name)| ((*title).to_owned(), name.clone()))
            .collect();
        let shared = Arc::new(Shared {
            start: Instant::now(),
            lines: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let (of_names, asked) = (Arc::clone(&shared), names.clone());
        let of_members = Arc::clone(&shared);
        let threads = vec![
            std::thread::spawn(move || ask(server, &asked, &of_names)),
            std::thread::spawn(move || look(&folder, &of_members)),
        ];
        Self {
            shared,
            names,
            threads,
        }
    }

    /// Notes something that was done or shown. Returns when, since the start.
    pub(crate) fn note(&self, what: impl Into<String>) -> Duration {
        self.shared.add(None, what.into())
    }

    /// Ends the questions and gives what was served.
    pub(crate) fn stop(mut self) -> Served {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("questions");
        }
        Served {
            end: self.shared.start.elapsed(),
            lines: std::mem::take(&mut *self.shared.lines.lock()),
            names: std::mem::take(&mut self.names),
        }
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Stopped by a failure: what was seen tells why.
        if !self.threads.is_empty() {
            report(&self.shared.lines.lock(), &self.names);
        }
    }
}

/// The questions.
fn ask(server: SocketAddr, names: &[(String, String)], shared: &Shared) {
    let client = Client::new(server);
    let mut last = vec![String::new(); names.len()];
    loop {
        // All are asked once more after the end was called for: what was awaited until then is seen.
        let is_last = shared.stop.load(Ordering::Relaxed);
        for (place, ((_, name), last)) in names.iter().zip(&mut last).enumerate() {
            let answer = match client.ask(name, RecordType::A) {
                Ok(answer) if answer.held() => format!("{answer} (held)"),
                Ok(answer) => answer.to_string(),
                Err(_) => SILENT.to_owned(),
            };
            if *last != answer {
                shared.add(Some(place), answer.clone());
                *last = answer;
            }
        }
        if is_last {
            return;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// The looks at the members.
fn look(folder: &Path, shared: &Shared) {
    let mut last: Vec<Shown> = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        // A daemon that is away shows nothing.
        if let Ok(members) = clusters(folder) {
            for shown in &members {
                if !last.contains(shown) {
                    shared.add(None, shown.to_string());
                }
            }
            last = members;
        }
        std::thread::sleep(MEMBERS);
    }
}

/// Everything that was served, and done meanwhile.
pub(crate) struct Served {
    /// In order of time.
    lines: Vec<Line>,
    /// The names, by what the report calls them.
    names: Vec<(String, String)>,
    /// When the questions ended.
    end: Duration,
}

impl Served {
    /// Prints every line.
    pub(crate) fn report(&self) {
        report(&self.lines, &self.names);
        report_line(&format!("  {:>7.2} s  end", self.end.as_secs_f64()));
    }

    /// How a name was answered: each answer, without whether it was held, and since when. What follows
    /// a silence as what was before it is no change; silences are left out.
    pub(crate) fn answers(&self, title: &str) -> Vec<(Duration, String)> {
        let place = self.names.iter().position(|(known, _)| known == title);
        let place = place.unwrap_or_else(|| panic!("{title} was not asked"));
        let lines = self.lines.iter().filter(|line| line.name == Some(place));
        let mut answers: Vec<(Duration, String)> = Vec::new();
        for line in lines.filter(|line| line.text != SILENT) {
            let answer = line.text.trim_end_matches(" (held)");
            if answers.last().is_none_or(|(_, last)| last != answer) {
                answers.push((line.at, answer.to_owned()));
            }
        }
        answers
    }

    /// How long nobody answered, all together; the longest of any name.
    pub(crate) fn silence(&self) -> Duration {
        let of_name = |place: usize| {
            let lines = self.lines.iter().filter(|line| line.name == Some(place));
            let (mut since, mut total) = (None, Duration::ZERO);
            for line in lines {
                if let Some(since) = since.take() {
                    total += line.at.saturating_sub(since);
                }
                if line.text == SILENT {
                    since = Some(line.at);
                }
            }
            total + since.map_or(Duration::ZERO, |since| self.end.saturating_sub(since))
        };
        (0..self.names.len()).map(of_name).max().unwrap_or_default()
    }

    /// Fails unless a name was answered so, in this order, each from within its span on.
    pub(crate) fn assert_answers(&self, title: &str, expected: &[(Span, &str)]) {
        let answers = self.answers(title);
        let is_right = answers.len() == expected.len()
            && (answers.iter().zip(expected))
                .all(|((at, answer), (span, wanted))| answer == wanted && span.has(*at));
        assert!(is_right, "{title}: {answers:?}, expected {expected:?}");
    }
}

/// When something may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Not before.
    pub(crate) from: Duration,
    /// Not after.
    pub(crate) until: Duration,
}

impl Span {
    /// From the beginning on.
    pub(crate) const BEGINNING: Self = Self::from(Duration::ZERO);

    /// From a moment on.
    pub(crate) const fn from(from: Duration) -> Self {
        Self {
            from,
            until: Duration::MAX,
        }
    }

    /// Whether a moment is in it.
    fn has(self, at: Duration) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// Prints lines.
fn report(lines: &[Line], names: &[(String, String)]) {
    for line in lines {
        let at = line.at.as_secs_f64();
        match line.name.and_then(|place| names.get(place)) {
            Some((title, _)) => report_line(&format!("  {at:>7.2} s  {title}: {}", line.text)),
            None => report_line(&format!("  {at:>7.2} s          ── {}", line.text)),
        }
    }
}
